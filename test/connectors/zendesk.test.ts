import { afterEach, describe, expect, it } from 'vitest';
import { zendesk } from '../../connectors/zendesk/index.ts';
import type { NewTask, Tasks } from '../../engine/contracts/destination.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { destinationContract, type Harness } from '../contracts/destination.ts';
import { partOf } from '../contracts/works.ts';
import { type FakeHttp, limited } from '../fakes/http.ts';
import { startFakeZendesk, type ZendeskState, type ZendeskTicket, zendeskIds } from '../fakes/zendesk.ts';
import { type Opened, openFor } from '../support/connect.ts';

const project = zendeskIds.group;
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

type Ways = 'client' | 'token';
const loginOf = (way: Ways, { client, login }: ZendeskState): Raw =>
  way === 'client' ? { clientId: client.id, clientSecret: client.secret } : { ...login };

function harness(way: Ways): Harness {
  return {
    connector: zendesk,
    renewsToken: way === 'client',
    start: async () => {
      const fake = await startFakeZendesk();
      const config = { subdomain: 'acme', ...loginOf(way, fake.state), baseUrl: fake.url };
      return {
        fake,
        config,
        wrongConfig: {
          ...config,
          ...(way === 'client' ? { clientSecret: 'some-other-secret' } : { token: 'some-other-token' }),
        },
        stored: () => fake.state.tickets.map(({ custom, ...ticket }) => [ticket, [...custom]]),
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
            fields: { [zendeskIds.account]: i === bad ? 'x'.repeat(2000) : `Account ${i}` },
          }),
        ),
    },
    says: {
      quoting: ({ headers, path, body }) => ({
        status: 422,
        json: {
          error: 'RecordInvalid',
          description: String(body),
          details: { base: [{ description: `${JSON.stringify(headers)} ${path} ${body}` }] },
        },
      }),
    },
  };
}

destinationContract('zendesk, as an OAuth client', harness('client'));
destinationContract('zendesk, with an API token', harness('token'));

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

async function connected(
  more: Raw = {},
): Promise<Opened & { readonly fake: FakeHttp<ZendeskState>; readonly tasks: Tasks }> {
  const fake = await startFakeZendesk();
  const config = { subdomain: 'acme', ...loginOf('client', fake.state), baseUrl: fake.url, ...more };
  const opened = await openFor(zendesk, config, { now: () => fake.state.now });
  open.push(opened, fake);
  return { ...opened, fake, tasks: partOf(opened.connection, 'tasks') };
}

const later = (state: ZendeskState, minutes: number): void => {
  state.now = new Date(state.now.getTime() + minutes * 60_000);
};
const only = ({ tickets }: ZendeskState): ZendeskTicket => {
  expect(tickets).toHaveLength(1);
  return tickets[0] as ZendeskTicket;
};

describe('a new ticket', () => {
  it('holds subject, text, day, assignee and its mark, and tells nobody outside', async () => {
    const { tasks, fake } = await connected();

    const ref = await tasks.create(taskOf({ assignee: 'ada@acme.example', due: '2026-12-01' }), signal);

    const ticket = only(fake.state);
    expect(ticket).toMatchObject({
      subject: 'Call Acme',
      comments: [{ body: 'Trial ends tomorrow.\nThey have 40 seats.', public: false }],
      type: 'task',
      due_at: '2026-12-01T12:00:00Z',
      assignee_id: zendeskIds.ada,
      group_id: Number(project),
      external_id: `activate-${mark}`,
    });
    expect(ref).toEqual({
      id: String(ticket.id),
      url: `https://acme.zendesk.com/agent/tickets/${ticket.id}`,
    });
  });

  it('is written to its requester when the connection says so, who gets a name', async () => {
    const { tasks, fake } = await connected({ firstComment: 'public' });

    await tasks.create(taskOf({ fields: { requester: 'eve@customer.example' } }), signal);

    expect(only(fake.state)).toMatchObject({
      requester: 'eve@customer.example',
      comments: [{ public: true }],
    });
    expect(fake.to('POST /api/v2/tickets')[0]?.json()).toMatchObject({
      ticket: { requester: { email: 'eve@customer.example', name: 'eve@customer.example' } },
    });
  });

  it('has its subject for a text when it has none, which Zendesk would refuse', async () => {
    const { tasks, fake } = await connected();

    await tasks.create(taskOf({ body: '' }), signal);

    expect(only(fake.state).comments).toEqual([{ body: 'Call Acme', public: false }]);
  });

  it('is made once when an answer is lost, because it is asked for with the same key and bytes', async () => {
    const { tasks, fake, pauses } = await connected();
    await tasks.projects('');
    fake.next('done-then-reset');

    const { id } = await tasks.create(taskOf(), signal);

    const asked = fake.to('POST /api/v2/tickets');
    expect(id).toBe(String(only(fake.state).id));
    expect(pauses).toHaveLength(1);
    expect(asked.map(({ headers }) => headers['idempotency-key'])).toEqual(
      Array.from({ length: 2 }, () => `activate-${mark}`),
    );
    expect(new Set(asked.map(({ body }) => body.toString())).size).toBe(1);
  });

  it('of a row that has changed meanwhile is looked for, not made again with other contents', async () => {
    const { tasks, fake } = await connected();
    await tasks.create(taskOf(), signal);

    const again = tasks.create(taskOf({ title: 'Call Acme today' }), signal);

    await expect(again).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(await tasks.find(project, mark, fake.state.now, signal)).toMatchObject({
      id: String(only(fake.state).id),
    });
  });

  it('is found by its mark after the two hours for which Zendesk knows its key', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf(), signal);
    later(fake.state, 121);

    expect(await tasks.find(project, mark, fake.state.now, signal)).toMatchObject({ id });
    await tasks.create(taskOf(), signal);
    expect(fake.state.tickets).toHaveLength(2);
    expect(await tasks.find(project, mark, fake.state.now, signal)).toMatchObject({ id });
  });

  it.each([
    ['nobody of that address', 'nobody@acme.example'],
    ['an agent of another group', 'bob@acme.example'],
    ['a customer', 'eve@customer.example'],
    ['a part of an address', 'da@acme.example'],
    ['what is no address', 'role:agent'],
  ])('has no assignee, and says so, for %s', async (_what, assignee) => {
    const { tasks, fake } = await connected();

    const ref = await tasks.create(taskOf({ assignee }), signal);

    expect(ref.note).toMatch(/no assignee/);
    expect(ref.note).not.toContain(assignee);
    expect(only(fake.state)).toMatchObject({ assignee_id: null, subject: 'Call Acme' });
  });

  it('is looked up once a minute for whom it is, not once a ticket', async () => {
    const { tasks, fake } = await connected();

    await tasks.create(taskOf({ assignee: 'ada@acme.example' }), signal);
    await tasks.create(taskOf({ mark: 'other', assignee: 'ada@acme.example' }), signal);

    expect(fake.to('GET /api/v2/users/search')).toHaveLength(1);
  });

  it('has no day, and says so, when a row makes it something else than a task', async () => {
    const { tasks, fake } = await connected();

    const ref = await tasks.create(taskOf({ due: '2026-12-01', fields: { type: 'incident' } }), signal);

    expect(ref.note).toMatch(/Only tickets of the type task/);
    expect(only(fake.state)).toMatchObject({ type: 'incident', due_at: null });
  });

  it('is refused for what is wrong with it, and no value is repeated', async () => {
    const { tasks, fake } = await connected();
    const long = 'secret '.repeat(300);

    const making = tasks.create(taskOf({ fields: { [zendeskIds.account]: long } }), signal);

    await expect(making).rejects.toMatchObject({
      code: 'ROW_REJECTED',
      message: expect.not.stringContaining('secret secret'),
    });
    await expect(making).rejects.toThrow(/Account/);
    expect(fake.state.tickets).toEqual([]);
  });

  it('says that the group is gone when it is', async () => {
    const { tasks, fake } = await connected();
    for (const group of fake.state.groups) {
      group.deleted = true;
    }

    await expect(tasks.create(taskOf(), signal)).rejects.toMatchObject({
      code: 'TARGET_GONE',
      fix: expect.any(String),
    });
  });
});

describe('fields', () => {
  it('are those of every ticket and active custom ones by id, options by name and by tag', async () => {
    const { tasks, fake } = await connected();
    fake.state.pageSize = 3;

    const fields = await tasks.fields(project);

    expect(fields.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'priority text',
      'type text',
      'tags any',
      'requester text',
      'requester_name text',
      `${zendeskIds.account} text`,
      `${zendeskIds.plan} text`,
      `${zendeskIds.products} any`,
      `${zendeskIds.since} date`,
      `${zendeskIds.seats} integer`,
      `${zendeskIds.vip} boolean`,
    ]);
    expect(fields.find(({ name }) => name === zendeskIds.plan)).toMatchObject({
      label: 'Plan',
      options: ['Normal', 'plan_normal', 'Plan::Gold', 'plan_gold'],
    });
  });

  it.each(['1', 'success'])('of a group %s that there is not are an error', async (group) => {
    const { tasks } = await connected();

    await expect(tasks.fields(group)).rejects.toMatchObject({
      code: expect.stringMatching(/NOT_FOUND|TARGET_GONE/),
    });
  });

  it('are sent as Zendesk takes them: the tags of options, tags without spaces, null to empty', async () => {
    const { tasks, fake } = await connected();

    await tasks.create(
      taskOf({
        fields: {
          priority: 'high',
          tags: 'Trial Ends, big',
          [zendeskIds.plan]: 'plan::gold',
          [zendeskIds.products]: ['Bot', 'product_desk'],
          [zendeskIds.since]: '2024-02-29',
          [zendeskIds.seats]: 40,
          [zendeskIds.vip]: true,
          [zendeskIds.account]: null,
        },
      }),
      signal,
    );

    const { custom, ...ticket } = only(fake.state);
    expect(ticket).toMatchObject({ priority: 'high', tags: ['trial_ends', 'big'] });
    expect(Object.fromEntries(custom)).toEqual({
      [zendeskIds.plan]: 'plan_gold',
      [zendeskIds.products]: ['product_bot', 'product_desk'],
      [zendeskIds.since]: '2024-02-29',
      [zendeskIds.seats]: 40,
      [zendeskIds.vip]: true,
      [zendeskIds.account]: null,
    });
  });

  it('take no option that there is not, and repeat no value', async () => {
    const { tasks, fake } = await connected();

    const making = tasks.create(taskOf({ fields: { [zendeskIds.plan]: 'Platinum' } }), signal);

    await expect(making).rejects.toMatchObject({
      code: 'ROW_REJECTED',
      message: expect.not.stringContaining('Platinum'),
    });
    expect(fake.to('POST /api/v2/tickets')).toEqual([]);
  });
});

describe('a ticket that is there', () => {
  const change = { title: 'Call Acme today', body: 'Trial ended.', fields: {} };

  it('is brought up to date; another text comes as a note, once', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf(), signal);

    await tasks.update(id, { ...change, assignee: 'ada@acme.example', due: '2026-12-02' }, signal);
    await tasks.update(id, change, signal);

    expect(only(fake.state)).toMatchObject({
      subject: 'Call Acme today',
      assignee_id: zendeskIds.ada,
      due_at: '2026-12-02T12:00:00Z',
      external_id: `activate-${mark}`,
      comments: [{ public: false }, { body: 'The text has changed:\n\nTrial ended.', public: false }],
    });
  });

  it('gets no note when its text is what it was', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf({ body: 'One  \n\n\nTwo ' }), signal);

    await tasks.update(id, { title: 'New', body: 'One  \n\n\nTwo ', fields: {} }, signal);

    expect(only(fake.state)).toMatchObject({ subject: 'New', comments: [{}] });
  });

  it('gets one note for an update whose answer was lost and that is made again', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf(), signal);
    fake.next(undefined, undefined, 'done-then-reset');

    await expect(tasks.update(id, change, signal)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    await tasks.update(id, change, signal);

    expect(only(fake.state).comments).toHaveLength(2);
  });

  it('keeps the tags that people gave it', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf({ fields: { tags: 'trial' } }), signal);
    only(fake.state).tags.push('vip');

    await tasks.update(id, { ...change, fields: { tags: 'Trial,late' } }, signal);

    expect(only(fake.state).tags).toEqual(['trial', 'vip', 'late']);
  });

  it('is not written over when somebody changes it in the same moment', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf(), signal);
    fake.next(undefined, undefined, (request) => {
      only(fake.state).tags.push('vip');
      only(fake.state).updated_at = '2026-11-23T12:00:01Z';
      const { ticket } = request.json<{ ticket: { updated_stamp: string } }>();
      expect(ticket.updated_stamp).toBe('2026-11-23T12:00:00.000Z');
      return { status: 409, json: { error: 'UpdateConflict' } };
    });

    await expect(tasks.update(id, { ...change, fields: { tags: 'late' } }, signal)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      retryAfterMs: 1000,
    });
  });

  it('gets a comment for agents only, once when its answer was lost', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf(), signal);
    fake.next(undefined, 'done-then-reset');

    await expect(tasks.comment(id, 'The row is back.', signal)).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
    });
    await tasks.comment(id, 'The row is back.', signal);

    expect(only(fake.state).comments.slice(1)).toEqual([{ body: 'The row is back.', public: false }]);
  });

  it.each([
    [true, null],
    [false, zendeskIds.me],
  ])(
    'is solved though nobody has it (Zendesk gives it to us by itself: %s)',
    async (autoAssign, assignee) => {
      const { tasks, fake } = await connected();
      fake.state.autoAssign = autoAssign;
      const { id } = await tasks.create(taskOf(), signal);

      await tasks.close(id, signal);
      await tasks.close(id, signal);

      expect(only(fake.state)).toMatchObject({ status: 'solved', assignee_id: assignee });
      expect(await tasks.state(id, signal)).toBe('closed');
    },
  );

  it('that Zendesk has closed for good is closed, and is not opened again', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf(), signal);
    only(fake.state).status = 'closed';

    await tasks.close(id, signal);

    expect(await tasks.state(id, signal)).toBe('closed');
    await expect(tasks.reopen(id, signal)).rejects.toMatchObject({ code: 'ROW_REJECTED' });
  });

  it('is gone when it was deleted or hidden', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf(), signal);

    only(fake.state).hidden = true;
    const hidden = await tasks.state(id, signal);
    fake.state.tickets.length = 0;

    expect([hidden, await tasks.state(id, signal)]).toEqual(['gone', 'gone']);
  });

  it('is not taken for gone because we may read no tickets at all any more', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf(), signal);
    fake.state.mayRead = false;

    await expect(tasks.state(id, signal)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
  });

  it('is not found while Zendesk is limited: that is an error, and not a no', async () => {
    const { tasks, fake } = await connected();
    await tasks.projects('');
    fake.always(limited(45));

    await expect(tasks.find(project, mark, fake.state.now, signal)).rejects.toMatchObject({
      code: 'RATE_LIMITED',
      retryAfterMs: 45_000,
    });
  });
});

describe('the connection', () => {
  it('offers groups by what is typed, without deleted ones, however many pages there are', async () => {
    const { tasks, fake } = await connected();
    fake.state.pageSize = 1;

    expect(await tasks.projects('success')).toEqual([{ value: project, label: 'Customer success' }]);
    expect(fake.to('GET /api/v2/groups/assignable')).toHaveLength(3);
  });

  it('uses half of what the smallest plan has unless it is told otherwise', async () => {
    expect((await connected()).tasks.limits.paceMs).toBe(600);
    expect((await connected({ requestsPerMinute: '600' })).tasks.limits.paceMs).toBe(100);
  });

  it.each([
    [{ id: null, role: null, ticket_restriction: null }, 'AUTH_REJECTED'],
    [{ id: 5, role: 'end-user', ticket_restriction: null }, 'PERMISSION_DENIED'],
  ])('is refused for a stranger or a customer: %j', async (me, code) => {
    const { connection, fake } = await connected();
    fake.state.me = me as ZendeskState['me'];

    await expect(connection.check('tasks')).rejects.toMatchObject({ code, fix: expect.any(String) });
  });

  it('warns of an agent who does not see all tickets', async () => {
    const { connection, fake } = await connected();
    fake.state.me = { ...fake.state.me, ticket_restriction: 'groups' };

    expect(await connection.check('tasks')).toEqual([expect.stringContaining('taken for gone')]);
  });

  it('says that there is no such subdomain', async () => {
    const { connection, fake } = await connected({
      ...{ clientId: '', clientSecret: '' },
      email: 'activate@acme.example',
      token: 'api-token-of-acme',
    });
    fake.always({ status: 404, text: '<html>No such help desk</html>' });

    await expect(connection.check('tasks')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { subdomain: expect.any(String) },
    });
  });

  it.each([
    [{ subdomain: 'acme' }, 'clientId'],
    [{ subdomain: 'acme', clientId: 'one' }, 'clientSecret'],
    [{ subdomain: 'acme', token: 'one' }, 'email'],
    [
      { subdomain: 'acme', clientId: 'one', clientSecret: 'two', token: 'three', email: 'a@b.example' },
      'token',
    ],
    [{ subdomain: 'acme.example.com', clientId: 'one', clientSecret: 'two' }, 'subdomain'],
    [{ subdomain: 'acme', clientId: 'one', clientSecret: 'two', baseUrl: 'zendesk' }, 'baseUrl'],
  ])('of %j is not complete, and says where', async (typed, name) => {
    await expect(openFor(zendesk, typed as Raw)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { [name]: expect.any(String) },
      fix: expect.any(String),
    });
  });

  it.each(['acme', 'acme.zendesk.com', 'https://Acme.zendesk.com/agent/dashboard'])(
    'takes %s for the subdomain acme',
    async (subdomain) => {
      const { tasks } = await connected({ subdomain });

      expect((await tasks.create(taskOf(), signal)).url).toMatch(/^https:\/\/acme\.zendesk\.com\/agent/);
    },
  );
});
