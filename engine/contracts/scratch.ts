import { field } from './form.ts';
import type { PlannerChoice } from './source.ts';

const planners = {
  automatic: 'Whichever costs less',
  here: 'Always here',
  warehouse: 'Always in the warehouse',
} as const satisfies Readonly<Record<PlannerChoice, string>>;

/** The fields of a connection that names a place of ours; their names are the same for every warehouse. */
export const scratchFields = {
  plannerSchema: field.optional(
    field.text({
      label: 'Planner schema',
      help: 'A schema of its own where Activate may keep tables. Leave it empty and nothing is ever written.',
      placeholder: 'activate_planner',
    }),
  ),
  planner: field.optional(
    field.choice({
      label: 'Compare rows',
      help: 'Needs a planner schema. Leave it empty for whichever costs less.',
      of: planners,
    }),
  ),
  logs: field.optional(
    field.choice({
      label: 'Keep logs there',
      help: 'Writes runs, what became of rows, and reactions to tables in the planner schema. Leave it empty for no.',
      of: { yes: 'Yes', no: 'No' },
    }),
  ),
};
