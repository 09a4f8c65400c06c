import { actions, button, context, text } from '../engine/cards/build.ts';
import type { Role } from '../engine/contracts/command.ts';
import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';

const roles: Readonly<Record<Role, string>> = {
  none: 'Nothing at all',
  viewer: 'Viewer: looks',
  editor: 'Editor: makes and changes',
  approver: 'Approver: decides as well',
  admin: 'Admin: gives roles as well',
};

export const role = defineCommand({
  name: 'role',
  title: 'Give a role',
  summary: 'Says what a person may do: nothing, look, make and change, decide, or everything.',
  example: '/activate role @mia approver',
  access: 'admin',
  fields: {
    person: field.lookup({ label: 'Person', lookup: 'people', help: 'As @mia, or an e-mail address.' }),
    role: field.choice({ label: 'Role', of: roles }),
  },
  positional: ['person', 'role'],
  submit: 'Give the role',
  lookups: { people: (typed, _raw, caller, services) => services.people.search(typed, caller) },
  run: async ({ person, role: wanted }, caller, services) => {
    const { name, before } = await services.people.giveRole(person, wanted, caller);
    const said =
      before === wanted ? `${name} is ${wanted} already.` : `${name} is ${wanted} now, and was ${before}.`;
    const card = {
      title: 'Role',
      tone: 'good',
      blocks: [
        text(said),
        context('It holds on all platforms, from their next word on.'),
        actions(button('People', 'people')),
      ],
      fallback: said,
    } as const;
    return { kind: 'card', to: 'caller', card, data: { name, before, role: wanted } };
  },
});
