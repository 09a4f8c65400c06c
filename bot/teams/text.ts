import type { Inline, Rich } from '../../engine/contracts/card.ts';
import type { PersonRef } from '../../engine/contracts/refs.ts';
import type { Colour, Element, MentionEntity, TextRun } from './elements.ts';

/**
 * Markdown of cards has no escape that all clients know, so a sign that could open or close formatting is shown by its
 * look-alike; inside a word (`snake_case`, `2*3`) it is harmless and stays.
 */
const LOOK_ALIKES: Readonly<Record<string, string>> = { '*': '∗', _: 'ˍ', '~': '∼', '`': 'ˋ', '\\': '⧵' };
const BETWEEN_WORDS = /(?<![\p{L}\p{N}])[*_~]|[*_~](?![\p{L}\p{N}])|[`\\]/gu;
/** A bracket becomes a link only together with what follows; an unseen space keeps them apart. */
const LINK = /\](?=[([:])/g;
/** What would make a heading, a list, a quotation or a rule at the beginning of a line. */
const LINE_START = /^(\s*)([#>+-]|\d+[.)])/gm;
/** `<at>` names a mention, `{{DATE(…)}}` is read as a function. Other braces stay, so that they can be copied. */
const CODES = /<(?=\/?at\b)|\{(?=\{(?:DATE|TIME)\()/gi;
/** `&lt;` is read as a sign where there is Markdown. */
const ENTITY = /&(?=#?\w+;)/g;

/** Plain text for a TextBlock or a fact, in which nothing is a mention, a link or formatting. */
export function escapeText(text: string): string {
  return apart(text)
    .replace(BETWEEN_WORDS, (found) => LOOK_ALIKES[found] ?? found)
    .replace(LINK, ']\u200B')
    .replace(ENTITY, '&\u200B')
    .replace(LINE_START, '$1\u200B$2');
}

/** Breaks up what Teams reads anywhere in a card, also where there is no Markdown. */
export function apart(text: string): string {
  return text.replace(CODES, (found) => `${found}\u200B`);
}

/** A web address that a person can be sent to, or undefined: then its text alone is shown. */
export function safeUrl(url: string): string | undefined {
  return /^(https?|mailto|tel):/i.test(url) ? url.replace(/\s/g, '%20') : undefined;
}

/** Who is mentioned in a card. One name stands for one person: Teams finds a mention by its text alone. */
export class Mentions {
  private readonly byText = new Map<string, MentionEntity>();

  /** The text that stands for the person, `<at>Mia Lopez</at>`. */
  add(name: string, person: PersonRef): string {
    const clean = name.replace(/[<>]/g, '').replace(/\s+/g, ' ').trim() || 'somebody';
    for (let at = 1; ; at += 1) {
      const shown = at === 1 ? clean : `${clean} (${at})`;
      const text = `<at>${shown}</at>`;
      const there = this.byText.get(text);
      if (there === undefined || there.mentioned.id === person.id) {
        this.byText.set(text, {
          type: 'mention',
          text,
          mentioned: { id: person.id, name: shown },
        });
        return text;
      }
    }
  }

  /** Those whose text is still in the card. */
  entities(card: string): readonly MentionEntity[] {
    return [...this.byText.values()].filter(({ text }) => card.includes(JSON.stringify(text).slice(1, -1)));
  }
}

export interface Look {
  readonly subtle?: boolean;
  readonly bold?: boolean;
  readonly size?: 'Small' | 'Medium';
  readonly color?: Colour;
}

/**
 * Formatted text, an element per line. Lines that mention nobody are drawn as they stand; only a TextBlock can mention,
 * so a line that does is Markdown with everything else in it escaped.
 */
export function drawText(text: Rich, look: Look, mentions: Mentions): readonly Element[] {
  const elements: Element[] = [];
  let gap = false;
  for (const line of lines(text)) {
    if (isBlank(line)) {
      gap = elements.length > 0;
      continue;
    }
    const spacing = elements.length === 0 ? {} : { spacing: gap ? ('Medium' as const) : ('None' as const) };
    gap = false;
    elements.push({ ...drawLine(line, look, mentions), ...spacing });
  }
  return elements;
}

function drawLine(line: Rich, look: Look, mentions: Mentions): Element {
  if (!line.some(isMention)) {
    return { type: 'RichTextBlock', inlines: runs(line, styleOf(look)) };
  }
  return {
    type: 'TextBlock',
    text: drawMarkdown(line, mentions),
    wrap: true,
    ...(look.size === undefined ? {} : { size: look.size }),
    ...(look.subtle === true ? { isSubtle: true } : {}),
    ...(look.bold === true ? { weight: 'Bolder' } : {}),
    ...(look.color === undefined ? {} : { color: look.color }),
  };
}

type Style = Omit<TextRun, 'type' | 'text'>;

function styleOf(look: Look): Style {
  return {
    ...(look.size === undefined ? {} : { size: look.size }),
    ...(look.subtle === true ? { isSubtle: true } : {}),
    ...(look.bold === true ? { weight: 'Bolder' } : {}),
    ...(look.color === undefined ? {} : { color: look.color }),
  };
}

function isMention(part: Inline): boolean {
  if (typeof part === 'string') {
    return false;
  }
  switch (part.type) {
    case 'mention':
      return part.person?.platform === 'teams';
    case 'bold':
    case 'italic':
    case 'strike':
    case 'link':
      return part.text.some(isMention);
    case 'code':
    case 'break':
      return false;
    default:
      return part satisfies never;
  }
}

function runs(text: Rich, style: Style): readonly TextRun[] {
  return text.flatMap((part): readonly TextRun[] => {
    if (typeof part === 'string') {
      return part === '' ? [] : [{ type: 'TextRun', text: kept(part), ...style }];
    }
    switch (part.type) {
      case 'bold':
        return runs(part.text, { ...style, weight: 'Bolder' });
      case 'italic':
        return runs(part.text, { ...style, italic: true });
      case 'strike':
        return runs(part.text, { ...style, strikethrough: true });
      case 'code':
        return part.text === ''
          ? []
          : [{ type: 'TextRun', text: kept(part.text), ...style, fontType: 'Monospace' }];
      case 'link': {
        const url = safeUrl(part.url);
        return url === undefined
          ? runs(part.text, style)
          : runs(part.text, { ...style, color: 'Accent', selectAction: { type: 'Action.OpenUrl', url } });
      }
      case 'mention':
        return [{ type: 'TextRun', text: kept(part.name), ...style }];
      case 'break':
        return [];
      default:
        return part satisfies never;
    }
  });
}

/** Spaces in a row, which a client would show as one. */
function kept(text: string): string {
  return apart(text.replace(/ {2,}/g, (spaces) => '\u00A0'.repeat(spaces.length)));
}

/** Formatted text as one line of Markdown, for a fact or a line with a mention. */
export function drawMarkdown(text: Rich, mentions: Mentions): string {
  return join(text.flatMap((part) => marked(part, mentions)));
}

function marked(part: Inline, mentions: Mentions): readonly string[] {
  if (typeof part === 'string') {
    return part === '' ? [] : [escapeText(part.replace(/\s*\n\s*/g, ' '))];
  }
  switch (part.type) {
    case 'bold':
      return [wrapped(drawMarkdown(part.text, mentions), '**')];
    case 'italic':
      return [wrapped(drawMarkdown(part.text, mentions), '_')];
    case 'strike':
      return part.text.flatMap((inner) => marked(inner, mentions));
    case 'code':
      return [escapeText(part.text.replace(/\s+/g, ' '))];
    case 'link': {
      const url = safeUrl(part.url);
      const label = drawMarkdown(part.text, mentions);
      const plain = label.replace(/[[\]]/g, '');
      return url === undefined ? [label] : [`[${plain}](${bare(url)})`];
    }
    case 'mention':
      return [
        part.person?.platform === 'teams' ? mentions.add(part.name, part.person) : escapeText(part.name),
      ];
    case 'break':
      return [' '];
    default:
      return part satisfies never;
  }
}

/** An address within the brackets of a Markdown link. */
function bare(url: string): string {
  return url.replace(/[()<>\\]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Formatting ends at a space's edge, so spaces stay outside. */
function wrapped(text: string, sign: string): string {
  const core = text.trim();
  const before = text.slice(0, text.length - text.trimStart().length);
  const after = text.slice(text.trimEnd().length);
  return core === '' ? text : `${before}${sign}${core}${sign}${after}`;
}

/** Formatting that touches a word is set apart from it by a hair, else its signs would be shown. */
function join(pieces: readonly string[]): string {
  let joined = '';
  for (const piece of pieces) {
    const touches =
      (isWord(joined.at(-1)) && isSign(piece[0])) || (isSign(joined.at(-1)) && isWord(piece[0]));
    joined += touches ? `\u200A${piece}` : piece;
  }
  return joined;
}

function isWord(char: string | undefined): boolean {
  return char !== undefined && /[\p{L}\p{N}]/u.test(char);
}

// Data never holds these signs next to a boundary, so one found there is ours.
function isSign(char: string | undefined): boolean {
  return char === '*' || char === '_';
}

/** The text cut at its line breaks; formatting goes on in the next line. */
function lines(text: Rich): readonly Rich[] {
  const all: Rich[] = [];
  let line: Rich = [];
  for (const part of text) {
    const [first = [], ...more] = piecesOf(part);
    line = [...line, ...first];
    for (const next of more) {
      all.push(line);
      line = next;
    }
  }
  return [...all, line];
}

/** One part, a piece per line. */
function piecesOf(part: Inline): readonly Rich[] {
  if (typeof part === 'string') {
    return part.split(/\r\n|\r|\n/).map((piece) => [piece]);
  }
  switch (part.type) {
    case 'break':
      return [[], []];
    case 'bold':
    case 'italic':
    case 'strike':
    case 'link':
      return lines(part.text).map((piece) => [{ ...part, text: piece }]);
    case 'code':
    case 'mention':
      return [[part]];
    default:
      return part satisfies never;
  }
}

function isBlank(line: Rich): boolean {
  return line.every((part) => {
    if (typeof part === 'string') {
      return part.trim() === '';
    }
    switch (part.type) {
      case 'bold':
      case 'italic':
      case 'strike':
      case 'link':
        return isBlank(part.text);
      case 'code':
        return part.text === '';
      case 'mention':
        return false;
      case 'break':
        return true;
      default:
        return part satisfies never;
    }
  });
}
