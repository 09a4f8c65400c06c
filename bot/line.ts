import type { Raw } from '../engine/contracts/refs.ts';

/**
 * Reads what stands behind a command's name: `name=value` and `--name value` for any field, quotes around values with
 * spaces, and bare words for the positional fields in their order; the last of these takes the rest of the line.
 */
export function readLine(line: string, positional: readonly string[], names: readonly string[]): Raw {
  const words = split(line);
  const { input, bare } = sort(words, names);
  for (const [index, name] of positional.entries()) {
    const last = index === positional.length - 1;
    const value = last ? bare.slice(index).join(' ') : bare[index];
    if (value !== undefined && value !== '' && input[name] === undefined) {
      input[name] = value;
    }
  }
  return input;
}

/** Tells what is named from the bare words. */
function sort(
  words: readonly Word[],
  names: readonly string[],
): { input: Record<string, string>; bare: string[] } {
  const input: Record<string, string> = {};
  const bare: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] as Word;
    const { dashes, name, value } = namedIn(word);
    const next = words[at + 1]?.text ?? '--';
    if (!names.includes(name) || (!dashes && value === undefined)) {
      bare.push(word.text);
    } else if (value !== undefined || next.startsWith('--')) {
      input[name] = value ?? 'true';
    } else {
      input[name] = next;
      at += 1;
    }
  }
  return { input, bare };
}

function namedIn(word: Word): {
  readonly dashes: boolean;
  readonly name: string;
  readonly value: string | undefined;
} {
  const match = word.quoted ? null : /^(--)?([A-Za-z]\w*)(?:=([\s\S]*))?$/.exec(word.text);
  return { dashes: match?.[1] !== undefined, name: match?.[2] ?? '', value: match?.[3] };
}

interface Word {
  readonly text: string;
  readonly quoted: boolean;
}

/** Words split at spaces; quotes (straight or typographic) keep spaces together, also behind an equals sign. */
function split(line: string): readonly Word[] {
  const words: Word[] = [];
  const pattern = /([\w-]+=)?(?:"((?:\\.|[^"\\])*)"|“([^”]*)”|'([^']*)')|\S+/g;
  for (const match of line.matchAll(pattern)) {
    const inner = match[2]?.replaceAll(/\\(.)/g, '$1') ?? match[3] ?? match[4];
    words.push(
      inner === undefined
        ? { text: match[0], quoted: false }
        : { text: `${match[1] ?? ''}${inner}`, quoted: match[1] === undefined },
    );
  }
  return words;
}
