import { fields } from '../engine/cards/build.ts';
import { defineCommand } from './define.ts';

export const whoami = defineCommand({
  name: 'whoami',
  title: 'Who am I',
  summary: 'Shows who you are to me, on all platforms.',
  example: '/activate whoami',
  access: 'viewer',
  fields: {},
  run: async (_input, caller, services) => {
    const known = await services.people.identities(caller);
    const card = {
      title: caller.name,
      blocks: [
        fields({
          'E-mail': caller.email ?? 'not known',
          Role: caller.role,
          'Time zone': caller.timeZone,
          'Known as': known.join(', '),
        }),
      ],
      fallback: `${caller.name}, ${caller.role}`,
    };
    return { kind: 'card', to: 'caller', card };
  },
});
