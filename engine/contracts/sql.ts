import type { Dialect } from './source.ts';

/** One word, quoted name, literal or sign of a SQL text. Comments and white space are not tokens. */
export interface SqlToken {
  readonly kind: 'word' | 'name' | 'literal' | 'parameter' | 'sign';
  /** The token as written; a quoted name without its quotes. */
  readonly text: string;
  /** Where it begins in the text, in UTF-16 units. */
  readonly at: number;
}

// PostgreSQL's lexical rules with standard_conforming_strings on. An unfinished literal runs to the end of the text.
const escaped = String.raw`'(?:[^'\\]|\\[\s\S]|'')*(?:'|$)`;
const lexical = new RegExp(
  [
    String.raw`(?<space>\s+|--[^\n\r]*)`,
    String.raw`(?<comment>/\*)`,
    // A literal that goes on in the next line keeps the escapes of its beginning.
    String.raw`(?<literal>[eE]${escaped}(?:(?:\s|--[^\n\r]*[\n\r])*${escaped})*`,
    String.raw`(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*(?:'|$)`,
    String.raw`\$(?<tag>(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?)\$[\s\S]*?(?:\$\k<tag>\$|$))`,
    '(?<name>(?:[uU]&)?"(?:[^"]|"")*(?:"|$))',
    String.raw`(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)`,
    String.raw`(?<parameter>\$\d+)`,
    // `1into` is a number and a word.
    String.raw`(?<number>0[xX][\da-fA-F]+|\.?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)`,
    String.raw`(?<sign>[\s\S])`,
  ].join('|'),
  'y',
);

/** Splits a SQL text into tokens, as PostgreSQL would: what is inside a string or a comment can't look like SQL. */
export function tokenize(sql: string, _dialect: Dialect): readonly SqlToken[] {
  const tokens: SqlToken[] = [];
  let at = 0;
  while (at < sql.length) {
    lexical.lastIndex = at;
    const match = lexical.exec(sql);
    const text = match?.[0] ?? sql.slice(at);
    const groups = match?.groups ?? {};
    if (groups['comment'] !== undefined) {
      at = commentEnd(sql, at);
      continue;
    }
    const token = tokenOf(groups, text, at);
    if (token !== undefined) {
      tokens.push(token);
    }
    at += text.length;
  }
  return tokens;
}

function tokenOf(groups: Record<string, string | undefined>, text: string, at: number): SqlToken | undefined {
  if (groups['space'] !== undefined) {
    return undefined;
  }
  if (groups['word'] !== undefined) {
    return { kind: 'word', text, at };
  }
  if (groups['name'] !== undefined) {
    return {
      kind: 'name',
      text: text
        .replace(/^[uU]&/, '')
        .replace(/^"|"$/g, '')
        .replaceAll('""', '"'),
      at,
    };
  }
  if (groups['parameter'] !== undefined) {
    return { kind: 'parameter', text, at };
  }
  return { kind: groups['sign'] === undefined ? 'literal' : 'sign', text, at };
}

/** Comments nest in PostgreSQL. */
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
