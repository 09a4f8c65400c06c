import type { Sql } from '../contracts/db.ts';
import type { Observation } from '../planner/threshold.ts';

/** What a threshold remembers of each key of a sync, as it was before this run. */
export async function observationsOf(sql: Sql, syncId: number): Promise<ReadonlyMap<string, Observation>> {
  const rows = await sql.query<Observation & { key: string }>(
    'select key, recent, firing from observations where sync_id = $1',
    [syncId],
  );
  return new Map(rows.map(({ key, recent, firing }) => [key, { recent, firing }]));
}

/** Puts what a run saw in place of what was remembered; keys that it did not see are forgotten. */
export async function keepObservations(
  sql: Sql,
  syncId: number,
  runId: number,
  seen: ReadonlyMap<string, Observation>,
): Promise<void> {
  const rows = [...seen].map(([key, { recent, firing }]) => ({ key, recent, firing }));
  await sql.query(
    `insert into observations (sync_id, key, recent, firing, run_id)
     select $1, key, recent, firing, $2
       from jsonb_to_recordset($3::jsonb) as given (key text, recent double precision[], firing boolean)
     on conflict (sync_id, key) do update set recent = excluded.recent, firing = excluded.firing, run_id = $2`,
    [syncId, runId, JSON.stringify(rows)],
  );
  await sql.query('delete from observations where sync_id = $1 and run_id <> $2', [syncId, runId]);
}
