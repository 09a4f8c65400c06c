import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { dispatchOf } from '../../bot/commands.ts';
import { createServer, type Server } from '../../bot/server.ts';
import { unsubscribePage } from '../../bot/unsubscribe.ts';
import { unsubscribing } from '../../bot/web.ts';
import { smtp } from '../../connectors/smtp/index.ts';
import type { Card } from '../../engine/contracts/card.ts';
import type { Dispatch, Origin, Reply } from '../../engine/contracts/chat.ts';
import type { Form } from '../../engine/contracts/form.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { mailSettings } from '../../engine/model/mail.ts';
import { type FakeSmtp, headerOf, partOf, startSmtp } from '../fakes/smtp.ts';
import { startApp, type TestApp, waitForRun } from '../support/app.ts';
import { silentLog } from '../support/log.ts';

const publicUrl = 'https://activate.acme.example';
let app: TestApp;
let far: FakeSmtp;
let pages: Server;
let dispatch: Dispatch;
let origin: Origin;

beforeAll(async () => {
  far = await startSmtp();
  app = await startApp({ env: { PUBLIC_URL: publicUrl } });
  origin = { person: app.by.person, conversation: app.by.conversation };
  dispatch = dispatchOf(app.app);
  pages = await createServer({
    platforms: [],
    port: 0,
    publicUrl,
    log: silentLog,
    metrics: async () => '',
    ready: async () => ({ ok: true, checks: {} }),
    unsubscribe: unsubscribePage(unsubscribing(app.app)),
  });
  await app.warehouse.query('create table trials (id int primary key, name text, email text, plan text)');
  await app.app.services.destinations.connect(
    'mail-server',
    smtp,
    {
      host: '127.0.0.1',
      port: String(far.port),
      security: 'none',
      user: far.user,
      password: far.password,
      from: 'news@acme.example',
      fromName: 'Acme',
      connections: '1',
    },
    app.by,
  );
});

afterAll(async () => {
  await pages.close();
  await app.close();
  await far.close();
});

beforeEach(async () => {
  await app.warehouse.query('truncate trials');
  await app.warehouse.query(
    `insert into trials values (1, 'Northwind', 'ann@northwind.example', 'Trial'), (2, 'Globex', 'bob@globex.example', 'Trial')`,
  );
  await app.db.query('delete from suppressions');
  far.taken.length = 0;
  for (const name of Object.keys(far.says)) {
    delete far.says[name as keyof FakeSmtp['says']];
  }
});

afterEach(async () => {
  const { syncs } = app.app.services;
  for (const { sync } of await syncs.list()) {
    // Only what somebody holds a decision about resists, and nobody does here.
    await app.db.query(`delete from syncs where id = $1`, [sync.id]);
  }
});

function formOf(reply: Reply): Form {
  expect(reply.kind === 'form' ? '' : JSON.stringify(reply)).toBe('');
  return (reply as Extract<Reply, { kind: 'form' }>).form;
}

function cardOf(reply: Reply): Card {
  expect(reply.kind).toBe('card');
  return (reply as Extract<Reply, { kind: 'card' }>).card;
}

function submit(form: Form, answers: Raw = {}, to = dispatch): Promise<Reply> {
  const shown = Object.fromEntries(Object.keys(form.fields).map((name) => [name, form.initial[name] ?? '']));
  return to.run({ command: form.command, input: { ...form.hidden, ...shown, ...answers } }, origin);
}

async function through(line: string, steps: readonly Raw[], to = dispatch): Promise<Reply> {
  let reply = await to.typed(line, origin);
  for (const answers of steps) {
    const form = formOf(reply);
    expect(form.errors).toEqual({});
    expect(Object.keys(form.fields)).toEqual(expect.arrayContaining(Object.keys(answers)));
    reply = await submit(form, answers, to);
  }
  return reply;
}

const query = {
  source: 'warehouse',
  sql: 'select id, name, email, plan from trials',
  destination: 'mail-server',
};
const letter = { subject: 'Welcome, {{ name }}', text: 'Hello *{{ name }}*, you are on {{ plan }}.' };
/** Query, key, whom, the mail, care, name, approval. */
const steps = [
  query,
  {},
  {},
  letter,
  { existing: 'say', list: 'product-news' },
  { name: 'welcome' },
  { ask: 'never' },
];

describe('new-mail', () => {
  it('makes a mailing, mostly by pressing Next, that writes to each customer', async () => {
    const reply = await through('new-mail', [...steps, {}]);

    expect(cardOf(reply)).toMatchObject({ title: 'welcome is on', tone: 'good' });
    expect(JSON.stringify(cardOf(reply))).toContain('Send test to me');
    const { sync } = await app.app.services.syncs.show('welcome');
    expect(mailSettings.parse(sync.settings)).toMatchObject({
      to: 'email',
      trigger: 'added',
      list: 'product-news',
      repeat: false,
      unsubscribe: true,
    });
    await waitForRun(app.app, 'welcome');
    expect(far.taken.map(({ to }) => to)).toEqual([['ann@northwind.example'], ['bob@globex.example']]);
    const [first] = far.taken;
    expect(first && headerOf(first, 'Subject')).toBe('Welcome, Northwind');
    expect(first && partOf(first, 'text/plain')).toContain('Hello Northwind, you are on Trial.');
    expect(first && partOf(first, 'text/html')).toContain('Hello <strong>Northwind</strong>');
  });

  it('shows the mail of a real row before it is made', async () => {
    const preview = formOf(await through('new-mail', steps));

    expect(preview.title).toBe('Preview');
    const shown = JSON.stringify(preview.intro);
    expect(shown).toContain('Welcome, Northwind');
    expect(shown).toContain('Hello Northwind, you are on Trial.');
    expect(shown).toContain('/unsubscribe/');
    expect(far.taken).toEqual([]);
  });

  it('is careful unless it is told not to be: the first run that sends waits for approval', async () => {
    await through('new-mail', [...steps.slice(0, -1), {}, {}, {}]);
    await waitForRun(app.app, 'welcome');
    // The worker has the run in hand until its card asks.
    await expect
      .poll(async () => JSON.stringify(await app.said('data-alerts')), { timeout: 10_000 })
      .toContain('Approve this run of welcome?');

    expect(far.taken).toEqual([]);
    await app.approve('welcome');
    expect(far.taken).toHaveLength(2);
  });

  it.each([
    [2, { to: 'nothing' }, 'to', /no column "nothing"/],
    [3, { ...letter, text: '{{ nam }}' }, 'text', /Did you mean/],
    [3, { ...letter, subject: '{{ name | shout }}' }, 'subject', /shout/],
    [3, { ...letter, html: '<p>{{ naem }}</p>' }, 'html', /Did you mean/],
  ] as const)('says what is wrong in step %i with %j', async (at, answers: Raw, field, sentence) => {
    const reply = await through('new-mail', [...steps.slice(0, at), answers]);

    expect(formOf(reply).errors[field]).toMatch(sentence);
  });

  it('asks for the number that crosses a line', async () => {
    const form = formOf(await through('new-mail', [query, {}, { trigger: 'threshold' }]));
    expect(form.title).toBe('Which number');

    expect(formOf(await submit(form, { column: 'id', limit: 'lots' })).errors['limit']).toMatch(/number/);
    expect(formOf(await submit(form, { column: 'id', limit: '1' })).title).toBe('The mail');
  });

  it('says what is missing where people outside do not reach the bot', async () => {
    const inside = await startApp({ worker: false });
    try {
      await inside.warehouse.query(
        'create table trials (id int primary key, name text, email text, plan text)',
      );
      await inside.app.services.destinations.connect(
        'mail-server',
        smtp,
        {
          host: '127.0.0.1',
          port: String(far.port),
          security: 'none',
          user: far.user,
          password: far.password,
          from: 'news@acme.example',
        },
        inside.by,
      );
      const there = dispatchOf(inside.app);

      const form = formOf(await through('new-mail', steps.slice(0, 5), there));

      expect(form.title).toBe('With care');
      expect(form.errors['unsubscribe']).toMatch(/PUBLIC_URL/);
      expect(formOf(await submit(form, { unsubscribe: 'no' }, there)).title).toBe('Name and schedule');
    } finally {
      await inside.close();
    }
  });
});

describe('edit-mail', () => {
  it('begins with what is so now, and writes to nobody again for a new text', async () => {
    await through('new-mail', [...steps, {}]);
    await waitForRun(app.app, 'welcome');
    expect(far.taken).toHaveLength(2);

    await through('edit-mail welcome', [
      {},
      {},
      {},
      { text: 'Good day {{ name }}' },
      {},
      {},
      {},
      { first: 'later' },
    ]);
    await app.run('welcome');

    expect(far.taken).toHaveLength(2);
    await app.warehouse.query(`insert into trials values (3, 'Initech', 'cem@initech.example', 'Pro')`);
    await app.run('welcome');
    expect(far.taken.map(({ to }) => to[0])).toEqual([
      'ann@northwind.example',
      'bob@globex.example',
      'cem@initech.example',
    ]);
    expect(far.taken[2] && partOf(far.taken[2], 'text/plain')).toContain('Good day Initech');
  });

  it('keeps HTML that is too long for a form', async () => {
    await through('new-mail', [...steps, {}]);
    const html = `<p>{{ name }}</p>${'<p>long</p>'.repeat(400)}`;
    await app.db.query(`update syncs set settings = settings || jsonb_build_object('html', $1::text)`, [
      html,
    ]);

    await through('edit-mail welcome', [{}, {}, {}, { subject: 'Hi' }, {}, {}, {}, {}]);

    const { sync } = await app.app.services.syncs.show('welcome');
    expect(mailSettings.parse(sync.settings)).toMatchObject({ subject: 'Hi', html });
  });
});

describe('test', () => {
  it('sends the mail of one row to whoever asks, and to nobody else', async () => {
    await through('new-mail', [
      ...steps.slice(0, 4),
      { existing: 'known' },
      { name: 'welcome' },
      { ask: 'never' },
      {},
    ]);
    await waitForRun(app.app, 'welcome');

    const reply = await dispatch.typed('test welcome', origin);

    expect(reply).toEqual({ kind: 'done', note: `Sent to ${app.by.email}.` });
    expect(far.taken.map(({ to }) => to)).toEqual([[app.by.email]]);
    expect(far.taken[0] && headerOf(far.taken[0], 'Subject')).toBe('[Test] Welcome, Northwind');
  });
});

describe('resync', () => {
  it('writes to nobody a second time', async () => {
    await through('new-mail', [...steps, {}]);
    await waitForRun(app.app, 'welcome');

    const reply = await dispatch.typed('resync welcome how=everything', origin);

    expect(JSON.stringify(reply)).toContain('nothing is sent to all of them again');
    expect(far.taken).toHaveLength(2);
  });
});

describe('the link in a mail', () => {
  /** Where the first mail leads, on the server of this test. */
  async function link(): Promise<{ readonly url: string; readonly token: string }> {
    await through('new-mail', [...steps, {}]);
    await waitForRun(app.app, 'welcome');
    const header = headerOf(far.taken[0] ?? { raw: '', from: '', to: [] }, 'List-Unsubscribe') ?? '';
    const [, token = ''] = /\/unsubscribe\/([\w-]+)>$/.exec(header) ?? [];
    return { url: `${pages.url}/unsubscribe/${token}`, token };
  }

  async function suppressed(): Promise<readonly string[]> {
    const { rows } = await app.app.services.mail.suppressions({ typed: '', list: undefined }, 10);
    return rows.map(({ address, list, reason }) => `${address} ${list} ${reason}`);
  }

  it('opens a page that changes nothing by being looked at, and says no more than the mail does', async () => {
    const { url, token } = await link();

    const page = await fetch(url);
    const text = await page.text();

    expect(page.status).toBe(200);
    expect(text).toContain('Unsubscribe');
    expect(text).toContain('product-news');
    expect(text).not.toContain('ann@northwind.example');
    expect(Buffer.from(token, 'base64url').toString('latin1')).not.toContain('northwind');
    expect(page.headers.get('referrer-policy')).toBe('no-referrer');
    expect(page.headers.get('cache-control')).toBe('no-store');
    expect(page.headers.get('set-cookie')).toBeNull();
    expect(await suppressed()).toEqual([]);
  });

  it('takes one off the list by the button on the page, once, and off all by the other one', async () => {
    const { url } = await link();

    const first = await fetch(url, { method: 'POST', body: new URLSearchParams() });
    const again = await fetch(url, { method: 'POST', body: new URLSearchParams() });

    expect([first.status, again.status]).toEqual([200, 200]);
    expect(await first.text()).toContain('You are unsubscribed');
    expect(await suppressed()).toEqual(['ann@northwind.example product-news unsubscribed']);
    await fetch(url, { method: 'POST', body: new URLSearchParams({ all: 'yes' }) });
    expect(await suppressed()).toHaveLength(2);
  });

  it('takes one off by the one click of a mailbox, from wherever it comes (RFC 8058)', async () => {
    const { url } = await link();

    const answer = await fetch(url, {
      method: 'POST',
      headers: { origin: 'https://mailbox.example' },
      body: new URLSearchParams({ 'List-Unsubscribe': 'One-Click' }),
      redirect: 'error',
    });

    expect(answer.status).toBe(200);
    expect(await suppressed()).toEqual(['ann@northwind.example product-news unsubscribed']);
    const { rows } = await app.app.services.audit.entries('product-news', 5);
    expect(rows[0]).toMatchObject({ command: 'unsubscribe', person: 'the recipient' });
    expect(JSON.stringify(rows[0])).not.toContain('ann@');
  });

  it('works for nobody who changed it', async () => {
    const { url, token } = await link();
    const other = `${token.slice(0, -4)}${token.endsWith('AAAA') ? 'BBBB' : 'AAAA'}`;

    for (const forged of [other, token.slice(0, 20), 'nothing', encodeURIComponent('../../etc')]) {
      const there = url.replace(token, forged);
      expect((await fetch(there)).status).toBe(404);
      expect((await fetch(there, { method: 'POST', body: new URLSearchParams() })).status).toBe(404);
    }
    expect(await suppressed()).toEqual([]);
  });

  it('ends mail of that list to that person, which is counted and is no error', async () => {
    const { url } = await link();
    await fetch(url, { method: 'POST', body: new URLSearchParams() });
    far.taken.length = 0;
    await app.warehouse.query(
      `insert into trials values (8, 'Again', 'ANN@northwind.example', 'Pro'), (9, 'Initech', 'cem@initech.example', 'Pro')`,
    );

    const run = await app.run('welcome');

    expect(far.taken.map(({ to }) => to[0])).toEqual(['cem@initech.example']);
    expect(run.counts).toMatchObject({ done: { sent: 1, suppressed: 1 }, failed: 0 });
    const why = JSON.stringify(await dispatch.typed('why welcome 8', origin));
    expect(why).toContain('not sent (unsubscribed)');
    expect(why).not.toContain('ann@northwind.example');
  });
});

describe('suppressions', () => {
  it('adds, finds, masks and takes off', async () => {
    const added = cardOf(
      await dispatch.typed('suppressions Ann@Northwind.example do=add note="by phone"', origin),
    );
    const found = await dispatch.typed('suppressions northwind', origin);
    const shown = JSON.stringify(cardOf(found));

    expect(added.title).toBe('1 address not written to any more');
    expect(shown).toContain('by hand');
    expect(shown).toContain('by phone');
    expect(shown).not.toContain('ann@northwind');
    expect(cardOf(await dispatch.typed('suppressions ann@northwind.example do=remove', origin)).title).toBe(
      'Written to again',
    );
    expect(cardOf(await dispatch.typed('suppressions ann', origin)).title).toBe('No such address');
    expect(cardOf(await dispatch.typed('suppressions', origin)).title).toBe('Nobody is left out');
  });

  it('takes many, as CSV and as a query, and says what is none', async () => {
    const csv = 'email,since\nann@northwind.example,2024\n"bob@globex.example",2025\nnobody,2026\n';

    const reply = await dispatch.run(
      { command: 'suppress', input: { addresses: csv, list: 'product-news' } },
      origin,
    );
    const byQuery = await dispatch.run(
      {
        command: 'suppress',
        input: {
          source: 'warehouse',
          sql: 'select email from trials',
          list: 'product-news',
        },
      },
      origin,
    );

    expect(cardOf(reply)).toMatchObject({ title: '2 addresses not written to any more', tone: 'warning' });
    expect(JSON.stringify(cardOf(byQuery))).toContain('2 were there already');
  });

  it('asks for them without a word of blame where nothing was given', async () => {
    const opened = await dispatch.typed('suppress', origin);
    expect(opened).toMatchObject({ kind: 'form', form: { errors: {}, hidden: { asked: 'true' } } });
    expect(await dispatch.run({ command: 'suppress', input: { asked: 'true' } }, origin)).toMatchObject({
      kind: 'form',
      form: { errors: { addresses: 'Give addresses, or a query.' } },
    });
    expect(await dispatch.typed('suppress list=product-news source=warehouse', origin)).toMatchObject({
      kind: 'form',
      form: { errors: { addresses: 'Give addresses, or a query.' } },
    });
  });

  it('says what is wrong with an address', async () => {
    const reply = await dispatch.typed('suppressions nobody do=remove', origin);

    expect(JSON.stringify(reply)).toContain('This is not an e-mail address.');
  });
});

describe('a mail in doubt', () => {
  it('is shown in errors and why, and sent again when a person says so', async () => {
    far.says.data = ({ to }) => (to[0] === 'ann@northwind.example' ? 'cut' : undefined);
    await through('new-mail', [...steps, {}]);
    await waitForRun(app.app, 'welcome');
    delete far.says.data;
    await app.run('welcome');

    expect(far.taken.filter(({ to }) => to[0] === 'ann@northwind.example')).toHaveLength(1);
    expect(JSON.stringify(await dispatch.typed('errors welcome', origin))).toContain('may have arrived');
    expect(JSON.stringify(await dispatch.typed('why welcome 1', origin))).toContain('in doubt');

    const card = cardOf(await dispatch.typed('resend welcome key=1', origin));
    const run = await app.run('welcome');

    expect(card.title).toBe('1 mail to send again');
    expect(run.counts).toMatchObject({ failed: 0, done: { sent: 1 } });
    const ids = far.taken
      .filter(({ to }) => to[0] === 'ann@northwind.example')
      .map((one) => headerOf(one, 'Message-ID'));
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
  });
});

describe('refused rows', () => {
  it('are in errors with their reason, masked', async () => {
    far.says.to = (address) =>
      address.startsWith('bob') ? { code: 550, text: `5.1.1 <${address}> unknown` } : undefined;
    await through('new-mail', [...steps, {}]);
    await waitForRun(app.app, 'welcome');

    const shown = JSON.stringify(await dispatch.typed('errors welcome', origin));

    expect(shown).toContain('Nobody has this address');
    expect(shown).not.toContain('bob@globex');
    expect(JSON.stringify(await dispatch.typed('suppressions', origin))).toContain('nobody has this address');
  });
});
