import type { Dialect } from '../contracts/source.ts';
import { tokenize } from '../contracts/sql.ts';
import { proveCall } from './calls.ts';
import { proveClause } from './clauses.ts';
import { dangersOf } from './dangers/index.ts';
import { proveClear } from './doubts.ts';
import { proveNoFiles } from './files.ts';
import { proveByParser } from './parser.ts';
import { proveFirstWord, proveOneStatement } from './statement.ts';
import { isSign, refuse } from './tokens.ts';

/**
 * Proves that a text is one SELECT (or WITH … SELECT, and what else reads in its dialect) that only reads. Throws
 * SQL_UNSAFE that names the word and what to do about it.
 *
 * Two proofs: our own, word by word, which understands every quoting of the dialect and decides; and a parser's, which
 * has a say only where it understands the text, since it knows less syntax than the database. Neither replaces the
 * walls at the database: a role without write rights, and a read-only transaction.
 */
export async function proveSelect(sql: string, dialect: Dialect): Promise<void> {
  const name = `${dialect} ${sql}`;
  if (proven.has(name)) {
    return;
  }
  proveWords(sql, dialect);
  await proveByParser(sql, dialect);
  if (proven.size >= provenAtMost) {
    proven.clear();
  }
  proven.add(name);
}

/** Texts that passed: every run proves its model's anew, which would be half of what a short run costs. */
const proven = new Set<string>();
const provenAtMost = 1000;

function proveWords(sql: string, dialect: Dialect): void {
  const { openers, functions, phrases, never } = dangersOf[dialect];
  // A semicolon after the text is one, unless a quote or a comment is still open.
  const closed = tokenize(`${sql}\n;`, dialect);
  const tokens = closed.slice(0, -1);
  proveClear(sql, tokens, closed.at(-1));
  const found = never?.[1].exec(sql)?.[0];
  if (never !== undefined && found !== undefined) {
    refuse(`“${found}” ${never[0]}.`, 'Write the value itself.');
  }
  proveOneStatement(sql, tokens);
  proveFirstWord(sql, tokens, openers);
  for (let i = 0; i < tokens.length; i += 1) {
    if (isSign(tokens[i + 1], '(')) {
      proveCall(sql, tokens, i, dialect, functions);
    }
    proveClause(sql, tokens, i, phrases);
  }
  if (dialect === 'duckdb') {
    proveNoFiles(sql, tokens);
  }
}
