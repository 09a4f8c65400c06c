import { actions, button, context, fields } from '../engine/cards/build.ts';
import type { Role } from '../engine/contracts/command.ts';
import { defineCommand } from './define.ts';

const may: Readonly<Record<Role, string>> = {
  none: 'may do nothing',
  viewer: 'may look',
  editor: 'may make and change alerts and syncs',
  approver: 'may decide about runs and changes, and read the audit log',
  admin: 'may do everything, and give roles',
};

export const whoami = defineCommand({
  name: 'whoami',
  title: 'Who am I',
  summary: 'Shows who you are to me, on all platforms.',
  example: '/activate whoami',
  access: 'viewer',
  fields: {},
  run: async (_input, caller, services) => {
    const known = await services.people.identities(caller);
    const fixed = services.people.isAdminByConfiguration({ email: caller.email ?? null });
    const joined =
      caller.email === undefined
        ? 'No platform has confirmed an e-mail address of yours, so that I know you here alone.'
        : `On every platform, whoever has the confirmed address ${caller.email} is you.`;
    const card = {
      title: caller.name,
      blocks: [
        fields({
          'E-mail': caller.email ?? 'not known',
          Role: `${caller.role}${fixed ? ', by configuration' : ''}`,
          'With it': `you ${may[caller.role]}`,
          'Time zone': caller.timeZone,
          'Known as': known.join(', '),
        }),
        context(joined),
        actions(button('People', 'people')),
      ],
      fallback: `${caller.name}, ${caller.role}`,
    };
    return { kind: 'card', to: 'caller', card };
  },
});
