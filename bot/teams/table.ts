import type { Block } from '../../engine/contracts/card.ts';
import type { Element, RichText } from './elements.ts';
import { cut, LIMITS } from './limits.ts';
import { apart } from './text.ts';

type TableBlock = Extract<Block, { type: 'table' }>;

/** Draws a table, with a note when it shows less than there is. Cells are shown as they stand: no Markdown in them. */
export function drawTable(table: TableBlock, losses: string[]): readonly Element[] {
  const columns = table.columns.slice(0, LIMITS.columns);
  const rows = table.rows.slice(0, LIMITS.rows);
  if (columns.length < table.columns.length) {
    losses.push(`A table shows ${columns.length} of ${table.columns.length} columns.`);
  }
  if (rows.length < table.rows.length) {
    losses.push(`A table shows ${rows.length} of ${table.rows.length} rows.`);
  }
  if (rows.some((row) => row.slice(0, columns.length).some((text) => text.length > LIMITS.cell))) {
    losses.push(`Some cells of a table were cut to ${LIMITS.cell} characters.`);
  }
  if (columns.length === 0) {
    return [];
  }
  const numeric = columns.map((_, column) =>
    rows.every((row) => /^-?[\d.,\s\u202F]*$/.test(row[column] ?? '')),
  );
  const notes = [
    ...(rows.length < table.total ? [`${rows.length} of ${table.total} rows`] : []),
    ...(columns.length < table.columns.length
      ? [`${columns.length} of ${table.columns.length} columns`]
      : []),
  ];
  return [
    {
      type: 'Table',
      firstRowAsHeader: true,
      showGridLines: true,
      columns: columns.map((name, column) => ({
        width: share([name, ...rows.map((row) => row[column] ?? '')]),
        ...(numeric[column] === true && rows.length > 0
          ? ({ horizontalCellContentAlignment: 'Right' } as const)
          : {}),
      })),
      rows: [
        tableRow(columns, true),
        ...rows.map((row) => tableRow(columns.map((_, column) => row[column] ?? ''))),
      ],
    },
    ...(notes.length === 0 ? [] : [small(notes.join(', '))]),
  ];
}

/** How much of the width a column gets: by its longest text, from one part to five. */
function share(texts: readonly string[]): number {
  const longest = Math.max(...texts.map((text) => Math.min(text.length, LIMITS.cell)));
  return Math.min(5, Math.max(1, Math.ceil(longest / 10)));
}

function tableRow(cells: readonly string[], head = false) {
  return {
    type: 'TableRow' as const,
    cells: cells.map((text) => ({ type: 'TableCell' as const, items: [cell(text, head)] })),
  };
}

function cell(text: string, head: boolean): RichText {
  const shown = apart(cut(text.replace(/\s+/g, ' ').trim(), LIMITS.cell));
  return {
    type: 'RichTextBlock',
    inlines: [
      {
        type: 'TextRun',
        text: shown === '' ? '\u00A0' : shown,
        size: 'Small',
        ...(head ? { weight: 'Bolder' } : {}),
      },
    ],
  };
}

/** A line of small print. */
export function small(text: string): RichText {
  return {
    type: 'RichTextBlock',
    spacing: 'Small',
    inlines: [{ type: 'TextRun', text, size: 'Small', isSubtle: true }],
  };
}
