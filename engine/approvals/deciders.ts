import type { Sender } from '../contracts/chat.ts';
import { type Caller, ROLES } from '../contracts/command.ts';
import type { Sql } from '../contracts/db.ts';
import {
  formatTarget,
  type PersonRef,
  type PlatformId,
  parseGroup,
  parseTarget,
  type Target,
} from '../contracts/refs.ts';
import { type ApprovalPolicy, approvalPolicy } from '../model/policy.ts';
import { approversAt, delegatesOf, type Hold } from '../store/holds.ts';
import type { People, Person } from '../store/people.ts';
import { type Sync, syncById } from '../store/syncs.ts';

export interface DeciderParts {
  readonly db: Sql;
  readonly people: People;
  readonly senders: ReadonlyMap<PlatformId, Sender>;
}

/**
 * The policy that holds for a sync, with its approvers filled in: its own, or else those of its destination, or else
 * those of the channel where it is asked. None: whoever has the role.
 */
export async function policyInForce(sql: Sql, sync: Sync): Promise<ApprovalPolicy> {
  const policy = approvalPolicy.parse(sync.policy);
  if (policy.approvers.length > 0) {
    return policy;
  }
  const ofDestination =
    sync.destinationId === null ? [] : await approversAt(sql, `destination ${sync.destinationId}`);
  const place = policy.askIn ?? sync.reportTo;
  const ofChannel =
    ofDestination.length > 0 || place === null ? [] : await approversAt(sql, `channel ${place}`);
  return { ...policy, approvers: [...(ofDestination.length > 0 ? ofDestination : ofChannel)] };
}

/** The policies that have a say in a hold, as they are now; undefined when all syncs that it is about are gone. */
export async function policiesOf(
  sql: Sql,
  syncs: readonly number[],
): Promise<readonly ApprovalPolicy[] | undefined> {
  const policies: ApprovalPolicy[] = [];
  for (const id of syncs) {
    const sync = await syncById(sql, id);
    if (sync !== undefined) {
      policies.push(await policyInForce(sql, sync));
    }
  }
  return policies.length === 0 ? undefined : policies;
}

/** How many have to agree, over all policies that have a say. */
export function quorumOf(policies: readonly ApprovalPolicy[]): number {
  return Math.max(1, ...policies.map((policy) => policy.quorum));
}

/** Somebody who wants to decide, as the platform and our own book know them. */
export type Decider = Pick<Caller, 'id' | 'email' | 'role' | 'person'>;

/** Why this person may not decide about a hold, as a sentence; undefined when they may. */
export async function objectionTo(
  parts: DeciderParts,
  hold: Pick<Hold, 'id' | 'requestedBy' | 'escalatedAt'>,
  policies: readonly ApprovalPolicy[],
  who: Decider,
): Promise<string | undefined> {
  const bar = barTo(hold, policies, who);
  if (bar !== undefined) {
    return bar;
  }
  const delegated = (await delegatesOf(parts.db, hold.id)).some(
    ({ personId }) => personId === Number(who.id),
  );
  return delegated || (await isNamedBy(parts, hold, policies, who))
    ? undefined
    : 'You are not among those who may decide this.';
}

/** What keeps this person from deciding, whoever named them. */
export function barTo(
  hold: Pick<Hold, 'requestedBy'>,
  policies: readonly ApprovalPolicy[],
  who: Pick<Decider, 'id' | 'role'>,
): string | undefined {
  if (ROLES.indexOf(who.role) < ROLES.indexOf('approver')) {
    return `To decide this takes the role approver; yours is ${who.role}.`;
  }
  return policies.some(({ others }) => others) && hold.requestedBy === Number(who.id)
    ? 'You asked for it, so somebody else has to decide.'
    : undefined;
}

/** Whether each policy names this person, or leaves it to whoever has the role. */
export async function isNamedBy(
  parts: DeciderParts,
  hold: Pick<Hold, 'escalatedAt'>,
  policies: readonly ApprovalPolicy[],
  who: Decider,
): Promise<boolean> {
  for (const { approvers, escalateTo } of policies) {
    const named = approvers.length === 0 || (await isAmong(parts, approvers, who));
    const later = hold.escalatedAt !== null && (await isAskedLater(parts, escalateTo, who));
    if (!named && !later) {
      return false;
    }
  }
  return true;
}

async function isAskedLater(
  parts: DeciderParts,
  escalateTo: readonly string[],
  who: Decider,
): Promise<boolean> {
  return escalateTo.length === 0 ? who.role === 'admin' : isAmong(parts, escalateTo, who);
}

/** Groups are asked for their members each time: who left one decides nothing any more. */
async function isAmong(parts: DeciderParts, entries: readonly string[], who: Decider): Promise<boolean> {
  const email = who.email?.toLowerCase();
  if (email !== undefined && entries.some((entry) => entry.toLowerCase() === email)) {
    return true;
  }
  for (const entry of entries) {
    const group = parseGroup(entry);
    const members =
      group === undefined ? undefined : await parts.senders.get(group.platform)?.members?.(group.id);
    if (group === undefined || members === undefined) {
      continue;
    }
    const there =
      who.person.platform === group.platform
        ? who.person
        : await parts.people.elsewhere(who.person, group.platform);
    if (there !== undefined && members.some(({ id }) => id === there.id)) {
      return true;
    }
  }
  return false;
}

/** What approvers are called on a card. */
export async function namesOf(parts: DeciderParts, entries: readonly string[]): Promise<readonly string[]> {
  return Promise.all(
    entries.map(async (entry) => {
      const group = parseGroup(entry);
      if (group === undefined) {
        return (await parts.people.withEmail(entry))?.name ?? entry;
      }
      const known = await parts.senders.get(group.platform)?.groups?.('');
      return known?.find(({ value }) => value === entry)?.label ?? entry;
    }),
  );
}

/** Where the people among these entries are reached: on the platform given where they are known there. */
export async function directPlaces(
  parts: DeciderParts,
  entries: readonly string[],
  platform: PlatformId | undefined,
): Promise<readonly string[]> {
  const found = await Promise.all(
    entries.filter((entry) => parseGroup(entry) === undefined).map((entry) => reach(parts, entry, platform)),
  );
  return found.flatMap((place) => (place === undefined ? [] : [formatTarget(place)]));
}

async function reach(
  parts: DeciderParts,
  email: string,
  platform: PlatformId | undefined,
): Promise<Target | undefined> {
  const person = await parts.people.withEmail(email);
  if (person !== undefined) {
    const known = await placeOf(parts, person, platform);
    if (known !== undefined) {
      return known;
    }
  }
  const senders = [...parts.senders.values()].sort(
    (a, b) => Number(b.id === platform) - Number(a.id === platform),
  );
  for (const sender of senders) {
    const there = await sender.personByEmail(email).catch(() => undefined);
    if (there !== undefined) {
      return there;
    }
  }
  return undefined;
}

/** One place where a person reads messages: on the platform given if they are there, never a terminal. */
export async function placeOf(
  parts: Pick<DeciderParts, 'people' | 'senders'>,
  person: Pick<Person, 'id'>,
  platform: PlatformId | undefined,
): Promise<PersonRef | undefined> {
  const identities = (await parts.people.identities(person.id)).filter((one) =>
    parts.senders.has(one.platform),
  );
  return identities.find((one) => one.platform === platform) ?? identities[0];
}

/** Where a hold is asked: at the policy's place or where the sync reports, and from each approver who is named. */
export async function placesFor(
  parts: DeciderParts,
  sync: Pick<Sync, 'reportTo' | 'createdBy'> | undefined,
  policies: readonly ApprovalPolicy[],
): Promise<readonly string[]> {
  const asked = policies.flatMap(({ askIn }) => (askIn === undefined ? [] : [askIn]));
  const channel = asked[0] ?? sync?.reportTo ?? undefined;
  const target = channel === undefined ? undefined : parseTarget(channel);
  const spoken = target !== undefined && parts.senders.has(target.platform);
  const named = [...new Set(policies.flatMap(({ approvers }) => approvers))];
  const direct = await directPlaces(parts, named, target?.platform);
  const places = [...(spoken && channel !== undefined ? [channel] : []), ...direct];
  return places.length > 0 ? [...new Set(places)] : everybodyDeciding(parts);
}

/** Nobody was named and there is no channel: those who have the role are asked, a few. */
async function everybodyDeciding(parts: DeciderParts): Promise<readonly string[]> {
  const places: string[] = [];
  for (const person of (await parts.people.deciding(['approver', 'admin'])).slice(0, 10)) {
    const place = await placeOf(parts, person, undefined);
    if (place !== undefined) {
      places.push(formatTarget(place));
    }
  }
  return places;
}
