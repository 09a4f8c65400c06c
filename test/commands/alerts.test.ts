import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDispatch } from '../../bot/dispatch.ts';
import { createCommands } from '../../commands/index.ts';
import { connectors } from '../../connectors/index.ts';
import type { Dispatch, Origin, Reply } from '../../engine/contracts/chat.ts';
import type { Form } from '../../engine/contracts/form.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { draftOf, dropDraft, keepDraft, startDraft } from '../../engine/store/drafts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { silentLog } from '../support/log.ts';

let app: TestApp;
let dispatch: Dispatch;
let origin: Origin;

beforeAll(async () => {
  app = await startApp({ worker: false });
  origin = { person: app.by.person, conversation: app.by.conversation };
  await app.warehouse.query(
    `create table accounts (id int primary key, name text not null, seats int, email text)`,
  );
  await app.warehouse.query(
    `insert into accounts values (1, 'Northwind', 48, 'mia@northwind.example'), (2, 'Globex', 7, null)`,
  );
  const { db } = app.app;
  dispatch = createDispatch({
    commands: createCommands(connectors),
    services: app.app.services,
    identify: app.app.identify,
    drafts: {
      start: (personId, command, answers) => startDraft(db, personId, command, answers),
      get: (personId, id) => draftOf(db, personId, id),
      keep: (id, step, answers) => keepDraft(db, id, step, answers),
      drop: (id) => dropDraft(db, id),
    },
    audit: async () => undefined,
    link: async () => undefined,
    log: silentLog,
  });
});

afterAll(() => app.close());

beforeEach(async () => {
  const { syncs } = app.app.services;
  for (const { sync } of await syncs.list()) {
    await syncs.remove(sync.name, app.by);
  }
});

function formOf(reply: Reply): Form {
  expect(reply.kind === 'form' ? '' : JSON.stringify(reply)).toBe('');
  return (reply as Extract<Reply, { kind: 'form' }>).form;
}

/** Fills a form in and presses its button, as a platform does: every field is sent, empty ones as ''. */
function submit(form: Form, answers: Raw = {}): Promise<Reply> {
  const shown = Object.fromEntries(Object.keys(form.fields).map((name) => [name, form.initial[name] ?? '']));
  return dispatch.run({ command: form.command, input: { ...form.hidden, ...shown, ...answers } }, origin);
}

/** Goes through the forms until one has none of the answers left or something else is answered. */
async function through(line: string, ...steps: readonly Raw[]): Promise<Reply> {
  let reply = await dispatch.typed(line, origin);
  for (const answers of steps) {
    const form = formOf(reply);
    expect(form.errors).toEqual({});
    expect(Object.keys(form.fields)).toEqual(expect.arrayContaining(Object.keys(answers)));
    reply = await submit(form, answers);
  }
  return reply;
}

const query = { source: 'warehouse', sql: 'select id, name, seats, email from accounts' };

function show(name: string) {
  return app.app.services.alerts.show(name);
}

describe('new-alert', () => {
  it('makes an alert out of a query, mostly by pressing Next', async () => {
    const reply = await through('new-alert', query, {}, { to: '["local:sales-pql"]' }, { name: 'pql' }, {});

    expect(reply).toMatchObject({
      kind: 'card',
      to: 'conversation',
      card: { title: 'pql is on', tone: 'good' },
    });
    const made = await show('pql');
    expect(made.model.key).toEqual(['id']);
    expect(made.settings).toMatchObject({
      trigger: 'added',
      targets: [{ type: 'channel', to: 'local:sales-pql' }],
      title: '{{ name }}',
      silentFirst: true,
      platform: 'local',
    });
    expect(made.settings.message).toContain('{{ email | mention }}');
    expect(made.sync).toMatchObject({ cron: '*/15 * * * *', timeZone: 'Europe/Paris' });
  });

  it('shows what was found, and the message as it will look', async () => {
    const found = formOf(await through('new-alert', query));
    expect(found.title).toBe('What was found');
    expect(JSON.stringify(found.intro)).toContain('2 rows');
    expect(found.initial['key']).toBe('["id"]');

    const preview = formOf(await through('new-alert', query, {}, { to: 'local:sales-pql' }, { name: 'pql' }));
    expect(preview).toMatchObject({ title: 'Preview', submit: 'Create alert' });
    expect(JSON.stringify(preview.intro)).toContain('Northwind');
    expect(JSON.stringify(preview.intro)).toContain('Next runs');
  });

  it.each([
    ['no query', {}, 'sql', /query/],
    ['a query that writes', { sql: 'delete from accounts' }, 'sql', /SELECT/],
    ['a query that fails', { sql: 'select nam from accounts' }, 'sql', /nam/],
    ['a table that is not there', { table: 'public.nothing' }, 'table', /nothing/],
    ['a query of no alert', { model: 'nothing' }, 'sql', /nothing/],
  ])('says at the field what is wrong with %s', async (_what, answers: Raw, field, sentence) => {
    const form = formOf(await through('new-alert', { source: 'warehouse', ...answers }));

    expect(form.title).toBe('What to watch');
    expect(form.errors[field]).toMatch(sentence);
  });

  it.each([
    [{ key: 'nothing' }, 'key', /no column "nothing"/],
    [{ key: '' }, 'key', /tells rows apart/],
  ])('says what is wrong with %j', async (answers: Raw, field, sentence) => {
    const form = formOf(await through('new-alert', query, answers));

    expect(form.title).toBe('What was found');
    expect(form.errors[field]).toMatch(sentence);
  });

  it.each([
    [{ message: '{{ nam }}' }, 'message', /Did you mean/],
    [{ title: '{{ name | shout }}' }, 'title', /shout/],
    [{ to: '#nowhere' }, 'to', /nowhere/],
    [{ to: 'person:nothing' }, 'to', /nothing/],
    [{ tag: 'nobody@northwind.example' }, 'tag', /nobody@/],
  ])('says what is wrong with %j', async (answers: Raw, field, sentence) => {
    const form = formOf(await through('new-alert', query, {}, { to: 'local:sales-pql', ...answers }));

    expect(form.title).toBe('What to say, and where');
    expect(form.errors[field]).toMatch(sentence);
  });

  it.each([
    [{ schedule: 'now and then' }, 'schedule', /not a schedule/],
    [{ timeZone: 'Middle/Earth' }, 'timeZone', /not a time zone/],
    [{ name: '!!!' }, 'name', /letters/],
  ])('says what is wrong with %j', async (answers: Raw, field, sentence) => {
    const form = formOf(
      await through('new-alert', query, {}, { to: 'local:sales-pql' }, { name: 'x', ...answers }),
    );

    expect(form.title).toBe('Name and schedule');
    expect(form.errors[field]).toMatch(sentence);
  });

  it('refuses a name that is taken', async () => {
    await through('new-alert', query, {}, { to: 'local:sales-pql' }, { name: 'pql' }, {});

    const form = formOf(await through('new-alert', query, {}, { to: 'local:sales-pql' }, { name: 'pql' }));

    expect(form.errors['name']).toMatch(/already/);
  });

  it('takes a query without rows, with a warning', async () => {
    const form = formOf(await through('new-alert', { ...query, sql: `${query.sql} where false` }));

    expect(form.title).toBe('What was found');
    expect(JSON.stringify(form.intro)).toContain('no rows just now');
  });

  it('asks for the line when a number is to cross one', async () => {
    const line = formOf(await through('new-alert', query, { trigger: 'threshold' }));
    expect(line.title).toBe('Which number');
    expect(line.fields['limit']).toMatchObject({ optional: false });

    expect(formOf(await submit(line, { column: 'seats', limit: '' })).errors['limit']).toBe('Fill this in.');
    expect(formOf(await submit(line, { column: 'seats', limit: 'lots' })).errors['limit']).toMatch(/number/);
    expect(formOf(await submit(line, { limit: '10' })).errors['column']).toMatch(/Choose a column/);
    const message = formOf(await submit(line, { column: 'seats', limit: '10' }));
    expect(message.title).toBe('What to say, and where');

    const name = formOf(await submit(message, { to: 'person:email' }));
    const preview = formOf(await submit(name, { name: 'seats' }));
    await submit(preview);
    expect((await show('seats')).settings).toMatchObject({
      trigger: 'threshold',
      threshold: { on: 'value', column: 'seats', test: 'above', limit: 10 },
      targets: [{ type: 'person-from', column: 'email' }],
    });
  });

  it('lets the message of a count use the count only', async () => {
    const form = formOf(
      await through('new-alert', query, { trigger: 'threshold', key: '' }, { on: 'count', limit: '1' }),
    );
    expect(form.initial['message']).toContain('{{ count }}');

    const wrong = formOf(await submit(form, { to: 'local:sales-pql', message: '{{ name }}' }));
    expect(wrong.errors['message']).toMatch(/no column "name"/);

    const preview = formOf(
      await submit(formOf(await submit(form, { to: 'local:sales-pql' })), { name: 'many-accounts' }),
    );
    expect(JSON.stringify(preview.intro)).toContain('2 rows');
  });

  it('is made in one line in a terminal, with what the forms would suggest', async () => {
    const terminal: Origin = {
      person: { kind: 'person', platform: 'cli', id: 'ops' },
      conversation: { kind: 'conversation', platform: 'cli', id: 'terminal' },
    };
    const line = 'new-alert source=warehouse table=public.accounts to=local:sales-pql name=all-accounts';

    const reply = await dispatch.typed(line, terminal);

    expect(reply).toMatchObject({ kind: 'card', card: { title: 'all-accounts is on' } });
    expect((await show('all-accounts')).model.key).toEqual(['id']);
  });

  it('offers sources, tables, columns, and places of every kind', async () => {
    const form = formOf(await through('new-alert', query));
    const values = async (field: string, typed: string) =>
      (await dispatch.options('new-alert', field, typed, form.hidden, origin)).map((one) => one.value);

    expect(await values('source', '')).toEqual(['warehouse']);
    expect(await values('table', 'acc')).toEqual(['public.accounts']);
    expect(await values('key', 'na')).toEqual(['name']);
    expect(await values('to', 'sales')).toContain('local:sales-pql');
    expect(await values('to', 'mia')).toContain('local:@mia');
    expect(await values('to', 'email')).toEqual(expect.arrayContaining(['person:email', 'channel:email']));
  });
});

describe('edit', () => {
  beforeEach(async () => {
    await through(
      'new-alert',
      query,
      {},
      { to: 'local:sales-pql', message: 'Hello {{ name }}' },
      { name: 'pql', schedule: 'weekdays at 8:30' },
      {},
    );
  });

  it('goes through the same steps, filled in with what the alert is now', async () => {
    const forms: Form[] = [];
    let reply = await dispatch.typed('edit pql', origin);
    while (reply.kind === 'form') {
      expect(reply.form.errors).toEqual({});
      forms.push(reply.form);
      reply = await submit(reply.form);
    }

    expect(forms.map((form) => form.title)).toEqual([
      'What to watch',
      'What was found',
      'What to say, and where',
      'Name and schedule',
      'Preview',
    ]);
    expect(forms[0]?.initial).toMatchObject(query);
    expect(forms[2]?.initial).toMatchObject({ message: 'Hello {{ name }}', to: '["local:sales-pql"]' });
    expect(forms[3]?.fields['name']).toBeUndefined();
    expect(forms[4]?.submit).toBe('Save changes');
    expect(reply).toMatchObject({ kind: 'card' });
  });

  it('changes what was changed, and nothing else', async () => {
    const before = await show('pql');

    await through(
      'edit pql',
      {},
      { trigger: 'removed' },
      { message: 'Bye {{ name }}' },
      { schedule: 'hourly' },
      {},
    );

    const after = await show('pql');
    expect(after.settings).toEqual({ ...before.settings, trigger: 'removed', message: 'Bye {{ name }}' });
    expect(after.sync).toMatchObject({ id: before.sync.id, name: 'pql', cron: '0 * * * *' });
    expect(after.model.key).toEqual(before.model.key);
  });

  it('asks which alert when none is named, and says when there is no such alert', async () => {
    const form = formOf(await dispatch.typed('edit', origin));
    expect(Object.keys(form.fields)).toEqual(['alert']);

    const wrong = formOf(await submit(form, { alert: 'pqll' }));
    expect(wrong.errors).toEqual({ alert: expect.stringContaining('Did you mean pql?') });

    expect(formOf(await submit(wrong, { alert: 'pql' }))).toMatchObject({ title: 'What to watch' });
  });

  it('takes away what is emptied', async () => {
    await through('edit pql', {}, {}, { tag: 'local:@mia' }, {}, {});
    expect((await show('pql')).settings.tag).toEqual(['local:@mia']);

    await through('edit pql', {}, {}, { tag: '' }, {}, {});
    expect((await show('pql')).settings.tag).toEqual([]);
  });
});

describe('other commands', () => {
  beforeEach(async () => {
    await through('new-alert', query, {}, { to: 'local:sales-pql' }, { name: 'pql' }, {});
  });

  it.each([
    ['home'],
    ['list'],
    ['show pql'],
    ['history pql'],
    ['help'],
    ['help new-alert'],
    ['whoami'],
    ['draft'],
    ['pause pql'],
    ['resume pql'],
    ['mute pql for=1h'],
    ['unmute pql'],
    ['delete pql'],
    ["sql select name from accounts where name = 'Globex'"],
    ['test pql'],
    ['run pql'],
  ])('%s', async (line) => {
    const reply = await dispatch.typed(line, origin);

    expect(reply.kind).not.toBe('form');
    expect(reply.kind === 'card' ? reply.card.tone : 'neutral').not.toBe('bad');
  });

  it.each(['show', 'history', 'pause', 'resume', 'mute', 'unmute', 'delete', 'test', 'run'])(
    '%s says at the field that there is no such alert',
    async (name) => {
      const form = formOf(await dispatch.typed(`${name} pqll`, origin));

      expect(form.errors['name']).toContain('Did you mean pql?');
    },
  );

  it('delete asks first', async () => {
    const reply = await dispatch.typed('delete pql', origin);
    expect(JSON.stringify(reply)).toContain('"sure":"yes"');
    expect((await show('pql')).sync.name).toBe('pql');

    await dispatch.run({ command: 'delete', input: { name: 'pql', sure: 'yes' } }, origin);
    await expect(show('pql')).rejects.toThrow('There is no alert or sync');
  });

  it('connect keeps the password to itself, and says at the field what does not work', async () => {
    const url = `${app.url.replace(/\/[^/]*$/, '')}/nothing-there?password=hush`;
    const second = formOf(await through('connect', { name: 'Second one' }));

    const form = formOf(await submit(second, { postgres_url: url }));

    expect(JSON.stringify(form)).not.toContain('hush');
    expect(Object.values(form.errors).join()).not.toBe('');
    const drafts = await app.db.query<{ answers: Raw }>('select answers from drafts');
    expect(JSON.stringify(drafts)).not.toContain('hush');

    const good = await submit(form, { postgres_url: app.url });
    expect(good).toMatchObject({ kind: 'card', card: { title: 'second-one is connected' } });
  });
});
