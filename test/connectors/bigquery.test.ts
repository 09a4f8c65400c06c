import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bigquery } from '../../connectors/bigquery/index.ts';
import { connectors } from '../../connectors/index.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import type { Column, Limits, Reading, Source } from '../../engine/contracts/source.ts';
import { isHostEntry } from '../../engine/http/hosts.ts';
import { readAll as readAllOf } from '../contracts/source-house.ts';
import { hostileTexts } from '../contracts/source-values.ts';
import {
  type FakeBigQuery,
  type FakeJob,
  type Field,
  keyFileOf,
  refused,
  type Script,
  startFakeBigQuery,
} from '../fakes/bigquery.ts';
import { type Opened, openFor } from '../support/connect.ts';
import { startCutWay } from '../support/cut.ts';

const limits: Limits = { timeoutMs: 20_000 };
const jobsRoute = 'POST /bigquery/v2/projects/:project/jobs';
const resultsRoute = 'GET /bigquery/v2/projects/:project/queries/:job';
const cancelRoute = 'POST /bigquery/v2/projects/:project/jobs/:job/cancel';

let fake: FakeBigQuery;
let opened: Opened;
let source: Source;

beforeEach(async () => {
  fake = await startFakeBigQuery();
  await connect();
});

afterEach(async () => {
  await opened.close();
  fake.expectNoUnexpected();
  await fake.close();
});

async function connect(more: Raw = {}): Promise<void> {
  await opened?.close();
  opened = await openFor(bigquery, { serviceAccount: fake.state.key, baseUrl: fake.url, ...more });
  source = opened.connection.source as Source;
}

const fields: readonly Field[] = [
  { name: 'id', type: 'INTEGER' },
  { name: 'name', type: 'STRING' },
];

function script(given: Partial<Script> = {}): void {
  fake.state.scripts.push({ mark: 'shop.orders', fields, rows: [['1', 'a']], ...given });
}

const sql = 'SELECT id, name FROM shop.orders';
const query = { sql, key: ['id'], columns: ['name'] };

async function text(reading: Reading): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of reading.lines) {
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

const readAll = (given: Limits = limits): Promise<string> => source.read(query, given).then(text);

function jobs(): readonly FakeJob[] {
  return [...fake.state.jobs.values()];
}

/** Statements that were tried dry. */
function dryRuns(): readonly string[] {
  return fake
    .to(jobsRoute)
    .map(
      (request) =>
        request.json<{ configuration: { dryRun?: boolean; query: { query: string } } }>().configuration,
    )
    .filter(({ dryRun }) => dryRun === true)
    .map((configuration) => configuration.query.query);
}

describe('bigquery: what is declared', () => {
  it('is in the list', () => {
    expect(connectors).toContain(bigquery);
  });

  it('keeps the house limits, and names hosts that can be called', () => {
    for (const { label, help } of Object.values(bigquery.config)) {
      expect(label.length, label).toBeLessThanOrEqual(24);
      expect((help ?? '').length, help).toBeLessThanOrEqual(150);
    }
    expect(bigquery.hosts.filter((host) => !isHostEntry(host))).toEqual([]);
  });

  it.each([
    [{ serviceAccount: '{}' }, 'serviceAccount'],
    [{ project: 'My Project' }, 'project'],
    [{ dataProject: 'Acme' }, 'dataProject'],
    [{ location: 'the north' }, 'location'],
    [{ plannerSchema: 'planner' }, 'location'],
    [{ plannerSchema: 'a.b.c d', location: 'EU' }, 'plannerSchema'],
    [{ plannerSchema: 'X.planner', location: 'EU' }, 'plannerSchema'],
    [{ baseUrl: 'ftp://x' }, 'baseUrl'],
  ])('refuses what can not be right, at its field: %j', async (more, name) => {
    const given = { serviceAccount: fake.state.key, baseUrl: fake.url, ...more };

    const error = await openFor(bigquery, given).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: 'CONFIG_INVALID', fields: { [name]: expect.any(String) } });
    expect(JSON.stringify(error) + String(error)).not.toContain('PRIVATE KEY');
  });
});

describe('bigquery: a query', () => {
  it('is read whole, in any order, keys first, and every value is text that SQL made', async () => {
    script({
      rows: [
        ['2', 'b\tc'],
        ['1', null],
      ],
    });

    const reading = await source.read({ sql, key: ['id'], columns: ['name', 'id'] }, limits);

    expect(reading).toMatchObject({ order: ['numeric'], sorted: false });
    expect(await text(reading)).toBe('2\tb\\tc\n1\t\\N\n');
    expect(jobs().map(({ statement }) => statement)).toEqual([
      'SELECT CAST(q.`id` AS STRING) AS c1, q.`name` AS c2 FROM (\nSELECT id, name FROM shop.orders\n) AS q ',
    ]);
  });

  it('never asks BigQuery to sort: over much data that fails with resources exceeded', async () => {
    script();

    await readAll();

    expect(jobs()[0]?.statement).not.toMatch(/ORDER BY/i);
  });

  it('is tried dry before it runs, as it is and as it is sent, and the dry runs start no job', async () => {
    script();

    await readAll();

    expect(dryRuns()).toEqual([sql, jobs()[0]?.statement]);
    expect(jobs()).toHaveLength(1);
  });

  it('runs under a name of ours, with its limits and labels, in standard SQL', async () => {
    script();

    await readAll();

    expect(jobs()[0]).toMatchObject({
      id: expect.stringMatching(/^activate_[\da-f-]{36}$/),
      configuration: {
        jobTimeoutMs: '25000',
        labels: { activate: 'activate-test' },
        query: { useLegacySql: false, maximumBytesBilled: '10000000000' },
      },
    });
  });

  it('is previewed, counted, and may end in a semicolon and a comment', async () => {
    script({ rows: [['1', null]] });
    fake.state.scripts.push({ mark: 'COUNT(*)', rows: [['9007199254740991']] });
    const written = `${sql}; -- all of them`;

    expect(await source.preview(written, 5, limits)).toEqual({
      columns: [
        { name: 'id', type: 'number', native: 'INT64' },
        { name: 'name', type: 'text', native: 'STRING' },
      ],
      rows: [['1', null]],
    });
    expect(await source.count(written, limits)).toBe(9007199254740991);
    expect(jobs().map(({ statement }) => statement.split('\n').at(1))).toEqual([sql, sql]);
    expect(jobs()[0]?.statement).toMatch(/LIMIT 5$/);
  });

  it('can be empty', async () => {
    script({ rows: [] });

    expect(await readAll()).toBe('');
  });

  it.each([
    ['INTEGER', '12.000000', "BIGNUMERIC '12.000000'"],
    ['TIMESTAMP', '2026-01-02T03:04:05.000006Z', "TIMESTAMP '2026-01-02T03:04:05.000006Z'"],
    ['DATETIME', '2026-01-02T03:04:05Z', "DATETIME(TIMESTAMP '2026-01-02T03:04:05Z', 'UTC')"],
    ['DATE', '2026-01-02T03:04:05Z', "DATE(TIMESTAMP '2026-01-02T03:04:05Z', 'UTC')"],
    ['STRING', '2026-01-02T03:04:05Z', "'2026-01-02T03:04:05Z'"],
  ])('is read from a watermark on, in the type of its column: %s', async (type, value, literal) => {
    script({
      fields: [
        { name: 'id', type: 'INTEGER' },
        { name: 'at', type },
      ],
    });

    await text(
      await source.read({ sql, key: ['id'], columns: ['at'], since: { column: 'at', value } }, limits),
    );

    expect(jobs()[0]?.statement).toMatch(/\) AS q WHERE q\.`at` >= /);
    expect(jobs()[0]?.statement.endsWith(`>= ${literal}`)).toBe(true);
  });

  it('does not take a watermark that is SQL', async () => {
    script();
    const since = { column: 'id', value: "1' OR 1=1" };

    await expect(source.read({ ...query, since }, limits)).rejects.toMatchObject({ code: 'BUG' });
    expect(jobs()).toEqual([]);
  });

  it.each([
    [
      [
        { name: 'a', type: 'STRING' },
        { name: 'A', type: 'STRING' },
      ],
      'Two columns of the query are named “A”.',
    ],
    [[], 'The query has no columns.'],
  ])('may not have columns that can not be told apart, or none', async (given, message) => {
    script({ fields: given });

    await expect(source.describe(sql, limits)).rejects.toMatchObject({ code: 'SQL_FAILED', message });
  });

  it('may not have a column without a name: BigQuery shows one, and does not know it', async () => {
    script({ fields: [{ name: 'f0_', type: 'INTEGER' }] });
    fake.state.scripts.push({
      mark: 'q.`f0_`',
      refused: refused(400, 'invalidQuery', 'Name f0_ not found inside q'),
    });

    await expect(source.describe(sql, limits)).rejects.toMatchObject({
      code: 'SQL_FAILED',
      message: 'A column of the query has no name: BigQuery shows it as f0_.',
    });
  });

  it('may have a column that is really called f0_', async () => {
    script({ fields: [{ name: 'f0_', type: 'INTEGER' }] });

    expect(await source.describe(sql, limits)).toHaveLength(1);
  });

  it('may not lose a column that is used', async () => {
    script();

    await expect(source.read({ ...query, columns: ['gone'] }, limits)).rejects.toMatchObject({
      code: 'SQL_FAILED',
      message: 'The query has no column “gone” (any more).',
      fix: expect.stringContaining('It has: id, name.'),
    });
  });
});

describe('bigquery: values', () => {
  it.each<[Field, Partial<Column>, string]>([
    [{ name: 'x', type: 'INTEGER' }, { type: 'number', native: 'INT64' }, 'CAST(q.`x` AS STRING)'],
    [
      { name: 'x', type: 'FLOAT' },
      { type: 'number', native: 'FLOAT64' },
      "CASE WHEN IS_NAN(q.`x`) THEN 'NaN' WHEN IS_INF(q.`x`) THEN IF(q.`x` > 0, 'Infinity', '-Infinity') ELSE CAST(q.`x` AS STRING) END",
    ],
    [
      { name: 'x', type: 'NUMERIC', precision: '10', scale: '2' },
      { type: 'number', native: 'NUMERIC(10, 2)' },
      'CAST(q.`x` AS STRING)',
    ],
    [{ name: 'x', type: 'BIGNUMERIC' }, { type: 'number', native: 'BIGNUMERIC' }, 'CAST(q.`x` AS STRING)'],
    [{ name: 'x', type: 'BOOLEAN' }, { type: 'boolean', native: 'BOOL' }, 'CAST(q.`x` AS STRING)'],
    [{ name: 'x', type: 'STRING', maxLength: '5' }, { type: 'text', native: 'STRING(5)' }, 'q.`x`'],
    [
      { name: 'x', type: 'TIMESTAMP' },
      { type: 'time', native: 'TIMESTAMP' },
      "FORMAT_TIMESTAMP('%E4Y-%m-%d %H:%M:%E*S+00', q.`x`, 'UTC')",
    ],
    [
      { name: 'x', type: 'DATETIME' },
      { type: 'time', native: 'DATETIME' },
      "FORMAT_DATETIME('%E4Y-%m-%d %H:%M:%E*S', q.`x`)",
    ],
    [{ name: 'x', type: 'DATE' }, { type: 'time', native: 'DATE' }, "FORMAT_DATE('%E4Y-%m-%d', q.`x`)"],
    [{ name: 'x', type: 'TIME' }, { type: 'time', native: 'TIME' }, "FORMAT_TIME('%H:%M:%E*S', q.`x`)"],
    [{ name: 'x', type: 'BYTES' }, { type: 'bytes', native: 'BYTES' }, "CONCAT(r'\\x', TO_HEX(q.`x`))"],
    [{ name: 'x', type: 'GEOGRAPHY' }, { type: 'text', native: 'GEOGRAPHY' }, 'ST_ASTEXT(q.`x`)'],
    [
      { name: 'x', type: 'JSON' },
      { type: 'json', native: 'JSON' },
      'IF(q.`x` IS NULL, NULL, TO_JSON_STRING(q.`x`))',
    ],
    [
      { name: 'x', type: 'INTEGER', mode: 'REPEATED' },
      { type: 'json', native: 'ARRAY<INT64>' },
      'IF(q.`x` IS NULL, NULL, TO_JSON_STRING(q.`x`))',
    ],
    [
      { name: 'x', type: 'RECORD', fields: [{ name: 'a', type: 'FLOAT' }] },
      { type: 'json', native: 'STRUCT<a FLOAT64>' },
      'IF(q.`x` IS NULL, NULL, TO_JSON_STRING(q.`x`))',
    ],
  ])('are cast to their exact text: %j', async (field, column, expression) => {
    script({ fields: [field], rows: [[null]] });

    expect(await source.describe(sql, limits)).toEqual([{ name: 'x', ...column }]);
    await text(
      await source.read({ sql, key: [], columns: ['x'] }, limits).catch(() => Promise.reject()),
    ).catch(() => undefined);
    expect(jobs()[0]?.statement).toContain(`SELECT ${expression} AS c1 FROM (`);
  });

  it('are sorted as numbers when they are whole, and by the bytes of their text otherwise', async () => {
    script({ fields: [...fields, { name: 'n', type: 'NUMERIC' }], rows: [] });

    const reading = await source.read({ sql, key: ['n', 'id', 'name'], columns: [] }, limits);

    expect(reading.order).toEqual(['bytes', 'numeric', 'bytes']);
    await text(reading);
  });
});

describe('bigquery: what is hostile', () => {
  it('comes as it is: signs, escapes, long texts, empty ones against NULL', async () => {
    const values = [...hostileTexts, 'a NUL: \0', null];
    script({ rows: values.map((value, i) => [String(i), value]) });

    const { rows } = await readAllOf(source, query);

    expect(rows).toEqual(values.map((value, i) => [String(i), value]));
    expect((await source.preview(sql, 1000, limits)).rows).toEqual(rows);
  });

  it('comes with keys that are NULL, or those of other rows', async () => {
    const rows = [
      ['2', 'b'],
      [null, 'x'],
      ['2', 'c'],
      [null, null],
    ];
    script({ rows });

    const read = await readAllOf(source, query);

    expect(read.rows.map((row) => JSON.stringify(row)).sort()).toEqual(
      rows.map((row) => JSON.stringify(row)).sort(),
    );
  });

  it.each(['select', 'a `b` c;--', "it's", 'back\\slash\\', 'tab\there', 'q.k', 'Ünï🦊', '*'])(
    'stands in quotes when it is the name of a column: %s',
    async (name) => {
      script({ fields: [{ name, type: 'STRING' }], rows: [['x']] });

      expect(await text(await source.read({ sql, key: [name], columns: [] }, limits))).toBe('x\n');

      const [, inside = ''] =
        /^SELECT q\.`((?:[^`\\]|\\[\s\S])*)` AS c1 FROM \($/m.exec(jobs()[0]?.statement ?? '') ?? [];
      expect(inside.replaceAll(/\\([\s\S])/g, '$1')).toBe(name);
    },
  );
});

describe('bigquery: a connection that breaks', () => {
  it('never makes a part of a result look like the whole, at whatever byte it is cut', async () => {
    const way = await startCutWay(Number(new URL(fake.url).port));
    await connect({ baseUrl: `http://127.0.0.1:${way.port}` });
    fake.state.rowsPerPage = 8;
    script({ rows: Array.from({ length: 20 }, (_, i) => [String(i), `name ${i}`]) });
    const whole = await readAll();
    way.after(Number.POSITIVE_INFINITY);
    await readAll();
    const bytes = way.came;
    const ends = new Set<string>();

    for (let at = 0; at < bytes; at += 53) {
      way.after(at);
      ends.add(await readAll().catch((error: { code: string }) => error.code));
    }

    expect(bytes).toBeGreaterThan(2000);
    expect([...ends].filter((end) => end !== whole).sort()).toEqual(['UNAVAILABLE']);
    way.after(Number.POSITIVE_INFINITY);
    expect(await readAll()).toBe(whole);
    await way.close();
  }, 60_000);

  it('is not what much data takes: memory stays small, however slow its reader', async () => {
    fake.state.rowsPerPage = 2000;
    const name = 'x'.repeat(1000);
    script({ rows: Array.from({ length: 150_000 }, (_, i) => [String(i), name]) });
    const reading = await source.read(query, { timeoutMs: 60_000 });
    const before = process.memoryUsage.rss();
    let bytes = 0;
    let most = before;

    for await (const piece of reading.lines) {
      bytes += piece.length;
      await new Promise(setImmediate);
      most = Math.max(most, process.memoryUsage.rss());
    }

    expect(bytes).toBe(150_000 * 1002 + 788_890);
    expect((most - before) / 1e6).toBeLessThan(150);
  }, 60_000);
});

describe('bigquery: results in parts', () => {
  const many = Array.from({ length: 25 }, (_, i) => [String(i), `n${i}`]);

  it('are asked for one after another, by the token of the last one', async () => {
    fake.state.rowsPerPage = 10;
    script({ rows: many });

    expect((await readAll()).split('\n')).toHaveLength(26);

    const asked = fake
      .to(resultsRoute)
      .map(({ query: given }) => [given.get('maxResults'), given.get('pageToken')]);
    expect(asked).toEqual([
      ['10000', null],
      ['10000', '10'],
      ['10000', '20'],
    ]);
  });

  it.each<
    [string, (answer: Readonly<Record<string, unknown>>, page: number) => Readonly<Record<string, unknown>>]
  >([
    ['ends early', ({ pageToken, ...answer }, page) => (page === 2 ? answer : { ...answer, pageToken })],
    ['has a part without rows', ({ rows, ...answer }, page) => (page === 2 ? answer : { ...answer, rows })],
    ['changes its length', (answer, page) => (page === 2 ? { ...answer, totalRows: '24' } : answer)],
    ['has no length', ({ totalRows, ...answer }) => answer],
    ['gives the same part twice', (answer, page) => (page === 2 ? { ...answer, pageToken: '10' } : answer)],
    ['is not complete any more', (answer, page) => (page === 2 ? { ...answer, jobComplete: false } : answer)],
  ])('fail when the result %s: rows that are missing would be taken for removed', async (_, spoil) => {
    fake.state.rowsPerPage = 10;
    fake.state.spoil = spoil;
    script({ rows: many });

    await expect(readAll()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/^BigQuery sent .+ Nothing was taken from it\.$/),
    });
  });

  it('fail when the result has expired before all of it was read', async () => {
    fake.state.rowsPerPage = 10;
    script({ rows: many });
    fake.fail(resultsRoute, (request) => {
      const rows = many.slice(0, 10).map((row) => ({ f: row.map((v) => ({ v })) }));
      expect(request.query.get('pageToken')).toBeNull();
      return { json: { jobComplete: true, totalRows: '25', pageToken: '10', rows } };
    });
    fake.fail(resultsRoute, refused(404, 'notFound', 'Not found: Table acme-analytics:_anon.x'));

    await expect(readAll()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('only a part of a result'),
    });
  });

  it('fail when rows are of another shape', async () => {
    script({ rows: [['1', 'a', 'more']] });

    await expect(readAll()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('come though an answer breaks off in the middle: it is asked for again', async () => {
    fake.state.rowsPerPage = 10;
    script({ rows: many });
    fake.fail(resultsRoute, 'reset', refused(503, 'backendError'));

    expect((await readAll()).split('\n')).toHaveLength(26);
  });

  it('fail when an answer is cut', async () => {
    script({ rows: many });
    fake.fail(resultsRoute, 'done-then-garbage');

    await expect(readAll()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('bigquery: jobs', () => {
  it('are found again when the answer to their start is lost: the same name is taken for started', async () => {
    script();
    // The dry runs come first.
    fake.next(undefined, undefined, undefined, 'done-then-reset');

    expect(await readAll()).toBe('1\ta\n');

    expect(jobs()).toHaveLength(1);
    expect(fake.to(jobsRoute)).toHaveLength(4);
  });

  it('are asked for in the location that they run in', async () => {
    fake.state.location = 'europe-west3';
    script({ holds: 1 });

    expect(await readAll()).toBe('1\ta\n');

    expect(fake.to(resultsRoute).map(({ query: given }) => given.get('location'))).toEqual([
      'europe-west3',
      'europe-west3',
    ]);
  });

  it('run in the location of the connection where it names one, and are paid by the project that it names', async () => {
    await connect({ location: 'US', project: 'acme-billing' });
    script();

    await readAll();

    expect(jobs()[0]?.location).toBe('US');
    expect(
      fake.to(jobsRoute).every(({ params, path }) => path.includes('/projects/acme-billing/') && params),
    ).toBe(true);
  });

  it('are waited for as long as they are not complete', async () => {
    script({ holds: 3 });

    expect(await readAll()).toBe('1\ta\n');
    expect(jobs()[0]?.asked).toBe(4);
  });

  it('are canceled there when the reading is broken off before its first rows', async () => {
    script();
    const reading = await source.read(query, limits);

    await reading.lines[Symbol.asyncIterator]().return?.();

    expect(jobs().map(({ canceled }) => canceled)).toEqual([true]);
  });

  it('are not canceled when the reading is broken off later: there is nothing left to cancel', async () => {
    script({ rows: Array.from({ length: 3 }, (_, i) => [String(i), 'x']) });
    fake.state.rowsPerPage = 1;
    const reading = await source.read(query, limits);

    for await (const _ of reading.lines) {
      break;
    }

    expect(fake.to(cancelRoute)).toEqual([]);
    expect(fake.to(resultsRoute)).toHaveLength(1);
  });

  it('are canceled there when the signal fires while they run', async () => {
    script({ holds: 1_000_000 });
    const abort = new AbortController();
    const reading = readAll({ ...limits, signal: abort.signal });
    const failed = expect(reading).rejects.toMatchObject({ code: 'CANCELED' });
    for (let request = await fake.arrival(); request.method !== 'GET'; ) {
      request = await fake.arrival();
    }

    abort.abort();

    await failed;
    expect(jobs().map(({ canceled }) => canceled)).toEqual([true]);
  });

  it('are canceled there when the signal fires while they are started, for they may have been', async () => {
    script();
    const abort = new AbortController();
    fake.next(undefined, undefined, undefined, 'done-then-reset', 'hang');
    const failed = expect(readAll({ ...limits, signal: abort.signal })).rejects.toMatchObject({
      code: 'CANCELED',
    });
    while (fake.to(jobsRoute).length < 4) {
      await fake.arrival();
    }

    abort.abort();

    await failed;
    expect(jobs().map(({ canceled }) => canceled)).toEqual([true]);
  });

  it('are stopped after the time limit, and canceled there', async () => {
    script({ holds: 1_000_000 });

    await expect(readAll({ timeoutMs: 300 })).rejects.toMatchObject({
      code: 'SQL_TIMEOUT',
      message: 'BigQuery was told to stop the query after 0.3 seconds.',
    });
    expect(jobs().map(({ canceled }) => canceled)).toEqual([true]);
  });

  it('are not started with a signal that has fired', async () => {
    script();

    await expect(source.count(sql, { ...limits, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'CANCELED',
    });
    expect(jobs()).toEqual([]);
  });
});

describe('bigquery: what a query may not do', () => {
  it.each([
    'INSERT',
    'UPDATE',
    'DELETE',
    'MERGE',
    'CREATE_TABLE_AS_SELECT',
    'EXPORT_DATA',
    'CALL',
    'TRUNCATE_TABLE',
    'SCRIPT',
  ])('is anything but one SELECT, as the dry run sees it: %s', async (statementType) => {
    script({ statementType });

    for (const asked of [
      source.describe(sql, limits),
      source.preview(sql, 5, limits),
      source.suggestKey(sql, limits),
      source.count(sql, limits),
      source.read(query, limits),
    ]) {
      await expect(asked).rejects.toMatchObject({
        code: 'SQL_UNSAFE',
        message: expect.stringContaining(statementType),
      });
    }
    expect(jobs()).toEqual([]);
  });

  it('goes unseen where BigQuery does not say what it is', async () => {
    fake.next(undefined, { json: { statistics: { query: {} } } });

    await expect(source.describe(sql, limits)).rejects.toMatchObject({ code: 'SQL_UNSAFE' });
  });
});

describe('bigquery: what a query costs', () => {
  it('is refused before it runs when it would be billed for too much, with the estimate', async () => {
    script({ bytes: 1_234_000_000_000 });

    await expect(readAll()).rejects.toMatchObject({
      code: 'SQL_FAILED',
      message:
        'The query would be billed for a scan of 1.23 TB, and this connection allows 10 GB. Nothing was billed.',
      fix: expect.stringContaining('A LIMIT does not make it less.'),
    });
    expect(jobs()).toEqual([]);
  });

  it('is said beforehand, for nothing', async () => {
    script({ bytes: 3_210_000_000 });

    expect(await source.costOf?.(sql, limits)).toBe(
      'Each run scans up to 3.21 GB, by which BigQuery bills. This connection allows 10 GB a query.',
    );
    expect(jobs()).toEqual([]);
  });

  it('goes by the limit of the connection', async () => {
    await connect({ gigabytes: '0.5' });
    script({ bytes: 600_000_000 });

    await expect(readAll()).rejects.toMatchObject({ message: expect.stringContaining('a scan of 600 MB') });
    fake.state.scripts.push({ mark: 'shop.orders', fields, rows: [], bytes: 400_000_000 });
    await readAll();
    expect(jobs()[0]?.configuration.query['maximumBytesBilled']).toBe('500000000');
  });

  it('is left to BigQuery where its estimate is an upper bound, as for clustered tables', async () => {
    script({ bytes: 20_000_000_000, accuracy: 'UPPER_BOUND' });

    await expect(readAll()).rejects.toMatchObject({
      code: 'SQL_FAILED',
      message: expect.stringContaining('a scan of 20 GB'),
    });
    expect(jobs()).toHaveLength(1);
  });
});

describe('bigquery: errors', () => {
  it('say where in the own text of the person', async () => {
    script({ refused: refused(400, 'invalidQuery', 'Unrecognized name: nmae at [2:3]') });

    await expect(source.describe(sql, limits)).rejects.toMatchObject({
      code: 'SQL_FAILED',
      message: 'BigQuery says: Unrecognized name: nmae (line 2, column 3).',
    });
  });

  it('say it so, too, when only the job fails, whose text begins with a line of ours', async () => {
    script({ failing: refused(400, 'invalidQuery', 'Division by zero: 1 / 0 at [3:9]') });

    await expect(readAll()).rejects.toMatchObject({
      code: 'SQL_FAILED',
      message: 'BigQuery says: Division by zero: 1 / 0 (line 2, column 9).',
    });
  });

  it.each([
    [400, 'invalidQuery', 'SQL_FAILED'],
    [404, 'notFound', 'SQL_FAILED'],
    [403, 'accessDenied', 'PERMISSION_DENIED'],
    [400, 'resourcesExceeded', 'SQL_FAILED'],
    [403, 'responseTooLarge', 'SQL_FAILED'],
    [400, 'billingTierLimitExceeded', 'SQL_FAILED'],
    [403, 'billingNotEnabled', 'PERMISSION_DENIED'],
    [400, 'timeout', 'SQL_TIMEOUT'],
    [403, 'quotaExceeded', 'UNAVAILABLE'],
    [403, 'rateLimitExceeded', 'UNAVAILABLE'],
    [400, 'jobRateLimitExceeded', 'UNAVAILABLE'],
    [400, 'jobBackendError', 'UNAVAILABLE'],
    [400, 'jobInternalError', 'UNAVAILABLE'],
    [400, 'tableUnavailable', 'UNAVAILABLE'],
    [200, 'stopped', 'UNAVAILABLE'],
    [503, 'backendError', 'UNAVAILABLE'],
    [403, 'somethingNew', 'PERMISSION_DENIED'],
  ])('of a job are lasting or passing by their reason: %i %s', async (status, reason, code) => {
    script({ failing: refused(status === 200 ? 400 : status, reason) });

    await expect(readAll()).rejects.toMatchObject({ name: 'ActivateError', code });
  });

  it('wait with a quota that is used up', async () => {
    script({
      refused: refused(403, 'quotaExceeded', 'Quota exceeded: Your usage exceeded the custom quota'),
    });

    await expect(source.describe(sql, limits)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      retryAfterMs: 600_000,
    });
  });

  it('name the location where something is not found, since a dataset is in one only', async () => {
    await connect({ location: 'US' });
    script({
      refused: refused(
        404,
        'notFound',
        'Not found: Dataset acme-analytics:shop was not found in location US',
      ),
    });

    await expect(source.describe(sql, limits)).rejects.toMatchObject({
      code: 'SQL_FAILED',
      fix: expect.stringContaining('US, the location of this connection'),
    });
  });

  it('say that the key is not taken', async () => {
    await connect({
      serviceAccount: keyFileOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
    });

    const error = await source.describe(sql, limits).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: 'AUTH_REJECTED' });
    expect(JSON.stringify(error) + opened.logged.join('')).not.toContain('PRIVATE KEY');
  });
});

describe('bigquery: help with choosing', () => {
  it('lists tables of all datasets without a query, best matches first, and passes over what it may not see', async () => {
    fake.state.datasets.set('shop', ['orders', 'order_lines', 'people']);
    fake.state.datasets.set('old', ['all_orders', 'reorder', 'x']);
    fake.state.datasets.set('closed', ['(secret)']);

    expect(await source.tables('order')).toEqual([
      'shop.order_lines',
      'shop.orders',
      'old.all_orders',
      'old.reorder',
    ]);
    expect(await source.tables('shop.o')).toEqual(['shop.order_lines', 'shop.orders']);
    expect(await source.tables('ORDERS')).toEqual(['shop.orders', 'old.all_orders']);
    expect(jobs()).toEqual([]);
  });

  it('names tables of another project in full', async () => {
    await connect({ dataProject: 'acme-data' });
    fake.state.datasets.set('shop', ['orders']);

    expect(await source.tables('')).toEqual(['acme-data.shop.orders']);
  });

  it.each([
    ['shop.orders', 'SELECT * FROM `shop`.`orders`'],
    ['acme-data.shop.odd `name', 'SELECT * FROM `acme-data`.`shop`.`odd \\`name`'],
    ['acme.com:data.shop.back\\slash', 'SELECT * FROM `acme.com:data`.`shop`.`back\\\\slash`'],
  ])('reads a whole table: %s', (table, statement) => {
    expect(source.selectAll(table)).toBe(statement);
  });

  it('suggests the primary key of the one table, then what is unique', async () => {
    const orders = { projectId: 'acme-analytics', datasetId: 'shop', tableId: 'orders' };
    fake.state.primaryKeys.set('shop.orders', ['name']);
    script({
      rows: [
        ['1', 'a'],
        ['2', 'b'],
      ],
      tables: [orders],
    });

    expect(await source.suggestKey(sql, limits)).toEqual(['name']);
    script({
      rows: [
        ['1', 'a'],
        ['2', 'b'],
      ],
      tables: [orders, { ...orders, tableId: 'people' }],
    });
    expect(await source.suggestKey(sql, limits)).toEqual(['id']);
    script({
      rows: [
        ['1', 'a'],
        ['1', 'a'],
      ],
      tables: [],
    });
    expect(await source.suggestKey(sql, limits)).toEqual([]);
  });
});
