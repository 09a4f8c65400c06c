import { bold, context, count, text } from '../engine/cards/build.ts';
import { field } from '../engine/contracts/form.ts';
import { parseTarget } from '../engine/contracts/refs.ts';
import { masked } from '../engine/personal/mask.ts';
import { defineCommand } from './define.ts';

const shown = 25;

export const people = defineCommand({
  name: 'people',
  title: 'People',
  summary: 'Lists who was met, what they may do, and where they are known.',
  example: '/activate people',
  access: 'viewer',
  fields: {
    name: field.optional(field.text({ label: 'Name', help: 'A part of a name or of an e-mail address.' })),
  },
  positional: ['name'],
  run: async ({ name = '' }, caller, services) => {
    const found = await services.people.matching(name);
    const open = services.personal.mayBeShown(caller);
    const lines = found.slice(0, shown).map((one) => {
      const email = one.email === null ? 'no verified address' : open ? one.email : masked(one.email);
      const fixed = services.people.isAdminByConfiguration(one) ? ' by configuration' : '';
      const where = platformsOf(one.knownAs);
      // A person who is expected is called by their address.
      return text(bold(open ? one.name : masked(one.name)), ` · ${one.role}${fixed} · ${email} · ${where}`);
    });
    const title = count(found.length, 'person', 'people');
    const card = {
      title,
      blocks: [
        ...lines,
        ...(found.length > shown ? [context(`${shown} of ${found.length}: name a part of a name.`)] : []),
        context('Who has the same confirmed e-mail address on several platforms is one person.'),
      ],
      fallback: title,
    };
    const data = found.map(({ id, email, ...one }) => ({
      ...one,
      email: open || email === null ? email : masked(email),
    }));
    return { kind: 'card', to: 'caller', card, data: { people: data } };
  },
});

function platformsOf(knownAs: readonly string[]): string {
  const names = knownAs.map((one) => parseTarget(one)?.platform ?? one);
  return names.length === 0 ? 'not met yet' : [...new Set(names)].join(', ');
}
