import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlanRequest } from '../../../engine/frameworks/framework.ts';
import { decodeEntries, type PlanEntry, type Shape } from '../../../engine/planner/chunks.ts';
import { plan } from '../../../engine/planner/plan.ts';
import { stateOf } from '../../../engine/store/warehouse-states.ts';
import { settlePending } from '../../../engine/warehouse/told.ts';
import { silentLog } from '../../support/log.ts';
import { schema, startYard, type Yard } from './yard.ts';

const limits = { timeoutMs: 20_000 };
const request: PlanRequest = { columns: ['id', 'name'], kind: 'difference', silentFirst: false };
const sql = 'select id, name from public.things';

let yard: Yard;

beforeAll(async () => {
  yard = await startYard();
  await yard.sql('create table public.things (id int, name text)');
});
afterAll(() => yard.close());

async function fill(count: number, name = (id: number) => `thing ${id}`): Promise<void> {
  await yard.sql('truncate public.things');
  const ids = Array.from({ length: count }, (_, i) => i + 1);
  await yard.sql('insert into public.things select * from unnest($1::int[], $2::text[])', [
    ids,
    ids.map(name),
  ]);
}

function jobOf(syncId: number): Parameters<Yard['told']['inside']>[0] {
  return {
    sync: { id: syncId, name: 'things' },
    model: { sourceId: yard.sourceId, sql, key: ['id'] } as never,
    request,
  };
}

interface Made {
  readonly runId: number;
  readonly shape: Shape;
  readonly entries: readonly PlanEntry[];
  readonly seqs: readonly number[];
  readonly rows: number;
}

async function planned(syncId: number, everything = false): Promise<Made> {
  const runId = await yard.newRun(syncId);
  const inside = await yard.told.inside(jobOf(syncId), limits);
  if (inside === undefined) {
    throw new Error('rows are not compared inside');
  }
  const found = await inside.compare({ id: runId, everything });
  const write = yard.plans.save.bind(undefined, runId);
  const counts = await plan({ ...found, everything, write });
  const entries: PlanEntry[] = [];
  const seqs: number[] = [];
  for await (const chunk of yard.plans.read(runId)) {
    seqs.push(chunk.seq);
    entries.push(...decodeEntries(chunk.entries, 1));
  }
  return { runId, shape: found.shape, entries, seqs, rows: counts.rows + found.untouched() };
}

async function commit(syncId: number, { runId, shape }: Made, seqs: readonly number[]): Promise<void> {
  for (const seq of seqs) {
    await yard.told.commit({ syncId, runId, seq, shape, accepted: 'all' });
  }
}

async function told(syncId: number): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const chunk of yard.told.chunks(syncId)) {
    lines.push(...(await chunk.lines()).toString().split('\n').slice(0, -1));
  }
  return lines;
}

const settle = (syncId: number): Promise<void> =>
  settlePending(
    { db: yard.db, connections: yard.connections, plans: yard.plans, readTimeoutMs: 20_000, log: silentLog },
    syncId,
  );

async function tables(): Promise<readonly string[]> {
  const rows = await yard.sql<{ name: string }>(
    `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relkind = 'r' order by 1`,
    [schema],
  );
  return rows.map(({ name }) => name);
}

/** Everything delivered. */
async function delivered(syncId: number): Promise<void> {
  const made = await planned(syncId);
  await commit(syncId, made, made.seqs);
  await settle(syncId);
}

describe('a run that ends before its plan does', () => {
  it.each([
    ['little', 1],
    ['most', 4],
  ])('has %s of it taken as told, and the rest comes again', async (_, many) => {
    await fill(9000);
    const syncId = await yard.newSync();
    const made = await planned(syncId);
    expect(made.seqs.length).toBe(5);

    await commit(syncId, made, made.seqs.slice(0, many));
    await settle(syncId);

    expect(await told(syncId)).toEqual(
      made.entries.slice(0, many * 2000).map((entry) => entry.line?.toString().trimEnd()),
    );
    const again = await planned(syncId);
    expect(again.entries).toEqual(made.entries.slice(many * 2000));
    expect(again.rows).toBe(9000);
    await yard.told.forget(syncId);
  });

  it('of which nothing was delivered leaves everything as it was', async () => {
    await fill(3);
    const syncId = await yard.newSync();
    await delivered(syncId);
    await fill(5);

    await planned(syncId);
    await settle(syncId);

    expect((await told(syncId)).length).toBe(3);
    expect((await planned(syncId)).entries.map(({ key }) => key)).toEqual(['4', '5']);
  });
});

describe('working in what was delivered', () => {
  it('comes to the same when it is broken off after any statement and done again', async () => {
    for (let most = 0; ; most += 1) {
      await fill(6);
      const syncId = await yard.newSync();
      await delivered(syncId);
      await fill(7, (id) => (id === 2 ? 'renamed' : `thing ${id}`));
      await yard.sql('delete from public.things where id = 5');
      const made = await planned(syncId);
      const { runId, shape } = made;
      // The new row is refused, and of the one that is renamed nobody knows.
      const at = (key: string): number => made.entries.findIndex((entry) => entry.key === key);
      const accepted = new Set([at('5')]);
      await yard.told.commit({ syncId, runId, seq: 0, shape, accepted, doubtful: new Set([at('2')]) });

      const source = await yard.connections.source(
        (await yard.sql<{ id: number }>(`select *, 'source' as kind from sources`))[0] as never,
      );
      const { scratch } = source;
      let ran = 0;
      const run = scratch?.execute;
      Object.assign(scratch ?? {}, {
        execute: async (...given: Parameters<NonNullable<typeof run>>) => {
          if (ran === most) {
            throw new Error('broken off');
          }
          ran += 1;
          await run?.(...given);
        },
      });
      const broken = await settle(syncId).then(
        () => false,
        () => true,
      );
      Object.assign(scratch ?? {}, { execute: run });
      await settle(syncId);

      expect(await told(syncId)).toEqual([
        '1\tthing 1',
        '2\trenamed\t\\!\t2\tthing 2\t\\!',
        '3\tthing 3',
        '4\tthing 4',
        '6\tthing 6',
      ]);
      expect((await planned(syncId)).entries.map(({ kind, key }) => [kind, key])).toEqual([
        ['changed', '2'],
        ['added', '7'],
      ]);
      await yard.told.forget(syncId);
      if (!broken) {
        expect(most).toBeGreaterThan(5);
        return;
      }
    }
  });

  it('is done before the next comparison when the warehouse was away at the end of a run', async () => {
    await fill(3);
    const syncId = await yard.newSync();
    const made = await planned(syncId);
    await commit(syncId, made, made.seqs);
    await yard.sql(`alter schema ${schema} rename to elsewhere`);
    await yard.told.settle(syncId, new AbortController().signal);
    expect((await stateOf(yard.db, syncId))?.runId).toBe(made.runId);

    await yard.sql(`alter schema elsewhere rename to ${schema}`);
    const next = await planned(syncId);

    expect(next.entries).toEqual([]);
    expect(next.rows).toBe(3);
  });
});

describe('what was told', () => {
  it('follows when rows are to be compared here, and back', async () => {
    await fill(1500, (id) => `thing\t${id}\\`);
    const syncId = await yard.newSync();
    await delivered(syncId);
    const before = await told(syncId);

    await yard.reconnect({ planner: 'here' });
    expect(await yard.told.inside(jobOf(syncId), limits)).toBeUndefined();
    expect(await stateOf(yard.db, syncId)).toBeUndefined();
    expect(await told(syncId)).toEqual(before);

    await yard.reconnect({ planner: 'automatic' });
    expect(await yard.told.inside(jobOf(syncId), limits)).toBeUndefined();

    await yard.reconnect({ planner: 'warehouse' });
    const back = await planned(syncId);
    expect(back.entries).toEqual([]);
    expect(back.rows).toBe(1500);
    expect(await told(syncId)).toEqual(before);
  });

  it('is found by its key', async () => {
    await fill(3, (id) => `thing\t${id}`);
    const syncId = await yard.newSync();
    await delivered(syncId);

    expect(await yard.told.get(syncId, ['2'])).toEqual({ id: '2', name: 'thing\t2' });
    expect(await yard.told.get(syncId, ['9'])).toBeUndefined();
  });

  it('is taken from the rows of now without a word, and counts only once all are there', async () => {
    await fill(4);
    const syncId = await yard.newSync();
    await delivered(syncId);
    await fill(6, (id) => `other ${id}`);
    await yard.sql('insert into public.things values (6, null), (null, null)');
    const inside = await yard.told.inside(jobOf(syncId), limits);

    expect(await inside?.takeAll()).toBe(5);

    expect(await told(syncId)).toEqual([1, 2, 3, 4, 5].map((id) => `${id}\tother ${id}`));
    const next = await planned(syncId);
    expect(next.entries).toEqual([]);
  });

  it('can be looked at for a dry run, and nothing is written', async () => {
    await fill(3);
    const syncId = await yard.newSync();
    await delivered(syncId);
    await fill(4);
    const before = await tables();

    const found = await yard.told.look(jobOf(syncId), false, limits);

    const kinds: string[] = [];
    await plan({
      ...(found as NonNullable<typeof found>),
      write: async ({ entries }) => {
        kinds.push(...decodeEntries(entries, 1).map(({ kind, key }) => `${kind} ${key}`));
      },
    });
    expect(kinds).toEqual(['added 4']);
    expect(found?.untouched()).toBe(3);
    expect(await tables()).toEqual(before);
  });

  it('that is lost is said to be, and nothing is sent', async () => {
    await fill(3);
    const syncId = await yard.newSync();
    await delivered(syncId);
    const state = await stateOf(yard.db, syncId);
    await yard.sql(`drop table ${schema}.told_${state?.name}`);

    await expect(planned(syncId)).rejects.toMatchObject({
      code: 'SQL_FAILED',
      fix: expect.stringContaining('/activate resync things'),
    });
    const inside = await yard.told.inside(jobOf(syncId), limits);
    expect(await inside?.takeAll()).toBe(3);
    expect((await planned(syncId)).entries).toEqual([]);
  });
});

describe('tables of no more use', () => {
  it('are dropped a day later, and none that is', async () => {
    await fill(3);
    const [gone, kept] = [await yard.newSync(), await yard.newSync()];
    await delivered(gone);
    await delivered(kept);
    const name = (await stateOf(yard.db, gone))?.name;
    await yard.told.forget(gone);

    await yard.told.sweep(new Date());
    expect(await tables()).toContain(`told_${name}`);
    await yard.told.sweep(new Date(Date.now() + 25 * 3_600_000));

    expect((await tables()).filter((table) => table.endsWith(name ?? ''))).toEqual([]);
    expect((await told(kept)).length).toBe(3);
  });
});

describe('a planner schema that can not be used', () => {
  it.each([
    ['that is not there', 'select 1', { plannerSchema: 'nowhere' }, /create schema/],
    [
      'where the role may not make tables',
      'create schema closed',
      { plannerSchema: 'closed' },
      /grant usage, create on schema/,
    ],
  ])('%s leaves the comparing here, and says what is missing', async (_, prepare, change, said) => {
    await yard.sql(prepare);
    const source = await yard.reconnect(change);
    const syncId = await yard.newSync();

    expect(await source.scratch?.lacking(limits)).toEqual([expect.stringMatching(said)]);
    expect(await yard.told.inside(jobOf(syncId), limits)).toBeUndefined();
    await yard.reconnect({});
  });

  it('is one whose role can write elsewhere', async () => {
    await yard.sql('create table public.theirs (id int)');
    await yard.sql(`grant insert on public.theirs to ${yard.role}`);

    const source = await yard.reconnect({});
    expect(await source.scratch?.lacking(limits)).toEqual([
      expect.stringContaining('can change data outside'),
    ]);
    expect(await yard.told.inside(jobOf(await yard.newSync()), limits)).toBeUndefined();
    await yard.sql('drop table public.theirs');
  });

  it('stops a sync whose rows were told there, before its query runs, and says what to mend', async () => {
    await fill(3);
    const syncId = await yard.newSync();
    await delivered(syncId);
    await yard.sql('create table public.theirs (id int)');
    await yard.sql(`grant insert on public.theirs to ${yard.role}`);

    await expect(planned(syncId)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringContaining('can change data outside'),
    });

    await yard.sql('drop table public.theirs');
    expect((await planned(syncId)).entries).toEqual([]);
  });
});
