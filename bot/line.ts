import type { Raw } from '../engine/contracts/refs.ts';

/** How a command's line is written. */
export interface Syntax {
  /** All fields that may be named. */
  readonly names: readonly string[];
  /** Fields that bare words fill, in this order; the last one takes what is left. */
  readonly positional: readonly string[];
  /** The positional field that takes the rest of the line as it stands, quotes and line breaks included: SQL, say. */
  readonly verbatim?: string | undefined;
  /** Fields that say yes or no: `--wait` alone means yes, whatever word follows. */
  readonly flags: readonly string[];
}

/**
 * Reads what stands behind a command's name: `name=value` and `--name value` for any field, quotes around values with
 * spaces, and bare words for the positional fields. Words that nobody asked for come under the empty name.
 */
export function readLine(line: string, { names, positional, verbatim, flags }: Syntax): Raw {
  const input: Record<string, string> = {};
  const bare: string[] = [];
  const words = split(line);
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] as Word;
    const named = readNamed(word, words[at + 1], { names, flags });
    if (named !== undefined) {
      input[named.name] = named.value;
      at += named.tookNext ? 1 : 0;
    } else if (verbatim !== undefined && positional[bare.length] === verbatim && !(verbatim in input)) {
      const whole = word.quoted && at === words.length - 1;
      return {
        ...placed(bare, positional, input),
        [verbatim]: whole ? word.text : line.slice(word.at).trim(),
      };
    } else {
      bare.push(word.text);
    }
  }
  return placed(bare, positional, input);
}

/** Bare words at their fields. */
function placed(bare: readonly string[], positional: readonly string[], named: Raw): Raw {
  const input: Record<string, string> = { ...named };
  const open = positional.filter((name) => !(name in named));
  for (const [at, name] of open.entries()) {
    const value = at === open.length - 1 ? bare.slice(at).join(' ') : (bare[at] ?? '');
    if (value !== '') {
      input[name] = value;
    }
  }
  return open.length === 0 && bare.length > 0 ? { ...input, '': bare.join(' ') } : input;
}

interface Named {
  readonly name: string;
  readonly value: string;
  readonly tookNext: boolean;
}

function readNamed(
  word: Word,
  next: Word | undefined,
  { names, flags }: Pick<Syntax, 'names' | 'flags'>,
): Named | undefined {
  const [, name = '', value] = /^(?:--)?([A-Za-z][\w-]*)(?:=([\s\S]*))?$/.exec(word.text) ?? [];
  if (word.quoted || !names.includes(name)) {
    return undefined;
  }
  if (value !== undefined) {
    return { name, value, tookNext: false };
  }
  if (!word.text.startsWith('--')) {
    return undefined;
  }
  const alone =
    next === undefined ||
    (next.text.startsWith('--') && !next.quoted) ||
    (flags.includes(name) && !/^(?:true|false)$/.test(next.text));
  return { name, value: alone ? 'true' : next.text, tookNext: !alone };
}

interface Word {
  readonly text: string;
  readonly quoted: boolean;
  /** Where it begins in the line. */
  readonly at: number;
}

/** Words split at spaces; quotes (straight or typographic) keep spaces together, also behind an equals sign. */
function split(line: string): readonly Word[] {
  const words: Word[] = [];
  const pattern = /([\w-]+=)?(?:"((?:\\[\s\S]|[^"\\])*)"|“([^”]*)”|'([^']*)')(?=\s|$)|\S+/g;
  for (const match of line.matchAll(pattern)) {
    const inner = match[2]?.replaceAll(/\\([\s\S])/g, '$1') ?? match[3] ?? match[4];
    words.push({
      text: inner === undefined ? match[0] : `${match[1] ?? ''}${inner}`,
      quoted: inner !== undefined && match[1] === undefined,
      at: match.index,
    });
  }
  return words;
}
