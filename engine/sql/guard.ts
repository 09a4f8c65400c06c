import { ActivateError } from '../contracts/errors.ts';
import type { Dialect } from '../contracts/source.ts';
import { type SqlToken, tokenize } from '../contracts/sql.ts';
import { dangerOf } from './dangers.ts';

/**
 * Proves that a text is one SELECT (or WITH … SELECT, VALUES, TABLE) that only reads. Throws SQL_UNSAFE that names
 * the word and what to do about it.
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
  await prove(sql, dialect);
  if (proven.size >= provenAtMost) {
    proven.clear();
  }
  proven.add(name);
}

/** Texts that passed: every run proves its model's anew, which would be half of what a short run costs. */
const proven = new Set<string>();
const provenAtMost = 1000;

async function prove(sql: string, dialect: Dialect): Promise<void> {
  const tokens = tokenize(sql, dialect);
  proveOneStatement(sql, tokens);
  proveFirstWord(sql, tokens);
  for (let i = 0; i < tokens.length; i += 1) {
    proveToken(sql, tokens, i);
  }
  await proveByParser(sql, dialect);
}

function refuse(message: string, fix: string): never {
  throw new ActivateError('SQL_UNSAFE', message, { fix });
}

function lineOf(sql: string, token: SqlToken): number {
  return sql.slice(0, token.at).split('\n').length;
}

function isSign(token: SqlToken | undefined, sign: string): boolean {
  return token?.kind === 'sign' && token.text === sign;
}

function wordOf(token: SqlToken | undefined): string {
  return token?.kind === 'word' ? token.text.toLowerCase() : '';
}

function proveOneStatement(sql: string, tokens: readonly SqlToken[]): void {
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

const openers = new Set(['select', 'with', 'values', 'table']);

function proveFirstWord(sql: string, tokens: readonly SqlToken[]): void {
  const first = tokens.find((token) => !isSign(token, '('));
  if (first === undefined || !openers.has(wordOf(first))) {
    const found = first === undefined ? '(' : first.text.slice(0, 40);
    const line = first === undefined ? 1 : lineOf(sql, first);
    refuse(
      `The query begins with “${found}” (line ${line}); only a SELECT can be used.`,
      'Begin with SELECT, or with WITH … SELECT.',
    );
  }
}

const writers = new Set(['insert', 'update', 'delete', 'merge']);
const readOnlyFix = 'Activate only reads here: remove it, or do the writing in your warehouse.';

function proveToken(sql: string, tokens: readonly SqlToken[], i: number): void {
  const token = tokens[i] as SqlToken;
  const [before, after] = [tokens[i - 1], tokens[i + 1]];
  if (token.kind === 'parameter') {
    refuse(
      `There is a placeholder, ${token.text}, in line ${lineOf(sql, token)}.`,
      'Write the value itself.',
    );
  }
  if (isSign(after, '(')) {
    proveCall(sql, token);
  }
  // `as into` and `t.update` are names, whatever the word.
  if (wordOf(before) === 'as' || isSign(before, '.')) {
    return;
  }
  const word = wordOf(token);
  const where = (): string => `in line ${lineOf(sql, token)}`;
  if (word === 'into') {
    refuse(`INTO ${where()} would write a table.`, readOnlyFix);
  }
  if (writers.has(word) && opensStatement(before) && namesSomething(after)) {
    refuse(`${word.toUpperCase()} ${where()} would change data.`, readOnlyFix);
  }
  if (word === 'for' && /^(update|share|no|key)$/.test(wordOf(after)) && locksRows(tokens, i + 1)) {
    refuse(
      `FOR ${(after as SqlToken).text.toUpperCase()} ${where()} would lock rows.`,
      `Remove it: reading needs no locks.`,
    );
  }
}

/** A statement can begin after `WITH x AS (` and after the `)` that ends a WITH list. */
function opensStatement(before: SqlToken | undefined): boolean {
  return isSign(before, '(') || isSign(before, ')');
}

function namesSomething(after: SqlToken | undefined): boolean {
  return after?.kind === 'word' || after?.kind === 'name';
}

/** `for update`, `for share`, `for no key update`, `for key share`; not `substring(x for no)`. */
function locksRows(tokens: readonly SqlToken[], i: number): boolean {
  const words = [0, 1, 2].map((n) => wordOf(tokens[i + n])).join(' ');
  return /^(update|share|key share|no key update)\b/.test(words);
}

function proveCall(sql: string, token: SqlToken): void {
  if (token.kind !== 'word' && token.kind !== 'name') {
    return;
  }
  // `U&"…"` can spell any name by code points; nobody needs it to call a function.
  if (token.kind === 'name' && /^u&/i.test(sql.slice(token.at, token.at + 2))) {
    refuse(
      `A function name in line ${lineOf(sql, token)} is written in code points.`,
      'Write its plain name.',
    );
  }
  const name = token.kind === 'word' ? token.text.toLowerCase() : token.text;
  const danger = dangerOf(name);
  if (danger !== undefined) {
    refuse(`${name}() in line ${lineOf(sql, token)} ${danger}.`, 'Remove the call: a query may only read.');
  }
}

async function proveByParser(sql: string, dialect: Dialect): Promise<void> {
  // Costs a tenth of a second to load: only those who define a query pay it. CommonJS, so everything is the default.
  const { default: library } = await import('node-sql-parser/build/postgresql.js');
  const parser = new library.Parser();
  let statements: readonly ({ readonly type: string } | null)[];
  try {
    const { ast } = parser.parse(sql, { database: dialect });
    statements = Array.isArray(ast) ? ast : [ast];
  } catch {
    // It knows less syntax than the database (TABLE, GROUPING SETS, …): no say in this text.
    return;
  }
  const other = statements.find((statement) => statement !== null && statement.type !== 'select');
  if (other) {
    refuse(`The query reads as ${other.type.toUpperCase()}, not as a SELECT.`, 'Write one SELECT.');
  }
}
