import { createHash, createPublicKey } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectors } from '../../connectors/index.ts';
import { accountOf } from '../../connectors/snowflake/account.ts';
import { snowflake } from '../../connectors/snowflake/index.ts';
import { textOf } from '../../connectors/snowflake/text.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import type { Limits, Reading, Scratch, Source } from '../../engine/contracts/source.ts';
import {
  type Asked,
  type FakeSnowflake,
  fixed,
  type Outcome,
  startFakeSnowflake,
  text,
} from '../fakes/snowflake.ts';
import { type Opened, openFor, secretsOf } from '../support/connect.ts';

const limits: Limits = { timeoutMs: 20_000 };
const submit = 'POST /api/v2/statements';
const look = 'GET /api/v2/statements/:handle';

let fake: FakeSnowflake;
let opened: Opened;
let source: Source;

function typed(more: Raw = {}): Raw {
  const { account, user, privateKey } = fake.state;
  const base = { account, user, privateKey, database: 'analytics', warehouse: 'activate_wh', role: 'reader' };
  return { ...base, baseUrl: fake.url, ...more };
}

async function open(more: Raw = {}): Promise<Source> {
  await opened?.close();
  opened = await openFor(snowflake, typed(more), { now: () => fake.state.now() });
  return opened.connection.source as Source;
}

beforeEach(async () => {
  fake = await startFakeSnowflake();
  source = await open();
});

afterEach(async () => {
  await opened.close();
  fake.expectNoUnexpected();
  await fake.close();
});

const idAndName = [fixed('ID'), text('NAME')];
const people: Outcome = {
  columns: idAndName,
  rows: [
    ['1', 'Ada'],
    ['2', null],
    ['10', 'tab\there'],
  ],
};

/** The answers to the two questions that a reading asks: its columns, its rows. */
function readable(outcome: Outcome = people): void {
  fake.state.script.push([/LIMIT 0$/, { columns: 'columns' in outcome ? outcome.columns : [], rows: [] }]);
  fake.state.script.push([/^SELECT TO_VARCHAR/, outcome]);
}

async function linesIn(reading: Reading): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of reading.lines) {
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

const query = { sql: 'select * from people', key: ['ID'], columns: ['ID', 'NAME'] };

const read = async (from = source, within = limits): Promise<string> =>
  linesIn(await from.read(query, within));

/** What was asked, in order. */
function asked(): readonly Asked[] {
  return fake.to(submit).map((request) => request.json<Asked>());
}

const statements = (): readonly string[] => asked().map(({ statement }) => statement);

describe('what Snowflake is declared as', () => {
  it('is in the list', () => {
    expect(connectors).toContain(snowflake);
  });

  it.each(Object.entries(snowflake.config))('keeps the house limits: %s', (_, field) => {
    expect(field.label.length).toBeLessThanOrEqual(24);
    expect((field.help ?? '').length).toBeLessThanOrEqual(150);
  });
});

describe('the account', () => {
  it.each([
    ['myorg-myaccount', 'myorg-myaccount.snowflakecomputing.com', 'MYORG-MYACCOUNT'],
    ['MYORG.MYACCOUNT', 'myorg-myaccount.snowflakecomputing.com', 'MYORG-MYACCOUNT'],
    ['myorg-my_account', 'myorg-my-account.snowflakecomputing.com', 'MYORG-MY_ACCOUNT'],
    ['xy12345', 'xy12345.snowflakecomputing.com', 'XY12345'],
    ['xy12345.eu-central-1', 'xy12345.eu-central-1.snowflakecomputing.com', 'XY12345'],
    ['xy12345.us-east-2.aws', 'xy12345.us-east-2.aws.snowflakecomputing.com', 'XY12345'],
    ['xy12345.west-europe.azure', 'xy12345.west-europe.azure.snowflakecomputing.com', 'XY12345'],
    ['myorg-acc.privatelink', 'myorg-acc.privatelink.snowflakecomputing.com', 'MYORG-ACC'],
    ['xy12345-abc.global', 'xy12345-abc.global.snowflakecomputing.com', 'XY12345'],
    [
      'https://myorg-myaccount.snowflakecomputing.com/console/login',
      'myorg-myaccount.snowflakecomputing.com',
      'MYORG-MYACCOUNT',
    ],
    ['myorg-acc.snowflakecomputing.cn', 'myorg-acc.snowflakecomputing.cn', 'MYORG-ACC'],
  ])('is understood as %s', (given, host, name) => {
    expect(accountOf(given)).toEqual({ host, name });
  });

  it.each(['', 'my account', 'https://example.com:x', 'a..b', 'acme@snowflake'])(
    'is not %s',
    async (account) => {
      expect(accountOf(account)).toBeUndefined();
    },
  );
});

describe('signing in', () => {
  it('by a key pair signs a token by account, user and the fingerprint of the public key', async () => {
    readable();

    await read();

    const token = fake.requests[0]?.headers['authorization']?.replace('Bearer ', '') ?? '';
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    const der = createPublicKey(fake.state.publicKey).export({ type: 'spki', format: 'der' });
    const print = createHash('sha256').update(der).digest('base64');
    expect(claims.iss).toBe(`MYORG-MYACCOUNT.ACTIVATE.SHA256:${print}`);
    expect(claims.sub).toBe('MYORG-MYACCOUNT.ACTIVATE');
    expect(claims.exp - claims.iat).toBe(59 * 60);
  });

  it('by a programmatic access token, or by OAuth, says which of them it is', async () => {
    readable();
    const { clientId, clientSecret, refreshToken } = fake.state.oauth;

    const byToken = await open({ token: fake.state.token, privateKey: '' });
    expect(await read(byToken)).toContain('Ada');
    const byOauth = await open({ privateKey: '', clientId, clientSecret, refreshToken });
    expect(await read(byOauth)).toContain('Ada');

    const kinds = fake.to(submit).map(({ headers }) => headers['x-snowflake-authorization-token-type']);
    expect([...new Set(kinds)]).toEqual(['PROGRAMMATIC_ACCESS_TOKEN', 'OAUTH']);
  });

  it('goes on with a new token when the old one runs out in the middle of the partitions', async () => {
    readable({ ...people, parts: [1, 1, 1] } as Outcome);
    const minute = 60_000;
    const start = Date.now();
    let now = start;
    fake.state.now = () => new Date(now);
    fake.state.bend = (result) => {
      // After the first partition an hour goes by.
      now =
        'resultSetMetaData' in result && (result['data'] as unknown[]).length > 0 ? start + 61 * minute : now;
      return result;
    };

    expect(await read()).toBe('1\tAda\n2\t\\N\n10\ttab\\there\n');

    expect(new Set(fake.requests.map(({ headers }) => headers['authorization'])).size).toBe(2);
  });

  it.each([
    ['privateKey', {}],
    ['token', { privateKey: '', token: 'wrong-wrong-wrong' }],
    [
      'refreshToken',
      { privateKey: '', clientId: 'client-1', clientSecret: 'client-secret', refreshToken: 'x' },
    ],
  ])('that is refused blames the field: %s', async (name, more) => {
    fake.state.signedSince = name === 'privateKey' ? Number.POSITIVE_INFINITY : 0;
    const from = await open(more);

    const error = await read(from).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: 'AUTH_REJECTED' });
    const said = `${JSON.stringify(error)} ${String(error)} ${opened.logged.join('\n')}`;
    for (const secret of secretsOf(snowflake, typed(more)).filter((one) => one.length > 3)) {
      expect(said).not.toContain(secret);
    }
  });

  it.each([
    [{ privateKey: '' }, 'privateKey'],
    [{ privateKey: 'not a key' }, 'privateKey'],
    [{ user: '' }, 'user'],
    [{ privateKey: '', clientId: 'x' }, 'clientSecret'],
    [{ account: 'no account' }, 'account'],
    [{ warehouse: 'a.b' }, 'warehouse'],
    [{ plannerSchema: 'a.b.c' }, 'plannerSchema'],
  ])('is refused before anything is sent: %j', async (more, field) => {
    await expect(open(more as unknown as Raw)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { [field]: expect.any(String) },
    });
    expect(fake.requests).toEqual([]);
  });
});

describe('a statement', () => {
  it('carries names as Snowflake keeps them, one statement at once, no cut result, small parts and a tag', async () => {
    readable();

    await read();

    expect(asked()[0]).toMatchObject({
      database: 'ANALYTICS',
      role: 'READER',
      warehouse: 'ACTIVATE_WH',
      timeout: 20,
      parameters: {
        MULTI_STATEMENT_COUNT: '1',
        ROWS_PER_RESULTSET: '0',
        CLIENT_RESULT_CHUNK_SIZE: '16',
        QUERY_TAG: '{"app":"activate/test"}',
      },
    });
  });

  it('is the same text each time, so that the cache of results can answer', async () => {
    readable();

    await read();
    await read();

    const [, first, , second] = statements();
    expect(first).toBe(second);
    expect(new Set(fake.to(submit).map(({ query: q }) => q.get('requestId'))).size).toBe(4);
  });

  it('keeps the case of names in quotes', async () => {
    readable();

    await read(await open({ warehouse: '"My wh"', role: '"reader"', database: '"an""db"' }));

    expect(asked()[0]).toMatchObject({ warehouse: 'My wh', role: 'reader', database: 'an"db' });
  });

  it('is asked for until it is done', async () => {
    fake.state.runsFor = 3;
    readable();

    expect(await read()).toContain('Ada');

    expect(fake.to(look)).toHaveLength(8);
  });

  it.each(['reset', 'done-then-reset', 'done-then-garbage'] as const)(
    'is handed in once, when its answer is lost: %s',
    async (fault) => {
      readable();
      fake.fail(submit, fault);

      await read();

      const [first, again] = fake.to(submit);
      expect(fake.state.statements.size).toBe(2);
      expect(again?.query.get('requestId')).toBe(first?.query.get('requestId'));
      expect(again?.query.get('retry')).toBe('true');
    },
  );

  it.each([429, 503])('waits as it is asked to: %i', async (status) => {
    readable();
    const refusal = { status, headers: { 'retry-after': '0.01' }, json: { message: 'Too many' } };
    fake.fail(submit, refusal);
    fake.fail(look, { ...refusal, headers: { 'retry-after': '7' } });

    expect(await read()).toContain('Ada');

    expect(opened.pauses).toEqual([7000]);
  });

  it('that has to wait too long is tried later', async () => {
    readable();
    fake.fail(submit, { status: 429, headers: { 'retry-after': '30' }, json: {} });

    await expect(read()).rejects.toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 30_000 });
  });

  it('that was lost in a restart is tried later', async () => {
    readable();
    fake.state.runsFor = 2;
    const reading = await source.read(query, limits);
    await nthStatement(2);
    fake.state.statements.clear();

    await expect(linesIn(reading)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it.each<readonly [string, Outcome, string]>([
    ['000630', { code: '000630', message: 'Statement reached its timeout' }, 'SQL_TIMEOUT'],
    ['408', { code: '000630', message: 'Timeout', status: 408 }, 'SQL_TIMEOUT'],
    ['000604', { code: '000604', message: 'SQL execution canceled' }, 'UNAVAILABLE'],
    ['003001', { code: '003001', message: 'Insufficient privileges' }, 'PERMISSION_DENIED'],
    ['002003', { code: '002003', message: "Object 'X' does not exist" }, 'SQL_FAILED'],
    ['000606', { code: '000606', message: 'No active warehouse selected' }, 'CONFIG_INVALID'],
    ['390189', { code: '390189', message: 'Role does not exist' }, 'CONFIG_INVALID'],
    ['000008', { code: '000008', message: 'Actual statement count 2' }, 'SQL_UNSAFE'],
  ])('that fails says why: %s', async (_, outcome, code) => {
    fake.state.script.push([/LIMIT 0$/, outcome]);

    await expect(source.describe('select 1', limits)).rejects.toMatchObject({ code });
    expect(fake.state.canceled).toEqual([]);
  });

  it('that is wrong names the line of the query as it was typed', async () => {
    fake.state.script.push([
      /LIMIT 0$/,
      {
        code: '001003',
        message: "SQL compilation error:\nsyntax error line 3 at position 7 unexpected 'x'.",
      },
    ]);

    await expect(source.describe('select\n 1 x x', limits)).rejects.toMatchObject({
      code: 'SQL_FAILED',
      message: expect.stringContaining('syntax error (line 2, column 8) unexpected'),
    });
  });
});

describe('a result', () => {
  it('comes in key order, escaped, with the key first', async () => {
    readable();

    const reading = await source.read({ ...query, columns: ['NAME', 'ID'] }, limits);

    expect([reading.sorted, reading.order]).toEqual([true, ['numeric']]);
    expect(await linesIn(reading)).toBe('1\tAda\n2\t\\N\n10\ttab\\there\n');
    expect(statements()[1]).toBe(
      'SELECT TO_VARCHAR(q."ID"), COLLATE(TO_VARCHAR(q."NAME"), \'utf8\') FROM (\nselect * from people\n) AS q ORDER BY q."ID"',
    );
  });

  it('sorts a text by its bytes, whatever its column says', async () => {
    const columns = [text('NAME')];
    fake.state.script.push([/LIMIT 0$/, { columns, rows: [] }]);
    fake.state.script.push([/^SELECT COLLATE/, { columns, rows: [['a']] }]);

    const reading = await source.read({ sql: 'select 1', key: ['NAME'], columns: ['NAME'] }, limits);

    expect([reading.order, await linesIn(reading)]).toEqual([['bytes'], 'a\n']);
    expect(statements()[1]).toMatch(/COLLATE\(TO_VARCHAR\(q\."NAME"\), 'utf8'\).* ORDER BY 1$/s);
  });

  it('of many partitions, which are packed, comes whole', async () => {
    const rows = Array.from({ length: 2500 }, (_, at) => [String(at), `n ${at}`]);
    readable({ columns: idAndName, rows, parts: [1200, 1200, 100] });

    const lines = (await read()).split('\n');

    expect(lines).toHaveLength(2501);
    expect(lines.at(-2)).toBe('2499\tn 2499');
    expect(fake.to(look).flatMap(({ query: q }) => q.get('partition') ?? [])).toEqual(['1', '2']);
  });

  it('fetches no more than one partition ahead of who reads it', async () => {
    const rows = Array.from({ length: 10 }, (_, at) => [String(at), 'x']);
    readable({ columns: idAndName, rows, parts: rows.map(() => 1) });
    const reading = await source.read(query, limits);
    const iterator = reading.lines[Symbol.asyncIterator]();

    await iterator.next();
    await iterator.next();

    const partitions = fake.to(look).filter(({ query: q }) => q.has('partition'));
    expect(partitions.length).toBeLessThanOrEqual(2);
    await iterator.return?.();
  });

  it.each<readonly [string, (result: Record<string, unknown>) => Record<string, unknown>]>([
    ['a partition comes short', (set) => ('resultSetMetaData' in set ? set : { data: [] })],
    [
      'two partitions are not what they are said to be',
      (set) => withMeta(set, { partitionInfo: [{ rowCount: 1 }, { rowCount: 2 }] }),
    ],
    ['a partition has no rows at all', (set) => ('resultSetMetaData' in set ? set : {})],
    ['more rows are counted than come', (set) => withMeta(set, { numRows: 4 })],
    ['fewer rows are counted than come', (set) => withMeta(set, { numRows: 2 })],
    ['a partition is missing', (set) => withMeta(set, { partitionInfo: [{ rowCount: 2 }] })],
    ['it is said to be too large', (set) => ('resultSetMetaData' in set ? { ...set, code: '391908' } : set)],
    ['a row has too few values', (set) => ('resultSetMetaData' in set ? set : { data: [['10']] })],
  ])('fails when %s', async (_, bend) => {
    readable({ ...people, parts: [2, 1] } as Outcome);
    const reading = await source.read(query, limits);
    fake.state.bend = bend;

    await expect(linesIn(reading)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('is not cut where the user is set to get a few rows only', async () => {
    fake.state.defaults = { ROWS_PER_RESULTSET: '1' };
    readable();

    expect((await read()).split('\n')).toHaveLength(4);
  });

  it('takes little memory, however large it is', async () => {
    const [parts, inPart] = [80, 2000];
    const rows = Array.from({ length: inPart }, (_, at) => [String(at), 'x'.repeat(1000)]);
    readable({ columns: idAndName, rows });
    fake.state.bend = (set) =>
      'resultSetMetaData' in set && (set['data'] as unknown[]).length === 0
        ? set
        : withMeta(
            { ...set, data: rows },
            { numRows: parts * inPart, partitionInfo: Array(parts).fill({ rowCount: inPart }) },
          );
    const before = process.memoryUsage.rss();
    let [bytes, most] = [0, before];

    for await (const piece of (await source.read(query, limits)).lines) {
      bytes += piece.length;
      most = Math.max(most, process.memoryUsage.rss());
    }

    expect(bytes).toBeGreaterThan(160e6);
    expect((most - before) / 1e6).toBeLessThan(140);
  }, 60_000);

  it('fails when its answer breaks off', async () => {
    readable({ ...people, parts: [2, 1] } as Outcome);
    const reading = await source.read(query, limits);
    fake.fail(look, undefined as never, 'done-then-garbage', 'done-then-garbage');

    await expect(linesIn(reading)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('may be empty', async () => {
    readable({ columns: idAndName, rows: [] });

    expect(await read()).toBe('');
  });
});

function withMeta(set: Record<string, unknown>, more: object): Record<string, unknown> {
  const about = set['resultSetMetaData'] as object | undefined;
  return about === undefined ? set : { ...set, resultSetMetaData: { ...about, ...more } };
}

describe('giving up', () => {
  const forever = 1e9;

  it('ends the statement in Snowflake when the reading is broken off', async () => {
    readable();
    const reading = await source.read(query, limits);
    fake.state.runsFor = forever;
    const held = await nthStatement(2);
    held.runsFor = forever;

    await reading.lines[Symbol.asyncIterator]().return?.();

    expect(fake.state.canceled).toEqual(['01b0-2']);
  });

  it('ends it when the signal says so, and says that it was canceled', async () => {
    readable();
    const stop = new AbortController();
    const reading = await source.read(query, { ...limits, signal: stop.signal });
    (await nthStatement(2)).runsFor = forever;
    const all = linesIn(reading).catch((thrown: unknown) => thrown);

    stop.abort(new Error('enough'));

    expect(await all).toMatchObject({ code: 'CANCELED' });
    expect(fake.state.canceled).toEqual(['01b0-2']);
  });

  it('ends it when its time is over and Snowflake does not say so', async () => {
    fake.state.script.push([/COUNT/, { columns: [fixed('N')], rows: [['1']] }]);
    fake.state.runsFor = forever;

    // It gets five seconds more than it may take, to say so itself.
    await expect(source.count('select 1', { timeoutMs: -4900 })).rejects.toMatchObject({
      code: 'SQL_TIMEOUT',
    });

    expect(fake.state.canceled).toEqual(['01b0-1']);
  });

  it('asks nothing when it was given up before', async () => {
    await expect(source.count('select 1', { ...limits, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'CANCELED',
    });
    expect(fake.requests).toEqual([]);
  });

  it('bears that the statement was over already', async () => {
    fake.state.script.push([/COUNT/, { columns: [fixed('N')], rows: [['1']] }]);
    fake.state.runsFor = 0;
    fake.fail(look, 'done-then-garbage');

    await expect(source.count('select 1', limits)).rejects.toMatchObject({ code: 'UNAVAILABLE' });

    expect(fake.to('POST /api/v2/statements/:handle/cancel')).toHaveLength(1);
  });

  it('fetches no more of a result that is done', async () => {
    const rows = Array.from({ length: 10 }, (_, at) => [String(at), 'x']);
    readable({ columns: idAndName, rows, parts: rows.map(() => 1) });
    const iterator = (await source.read(query, limits)).lines[Symbol.asyncIterator]();
    await iterator.next();

    await iterator.return?.();
    const then = fake.requests.length;

    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    expect(fake.requests).toHaveLength(then);
    expect(fake.state.canceled).toEqual([]);
  });
});

/** A statement of the fake, as soon as it has it. */
async function nthStatement(count: number) {
  while (fake.state.statements.size < count) {
    await fake.arrival();
  }
  const held = [...fake.state.statements.values()][count - 1];
  if (held === undefined) {
    throw new Error('no such statement');
  }
  return held;
}

describe('reading only', () => {
  it.each([
    'select 1; drop table people',
    'select 1) as q; drop table people; select * from (select 1',
    'select 1) as q ->> drop table people ->> (select 1',
    'select 1 ->> select 2',
    ') select (',
  ])('refuses what leaves its parentheses: %s', async (sql) => {
    for (const work of [
      () => source.describe(sql, limits),
      () => source.preview(sql, 1, limits),
      () => source.count(sql, limits),
      () => source.read({ ...query, sql }, limits),
      () => source.suggestKey(sql, limits),
    ]) {
      await expect(work()).rejects.toMatchObject({ code: 'SQL_UNSAFE' });
    }
    expect(fake.requests).toEqual([]);
  });

  it.each(["select ';) ->>' as a", 'select 1 -- ) ; done', 'select 1;', 'select (1) /* ) */'])(
    'takes what only looks like it: %s',
    async (sql) => {
      fake.state.script.push([/LIMIT 0$/, { columns: [text('A')], rows: [] }]);

      expect(await source.describe(sql, limits)).toHaveLength(1);
    },
  );

  it('has several statements refused by Snowflake too, whatever the account allows', async () => {
    fake.state.defaults = { MULTI_STATEMENT_COUNT: '0' };
    fake.state.script.push([/x/, { columns: [], rows: [] }]);
    const scratch = (await open({ plannerSchema: 'p' })).scratch as Scratch;

    await expect(scratch.execute('select x; drop table x', limits)).rejects.toMatchObject({
      code: 'SQL_UNSAFE',
    });
  });
});

describe('questions', () => {
  it('describe the columns by what Snowflake says of them', async () => {
    const columns = [
      fixed('ID'),
      fixed('PRICE', 12, 2),
      { name: 'F', type: 'real' },
      { name: 'B', type: 'BOOLEAN' },
      { name: 'D', type: 'date' },
      { name: 'T', type: 'timestamp_ltz', scale: 9 },
      { name: 'V', type: 'variant' },
      { name: 'X', type: 'binary' },
      { name: 'lower case', type: 'text' },
    ];
    fake.state.script.push([/LIMIT 0$/, { columns, rows: [] }]);

    expect(await source.describe('select 1', limits)).toEqual([
      { name: 'ID', type: 'number', native: 'NUMBER(38,0)' },
      { name: 'PRICE', type: 'number', native: 'DECIMAL(12,2)' },
      { name: 'F', type: 'number', native: 'FLOAT' },
      { name: 'B', type: 'boolean', native: 'BOOLEAN' },
      { name: 'D', type: 'time', native: 'DATE' },
      { name: 'T', type: 'time', native: 'TIMESTAMP_LTZ' },
      { name: 'V', type: 'json', native: 'VARIANT' },
      { name: 'X', type: 'bytes', native: 'BINARY' },
      { name: 'lower case', type: 'text', native: 'VARCHAR' },
    ]);
  });

  it('refuse two columns of one name', async () => {
    fake.state.script.push([/LIMIT 0$/, { columns: [text('A'), text('A')], rows: [] }]);

    await expect(source.describe('select 1', limits)).rejects.toMatchObject({ code: 'SQL_FAILED' });
  });

  it('show rows', async () => {
    readable();

    const table = await source.preview('select * from people', 3, limits);

    expect(table.columns.map(({ name }) => name)).toEqual(['ID', 'NAME']);
    expect(table.rows).toEqual('rows' in people ? people.rows : []);
    expect(statements()[1]).toMatch(/AS q LIMIT 3$/);
  });

  it('count', async () => {
    fake.state.script.push([/^SELECT COUNT\(\*\)/, { columns: [fixed('N')], rows: [['1234567']] }]);

    expect(await source.count('select 1', limits)).toBe(1_234_567);
  });

  it('suggest a key by a sample', async () => {
    readable();

    expect(await source.suggestKey('select * from people', limits)).toEqual(['ID']);
  });

  it('say which column is gone', async () => {
    readable();

    await expect(source.read({ ...query, columns: ['ID', 'GONE'] }, limits)).rejects.toMatchObject({
      code: 'SQL_FAILED',
      message: expect.stringContaining('“GONE”'),
    });
  });

  it.each([
    [
      'TIMESTAMP_NTZ',
      '2026-01-02T03:04:05.000006Z',
      "TO_TIMESTAMP_NTZ('2026-01-02 03:04:05.000006', 'YYYY-MM-DD HH24:MI:SS.FF6')",
    ],
    [
      'TIMESTAMP_TZ',
      '2026-01-02T03:04:05Z',
      "TO_TIMESTAMP_TZ('2026-01-02 03:04:05.000000 +0000', 'YYYY-MM-DD HH24:MI:SS.FF6 TZHTZM')",
    ],
    ['DATE', '2026-01-02T03:04:05Z', "TO_DATE('2026-01-02', 'YYYY-MM-DD')"],
    ['FIXED', '42.000000', '42.000000'],
  ])('ask for rows from a moment on: %s', async (type, value, sql) => {
    const columns = [...idAndName, { name: 'AT', type }];
    fake.state.script.push([/LIMIT 0$/, { columns, rows: [] }]);
    fake.state.script.push([/^SELECT TO_VARCHAR/, { columns: idAndName, rows: [] }]);

    await linesIn(await source.read({ ...query, since: { column: 'AT', value } }, limits));

    expect(statements()[1]).toContain(`AS q WHERE q."AT" >= ${sql} ORDER BY`);
  });

  it('refuse a moment that is none', async () => {
    readable();
    const since = { column: 'ID', value: "1' or '1" };

    await expect(source.read({ ...query, since }, limits)).rejects.toMatchObject({ code: 'BUG' });
  });
});

describe('tables', () => {
  const columns = ['created_on', 'name', 'kind', 'database_name', 'schema_name'].map(text);
  const row = (schema: string, name: string) => ['x', name, 'TABLE', 'ANALYTICS', schema];

  it('are listed without a warehouse, best match first, in quotes where they need them', async () => {
    const rows = [
      row('PUBLIC', 'OLD_ACCOUNTS'),
      row('PUBLIC', 'ACCOUNTS_2'),
      row('PUBLIC', 'ACCOUNTS'),
      row('PUBLIC', 'odd "accounts"'),
      row('INFORMATION_SCHEMA', 'ACCOUNTS'),
    ];
    fake.state.script.push([
      /^SHOW TERSE OBJECTS LIKE '%' IN DATABASE "ANALYTICS" LIMIT 10000$/,
      { columns, rows },
    ]);

    const found = await source.tables('accounts');

    expect(found).toEqual([
      'PUBLIC.ACCOUNTS',
      'PUBLIC.ACCOUNTS_2',
      'PUBLIC."odd ""accounts"""',
      'PUBLIC.OLD_ACCOUNTS',
    ]);
    expect(found.map((name) => source.selectAll(name)).slice(1, 3)).toEqual([
      'SELECT * FROM "PUBLIC"."ACCOUNTS_2"',
      'SELECT * FROM "PUBLIC"."odd ""accounts"""',
    ]);
    await source.tables('public.acc');
    expect(fake.to(submit)).toHaveLength(1);
  });

  it('are asked for by name where there are more than one list has', async () => {
    const rows = Array.from({ length: 10_000 }, (_, at) => row('PUBLIC', `T${at}`));
    fake.state.script.push([/LIKE '%'/, { columns, rows }]);
    fake.state.script.push([/LIKE '%zz''%'/, { columns, rows: [] }]);
    fake.state.script.push([/LIKE '%zz_%'/, { columns, rows: [row('PUBLIC', 'ZZ_LAST')] }]);

    expect(await source.tables("zz'")).toEqual([]);
    expect(await source.tables('zz_')).toEqual(['PUBLIC.ZZ_LAST']);
    expect(await source.tables('')).toHaveLength(100);
  });
});

describe('the text of a value', () => {
  it.each([
    ['NUMBER(38,0)', 'TO_VARCHAR(x)'],
    ['BOOLEAN', 'TO_VARCHAR(x)'],
    ['DATE', "TO_CHAR(x, 'YYYY-MM-DD')"],
    ['TIMESTAMP_NTZ', "RTRIM(RTRIM(TO_CHAR(x, 'YYYY-MM-DD HH24:MI:SS.FF9'), '0'), '.')"],
    [
      'TIMESTAMP_LTZ',
      "CONCAT(RTRIM(RTRIM(TO_CHAR(CONVERT_TIMEZONE('UTC', x), 'YYYY-MM-DD HH24:MI:SS.FF9'), '0'), '.'), '+00')",
    ],
    ['BINARY', "CONCAT(CHR(92), 'x', HEX_ENCODE(x, 0))"],
    ['VARIANT', 'TO_JSON(TO_VARIANT(x))'],
    ['GEOGRAPHY', 'ST_ASEWKT(x)'],
    ['VARCHAR', "COLLATE(TO_VARCHAR(x), 'utf8')"],
  ])('is written out: %s', (native, sql) => {
    expect(textOf({ native }, 'x')).toBe(sql);
  });
});

const grantColumns = ['created_on', 'privilege', 'granted_on', 'name'].map(text);

/** A role, and what SHOW GRANTS lists of it. */
function grants(role: string, ...rows: readonly (readonly [string, string, string])[]): void {
  fake.state.script.push([
    new RegExp(`^SHOW GRANTS TO ${role}$`),
    { columns: grantColumns, rows: rows.map((row) => ['x', ...row]) },
  ]);
}

function signedInAs(...row: readonly (string | null)[]): void {
  const columns = ['U', 'R', 'W', 'D', 'S'].map(text);
  fake.state.script.push([/^SELECT CURRENT_USER/, { columns, rows: [row] }]);
}

describe('the check', () => {
  const alone = '{"roles":"","value":""}';
  const reading = [
    ['USAGE', 'DATABASE', 'ANALYTICS'],
    ['USAGE', 'SCHEMA', 'ANALYTICS.PUBLIC'],
    ['SELECT', 'TABLE', 'ANALYTICS.PUBLIC.PEOPLE'],
    ['USAGE', 'WAREHOUSE', 'ACTIVATE_WH'],
  ] as const;

  it('has nothing to say of a role that only reads', async () => {
    signedInAs('ACTIVATE', 'READER', 'ACTIVATE_WH', 'ANALYTICS', alone);
    grants('ROLE "READER"', ...reading);
    grants('ROLE "PUBLIC"');

    expect(await opened.connection.check('source')).toEqual([]);
  });

  it('names the role and what it may do beyond reading, by roles of roles too', async () => {
    signedInAs('ACTIVATE', 'READER', 'ACTIVATE_WH', 'ANALYTICS', '{"roles":"LOADER","value":"ALL"}');
    grants(
      'ROLE "READER"',
      ...reading,
      ['USAGE', 'ROLE', 'WRITER'],
      ['USAGE', 'DATABASE_ROLE', 'ANALYTICS."deep role"'],
      ['INSERT', 'TABLE', 'ANALYTICS.PUBLIC.PEOPLE'],
      ['UPDATE', 'TABLE', 'ANALYTICS.PUBLIC.PEOPLE'],
    );
    grants('ROLE "PUBLIC"', ['USAGE', 'FUNCTION', 'ANALYTICS.PUBLIC.SEND(VARCHAR)']);
    grants('ROLE "WRITER"', ['CREATE TABLE', 'SCHEMA', 'ANALYTICS.PUBLIC'], ['USAGE', 'ROLE', 'SYSADMIN']);
    grants('DATABASE ROLE "ANALYTICS"."deep role"', ['OWNERSHIP', 'TABLE', 'ANALYTICS.PUBLIC.MINE']);
    grants('ROLE "SYSADMIN"', ['MANAGE GRANTS', 'ACCOUNT', 'X'], ['USAGE', 'ROLE', 'READER']);

    expect(await opened.connection.check('source')).toEqual([
      'All other roles of the user count, too (LOADER): ALTER USER ACTIVATE SET DEFAULT_SECONDARY_ROLES = () ends that.',
      'The role READER has all rights of SYSADMIN: use one that can only read.',
      'The role READER owns things, and can do anything with them: OWNERSHIP on table ANALYTICS.PUBLIC.MINE.',
      'The role READER can change rows: INSERT on table ANALYTICS.PUBLIC.PEOPLE, and 1 more like it.',
      'The role READER can create things: CREATE TABLE on schema ANALYTICS.PUBLIC.',
      'The role READER can call what may do more than read: USAGE on function ANALYTICS.PUBLIC.SEND(VARCHAR).',
      'The role READER can change how things are set up: MANAGE GRANTS on account X.',
    ]);
  });

  it('does not mind what it may in the place of ours', async () => {
    await open({ plannerSchema: 'activate_planner' });
    signedInAs('ACTIVATE', 'READER', 'ACTIVATE_WH', 'ANALYTICS', alone);
    grants(
      'ROLE "READER"',
      ['CREATE TABLE', 'SCHEMA', 'ANALYTICS.ACTIVATE_PLANNER'],
      ['OWNERSHIP', 'TABLE', 'ANALYTICS.ACTIVATE_PLANNER.S1'],
    );
    grants('ROLE "PUBLIC"');

    expect(await opened.connection.check('source')).toEqual([]);
  });

  it.each([
    ['role', ['U', null, 'W', 'D', null]],
    ['warehouse', ['U', 'R', null, 'D', null]],
    ['database', ['U', 'R', 'W', null, null]],
  ] as const)('blames the field of what is not there: %s', async (field, row) => {
    signedInAs(...row);

    await expect(opened.connection.check('source')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { [field]: expect.any(String) },
    });
  });

  it('says when the rights can not be looked at', async () => {
    signedInAs('ACTIVATE', 'READER', 'ACTIVATE_WH', 'ANALYTICS', alone);
    fake.state.script.push([/^SHOW GRANTS/, { code: '003001', message: 'Insufficient privileges' }]);

    expect(await opened.connection.check('source')).toEqual([
      'Snowflake does not say what the ROLE "READER" may do, so this was not looked at.',
    ]);
  });
});

describe('the place of ours', () => {
  const done: Outcome = { columns: [text('status')], rows: [['done']] };
  const schemas = (...names: readonly string[]): Outcome => ({
    columns: [text('created_on'), text('name')],
    rows: names.map((name) => ['x', name]),
  });
  const refused: Outcome = { code: '003001', message: 'Insufficient privileges' };
  let scratch: Scratch;

  beforeEach(async () => {
    source = await open({ plannerSchema: 'activate_planner', planner: 'warehouse', logs: 'yes' });
    scratch = source.scratch as Scratch;
  });

  it('is there only where it was named', async () => {
    expect([scratch.choice, scratch.logs]).toEqual(['warehouse', true]);
    expect((await open()).scratch).toBeUndefined();
  });

  it('names tables so that people need no quotes', async () => {
    expect(scratch.table('s42_prev')).toBe('"ANALYTICS"."ACTIVATE_PLANNER"."S42_PREV"');
    const elsewhere = (await open({ plannerSchema: 'other."p q"' })).scratch as Scratch;
    expect(elsewhere.table('a')).toBe('"OTHER"."p q"."A"');
  });

  it('gives values and their order as a reading does', () => {
    const column = { name: 'ID', type: 'number', native: 'NUMBER(38,0)' } as const;
    expect([scratch.textOf(column, 'c', 'key'), scratch.orderOf(column)]).toEqual([
      'TO_VARCHAR(c)',
      'numeric',
    ]);
  });

  it('runs a statement to its end', async () => {
    fake.state.script.push([/^MERGE/, done]);
    fake.state.runsFor = 3;

    await scratch.execute('MERGE INTO x', limits);

    expect(statements()).toEqual(['MERGE INTO x']);
    await expect(
      scratch.execute('MERGE INTO x', { ...limits, signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: 'CANCELED' });
  });

  it('lacks nothing when tables can be made there', async () => {
    fake.state.script.push([/^SHOW TERSE SCHEMAS/, schemas('ACTIVATE_PLANNER')], [/TABLE/, done]);

    expect(await scratch.lacking(limits)).toEqual([]);
    expect(statements().slice(1)).toEqual([
      'CREATE OR REPLACE TRANSIENT TABLE "ANALYTICS"."ACTIVATE_PLANNER"."ACTIVATE_CHECK" (X VARCHAR)',
      'DROP TABLE IF EXISTS "ANALYTICS"."ACTIVATE_PLANNER"."ACTIVATE_CHECK"',
    ]);
  });

  it('is made when it is not there', async () => {
    // An underscore is any sign to LIKE.
    fake.state.script.push([/^SHOW TERSE SCHEMAS/, schemas('ACTIVATEXPLANNER')], [/CREATE|DROP/, done]);

    expect(await scratch.lacking(limits)).toEqual([]);
    expect(statements()[1]).toBe('CREATE SCHEMA IF NOT EXISTS "ANALYTICS"."ACTIVATE_PLANNER"');
  });

  it('says who has to do what when it can not be made, or not be written to', async () => {
    fake.state.script.push([/^SHOW TERSE SCHEMAS/, schemas()], [/CREATE/, refused]);
    expect(await scratch.lacking(limits)).toEqual([
      expect.stringContaining(
        'CREATE SCHEMA IF NOT EXISTS ANALYTICS.ACTIVATE_PLANNER; GRANT USAGE, CREATE TABLE ON SCHEMA ANALYTICS.ACTIVATE_PLANNER TO ROLE READER;',
      ),
    ]);

    fake.state.script.splice(0, 1, [/^SHOW TERSE SCHEMAS/, schemas('ACTIVATE_PLANNER')]);
    expect(await scratch.lacking(limits)).toEqual([expect.stringContaining('GRANT USAGE, CREATE TABLE')]);
  });
});
