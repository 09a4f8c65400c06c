import { guessKey, sampleRows } from '../../engine/contracts/key-guess.ts';
import type { Column, Limits, Table } from '../../engine/contracts/source.ts';
import { around, distinct } from '../../engine/contracts/wrap.ts';
import { literal, namesOf, quoted, written } from './names.ts';
import type { Session } from './session.ts';
import { textOf } from './text.ts';

/** The columns of a query, by asking for none of its rows. */
export async function describeQuery(
  session: Session,
  sql: string,
  limits: Limits,
): Promise<readonly Column[]> {
  const { columns } = await session.ask(around('SELECT * FROM', sql, 'AS q LIMIT 0', 'snowflake'), limits);
  return distinct(columns);
}

/** Some rows of a query, each value as its exact text. */
export async function someRows(session: Session, sql: string, rows: number, limits: Limits): Promise<Table> {
  const columns = await describeQuery(session, sql, limits);
  const values = columns.map((column) => textOf(column, `q.${quoted(column.name)}`)).join(', ');
  const statement = around(`SELECT ${values} FROM`, sql, `AS q LIMIT ${Math.trunc(rows)}`, 'snowflake');
  return { columns, rows: (await session.ask(statement, limits)).rows };
}

/** Snowflake holds nobody to the primary keys that tables declare, so they prove nothing. */
export async function suggestKey(session: Session, sql: string, limits: Limits): Promise<readonly string[]> {
  return guessKey(await someRows(session, sql, sampleRows, limits), []);
}

/** A whole table, named as {@link tablesLike} names it. */
export function selectAll(table: string): string {
  return `SELECT * FROM ${namesOf(table).map(quoted).join('.')}`;
}

/** As many as SHOW lists at once. */
const listedAtOnce = 10_000;
const offered = 100;

/**
 * Tables and views of the database that the role may see. By SHOW, for which no warehouse has to wake up, and pay for a
 * minute, each time somebody types a letter.
 */
export async function tablesLike(
  list: (pattern: string) => Promise<Table>,
  typed: string,
): Promise<readonly string[]> {
  const wanted = typed.trim().toLowerCase();
  const all = await list('%');
  const listed =
    all.rows.length < listedAtOnce || wanted === ''
      ? all
      : await list(`%${(wanted.split('.').at(-1) ?? '').replaceAll(/[\\%_"]/g, '_')}%`);
  const at = (column: string): number => listed.columns.findIndex(({ name }) => name === column);
  const [schemaAt, nameAt] = [at('schema_name'), at('name')];
  return listed.rows
    .map((row) => ({ schema: row[schemaAt] ?? '', name: row[nameAt] ?? '' }))
    .filter(({ schema }) => schema !== 'INFORMATION_SCHEMA')
    .map(({ schema, name }) => ({
      name: name.toLowerCase(),
      bare: `${schema}.${name}`.toLowerCase(),
      text: `${written(schema)}.${written(name)}`,
    }))
    .filter(({ bare, text }) => bare.includes(wanted) || text.toLowerCase().includes(wanted))
    .map((found) => ({ ...found, score: scoreOf(found, wanted) }))
    .sort((a, b) => a.score - b.score || (a.text < b.text ? -1 : 1))
    .slice(0, offered)
    .map(({ text }) => text);
}

function scoreOf({ name, bare }: { readonly name: string; readonly bare: string }, wanted: string): number {
  return name === wanted ? 0 : name.startsWith(wanted) ? 1 : bare.startsWith(wanted) ? 2 : 3;
}

/** What {@link tablesLike} lists by. */
export function listing(session: Session, limits: Limits): (pattern: string) => Promise<Table> {
  const database = quoted(session.login.database);
  return (pattern) =>
    session.ask(
      `SHOW TERSE OBJECTS LIKE ${literal(pattern)} IN DATABASE ${database} LIMIT ${listedAtOnce}`,
      limits,
    );
}
