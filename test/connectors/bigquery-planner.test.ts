import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bigquery } from '../../connectors/bigquery/index.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import type { Column, Limits, Scratch, Source } from '../../engine/contracts/source.ts';
import { type FakeBigQuery, type FakeJob, refused, startFakeBigQuery } from '../fakes/bigquery.ts';
import { type Opened, openFor } from '../support/connect.ts';

const limits: Limits = { timeoutMs: 20_000 };

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

function jobs(): readonly FakeJob[] {
  return [...fake.state.jobs.values()];
}

describe('bigquery: checking', () => {
  beforeEach(() => {
    fake.state.scripts.push({
      mark: "SELECT 'x' AS x",
      fields: [{ name: 'x', type: 'STRING' }],
      rows: [['x']],
    });
  });

  it('runs a query for real, and has nothing against an account that only reads', async () => {
    fake.state.datasets.set('shop', ['orders']);

    expect(await opened.connection.check('source')).toEqual([]);
    expect(jobs()).toHaveLength(1);
  });

  it('says what the account may do beyond reading, and where', async () => {
    fake.state.datasets.set('empty', []);
    fake.state.datasets.set('shop', ['orders']);
    fake.state.permissions.add('bigquery.tables.updateData').add('bigquery.tables.delete');

    expect(await opened.connection.check('source')).toEqual([
      'The service account can change rows of at least one table, in the dataset shop.',
      'The service account can delete at least one table, in the dataset shop.',
    ]);
  });

  it('says that no dataset is to be seen', async () => {
    expect(await opened.connection.check('source')).toEqual([
      'The service account sees no dataset in acme-analytics.',
    ]);
  });

  it('fails where the account may not run queries', async () => {
    fake.state.scripts.push({
      mark: 'AS x',
      refused: refused(403, 'accessDenied', 'Access Denied: no jobs.create'),
    });

    await expect(opened.connection.check('source')).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      fix: expect.stringContaining('activate@acme-analytics.iam.gserviceaccount.com'),
    });
  });
});

describe('bigquery: a planner schema', () => {
  const planner = '`acme-analytics`.`activate_planner`';

  beforeEach(async () => {
    await connect({ plannerSchema: 'activate_planner', planner: 'warehouse', logs: 'yes', location: 'EU' });
    fake.state.described.set('activate_planner', { location: 'EU' });
    fake.state.scripts.push({ mark: 'activate_check' });
  });

  const scratch = (): Scratch => source.scratch as Scratch;

  it('is there only where the connection names one', async () => {
    expect(scratch()).toMatchObject({ choice: 'warehouse', logs: true });
    await connect();
    expect(source.scratch).toBeUndefined();
  });

  it('names tables, texts and orders as readings have them', () => {
    const column: Column = { name: 'x', type: 'bytes', native: 'BYTES' };

    expect(scratch().table('told_1')).toBe(`${planner}.\`told_1\``);
    expect(scratch().textOf(column, 'q.`x`', 'value')).toBe("CONCAT(r'\\x', TO_HEX(q.`x`))");
    expect(scratch().orderOf(column)).toBe('bytes');
    expect(scratch().orderOf({ ...column, native: 'INT64' })).toBe('numeric');
  });

  it('runs statements that write, once, as jobs with limits, and waits for their end', async () => {
    fake.state.scripts.push({ mark: 'MERGE', statementType: 'MERGE', holds: 2 });
    fake.next(undefined, undefined, 'done-then-reset');

    await scratch().execute('MERGE told_1', limits);

    expect(jobs()).toMatchObject([
      { asked: 3, configuration: { query: { query: 'MERGE told_1', maximumBytesBilled: '10000000000' } } },
    ]);
  });

  it('runs no script: what stands in it could be anything', async () => {
    fake.state.scripts.push({ mark: 'MERGE', statementType: 'SCRIPT' });

    await expect(scratch().execute('MERGE told_1; DROP TABLE x', limits)).rejects.toMatchObject({
      code: 'SQL_UNSAFE',
    });
    expect(jobs()).toEqual([]);
  });

  it('runs nothing twice at failures, and cancels what takes too long', async () => {
    fake.state.scripts.push({
      mark: 'MERGE',
      failing: refused(400, 'invalidQuery', 'Could not serialize access'),
    });
    await expect(scratch().execute('MERGE told_1', limits)).rejects.toMatchObject({ code: 'SQL_FAILED' });
    fake.state.scripts.push({ mark: 'MERGE', holds: 1_000_000 });
    await expect(scratch().execute('MERGE told_1', { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'SQL_TIMEOUT',
    });

    expect(jobs().map(({ canceled }) => canceled)).toEqual([false, true]);
  });

  it('lacks nothing where tables can be made, written and dropped, and is asked once', async () => {
    expect(await scratch().lacking(limits)).toEqual([]);
    expect(await scratch().lacking(limits)).toEqual([]);

    expect(jobs().map(({ statement }) => statement)).toEqual([
      `CREATE OR REPLACE TABLE ${planner}.\`activate_check\` (x STRING)`,
      `INSERT INTO ${planner}.\`activate_check\` (x) VALUES ('x')`,
      `DROP TABLE IF EXISTS ${planner}.\`activate_check\``,
    ]);
  });

  it('is made where it is not there and may be', async () => {
    fake.state.described.clear();
    expect(await scratch().lacking(limits)).toEqual([
      `There is no planner dataset, and activate@acme-analytics.iam.gserviceaccount.com may not make it: CREATE SCHEMA ${planner} OPTIONS (location = 'EU'); GRANT \`roles/bigquery.dataEditor\` ON SCHEMA ${planner} TO "serviceAccount:activate@acme-analytics.iam.gserviceaccount.com"`,
    ]);
    fake.state.permissions.add('bigquery.datasets.create');

    expect(await scratch().lacking(limits)).toEqual([]);
    expect([...fake.state.described.values()]).toEqual([
      { datasetReference: { projectId: 'acme-analytics', datasetId: 'activate_planner' }, location: 'EU' },
    ]);
  });

  it('may not be in another location, nor forget its tables after a time', async () => {
    fake.state.described.set('activate_planner', { location: 'US', defaultTableExpirationMs: '86400000' });

    expect(await scratch().lacking(limits)).toEqual([
      'The planner dataset is in US, and the connection reads in EU: name another one.',
      `Tables of the planner dataset expire, and what was told would be forgotten: ALTER SCHEMA ${planner} SET OPTIONS (default_table_expiration_days = NULL)`,
    ]);
    expect(jobs()).toEqual([]);
  });

  it.each([
    [
      'accessDenied',
      /^Nothing can be written to the planner dataset\. .* GRANT `roles\/bigquery\.dataEditor`/,
    ],
    [
      'billingNotEnabled',
      /^Nothing can be written to the planner dataset\. The project acme-analytics has no billing\./,
    ],
  ])('lacks the right to be written: %s', async (reason, sentence) => {
    fake.state.scripts.push({ mark: 'INSERT INTO', refused: refused(403, reason, 'Access Denied') });

    expect(await scratch().lacking(limits)).toEqual([expect.stringMatching(sentence)]);
  });

  it('is not complained about when the account may write there and nowhere else', async () => {
    fake.state.scripts.push({
      mark: "SELECT 'x' AS x",
      fields: [{ name: 'x', type: 'STRING' }],
      rows: [['x']],
    });
    fake.state.datasets.set('activate_planner', ['told_1']);
    fake.state.permissions.add('bigquery.tables.updateData');

    expect(await opened.connection.check('source')).toEqual([]);
  });
});
