import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { alerts } from './lookups.ts';

export const test = defineCommand({
  name: 'test',
  title: 'Test an alert',
  summary: 'Sends the message for one real row to you alone.',
  example: '/activate test pql-free-tier',
  access: 'editor',
  fields: { name: field.lookup({ label: 'Alert', lookup: 'alerts' }) },
  positional: ['name'],
  lookups: { alerts },
  run: async ({ name }, caller, services) => {
    await services.alerts.test(name, caller);
    return { kind: 'done', note: 'Sent to your direct messages.' };
  },
});
