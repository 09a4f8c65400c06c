import { actions, button, moment, text } from '../engine/cards/build.ts';
import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { speaking } from './lookups.ts';

const hour = 3_600_000;
const lasting = { '1h': hour, '1d': 24 * hour, '1w': 7 * 24 * hour } as const;

export const mute = defineCommand({
  name: 'mute',
  title: 'Mute an alert',
  summary: 'Keeps an alert or a mailing quiet for a while; what happens meanwhile is taken as known.',
  example: '/activate mute pql-free-tier for=1d',
  access: 'editor',
  fields: {
    name: field.lookup({ label: 'Alert', lookup: 'speaking' }),
    for: field.optional(
      field.choice({ label: 'For how long', of: { '1h': '1 hour', '1d': '1 day', '1w': '1 week' } }),
    ),
  },
  positional: ['name'],
  lookups: { speaking },
  run: async ({ name, for: length }, caller, services) => {
    const until = new Date(services.now().getTime() + lasting[length ?? '1d']);
    await services.syncs.mute(name, until);
    const card = {
      title: `${name} is muted`,
      blocks: [
        text(`By ${caller.name}, until ${moment(until, caller.timeZone)}.`),
        actions(button('Unmute', 'unmute', { name })),
      ],
      fallback: `${name} is muted`,
    };
    return { kind: 'card', to: 'caller', card };
  },
});
