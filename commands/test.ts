import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { speaking } from './lookups.ts';

export const test = defineCommand({
  name: 'test',
  title: 'Test an alert',
  summary: 'Sends the message, or the mail, for one real row to you alone.',
  example: '/activate test pql-free-tier',
  access: 'editor',
  fields: { name: field.lookup({ label: 'Alert', lookup: 'speaking' }) },
  positional: ['name'],
  lookups: { speaking },
  run: async ({ name }, caller, services) => {
    const { sync } = await services.syncs.show(name);
    if (sync.framework === 'mail') {
      return { kind: 'done', note: `Sent to ${await services.mail.test(name, caller)}.` };
    }
    await services.alerts.test(name, caller);
    return { kind: 'done', note: 'Sent to your direct messages.' };
  },
});
