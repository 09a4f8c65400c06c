import { alertDetailCard } from '../engine/cards/show.ts';
import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { alerts } from './lookups.ts';

export const show = defineCommand({
  name: 'show',
  title: 'Show an alert',
  summary: 'Shows all about one alert, with what can be done to it.',
  example: '/activate show pql-free-tier',
  access: 'viewer',
  fields: { name: field.lookup({ label: 'Alert', lookup: 'alerts' }) },
  positional: ['name'],
  lookups: { alerts },
  run: async ({ name }, _caller, services) => ({
    kind: 'card',
    to: 'caller',
    card: alertDetailCard(await services.alerts.show(name), services.now()),
  }),
});
