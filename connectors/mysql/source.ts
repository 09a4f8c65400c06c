import type { Limits, Query, Source, Reading as SourceReading } from '../../engine/contracts/source.ts';
import { piecesOf } from '../shared/reader.ts';
import { readColumns } from '../shared/wrap.ts';
import {
  describeQuery,
  readableTables,
  rowsOf,
  selectAll,
  selectText,
  sinceOf,
  suggestKey,
} from './catalog.ts';
import type { QueryColumn } from './columns.ts';
import { type Reading, sortedBytes } from './reader.ts';
import { quoted } from './table.ts';
import { orderOf, textOf } from './text.ts';

/** For what somebody waits. */
export const checking: Limits = { timeoutMs: 15_000 };

/** MySQL and MariaDB as a place to read from. */
export function sourceOf(reading: Reading): Source {
  return {
    dialect: 'mysql',
    tables: (typed) => reading.read(checking, (reader) => readableTables(reader, typed)),
    selectAll,
    describe: (sql, limits) =>
      reading.read(limits, async (reader) => {
        const { columns } = await describeQuery(reader, sql);
        return columns.map(({ name, type, native }) => ({ name, type, native }));
      }),
    preview: (sql, rows, limits) =>
      reading.read(limits, async (reader) => rowsOf(reader, await describeQuery(reader, sql), sql, rows)),
    count: (sql, limits) =>
      reading.read(limits, async (reader) => {
        await describeQuery(reader, sql);
        const [row] = await reader.rows({ before: 'SELECT COUNT(*) FROM (', sql, after: ') AS q' });
        return Number(row?.[0]);
      }),
    suggestKey: (sql, limits) => reading.read(limits, (reader) => suggestKey(reader, sql)),
    read: (query, limits) => read(reading, query, limits),
  };
}

async function read(reading: Reading, query: Query, limits: Limits): Promise<SourceReading> {
  const reader = await reading.begin(limits);
  try {
    const { columns } = await describeQuery(reader, query.sql);
    const { key: keys, others } = readColumns(query, columns);
    const sorted = keys.every((key) => isSortable(key));
    const order = keys.length === 0 || !sorted ? '' : `ORDER BY ${keys.map((key) => sortOf(key)).join(', ')}`;
    const rest = `${sinceOf(query, columns)} ${order}`;
    const rows = reader.stream(selectText([...keys, ...others], query.sql, rest));
    return { order: keys.map((key) => orderOf(key)), sorted, lines: piecesOf(rows.next, reader.end) };
  } catch (error) {
    await reader.end();
    throw error;
  }
}

/** Of longer texts the server compares only the beginning. Each byte is two signs of hexadecimal text. */
function isSortable({ kind, bytes }: QueryColumn): boolean {
  return kind === 'bytes' ? 2 + 2 * bytes <= sortedBytes : bytes <= sortedBytes;
}

/**
 * Integers as they are, so that an index serves. All else by the bytes of its text: as BINARY, since every collation of
 * text either sees no difference between some texts, or takes `a` and `a ` for the same.
 */
function sortOf(column: QueryColumn): string {
  const name = `q.${quoted(column.name)}`;
  return orderOf(column) === 'numeric' ? name : `CAST(${textOf(column, name)} AS BINARY)`;
}
