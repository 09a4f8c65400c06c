import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectors } from '../../../connectors/index.ts';
import type { ObjectsSettings } from '../../../engine/model/objects.ts';
import { parseSchedule } from '../../../engine/schedule/cron.ts';
import { startApp, type TestApp, waitForRun } from '../../support/app.ts';
import { type FreshDb, freshDb } from '../../support/postgres.ts';

let t: TestApp;
let crm: FreshDb;

const field = (name: string, column = name) =>
  ({ field: name, from: { type: 'column', column }, nulls: 'send', onlyIfEmpty: false }) as const;

beforeAll(async () => {
  t = await startApp();
  crm = await freshDb();
  const connector = connectors.find((one) => one.id === 'postgres');
  await t.app.services.destinations.connect('crm', connector as never, { url: crm.url }, t.by);
});

afterAll(async () => {
  await t.close();
  await crm.close();
});

beforeEach(async () => {
  await t.warehouse.query('drop table if exists accounts');
  await t.warehouse.query('create table accounts (id int primary key, name text, seats int, email text)');
  await t.warehouse.query(
    `insert into accounts select i, 'Account ' || i, i, 'a' || i || '@example.com' from generate_series(1, 20) i`,
  );
  await crm.db.query('drop table if exists public.contacts');
  await crm.db.query(
    'create table public.contacts (email text primary key, name text not null, seats int check (seats < 1000), note text)',
  );
  for (const { sync } of await t.app.services.syncs.list()) {
    await t.app.services.syncs.remove(sync.name, t.by);
  }
});

async function sync(settings: Partial<ObjectsSettings> = {}): Promise<string> {
  const made = await t.app.services.syncs.create(
    {
      name: 'contacts',
      framework: 'objects',
      source: 'warehouse',
      sql: 'select id, name, seats, email from accounts',
      key: ['id'],
      destination: 'crm',
      startsNow: true,
      schedule: parseSchedule('0 0 1 1 *', 'UTC'),
      settings: {
        object: 'public.contacts',
        mode: 'upsert',
        match: ['email'],
        fields: [field('email'), field('name'), field('seats')],
        ...settings,
      },
    },
    t.by,
  );
  await waitForRun(t.app, made.sync.name);
  return made.sync.name;
}

const there = () => crm.db.query('select email, name, seats from public.contacts order by email');
const wanted = () => t.warehouse.query('select email, name, seats from accounts order by email');
const last = async (name: string) => (await t.app.services.runs.recent(name, 1))[0];

describe('objects', () => {
  it('writes all rows at the first run, and none at the next', async () => {
    const name = await sync();

    expect((await last(name))?.counts).toMatchObject({
      rows: 20,
      added: 20,
      done: { written: 20 },
      failed: 0,
    });
    expect(await there()).toEqual(await wanted());
    const again = await t.run(name);
    expect(again.counts).toMatchObject({ rows: 20, before: 20, added: 0, changed: 0, done: {} });
  });

  it('a mirror follows additions, changes and removals', async () => {
    const name = await sync({ mode: 'mirror' });

    await t.warehouse.query(`insert into accounts values (21, 'New', 1, 'new@example.com')`);
    await t.warehouse.query(`update accounts set name = 'Other' where id = 3`);
    await t.warehouse.query(`update accounts set email = 'moved@example.com' where id = 4`);
    await t.warehouse.query('delete from accounts where id = 5');
    const run = await t.run(name);

    expect(run.counts).toMatchObject({ done: { written: 3, deleted: 2 }, failed: 0 });
    expect(await there()).toEqual(await wanted());
  });

  it('a refused row is kept with its reason, tried again at each run, and heals', async () => {
    await t.warehouse.query('update accounts set seats = 5000 where id = 7');
    const name = await sync();

    const [reason] = await t.app.services.syncs.reasons(name);
    expect(reason).toMatchObject({ count: 1, example: '7' });
    expect(await there()).toHaveLength(19);
    expect((await t.run(name)).counts).toMatchObject({ failed: 1 });

    await t.warehouse.query('update accounts set seats = 50 where id = 7');
    expect((await t.run(name)).counts).toMatchObject({ failed: 0, done: { written: 1 } });
    expect(await t.app.services.syncs.reasons(name)).toEqual([]);
    expect(await there()).toEqual(await wanted());
  });

  it('a mirror of a query that gives nothing stops and asks', async () => {
    const name = await sync({ mode: 'mirror' });
    await t.warehouse.query('delete from accounts');

    expect(await t.run(name)).toMatchObject({ state: 'held', counts: { removed: 20 } });
    expect(await there()).toHaveLength(20);

    const passed = await t.approve(name);
    expect(passed.counts).toMatchObject({ done: { deleted: 20 } });
    expect(await there()).toEqual([]);
  });
});
