import { ActivateError } from '../contracts/errors.ts';
import type { SqlToken } from '../contracts/sql.ts';

export function refuse(message: string, fix: string): never {
  throw new ActivateError('SQL_UNSAFE', message, { fix });
}

export const readOnlyFix = 'Activate only reads here: remove it, or do the writing in your warehouse.';

export function lineOf(sql: string, token: SqlToken): number {
  return sql.slice(0, token.at).split('\n').length;
}

export function isSign(token: SqlToken | undefined, sign: string): boolean {
  return token?.kind === 'sign' && token.text === sign;
}

/** In small letters; empty when it is no word. */
export function wordOf(token: SqlToken | undefined): string {
  return token?.kind === 'word' ? token.text.toLowerCase() : '';
}

/** Tokens as phrases are written: words in small letters, names as `"name"`, every literal as `'`. */
export function phraseOf(tokens: readonly SqlToken[]): string {
  return tokens.map(spelled).join(' ');
}

function spelled(token: SqlToken): string {
  switch (token.kind) {
    case 'word':
      return token.text.toLowerCase();
    case 'name':
      return `"${token.text.toLowerCase()}"`;
    case 'literal':
      return "'";
    case 'parameter':
    case 'sign':
    case 'doubt':
      return token.text;
    default:
      return token.kind satisfies never;
  }
}
