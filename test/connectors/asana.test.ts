import { afterEach, describe, expect, it } from 'vitest';
import { asana } from '../../connectors/asana/index.ts';
import type { NewTask, Tasks } from '../../engine/contracts/destination.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { destinationContract, type Harness } from '../contracts/destination.ts';
import { partOf } from '../contracts/works.ts';
import { type AsanaState, asanaEnums, asanaFields, refused, startFakeAsana } from '../fakes/asana.ts';
import { type FakeHttp, limited } from '../fakes/http.ts';
import { type Opened, openFor } from '../support/connect.ts';

const project = '1100000000000000001';
const mark = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';
const signal = new AbortController().signal;

const taskOf = (more: Partial<NewTask> = {}): NewTask => ({
  mark,
  project,
  title: 'Call Acme',
  body: 'Trial ends tomorrow.\nThey have 40 seats.',
  fields: {},
  ...more,
});

type Ways = 'token' | 'app';
const loginOf = (way: Ways, { app, personalToken }: AsanaState): Raw =>
  way === 'token'
    ? { token: personalToken }
    : { clientId: app.id, clientSecret: app.secret, refreshToken: app.refreshToken };

const seenIn = ({ tasks }: AsanaState): unknown => tasks.map(({ fields, ...task }) => [task, [...fields]]);

function harness(way: Ways): Harness {
  return {
    connector: asana,
    renewsToken: way === 'app',
    start: async () => {
      const fake = await startFakeAsana();
      const login = loginOf(way, fake.state);
      const config = { ...login, baseUrl: fake.url };
      return {
        fake,
        config,
        wrongConfig: {
          ...config,
          ...(way === 'token' ? { token: '2/some-other-token' } : { refreshToken: '2/some-other-token' }),
        },
        stored: () => seenIn(fake.state),
      };
    },
    parts: {
      tasks: (n, bad) =>
        Array.from({ length: n }, (_, i) =>
          taskOf({
            mark: `mark${i}`,
            title: `Task ${i}`,
            assignee: 'ada@acme.example',
            due: '2026-12-01',
            fields: { [asanaFields.account]: i === bad ? 'x'.repeat(2000) : `Account ${i}` },
          }),
        ),
    },
    says: { quoting: ({ headers, body }) => refused(400, `${JSON.stringify(headers)} ${body}`) },
  };
}

destinationContract('asana, with a token', harness('token'));
destinationContract('asana, as an app', harness('app'));

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

async function connected(
  way: Ways = 'token',
  more: Raw = {},
): Promise<Opened & { readonly fake: FakeHttp<AsanaState>; readonly tasks: Tasks }> {
  const fake = await startFakeAsana();
  const config = { ...loginOf(way, fake.state), baseUrl: fake.url, ...more };
  const opened = await openFor(asana, config, { now: () => fake.state.now });
  open.push(opened, fake);
  return { ...opened, fake, tasks: partOf(opened.connection, 'tasks') };
}

const later = (state: AsanaState, seconds: number): void => {
  state.now = new Date(state.now.getTime() + seconds * 1000);
};

describe('a new task', () => {
  it('holds title, text, day and assignee, and its mark in the last line', async () => {
    const { tasks, fake } = await connected();

    const ref = await tasks.create(taskOf({ assignee: 'ada@acme.example', due: '2026-12-01' }), signal);

    const [task] = fake.state.tasks;
    expect(task).toMatchObject({
      name: 'Call Acme',
      notes: `Trial ends tomorrow.\nThey have 40 seats.\n\nactivate-${mark}`,
      due_on: '2026-12-01',
      assignee: '1000000000000000001',
      projects: [project],
      external: null,
    });
    expect(ref).toEqual({ id: task?.gid, url: `https://app.asana.com/0/1/${task?.gid}` });
  });

  it('keeps ids as text, which numbers would round', async () => {
    const { tasks } = await connected();

    expect((await tasks.create(taskOf(), signal)).id).toBe('1300000000000000001');
  });

  it('has its mark in the field that the connection names, and finds it there', async () => {
    const { tasks, fake } = await connected('token', { markField: 'activate MARK' });

    const { id } = await tasks.create(taskOf(), signal);

    expect(fake.state.tasks[0]?.notes).toBe('Trial ends tomorrow.\nThey have 40 seats.');
    expect(fake.state.tasks[0]?.fields.get(asanaFields.mark)).toBe(`activate-${mark}`);
    expect(await tasks.find(project, mark, fake.state.now, signal)).toMatchObject({ id });
    expect((await tasks.fields(project)).map(({ label }) => label)).not.toContain('Activate mark');
  });

  it('has its mark in the description where the project lacks the field for it', async () => {
    const { tasks, fake } = await connected('token', { markField: 'No such field' });

    const { id } = await tasks.create(taskOf({ body: '' }), signal);

    expect(fake.state.tasks[0]?.notes).toBe(`activate-${mark}`);
    expect(await tasks.find(project, mark, fake.state.now, signal)).toMatchObject({ id });
  });

  it('has its mark out of sight when an app makes it, where a token would not find it', async () => {
    const { tasks, fake } = await connected('app');

    const { id } = await tasks.create(taskOf(), signal);

    expect(fake.state.tasks[0]).toMatchObject({
      external: `activate-${mark}`,
      notes: 'Trial ends tomorrow.\nThey have 40 seats.',
    });
    expect(await tasks.find(project, mark, fake.state.now, signal)).toMatchObject({ id });
    expect(fake.requests.at(-1)?.path).toBe(`/api/1.0/tasks/external%3Aactivate-${mark}`);
  });

  it('has no assignee, and says so, when Asana knows nobody of that address', async () => {
    const { tasks, fake } = await connected();

    const ref = await tasks.create(taskOf({ assignee: 'nobody@acme.example' }), signal);

    expect(ref.note).toMatch(/no assignee/);
    expect(ref.note).not.toContain('nobody@');
    expect(fake.state.tasks).toMatchObject([{ assignee: null, name: 'Call Acme' }]);
  });

  it('is not given to the user of the token because a row says "me"', async () => {
    const { tasks, fake } = await connected();

    const ref = await tasks.create(taskOf({ assignee: 'me' }), signal);

    expect(ref.note).toMatch(/no assignee/);
    expect(fake.requests.map(({ body }) => body.toString()).join()).not.toContain('assignee');
  });

  it('is refused for what else is wrong with it, also without its assignee, and no value is repeated', async () => {
    const { tasks, fake } = await connected();
    const long = 'secret '.repeat(300);

    const making = tasks.create(
      taskOf({ assignee: 'ada@acme.example', fields: { [asanaFields.account]: long } }),
      signal,
    );

    await expect(making).rejects.toMatchObject({
      code: 'ROW_REJECTED',
      message: expect.not.stringContaining('secret secret'),
    });
    expect(fake.state.tasks).toEqual([]);
  });

  it('is not asked for again, with or without assignee, when nobody knows whether it was made', async () => {
    const { tasks, fake } = await connected();
    fake.next('done-then-reset');

    const making = tasks.create(taskOf({ assignee: 'ada@acme.example' }), signal);

    await expect(making).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(fake.state.tasks).toHaveLength(1);
  });

  it('says that the project is gone when it is', async () => {
    const { tasks, fake } = await connected();
    fake.state.projects.length = 0;

    await expect(tasks.create(taskOf({ assignee: 'ada@acme.example' }), signal)).rejects.toMatchObject({
      code: 'TARGET_GONE',
      fix: expect.any(String),
    });
  });

  it('says that a plan lacks custom fields, which ends the run and not the row', async () => {
    const { tasks, fake } = await connected();
    fake.state.paid = false;

    const making = tasks.create(taskOf({ fields: { [asanaFields.account]: 'Acme' } }), signal);

    await expect(making).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringMatching(/paid plans only.*not available for free/),
      fix: expect.stringContaining('upgrade'),
    });
  });
});

describe('custom fields', () => {
  it('are offered by gid with their name, options by name, and none that can not be filled', async () => {
    const { tasks } = await connected();

    const base = { required: false, key: false };
    expect(await tasks.fields(project)).toEqual([
      { ...base, name: asanaFields.account, label: 'Account', type: 'text' },
      { ...base, name: asanaFields.priority, label: 'Priority', type: 'text', options: ['High', 'Low'] },
      { ...base, name: asanaFields.colours, label: 'Colours', type: 'any' },
      { ...base, name: asanaFields.since, label: 'Customer since', type: 'date' },
      { ...base, name: asanaFields.amount, label: 'Amount', type: 'number' },
      { ...base, name: asanaFields.mark, label: 'Activate mark', type: 'text' },
    ]);
  });

  it('are all read, however many pages there are', async () => {
    const { tasks, fake } = await connected();
    fake.state.pageSize = 2;

    expect(await tasks.fields(project)).toHaveLength(6);
  });

  it('of a project that there is not are an error', async () => {
    const { tasks } = await connected();

    await expect(tasks.fields('1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('are sent with the gids of their options, dates as Asana wants them, null to empty', async () => {
    const { tasks, fake } = await connected();

    await tasks.create(
      taskOf({
        fields: {
          [asanaFields.priority]: 'high',
          [asanaFields.colours]: 'Red, Blue',
          [asanaFields.since]: '2024-02-29',
          [asanaFields.amount]: 12.5,
          [asanaFields.account]: null,
        },
      }),
      signal,
    );

    expect(Object.fromEntries(fake.state.tasks[0]?.fields ?? [])).toEqual({
      [asanaFields.priority]: asanaEnums.high,
      [asanaFields.colours]: [asanaEnums.red, asanaEnums.blue],
      [asanaFields.since]: { date: '2024-02-29' },
      [asanaFields.amount]: 12.5,
      [asanaFields.account]: null,
    });
  });

  it.each(['Someday', 'Urgent-ish'])('take no option %s that is switched off or missing', async (name) => {
    const { tasks, fake } = await connected();

    const making = tasks.create(taskOf({ fields: { [asanaFields.priority]: name } }), signal);

    await expect(making).rejects.toMatchObject({
      code: 'ROW_REJECTED',
      message: expect.not.stringContaining(name),
    });
    expect(fake.to('POST /api/1.0/tasks')).toEqual([]);
  });

  it('are read once a minute, not once a task', async () => {
    const { tasks, fake } = await connected();
    const asked = (): number => fake.to('GET /api/1.0/projects/:project/custom_field_settings').length;
    const task = taskOf({ fields: { [asanaFields.account]: 'Acme' } });

    await tasks.create(task, signal);
    await tasks.create(task, signal);
    const within = asked();
    later(fake.state, 61);
    await tasks.create(task, signal);

    expect([within, asked()]).toEqual([1, 2]);
  });
});

describe('finding a task', () => {
  it('goes through all pages of what changed in the project, and never asks the search', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf(), signal);
    for (const other of ['1', '2', '3', '4']) {
      await tasks.create(taskOf({ mark: other }), signal);
    }
    fake.state.pageSize = 2;
    fake.state.tasks.reverse();

    expect(await tasks.find(project, mark, fake.state.now, signal)).toMatchObject({ id });
    expect(fake.to('GET /api/1.0/tasks')).toHaveLength(3);
    expect(fake.to('GET /api/1.0/tasks')[0]?.query.get('modified_since')).toBe('2026-11-23T11:58:00.000Z');
  });

  it('sees what was made a moment ago, completed or not', async () => {
    const { tasks, fake } = await connected();
    fake.next('done-then-reset');
    await expect(tasks.create(taskOf(), signal)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    (fake.state.tasks[0] as { completed: boolean }).completed = true;

    const found = await tasks.find(project, mark, fake.state.now, signal);

    expect(found?.id).toBe(fake.state.tasks[0]?.gid);
  });

  it('takes the original, not a copy that a person made of it', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf(), signal);
    later(fake.state, 5);
    const [original] = fake.state.tasks;
    fake.state.tasks.unshift({
      ...(original as AsanaState['tasks'][number]),
      gid: '1300000000000099999',
      created_at: fake.state.now.toISOString(),
    });

    expect(await tasks.find(project, mark, fake.state.now, signal)).toMatchObject({ id });
  });

  it('still works after people wrote below the mark', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf(), signal);
    (fake.state.tasks[0] as { notes: string }).notes += '\r\nI called them. Ada';

    expect(await tasks.find(project, mark, fake.state.now, signal)).toMatchObject({ id });
  });

  it('is an error, and not a no, while Asana is limited', async () => {
    const { tasks, fake } = await connected();
    fake.always(limited(45));

    await expect(tasks.find(project, mark, fake.state.now, signal)).rejects.toMatchObject({
      code: 'RATE_LIMITED',
      retryAfterMs: 45_000,
    });
  });
});

describe('a task that is there', () => {
  it('is brought up to date, and keeps its mark', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf(), signal);

    await tasks.update(
      id,
      {
        title: 'Call Acme today',
        body: 'Trial ended.',
        due: '2026-12-02',
        fields: { [asanaFields.priority]: 'Low' },
      },
      signal,
    );

    expect(fake.state.tasks[0]).toMatchObject({
      name: 'Call Acme today',
      notes: `Trial ended.\n\nactivate-${mark}`,
      due_on: '2026-12-02',
    });
    expect(fake.state.tasks[0]?.fields.get(asanaFields.priority)).toBe(asanaEnums.low);
    expect(await tasks.find(project, mark, fake.state.now, signal)).toMatchObject({ id });
  });

  it('keeps its assignee when an update names somebody whom Asana does not know', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf({ assignee: 'ada@acme.example' }), signal);

    await tasks.update(id, { title: 'New', body: '', assignee: 'nobody@acme.example', fields: {} }, signal);

    expect(fake.state.tasks[0]).toMatchObject({ name: 'New', assignee: '1000000000000000001' });
  });

  it('gets comments as plain text', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf(), signal);

    await tasks.comment(id, 'The row is <b>no longer</b> there.', signal);

    expect(fake.state.tasks[0]?.stories).toEqual(['The row is <b>no longer</b> there.']);
  });

  it('is gone when it was deleted or hidden', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf(), signal);

    (fake.state.tasks[0] as { hidden: boolean }).hidden = true;
    const hidden = await tasks.state(id, signal);
    fake.state.tasks.length = 0;

    expect([hidden, await tasks.state(id, signal)]).toEqual(['gone', 'gone']);
  });

  it('is not taken for gone because of a token that is refused', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf(), signal);
    (fake.state as { personalToken: string }).personalToken = 'another';

    await expect(tasks.state(id, signal)).rejects.toMatchObject({ code: 'AUTH_REJECTED' });
  });

  it('is closed even when the first try breaks off, because that does no harm', async () => {
    const { tasks, fake, pauses } = await connected();
    const { id } = await tasks.create(taskOf(), signal);
    fake.next('done-then-reset');

    await tasks.close(id, signal);

    expect(await tasks.state(id, signal)).toBe('closed');
    expect(pauses).toHaveLength(1);
  });
});

describe('the connection', () => {
  it('offers projects by what is typed, without archived ones', async () => {
    const { tasks } = await connected();

    expect(await tasks.projects('customer')).toEqual([{ value: project, label: 'Customer success' }]);
  });

  it.each([
    ['', 400],
    ['paid', 40],
  ])('goes as fast as the plan "%s" lets it: one call in %i ms', async (plan, ms) => {
    const { tasks } = await connected('token', plan === '' ? {} : { plan });

    expect(tasks.limits).toEqual({ rows: 1, concurrency: 4, paceMs: ms });
  });

  it('of an app is refused while it may not read tasks, which would look as if all were gone', async () => {
    const { connection, fake } = await connected('app');
    fake.state.scopes = ['tasks:write'];

    await expect(connection.check('tasks')).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringContaining('tasks:read'),
    });
  });

  it('of an app gets a new token when the hour of the old one is over', async () => {
    const { tasks, fake } = await connected('app');
    await tasks.create(taskOf(), signal);
    fake.state.accessTokens = [];

    await tasks.create(taskOf({ mark: 'other' }), signal);

    expect(fake.to('POST /-/oauth_token')).toHaveLength(2);
    expect(fake.state.tasks).toHaveLength(2);
  });

  it.each([
    [{}, 'token'],
    [{ clientId: '1', clientSecret: 'two' }, 'refreshToken'],
    [{ token: 'one', clientId: '1' }, 'token'],
    [{ token: 'one', baseUrl: 'asana' }, 'baseUrl'],
  ])('of %j is not complete, and says where', async (typed, name) => {
    await expect(openFor(asana, typed as Raw)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { [name]: expect.any(String) },
      fix: expect.any(String),
    });
  });

  it('never sends by the way of the package, which knows no list of hosts', async () => {
    const opened = await openFor(asana, {
      token: 'some-token',
      baseUrl: 'https://asana.example.com',
    });
    open.push(opened);

    await expect(opened.connection.check('tasks')).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringContaining('none of the hosts'),
    });
  });
});
