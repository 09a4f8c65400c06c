import type { Sql } from '../contracts/db.ts';
import type { ApprovalPolicy } from '../model/policy.ts';
import { delegatesOf, type Hold, votesOn } from '../store/holds.ts';
import { barTo, type Decider, type DeciderParts, isNamedBy } from './deciders.ts';

/** By what somebody's vote counts: by their own right, or only because the decision was handed on to them; or not any more. */
type Standing = 'own' | 'handed' | 'none';

/**
 * By what those count who have agreed so far, and whoever is about to. A role that was lost since, or a place among the
 * approvers, takes the vote with it.
 */
export async function standings(
  parts: DeciderParts,
  hold: Pick<Hold, 'id' | 'requestedBy' | 'escalatedAt'>,
  policies: readonly ApprovalPolicy[],
  by: Decider,
): Promise<ReadonlyMap<number, Standing>> {
  const handed = new Set((await delegatesOf(parts.db, hold.id)).map(({ personId }) => personId));
  const found = new Map<number, Standing>();
  const voters = (await votesOn(parts.db, hold.id)).map(({ personId }) => personId);
  for (const id of [...voters, Number(by.id)]) {
    const who = id === Number(by.id) ? by : await deciderOf(parts, id);
    const barred = who === undefined || barTo(hold, policies, who) !== undefined;
    const named = !barred && (await isNamedBy(parts, hold, policies, who));
    found.set(id, named ? 'own' : !barred && handed.has(id) ? 'handed' : 'none');
  }
  return found;
}

async function deciderOf({ people }: DeciderParts, id: number): Promise<Decider | undefined> {
  const person = await people.byId(id);
  const places = await people.identities(id);
  const [there] = places;
  if (person === undefined || there === undefined) {
    return undefined;
  }
  // Whoever can start commands on this machine may do everything.
  const role = places.some(({ platform }) => platform === 'cli') ? 'admin' : person.role;
  return { id: String(id), email: person.email ?? undefined, role, person: there };
}

/**
 * How many agree. Somebody who decides only because it was handed on to them counts as whoever handed it on, so that
 * nobody makes two of themselves.
 */
export async function countAgreed(
  sql: Sql,
  holdId: string,
  standing: ReadonlyMap<number, Standing>,
): Promise<number> {
  const votes = (await votesOn(sql, holdId)).filter((vote) => vote.approves);
  const givers = new Map((await delegatesOf(sql, holdId)).map(({ personId, by }) => [personId, by]));
  const isHanded = (id: number): boolean =>
    (standing.get(id) ?? (givers.has(id) ? 'handed' : 'own')) === 'handed';
  const headOf = (id: number, passed: readonly number[] = []): string => {
    const giver = isHanded(id) && !passed.includes(id) ? givers.get(id) : undefined;
    const voter = votes.find(({ person }) => person === giver);
    return giver === undefined
      ? String(id)
      : voter === undefined
        ? `for ${giver}`
        : headOf(voter.personId, [...passed, id]);
  };
  const counted = votes.filter(({ personId }) => standing.get(personId) !== 'none');
  return new Set(counted.map(({ personId }) => headOf(personId))).size;
}
