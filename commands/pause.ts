import { actions, button, text } from '../engine/cards/build.ts';
import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { syncs } from './lookups.ts';

export const pause = defineCommand({
  name: 'pause',
  title: 'Pause',
  summary: 'Stops an alert or a sync until it is resumed. Nothing is missed meanwhile: it is made up for.',
  example: '/activate pause pql-free-tier',
  access: 'editor',
  fields: { name: field.lookup({ label: 'Name', lookup: 'syncs' }) },
  positional: ['name'],
  lookups: { syncs },
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
