import type { Column } from '../contracts/source.ts';
import type { PlannedRun } from '../frameworks/framework.ts';
import type { Facts, RowValues } from '../mapping/mapper.ts';
import { decodeLine } from '../planner/keys.ts';

/** The model's columns in the order in which the lines of a plan have them. */
export function columnsOf({ columns, model }: Pick<PlannedRun, 'columns' | 'model'>): readonly Column[] {
  return columns.map(
    (name) => model.columns.find((column) => column.name === name) ?? { name, type: 'text', native: 'text' },
  );
}

/** The values of a line of the plan. */
export function valuesOf(line: Uint8Array, columns: readonly string[]): RowValues {
  return decodeLine(line, columns);
}

/** What fields can be filled with beside the row, by the row's key: the same at every attempt of a run. */
export function factsOf({ run, sync, model, now }: PlannedRun): (key: string) => Facts {
  const synced_at = (run.startedAt ?? now()).toISOString();
  const id = String(run.id);
  return (key) => ({ synced_at, run: id, sync: sync.name, model: model.name, key });
}
