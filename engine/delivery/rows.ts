import type { Column } from '../contracts/source.ts';
import type { PlannedRun } from '../frameworks/framework.ts';
import type { Facts, RowValues } from '../mapping/mapper.ts';
import { personalColumns } from '../personal/columns.ts';
import { maskKey, maskText, type Row } from '../personal/mask.ts';
import type { PlanEntry } from '../planner/chunks.ts';
import { possibleLines } from '../planner/doubt.ts';
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

/** A change by the names of its columns: as it is, or as it was when it is gone. */
export function rowOf({ line, previous }: PlanEntry, columns: readonly string[]): Row {
  const [before] = previous === undefined ? [] : possibleLines(previous, columns.length);
  const written = line ?? before;
  const values = written === undefined ? [] : decodeLine(written, columns);
  return Object.fromEntries(columns.map((name, at) => [name, values[at] ?? null]));
}

/** What may be said of a row where others read it. */
export interface RowMask {
  key(key: string): string;
  /** A sentence about a row. */
  text(text: string, about: PlanEntry): string;
}

export function rowMask({ model, columns }: Pick<PlannedRun, 'columns' | 'model'>): RowMask {
  const personal = personalColumns(model.columns, model.personal);
  return {
    key: (key) => maskKey(key, model.key, personal),
    text: (text, about) => maskText(text, [rowOf(about, columns)], personal),
  };
}

/** What fields can be filled with beside the row, by the row's key: the same at every attempt of a run. */
export function factsOf({ run, sync, model, now }: PlannedRun): (key: string) => Facts {
  const synced_at = (run.startedAt ?? now()).toISOString();
  const id = String(run.id);
  return (key) => ({ synced_at, run: id, sync: sync.name, model: model.name, key });
}
