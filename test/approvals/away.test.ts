import { afterAll, beforeAll, expect, it } from 'vitest';
import { createLocal } from '../../bot/local/platform.ts';
import type { Sender } from '../../engine/contracts/chat.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { demoChannels, demoPeople } from '../../engine/demo/people.ts';
import { approvalPolicy } from '../../engine/model/policy.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { silentLog } from '../support/log.ts';
import { until } from './house.ts';

let t: TestApp;
let away = false;

beforeAll(async () => {
  t = await startApp({
    senders: (db) => {
      const local = createLocal({ db, log: silentLog, people: demoPeople, channels: demoChannels });
      const post: Sender['post'] = (...given) =>
        away
          ? Promise.reject(new ActivateError('UNAVAILABLE', 'The chat is away.', { retryAfterMs: 600_000 }))
          : local.post(...given);
      return [{ ...local, post }];
    },
  });
  await t.warehouse.query('create table accounts (id int primary key, name text, seats int, email text)');
});
afterAll(() => t.close());

it('asks once the chat is back, while schedules go on and other holds are seen to', async () => {
  const name = await t.alert({ name: 'everything' });
  await t.app.services.approvals.setPolicy(name, approvalPolicy.parse({ ask: 'always' }), t.by);
  await t.warehouse.query("insert into accounts values (1, 'Acme', 3, 'a@acme.example')");
  away = true;
  expect(await t.run(name)).toMatchObject({ state: 'held' });
  await until('it is to be tried again', async () => {
    const [hold] = await t.db.query('select 1 from holds where again_at is not null and drawn < revision');
    return hold !== undefined;
  });
  // Nothing waits for the chat: another alert is made, and its first run comes and goes.
  expect(await t.alert({ name: 'another' })).toBe('another');
  expect(await t.said('data-alerts')).toEqual([]);

  away = false;
  await t.db.query("update holds set again_at = clock_timestamp() - interval '1 second'");
  await until('it is asked', async () => (await t.said('data-alerts')).length > 0);
  expect((await t.said('data-alerts')).map(({ text }) => text).join()).toContain(
    'Approve this run of everything?',
  );
  expect(await t.approve(name)).toMatchObject({ state: 'done', counts: { messages: 1 } });
});
