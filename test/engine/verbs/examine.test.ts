import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findingBlocks } from '../../../commands/alert-steps.ts';
import { connectors } from '../../../connectors/index.ts';
import { Connections } from '../../../engine/connections.ts';
import type { Connector } from '../../../engine/contracts/connector.ts';
import { createHttp } from '../../../engine/http.ts';
import { createVault } from '../../../engine/secrets.ts';
import { Examiner } from '../../../engine/verbs/examine.ts';
import { startApp, type TestApp } from '../../support/app.ts';
import { silentLog } from '../../support/log.ts';

const sql = 'select id, name from accounts';

/** The very connectors, but each source knows what a query costs. */
const real: readonly Connector[] = connectors;
const priced = real.map(
  (one): Connector => ({
    ...one,
    open: async (values, context) => {
      const opened = await one.open(values, context);
      return opened.source === undefined
        ? opened
        : {
            ...opened,
            source: { ...opened.source, costOf: async (asked) => `It costs ${asked.length} cents.` },
          };
    },
  }),
);

describe('what was found out about a query', () => {
  let t: TestApp;
  let connections: Connections;
  let examiner: Examiner;
  let now: Date;
  beforeAll(async () => {
    t = await startApp({ worker: false });
    connections = new Connections({
      connectors: priced,
      vault: createVault('k'.repeat(32)),
      httpFor: () => createHttp({ hosts: [], log: silentLog }),
      now: () => now,
    });
  });
  afterAll(async () => {
    await connections.close();
    await t.close();
  });
  beforeEach(async () => {
    await t.warehouse.query('drop table if exists accounts');
    await t.warehouse.query('create table accounts (id int primary key, name text)');
    await t.warehouse.query("insert into accounts values (1, 'Acme'), (2, 'Acme')");
    now = new Date('2026-03-01T09:00:00Z');
    examiner = new Examiner({ db: t.db, connections, now: () => now });
  });

  const rows = async (): Promise<number> => (await examiner.recall('warehouse', sql, undefined)).rows;
  const names = async (): Promise<readonly string[]> =>
    (await examiner.columns('warehouse', sql)).map((column) => column.name);

  it('says what a run costs, where the warehouse knows', async () => {
    const found = await examiner.examine('warehouse', sql, undefined);

    expect(found.cost).toBe(`It costs ${sql.length} cents.`);
    expect(JSON.stringify(findingBlocks(found))).toContain(found.cost);
  });

  it('is kept for a minute, and then found out anew', async () => {
    expect((await examiner.examine('warehouse', sql, undefined)).rows).toBe(2);
    await t.warehouse.query("insert into accounts values (3, 'Blue')");

    now = new Date('2026-03-01T09:00:59Z');
    expect(await rows()).toBe(2);
    now = new Date('2026-03-01T09:01:01Z');
    expect(await rows()).toBe(3);
  });

  it('is asked anew by whoever writes the query again', async () => {
    await examiner.examine('warehouse', sql, undefined);
    await t.warehouse.query("insert into accounts values (3, 'Blue')");

    expect((await examiner.examine('warehouse', sql, undefined)).rows).toBe(3);
    expect(await rows()).toBe(3);
  });

  it('is not kept when it failed', async () => {
    await t.warehouse.query('alter table accounts rename to hidden');
    await expect(rows()).rejects.toMatchObject({ code: 'SQL_FAILED' });
    await expect(names()).rejects.toMatchObject({ code: 'SQL_FAILED' });

    await t.warehouse.query('alter table hidden rename to accounts');

    expect(await rows()).toBe(2);
    expect(await names()).toEqual(['id', 'name']);
  });

  it('gives its columns without asking again', async () => {
    await examiner.examine('warehouse', sql, undefined);
    await t.warehouse.query('drop table accounts');

    expect(await names()).toEqual(['id', 'name']);
    await expect(examiner.describe('warehouse', sql)).rejects.toMatchObject({ code: 'SQL_FAILED' });
  });

  it('is of one query, one key and one connection', async () => {
    expect((await examiner.recall('warehouse', sql, ['name'])).warnings.join()).toContain('not unique');
    expect((await examiner.recall('warehouse', sql, ['id'])).warnings).toEqual([]);
    expect((await examiner.recall('warehouse', `${sql} where id = 1`, undefined)).rows).toBe(1);

    const connector = connectors.find((one) => one.id === 'postgres');
    if (connector === undefined) {
      throw new Error('no postgres connector');
    }
    await t.app.services.sources.connect('warehouse', connector, { url: t.url }, t.by);

    // The other database has no such table.
    await expect(rows()).rejects.toMatchObject({ code: 'SQL_FAILED' });
  });
});
