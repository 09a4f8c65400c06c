import type { SqlToken } from '../contracts/sql.ts';
import { lineOf, refuse } from './tokens.ts';

/** Refuses what the database could read otherwise than we do. `end` is the token that was put after the text. */
export function proveClear(sql: string, tokens: readonly SqlToken[], end: SqlToken | undefined): void {
  if (sql.includes('\0')) {
    refuse('There is an invisible character (U+0000) in the query.', 'Remove it.');
  }
  const doubt = tokens.find((token) => token.kind === 'doubt');
  if (doubt !== undefined) {
    refuseDoubt(sql, doubt);
  }
  if (end === undefined || end.at <= sql.length) {
    refuse('A quote or a comment is not closed.', 'Close it.');
  }
}

function refuseDoubt(sql: string, doubt: SqlToken): never {
  const { text } = doubt;
  const line = lineOf(sql, doubt);
  const shown = text.replace(/\s+/g, ' ').slice(0, 40);
  if (text.length === 1) {
    const code = text.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    refuse(
      `There is an invisible character (U+${code}) in line ${line}.`,
      'Write a plain space in its place, or nothing.',
    );
  }
  if (/^\/\*(M?!|\+)/.test(text)) {
    refuse(
      `“${shown}” in line ${line} looks like a comment, and the database acts on it.`,
      'Remove it, or write it as SQL.',
    );
  }
  const fix = /^(--|\/|#)/.test(text)
    ? 'Remove this comment.'
    : text.startsWith('$')
      ? 'Put the text into single quotes.'
      : 'Write two single quotes for one that is in a text, and chr(92) for a backslash before it.';
  refuse(`“${shown}” in line ${line} can be read in two ways.`, fix);
}
