import { previewCard } from '../engine/cards/preview.ts';
import { field } from '../engine/contracts/form.ts';
import { maskDryRun } from '../engine/personal/dry-run.ts';
import { defineCommand } from './define.ts';
import { syncs } from './lookups.ts';
import { hiddenFrom } from './personal.ts';

export const preview = defineCommand({
  name: 'preview',
  title: 'Preview',
  summary: 'Shows what a run would do just now, and some of it as it would be sent. Nothing is sent.',
  example: '/activate preview contacts-to-crm',
  access: 'editor',
  fields: { name: field.lookup({ label: 'Name', lookup: 'syncs' }) },
  positional: ['name'],
  lookups: { syncs },
  run: async ({ name }, caller, services) => {
    const { model } = await services.syncs.show(name);
    const found = await services.syncs.dryRun(name);
    const hidden = hiddenFrom(caller, model, services);
    const dry = hidden === undefined ? found : maskDryRun(found, model.key, hidden);
    const { totals, done, refusals, objection } = dry;
    return {
      kind: 'card',
      to: 'caller',
      card: previewCard(name, dry),
      data: { name, totals, done, refusals, objection: objection ?? null },
    };
  },
});
