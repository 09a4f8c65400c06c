import type { Dialect } from './source.ts';

/**
 * How the words of one dialect are told apart: sources of regular expressions, tried in the order of the properties.
 * A quote that nobody closes runs to the end of the text.
 */
export interface Lexical {
  /** What servers read in different ways, or run although it looks like a comment. */
  readonly doubt: readonly string[];
  /** Comments, but for those that nest. */
  readonly comment: readonly string[];
  /** What opens a comment that nests, and ends with as many closings as it has openings. */
  readonly nested: readonly string[];
  readonly literal: readonly string[];
  readonly name: readonly string[];
  readonly parameter: readonly string[];
  readonly word: string;
}

// Some servers take these for white space, some for letters; nobody writes them on purpose.
const unseen = String.raw`\0-\x08\x0e-\x1f\x7f\x85\xa0\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff`;
const invisible = `[${unseen}]`;
const letter = String.raw`(?:[A-Za-z_]|(?!${invisible})[\x80-\uffff])`;
const wordOf = (more: string): string => `${letter}(?:${letter}|[${more}])*`;
const word = wordOf(String.raw`\d$`);

const dashes = String.raw`--[^\n\r]*`;
const hash = String.raw`#[^\n\r]*`;
const flat = String.raw`/\*[\s\S]*?(?:\*/|$)`;
/** Only the server knows whether the comment ends at a carriage return, or at the first end of two beginnings. */
const lonelyReturn = (opening: string): string => String.raw`${opening}[^\n\r]*\r(?!\n)`;
const twice = String.raw`/\*(?:(?!\*/|/\*)[\s\S])*/\*`;

/** Closed by its own quote, where two of them stand for one. */
const doubled = (quote: string): string => `${quote}(?:[^${quote}]|${quote}${quote})*(?:${quote}|$)`;
const slashed = String.raw`\\(?:[\s\S]|$)`;
/** As {@link doubled}, and a backslash takes the meaning from what follows. */
const escaped = (quote: string): string =>
  String.raw`${quote}(?:[^${quote}\\]|${slashed}|${quote}${quote})*(?:${quote}|$)`;
const escapedOnly = (quote: string): string =>
  String.raw`${quote}(?:[^${quote}\\]|${slashed})*(?:${quote}|$)`;
const triple = (quote: string): string =>
  String.raw`${quote}{3}(?:(?!${quote}{3})(?:[^\\]|${slashed}))*(?:${quote}{3}|$)`;

// A literal goes on after the end of a line, and keeps the escapes of its beginning.
const goesOn = String.raw`(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:\s|--[^\n\r]*[\n\r])*`;
const postgresLiterals: readonly string[] = [
  `[eE]${escaped("'")}(?:${goesOn}${escaped("'")})*`,
  `(?:[bBxXnN]|[uU]&)?${doubled("'")}`,
  String.raw`\$(?<tag>(?:${letter}(?:${letter}|\d)*)?)\$[\s\S]*?(?:\$\k<tag>\$|$)`,
];
const postgresNames = [`(?:[uU]&)?${doubled('"')}`];

/** `a:b` is a path into a value; with nothing before it, `:b` stands for a value to come. */
const colon = String.raw`(?<![\w$"'\])}:\x80-\uffff]):\w+`;
const userVariable = String.raw`(?<!@)@(?:(?:[\w.$]|[\x80-\uffff])+|'[^']*'?|"[^"]*"?|${'`[^`]*`?'})`;

const postgresql: Lexical = {
  doubt: [invisible],
  comment: [dashes],
  nested: [String.raw`/\*`],
  literal: postgresLiterals,
  name: postgresNames,
  parameter: [String.raw`\$\d+`],
  word,
};

export const lexicals: Readonly<Record<Dialect, Lexical>> = {
  postgresql,
  redshift: {
    ...postgresql,
    // A setting of the cluster says whether the backslash takes the meaning from the quote.
    doubt: [invisible, String.raw`[eE]?'(?:[^'\\]|''|\\[^'])*\\'`],
  },
  mysql: {
    // Code for some versions; hints, which can set variables; `$$`, which newer servers take for a quote.
    doubt: [invisible, String.raw`/\*(?:M?!|\+)[^\s*]*`, String.raw`\$\w*\$`],
    comment: [String.raw`--(?=[\0-\x20\x7f]|$)[^\n]*`, String.raw`#[^\n]*`, flat],
    nested: [],
    literal: [escaped("'"), escaped('"')],
    name: [doubled('`')],
    parameter: [String.raw`\?`, userVariable],
    word: String.raw`(?:${letter}|\$)(?:${letter}|[\d$])*`,
  },
  snowflake: {
    doubt: [invisible, twice, lonelyReturn('--'), lonelyReturn('//')],
    comment: [dashes, String.raw`//[^\n\r]*`, flat],
    nested: [],
    literal: [escaped("'"), String.raw`\$\$[\s\S]*?(?:\$\$|$)`],
    name: [doubled('"')],
    // `$1` is a column of a file.
    parameter: [String.raw`\?`, colon, String.raw`\$[A-Za-z_]\w*`],
    word,
  },
  bigquery: {
    doubt: [invisible, twice, lonelyReturn('--'), lonelyReturn('#')],
    comment: [dashes, hash, flat],
    nested: [],
    // A raw literal keeps its backslashes, but they guard its quote all the same.
    literal: ["'", '"'].flatMap((quote) => [
      `(?:[rR][bB]?|[bB][rR]?)?${triple(quote)}`,
      `(?:[rR][bB]?|[bB][rR]?)?${escapedOnly(quote)}`,
    ]),
    name: [escapedOnly('`')],
    parameter: [String.raw`\?`, String.raw`(?<!@)@\w+`],
    word: wordOf(String.raw`\d`),
  },
  databricks: {
    doubt: [
      invisible,
      // A backslash at its end takes the next line into the comment; `$$` came with a newer version.
      String.raw`--[^\n\r]*\\\r?(?:\n|$)`,
      String.raw`\$[A-Za-z]*\$`,
      String.raw`/\*(?!\+)(?:(?!\*/|/\*)[\s\S])*/\*\+`,
    ],
    comment: [dashes],
    // A hint is read as any other words.
    nested: [String.raw`/\*(?!\+)`],
    literal: [`[rR]'[^']*(?:'|$)`, `[rR]"[^"]*(?:"|$)`, `[xX]?${escaped("'")}`, escaped('"')],
    name: [doubled('`')],
    parameter: [String.raw`\?`, colon],
    word: wordOf(String.raw`\d`),
  },
  duckdb: {
    ...postgresql,
    name: [doubled('"')],
    parameter: [String.raw`\?\d*`, String.raw`\$\w+`],
  },
};
