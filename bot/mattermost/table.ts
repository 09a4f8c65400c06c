import type { Block } from '../../engine/contracts/card.ts';
import { cut, LIMITS, runes } from './limits.ts';
import { escapeText } from './text.ts';

type Table = Extract<Block, { type: 'table' }>;

/** Draws a table in Markdown, with a note below when it shows less than there is. */
export function drawTable(table: Table, losses: string[]): readonly string[] {
  const wide = [table.columns, ...table.rows].some((row) => row.some((cell) => runes(cell) > LIMITS.cell));
  if (wide) {
    losses.push(`Some cells of a table were cut to ${LIMITS.cell} characters.`);
  }
  const numeric = table.columns.map(
    (_, column) =>
      table.rows.length > 0 && table.rows.every((row) => /^-?[\d.,\s]*$/.test(row[column] ?? '')),
  );
  const width = table.columns.length;
  const shown = [
    line(table.columns, width),
    `|${numeric.map((right) => (right ? '---:' : ':---')).join('|')}|`,
  ];
  let size = shown.join('\n').length;
  for (const row of table.rows) {
    const next = line(row, width);
    size += next.length + 1;
    if (size > LIMITS.table) {
      break;
    }
    shown.push(next);
  }
  const count = shown.length - 2;
  if (count < table.rows.length) {
    losses.push(`A table shows ${count} of ${table.rows.length} rows: the rest did not fit.`);
  }
  const note = count < table.total ? [`${count} of ${table.total} rows`] : [];
  return [shown.join('\n'), ...note];
}

function line(cells: readonly string[], width: number): string {
  const drawn = Array.from({ length: width }, (_, at) => {
    // A bar would begin the next cell, with a backslash before it too.
    const flat = (cells[at] ?? '').replace(/\s+/g, ' ').replaceAll('|', '¦');
    return escapeText(cut(flat, LIMITS.cell)) || ' ';
  });
  return `| ${drawn.join(' | ')} |`;
}
