import { ActivateError } from '../../engine/contracts/errors.ts';

/** Lines of `NAME = column`, as a form takes them. Throws INPUT_INVALID for a line that is none. */
export function pairsOf(text: string): Readonly<Record<string, string>> {
  const pairs: Record<string, string> = {};
  for (const line of text.split('\n').map((one) => one.trim())) {
    if (line === '') {
      continue;
    }
    const [, name, column] = /^([^=]+?)\s*=\s*(.+)$/.exec(line) ?? [];
    if (name === undefined || column === undefined) {
      throw new ActivateError('INPUT_INVALID', `"${line}" is not like: name = column.`);
    }
    pairs[name] = column;
  }
  return pairs;
}

export function writePairs(pairs: Readonly<Record<string, string>>): string {
  return Object.entries(pairs)
    .map(([name, column]) => `${name} = ${column}`)
    .join('\n');
}
