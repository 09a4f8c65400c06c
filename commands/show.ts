import { detailCard } from '../engine/cards/show.ts';
import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { syncs } from './lookups.ts';

export const show = defineCommand({
  name: 'show',
  title: 'Show',
  summary: 'Shows all about one alert or sync, with what can be done to it.',
  example: '/activate show pql-free-tier',
  access: 'viewer',
  fields: { name: field.lookup({ label: 'Name', lookup: 'syncs' }) },
  positional: ['name'],
  lookups: { syncs },
  run: async ({ name }, _caller, services) => ({
    kind: 'card',
    to: 'caller',
    card: detailCard(await services.syncs.show(name), services.now()),
  }),
});
