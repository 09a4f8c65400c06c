import type { Column } from '../../engine/contracts/source.ts';
import type { KeyPart } from '../shared/key-guess.ts';
import type { PgRows } from '../shared/postgres-protocol.ts';
import { distinct } from '../shared/wrap.ts';
import type { Reader } from './session.ts';
import { columnOf } from './text.ts';

export interface Described {
  readonly columns: readonly Column[];
  readonly fields: PgRows['fields'];
}

/** The columns of a query, by asking for none of its rows. Refuses columns that can't be told apart. */
export async function describeQuery(reader: Reader, sql: string): Promise<Described> {
  const { fields } = await reader.ask({ before: 'SELECT * FROM (', sql, after: ') AS q LIMIT 0' });
  distinct(fields);
  const columns = fields.map(({ name, dataTypeID, dataTypeModifier }) =>
    columnOf(name, dataTypeID, dataTypeModifier),
  );
  return { columns, fields };
}

/** Schemas of the system, and what Redshift keeps beside materialized views. */
export const ofPeople = `n.nspname <> 'information_schema' AND SUBSTRING(n.nspname, 1, 3) <> 'pg_'
  AND SUBSTRING(c.relname, 1, 8) <> 'mv_tbl__'`;

/** A table as functions about rights want to be told of it. */
export const fullName = "QUOTE_IDENT(n.nspname) || '.' || QUOTE_IDENT(c.relname)";

/** Tables and views that the user may read, names quoted where SQL needs it. All of it runs on the leader node alone. */
export async function readableTables(reader: Reader, typed: string): Promise<readonly string[]> {
  const text = `SELECT name FROM (
  SELECT ${fullName} AS name, n.nspname || '.' || c.relname AS bare, c.relname AS relname
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND ${ofPeople}
  AND HAS_SCHEMA_PRIVILEGE(n.nspname, 'USAGE') AND HAS_TABLE_PRIVILEGE(${fullName}, 'SELECT')
) AS t
WHERE STRPOS(LOWER(bare), $1) > 0 OR STRPOS(LOWER(name), $1) > 0
ORDER BY CASE WHEN LOWER(relname) = $1 THEN 0 WHEN STRPOS(LOWER(relname), $1) = 1 THEN 1 WHEN STRPOS(LOWER(bare), $1) = 1 THEN 2 ELSE 3 END, name
LIMIT 100`;
  const { rows } = await reader.ask(text, [typed.trim().toLowerCase()]);
  return rows.map((row) => row[0] ?? '');
}

/** Which columns are part of a table's primary key: one that Redshift knows of, and does not enforce. */
export async function primaryKeysOf(reader: Reader, fields: PgRows['fields']): Promise<readonly KeyPart[]> {
  const tables = [...new Set(fields.map(({ tableID }) => tableID))].filter((table) => table > 0);
  if (tables.length === 0) {
    return [];
  }
  const { rows } = await reader.ask(
    `SELECT conrelid, conkey FROM pg_constraint WHERE contype = 'p' AND conrelid IN (${tables.join(', ')}) ORDER BY conrelid`,
  );
  return rows.flatMap(([table, key]) => {
    const numbers = key?.match(/\d+/g) ?? [];
    return numbers.flatMap((number) => {
      const at = fields.findIndex(
        ({ tableID, columnID }) => String(tableID) === table && String(columnID) === number,
      );
      return at === -1 ? [] : [{ at, of: numbers.length }];
    });
  });
}
