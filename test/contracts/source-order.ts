import { expect } from 'vitest';
import { limits, readAll, refusal } from './source-house.ts';
import type { Point } from './source-values.ts';

const words: readonly string[] = [
  ...['b', 'B', 'a', 'A', 'ä', 'z', 'Z', '10', '9', 'a b', 'ab', 'a-b', 'a_b', '', ' ', '~'],
  ...['🦊', '\uffee', 'a\tb', 'a\\b', 'a\nb', 'é', 'e\u0301', 'ß', 'ss', 'ﬀ', 'あ', '愛', 'ı', 'I', 'i'],
];

const bytewise = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

const ordering: readonly Point[] = [
  {
    key: 'numeric order',
    title: 'sorts whole numbers by their value',
    test: async ({ make, source }) => {
      const numbers = [
        '-9223372036854775808',
        '-10',
        '-9',
        '-1',
        '0',
        '1',
        '9',
        '10',
        '99',
        '100',
        '9223372036854775807',
      ];
      const table = await make({
        name: 'whole_numbers',
        columns: [['k', 'integer']],
        rows: numbers.toReversed().map((n) => [n]),
      });

      const read = await readAll(source, { sql: `SELECT k FROM ${table}`, key: ['k'], columns: ['k'] });

      expect(read).toEqual({ order: ['numeric'], rows: numbers.map((n) => [n]) });
    },
  },
  {
    key: 'bytes order',
    title: 'sorts text by its bytes, not as a language does, and keeps apart what one takes for the same',
    test: async ({ make, source }) => {
      const table = await make({ name: 'words', columns: [['w', 'text']], rows: words.map((w) => [w]) });

      const read = await readAll(source, { sql: `SELECT w FROM ${table}`, key: ['w'], columns: ['w'] });

      expect(read).toEqual({ order: ['bytes'], rows: words.toSorted(bytewise).map((w) => [w]) });
    },
  },
  {
    key: 'composite keys',
    title: 'sorts by several columns, the key first and then the rest as asked',
    test: async ({ make, source }) => {
      const table = await make({
        name: 'pairs',
        columns: [
          ['n', 'integer'],
          ['t', 'text'],
          ['v', 'text'],
        ],
        rows: [
          ['10', 'b', 'v1'],
          ['9', 'b', 'v2'],
          ['1', 'a', 'v3'],
          ['1', 'B', 'v4'],
          ['2', 'a b', 'v5'],
          ['3', 'a\tb', 'v6'],
        ],
      });

      const read = await readAll(source, {
        sql: `SELECT * FROM ${table}`,
        key: ['t', 'n'],
        columns: ['v', 'n', 't'],
      });

      expect(read).toEqual({
        order: ['bytes', 'numeric'],
        rows: [
          ['B', '1', 'v4'],
          ['a', '1', 'v3'],
          ['a\tb', '3', 'v6'],
          ['a b', '2', 'v5'],
          ['b', '9', 'v2'],
          ['b', '10', 'v1'],
        ],
      });
    },
  },
  {
    key: 'NULL and duplicate keys',
    title: 'lets rows through whose key is NULL, or that of another row',
    test: async ({ make, source }) => {
      const rows = [
        ['2', 'b'],
        [null, 'x'],
        ['1', 'a'],
        ['2', 'c'],
        ['2', 'c'],
        [null, null],
        ['', 'empty'],
      ];
      const table = await make({
        name: 'same_keys',
        columns: [
          ['k', 'text'],
          ['v', 'text'],
        ],
        rows,
      });
      const sql = `SELECT * FROM ${table}`;

      const read = await readAll(source, { sql, key: ['k'], columns: ['k', 'v'] });

      const spelled = (all: readonly (readonly (string | null)[])[]): readonly string[] =>
        all.map((row) => JSON.stringify(row)).toSorted();
      expect(spelled(read.rows)).toEqual(spelled(rows));
      expect(read.rows.map(([k]) => k).filter((k) => k !== null)).toEqual(['', '1', '2', '2', '2']);
      expect((await readAll(source, { sql, key: ['k', 'v'], columns: [] })).rows).toHaveLength(rows.length);
    },
  },
  {
    key: 'no key',
    title: 'reads without a key, in any order',
    test: async ({ source }) => {
      const read = await readAll(source, { sql: "SELECT 1 AS a, 'x' AS b", key: [], columns: ['b', 'a'] });

      expect(read).toEqual({ order: [], rows: [['x', '1']] });
    },
  },
];

const since = (
  kind: 'integer' | 'date' | 'datetime' | 'instant',
  values: readonly string[],
  from: string,
): Point => ({
  key: `since ${kind}`,
  title: `reads what is at or after a watermark: ${kind}`,
  test: async ({ make, source }) => {
    const table = await make({
      name: `since_${kind}`,
      columns: [
        ['k', 'integer'],
        ['at', kind],
      ],
      rows: [...values, null].map((value, i) => [String(i), value]),
    });
    const query = { sql: `SELECT * FROM ${table}`, key: ['k'], columns: ['k'] };

    const { rows } = await readAll(source, { ...query, since: { column: 'at', value: from } });

    expect(rows).toEqual([['1'], ['2']]);
    const injected = { ...query, since: { column: 'at', value: "0' OR '1'='1" } };
    expect((await refusal(source.read(injected, limits))).code).toBe('BUG');
  },
});

const windows: readonly Point[] = [
  since(
    'integer',
    ['9007199254740992', '9007199254740993', '9223372036854775807', '-1'],
    '9007199254740993.000000',
  ),
  since('date', ['2026-03-28', '2026-03-29', '9999-12-31', '0001-01-01'], '2026-03-29T00:00:00.000000Z'),
  since(
    'datetime',
    [
      '2026-03-29 02:30:00.123455',
      '2026-03-29 02:30:00.123456',
      '9999-12-31 23:59:59.999999',
      '1969-12-31 23:59:59',
    ],
    '2026-03-29T02:30:00.123456Z',
  ),
  since(
    'instant',
    [
      '2026-10-25 00:30:00.123455+00',
      '2026-10-25 00:30:00.123456+00',
      '2026-10-25 01:30:00+00',
      '1969-12-31 23:59:59+00',
    ],
    '2026-10-25T00:30:00.123456Z',
  ),
];

export const orderPoints: readonly Point[] = [...ordering, ...windows];
