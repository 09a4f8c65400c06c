import { parsedUrl } from '../../engine/contracts/url.ts';
/** Text that is markup already. Only {@link html} makes it, so a string from a row can never pass for one. */
export class Html {
  readonly markup: string;

  constructor(markup: string) {
    this.markup = markup;
  }
}

export type Piece = Html | string | number | undefined | false | readonly Piece[];

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function written(piece: Piece): string {
  if (piece === undefined || piece === false) {
    return '';
  }
  if (piece instanceof Html) {
    return piece.markup;
  }
  if (typeof piece === 'string' || typeof piece === 'number') {
    // A parser replaces NUL in text but drops it elsewhere: make it visible and the same everywhere.
    return String(piece)
      .replaceAll('\0', '\uFFFD')
      .replace(/[&<>"']/g, (sign) => entities[sign] ?? sign);
  }
  return piece.map(written).join('');
}

/** Markup with every piece escaped, for text and for quoted attributes alike. */
export function html(parts: TemplateStringsArray, ...pieces: readonly Piece[]): Html {
  return new Html(parts.map((part, at) => part + written(pieces[at])).join(''));
}

/** The address when a click on it can only open a page or a mail; undefined for `javascript:` and the like. */
export function safeUrl(url: string): string | undefined {
  if (parsedUrl(url) === undefined) {
    return undefined;
  }
  return /^(https?|mailto):$/.test(new URL(url).protocol) ? url : undefined;
}
