import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeLine } from '../../../engine/contracts/lines.ts';
import type { KeyOrder } from '../../../engine/contracts/source.ts';
import { applyEntries, cutChunks } from '../../../engine/planner/apply.ts';
import { baseline } from '../../../engine/planner/baseline.ts';
import {
  decodeEntries,
  decompress,
  headOf,
  lineStarts,
  type NewSnapshotChunk,
  type PlanChunk,
  type PlanEntry,
  packLines,
  type Shape,
  type SnapshotChunk,
} from '../../../engine/planner/chunks.ts';
import { compareKeys, decodeLine, keyText, sortKey } from '../../../engine/planner/keys.ts';
import { plan } from '../../../engine/planner/plan.ts';
import type { PlanCounts } from '../../../engine/planner/rows.ts';
import { createPlans } from '../../../engine/store/plans.ts';
import { createSnapshots, type Snapshots } from '../../../engine/store/snapshots.ts';
import { type FreshDb, freshDb } from '../../support/postgres.ts';

type Row = readonly (string | null)[];

const shape: Shape = { key: ['bytes'], columns: ['k', 'a', 'b'] };

async function* pieces(lines: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < lines.length; at += size) {
    yield lines.subarray(at, at + size);
  }
}

const bytesOf = (rows: readonly Row[]): Buffer => Buffer.concat(rows.map(encodeLine));

const sorted = (rows: readonly Row[], key: readonly KeyOrder[] = shape.key): Row[] =>
  [...rows].sort((x, y) => compareKeys(encodeLine(x), 0, encodeLine(y), 0, key));

async function* stored(chunks: readonly NewSnapshotChunk[], spoil = false): AsyncGenerator<SnapshotChunk> {
  for (const { data, ...chunk } of chunks) {
    yield { ...chunk, hash: spoil ? chunk.hash ^ 1n : chunk.hash, lines: async () => decompress(data) };
  }
}

/** Chunks of a few rows each, as no snapshot has them. */
const small = (rows: readonly Row[], perChunk: number): NewSnapshotChunk[] =>
  Array.from({ length: Math.ceil(rows.length / perChunk) }, (_, i) => {
    const some = rows.slice(i * perChunk, (i + 1) * perChunk);
    return packLines(bytesOf(some), some.length, shape.key);
  });

async function planOf(
  rows: readonly Row[],
  before: readonly Row[],
  options: { size?: number; spoil?: boolean; shape?: Shape; told?: readonly NewSnapshotChunk[] } = {},
): Promise<{ counts: PlanCounts; entries: PlanEntry[]; chunks: PlanChunk[] }> {
  const used = options.shape ?? shape;
  const chunks: PlanChunk[] = [];
  const counts = await plan({
    lines: pieces(bytesOf(rows), options.size ?? 64_000),
    shape: used,
    snapshot: stored(options.told ?? cutChunks(bytesOf(before), used.key), options.spoil),
    write: async (chunk) => {
      chunks.push(chunk);
    },
  });
  return {
    counts,
    chunks,
    entries: chunks.flatMap((chunk) => decodeEntries(chunk.entries, used.key.length)),
  };
}

const pieceSize = fc.integer({ min: 1, max: 300 });
const perChunk = fc.integer({ min: 1, max: 12 });
const value = fc.option(
  fc.oneof(
    fc.constantFrom('', '\\N', '\\', '\t', '\n', 'a\tb', '\\?'),
    fc.string({ unit: 'binary', maxLength: 6 }),
  ),
);
const anyText = fc.oneof(
  fc.constantFrom('', '\\', '\t', '\u0001', '\u0001\t', 'a', 'a\u0000', 'ä', '🦊', '\uffee'),
  fc.string({ unit: 'binary', maxLength: 6 }),
);
const table: fc.Arbitrary<Row[]> = fc
  .uniqueArray(fc.tuple(anyText, value, value), { selector: (row) => row[0], maxLength: 60 })
  .map((rows) => sorted(rows));
/** A table and what became of it: many rows stay, some change, some go, some come. */
const change = table.chain((before) =>
  fc
    .tuple(
      fc.array(fc.integer({ min: 0, max: 9 }), { minLength: before.length, maxLength: before.length }),
      table,
    )
    .map(([fates, others]) => {
      const kept = before.flatMap((row, i): Row[] =>
        fates[i] === 0 ? [] : fates[i] === 1 ? [[row[0] ?? null, 'new', row[2] ?? null]] : [row],
      );
      const keys = new Set(before.map((row) => row[0]));
      return { before, after: sorted([...kept, ...others.slice(0, 5).filter((row) => !keys.has(row[0]))]) };
    }),
);

/** The same, with rows that have no key of their own among what came. */
const withFaults = fc
  .tuple(
    change,
    fc.array(fc.tuple(fc.nat(), fc.constantFrom<'double' | 'null'>('double', 'null')), { maxLength: 4 }),
  )
  .map(([{ before, after }, faults]) => {
    const bad = faults.map(
      ([at, fault]): Row => [
        fault === 'null' ? null : (after[at % Math.max(1, after.length)]?.[0] ?? null),
        'again',
        null,
      ],
    );
    const keyed = [...after, ...bad.filter(([key]) => key !== null)];
    return { before, after: [...sorted(keyed), ...bad.filter(([key]) => key === null)] };
  });

describe('keys', () => {
  it('sort as their stored form, and as numbers or bytes', () => {
    const key = fc.tuple(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }).map(String), anyText);
    fc.assert(
      fc.property(key, key, (x, y) => {
        const orders: KeyOrder[] = ['numeric', 'bytes'];
        const [a, b] = [encodeLine(x), encodeLine(y)];
        const order = Math.sign(compareKeys(a, 0, b, 0, orders));
        const difference = BigInt(x[0]) - BigInt(y[0]);
        const expected =
          difference === 0n ? Buffer.compare(Buffer.from(x[1]), Buffer.from(y[1])) : difference < 0n ? -1 : 1;
        expect(order).toBe(expected);
        expect(Buffer.compare(sortKey(a, 0, orders), sortKey(b, 0, orders))).toBe(order);
      }),
    );
  });

  it('and lines come back as they went in', () => {
    fc.assert(
      fc.property(fc.tuple(anyText, value, value), (row) => {
        expect(decodeLine(encodeLine(row), shape.columns)).toEqual(row);
      }),
    );
    expect(keyText(encodeLine(['a\tb', '42', 'x']), 2)).toBe('a\tb / 42');
  });

  it('may not be endless', () => {
    expect(() => sortKey(encodeLine(['x'.repeat(3000)]), 0, ['bytes'])).toThrow('longer than 2,000 bytes');
  });
});

describe('plan', () => {
  it('applied to what was told gives what is there, whatever the pieces, by the fast way and the slow', async () => {
    await fc.assert(
      fc.asyncProperty(change, pieceSize, perChunk, async ({ before, after }, size, rowsEach) => {
        const told = small(before, rowsEach);
        const fast = await planOf(after, before, { size, told });
        const slow = await planOf(after, before, { size, told, spoil: true });

        expect([fast.counts, fast.entries]).toEqual([slow.counts, slow.entries]);
        expect(applyEntries(bytesOf(before), fast.entries, shape.key).equals(bytesOf(after))).toBe(true);
        const { rows, added, changed, removed, unchanged } = fast.counts;
        expect(rows).toBe(after.length);
        expect(added + changed + unchanged).toBe(after.length);
        expect(unchanged + changed + removed).toBe(before.length);
      }),
      { numRuns: 300 },
    );
  });

  /** Answers with how many chunks it is said of what they become. */
  function provesStretches(chunks: readonly PlanChunk[], told: readonly NewSnapshotChunk[]): number {
    for (const { entries, stretches } of chunks) {
      for (const { before: was, from, to, ...becomes } of stretches) {
        const chunk = told.find(({ hash, firstKey }) => hash === was.hash && firstKey.equals(was.firstKey));
        const old = decompress((chunk as NewSnapshotChunk).data);
        const lines = applyEntries(old, decodeEntries(entries, 1).slice(from, to), shape.key);
        expect(becomes).toEqual(headOf(lines, lineStarts(lines).length - 1, shape.key));
      }
    }
    return chunks.reduce((sum, { stretches }) => sum + stretches.length, 0);
  }

  it('says what a stored chunk becomes, or nothing of it', async () => {
    await fc.assert(
      fc.asyncProperty(withFaults, pieceSize, perChunk, async ({ before, after }, size, rowsEach) => {
        const told = small(before, rowsEach);

        const { chunks } = await planOf(after, before, { size, told });

        provesStretches(chunks, told);
      }),
      { numRuns: 300 },
    );
  });

  it('knows what nearly each chunk becomes where rows change here and there', async () => {
    const before = Array.from({ length: 10_000 }, (_, i): Row => [String(i).padStart(5, '0'), 'x', null]);
    const after = before.map((row, i): Row => (i % 100 === 7 ? [row[0] ?? null, 'longer', null] : row));

    const { chunks, counts } = await planOf(after, before, { size: 1000 });

    expect(counts).toMatchObject({ changed: 100, unchanged: 9900, rows: 10_000 });
    expect(chunks.flatMap(({ stretches }) => stretches.map(({ from, to }) => [from, to]))).toEqual([
      [0, 20],
      [20, 40],
      [40, 60],
      [60, 80],
      [80, 100],
    ]);
  });

  it('says nothing of a chunk that outgrows what is held of the stream, or fills more than one chunk of the plan', async () => {
    const key = (i: number): string => String(i).padStart(5, '0');
    const before = Array.from({ length: 12_000 }, (_, i): Row => [key(i), 'x'.repeat(100), null]);
    const told = cutChunks(bytesOf(before), shape.key);
    const grown = before.map((row, i): Row => (i % 10 === 0 ? [key(i), 'y'.repeat(6000), null] : row));
    const tripled = before.flatMap((_, i) =>
      ['', '+', '-'].map((end): Row => [`${key(i)}${end}`, 'z', null]),
    );

    for (const after of [grown, tripled]) {
      const { chunks } = await planOf(after, before, { told });
      expect(provesStretches(chunks, told)).toBeLessThan(told.length);
    }
  });

  it('says nothing where nothing changed, without opening a chunk', async () => {
    const rows = Array.from({ length: 10_000 }, (_, i): Row => [String(i), 'x', null]);
    const numeric: Shape = { key: ['numeric'], columns: shape.columns };
    const closed = cutChunks(bytesOf(rows), numeric.key).map((chunk) => ({
      ...chunk,
      lines: () => Promise.reject(new Error('opened')),
    }));
    const counts = await plan({
      lines: pieces(bytesOf(rows), 1000),
      shape: numeric,
      snapshot: (async function* () {
        yield* closed;
      })(),
      write: () => Promise.reject(new Error('written')),
    });

    expect(counts).toMatchObject({ rows: 10_000, unchanged: 10_000, added: 0 });
  });

  it('keeps the row before and the row after, and is silent about what nobody watches', async () => {
    const watching: Shape = { ...shape, watched: [1] };
    const { entries, counts } = await planOf(
      [
        ['1', 'a', 'other'],
        ['2', 'B', 'b'],
        ['4', 'new', '\\?'],
      ],
      [
        ['1', 'a', 'b'],
        ['2', 'a', 'b'],
        ['3', 'gone', null],
      ],
      { shape: watching },
    );

    expect(
      entries.map((e) => [
        e.kind,
        e.silent,
        e.key,
        e.line && decodeLine(e.line, shape.columns),
        e.previous && decodeLine(e.previous, shape.columns),
      ]),
    ).toEqual([
      ['changed', true, '1', ['1', 'a', 'other'], ['1', 'a', 'b']],
      ['changed', false, '2', ['2', 'B', 'b'], ['2', 'a', 'b']],
      ['removed', false, '3', undefined, ['3', 'gone', null]],
      ['added', false, '4', ['4', 'new', '\\?'], undefined],
    ]);
    expect(counts).toMatchObject({ changed: 2, silent: 1, added: 1, removed: 1 });
  });

  it('leaves out keys that are NULL or not unique, and keeps what was told of them', async () => {
    const before: Row[] = [
      ['a', '1', null],
      ['b', '1', null],
      ['c', '1', null],
    ];
    const after: Row[] = [
      ['a', '1', null],
      ['b', '2', null],
      ['b', '3', null],
      ['b', '4', null],
      ['d', '1', null],
      ['d', '2', null],
      [null, '1', null],
    ];

    const { counts, entries } = await planOf(after, before);

    expect(entries.map((e) => [e.kind, e.key])).toEqual([['removed', 'c']]);
    expect(counts).toMatchObject({
      rows: 7,
      nullKeys: 1,
      duplicateKeys: 5,
      unchanged: 1,
      examples: { nullKeys: ['NULL'], duplicateKeys: ['b', 'd'] },
    });
  });

  it('finds a double of the last row of a skipped chunk', async () => {
    const before: Row[] = [
      ['a', '1', null],
      ['b', '1', null],
    ];

    const { counts, entries } = await planOf([...before, ['b', '9', null], ['c', '1', null]], before);

    expect(entries.map((e) => [e.kind, e.key])).toEqual([['added', 'c']]);
    expect(counts).toMatchObject({ rows: 4, unchanged: 1, duplicateKeys: 2, added: 1 });
  });

  it.each([1, 7, 64_000])('refuses rows out of order, in pieces of %i', async (size) => {
    await expect(
      planOf(
        [
          ['b', null, null],
          ['a', null, null],
        ],
        [],
        { size },
      ),
    ).rejects.toMatchObject({
      code: 'ORDER_BROKEN',
      message: 'The source gave key a after b, out of order.',
    });
    await expect(
      planOf(
        [
          ['c', null, null],
          [null, null, null],
          ['a', null, null],
        ],
        [],
        { size },
      ),
    ).rejects.toMatchObject({ code: 'ORDER_BROKEN' });
    await expect(
      planOf(
        [
          ['b', null, null],
          ['a', null, null],
        ],
        [['a', null, null]],
        { size },
      ),
    ).rejects.toMatchObject({ code: 'ORDER_BROKEN' });
  });

  it('refuses a stream cut in the middle of a row, and passes on what breaks it', async () => {
    const cut = pieces(Buffer.from('a\tb\tc\nb\tx'), 3);
    await expect(
      plan({ lines: cut, shape, snapshot: stored([]), write: async () => undefined }),
    ).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const broken = (async function* () {
      yield Buffer.from('a\tb\tc\n');
      throw new Error('lost');
    })();
    await expect(
      plan({ lines: broken, shape, snapshot: stored([]), write: async () => undefined }),
    ).rejects.toThrow('lost');
  });

  it('takes nothing as nothing', async () => {
    expect((await planOf([], [])).counts).toMatchObject({ rows: 0, removed: 0 });
    expect((await planOf([], [['a', null, null]])).counts).toMatchObject({ rows: 0, removed: 1 });
  });
});

describe('on our database', () => {
  let fresh: FreshDb;
  let snapshots: Snapshots;
  let syncs = 0;

  beforeAll(async () => {
    fresh = await freshDb();
    snapshots = createSnapshots(fresh.db);
    await fresh.db.query(
      `insert into sources (name, connector, config, secrets) values ('s', 'postgres', '{}', '')`,
    );
    await fresh.db.query(
      `insert into models (name, source_id, sql, key, columns) values ('m', 1, 'select 1', '{k}', '[]')`,
    );
  });
  afterAll(() => fresh.close());

  async function newSync(): Promise<number> {
    syncs += 1;
    const [row] = await fresh.db.query<{ id: number }>(
      `insert into syncs (name, framework, model_id, settings, cron, time_zone) values ($1, 'notify', 1, '{}', '* * * * *', 'UTC') returning id`,
      [`sync ${syncs}`],
    );
    return row!.id;
  }

  async function tell(syncId: number, rows: readonly Row[], used: Shape = shape): Promise<void> {
    await snapshots.replaceAll(syncId, used, (write) =>
      baseline({ lines: pieces(bytesOf(rows), 500), shape: used, write }),
    );
  }

  async function told(syncId: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const chunk of snapshots.chunks(syncId)) {
      parts.push(await chunk.lines());
    }
    return Buffer.concat(parts);
  }

  async function newRun(
    syncId: number,
    rows: readonly Row[],
    used: Shape = shape,
  ): Promise<{ runId: number; chunks: PlanChunk[]; counts: PlanCounts }> {
    await fresh.db.query(`update runs set state = 'done' where sync_id = $1`, [syncId]);
    const [run] = await fresh.db.query<{ id: number }>(
      `insert into runs (sync_id, due_at, cause) values ($1, now(), 'manual') returning id`,
      [syncId],
    );
    const chunks: PlanChunk[] = [];
    const plans = createPlans(fresh.db);
    const counts = await plan({
      lines: pieces(bytesOf(rows), 500),
      shape: used,
      snapshot: snapshots.chunks(syncId),
      write: async (chunk) => {
        chunks.push(chunk);
        await plans.save(run!.id, chunk);
      },
    });
    return { runId: run!.id, chunks, counts };
  }

  it('the snapshot is what the query gave, but for refused rows, which the next run finds again', async () => {
    await fc.assert(
      fc.asyncProperty(change, fc.infiniteStream(fc.boolean()), async ({ before, after }, refusals) => {
        const syncId = await newSync();
        await tell(syncId, before);
        const { runId, chunks } = await newRun(syncId, after);
        const entries = chunks.flatMap((chunk) => decodeEntries(chunk.entries, 1));
        const accepted = new Set(entries.flatMap((_, i) => (refusals.next().value ? [i] : [])));

        for (const { seq } of chunks) {
          await snapshots.commit({ syncId, runId, seq, shape, accepted });
          await snapshots.commit({ syncId, runId, seq, shape, accepted });
        }

        const refused = entries.filter((_, i) => !accepted.has(i));
        const expected = applyEntries(
          bytesOf(before),
          entries.filter((_, i) => accepted.has(i)),
          shape.key,
        );
        expect((await told(syncId)).equals(expected)).toBe(true);
        const again = await newRun(syncId, after);
        expect(again.chunks.flatMap((chunk) => decodeEntries(chunk.entries, 1))).toEqual(refused);
      }),
      { numRuns: 40 },
    );
  });

  it('many rows: chunks split and join, and stay whole', async () => {
    const numeric: Shape = { key: ['numeric'], columns: shape.columns };
    const syncId = await newSync();
    const rows = (count: number, step: number, text: string): Row[] =>
      Array.from({ length: count }, (_, i) => [String(i * step - 3000), text, null]);
    await tell(syncId, rows(6000, 2, 'x'), numeric);
    for (const state of [rows(12_000, 1, 'x'), rows(500, 7, 'y'), [], rows(3, 1, 'z'), rows(9000, 1, 'x')]) {
      const { runId, chunks } = await newRun(syncId, state, numeric);
      for (const { seq } of chunks) {
        await snapshots.commit({ syncId, runId, seq, shape: numeric, accepted: 'all' });
      }
      expect((await told(syncId)).equals(bytesOf(state))).toBe(true);
      expect((await newRun(syncId, state, numeric)).counts).toMatchObject({
        unchanged: state.length,
        rows: state.length,
        removed: 0,
      });
    }
    for (let i = 0; i < 30; i += 1) {
      const state = rows(9000 + i, 1, 'x');
      const { runId } = await newRun(syncId, state, numeric);
      await snapshots
        .commit({ syncId, runId, seq: 0, shape: numeric, accepted: 'all' })
        .catch((error: Error) => expect(error.message).toContain('no such plan chunk'));
    }
    const [row] = await fresh.db.query<{ n: number }>(
      'select count(*) as n from snapshot_chunks where sync_id = $1',
      [syncId],
    );
    expect(row?.n).toBeLessThan(10);
    expect(await snapshots.get(syncId, ['-3000'])).toEqual({ k: '-3000', a: 'x', b: null });
    expect(await snapshots.get(syncId, ['99999'])).toBeUndefined();
  });

  /** What becomes of `rows` in one go: changed, gone and new ones, spread as `every` says. */
  const changedHere = (rows: readonly Row[], every: number, salt: number): Row[] =>
    rows.flatMap((row, i): Row[] => {
      const [key = null, a = null, b = null] = row;
      switch ((i + salt) % every === 0 ? (i * 7 + salt) % 5 : -1) {
        case 0:
          return [];
        case 1:
          return [row, [`${key}+`, 'new', b]];
        case -1:
          return [row];
        default:
          return [[key, `${a}${salt}`, b]];
      }
    });

  const patches = async (syncId: number): Promise<number> => {
    const [row] = await fresh.db.query<{ n: number }>(
      'select count(*) as n from snapshot_chunks where sync_id = $1 and patch is not null',
      [syncId],
    );
    return row?.n ?? 0;
  };

  it('few changes are kept beside their chunks, many are worked in, and either way all is as it was told', async () => {
    const start = Array.from({ length: 7000 }, (_, i): Row => [String(i).padStart(5, '0'), 'x', null]);
    let patched = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(1, 3, 40, 90, 700, 5000), fc.nat(5000), fc.boolean()), {
          minLength: 4,
          maxLength: 6,
        }),
        async (rounds) => {
          const syncId = await newSync();
          await tell(syncId, start);
          let state: Row[] = start;
          for (const [every, salt, all] of rounds) {
            const next = changedHere(state, every, salt);
            const { runId, chunks } = await newRun(syncId, next);
            const taken = chunks.map((chunk) => {
              const entries = decodeEntries(chunk.entries, 1);
              return {
                seq: chunk.seq,
                entries,
                accepted: entries.flatMap((_, i) => (i % 11 === 3 ? [] : [i])),
              };
            });
            for (const { seq, accepted } of taken) {
              await snapshots.commit({
                syncId,
                runId,
                seq,
                shape,
                accepted: all ? 'all' : new Set(accepted),
              });
            }
            const kept = taken.flatMap(({ entries, accepted }) =>
              all ? entries : accepted.map((i) => entries[i] as PlanEntry),
            );
            const expected = applyEntries(bytesOf(state), kept, shape.key);
            expect((await told(syncId)).equals(expected)).toBe(true);
            state = rowsOf(expected);
            patched = Math.max(patched, await patches(syncId));
            const { counts } = await newRun(syncId, state);
            expect(counts).toMatchObject({ unchanged: state.length, added: 0, changed: 0, removed: 0 });
            expect(await opened(syncId, state)).toBe(0);
          }
        },
      ),
      { numRuns: 12 },
    );
    expect(patched).toBeGreaterThan(2);
  }, 60_000);

  const rowsOf = (lines: Buffer): Row[] =>
    lines
      .toString()
      .split('\n')
      .slice(0, -1)
      .map((line) => decodeLine(Buffer.from(`${line}\n`), shape.columns));

  /** How many chunks have to be opened to find that nothing changed. */
  async function opened(syncId: number, rows: readonly Row[]): Promise<number> {
    let count = 0;
    const counting = (async function* (): AsyncGenerator<SnapshotChunk> {
      for await (const chunk of snapshots.chunks(syncId)) {
        const lines = (): Promise<Buffer> => {
          count += 1;
          return chunk.lines();
        };
        yield { ...chunk, lines };
      }
    })();
    await plan({
      lines: pieces(bytesOf(rows), 64_000),
      shape,
      snapshot: counting,
      write: () => Promise.reject(new Error('written')),
    });
    return count;
  }

  it('a row told last is found in a patched chunk, and a patch becomes part of it in time', async () => {
    const row = (i: number, text: string): Row => [String(i).padStart(5, '0'), text, null];
    const syncId = await newSync();
    let state = Array.from({ length: 2000 }, (_, i) => row(i, 'x'.repeat(i % 9)));
    await tell(syncId, state);
    const seen: number[] = [];
    for (let round = 0; round < 40; round += 1) {
      state = state.map((one, i) => (i % 40 === round ? row(i, `${'abcdefgh'[i % 8]}${i * 7919}`) : one));
      const { runId } = await newRun(syncId, state);
      await snapshots.commit({ syncId, runId, seq: 0, shape, accepted: 'all' });
      seen.push(await patches(syncId));
      const [key = '', text = null] = row(round, `${'abcdefgh'[round % 8]}${round * 7919}`);
      expect(await snapshots.get(syncId, [key ?? ''])).toEqual({ k: key, a: text, b: null });
    }

    expect(seen[0]).toBe(1);
    expect(seen).toContain(0);
    expect((await told(syncId)).equals(bytesOf(state))).toBe(true);
  });

  it('a chunk with a refused row and a new one behind it is not taken for what it was to become', async () => {
    const key = (i: number): string => String(i).padStart(5, '0');
    const before = Array.from({ length: 4096 }, (_, i): Row => [key(i), 'x', null]);
    const syncId = await newSync();
    await tell(syncId, before);
    const [first] = cutChunks(bytesOf(before), shape.key);
    const last = key((first?.rows ?? 0) - 1);
    const after = sorted([
      ...before.map((row, i): Row => (i < 2 ? [key(i), 'y', null] : row)),
      [`${last}+`, 'new', null],
    ]);
    const { runId, chunks } = await newRun(syncId, after);
    const entries = chunks.flatMap((chunk) => decodeEntries(chunk.entries, 1));
    expect(entries.map((entry) => entry.key)).toEqual([key(0), key(1), `${last}+`]);

    await snapshots.commit({ syncId, runId, seq: 0, shape, accepted: new Set([0, 2]) });

    const again = await newRun(syncId, after);
    expect(again.chunks.flatMap((chunk) => decodeEntries(chunk.entries, 1))).toEqual([entries[1]]);
  });

  it('a first run that is not silent fills an empty snapshot', async () => {
    const syncId = await newSync();
    expect(await snapshots.prepare(syncId, shape)).toBe('none');
    const { runId } = await newRun(syncId, [
      ['a', '1', null],
      ['b', '1', null],
    ]);
    expect(await snapshots.prepare(syncId, shape)).toBe('none');

    await snapshots.commit({ syncId, runId, seq: 0, shape, accepted: new Set([1]) });

    expect(await snapshots.prepare(syncId, shape)).toBe('ready');
    expect((await told(syncId)).toString()).toBe('b\t1\t\\N\n');
  });

  it('a baseline that breaks leaves the old snapshot, and no leftovers after the next', async () => {
    const syncId = await newSync();
    await tell(syncId, [['old', '1', null]]);
    const broken = snapshots.replaceAll(syncId, shape, async (write) => {
      await baseline({ lines: pieces(bytesOf([['half', '1', null]]), 9), shape, write });
      throw new Error('killed');
    });
    await expect(broken).rejects.toThrow('killed');
    expect((await told(syncId)).toString()).toBe('old\t1\t\\N\n');

    await tell(syncId, [['new', '1', null]]);

    expect((await told(syncId)).toString()).toBe('new\t1\t\\N\n');
    expect(
      await fresh.db.query('select count(*) as n from snapshot_chunks where sync_id = $1', [syncId]),
    ).toEqual([{ n: 1 }]);
  });

  it('a commit that dies at any statement changes nothing, and can be done again', async () => {
    const syncId = await newSync();
    const before: Row[] = [
      ['a', '1', null],
      ['b', '1', null],
    ];
    await tell(syncId, before);
    const { runId } = await newRun(syncId, [
      ['a', '2', null],
      ['c', '1', null],
    ]);
    const commit = { syncId, runId, seq: 0, shape, accepted: 'all' } as const;
    let statements = 0;
    for (let survives = 0; ; survives += 1) {
      statements = 0;
      const dying = createSnapshots({
        ...fresh.db,
        transaction: (work) =>
          fresh.db.transaction((sql) =>
            work({
              query: (text, values) => {
                if (statements === survives) {
                  throw new Error('killed');
                }
                statements += 1;
                return sql.query(text, values);
              },
            }),
          ),
      });
      const died = await dying.commit(commit).then(
        () => false,
        () => true,
      );
      if (!died) {
        break;
      }
      expect((await told(syncId)).equals(bytesOf(before))).toBe(true);
    }
    expect(statements).toBeGreaterThan(4);
    expect((await told(syncId)).toString()).toBe('a\t2\t\\N\nc\t1\t\\N\n');
  });

  it('other columns are matched by name; finding out about a new one is silent', async () => {
    const syncId = await newSync();
    await tell(syncId, [
      ['a', '1', 'x'],
      ['b', '1', 'x'],
    ]);
    const wider: Shape = { key: ['bytes'], columns: ['k', 'new', 'b'] };

    expect(await snapshots.prepare(syncId, wider)).toBe('ready');
    const { counts, runId } = await newRun(
      syncId,
      [
        ['a', 'seen', 'x'],
        ['b', 'seen', 'CHANGED'],
      ],
      wider,
    );
    expect(counts).toMatchObject({ changed: 2, silent: 1 });

    await snapshots.commit({ syncId, runId, seq: 0, shape: wider, accepted: 'all' });
    expect(
      (
        await newRun(
          syncId,
          [
            ['a', 'again', 'x'],
            ['b', 'seen', 'CHANGED'],
          ],
          wider,
        )
      ).counts,
    ).toMatchObject({ changed: 1, silent: 0, unchanged: 1 });
    expect(await snapshots.prepare(syncId, { key: ['bytes'], columns: ['b', 'k'] })).toBe('none');
    await snapshots.forget(syncId);
    expect(await snapshots.prepare(syncId, wider)).toBe('none');
  });

  it('plans are found by key and have a digest of what they hold', async () => {
    const plans = createPlans(fresh.db);
    const one = await newRun(await newSync(), [
      ['a', '1', null],
      ['c', '1', null],
    ]);
    const same = await newRun(await newSync(), [
      ['a', '1', null],
      ['c', '1', null],
    ]);
    const other = await newRun(await newSync(), [
      ['a', '1', null],
      ['c', '2', null],
    ]);
    expect(await plans.digest(one.runId)).toBe(await plans.digest(same.runId));
    expect(await plans.digest(one.runId)).not.toBe(await plans.digest(other.runId));
    expect(await plans.find(one.runId, sortKey(encodeLine(['b']), 0, ['bytes']))).toMatchObject({
      seq: 0,
      added: 2,
      state: 'planned',
    });
    expect(await plans.find(one.runId, sortKey(encodeLine(['d']), 0, ['bytes']))).toBeUndefined();
    await plans.clear(one.runId);
    expect(await plans.find(one.runId, sortKey(encodeLine(['b']), 0, ['bytes']))).toBeUndefined();
  });
});
