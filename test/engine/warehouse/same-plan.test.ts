import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlanRequest } from '../../../engine/frameworks/framework.ts';
import { decodeEntries, type PlanEntry, type Shape } from '../../../engine/planner/chunks.ts';
import { plan } from '../../../engine/planner/plan.ts';
import type { PlanCounts } from '../../../engine/planner/rows.ts';
import { createSnapshots, type Snapshots } from '../../../engine/store/snapshots.ts';
import { startYard, type Yard } from './yard.ts';

const limits = { timeoutMs: 20_000 };

let yard: Yard;
let here: Snapshots;

beforeAll(async () => {
  yard = await startYard();
  here = createSnapshots(yard.db);
});
afterAll(() => yard.close());

interface Planned {
  readonly runId: number;
  readonly shape: Shape;
  readonly entries: readonly PlanEntry[];
  readonly counts: PlanCounts;
  /** Of each chunk, where its entries begin. */
  readonly chunks: readonly { readonly seq: number; readonly from: number; readonly size: number }[];
}

interface Asked {
  readonly sql: string;
  readonly key: readonly string[];
  readonly columns: readonly string[];
  readonly watched?: readonly string[];
  readonly everything: boolean;
}

function requestOf({ columns, watched }: Asked): PlanRequest {
  const request = { columns, kind: 'difference', silentFirst: false } as const;
  return watched === undefined ? request : { ...request, watched };
}

async function stored(runId: number, shape: Shape, counts: PlanCounts): Promise<Planned> {
  const entries: PlanEntry[] = [];
  const chunks: { seq: number; from: number; size: number }[] = [];
  for await (const chunk of yard.plans.read(runId)) {
    const some = decodeEntries(chunk.entries, shape.key.length);
    chunks.push({ seq: chunk.seq, from: entries.length, size: some.length });
    entries.push(...some);
  }
  return { runId, shape, entries, counts, chunks };
}

/** Compares in the warehouse. */
async function planInside(syncId: number, asked: Asked): Promise<Planned> {
  const runId = await yard.newRun(syncId);
  const model = { sourceId: yard.sourceId, sql: asked.sql, key: asked.key } as never;
  const job = { sync: { id: syncId, name: 'inside' }, model, request: requestOf(asked) };
  const inside = await yard.told.inside(job, limits);
  if (inside === undefined) {
    throw new Error('rows are not compared inside');
  }
  const { shape, lines, snapshot, untouched } = await inside.compare({
    id: runId,
    everything: asked.everything,
  });
  const write = yard.plans.save.bind(undefined, runId);
  const counts = await plan({ shape, lines, snapshot, everything: asked.everything, write });
  counts.rows += untouched();
  counts.unchanged += untouched();
  return stored(runId, shape, counts);
}

/** Reads everything and compares it here. */
async function planHere(syncId: number, asked: Asked, shape: Shape): Promise<Planned> {
  const runId = await yard.newRun(syncId);
  const { sql, key, columns, everything } = asked;
  const { order, lines } = await yard.source.read({ sql, key, columns }, limits);
  expect(order).toEqual(shape.key);
  const known = await here.prepare(syncId, shape);
  const nothing = (async function* () {
    // Nothing was told.
  })();
  const snapshot = known === 'none' ? nothing : here.chunks(syncId);
  const write = yard.plans.save.bind(undefined, runId);
  const counts = await plan({ shape, lines, snapshot, everything, write });
  return stored(runId, shape, counts);
}

type Fate = 'accepted' | 'refused' | 'doubtful';

/** Commits a plan; what becomes of a row goes by its key, so that both planners meet the same. `chunks`: how many of them. */
async function deliver(
  which: 'inside' | 'here',
  syncId: number,
  { runId, shape, entries, chunks }: Planned,
  fateOf: (key: string) => Fate,
  most = Number.POSITIVE_INFINITY,
): Promise<void> {
  for (const { seq, from, size } of chunks.slice(0, most)) {
    const fates = entries.slice(from, from + size).map((entry) => fateOf(entry.key));
    const at = (fate: Fate): Set<number> => new Set(fates.flatMap((one, i) => (one === fate ? [i] : [])));
    const commit = { syncId, runId, seq, shape, accepted: at('accepted'), doubtful: at('doubtful') };
    const told = which === 'inside' ? yard.told : here;
    await told.commit(commit);
    await told.commit(commit);
  }
}

async function toldText(told: Pick<Snapshots, 'chunks'>, syncId: number): Promise<string> {
  const parts: Buffer[] = [];
  for await (const chunk of told.chunks(syncId)) {
    parts.push(await chunk.lines());
  }
  return Buffer.concat(parts).toString('utf8');
}

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 6 }).map((some) => some.replaceAll('\0', '')),
  fc.constantFrom(
    '',
    '\\N',
    '\\',
    '\\!',
    'a\tb',
    'new\nline',
    'a\rb\f\b\v',
    "it's",
    '\u{1f600}',
    '\\\\n',
    'NULL',
  ),
);
const value = fc.option(text, { nil: null });
const row = fc.record({
  i: fc.option(fc.constantFrom('1', '2', '-3', '40', '9007199254740993', '-9223372036854775808'), {
    nil: null,
    freq: 8,
  }),
  t: fc.option(fc.oneof(text, fc.constantFrom('a', 'B', 'ä', 'b')), { nil: null, freq: 8 }),
  v: value,
  n: fc.option(fc.constantFrom('1', '1.0', '1.00', '-0.5', '12345678901234567890.123456789', 'NaN'), {
    nil: null,
  }),
  b: fc.option(fc.constantFrom('true', 'false'), { nil: null }),
  m: fc.option(
    fc.constantFrom(
      '2026-03-29 01:30:00.123456+02',
      '2026-03-28 23:30:00.123456+00',
      'infinity',
      '0044-03-15 BC',
    ),
    { nil: null },
  ),
  j: fc.option(fc.constantFrom('{"a": "x\\ty"}', '[1, 2]', '"\\\\"'), { nil: null }),
  y: fc.option(fc.constantFrom('\\x00ff', '\\x'), { nil: null }),
  c: fc.option(fc.constantFrom('ab', 'a'), { nil: null }),
});
type Row = { readonly [K in 'i' | 't' | 'v' | 'n' | 'b' | 'm' | 'j' | 'y' | 'c']: string | null };

const step = fc.record({
  rows: fc.array(row, { maxLength: 14 }),
  everything: fc.boolean().map((is) => is),
  columns: fc.shuffledSubarray(['v', 'n', 'b', 'm', 'j', 'y', 'c'], { minLength: 1 }),
  watchFirstOnly: fc.boolean(),
  fates: fc.array(fc.constantFrom<Fate>('accepted', 'accepted', 'refused', 'doubtful'), {
    minLength: 7,
    maxLength: 7,
  }),
});

async function fill(table: string, rows: readonly Row[]): Promise<void> {
  await yard.sql(`truncate ${table}`);
  for (const one of rows) {
    await yard.sql(
      `insert into ${table} values ($1::bigint, $2, $3, $4::numeric, $5::boolean, $6::timestamptz, $7::jsonb, $8::bytea, $9)`,
      [one.i, one.t, one.v, one.n, one.b, one.m, one.j, one.y, one.c],
    );
  }
}

describe('the planner inside the warehouse and the one here', () => {
  it.each(['i', 't', 't i', 'n', 'c'])(
    'make the same plan, whatever is there, changes and is refused: key %s',
    async (names) => {
      const key = names.split(' ');
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 4 }), async (steps) => {
          const table = `public.rows_${key.join('_')}`;
          await yard.sql(`create table if not exists ${table}
            (i bigint, t text, v text, n numeric, b boolean, m timestamptz, j jsonb, y bytea, c char(4))`);
          const ids = { inside: await yard.newSync(), here: await yard.newSync() };
          for (const { rows, everything, columns, watchFirstOnly, fates } of steps) {
            await fill(table, rows);
            const others = columns.filter((name) => !key.includes(name));
            const asked: Asked = {
              sql: `select * from ${table} -- all of them`,
              key,
              columns: [...key, ...others],
              ...(watchFirstOnly && others[0] !== undefined ? { watched: [others[0]] } : {}),
              everything,
            };
            const inside = await planInside(ids.inside, asked);
            const streamed = await planHere(ids.here, asked, inside.shape);

            const plain = (planned: Planned): unknown =>
              planned.entries.map(({ kind, silent, key: known, line, previous }) => [
                kind,
                silent,
                known,
                line?.toString(),
                previous?.toString(),
              ]);
            expect(plain(inside)).toEqual(plain(streamed));
            const { examples: _, ...counts } = inside.counts;
            const { examples: __, ...theirs } = streamed.counts;
            expect(counts).toEqual(theirs);

            const fateOf = (known: string): Fate => fates[known.length % fates.length] ?? 'accepted';
            await deliver('inside', ids.inside, inside, fateOf);
            await deliver('here', ids.here, streamed, fateOf);
            await yard.told.settle(ids.inside, new AbortController().signal);
            expect(await toldText(yard.told, ids.inside)).toBe(await toldText(here, ids.here));
          }
          await yard.told.forget(ids.inside);
        }),
        { numRuns: 5 },
      );
    },
    240_000,
  );
});
