import type { Caller, Role } from '../contracts/command.ts';
import { ActivateError } from '../contracts/errors.ts';
import { formatTarget, type PersonRef, parseTarget } from '../contracts/refs.ts';
import type { Services } from '../services.ts';
import { actedBy, writeAudit } from '../store/audit.ts';
import type { Person } from '../store/people.ts';
import { senderOf, type VerbParts } from './parts.ts';

/** Everybody who was met, and what they may do. */
export function peopleVerbs(parts: VerbParts, places: Services['places']): Services['people'] {
  return {
    search: (typed, by) => senderOf(parts, by.platform).people(typed),
    identities: async (by) => (await parts.people.identities(Number(by.id))).map(formatTarget),
    matching: (typed) => parts.people.matching(typed),
    isAdminByConfiguration: (person) => parts.people.isAdminByConfiguration(person),
    giveRole: async (typed, role, by) =>
      giveRole(parts, await personMeant(parts, places, typed, by), role, by),
  };
}

/** Somebody as typed: `@mia`, an e-mail address, `slack:@U024`. Written down when they were not met yet. */
async function personMeant(
  parts: VerbParts,
  places: Services['places'],
  typed: string,
  by: Caller,
): Promise<Person> {
  const text = typed.trim();
  const isEmail = /^[^@\s:]+@[^@\s]+$/.test(text);
  const met = isEmail ? await parts.people.withEmail(text) : undefined;
  if (met !== undefined) {
    return met;
  }
  if (isEmail && by.platform === 'cli') {
    return parts.people.expect(text.toLowerCase());
  }
  const target =
    parseTarget(text) ?? (await places.resolve(text.startsWith('@') || isEmail ? text : `@${text}`, by));
  if (target.kind !== 'person') {
    const sentence = `${typed} is no person.`;
    throw new ActivateError('INPUT_INVALID', sentence, {
      fix: 'Name them as @mia, or by their e-mail address.',
      fields: { person: sentence },
    });
  }
  return metAs(parts, target);
}

async function metAs(parts: VerbParts, ref: PersonRef): Promise<Person> {
  const known = await parts.people.known(ref, parts.now());
  if (known !== undefined) {
    return known;
  }
  const profile = await senderOf(parts, ref.platform).profile(ref);
  if (profile === undefined) {
    const sentence = `There is nobody ${formatTarget(ref)}.`;
    throw new ActivateError('NOT_FOUND', sentence, { fields: { person: sentence } });
  }
  return parts.people.meet(ref, profile, parts.now());
}

async function giveRole(parts: VerbParts, person: Person, role: Role, by: Caller) {
  return parts.db.transaction(async (sql) => {
    const { before, refused } = await parts.people.giveRole(sql, person.id, role);
    if (refused !== undefined) {
      throw refusal(before, refused);
    }
    if (before.role !== role) {
      await writeAudit(sql, {
        at: parts.now(),
        kind: 'change',
        ...actedBy(by),
        command: 'role',
        subject: before.email ?? before.name,
        input: { person: before.name },
        before: { role: before.role },
        after: { role },
        outcome: 'ok',
      });
    }
    return { name: before.name, before: before.role };
  });
}

function refusal({ name }: Person, why: 'configured' | 'last admin'): ActivateError {
  return why === 'configured'
    ? new ActivateError('NOT_ALLOWED', `${name} is an admin by configuration.`, {
        fix: 'Take their address out of ACTIVATE_ADMINS and restart, then give them another role.',
      })
    : new ActivateError('NOT_ALLOWED', `${name} is the last admin: nobody could give roles any more.`, {
        fix: 'Make somebody else an admin first.',
      });
}
