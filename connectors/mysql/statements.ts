import { identifierOf, quoted, type Table, type TableColumn } from './table.ts';

/** What statements do to a table by rows that stand in another one, numbered in its column `n`. */
export interface Change {
  readonly table: Table;
  /** The other table: of this connection alone, and gone with it. */
  readonly staged: string;
  readonly columns: readonly TableColumn[];
  readonly match: readonly string[];
  readonly onlyIfEmpty: ReadonlySet<string>;
}

/** The name of the column that numbers rows: none that a table would have. */
const number = '`activate n`';

/** In the table's own database, where a user is given the right to make one, and under a name that no table has. */
export function stagedFor({ database }: Table): string {
  return `${quoted(database)}.${quoted('rows on their way (activate)')}`;
}

export function unstagingOf(staged: string): string {
  return `DROP TEMPORARY TABLE IF EXISTS ${staged}`;
}

/** Columns of the same types, but without what fills, checks or refers; and the same key, so that it compares alike. */
export function stageOf(name: string, columns: readonly TableColumn[], unique: readonly string[]): string {
  const written = columns.map(({ name: column, fullType, charset, collation }) => {
    const words =
      charset === null || collation === null ? '' : ` CHARACTER SET ${charset} COLLATE ${collation}`;
    return `${quoted(column)} ${fullType}${words} NULL`;
  });
  const key = unique.length === 0 ? [] : [`UNIQUE KEY \`key\` (${unique.map(quoted).join(', ')})`];
  return `CREATE TEMPORARY TABLE ${name} (${[`${number} INT NOT NULL PRIMARY KEY`, ...written, ...key].join(', ')}) ENGINE = InnoDB`;
}

/** Puts so many rows there; each value has a place of its own. */
export function stagingOf({ staged, columns }: Change, rows: number): string {
  const names = [number, ...columns.map(({ name }) => quoted(name))];
  const row = `(${names.map(() => '?').join(', ')})`;
  return `INSERT INTO ${staged} (${names.join(', ')}) VALUES ${Array.from({ length: rows }, () => row).join(', ')}`;
}

/** Rows that are not there yet, in the order of their keys: two writers then wait for each other, and no longer. */
export function insertMissingOf(change: Change, from: number, to: number): string {
  return `${insert(change, from, to)} AND NOT EXISTS (${matching(change)}) ${inOrder(change)}`;
}

export function insertOf(change: Change, from: number, to: number): string {
  return `${insert(change, from, to)} ${inOrder(change)}`;
}

/**
 * Rows that may have been written by an earlier attempt: whichever unique index one meets, it stays as it is. Only where
 * there is nothing to match by, since this statement takes any index for a match.
 */
export function insertAgainOf(change: Change, from: number, to: number): string {
  const [first] = change.columns.map(({ name }) => `${identifierOf(change.table)}.${quoted(name)}`);
  return `${insert(change, from, to)} ${inOrder(change)} ON DUPLICATE KEY UPDATE ${first} = ${first}`;
}

/** Changes to rows that are there; undefined when there is nothing to change. */
export function updateOf(change: Change, from: number, to: number): string | undefined {
  const { table, staged, columns, match, onlyIfEmpty } = change;
  const set = columns
    .filter(({ name }) => !match.includes(name))
    .map(({ name }) => {
      const [own, incoming] = [`t.${quoted(name)}`, `s.${quoted(name)}`];
      return `${own} = ${onlyIfEmpty.has(name) ? `COALESCE(${own}, ${incoming})` : incoming}`;
    });
  return set.length === 0
    ? undefined
    : `UPDATE ${identifierOf(table)} AS t JOIN ${staged} AS s ON ${pairs(change)} SET ${set.join(', ')} WHERE ${within(from, to)}`;
}

export function deleteOf(change: Change, from: number, to: number): string {
  return `DELETE t FROM ${identifierOf(change.table)} AS t JOIN ${change.staged} AS s ON ${pairs(change)} WHERE ${within(from, to)}`;
}

/** The numbers of rows that are there, or that are not. */
export function numbersOf(change: Change, from: number, to: number, which: 'there' | 'missing'): string {
  return `SELECT s.${number} FROM ${change.staged} AS s WHERE ${within(from, to)} AND ${which === 'there' ? '' : 'NOT '}EXISTS (${matching(change)})`;
}

/** The key of the one row of each number that has its value; nothing where several have. */
export function foundOf(change: Change, key: string): string {
  return `SELECT s.${number}, MIN(CAST(t.${quoted(key)} AS CHAR)) FROM ${change.staged} AS s
    JOIN ${identifierOf(change.table)} AS t ON ${pairs(change)} GROUP BY s.${number} HAVING COUNT(*) = 1`;
}

function insert({ table, staged, columns }: Change, from: number, to: number): string {
  const names = columns.map(({ name }) => quoted(name));
  return `INSERT INTO ${identifierOf(table)} (${names.join(', ')}) SELECT ${names.map((name) => `s.${name}`).join(', ')} FROM ${staged} AS s WHERE ${within(from, to)}`;
}

function within(from: number, to: number): string {
  return `s.${number} BETWEEN ${Math.trunc(from)} AND ${Math.trunc(to)}`;
}

function matching(change: Change): string {
  return `SELECT 1 FROM ${identifierOf(change.table)} AS t WHERE ${pairs(change)}`;
}

function pairs({ match }: Change): string {
  return match.map((name) => `t.${quoted(name)} = s.${quoted(name)}`).join(' AND ');
}

function inOrder({ match }: Change): string {
  return match.length === 0 ? '' : `ORDER BY ${match.map((name) => `s.${quoted(name)}`).join(', ')}`;
}
