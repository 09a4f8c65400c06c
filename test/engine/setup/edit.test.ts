import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectors } from '../../../connectors/index.ts';
import { parseSchedule } from '../../../engine/schedule/cron.ts';
import type { SyncDraft } from '../../../engine/services.ts';
import { startApp, type TestApp } from '../../support/app.ts';
import { type FreshDb, freshDb } from '../../support/postgres.ts';

let t: TestApp;
let crm: FreshDb;
beforeAll(async () => {
  t = await startApp({ worker: false });
  crm = await freshDb();
  const connector = connectors.find((one) => one.id === 'postgres');
  await t.app.services.destinations.connect('crm', connector as never, { url: crm.url }, t.by);
  await t.warehouse.query('create table clients (id int primary key, mail text, name text)');
  await crm.db.query('create table public.clients (mail text primary key, name text)');
});
afterAll(async () => {
  await t.close();
  await crm.close();
});

it('an edit that changes no settings sends nothing again; one that does sends everything once', async () => {
  const from = (column: string): object => ({ field: column, from: { type: 'column', column } });
  const draft: SyncDraft = {
    name: 'clients',
    framework: 'objects',
    source: 'warehouse',
    sql: 'select id, mail, name from clients',
    key: ['id'],
    destination: 'crm',
    startsNow: false,
    schedule: parseSchedule('every day at 09:00', 'UTC'),
    settings: {
      object: 'public.clients',
      mode: 'mirror',
      match: ['mail'],
      fields: [from('mail'), from('name')],
    },
  };
  const { syncs } = t.app.services;
  await syncs.create(draft, t.by);

  const everyDay = parseSchedule('every day at 10:00', 'UTC');
  const later = await syncs.update('clients', { ...draft, schedule: everyDay }, t.by);
  expect(later.sync).toMatchObject({ resend: false, version: 2 });

  const settings = { ...(draft.settings as object), removal: 'clear' };
  const other = await syncs.update('clients', { ...draft, settings }, t.by);
  expect(other.sync).toMatchObject({ resend: true, version: 3 });
});
