import { beforeEach, describe, expect, it } from 'vitest';
import { type AnyCommand, createDispatch } from '../../bot/dispatch.ts';
import type { DraftBook, DraftRecord } from '../../bot/wizard.ts';
import { type Card, plain } from '../../engine/contracts/card.ts';
import type { Dispatch, Origin, Reply } from '../../engine/contracts/chat.ts';
import type { Command, Role } from '../../engine/contracts/command.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { type Fields, type Form, field } from '../../engine/contracts/form.ts';
import type { Log } from '../../engine/contracts/log.ts';
import type { PlatformId, Raw } from '../../engine/contracts/refs.ts';

/** What the commands of this test can do: note that they ran, and fail when told to. */
interface World {
  readonly ran: { readonly command: string; readonly input: unknown; readonly by: string }[];
  failure: Error | undefined;
}

function command<const F extends Fields>(given: Command<F, World>): AnyCommand<World> {
  return given;
}

const done: Reply = { kind: 'done', note: 'Done.' };

async function note(
  name: string,
  input: unknown,
  by: { readonly name: string },
  world: World,
): Promise<Reply> {
  world.ran.push({ command: name, input, by: by.name });
  if (world.failure !== undefined) {
    throw world.failure;
  }
  return done;
}

const texts = { summary: 'Does something.', example: '/activate it' };

const show = command({
  ...texts,
  name: 'show',
  title: 'Show',
  access: 'viewer',
  fields: {
    name: field.lookup({ label: 'Name', lookup: 'names' }),
    limit: field.optional(field.number({ label: 'Limit', min: 1, whole: true })),
  },
  positional: ['name'],
  lookups: {
    names: async (typed, raw, _caller, world) => {
      if (world.failure !== undefined) {
        throw world.failure;
      }
      return [{ value: typed, label: `${typed} ${raw['source'] ?? ''}` }];
    },
  },
  run: (input, caller, world) => note('show', input, caller, world),
});

const sql = command({
  ...texts,
  name: 'sql',
  title: 'SQL',
  access: 'editor',
  fields: {
    source: field.optional(field.text({ label: 'Source' })),
    query: field.area({ label: 'Query', language: 'sql' }),
  },
  positional: ['query'],
  run: (input, caller, world) => note('sql', input, caller, world),
});

const home = command({
  ...texts,
  name: 'home',
  title: 'Home',
  access: 'viewer',
  fields: {},
  run: (input, caller, world) => note('home', input, caller, world),
});

const connect = command({
  ...texts,
  name: 'connect',
  title: 'Connect',
  access: 'editor',
  fields: {
    name: field.text({ label: 'Name' }),
    password: field.secret({ label: 'Password' }),
  },
  steps: [
    { title: 'Name', fields: () => ['name'] },
    { title: 'Password', fields: () => ['password'] },
  ],
  run: (input, caller, world) => note('connect', input, caller, world),
});

const make = command({
  ...texts,
  name: 'make',
  title: 'Make',
  access: 'editor',
  fields: {
    source: field.text({ label: 'Source' }),
    trigger: field.choice({ label: 'Trigger', of: { added: 'Added', threshold: 'Threshold' } }),
    limit: field.optional(field.number({ label: 'Limit' })),
    name: field.text({ label: 'Name' }),
  },
  lookups: {},
  steps: [
    {
      title: 'Source',
      fields: () => ['source', 'trigger'],
      check: async (raw) => (raw['source'] === 'bad' ? { source: 'There is no such source.' } : {}),
    },
    {
      title: 'Limit',
      fields: (raw) => (raw['trigger'] === 'threshold' ? ['limit'] : []),
    },
    {
      title: 'Name',
      fields: () => ['name'],
      prepare: async (raw) => ({
        intro: [{ type: 'text', text: [`From ${raw['source']}`] }],
        initial: { name: `${raw['source']}-alert` },
        submit: 'Make it',
      }),
      check: async (raw) => {
        if (raw['name'] === 'late') {
          throw new ActivateError('UNAVAILABLE', 'The warehouse does not answer.', {
            fix: 'Try again soon.',
          });
        }
        return raw['name'] === 'whole' ? { '': 'The whole is wrong.' } : {};
      },
    },
  ],
  run: (input, caller, world) => note('make', input, caller, world),
});

const approve = command({
  ...texts,
  name: 'approve',
  title: 'Approve',
  access: 'approver',
  hidden: true,
  fields: {},
  run: (input, caller, world) => note('approve', input, caller, world),
});

const commands = [home, show, sql, connect, make, approve];

interface Kept extends DraftRecord {
  readonly personId: number;
}

function draftBook(): DraftBook & { readonly all: Map<number, Kept> } {
  const all = new Map<number, Kept>();
  return {
    all,
    start: async (personId, name, answers) => {
      const draft = { id: all.size + 1, personId, command: name, step: 0, answers };
      all.set(draft.id, draft);
      return draft;
    },
    get: async (personId, id) => {
      if (!Number.isSafeInteger(id)) {
        throw new Error(`invalid input syntax for type bigint: "${id}"`);
      }
      const draft = all.get(id);
      return draft?.personId === personId ? draft : undefined;
    },
    keep: async (id, step, answers) => {
      if (!Number.isSafeInteger(step)) {
        throw new Error(`invalid input syntax for type integer: "${step}"`);
      }
      const draft = all.get(id);
      if (draft !== undefined) {
        all.set(id, { ...draft, step, answers: { ...draft.answers, ...answers } });
      }
    },
    drop: async (id) => {
      all.delete(id);
    },
  };
}

const roles: Readonly<Record<string, Role>> = { vera: 'viewer', ed: 'editor', eve: 'editor', ada: 'admin' };

function origin(person = 'ed', platform: PlatformId = 'local'): Origin {
  return {
    person: { kind: 'person', platform, id: person },
    conversation: { kind: 'conversation', platform, id: 'general' },
  };
}

let world: World;
let drafts: ReturnType<typeof draftBook>;
let rows: { readonly command: string; readonly input: Raw; readonly outcome: string }[];
let logged: object[];
let links: { readonly command: string; readonly input: Raw }[];
let failing: 'identify' | 'audit' | 'drafts' | undefined;
let address: string | undefined;
let dispatch: Dispatch;

beforeEach(() => {
  world = { ran: [], failure: undefined };
  drafts = draftBook();
  rows = [];
  logged = [];
  links = [];
  failing = undefined;
  address = 'https://bot.example.com/form/1';
  const write = (facts: object): void => {
    logged.push(facts);
  };
  const log: Log = { debug: write, info: write, warn: write, error: write, child: () => log };
  dispatch = createDispatch<World>({
    commands,
    services: world,
    identify: async (person) => {
      if (failing === 'identify') {
        throw new Error('no database');
      }
      return {
        id: String(Object.keys(roles).indexOf(person.id) + 1),
        name: person.id,
        email: undefined,
        role: roles[person.id] ?? 'viewer',
        timeZone: 'UTC',
      };
    },
    drafts,
    audit: async ({ command: name, input, outcome }) => {
      if (failing === 'audit') {
        throw new Error('no database');
      }
      rows.push({ command: name, input, outcome });
    },
    link: async (name, input) => {
      links.push({ command: name, input });
      return address;
    },
    log,
  });
});

function run(name: string, input: Raw = {}, from = origin()): Promise<Reply> {
  return dispatch.run({ command: name, input }, from);
}

function formOf(reply: Reply): Form {
  expect(reply.kind).toBe('form');
  return (reply as Extract<Reply, { kind: 'form' }>).form;
}

function cardOf(reply: Reply): Card {
  expect(reply.kind).toBe('card');
  return (reply as Extract<Reply, { kind: 'card' }>).card;
}

function wordsOf(reply: Reply): string {
  return cardOf(reply)
    .blocks.map((block) => (block.type === 'text' ? plain(block.text) : ''))
    .join(' ');
}

/** Fills a form in and presses its button, as a platform does. */
function submit(form: Form, answers: Raw, from = origin()): Promise<Reply> {
  const shown = Object.fromEntries(Object.keys(form.fields).map((name) => [name, form.initial[name] ?? '']));
  return run(form.command, { ...form.hidden, ...shown, ...answers }, from);
}

describe('a typed line', () => {
  it.each([
    ['', 'home', {}],
    ['/activate show deals', 'show', { name: 'deals' }],
    ['SHOW deals', 'show', { name: 'deals' }],
    ['show name=deals limit=3', 'show', { name: 'deals', limit: '3' }],
    ['show --limit 3 deals', 'show', { name: 'deals', limit: '3' }],
    ['show --limit=3 --name deals', 'show', { name: 'deals', limit: '3' }],
    ['show name="two words"', 'show', { name: 'two words' }],
    ['show “two words” limit=3', 'show', { name: 'two words', limit: '3' }],
    ['show two words', 'show', { name: 'two words' }],
    ['sql select 1', 'sql', { query: 'select 1' }],
    ["sql select * from t where name = 'a  b'", 'sql', { query: "select * from t where name = 'a  b'" }],
    ["sql select * from t where name='a'", 'sql', { query: "select * from t where name='a'" }],
    ['sql select "Name" from "T"', 'sql', { query: 'select "Name" from "T"' }],
    ['sql select 1\n  -- why\nfrom t', 'sql', { query: 'select 1\n  -- why\nfrom t' }],
    [
      'sql source=w select a from t where source=1',
      'sql',
      { source: 'w', query: 'select a from t where source=1' },
    ],
    ['sql "select 1"', 'sql', { query: 'select 1' }],
    ['sql query="select \\"a\\" from t"', 'sql', { query: 'select "a" from t' }],
    ["show it's", 'show', { name: "it's" }],
  ])('%j', (line, name, input) => {
    expect(dispatch.parse(line)).toEqual({ command: name, input });
  });

  it('is run', async () => {
    expect(await dispatch.typed('show deals limit=3', origin())).toEqual(done);
    expect(world.ran).toEqual([{ command: 'show', input: { name: 'deals', limit: 3 }, by: 'ed' }]);
  });

  it('says which command was probably meant', async () => {
    const reply = await dispatch.typed('shwo deals', origin());

    expect(wordsOf(reply)).toContain('There is no command "shwo". Did you mean show?');
    expect(JSON.stringify(reply)).toContain('"help"');
  });

  it('does not quietly drop a word that means nothing', async () => {
    const reply = await dispatch.typed('home please', origin());

    expect(cardOf(reply).tone).toBe('bad');
    expect(wordsOf(reply)).toContain('please');
    expect(world.ran).toEqual([]);
  });

  it('is completed', async () => {
    const values = async (line: string) => (await dispatch.complete(line, origin())).map((one) => one.value);

    expect(await values('s')).toEqual(['show', 'sql']);
    expect(await values('')).not.toContain('approve');
  });
});

describe('access', () => {
  it.each(commands.map((one) => [one.name, one] as const))(
    '%s runs for nobody below its role',
    async (name, one) => {
      const people = Object.entries(roles);
      const order = ['viewer', 'editor', 'approver', 'admin'];
      for (const [person, role] of people) {
        const reply = await run(name, { name: 'x', query: 'select 1', password: 'hush' }, origin(person));

        const may = order.indexOf(role) >= order.indexOf(one.access);
        const refused = reply.kind === 'card' && reply.card.title === 'You may not do that';
        expect(refused).toBe(!may);
      }
      expect(
        world.ran.filter((ran) => order.indexOf(roles[ran.by] ?? '') < order.indexOf(one.access)),
      ).toEqual([]);
    },
  );

  it('is written down when refused', async () => {
    await run('sql', { query: 'select 1' }, origin('vera'));

    expect(rows).toEqual([{ command: 'sql', input: { query: 'select 1' }, outcome: 'refused' }]);
  });

  it('holds for what a field offers, too', async () => {
    expect(await dispatch.options('show', 'name', 'de', {}, origin('vera'))).toHaveLength(1);
    expect(await dispatch.options('sql', 'query', 'de', {}, origin('vera'))).toEqual([]);
  });
});

describe('a command without steps', () => {
  it('asks for what is missing, without scolding', async () => {
    const form = formOf(await run('show'));

    expect(Object.keys(form.fields)).toEqual(['name', 'limit']);
    expect(form.errors).toEqual({});
  });

  it('says at the field what is wrong, and keeps what was typed', async () => {
    const form = formOf(await run('show', { name: 'deals', limit: 'many' }));

    expect(form.errors).toEqual({ limit: 'This has to be a number.' });
    expect(form.initial).toMatchObject({ name: 'deals', limit: 'many' });
  });

  it('says at the field what is still missing when its form comes back empty', async () => {
    const form = formOf(await submit(formOf(await run('show')), {}));

    expect(form.errors).toEqual({ name: 'Fill this in.' });
  });

  it('puts an error of its own at the field that it names', async () => {
    world.failure = new ActivateError('NOT_FOUND', 'No such.', {
      fields: { name: 'There is no alert "x".' },
    });

    expect(formOf(await run('show', { name: 'x' })).errors).toEqual({ name: 'There is no alert "x".' });
  });

  it('is closed without a word', async () => {
    expect(await run('show', { closed: 'true' })).toMatchObject({ kind: 'done' });
    expect(world.ran).toEqual([]);
  });
});

describe('a command with steps', () => {
  const from = origin();

  it('goes from step to step and runs with everything', async () => {
    const first = formOf(await run('make'));
    expect(first).toMatchObject({ title: 'Source', step: { number: 1, of: 2 }, submit: 'Next', errors: {} });
    expect(first.back).toBeUndefined();

    const second = formOf(await submit(first, { source: 'w', trigger: 'added' }));
    expect(second).toMatchObject({
      title: 'Name',
      step: { number: 2, of: 2 },
      submit: 'Make it',
      initial: { name: 'w-alert' },
    });
    expect(second.intro).toEqual([{ type: 'text', text: ['From w'] }]);

    expect(await submit(second, {})).toEqual(done);
    expect(world.ran).toEqual([
      { command: 'make', input: { source: 'w', trigger: 'added', name: 'w-alert' }, by: 'ed' },
    ]);
    expect(drafts.all.size).toBe(0);
    expect(rows).toEqual([
      { command: 'make', input: { source: 'w', trigger: 'added', name: 'w-alert' }, outcome: 'ok' },
    ]);
  });

  it('shows a step only when what was answered asks for it', async () => {
    const second = formOf(await submit(formOf(await run('make')), { source: 'w', trigger: 'threshold' }));
    expect(second).toMatchObject({ title: 'Limit', step: { number: 2, of: 3 } });

    const third = formOf(await submit(second, { limit: '3' }));
    await submit(third, { name: 'n' });

    expect(world.ran[0]?.input).toEqual({ source: 'w', trigger: 'threshold', limit: 3, name: 'n' });
  });

  it('leaves out what belongs to a step that is no longer shown', async () => {
    const limit = formOf(await submit(formOf(await run('make')), { source: 'w', trigger: 'threshold' }));
    const name = formOf(await submit(limit, { limit: '3' }));
    const back = formOf(await run('make', { ...name.back, name: 'kept' }));
    const first = formOf(await run('make', { ...back.back, limit: '3' }));
    const again = formOf(await submit(first, { trigger: 'added' }));

    expect(again.title).toBe('Name');
    expect(again.initial['name']).toBe('kept');
    await submit(again, {});
    expect(world.ran[0]?.input).toEqual({ source: 'w', trigger: 'added', name: 'kept' });
  });

  it('begins with what was typed', async () => {
    const form = formOf(await run('make', { source: 'w', name: 'mine' }));

    expect(form).toMatchObject({ title: 'Source', initial: { source: 'w' } });
    expect(form.errors).toEqual({});
    const second = formOf(await submit(form, { trigger: 'added' }));
    expect(second.initial['name']).toBe('mine');
  });

  it.each([
    ['a field that is missing', {}, { source: 'Fill this in.', trigger: 'Fill this in.' }],
    [
      'a field that is wrong',
      { source: 'w', trigger: 'odd' },
      { trigger: 'Choose one of: added, threshold.' },
    ],
    ['what the world says', { source: 'bad', trigger: 'added' }, { source: 'There is no such source.' }],
  ])('stays at the first step with %s, and has kept it', async (_what, answers: Raw, errors: Raw) => {
    const form = formOf(await submit(formOf(await run('make')), answers));

    expect(form).toMatchObject({ title: 'Source', errors });
    expect(form.initial).toMatchObject(answers);
    expect([...drafts.all.values()][0]?.answers).toMatchObject(answers);
  });

  it.each([
    ['an error of the whole', 'whole', { '': 'The whole is wrong.' }],
    ['an error that is thrown', 'late', { '': 'The warehouse does not answer. Try again soon.' }],
  ])('stays at the last step with %s', async (_what, name, errors) => {
    const second = formOf(await submit(formOf(await run('make')), { source: 'w', trigger: 'added' }));

    const form = formOf(await submit(second, { name }));

    expect(form).toMatchObject({ title: 'Name', errors, initial: { name } });
    expect(world.ran).toEqual([]);
  });

  it('goes back to the step whose field the command refuses', async () => {
    const second = formOf(await submit(formOf(await run('make')), { source: 'w', trigger: 'added' }));
    world.failure = new ActivateError('INPUT_INVALID', 'Gone.', { fields: { source: 'It is gone.' } });

    const form = formOf(await submit(second, {}));

    expect(form).toMatchObject({
      title: 'Source',
      errors: { source: 'It is gone.' },
      initial: { source: 'w' },
    });
    expect(drafts.all.size).toBe(1);
    expect(rows.at(-1)?.outcome).toBe('INPUT_INVALID');
  });

  it('says an error that no field has, and the draft is still there', async () => {
    const second = formOf(await submit(formOf(await run('make')), { source: 'w', trigger: 'added' }));
    world.failure = new ActivateError('UNAVAILABLE', 'The database sleeps.', { fix: 'Wait.' });

    const reply = await submit(second, {});

    expect(JSON.stringify(reply)).toContain('The database sleeps.');
    expect(drafts.all.size).toBe(1);
    world.failure = undefined;
    const form = formOf(await run('make', { draft: '1' }));
    expect(await submit(form, {})).toEqual(done);
  });

  it('keeps what was typed when the window is closed, and takes it up again there', async () => {
    const second = formOf(await submit(formOf(await run('make')), { source: 'w', trigger: 'added' }));

    const reply = await run('make', { ...second.hidden, name: 'half', closed: 'true' });

    expect(reply).toMatchObject({ kind: 'done', note: expect.stringContaining('draft') });
    expect(world.ran).toEqual([]);
    expect(formOf(await run('make', { draft: '1' }))).toMatchObject({
      title: 'Name',
      initial: { name: 'half', source: 'w' },
      errors: {},
    });
  });

  it('shows a step that nothing came from, in place of scolding', async () => {
    const second = formOf(await submit(formOf(await run('make')), { source: 'w', trigger: 'added' }));

    const form = formOf(await run('make', { ...second.hidden }));

    expect(form.title).toBe('Name');
    expect(form.errors).toEqual({});
  });

  it("gives nobody somebody else's draft", async () => {
    const form = formOf(
      await submit(formOf(await run('make')), { source: 'secret-source', trigger: 'added' }),
    );

    const reply = await run('make', { ...form.hidden, name: 'stolen' }, origin('eve'));

    expect(JSON.stringify(reply)).not.toContain('secret-source');
    expect(JSON.stringify(reply)).toContain('draft is gone');
    expect(world.ran).toEqual([]);
    expect(drafts.all.get(1)?.answers).not.toMatchObject({ name: 'stolen' });
  });

  it.each([
    ['99', '1'],
    ['abc', '1'],
    ['1.5', 'x'],
    ['-1', '99'],
    ['99999999999999999999', '0'],
  ])('takes draft %s at step %s for one that is gone, and keeps what was typed', async (draft, step) => {
    const form = formOf(await run('make', { draft, step, name: 'typed' }, from));

    expect(form.errors['']).toContain('draft is gone');
    expect(Object.values(Object.fromEntries(drafts.all))[0]?.answers).toEqual({ name: 'typed' });
  });

  it.each(['x', '-1', '99', '1.5'])('takes step %s for the one where the draft is', async (step) => {
    formOf(await submit(formOf(await run('make')), { source: 'w', trigger: 'added' }));

    const reply = await run('make', { draft: '1', step });

    expect(formOf(reply).title).toBe('Name');
    expect(world.ran).toEqual([]);
  });

  it('offers options that know the draft', async () => {
    formOf(await run('make', { source: 'w' }));

    expect(await dispatch.options('show', 'name', 'de', { draft: '1' }, origin())).toEqual([
      { value: 'de', label: 'de w' },
    ]);
    expect(await dispatch.options('show', 'name', 'de', { draft: 'abc' }, origin())).toEqual([
      { value: 'de', label: 'de ' },
    ]);
  });
});

describe('a secret', () => {
  const hush = 'hush-hush';

  async function atPassword(from = origin()): Promise<Form> {
    return formOf(await submit(formOf(await run('connect', {}, from)), { name: 'w' }, from));
  }

  it('is kept neither in the draft, nor in the audit, nor in the log', async () => {
    const form = await atPassword();
    await run('connect', { ...form.hidden, password: hush, closed: 'true' });
    world.failure = new Error('crash');
    const crashed = await submit(form, { password: hush });
    world.failure = new ActivateError('UNAVAILABLE', 'No answer.');
    await submit(form, { password: hush });
    world.failure = undefined;
    await submit(form, { password: hush });

    expect(world.ran.at(-1)?.input).toEqual({ name: 'w', password: hush });
    expect(JSON.stringify([...drafts.all.values()])).not.toContain(hush);
    expect(JSON.stringify(rows)).not.toContain(hush);
    expect(JSON.stringify(logged)).not.toContain(hush);
    expect(JSON.stringify(crashed)).not.toContain(hush);
  });

  it('is not written into the form that asks for it again', async () => {
    const form = await atPassword();
    world.failure = new ActivateError('AUTH_REJECTED', 'No.', { fields: { password: 'It is wrong.' } });

    const again = formOf(await submit(form, { password: hush }));

    expect(again.errors).toEqual({ password: 'It is wrong.' });
    expect(JSON.stringify(again)).not.toContain(hush);
  });

  it('is asked for on a page of our own where a chat could not hide it', async () => {
    const reply = await run('connect', { name: 'w' }, origin('ed', 'slack'));

    expect(JSON.stringify(cardOf(reply))).toContain(address);
    expect(links[0]).toMatchObject({ command: 'connect', input: { name: 'w' } });
  });

  it('is not carried by the link', async () => {
    await run('connect', { name: 'w', password: hush }, origin('ed', 'slack'));

    expect(JSON.stringify(links)).not.toContain(hush);
  });

  it('is sent to a terminal when there is no address for a page', async () => {
    address = undefined;

    expect(wordsOf(await run('connect', {}, origin('ed', 'slack')))).toContain('npx activate connect');
  });
});

describe('a terminal', () => {
  it('is told everything that is wrong at once', async () => {
    const form = formOf(await run('make', { trigger: 'odd' }, origin('ada', 'cli')));

    expect(form.errors).toMatchObject({
      source: 'Fill this in.',
      trigger: 'Choose one of: added, threshold.',
    });
  });

  it('runs at once what is complete, with what the steps suggest', async () => {
    expect(await run('make', { source: 'w', trigger: 'added' }, origin('ada', 'cli'))).toEqual(done);
    expect(world.ran[0]?.input).toEqual({ source: 'w', trigger: 'added', name: 'w-alert' });
    expect(drafts.all.size).toBe(0);
  });
});

describe('whatever goes wrong', () => {
  it('is our mistake when nobody foresaw it: a reference to the log, and no inner words', async () => {
    world.failure = new TypeError('x is not a function');

    const reply = await run('home');

    const reference = /reference ([0-9a-f]+)/.exec(wordsOf(reply))?.[1];
    expect(reference).toBeDefined();
    expect(JSON.stringify(reply)).not.toContain('x is not a function');
    expect(logged).toContainEqual(
      expect.objectContaining({ reference, stack: expect.stringContaining('x is not a function') }),
    );
    expect(rows).toEqual([{ command: 'home', input: {}, outcome: 'BUG' }]);
  });

  it('is said with what to do now', async () => {
    world.failure = new ActivateError('UNAVAILABLE', 'The warehouse does not answer.', {
      fix: 'Wait a little.',
    });

    const reply = await run('home');

    expect(wordsOf(reply)).toBe('The warehouse does not answer. Wait a little. ');
    expect(JSON.stringify(reply)).toContain('Try again');
  });

  it('does not undo what was done: a failing audit is logged, not shown', async () => {
    failing = 'audit';

    expect(await run('home')).toEqual(done);
    expect(logged).not.toEqual([]);
  });

  it.each([undefined, new Error('crash'), new ActivateError('BUG', 'crash')])(
    'is answered and never thrown: %s',
    async (failure) => {
      world.failure = failure;
      failing = failure === undefined ? 'identify' : undefined;
      const odd = [
        '',
        ' ',
        '"',
        '--',
        '=',
        '\u0000',
        'constructor',
        '__proto__',
        'make draft=1',
        'show --name',
      ];
      const inputs = [
        '{}',
        '{"draft":"x","step":"y","back":"","closed":""}',
        '{"constructor":"1","__proto__":"1"}',
      ];
      const words = [...odd, ...commands.map((one) => one.name)];

      const answers = await Promise.all(
        words.flatMap((word) => [
          dispatch.typed(word, origin()),
          dispatch.options(word, 'name', word, {}, origin()),
          dispatch.complete(word, origin()),
          ...inputs.map((input) => run(word, JSON.parse(input) as Raw)),
        ]),
      );

      expect(answers.filter((answer) => typeof answer !== 'object')).toEqual([]);
    },
  );
});

describe('mayOpenForm', () => {
  it.each([
    ['home', {}, false],
    ['nobody', {}, false],
    ['show', {}, true],
    ['show', { name: 'x' }, false],
    ['show', { name: 'x', asked: 'true' }, true],
    ['make', { source: 'w' }, true],
  ])('%s %j: %s', (name, input: Raw, may) => {
    expect(dispatch.mayOpenForm({ command: name, input })).toBe(may);
  });
});
