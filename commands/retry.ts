import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { alerts } from './lookups.ts';

export const retry = defineCommand({
  name: 'retry',
  title: 'Retry',
  summary: 'Runs a failing alert again now; what was held back is tried again.',
  example: '/activate retry pql-free-tier',
  access: 'editor',
  fields: { name: field.lookup({ label: 'Alert', lookup: 'alerts' }) },
  positional: ['name'],
  lookups: { alerts },
  run: async ({ name }, caller, services) => {
    await services.runs.start(name, caller, 'retry');
    return { kind: 'done', note: `Trying ${name} again.` };
  },
});
