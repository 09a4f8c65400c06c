import { type Lexical, lexicals } from './lexical.ts';
import type { Dialect } from './source.ts';

/** One word, quoted name, literal or sign of a SQL text. Comments and white space are not tokens. */
export interface SqlToken {
  /** `doubt` begins what servers read in different ways, or what they run although it looks like a comment. */
  readonly kind: 'word' | 'name' | 'literal' | 'parameter' | 'sign' | 'doubt';
  /** The token as written; a quoted name without its quotes. */
  readonly text: string;
  /** Where it begins in the text, and where it ends, in UTF-16 units. */
  readonly at: number;
  readonly to: number;
}

type Group = 'space' | 'nested' | 'number' | SqlToken['kind'];

// `1into` is a number and a word.
const number = String.raw`0[xX][\da-fA-F]+|\.?\d[\d_]*(?:\.[\d_]*)?(?:[eE][+-]?\d+)?`;

function patternOf(lexical: Lexical): RegExp {
  const groups: readonly (readonly [Group, readonly string[]])[] = [
    ['doubt', lexical.doubt],
    ['space', [String.raw`[ \t\n\v\f\r]+`, ...lexical.comment]],
    ['nested', lexical.nested],
    ['literal', lexical.literal],
    ['name', lexical.name],
    ['parameter', lexical.parameter],
    ['word', [lexical.word]],
    ['number', [number]],
    ['sign', [String.raw`[\s\S]`]],
  ];
  const parts = groups.filter(([, sources]) => sources.length > 0);
  return new RegExp(parts.map(([group, sources]) => `(?<${group}>${sources.join('|')})`).join('|'), 'y');
}

const patterns: ReadonlyMap<string, RegExp> = new Map(
  Object.entries(lexicals).map(([dialect, lexical]) => [dialect, patternOf(lexical)]),
);

/** Splits a SQL text into tokens, as its database would: what is inside a string or a comment can't look like SQL. */
export function tokenize(sql: string, dialect: Dialect): readonly SqlToken[] {
  const pattern = patterns.get(dialect) ?? patternOf(lexicals[dialect]);
  const tokens: SqlToken[] = [];
  let at = 0;
  while (at < sql.length) {
    pattern.lastIndex = at;
    const match = pattern.exec(sql);
    const groups = match?.groups ?? {};
    const to =
      groups['nested'] === undefined ? at + (match?.[0] ?? sql.slice(at)).length : commentEnd(sql, at);
    const kind = kindOf(groups);
    if (kind !== undefined) {
      const text = sql.slice(at, to);
      tokens.push({ kind, text: kind === 'name' ? unquoted(text) : text, at, to });
    }
    at = to;
  }
  return tokens;
}

function kindOf(groups: Readonly<Record<string, string | undefined>>): SqlToken['kind'] | undefined {
  if (groups['space'] !== undefined || groups['nested'] !== undefined) {
    return undefined;
  }
  const kinds = ['doubt', 'literal', 'name', 'parameter', 'word', 'sign'] as const;
  return kinds.find((kind) => groups[kind] !== undefined) ?? 'literal';
}

function unquoted(text: string): string {
  const quoted = text.replace(/^[uU]&/, '');
  const quote = quoted.slice(0, 1);
  const inner = quoted.slice(1, quoted.length > 1 && quoted.endsWith(quote) ? -1 : undefined);
  return inner.replaceAll(quote + quote, quote);
}

function commentEnd(sql: string, start: number): number {
  let depth = 0;
  for (let at = start; at < sql.length; at += 1) {
    if (sql.startsWith('/*', at)) {
      depth += 1;
      at += 1;
    } else if (sql.startsWith('*/', at)) {
      depth -= 1;
      at += 1;
      if (depth === 0) {
        return at + 1;
      }
    }
  }
  return sql.length;
}

/** The text without the semicolon that ends it (and what follows: comments), so that it can go into parentheses. */
export function withoutSemicolon(sql: string, dialect: Dialect): string {
  const tokens = tokenize(sql, dialect);
  let end = tokens.length;
  while (end > 0 && tokens[end - 1]?.text === ';' && tokens[end - 1]?.kind === 'sign') {
    end -= 1;
  }
  return sql.slice(0, tokens[end]?.at ?? sql.length);
}
