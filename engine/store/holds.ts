import type { Sql } from '../contracts/db.ts';
import type { MessageRef } from '../contracts/refs.ts';
import type { Difference } from '../document/compare.ts';
import type { PlanTotals } from '../frameworks/framework.ts';

/**
 * `outdated`: what it was about is no longer so. `superseded`: somebody asked for a newer plan. Only `approved` lets
 * anything be written.
 */
export type HoldState = 'pending' | 'approved' | 'rejected' | 'expired' | 'superseded' | 'outdated';

/** What a hold is for, part by part, each as SHA-256 in hex: so that it can be said which of them changed. */
export type Basis = Readonly<Record<string, string>>;

/** What the card of a hold says; nothing of it is needed to decide. */
export interface HoldAbout {
  /** What will happen, in one sentence. */
  readonly sentence: string;
  readonly reasons: readonly string[];
  /** Who may decide, by name. */
  readonly deciders: readonly string[];
  /** How many have to agree. */
  readonly quorum: number;
  readonly timeZone: string;
  /** Of a run. */
  readonly totals?: PlanTotals;
  /** Rows of recent runs, oldest first, this one last. */
  readonly sizes?: readonly number[];
  /** Of a change. */
  readonly differences?: readonly Difference[];
}

/** A run that stopped before its first write, or a change of a protected sync: one decision. */
export interface Hold {
  readonly id: string;
  readonly kind: 'run' | 'change';
  /** The sync or the connection, by name. */
  readonly subject: string;
  /** The syncs whose policies say who decides. */
  readonly syncs: readonly number[];
  readonly runId: number | null;
  /** Sealed. */
  readonly change: string | null;
  readonly state: HoldState;
  readonly fingerprint: string;
  readonly basis: Basis;
  readonly about: HoldAbout;
  readonly requestedBy: number | null;
  readonly requester: string | null;
  readonly places: readonly string[];
  readonly expiresAt: Date;
  readonly escalatesAt: Date;
  readonly escalatedAt: Date | null;
  readonly remindedAt: Date | null;
  readonly decidedBy: string | null;
  readonly decidedAt: Date | null;
  readonly verdict: string | null;
  readonly performedAt: Date | null;
  /** Counts what happened to it. */
  readonly revision: number;
  readonly createdAt: Date;
}

export interface Vote {
  readonly personId: number;
  readonly person: string;
  readonly approves: boolean;
  readonly reason: string | null;
  readonly at: Date;
}

export interface Delegate {
  readonly personId: number;
  readonly person: string;
  readonly by: string;
}

const fields = `id, kind, subject, syncs::int[] as syncs, run_id as "runId", change, state, fingerprint, basis, about, requested_by as "requestedBy",
  requester, places, expires_at as "expiresAt", escalates_at as "escalatesAt", escalated_at as "escalatedAt",
  reminded_at as "remindedAt", decided_by as "decidedBy", decided_at as "decidedAt", verdict,
  performed_at as "performedAt", revision, created_at as "createdAt"`;

export type NewHold = Pick<
  Hold,
  | 'id'
  | 'kind'
  | 'subject'
  | 'syncs'
  | 'runId'
  | 'change'
  | 'fingerprint'
  | 'basis'
  | 'about'
  | 'requestedBy'
  | 'requester'
  | 'places'
> & { readonly expiresHours: number; readonly escalateHours: number };

/** Times are the database's own: machines whose clocks differ agree about when a hold expires. */
export async function insertHold(sql: Sql, hold: NewHold): Promise<void> {
  await sql.query(
    `insert into holds (id, kind, subject, syncs, run_id, change, fingerprint, basis, about, requested_by, requester, places,
       expires_at, escalates_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
       clock_timestamp() + $13 * interval '1 hour', clock_timestamp() + $14 * interval '1 hour')`,
    [
      hold.id,
      hold.kind,
      hold.subject,
      hold.syncs,
      hold.runId,
      hold.change,
      hold.fingerprint,
      JSON.stringify(hold.basis),
      JSON.stringify(hold.about),
      hold.requestedBy,
      hold.requester,
      hold.places,
      hold.expiresHours,
      hold.escalateHours,
    ],
  );
}

export async function holdById(sql: Sql, id: string): Promise<Hold | undefined> {
  const [hold] = await sql.query<Hold>(`select ${fields} from holds where id = $1`, [id]);
  return hold;
}

export async function holdOfRun(sql: Sql, runId: number): Promise<Hold | undefined> {
  const [hold] = await sql.query<Hold>(`select ${fields} from holds where run_id = $1`, [runId]);
  return hold;
}

/** A hold, locked until the transaction ends, and whether its time is over. */
export async function lockHold(
  sql: Sql,
  id: string,
): Promise<(Hold & { readonly expired: boolean }) | undefined> {
  const [hold] = await sql.query<Hold & { readonly expired: boolean }>(
    `select ${fields}, expires_at <= clock_timestamp() as expired from holds where id = $1 for update`,
    [id],
  );
  return hold;
}

/** The hold that somebody means by a name and the first characters of a fingerprint: the newest. */
export async function holdMeant(sql: Sql, subject: string, plan: string): Promise<Hold | undefined> {
  const [hold] = await sql.query<Hold>(
    `select ${fields} from holds where subject = $1 and starts_with(fingerprint, $2) order by created_at desc limit 1`,
    [subject, plan.toLowerCase()],
  );
  return hold;
}

/** What waits for a decision, the next to expire first. */
export async function pendingHolds(sql: Sql, subject?: string): Promise<readonly Hold[]> {
  return sql.query<Hold>(
    `select ${fields} from holds where state = 'pending' and ($1::text is null or subject = $1) order by expires_at`,
    [subject ?? null],
  );
}

/** The newest holds that a person asked for. */
export async function holdsAskedBy(sql: Sql, personId: number, limit: number): Promise<readonly Hold[]> {
  return sql.query<Hold>(
    `select ${fields} from holds where requested_by = $1 order by created_at desc limit $2`,
    [personId, limit],
  );
}

/** The run holds of a sync that wait, locked. */
export async function lockPendingRunHolds(sql: Sql, syncId: number): Promise<readonly Hold[]> {
  return sql.query<Hold>(
    `select ${fields} from holds where state = 'pending' and kind = 'run' and $1 = any(syncs) for update`,
    [syncId],
  );
}

/** Ends a hold; false when somebody was faster. */
export async function settleHold(
  sql: Sql,
  id: string,
  end: {
    readonly state: Exclude<HoldState, 'pending'>;
    readonly by: string | null;
    readonly verdict: string | null;
  },
): Promise<boolean> {
  const rows = await sql.query(
    `update holds set state = $2, decided_by = $3, verdict = $4, decided_at = clock_timestamp(), revision = revision + 1
      where id = $1 and state = 'pending' returning id`,
    [id, end.state, end.by, end.verdict],
  );
  return rows.length > 0;
}

/** Notes that an approved change was made, or why it could not be; false when that was noted before. */
export async function notePerformed(sql: Sql, id: string, trouble: string | null): Promise<boolean> {
  const rows = await sql.query(
    `update holds set performed_at = clock_timestamp(), revision = revision + 1, verdict = coalesce($2, verdict)
      where id = $1 and performed_at is null returning id`,
    [id, trouble],
  );
  return rows.length > 0;
}

/** Holds that somebody has to see to: cards to draw, times that have come, approved changes that were not made. */
export async function holdsToTend(sql: Sql): Promise<readonly string[]> {
  const rows = await sql.query<{ id: string }>(
    `select id from holds
      where (drawn < revision and (again_at is null or again_at <= clock_timestamp()))
         or (state = 'pending' and (expires_at <= clock_timestamp()
              or (escalated_at is null and escalates_at <= clock_timestamp())
              or (reminded_at is null and ${remindAt} <= clock_timestamp())))
         or (${unmade})
      order by coalesce(again_at, created_at) limit 20`,
  );
  return rows.map(({ id }) => id);
}

/** Whoever approved it makes it; after a while that process is taken for dead. */
const unmade = `state = 'approved' and kind = 'change' and performed_at is null
  and decided_at < clock_timestamp() - interval '30 seconds'`;

/** When three quarters of the time to decide are over. */
const remindAt = 'expires_at - (expires_at - created_at) / 4';

/** What the time asks for: of a hold that waits, or of an approved change that was not made. */
export interface Moments {
  readonly expires: boolean;
  readonly escalates: boolean;
  readonly reminds: boolean;
  readonly unmade: boolean;
}

export async function momentsOf(sql: Sql, id: string): Promise<Moments> {
  const [row] = await sql.query<Moments>(
    `select state = 'pending' and expires_at <= clock_timestamp() as expires,
            state = 'pending' and escalated_at is null and escalates_at <= clock_timestamp() as escalates,
            state = 'pending' and reminded_at is null and ${remindAt} <= clock_timestamp() as reminds,
            ${unmade} as unmade
       from holds where id = $1`,
    [id],
  );
  return row ?? { expires: false, escalates: false, reminds: false, unmade: false };
}

/** Notes that more people were asked, and where. */
export async function noteEscalated(sql: Sql, id: string, places: readonly string[]): Promise<void> {
  await sql.query(
    `update holds set escalated_at = clock_timestamp(), revision = revision + 1, places = places || $2::text[]
      where id = $1`,
    [id, places],
  );
}

export async function noteReminded(sql: Sql, id: string): Promise<void> {
  await sql.query('update holds set reminded_at = clock_timestamp() where id = $1', [id]);
}

/** Notes that all cards show the hold as it was at this revision. */
export async function noteDrawn(sql: Sql, id: string, revision: number): Promise<void> {
  await sql.query('update holds set drawn = $2, again_at = null where id = $1', [id, revision]);
}

/** Notes that a chat did not take a card, so that it is tried again in a while, and others are seen to meanwhile. */
export async function noteUndrawn(sql: Sql, id: string): Promise<void> {
  await sql.query(`update holds set again_at = clock_timestamp() + interval '30 seconds' where id = $1`, [
    id,
  ]);
}

/** Asks for the cards to be drawn anew, and in one more place where one is given. */
export async function touchHold(sql: Sql, id: string, place?: string): Promise<void> {
  await sql.query(
    `update holds set revision = revision + 1,
       places = case when $2::text is null or $2 = any(places) then places else places || $2::text end where id = $1`,
    [id, place ?? null],
  );
}

/** The same for the hold of a run, when it has one; answers with its id. */
export async function touchHoldOfRun(sql: Sql, runId: number): Promise<string | undefined> {
  const [row] = await sql.query<{ id: string }>(
    'update holds set revision = revision + 1 where run_id = $1 returning id',
    [runId],
  );
  return row?.id;
}

/** Writes a vote down; false when this person voted before. */
export async function castVote(sql: Sql, holdId: string, vote: Omit<Vote, 'at'>): Promise<boolean> {
  const rows = await sql.query(
    `insert into votes (hold_id, person_id, person, approves, reason) values ($1, $2, $3, $4, $5)
     on conflict do nothing returning person_id`,
    [holdId, vote.personId, vote.person, vote.approves, vote.reason],
  );
  return rows.length > 0;
}

export async function votesOn(sql: Sql, holdId: string): Promise<readonly Vote[]> {
  return sql.query<Vote>(
    'select person_id as "personId", person, approves, reason, at from votes where hold_id = $1 order by at',
    [holdId],
  );
}

export async function addDelegate(sql: Sql, holdId: string, delegate: Delegate): Promise<void> {
  await sql.query(
    `insert into delegates (hold_id, person_id, person, by_person) values ($1, $2, $3, $4) on conflict do nothing`,
    [holdId, delegate.personId, delegate.person, delegate.by],
  );
}

export async function delegatesOf(sql: Sql, holdId: string): Promise<readonly Delegate[]> {
  return sql.query<Delegate>(
    'select person_id as "personId", person, by_person as by from delegates where hold_id = $1 order by at',
    [holdId],
  );
}

/** The posted copies of a hold's card. */
export async function copiesOf(
  sql: Sql,
  holdId: string,
): Promise<readonly { readonly target: string; readonly message: MessageRef }[]> {
  return sql.query(
    `select target, message from deliveries
      where hold_id = $1 and kind = 'hold' and state = 'ok' and message is not null order by created_at`,
    [holdId],
  );
}

/** Who decides where a sync does not say so itself; empty when nobody was named. */
export async function approversAt(sql: Sql, place: string): Promise<readonly string[]> {
  const [row] = await sql.query<{ approvers: readonly string[] }>(
    'select approvers from approver_lists where place = $1',
    [place],
  );
  return row?.approvers ?? [];
}

/** Names who decides at a place; an empty list takes that back. */
export async function setApproversAt(sql: Sql, place: string, approvers: readonly string[]): Promise<void> {
  await sql.query(
    approvers.length === 0
      ? 'delete from approver_lists where place = $1 and $2::text[] is not null'
      : `insert into approver_lists (place, approvers) values ($1, $2)
         on conflict (place) do update set approvers = $2`,
    [place, approvers],
  );
}
