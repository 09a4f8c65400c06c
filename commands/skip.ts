import { actions, button, count, text } from '../engine/cards/build.ts';
import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { syncs } from './lookups.ts';

export const skip = defineCommand({
  name: 'skip',
  title: 'Skip refused rows',
  summary: 'Leaves refused rows out, as long as they stay as they are.',
  example: '/activate skip contacts-to-crm key=42',
  access: 'editor',
  fields: {
    name: field.lookup({ label: 'Name', lookup: 'syncs' }),
    key: field.optional(
      field.text({ label: 'Key', help: 'Of one row; all refused rows when empty.', max: 300 }),
    ),
    reason: field.optional(field.text({ label: 'Reason', help: 'Only rows refused for this.', max: 1000 })),
  },
  positional: ['name'],
  lookups: { syncs },
  run: async ({ name, key, reason }, caller, services) => {
    const rows = await services.syncs.skip(name, {
      ...(key === undefined ? {} : { key }),
      ...(reason === undefined ? {} : { reason }),
    });
    const said =
      rows === 0
        ? `No row of ${name} is refused like that.`
        : `${caller.name} had ${count(rows, 'row')} of ${name} skipped, until they change.`;
    const card = {
      title: rows === 0 ? 'Nothing to skip' : `${count(rows, 'row')} skipped`,
      blocks: [
        text(said),
        actions(button('Retry the others', 'retry', { name }), button('Show', 'show', { name })),
      ],
      fallback: said,
    };
    return { kind: 'card', to: 'caller', card };
  },
});
