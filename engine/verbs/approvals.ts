import type { ChangeGate } from '../approvals/changes.ts';
import { approve, type DecideParts, delegate, meant, reject, type Which } from '../approvals/decide.ts';
import { namesOf, objectionTo, placeOf, policiesOf } from '../approvals/deciders.ts';
import { type DeskParts, tendHold, tendHolds, viewOf } from '../approvals/desk.ts';
import { sampleOf } from '../approvals/sample.ts';
import { holdCard } from '../cards/hold.ts';
import type { Card } from '../contracts/card.ts';
import type { Caller } from '../contracts/command.ts';
import { ActivateError } from '../contracts/errors.ts';
import { formatTarget, parseGroup, parseTarget } from '../contracts/refs.ts';
import { approvalPolicy } from '../model/policy.ts';
import { mayBeShown } from '../personal/may-see.ts';
import type { ApproverPlace, Services } from '../services.ts';
import { actedBy, writeAudit } from '../store/audit.ts';
import { connectionNamed } from '../store/connections.ts';
import {
  approversAt,
  type Hold,
  holdById,
  holdsAskedBy,
  pendingHolds,
  setApproversAt,
  touchHold,
} from '../store/holds.ts';
import type { Person } from '../store/people.ts';
import { createPlans } from '../store/plans.ts';
import { syncNamed } from '../store/syncs.ts';
import { detailOf } from './describe.ts';
import { senderOf, type VerbParts } from './parts.ts';
import type { placesVerbs } from './places.ts';
import { usualFor } from './sync-changes.ts';

const askedShown = 10;
const drawWithinMs = 30_000;

/** Deciding about what waits, and saying who decides. */
export function approvalVerbs(
  parts: VerbParts,
  gate: ChangeGate,
  places: ReturnType<typeof placesVerbs>,
): Services['approvals'] {
  const desk: DeskParts & DecideParts = {
    ...parts,
    plans: createPlans(parts.db),
    changeBasis: (sql, hold) => gate.basis(sql, hold),
  };
  return {
    waiting: (by) => waiting(desk, by),
    asked: (by) => holdsAskedBy(parts.db, Number(by.id), askedShown),
    approve: async (which, by) => {
      const hold = await decided(desk, which, by, () => approve(desk, which, by));
      await carryOn(parts, gate, hold);
      return shown(desk, hold);
    },
    reject: async (which, how, by) =>
      shown(desk, await decided(desk, which, by, () => reject(desk, which, how, by))),
    delegate: async (which, to, by) => {
      const person = await personMeant(parts, places, to, by);
      const place = await placeOf(parts, person, by.platform);
      const handed = { person, place: place === undefined ? undefined : formatTarget(place) };
      return shown(desk, await delegate(desk, which, handed, by));
    },
    review: async (which, by) => {
      const { message: _pressedElsewhere, ...caller } = by;
      const hold = await meant(parts.db, which, caller);
      if (by.platform === 'cli') {
        throw new ActivateError('INPUT_INVALID', 'A terminal has no messages.', {
          fix: `Decide here: activate approve ${which.name} ${which.plan}.`,
        });
      }
      await touchHold(parts.db, hold.id, formatTarget(by.person));
      await tendHold(desk, hold.id, AbortSignal.timeout(drawWithinMs));
    },
    sample: async (which, wanted, by) => {
      const masked = !mayBeShown(by, parts.personalDataRole);
      return sampleOf(desk, await heldAs(parts, which), { ...wanted, masked });
    },
    policy: async (name) => approvalPolicy.parse((await syncNamed(parts.db, name)).policy),
    usual: async (draft) => (await usualFor(parts, draft)).usual,
    setPolicy: async (name, policy, by) => {
      const sync = await syncNamed(parts.db, name);
      const touched = { syncs: [sync], before: approvalPolicy.parse(sync.policy), after: policy };
      await gate.pass({ kind: 'policy', name, policy }, touched, by);
      return detailOf(parts, await syncNamed(parts.db, name));
    },
    candidates: async (typed, by) => {
      const sender = senderOf(parts, by.platform);
      return [...((await sender.groups?.(typed)) ?? []), ...(await sender.people(typed))].slice(0, 20);
    },
    entries: (chosen) => Promise.all(chosen.map((one) => entryOf(parts, one))),
    approversAt: async (place) => approversAt(parts.db, await placeName(parts, place)),
    setApproversAt: (place, approvers, by) => nameApprovers(parts, place, approvers, by),
    namesOf: (approvers) => namesOf(parts, approvers),
    tend: (signal) => tendHolds({ ...desk, carryOut: (hold) => gate.carryOut(hold) }, signal),
  };
}

/** What waits: what this person may decide, and the rest. */
async function waiting(desk: DeskParts, by: Caller) {
  const mine: Hold[] = [];
  const others: Hold[] = [];
  for (const hold of await pendingHolds(desk.db)) {
    const policies = await policiesOf(desk.db, hold.syncs);
    const may = policies !== undefined && (await objectionTo(desk, hold, policies, by)) === undefined;
    (may ? mine : others).push(hold);
  }
  return { mine, others };
}

/** Decides; where that was refused because of what the hold has become, its cards are drawn as they should be. */
async function decided(
  desk: DeskParts,
  which: Which,
  by: Caller,
  decide: () => Promise<Hold>,
): Promise<Hold> {
  try {
    return await decide();
  } catch (thrown) {
    const hold = await meant(desk.db, which, by).catch(() => undefined);
    if (hold !== undefined && thrown instanceof ActivateError && thrown.code === 'OUTDATED') {
      await draw(desk, hold);
    }
    throw thrown;
  }
}

async function draw(desk: DeskParts, hold: Hold): Promise<void> {
  try {
    await tendHold(desk, hold.id, AbortSignal.timeout(drawWithinMs));
  } catch (error) {
    desk.log.warn({ hold: hold.id, error: String(error) }, 'an approval card is drawn later');
  }
}

/** What was approved is begun here and now; should this process die first, others see to it. */
async function carryOn(parts: VerbParts, gate: ChangeGate, { id }: Hold): Promise<void> {
  const hold = await holdById(parts.db, id);
  if (hold?.state !== 'approved') {
    return;
  }
  if (hold.runId === null) {
    await gate.carryOut(hold);
  } else {
    await parts.queue.add([hold.runId]);
  }
}

async function shown(desk: DeskParts, hold: Hold): Promise<Card> {
  await draw(desk, hold);
  const view = await viewOf(desk, hold.id);
  if (view === undefined) {
    throw new ActivateError('NOT_FOUND', 'It was deleted.');
  }
  return holdCard(view);
}

async function heldAs(parts: VerbParts, which: Which): Promise<Hold> {
  const [hold] = (await pendingHolds(parts.db, which.name)).filter(({ fingerprint }) =>
    fingerprint.startsWith(which.plan.toLowerCase()),
  );
  if (hold === undefined) {
    throw new ActivateError('NOT_FOUND', `No plan ${which.plan} of ${which.name} waits any more.`, {
      fix: 'See what waits: /activate approvals.',
    });
  }
  return hold;
}

/** Whom somebody means, as our own book knows them. */
async function personMeant(
  parts: VerbParts,
  places: ReturnType<typeof placesVerbs>,
  typed: string,
  by: Caller,
): Promise<Person> {
  const target = /^[^@\s]+@[^@\s]+$/.test(typed) ? undefined : await places.resolve(typed, by);
  const known =
    target === undefined
      ? await parts.people.withEmail(typed)
      : target.kind === 'person'
        ? await parts.people.known(target, new Date(0))
        : undefined;
  if (known === undefined) {
    const sentence = `I have not met ${typed} yet.`;
    throw new ActivateError('NOT_FOUND', sentence, {
      fix: 'They have to talk to me once, for me to know their role.',
      fields: { person: sentence },
    });
  }
  return known;
}

/** A group as it is, a person by their e-mail address. */
async function entryOf(parts: VerbParts, chosen: string): Promise<string> {
  const target = parseTarget(chosen);
  if (parseGroup(chosen) !== undefined || (target === undefined && chosen.includes('@'))) {
    return chosen;
  }
  const profile =
    target?.kind === 'person' ? await parts.senders.get(target.platform)?.profile(target) : undefined;
  if (profile?.email !== undefined) {
    return profile.email.toLowerCase();
  }
  const sentence = `${profile?.name ?? chosen} can't be named: I know no e-mail address of theirs.`;
  throw new ActivateError('INPUT_INVALID', sentence, { fields: { approvers: sentence } });
}

async function placeName(parts: VerbParts, place: ApproverPlace): Promise<string> {
  return place.kind === 'channel'
    ? `channel ${formatTarget(place.target)}`
    : `destination ${(await connectionNamed(parts.db, 'destination', place.name)).id}`;
}

async function nameApprovers(
  parts: VerbParts,
  place: ApproverPlace,
  approvers: readonly string[],
  by: Caller,
): Promise<void> {
  const name = await placeName(parts, place);
  await parts.db.transaction(async (sql) => {
    const before = await approversAt(sql, name);
    await setApproversAt(sql, name, approvers);
    await writeAudit(sql, {
      at: parts.now(),
      kind: 'change',
      ...actedBy(by),
      command: 'approvers',
      subject: place.kind === 'destination' ? place.name : formatTarget(place.target),
      input: {},
      before,
      after: approvers,
      outcome: 'made',
    });
  });
}
