import type { Inline, Rich } from '../../engine/contracts/card.ts';

/**
 * An unseen space. A backslash keeps Markdown's signs from formatting; but mentions, channel links, hashtags, emoji and
 * addresses are looked for after it is gone, so that these are torn apart.
 */
const GAP = '\u200B';

/** Signs shown by their look-alikes inside our own formatting, where Mattermost does not see a backslash. */
const LOOK_ALIKES: Readonly<Record<string, string>> = { '*': '∗', '~': '∼', '`': 'ˋ', _: 'ˍ' };

/** Plain text as Markdown in which nothing is a mention, a link, a hashtag, an emoji or formatting. */
export function escapeText(text: string, inside = false): string {
  const sign = (found: string): string => (inside ? (LOOK_ALIKES[found] ?? found) : `\\${found}`);
  const safe = text
    .replace(/&(?=#?\w+;)/g, '&amp;')
    .replace(/\\/g, '\\\\')
    .replace(/[*`]/g, sign)
    .replace(/[[\]|$]/g, '\\$&')
    .replace(/(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g, sign)
    .replace(/~(?=[a-z0-9])/gi, `~${GAP}`)
    .replace(/~(?!\u200B)/g, sign)
    .replace(/<(?=[\w/!?])/g, `<${GAP}`)
    .replace(/(?<![A-Za-z0-9])@(?=\S)/g, `@${GAP}`)
    .replace(/#(?=\p{L})/gu, `#${GAP}`);
  return lines(addresses(emoji(safe)));
}

/** Names of emoji between colons, and faces made of signs. Times and identifiers stay. */
function emoji(text: string): string {
  return text
    .replace(/:(?=(?:[a-z0-9_+-]*[a-z+-][a-z0-9_+-]*|100|1234):)/gi, `:${GAP}`)
    .replace(/(?<!\w)[:;](?=[^\s\u200B])/g, `$&${GAP}`)
    .replace(/\bx(?=-d\b)/gi, `$&${GAP}`);
}

/** What Mattermost would link by itself. E-mail addresses stay whole: they lead where they say. */
function addresses(text: string): string {
  return text
    .replace(/\b([a-z][a-z0-9.+-]{0,31}):(?=\/)/gi, `$1:${GAP}`)
    .replace(/\b(mailto|tel|sms|ftp|https?):(?=[^\s\u200B])/gi, `$1:${GAP}`)
    .replace(/\b(www\d{0,3})\./gi, '$1\\.')
    .replace(/(?<!\\)\.(?=\p{L}{2,4}\/)/gu, '\\.');
}

/** What means something at the beginning of a line only: headings, lists, quotations, rules, code. */
function lines(text: string): string {
  return text
    .replace(/^(?: {4,}|\t[ \t]*)/gm, (space) => '\u00A0'.repeat(Math.min(space.length, 8)))
    .replace(/^(\s*)([-+>#])/gm, '$1\\$2')
    .replace(/^(\s*\d+)([.)])(?=\s|$)/gm, '$1\\$2')
    .replace(/^(\s*)=/gm, `$1${GAP}=`);
}

/** A web address that can be a link's target, or undefined: then its text alone is shown. */
export function safeUrl(url: string): string | undefined {
  if (!/^(https?:\/\/|mailto:|tel:)/i.test(url)) {
    return undefined;
  }
  return url.replace(/[\s()<>"'\\`[\]]/g, (char) => encodeURIComponent(char).replace(/[()']/g, percent));
}

function percent(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** Usernames by the id of the person: a mention is written with the name. */
export type Usernames = ReadonlyMap<string, string>;

/** Formatted text as Markdown. */
export function drawRich(text: Rich, usernames: Usernames): string {
  return join(pieces(text, usernames, false));
}

/** Ids of everybody whom a text mentions. */
export function mentioned(text: Rich): readonly string[] {
  return text.flatMap((part) => {
    if (typeof part === 'string') {
      return [];
    }
    switch (part.type) {
      case 'bold':
      case 'italic':
      case 'strike':
      case 'link':
        return mentioned(part.text);
      case 'mention':
        return part.person?.platform === 'mattermost' ? [part.person.id] : [];
      case 'code':
      case 'break':
        return [];
      default:
        return part satisfies never;
    }
  });
}

/** `sign`: begins and ends with a sign of ours that must not touch a word. `mention`: no more of a name may follow. */
interface Piece {
  readonly text: string;
  readonly edge: 'plain' | 'sign' | 'mention';
}

function join(all: readonly Piece[]): string {
  let joined = '';
  let before: Piece['edge'] = 'plain';
  for (const { text, edge } of all) {
    const touches =
      (edge !== 'plain' && /[\p{L}\p{N}_]$/u.test(joined)) ||
      (before === 'sign' && /\S$/.test(joined) && /^[\p{L}\p{N}]/u.test(text)) ||
      (before === 'mention' && /^[\p{L}\p{N}._:-]/u.test(text));
    joined += touches ? GAP + text : text;
    before = edge;
  }
  return joined;
}

function pieces(text: Rich, usernames: Usernames, inside: boolean): readonly Piece[] {
  return merged(text).map((part) => drawInline(part, usernames, inside));
}

/** Neighbouring strings as one, so that nothing can be put together out of two. */
function merged(text: Rich): Rich {
  return text.reduce<Inline[]>((done, part) => {
    const last = done.at(-1);
    if (typeof part === 'string' && typeof last === 'string') {
      return [...done.slice(0, -1), last + part];
    }
    done.push(part);
    return done;
  }, []);
}

function drawInline(part: Inline, usernames: Usernames, inside: boolean): Piece {
  if (typeof part === 'string') {
    return { text: escapeText(part, inside), edge: 'plain' };
  }
  switch (part.type) {
    case 'bold':
      return marked(part.text, '**', usernames);
    case 'italic':
      return marked(part.text, '_', usernames);
    case 'strike':
      return marked(part.text, '~~', usernames);
    case 'code':
      return { text: drawCode(part.text), edge: 'sign' };
    case 'link':
      return drawLink(part.text, part.url);
    case 'mention':
      return drawMention(part, usernames, inside);
    case 'break':
      return { text: '\n', edge: 'plain' };
    default:
      return part satisfies never;
  }
}

function drawMention(
  part: Extract<Inline, { type: 'mention' }>,
  usernames: Usernames,
  inside: boolean,
): Piece {
  const username = part.person?.platform === 'mattermost' ? usernames.get(part.person.id) : undefined;
  return username !== undefined && /^[a-z0-9._-]+$/.test(username)
    ? { text: `@${username}`, edge: 'mention' }
    : { text: escapeText(part.name, inside), edge: 'plain' };
}

/** Formatting ends with its line and does not work next to a space, so each line is wrapped, spaces outside. */
function marked(text: Rich, sign: string, usernames: Usernames): Piece {
  const wrapped = join(pieces(text, usernames, true))
    .split('\n')
    .map((line) => {
      const core = line.trim();
      return core === '' ? line : line.replace(core, () => sign + core + sign);
    });
  return { text: wrapped.join('\n'), edge: 'sign' };
}

function drawLink(text: Rich, url: string): Piece {
  const target = safeUrl(url);
  const words = plainWords(text).replace(/\s+/g, ' ').trim();
  // Brackets in a label would end it; Mattermost does not see a backslash there.
  const label = escapeText(words.replaceAll('[', '(').replaceAll(']', ')'), true);
  return target === undefined || label === ''
    ? { text: escapeText(words), edge: 'plain' }
    : { text: `[${label}](${target})`, edge: 'plain' };
}

function plainWords(text: Rich): string {
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
          return plainWords(part.text);
      }
    })
    .join('');
}

function drawCode(text: string): string {
  const code = text.replace(/\s+/g, ' ').trim();
  if (code === '') {
    return '';
  }
  const fence = '`'.repeat(longestRun(code) + 1);
  const pad = code.startsWith('`') || code.endsWith('`') ? ' ' : '';
  return `${fence}${pad}${code}${pad}${fence}`;
}

/** Preformatted text, whatever it holds. */
export function fenced(text: string): string {
  const fence = '`'.repeat(Math.max(3, longestRun(text) + 1));
  return `${fence}\n${text}\n${fence}`;
}

function longestRun(text: string): number {
  return Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length));
}
