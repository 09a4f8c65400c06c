import type { Sql } from '../contracts/db.ts';

/** `skip`: a person said to leave it out, which the next run does; then it is `skipped`. */
export type RejectionState = 'open' | 'skip' | 'skipped' | 'healed';

/** A row that a destination refused, or is still refusing. */
export interface Rejection {
  readonly key: string;
  readonly state: RejectionState;
  /** A sentence for people that repeats no value of the row. */
  readonly reason: string;
  readonly field: string | null;
  readonly operation: string;
  readonly line: Buffer | null;
  readonly firstRunId: number;
  readonly lastRunId: number;
  readonly attempts: number;
  readonly since: Date;
  readonly lastAt: Date;
}

const fields = `key, state, reason, field, operation, line, first_run_id as "firstRunId", last_run_id as "lastRunId",
  attempts, since, last_at as "lastAt"`;

export interface NewRejection {
  readonly key: string;
  readonly reason: string;
  readonly field: string | null;
  readonly operation: string;
  readonly line: Buffer | null;
}

/** Writes down which rows of a run were refused; a row that was refused before keeps since when. */
export async function noteRejections(
  sql: Sql,
  syncId: number,
  runId: number,
  rows: readonly NewRejection[],
  now: Date,
): Promise<void> {
  if (rows.length === 0) {
    return;
  }
  await sql.query(
    `insert into rejections as r (sync_id, key, reason, field, operation, line, first_run_id, last_run_id, since, last_at)
     select distinct on (key) $1, key, reason, field, operation, line, $2, $2, $3, $3
       from unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[]) as given (key, reason, field, operation, line)
     on conflict (sync_id, key) do update set
       reason = excluded.reason, field = excluded.field, operation = excluded.operation, line = excluded.line,
       attempts = case when r.last_run_id = $2 then r.attempts else r.attempts + 1 end,
       first_run_id = case when r.state in ('open', 'skip') then r.first_run_id else $2 end,
       since = case when r.state in ('open', 'skip') then r.since else $3 end,
       last_run_id = $2, last_at = $3, state = 'open'`,
    [
      syncId,
      runId,
      now,
      rows.map((row) => row.key),
      rows.map((row) => row.reason),
      rows.map((row) => row.field),
      rows.map((row) => row.operation),
      rows.map((row) => row.line),
    ],
  );
}

/** Rows that a person said to leave out, by key, as they were when they were refused. */
export async function rowsToSkip(sql: Sql, syncId: number): Promise<ReadonlyMap<string, Buffer | null>> {
  const rows = await sql.query<{ key: string; line: Buffer | null }>(
    `select key, line from rejections where sync_id = $1 and state = 'skip'`,
    [syncId],
  );
  return new Map(rows.map((row) => [row.key, row.line]));
}

export async function noteSkipped(sql: Sql, syncId: number, keys: readonly string[]): Promise<void> {
  if (keys.length > 0) {
    await sql.query(`update rejections set state = 'skipped' where sync_id = $1 and key = any($2)`, [
      syncId,
      keys,
    ]);
  }
}

/** At the end of a run: what it did not refuse again is well, or gone. */
export async function healRejections(sql: Sql, syncId: number, runId: number): Promise<void> {
  await sql.query(
    `update rejections set state = 'healed' where sync_id = $1 and last_run_id < $2 and state = 'open'`,
    [syncId, runId],
  );
}

/** Reasons for which rows are refused just now, most frequent first, with one of the rows each. */
export async function reasonsOf(
  sql: Sql,
  syncId: number,
): Promise<
  readonly {
    readonly reason: string;
    readonly count: number;
    readonly example: string;
    readonly since: Date;
  }[]
> {
  return sql.query(
    `select reason, count(*) as count, min(key) as example, min(since) as since from rejections
      where sync_id = $1 and state = 'open' group by reason order by count(*) desc, reason limit 20`,
    [syncId],
  );
}

/** Rows that are refused just now, of one reason or of all. */
export async function openRejections(
  sql: Sql,
  syncId: number,
  reason: string | undefined,
  limit: number,
): Promise<readonly Rejection[]> {
  return sql.query<Rejection>(
    `select ${fields} from rejections
      where sync_id = $1 and state = 'open' and ($2::text is null or reason = $2) order by since, key limit $3`,
    [syncId, reason ?? null, limit],
  );
}

export async function rejectionOf(sql: Sql, syncId: number, key: string): Promise<Rejection | undefined> {
  const [found] = await sql.query<Rejection>(
    `select ${fields} from rejections where sync_id = $1 and key = $2`,
    [syncId, key],
  );
  return found;
}

/** Leaves refused rows out from now on, as long as they stay as they are; answers with how many. */
export async function skipRejections(
  sql: Sql,
  syncId: number,
  which: { readonly reason?: string; readonly key?: string },
): Promise<number> {
  const rows = await sql.query(
    `update rejections set state = 'skip'
      where sync_id = $1 and state = 'open' and ($2::text is null or reason = $2) and ($3::text is null or key = $3)
      returning key`,
    [syncId, which.reason ?? null, which.key ?? null],
  );
  return rows.length;
}
