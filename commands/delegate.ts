import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { pendingNames, planFields } from './syncs/plan.ts';

export const delegate = defineCommand({
  name: 'delegate',
  title: 'Hand on',
  summary: 'Lets somebody else decide as well about what waits for you.',
  example: '/activate delegate spring-buyers 7f3a9c21b04d noah@example.com',
  access: 'approver',
  fields: {
    ...planFields,
    person: field.lookup({ label: 'To whom', lookup: 'people', help: 'Somebody with the role approver.' }),
  },
  positional: ['name', 'plan', 'person'],
  carried: ['name', 'plan'],
  submit: 'Hand on',
  lookups: {
    pendingNames,
    people: (typed, _raw, caller, services) => services.people.search(typed, caller),
  },
  run: async ({ name, plan, person }, caller, services) => ({
    kind: 'card',
    to: caller.message === undefined ? 'caller' : 'pressed',
    card: await services.approvals.delegate({ name, plan }, person, caller),
  }),
});
