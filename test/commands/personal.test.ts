import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dispatchOf } from '../../bot/commands.ts';
import { connectors } from '../../connectors/index.ts';
import type { Dispatch, Origin, Reply } from '../../engine/contracts/chat.ts';
import type { Role } from '../../engine/contracts/command.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { createLog } from '../../engine/log.ts';
import { parseSchedule } from '../../engine/schedule/cron.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { type FreshDb, freshDb } from '../support/postgres.ts';

let app: TestApp;
let crm: FreshDb;
let dispatch: Dispatch;

const channel = { kind: 'conversation', platform: 'local', id: 'data-alerts' } as const;
const hidden = ['mia@northwind.example', 'Mia Lopez', '+49 170 1234512', 'Sunshine'];
const sql = 'select id, email, full_name, phone, nick, company from folks';

beforeAll(async () => {
  app = await startApp();
  crm = await freshDb();
  dispatch = dispatchOf(app.app);
  await app.warehouse.query(
    'create table folks (id int primary key, email text, full_name text, phone text, nick text, company text)',
  );
  await app.warehouse.query(
    `insert into folks values (1, 'mia@northwind.example', 'Mia Lopez', '+49 170 1234512', 'Sunshine', 'Northwind')`,
  );
  await crm.db.query(
    'create table public.contacts (email text primary key, name text, phone varchar(3), company text)',
  );
  const connector = connectors.find(({ id }) => id === 'postgres') as (typeof connectors)[number];
  await app.app.services.destinations.connect('crm', connector, { url: crm.url }, app.by);
  await app.app.services.syncs.create(
    {
      name: 'contacts',
      framework: 'objects',
      source: 'warehouse',
      sql,
      key: ['email', 'full_name'],
      destination: 'crm',
      settings: {
        object: 'public.contacts',
        mode: 'upsert',
        match: ['email'],
        fields: ['email', 'phone', 'company']
          .map((name) => ({ field: name, from: { type: 'column', column: name } }))
          .concat({ field: 'name', from: { type: 'column', column: 'full_name' } }),
      },
      schedule: parseSchedule('0 0 1 1 *', 'UTC'),
      startsNow: false,
    },
    app.by,
  );
  await app.alert({
    name: 'signups',
    sql,
    settings: { title: '{{ full_name | upcase }}', message: '{{ email }}' },
  });
});

afterAll(async () => {
  await app.close();
  await crm.close();
});

/** Somebody with this role, in the channel or in direct messages with the bot. */
async function as(role: Role, where: 'channel' | 'direct'): Promise<Origin> {
  const person = { kind: 'person', platform: 'local', id: 'mia' } as const;
  const { id } = await app.app.identify(person);
  await app.db.query('update people set role = $2 where id = $1', [Number(id), role]);
  return { person, conversation: channel, ...(where === 'direct' ? { direct: true } : {}) };
}

function shown(reply: Reply): string {
  const files =
    reply.kind === 'card' ? (reply.files ?? []).map(({ bytes }) => Buffer.from(bytes).toString()) : [];
  const withoutButtons = JSON.stringify(reply, (key, value) =>
    key === 'run' || key === 'png' ? undefined : value,
  );
  return [withoutButtons, ...files].join('\n');
}

/** What each of the values that tell is replaced by is not looked at here; only that none of them is there. */
function tells(reply: Reply, values = hidden.slice(0, 3)): readonly string[] {
  const text = shown(reply);
  return values.filter((value) => text.includes(value));
}

/** Goes through forms by taking what they suggest, and answers with all that was shown on the way. */
async function wizard(command: string, answers: Raw, origin: Origin): Promise<readonly Reply[]> {
  const seen: Reply[] = [];
  let reply = await dispatch.typed(command, origin);
  for (let step = 0; reply.kind === 'form' && step < 9; step += 1) {
    seen.push(reply);
    const { form } = reply;
    expect(form.errors).toEqual({});
    if (form.submit.startsWith('Create')) {
      return seen;
    }
    const all: Raw = { ...form.initial, ...answers };
    const filled = Object.fromEntries(Object.keys(form.fields).map((field) => [field, all[field] ?? '']));
    reply = await dispatch.run({ command: form.command, input: { ...form.hidden, ...filled } }, origin);
  }
  throw new Error(`no preview of ${command}: ${JSON.stringify(reply)}`);
}

const whoSees = [
  ['admin', 'direct', true],
  ['approver', 'direct', true],
  ['editor', 'direct', false],
  ['admin', 'channel', false],
  ['approver', 'channel', false],
] as const;

describe.each(whoSees)('for an %s in a %s conversation, personal data', (role, where, sees) => {
  const expected = sees ? hidden.slice(0, 3) : [];

  it('of a query', async () => {
    const reply = await dispatch.typed(`sql ${sql}`, await as(role, where));

    expect(shown(reply)).toContain('Northwind');
    expect(tells(reply)).toEqual(expected);
  });

  it('in the steps of a new alert', async () => {
    const seen = await wizard(
      'new-alert',
      {
        source: 'warehouse',
        sql,
        name: 'x',
        to: 'local:sales-pql',
        title: '{{ full_name }}',
        message: '{{ email | upcase }}, {{ phone }}: [write](mailto:{{ email }})',
      },
      await as(role, where),
    );

    expect(shown(seen[1] as Reply)).toContain('Northwind');
    expect(seen.map((reply) => tells(reply)).filter((found) => found.length > 0)).toHaveLength(sees ? 2 : 0);
    expect(shown(seen.at(-1) as Reply).includes('MIA@')).toBe(sees);
  });

  it('in the preview of a new sync', async () => {
    const seen = await wizard(
      'new-sync',
      {
        source: 'warehouse',
        sql,
        destination: 'crm',
        object: 'public.contacts',
        match: 'email',
        key: 'id',
        name: 'x',
        fields: 'email = email\nname = full_name\ncompany = company',
      },
      await as(role, where),
    );

    expect(shown(seen.at(-1) as Reply)).toContain('Northwind');
    expect(tells(seen.at(-1) as Reply, hidden.slice(0, 2))).toEqual(expected.slice(0, 2));
  });

  it('in the preview of a run', async () => {
    const reply = await dispatch.typed('preview contacts', await as(role, where));

    expect(shown(reply)).toContain('1 change');
    expect(tells(reply, hidden.slice(0, 2))).toEqual(expected.slice(0, 2));
  });

  it('of a row that is asked about', async () => {
    const reply = await dispatch.typed('why signups 1', await as(role, where));

    expect(shown(reply)).toContain('1 in signups');
    expect(tells(reply)).toEqual(sees ? expect.arrayContaining(['mia@northwind.example']) : []);
  });

  it('of rows that are refused, and in the file', async () => {
    await app.db.query(
      `insert into rejections (sync_id, key, reason, operation, first_run_id, last_run_id, since, last_at)
       select id, 'mia@northwind.example / Mia Lopez', 'mia@northwind.example is taken.', 'upsert', 1, 1, now(), now()
         from syncs where name = 'contacts' on conflict do nothing`,
    );

    const reply = await dispatch.typed('errors contacts csv=true', await as(role, where));

    expect(shown(reply)).toContain('key,reason,field');
    expect(tells(reply)).toEqual(expected.slice(0, 2));
  });
});

describe('a test of an alert', () => {
  it.each([
    ['editor', false],
    ['approver', true],
  ] as const)('sent to an %s', async (role, sees) => {
    await dispatch.typed('test signups', await as(role, 'channel'));

    const texts = await app.db.query<{ card: string }>(
      `select card::text from local_messages where conversation_id like '%mia%' order by id desc limit 1`,
    );
    expect(texts[0]?.card).toContain('A test, sent to you alone');
    expect(texts[0]?.card.includes('mia@northwind.example')).toBe(sees);
    expect(texts[0]?.card.includes('MIA LOPEZ')).toBe(sees);
  });
});

describe('a failure', () => {
  it('tells of no person, and neither does what is kept of the run', async () => {
    const run = await app.run('contacts');

    expect(run.counts.failed).toBe(1);
    expect(hidden.filter((value) => JSON.stringify(run).includes(value))).toEqual([]);
    const reply = await dispatch.typed('show contacts', await as('admin', 'channel'));
    expect(shown(reply)).toContain('m•••@n•••.example / M••• L•••');
    expect(tells(reply)).toEqual([]);
    const audited = await app.db.query(`select * from audit where kind = 'run'`);
    expect(tells(JSON.parse(JSON.stringify({ kind: 'done', note: JSON.stringify(audited) })))).toEqual([]);
  });
});

describe('mask', () => {
  it('shows what is masked and why', async () => {
    const reply = await dispatch.typed('mask contacts', await as('approver', 'channel'));

    expect(reply).toMatchObject({ card: { title: '3 of 6 columns of contacts masked' } });
    expect(shown(reply)).toContain('recognised by their names');
  });

  it('says which columns are personal, and others are not', async () => {
    const approver = await as('approver', 'channel');

    await dispatch.typed('mask contacts nick, full_name', approver);

    expect(await app.app.services.personal.of('contacts')).toMatchObject({
      named: true,
      columns: new Map([
        ['full_name', 'name'],
        ['nick', 'other'],
      ]),
    });
    const seen = await wizard(
      'new-sync',
      {
        source: 'warehouse',
        model: 'contacts',
        destination: 'crm',
        object: 'public.contacts',
        match: 'email',
        key: 'id',
        name: 'y',
        fields: 'email = email',
      },
      approver,
    );
    expect(shown(seen[1] as Reply)).toContain('Northwind');
    expect(seen.flatMap((reply) => tells(reply, ['Sunshine', 'Mia Lopez']))).toEqual([]);
    const preview = shown(await dispatch.typed('preview contacts', approver));
    expect(preview).not.toContain('Mia Lopez');
    const [entry] = await app.db.query(
      `select before, after, subject from audit where kind = 'change' and command = 'mask' order by id desc limit 1`,
    );
    expect(entry).toEqual({
      before: { personal: 'recognised' },
      after: { personal: ['nick', 'full_name'] },
      subject: 'contacts',
    });
  });

  it('is kept when the query is edited, and written into the file', async () => {
    const { services } = app.app;
    const yaml = await services.documents.write('contacts');

    expect(yaml).toMatch(/personal:\s+- nick\s+- full_name/);
    expect((await services.documents.plan(yaml)).filter(({ action }) => action !== 'none')).toEqual([]);
    const without = yaml.replace(/ +personal:\s+- nick\s+- full_name\n/, '');
    expect((await services.documents.plan(without)).filter(({ action }) => action !== 'none')).toEqual([]);
    const other = yaml.replace('- nick\n', '- company\n');
    await services.documents.apply(other, app.by);
    expect((await services.personal.of('contacts')).model.personal).toEqual(['company', 'full_name']);
  });

  it('goes back to recognising, or masks nothing', async () => {
    const approver = await as('approver', 'channel');

    await dispatch.typed('mask contacts none', approver);
    expect((await app.app.services.personal.of('contacts')).columns.size).toBe(0);

    await dispatch.typed('mask contacts recognised', approver);
    expect(await app.app.services.personal.of('contacts')).toMatchObject({ named: false });
  });

  it.each([
    ['mask contacts nothing', 'no column'],
    ['mask nothing', 'no model'],
  ])('says what is wrong with %s', async (line, sentence) => {
    const reply = await dispatch.typed(line, await as('approver', 'channel'));

    expect(JSON.stringify(reply)).toContain(sentence);
  });

  it('is not for editors, also not through a file', async () => {
    const editor = await as('editor', 'direct');
    expect(await dispatch.typed('mask contacts none', editor)).toMatchObject({
      card: { title: 'You may not do that' },
    });

    const yaml = await app.app.services.documents.write('contacts');
    const unmasked = yaml.replace('key:', 'personal: []\n    key:');
    const reply = await dispatch.run({ command: 'apply', input: { yaml: unmasked } }, editor);

    expect(JSON.stringify(reply)).toContain('role approver');
    expect(await app.app.services.personal.of('contacts')).toMatchObject({ named: false });
  });
});

describe('the log', () => {
  it.each(['json', 'pretty'] as const)('has people masked (%s)', (format) => {
    const lines: string[] = [];
    const to = new Writable({
      write: (chunk, _encoding, next) => {
        lines.push(String(chunk));
        next();
      },
    });
    const log = createLog({ level: 'info', format, to });

    log.info(
      { reason: 'Key (email)=(mia@northwind.example) exists', phone: '+49 170 1234512', run: 12 },
      'x',
    );

    expect(lines.join('')).toContain('m•••@n•••.example');
    expect(lines.join('')).toContain('+49•••12');
    expect(lines.join('')).not.toContain('mia@');
    if (format === 'json') {
      expect(JSON.parse(lines.join(''))).toMatchObject({ run: 12 });
    }
  });
});
