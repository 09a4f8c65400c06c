import type { Inline, Rich } from '../contracts/card.ts';
import { parsedUrl } from '../contracts/url.ts';

/**
 * The small language of message templates: *bold*, **bold**, _italic_, ~strike~, `code`, [text](https://…), bare
 * https addresses, and a line break for a line break. A backslash takes the meaning away from the character behind
 * it: that is how values from rows are written, so that nothing in them means anything.
 */
export function parseMarkup(source: string): Rich {
  return merge(new Parser(source).until(undefined));
}

/** Marks that no template and no value can hold: they are struck out of both first. */
export const mentionOpen = '\uE000';
export const mentionClose = '\uE001';

const punctuation = /[!-/:-@[-`{-~]/g;

/** Writes a value so that {@link parseMarkup} gives back exactly its characters. */
export function literal(value: string): string {
  return stripMarks(value).replaceAll(punctuation, '\\$&').replaceAll(/\r\n?/g, '\n');
}

export function stripMarks(value: string): string {
  return value.replaceAll(mentionOpen, '').replaceAll(mentionClose, '');
}

const styles: Readonly<Record<string, 'bold' | 'italic' | 'strike'>> = {
  '**': 'bold',
  '*': 'bold',
  _: 'italic',
  '~': 'strike',
};

class Parser {
  private at = 0;
  private readonly source: string;

  constructor(source: string) {
    this.source = source;
  }

  /** Reads on to the closing mark, or to the end; marks that never close stand for themselves. */
  until(close: string | undefined): Inline[] {
    const parts: Inline[] = [];
    while (this.at < this.source.length) {
      if (close !== undefined && this.source.startsWith(close, this.at)) {
        return parts;
      }
      parts.push(this.next(close));
    }
    return parts;
  }

  private next(close: string | undefined): Inline {
    const char = this.source[this.at] ?? '';
    if (char === '\\') {
      return this.take(2).slice(1);
    }
    if (char === '\n') {
      this.at += 1;
      return { type: 'break' };
    }
    if (char === mentionOpen) {
      return this.mention();
    }
    return this.marked(char, close) ?? this.take(1);
  }

  /** What this character may begin, if it begins anything here. */
  private marked(char: string, close: string | undefined): Inline | undefined {
    switch (char) {
      case '`':
        return this.code();
      case '[':
        return this.link();
      case 'h':
        return this.address();
      default:
        return this.styled(close);
    }
  }

  private take(count: number): string {
    const text = this.source.slice(this.at, this.at + count);
    this.at += count;
    return text;
  }

  private mention(): Inline {
    const end = this.source.indexOf(mentionClose, this.at);
    const name = decodeURIComponent(this.source.slice(this.at + 1, end));
    this.at = end + 1;
    return { type: 'mention', name };
  }

  private code(): Inline | undefined {
    const match = /^`((?:\\[\s\S]|[^`\\\n])+)`/.exec(this.source.slice(this.at));
    if (match === null) {
      return undefined;
    }
    this.at += match[0].length;
    return { type: 'code', text: unescaped(match[1] ?? '') };
  }

  private link(): Inline | undefined {
    const match = /^\[((?:\\[\s\S]|[^\]\\\n])+)\]\(((?:\\[\s\S]|[^)\\\s])+)\)/.exec(
      this.source.slice(this.at),
    );
    const url = safeUrl(unescaped(match?.[2] ?? ''));
    if (match === null || url === undefined) {
      return undefined;
    }
    this.at += match[0].length;
    return { type: 'link', text: parseMarkup(match[1] ?? ''), url };
  }

  private address(): Inline | undefined {
    const match = /^https?:\/\/(?:\\[^\s]|[^\s\\)\]>*~`,])+/.exec(this.source.slice(this.at));
    const url = safeUrl(unescaped(match?.[0] ?? ''));
    if (match === null || url === undefined) {
      return undefined;
    }
    this.at += match[0].length;
    return { type: 'link', text: [unescaped(match[0])], url };
  }

  private styled(close: string | undefined): Inline | undefined {
    const mark = this.source.startsWith('**', this.at) ? '**' : (this.source[this.at] ?? '');
    const type = styles[mark];
    const start = this.at;
    const before = this.source[start - 1] ?? ' ';
    const after = this.source[start + mark.length] ?? ' ';
    const opens = type !== undefined && mark !== close && !/\w/.test(before) && !/\s/.test(after);
    if (!opens) {
      return undefined;
    }
    this.at += mark.length;
    const text = this.until(mark);
    const closed = this.source.startsWith(mark, this.at) && text.length > 0;
    if (!closed) {
      this.at = start;
      return undefined;
    }
    this.at += mark.length;
    return { type, text: merge(text) };
  }
}

function unescaped(text: string): string {
  return text.replaceAll(/\\([\s\S])/g, '$1');
}

/** The address when it is one that a person may safely press; undefined otherwise. */
function safeUrl(text: string): string | undefined {
  if (parsedUrl(text) === undefined) {
    return undefined;
  }
  const url = new URL(text);
  return ['http:', 'https:', 'mailto:'].includes(url.protocol) ? url.href : undefined;
}

function merge(parts: readonly Inline[]): Rich {
  const merged: Inline[] = [];
  for (const part of parts) {
    const last = merged.at(-1);
    if (typeof part === 'string' && typeof last === 'string') {
      merged[merged.length - 1] = last + part;
    } else {
      merged.push(part);
    }
  }
  return merged;
}
