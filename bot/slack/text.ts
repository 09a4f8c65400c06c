import type { Inline, Rich } from '../../engine/contracts/card.ts';

/**
 * Slack has no way to escape its formatting characters, only `& < >`. So a `*`, `_`, `~` or backtick that could
 * open or close formatting is shown by its look-alike; inside a word (`snake_case`, `2*3`) it is harmless and stays.
 */
const LOOK_ALIKES: Readonly<Record<string, string>> = { '*': '∗', _: 'ˍ', '~': '∼', '`': 'ˋ' };
const BETWEEN_WORDS = /(?<![\p{L}\p{N}])[*_~]|[*_~](?![\p{L}\p{N}])|`/gu;
/** `:fire:` would become an emoji; the colons of times and identifiers stay. */
const EMOJI_NAME = /(?<![\p{L}\p{N}]):(?=[a-z0-9_+'-]*[a-z+-][a-z0-9_+'-]*:)/giu;
/** A `>` that opens a line would make it a quotation; a soft hyphen, unseen, takes its place at the line's start. */
const QUOTATION = /^(\s*)(?=&gt;)/gm;

/** Escapes what Slack reads as control characters. Enough inside links and preformatted text. */
export function escapeEntities(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

/** Plain text as mrkdwn in which nothing is a mention, a link, an emoji name or formatting. */
export function escapeText(text: string): string {
  return escapeEntities(text)
    .replace(BETWEEN_WORDS, (found) => LOOK_ALIKES[found] ?? found)
    .replace(EMOJI_NAME, '∶')
    .replace(QUOTATION, '$1\u00AD');
}

/** A web address that Slack accepts as a link, or undefined: then its text alone is shown. */
function safeUrl(url: string): string | undefined {
  if (!/^(https?|mailto|tel):/i.test(url)) {
    return undefined;
  }
  return escapeEntities(url).replace(/\|/g, '%7C').replace(/\s/g, '%20');
}

/**
 * Draws formatted text as pieces of mrkdwn, each at most `max` characters and whole in itself, so that a long text
 * can be split between pieces without breaking what is inside one.
 */
export function drawPieces(text: Rich, max: number): readonly string[] {
  return text.flatMap((part) => drawInline(part, max));
}

/** Formatted text as one string of mrkdwn, however long. */
export function drawRich(text: Rich): string {
  return join(drawPieces(text, Number.MAX_SAFE_INTEGER));
}

/** Joins pieces; formatting that touches a word is set apart from it unseen, else Slack shows its signs. */
export function join(pieces: readonly string[]): string {
  let joined = '';
  for (const piece of pieces) {
    const touches = (isWord(joined.at(-1)) && isMarked(piece)) || (isMarkedEnd(joined) && isWord(piece[0]));
    joined += touches ? `\u200B${piece}` : piece;
  }
  return joined;
}

function isWord(char: string | undefined): boolean {
  return char !== undefined && /[\p{L}\p{N}]/u.test(char);
}

// Data never holds these signs next to a boundary, so one found there is ours.
function isMarked(piece: string): boolean {
  return /^[*_~`]/.test(piece);
}

function isMarkedEnd(text: string): boolean {
  return /[*_~`]$/.test(text);
}

function drawInline(part: Inline, max: number): readonly string[] {
  if (typeof part === 'string') {
    return splitEscaped(part, max);
  }
  switch (part.type) {
    case 'bold':
      return marked(part.text, '*', max);
    case 'italic':
      return marked(part.text, '_', max);
    case 'strike':
      return marked(part.text, '~', max);
    case 'code':
      return drawCode(part.text, max);
    case 'link': {
      const url = safeUrl(part.url);
      const label = words(part.text);
      const link =
        url === undefined ? '' : `<${url}|${escapeText(label).replace(/\|/g, '¦').replace(/\n/g, ' ')}>`;
      return url === undefined || link.length > max ? splitEscaped(label, max) : [link];
    }
    case 'mention':
      return part.person?.platform === 'slack' && /^[UW][A-Z0-9]+$/.test(part.person.id)
        ? [`<@${part.person.id}>`]
        : splitEscaped(part.name, max);
    case 'break':
      return ['\n'];
    default:
      return part satisfies never;
  }
}

function words(text: Rich): string {
  return text
    .map((part) => {
      if (typeof part === 'string') {
        return part;
      }
      switch (part.type) {
        case 'mention':
          return part.name;
        case 'break':
          return ' ';
        case 'code':
          return part.text;
        default:
          return words(part.text);
      }
    })
    .join('');
}

/** Slack ends formatting at a line's end and ignores it next to a space: so each line is wrapped, spaces outside. */
function marked(text: Rich, sign: string, max: number): readonly string[] {
  const lines = join(drawPieces(text, max - 2)).split('\n');
  return lines.flatMap((line, index) => {
    const core = line.trim();
    const before = line.slice(0, line.length - line.trimStart().length);
    const after = line.slice(line.trimEnd().length);
    const wrapped = core === '' || core.length > max - 2 ? core : `${sign}${core}${sign}`;
    const end = index < lines.length - 1 ? '\n' : '';
    return [before, wrapped, after + end].filter((piece) => piece !== '');
  });
}

function drawCode(text: string, max: number): readonly string[] {
  const code = escapeEntities(text.replace(/`/g, 'ˋ').replace(/\s+/g, ' ')).trim();
  if (code === '') {
    return [];
  }
  return code.length + 2 > max ? splitEscaped(text, max) : [`\`${code}\``];
}

/** Escapes a long text in stretches, cut between characters, so that no entity is torn apart. */
function splitEscaped(text: string, max: number): readonly string[] {
  const whole = escapeText(text);
  if (whole.length <= max) {
    return whole === '' ? [] : [whole];
  }
  const pieces: string[] = [];
  let piece = '';
  for (const char of whole.match(/&(?:amp|lt|gt);|[\s\S]/gu) ?? []) {
    if (piece.length + char.length > max) {
      pieces.push(piece);
      piece = '';
    }
    piece += char;
  }
  pieces.push(piece);
  return pieces;
}
