import { quoted } from '../../engine/contracts/names.ts';
import type { Column, Limits, Table } from '../../engine/contracts/source.ts';
import { guessKey, sampleRows } from '../shared/key-guess.ts';
import { type Listed, listedAtOnce } from '../shared/table-list.ts';
import { around, distinct } from '../shared/wrap.ts';
import { literal, namesOf, written } from './names.ts';
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

/** A whole table, named as {@link listTables} names it. */
export function selectAll(table: string): string {
  return `SELECT * FROM ${namesOf(table).map(quoted).join('.')}`;
}

/**
 * Tables and views of the database that the role may see. By SHOW, for which no warehouse has to wake up, and pay for a
 * minute, each time somebody types a letter.
 */
export async function listTables(
  session: Session,
  pattern: string,
  limits: Limits,
): Promise<readonly Listed[]> {
  const { columns, rows } = await session.ask(
    `SHOW TERSE OBJECTS LIKE ${literal(pattern)} IN DATABASE ${quoted(session.login.database)} LIMIT ${listedAtOnce}`,
    limits,
  );
  const at = (column: string): number => columns.findIndex(({ name }) => name === column);
  const [schemaAt, nameAt] = [at('schema_name'), at('name')];
  return rows.map((row) => {
    const [schema, name] = [row[schemaAt] ?? '', row[nameAt] ?? ''];
    return { schema, name, text: `${written(schema)}.${written(name)}` };
  });
}
