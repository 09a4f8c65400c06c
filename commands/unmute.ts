import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { speaking } from './lookups.ts';

export const unmute = defineCommand({
  name: 'unmute',
  title: 'Unmute an alert',
  summary: 'Lets a muted alert or mailing speak again.',
  example: '/activate unmute pql-free-tier',
  access: 'editor',
  fields: { name: field.lookup({ label: 'Alert', lookup: 'speaking' }) },
  positional: ['name'],
  lookups: { speaking },
  run: async ({ name }, _caller, services) => {
    await services.syncs.mute(name, null);
    return { kind: 'done', note: `${name} speaks again.` };
  },
});
