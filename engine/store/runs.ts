import type { Db, Sql } from '../contracts/db.ts';
import type { ErrorCode } from '../contracts/errors.ts';
import type { MessageRef } from '../contracts/refs.ts';

/** What a run saw and did. All are numbers of rows, `messages` excepted. */
export interface RunCounts {
  readonly rows?: number;
  /** How many rows were told before. */
  readonly before?: number;
  readonly added?: number;
  readonly changed?: number;
  readonly removed?: number;
  readonly nullKeys?: number;
  readonly duplicateKeys?: number;
  readonly messages?: number;
  /** What was done at the destination, how often: `written`, `deleted`, `added to the list`, … */
  readonly done?: Readonly<Record<string, number>>;
  /** What was done otherwise than asked, in sentences, a few. */
  readonly remarks?: readonly string[];
  /** Files that were written, by their place. */
  readonly files?: readonly { readonly place: string; readonly rows: number; readonly bytes: number }[];
  /** Why rows were refused, most frequent first, each with the key of one of them. */
  readonly refusals?: readonly {
    readonly reason: string;
    readonly count: number;
    readonly example: string;
  }[];
  /** Left out because a person said so. */
  readonly skipped?: number;
  readonly failed?: number;
  /** Why messages did not get through, most frequent first. */
  readonly reasons?: readonly string[];
  /** Kept quiet by a snooze, a cooldown or a mute. */
  readonly quiet?: number;
  /** The first run took the rows as known. */
  readonly baseline?: boolean;
  /** People named in a row whom the platform does not know. */
  readonly unknownPeople?: readonly string[];
}

export interface RunError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly fix?: string | undefined;
}

/** What a run compares with: what was told so far, or nothing; a `baseline` sends nothing and takes all as told. */
export type RunScope = 'changes' | 'everything' | 'baseline';

export interface Run {
  readonly id: number;
  readonly syncId: number;
  readonly dueAt: Date;
  readonly cause: 'schedule' | 'manual' | 'retry' | 'dbt';
  readonly scope: RunScope;
  /** It stopped before its first write, to be looked at. */
  readonly held: boolean;
  readonly state: 'queued' | 'reading' | 'held' | 'delivering' | 'done' | 'failed';
  readonly counts: RunCounts;
  readonly error: RunError | null;
  readonly requestedBy: number | null;
  readonly progressTo: string | null;
  readonly progressMessage: MessageRef | null;
  readonly attempts: number;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
}

const fields = `id, sync_id as "syncId", due_at as "dueAt", cause, scope, held, state, counts, error, requested_by as "requestedBy",
  progress_to as "progressTo", progress_message as "progressMessage", attempts, started_at as "startedAt",
  finished_at as "finishedAt"`;

export interface RunRequest {
  readonly syncId: number;
  readonly dueAt: Date;
  readonly cause: 'manual' | 'retry' | 'dbt';
  readonly requestedBy: number | null;
  readonly progressTo: string | null;
  readonly scope?: RunScope;
}

/** Creates a run; undefined when one of this sync is still going on. */
export async function requestRun(sql: Sql, run: RunRequest): Promise<Run | undefined> {
  const [made] = await sql.query<Run>(
    `insert into runs (sync_id, due_at, cause, requested_by, progress_to, scope)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (sync_id) where state not in ('done', 'failed') do nothing returning ${fields}`,
    [run.syncId, run.dueAt, run.cause, run.requestedBy, run.progressTo, run.scope ?? 'changes'],
  );
  return made;
}

/**
 * Takes runs for a worker, with a lease. Answers with those that it got: not finished, and not held by another worker
 * that still shows signs of life.
 */
export async function claimRuns(
  sql: Sql,
  ids: readonly number[],
  worker: string,
  now: Date,
  leaseMs: number,
): Promise<readonly Run[]> {
  return sql.query<Run>(
    `update runs set worker = $2, lease_until = $3::timestamptz + $4::int * interval '1 millisecond',
       started_at = coalesce(started_at, $3), attempts = attempts + 1
      where id = any($1) and state not in ('held', 'done', 'failed')
        and (worker is null or worker = $2 or lease_until < $3)
      returning ${fields}`,
    [ids, worker, now, leaseMs],
  );
}

/** Renews leases; answers with the ids that this worker still holds. */
export async function renewLeases(
  sql: Sql,
  ids: readonly number[],
  worker: string,
  now: Date,
  leaseMs: number,
): Promise<readonly number[]> {
  const rows = await sql.query<{ id: number }>(
    `update runs set lease_until = $3::timestamptz + $4::int * interval '1 millisecond'
      where id = any($1) and worker = $2 and state not in ('done', 'failed') returning id`,
    [ids, worker, now, leaseMs],
  );
  return rows.map((row) => row.id);
}

/** Gives a run back unfinished, for any worker to take. */
export async function releaseRun(sql: Sql, id: number, worker: string, notBefore: Date): Promise<void> {
  await sql.query(`update runs set worker = null, lease_until = $3 where id = $1 and worker = $2`, [
    id,
    worker,
    notBefore,
  ]);
}

export async function enterState(
  sql: Sql,
  id: number,
  state: 'reading' | 'delivering',
  counts: RunCounts,
): Promise<void> {
  await sql.query('update runs set state = $2, counts = counts || $3::jsonb where id = $1', [
    id,
    state,
    JSON.stringify(counts),
  ]);
}

/** Notes how far a run has come. */
export async function noteCounts(sql: Sql, id: number, counts: RunCounts): Promise<void> {
  await sql.query('update runs set counts = counts || $2::jsonb where id = $1', [id, JSON.stringify(counts)]);
}

export async function finishRun(
  sql: Sql,
  id: number,
  end: {
    readonly state: 'done' | 'failed';
    readonly counts: RunCounts;
    readonly error: RunError | null;
    readonly at: Date;
  },
): Promise<void> {
  await sql.query(
    `update runs set state = $2, counts = counts || $3::jsonb, error = $4, finished_at = $5, lease_until = null
      where id = $1`,
    [
      id,
      end.state,
      JSON.stringify(end.counts),
      end.error === null ? null : JSON.stringify(end.error),
      end.at,
    ],
  );
}

export async function runById(sql: Sql, id: number): Promise<Run | undefined> {
  const [run] = await sql.query<Run>(`select ${fields} from runs where id = $1`, [id]);
  return run;
}

/** The newest runs of a sync, newest first. */
export async function recentRuns(sql: Sql, syncId: number, limit: number): Promise<readonly Run[]> {
  return sql.query<Run>(`select ${fields} from runs where sync_id = $1 order by id desc limit $2`, [
    syncId,
    limit,
  ]);
}

export async function keepProgressMessage(sql: Sql, id: number, message: MessageRef): Promise<void> {
  await sql.query('update runs set progress_message = $2 where id = $1', [id, JSON.stringify(message)]);
}

/**
 * Deletes runs that said nothing, older than a day and not among the newest hundred of their sync; and plans after a
 * month, or after their run where they hold all rows each time.
 */
export async function pruneRuns(db: Db, now: Date): Promise<void> {
  await db.query(
    `delete from plan_chunks p using runs r where p.run_id = r.id and r.state in ('done', 'failed')
       and (r.finished_at < $1::timestamptz - interval '30 days' or r.layout->>'kind' = 'everything')
       and not exists (select from warehouse_states w where w.run_id = r.id)`,
    [now],
  );
  await db.query(
    `delete from runs r where state in ('done', 'failed') and finished_at < $1::timestamptz - interval '1 day'
       and not exists (select from deliveries d where d.run_id = r.id)
       and not exists (select from plan_chunks p where p.run_id = r.id)
       and r.id < coalesce((select id from runs n where n.sync_id = r.sync_id order by id desc offset 100 limit 1), 0)`,
    [now],
  );
}

/** Stops a run before its first write, until a person lets it go on. No worker takes it meanwhile. */
export async function stopRun(sql: Sql, id: number, counts: RunCounts): Promise<void> {
  await sql.query(
    `update runs set state = 'held', held = true, counts = counts || $2::jsonb, worker = null, lease_until = null where id = $1`,
    [id, JSON.stringify(counts)],
  );
}

/** Lets a stopped run go on with the plan that it has. Its time and its attempts count from here. */
export async function letRunGoOn(sql: Sql, id: number): Promise<void> {
  await sql.query(
    `update runs set state = 'delivering', started_at = null, attempts = 0 where id = $1 and state = 'held'`,
    [id],
  );
}
