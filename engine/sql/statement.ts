import type { SqlToken } from '../contracts/sql.ts';
import { isSign, lineOf, refuse, wordOf } from './tokens.ts';

export function proveOneStatement(sql: string, tokens: readonly SqlToken[]): void {
  if (tokens.every((token) => isSign(token, ';'))) {
    refuse('The query is empty.', 'Write one SELECT.');
  }
  const end = tokens.findIndex((token) => isSign(token, ';'));
  const next = end === -1 ? undefined : tokens.slice(end).find((token) => !isSign(token, ';'));
  if (next !== undefined) {
    refuse(
      `These are two statements: the second begins in line ${lineOf(sql, next)} with “${next.text.slice(0, 40)}”.`,
      'Keep one SELECT and remove the rest; a WITH clause can hold the steps before it.',
    );
  }
}

export function proveFirstWord(sql: string, tokens: readonly SqlToken[], openers: readonly string[]): void {
  const first = tokens.find((token) => !isSign(token, '('));
  if (first === undefined || !openers.includes(wordOf(first))) {
    const found = first === undefined ? '(' : first.text.slice(0, 40);
    const line = first === undefined ? 1 : lineOf(sql, first);
    refuse(
      `The query begins with “${found}” (line ${line}); only a SELECT can be used.`,
      'Begin with SELECT, or with WITH … SELECT.',
    );
  }
}
