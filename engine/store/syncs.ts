import type { Sql } from '../contracts/db.ts';
import { ActivateError, type ErrorCode } from '../contracts/errors.ts';
import type { MessageRef } from '../contracts/refs.ts';
import { nearest } from '../template/nearest.ts';
import { dropState } from './warehouse-states.ts';

export type FrameworkId = 'objects' | 'events' | 'notify' | 'audiences' | 'files' | 'tasks' | 'mail';

/** Why a sync fails, as said when it broke, and the card that said so. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly fix?: string | undefined;
  readonly notice?: MessageRef | undefined;
  /** Why rows were refused, most frequent first, each with the key of one of them. */
  readonly refusals?:
    | readonly { readonly reason: string; readonly count: number; readonly example: string }[]
    | undefined;
}

/** A sync as stored. An alert is one of framework notify. */
export interface Sync {
  readonly id: number;
  readonly name: string;
  readonly framework: FrameworkId;
  readonly modelId: number;
  /** Where rows go; null for an alert, which speaks in chats. */
  readonly destinationId: number | null;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly cron: string;
  readonly timeZone: string;
  readonly state: 'active' | 'paused';
  readonly nextDueAt: Date | null;
  /** As `formatTarget` writes it. */
  readonly reportTo: string | null;
  readonly mutedUntil: Date | null;
  readonly failingSince: Date | null;
  readonly failure: Failure | null;
  readonly version: number;
  /** What is written has changed: the next run sends everything once. */
  readonly resend: boolean;
  /** See engine/model/policy.ts. */
  readonly policy: Readonly<Record<string, unknown>>;
  /** A run of it has written something. */
  readonly wrote: boolean;
  readonly createdBy: number | null;
}

const fields = `id, name, framework, model_id as "modelId", destination_id as "destinationId", resend, policy, wrote, settings, cron, time_zone as "timeZone", state,
  next_due_at as "nextDueAt", report_to as "reportTo", muted_until as "mutedUntil", failing_since as "failingSince",
  failure, version, created_by as "createdBy"`;

export async function listSyncs(sql: Sql): Promise<readonly Sync[]> {
  return sql.query<Sync>(`select ${fields} from syncs order by name`);
}

export async function syncById(sql: Sql, id: number): Promise<Sync | undefined> {
  const [sync] = await sql.query<Sync>(`select ${fields} from syncs where id = $1`, [id]);
  return sync;
}

/** Throws NOT_FOUND with the nearest name there is. */
export async function syncNamed(sql: Sql, name: string): Promise<Sync> {
  const [sync] = await sql.query<Sync>(`select ${fields} from syncs where name = $1`, [name]);
  if (sync !== undefined) {
    return sync;
  }
  const all = await sql.query<{ name: string }>('select name from syncs');
  const guess = nearest(
    name,
    all.map((other) => other.name),
  );
  throw new ActivateError('NOT_FOUND', `There is no alert or sync "${name}".`, {
    fix: guess === undefined ? 'See /activate list.' : `Did you mean ${guess}?`,
    fields: {
      name: `There is no alert or sync "${name}".${guess === undefined ? '' : ` Did you mean ${guess}?`}`,
    },
  });
}

export type NewSync = Pick<
  Sync,
  | 'name'
  | 'framework'
  | 'modelId'
  | 'destinationId'
  | 'settings'
  | 'cron'
  | 'timeZone'
  | 'reportTo'
  | 'policy'
  | 'createdBy'
> & { readonly nextDueAt: Date | null };

export async function insertSync(sql: Sql, sync: NewSync): Promise<Sync> {
  const [saved] = await sql.query<Sync>(
    `insert into syncs (name, framework, model_id, settings, cron, time_zone, report_to, created_by, next_due_at, destination_id, policy)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (name) do nothing returning ${fields}`,
    [
      sync.name,
      sync.framework,
      sync.modelId,
      JSON.stringify(sync.settings),
      sync.cron,
      sync.timeZone,
      sync.reportTo,
      sync.createdBy,
      sync.nextDueAt,
      sync.destinationId,
      JSON.stringify(sync.policy),
    ],
  );
  if (saved === undefined) {
    throw new ActivateError('INPUT_INVALID', `There is already an alert "${sync.name}".`, {
      fix: 'Give it another name.',
      fields: { name: `There is already an alert "${sync.name}".` },
    });
  }
  return saved;
}

/** Changes what a sync does; its version counts up, so that a plan made before is known to be old. */
export async function updateSync(
  sql: Sql,
  id: number,
  change: Pick<
    Sync,
    'modelId' | 'destinationId' | 'settings' | 'cron' | 'timeZone' | 'policy' | 'reportTo'
  > & {
    readonly nextDueAt: Date | null;
    readonly resend: boolean;
    /** Nothing of what it wrote before counts any more. */
    readonly anew: boolean;
  },
): Promise<void> {
  await sql.query(
    `update syncs set model_id = $2, settings = $3, cron = $4, time_zone = $5,
       next_due_at = case when state = 'active' then $6::timestamptz end, resend = resend or $7, destination_id = $8,
       policy = $9, report_to = $10, wrote = wrote and not $11, version = version + 1, updated_at = now()
      where id = $1`,
    [
      id,
      change.modelId,
      JSON.stringify(change.settings),
      change.cron,
      change.timeZone,
      change.nextDueAt,
      change.resend,
      change.destinationId,
      JSON.stringify(change.policy),
      change.reportTo,
      change.anew,
    ],
  );
}

export async function pauseSync(sql: Sql, id: number): Promise<void> {
  await sql.query(`update syncs set state = 'paused', next_due_at = null, updated_at = now() where id = $1`, [
    id,
  ]);
}

export async function resumeSync(sql: Sql, id: number, nextDueAt: Date | null): Promise<void> {
  await sql.query(`update syncs set state = 'active', next_due_at = $2, updated_at = now() where id = $1`, [
    id,
    nextDueAt,
  ]);
}

/** Says nothing until then; null ends the silence. */
export async function muteSync(sql: Sql, id: number, until: Date | null): Promise<void> {
  await sql.query('update syncs set muted_until = $2 where id = $1', [id, until]);
}

export async function setPolicy(sql: Sql, id: number, policy: Sync['policy']): Promise<void> {
  await sql.query('update syncs set policy = $2, updated_at = now() where id = $1', [
    id,
    JSON.stringify(policy),
  ]);
}

/** Notes that a run is about to write something, so that the next one is no first one. */
export async function noteWrote(sql: Sql, id: number): Promise<void> {
  await sql.query('update syncs set wrote = true where id = $1 and not wrote', [id]);
}

/** The syncs that read a model, and those that use a connection. */
export async function syncsOfModel(sql: Sql, modelId: number): Promise<readonly Sync[]> {
  return sql.query<Sync>(`select ${fields} from syncs where model_id = $1 order by name`, [modelId]);
}

export async function syncsOfConnection(
  sql: Sql,
  kind: 'source' | 'destination',
  id: number,
): Promise<readonly Sync[]> {
  const uses =
    kind === 'destination'
      ? 'destination_id = $1'
      : 'model_id in (select m.id from models m where m.source_id = $1)';
  return sql.query<Sync>(`select ${fields} from syncs where ${uses} order by name`, [id]);
}

/** Notes that everything was sent again, as a change of the settings had asked. */
export async function noteResent(sql: Sql, id: number, version: number): Promise<void> {
  await sql.query('update syncs set resend = false where id = $1 and version = $2', [id, version]);
}

export async function deleteSync(sql: Sql, id: number): Promise<void> {
  await dropState(sql, id);
  await sql.query('delete from syncs where id = $1', [id]);
}

/**
 * Notes that a run failed; true when the sync was well before, so that it is said once. Null notes that it is well
 * again; true when it was failing.
 */
export async function noteHealth(sql: Sql, id: number, failure: Failure | null, now: Date): Promise<boolean> {
  const rows = await sql.query(
    failure === null
      ? 'update syncs set failing_since = null, failure = null where id = $1 and failing_since is not null and $2::timestamptz is not null returning id'
      : `update syncs set failing_since = $2, failure = $3 where id = $1 and failing_since is null returning id`,
    failure === null ? [id, now] : [id, now, JSON.stringify(failure)],
  );
  return rows.length > 0;
}

/** Keeps what a failure has become while it goes on; since when stays, and so does the card that said it. */
export async function keepFailure(sql: Sql, id: number, failure: Failure): Promise<void> {
  await sql.query(
    `update syncs set failure = $2::jsonb || jsonb_strip_nulls(jsonb_build_object('notice', failure->'notice'))
      where id = $1 and failing_since is not null`,
    [id, JSON.stringify(failure)],
  );
}

/** Remembers the card that said that the sync broke, so that it can be edited when it is well again. */
export async function keepNotice(sql: Sql, id: number, notice: MessageRef): Promise<void> {
  await sql.query(
    `update syncs set failure = failure || jsonb_build_object('notice', $2::jsonb) where id = $1`,
    [id, JSON.stringify(notice)],
  );
}
