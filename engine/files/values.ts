import type { Column } from '../contracts/source.ts';
import { naturalOf, Refused } from '../mapping/convert.ts';

/** Blocks that files are handed on in, in characters: large enough that handing on costs nothing. */
const blockLength = 64 * 1024;

/** A file of lines: `head`, then what `line` makes of each row, in blocks of UTF-8. */
export async function* linesOf<R>(
  rows: AsyncIterable<R>,
  head: string,
  line: (row: R) => string,
): AsyncGenerator<Uint8Array> {
  let text = head;
  for await (const row of rows) {
    text += line(row);
    if (text.length >= blockLength) {
      yield Buffer.from(text);
      text = '';
    }
  }
  if (text !== '') {
    yield Buffer.from(text);
  }
}

/** A column's value as plain text: times ISO 8601 in UTC, booleans `true` and `false`, arrays JSON, bytes Base64. */
export function plainTextOf(column: Column): (text: string) => string {
  if (isArray(column)) {
    return jsonTextOf(column);
  }
  switch (column.type) {
    case 'text':
    case 'number':
    case 'json':
      return (text) => text;
    case 'boolean':
    case 'time':
    case 'bytes': {
      const natural = naturalOrText(column);
      return (text) => String(natural(text));
    }
    default:
      return column.type satisfies never;
  }
}

/**
 * A column's value as JSON on one line. Numbers that a double would round become strings of their digits; JSON stays
 * the text it is, digits and all.
 */
export function jsonTextOf(column: Column): (text: string) => string {
  if (column.type === 'json' && !isArray(column)) {
    // A line break between tokens is all that can't stay: in a string of JSON it is written \n.
    return (text) => text.replaceAll(/[\r\n]+/g, ' ');
  }
  const natural = naturalOrText(column);
  return (text) => JSON.stringify(natural(text));
}

export function isArray(column: Column): boolean {
  return column.native.endsWith('[]');
}

/** What a type has no form for (the time `infinity`, the number `NaN`, a time of day) stays the text that it is. */
function naturalOrText(column: Column): (text: string) => unknown {
  const natural = naturalOf(column.name, column);
  return (text) => {
    try {
      return natural(text);
    } catch (error) {
      if (error instanceof Refused) {
        return text;
      }
      throw error;
    }
  };
}
