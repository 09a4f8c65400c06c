import type { Db } from '../contracts/db.ts';
import { nextRun } from './cron.ts';

interface DueSync {
  readonly id: number;
  readonly cron: string;
  readonly time_zone: string;
  readonly next_due_at: Date;
}

const atOnce = 1000;

/**
 * Takes syncs that are due, at most 1,000, creates a run for each and sets the next due time, all in one transaction;
 * answers with the ids of the runs. Any number of processes may do this at the same time: each due sync goes to one.
 * A sync whose last run still goes on is passed over, and ticks missed while nobody looked are caught up once.
 */
export async function claimDue(db: Db, now: Date): Promise<readonly number[]> {
  return db.transaction(async (sql) => {
    const due = await sql.query<DueSync>(
      `select id, cron, time_zone, next_due_at from syncs
        where state = 'active' and next_due_at <= $1
        order by next_due_at limit ${atOnce} for update skip locked`,
      [now],
    );
    if (due.length === 0) {
      return [];
    }
    const ids = due.map((sync) => sync.id);
    const next = nextRuns(due, now);
    await sql.query(
      `update syncs set next_due_at = given.at
         from unnest($1::bigint[], $2::timestamptz[]) as given (id, at) where syncs.id = given.id`,
      [ids, next],
    );
    const runs = await sql.query<{ id: number }>(
      `insert into runs (sync_id, due_at, cause)
       select id, at, 'schedule' from unnest($1::bigint[], $2::timestamptz[]) as given (id, at)
       on conflict (sync_id) where state not in ('done', 'failed') do nothing
       returning id`,
      [ids, due.map((sync) => sync.next_due_at)],
    );
    return runs.map((run) => run.id);
  });
}

/** Reading a schedule costs more than all else here, and many syncs share one: each is read once. */
function nextRuns(due: readonly DueSync[], now: Date): readonly (Date | null)[] {
  const known = new Map<string, Date | null>();
  return due.map(({ cron, time_zone: timeZone }) => {
    const name = `${timeZone} ${cron}`;
    const at = known.get(name) ?? nextRun({ cron, timeZone }, now) ?? null;
    known.set(name, at);
    return at;
  });
}

/** When the next sync is due; undefined when none is. */
export async function nextDue(db: Db): Promise<Date | undefined> {
  const [row] = await db.query<{ at: Date | null }>(
    "select min(next_due_at) as at from syncs where state = 'active'",
  );
  return row?.at ?? undefined;
}

/**
 * Runs that should be under way and are not: no worker shows a sign of life, and they were not queued just now.
 * Their worker was killed, or the queue lost them.
 */
export async function strandedRuns(db: Db, now: Date, graceMs: number): Promise<readonly number[]> {
  const rows = await db.query<{ id: number }>(
    // The worker that held it is forgotten, so that any other may take it; one that was only slow finds its lease lost.
    `update runs set worker = null, lease_until = $1::timestamptz + $2::int * interval '1 millisecond'
      where state not in ('held', 'done', 'failed')
        and coalesce(lease_until, created_at + $2::int * interval '1 millisecond') < $1
      returning id`,
    [now, graceMs],
  );
  return rows.map((row) => row.id);
}
