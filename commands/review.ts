import { defineCommand } from './define.ts';
import { pendingNames, planFields } from './syncs/plan.ts';

export const review = defineCommand({
  name: 'review',
  title: 'Look at it',
  summary: 'Sends you the card of a run or a change that waits, to decide about it.',
  example: '/activate review spring-buyers 7f3a9c21b04d',
  access: 'viewer',
  fields: planFields,
  positional: ['name', 'plan'],
  carried: ['name', 'plan'],
  lookups: { pendingNames },
  run: async (which, caller, services) => {
    await services.approvals.review(which, caller);
    return { kind: 'done', note: 'It is in your direct messages with me.' };
  },
});
