import { quoted } from '../../engine/contracts/names.ts';
import { identifierOf, type Table, type TableColumn } from './table.ts';

/** What one statement does to a number of rows, each given by an element in the array of each column. */
export interface Change {
  readonly table: Table;
  readonly columns: readonly TableColumn[];
  readonly match: readonly string[];
  readonly onlyIfEmpty: ReadonlySet<string>;
}

/** New rows as COPY's text; one that is there already fails it. */
export function copyOf({ table, columns }: Change): string {
  return `COPY ${identifierOf(table)} (${columns.map(({ name }) => quoted(name)).join(', ')}) FROM STDIN`;
}

/** New rows; one that is there already fails the statement. */
export function insertOf(change: Change): string {
  return insert(change, `SELECT ${values(change)} FROM ${source(change)} ${inOrder(change, 'u')}`);
}

/** New rows; those that are there already stay as they are. Answers with the numbers of those, from 1. */
export function insertMissingOf(change: Change): string {
  const names = change.columns.map((_, i) => `s.c${i + 1}`);
  return `WITH s AS MATERIALIZED (${numbered(change)}),
    w AS (${insert(change, `SELECT ${names.join(', ')} FROM s ${inOrder(change, 's')}`)}
      ON CONFLICT ${target(change)} DO NOTHING RETURNING ${change.match.map((name) => `t.${quoted(name)}`).join(', ')})
    SELECT s.n FROM s WHERE NOT EXISTS (SELECT FROM w WHERE ${matching(change, 'w')}) ORDER BY s.n`;
}

/** New rows; those that are there already stay as they are, and nobody asks which. */
export function insertAgainOf(change: Change): string {
  return `${insertOf(change)} ON CONFLICT ${change.match.length === 0 ? '' : target(change)} DO NOTHING`;
}

/** Answers with a row when any of these rows is there; needs the columns of `match` alone. */
export function anyThereOf(change: Change): string {
  return `WITH s AS MATERIALIZED (${numbered(change)})
    SELECT s.n FROM s JOIN ${identifierOf(change.table)} AS t ON ${matching(change, 't')} LIMIT 1`;
}

/** New rows, and changes where a row differs: an UPDATE that changes nothing still costs a dead row and its triggers. */
export function upsertOf(change: Change): string {
  const changes = changesOf(change, (i) => `excluded.${quoted((change.columns[i] as TableColumn).name)}`);
  const action =
    changes === undefined ? 'DO NOTHING' : `DO UPDATE SET ${changes.set} WHERE ${changes.differs}`;
  return `${insertOf(change)} ON CONFLICT ${target(change)} ${action}`;
}

/** Changes to rows that are there. Answers with the numbers of those that are not, from 1. */
export function updateOf(change: Change): string {
  const changes = changesOf(change, (i) => `s.c${i + 1}`);
  const update =
    changes === undefined
      ? ''
      : `, w AS (UPDATE ${identifierOf(change.table)} AS t SET ${changes.set} FROM s
        WHERE ${matching(change, 't')} AND (${changes.differs}))`;
  return `WITH s AS MATERIALIZED (${numbered(change)} ${inOrder(change, 'u')})${update}
    SELECT s.n FROM s WHERE NOT EXISTS (SELECT FROM ${identifierOf(change.table)} AS t WHERE ${matching(change, 't')})
    ORDER BY s.n`;
}

export function deleteOf(change: Change): string {
  return `WITH s AS MATERIALIZED (${numbered(change)})
    DELETE FROM ${identifierOf(change.table)} AS t USING s WHERE ${matching(change, 't')}`;
}

function insert({ table, columns }: Change, rows: string): string {
  return `INSERT INTO ${identifierOf(table)} AS t (${columns.map(({ name }) => quoted(name)).join(', ')}) ${rows}`;
}

function numbered(change: Change): string {
  const named = change.columns.map((column, i) => `${selected(column, i)} AS c${i + 1}`);
  return `SELECT ${named.join(', ')}, u.n FROM ${source(change, true)}`;
}

function source({ columns }: Change, withNumbers = false): string {
  const lists = columns.map(({ listable, type }, i) => `$${i + 1}::${listable ? type : 'pg_catalog.text'}[]`);
  const names = columns.map((_, i) => `c${i + 1}`);
  return `unnest(${lists.join(', ')})${withNumbers ? ' WITH ORDINALITY' : ''} AS u(${[...names, ...(withNumbers ? ['n'] : [])].join(', ')})`;
}

function values({ columns }: Change): string {
  return columns.map(selected).join(', ');
}

/**
 * A cast to a type with a length would cut text unseen, where an assignment refuses it. Numbers and times are rounded
 * either way: here already, so that they compare as they are stored.
 */
function selected({ listable, type, fullType }: TableColumn, i: number): string {
  if (!listable) {
    return `u.c${i + 1}::${type}`;
  }
  const rounds = fullType !== type && /^(numeric|time|timestamp|interval)/.test(type);
  return rounds ? `u.c${i + 1}::${fullType}` : `u.c${i + 1}`;
}

/** Two writers that take rows in the same order wait for each other; otherwise they may block each other for good. */
function inOrder({ columns, match }: Change, from: 'u' | 's'): string {
  const keys = match.map((name) => `${from}.c${indexOf(columns, name) + 1}`);
  return keys.length === 0 ? '' : `ORDER BY ${keys.join(', ')}`;
}

function target({ match }: Change): string {
  return `(${match.map(quoted).join(', ')})`;
}

function matching({ columns, match }: Change, to: 't' | 'w'): string {
  return match.map((name) => `${to}.${quoted(name)} = s.c${indexOf(columns, name) + 1}`).join(' AND ');
}

function changesOf(
  { columns, match, onlyIfEmpty }: Change,
  incoming: (index: number) => string,
): { readonly set: string; readonly differs: string } | undefined {
  const changed = columns
    .map((column, i) => {
      const own = `t.${quoted(column.name)}`;
      const value = onlyIfEmpty.has(column.name) ? `COALESCE(${own}, ${incoming(i)})` : incoming(i);
      return { column, own, value };
    })
    .filter(({ column }) => !match.includes(column.name));
  if (changed.length === 0) {
    return undefined;
  }
  const compared = (column: TableColumn, text: string): string =>
    comparesAsText(column) ? `(${text})::pg_catalog.text` : text;
  return {
    set: changed.map(({ column, value }) => `${quoted(column.name)} = ${value}`).join(', '),
    differs: changed
      .map(({ column, own, value }) => `${compared(column, own)} IS DISTINCT FROM ${compared(column, value)}`)
      .join(' OR '),
  };
}

/** Types that know no equality, or one under which a change can go unseen. */
function comparesAsText({ type, category, element }: TableColumn): boolean {
  return category === 'G' || [type, element ?? ''].some((name) => /^(json|xml)$|\bcitext\b/.test(name));
}

function indexOf(columns: readonly TableColumn[], name: string): number {
  return columns.findIndex((column) => column.name === name);
}
