import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Dialect } from '../../../engine/contracts/source.ts';
import { type SqlToken, tokenize, withoutSemicolon } from '../../../engine/contracts/sql.ts';
import { proveSelect } from '../../../engine/sql/guard.ts';

interface Manner {
  /** Comments that are certainly comments. */
  readonly comments: readonly string[];
  /** What may stand between the opening and the closing of a literal or name, whatever it is. */
  readonly quotes: readonly {
    readonly open: string;
    readonly close: string;
    readonly inside: (text: string) => string;
  }[];
}

const double = (quote: string) => (text: string) => text.replaceAll(quote, quote + quote);
const backslash = (quote: string) => (text: string) =>
  text.replaceAll('\\', '\\\\').replaceAll(quote, `\\${quote}`);
const both = (quote: string) => (text: string) => double(quote)(text.replaceAll('\\', '\\\\'));
const without = (end: string) => (text: string) => text.replaceAll(end, '');

const postgres: Manner = {
  comments: ['/* ; drop /* " */ \' */', "-- ; drop ' \n", '-- \\\r'],
  quotes: [
    { open: "'", close: "'", inside: double("'") },
    { open: "E'", close: "'", inside: backslash("'") },
    { open: '"', close: '"', inside: double('"') },
    { open: '$$', close: '$$', inside: without('$') },
    { open: '$a$', close: '$a$', inside: without('$') },
  ],
};

const manners: Readonly<Record<Dialect, Manner>> = {
  postgresql: postgres,
  duckdb: postgres,
  redshift: { ...postgres, quotes: postgres.quotes.slice(2) },
  mysql: {
    comments: ['/* ; drop " \' ` */', "-- ; drop ' \r \\\n", "# ; drop ' \n", '--\t;\n'],
    quotes: [
      { open: "'", close: "'", inside: backslash("'") },
      { open: "'", close: "'", inside: both("'") },
      { open: '"', close: '"', inside: backslash('"') },
      { open: '`', close: '`', inside: double('`') },
    ],
  },
  snowflake: {
    comments: ['/* ; drop " \' $$ */', "-- ; drop ' \n", '// ; drop " \\\n'],
    quotes: [
      { open: "'", close: "'", inside: backslash("'") },
      { open: "'", close: "'", inside: both("'") },
      { open: '"', close: '"', inside: double('"') },
      { open: '$$', close: '$$', inside: without('$') },
    ],
  },
  bigquery: {
    comments: ['/* ; drop " \' ` */', "-- ; drop ' \n", "# ; drop ''' \\\n"],
    quotes: [
      { open: "'", close: "'", inside: backslash("'") },
      { open: '"', close: '"', inside: backslash('"') },
      { open: "'''", close: "'''", inside: backslash("'") },
      { open: 'rb"""', close: '"""', inside: backslash('"') },
      { open: '`', close: '`', inside: backslash('`') },
    ],
  },
  databricks: {
    comments: ['/* ; drop /* " */ \' */', "-- ; drop ' \\x \n"],
    quotes: [
      { open: "'", close: "'", inside: backslash("'") },
      { open: '"', close: '"', inside: both('"') },
      { open: "r'", close: "'", inside: without("'") },
      { open: '`', close: '`', inside: double('`') },
    ],
  },
};

const dialects = Object.keys(manners) as Dialect[];

// Pieces that mean something in one dialect or another, in any order.
const piece = fc.constantFrom(
  ...[
    "'",
    '"',
    '`',
    '\\',
    '$$',
    '$a$',
    '$',
    '/*',
    '*/',
    '/*!',
    '/*+',
    '--',
    '-- ',
    '#',
    '//',
    ';',
    '\n',
    '\r',
    '\t',
  ],
  ...[
    "'''",
    '"""',
    "E'",
    "r'",
    'rb"',
    'U&"',
    '@x',
    '@@x',
    ':x',
    '?',
    '{',
    '}',
    '${',
    '::',
    '->>',
    '\u00a0',
    '\0',
  ],
  ...[' ', 'select', 'drop', 'into', 'a', 'x1', '1', '1.5e3', '0x1F', '(', ')', ',', '.', '=', 'é', '日本'],
);
const junk = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(''));

const said = (tokens: readonly SqlToken[]): readonly string[] =>
  tokens.map(({ kind, text }) => `${kind} ${text}`);

describe.each(dialects)('tokenize, %s', (dialect) => {
  const { comments, quotes } = manners[dialect];
  const quoted = fc
    .tuple(fc.constantFrom(...quotes), junk)
    .map(([{ open, close, inside }, text]) => `${open}${inside(text)}${close}`);
  const filler = fc.oneof(fc.constantFrom(' ', '\n', ...comments.map((comment) => ` ${comment} `)));
  const words = fc.array(
    fc.constantFrom('select', 'a', '"b"', '(', ')', ',', '42', '1.5', '=', '*', 'tbl', ';'),
  );

  it('covers the whole text: what is between tokens is white space and comments', () => {
    fc.assert(
      fc.property(junk, (sql) => {
        let end = 0;
        for (const { at, to } of tokenize(sql, dialect)) {
          expect(at).toBeGreaterThanOrEqual(end);
          expect(to).toBeGreaterThan(at);
          expect(sql.slice(end, at)).toMatch(/^(\s|\/\*|--|#|\/\/|$)/);
          end = to;
        }
        expect(sql.slice(end)).toMatch(/^(\s|\/\*|--|#|\/\/|$)/);
      }),
      { numRuns: 500 },
    );
  });

  it('reads the same words whatever comments stand between them', () => {
    fc.assert(
      fc.property(words, fc.array(filler, { minLength: 1 }), (texts, fillers) => {
        const between = texts.map((text, i) => `${text}${fillers[i % fillers.length] ?? ' '}`).join('');
        expect(said(tokenize(between, dialect))).toEqual(said(tokenize(texts.join(' '), dialect)));
      }),
      { numRuns: 300 },
    );
  });

  it('reads one token more for a quote that stands between words, whatever is in it', () => {
    fc.assert(
      fc.property(words, words, quoted, (left, right, quote) => {
        const read = tokenize(`${left.join(' ')} ${quote} ${right.join(' ')}`, dialect);
        const clear = read.every(({ kind }) => kind !== 'doubt');
        const [first, last] = [tokenize(left.join(' '), dialect), tokenize(right.join(' '), dialect)];
        // A dialect with doubts may have them about a quote; it then refuses the text.
        if (clear || dialect !== 'redshift') {
          expect(said(read.slice(0, left.length))).toEqual(said(first));
          expect(said(read.slice(left.length + 1))).toEqual(said(last));
          expect(read[left.length]?.kind).toMatch(/^(literal|name)$/);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('finds what hides behind a quote or a comment of the dialect', async () => {
    const behind = fc.constantFrom(
      '; drop table t',
      '; select 2',
      'into copied',
      'for update',
      '\n;delete from t',
    );
    const hidden = fc.array(fc.oneof(quoted, filler), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(hidden, behind, hidden, async (before, attack, after) => {
        const sql = `select 1 , ${before.join(' , ')} , 2 from t\n${attack} ${after.join(' ')}`;
        await expect(proveSelect(sql, dialect)).rejects.toMatchObject({ code: 'SQL_UNSAFE' });
      }),
      { numRuns: 300 },
    );
  });

  it('leaves nothing of the last semicolon, and everything before it', () => {
    fc.assert(
      fc.property(quoted, fc.array(filler), (quote, fillers) => {
        expect(withoutSemicolon(`select ${quote};${fillers.join('')};`, dialect)).toBe(`select ${quote}`);
      }),
      { numRuns: 200 },
    );
  });
});
