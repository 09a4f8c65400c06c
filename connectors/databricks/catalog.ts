import type { Column, Limits, Table } from '../../engine/contracts/source.ts';
import { guessKey, sampleRows } from '../shared/key-guess.ts';
import { type Listed, listedAtOnce } from '../shared/table-list.ts';
import { around, distinct } from '../shared/wrap.ts';
import { namesOf, quoted, written } from './names.ts';
import type { Asking, Session } from './session.ts';
import { textOf } from './text.ts';

/** The columns of a query, by asking for none of its rows. */
export async function describeQuery(
  session: Session,
  sql: string,
  limits: Limits,
): Promise<readonly Column[]> {
  const { columns } = await session.ask(around('SELECT * FROM', sql, 'AS q LIMIT 0', 'databricks'), limits);
  return distinct(columns);
}

/** Some rows of a query, each value as its exact text. */
export async function someRows(
  session: Session,
  sql: string,
  rows: number,
  limits: Limits,
  asking: Asking = {},
): Promise<Table> {
  const columns = await describeQuery(session, sql, limits);
  const values = valuesOf(columns).join(', ');
  const statement = around(`SELECT ${values} FROM`, sql, `AS q LIMIT ${Math.trunc(rows)}`, 'databricks');
  return { columns, rows: (await session.ask(statement, limits, asking)).rows };
}

/** The texts of columns. With names of their own, none can be taken for a column of the query. */
export function valuesOf(columns: readonly Column[]): readonly string[] {
  return columns.map((column, at) => `${textOf(column, `q.${quoted(column.name)}`)} AS c${at + 1}`);
}

/** Databricks holds nobody to the primary keys that tables declare, so they prove nothing. */
export async function suggestKey(session: Session, sql: string, limits: Limits): Promise<readonly string[]> {
  return guessKey(await someRows(session, sql, sampleRows, limits, { isLarge: true }), []);
}

/** A whole table, named as {@link listTables} names it. */
export function selectAll(table: string, catalog: string): string {
  const names = namesOf(table);
  return `SELECT * FROM ${(names.length > 2 ? names : [catalog, ...names]).map(quoted).join('.')}`;
}

interface Summaries {
  readonly tables?: readonly { readonly full_name?: string }[];
  readonly next_page_token?: string;
}

/** Tables and views of the catalog that may be read. Unity Catalog is asked: no warehouse has to start, and be paid, for it. */
export async function listTables(session: Session, pattern: string): Promise<readonly Listed[]> {
  const found: Listed[] = [];
  let token: string | undefined;
  do {
    const page: Summaries = await session.get('/api/2.1/unity-catalog/table-summaries', {
      catalog_name: session.login.catalog,
      table_name_pattern: pattern,
      max_results: 0,
      page_token: token,
    });
    // No name of Unity Catalog has a dot in it.
    for (const { full_name: path = '' } of page.tables ?? []) {
      const [, schema = '', name = ''] = path.split('.');
      found.push({ schema, name, text: `${written(schema)}.${written(name)}` });
    }
    // A page may be empty, and not be the last one.
    token = page.next_page_token === '' ? undefined : page.next_page_token;
  } while (token !== undefined && found.length < listedAtOnce);
  return found;
}
