import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { shortPlan } from '../../engine/cards/hold.ts';
import type { Caller } from '../../engine/contracts/command.ts';
import { pendingHolds } from '../../engine/store/holds.ts';
import type { Run } from '../../engine/store/runs.ts';
import { blocksIn } from '../docs/blocks.ts';
import { type AsanaState, startFakeAsana } from '../fakes/asana.ts';
import type { FakeHttp } from '../fakes/http.ts';
import { apiKey, type FakeMailchimp, startMailchimp } from '../fakes/mailchimp.ts';
import { startMixpanel } from '../fakes/mixpanel.ts';
import { type FakeSmtp, headerOf, startSmtp } from '../fakes/smtp.ts';
import { type FreshDb, freshDb } from '../support/postgres.ts';
import { type Installation, install, type RunAtWork } from './installation.ts';

const [example = { text: '' }] = blocksIn('yaml.md', 'yaml').filter(
  ({ name }) => name === 'every-framework.yaml',
);
const names = [
  'customers-to-app',
  'signups-to-analytics',
  'customers-to-newsletter',
  'customers-to-partner',
  'welcome-calls',
  'welcome-mails',
  'new-customers',
] as const;
type Name = (typeof names)[number];

/** It has ended, or waits for approval and is in nobody's hands. */
function rests({ state, worker }: RunAtWork): boolean {
  return state === 'done' || state === 'failed' || (state === 'held' && worker === null);
}

describe('one file with a sync of every framework', () => {
  const root = mkdtempSync(join(tmpdir(), 'activate-partner-'));
  let house: Installation;
  let app: FreshDb;
  let analytics: Awaited<ReturnType<typeof startMixpanel>>;
  let newsletter: FakeMailchimp;
  let tickets: FakeHttp<AsanaState>;
  let post: FakeSmtp;
  let by: Caller;

  beforeAll(async () => {
    mkdirSync(join(root, 'partner'));
    house = await install({ ALLOWED_FOLDER: root, PUBLIC_URL: 'https://activate.acme.example' });
    app = await freshDb();
    [analytics, newsletter, tickets, post] = await Promise.all([
      startMixpanel(),
      startMailchimp(),
      startFakeAsana(),
      startSmtp(),
    ]);
    for (const { state } of [analytics, tickets]) {
      Object.defineProperty(state, 'now', { get: () => new Date() });
    }
    await app.db.query(
      'create table public.customers (email text primary key, name text, plan text, seats int check (seats > 0))',
    );
    await house.warehouse.query(
      `create table customers (id int primary key, name text, email text, plan text, seats int,
         signed_up_at timestamptz, closed boolean not null default false)`,
    );
    Object.assign(process.env, {
      CONNECTION_APP_URL: app.url,
      CONNECTION_ANALYTICS_SECRET: analytics.state.secret,
      CONNECTION_NEWSLETTER_API_KEY: apiKey,
      CONNECTION_TICKETS_TOKEN: tickets.state.personalToken,
      CONNECTION_POST_PASSWORD: post.password,
    });
    const person = { kind: 'person', platform: 'local', id: 'ada' } as const;
    const conversation = { kind: 'conversation', platform: 'local', id: 'data-alerts' } as const;
    by = { ...house.by, person, conversation, platform: 'local' };
    await house.hire();
    await signUp(1, 3);
  });

  afterAll(async () => {
    await house.close();
    await app.close();
    await Promise.all([analytics, newsletter, tickets, post].map((fake) => fake.close()));
    rmSync(root, { recursive: true });
  });

  /** The example as it stands, with the far sides and the channel that are here. */
  const file = (): string => {
    const document = parseDocument(
      example.text
        .replace('CONNECTION_WAREHOUSE_URL', house.warehouseVariable)
        .replaceAll('slack:C0123456789', 'local:data-alerts')
        .replace('platform: slack', 'platform: local'),
    );
    const { username, projectId } = analytics.state;
    document.setIn(['destinations', 'analytics', 'config', 'username'], username);
    document.setIn(['destinations', 'analytics', 'config', 'projectId'], projectId);
    for (const [name, { url }] of Object.entries({ analytics, newsletter, tickets })) {
      document.setIn(['destinations', name, 'config', 'baseUrl'], url);
    }
    for (const [name, value] of Object.entries({ host: '127.0.0.1', port: post.port, security: 'none' })) {
      document.setIn(['destinations', 'post', 'config', name], value);
    }
    return document.toString();
  };
  const signUp = (first: number, last: number): Promise<unknown> =>
    house.warehouse.query(
      `insert into customers select i, 'Customer ' || i, 'c' || i || '@acme.example', 'Team', i,
         now() from generate_series($1::int, $2::int) i`,
      [first, last],
    );
  /** Lets all of them run, and approves those that wait. */
  const runAll = async (): Promise<Readonly<Record<Name, Run>>> => {
    const ended = names.map(async (name) => {
      await house.services.runs.start(name, by, 'manual');
      return [name, await end(name)] as const;
    });
    return Object.fromEntries(await Promise.all(ended)) as Readonly<Record<Name, Run>>;
  };
  const end = async (name: string): Promise<Run> => {
    await house.until(name, rests);
    const [hold] = await pendingHolds(house.db, name);
    if (hold !== undefined) {
      await house.services.approvals.approve({ name, plan: shortPlan(hold.fingerprint) }, house.by);
    }
    return house.ended(name);
  };
  const said = async (): Promise<readonly string[]> => {
    const rows = await house.db.query<{ card: string }>(
      `select card::text from local_messages where conversation_id = 'data-alerts' and card is not null order by id`,
    );
    return rows.map(({ card }) => card);
  };
  const report = async (name: Name): Promise<string> =>
    (await said()).findLast((card) => card.startsWith(`{"title":"Run of ${name}"`)) ?? '';

  const written = (): readonly string[] =>
    readdirSync(join(root, 'partner')).map((name) => readFileSync(join(root, 'partner', name), 'utf8'));

  it('is made by one apply, which says what waits, and a second one changes nothing', async () => {
    const { documents } = house.services;
    const made = await documents.apply(file(), house.by);
    const held: string[] = [];
    for (const name of names) {
      await house.until(name, rests);
      held.push(...(await pendingHolds(house.db, name)).map(() => name));
      await end(name);
    }

    expect(made.map(({ kind }) => kind).toSorted()).toEqual(
      [
        'alert',
        'model',
        'source',
        ...new Array(6).fill('destination'),
        ...new Array(6).fill('sync'),
      ].toSorted(),
    );
    expect(held).toEqual(['customers-to-newsletter']);
    expect((await documents.plan(file())).filter(({ action }) => action !== 'none')).toEqual([]);
  });

  it('has brought everybody where lists and records are kept, and has said nothing yet', async () => {
    expect(await app.db.query('select * from public.customers order by email')).toMatchObject([
      { email: 'c1@acme.example', name: 'Customer 1', plan: 'team', seats: 1 },
      { email: 'c2@acme.example' },
      { email: 'c3@acme.example' },
    ]);
    expect([...(newsletter.state.audiences[0]?.contacts.values() ?? [])]).toHaveLength(3);
    expect(written()).toHaveLength(1);
    expect([analytics.state.events.size, tickets.state.tasks.length, post.taken.length]).toEqual([0, 0, 0]);
    expect((await said()).filter((card) => card.includes('is a customer'))).toEqual([]);
  });

  it('mutes what speaks to people, and says of the rest that it does not', async () => {
    const { syncs } = house.services;
    const later = new Date(Date.now() + 60_000);
    const refused: string[] = [];
    for (const name of names) {
      await syncs.mute(name, later).catch((error: Error) => refused.push(error.message));
      await syncs.mute(name, null);
    }

    expect(refused).toEqual(
      names.slice(0, 5).map((name) => `${name} speaks to nobody, so that there is nothing to mute.`),
    );
  });

  it('takes somebody new everywhere, and reports each run in the channel', async () => {
    await signUp(4, 4);
    await house.warehouse.query('update customers set closed = true where id = 1');

    const runs = await runAll();

    expect(Object.values(runs).map(({ state, error }) => [state, error])).toEqual(
      names.map(() => ['done', null]),
    );
    expect(await app.db.query('select email from public.customers order by email')).toEqual(
      [2, 3, 4].map((n) => ({ email: `c${n}@acme.example` })),
    );
    expect([...analytics.state.events.values()]).toMatchObject([
      { event: 'Signed up', properties: { $user_id: '4', plan: 'Team', seats: 4 } },
    ]);
    expect(tickets.state.tasks).toMatchObject([
      {
        name: 'Welcome Customer 4',
        notes: expect.stringContaining('4 seats on Team. Write to c4@acme.example.'),
      },
    ]);
    expect(post.taken.map((mail) => [mail.to, headerOf(mail, 'Subject')])).toEqual([
      [['c4@acme.example'], 'Welcome, Customer 4'],
    ]);
    expect((await said()).filter((card) => card.includes('Customer 4 is a customer'))).toHaveLength(1);
    expect(written().join('\n')).toContain('4,Customer 4,Team,4,added');
    expect(
      [...(newsletter.state.audiences[0]?.contacts.values() ?? [])]
        .filter(({ tags }) => tags.has(7))
        .map(({ address }) => address)
        .toSorted(),
    ).toEqual([2, 3, 4].map((n) => `c${n}@acme.example`));
    expect(await Promise.all(names.map(report))).toEqual([
      expect.stringContaining('3 rows read, 1 new, 1 gone: 1 deleted, 1 written'),
      expect.stringContaining('1 sent'),
      expect.stringContaining('1 removed from the list, 1 added to the list'),
      expect.stringContaining('2 written to files'),
      expect.stringContaining('3 rows read, 1 new, 1 gone: 1 task made'),
      expect.stringContaining('3 rows read, 1 new, 1 gone: 1 sent'),
      expect.stringContaining('1 message sent'),
    ]);
  });

  it('reports what is refused with its reason, and what failed with what to do', async () => {
    await signUp(5, 5);
    await house.warehouse.query('update customers set seats = 0 where id = 5');
    rmSync(join(root, 'partner'), { recursive: true });

    const runs = await runAll();

    expect(runs['customers-to-app']).toMatchObject({ state: 'done', counts: { failed: 1 } });
    expect(runs['customers-to-partner']).toMatchObject({ state: 'failed' });
    expect(await report('customers-to-app')).toMatch(/1 refused.*Row .*5.*customers_seats_check/);
    expect(await report('customers-to-partner')).toContain('There is no folder');
    const problems = (await said()).filter((card) => card.includes('has a problem'));
    expect(problems).toHaveLength(2);
  });
});
