import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Column, Dialect, Query } from '../../engine/contracts/source.ts';
import { type SqlToken, tokenize, withoutSemicolon } from '../../engine/contracts/sql.ts';

/**
 * A person's query between two texts of ours, each in one line. The query has lines of its own, for it may end in a
 * comment. Throws SQL_UNSAFE when it would leave the parentheses that it is put into.
 */
export function around(before: string, sql: string, after: string, dialect: Dialect): string {
  const query = withoutSemicolon(sql, dialect);
  if (leaves(query, dialect)) {
    throw new ActivateError('SQL_UNSAFE', 'The query is not one SELECT that stands for itself.', {
      fix: 'Look for a parenthesis too many, or for a second statement.',
    });
  }
  return `${before} (\n${query}\n) ${after}`.trim();
}

function leaves(query: string, dialect: Dialect): boolean {
  let depth = 0;
  for (const token of tokenize(query, dialect)) {
    depth += token.kind === 'sign' ? (steps[token.text] ?? 0) : 0;
    if (depth < 0 || isAnotherStatement(token, query)) {
      return true;
    }
  }
  return false;
}

const steps: Readonly<Record<string, number>> = { '(': 1, ')': -1 };

/** `->>` hands the rows of one statement to a whole other one. */
function isAnotherStatement({ kind, text, at }: SqlToken, query: string): boolean {
  return kind === 'doubt' || (kind === 'sign' && (text === ';' || query.startsWith('->>', at)));
}

/** Words of a warehouse about a text of {@link around}: places are those in the person's own text, from line 1, column 1. */
export function inTheirLines(words: string): string {
  return words.replaceAll(
    /(?:;? )\(?line (\d+)(?:,| at)? pos(?:ition)? (\d+)\)?/g,
    (_, line: string, position: string) =>
      ` (line ${Math.max(1, Number(line) - 1)}, column ${Number(position) + 1})`,
  );
}

/** The columns, unless there are none, or two of them can't be told apart. */
export function distinct<C extends Pick<Column, 'name'>>(
  columns: readonly C[],
  isSame = (one: string, other: string): boolean => one === other,
): readonly C[] {
  if (columns.length === 0) {
    throw new ActivateError('SQL_FAILED', 'The query has no columns.', {
      fix: 'Name at least one after SELECT.',
    });
  }
  const twice = columns.find(({ name }, at) => columns.findIndex((other) => isSame(other.name, name)) !== at);
  if (twice !== undefined) {
    throw new ActivateError('SQL_FAILED', `Two columns of the query are named “${twice.name}”.`, {
      fix: `Give one of them another name, as … AS other_${twice.name.replaceAll(/\W/g, '')}.`,
    });
  }
  return columns;
}

/** The columns that are read: those of the key, then the others. The message says which one is gone. */
export function readColumns<C extends Column>(
  query: Query,
  columns: readonly C[],
): { readonly key: readonly C[]; readonly others: readonly C[] } {
  const named = (name: string): C => columnNamed(name, columns);
  return {
    key: query.key.map(named),
    others: query.columns.filter((name) => !query.key.includes(name)).map(named),
  };
}

/** Throws SQL_FAILED when it is not there (any more). */
export function columnNamed<C extends Column>(name: string, columns: readonly C[]): C {
  const column = columns.find((one) => one.name === name);
  if (column === undefined) {
    const has = columns.slice(0, 20).map((one) => one.name);
    throw new ActivateError('SQL_FAILED', `The query has no column “${name}” (any more).`, {
      fix: `It has: ${has.join(', ')}. Correct the query or the settings.`,
    });
  }
  return column;
}

/** A watermark: digits, or a moment in UTC. */
export function watermarkOf(
  value: string,
):
  | { readonly number: string }
  | { readonly number: undefined; readonly day: string; readonly clock: string; readonly fraction: string } {
  if (/^-?\d+(\.\d+)?$/.test(value)) {
    return { number: value };
  }
  const [, day, clock = '', fraction = ''] =
    /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?Z$/.exec(value) ?? [];
  if (day === undefined) {
    throw new ActivateError('BUG', 'A watermark is neither a number nor a time.');
  }
  return { number: undefined, day, clock, fraction };
}
