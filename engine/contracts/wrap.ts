import { ActivateError } from './errors.ts';
import type { Column, Dialect, Query } from './source.ts';
import { type SqlToken, tokenize, withoutSemicolon } from './sql.ts';

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

/** The columns, unless two of them can't be told apart. */
export function distinct(columns: readonly Column[]): readonly Column[] {
  const twice = columns.find((column, at) => columns.findIndex((other) => other.name === column.name) !== at);
  if (twice !== undefined) {
    throw new ActivateError('SQL_FAILED', `Two columns of the query are named “${twice.name}”.`, {
      fix: `Give one of them another name, as … AS other_${twice.name.replaceAll(/\W/g, '')}.`,
    });
  }
  return columns;
}

/** The columns that are read: those of the key, then the others. The message says which one is gone. */
export function readColumns(
  query: Query,
  columns: readonly Column[],
): { readonly key: readonly Column[]; readonly others: readonly Column[] } {
  const named = (name: string): Column => {
    const column = columns.find((one) => one.name === name);
    if (column === undefined) {
      throw new ActivateError('SQL_FAILED', `The query has no column “${name}” (any more).`, {
        fix: `It has: ${columns
          .slice(0, 20)
          .map((one) => one.name)
          .join(', ')}. Correct the query or the settings.`,
      });
    }
    return column;
  };
  return {
    key: query.key.map(named),
    others: query.columns.filter((name) => !query.key.includes(name)).map(named),
  };
}
