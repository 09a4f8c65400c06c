import { actions, button, text } from '../engine/cards/build.ts';
import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { syncs } from './lookups.ts';

export const resync = defineCommand({
  name: 'resync',
  title: 'Resync',
  summary: 'Sends everything once more, or takes the rows as they are for sent.',
  example: '/activate resync contacts-to-crm how=everything',
  access: 'editor',
  fields: {
    name: field.lookup({ label: 'Name', lookup: 'syncs' }),
    how: field.optional(
      field.choice({
        label: 'How',
        of: { everything: 'Send everything again', baseline: 'Take all as sent, send nothing' },
      }),
    ),
  },
  positional: ['name'],
  lookups: { syncs },
  run: async ({ name, how }, caller, services) => {
    const { sync } = await services.syncs.show(name);
    if (how === undefined) {
      const card = {
        title: `Resync ${sync.name}?`,
        blocks: [
          text('Send everything again: when the destination was changed by hand, or restored from a copy.'),
          text(
            'Take all as sent: when it has these rows already, or what changed until now is not to be sent.',
          ),
          actions(
            button('Send everything again', 'resync', { name, how: 'everything' }, { style: 'primary' }),
            button('Take all as sent', 'resync', { name, how: 'baseline' }, { style: 'danger' }),
          ),
        ],
        fallback: `Resync ${sync.name}? Say: /activate resync ${sync.name} how=everything`,
      } as const;
      return { kind: 'card', to: 'caller', card };
    }
    await services.runs.start(name, caller, 'manual', { scope: how });
    const note =
      how === 'everything'
        ? `${name} sends everything again: the card here shows how it goes.`
        : `${name} takes its rows as sent.`;
    return { kind: 'done', note };
  },
});
