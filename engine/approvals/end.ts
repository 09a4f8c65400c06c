import { shortPlan } from '../cards/hold.ts';
import type { Caller } from '../contracts/command.ts';
import type { Db, Sql } from '../contracts/db.ts';
import { actedBy, writeAudit } from '../store/audit.ts';
import { type Hold, type HoldState, holdById, lockPendingRunHolds, settleHold } from '../store/holds.ts';
import { finishRun } from '../store/runs.ts';
import type { Sync } from '../store/syncs.ts';
import { asItIs, basisOf, whatChanged } from './basis.ts';

/** How a hold ends without anything being written. `by` is null when nobody decided. */
export interface Ending {
  readonly state: Exclude<HoldState, 'pending' | 'approved'>;
  readonly by: Caller | null;
  /** Why, as a sentence or two. */
  readonly verdict: string | null;
}

/** Ends a hold that still waits, and its run with it; false when it had ended already. */
export async function endHold(db: Db, id: string, ending: Ending): Promise<boolean> {
  return db.transaction(async (sql) => {
    const hold = await holdById(sql, id);
    return hold !== undefined && (await endWithin(sql, hold, ending));
  });
}

/** The same as the last part of a transaction. */
export async function endWithin(sql: Sql, hold: Hold, ending: Ending): Promise<boolean> {
  const { state, by, verdict } = ending;
  if (!(await settleHold(sql, hold.id, { state, by: by?.name ?? null, verdict }))) {
    return false;
  }
  if (hold.runId !== null) {
    const message = `${words[state]}${by === null ? '' : ` by ${by.name}`}${verdict === null ? '.' : `: ${verdict}`}`;
    await finishRun(sql, hold.runId, {
      state: 'failed',
      counts: {},
      error: { code: 'NOT_APPROVED', message, fix: 'Nothing was written.' },
      at: new Date(),
    });
  }
  await auditDecision(sql, hold, state, by, verdict);
  return true;
}

/** Ends what waits for runs of these syncs where it is no longer what it was about, as part of a transaction. */
export async function outdateHolds(sql: Sql, syncs: readonly Pick<Sync, 'id'>[], by: Caller): Promise<void> {
  for (const { id } of syncs) {
    for (const hold of await lockPendingRunHolds(sql, id)) {
      const planned = await asItIs(sql, id);
      const changed =
        planned === undefined ? undefined : whatChanged(hold.basis, await basisOf(sql, planned));
      if (changed !== undefined) {
        const verdict = `${changed[0]?.toUpperCase()}${changed.slice(1)} by ${by.name}.`;
        await endWithin(sql, hold, { state: 'outdated', by: null, verdict });
      }
    }
  }
}

const words = {
  rejected: 'Rejected',
  expired: 'Not approved in time',
  superseded: 'Superseded',
  outdated: 'Out of date',
} as const;

/** Writes down what became of a hold; the last statement of a transaction. */
export async function auditDecision(
  sql: Sql,
  hold: Pick<Hold, 'kind' | 'subject' | 'fingerprint' | 'about' | 'runId'>,
  outcome: string,
  by: Caller | null,
  reason: string | null,
): Promise<void> {
  await writeAudit(sql, {
    at: new Date(),
    kind: 'decision',
    ...(by === null ? { personId: null, person: 'Activate', origin: null } : actedBy(by)),
    command: hold.kind === 'run' ? 'approval of a run' : 'approval of a change',
    subject: hold.subject,
    input: {
      plan: shortPlan(hold.fingerprint),
      what: hold.about.sentence,
      ...(hold.runId === null ? {} : { run: String(hold.runId) }),
      ...(reason === null ? {} : { reason }),
    },
    outcome,
  });
}
