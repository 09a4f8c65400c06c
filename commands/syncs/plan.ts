import type { Lookup } from '../../engine/contracts/command.ts';
import { field } from '../../engine/contracts/form.ts';
import type { Services } from '../../engine/services.ts';
import { matching } from '../lookups.ts';

/** Which hold somebody means: what it is about, and the first characters of the plan that they saw. */
export const planFields = {
  name: field.lookup({ label: 'Name', lookup: 'pendingNames' }),
  plan: field.text({ label: 'Plan', help: 'As its card shows it: twelve letters and digits.', max: 64 }),
};

/** What waits for somebody. */
export const pendingNames: Lookup<Services> = async (typed, _raw, caller, services) => {
  const { mine, others } = await services.approvals.waiting(caller);
  return matching([...new Set([...mine, ...others].map(({ subject }) => subject))], typed);
};
