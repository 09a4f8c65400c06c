import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectors } from '../../connectors/index.ts';
import { redshift } from '../../connectors/redshift/index.ts';
import { opening } from '../../connectors/redshift/session.ts';
import { columnOf, momentOf, orderOf, textOf } from '../../connectors/redshift/text.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import type { Limits, Reading, Scratch, Source } from '../../engine/contracts/source.ts';
import { type FakePostgres, failure, password, startFakePostgres } from '../fakes/postgres.ts';
import { type Opened, openFor } from '../support/connect.ts';
import { type FreshDb, freshDb } from '../support/postgres.ts';

const limits: Limits = { timeoutMs: 20_000 };

let fresh: FreshDb;
let fake: FakePostgres;
let admin: pg.Client;
const opened: Opened[] = [];

beforeAll(async () => {
  fresh = await freshDb();
  fake = await startFakePostgres(fresh.url, [
    'create table orders (id bigint primary key, note varchar(50))',
    "insert into orders select i, 'note ' || i from generate_series(1, 25000) i",
    'create table wide (id bigint, note text)',
    "insert into wide select i, repeat('x', 20000) from generate_series(1, 3000) i",
    'create table mixed (id bigint, note text)',
    "insert into mixed select i, case when i <= 1000 then repeat('x', 20000) else 'x' end from generate_series(1, 5000) i",
    'revoke create on schema public from public',
  ]);
  const url = new URL(fresh.url);
  url.pathname = new URL(fake.reader).pathname;
  admin = new pg.Client(url.href);
  await admin.connect();
});

afterEach(async () => {
  fake.heal();
  for (const one of opened.splice(0)) {
    await one.close();
  }
});

afterAll(async () => {
  await admin.end();
  await fake.close();
  await fresh.close();
});

/** What to type, for the reader or the writer of the fake. */
function typed(who: 'reader' | 'writer' = 'reader', more: Raw = {}): Raw {
  const { host, pathname, username } = new URL(fake[who]);
  return { host: `${host}${pathname}`, user: username, password, ...more };
}

async function open(given: Raw = typed()): Promise<Opened & { readonly source: Source }> {
  const one = await openFor(redshift, given);
  opened.push(one);
  return { ...one, source: one.connection.source as Source };
}

async function text(reading: Reading): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of reading.lines) {
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

/** The statements that were sent since a place in the list of requests. */
function sent(from = 0): readonly string[] {
  return fake.requests.slice(from).map(({ body }) => body.toString('utf8'));
}

function fetches(from: number): readonly (string | undefined)[] {
  return sent(from).flatMap((statement) => /FETCH FORWARD (\d+)/.exec(statement)?.[1] ?? []);
}

const orders = { sql: 'SELECT id, note FROM orders', key: ['id'], columns: ['id', 'note'] };

describe('redshift: what is declared', () => {
  it('is in the list', () => {
    expect(connectors).toContain(redshift);
  });

  it.each([
    [{ host: 'jdbc:redshift://x' }, 'host'],
    [{ host: 'no host' }, 'host'],
    [{ host: 'acme.redshift.amazonaws.com' }, 'database'],
    [{ queryGroup: "x'; drop table y" }, 'queryGroup'],
    [{ plannerSchema: 'public' }, 'plannerSchema'],
    [{ plannerSchema: 'Planner' }, 'plannerSchema'],
    [{ plannerSchema: "x' or '1" }, 'plannerSchema'],
  ])('refuses what can not be right, at its field: %j', async (more, name) => {
    const error = await openFor(redshift, typed('reader', more)).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: 'CONFIG_INVALID', fields: { [name]: expect.any(String) } });
  });

  it('takes port and database in fields of their own', async () => {
    const { hostname, port, pathname } = new URL(fake.reader);

    const { source } = await open(typed('reader', { host: hostname, port, database: pathname.slice(1) }));

    expect(await source.count('SELECT 1 AS k', limits)).toBe(1);
  });
});

describe('redshift: the SQL that only Redshift understands', () => {
  it.each([
    [16, -1, 'boolean', 'boolean', "CASE WHEN q.x THEN 'true' WHEN NOT q.x THEN 'false' END"],
    [21, -1, 'number', 'smallint', 'q.x::varchar'],
    [23, -1, 'number', 'integer', 'q.x::varchar'],
    [20, -1, 'number', 'bigint', 'q.x::varchar'],
    [1700, (38 << 16) + 9 + 4, 'number', 'numeric(38,9)', 'q.x::varchar'],
    [700, -1, 'number', 'real', 'q.x::varchar'],
    [701, -1, 'number', 'double precision', 'q.x::varchar'],
    [1043, 54, 'text', 'character varying(50)', 'q.x'],
    [1042, 14, 'text', 'character(10)', 'q.x::varchar'],
    [25, -1, 'text', 'text', 'q.x::varchar'],
    [705, -1, 'text', 'unknown', 'q.x::varchar'],
    [1082, -1, 'time', 'date', "TO_CHAR(q.x, 'YYYY-MM-DD')"],
    [1083, -1, 'time', 'time without time zone', 'q.x::varchar'],
    [1266, -1, 'time', 'time with time zone', 'q.x::varchar'],
    [
      1114,
      -1,
      'time',
      'timestamp without time zone',
      "RTRIM(RTRIM(TO_CHAR(q.x, 'YYYY-MM-DD HH24:MI:SS.US'), '0'), '.')",
    ],
    [
      1184,
      -1,
      'time',
      'timestamp with time zone',
      "RTRIM(RTRIM(TO_CHAR((q.x AT TIME ZONE 'UTC'), 'YYYY-MM-DD HH24:MI:SS.US'), '0'), '.') || '+00'",
    ],
    [1188, -1, 'text', 'interval year to month', 'q.x::varchar'],
    [1190, -1, 'text', 'interval day to second', 'q.x::varchar'],
    [4000, -1, 'json', 'super', 'JSON_SERIALIZE(q.x)'],
    [6551, -1, 'bytes', 'varbyte', "CHR(92) || 'x' || LOWER(FROM_VARBYTE(q.x, 'hex'))"],
    [3000, -1, 'text', 'geometry', 'ST_AsText(q.x)'],
    [3001, -1, 'text', 'geography', 'ST_AsText(q.x)'],
  ])('makes the exact text of a value: type %i', (oid, modifier, type, native, expression) => {
    const column = columnOf('x', oid, modifier);

    expect(column).toEqual({ name: 'x', type, native });
    expect(textOf(column, 'q.x')).toBe(expression);
    expect(orderOf(column)).toBe(/^(smallint|integer|bigint)$/.test(native) ? 'numeric' : 'bytes');
  });

  it('compares with a watermark in the type of its column, without a zone where the column has none', () => {
    const at = '2026-03-29T02:30:00.000001Z';
    const literals = [20, 1184, 1114, 1082, 1043].map((oid) =>
      momentOf(columnOf('x', oid, -1), oid === 20 ? '1.5' : at),
    );

    expect(literals).toEqual([
      '1.5',
      "'2026-03-29 02:30:00.000001+00'::timestamptz",
      "'2026-03-29 02:30:00.000001'::timestamp",
      "'2026-03-29'::date",
      `'${at}'`,
    ]);
  });

  it('begins a transaction in the queue of the query group, with settings that keep texts the same', () => {
    expect(opening({ queryGroup: 'activate' }, 1500.2, 'READ ONLY')).toBe(
      [
        'BEGIN READ ONLY',
        "SET LOCAL query_group TO 'activate'",
        'SET LOCAL statement_timeout TO 1501',
        "SET LOCAL timezone TO 'UTC'",
        "SET LOCAL datestyle TO 'ISO, YMD'",
        'SET LOCAL extra_float_digits TO 2',
        'SELECT pg_backend_pid() AS pid',
      ].join('; '),
    );
  });

  it('calls only functions that Redshift has, and casts to no type that it does not', async () => {
    const from = fake.requests.length;
    const { source, connection } = await open(typed('writer', { plannerSchema: 'activate_planner' }));
    await connection.check('source');
    await source.tables('ord');
    await source.suggestKey(orders.sql, limits);
    await source.count(orders.sql, limits);
    await source.preview("SELECT now() AS a, true AS b, 1.5 AS c, date '2026-01-01' AS d", 1, limits);
    await text(await source.read({ ...orders, since: { column: 'id', value: '24990' } }, limits));

    const statements = sent(from).join('\n');
    const called = new Set(
      [...statements.matchAll(/\b([a-z_]+)\(/gi)].map(([, name]) => name?.toUpperCase()),
    );
    const cast = new Set([...statements.matchAll(/::(\w+)/g)].map(([, type]) => type));

    // NOW stands in the query above, not in ours. What follows is not called: EXISTS (…), IN (…).
    expect([...called].sort()).toEqual(
      [
        [
          'COUNT',
          'CURRENT_DATABASE',
          'HAS_DATABASE_PRIVILEGE',
          'HAS_SCHEMA_PRIVILEGE',
          'HAS_TABLE_PRIVILEGE',
        ],
        ['LOWER', 'NOW', 'PG_BACKEND_PID', 'QUOTE_IDENT', 'RTRIM', 'STRPOS', 'SUBSTRING', 'TO_CHAR'],
      ].flat(),
    );
    expect([...cast]).toEqual(['varchar', 'int'].filter((type) => cast.has(type)));
  });
});

describe('redshift: reading by a cursor', () => {
  it('is sorted there by whole numbers alone, and here by text: a collation may know no case', async () => {
    const { source } = await open();

    expect(await source.read(orders, limits).then(drop)).toMatchObject({ order: ['numeric'], sorted: true });
    expect(await source.read({ ...orders, key: ['note'] }, limits).then(drop)).toMatchObject({
      order: ['bytes'],
      sorted: false,
    });
    expect(
      sent()
        .filter((statement) => statement.includes('DECLARE'))
        .at(-1),
    ).not.toContain('ORDER BY');
  });

  it('takes at most 10,000 rows at a time, and goes on until there are none', async () => {
    const { source } = await open();
    const from = fake.requests.length;

    const read = await text(await source.read(orders, limits));

    expect(read.split('\n').slice(0, -1)).toHaveLength(25_000);
    expect(fetches(from)).toEqual(['1001', '10000', '10000', '10000', '10000']);
  });

  it('takes fewer where rows are wide', async () => {
    const { source } = await open();
    const from = fake.requests.length;

    const read = await text(await source.read({ ...orders, sql: 'SELECT id, note FROM wide' }, limits));

    expect(read.split('\n').slice(0, -1)).toHaveLength(3000);
    expect(new Set(fetches(from).slice(1))).toEqual(new Set(['399']));
  });

  it('begins anew with parts of 1,000 where the cluster has a single node, and loses and doubles no row', async () => {
    const { source } = await open();
    const from = fake.requests.length;
    const refusal = failure(
      'XX000',
      'Fetch size 1001 exceeds the limit of 1000 for a single node configuration. Reduce the client fetch/cache size.',
    );
    fake.next(undefined, undefined, undefined, refusal);

    const read = await text(await source.read(orders, limits));

    const ids = read
      .split('\n')
      .slice(0, -1)
      .map((line) => Number(line.split('\t')[0]));
    expect(ids).toEqual(Array.from({ length: 25_000 }, (_, i) => i + 1));
    expect(fetches(from)).toEqual(['1001', ...Array.from({ length: 26 }, () => '1000')]);
  });

  it('fails as any reading does when it can not begin anew, and leaves a connection', async () => {
    const { source } = await open();
    const refusal = failure(
      'XX000',
      'Fetch size 1001 exceeds the limit of 1000 for a single node configuration.',
    );
    fake.next(
      undefined,
      undefined,
      undefined,
      refusal,
      undefined,
      failure('57P03', 'the cluster is restarting'),
    );

    await expect(source.read(orders, limits).then(text)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await source.count('SELECT 1 AS k', limits)).toBe(1);
  });

  it('stays below 1,000 there, whatever it took fewer for', async () => {
    const { source } = await open();
    const from = fake.requests.length;
    const refusal = failure(
      'XX000',
      'Fetch size 1001 exceeds the limit of 1000 for a single node configuration.',
    );
    fake.next(undefined, undefined, undefined, refusal);

    const read = await text(await source.read({ ...orders, sql: 'SELECT id, note FROM mixed' }, limits));

    expect(read.split('\n').slice(0, -1)).toHaveLength(5000);
    const sizes = fetches(from).slice(1).map(Number);
    expect(Math.max(...sizes)).toBe(1000);
    expect(Math.min(...sizes)).toBe(399);
  });

  it('does not begin anew for another error', async () => {
    const { source } = await open();
    const from = fake.requests.length;
    fake.next(undefined, undefined, undefined, failure('XX000', 'exceeds the maximum size for a result set'));

    await expect(source.read(orders, limits).then(text)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(fetches(from)).toEqual(['1001']);
  });

  it('fails when an answer is garbage, or breaks off', async () => {
    const { source } = await open();
    for (const fault of ['reset', 'done-then-reset'] as const) {
      fake.next(undefined, undefined, undefined, undefined, fault);

      await expect(source.read(orders, limits).then(text)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    }
  });

  it('gives the same texts under whatever settings the database has', async () => {
    const name = new URL(fake.reader).pathname.slice(1);
    for (const setting of [
      "timezone = 'America/New_York'",
      "datestyle = 'German'",
      'extra_float_digits = -3',
    ]) {
      await admin.query(`alter database ${name} set ${setting}`);
    }
    const { source } = await open();
    const sql = `SELECT 1 AS k, '2026-03-29 01:30:00.120000+02'::timestamptz AS a, '2026-12-31 00:00:10'::timestamp AS b,
      date '2026-12-31' AS c, 0.1::float8 + 0.2::float8 AS d, false AS e, 'ab '::char(5) AS f`;

    const read = await text(
      await source.read({ sql, key: ['k'], columns: ['a', 'b', 'c', 'd', 'e', 'f'] }, limits),
    );

    expect(read).toBe(
      '1\t2026-03-28 23:30:00.12+00\t2026-12-31 00:00:10\t2026-12-31\t0.30000000000000004\tfalse\tab\n',
    );
    await admin.query(`alter database ${name} reset all`);
  });
});

describe('redshift: errors', () => {
  it.each([
    ['XX000', '1023 Serializable isolation violation on table', 'UNAVAILABLE'],
    ['57P03', 'the cluster is being resized', 'UNAVAILABLE'],
    ['53300', 'too many connections', 'UNAVAILABLE'],
    ['57014', "Query (150) canceled on user's request", 'UNAVAILABLE'],
    ['53100', 'disk full', 'SQL_FAILED'],
    ['0A000', 'Specified types or functions not supported on Redshift tables', 'SQL_FAILED'],
    ['42501', 'permission denied for relation orders', 'PERMISSION_DENIED'],
    ['25006', 'transaction is read-only', 'SQL_UNSAFE'],
    ['28000', 'password authentication failed', 'AUTH_REJECTED'],
  ])('are lasting or passing by their code: %s %s', async (code, says, expected) => {
    const { source } = await open();
    fake.next(undefined, failure(code, says));

    await expect(source.count('SELECT 1 AS k', limits)).rejects.toMatchObject({ code: expected });
  });

  it('tell no password, whatever the server repeats', async () => {
    const { source } = await open();
    fake.next(undefined, failure('42601', `syntax error near ${password}`));

    const error = await source.count('SELECT 1 AS k', limits).catch((thrown: Error) => thrown);

    expect(`${JSON.stringify(error)}${String(error)}${String((error as Error).cause)}`).not.toContain(
      password,
    );
  });
});

describe('redshift: a planner schema', () => {
  const planner = (more: Raw = {}): Raw =>
    typed('writer', { plannerSchema: 'activate_planner', planner: 'warehouse', ...more });
  const scratchOf = async (given: Raw): Promise<Scratch> => (await open(given)).source.scratch as Scratch;

  afterEach(async () => {
    await admin.query('drop schema if exists activate_planner cascade');
    const name = new URL(fake.reader).pathname.slice(1);
    await admin.query(`revoke create on database ${name} from ${new URL(fake.writer).username}`);
  });

  it('is there only where the connection names one', async () => {
    expect(await scratchOf(planner({ logs: 'yes' }))).toMatchObject({ choice: 'warehouse', logs: true });
    expect((await open()).source.scratch).toBeUndefined();
  });

  it('lacks the schema, with the statement that makes it', async () => {
    const scratch = await scratchOf(planner());
    const { username } = new URL(fake.writer);

    expect(await scratch.lacking(limits)).toEqual([
      `There is no schema activate_planner. An administrator makes it: CREATE SCHEMA "activate_planner" AUTHORIZATION "${username}";`,
    ]);
    await admin.query('create schema activate_planner');
    expect(await scratch.lacking(limits)).toEqual([
      `The user may not make tables in activate_planner. An administrator lets it: GRANT USAGE, CREATE ON SCHEMA "activate_planner" TO "${username}";`,
    ]);
    await admin.query(`grant usage, create on schema activate_planner to ${username}`);
    expect(await scratch.lacking(limits)).toEqual([]);
  });

  it('is made where the user may, and then used: what is written stays, and is read by the same connection', async () => {
    const name = new URL(fake.reader).pathname.slice(1);
    await admin.query(`grant create on database ${name} to ${new URL(fake.writer).username}`);
    const { source } = await open(planner());
    const scratch = source.scratch as Scratch;
    expect(await scratch.lacking(limits)).toEqual([]);
    const table = scratch.table('told_1');

    await scratch.execute(`CREATE TABLE ${table} (tk varchar(65535) NOT NULL)`, limits);
    await scratch.execute(`INSERT INTO ${table} (tk) VALUES ('a'), ('b')`, limits);

    expect(table).toBe('"activate_planner"."told_1"');
    const reading = await source.read(
      { sql: `SELECT tk FROM ${table}`, key: ['tk'], columns: ['tk'] },
      limits,
    );
    expect((await text(reading)).split('\n').sort()).toEqual(['', 'a', 'b']);
  });

  it('takes one statement at a time, and keeps nothing of one that fails or is stopped', async () => {
    const name = new URL(fake.reader).pathname.slice(1);
    await admin.query(`grant create on database ${name} to ${new URL(fake.writer).username}`);
    const scratch = await scratchOf(planner());
    await scratch.lacking(limits);
    const table = scratch.table('t');
    await scratch.execute(`CREATE TABLE ${table} (x int)`, limits);

    const refused = await Promise.allSettled([
      scratch.execute(`INSERT INTO ${table} VALUES (1); COMMIT`, limits),
      scratch.execute(`INSERT INTO ${table} SELECT 1 / 0`, limits),
      scratch.execute(`INSERT INTO ${table} SELECT 1 FROM (SELECT pg_sleep(30)) s`, { timeoutMs: 300 }),
    ]);

    expect(refused.map((one) => (one as { reason?: { code: string } }).reason?.code)).toEqual([
      'SQL_FAILED',
      'SQL_FAILED',
      'SQL_TIMEOUT',
    ]);
    expect((await admin.query(`select * from ${table}`)).rows).toEqual([]);
  });

  it('says so when nobody knows whether what was written stays', async () => {
    const name = new URL(fake.reader).pathname.slice(1);
    await admin.query(`grant create on database ${name} to ${new URL(fake.writer).username}`);
    const scratch = await scratchOf(planner());
    await scratch.lacking(limits);
    fake.next(undefined, undefined, 'done-then-reset');

    await expect(scratch.execute(`CREATE TABLE ${scratch.table('t')} (x int)`, limits)).rejects.toMatchObject(
      {
        code: 'UNAVAILABLE',
      },
    );
  });

  it('is not complained about when the user may write there and nowhere else', async () => {
    const { username } = new URL(fake.reader);
    await admin.query(`create schema activate_planner authorization ${username}`);
    await admin.query('create table activate_planner.told (x int)');
    await admin.query(`alter table activate_planner.told owner to ${username}`);

    const { connection } = await open(typed('reader', { plannerSchema: 'activate_planner' }));
    expect(await connection.check('source')).toEqual([]);

    const without = await open();
    expect(await without.connection.check('source')).toEqual([
      'The user can change rows of at least one table.',
      'The user can create tables.',
    ]);
  });
});

/** Breaks a reading off, and answers with what it said of itself. */
async function drop(reading: Reading): Promise<Reading> {
  await reading.lines[Symbol.asyncIterator]().return?.();
  return reading;
}
