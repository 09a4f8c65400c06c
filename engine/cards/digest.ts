import type { Card, Inline } from '../contracts/card.ts';
import type { Attachment } from '../contracts/chat.ts';
import { actions, bold, button, context, count, text } from './build.ts';

const shownRows = 10;
const shownColumns = 8;
/** Rows beyond this are counted but not attached: a file of this length still opens everywhere. */
const attachedRows = 100_000;

/** Many rows as one message: the first few as a table, all of them as a CSV file. */
export class Digest {
  private readonly columns: readonly string[];
  private readonly shown: string[][] = [];
  private readonly pieces: Buffer[] = [];
  private lines: string[] = [];
  total = 0;

  constructor(columns: readonly string[]) {
    this.columns = columns;
    this.lines.push(csvLine(columns));
  }

  add(values: readonly (string | null)[]): void {
    this.total += 1;
    if (this.shown.length < shownRows) {
      this.shown.push(values.slice(0, shownColumns).map((value) => value ?? ''));
    }
    if (this.total <= attachedRows) {
      this.lines.push(csvLine(values));
      if (this.lines.length === 1000) {
        this.flush();
      }
    }
  }

  card(about: {
    readonly alert: string;
    readonly title: string;
    readonly what: string;
    readonly tags: readonly Inline[];
    readonly burst: boolean;
  }): Card {
    const head = `${count(this.total, 'row')} ${about.what}`;
    const why = about.burst ? ' · too many for a message each, so here they are together' : '';
    return {
      title: about.title,
      blocks: [
        text(...about.tags.flatMap((tag) => [tag, ' '] as Inline[]), bold(head)),
        {
          type: 'table',
          columns: this.columns.slice(0, shownColumns),
          rows: this.shown,
          total: this.total,
        },
        context('alert ', bold(about.alert), why, this.cut()),
        actions(
          button('Show alert', 'show', { name: about.alert }),
          button(
            'Mute alert',
            'mute',
            { name: about.alert },
            { confirm: `Keep "${about.alert}" quiet for a day?` },
          ),
        ),
      ],
      fallback: `${about.title}: ${head}`,
    };
  }

  /** The file, when the table does not show everything already. */
  files(alert: string): readonly Attachment[] {
    if (this.total <= shownRows && this.columns.length <= shownColumns) {
      return [];
    }
    this.flush();
    return [{ name: `${alert}.csv`, type: 'text/csv', bytes: Buffer.concat(this.pieces) }];
  }

  private cut(): string {
    return this.total > attachedRows
      ? ` · the file holds the first ${attachedRows.toLocaleString('en')} rows`
      : '';
  }

  private flush(): void {
    this.pieces.push(Buffer.from(this.lines.join('')));
    this.lines = [];
  }
}

/** One CSV line (RFC 4180). A cell that a spreadsheet would run as a formula is made text by an apostrophe. */
function csvLine(values: readonly (string | null)[]): string {
  return `${values.map(cell).join(',')}\r\n`;
}

function cell(value: string | null): string {
  if (value === null) {
    return '';
  }
  const safe = /^[=+@\t\r]|^-(?![\d.]+$)/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
