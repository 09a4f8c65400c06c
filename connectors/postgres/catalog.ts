import type { Column } from '../../engine/contracts/source.ts';
import { guessKey, sampleRows } from '../shared/key-guess.ts';
import type { PgRows } from '../shared/postgres-protocol.ts';
import { distinct } from '../shared/wrap.ts';
import type { Reader } from './session.ts';

const kinds: Readonly<Record<number, Column['type']>> = {
  16: 'boolean',
  17: 'bytes',
  20: 'number',
  21: 'number',
  23: 'number',
  114: 'json',
  700: 'number',
  701: 'number',
  1082: 'time',
  1083: 'time',
  1114: 'time',
  1184: 'time',
  1266: 'time',
  1700: 'number',
  3802: 'json',
};

/** The columns of a query, by asking for none of its rows. Refuses columns that can't be told apart. */
export async function describeQuery(
  reader: Reader,
  sql: string,
): Promise<{ columns: Column[]; fields: PgRows['fields'] }> {
  const { fields } = await reader.ask({ before: 'SELECT * FROM (', sql, after: ') AS q LIMIT 0' });
  distinct(fields);
  const { rows } = await reader.ask(
    'SELECT format_type(o, m) FROM unnest($1::oid[], $2::int4[]) WITH ORDINALITY AS t(o, m, n) ORDER BY n',
    [fields.map((field) => field.dataTypeID), fields.map((field) => field.dataTypeModifier)],
  );
  const columns = fields.map((field, i) => ({
    name: field.name,
    type: kinds[field.dataTypeID] ?? 'text',
    native: rows[i]?.[0] ?? 'unknown',
  }));
  return { columns, fields };
}

/** Tables and views that the role may read; names are quoted where SQL needs it. */
export async function readableTables(reader: Reader, typed: string): Promise<readonly string[]> {
  const text = `
    SELECT name FROM (
      SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, n.nspname || '.' || c.relname AS bare, c.relname
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
        AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
        AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
    ) AS t
    WHERE strpos(lower(bare), $1) > 0 OR strpos(lower(name), $1) > 0
    ORDER BY lower(relname) <> $1, strpos(lower(relname), $1) <> 1, strpos(lower(bare), $1) <> 1, name
    LIMIT 100`;
  const { rows } = await reader.ask(text, [typed.trim().toLowerCase()]);
  return rows.map((row) => row[0] ?? '');
}

/** Columns that look like the key: see {@link guessKey}. */
export async function suggestKey(reader: Reader, sql: string): Promise<readonly string[]> {
  const { columns, fields } = await describeQuery(reader, sql);
  const { rows } = await reader.ask({ before: 'SELECT * FROM (', sql, after: `) AS q LIMIT ${sampleRows}` });
  const { rows: primary } = await reader.ask(
    `SELECT i.indrelid::text, k.attnum::text, cardinality(i.indkey::int2[])::text
     FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, n)
     WHERE i.indisprimary AND i.indrelid = ANY ($1::oid[]) ORDER BY i.indrelid, k.n`,
    [[...new Set(fields.map((field) => field.tableID))]],
  );
  const parts = primary.flatMap(([table, column, size]) =>
    fields.flatMap((field, at) =>
      String(field.tableID) === table && String(field.columnID) === column ? [{ at, of: Number(size) }] : [],
    ),
  );
  return guessKey({ columns, rows }, parts);
}
