import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { pendingNames, planFields } from './syncs/plan.ts';

export const reject = defineCommand({
  name: 'reject',
  title: 'Reject',
  summary: 'Says no to a run that waits, and why; nothing of it is written.',
  example: '/activate reject spring-buyers 7f3a9c21b04d too many at once',
  access: 'approver',
  fields: {
    ...planFields,
    reason: field.area({ label: 'Why', help: 'Whoever asked for it reads this.', max: 500 }),
    next: field.optional(
      field.choice({
        label: 'And then',
        of: { ask: 'Ask again at the next run', pause: 'Pause it until somebody resumes it' },
      }),
    ),
  },
  positional: ['name', 'plan', 'reason'],
  carried: ['name', 'plan'],
  submit: 'Reject',
  lookups: { pendingNames },
  run: async ({ name, plan, reason, next }, caller, services) => ({
    kind: 'card',
    to: caller.message === undefined ? 'caller' : 'pressed',
    card: await services.approvals.reject({ name, plan }, { reason, pause: next === 'pause' }, caller),
  }),
});
