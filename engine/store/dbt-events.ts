import { randomUUID } from 'node:crypto';
import type { Card } from '../contracts/card.ts';
import type { Sql } from '../contracts/db.ts';
import type { MessageRef } from '../contracts/refs.ts';
import type { RunResult } from '../dbt/results.ts';

/** A run of dbt that we were told of. */
export type DbtEventAbout =
  | {
      readonly kind: 'platform';
      readonly runId: string;
      readonly jobId: string;
      readonly environmentId: string | null;
      /** `Success`, `Errored`, `Cancelled`. */
      readonly status: string;
    }
  | { readonly kind: 'results'; readonly results: readonly RunResult[] };

export interface DbtEvent {
  readonly id: number;
  readonly projectId: number;
  readonly eventId: string;
  readonly about: DbtEventAbout;
  readonly attempts: number;
  readonly receivedAt: Date;
}

/** Writes an event down; false when it is there already. */
export async function keepEvent(
  sql: Sql,
  event: Pick<DbtEvent, 'projectId' | 'eventId' | 'about'>,
  now: Date,
): Promise<boolean> {
  const rows = await sql.query(
    `insert into dbt_events (project_id, event_id, about, again_at, received_at) values ($1, $2, $3, $4, $4)
     on conflict (project_id, event_id) do nothing returning id`,
    [event.projectId, event.eventId, JSON.stringify(event.about), now],
  );
  return rows.length > 0;
}

/** Takes the oldest event that is to be worked off; nobody else does until `until`. */
export async function claimEvent(sql: Sql, now: Date, until: Date): Promise<DbtEvent | undefined> {
  const [event] = await sql.query<DbtEvent>(
    `update dbt_events set attempts = attempts + 1, again_at = $2 where id =
       (select id from dbt_events where state = 'new' and again_at <= $1 order by id limit 1 for update skip locked)
     returning id, project_id as "projectId", event_id as "eventId", about, attempts, received_at as "receivedAt"`,
    [now, until],
  );
  return event;
}

export async function tryAgain(sql: Sql, id: number, at: Date, note: string): Promise<void> {
  await sql.query('update dbt_events set again_at = $2, note = $3 where id = $1', [id, at, note]);
}

export async function endEvent(sql: Sql, id: number, state: 'done' | 'failed', note: string): Promise<void> {
  await sql.query('update dbt_events set state = $2, note = $3 where id = $1', [id, state, note]);
}

/** What became of the newest event of a project, for people. */
export async function lastEvent(
  sql: Sql,
  projectId: number,
): Promise<{ readonly receivedAt: Date; readonly note: string | null } | undefined> {
  const [row] = await sql.query<{ receivedAt: Date; note: string | null }>(
    'select received_at as "receivedAt", note from dbt_events where project_id = $1 order by id desc limit 1',
    [projectId],
  );
  return row;
}

/** Events are kept for a month: repeats come within hours. */
export async function pruneEvents(sql: Sql, now: Date): Promise<void> {
  await sql.query(
    `delete from dbt_events where state <> 'new' and received_at < $1::timestamptz - interval '30 days'`,
    [now],
  );
}

export async function askForStarts(sql: Sql, syncIds: readonly number[], now: Date): Promise<void> {
  await sql.query(
    'insert into dbt_starts (sync_id, at) select id, $2 from unnest($1::bigint[]) id on conflict (sync_id) do nothing',
    [syncIds, now],
  );
}

/** The syncs whose start was asked for, those that are off left out and forgotten. */
export async function startsAskedFor(sql: Sql): Promise<readonly number[]> {
  await sql.query(`delete from dbt_starts where sync_id in (select id from syncs where state <> 'active')`);
  const rows = await sql.query<{ id: number }>(
    `select d.sync_id as id from dbt_starts d
      where not exists (select from runs r where r.sync_id = d.sync_id and r.state not in ('done', 'failed'))`,
  );
  return rows.map((row) => row.id);
}

export async function forgetStart(sql: Sql, syncId: number): Promise<void> {
  await sql.query('delete from dbt_starts where sync_id = $1', [syncId]);
}

/** Something said about a sync's dbt model. */
export interface DbtNotice {
  readonly id: string;
  readonly syncId: number;
  readonly topic: 'drift' | 'tests';
  readonly problem: string;
  readonly card: Card;
  readonly paused: boolean;
  readonly message: MessageRef | null;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
}

const noticeFields = `id, sync_id as "syncId", topic, problem, card, paused, message, created_at as "createdAt", ended_at as "endedAt"`;

export async function openNotice(
  sql: Sql,
  syncId: number,
  topic: DbtNotice['topic'],
): Promise<DbtNotice | undefined> {
  const [found] = await sql.query<DbtNotice>(
    `select ${noticeFields} from dbt_notices where sync_id = $1 and topic = $2 and ended_at is null`,
    [syncId, topic],
  );
  return found;
}

/** Whether something between a project's models and those who read them is open. */
export async function hasOpenDrift(sql: Sql, projectId: number): Promise<boolean> {
  const rows = await sql.query(
    `select 1 from dbt_notices n join syncs s on s.id = n.sync_id join dbt_links l on l.model_id = s.model_id
      where l.project_id = $1 and n.topic = 'drift' and n.ended_at is null limit 1`,
    [projectId],
  );
  return rows.length > 0;
}

/** Says something, or has the open notice say how it stands now. What is the same trouble is said once. */
export async function keepNotice(
  sql: Sql,
  notice: Pick<DbtNotice, 'syncId' | 'topic' | 'problem' | 'card' | 'paused'>,
  now: Date,
): Promise<void> {
  await sql.query(
    `insert into dbt_notices as n (id, sync_id, topic, problem, card, paused, again_at, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $7)
     on conflict (sync_id, topic) where ended_at is null do update set problem = $4, card = $5, drawn = false,
       paused = n.paused or $6, again_at = $7 where n.problem <> $4`,
    [
      randomUUID(),
      notice.syncId,
      notice.topic,
      notice.problem,
      JSON.stringify(notice.card),
      notice.paused,
      now,
    ],
  );
}

export async function endNotice(sql: Sql, id: string, card: Card, now: Date): Promise<void> {
  await sql.query(
    'update dbt_notices set card = $2, drawn = false, again_at = $3, ended_at = $3 where id = $1 and ended_at is null',
    [id, JSON.stringify(card), now],
  );
}

/** Takes a notice whose message does not show it yet; nobody else does until `until`. */
export async function claimNotice(sql: Sql, now: Date, until: Date): Promise<DbtNotice | undefined> {
  const [found] = await sql.query<DbtNotice>(
    `update dbt_notices set again_at = $2 where id =
       (select id from dbt_notices where not drawn and again_at <= $1 order by created_at limit 1 for update skip locked)
     returning ${noticeFields}`,
    [now, until],
  );
  return found;
}

/** Notes that a message shows this, unless there is something newer to show by now. */
export async function noteDrawn(
  sql: Sql,
  { id, problem, endedAt }: DbtNotice,
  message: MessageRef | null,
): Promise<void> {
  await sql.query(
    `update dbt_notices set message = $2, drawn = problem = $3 and ended_at is not distinct from $4 where id = $1`,
    [id, message === null ? null : JSON.stringify(message), problem, endedAt],
  );
}
