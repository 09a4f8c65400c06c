import { shortPlan } from '../cards/hold.ts';
import type { Caller, Role } from '../contracts/command.ts';
import type { Db, Sql } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';
import {
  addDelegate,
  type Basis,
  castVote,
  copiesOf,
  type Hold,
  holdMeant,
  lockHold,
  settleHold,
  touchHold,
} from '../store/holds.ts';
import type { Person } from '../store/people.ts';
import { createPlans } from '../store/plans.ts';
import { letRunGoOn } from '../store/runs.ts';
import { pauseSync } from '../store/syncs.ts';
import { asItIs, basisOfRun, changedSince } from './basis.ts';
import { type DeciderParts, objectionTo, policiesOf, quorumOf } from './deciders.ts';
import { auditDecision, endWithin } from './end.ts';
import { countAgreed, standings } from './quorum.ts';

export interface DecideParts extends DeciderParts {
  readonly db: Db;
  /** What a change would be made over, as it is now; undefined when that is gone. */
  readonly changeBasis: (sql: Sql, hold: Hold) => Promise<Basis | undefined>;
}

/** Which hold somebody means: its subject, and the first characters of its fingerprint. */
export interface Which {
  readonly name: string;
  readonly plan: string;
}

/** The hold that is meant. Throws OUTDATED for none, NOT_ALLOWED for a button that does not belong to it. */
export async function meant(db: Db, { name, plan }: Which, by: Caller): Promise<Hold> {
  const possible = /^[0-9a-f]{12,64}$/i.test(plan) && !name.includes('\0');
  const hold = possible ? await holdMeant(db, name, plan) : undefined;
  if (hold === undefined) {
    throw new ActivateError('OUTDATED', `There is no plan ${plan} of ${name}.`, {
      fix: 'See what waits: /activate approvals.',
    });
  }
  const { message } = by;
  if (message !== undefined) {
    const ours = (await copiesOf(db, hold.id)).some(
      (copy) =>
        copy.message.id === message.id &&
        copy.message.conversation.id === message.conversation.id &&
        copy.message.conversation.platform === message.conversation.platform,
    );
    if (!ours) {
      throw new ActivateError(
        'NOT_ALLOWED',
        'This button does not belong to that plan. Nothing was decided.',
        {
          fix: 'Use the buttons of its own card: /activate approvals.',
        },
      );
    }
  }
  return hold;
}

/**
 * One person agrees. With enough of them the plan, exactly as it is stored, is let go: in the same transaction as the
 * decision, which only one of any number of clicks can make. Throws for whoever may not decide, and when what was shown
 * is no longer what would be done; then nothing will be written from this hold.
 */
export async function approve(parts: DecideParts, which: Which, by: Caller): Promise<Hold> {
  const hold = await meant(parts.db, which, by);
  const policies = await mayDecide(parts, hold, by);
  const standing = await standings(parts, hold, policies, by);
  const outcome = await parts.db.transaction(async (sql): Promise<Refusal | undefined> => {
    const locked = await openHold(sql, hold.id, by);
    if ('refusal' in locked) {
      return locked.refusal;
    }
    const changed = await changedNow(parts, sql, locked);
    if (changed !== undefined) {
      const verdict = `${changed[0]?.toUpperCase()}${changed.slice(1)} since.`;
      await endWithin(sql, locked, { state: 'outdated', by: null, verdict });
      return {
        message: `This plan is out of date: ${changed} since. Nothing was written.`,
        again: locked.kind === 'run',
      };
    }
    const vote = { personId: Number(by.id), person: by.name, approves: true, reason: null };
    const counts = await castVote(sql, locked.id, vote);
    const agreed = await countAgreed(sql, locked.id, standing);
    const quorum = quorumOf(policies);
    if (!counts && agreed < quorum) {
      return { message: `You agreed already: ${agreed} of ${quorum}.`, again: false };
    }
    if (agreed < quorum) {
      await touchHold(sql, locked.id);
      await auditDecision(sql, locked, `agreed, ${agreed} of ${quorum}`, by, null);
      return undefined;
    }
    await settleHold(sql, locked.id, { state: 'approved', by: by.name, verdict: null });
    if (locked.runId !== null) {
      await letRunGoOn(sql, locked.runId);
    }
    await auditDecision(sql, locked, 'approved', by, null);
    return undefined;
  });
  return refused(outcome, hold);
}

/** One person says no, which is enough. */
export async function reject(
  parts: DecideParts,
  which: Which,
  { reason, pause }: { readonly reason: string; readonly pause: boolean },
  by: Caller,
): Promise<Hold> {
  const hold = await meant(parts.db, which, by);
  await mayDecide(parts, hold, by);
  const outcome = await parts.db.transaction(async (sql): Promise<Refusal | undefined> => {
    const locked = await openHold(sql, hold.id, by);
    if ('refusal' in locked) {
      return locked.refusal;
    }
    if (pause && locked.kind === 'run') {
      await pauseSync(sql, locked.syncs[0] ?? 0);
    }
    await castVote(sql, locked.id, { personId: Number(by.id), person: by.name, approves: false, reason });
    await endWithin(sql, locked, { state: 'rejected', by, verdict: reason });
    return undefined;
  });
  return refused(outcome, hold);
}

/** Whoever may decide hands that on to somebody else, for this hold; both may then. */
export async function delegate(
  parts: DecideParts,
  which: Which,
  to: { readonly person: Person; readonly place: string | undefined },
  by: Caller,
): Promise<Hold> {
  const hold = await meant(parts.db, which, by);
  const policies = await mayDecide(parts, hold, by);
  const { person } = to;
  if (person.role !== 'approver' && person.role !== 'admin') {
    throw new ActivateError(
      'NOT_ALLOWED',
      `${person.name} has the role ${person.role}, and can't decide anything.`,
      {
        fix: 'An admin can give them the role approver: /activate role.',
        fields: { person: `${person.name} is no approver.` },
      },
    );
  }
  if (policies.some(({ others }) => others) && hold.requestedBy === person.id) {
    const sentence = `${person.name} asked for it, so they can't decide it.`;
    throw new ActivateError('NOT_ALLOWED', sentence, { fields: { person: sentence } });
  }
  const outcome = await parts.db.transaction(async (sql): Promise<Refusal | undefined> => {
    const locked = await openHold(sql, hold.id, by);
    if ('refusal' in locked) {
      return locked.refusal;
    }
    await addDelegate(sql, locked.id, { personId: person.id, person: person.name, by: by.name });
    await touchHold(sql, locked.id, to.place);
    await auditDecision(sql, locked, `handed on to ${person.name}`, by, null);
    return undefined;
  });
  return refused(outcome, hold);
}

interface Refusal {
  readonly message: string;
  /** Whether a new plan is worth offering. */
  readonly again: boolean;
}

/** The policies that have a say. Throws NOT_ALLOWED for whoever may not decide. */
async function mayDecide(parts: DecideParts, hold: Hold, by: Caller) {
  const policies = await policiesOf(parts.db, hold.syncs);
  const objection = policies === undefined ? undefined : await objectionTo(parts, hold, policies, by);
  if (objection !== undefined) {
    throw new ActivateError('NOT_ALLOWED', `${objection} Nothing was decided.`, {
      fix: `May decide: ${hold.about.deciders.join(', ') || 'any approver'}.`,
    });
  }
  return policies ?? [];
}

/** The hold, locked, when it still waits; else why not. A role that was lost a moment ago is lost here. */
async function openHold(sql: Sql, id: string, by: Caller): Promise<Hold | { readonly refusal: Refusal }> {
  const hold = await lockHold(sql, id);
  if (hold === undefined) {
    return { refusal: { message: 'It was deleted.', again: false } };
  }
  if (hold.state !== 'pending') {
    const who = hold.decidedBy === null ? '' : ` by ${hold.decidedBy}`;
    return {
      refusal: {
        message: `It was decided already: ${hold.state}${who}. Your click changed nothing.`,
        again: false,
      },
    };
  }
  if (hold.expired) {
    await endWithin(sql, hold, { state: 'expired', by: null, verdict: 'Nobody decided in time.' });
    return {
      refusal: { message: 'The time to decide is over. Nothing was written.', again: hold.kind === 'run' },
    };
  }
  const [now] = await sql.query<{ role: Role }>('select role from people where id = $1 for share', [
    Number(by.id),
  ]);
  if (by.platform !== 'cli' && now?.role !== 'approver' && now?.role !== 'admin') {
    return { refusal: { message: 'You are no approver any more. Nothing was decided.', again: false } };
  }
  return hold;
}

/** What is no longer as it was shown, as the rest of a sentence. */
async function changedNow(parts: DecideParts, sql: Sql, hold: Hold): Promise<string | undefined> {
  if (hold.kind === 'change') {
    const now = await parts.changeBasis(sql, hold);
    return now === undefined ? 'what it would change was deleted' : changedSince(hold, now);
  }
  const planned = await asItIs(sql, hold.syncs[0] ?? 0);
  return planned === undefined || hold.runId === null
    ? 'the sync was deleted'
    : changedSince(hold, await basisOfRun(sql, createPlans(sql), planned, hold.runId));
}

function refused(refusal: Refusal | undefined, hold: Hold): Hold {
  if (refusal === undefined) {
    return hold;
  }
  throw new ActivateError('OUTDATED', refusal.message, {
    ...(refusal.again ? { fix: `To plan anew: /activate run ${hold.subject} anew=true.` } : {}),
  });
}

/** Throws NOT_APPROVED unless a run that had been stopped was let go, and is still what was approved. */
export function mustBeApproved(hold: Hold | undefined, now: Basis): void {
  const changed = hold === undefined ? 'its approval is gone' : changedSince(hold, now);
  if (hold?.state !== 'approved' || changed !== undefined) {
    const why = changed ?? `plan ${shortPlan(hold?.fingerprint ?? '')} was not approved`;
    throw new ActivateError('NOT_APPROVED', `Stopped: ${why}. What was not written yet will not be.`, {
      fix: 'The next run plans anew and asks again.',
    });
  }
}
