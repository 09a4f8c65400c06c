import { ActivateError } from '../../engine/contracts/errors.ts';
import { field, type Values } from '../../engine/contracts/form.ts';
import type { PlannerChoice, Scratch } from '../../engine/contracts/source.ts';
import { invalidIn } from './login.ts';

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

/** What was chosen in them. */
export type ScratchValues = Values<typeof scratchFields>;

/** What the fields say of the place of ours. */
export function choiceOf({ planner = 'automatic', logs }: ScratchValues): Pick<Scratch, 'choice' | 'logs'> {
  return { choice: planner, logs: logs === 'yes' };
}

/** The name of a schema of PostgreSQL or Redshift, of at most so many signs. Throws CONFIG_INVALID for what can't be one of ours. */
export function ownSchema(name: string, most: number): string {
  const isName = /^[a-z_][a-z0-9_]*$/.test(name) && name.length <= most;
  if (!isName || /^pg_|^(public|information_schema)$/.test(name)) {
    throw invalidIn(scratchFields)(
      'plannerSchema',
      'This is not a name for a schema of its own.',
      'Use lower-case letters, digits and _, as activate_planner.',
    );
  }
  return name;
}

/** Whether the warehouse lets us do this. Some say of what a role may not see that it does not exist. */
export async function isAllowed(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof ActivateError && /^(SQL_FAILED|PERMISSION_DENIED)$/.test(error.code)) {
      return false;
    }
    throw error;
  }
}
