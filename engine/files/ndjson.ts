import type { Column } from '../contracts/source.ts';
import type { RowValues } from '../mapping/mapper.ts';
import { jsonTextOf, linesOf } from './values.ts';

/** One JSON object a line, its keys in the order of the columns, NULL as null. */
export function encodeNdjson(
  rows: AsyncIterable<RowValues>,
  columns: readonly Column[],
): AsyncIterable<Uint8Array> {
  const fields = columns.map((column) => ({
    name: `${JSON.stringify(column.name)}:`,
    json: jsonTextOf(column),
  }));
  const lineOf = (row: RowValues): string => {
    const members = fields.map(({ name, json }, at) => {
      const text = row[at] ?? null;
      return name + (text === null ? 'null' : json(text));
    });
    return `{${members.join(',')}}\n`;
  };
  return linesOf(rows, '', lineOf);
}
