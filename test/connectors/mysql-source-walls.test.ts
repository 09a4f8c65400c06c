import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mysql } from '../../connectors/mysql/index.ts';
import { excessOf } from '../../connectors/mysql/rights.ts';
import type { Reading, Source } from '../../engine/contracts/source.ts';
import { partOf } from '../contracts/works.ts';
import { openFor } from '../support/connect.ts';
import { startCutWay } from '../support/cut.ts';
import { hasMariadb } from '../support/mariadb.ts';
import { limits, type Shop, startShop, textOf } from '../support/mysql-shop.ts';

/** Reads on where an answer is a reading, so that nothing is let off that fails only then. */
async function readIfAny(answer: unknown): Promise<void> {
  if (typeof answer === 'object' && answer !== null && 'lines' in answer) {
    await textOf(answer as Reading);
  }
}

describe.skipIf(!hasMariadb)('a real MariaDB server (skipped where there is no mariadbd)', () => {
  let shop: Shop;
  let source: Source;
  let ask: Shop['ask'];
  let all: Shop['all'];

  beforeAll(async () => {
    shop = await startShop();
    ({ source, ask, all } = shop);
  }, 60_000);

  afterAll(() => shop?.close());

  const readKeys = async (sql: string, key: readonly string[]): Promise<readonly string[]> =>
    (await textOf(await source.read({ sql, key, columns: key }, limits))).split('\n').slice(0, -1);

  describe('what a query may not do, even for a user who may do anything', () => {
    let folder: string;
    const attacks: readonly string[] = [
      "select 1 into outfile '%/pwned'",
      "select 1) m into outfile '%/pwned' -- ",
      "select 1) m into outfile '%/pwned' #",
      "select 1 /*! ) m into outfile '%/pwned' */ -- ",
      "select 1 /*M! ) m into dumpfile '%/pwned' */ -- ",
      "select 1 union select 2 into outfile '%/pwned'",
      "select 1 as id from accounts limit 1 into dumpfile '%/pwned'",
      'select 1 into @a',
      'select 1; create table pwned (a int)',
      'select 1) as q; create table pwned (a int); select * from (select 1',
      'create table pwned (a int)',
      'drop table accounts',
      'set session transaction read write',
      'insert into accounts values (99, "x", 1)',
      'delete from accounts',
      'select * from accounts for update',
      'select 1 as id /*',
      'call sys.nothing()',
      'show tables',
    ];

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'activate-outfile-'));
      await all(
        'create function sneaky() returns int modifies sql data begin insert into accounts values (77, "x", 1); return 1; end',
        'create function opener() returns int begin set session tx_read_only = 0; return 1; end',
        'create sequence numbers_given',
      );
    });

    afterAll(() => rmSync(folder, { recursive: true }));

    it.each(attacks)('%s', async (attack) => {
      const sql = attack.replace('%', folder);

      await shop.withUser('careless', async (careless) => {
        for (const attempt of [
          () => careless.describe(sql, limits),
          () => careless.preview(sql, 5, limits),
          () => careless.count(sql, limits),
          () => careless.read({ sql, key: ['id'], columns: [] }, limits),
        ]) {
          await expect(attempt().then(readIfAny)).rejects.toMatchObject({ name: 'ActivateError' });
        }
      });

      expect(existsSync(join(folder, 'pwned'))).toBe(false);
      expect(await ask("show tables like 'pwned'")).toEqual([]);
      expect(await ask('select count(*) as n from accounts')).toEqual([{ n: 50 }]);
    });

    it.each([
      'select sneaky() as id',
      'select opener() as a, sneaky() as b',
      'select nextval(numbers_given) as id',
      'select * from accounts for update',
    ])('writes through what it calls: %s', async (sql) => {
      await expect(
        shop.withUser('careless', (careless) => careless.preview(sql, 5, limits)),
      ).rejects.toMatchObject({ code: 'SQL_UNSAFE', fix: 'Use a query that only reads.' });
      expect(await ask('select count(*) as n from accounts')).toEqual([{ n: 50 }]);
    });

    it('leaves a lock or a variable behind', async () => {
      await source.preview("select get_lock('mine', 0) as l, @left := 5 as v", 1, limits);

      expect(await ask("select is_free_lock('mine') as free")).toEqual([{ free: 1 }]);
      expect((await source.preview('select @left as v', 1, limits)).rows).toEqual([[null]]);
    });
  });

  describe('limits', () => {
    it('stop a slow query at the server and name the limit', async () => {
      const sql = "select benchmark(1e10, md5('x')) as id, 'mark-slow' as m";

      await expect(source.preview(sql, 1, { timeoutMs: 300 })).rejects.toMatchObject({
        code: 'SQL_TIMEOUT',
        message: 'The query was stopped after 0.3 seconds.',
      });
      await shop.untilRunning('mark-slow', 0);
    });

    it('stop a reading that has begun', async () => {
      const sql = 'select seq as id, sleep(if(seq > 20000, 1, 0)) as s from seq_1_to_100000';
      const reading = await source.read({ sql, key: ['id'], columns: ['s'] }, { timeoutMs: 1500 });

      await expect(textOf(reading)).rejects.toMatchObject({ code: 'SQL_TIMEOUT' });
    });

    it('stop at the server when the signal fires', async () => {
      const abort = new AbortController();
      const sql = "select sleep(30) as s, 'mark-one' as m";
      const asked = source.preview(sql, 1, { ...limits, signal: abort.signal });
      const failed = expect(asked).rejects.toMatchObject({ code: 'CANCELED' });
      await shop.untilRunning('mark-one', 1);

      abort.abort();

      await failed;
      await shop.untilRunning('mark-one', 0);
    });

    it.each(['before the first piece', 'after the first piece'])(
      'stop at the server when the reading is broken off %s, though rows are unread',
      async (when) => {
        const mark = `mark ${when}`;
        const sql = `select seq as id, repeat('x', 200) as x, '${mark}' as m from seq_1_to_300000`;
        const reading = await source.read({ sql, key: ['id'], columns: ['x'] }, limits);
        const iterator = reading.lines[Symbol.asyncIterator]();
        if (when.startsWith('after')) {
          await iterator.next();
        }
        await shop.untilRunning(mark, 1);

        await iterator.return?.();

        await shop.untilRunning(mark, 0);
        expect(await source.count('select 1', limits)).toBe(1);
      },
    );

    it('hold a slow reader of much data, in little memory, however short the server waits for others', async () => {
      await all('set global net_write_timeout = 1');
      try {
        const sql = "select seq as id, repeat('x', 1000) as x from seq_1_to_100000";
        const reading = await source.read({ sql, key: ['id'], columns: ['x'] }, limits);
        let bytes = 0;
        let held = 0;
        const from = process.memoryUsage.rss();
        const waitedFrom = Date.now();
        for await (const piece of reading.lines) {
          bytes += piece.length;
          held = Math.max(held, process.memoryUsage.rss() - from);
          // The first pieces are taken while the server has long been waiting to send more.
          while (Date.now() - waitedFrom < 3000) {
            await new Promise(setImmediate);
          }
        }

        expect(bytes).toBe(100_000 * 1002 + 488_895);
        expect(held).toBeLessThan(60e6);
      } finally {
        await all('set global net_write_timeout = default');
      }
    });
  });

  describe('a result that is less than what was asked for', () => {
    const sql = "select seq as id, repeat('x', 500) as x from seq_1_to_200000";

    it('is a failure where the connection is cut in the middle', async () => {
      const way = await startCutWay(shop.server.port);
      const other = await openFor(mysql, { url: shop.url('reader', way.port) });
      const reading = await partOf(other.connection, 'source').read(
        { sql, key: ['id'], columns: ['x'] },
        limits,
      );

      way.after(5_000_000);

      // An end in good order, between two bytes of a row.
      await expect(textOf(reading)).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining('was lost'),
      });
      await other.close();
      await way.close();
    });

    it.each(['kill', 'kill query'])('is a failure where somebody stops it: %s', async (how) => {
      const mark = `mark ${how}`;
      const reading = await source.read(
        { sql: sql.replace('from', `, '${mark}' as m from`), key: ['id'], columns: ['x'] },
        limits,
      );
      const iterator = reading.lines[Symbol.asyncIterator]();
      await iterator.next();
      const [row] = await ask(
        `select id from information_schema.processlist where info like '%${mark}%' and id <> connection_id()`,
      );

      await all(`${how} ${String(row?.['id'])}`);

      const rest = async (): Promise<void> => {
        while ((await iterator.next()).done !== true) {
          // All that had been sent before comes first.
        }
      };
      await expect(rest()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    });

    it('is none where the server is set to give only so many rows', async () => {
      await all('set global sql_select_limit = 3');
      try {
        expect((await readKeys('select id from accounts', ['id'])).length).toBe(50);
        expect((await source.preview('select id from accounts', 9, limits)).rows.length).toBe(9);
      } finally {
        await all('set global sql_select_limit = default');
      }
    });

    it('is none where the server is set to refuse large joins', async () => {
      await all('set global max_join_size = 10');
      try {
        expect(await source.count('select a.id from accounts a, accounts b', limits)).toBe(2500);
      } finally {
        await all('set global max_join_size = default');
      }
    });

    it('is none where GROUP_CONCAT is cut short by default', async () => {
      await all('set global group_concat_max_len = 10');
      try {
        const { rows } = await source.preview('select group_concat(name) as n from accounts', 1, limits);

        expect(rows[0]?.[0]?.length).toBe(50 * 'Account 1,'.length + 41 - 1);
      } finally {
        await all('set global group_concat_max_len = default');
      }
    });

    it('is a failure where LIMIT ROWS EXAMINED ends it early, which is a warning to the server', async () => {
      const cut = 'select a.id from accounts a, accounts b limit rows examined 100';
      const said = { code: 'SQL_FAILED', message: expect.stringContaining('left out rows') };

      await expect(source.count(cut, limits)).rejects.toMatchObject(said);
      await expect(
        source.read({ sql: cut, key: ['id'], columns: ['id'] }, limits).then(textOf),
      ).rejects.toMatchObject(said);
    });

    it.each(['longtext', 'longblob'])(
      'is a failure for a stored value that is larger than a packet may be, of which the server makes NULL: %s',
      async (type) => {
        await all(
          `create table huge_${type} (id int primary key, v ${type})`,
          `insert into huge_${type} values (1, repeat('x', 15000000))`,
          'set global max_allowed_packet = 8388608',
        );
        try {
          const query = { sql: `select * from huge_${type}`, key: ['id'], columns: ['v'] };

          await expect(source.read(query, limits).then(textOf)).rejects.toMatchObject({
            code: 'SQL_FAILED',
            message: expect.stringContaining('max_allowed_packet'),
          });
        } finally {
          await all('set global max_allowed_packet = default');
        }
      },
    );

    it('is a failure where a text is too large for the server, which makes it NULL', async () => {
      await expect(source.preview("select repeat('x', 20000000) as x", 1, limits)).rejects.toMatchObject({
        code: 'SQL_FAILED',
        message: expect.stringContaining('max_allowed_packet'),
      });
    });
  });

  describe('help with choosing', () => {
    it('finds tables and views, quoted where needed', async () => {
      expect(await source.tables('acc')).toEqual(['shop.accounts']);
      expect(await source.tables('shop.liv')).toEqual(['shop.lives']);
      expect(await source.tables("%_'\\")).toEqual([]);
      expect(await source.count(source.selectAll('shop.lives'), limits)).toBe(50);
    });

    it('suggests the primary key, then what is unique', async () => {
      expect(await source.suggestKey('select name, score, id from accounts', limits)).toEqual(['id']);
      expect(await source.suggestKey('select person, account_id from memberships', limits)).toEqual([
        'account_id',
        'person',
      ]);
      expect(await source.suggestKey('select 1 as region union all select 1', limits)).toEqual([]);
    });

    it('says in sentences what the user may do beyond reading', async () => {
      const sentences = (user: string): Promise<readonly string[]> =>
        shop.withUser(user, (_, other) => other.connection.check('source'));
      await all(
        'create role helpers',
        'grant insert, delete on shop.accounts to helpers',
        "create user handy identified by 'pw'",
        'grant select (id), update (name) on shop.accounts to handy',
        'grant file, process on *.* to handy',
        'grant execute, create temporary tables on shop.* to handy',
        'grant helpers to handy',
        'set default role helpers for handy',
      );

      expect(await sentences('reader')).toEqual([]);
      expect(await sentences('careless')).toEqual(['The user may do anything on the whole server.']);
      expect(await sentences('handy')).toEqual([
        'The user may change rows (DELETE, INSERT, UPDATE).',
        'The user may make, change or drop tables and what belongs to them (CREATE TEMPORARY TABLES).',
        'The user may call functions and procedures of the database, which can do more than the user (EXECUTE).',
        'The user may read and write files of the server (FILE).',
        'The user sees what everybody else asks the server (PROCESS).',
      ]);
    });

    it('says which right is missing', async () => {
      await all('create database secret', 'create table secret.t (a int)');

      await expect(source.count('select * from secret.t', limits)).rejects.toMatchObject({
        code: 'PERMISSION_DENIED',
        fix: expect.stringContaining("TO 'reader'"),
      });
    });
  });
});

describe('grants as MySQL 8 writes them', () => {
  it('are read into sentences, without repeating what else they hold', () => {
    const grants = [
      'GRANT SELECT, RELOAD, SHUTDOWN ON *.* TO `u`@`%` WITH GRANT OPTION',
      'GRANT BACKUP_ADMIN,CONNECTION_ADMIN ON *.* TO `u`@`%`',
      'GRANT ALL PRIVILEGES ON `odd`` ON x.* TO `.* TO `u`@`%`',
      'GRANT SELECT (`a, INSERT`, `b)`), LOCK TABLES ON `d`.`t` TO `u`@`%`',
      'GRANT `insert`@`%`,`r2`@`%` TO `u`@`%`',
      "GRANT USAGE ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*B69027D44F6E5EDC'",
      'GRANT PROXY ON ``@`` TO `u`@`%` WITH GRANT OPTION',
    ];

    expect(excessOf(grants)).toEqual([
      'The user may do anything with at least one database.',
      'The user may lock tables for everybody (LOCK TABLES).',
      'The user may give rights to others (GRANT OPTION).',
      'The user may administer the server (BACKUP_ADMIN, CONNECTION_ADMIN, RELOAD, SHUTDOWN).',
    ]);
  });
});
