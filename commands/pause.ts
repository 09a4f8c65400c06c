import { actions, button, text } from '../engine/cards/build.ts';
import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { alerts } from './lookups.ts';

export const pause = defineCommand({
  name: 'pause',
  title: 'Pause an alert',
  summary: 'Stops an alert until it is resumed; it misses nothing meanwhile, it only speaks later.',
  example: '/activate pause pql-free-tier',
  access: 'editor',
  fields: { name: field.lookup({ label: 'Alert', lookup: 'alerts' }) },
  positional: ['name'],
  lookups: { alerts },
  run: async ({ name }, caller, services) => {
    await services.syncs.pause(name);
    const card = {
      title: `${name} is paused`,
      blocks: [
        text(`By ${caller.name}. What happens meanwhile is said once it is resumed.`),
        actions(button('Resume', 'resume', { name })),
      ],
      fallback: `${name} is paused`,
    };
    return { kind: 'card', to: 'caller', card };
  },
});
