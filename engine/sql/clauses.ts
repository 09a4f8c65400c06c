import type { SqlToken } from '../contracts/sql.ts';
import type { Dangers } from './dangers/dangers.ts';
import { isSign, lineOf, phraseOf, readOnlyFix, refuse, wordOf } from './tokens.ts';

const writers = new Set(['insert', 'update', 'delete', 'merge']);
// `substring(x for no)` locks nothing. `unpivot … into name …` writes nothing.
const everywhere: Dangers['phrases'] = [
  ['would lock rows', /^for (update|share|key share|no key update)\b/],
  ['would write a table', /^into\b(?! name [^ ]+ value\b)/],
];

/** Refuses a token that begins something that writes, locks or runs. */
export function proveClause(
  sql: string,
  tokens: readonly SqlToken[],
  i: number,
  phrases: Dangers['phrases'],
): void {
  const token = tokens[i] as SqlToken;
  const [before, after] = [tokens[i - 1], tokens[i + 1]];
  const where = `in line ${lineOf(sql, token)}`;
  if (token.kind === 'parameter') {
    refuse(`There is a placeholder, ${token.text}, ${where}.`, 'Write the value itself.');
  }
  // `as into` and `t.update` are names, whatever the word.
  if (wordOf(before) === 'as' || isSign(before, '.')) {
    return;
  }
  const word = wordOf(token);
  if (writers.has(word) && opensStatement(before) && namesSomething(after)) {
    refuse(`${word.toUpperCase()} ${where} would change data.`, readOnlyFix);
  }
  const phrase = phraseOf(tokens.slice(i, i + 5));
  for (const [would, words] of [...everywhere, ...phrases]) {
    const found = words.exec(phrase)?.[0];
    if (found !== undefined) {
      const fix = would === 'would lock rows' ? 'Remove it: reading needs no locks.' : readOnlyFix;
      refuse(`${found.toUpperCase()} ${where} ${would}.`, fix);
    }
  }
}

/** A statement can begin after `WITH x AS (` and after the `)` that ends a WITH list. */
function opensStatement(before: SqlToken | undefined): boolean {
  return isSign(before, '(') || isSign(before, ')');
}

function namesSomething(after: SqlToken | undefined): boolean {
  return after?.kind === 'word' || after?.kind === 'name';
}
