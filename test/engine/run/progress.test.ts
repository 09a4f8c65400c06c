import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectors } from '../../../connectors/index.ts';
import { parseSchedule } from '../../../engine/schedule/cron.ts';
import { limited } from '../../fakes/http.ts';
import { startReceiver, toReceiver } from '../../scenarios/receiver.ts';
import { startApp, type TestApp } from '../../support/app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await startApp();
});
afterAll(() => t.close());

const rows = 9000;

it('shows on its card how far a delivery has come, while it goes on', async () => {
  let taken = 0;
  const hook = await startReceiver(() => {
    taken += 1;
    if (taken === rows / 2) {
      // Longer than until the first look at how far it has come.
      hook.next(limited(5));
    }
    return { status: 200 };
  });
  await t.warehouse.query('create table users (id int primary key, email text)');
  await t.warehouse.query(
    `insert into users select i, 'u' || i || '@x.example' from generate_series(1, ${rows}) i`,
  );
  const receiver = toReceiver(hook, 100);
  const { config, secrets } = receiver.connection(receiver.port);
  const webhook = connectors.find(({ id }) => id === 'webhook');
  if (webhook === undefined) {
    throw new Error('no webhook connector');
  }
  const { destinations, syncs, runs } = t.app.services;
  await destinations.connect('hook', webhook, { ...config, ...secrets }, t.by);
  const schedule = parseSchedule('0 0 1 1 *', 'UTC');
  const settings = { list: 'all', listName: 'All', identifiers: { email: 'email' } };
  const draft = { framework: 'audiences', source: 'warehouse', sql: 'select id, email from users' } as const;
  const policy = { ...(await t.app.services.approvals.usual({ ...draft, settings, destination: 'hook' })) };
  await syncs.create(
    {
      ...draft,
      name: 'all-users',
      key: ['id'],
      destination: 'hook',
      settings,
      schedule,
      startsNow: false,
      policy: { ...policy, ask: 'never' },
    },
    t.by,
  );
  const run = await runs.start('all-users', t.by, 'manual');
  const seen: string[] = [];
  while ((await runs.finished(run.id, 200).catch(() => undefined)) === undefined) {
    seen.push(...(await t.said('data-alerts')).map(({ text }) => text));
  }
  await hook.close();

  expect(seen.some((text) => /changes: [\d,]+ added to the list so far/.test(text))).toBe(true);
  expect((await t.said('data-alerts')).at(-1)?.text).toContain('9,000 added to the list');
});
