import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeLine } from '../../../engine/contracts/lines.ts';
import { packEntries } from '../../../engine/planner/chunks.ts';
import { noteRejections } from '../../../engine/store/rejections.ts';
import { schema, startYard, type Yard } from './yard.ts';

let yard: Yard;
const never = new AbortController().signal;

beforeAll(async () => {
  yard = await startYard({ logs: 'yes' });
});
afterAll(() => yard.close());

/** A run that ended so long ago, with three rows, of which one was refused. */
async function endedRun(syncId: number, secondsAgo: number): Promise<number> {
  const runId = await yard.newRun(syncId);
  const line = (key: string): Buffer => encodeLine([key, `it's\t${key}`]);
  const entries = [
    { kind: 'added', silent: false, key: 'a', line: line('a') },
    { kind: 'changed', silent: false, key: "b'; drop", line: line("b'; drop"), previous: line("b'; drop") },
    { kind: 'changed', silent: true, key: 'c', line: line('c'), previous: line('c') },
  ] as const;
  await yard.plans.save(runId, packEntries(0, entries, ['bytes']));
  await yard.plans.markCommitted(runId, 0);
  const refused = { key: "b'; drop", reason: "It isn't ☃.", field: null, operation: 'upsert', line: null };
  await noteRejections(yard.db, syncId, runId, [refused], new Date());
  await yard.sql(
    `update runs set state = 'done', started_at = now() - $2::int * interval '1 second', layout = '{"key": ["bytes"]}',
       finished_at = now() - $2::int * interval '1 second',
       counts = '{"rows": 5, "added": 1, "changed": 1, "removed": 0, "failed": 1}' where id = $1`,
    [runId, secondsAgo],
  );
  return runId;
}

const logged = (table: string, order: string): Promise<readonly Record<string, unknown>[]> =>
  yard.sql(`select * from ${schema}.${table} order by ${order}`);

describe('logs in the warehouse', () => {
  it('say what runs came to and what became of each row, once', async () => {
    const syncId = await yard.newSync();
    const runId = await endedRun(syncId, 60);
    const recent = await endedRun(await yard.newSync(), 1);

    await yard.told.writeLogs(never);
    await yard.told.writeLogs(never);

    const runs = await logged('runs', 'run_id');
    expect(runs.map(({ run_id }) => Number(run_id))).toEqual([runId]);
    expect(runs[0]).toMatchObject({ sync: 'sync 1', state: 'done', message: null });
    expect(['rows_read', 'added', 'changed', 'refused'].map((name) => Number(runs[0]?.[name]))).toEqual([
      5, 1, 1, 1,
    ]);
    const outcomes = await logged('outcomes', 'row_key');
    expect(
      outcomes.map(({ row_key, change, outcome, reason }) => [row_key, change, outcome, reason]),
    ).toEqual([
      ['a', 'added', 'delivered', null],
      ["b'; drop", 'changed', 'refused', "It isn't ☃."],
    ]);
    await yard.sql(`update runs set finished_at = now() - interval '40 seconds' where id = $1`, [recent]);
    await yard.told.writeLogs(never);
    expect((await logged('runs', 'run_id')).map(({ run_id }) => Number(run_id))).toEqual([runId, recent]);
  });

  it('are the same when a worker died before it noted how far it was', async () => {
    const before = await logged('outcomes', 'run_id, row_key');
    await yard.sql(`update warehouse_logs set run_at = '-infinity', run_id = 0`);

    await yard.told.writeLogs(never);

    expect(await logged('outcomes', 'run_id, row_key')).toEqual(before);
  });

  it('say who answered what, and when that came to its end', async () => {
    const syncId = await yard.newSync();
    const [reaction] = await yard.sql<{ id: number }>(
      `insert into reactions (alert, key, answer, person, at, sync_id, origin)
       values ('leads', 'k1', 'claim', 'Mia', now() - interval '2 minutes', $1, '{}') returning id`,
      [syncId],
    );
    await yard.told.writeLogs(never);
    expect(await logged('reactions', 'reaction_id')).toMatchObject([
      { alert: 'leads', row_key: 'k1', answer: 'claim', person: 'Mia', ended_at: null },
    ]);

    await yard.sql(`update reactions set ended_at = now() - interval '1 minute' where id = $1`, [
      reaction?.id,
    ]);
    await yard.told.writeLogs(never);

    const after = await logged('reactions', 'reaction_id');
    expect(after.length).toBe(1);
    expect(after[0]?.['ended_at']).not.toBeNull();
  });

  it('wait while the warehouse is away, and nothing is missing afterwards', async () => {
    const runId = await endedRun(await yard.newSync(), 35);
    await yard.sql(`alter schema ${schema} rename to elsewhere`);
    await yard.told.writeLogs(never);
    await yard.sql(`alter schema elsewhere rename to ${schema}`);

    await yard.told.writeLogs(never);

    expect((await logged('runs', 'run_id')).map(({ run_id }) => Number(run_id))).toContain(runId);
  });

  it('are not written where nobody asked for them', async () => {
    await yard.sql(`drop table ${schema}.runs`);
    await yard.reconnect({ logs: 'no' });
    await endedRun(await yard.newSync(), 50);

    await yard.told.writeLogs(never);

    await expect(logged('runs', 'run_id')).rejects.toThrow('does not exist');
  });
});
