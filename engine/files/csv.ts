import type { Column } from '../contracts/source.ts';
import type { RowValues } from '../mapping/mapper.ts';
import { linesOf, plainTextOf } from './values.ts';

export interface CsvOptions {
  readonly delimiter: ',' | ';' | '\t' | '|';
  /** A first line with the names of the columns. */
  readonly header: boolean;
  /** What NULL is written as, never in quotes. A text that reads the same is quoted, so that the two stay apart. */
  readonly nullText: string;
  /** A byte order mark, by which Excel knows UTF-8. */
  readonly bom: boolean;
  /** For people who open it in a spreadsheet: a text that would run as a formula is made harmless by a `'` before it. */
  readonly spreadsheet: boolean;
}

const lineEnd = '\r\n';

/** What a spreadsheet takes for the beginning of a formula; the wide ones are those of East Asian keyboards. */
const formula = /^[=+\-@\t\r\n＝＋－＠]/;

/** Rows as RFC 4180 has them: lines end in CRLF, quotes where they are needed, UTF-8. */
export function encodeCsv(
  rows: AsyncIterable<RowValues>,
  columns: readonly Column[],
  options: CsvOptions,
): AsyncIterable<Uint8Array> {
  const cells = columns.map((column) => cellOf(column, options));
  // An empty line is no row to most readers: a lone empty value is written as an empty text.
  const nothing = columns.length === 1 && options.nullText === '' ? '""' : options.nullText;
  const lineOf = (row: RowValues): string =>
    cells
      .map((cell, at) => {
        const text = row[at] ?? null;
        return text === null ? nothing : cell(text);
      })
      .join(options.delimiter) + lineEnd;
  const quote = quoter(options);
  const guard = options.spreadsheet ? guarded : same;
  const names = columns.map((column) => quote(guard(column.name))).join(options.delimiter) + lineEnd;
  return linesOf(rows, `${options.bom ? '\uFEFF' : ''}${options.header ? names : ''}`, lineOf);
}

function cellOf(column: Column, options: CsvOptions): (text: string) => string {
  const plain = plainTextOf(column);
  const quote = quoter(options);
  // The minus of a number begins no formula, but what a text column holds may.
  const guard = options.spreadsheet && column.type !== 'number' ? guarded : same;
  return (text) => quote(guard(plain(text)));
}

function quoter({ delimiter, nullText }: CsvOptions): (text: string) => string {
  const special = new RegExp(`["\\r\\n${delimiter === '|' ? '\\|' : delimiter}]|^\\s|\\s$|^\\uFEFF`);
  return (text) => (text === nullText || special.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
}

function guarded(text: string): string {
  return formula.test(text) ? `'${text}` : text;
}

function same(text: string): string {
  return text;
}
