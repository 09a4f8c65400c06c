import { previewCard } from '../engine/cards/preview.ts';
import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { syncs } from './lookups.ts';

export const preview = defineCommand({
  name: 'preview',
  title: 'Preview',
  summary: 'Shows what a run would do just now, and some of it as it would be sent. Nothing is sent.',
  example: '/activate preview contacts-to-crm',
  access: 'editor',
  fields: { name: field.lookup({ label: 'Name', lookup: 'syncs' }) },
  positional: ['name'],
  lookups: { syncs },
  run: async ({ name }, _caller, services) => {
    const dry = await services.syncs.dryRun(name);
    const { totals, done, refusals, objection } = dry;
    return {
      kind: 'card',
      to: 'caller',
      card: previewCard(name, dry),
      data: { name, totals, done, refusals, objection: objection ?? null },
    };
  },
});
