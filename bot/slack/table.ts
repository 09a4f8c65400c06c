import type { Block } from '../../engine/contracts/card.ts';
import { LIMITS } from './limits.ts';
import { escapeEntities } from './text.ts';

type Table = Extract<Block, { type: 'table' }>;

const CELL = 32;
const GAP = '  ';
/** Emoji and East Asian signs are as wide as two letters. */
const WIDE =
  /[\p{Extended_Pictographic}\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60]/u;

/** Draws a table as aligned preformatted text, with a note when it shows less than there is. */
export function drawTable(
  table: Table,
  losses: string[],
): readonly { readonly text: string; readonly note: boolean }[] {
  const rows = [table.columns, ...table.rows].map((row) => row.map(shorten));
  if (table.rows.some((row) => row.some((cell) => width(cell) > CELL))) {
    losses.push(`Some cells of a table were cut to ${CELL} characters.`);
  }
  const widths = table.columns.map((_, column) =>
    Math.max(1, ...rows.map((row) => width(row[column] ?? ''))),
  );
  const numeric = table.columns.map((_, column) =>
    table.rows.every((row) => /^-?[\d.,\s]*$/.test(row[column] ?? '')),
  );
  const lines = rows.map((row) =>
    escapeEntities(
      widths
        .map((size, column) => pad(row[column] ?? '', size, numeric[column] ?? false))
        .join(GAP)
        .trimEnd(),
    ),
  );
  const rule = widths.map((size) => '─'.repeat(size)).join(GAP);
  const shown = [lines[0] ?? '', rule];
  let length = shown.join('\n').length;
  for (const line of lines.slice(1)) {
    length += line.length + 1;
    if (length > LIMITS.section - 10) {
      break;
    }
    shown.push(line);
  }
  const count = shown.length - 2;
  if (count < table.rows.length) {
    losses.push(`A table shows ${count} of ${table.rows.length} rows: the rest did not fit.`);
  }
  const text = `\`\`\`\n${shown.join('\n').slice(0, LIMITS.section - 8)}\n\`\`\``;
  const note =
    count < table.total ? [{ text: `${count} of ${table.total.toLocaleString('en')} rows`, note: true }] : [];
  return [{ text, note: false }, ...note];
}

function shorten(cell: string): string {
  const flat = cell.replace(/\s+/g, ' ').replace(/`/g, 'ˋ');
  if (width(flat) <= CELL) {
    return flat;
  }
  let short = '';
  let size = 1;
  for (const char of flat) {
    size += WIDE.test(char) ? 2 : 1;
    if (size > CELL) {
      break;
    }
    short += char;
  }
  return `${short}…`;
}

function width(text: string): number {
  return [...text].reduce((sum, char) => sum + (WIDE.test(char) ? 2 : 1), 0);
}

function pad(text: string, size: number, right: boolean): string {
  const space = ' '.repeat(Math.max(0, size - width(text)));
  return right ? space + text : text + space;
}
