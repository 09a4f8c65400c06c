import { ActivateError } from '../../engine/contracts/errors.ts';
import { guessKey, sampleRows } from '../../engine/contracts/key-guess.ts';
import type { PgRows } from '../../engine/contracts/postgres-protocol.ts';
import type { Column, Query } from '../../engine/contracts/source.ts';
import type { Reader } from './session.ts';

/** A name as SQL takes it whatever is in it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

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
  if (fields.length === 0) {
    throw new ActivateError('SQL_FAILED', 'The query has no columns.', {
      fix: 'Name at least one after SELECT.',
    });
  }
  const twice = fields.find((field, i) => fields.findIndex((other) => other.name === field.name) !== i);
  if (twice !== undefined) {
    throw new ActivateError('SQL_FAILED', `Two columns of the query are named “${twice.name}”.`, {
      fix: `Give one of them another name, as … AS other_${twice.name.replaceAll(/\W/g, '')}.`,
    });
  }
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

/** A whole table, named as {@link readableTables} names it. */
export function selectAll(table: string): string {
  return `SELECT * FROM ${namesOf(table).map(quoted).join('.')}`;
}

/** The bare names in a text like `public."Odd table"`. */
export function namesOf(table: string): readonly string[] {
  const parts = table.match(/"(?:[^"]|"")*"|[^".]+/g) ?? [table];
  return parts.map((part) => part.replace(/^"(.*)"$/s, '$1').replaceAll('""', '"'));
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

/** The columns asked for have to be there still; the message says which one is gone. */
export function proveColumns(query: Query, columns: readonly Column[]): void {
  const names = new Set(columns.map((column) => column.name));
  const gone = [...query.key, ...query.columns].find((name) => !names.has(name));
  if (gone !== undefined) {
    throw new ActivateError('SQL_FAILED', `The query has no column “${gone}” (any more).`, {
      fix: `It has: ${[...names].slice(0, 20).join(', ')}. Correct the query or the settings.`,
    });
  }
}
