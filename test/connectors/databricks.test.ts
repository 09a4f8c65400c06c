import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databricks } from '../../connectors/databricks/index.ts';
import { textOf } from '../../connectors/databricks/text.ts';
import { connectors } from '../../connectors/index.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import type { Limits, Reading, Scratch, Source } from '../../engine/contracts/source.ts';
import {
  type Asked,
  type FakeDatabricks,
  type Held,
  type Outcome,
  startFakeDatabricks,
  type Typed,
} from '../fakes/databricks.ts';
import { type Opened, type OpenOptions, openFor, secretsOf } from '../support/connect.ts';

const limits: Limits = { timeoutMs: 20_000 };
const submit = 'POST /api/2.0/sql/statements';
const look = 'GET /api/2.0/sql/statements/:id';
const chunk = 'GET /api/2.0/sql/statements/:id/result/chunks/:chunk';
const give = 'GET /results/:chunk';

let fake: FakeDatabricks;
let opened: Opened;
let source: Source;

function typed(more: Raw = {}): Raw {
  const warehouse = `/sql/1.0/warehouses/${fake.state.warehouse}`;
  return { baseUrl: fake.workspace.url, token: fake.state.token, warehouse, catalog: 'main', ...more };
}

async function open(more: Raw = {}, options: OpenOptions = {}): Promise<Source> {
  await opened?.close();
  opened = await openFor(databricks, typed(more), options);
  return opened.connection.source as Source;
}

beforeEach(async () => {
  fake = await startFakeDatabricks();
  source = await open();
});

afterEach(async () => {
  await opened.close();
  fake.expectNoUnexpected();
  await fake.close();
});

const idAndName: readonly Typed[] = [
  ['id', 'BIGINT'],
  ['name', 'STRING'],
];
const people = {
  columns: idAndName,
  rows: [
    ['1', 'Ada'],
    ['2', null],
    ['10', 'tab\there'],
  ],
} satisfies Outcome;
const peopleLines = '1\tAda\n2\t\\N\n10\ttab\\there\n';

/** The answers to the two questions that a reading asks: its columns, its rows. */
function readable(outcome: Extract<Outcome, { rows: unknown }> = people): void {
  fake.state.script.push([/LIMIT 0$/, { columns: outcome.columns, rows: [] }]);
  fake.state.script.push([/^SELECT CAST\(q\.`id`/, outcome]);
}

async function linesIn(reading: Reading): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of reading.lines) {
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

const query = { sql: 'select * from people', key: ['id'], columns: ['id', 'name'] };

const read = async (from = source): Promise<string> => linesIn(await from.read(query, limits));

/** What was asked, in order. */
function asked(): readonly Asked[] {
  return fake.workspace.to(submit).map((request) => request.json<Asked>());
}

const statements = (): readonly string[] => asked().map(({ statement }) => statement);

/** A statement of the fake, as soon as it has it. */
async function nthStatement(count: number): Promise<Held> {
  while (fake.state.statements.size < count) {
    await fake.workspace.arrival();
  }
  return [...fake.state.statements.values()][count - 1] as Held;
}

describe('what Databricks is declared as', () => {
  it('is in the list', () => {
    expect(connectors).toContain(databricks);
  });

  it.each(Object.entries(databricks.config))('keeps the house limits: %s', (_, field) => {
    expect(field.label.length).toBeLessThanOrEqual(24);
    expect((field.help ?? '').length).toBeLessThanOrEqual(150);
  });
});

describe('signing in', () => {
  it('works by an access token, and by a service principal', async () => {
    readable();

    expect(await read()).toBe(peopleLines);
    const { clientId, clientSecret } = fake.state.oauth;
    expect(await read(await open({ token: '', clientId, clientSecret }))).toBe(peopleLines);

    expect(fake.workspace.to('POST /oidc/v1/token')).toHaveLength(1);
  });

  it('goes on with a new token when the old one runs out in the middle of the chunks', async () => {
    readable({ ...people, parts: [1, 1, 1] });
    const { clientId, clientSecret } = fake.state.oauth;
    const from = await open({ token: '', clientId, clientSecret });
    fake.state.bendRows = (rows, at) => {
      if (at === 0) {
        fake.state.granted.clear();
      }
      return rows;
    };

    expect(await read(from)).toBe(peopleLines);

    expect(fake.workspace.to('POST /oidc/v1/token')).toHaveLength(2);
  });

  it.each([
    ['token', { token: 'wrong-wrong-wrong' }],
    ['clientSecret', { token: '', clientId: 'client-1', clientSecret: 'wrong-wrong-wrong' }],
  ])('that is refused tells no secret: %s', async (_, more) => {
    const error = await read(await open(more)).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: 'AUTH_REJECTED' });
    const said = `${JSON.stringify(error)} ${String(error)} ${opened.logged.join('\n')}`;
    for (const secret of secretsOf(databricks, typed(more)).filter((one) => one !== '')) {
      expect(said).not.toContain(secret);
    }
  });

  it.each<readonly [Raw, string]>([
    [{ token: '' }, 'token'],
    [{ token: '', clientId: 'x' }, 'clientSecret'],
    [{ warehouse: '/sql/protocolv1/o/1/0123-456-abc' }, 'warehouse'],
    [{ baseUrl: 'my workspace' }, 'baseUrl'],
    [{ catalog: 'a.b' }, 'catalog'],
    [{ plannerSchema: 'a.b.c' }, 'plannerSchema'],
  ])('is refused before anything is sent: %j', async (more, field) => {
    await expect(open(more)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { [field]: expect.any(String) },
    });
    expect(fake.workspace.requests).toEqual([]);
  });

  it('takes the ID of the warehouse alone, and any page of the workspace', async () => {
    readable();

    const from = await open({ warehouse: fake.state.warehouse, baseUrl: `${fake.workspace.url}/sql?o=1` });

    expect(await read(from)).toBe(peopleLines);
  });

  it('blames the field of a warehouse that is not there', async () => {
    await expect((await open({ warehouse: 'ffff' })).describe('select 1', limits)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { warehouse: expect.any(String) },
    });
  });
});

describe('a statement', () => {
  it('says where it belongs, waits for nothing and has a tag', async () => {
    readable();

    await read();

    expect(asked()).toMatchObject([
      { catalog: 'main', wait_timeout: '0s', disposition: 'INLINE' },
      { disposition: 'EXTERNAL_LINKS', query_tags: [{ key: 'app', value: 'activate/test' }] },
    ]);
  });

  it('is the same text each time, so that the cache of results can answer', async () => {
    readable();

    await read();
    await read();

    const [, first, , second] = statements();
    expect(first).toBe(second);
  });

  it('is asked for until it is done, while the warehouse starts too', async () => {
    [fake.state.waitsFor, fake.state.runsFor] = [2, 3];
    readable();

    expect(await read()).toBe(peopleLines);

    expect(fake.workspace.to(look)).toHaveLength(12);
  });

  it.each([429, 503])('waits as it is asked to: %i', async (status) => {
    readable();
    const busy = { status, headers: { 'retry-after': '7' }, json: { error_code: 'X', message: 'busy' } };
    fake.workspace.fail(submit, busy);
    fake.workspace.fail(look, busy);
    fake.storage.fail(give, busy);

    expect(await read()).toBe(peopleLines);

    expect(opened.pauses).toEqual([7000, 7000, 7000]);
  });

  it('that has to wait too long is tried later', async () => {
    readable();
    fake.workspace.fail(submit, { status: 429, headers: { 'retry-after': '60' }, json: {} });

    await expect(read()).rejects.toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 60_000 });
  });

  it.each(['lost', 'closed'] as const)('that was %s in a restart is tried later', async (how) => {
    readable();
    const reading = await source.read(query, limits);
    const held = await nthStatement(2);
    held.state = 'closed';
    if (how === 'lost') {
      fake.state.statements.clear();
    }

    await expect(linesIn(reading)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it.each<readonly [string, string, string]>([
    ['BAD_REQUEST', '[TABLE_OR_VIEW_NOT_FOUND] The table or view `x` cannot be found.', 'SQL_FAILED'],
    ['BAD_REQUEST', '[INSUFFICIENT_PERMISSIONS] Insufficient privileges', 'PERMISSION_DENIED'],
    ['BAD_REQUEST', "[NO_SUCH_CATALOG_EXCEPTION] Catalog 'x' was not found", 'CONFIG_INVALID'],
    ['TEMPORARILY_UNAVAILABLE', 'come back', 'UNAVAILABLE'],
    ['RESOURCE_EXHAUSTED', 'too much', 'UNAVAILABLE'],
    ['DEADLINE_EXCEEDED', 'too long', 'SQL_TIMEOUT'],
    ['UNAUTHENTICATED', 'who', 'AUTH_REJECTED'],
  ])('that fails says why: %s %s', async (error, message, code) => {
    fake.state.script.push([/LIMIT 0$/, { code: error, message }]);

    await expect(source.describe('select 1', limits)).rejects.toMatchObject({ code });
    expect(fake.state.canceled).toEqual([]);
  });

  it('that is wrong names the line of the query as it was typed, and does not repeat it', async () => {
    const message =
      "[PARSE_SYNTAX_ERROR] Syntax error at or near 'x'. SQLSTATE: 42601 (line 3, pos 5)\n\n== SQL ==\nselect secret";
    fake.state.script.push([/LIMIT 0$/, { code: 'BAD_REQUEST', message }]);

    await expect(source.describe('select\n 1 x x', limits)).rejects.toMatchObject({
      code: 'SQL_FAILED',
      message:
        "Databricks says: [PARSE_SYNTAX_ERROR] Syntax error at or near 'x'. SQLSTATE: 42601 (line 2, column 6)",
    });
  });

  it('that writes is handed in once, whatever becomes of the answer', async () => {
    fake.state.script.push([/^MERGE/, { columns: [], rows: [] }]);
    const scratch = (await open({ plannerSchema: 'p' })).scratch as Scratch;
    fake.workspace.fail(submit, 'done-then-reset');

    await expect(scratch.execute('MERGE INTO x', limits)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });

    expect(fake.workspace.to(submit)).toHaveLength(1);
  });
});

describe('a result', () => {
  it('comes in key order, escaped, with the key first', async () => {
    readable();

    const reading = await source.read({ ...query, columns: ['name', 'id'] }, limits);

    expect([reading.sorted, reading.order]).toEqual([true, ['numeric']]);
    expect(await linesIn(reading)).toBe(peopleLines);
    expect(statements()[1]).toBe(
      'SELECT CAST(q.`id` AS STRING) AS c1, CAST(q.`name` AS STRING) AS c2 FROM (\nselect * from people\n) AS q ORDER BY q.`id`',
    );
  });

  it('sorts a text by its bytes, whatever its column says', async () => {
    const columns: readonly Typed[] = [['name', 'STRING COLLATE UTF8_LCASE']];
    fake.state.script.push([/LIMIT 0$/, { columns, rows: [] }]);
    fake.state.script.push([/^SELECT CAST/, { columns, rows: [['a']] }]);

    const reading = await source.read({ sql: 'select 1', key: ['name'], columns: ['name'] }, limits);

    expect([reading.order, await linesIn(reading)]).toEqual([['bytes'], 'a\n']);
    expect(statements()[1]).toMatch(/COLLATE UTF8_BINARY AS c1 .* ORDER BY 1$/s);
  });

  it('of many chunks comes whole, and no sign-in goes to the storage', async () => {
    const rows = Array.from({ length: 2500 }, (_, at) => [String(at), `n ${at}`]);
    readable({ columns: idAndName, rows, parts: [1200, 1200, 100] });

    const lines = (await read()).split('\n');

    expect(lines).toHaveLength(2501);
    expect(lines.at(-2)).toBe('2499\tn 2499');
    expect(fake.storage.to(give)).toHaveLength(3);
    const sent = fake.storage.requests.map(({ headers }) => JSON.stringify(headers)).join('\n');
    expect(sent).not.toMatch(/authorization/i);
    expect(sent).not.toContain(fake.state.token);
  });

  it('is asked for with the headers that its link needs, but never with a sign-in', async () => {
    fake.state.storageHeaders = { 'x-amz-server-side-encryption-customer-key': 'key-1' };
    readable();

    expect(await read()).toBe(peopleLines);

    fake.state.bend = (answer) => {
      const text = JSON.stringify(answer).replaceAll(
        '"http_headers":{',
        '"http_headers":{"Authorization":"x y",',
      );
      return JSON.parse(text) as Record<string, unknown>;
    };
    expect(await read()).toBe(peopleLines);
  });

  it('is fetched from the storages of the clouds, and from nowhere else', async () => {
    const hosts = [
      'bucket.s3.eu-central-1.amazonaws.com',
      'dbstorage1.blob.core.windows.net',
      'dbstorage1.dfs.core.windows.net',
      'storage.googleapis.com',
      'us-west-2.storage.cloud.databricks.com',
    ];
    const standIns = Object.fromEntries(hosts.map((host) => [host, fake.storage.url]));
    const from = await open({}, { standIns });
    readable();

    for (const host of hosts) {
      fake.state.storageUrl = `https://${host}`;
      expect(await read(from)).toBe(peopleLines);
    }
    fake.state.storageUrl = 'https://example.com';
    await expect(read(from)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(opened.logged.join('\n')).not.toMatch(/Signature/i);
  });

  it('gets a new link where one has run out', async () => {
    readable({ ...people, parts: [2, 1] });
    fake.state.linksAreOld = true;
    fake.workspace.fail(chunk, () => {
      fake.state.linksAreOld = false;
      return { status: 503, headers: { 'retry-after': '0' }, json: {} };
    });

    expect(await read()).toBe(peopleLines);

    expect(fake.storage.to(give)).toHaveLength(3);
  });

  it('fails, without a word of the storage, when the new link does not work either', async () => {
    readable();
    fake.state.linksAreOld = true;

    const error = await read().catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: 'UNAVAILABLE' });
    expect(String(error)).not.toMatch(/Signature|expired/);
    expect(fake.storage.to(give)).toHaveLength(2);
  });

  it('that was cut is a failure, though Databricks calls it a success', async () => {
    readable();
    const reading = await source.read(query, limits);
    fake.state.bend = (answer) => withManifest(answer, { truncated: true });

    await expect(linesIn(reading)).rejects.toMatchObject({
      code: 'SQL_FAILED',
      message: expect.stringContaining('larger'),
    });
  });

  it.each<readonly [string, () => void]>([
    ['more rows are counted than come', () => bend({ total_row_count: 4 })],
    ['fewer rows are counted than come', () => bend({ total_row_count: 2 })],
    ['a chunk is missing', () => bend({ total_chunk_count: 1 })],
    ['it says nothing of itself', () => (fake.state.bend = ({ manifest: _, ...rest }) => rest)],
    ['a chunk comes short', () => (fake.state.bendRows = (rows, at) => (at === 1 ? [] : rows))],
    [
      'two chunks are not what they are said to be',
      () => (fake.state.bendRows = (rows, at) => (at === 0 ? rows.slice(1) : [...rows, ...rows])),
    ],
    ['a row has too few values', () => (fake.state.bendRows = () => [['1'], ['2']])],
    [
      'a link is missing',
      () => (fake.state.bend = (answer) => ('external_links' in answer ? { external_links: [] } : answer)),
    ],
    ['an answer of the storage breaks off', () => fake.storage.always('done-then-garbage')],
  ])('fails when %s', async (_, spoil) => {
    readable({ ...people, parts: [2, 1] });
    const reading = await source.read(query, limits);
    await nthStatement(2);
    spoil();

    await expect(linesIn(reading)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('fails when it is gone before all of it was fetched', async () => {
    const rows = Array.from({ length: 10 }, (_, at) => [String(at), 'x']);
    readable({ columns: idAndName, rows, parts: rows.map(() => 1) });
    const iterator = (await source.read(query, limits)).lines[Symbol.asyncIterator]();
    await iterator.next();
    fake.state.statements.clear();

    const rest = { [Symbol.asyncIterator]: () => iterator };
    await expect(linesIn({ order: [], sorted: true, lines: rest })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  });

  it('fetches no more than one chunk ahead of who reads it', async () => {
    const rows = Array.from({ length: 10 }, (_, at) => [String(at), 'x']);
    readable({ columns: idAndName, rows, parts: rows.map(() => 1) });
    const iterator = (await source.read(query, limits)).lines[Symbol.asyncIterator]();

    await iterator.next();
    await iterator.next();

    expect(fake.storage.to(give).length).toBeLessThanOrEqual(3);
    await iterator.return?.();
  });

  it('takes little memory, however large it is', async () => {
    const [parts, inPart] = [80, 2000];
    const rows = Array.from({ length: inPart }, (_, at) => [String(at), 'x'.repeat(1000)]);
    readable({ columns: idAndName, rows: rows.slice(0, 1), parts: [1] });
    const large = { total_chunk_count: parts, total_row_count: parts * inPart, chunks: [] };
    fake.state.bend = (answer) =>
      (answer['manifest'] as { total_row_count?: number } | undefined)?.total_row_count === 0
        ? answer
        : withManifest(answer, large);
    fake.state.bendRows = () => rows;
    const before = process.memoryUsage.rss();
    let [bytes, most] = [0, before];

    for await (const piece of (await source.read(query, limits)).lines) {
      bytes += piece.length;
      most = Math.max(most, process.memoryUsage.rss());
    }

    expect(bytes).toBeGreaterThan(160e6);
    expect((most - before) / 1e6).toBeLessThan(140);
  }, 60_000);

  it('that is small comes in the answer, in several chunks too', async () => {
    fake.state.script.push([/LIMIT 0$/, { columns: idAndName, rows: [] }]);
    fake.state.script.push([/LIMIT 3$/, { ...people, parts: [1, 2] }]);

    expect((await source.preview('select * from people', 3, limits)).rows).toEqual(people.rows);
    expect(fake.storage.requests).toEqual([]);
  });

  it('may be empty', async () => {
    readable({ columns: idAndName, rows: [] });

    expect(await read()).toBe('');
  });
});

function withManifest(answer: Record<string, unknown>, more: object): Record<string, unknown> {
  const about = answer['manifest'] as object | undefined;
  return about === undefined ? answer : { ...answer, manifest: { ...about, ...more } };
}

function bend(manifest: object): void {
  fake.state.bend = (answer) => withManifest(answer, manifest);
}

describe('giving up', () => {
  const forever = 1e9;

  it('ends the statement in the warehouse when the reading is broken off', async () => {
    readable();
    const reading = await source.read(query, limits);
    (await nthStatement(2)).runsFor = forever;

    await reading.lines[Symbol.asyncIterator]().return?.();

    expect(fake.state.canceled).toEqual(['01ef-2']);
  });

  it('ends it when the signal says so, and says that it was canceled', async () => {
    readable();
    const stop = new AbortController();
    const reading = await source.read(query, { ...limits, signal: stop.signal });
    (await nthStatement(2)).runsFor = forever;
    const all = linesIn(reading).catch((thrown: unknown) => thrown);

    stop.abort(new Error('enough'));

    expect(await all).toMatchObject({ code: 'CANCELED' });
    expect(fake.state.canceled).toEqual(['01ef-2']);
  });

  it('ends it when its time is over, for Databricks keeps no limit', async () => {
    fake.state.script.push([/COUNT/, { columns: [['n', 'BIGINT']], rows: [['1']] }]);
    fake.state.runsFor = forever;

    await expect(source.count('select 1', { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'SQL_TIMEOUT',
      message: 'Databricks was told to stop the query after 0.3 seconds.',
    });

    expect(fake.state.canceled).toEqual(['01ef-1']);
  });

  it('says when the time went by because the warehouse had to start', async () => {
    fake.state.script.push([/COUNT/, { columns: [['n', 'BIGINT']], rows: [['1']] }]);
    fake.state.waitsFor = forever;

    await expect(source.count('select 1', { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'SQL_TIMEOUT',
      message: expect.stringContaining('The warehouse was still starting.'),
    });
  });

  it('asks nothing when it was given up before', async () => {
    await expect(source.count('select 1', { ...limits, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'CANCELED',
    });
    expect(fake.workspace.requests).toEqual([]);
  });

  it('bears that the statement is not there any more', async () => {
    fake.state.script.push([/COUNT/, { columns: [['n', 'BIGINT']], rows: [['1']] }]);
    fake.workspace.fail(look, () => {
      fake.state.statements.clear();
      return { status: 400, json: {} };
    });

    await expect(source.count('select 1', limits)).rejects.toMatchObject({ code: 'INPUT_INVALID' });

    expect(fake.workspace.to('POST /api/2.0/sql/statements/:id/cancel')).toHaveLength(1);
  });
});

describe('reading only', () => {
  it.each([
    'select 1; drop table people',
    'select 1) as q; drop table people; select * from (select 1',
    ') select (',
    'select `a`) as q union all select * from (select 1',
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
    expect(fake.workspace.requests).toEqual([]);
  });

  it.each(["select ';)' as a", 'select 1 -- ) ; done', 'select 1;', 'select `)`', 'select (1) /* ) */'])(
    'takes what only looks like it: %s',
    async (sql) => {
      fake.state.script.push([/LIMIT 0$/, { columns: [['a', 'INT']], rows: [] }]);

      expect(await source.describe(sql, limits)).toHaveLength(1);
    },
  );

  it('has several statements refused by Databricks too', async () => {
    fake.state.script.push([/x/, { columns: [], rows: [] }]);
    const scratch = (await open({ plannerSchema: 'p' })).scratch as Scratch;

    await expect(scratch.execute('select x; drop table x', limits)).rejects.toMatchObject({
      code: 'SQL_FAILED',
    });
  });
});

describe('questions', () => {
  it('describe the columns by what Databricks says of them', async () => {
    const types = ['BIGINT', 'DECIMAL(10,2)', 'DOUBLE', 'BOOLEAN', 'DATE', 'TIMESTAMP', 'TIMESTAMP_NTZ'];
    const more = ['STRUCT<a: INT>', 'ARRAY<STRING>', 'VARIANT', 'BINARY', 'STRING', 'INTERVAL DAY TO SECOND'];
    const columns = [...types, ...more].map((type, at): Typed => [`c${at}`, type]);
    fake.state.script.push([/LIMIT 0$/, { columns, rows: [] }]);

    const described = await source.describe('select 1', limits);

    expect(described.map(({ native }) => native)).toEqual([...types, ...more]);
    expect(described.map(({ type }) => type)).toEqual([
      ...['number', 'number', 'number', 'boolean', 'time', 'time', 'time'],
      ...['json', 'json', 'json', 'bytes', 'text', 'text'],
    ]);
  });

  it('refuse two columns of one name', async () => {
    fake.state.script.push([
      /LIMIT 0$/,
      {
        columns: [
          ['a', 'INT'],
          ['a', 'INT'],
        ],
        rows: [],
      },
    ]);

    await expect(source.describe('select 1', limits)).rejects.toMatchObject({ code: 'SQL_FAILED' });
  });

  it('count', async () => {
    fake.state.script.push([/^SELECT COUNT\(\*\)/, { columns: [['n', 'BIGINT']], rows: [['1234567']] }]);

    expect(await source.count('select 1', limits)).toBe(1_234_567);
  });

  it('suggest a key by a sample', async () => {
    readable();

    expect(await source.suggestKey('select * from people', limits)).toEqual(['id']);
  });

  it('say which column is gone', async () => {
    readable();

    await expect(source.read({ ...query, columns: ['id', 'gone'] }, limits)).rejects.toMatchObject({
      code: 'SQL_FAILED',
      message: expect.stringContaining('“gone”'),
    });
  });

  it.each([
    ['TIMESTAMP', '2026-01-02T03:04:05.000006Z', "TIMESTAMP'2026-01-02 03:04:05.000006Z'"],
    ['TIMESTAMP_NTZ', '2026-01-02T03:04:05Z', "TIMESTAMP_NTZ'2026-01-02 03:04:05.000000'"],
    ['DATE', '2026-01-02T03:04:05Z', "DATE'2026-01-02'"],
    ['BIGINT', '42.000000', '42.000000'],
  ])('ask for rows from a moment on: %s', async (type, value, sql) => {
    const columns: readonly Typed[] = [...idAndName, ['at', type]];
    fake.state.script.push([/LIMIT 0$/, { columns, rows: [] }]);
    fake.state.script.push([/^SELECT CAST/, { columns: idAndName, rows: [] }]);

    await linesIn(await source.read({ ...query, since: { column: 'at', value } }, limits));

    expect(statements()[1]).toContain(`AS q WHERE q.\`at\` >= ${sql} ORDER BY`);
  });

  it('refuse a moment that is none', async () => {
    readable();

    await expect(
      source.read({ ...query, since: { column: 'id', value: "1' or '1" } }, limits),
    ).rejects.toMatchObject({ code: 'BUG' });
  });
});

describe('tables', () => {
  it('are listed without a warehouse, page by page, best match first, in quotes where they need them', async () => {
    fake.state.pages = [
      ['main.sales.old_accounts', 'main.sales.accounts_2'],
      [],
      ['main.sales.accounts', 'main.sales.odd-accounts', 'main.information_schema.accounts'],
    ];

    const found = await source.tables('accounts');

    expect(found).toEqual([
      'sales.accounts',
      'sales.accounts_2',
      'sales.`odd-accounts`',
      'sales.old_accounts',
    ]);
    expect(source.selectAll('sales.`odd-accounts`')).toBe('SELECT * FROM `main`.`sales`.`odd-accounts`');
    expect(await source.tables('sales.acc')).toHaveLength(2);
    expect(fake.workspace.to(submit)).toEqual([]);
    expect(fake.workspace.requests).toHaveLength(3);
  });

  it('are asked for by name where there are more than one list has', async () => {
    fake.state.pages = [
      Array.from({ length: 10_000 }, (_, at) => `main.sales.t${at}`),
      ['main.sales.zz_last'],
    ];

    expect(await source.tables('zz_')).toEqual(['sales.zz_last']);
    expect(await source.tables('')).toHaveLength(100);
  });
});

describe('the text of a value', () => {
  it.each([
    ['BIGINT', 'CAST(x AS STRING)'],
    ['DECIMAL(10,2)', "replace(format_number(x, 2), ',', '')"],
    ['DECIMAL(38,0)', "replace(format_number(x, 0), ',', '')"],
    ['TIMESTAMP_NTZ', 'CAST(x AS STRING)'],
    [
      'TIMESTAMP',
      "concat(rtrim('.', rtrim('0', get_json_object(to_json(named_struct('v', x), map('timeZone', 'UTC', 'timestampFormat', 'yyyy-MM-dd HH:mm:ss.SSSSSS')), '$.v'))), '+00')",
    ],
    ['BINARY', "concat(char(92), 'x', lower(hex(x)))"],
    [
      'STRUCT<a: INT>',
      "to_json(x, map('ignoreNullFields', 'false', 'timeZone', 'UTC', 'timestampFormat', 'yyyy-MM-dd HH:mm:ss.SSSSSSXXX'))",
    ],
    ['VARIANT', 'to_json(x)'],
    ['GEOGRAPHY(4326)', 'st_asewkt(x)'],
    ['STRING', 'CAST(x AS STRING)'],
  ])('is written out: %s', (native, sql) => {
    expect(textOf({ native }, 'x')).toBe(sql);
  });
});

describe('the check', () => {
  const three: readonly Typed[] = [
    ['on', 'STRING'],
    ['name', 'STRING'],
    ['privilege', 'STRING'],
  ];

  function signedIn(): void {
    const columns: readonly Typed[] = [
      ['u', 'STRING'],
      ['c', 'STRING'],
    ];
    fake.state.script.push([
      /^SELECT current_user\(\), current_catalog/,
      { columns, rows: [['app-1', 'main']] },
    ]);
  }

  function granted(...rows: readonly (readonly [string, string, string])[]): void {
    fake.state.script.push([/catalog_privileges/, { columns: three, rows }]);
  }

  it('has nothing to say of a principal that only reads', async () => {
    signedIn();
    granted(
      ['catalog', 'main', 'USE_CATALOG'],
      ['schema', 'sales', 'USE SCHEMA'],
      ['schema', 'sales', 'SELECT'],
      ['catalog', 'main', 'BROWSE'],
    );
    fake.state.groups = ['analysts'];

    expect(await opened.connection.check('source')).toEqual([]);
    const [, second] = asked();
    expect(JSON.parse(second?.parameters?.[0]?.value ?? '')).toEqual(['app-1', 'analysts', 'account users']);
  });

  it('names the principal and what it may do beyond reading', async () => {
    signedIn();
    fake.state.groups = ['admins'];
    granted(
      ['table', 'sales.mine', 'OWNERSHIP'],
      ['table', 'sales.people', 'MODIFY'],
      ['schema', 'sales', 'ALL_PRIVILEGES'],
      ['schema', 'sales', 'CREATE_TABLE'],
      ['schema', 'sales', 'EXECUTE'],
      ['catalog', 'main', 'MANAGE'],
    );

    expect(await opened.connection.check('source')).toEqual([
      'The principal app-1 is an admin of the workspace: use one that is not.',
      'The principal app-1 owns things, and can do anything with them: OWNERSHIP on table sales.mine.',
      'The principal app-1 can change rows: MODIFY on table sales.people, and 1 more like it.',
      'The principal app-1 can create things: CREATE TABLE on schema sales.',
      'The principal app-1 can call functions, which may do more than read: EXECUTE on schema sales.',
      'The principal app-1 can change how things are set up: MANAGE on catalog main.',
    ]);
  });

  it('does not mind what it may in the place of ours', async () => {
    await open({ plannerSchema: 'activate_planner' });
    signedIn();
    granted(['schema', 'activate_planner', 'CREATE TABLE'], ['table', 'activate_planner.s1', 'OWNERSHIP']);

    expect(await opened.connection.check('source')).toEqual([]);
  });

  it('says what it could not look at', async () => {
    signedIn();
    fake.state.groups = undefined;
    fake.state.script.push([
      /catalog_privileges/,
      { code: 'BAD_REQUEST', message: '[TABLE_OR_VIEW_NOT_FOUND] no information_schema' },
    ]);

    expect(await opened.connection.check('source')).toEqual([
      'Databricks does not say which groups the principal is in, so what those may do was not looked at.',
      'Databricks does not say what the principal may do in main, so this was not looked at.',
    ]);
  });
});

describe('the place of ours', () => {
  const done: Outcome = { columns: [], rows: [] };
  const schemas = (count: number): Outcome => ({
    columns: [
      ['u', 'STRING'],
      ['n', 'BIGINT'],
    ],
    rows: [['app-1', String(count)]],
  });
  const refused: Outcome = { code: 'BAD_REQUEST', message: '[INSUFFICIENT_PERMISSIONS] no' };
  let scratch: Scratch;

  beforeEach(async () => {
    source = await open({ plannerSchema: 'activate_planner', planner: 'here', logs: 'yes' });
    scratch = source.scratch as Scratch;
  });

  it('is there only where it was named', async () => {
    expect([scratch.choice, scratch.logs]).toEqual(['here', true]);
    expect((await open()).scratch).toBeUndefined();
  });

  it('names tables with catalog and schema', async () => {
    expect(scratch.table('s42_prev')).toBe('`main`.`activate_planner`.`s42_prev`');
    const elsewhere = (await open({ plannerSchema: 'other.`p q`' })).scratch as Scratch;
    expect(elsewhere.table('a')).toBe('`other`.`p q`.`a`');
  });

  it('gives values and their order as a reading does', () => {
    const column = { name: 'id', type: 'number', native: 'BIGINT' } as const;
    expect([scratch.textOf(column, 'c', 'key'), scratch.orderOf(column)]).toEqual([
      'CAST(c AS STRING)',
      'numeric',
    ]);
  });

  it('runs a statement to its end', async () => {
    fake.state.script.push([/^MERGE/, done]);
    fake.state.runsFor = 3;

    await scratch.execute('MERGE INTO x', limits);

    expect(statements()).toEqual(['MERGE INTO x']);
    expect([...fake.state.statements.values()].map(({ state }) => state)).toEqual(['over']);
  });

  it('lacks nothing when tables can be made there', async () => {
    fake.state.script.push([/information_schema\.schemata/, schemas(1)], [/TABLE/, done]);

    expect(await scratch.lacking(limits)).toEqual([]);
    expect(statements().slice(1)).toEqual([
      'CREATE OR REPLACE TABLE `main`.`activate_planner`.`activate_check` (x STRING)',
      'DROP TABLE IF EXISTS `main`.`activate_planner`.`activate_check`',
    ]);
  });

  it('is made when it is not there', async () => {
    fake.state.script.push([/information_schema\.schemata/, schemas(0)], [/CREATE|DROP/, done]);

    expect(await scratch.lacking(limits)).toEqual([]);
    expect(statements()[1]).toBe('CREATE SCHEMA IF NOT EXISTS `main`.`activate_planner`');
  });

  it('says who has to do what when it can not be made, or not be written to', async () => {
    fake.state.script.push([/information_schema\.schemata/, schemas(0)], [/CREATE/, refused]);
    const rights = 'GRANT USE SCHEMA, CREATE TABLE ON SCHEMA main.activate_planner TO `app-1`;';
    expect(await scratch.lacking(limits)).toEqual([
      expect.stringContaining(`CREATE SCHEMA IF NOT EXISTS main.activate_planner; ${rights}`),
    ]);

    fake.state.script.splice(0, 1, [/information_schema\.schemata/, schemas(1)]);
    expect(await scratch.lacking(limits)).toEqual([expect.stringContaining(rights)]);
  });
});
