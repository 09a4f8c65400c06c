import type { Sql } from '../contracts/db.ts';

/** `making`: written down before it is made, so that whoever finds it so looks for it first. */
export type TaskRecordState = 'making' | 'open' | 'closed' | 'closed by a person' | 'gone';

/** The one task of a row. */
export interface TaskRecord {
  readonly key: string;
  readonly mark: string;
  readonly state: TaskRecordState;
  readonly externalId: string | null;
  readonly url: string | null;
  /** The last thing that was said in it about its row, and in which run: said once. */
  readonly note: string | null;
  readonly madeAt: Date;
}

const fields = `key, mark, state, external_id as "externalId", url, note, made_at as "madeAt"`;

/** The tasks of these rows, by key. */
export async function tasksOf(
  sql: Sql,
  syncId: number,
  keys: readonly string[],
): Promise<ReadonlyMap<string, TaskRecord>> {
  const rows = await sql.query<TaskRecord>(
    `select ${fields} from tasks where sync_id = $1 and key = any($2)`,
    [syncId, keys],
  );
  return new Map(rows.map((row) => [row.key, row]));
}

/** Writes down that a task is about to be made. */
export async function openTask(
  sql: Sql,
  syncId: number,
  key: string,
  mark: string,
  now: Date,
): Promise<TaskRecord> {
  const [row] = await sql.query<TaskRecord>(
    `insert into tasks (sync_id, key, mark, state, made_at, changed_at) values ($1, $2, $3, 'making', $4, $4)
     on conflict (sync_id, key) do update set changed_at = $4 returning ${fields}`,
    [syncId, key, mark, now],
  );
  return row as TaskRecord;
}

/** Nothing was made after all. */
export async function dropTask(sql: Sql, syncId: number, key: string): Promise<void> {
  await sql.query(`delete from tasks where sync_id = $1 and key = $2 and state = 'making'`, [syncId, key]);
}

export async function noteTask(
  sql: Sql,
  syncId: number,
  key: string,
  change: {
    readonly state: TaskRecordState;
    readonly externalId?: string;
    readonly url?: string;
    readonly note?: string;
  },
  now: Date,
): Promise<void> {
  await sql.query(
    `update tasks set state = $3, external_id = coalesce($4, external_id), url = coalesce($5, url),
       note = coalesce($6, note), changed_at = $7 where sync_id = $1 and key = $2`,
    [syncId, key, change.state, change.externalId ?? null, change.url ?? null, change.note ?? null, now],
  );
}
