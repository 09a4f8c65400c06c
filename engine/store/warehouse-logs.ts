import { randomBytes } from 'node:crypto';
import type { Sql } from '../contracts/db.ts';

/** How far the logs of a source are written. */
export interface LogMark {
  readonly sourceId: number;
  readonly writer: string;
}

/** A run that came to its end. */
export interface LoggedRun {
  readonly id: number;
  readonly sync: string;
  readonly framework: string;
  readonly cause: string;
  readonly state: string;
  readonly startedAt: Date | null;
  readonly finishedAt: Date;
  readonly counts: Readonly<Record<string, unknown>>;
  readonly error: { readonly message: string } | null;
  readonly person: string | null;
  readonly keyWidth: number | null;
}

/** An answer to a card, as it was given or came to an end. */
export interface LoggedReaction {
  readonly id: number;
  readonly alert: string;
  readonly key: string;
  readonly answer: string;
  readonly person: string;
  readonly at: Date;
  readonly until: Date | null;
  readonly endedAt: Date | null;
  /** When it was given, or ended. */
  readonly seenAt: Date;
}

/** The mark of a source, locked until the transaction ends; undefined when somebody else is at it. */
export async function lockLogMark(sql: Sql, sourceId: number): Promise<LogMark | undefined> {
  await sql.query('insert into warehouse_logs (source_id, writer) values ($1, $2) on conflict do nothing', [
    sourceId,
    randomBytes(6).toString('hex'),
  ]);
  const [mark] = await sql.query<LogMark>(
    'select source_id as "sourceId", writer from warehouse_logs where source_id = $1 for update skip locked',
    [sourceId],
  );
  return mark;
}

/** Runs over a source that ended after its mark, and some while ago: one that ended just now may not be visible yet. */
export async function runsToLog(sql: Sql, sourceId: number, limit: number): Promise<readonly LoggedRun[]> {
  return sql.query<LoggedRun>(
    `select r.id, s.name as sync, s.framework, r.cause, r.state, r.started_at as "startedAt", r.finished_at as "finishedAt",
            r.counts, r.error, p.name as person, jsonb_array_length(r.layout->'key') as "keyWidth"
     from warehouse_logs l
     join runs r on (r.finished_at, r.id) > (l.run_at, l.run_id) and r.state in ('done', 'failed')
     join syncs s on s.id = r.sync_id
     join models m on m.id = s.model_id and m.source_id = l.source_id
     left join people p on p.id = r.requested_by
     where l.source_id = $1 and r.finished_at < now() - interval '30 seconds'
     order by r.finished_at, r.id limit $2`,
    [sourceId, limit],
  );
}

export async function reactionsToLog(
  sql: Sql,
  sourceId: number,
  limit: number,
): Promise<readonly LoggedReaction[]> {
  return sql.query<LoggedReaction>(
    `select * from (
       select e.id, e.alert, e.key, e.answer, e.person, e.at, e.until, e.ended_at as "endedAt",
              greatest(e.at, e.ended_at) as "seenAt"
       from warehouse_logs l
       join reactions e on (greatest(e.at, e.ended_at), e.id) > (l.reaction_at, l.reaction_id)
       join syncs s on s.id = e.sync_id
       join models m on m.id = s.model_id and m.source_id = l.source_id
       where l.source_id = $1) found
     where "seenAt" < now() - interval '30 seconds' order by "seenAt", id limit $2`,
    [sourceId, limit],
  );
}

export async function moveLogMark(
  sql: Sql,
  sourceId: number,
  to: { readonly run?: LoggedRun | undefined; readonly reaction?: LoggedReaction | undefined },
): Promise<void> {
  await sql.query(
    `update warehouse_logs set run_at = coalesce($2, run_at), run_id = coalesce($3, run_id),
       reaction_at = coalesce($4, reaction_at), reaction_id = coalesce($5, reaction_id) where source_id = $1`,
    [
      sourceId,
      to.run?.finishedAt ?? null,
      to.run?.id ?? null,
      to.reaction?.seenAt ?? null,
      to.reaction?.id ?? null,
    ],
  );
}

/** Why rows of a run were refused, by key. */
export async function refusalsOf(sql: Sql, runId: number): Promise<ReadonlyMap<string, string>> {
  const rows = await sql.query<{ key: string; reason: string }>(
    `select key, reason from rejections where last_run_id = $1
     union all select key, coalesce(reason, '') from deliveries where run_id = $1 and state = 'rejected'`,
    [runId],
  );
  return new Map(rows.map(({ key, reason }) => [key, reason]));
}
