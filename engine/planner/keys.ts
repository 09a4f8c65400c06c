import { ActivateError } from '../contracts/errors.ts';
import type { KeyOrder } from '../contracts/source.ts';

const tab = 0x09;
const newline = 0x0a;
const backslash = 0x5c;
const minus = 0x2d;

/** What COPY writes after a backslash, as the byte it stands for. */
const unescaped = new Uint8Array(256).map((_, byte) => byte);
for (const [letter, byte] of [
  ['b', 8],
  ['f', 12],
  ['n', 10],
  ['r', 13],
  ['t', 9],
  ['v', 11],
] as const) {
  unescaped[letter.charCodeAt(0)] = byte;
}

/** Where the field that begins here ends: at its tab or newline. */
export function fieldEnd(line: Uint8Array, start: number): number {
  let at = start;
  while (line[at] !== tab && line[at] !== newline) {
    at += 1;
  }
  return at;
}

/** Whether one of the first `width` fields is NULL. */
export function hasNullKey(line: Uint8Array, start: number, width: number): boolean {
  let at = start;
  for (let field = 0; field < width; field += 1) {
    const end = fieldEnd(line, at);
    if (end - at === 2 && line[at] === backslash && line[at + 1] === 0x4e) {
      return true;
    }
    at = end + 1;
  }
  return false;
}

/** Compares the keys of two lines: numbers by value, text by its own bytes, not by those of its escaped form. */
export function compareKeys(
  a: Uint8Array,
  aStart: number,
  b: Uint8Array,
  bStart: number,
  orders: readonly KeyOrder[],
): number {
  let i = aStart;
  let j = bStart;
  for (const order of orders) {
    const iEnd = fieldEnd(a, i);
    const jEnd = fieldEnd(b, j);
    const result =
      order === 'numeric' ? compareNumbers(a, i, iEnd, b, j, jEnd) : compareText(a, i, iEnd, b, j, jEnd);
    if (result !== 0) {
      return result;
    }
    i = iEnd + 1;
    j = jEnd + 1;
  }
  return 0;
}

function compareNumbers(
  a: Uint8Array,
  i: number,
  iEnd: number,
  b: Uint8Array,
  j: number,
  jEnd: number,
): number {
  const aNegative = a[i] === minus;
  const bNegative = b[j] === minus;
  if (aNegative !== bNegative) {
    return aNegative ? -1 : 1;
  }
  const sign = aNegative ? -1 : 1;
  if (iEnd - i !== jEnd - j) {
    return iEnd - i < jEnd - j ? -sign : sign;
  }
  for (let n = 0; i + n < iEnd; n += 1) {
    const difference = (a[i + n] as number) - (b[j + n] as number);
    if (difference !== 0) {
      return difference * sign;
    }
  }
  return 0;
}

function compareText(
  a: Uint8Array,
  iStart: number,
  iEnd: number,
  b: Uint8Array,
  jStart: number,
  jEnd: number,
): number {
  let i = iStart;
  let j = jStart;
  while (i < iEnd && j < jEnd) {
    let x = a[i] as number;
    let y = b[j] as number;
    if (x === backslash) {
      i += 1;
      x = unescaped[a[i] as number] as number;
    }
    if (y === backslash) {
      j += 1;
      y = unescaped[b[j] as number] as number;
    }
    if (x !== y) {
      return x - y;
    }
    i += 1;
    j += 1;
  }
  return iEnd - i - (jEnd - j);
}

// Our database's index takes entries of up to 2,704 bytes, with a few of them for itself.
const longestKey = 2000;

/** The key of a line in a form whose bytes, compared one by one, sort as {@link compareKeys} does. */
export function sortKey(line: Uint8Array, start: number, orders: readonly KeyOrder[]): Buffer {
  const parts: number[] = [];
  let at = start;
  for (const order of orders) {
    const end = fieldEnd(line, at);
    if (order === 'numeric') {
      sortableNumber(line, at, end, parts);
    } else {
      sortableText(line, at, end, parts);
    }
    at = end + 1;
  }
  if (parts.length > longestKey) {
    throw new ActivateError('INPUT_INVALID', 'The key of a row is longer than 2,000 bytes.', {
      fix: 'Choose a shorter key column, such as an id, or a hash of this one.',
    });
  }
  return Buffer.from(parts);
}

/** Sign and number of digits in one byte, then the digits; those of negative numbers the other way round. */
function sortableNumber(line: Uint8Array, start: number, end: number, into: number[]): void {
  const negative = line[start] === minus;
  const digits = end - start - (negative ? 1 : 0);
  into.push(negative ? 0x7f - digits : 0x80 + digits);
  for (let at = end - digits; at < end; at += 1) {
    const digit = line[at] as number;
    into.push(negative ? 0xff - digit : digit);
  }
}

/** The bytes and an end mark that is smaller than any byte; a zero byte is told from it by what follows. */
function sortableText(line: Uint8Array, start: number, end: number, into: number[]): void {
  for (let at = start; at < end; at += 1) {
    let byte = line[at] as number;
    if (byte === backslash) {
      at += 1;
      byte = unescaped[line[at] as number] as number;
    }
    into.push(byte);
    if (byte === 0) {
      into.push(0xff);
    }
  }
  into.push(0, 0);
}

/** The first `count` fields of a line as text, NULL (and what is not known yet) as null. `start` is a byte offset. */
export function decodeFields(line: Uint8Array, count: number, start = 0): (string | null)[] {
  let end = start;
  for (let field = 0; field < count; field += 1) {
    end = fieldEnd(line, end) + 1;
  }
  // Once for all fields: to turn each into a string of its own costs three times as much.
  const bytes = Buffer.from(line.buffer, line.byteOffset + start, Math.max(0, end - 1 - start));
  const text = bytes.toString('utf8');
  const fields = count === 1 ? [text] : count === 0 ? [] : text.split('\t');
  return text.includes('\\') ? fields.map(decodeField) : fields;
}

const letters: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

function decodeField(text: string): string | null {
  if (text === '\\N' || text === unknownField) {
    return null;
  }
  return text.includes('\\')
    ? text.replaceAll(/\\([\s\S])/g, (_, letter: string) => letters[letter] ?? letter)
    : text;
}

/** All fields of a line by position. */
export function decodeLine(line: Uint8Array, columns: readonly string[]): (string | null)[] {
  return decodeFields(line, columns.length);
}

/** A key as people read it: `42`, or `eu / 42` for several columns. */
export function keyText(line: Uint8Array, width: number, start = 0): string {
  const values = decodeFields(line, width, start);
  return width === 1 ? (values[0] ?? 'NULL') : values.map((value) => value ?? 'NULL').join(' / ');
}

/**
 * Stands for a column that was not part of the snapshot when the row was last told. No source writes it: a backslash
 * of its own is doubled.
 */
export const unknownField = '\\?';
