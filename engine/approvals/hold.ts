import { randomUUID } from 'node:crypto';
import { planSentence } from '../cards/hold.ts';
import type { Sql } from '../contracts/db.ts';
import type { PlanTotals } from '../frameworks/framework.ts';
import { type ApprovalPolicy, approvalPolicy } from '../model/policy.ts';
import { connectionById } from '../store/connections.ts';
import type { NewHold } from '../store/holds.ts';
import type { Model } from '../store/models.ts';
import type { Plans } from '../store/plans.ts';
import type { Run } from '../store/runs.ts';
import type { Sync } from '../store/syncs.ts';
import { basisOfRun, fingerprintOf } from './basis.ts';
import { type DeciderParts, namesOf, placesFor, policyInForce, quorumOf } from './deciders.ts';
import { reasonsToHold } from './reasons.ts';

const runsLookedAt = 20;

/** Why a run that has just been planned is held; no reasons when it may go on. */
export async function reasonsFor(
  sql: Sql,
  {
    sync,
    totals,
    objection,
  }: { readonly sync: Sync; readonly totals: PlanTotals; readonly objection: string | undefined },
): Promise<readonly string[]> {
  const policy = approvalPolicy.parse(sync.policy);
  return reasonsToHold(policy, {
    totals,
    objection,
    first: !sync.wrote,
    history: policy.ask === 'unusual' && policy.shrinks ? await rowsBefore(sql, sync.id) : [],
    noun: sync.framework === 'audiences' ? 'people' : 'rows',
  });
}

/** Rows that the query gave in the last runs that came to their end, newest first. */
async function rowsBefore(sql: Sql, syncId: number): Promise<readonly number[]> {
  const rows = await sql.query<{ rows: number }>(
    `select (counts->>'rows')::float8 as rows from runs
      where sync_id = $1 and state = 'done' and counts ? 'rows' order by id desc limit ${runsLookedAt}`,
    [syncId],
  );
  return rows.map((row) => row.rows);
}

export interface HoldParts extends DeciderParts {
  readonly plans: Plans;
}

/** A hold of a run, with the plan that is stored now frozen into its fingerprint. It is in force once it is inserted. */
export async function holdOf(
  parts: HoldParts,
  planned: {
    readonly run: Run;
    readonly sync: Sync;
    readonly model: Model;
    readonly totals: PlanTotals;
    readonly reasons: readonly string[];
  },
): Promise<NewHold> {
  const { run, sync, model, totals, reasons } = planned;
  const policy = await policyInForce(parts.db, sync);
  const basis = await basisOfRun(parts.db, parts.plans, { sync, model }, run.id);
  const requester = run.requestedBy === null ? undefined : await parts.people.byId(run.requestedBy);
  const sizes = [...(await rowsBefore(parts.db, sync.id))].reverse();
  return {
    id: randomUUID(),
    kind: 'run',
    subject: sync.name,
    syncs: [sync.id],
    runId: run.id,
    change: null,
    basis,
    // Two runs may plan the same: each is a question of its own.
    fingerprint: fingerprintOf(basis, run.id),
    about: {
      sentence: planSentence(sync, await whereTo(parts, sync), totals),
      reasons,
      deciders: await namesOf(parts, policy.approvers),
      quorum: quorumOf([policy]),
      timeZone: sync.timeZone,
      totals,
      sizes: [...sizes, totals.rows],
    },
    requestedBy: run.requestedBy,
    requester: requester?.name ?? null,
    places: await placesFor(parts, sync, [policy]),
    ...timesOf(policy),
  };
}

/** How long there is to decide, and when more people are asked, in hours. */
export function timesOf({ expiresHours, escalateHours }: ApprovalPolicy): {
  readonly expiresHours: number;
  readonly escalateHours: number;
} {
  return { expiresHours, escalateHours: Math.min(escalateHours ?? expiresHours / 2, expiresHours) };
}

async function whereTo({ db }: HoldParts, sync: Sync): Promise<string> {
  return sync.destinationId === null
    ? 'people in chat'
    : (await connectionById(db, 'destination', sync.destinationId)).name;
}
