import { expect } from 'vitest';
import { keyQuestion } from '../../engine/sql/key-question.ts';
import { limits, readAll, refusal, waysToAsk } from './source-house.ts';
import type { Point } from './source-values.ts';

const hostileNames: readonly string[] = [
  'select',
  'a "b" c;--',
  "it's",
  '`ticks`',
  'back\\slash\\',
  'tab\there',
  'a, b',
  'q.k',
  '$1 %s ?',
  'Ünï🦊',
  'UPPER',
  '1',
  '*',
];

const lastPart = (table: string): string => /([^."`]+)["`]?$/.exec(table)?.[1] ?? table;

const naming: readonly Point[] = [
  {
    key: 'hostile names',
    title: 'takes columns whatever they are named',
    test: async (stage) => {
      const impossible = stage.harness.impossibleNames?.names ?? [];
      const names = hostileNames.filter((name) => !impossible.includes(name));
      const table = await stage.make({
        name: 'hostile_names',
        columns: names.map((name) => [name, 'text']),
        rows: [names.map((_, i) => `value ${i}`)],
      });
      const sql = `SELECT * FROM ${table}`;
      const key = names.toReversed();

      const { rows } = await readAll(stage.source, { sql, key, columns: names });

      expect(rows).toEqual([key.map((name) => `value ${names.indexOf(name)}`)]);
      expect((await stage.source.describe(sql, limits)).map(({ name }) => name)).toEqual(names);
      expect((await stage.source.preview(sql, 1, limits)).columns.map(({ name }) => name)).toEqual(names);
    },
  },
  {
    key: 'hostile table',
    title: 'finds a table with an odd name, and reads it by the name that it gave',
    test: async ({ make, source }) => {
      await make({ name: 'Odd "table" `x`; --', columns: [['k', 'integer']], rows: [['7']] });

      const found = await source.tables('odd "tab');

      expect(found).toHaveLength(1);
      const { rows } = await readAll(source, {
        sql: source.selectAll(found[0] ?? ''),
        key: ['k'],
        columns: ['k'],
      });
      expect(rows).toEqual([['7']]);
    },
  },
  {
    key: 'tables',
    title: 'finds tables by a part of their name, the best first, and takes no sign for a pattern',
    test: async ({ make, source }) => {
      for (const name of ['a_list_of_orders', 'orders_old', 'orders']) {
        await make({ name, columns: [['k', 'integer']], rows: [['1']] });
      }

      const found = await source.tables('ORDERS');

      expect(found.map((table) => lastPart(table).toLowerCase())).toEqual([
        'orders',
        'orders_old',
        'a_list_of_orders',
      ]);
      for (const typed of ['ord%s', "%_'\\", 'or_ers', '[o]rders', 'orders\\', "orders'; --"]) {
        expect(await source.tables(typed), typed).toEqual([]);
      }
      expect((await source.tables('')).length).toBeLessThanOrEqual(100);
    },
  },
];

const asking: readonly Point[] = [
  {
    key: 'ways of writing',
    title: 'takes a query that ends in a semicolon, in a comment, or begins with WITH',
    test: async ({ make, source }) => {
      const table = await make({ name: 'ways', columns: [['k', 'integer']], rows: [['1'], ['2'], ['3']] });
      for (const sql of [
        `SELECT k FROM ${table};`,
        `SELECT k FROM ${table} -- all`,
        `SELECT k FROM ${table}; -- all;`,
        `/* ( */ WITH a AS (SELECT k FROM ${table})\nSELECT k FROM a ORDER BY k DESC`,
        `SELECT k FROM ${table}\n\n;`,
      ]) {
        expect(await source.count(sql, limits), sql).toBe(3);
        expect((await source.describe(sql, limits)).map(({ name }) => name)).toEqual(['k']);
        expect((await readAll(source, { sql, key: ['k'], columns: ['k'] })).rows).toEqual([
          ['1'],
          ['2'],
          ['3'],
        ]);
      }
    },
  },
  {
    key: 'key question',
    title: 'answers how many rows a key would leave out, and which share one, whatever its columns are named',
    test: async (stage) => {
      const impossible = stage.harness.impossibleNames?.names ?? [];
      const [one = '', another = ''] = hostileNames.filter((name) => !impossible.includes(name)).slice(1);
      const table = await stage.make({
        name: 'keys_to_examine',
        columns: [
          [one, 'text'],
          [another, 'integer'],
        ],
        rows: [
          ['a', '1'],
          ['A', '1'],
          ['a ', '1'],
          ['a', '1'],
          ['a', '2'],
          [null, '1'],
          ['a', null],
        ],
      });
      const counts = async (sql: string, key: readonly string[]): Promise<readonly number[] | undefined> =>
        (await stage.source.preview(keyQuestion(stage.source.dialect, sql, key), 1, limits)).rows[0]?.map(
          Number,
        );

      expect(await counts(`SELECT * FROM ${table} -- all;`, [one, another])).toEqual([7, 5, 4]);
      expect(await counts(`SELECT * FROM ${table};`, [one])).toEqual([7, 6, 3]);
      expect(await counts(`SELECT * FROM ${table} WHERE 1 = 0`, [another])).toEqual([0, 0, 0]);
    },
  },
  {
    key: 'preview',
    title: 'shows as many rows as it is asked for, and counts all',
    test: async ({ source, words }) => {
      const sql = words.series(1234);

      expect((await source.preview(sql, 7, limits)).rows).toHaveLength(7);
      expect((await source.preview(sql, 5000, limits)).rows).toHaveLength(1234);
      expect(await source.count(sql, limits)).toBe(1234);
    },
  },
  {
    key: 'empty',
    title: 'knows the columns of a result without rows',
    test: async ({ make, source }) => {
      const table = await make({
        name: 'empty',
        columns: [
          ['k', 'integer'],
          ['v', 'text'],
        ],
        rows: [],
      });
      const sql = `SELECT k, v FROM ${table}`;

      expect(await readAll(source, { sql, key: ['k'], columns: ['k', 'v'] })).toEqual({
        order: ['numeric'],
        rows: [],
      });
      const { columns, rows } = await source.preview(sql, 10, limits);
      expect([columns.map(({ name }) => name), rows]).toEqual([['k', 'v'], []]);
      expect(await source.count(sql, limits)).toBe(0);
      expect(await source.suggestKey(sql, limits)).toBeInstanceOf(Array);
    },
  },
  {
    key: 'missing column',
    title: 'says which column the query does not have any more',
    test: async ({ source }) => {
      for (const query of [
        { key: ['gone'], columns: ['k'] },
        { key: ['k'], columns: ['k', 'gone'] },
      ]) {
        expect(await refusal(source.read({ sql: 'SELECT 1 AS k', ...query }, limits))).toMatchObject({
          code: 'SQL_FAILED',
          message: expect.stringContaining('gone'),
        });
      }
    },
  },
  {
    key: 'two of one name',
    title: 'refuses two columns of one name, and names it',
    test: async ({ source }) => {
      const sql = 'SELECT 1 AS k, 2 AS twin, 3 AS twin';
      for (const [name, ask] of waysToAsk(source, sql).filter(([way]) => way !== 'count')) {
        expect(await refusal(ask()), name).toMatchObject({
          code: 'SQL_FAILED',
          message: expect.stringMatching(/twin/i),
        });
      }
    },
  },
  ...['error words', 'error position'].map(
    (key): Point => ({
      key,
      title:
        key === 'error words'
          ? "tells the warehouse's own words about an error"
          : "says where an error is in the person's own text",
      test: async ({ make, source }) => {
        const table = await make({ name: key.replace(' ', '_'), columns: [['k', 'integer']], rows: [['1']] });
        const sql = `SELECT k,\n  nmae FROM ${table}`;
        const message = expect.stringMatching(key === 'error words' ? /nmae/i : /\(line 2, column 3\)/);
        for (const [name, ask] of waysToAsk(source, sql)) {
          const said = { code: 'SQL_FAILED', message, fix: expect.any(String) };
          expect(await refusal(ask()), name).toMatchObject(said);
        }
      },
    }),
  ),
];

const suggesting: readonly Point[] = [
  {
    key: 'suggests: primary key',
    title: 'suggests the primary key before what else is unique, and its columns together',
    test: async ({ make, source }) => {
      const single = await make({
        name: 'with_primary_key',
        columns: [
          ['id', 'integer'],
          ['zeta', 'integer'],
        ],
        rows: [
          ['5', '1'],
          ['6', '2'],
        ],
        primaryKey: ['zeta'],
      });
      const several = await make({
        name: 'with_two_primary_keys',
        columns: [
          ['person', 'integer'],
          ['team', 'integer'],
          ['role', 'text'],
        ],
        rows: [
          ['1', '1', 'x'],
          ['2', '1', 'x'],
          ['1', '2', 'x'],
        ],
        primaryKey: ['team', 'person'],
      });

      expect(await source.suggestKey(`SELECT * FROM ${single}`, limits)).toEqual(['zeta']);
      expect(await source.suggestKey(`SELECT * FROM ${several}`, limits)).toEqual(['team', 'person']);
    },
  },
  {
    key: 'suggests: unique',
    title: 'suggests what is unique and never NULL, by its name, and nothing where nothing is',
    test: async ({ make, source }) => {
      const table = await make({
        name: 'no_primary_key',
        columns: [
          ['label', 'text'],
          ['holey_id', 'integer'],
          ['account_id', 'integer'],
          ['region', 'text'],
        ],
        rows: [
          ['a', '1', '10', 'eu'],
          ['b', null, '20', 'eu'],
          ['c', '3', '30', 'us'],
        ],
      });

      expect(await source.suggestKey(`SELECT * FROM ${table}`, limits)).toEqual(['account_id']);
      expect(await source.suggestKey(`SELECT label, region FROM ${table}`, limits)).toEqual(['label']);
      expect(await source.suggestKey(`SELECT region, holey_id FROM ${table}`, limits)).toEqual([]);
    },
  },
];

export const questionPoints: readonly Point[] = [...naming, ...asking, ...suggesting];
