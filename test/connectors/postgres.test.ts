import { createServer } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectors } from '../../connectors/index.ts';
import { postgres } from '../../connectors/postgres/index.ts';
import { check, type Values } from '../../engine/contracts/form.ts';
import type { Limits, Reading, Source } from '../../engine/contracts/source.ts';
import { type FreshDb, freshDb } from '../support/postgres.ts';

const limits: Limits = { timeoutMs: 20_000 };
const nothing: Values<typeof postgres.config> = {
  url: undefined,
  host: undefined,
  port: undefined,
  database: undefined,
  user: undefined,
  password: undefined,
  tls: undefined,
  plannerSchema: undefined,
  planner: undefined,
  logs: undefined,
};

let fresh: FreshDb;
let admin: pg.Client;
let source: Opened;

/** A connection with its one part unfolded. */
type Opened = Source & { check(): Promise<readonly string[]>; close(): Promise<void> };

async function open(url: string): Promise<Opened> {
  return openWith({ ...nothing, url }, 'activate/test');
}

async function openWith(
  values: Parameters<typeof postgres.open>[0],
  applicationName: string,
): Promise<Opened> {
  const http = { send: () => Promise.reject(new Error('no web here')) };
  const connection = await postgres.open(values, { applicationName, http, now: () => new Date() });
  return {
    ...(connection.source as Source),
    check: () => connection.check('source'),
    close: () => connection.close(),
  };
}

beforeAll(async () => {
  fresh = await freshDb();
  admin = new pg.Client(fresh.url);
  admin.on('error', () => undefined);
  await admin.connect();
  // The role has the name of a schema, where unqualified names would go.
  await admin.query('set search_path to public');
  await admin.query(`
    create table accounts (id bigint primary key, name text not null, score numeric);
    insert into accounts select i, 'Account ' || i, i * 1.5 from generate_series(1, 50) i;
    create table memberships (account_id int, person text, role text, primary key (account_id, person));
    insert into memberships values (1, 'a', 'x'), (1, 'b', 'x'), (2, 'a', 'x');
    create schema "odd ""schema";
    create table "odd ""schema"."Table.with ""everything"" --" ("a ""b"" c;--" int, "Ünï" text);
    insert into "odd ""schema"."Table.with ""everything"" --" values (1, 'x');
    create view lives as select * from accounts;
  `);
  source = await open(fresh.url);
});

afterAll(async () => {
  await source.close();
  await admin.end();
  await fresh.close();
});

async function text(reading: Reading): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of reading.lines) {
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

const readKeys = async (sql: string, key: readonly string[], from = source): Promise<readonly string[]> =>
  (await text(await from.read({ sql, key, columns: key }, limits))).split('\n').slice(0, -1);

/** Waits until the server shows what we look for; a loop over its own view, no fixed time. */
async function until(sql: string, values: unknown[], holds: (count: number) => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const { rows } = await admin.query<{ n: number }>(sql, values);
    if (holds(rows[0]?.n ?? 0)) {
      return;
    }
    expect(Date.now(), `waiting for ${sql}`).toBeLessThan(deadline);
  }
}

const running = (mark: string): [string, unknown[]] => [
  `select count(*)::int as n from pg_stat_activity where state = 'active' and query like $1 and pid <> pg_backend_pid()`,
  [`%${mark}%`],
];

describe('what is declared', () => {
  it('is in the list', () => {
    expect(connectors).toContain(postgres);
  });

  it.each(Object.entries(postgres.config))('keeps the house limits: %s', (_, field) => {
    expect(field.label.length).toBeLessThanOrEqual(24);
    expect((field.help ?? '').length).toBeLessThanOrEqual(150);
  });

  it('takes the parts of a login as well as a URL', async () => {
    const url = new URL(fresh.url);
    const raw = {
      host: url.hostname,
      port: url.port,
      database: url.pathname.slice(1),
      user: url.username,
      password: url.password,
    };
    const checked = check(postgres.config, raw);
    const byParts = checked.ok ? await openWith(checked.values, 'parts') : undefined;

    expect(await byParts?.count('select 1', limits)).toBe(1);

    await byParts?.close();
  });
});

describe('values', () => {
  it('are the exact text', async () => {
    const exact: readonly (readonly [sql: string, expected: string | null])[] = [
      ['9223372036854775807::bigint', '9223372036854775807'],
      ['123456789012345678901234567890.123456789000::numeric', '123456789012345678901234567890.123456789000'],
      ["'2026-03-29 01:30:00.123456+02'::timestamptz", '2026-03-28 23:30:00.123456+00'],
      ["'2026-01-02'::date", '2026-01-02'],
      ["'infinity'::timestamp", 'infinity'],
      ["'NaN'::float8", 'NaN'],
      ["'-0'::float8", '-0'],
      ['0.1::float8 + 0.2::float8', '0.30000000000000004'],
      [`'{"n": 9007199254740993}'::jsonb`, '{"n": 9007199254740993}'],
      ["'\\x00ff'::bytea", '\\x00ff'],
      [`array['a,b', 'c"d', null]`, '{"a,b","c\\"d",NULL}'],
      ["'1 year 2 days 03:00:00'::interval", '1 year 2 days 03:00:00'],
      ['12.5::money', '$12.50'],
      ["''", ''],
      ["'\\N'", '\\N'],
      ["E'tab\\tnew\\nline\\rback\\\\slash'", 'tab\tnew\nline\rback\\slash'],
      ['null', null],
      ["'ab'::char(4)", 'ab  '],
    ];
    const sql = `select ${exact.map(([e], i) => `${e} as c${i}`).join(', ')}`;

    const table = await source.preview(sql, 5, limits);

    expect(table.rows).toEqual([exact.map(([, expected]) => expected)]);
  });

  it('come the same from a database that is set up otherwise', async () => {
    const name = new URL(fresh.url).pathname.slice(1);
    await admin.query(`alter database ${name} set timezone = 'America/New_York'`);
    await admin.query(`alter database ${name} set datestyle = 'German'`);
    await admin.query(`alter database ${name} set extra_float_digits = -3`);
    await admin.query(`alter database ${name} set bytea_output = 'escape'`);
    await admin.query(`alter database ${name} set intervalstyle = 'iso_8601'`);
    const other = await open(fresh.url);
    const sql = `select 1 as k, '2026-03-29 01:30:00.123456+02'::timestamptz, 0.1::float8 + 0.2::float8 as f,
      '\\x00ff'::bytea, '1 day'::interval, date '2026-12-31'`;

    const read = await text(
      await other.read(
        { sql, key: ['k'], columns: ['timestamptz', 'f', 'bytea', 'interval', 'date'] },
        limits,
      ),
    );

    expect(read).toBe(
      '1\t2026-03-28 23:30:00.123456+00\t0.30000000000000004\t\\\\x00ff\t1 day\t2026-12-31\n',
    );
    await other.close();
    await admin.query(`alter database ${name} reset all`);
  });

  it('have their kind and their native name', async () => {
    const sql = `select 1::int2 a, 1::numeric(10,2) b, now() c, true d, '{}'::jsonb e, ''::bytea f, 'x'::varchar(3) g, gen_random_uuid() h`;

    const columns = await source.describe(sql, limits);

    expect(columns.map((c) => [c.name, c.type, c.native])).toEqual([
      ['a', 'number', 'smallint'],
      ['b', 'number', 'numeric(10,2)'],
      ['c', 'time', 'timestamp with time zone'],
      ['d', 'boolean', 'boolean'],
      ['e', 'json', 'jsonb'],
      ['f', 'bytes', 'bytea'],
      ['g', 'text', 'character varying(3)'],
      ['h', 'text', 'uuid'],
    ]);
  });
});

describe('queries', () => {
  it.each([
    'select id from accounts -- all of them',
    'select id from accounts; -- done',
    'table accounts',
    'with a as (select 1 as id) select * from a;',
  ])('can be written like this: %s', async (sql) => {
    expect((await source.describe(sql, limits))[0]?.name).toBe('id');
    expect((await readKeys(sql, ['id'])).length).toBe(await source.count(sql, limits));
  });

  it('can name columns anyhow', async () => {
    const sql = source.selectAll((await source.tables('everything'))[0] ?? '');

    const read = await text(
      await source.read({ sql, key: ['a "b" c;--'], columns: ['Ünï', 'a "b" c;--'] }, limits),
    );

    expect(read).toBe('1\tx\n');
  });

  it('may not have two columns of one name', async () => {
    await expect(source.describe('select 1 as a, 2 as a', limits)).rejects.toMatchObject({
      code: 'SQL_FAILED',
      message: 'Two columns of the query are named “a”.',
    });
  });

  it('may not lose a column that is used', async () => {
    await expect(
      source.read({ sql: 'select 1 as a', key: ['id'], columns: ['a'] }, limits),
    ).rejects.toMatchObject({
      code: 'SQL_FAILED',
      message: 'The query has no column “id” (any more).',
      fix: expect.stringContaining('It has: a.'),
    });
  });

  it.each([
    ['select id,\n  nmae from accounts', 'line 2, column 3'],
    ["select '💥💥', nmae from accounts", 'line 1, column 14'],
    ['select 1 as id frm accounts', 'line 1, column 16'],
  ])('that fail say where in their own text: %s', async (sql, where) => {
    const said = { code: 'SQL_FAILED', message: expect.stringContaining(`(${where})`) };
    await expect(source.describe(sql, limits)).rejects.toMatchObject(said);
    await expect(source.count(sql, limits)).rejects.toMatchObject(said);
    await expect(source.read({ sql, key: ['id'], columns: [] }, limits)).rejects.toMatchObject(said);
  });

  it('that fail only while running break the reading', async () => {
    const sql = 'select i as id, 1 / (5000 - i) as x from generate_series(1, 100000) i';
    const reading = await source.read({ sql, key: ['id'], columns: ['x'] }, limits);

    await expect(text(reading)).rejects.toMatchObject({
      code: 'SQL_FAILED',
      message: expect.stringContaining('division by zero'),
    });
    expect(await source.count('select 1', limits)).toBe(1);
  });
});

describe('what a query may not do', () => {
  it.each([
    'select 1; commit; create table pwned (a int)',
    'select 1) as q; commit; create table pwned (a int); select (1',
    'select 1) as q limit 0; commit; create table pwned (a int); select * from (select 1',
    'create table pwned (a int)',
    'with d as (insert into accounts values (99, $$x$$) returning id) select * from d',
    'select lo_create(0), nextval($$s$$)',
    'select * from accounts for update',
  ])('%s', async (sql) => {
    await expect(source.describe(sql, limits)).rejects.toMatchObject({ name: 'ActivateError' });
    await expect(source.preview(sql, 5, limits)).rejects.toMatchObject({ name: 'ActivateError' });
    await expect(source.read({ sql, key: ['id'], columns: [] }, limits)).rejects.toMatchObject({
      name: 'ActivateError',
    });

    const { rows } = await admin.query(
      `select to_regclass('pwned') as pwned, (select count(*)::int from accounts) as n`,
    );
    expect(rows).toEqual([{ pwned: null, n: 50 }]);
  });

  it('writes through a function', async () => {
    await admin.query(
      `create function sneaky() returns int language sql volatile as 'insert into accounts values (77, $$x$$) returning 1'`,
    );

    await expect(source.preview('select sneaky()', 5, limits)).rejects.toMatchObject({ code: 'SQL_UNSAFE' });
  });
});

describe('limits', () => {
  it('stop a slow query and name the limit', async () => {
    await expect(source.preview('select pg_sleep(30)', 1, { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'SQL_TIMEOUT',
      message: 'The query was stopped after 0.3 seconds.',
    });
  });

  it('stop at the server when the signal fires', async () => {
    const abort = new AbortController();
    const asked = source.preview("select pg_sleep(30), 'mark-one'", 1, { ...limits, signal: abort.signal });
    const failed = expect(asked).rejects.toMatchObject({ code: 'CANCELED' });
    await until(...running('mark-one'), (n) => n === 1);

    abort.abort();

    await failed;
    await until(...running('mark-one'), (n) => n === 0);
  });

  it('do not begin with a signal that has fired', async () => {
    await expect(source.count('select 1', { ...limits, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'CANCELED',
    });
  });

  it.each(['before the first piece', 'after the first piece'])(
    'stop at the server when the reading is broken off %s',
    async (when) => {
      const mark = `mark ${when}`;
      const sql = `select i as id, repeat('x', 200) as x, '${mark}' as m from generate_series(1, 300000) i`;
      const reading = await source.read({ sql, key: ['id'], columns: ['x'] }, limits);
      const iterator = reading.lines[Symbol.asyncIterator]();
      if (when.startsWith('after')) {
        await iterator.next();
      }
      await until(...running(mark), (n) => n === 1);

      await iterator.return?.();

      await until(...running(mark), (n) => n === 0);
      expect(await source.count('select 1', limits)).toBe(1);
    },
  );

  it('hold a slow reader of much data, in little memory', async () => {
    const sql = "select i as id, repeat('x', 1000) as x from generate_series(1, 100000) i";
    const reading = await source.read({ sql, key: ['id'], columns: ['x'] }, limits);
    let bytes = 0;
    for await (const piece of reading.lines) {
      bytes += piece.length;
      await new Promise(setImmediate);
    }

    expect(bytes).toBe(100_000 * 1002 + 488_895);
    expect(process.memoryUsage.rss()).toBeLessThan(1e9);
  });
});

describe('key order', () => {
  const bytewise = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

  it('is numeric for integers, and an index serves', async () => {
    await admin.query(
      'create table numbers (id int primary key); insert into numbers select i from generate_series(-1000, 1000) i',
    );

    const reading = await source.read(
      { sql: 'select id from numbers', key: ['id'], columns: ['id'] },
      limits,
    );

    expect(reading.order).toEqual(['numeric']);
    expect((await text(reading)).split('\n').slice(0, -1).map(Number)).toEqual(
      Array.from({ length: 2001 }, (_, i) => i - 1000),
    );
  });

  it('is by bytes for text, whatever the collation of the column', async () => {
    await admin
      .query(
        `create collation if not exists odd (provider = icu, locale = 'de-u-kn-true', deterministic = true)`,
      )
      .catch(() => undefined);
    const words = [
      'b',
      'B',
      'a',
      'A',
      'ä',
      'z',
      'Z',
      '10',
      '9',
      'a b',
      'ab',
      'a-b',
      '',
      '🦊',
      '\uffee',
      'a\tb',
      'a\\b',
      'é',
      'e\u0301',
    ];
    await admin
      .query('create table words (w text collate "en_US.utf8")')
      .catch(() => admin.query('create table words (w text)'));
    await admin.query('insert into words select unnest($1::text[])', [words]);

    const read = await readKeys('select w from words', ['w']);

    expect(read).toEqual(
      [...words].sort(bytewise).map((w) => w.replaceAll('\\', '\\\\').replaceAll('\t', '\\t')),
    );
  });

  it('is by bytes for everything else', async () => {
    expect(await readKeys('select unnest(array[10, 9, -1]::numeric[]) as k', ['k'])).toEqual([
      '-1',
      '10',
      '9',
    ]);
    expect(await readKeys(`select unnest(array['ab ', 'a']::char(3)[]) as k`, ['k'])).toEqual(['a', 'ab']);
    const uuids = await readKeys('select gen_random_uuid() as k from generate_series(1, 500)', ['k']);
    expect(uuids).toEqual([...uuids].sort(bytewise));
  });

  it('goes by several columns', async () => {
    const reading = await source.read(
      {
        sql: 'select account_id, person, role from memberships',
        key: ['person', 'account_id'],
        columns: ['account_id', 'role', 'person'],
      },
      limits,
    );

    expect(reading.order).toEqual(['bytes', 'numeric']);
    expect(await text(reading)).toBe('a\t1\tx\na\t2\tx\nb\t1\tx\n');
  });

  it('is any where there is no key', async () => {
    const reading = await source.read({ sql: 'select 1 as a, 2 as b', key: [], columns: ['b', 'a'] }, limits);

    expect(reading.order).toEqual([]);
    expect(await text(reading)).toBe('2\t1\n');
  });

  it('holds where the server stores another encoding', async () => {
    const name = `enc_${Date.now()}`;
    await admin.query(
      `create database ${name} encoding 'EUC_JP' lc_collate 'C' lc_ctype 'C' template template0`,
    );
    const url = new URL(fresh.url);
    url.pathname = name;
    const other = await open(url.href);
    const words = ['あ', '愛', 'ア', 'z', '一', '亜'];

    const read = await readKeys(`select unnest(array[${words.map((w) => `'${w}'`)}]) as k`, ['k'], other);

    expect(read).toEqual([...words].sort(bytewise));
    await other.close();
    await admin.query(`drop database ${name} with (force)`);
  });
});

describe('help with choosing', () => {
  it('finds tables and views, quoted where needed', async () => {
    expect(await source.tables('acc')).toEqual(['public.accounts']);
    expect(await source.tables('lives')).toEqual(['public.lives']);
    expect(await source.tables('everything')).toEqual([`"odd ""schema"."Table.with ""everything"" --"`]);
    expect(await source.tables("%_'\\")).toEqual([]);
  });

  it('suggests the primary key, then what is unique', async () => {
    expect(await source.suggestKey('select name, score, id from accounts', limits)).toEqual(['id']);
    expect(await source.suggestKey('select person, account_id from memberships', limits)).toEqual([
      'account_id',
      'person',
    ]);
    expect(await source.suggestKey('select region from (values (1), (1)) as t(region)', limits)).toEqual([]);
    expect(
      await source.suggestKey(
        'select a.id, m.person from accounts a join memberships m on m.account_id = a.id',
        limits,
      ),
    ).toEqual([]);
  });

  it('warns about rights that reading does not need', async () => {
    expect(await source.check()).toEqual([
      'The role is a superuser: it can do anything to the whole server.',
    ]);
    const role = `r_${Date.now()}`;
    await admin.query(
      `create role ${role} login password 'pw'; grant select on accounts to ${role}; revoke create on schema public from public;`,
    );
    const url = new URL(fresh.url);
    url.username = role;
    url.password = 'pw';
    const careful = await open(url.href);

    expect(await careful.check()).toEqual([]);
    expect(await careful.tables('')).toEqual(['public.accounts']);
    await expect(careful.count('select * from memberships', limits)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      fix: expect.stringContaining(`TO ${role}`),
    });
    await admin.query(`grant update on accounts to ${role}`);
    expect(await careful.check()).toEqual(['The role can change rows of at least one table.']);

    await careful.close();
    await admin.query(`drop owned by ${role}; drop role ${role}`);
  });
});

describe('when the connection fails', () => {
  const refused = async (change: (url: URL) => void): Promise<unknown> => {
    const url = new URL(fresh.url);
    change(url);
    const other = await open(url.href);
    const error = await other.check().catch((thrown: unknown) => thrown);
    await other.close();
    expect(JSON.stringify(error) + String(error) + String((error as Error).cause)).not.toContain(
      decodeURIComponent(url.password) || '∅',
    );
    return error;
  };

  it('says that the login was refused, without the password', async () => {
    expect(
      await refused((url) => {
        url.password = 'wrong-s3cret';
      }),
    ).toMatchObject({ code: 'AUTH_REJECTED', fix: expect.stringContaining('password') });
  });

  it('says that a password is wanted', async () => {
    expect(
      await refused((url) => {
        url.password = '';
      }),
    ).toMatchObject({ code: 'AUTH_REJECTED' });
  });

  it('says which database is missing', async () => {
    expect(
      await refused((url) => {
        url.pathname = '/nowhere';
      }),
    ).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('nowhere'),
      fields: { database: expect.any(String) },
    });
  });

  it('says that the host is unknown', async () => {
    expect(
      await refused((url) => {
        url.hostname = 'no-such-host.invalid';
      }),
    ).toMatchObject({ code: 'UNAVAILABLE', message: 'No server is known by the name no-such-host.invalid.' });
  });

  it('says that nothing answers', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));

    expect(
      await refused((url) => {
        url.port = String(port);
      }),
    ).toMatchObject({ code: 'UNAVAILABLE', message: `Nothing answers at 127.0.0.1:${port}.` });
  });

  it('says that the server offers no encryption', async () => {
    expect(
      await refused((url) => {
        url.search = 'sslmode=verify-full';
      }),
    ).toMatchObject({ code: 'CONFIG_INVALID', fields: { tls: expect.stringContaining('no encryption') } });
  });

  it.each(['mysql://a:s3cret@b/c', 'not a url s3cret', 'postgres://a:s3cret%@b/c', 'postgres:///c?s3cret'])(
    'refuses the URL %s without repeating it',
    async (url) => {
      const error = await open(url).catch((thrown: unknown) => thrown);

      expect(error).toMatchObject({ code: 'CONFIG_INVALID', fields: { url: expect.any(String) } });
      expect(`${error}${JSON.stringify(error)}`).not.toContain('s3cret');
    },
  );

  it('says that an sslmode is none', async () => {
    const error = await open('postgres://a:s3cret@b/c?sslmode=some').catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ message: 'The connection URL has an unknown sslmode.' });
  });

  it.each(['running', 'idle'])('survives the end of a connection that is %s', async (state) => {
    const other = await openWith({ ...nothing, url: fresh.url }, `victim-${state}`);
    const sql = "select i as id, repeat('x', 200) as x from generate_series(1, 300000) i";
    const failing =
      state === 'idle'
        ? other.count('select 1', limits)
        : expect(other.read({ sql, key: ['id'], columns: ['x'] }, limits).then(text)).rejects.toMatchObject({
            code: 'UNAVAILABLE',
          });
    if (state === 'idle') {
      await failing;
    }
    await until(
      `select count(*)::int as n from pg_stat_activity where application_name = $1 and query like $2`,
      [`victim-${state}`, state === 'idle' ? '%ROLLBACK%' : '%COPY%'],
      (n) => n === 1,
    );

    await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1', [
      `victim-${state}`,
    ]);

    await failing;
    await until(
      'select count(*)::int as n from pg_stat_activity where application_name = $1',
      [`victim-${state}`],
      (n) => n === 0,
    );
    const again = await other.count('select 1', limits).catch(() => other.count('select 1', limits));
    expect(again).toBe(1);
    await other.close();
  });
});
