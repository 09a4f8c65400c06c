import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mysql } from '../../connectors/mysql/index.ts';
import {
  deleteOf,
  foundOf,
  insertAgainOf,
  insertMissingOf,
  insertOf,
  numbersOf,
  stagedFor,
  updateOf,
} from '../../connectors/mysql/statements.ts';
import type { Item, ObjectBatch, Objects, Operation, Value } from '../../engine/contracts/destination.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { partOf } from '../contracts/works.ts';
import { type FakeMysql, password, startFakeMysql } from '../fakes/mysql.ts';
import { call, type Opened, openFor } from '../support/connect.ts';
import { hasMariadb, type Mariadb, startMariadb } from '../support/mariadb.ts';

type Values = Readonly<Record<string, Value>>;

function batchOf(
  operation: Operation,
  object: string,
  match: readonly string[],
  rows: readonly Values[],
  more: { readonly fields?: readonly string[]; readonly onlyIfEmpty?: readonly string[] } = {},
): ObjectBatch {
  const names = more.fields ?? [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return {
    object,
    operation,
    match,
    fields: names.map((name) => ({
      name,
      onlyIfEmpty: more.onlyIfEmpty?.includes(name) === true,
      sparse: false,
    })),
    items: rows.map((values, at): Item => ({ key: String(at), values })),
  };
}

const planOf = ({ items: _items, ...plan }: ObjectBatch): Omit<ObjectBatch, 'items'> => plan;
const states = (outcomes: readonly { readonly state: string }[]): readonly string[] =>
  outcomes.map(({ state }) => state);

describe.skipIf(!hasMariadb)('a real MariaDB server (skipped where there is no mariadbd)', () => {
  let server: Mariadb;
  let fake: FakeMysql;
  let opened: Opened;
  let objects: Objects;

  beforeAll(async () => {
    server = await startMariadb();
  }, 60_000);

  afterAll(() => server?.stop());

  beforeEach(async () => {
    fake = await startFakeMysql(server.adminUrl, []);
    opened = await openFor(mysql, { url: fake.url });
    objects = partOf(opened.connection, 'objects');
  });

  afterEach(async () => {
    await opened.close();
    await fake.close();
  });

  const all = (table: string): Promise<readonly Values[]> => fake.ask<Values>(`select * from ${table}`);

  describe('keys', () => {
    it('find rows by the match fields alone, where ON DUPLICATE KEY UPDATE would change another row', async () => {
      await fake.ask('create table t (id int primary key, email varchar(50) unique, score int)');
      await fake.ask("insert into t values (1, 'a', 1), (2, 'b', 2)");

      const outcomes = await objects.write(
        batchOf(
          'upsert',
          't',
          ['id'],
          [
            { id: 50, email: 'b', score: 7 },
            { id: 1, email: 'a', score: 8 },
            { id: 3, email: 'c', score: 9 },
          ],
        ),
        call(),
      );

      expect(outcomes).toEqual([
        {
          state: 'rejected',
          reason: expect.stringMatching(/^Another row of f_\w+\.t has the same email \(email\)\.$/),
          field: 'email',
        },
        { state: 'ok' },
        { state: 'ok' },
      ]);
      expect(await all('t')).toEqual([
        { id: 1, email: 'a', score: 8 },
        { id: 2, email: 'b', score: 2 },
        { id: 3, email: 'c', score: 9 },
      ]);
    });

    it('need a unique index of whole values, without which each run would insert anew', async () => {
      await fake.ask('create table t (email varchar(50), score int, unique key by_start (email(5)))');
      const batch = batchOf('upsert', 't', ['email'], [{ email: 'a', score: 1 }]);

      expect(await objects.verify(planOf(batch))).toEqual([
        expect.stringContaining('CREATE UNIQUE INDEX … ON'),
      ]);
      await expect(objects.write(batch, call())).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining('by_start covers only the beginnings'),
      });
    });

    it('are one and the same where the collation of the column says so', async () => {
      await fake.ask('create table t (email varchar(50) primary key, score int)');
      await fake.ask("insert into t values ('CaSe', 1)");

      const outcomes = await objects.write(
        batchOf(
          'upsert',
          't',
          ['email'],
          [
            { email: 'case', score: 2 },
            { email: 'Zoë', score: 3 },
            { email: 'ZOE', score: 4 },
          ],
        ),
        call(),
      );

      expect(states(outcomes)).toEqual(['ok', 'ok', 'rejected']);
      expect(await all('t')).toEqual([
        { email: 'CaSe', score: 2 },
        { email: 'Zoë', score: 3 },
      ]);
    });

    it('of several columns find rows too, large numbers and all', async () => {
      await fake.ask('create table t (a bigint unsigned, b varchar(9), c int, primary key (a, b))');
      await fake.ask("insert into t values (18446744073709551614, 'x', 1), (18446744073709551615, 'x', 2)");

      await objects.write(
        batchOf(
          'upsert',
          't',
          ['b', 'a'],
          [
            { a: '18446744073709551615', b: 'x', c: 5 },
            { a: '18446744073709551615', b: 'y', c: 6 },
          ],
        ),
        call(),
      );

      expect((await fake.ask('select cast(a as char) a, b, c from t order by a, b')) as unknown).toEqual([
        { a: '18446744073709551614', b: 'x', c: 1 },
        { a: '18446744073709551615', b: 'x', c: 5 },
        { a: '18446744073709551615', b: 'y', c: 6 },
      ]);
    });
  });

  describe('operations', () => {
    beforeEach(async () => {
      await fake.ask(
        'create table t (id int primary key, name varchar(20), score int, touched timestamp(6) default current_timestamp(6) on update current_timestamp(6))',
      );
      await fake.ask("insert into t (id, name, score) values (1, 'Ada', 1), (2, null, 2)");
    });
    const left = (): Promise<readonly Values[]> => fake.ask('select id, name, score from t order by id');

    it('insert refuses what is there, but for an attempt whose end nobody knows', async () => {
      const batch = batchOf(
        'insert',
        't',
        ['id'],
        [
          { id: 1, score: 9 },
          { id: 3, score: 9 },
        ],
      );

      const first = await objects.write(batch, call());
      const again = await objects.write(batch, call({ again: true }));

      expect(first).toEqual([
        { state: 'rejected', reason: expect.stringContaining('already'), field: 'id' },
        { state: 'ok' },
      ]);
      expect(states(again)).toEqual(['ok', 'ok']);
      expect(await left()).toMatchObject([{ id: 1, score: 1 }, { id: 2 }, { id: 3, score: 9 }]);
    });

    it('insert without a match leaves an earlier attempt as it is, by whichever index', async () => {
      await fake.ask('alter table t rename logins');
      const batch = batchOf(
        'insert',
        'logins',
        [],
        [
          { id: 3, score: 9 },
          { id: 4, score: 9 },
        ],
      );

      await objects.write(batch, call());
      expect(states(await objects.write(batch, call({ again: true })))).toEqual(['ok', 'ok']);
      expect(states(await objects.write(batch, call()))).toEqual(['rejected', 'rejected']);

      expect(await all('logins')).toHaveLength(4);
    });

    it('update refuses what is not there', async () => {
      const outcomes = await objects.write(
        batchOf(
          'update',
          't',
          ['id'],
          [
            { id: 1, score: 5 },
            { id: 9, score: 5 },
          ],
        ),
        call(),
      );

      expect(states(outcomes)).toEqual(['ok', 'rejected']);
      expect(await left()).toEqual([
        { id: 1, name: 'Ada', score: 5 },
        { id: 2, name: null, score: 2 },
      ]);
    });

    it('upsert leaves alone what it is not given, and a row that does not differ', async () => {
      const before = await fake.ask('select touched from t where id = 2');

      await objects.write(
        batchOf(
          'upsert',
          't',
          ['id'],
          [
            { id: 1, name: 'Grace' },
            { id: 2, score: 2 },
            { id: 3, name: 'New', score: null },
          ],
        ),
        call(),
      );

      expect(await left()).toEqual([
        { id: 1, name: 'Grace', score: 1 },
        { id: 2, name: null, score: 2 },
        { id: 3, name: 'New', score: null },
      ]);
      expect(await fake.ask('select touched from t where id = 2')).toEqual(before);
    });

    it('fill only what is empty where that is asked for', async () => {
      await objects.write(
        batchOf(
          'upsert',
          't',
          ['id'],
          [
            { id: 1, name: 'X', score: 7 },
            { id: 2, name: 'Y', score: 7 },
          ],
          {
            onlyIfEmpty: ['name'],
          },
        ),
        call(),
      );

      expect(await left()).toEqual([
        { id: 1, name: 'Ada', score: 7 },
        { id: 2, name: 'Y', score: 7 },
      ]);
    });

    it('delete takes away what is there, and is content with what is not', async () => {
      const outcomes = await objects.write(
        batchOf('delete', 't', ['id'], [{ id: 1 }, { id: 99 }], { fields: ['id', 'name'] }),
        call(),
      );

      expect(states(outcomes)).toEqual(['ok', 'ok']);
      expect(await left()).toMatchObject([{ id: 2 }]);
    });

    it('take thousands of rows, and find the bad ones among them', async () => {
      const rows = Array.from({ length: 2000 }, (_, i) => ({
        id: i,
        name: i % 700 === 3 ? 'x'.repeat(21) : `Name ${i}`,
        score: i === 1234 ? 'much' : i,
      }));

      const outcomes = await objects.write(batchOf('upsert', 't', ['id'], rows), call());

      const refused = outcomes.flatMap((one, at) => (one.state === 'rejected' ? [[at, one.field]] : []));
      expect(refused).toEqual([
        [3, 'name'],
        [703, 'name'],
        [1234, 'score'],
        [1403, 'name'],
      ]);
      expect(await fake.ask('select count(*) as n from t')).toEqual([{ n: 1996 }]);
      // The staging table is gone from the connection, so that the next batch can have it.
      expect(states(await objects.write(batchOf('upsert', 't', ['id'], rows.slice(0, 2)), call()))).toEqual([
        'ok',
        'ok',
      ]);
    });
  });

  describe('rows', () => {
    it.each([
      ['too long a text', 'varchar(3)', 'abcd', /v is too long/],
      ['no number', 'int', 'abc', /v does not have the form/],
      ['too large a number', 'tinyint', 300, /v is a number out of range/],
      ['no date', 'date', '2026-02-30', /v does not have the form/],
      ['no option', "enum('a','b')", 'cyan', /v does not have the form/],
      ['a sign that the charset lacks', 'varchar(9) character set latin1', '😀', /v does not have the form/],
      ['nothing where something must be', 'int not null', null, /v can't be empty/],
      ['nothing where MariaDB would write the moment', 'timestamp not null', null, /v can't be empty/],
      ['no JSON', 'longtext check (json_valid(v))', '{oops', /breaks a rule of/],
      ['what a rule forbids', 'int check (v < 5)', 7, /breaks a rule of \S+ \(v\)/],
      [
        'a parent that is not there',
        'int references p (id)',
        7,
        /v of \S+ refers to a row that is not there/,
      ],
      ['letters for bits', 'bit(64)', 'abc', /v takes a whole number/],
      ['too many bits', 'bit(9)', 512, /v is too long|v is a number out of range/],
      [
        'more bits than there are',
        'bit(64)',
        '18446744073709551616',
        /v is too long|v is a number out of range/,
      ],
      ['what is no Base64', 'blob', '%%%', /v takes bytes/],
      ['a text that looks like the words of the server', 'int', "a' for column 'id' at row 1", /v does not/],
    ])('with %s are refused with their reason and without their value', async (_what, type, bad, reason) => {
      await fake.ask('create table p (id int primary key)');
      await fake.ask('insert into p values (1)');
      await fake.ask(`create table t (id int primary key, v ${type})`);
      const good = { id: 1, v: null };
      const rows = bad === null ? [{ id: 2, v: bad }] : [good, { id: 2, v: bad }, { id: 3, v: null }];

      const outcomes = await objects.write(batchOf('upsert', 't', ['id'], rows), call());

      const refused = outcomes.filter(({ state }) => state === 'rejected');
      expect(refused).toEqual([{ state: 'rejected', reason: expect.stringMatching(reason), field: 'v' }]);
      expect(outcomes[bad === null ? 0 : 1]).toBe(refused[0]);
      expect(JSON.stringify(refused).replaceAll(fake.database, '')).not.toContain(String(bad ?? '\0'));
      expect(await fake.ask('select count(*) as n from t')).toEqual([{ n: rows.length - 1 }]);
    });

    it('that a trigger refuses are told from the others', async () => {
      await fake.ask('create table t (id int primary key)');
      await fake.ask(
        "create trigger no before insert on t for each row if new.id = 2 then signal sqlstate '45000' set message_text = 'secret two'; end if",
      );

      const outcomes = await objects.write(
        batchOf('upsert', 't', ['id'], [{ id: 1 }, { id: 2 }, { id: 3 }]),
        call(),
      );

      expect(outcomes[1]).toEqual({ state: 'rejected', reason: expect.stringMatching(/^A trigger of/) });
      expect(JSON.stringify(outcomes)).not.toContain('secret');
      expect(states(outcomes)).toEqual(['ok', 'rejected', 'ok']);
    });

    it('that others refer to are not deleted', async () => {
      await fake.ask('create table p (id int primary key)');
      await fake.ask('create table c (p int, foreign key by_p (p) references p (id))');
      await fake.ask('insert into p values (1), (2)');
      await fake.ask('insert into c values (1)');

      const outcomes = await objects.write(batchOf('delete', 'p', ['id'], [{ id: 1 }, { id: 2 }]), call());

      expect(outcomes[0]).toMatchObject({ reason: expect.stringContaining('Other rows still refer') });
      expect(await all('p')).toEqual([{ id: 1 }]);
    });

    it('too large for the server are refused before it ends the connection', async () => {
      await fake.ask('create table t (id int primary key, v longtext)');

      const outcomes = await objects.write(
        batchOf(
          'upsert',
          't',
          ['id'],
          [
            { id: 1, v: 'x'.repeat(17_000_000) },
            { id: 2, v: 'y'.repeat(5_000_000) },
          ],
        ),
        call(),
      );

      expect(outcomes).toEqual([
        { state: 'rejected', reason: expect.stringContaining('max_allowed_packet') },
        { state: 'ok' },
      ]);
    });
  });

  describe('values', () => {
    it('are as they were sent, whatever the server and this machine are set to', async () => {
      await fake.ask(`create table t (id int primary key, n decimal(30,10), b bigint, f double, d date,
        at datetime(6), ts timestamp(6) null, ok tinyint(1), bit1 bit(1), bits bit(12), j json,
        bytes varbinary(20), s varchar(50), e enum('it''s', 'b'), z varchar(5), o enum('a\\\\b', 'Ä'))`);
      const row = {
        id: 0,
        n: '12345678901234567890.0123456789',
        b: '-9223372036854775808',
        f: 0.1,
        d: '2026-02-28',
        at: '2026-11-25T23:30:00.123456Z',
        ts: '2026-03-29T01:30:00.000001Z',
        ok: true,
        bit1: true,
        bits: 2049,
        j: { a: [1, 'it\'s \\ "x"'] },
        bytes: Buffer.from([0, 255, 39, 92]).toString('base64'),
        s: "Robert'); DROP TABLE t;-- \\' 😀",
        e: "it's",
        z: '',
        o: 'a\\b',
      };

      const outcomes = await objects.write(batchOf('upsert', 't', ['id'], [row]), call());

      expect(outcomes).toEqual([{ state: 'ok' }]);
      const [kept] = await fake.ask(`select id, cast(n as char) n, cast(b as char) b, f, d, at,
        cast(convert_tz(ts, @@session.time_zone, '+00:00') as char) ts, ok, bit1 + 0 bit1, bits + 0 bits, cast(j as char) j,
        hex(bytes) bytes, s, e, z, o from t`);
      expect(kept).toEqual({
        ...row,
        at: '2026-11-25 23:30:00.123456',
        ts: '2026-03-29 01:30:00.000001',
        ok: 1,
        bit1: 1,
        j: JSON.stringify(row.j),
        bytes: '00FF275C',
      });
    });

    it('of JSON stay what they are: a text is a JSON text', async () => {
      await fake.ask('create table t (id int primary key, v varchar(50))');

      await objects.write(
        batchOf(
          'insert',
          't',
          ['id'],
          [
            { id: 1, v: ['a', 2] },
            { id: 2, v: true },
            { id: 3, v: 1.5 },
          ],
        ),
        call(),
      );

      expect((await all('t')).map(({ v }) => v)).toEqual(['["a",2]', 'true', '1.5']);
    });
  });

  describe('tables', () => {
    it('are offered by what is typed, and described as they can be written', async () => {
      await fake.ask('create table `odd.name ``x` (id int primary key)');
      await fake.ask(`create table accounts (id int auto_increment primary key, email varchar(40) not null unique,
        plan enum('a', 'it''s') not null default 'a', at datetime, day date, ok tinyint(1), j json, big bigint unsigned,
        made int generated always as (1 + 1) stored, place point, note text, bytes blob)`);

      const offered = (await objects.objects('')).map(({ value }) => value);
      const fields = await objects.fields('accounts');

      expect(offered).toEqual(expect.arrayContaining(['accounts', '`odd.name ``x`']));
      expect((await objects.objects('ACCOU')).map(({ value }) => value)).toEqual(['accounts']);
      expect(await objects.fields('`odd.name ``x`')).toHaveLength(1);
      expect(await objects.fields(`${fake.database}.accounts`)).toEqual(fields);
      expect(fields.map(({ name, type }) => `${name} ${type}`)).toEqual([
        'id integer',
        'email text',
        'plan text',
        'at time',
        'day date',
        'ok boolean',
        // MariaDB keeps JSON as a text.
        'j text',
        'big integer',
        'note text',
        'bytes any',
      ]);
      expect(fields.slice(0, 3)).toMatchObject([
        { required: false, key: true },
        { required: true, key: true, maxLength: 40 },
        { required: false, key: false, options: ['a', "it's"] },
      ]);
    });

    it('that are none, or keep no half of a change apart, are not written to', async () => {
      await fake.ask('create table t (id int primary key) engine = MyISAM');
      await fake.ask('create view w as select 1 as id');

      for (const [object, reason] of [
        ['t', /MyISAM/],
        ['w', /is a view/],
      ] as const) {
        const batch = batchOf('upsert', object, ['id'], [{ id: 1 }]);
        expect(await objects.verify(planOf(batch))).toEqual([expect.stringMatching(reason)]);
        await expect(objects.write(batch, call())).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
      }
    });

    it('warn of what else happens: triggers, and rows that are deleted with others', async () => {
      await fake.ask('create table p (id int primary key)');
      await fake.ask('create table c (p int, foreign key (p) references p (id) on delete cascade)');

      const warnings = await objects.verify(planOf(batchOf('delete', 'p', ['id'], [{ id: 1 }])));

      expect(warnings).toEqual([expect.stringMatching(/also changes rows of c/)]);
    });

    it('of a database in which nothing can be staged: it says which statement gives the right', async () => {
      await fake.ask('create table t (id int primary key)');
      await fake.ask(`revoke create temporary tables on ${fake.database}.* from ${fake.user}`);

      const batch = batchOf('upsert', 't', ['id'], [{ id: 1 }]);
      expect(await objects.verify(planOf(batch))).toEqual([
        expect.stringContaining(`GRANT CREATE TEMPORARY TABLES ON ${fake.database}.* TO '${fake.user}'@'%';`),
      ]);
      await expect(objects.write(batch, call())).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    });

    it('lack a right: it says which statement gives it', async () => {
      await fake.ask('create table t (id int primary key, v int)');
      await fake.ask(`revoke update on ${fake.database}.* from ${fake.user}`);
      const batch = batchOf('upsert', 't', ['id'], [{ id: 1, v: 1 }]);
      await opened.close();
      opened = await openFor(mysql, { url: fake.url });
      objects = partOf(opened.connection, 'objects');

      expect(await objects.verify(planOf(batch))).toEqual([
        expect.stringMatching(/UPDATE command denied .* GRANT SELECT, INSERT, UPDATE ON /),
      ]);
      await expect(objects.write(batch, call())).rejects.toMatchObject({
        code: 'PERMISSION_DENIED',
        fix: expect.stringContaining('GRANT'),
      });
      expect(await all('t')).toEqual([]);
    });

    it('that changed are seen: a column that is gone ends the run, and the next batch looks again', async () => {
      await fake.ask('create table t (id int primary key, v int)');
      await objects.write(batchOf('upsert', 't', ['id'], [{ id: 1, v: 1 }]), call());
      await fake.ask('alter table t rename column v to w');

      await expect(
        objects.write(batchOf('upsert', 't', ['id'], [{ id: 1, v: 2 }]), call()),
      ).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
      expect(states(await objects.write(batchOf('upsert', 't', ['id'], [{ id: 1, w: 3 }]), call()))).toEqual([
        'ok',
      ]);
    });

    it('find keys by values, and nothing for what is none or many', async () => {
      await fake.ask('create table t (id bigint primary key, email varchar(20), n int, b bit(4))');
      await fake.ask("insert into t values (9007199254740993, 'a', 1, 0), (2, 'b', 1, 1), (3, 'b', 2, 1)");

      expect([...(await objects.find('t', 'email', ['a', 'b', 'c']))]).toEqual([['a', '9007199254740993']]);
      expect([...(await objects.find('t', 'n', ['2', 'two']))]).toEqual([['2', '3']]);
      expect([...(await objects.find('t', 'b', ['0', 'none']))]).toEqual([['0', '9007199254740993']]);
      await expect(objects.find('t', 'none', ['1'])).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    });
  });

  describe('a batch', () => {
    it('is written whole or not at all when somebody holds a row', async () => {
      await fake.ask('create table t (id int primary key, v int)');
      await fake.ask('insert into t values (1, 1), (2, 2)');
      await fake.ask('start transaction');
      await fake.ask('update t set v = 5 where id = 2');
      const gone = new AbortController();
      const writing = objects.write(
        batchOf(
          'upsert',
          't',
          ['id'],
          [
            { id: 1, v: 9 },
            { id: 2, v: 9 },
          ],
        ),
        call({ signal: gone.signal }),
      );
      const waiting = async (): Promise<boolean> =>
        (await fake.ask("select 1 from information_schema.processlist where info like 'UPDATE %'")).length >
        0;
      while (!(await waiting())) {
        // Until the server says that it is at it.
      }

      gone.abort(new Error('stopped'));

      await expect(writing).rejects.toThrow('stopped');
      while (await waiting()) {
        // Until the server has let go of it: nobody waits for that any more.
      }
      await fake.ask('rollback');
      expect(await all('t')).toEqual([
        { id: 1, v: 1 },
        { id: 2, v: 2 },
      ]);
    });

    it('of which nobody knows whether it was kept is written again without harm', async () => {
      await fake.ask('create table t (id int auto_increment primary key, k int unique, v int)');
      const batch = batchOf('upsert', 't', ['k'], [{ k: 7, v: 1 }]);
      await objects.write(batch, call());
      const statements = fake.requests.length;
      await objects.write(batch, call());
      const before = (fake.requests.length - statements) as number;
      // The last but one: after COMMIT, its table is dropped.
      fake.next(...Array.from({ length: before - 2 }, () => undefined), 'done-then-reset');

      await expect(
        objects.write(batchOf('upsert', 't', ['k'], [{ k: 8, v: 1 }]), call()),
      ).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
      await objects.write(batchOf('upsert', 't', ['k'], [{ k: 8, v: 1 }]), call({ again: true }));

      expect((await all('t')).map(({ k }) => k)).toEqual([7, 8]);
    });

    it('burns no numbers of keys that count by themselves', async () => {
      await fake.ask('create table t (id int auto_increment primary key, k int unique, v int)');
      for (let i = 0; i < 5; i += 1) {
        await objects.write(batchOf('upsert', 't', ['k'], [{ k: 7, v: i }]), call());
      }

      await objects.write(batchOf('upsert', 't', ['k'], [{ k: 8, v: 1 }]), call());

      expect((await all('t')).map(({ id }) => id)).toEqual([1, 2]);
    });
  });

  describe('the connection', () => {
    it('is told from a wrong one, each in a sentence', async () => {
      const cases: readonly (readonly [Raw, string, string])[] = [
        [{ url: fake.url.replace(password, 'wrong-wrong') }, 'AUTH_REJECTED', 'password'],
        [{ url: fake.url.replace(/\w+$/, 'nowhere') }, 'CONFIG_INVALID', 'database'],
        [{ url: fake.url, tls: 'require' }, 'CONFIG_INVALID', 'tls'],
        [{ url: fake.url.replace(/:\d+\//, ':1/') }, 'UNAVAILABLE', 'host'],
      ];
      for (const [typed, code, name] of cases) {
        const one = await openFor(mysql, typed);
        await expect(one.connection.check('objects'), code).rejects.toMatchObject({
          code,
          fix: expect.any(String),
          fields: { [name]: expect.any(String) },
        });
        await one.close();
      }
    });

    it('warns of a server that takes no changes', async () => {
      await fake.ask('set global read_only = 1');
      try {
        expect(await opened.connection.check('objects')).toEqual([expect.stringContaining('read-only')]);
        await fake.ask('create table t (id int primary key)');
        const batch = batchOf('upsert', 't', ['id'], [{ id: 1 }]);
        await expect(objects.write(batch, call())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      } finally {
        await fake.ask('set global read_only = 0');
      }
    });
  });
});

describe.skipIf(!hasMariadb)('a MariaDB server with encryption (skipped where there is no mariadbd)', () => {
  it('is trusted as far as that is asked for', async () => {
    const home = mkdtempSync(join(tmpdir(), 'activate-tls-'));
    const [key, certificate] = [join(home, 'key.pem'), join(home, 'cert.pem')];
    const made = spawnSync(
      'openssl',
      ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'].concat(
        ['-keyout', key],
        ['-out', certificate],
      ),
    );
    expect(made.status).toBe(0);
    const server = await startMariadb([`--ssl-key=${key}`, `--ssl-cert=${certificate}`]);
    const fake = await startFakeMysql(server.adminUrl, []);
    const direct = fake.url.replace(/:\d+\//, `:${server.port}/`);
    await fake.ask(`alter user ${fake.user} require ssl`);
    const checked = async (typed: Raw): Promise<unknown> => {
      const opened = await openFor(mysql, typed);
      return opened.connection.check('objects').finally(opened.close);
    };
    try {
      expect(await checked({ url: direct, tls: 'require' })).toEqual([]);
      expect(await checked({ url: `${direct}?ssl-mode=REQUIRED` })).toEqual([]);
      await expect(checked({ url: direct, tls: 'verify' })).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining("can't be trusted"),
        fields: { tls: expect.any(String) },
      });
      // The server lets this user in only with encryption.
      await expect(checked({ url: direct })).rejects.toMatchObject({ code: 'AUTH_REJECTED' });
    } finally {
      await fake.close();
      await server.stop();
      rmSync(home, { recursive: true });
    }
  }, 60_000);
});

describe('statements', () => {
  const columns = ['id', 'v'].map((name) => ({
    name,
    type: 'int',
    fullType: 'int',
    charset: null,
    collation: null,
    notNull: false,
    hasDefault: false,
    computed: false,
    maxLength: null,
  }));
  const table = {
    user: '',
    database: 'shop',
    name: 'accounts',
    isView: false,
    transactional: true,
    engine: 'InnoDB',
    columns,
    indexes: [],
    constraints: [],
    triggers: [],
    cascadesTo: [],
  };
  const staged = stagedFor(table);
  const change = { table, staged, columns, match: ['id'], onlyIfEmpty: new Set<string>() };

  it.each([
    insertOf(change, 1, 9),
    insertAgainOf(change, 1, 9),
    insertMissingOf(change, 1, 9),
    updateOf(change, 1, 9) ?? '',
    deleteOf(change, 1, 9),
    numbersOf(change, 1, 9, 'there'),
    foundOf(change, 'id'),
  ])('name a temporary table once, since MySQL opens it no second time: %s', (text) => {
    expect(text.split(staged)).toHaveLength(2);
  });
});

describe('what is typed', () => {
  it.each([
    [{}, 'host'],
    [{ host: 'db', user: 'u' }, 'database'],
    [{ host: 'db', database: 'd' }, 'user'],
    [{ url: 'postgres://u:top-secret@db/d' }, 'url'],
    [{ url: 'mysql://u:top-secret@db' }, 'url'],
    [{ url: 'mysql://u:top-secret%@db/d' }, 'url'],
    [{ url: 'mysql://u:top-secret@db/d?ssl-mode=SOME' }, 'url'],
  ])('is not enough: %j', async (typed, name) => {
    const error = await openFor(mysql, typed as Raw).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );

    expect(error).toMatchObject({ code: 'CONFIG_INVALID', fields: { [name]: expect.any(String) } });
    expect(JSON.stringify(error)).not.toContain('top-secret');
  });
});
