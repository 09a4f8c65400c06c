import type { PlannedRun } from '../frameworks/framework.ts';
import { lineStarts, type PlanEntry } from '../planner/chunks.ts';
import { keyText } from '../planner/keys.ts';

/**
 * Of what the rows that leave or change are known by at the destination, that which other rows still are: it must not
 * be removed there. Reads what was told once, and only when something would be removed. Not needed where rows are known
 * by their key alone.
 */
export async function stillWanted(
  planned: PlannedRun,
  keyWidth: number,
  knownBy: (line: Buffer) => readonly string[],
): Promise<ReadonlySet<string>> {
  const leaving = new Set<string>();
  const touched = new Set<string>();
  const coming = new Set<string>();
  const note = ({ key, line, previous }: PlanEntry): void => {
    const now = line === undefined ? [] : knownBy(line);
    const before = previous === undefined ? [] : knownBy(previous);
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
  const wanted = new Set([...leaving].filter((name) => coming.has(name)));
  if (leaving.size > wanted.size) {
    for await (const lines of planned.told()) {
      for (const line of linesIn(lines)) {
        if (!touched.has(keyText(line, keyWidth))) {
          addAll(
            wanted,
            knownBy(line).filter((name) => leaving.has(name)),
          );
        }
      }
    }
  }
  return wanted;
}

function addAll(set: Set<string>, names: readonly string[]): void {
  for (const name of names) {
    set.add(name);
  }
}

function* linesIn(lines: Buffer): Generator<Buffer> {
  const starts = lineStarts(lines);
  for (let at = 0; at + 1 < starts.length; at += 1) {
    yield lines.subarray(starts[at], starts[at + 1]);
  }
}
