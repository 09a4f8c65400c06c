import { field } from './form.ts';
import type { Column, KeyOrder, Limits } from './source.ts';

const planners = {
  automatic: 'Whichever costs less',
  here: 'Always here',
  warehouse: 'Always in the warehouse',
} as const;

/** Where the difference to what was told is taken. */
export type PlannerChoice = keyof typeof planners;

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

/**
 * A schema (or dataset) of a warehouse that is ours to write. Tables there hold text: what was told so far, what a run
 * found to differ, and logs. All statements that come here are the engine's own, written for the source's dialect; a
 * model's query, proven to be one SELECT, may be inside.
 */
export interface Scratch {
  readonly choice: PlannerChoice;
  /** Whether runs and what came of them are to be written there too. */
  readonly logs: boolean;
  /** A table of ours as SQL names it, with the schema, quoted. `name` is lower-case letters, digits and `_`. */
  table(name: string): string;
  /**
   * SQL for the text of a value: byte for byte what `Source.read` gives for this column, before its signs are escaped;
   * NULL stays NULL. `expression` is a column, as SQL names it; `as` says whether it is part of the key.
   */
  textOf(column: Column, expression: string, as: 'key' | 'value'): string;
  /** How `Source.read` sorts this column when it is part of a key. */
  orderOf(column: Column): KeyOrder;
  /** Sentences about what it lacks to be used, each with the statement that mends it; none when all is there. Makes the schema if it may. */
  lacking(limits: Limits): Promise<readonly string[]>;
  /** Runs one statement that writes there. Errors as of a `Source`. When the answer is lost it may be done all the same. */
  run(statement: string, limits: Limits): Promise<void>;
}
