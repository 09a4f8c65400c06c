import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mysql } from '../../connectors/mysql/index.ts';
import type { KeyOrder, Source } from '../../engine/contracts/source.ts';
import { converterTo } from '../../engine/mapping/convert.ts';
import { partOf } from '../contracts/works.ts';
import { openFor } from '../support/connect.ts';
import { hasMariadb, startMariadb } from '../support/mariadb.ts';
import { limits, type Shop, startShop, textOf } from '../support/mysql-shop.ts';

const bytewise = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

describe.skipIf(!hasMariadb)('a real MariaDB server (skipped where there is no mariadbd)', () => {
  let shop: Shop;
  let source: Source;
  let all: Shop['all'];

  beforeAll(async () => {
    shop = await startShop();
    ({ source, all } = shop);
  }, 60_000);

  afterAll(() => shop?.close());

  const readKeys = async (sql: string, key: readonly string[]): Promise<readonly string[]> =>
    (await textOf(await source.read({ sql, key, columns: key }, limits))).split('\n').slice(0, -1);

  describe('values', () => {
    it('are the exact text: integers of 64 bits, decimals, microseconds, bits, bytes, JSON', async () => {
      await all(
        `create table exact (b bigint, u bigint unsigned, z int(6) zerofill, t tinyint(1), y year, n decimal(65,30), f float, d double,
           big double, small double, b1 bit(1), b9 bit(9), day date, dt datetime(6), ts timestamp(6) null, dur time(3),
           c char(4), v varchar(40), e enum('x','y'), s set('p','q'), bin varbinary(9), fixed binary(3), bl blob, j json, u1 uuid, ip inet6, nothing int)`,
        `insert into exact values (-9223372036854775808, 18446744073709551615, 7, 2, 2026,
           12345678901234567890123456789012345.123456789012345678901234567890, 16777217, 0.1e0 + 0.2e0,
           -1.7976931348623157e308, 2.2250738585072014e-308, b'1', b'101', '2026-01-02', '2026-01-02 03:04:05.123456',
           '2026-01-02 03:04:05.654321', '-838:59:59.5', 'ab', 'tab\\tnew\\nline\\\\slash 🦊', 'y', 'p,q', x'00ff', x'01', x'C0AF',
           '{"n": 9007199254740993, "f": 1.10}', '123e4567-e89b-12d3-a456-426614174000', '::1', null)`,
      );
      const exact: Readonly<Record<string, string | null>> = {
        b: '-9223372036854775808',
        u: '18446744073709551615',
        z: '7',
        // May hold more than yes and no.
        t: '2',
        y: '2026',
        n: '12345678901234567890123456789012345.123456789012345678901234567890',
        f: '16777216',
        d: '0.30000000000000004',
        big: '-1.7976931348623157e308',
        small: '2.2250738585072014e-308',
        b1: 'true',
        b9: '5',
        day: '2026-01-02',
        dt: '2026-01-02 03:04:05.123456',
        ts: '2026-01-02 03:04:05.654321+00',
        dur: '-838:59:59.500',
        c: 'ab',
        v: 'tab\tnew\nline\\slash 🦊',
        e: 'y',
        s: 'p,q',
        bin: '\\x00ff',
        fixed: '\\x010000',
        bl: '\\xc0af',
        j: '{"n": 9007199254740993, "f": 1.10}',
        u1: '123e4567-e89b-12d3-a456-426614174000',
        ip: '::1',
        nothing: null,
      };
      await all("set time_zone = '+00:00'", "update exact set ts = '2026-01-02 03:04:05.654321'");

      const { columns, rows } = await source.preview('select * from exact', 5, limits);

      expect(Object.fromEntries(columns.map(({ name }, at) => [name, rows[0]?.[at]]))).toEqual(exact);
    });

    it('have their kind and their native name', async () => {
      const columns = await source.describe('select * from exact', limits);

      expect(columns.map(({ name, type, native }) => `${name} ${type} ${native}`)).toEqual([
        'b number bigint',
        'u number bigint unsigned',
        'z number int unsigned',
        't number tinyint',
        'y number year',
        'n number decimal(65,30)',
        'f number float',
        'd number double',
        'big number double',
        'small number double',
        'b1 boolean bit(1)',
        'b9 number bit(9)',
        'day time date',
        'dt time datetime(6)',
        'ts time timestamp(6)',
        'dur text time(3)',
        'c text char(4)',
        'v text varchar(40)',
        'e text enum',
        's text set',
        'bin bytes varbinary(9)',
        'fixed bytes binary(3)',
        'bl bytes blob',
        'j json json',
        'u1 text uuid',
        'ip text inet6',
        'nothing number int',
      ]);
    });

    it('come the same from a server that is set up otherwise', async () => {
      const settings = ['time_zone', 'sql_mode', 'div_precision_increment'];
      const sql =
        "select 1 as k, (select ts from exact) as ts, cast('ab' as char(4)) as c, (select c from exact) as padded, '\\\\t' as back, 1 as `q`";
      const read = async (): Promise<string> =>
        textOf(await source.read({ sql, key: ['k'], columns: ['ts', 'c', 'padded', 'back'] }, limits));
      const before = await read();
      await all(
        "set global time_zone = '-05:00'",
        "set global sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,EMPTY_STRING_IS_NULL'",
        "set global init_connect = 'set names latin1'",
      );

      expect(before).toBe('1\t2026-01-02 03:04:05.654321+00\tab\tab\t\\\\t\n');
      try {
        expect(await read()).toBe(before);
      } finally {
        await all(...settings.map((name) => `set global ${name} = default`), "set global init_connect = ''");
      }
    });

    it('are whole where the server does not listen to what encoding a client wants', async () => {
      const deaf = await startMariadb(['--skip-character-set-client-handshake']);
      const there = await openFor(mysql, { url: deaf.adminUrl });
      try {
        const { rows } = await partOf(there.connection, 'source').preview("select 'Ünï 🦊' as a", 1, limits);

        expect(rows).toEqual([['Ünï 🦊']]);
      } finally {
        await there.close();
        await deaf.stop();
      }
    }, 60_000);

    it('with the date 0000-00-00 keep it, and it fits no field for dates', async () => {
      await all("set sql_mode = ''", 'create table zeros (d date, t timestamp null)');
      await all("insert into zeros values ('0000-00-00', '0000-00-00 00:00:00')", 'set sql_mode = default');

      const { columns, rows } = await source.preview('select * from zeros', 1, limits);

      expect(rows).toEqual([['0000-00-00', '0000-00-00 00:00:00+00']]);
      const toDate = converterTo(
        { name: 'd', label: 'D', type: 'date', required: false, key: false },
        columns[0] ?? { name: '', type: 'time', native: '' },
      );
      expect(() => toDate('0000-00-00')).toThrow('takes a date');
    });

    it('of yes and no in TINYINT(1) fit a field for yes and no', () => {
      const convert = converterTo(
        { name: 'a', label: 'A', type: 'boolean', required: false, key: false },
        { name: 'a', type: 'number', native: 'tinyint' },
      );

      expect([convert('1'), convert('0')]).toEqual([true, false]);
    });
  });

  describe('queries', () => {
    it.each([
      'select id from accounts -- all of them',
      'select id from accounts # all of them',
      'select id from accounts; -- done',
      'with a as (select 1 as id) select * from a;',
      '(select 1 as id) union all select 2',
    ])('can be written like this: %s', async (sql) => {
      expect((await source.describe(sql, limits))[0]?.name).toBe('id');
      expect((await readKeys(sql, ['id'])).length).toBe(await source.count(sql, limits));
    });

    it('can name tables and columns anyhow', async () => {
      const [table = ''] = await source.tables('odd.');
      const sql = source.selectAll(table);

      expect(table).toBe('shop.`odd.``table --`');
      expect(
        await textOf(await source.read({ sql, key: ['a "b" c;--'], columns: ['Ünï', 'a "b" c;--'] }, limits)),
      ).toBe('1\tx\n');
    });

    it.each(['select 1 as a, 2 as a', 'select 1 as a, 2 as A'])(
      'may not have two columns of one name: %s',
      async (sql) => {
        await expect(source.describe(sql, limits)).rejects.toMatchObject({
          code: 'SQL_FAILED',
          message: expect.stringMatching(/^Two columns of the query are named “a”\.$/i),
        });
      },
    );

    it('may not lose a column that is used', async () => {
      await expect(
        source.read({ sql: 'select 1 as a', key: ['id'], columns: ['a'] }, limits),
      ).rejects.toMatchObject({
        code: 'SQL_FAILED',
        message: 'The query has no column “id” (any more).',
        fix: expect.stringContaining('It has: a.'),
      });
    });

    it('that fail say where in their own text', async () => {
      const sql = 'select id,\n  nmae frm accounts where';
      const said = { code: 'SQL_FAILED', message: expect.stringContaining('at line 2') };

      await expect(source.describe(sql, limits)).rejects.toMatchObject(said);
      await expect(source.count(sql, limits)).rejects.toMatchObject(said);
      await expect(source.read({ sql, key: ['id'], columns: [] }, limits)).rejects.toMatchObject(said);
    });

    it('are described without being run', async () => {
      const sql = 'select sleep(30) as s, id from accounts';

      expect((await source.describe(sql, { timeoutMs: 2000 })).map(({ name }) => name)).toEqual(['s', 'id']);
    });

    it('that fail only while running break the reading', async () => {
      const sql = 'select seq as id, (select 1 union select 2 where seq > 90000) as x from seq_1_to_100000';
      const reading = await source.read({ sql, key: ['id'], columns: ['x'] }, limits);

      await expect(textOf(reading)).rejects.toMatchObject({
        code: 'SQL_FAILED',
        message: expect.stringContaining('more than 1 row'),
      });
      expect(await source.count('select 1', limits)).toBe(1);
    });

    it('read from a time or a number on', async () => {
      await all(
        'create table moments (id int primary key, at timestamp(6) null, day date, dt datetime(6))',
        "insert into moments values (1, '2026-01-01 00:00:00.000001', '2026-01-01', '2026-01-01 00:00:00.000001'), (2, '2026-01-02', '2026-01-02', '2026-01-02')",
      );
      const ids = async (column: string, value: string): Promise<string> =>
        textOf(
          await source.read(
            { sql: 'select * from moments', key: ['id'], columns: ['id'], since: { column, value } },
            limits,
          ),
        );

      expect(await ids('at', '2026-01-01T00:00:00.000001Z')).toBe('1\n2\n');
      expect(await ids('dt', '2026-01-01T00:00:00.000002Z')).toBe('2\n');
      expect(await ids('day', '2026-01-02T00:00:00.000000Z')).toBe('2\n');
      expect(await ids('id', '2.000000')).toBe('2\n');
      await expect(ids('id', '1 or 1=1')).rejects.toMatchObject({ code: 'BUG' });
    });
  });

  describe('key order', () => {
    const order = async (
      sql: string,
      key: readonly string[],
    ): Promise<{ readonly sorted: boolean; readonly order: readonly KeyOrder[] }> => {
      const reading = await source.read({ sql, key, columns: key }, limits);
      await reading.lines[Symbol.asyncIterator]().return?.();
      return { sorted: reading.sorted, order: reading.order };
    };

    it('is numeric for integers, below zero and above 63 bits', async () => {
      await all(
        'create table numbers (id bigint primary key, u bigint unsigned unique)',
        'insert into numbers select -seq, 18446744073709551615 - seq from seq_1_to_1000',
        'insert into numbers select seq, seq from seq_1_to_1000',
      );

      expect(await order('select * from numbers', ['id'])).toEqual({ sorted: true, order: ['numeric'] });
      expect((await readKeys('select * from numbers', ['id'])).slice(998, 1002)).toEqual([
        '-2',
        '-1',
        '1',
        '2',
      ]);
      expect((await readKeys('select * from numbers', ['u'])).slice(998, 1002)).toEqual([
        '999',
        '1000',
        '18446744073709550615',
        '18446744073709550616',
      ]);
    });

    it('is by bytes for text: case, accents and spaces at the end count, whatever the collation', async () => {
      const words = [
        'b',
        'B',
        'a',
        'a ',
        'a\t',
        'a\0',
        'A',
        'ä',
        'z',
        '10',
        '9',
        'a b',
        'a-b',
        '',
        '🦊',
        '\uffee',
        'é',
        'e\u0301',
      ];
      await all('create table words (w varchar(40) collate utf8mb4_general_ci)');
      await shop.admin.query('insert into words values ?', [words.map((word) => [word])]);

      const read = await readKeys('select w from words', ['w']);

      expect(read).toEqual([...words].sort(bytewise).map((word) => word.replaceAll('\t', '\\t')));
      expect(await order('select w from words', ['w'])).toEqual({ sorted: true, order: ['bytes'] });
    });

    it('is by the bytes that are sent, whatever the encoding of the column', async () => {
      const words = ['あ', '愛', 'ア', 'z', '一', '亜'];
      await all('create table japanese (w varchar(40)) character set ujis');
      await shop.admin.query('insert into japanese values ?', [words.map((word) => [word])]);

      expect(await readKeys('select w from japanese', ['w'])).toEqual([...words].sort(bytewise));
    });

    it('is by the bytes of their text for everything else', async () => {
      await all(
        'create table others (n decimal(4,1), d date, b varbinary(9), t timestamp(6) null)',
        "insert into others values (10, '2026-01-02', x'ff', '2026-01-02 00:00:00.5'), (9.5, '0999-01-02', x'00', '2026-01-02'), (-1, '2025-01-02', x'7f', null)",
      );

      expect(await readKeys('select * from others', ['n'])).toEqual(['-1.0', '10.0', '9.5']);
      expect(await readKeys('select * from others', ['d'])).toEqual([
        '0999-01-02',
        '2025-01-02',
        '2026-01-02',
      ]);
      expect(await readKeys('select * from others', ['b'])).toEqual(['\\\\x00', '\\\\x7f', '\\\\xff']);
    });

    it('goes by several columns', async () => {
      const sql = 'select account_id, person, role from memberships';
      const query = { sql, key: ['person', 'account_id'], columns: ['account_id', 'role', 'person'] };

      expect(await order(sql, query.key)).toEqual({ sorted: true, order: ['bytes', 'numeric'] });
      expect(await textOf(await source.read(query, limits))).toBe('a\t1\tx\na\t2\tx\nb\t1\tx\n');
    });

    it('is none for texts of which the server compares only the beginning', async () => {
      await all('create table longs (t text, v varchar(300), s varchar(255))');

      expect(await order('select * from longs', ['t'])).toEqual({ sorted: false, order: ['bytes'] });
      expect(await order('select * from longs', ['v'])).toMatchObject({ sorted: false });
      expect(await order('select * from longs', ['s'])).toMatchObject({ sorted: true });
    });

    it('is kept where the server is set to compare even less', async () => {
      const words = ['x'.repeat(250), `${'x'.repeat(249)}y`, `${'x'.repeat(249)}a`];
      await shop.admin.query('insert into longs (s) values ?', [words.map((word) => [word])]);
      await all('set global max_sort_length = 64');
      try {
        expect(await readKeys('select s from longs', ['s'])).toEqual([...words].sort(bytewise));
      } finally {
        await all('set global max_sort_length = default');
      }
    });

    it('is any where there is no key', async () => {
      const reading = await source.read(
        { sql: 'select 1 as a, 2 as b', key: [], columns: ['b', 'a'] },
        limits,
      );

      expect(reading.order).toEqual([]);
      expect(await textOf(reading)).toBe('2\t1\n');
    });
  });
});
