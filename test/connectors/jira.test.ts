import { afterEach, describe, expect, it } from 'vitest';
import { jira } from '../../connectors/jira/index.ts';
import type { NewTask, Tasks } from '../../engine/contracts/destination.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { destinationContract, type Harness } from '../contracts/destination.ts';
import { partOf } from '../contracts/works.ts';
import type { FakeHttp } from '../fakes/http.ts';
import { type JiraIssue, type JiraState, refused, resolutions, startFakeJira } from '../fakes/jira.ts';
import type { JiraFlavor } from '../fakes/jira-screen.ts';
import { type Opened, openFor } from '../support/connect.ts';

const project = '10001';
const mark = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';
const signal = new AbortController().signal;
const kinds = ['cloud', 'dc'] as const;

const taskOf = (more: Partial<NewTask> = {}): NewTask => ({
  mark,
  project,
  title: 'Call Acme',
  body: 'Trial ends tomorrow.',
  fields: {},
  ...more,
});

const loginOf = (flavor: JiraFlavor, { email, token }: JiraState): Raw =>
  flavor === 'cloud' ? { flavor, email, token } : { flavor, token };

function harness(flavor: JiraFlavor): Harness {
  return {
    connector: jira,
    renewsToken: false,
    start: async () => {
      const fake = await startFakeJira(flavor);
      const config = { ...loginOf(flavor, fake.state), baseUrl: fake.url };
      return {
        fake,
        config,
        wrongConfig: { ...config, token: 'some-other-token' },
        stored: () =>
          fake.state.issues.map(({ fields, properties, ...issue }) => [issue, [...fields], [...properties]]),
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
            fields: { customfield_1: i === bad ? 'x'.repeat(300) : `Account ${i}` },
          }),
        ),
    },
    says: {
      quoting: ({ headers, path, body }) =>
        refused(400, `${JSON.stringify(headers)} ${path} ${body}`, { summary: String(body) }),
    },
  };
}

describe.each(kinds)('%s', (flavor) => {
  destinationContract(`jira, ${flavor}`, harness(flavor));
});

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

async function connected(
  flavor: JiraFlavor = 'cloud',
  more: Raw = {},
): Promise<Opened & { readonly fake: FakeHttp<JiraState>; readonly tasks: Tasks; readonly root: string }> {
  const fake = await startFakeJira(flavor);
  const config = { ...loginOf(flavor, fake.state), baseUrl: fake.url, ...more };
  const opened = await openFor(jira, config, { now: () => fake.state.now });
  open.push(opened, fake);
  const root = `/rest/api/${flavor === 'cloud' ? 3 : 2}`;
  return { ...opened, fake, tasks: partOf(opened.connection, 'tasks'), root };
}

const later = (state: JiraState, ms: number): void => {
  state.now = new Date(state.now.getTime() + ms);
};
const only = ({ issues }: JiraState): JiraIssue => issues[0] as JiraIssue;

describe('a new issue', () => {
  it.each([['cloud', { accountId: 'acc-ada' }] as const, ['dc', { name: 'acc-ada' }] as const])(
    'on %s has its label and its property from the one call that makes it',
    async (flavor, assignee) => {
      const { tasks, fake, root } = await connected(flavor);

      const ref = await tasks.create(taskOf({ assignee: 'ada@acme.example', due: '2026-12-01' }), signal);

      const issue = only(fake.state);
      expect(Object.fromEntries(issue.fields)).toMatchObject({
        summary: 'Call Acme',
        labels: [`activate-${mark}`],
        duedate: '2026-12-01',
        issuetype: '2',
        assignee,
      });
      expect(issue.properties.get('activate')).toEqual({ mark });
      expect(ref).toEqual({ id: issue.id, url: `${fake.url}/browse/SUP-1` });
      expect(fake.requests.filter(({ method }) => method !== 'GET').map(({ path }) => path)).toEqual([
        `${root}/issue`,
      ]);
    },
  );

  it('has its text as a document on Cloud, with lines, paragraphs and links', async () => {
    const { tasks, fake } = await connected('cloud');

    await tasks.create(taskOf({ body: 'One\nTwo https://acme.example/a?b=1.\n\n\nThree' }), signal);

    expect(only(fake.state).fields.get('description')).toEqual({
      type: 'doc',
      version: 1,
      content: [
        {
          type: 'paragraph',
          content: [
            { type: 'text', text: 'One' },
            { type: 'hardBreak' },
            { type: 'text', text: 'Two ' },
            {
              type: 'text',
              text: 'https://acme.example/a?b=1',
              marks: [{ type: 'link', attrs: { href: 'https://acme.example/a?b=1' } }],
            },
            { type: 'text', text: '.' },
          ],
        },
        { type: 'paragraph', content: [{ type: 'text', text: 'Three' }] },
      ],
    });
  });

  it('has its text as text on Data Center, in which nothing mentions anybody', async () => {
    const { tasks, fake } = await connected('dc');

    await tasks.create(taskOf({ body: 'Hi [~admin] {code} !pic.png! really! 5 * 3' }), signal);

    expect(only(fake.state).fields.get('description')).toBe(
      'Hi \\[~admin] \\{code} \\!pic.png! really! 5 * 3',
    );
  });

  it.each(kinds)(
    'on %s with a title longer than 255 characters keeps the whole in its text',
    async (flavor) => {
      const { tasks, fake } = await connected(flavor);
      const title = `${'a'.repeat(253)}😀 and the rest`;

      const ref = await tasks.create(taskOf({ title, body: 'Body' }), signal);

      const { fields } = only(fake.state);
      expect(fields.get('summary')).toBe(`${'a'.repeat(253)}…`);
      expect(JSON.stringify(fields.get('description'))).toContain(title);
      expect(ref.note).toMatch(/cut to 255/);
    },
  );

  it('adds its label to those that the row gives', async () => {
    const { tasks, fake } = await connected();

    await tasks.create(taskOf({ fields: { labels: 'trial, emea' } }), signal);

    expect(only(fake.state).fields.get('labels')).toEqual(['trial', 'emea', `activate-${mark}`]);
  });

  it('is of the type that the connection says, or the row', async () => {
    const { tasks, fake } = await connected('cloud', { issueType: 'bug' });

    await tasks.create(taskOf(), signal);
    await tasks.create(taskOf({ mark: 'other', fields: { issuetype: 'Task' } }), signal);

    expect(fake.state.issues.map(({ fields }) => fields.get('issuetype'))).toEqual(['1', '2']);
  });

  it('is refused for a type that a row makes up, and the run ends for one that the connection does', async () => {
    const { tasks } = await connected();
    const { tasks: wrong } = await connected('cloud', { issueType: 'Epic' });

    await expect(tasks.create(taskOf({ fields: { issuetype: 'Epic' } }), signal)).rejects.toMatchObject({
      code: 'ROW_REJECTED',
    });
    await expect(wrong.fields(project)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fix: 'Choose one of: Bug, Task.',
    });
  });

  it('leaves out a day for which the screen has no place, and says so', async () => {
    const { tasks, fake } = await connected();
    fake.state.screen.delete('duedate');

    const ref = await tasks.create(taskOf({ due: '2026-12-01' }), signal);

    expect(ref.note).toBe('The screen for new issues has no due date, so it was left out.');
    expect(fake.state.issues).toHaveLength(1);
  });

  it('is not made at all where the screen has no labels, because it could not be found again', async () => {
    const { tasks, fake, root } = await connected();
    fake.state.screen.delete('labels');

    const expected = { code: 'CONFIG_INVALID', fix: expect.stringContaining('Labels') };
    await expect(tasks.fields(project)).rejects.toMatchObject(expected);
    await expect(tasks.create(taskOf(), signal)).rejects.toMatchObject(expected);
    expect(fake.to(`POST ${root}/issue`)).toEqual([]);
  });

  it('says that the project is gone, before and after its form was read', async () => {
    const { tasks, fake } = await connected();
    const { tasks: other, fake: otherFake } = await connected();
    await tasks.create(taskOf(), signal);
    fake.state.projects.length = 0;
    otherFake.state.projects.length = 0;

    await expect(tasks.create(taskOf(), signal)).rejects.toMatchObject({ code: 'TARGET_GONE' });
    await expect(other.create(taskOf(), signal)).rejects.toMatchObject({ code: 'TARGET_GONE' });
  });

  it('is refused with the words of Jira by field, and without the value', async () => {
    const { tasks } = await connected();

    const making = tasks.create(taskOf({ fields: { customfield_1: 'secret'.repeat(50) } }), signal);

    await expect(making).rejects.toMatchObject({
      code: 'ROW_REJECTED',
      message: expect.stringMatching(
        /^Jira refuses this issue\. It says: At most 255 characters(?!.*secret)/,
      ),
      fields: { customfield_1: expect.not.stringContaining('secret') },
    });
  });
});

describe('the assignee', () => {
  it.each([
    ['somebody whom nobody knows', 'cloud', 'zoe@acme.example'],
    ['somebody who left', 'cloud', 'old@acme.example'],
    ['somebody who can not be given issues', 'cloud', 'cleo@acme.example'],
    ['somebody whom nobody knows', 'dc', 'zoe@acme.example'],
  ] as const)('that is %s (%s) leaves the issue without, with a note', async (_who, flavor, assignee) => {
    const { tasks, fake } = await connected(flavor);

    const ref = await tasks.create(taskOf({ assignee }), signal);

    expect(ref.note).toMatch(/no assignee/);
    expect(ref.note).not.toContain(assignee);
    expect(fake.state.issues).toHaveLength(1);
    expect(only(fake.state).fields.has('assignee')).toBe(false);
  });

  it('is the one of exactly that address, where the search knows several', async () => {
    const { tasks, fake } = await connected();

    await tasks.create(taskOf({ assignee: 'ADA@acme.example' }), signal);

    expect(only(fake.state).fields.get('assignee')).toEqual({ accountId: 'acc-ada' });
  });

  it('is found though the profile hides its address, where the search has one answer alone', async () => {
    const { tasks, fake } = await connected();

    await tasks.create(taskOf({ assignee: 'bob@acme.example' }), signal);

    expect(only(fake.state).fields.get('assignee')).toEqual({ accountId: 'acc-bob' });
  });

  it('is nobody where the search has several answers that hide their address', async () => {
    const { tasks, fake } = await connected();
    fake.state.people.push({ id: 'acc-bobby', email: 'bobby@acme.example', shown: false, active: true });

    const ref = await tasks.create(taskOf({ assignee: 'bob@acme.example' }), signal);

    expect(ref.note).toMatch(/no assignee/);
    expect(only(fake.state).fields.has('assignee')).toBe(false);
  });

  it('can be given as an account id', async () => {
    const { tasks, fake, root } = await connected();

    await tasks.create(taskOf({ assignee: 'acc-bob' }), signal);

    expect(only(fake.state).fields.get('assignee')).toEqual({ accountId: 'acc-bob' });
    expect(fake.to(`GET ${root}/user/search`)).toEqual([]);
  });

  it('is left out when the user may not look for people', async () => {
    const { tasks, fake } = await connected();
    fake.state.rights = { ...fake.state.rights, USER_PICKER: false };

    expect((await tasks.create(taskOf({ assignee: 'ada@acme.example' }), signal)).note).toMatch(
      /no assignee/,
    );
    expect(fake.state.issues).toHaveLength(1);
  });

  it('is looked up once a minute, not once an issue', async () => {
    const { tasks, fake, root } = await connected();

    await tasks.create(taskOf({ assignee: 'ada@acme.example' }), signal);
    await tasks.create(taskOf({ mark: 'two', assignee: 'ada@acme.example' }), signal);
    later(fake.state, 61_000);
    await tasks.create(taskOf({ mark: 'three', assignee: 'ada@acme.example' }), signal);

    expect(fake.to(`GET ${root}/user/search`)).toHaveLength(2);
  });
});

describe('fields', () => {
  it.each(kinds)('on %s are those of the screen, all pages of it, required ones marked', async (flavor) => {
    const { tasks, fake } = await connected(flavor);
    const account = fake.state.screen.get('customfield_1') ?? {};
    fake.state.screen.set('customfield_1', { ...account, required: true });

    const base = { required: false, key: false };
    expect(await tasks.fields(project)).toEqual([
      { ...base, name: 'issuetype', label: 'Issue type', type: 'text', options: ['Bug', 'Task'] },
      { ...base, name: 'labels', label: 'Labels', type: 'any' },
      { ...base, name: 'priority', label: 'Priority', type: 'text', options: ['Highest', 'Medium'] },
      { ...base, name: 'components', label: 'Components', type: 'any' },
      { ...base, name: 'customfield_1', label: 'Account', type: 'text', maxLength: 255, required: true },
      { ...base, name: 'customfield_2', label: 'Background', type: 'text', maxLength: 32_767 },
      { ...base, name: 'customfield_3', label: 'Seats', type: 'number' },
      { ...base, name: 'customfield_4', label: 'Customer since', type: 'date' },
      { ...base, name: 'customfield_5', label: 'Trial ends', type: 'time' },
      { ...base, name: 'customfield_6', label: 'Team', type: 'text', options: ['Sales', 'Support'] },
      { ...base, name: 'customfield_7', label: 'Teams', type: 'any' },
      { ...base, name: 'customfield_8', label: 'Second owner', type: 'any' },
    ]);
  });

  it('of a project that there is not are an error', async () => {
    const { tasks } = await connected();

    await expect(tasks.fields('999')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('are sent as Jira takes each kind', async () => {
    const { tasks, fake } = await connected();

    await tasks.create(
      taskOf({
        fields: {
          priority: 'highest',
          components: ['API'],
          customfield_2: 'Long\ntext',
          customfield_3: 12.5,
          customfield_4: '2024-02-29',
          customfield_5: '2026-11-23T12:00:00.123456Z',
          customfield_6: 'Support',
          customfield_7: 'Sales, Support',
          customfield_8: '{"accountId": "acc-bob"}',
        },
      }),
      signal,
    );

    expect(Object.fromEntries(only(fake.state).fields)).toMatchObject({
      priority: { id: '1' },
      components: [{ id: '71' }],
      customfield_2: { type: 'doc' },
      customfield_3: 12.5,
      customfield_4: '2024-02-29',
      customfield_5: '2026-11-23T12:00:00.123+0000',
      customfield_6: { id: '502' },
      customfield_7: [{ id: '501' }, { id: '502' }],
      customfield_8: { accountId: 'acc-bob' },
    });
  });

  it('take no option that there is not', async () => {
    const { tasks, fake } = await connected();

    await expect(
      tasks.create(taskOf({ fields: { customfield_6: 'Marketing' } }), signal),
    ).rejects.toMatchObject({
      code: 'ROW_REJECTED',
      message: 'Team has no option of the name that the row gives.',
    });
    expect(fake.state.issues).toEqual([]);
  });
});

describe('finding an issue', () => {
  it.each([
    ['cloud', 300_000],
    ['dc', 30_000],
  ] as const)('on %s needs the wait of %i ms that the engine is told', async (flavor, lagMs) => {
    const { tasks, fake } = await connected(flavor);
    fake.state.searchLagMs = lagMs;
    await tasks.fields(project);
    fake.next('done-then-reset');

    await expect(tasks.create(taskOf(), signal)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    later(fake.state, lagMs - 1);
    const early = await tasks.find(project, mark, fake.state.now, signal);
    later(fake.state, tasks.findLagMs - lagMs + 1);
    const found = await tasks.find(project, mark, fake.state.now, signal);

    expect([early, found?.id]).toEqual([undefined, only(fake.state).id]);
    expect(tasks.findLagMs).toBe(lagMs);
  });

  it('says that nobody knows whether it was made, and makes no second one by itself', async () => {
    const { tasks, fake } = await connected();
    await tasks.create(taskOf({ mark: 'first' }), signal);
    fake.next('done-then-reset');

    await expect(tasks.create(taskOf(), signal)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });

    expect(fake.state.issues).toHaveLength(2);
    expect(await tasks.find(project, mark, fake.state.now, signal)).toEqual({
      id: fake.state.issues[1]?.id,
      url: `${fake.url}/browse/SUP-2`,
    });
  });

  it('is not fooled by a copy, which has the label and not the property', async () => {
    const { tasks, fake } = await connected();
    await tasks.create(taskOf(), signal);
    const original = only(fake.state);
    fake.state.issues.unshift({
      ...original,
      id: '19999',
      created: new Date(original.created.getTime() - 1000),
      properties: new Map(),
    });

    const found = await tasks.find(project, mark, fake.state.now, signal);
    fake.state.issues.pop();

    expect(found?.id).toBe(original.id);
    expect(await tasks.find(project, mark, fake.state.now, signal)).toBeUndefined();
  });

  it('finds it in the project that it was moved to', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf(), signal);
    fake.state.issues[0] = { ...only(fake.state), key: 'BILL-9' };

    expect(await tasks.find(project, mark, fake.state.now, signal)).toEqual({
      id,
      url: `${fake.url}/browse/BILL-9`,
    });
  });

  it('is an error, and not a no, for a token that is over: Jira answers strangers with nothing found', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf(), signal);
    fake.state.token = 'another';
    fake.state.lenient = true;

    const refusal = { code: 'AUTH_REJECTED', fix: expect.any(String) };
    await expect(tasks.find(project, mark, fake.state.now, signal)).rejects.toMatchObject(refusal);
    await expect(tasks.state(id, signal)).rejects.toMatchObject(refusal);
  });

  it('asks who we are before it takes a hidden issue for gone', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf(), signal);
    fake.state.token = 'another';
    fake.next(refused(404, 'Issue does not exist or you do not have permission to see it.'));

    await expect(tasks.state(id, signal)).rejects.toMatchObject({ code: 'AUTH_REJECTED' });
  });

  it('is an error for the page to log in that Data Center answers with', async () => {
    const { tasks, fake } = await connected('dc');
    fake.next({ headers: { 'content-type': 'text/html;charset=UTF-8' }, text: '<html>Log in</html>' });

    await expect(tasks.find(project, mark, fake.state.now, signal)).rejects.toMatchObject({
      code: 'AUTH_REJECTED',
    });
  });
});

describe('an issue that is there', () => {
  it.each(kinds)('on %s is brought up to date, and keeps its labels and its type', async (flavor) => {
    const { tasks, fake } = await connected(flavor);
    const { id } = await tasks.create(taskOf({ fields: { labels: 'trial' } }), signal);

    await tasks.update(
      id,
      {
        title: 'Call Acme\ntoday',
        body: '',
        due: '2026-12-02',
        assignee: 'ada@acme.example',
        fields: { labels: 'late', customfield_6: 'Sales', issuetype: 'Bug' },
      },
      signal,
    );

    expect(Object.fromEntries(only(fake.state).fields)).toMatchObject({
      summary: 'Call Acme today',
      description: null,
      duedate: '2026-12-02',
      labels: ['trial', `activate-${mark}`, 'late'],
      customfield_6: { id: '501' },
      issuetype: '2',
      assignee: flavor === 'cloud' ? { accountId: 'acc-ada' } : { name: 'acc-ada' },
    });
  });

  it('keeps its assignee when an update names somebody who can not be given it', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf({ assignee: 'ada@acme.example' }), signal);

    await tasks.update(id, { title: 'New', body: '', assignee: 'cleo@acme.example', fields: {} }, signal);

    const { fields } = only(fake.state);
    expect([fields.get('summary'), fields.get('assignee')]).toEqual(['New', { accountId: 'acc-ada' }]);
  });

  it('is closed by the plain way, not by "Won\'t do", and opened to the first column', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf(), signal);

    await tasks.close(id, signal);
    const closed = only(fake.state).status;
    await tasks.reopen(id, signal);

    expect([closed, only(fake.state).status]).toEqual(['Done', 'To Do']);
  });

  it('is opened to where work goes on when nothing leads back to the first column', async () => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf(), signal);
    only(fake.state).status = 'Done';
    fake.state.ways = { Done: [{ to: 'In Progress' }] };

    await tasks.reopen(id, signal);

    expect(only(fake.state).status).toBe('In Progress');
  });

  it('is closed with a resolution where the step asks for one', async () => {
    const { tasks, fake } = await connected('dc');
    const { id } = await tasks.create(taskOf(), signal);
    fake.state.ways = { 'To Do': [{ to: 'Done', asks: { resolution: resolutions } }] };

    await tasks.close(id, signal);

    expect(only(fake.state).status).toBe('Done');
    expect(only(fake.state).fields.get('resolution')).toEqual({ id: '2' });
  });

  it.each([
    ['has no step', {}, /no step from where the issue is/],
    [
      'asks for more than we know',
      { 'To Do': [{ to: 'Done', asks: { customfield_9: { required: true } } }] },
      /asks for more than Activate knows: customfield_9/,
    ],
  ] as const)('is refused when the workflow %s', async (_what, ways, message) => {
    const { tasks, fake } = await connected();
    const { id } = await tasks.create(taskOf(), signal);
    fake.state.ways = ways;

    await expect(tasks.close(id, signal)).rejects.toMatchObject({
      code: 'ROW_REJECTED',
      message: expect.stringMatching(message),
    });
  });

  it('is done already when the step was made and its answer was lost', async () => {
    const { tasks, fake, root } = await connected();
    const { id } = await tasks.create(taskOf(), signal);
    fake.next(undefined, undefined, 'done-then-reset');

    await expect(tasks.close(id, signal)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    await tasks.close(id, signal);

    expect(fake.to(`POST ${root}/issue/:issue/transitions`)).toHaveLength(1);
    expect(await tasks.state(id, signal)).toBe('closed');
  });

  it.each([
    ['cloud', { type: 'doc', version: 1 }],
    ['dc', 'Hi \\[~admin]'],
  ] as const)('on %s gets comments as text that mentions nobody', async (flavor, comment) => {
    const { tasks, fake } = await connected(flavor);
    const { id } = await tasks.create(taskOf(), signal);

    await tasks.comment(id, 'Hi [~admin]', signal);

    expect(only(fake.state).comments).toEqual([
      typeof comment === 'string' ? comment : expect.objectContaining(comment),
    ]);
  });
});

describe('limits', () => {
  it('say which of the limits it was', async () => {
    const { tasks, fake } = await connected();
    fake.always({ status: 429, headers: { 'retry-after': '30', 'ratelimit-reason': 'jira-burst-based' } });

    await expect(tasks.state('20001', signal)).rejects.toMatchObject({
      code: 'RATE_LIMITED',
      retryAfterMs: 30_000,
      message: expect.stringContaining('in a second'),
    });
  });

  it('are waited for until the time that Jira names, where it names no seconds', async () => {
    const { tasks, fake } = await connected();
    fake.always({ status: 429, headers: { 'x-ratelimit-reset': '2026-11-23T12:02Z' } });

    await expect(tasks.state('20001', signal)).rejects.toMatchObject({ retryAfterMs: 120_000 });
  });

  it('may come with a status of trouble', async () => {
    const { tasks, fake } = await connected();
    fake.always({ status: 503, headers: { 'retry-after': '60' } });

    await expect(tasks.state('20001', signal)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      retryAfterMs: 60_000,
    });
  });
});

describe('the connection', () => {
  it.each(kinds)('offers projects of %s by what is typed, by an id that stays', async (flavor) => {
    const { tasks } = await connected(flavor);

    expect(await tasks.projects('bil')).toEqual([{ value: '10002', label: 'Billing (BILL)' }]);
    expect(await tasks.projects('SUP')).toEqual([{ value: '10001', label: 'Support (SUP)' }]);
  });

  it('warns about rights that are missing', async () => {
    const { connection, fake } = await connected();
    fake.state.rights = { ...fake.state.rights, TRANSITION_ISSUES: false, USER_PICKER: false };

    expect(await connection.check('tasks')).toEqual([
      'The user may not move issues in any project, so that none can be closed or opened again.',
      'The user may not browse users, so that nobody is found by e-mail address.',
    ]);
  });

  it('notices the other kind of Jira', async () => {
    const fake = await startFakeJira('cloud');
    const opened = await openFor(jira, { flavor: 'dc', token: 'token-of-the-user', baseUrl: fake.url });
    open.push(opened, fake);
    fake.next({ json: { baseUrl: fake.url, deploymentType: 'Cloud' } });

    await expect(opened.connection.check('tasks')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { flavor: 'This is Jira Cloud.' },
    });
  });

  it('notices an address at which there is no Jira', async () => {
    const { connection, fake } = await connected();
    fake.next({ status: 404, text: 'Not here' });

    await expect(connection.check('tasks')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { baseUrl: expect.any(String) },
    });
  });

  it('says that a person has to log in after a CAPTCHA, and does not try again', async () => {
    const { connection, fake } = await connected('dc');
    fake.always({
      status: 401,
      headers: { 'x-authentication-denied-reason': 'CAPTCHA_CHALLENGE; login-url=x' },
    });

    await expect(connection.check('tasks')).rejects.toMatchObject({
      code: 'AUTH_REJECTED',
      fix: expect.stringContaining('browser'),
    });
    expect(fake.requests).toHaveLength(1);
  });

  it('leaves a path of its own in the address, and the page that somebody was on out of it', async () => {
    const fake = await startFakeJira('dc');
    const base = { flavor: 'dc', token: fake.state.token };
    const below = await openFor(jira, { ...base, baseUrl: `${fake.url}/jira/` });
    const page = await openFor(jira, { ...base, baseUrl: `${fake.url}/browse/SUP-1` });
    open.push(below, page, fake);
    fake.next({ status: 404 });

    await below.connection.check('tasks').catch(() => undefined);
    const warnings = await page.connection.check('tasks');

    expect(fake.requests[0]?.path).toBe('/jira/rest/api/2/serverInfo');
    expect(warnings).toEqual([]);
  });

  it('of a token with scopes links to the site, not to the gateway', async () => {
    const fake = await startFakeJira('cloud');
    const { email, token } = fake.state;
    const opened = await openFor(
      jira,
      { flavor: 'cloud', email, token, baseUrl: 'https://api.atlassian.com' },
      { standIns: { 'api.atlassian.com': fake.url } },
    );
    open.push(opened, fake);

    const { url } = await partOf(opened.connection, 'tasks').create(taskOf(), signal);

    expect(url).toBe('https://acme.atlassian.net/browse/SUP-1');
  });

  it.each([
    [{ flavor: 'cloud', token: 'one', baseUrl: 'https://acme.atlassian.net' }, 'email'],
    [{ flavor: 'dc', token: 'one', baseUrl: 'acme' }, 'baseUrl'],
  ])('of %j is not complete, and says where', async (typed, name) => {
    await expect(openFor(jira, typed as Raw)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { [name]: expect.any(String) },
      fix: expect.any(String),
    });
  });
});
