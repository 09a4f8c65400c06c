import { expect } from 'vitest';
import type { Column } from '../../engine/contracts/source.ts';
import {
  expressionOf,
  type Given,
  type Kind,
  kinds,
  limits,
  readAll,
  type SourceStage,
} from './source-house.ts';

/** One point that a source is held to: the key by which it can be skipped, and the test. */
export interface Point {
  readonly key: string;
  readonly title: string;
  test(stage: SourceStage): Promise<void>;
}

/** Texts that have once been taken for something else, or come out as something else, somewhere. */
export const hostileTexts: readonly string[] = [
  '',
  ' ',
  '  spaces around  ',
  "it's",
  "''",
  '"double"',
  '`ticks`',
  'back\\slash',
  'ends in \\',
  '\\N',
  '\\\\N',
  '\\.',
  '\\t\\n\\x41\\u0041',
  'tab\there',
  'new\nline',
  'carriage\rreturn',
  'both\r\n',
  '\n',
  '\b\f\v',
  '\u0001\u001f\u007f',
  'NULL',
  'null',
  '1e5',
  '007',
  'true',
  '2026-01-01',
  '{"json": [1, "\\u0041"]}',
  '%s %% $1 $$ ? :name {{x}} $' + '{y} @z',
  "'; drop table x; --",
  '/* not a comment */',
  '-- not one either',
  '<b>&amp;</b>',
  'e\u0301 is not \u00e9',
  '\u00a0\u2028\ufeff\uffee',
  '👩‍👩‍👧🦊',
  'x'.repeat(10_000),
  '🦊'.repeat(2_500),
];

/** At and around the limits of each kind. */
const limitsOf: Readonly<Record<Exclude<Kind, 'text'>, readonly string[]>> = {
  integer: ['9223372036854775807', '-9223372036854775808', '9007199254740993', '0', '-1'],
  unsigned: ['18446744073709551615', '9223372036854775808', '0'],
  decimal: [
    '99999999999999999999999999999.123456789',
    '-99999999999999999999999999999.999999999',
    '0.000000001',
    '-0.000000001',
    '1234567890123456789.1',
    '0',
    '1000000000000000000000000000',
  ],
  float: [
    '0.1',
    '0.30000000000000004',
    '-1.7976931348623157e308',
    '2.2250738585072014e-308',
    '1e21',
    '123456789.123',
    '0',
  ],
  boolean: ['true', 'false'],
  date: ['0001-01-01', '9999-12-31', '2024-02-29', '1969-12-31', '1582-10-10'],
  datetime: [
    '0001-01-01 00:00:00',
    '9999-12-31 23:59:59.999999',
    '2026-03-29 01:30:00.123456',
    '2026-03-29 02:30:00.000001',
    '1969-12-31 23:59:59.1',
  ],
  instant: [
    '0001-01-01 00:00:00+00',
    '9999-12-31 23:59:59.999999+00',
    '2026-03-28 23:30:00.123456+00',
    '2026-10-25 00:30:00.000001+00',
    '2026-10-25 01:30:00+00',
    '1969-12-31 23:59:59.1+00',
  ],
  json: [
    '{"n": 9007199254740993, "m": -9223372036854775808}',
    '{"deep": [{"a": null}, [], {}, true, 1.5], "text": "q\\"b\\\\s\\n\\u00e9🦊"}',
    '[]',
    '"text"',
    '12345678901234567',
    'true',
    'null',
  ],
  bytes: [
    '\\x00ff5c0a0d09',
    '\\x',
    `\\x${Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0')).join('')}`,
  ],
};

const forms: Readonly<Record<Exclude<Kind, 'text'>, RegExp>> = {
  integer: /^-?\d+$/,
  unsigned: /^\d+$/,
  decimal: /^-?\d+(\.\d+)?$/,
  float: /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/,
  boolean: /^(true|false|t|f)$/,
  date: /^\d{4}-\d\d-\d\d$/,
  datetime: /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?$/,
  instant: /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00$/,
  json: /^\S[\s\S]*$/,
  bytes: /^\\x([\da-f]{2})*$/,
};

/** The same for two forms of one value: with zeros at the end of a fraction, or with spaces in JSON. */
function plain(kind: Exclude<Kind, 'text'>, text: string): string {
  expect(text).toMatch(forms[kind]);
  switch (kind) {
    case 'decimal':
    case 'datetime':
    case 'instant':
      return text.replace(/(\.\d*?)0+(?=$|\+)/, '$1').replace(/\.(?=$|\+)/, '');
    case 'float':
      return String(Number(text));
    case 'json':
      // Digits as text: as numbers they would be rounded here.
      return JSON.stringify(JSON.parse(text.replaceAll(/(?<=[[:,\s]|^)-?\d{10,}/g, '"$&"')));
    case 'boolean':
      // PostgreSQL's own way, which mappings read too.
      return text[0] === 't' ? 'true' : 'false';
    case 'integer':
    case 'unsigned':
    case 'date':
    case 'bytes':
      return text;
    default:
      return kind satisfies never;
  }
}

const types: Readonly<Record<Kind, Column['type']>> = {
  text: 'text',
  integer: 'number',
  unsigned: 'number',
  decimal: 'number',
  float: 'number',
  boolean: 'boolean',
  date: 'time',
  datetime: 'time',
  instant: 'time',
  json: 'json',
  bytes: 'bytes',
};

const numbered = (name: string, kind: Kind, values: readonly (string | null)[]): Given => ({
  name,
  columns: [
    ['k', 'integer'],
    ['v', kind],
  ],
  rows: values.map((value, i) => [String(i), value]),
});

/** What `v` of the rows is by each way of asking, in the order of `k`. */
async function bothWays({ source }: SourceStage, sql: string): Promise<readonly (string | null)[]> {
  const { rows, order } = await readAll(source, { sql, key: ['k'], columns: ['k', 'v'] });
  const shown = await source.preview(sql, rows.length + 1, limits);
  const byKey = shown.rows.toSorted((a, b) => Number(a[0]) - Number(b[0]));
  expect(order).toEqual(['numeric']);
  expect(byKey).toEqual(rows);
  return rows.map((row) => row[1] ?? null);
}

const ofKind = (kind: Exclude<Kind, 'text'>): Point => ({
  key: `values: ${kind}`,
  title: `gives ${kind} values exactly, at their limits`,
  test: async (stage) => {
    const values = [...limitsOf[kind], null];
    const table = await stage.make(numbered(`limits_${kind}`, kind, values));
    const sql = `SELECT k, v FROM ${table}`;

    const came = await bothWays(stage, sql);

    expect(came.map((text) => (text === null ? null : plain(kind, text)))).toEqual(
      values.map((text) => (text === null ? null : plain(kind, text))),
    );
    const columns = await stage.source.describe(sql, limits);
    expect(columns.map(({ name, type }) => [name, type])).toEqual([
      ['k', 'number'],
      ['v', types[kind]],
    ]);
    expect(columns[1]?.native).toMatch(/\S/);
  },
});

export const valuePoints: readonly Point[] = [
  {
    key: 'hostile values',
    title: 'gives every text as it is: signs, escapes, long ones, empty against NULL',
    test: async (stage) => {
      const table = await stage.make(numbered('hostile_texts', 'text', [...hostileTexts, null]));

      expect(await bothWays(stage, `SELECT k, v FROM ${table}`)).toEqual([...hostileTexts, null]);
    },
  },
  {
    key: 'hostile values',
    title: "leaves what stands in the query's own text as it is",
    test: async (stage) => {
      const sql = hostileTexts
        .map((text, i) => `SELECT ${i} AS k, ${stage.words.text(text)} AS v`)
        .join(' UNION ALL\n');

      expect(await bothWays(stage, `${sql} -- the end`)).toEqual(hostileTexts);
    },
  },
  {
    key: 'NUL',
    title: 'gives a text with a NUL in it',
    test: async (stage) => {
      const texts = ['\0', 'a\0b', 'a\0', '\0\\N'];
      const table = await stage.make(numbered('nul_texts', 'text', texts));

      expect(await bothWays(stage, `SELECT k, v FROM ${table}`)).toEqual(texts);
    },
  },
  ...kinds.filter((kind) => kind !== 'text').map(ofKind),
  {
    key: 'not a number',
    title: 'says NaN and Infinity as such',
    test: async (stage) => {
      const texts = ['NaN', 'Infinity', '-Infinity'];
      const sql = texts
        .map((text, i) => `SELECT ${i} AS k, ${expressionOf(stage.words, 'float', text)} AS v`)
        .join(' UNION ALL ');

      expect((await bothWays(stage, sql)).map(Number)).toEqual([
        Number.NaN,
        Number.POSITIVE_INFINITY,
        -Infinity,
      ]);
    },
  },
];
