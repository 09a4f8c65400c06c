import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dispatchOf } from '../../bot/roof.ts';
import { createCommands } from '../../commands/index.ts';
import { connectors } from '../../connectors/index.ts';
import type { Dispatch, Origin } from '../../engine/contracts/chat.ts';
import { ROLES } from '../../engine/contracts/command.ts';
import type { Fields } from '../../engine/contracts/form.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { createVault } from '../../engine/secrets.ts';
import { startApp, type TestApp } from '../support/app.ts';

const commands = createCommands(connectors);
const above = commands.filter((command) => ROLES.indexOf(command.access) > ROLES.indexOf('viewer'));
const cases = above.map((command) => [command.name, command.fields as Fields] as const);

let app: TestApp;
let dispatch: Dispatch;
let viewer: Origin;

beforeAll(async () => {
  app = await startApp();
  await app.warehouse.query('create table accounts (id int primary key, name text, seats int, email text)');
  await app.alert({ name: 'pql' });
  const { destinations, syncs } = app.app.services;
  for (const [name, kind, config] of [
    ['crm', 'postgres', { url: app.url }],
    ['hook', 'webhook', { url: 'https://hooks.example.com/x', secret: `whsec_${'a'.repeat(43)}=` }],
  ] as const) {
    await app.db.query(
      'insert into destinations (name, connector, config, secrets) values ($1, $2, $3, $4)',
      [name, kind, '{}', createVault('k'.repeat(32)).seal(config)],
    );
  }
  for (const framework of ['objects', 'audiences', 'files', 'tasks'] as const) {
    await app.db.query(
      `insert into syncs (name, framework, model_id, destination_id, settings, cron, time_zone, state)
       select 'sync-' || $1, $1, (select min(id) from models), id, $2, '0 0 1 1 *', 'UTC', 'paused'
         from destinations where name = 'hook'`,
      [framework, JSON.stringify(settingsOf[framework])],
    );
  }
  expect((await destinations.list()).length + (await syncs.list()).length).toBe(7);
  dispatch = dispatchOf(app.app);
  viewer = { person: { ...app.by.person, id: 'mia' }, conversation: app.by.conversation };
  const { id } = await app.app.identify(viewer.person);
  await app.db.query(`update people set role = 'viewer' where id = $1`, [Number(id)]);
});

afterAll(() => app.close());

/** How the last call of a command was written down. */
async function written(
  command: string,
): Promise<{ readonly outcome: string; readonly input: Raw } | undefined> {
  const [row] = await app.db.query<{ outcome: string; input: Raw }>(
    'select outcome, input from audit where command = $1 order by id desc limit 1',
    [command],
  );
  return row;
}

const settingsOf = {
  objects: { object: 'x', mode: 'upsert', match: ['id'], fields: [field('id')] },
  audiences: { list: 'x', listName: 'x', identifiers: { user_id: 'id' } },
  files: { content: 'full', path: 'x-{{ run }}.csv', format: 'csv' },
  tasks: { project: 'x', projectName: 'x', title: 'x', body: 'x' },
};

function field(name: string) {
  return { field: name, from: { type: 'column', column: name } };
}

/** What only a far side can offer; its connector's own tests ask for it. */
const elsewhere = ['lists', 'projects'];

describe('a viewer', () => {
  it('has commands to be kept from', () => {
    expect(above.length).toBeGreaterThan(5);
  });

  it.each(cases)('may not %s, typed, pressed or submitted, and it is written down', async (name, fields) => {
    const filled = Object.fromEntries(Object.keys(fields).map((field) => [field, 'hush']));

    for (const input of [{}, filled, { ...filled, draft: '1', step: '0' }, { linked: 'true' }]) {
      const reply = await dispatch.run({ command: name, input }, viewer);

      expect(reply).toMatchObject({ kind: 'card', to: 'caller', card: { title: 'You may not do that' } });
    }
    const answers = Object.entries(fields).filter(([, { widget }]) => widget.type !== 'secret');
    expect(await written(name)).toMatchObject({ outcome: 'refused', input: {} });
    await dispatch.run({ command: name, input: filled }, viewer);
    expect(await written(name)).toEqual({
      outcome: 'refused',
      input: Object.fromEntries(answers.map(([field]) => [field, 'hush'])),
    });
  });

  it.each(
    cases.flatMap(([name, fields]) =>
      Object.entries(fields).flatMap(([field, { widget }]) =>
        widget.type === 'lookup' && !elsewhere.includes(widget.lookup) ? [[name, field] as const] : [],
      ),
    ),
  )('is offered nothing for %s %s, where an admin is', async (name, field) => {
    const given = {
      source: 'warehouse',
      sql: 'select id, name from accounts',
      destination: 'crm',
      object: 'activate.people',
    };
    const admin: Origin = { ...viewer, person: app.by.person };

    expect(await dispatch.options(name, field, '', given, admin)).not.toEqual([]);
    expect(await dispatch.options(name, field, '', given, viewer)).toEqual([]);
  });

  it.each(['home', 'list', 'help', 'whoami', 'draft'])('may %s', async (name) => {
    const reply = await dispatch.typed(name, viewer);

    expect(reply.kind === 'card' ? reply.card.tone : reply.kind).not.toBe('bad');
    expect(await written(name)).toMatchObject({ outcome: 'ok' });
  });
});
