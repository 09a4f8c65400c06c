import type { Dialect } from '../contracts/source.ts';
import type { SqlToken } from '../contracts/sql.ts';
import type { Dangers } from './dangers/dangers.ts';
import { isSign, lineOf, refuse } from './tokens.ts';

/** Refuses a call of a function that does more than read. `i` is the token before the `(`. */
export function proveCall(
  sql: string,
  tokens: readonly SqlToken[],
  i: number,
  dialect: Dialect,
  functions: Dangers['functions'],
): void {
  const token = tokens[i] as SqlToken;
  const name = nameOf(token);
  if (name === undefined) {
    return;
  }
  const where = `in line ${lineOf(sql, token)}`;
  // Any name can be spelled so; nobody needs it to call a function.
  const inCodes = sql.slice(token.at, token.at + 2).toLowerCase() === 'u&' || name.includes('\\');
  if (token.kind !== 'word' && inCodes) {
    refuse(`A function name ${where} is written in code points.`, 'Write its plain name.');
  }
  const path = `${before(tokens, i)}${name}`;
  const bare = dialect === 'bigquery' ? path.slice(path.lastIndexOf('.') + 1) : name;
  const danger = functions.find(([, names]) => names.test(bare) || names.test(path))?.[0];
  if (danger !== undefined) {
    refuse(`${path}() ${where} ${danger}.`, 'Remove the call: a query may only read.');
  }
}

/** In small letters; a text in double quotes is a name where a setting says so. */
function nameOf(token: SqlToken): string | undefined {
  const quoted = token.kind === 'literal' && token.text.startsWith('"');
  if (token.kind !== 'word' && token.kind !== 'name' && !quoted) {
    return undefined;
  }
  return (quoted ? token.text.slice(1, -1) : token.text).toLowerCase();
}

/** What stands before the name with dots between: `ml.` of `ml.predict`. */
function before(tokens: readonly SqlToken[], i: number): string {
  const [owner, dot] = [tokens[i - 2], tokens[i - 1]];
  const name = owner !== undefined && isSign(dot, '.') ? nameOf(owner) : undefined;
  return name === undefined ? '' : `${before(tokens, i - 2)}${name}.`;
}
