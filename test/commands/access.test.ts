import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dispatchOf } from '../../bot/commands.ts';
import { createDispatch } from '../../bot/dispatch.ts';
import { createCommands } from '../../commands/index.ts';
import { connectors } from '../../connectors/index.ts';
import type { Dispatch, Origin, Reply } from '../../engine/contracts/chat.ts';
import { ROLES, type Role } from '../../engine/contracts/command.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Fields } from '../../engine/contracts/form.ts';
import type { Invocation, PersonRef, Raw } from '../../engine/contracts/refs.ts';
import { createVault } from '../../engine/secrets.ts';
import type { Services } from '../../engine/services.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { silentLog } from '../support/log.ts';

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
    ['post', 'smtp', { host: 'smtp.example.com', security: 'tls', from: 'news@example.com' }],
  ] as const) {
    await app.db.query(
      'insert into destinations (name, connector, config, secrets) values ($1, $2, $3, $4)',
      [name, kind, '{}', createVault('k'.repeat(32)).seal(config)],
    );
  }
  for (const framework of ['objects', 'audiences', 'files', 'tasks', 'mail'] as const) {
    await app.db.query(
      `insert into syncs (name, framework, model_id, destination_id, settings, cron, time_zone, state)
       select 'sync-' || $1, $1, (select min(id) from models), id, $2, '0 0 1 1 *', 'UTC', 'paused'
         from destinations where name = $3`,
      [framework, JSON.stringify(settingsOf[framework]), framework === 'mail' ? 'post' : 'hook'],
    );
  }
  expect((await destinations.list()).length + (await syncs.list()).length).toBe(9);
  await app.db.query(
    `insert into dbt_projects (name, source_id, place, config, secrets, look_at)
     select 'shop', min(id), 'file', '{"path": "/shop"}', $1, 'infinity' from sources`,
    [createVault('k'.repeat(32)).seal({})],
  );
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
  mail: { to: 'email', subject: 'x', text: 'x', unsubscribe: false },
};

function field(name: string) {
  return { field: name, from: { type: 'column', column: name } };
}

/** What only a far side can offer, or a run that waits; their own tests ask for it. */
const elsewhere = ['lists', 'projects', 'pendingNames'];

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
      model: 'pql',
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

describe('whoever has too small a role', () => {
  /** Everything that a command could do goes through these. */
  function watched(): { readonly services: Services; readonly touched: () => number } {
    let count = 0;
    const services: unknown = new Proxy(() => undefined, {
      get: () => {
        count += 1;
        return services;
      },
      apply: () => {
        count += 1;
        throw new ActivateError('UNAVAILABLE', 'Asked for in a test.');
      },
    });
    return { services: services as Services, touched: () => count };
  }

  const draft = { id: 7, step: 1, command: '', answers: { name: 'x' } };

  function dispatchFor(role: Role, services: Services, noted: string[]): Dispatch {
    return createDispatch({
      commands,
      services,
      identify: async () => ({ id: '1', name: 'Mia', email: undefined, role, timeZone: 'UTC' }),
      drafts: {
        start: async () => draft,
        get: async () => draft,
        keep: async () => undefined,
        drop: async () => undefined,
      },
      audit: async ({ outcome }) => void noted.push(outcome),
      link: async () => 'https://activate.example/form/x',
      log: silentLog,
    });
  }

  /** The ways in which a command is asked for: typed, pressed, submitted, gone back in, closed, through its own page. */
  function waysTo(fields: Fields): readonly Raw[] {
    const filled = Object.fromEntries(
      Object.entries(fields).map(([name, { widget }]) => [
        name,
        widget.type === 'choice' ? (widget.options[0]?.value ?? '') : '1',
      ]),
    );
    const step = { draft: '7', step: '1' };
    return [
      {},
      filled,
      { ...filled, ...step },
      { ...filled, ...step, back: 'true' },
      { ...filled, ...step, closed: 'true' },
      { ...filled, asked: 'true' },
      { ...filled, linked: 'true' },
    ];
  }

  const pairs = commands.flatMap((command) =>
    ROLES.filter((role) => ROLES.indexOf(role) < ROLES.indexOf(command.access)).map(
      (role) => [role, command.name, command] as const,
    ),
  );

  it('is every role below the command, and nobody may do anything without one', () => {
    expect(commands.filter(({ access }) => access === 'none')).toEqual([]);
    expect(pairs.length).toBeGreaterThan(commands.length);
  });

  it.each(pairs)('%s gets nothing of %s, and the refusal is written down', async (role, name, command) => {
    const { services, touched } = watched();
    const noted: string[] = [];
    const blind = dispatchFor(role, services, noted);
    const fields = command.fields as Fields;

    for (const input of waysTo(fields)) {
      expect(await blind.run({ command: name, input }, viewer)).toMatchObject({
        kind: 'card',
        card: { title: 'You may not do that' },
      });
    }
    for (const [field, { widget }] of Object.entries(fields)) {
      const offered = await blind.options(name, field, '', { draft: '7' }, viewer);
      expect(widget.type === 'lookup' ? offered : []).toEqual([]);
    }
    expect(touched()).toBe(0);
    expect(noted).toEqual(waysTo(fields).map(() => 'refused'));
  });

  it.each(commands.map((command) => [command.access, command.name, command] as const))(
    '%s gets through to %s',
    async (role, name, command) => {
      const { services } = watched();
      const noted: string[] = [];
      const seeing = dispatchFor(role, services, noted);

      for (const input of waysTo(command.fields as Fields)) {
        await seeing.run({ command: name, input }, viewer);
      }
      expect(noted).not.toContain('refused');
    },
  );
});

describe('every button that an admin is shown', () => {
  /** Commands that only look, with what they need to show something. */
  const looks = [
    'home',
    'list',
    'show pql',
    'history pql',
    'why pql 1',
    'help',
    'models',
    'destinations',
    'people',
    'whoami',
    'draft',
    'audit pql',
    'audit verify',
    'mask pql',
    'approvals',
    'errors sync-objects',
    'show sync-objects',
    'show sync-audiences',
    'show sync-files',
    'show sync-tasks',
    'sql select 1 as id',
  ];

  function buttonsOf(reply: Reply): readonly Invocation[] {
    const blocks = reply.kind === 'card' ? reply.card.blocks : [];
    return blocks
      .flatMap((block) => (block.type === 'actions' ? block.actions : []))
      .flatMap((action) =>
        action.type === 'button'
          ? [action.run]
          : action.type === 'menu'
            ? action.options.map(({ run }) => run)
            : [],
      );
  }

  it('does nothing for whoever may do nothing', async () => {
    const admin: Origin = { person: app.by.person, conversation: app.by.conversation, direct: true };
    const shown = new Map<string, Invocation>();
    for (const line of looks) {
      const reply = await dispatch.typed(line, admin);
      expect([line, reply.kind === 'card' ? reply.card.tone : reply.kind]).not.toEqual([line, 'bad']);
      for (const run of buttonsOf(reply)) {
        shown.set(JSON.stringify(run), run);
      }
    }
    expect(shown.size).toBeGreaterThan(40);
    const stranger: Origin = { ...viewer, person: { ...viewer.person, id: 'tom' } };
    const { id } = await app.app.identify(stranger.person);
    await app.db.query(`update people set role = 'none' where id = $1`, [Number(id)]);

    for (const run of shown.values()) {
      expect([run, await dispatch.run(run, stranger)]).toMatchObject([
        run,
        { card: { title: 'You may not do that' } },
      ]);
    }
    const refused = await app.db.query(`select from audit where kind = 'refusal' and person_id = $1`, [
      Number(id),
    ]);
    expect(refused).toHaveLength(shown.size);
  });
});

describe('a role', () => {
  it('holds from the next call on, however short ago the person was looked up', async () => {
    const person: PersonRef = { ...app.by.person, id: 'priya' };
    const origin: Origin = { person, conversation: app.by.conversation };
    const { id } = await app.app.identify(person);
    const give = (role: Role) =>
      app.db.query('update people set role = $2 where id = $1', [Number(id), role]);
    const titleOf = async (): Promise<string> => {
      const reply = await dispatch.typed('errors sync-objects', origin);
      return reply.kind === 'card' ? reply.card.title : '';
    };

    await give('editor');
    expect(await titleOf()).toBe('No row of sync-objects is refused');
    await give('viewer');
    expect(await titleOf()).toBe('You may not do that');
    await give('editor');
    expect(await titleOf()).toBe('No row of sync-objects is refused');
    const [looked] = await app.db.query<{ checked_at: Date }>(
      `select checked_at from identities where platform = 'local' and platform_id = 'priya'`,
    );
    expect(Date.now() - (looked?.checked_at.getTime() ?? 0)).toBeLessThan(60 * 60_000);
  });
});
