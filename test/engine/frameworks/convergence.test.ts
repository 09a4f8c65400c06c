import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Sync } from '../../../engine/store/syncs.ts';
import { chaos } from '../../support/chaos.ts';
import { number, type Rig, startRig, text } from '../../support/rig.ts';

/** `ACTIVATE_SEQUENCES=20000` for the long form; `ACTIVATE_SEED` runs one again. */
const sequences = Number(process.env['ACTIVATE_SEQUENCES'] ?? 150);
const seed = Number(process.env['ACTIVATE_SEED'] ?? 20_260_301);
const timeout = 60_000 + sequences * 400;

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.close());

const keys = ['1', '2', '3', '4', '5'];
const mails = ['a@x.example', 'b@x.example', 'c@x.example', 'd@x.example'];

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('set' as const),
      key: fc.constantFrom(...keys),
      mail: fc.constantFrom(...mails),
      name: fc.constantFrom('Ann', 'Bob', 'Cid'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drop' as const), key: fc.constantFrom(...keys) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('swap' as const),
      key: fc.constantFrom(...keys),
      with: fc.constantFrom(...keys),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('spoil' as const), key: fc.constantFrom(...keys) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('run' as const),
      seed: fc.integer({ min: 0, max: 2 ** 31 }),
      dieAfter: fc.option(fc.integer({ min: 1, max: 90 }), { nil: undefined }),
      everything: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

type Row = [id: string, mail: string | null, name: string];

function change(rows: Row[], one: Exclude<Step, { do: 'run' }>): Row[] {
  const at = rows.findIndex(([id]) => id === one.key);
  const row = rows[at];
  switch (one.do) {
    case 'set':
      return [...rows.filter(([id]) => id !== one.key), [one.key, one.mail, one.name]];
    case 'drop':
      return rows.filter(([id]) => id !== one.key);
    case 'spoil':
      return row === undefined ? rows : [...rows.filter(([id]) => id !== one.key), [row[0], null, row[2]]];
    case 'swap': {
      const other = rows.find(([id]) => id === one.with);
      if (row === undefined || other === undefined || row === other) {
        return rows;
      }
      const rest = rows.filter((any) => any !== row && any !== other);
      return [...rest, [row[0], other[1], row[2]], [other[0], row[1], other[2]]];
    }
    default:
      return one satisfies never;
  }
}

/** Goes through a sequence with everything going wrong, then lets one run go right. */
async function live(sync: Sync, steps: readonly Step[], settle: (rows: Row[]) => Row[]): Promise<Row[]> {
  const { world } = rig;
  let rows: Row[] = [];
  for (const one of steps) {
    if (one.do !== 'run') {
      rows = change(rows, one);
      world.rows = rows.map((row) => [...row]);
      continue;
    }
    world.trouble = chaos(one.seed);
    await rig.run(sync, {
      approve: true,
      attempts: 3,
      patience: { attempts: 2, firstWaitMs: 1, longestWaitMs: 100 },
      scope: one.everything ? 'everything' : 'changes',
      ...(one.dieAfter === undefined ? {} : { dieAfter: one.dieAfter }),
    });
  }
  rows = settle(rows);
  world.rows = rows.map((row) => [...row]);
  world.trouble = () => undefined;
  const last = await rig.run(sync, { approve: true });
  expect(last).toMatchObject({ state: 'done', error: null });
  return rows;
}

async function check(property: fc.IAsyncProperty<[readonly Step[], number]>): Promise<void> {
  await fc.assert(property, {
    numRuns: sequences,
    seed,
    endOnFailure: false,
    interruptAfterTimeLimit: timeout - 20_000,
  });
}

const input = [fc.array(step, { minLength: 2, maxLength: 16 }), fc.integer({ min: 1, max: 4 })] as const;
const columns = [number('id'), text('mail'), text('name')];

describe(`after any order of failures the destination is what the query says (seed ${seed}, ${sequences} sequences)`, () => {
  it(
    'audiences: the list is the query',
    async () => {
      await check(
        fc.asyncProperty(...input, async (steps, rows) => {
          rig.world.reset();
          rig.world.limits = { rows, concurrency: 2 };
          const sync = await rig.sync(
            'audiences',
            { list: 'list', listName: 'List', identifiers: { EMAIL: 'mail', ID: 'name' } },
            { columns },
          );

          const left = await live(sync, steps, (all) => all);

          const wanted = left.flatMap(([, mail, name]) => [
            ...(mail === null ? [] : [`EMAIL ${mail}`]),
            `ID ${name}`,
          ]);
          expect([...rig.world.members].sort()).toEqual([...new Set(wanted)].sort());
        }),
      );
    },
    timeout,
  );

  it(
    'objects: a mirror is the query',
    async () => {
      await check(
        fc.asyncProperty(...input, async (steps, rows) => {
          rig.world.reset();
          rig.world.limits = { rows, concurrency: 2 };
          const from = (column: string) => ({ field: column, from: { type: 'column', column } });
          const sync = await rig.sync(
            'objects',
            { object: 'thing', mode: 'mirror', match: ['mail'], fields: [from('mail'), from('name')] },
            { columns },
          );

          // Two rows that mean one record are a mistake in the query: what is compared is a query without it.
          const left = await live(sync, steps, (all) =>
            all.filter(([, mail], at) => mail !== null && all.findIndex((other) => other[1] === mail) === at),
          );

          expect(
            [...rig.world.records.values()].sort((a, b) => (String(a['mail']) < String(b['mail']) ? -1 : 1)),
          ).toEqual(
            left
              .map(([, mail, name]) => ({ mail, name }))
              .sort((a, b) => (String(a.mail) < String(b.mail) ? -1 : 1)),
          );
        }),
      );
    },
    timeout,
  );
});
