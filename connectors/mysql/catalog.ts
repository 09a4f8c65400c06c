import type { FieldPacket } from 'mysql2';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Query, Table } from '../../engine/contracts/source.ts';
import { withoutSemicolon } from '../../engine/contracts/sql.ts';
import { guessKey, type KeyPart, sampleRows } from '../shared/key-guess.ts';
import type { Wrapped } from '../shared/reader.ts';
import { columnNamed, distinct, watermarkOf } from '../shared/wrap.ts';
import { columnOf, type QueryColumn } from './columns.ts';
import type { Reader } from './reader.ts';
import { identifierOf, namesOf, quoted, system, titleOf } from './table.ts';
import { textOf } from './text.ts';

export interface Described {
  readonly columns: readonly QueryColumn[];
  /** The same columns as they are before they stand in a query of ours: of which table, and what in it. */
  readonly origins: readonly FieldPacket[];
}

/**
 * The columns of a query, and the server's own proof that it is one SELECT, without running it. Alone it has to be a whole
 * statement: so no parenthesis of ours can be closed by it. Inside of ours it has to be a SELECT that goes nowhere: in
 * parentheses neither INTO nor anything that writes is SQL.
 */
export async function describeQuery(reader: Reader, sql: string): Promise<Described> {
  const origins = await reader.columnsOf(withoutSemicolon(sql, 'mysql'));
  if (origins.length === 0) {
    throw new ActivateError(
      'SQL_UNSAFE',
      'The query gives no rows: it would change something, or write a file.',
      {
        fix: 'Write one SELECT, without INTO.',
      },
    );
  }
  distinct(origins, isSame);
  const fields = await reader.columnsOf({ before: 'SELECT * FROM (', sql, after: ') AS q' });
  return { columns: fields.map(columnOf), origins };
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** Rows of a described query as text. */
export async function rowsOf(
  reader: Reader,
  { columns }: Described,
  sql: string,
  limit: number,
): Promise<Table> {
  const rows = await reader.rows(selectText(columns, sql, `LIMIT ${Math.trunc(limit)}`));
  return { columns: columns.map(({ name, type, native }) => ({ name, type, native })), rows };
}

/** A statement that gives these columns of a query as text. */
export function selectText(columns: readonly QueryColumn[], sql: string, rest: string): Wrapped {
  const texts = columns.map((column) => textOf(column, `q.${quoted(column.name)}`));
  return { before: `SELECT ${texts.join(', ')} FROM (`, sql, after: `) AS q ${rest}` };
}

/** Tables and views that the user can see, those of the connection's own database first. */
export async function readableTables(reader: Reader, typed: string): Promise<readonly string[]> {
  const rows = await reader.ask(
    `SELECT table_schema AS d, table_name AS n FROM information_schema.tables
     WHERE table_type IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED') AND table_schema NOT IN ${system}
       AND LOCATE(?, LOWER(CONCAT(table_schema, '.', table_name))) > 0
     ORDER BY LOWER(table_name) <> ?, LOCATE(?, LOWER(table_name)) <> 1, table_schema <> DATABASE(), d, n LIMIT 100`,
    Array.from({ length: 3 }, () => typed.trim().toLowerCase().replaceAll('`', '')),
  );
  return rows.map(([database, name]) => titleOf({ database: database ?? '', name: name ?? '' }));
}

/** A whole table, named as {@link readableTables} names it. */
export function selectAll(table: string): string {
  const [database, name] = namesOf(table);
  return `SELECT * FROM ${database === null ? quoted(name) : identifierOf({ database, name })}`;
}

/** Columns that look like the key: see {@link guessKey}. */
export async function suggestKey(reader: Reader, sql: string): Promise<readonly string[]> {
  const described = await describeQuery(reader, sql);
  const sample = await rowsOf(reader, described, sql, sampleRows);
  return guessKey(sample, await keyPartsOf(reader, described.origins));
}

const partOfPrimaryKey = 2;

/** The columns that are of a primary key, in its own order. */
async function keyPartsOf(reader: Reader, origins: readonly FieldPacket[]): Promise<readonly KeyPart[]> {
  const parts: KeyPart[] = [];
  for (const [database, table] of tablesOf(origins)) {
    const key = await reader.ask(
      `SELECT column_name AS c FROM information_schema.statistics
       WHERE table_schema = ? AND table_name = ? AND index_name = 'PRIMARY' ORDER BY seq_in_index`,
      [database, table],
    );
    const found = key.map(([name]) =>
      origins.findIndex(
        ({ schema, orgTable, orgName }) => schema === database && orgTable === table && orgName === name,
      ),
    );
    parts.push(...found.filter((at) => at !== -1).map((at) => ({ at, of: key.length })));
  }
  return parts;
}

/** The tables of which a column of their primary key is there. */
function tablesOf(origins: readonly FieldPacket[]): readonly (readonly [database: string, table: string])[] {
  const named = origins
    .filter(({ flags }) => (Number(flags) & partOfPrimaryKey) !== 0)
    .map(({ schema = '', orgTable }) => [schema, orgTable] as const);
  return [...new Map(named.map((names) => [names.join('.'), names])).values()];
}

/** The rows asked for, of those that there are. */
export function sinceOf({ since }: Query, columns: readonly QueryColumn[]): string {
  if (since === undefined) {
    return '';
  }
  const column = columnNamed(since.column, columns);
  const mark = watermarkOf(since.value);
  const value = mark.number ?? `TIMESTAMP'${mark.day} ${mark.clock}${mark.fraction && `.${mark.fraction}`}'`;
  return `WHERE q.${quoted(column.name)} >= ${value}`;
}
