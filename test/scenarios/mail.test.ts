import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Run } from '../../engine/store/runs.ts';
import { type FakeSmtp, headerOf, startSmtp } from '../fakes/smtp.ts';
import { type Gate, type Struck, startGate } from '../support/gate.ts';
import { type Hand, type Installation, install } from './installation.ts';
import { activate } from './terminal.ts';

const sync = 'welcome';
const passwordVariable = 'CONNECTION_MAIL_SCENARIO_PASSWORD';
let house: Installation;
let far: FakeSmtp;
let gate: Gate;
let hand: Hand;
let rows = 0;

beforeAll(async () => {
  far = await startSmtp();
  gate = await startGate(far.port);
  process.env[passwordVariable] = far.password;
  house = await install({ PUBLIC_URL: 'https://activate.acme.example' });
  await house.warehouse.query(
    'create table accounts (id int primary key, name text, email text, gone boolean not null default false)',
  );
  hand = await house.hire();
});

afterAll(async () => {
  await house.close();
  await gate.close();
  await far.close();
  delete process.env[passwordVariable];
});

const yaml = (): string => `
sources:
  warehouse-mail:
    connector: postgres
    secrets: { url: "\${${house.warehouseVariable}}" }
destinations:
  mail-server:
    connector: smtp
    config: { host: 127.0.0.1, port: ${gate.port}, security: none, user: ${far.user}, from: news@acme.example }
    secrets: { password: "\${${passwordVariable}}" }
models:
  accounts:
    source: warehouse-mail
    key: [id]
    sql: select id, name, email from accounts where not gone
syncs:
  ${sync}:
    framework: mail
    model: accounts
    destination: mail-server
    schedule: 0 0 1 1 *
    approval: { ask: never }
    to: email
    subject: Welcome, {{ name }}
    text: Hello {{ name }}
    silent_first: false
    list: product-news
`;

async function add(count: number): Promise<void> {
  await house.warehouse.query(
    `insert into accounts select i, 'Account ' || i, 'a' || i || '@customer.example'
       from generate_series($1::int, $2::int) i`,
    [rows + 1, rows + count],
  );
  rows += count;
}

/** Who was written to, by how many different mails. */
function written(): ReadonlyMap<string, number> {
  const ids = new Map<string, Set<string>>();
  for (const mail of far.taken) {
    const [to = ''] = mail.to;
    ids.set(to, (ids.get(to) ?? new Set()).add(headerOf(mail, 'Message-ID') ?? ''));
  }
  return new Map([...ids].map(([to, some]) => [to, some.size]));
}

function everybodyOnce(): void {
  expect([...written().keys()].toSorted()).toEqual(
    Array.from({ length: rows }, (_, at) => `a${at + 1}@customer.example`).toSorted(),
  );
  expect(new Set(written().values())).toEqual(new Set([1]));
}

describe('mail to customers', () => {
  it.sequential('goes to everybody at the first run, and is made by a file alone', async () => {
    await add(20);
    await house.services.documents.apply(yaml(), house.by);

    const run = await house.ended(sync);

    expect(run).toMatchObject({ state: 'done', counts: { rows: 20, done: { sent: 20 }, failed: 0 } });
    everybodyOnce();
  });

  it.sequential('goes to nobody when nothing has changed, or what changed is no occasion', async () => {
    const before = far.taken.length;
    const same = await house.run(sync);
    await house.warehouse.query(`update accounts set name = 'Renamed' where id = 3`);
    await house.warehouse.query('update accounts set gone = true where id = 5');
    const changed = await house.run(sync);

    expect(same).toMatchObject({ state: 'done', counts: { done: {} } });
    expect(changed).toMatchObject({ state: 'done', counts: { changed: 1, removed: 1, done: {} } });
    expect(far.taken).toHaveLength(before);
  });

  it.sequential('goes to those alone who are new, and never again to one who came back', async () => {
    await add(2);
    await house.warehouse.query('update accounts set gone = false where id = 5');

    const run = await house.run(sync);

    expect(run.counts).toMatchObject({ done: { sent: 2, 'written to before': 1 } });
    everybodyOnce();
  });

  it.sequential('keeps a recipient that is refused with the reason, tries again, and heals', async () => {
    await add(2);
    const bad = `a${rows}@customer.example`;
    far.says.to = (address) => (address === bad ? { code: 550, text: '5.7.1 Not from you' } : undefined);

    const refused = await house.run(sync);
    const again = await house.run(sync);
    const [kept] = await house.services.syncs.reasons(sync);
    delete far.says.to;
    const healed = await house.run(sync);

    expect(refused).toMatchObject({ state: 'done', counts: { failed: 1, done: { sent: 1 } } });
    expect(again).toMatchObject({ counts: { failed: 1, done: {} } });
    expect(kept).toMatchObject({
      count: 1,
      example: String(rows),
      reason: expect.stringContaining('Not from you'),
    });
    expect(kept?.reason).not.toContain(bad);
    expect(healed).toMatchObject({ counts: { failed: 0, done: { sent: 1 } } });
    everybodyOnce();
  });

  it.sequential('outlasts a mail server that is away', async () => {
    await gate.shut();
    await add(2);
    await house.start(sync);
    await house.until(sync, ({ attempts, worker }) => attempts > 0 && worker === null);
    await gate.open();

    const run = await house.ended(sync);

    expect(run).toMatchObject({ state: 'done', counts: { failed: 0, done: { sent: 2 } } });
    everybodyOnce();
  });

  it.sequential('goes on after one that has too much to do', async () => {
    await add(2);
    let busy = 2;
    far.says.to = () => {
      busy -= 1;
      return busy >= 0 ? { code: 450, text: '4.2.0 Greylisted' } : undefined;
    };

    const run = await house.run(sync);

    delete far.says.to;
    expect(run).toMatchObject({ state: 'done', counts: { failed: 0, done: { sent: 2 } } });
    everybodyOnce();
  });

  it.sequential.each(['here', 'here', 'here', 'own process'] as const)(
    'is sent to nobody twice, and to nobody not at all, when workers are killed (%s)',
    async (where) => {
      // Those that somebody had sent again.
      const copies = far.taken.length - written().size;
      await dieInRun(where);

      // Without anybody's decision nobody gets a second copy; who may have got none is shown.
      expect(far.taken.length - written().size).toBe(copies);
      const doubts = await house.services.syncs.rejections(sync, undefined, 100);
      const missing = Array.from({ length: rows }, (_, at) => at + 1).filter(
        (id) => !written().has(`a${id}@customer.example`),
      );
      expect(doubts.map(({ key }) => Number(key))).toEqual(expect.arrayContaining(missing));
      // As many as were under way at once.
      expect(doubts.length).toBeLessThanOrEqual(3);

      expect(await house.services.mail.resend(sync, undefined)).toBe(doubts.length);
      const run = await house.run(sync);

      expect(run).toMatchObject({ state: 'done', counts: { failed: 0 } });
      everybodyOnce();
    },
    60_000,
  );

  it.sequential('is made, run and shown in a terminal', async () => {
    const line = [
      'new-mail',
      'source=warehouse-mail',
      'sql=select id, name, email from accounts where id <= 2',
      'destination=mail-server',
      'to=email',
      'subject=News for {{ name }}',
      'text=Hello {{ name }}',
      'name=news',
      'existing=say',
      'first=later',
      'ask=never',
    ];

    const made = await activate(line, house.env);
    const off = await activate(['suppressions', 'a2@customer.example', 'do=add', 'list=news'], house.env);
    const ran = await activate(['run', 'news', '--wait', '--json'], house.env);
    const shown = await activate(['suppressions', '--json'], house.env);

    expect(made).toMatchObject({ code: 0, err: '' });
    expect(made.out).toContain('news is on');
    expect(off).toMatchObject({ code: 0, err: '' });
    expect(ran).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse(ran.out)).toMatchObject({
      state: 'done',
      counts: { done: { sent: 1, suppressed: 1 }, failed: 0 },
    });
    expect(JSON.parse(shown.out)).toMatchObject({ total: 1, suppressions: [{ list: 'news' }] });
    expect(headerOf(far.taken.at(-1) ?? { raw: '', from: '', to: [] }, 'Subject')).toBe('News for Account 1');
  }, 60_000);

  it.sequential('is written as a file that changes nothing, and holds no secret', async () => {
    const { documents } = house.services;

    const file = await documents.write();

    expect((await documents.plan(file)).filter(({ action }) => action !== 'none')).toEqual([]);
    expect((await documents.plan(yaml())).filter(({ action }) => action !== 'none')).toEqual([]);
    expect(file).toContain('framework: mail');
    expect(file).not.toContain(far.password);
  });
});

/** A run of twenty mails in which a worker is struck down at some piece of the conversation with the server. */
async function dieInRun(where: 'here' | 'own process'): Promise<void> {
  await hand.kill();
  await add(20);
  await house.start(sync);
  const how: Struck = Math.random() < 0.5 ? 'arrived' : 'lost';
  const struck = gate.strike(2 + Math.floor(Math.random() * 30), how).then(() => 'struck' as const);
  const first = await house.hire(where);
  const what: 'struck' | Run = await Promise.race([struck, house.ended(sync)]);
  const killed = first.kill();
  gate.cut();
  await killed;
  gate.cut();
  expect(what).toBe('struck');
  hand = await house.hire();
  expect(await house.ended(sync)).toMatchObject({ state: 'done', attempts: 2 });
}
