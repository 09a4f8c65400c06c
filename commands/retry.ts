import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { syncs } from './lookups.ts';

export const retry = defineCommand({
  name: 'retry',
  title: 'Retry',
  summary: 'Runs a failing alert or sync again now; what was held back is tried again.',
  example: '/activate retry pql-free-tier',
  access: 'editor',
  fields: { name: field.lookup({ label: 'Name', lookup: 'syncs' }) },
  positional: ['name'],
  lookups: { syncs },
  run: async ({ name }, caller, services) => {
    await services.runs.start(name, caller, 'retry');
    return { kind: 'done', note: `Trying ${name} again.` };
  },
});
