import { actions, button, text } from '../engine/cards/build.ts';
import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { syncs } from './lookups.ts';

export const remove = defineCommand({
  name: 'delete',
  title: 'Delete',
  summary: 'Deletes an alert or a sync with its history, after asking.',
  example: '/activate delete pql-free-tier',
  access: 'editor',
  fields: {
    name: field.lookup({ label: 'Name', lookup: 'syncs' }),
    sure: field.optional(field.choice({ label: 'Are you sure?', of: { yes: 'Yes, delete it', no: 'No' } })),
  },
  positional: ['name'],
  lookups: { syncs },
  run: async ({ name, sure }, caller, services) => {
    const { sync } = await services.syncs.show(name);
    if (sure !== 'yes') {
      const card = {
        title: `Delete ${sync.name}?`,
        tone: 'warning',
        blocks: [
          text(
            'Its history and the answers to its cards go with it. What was posted or written elsewhere stays.',
          ),
          actions(
            button('Delete it', 'delete', { name, sure: 'yes' }, { style: 'danger' }),
            button('Pause it', 'pause', { name }),
          ),
        ],
        fallback: `Delete ${sync.name}? Say: /activate delete ${sync.name} sure=yes`,
      } as const;
      return { kind: 'card', to: 'caller', card };
    }
    await services.syncs.remove(name, caller);
    const card = {
      title: `${name} is deleted`,
      blocks: [text('It does nothing any more.')],
      fallback: `${name} is deleted`,
    };
    return { kind: 'card', to: 'pressed', card };
  },
});
