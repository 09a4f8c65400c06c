import { defineCommand } from './define.ts';
import { pendingNames, planFields } from './syncs/plan.ts';

export const approve = defineCommand({
  name: 'approve',
  title: 'Approve',
  summary: 'Lets a run that waits write exactly the plan that was shown.',
  example: '/activate approve spring-buyers 7f3a9c21b04d',
  access: 'approver',
  fields: planFields,
  positional: ['name', 'plan'],
  carried: ['name', 'plan'],
  submit: 'Approve',
  lookups: { pendingNames },
  run: async (which, caller, services) => ({
    kind: 'card',
    to: caller.message === undefined ? 'caller' : 'pressed',
    card: await services.approvals.approve(which, caller),
  }),
});
