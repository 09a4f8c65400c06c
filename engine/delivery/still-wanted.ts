import type { PlannedRun } from '../frameworks/framework.ts';
import { lineStarts, type PlanEntry } from '../planner/chunks.ts';
import { possibleLines } from '../planner/doubt.ts';
import { keyText } from '../planner/keys.ts';

export interface Naming {
  readonly keyWidth: number;
  /** What the row of a line is known by at the destination; nothing for a row that can't be used. */
  knownBy(line: Buffer): readonly string[];
  /** Of these, what is to be there. */
  wants?(line: Buffer): readonly string[];
}

/**
 * Of what the rows that leave or change are known by at the destination, that which other rows still are: it must not
 * be removed there. With each comes the line of a row that has it and does not change, if there is one. Reads what was
 * told once, and only when something would be removed. Not needed where rows are known by their key alone.
 */
export async function stillWanted(
  planned: PlannedRun,
  { keyWidth, knownBy, wants = knownBy }: Naming,
): Promise<ReadonlyMap<string, Buffer | undefined>> {
  const { leaving, coming, touched } = await inPlan(planned, { keyWidth, knownBy, wants });
  const wanted = new Map<string, Buffer | undefined>();
  for (const name of leaving) {
    if (coming.has(name)) {
      wanted.set(name, undefined);
    }
  }
  if (leaving.size > wanted.size) {
    for await (const line of untouched(planned, keyWidth, touched)) {
      for (const name of wants(line)) {
        if (leaving.has(name) && !wanted.has(name)) {
          wanted.set(name, line);
        }
      }
    }
  }
  return wanted;
}

/** What the rows of the plan leave behind and what they bring, and their keys. */
async function inPlan(
  planned: PlannedRun,
  { knownBy, wants }: Required<Naming>,
): Promise<Record<'leaving' | 'coming' | 'touched', ReadonlySet<string>>> {
  const width = planned.columns.length;
  const leaving = new Set<string>();
  const coming = new Set<string>();
  const touched = new Set<string>();
  const note = ({ key, line, previous }: PlanEntry): void => {
    const before = previous === undefined ? [] : possibleLines(previous, width).flatMap(knownBy);
    // A row that can't be used any more is refused, and stays what it was.
    const kept = line !== undefined && knownBy(line).length === 0;
    const now = kept ? before : line === undefined ? [] : wants(line);
    touched.add(key);
    addAll(coming, now);
    addAll(
      leaving,
      before.filter((name) => !now.includes(name)),
    );
  };
  for await (const entries of planned.allEntries()) {
    for (const entry of entries) {
      note(entry);
    }
  }
  return { leaving, coming, touched };
}

/** What was told of rows that are not in the plan. */
async function* untouched(
  planned: PlannedRun,
  keyWidth: number,
  touched: ReadonlySet<string>,
): AsyncGenerator<Buffer> {
  for await (const lines of planned.told()) {
    const starts = lineStarts(lines);
    for (let at = 0; at + 1 < starts.length; at += 1) {
      const line = lines.subarray(starts[at], starts[at + 1]);
      if (!touched.has(keyText(line, keyWidth))) {
        yield line;
      }
    }
  }
}

function addAll(set: Set<string>, names: readonly string[]): void {
  for (const name of names) {
    set.add(name);
  }
}
