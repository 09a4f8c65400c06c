import { type Answer, type FakeHttp, type Received, type Routes, startFakeHttp } from './http.ts';
import { errorsIn, freshScreen, isRich, type JiraFlavor } from './jira-screen.ts';

export interface JiraIssue {
  readonly id: string;
  readonly key: string;
  readonly created: Date;
  status: JiraStatus;
  readonly fields: Map<string, unknown>;
  readonly properties: Map<string, unknown>;
  readonly comments: unknown[];
}

type JiraStatus = 'To Do' | 'In Progress' | 'Done' | "Won't do";

export interface JiraPerson {
  readonly id: string;
  readonly email: string;
  /** Whether the profile shows the address. */
  readonly shown: boolean;
  readonly active: boolean;
}

/** What is at Jira. Tests change it as people would. */
export interface JiraState {
  readonly flavor: JiraFlavor;
  readonly issues: JiraIssue[];
  readonly projects: { readonly id: string; readonly key: string; readonly name: string }[];
  readonly people: JiraPerson[];
  /** Who can be given issues. */
  assignable: readonly string[];
  /** Fields of the screens, by id. */
  readonly screen: Map<string, object>;
  readonly email: string;
  token: string;
  /** Requests with another token are answered as those of a stranger, and not refused. */
  lenient: boolean;
  rights: Readonly<Record<string, boolean>>;
  /** How long search does not see a new issue. */
  searchLagMs: number;
  /** Ways out of each status; `asks` are fields that the step wants to be filled. */
  ways: Readonly<
    Record<string, readonly { readonly to: JiraStatus; readonly asks?: Readonly<Record<string, object>> }[]>
  >;
  /** The time at the far side. */
  now: Date;
}

const categories = {
  'To Do': 'new',
  'In Progress': 'indeterminate',
  Done: 'done',
  "Won't do": 'done',
} as const;
export const resolutions = {
  required: true,
  hasDefaultValue: false,
  allowedValues: [
    { id: '1', name: "Won't do" },
    { id: '2', name: 'Done' },
  ],
};

function freshState(flavor: JiraFlavor): JiraState {
  return {
    flavor,
    issues: [],
    projects: [
      { id: '10001', key: 'SUP', name: 'Support' },
      { id: '10002', key: 'BILL', name: 'Billing' },
    ],
    people: [
      { id: 'acc-ada', email: 'ada@acme.example', shown: true, active: true },
      { id: 'acc-adam', email: 'adam@acme.example', shown: true, active: true },
      { id: 'acc-bob', email: 'bob@acme.example', shown: false, active: true },
      { id: 'acc-cleo', email: 'cleo@acme.example', shown: true, active: true },
      { id: 'acc-old', email: 'old@acme.example', shown: true, active: false },
    ],
    assignable: ['acc-ada', 'acc-bob', 'acc-old'],
    screen: freshScreen(),
    email: 'activate@acme.example',
    token: 'token-of-the-user-activate',
    lenient: false,
    rights: {
      CREATE_ISSUES: true,
      EDIT_ISSUES: true,
      TRANSITION_ISSUES: true,
      ADD_COMMENTS: true,
      USER_PICKER: true,
    },
    searchLagMs: 0,
    ways: {
      'To Do': [{ to: 'In Progress' }, { to: "Won't do" }, { to: 'Done' }],
      'In Progress': [{ to: 'To Do' }, { to: 'Done' }],
      Done: [{ to: 'In Progress' }, { to: 'To Do' }],
      "Won't do": [{ to: 'To Do' }],
    },
    now: new Date('2026-11-23T12:00:00Z'),
  };
}

/** Jira of one kind as its reference describes it: Cloud speaks version 3 and documents, Data Center 2 and text. */
export async function startFakeJira(flavor: JiraFlavor): Promise<FakeHttp<JiraState>> {
  const root = `/rest/api/${flavor === 'cloud' ? '3' : '2'}`;
  const routes: Routes<JiraState> = {
    'GET /rest/api/2/serverInfo': () => ({
      json: {
        baseUrl: 'https://acme.atlassian.net',
        deploymentType: flavor === 'cloud' ? 'Cloud' : 'Server',
      },
    }),
    [`GET ${root}/myself`]: () => ({ json: { accountId: 'acc-activate' } }),
    [`GET ${root}/mypermissions`]: ({ query }, { rights }) => ({
      json: {
        permissions: Object.fromEntries(
          (query.get('permissions') ?? '')
            .split(',')
            .map((name) => [name, { havePermission: rights[name] ?? false }]),
        ),
      },
    }),
    [`GET ${root}/issue/createmeta/:project/issuetypes`]: (request, state) =>
      projectOf(request.params['project'], state) === undefined
        ? refused(404, 'No project could be found.')
        : page(request, state, 'issueTypes', [
            { id: '1', name: 'Bug', subtask: false },
            { id: '2', name: 'Task', subtask: false },
            { id: '3', name: 'Sub-task', subtask: true },
          ]),
    [`GET ${root}/issue/createmeta/:project/issuetypes/:type`]: (request, state) =>
      page(
        request,
        state,
        'fields',
        [...state.screen].map(([fieldId, field]) => ({ fieldId, key: fieldId, ...field })),
      ),
    [`GET ${root}/user/search`]: ({ query }, state) => {
      const { people, rights } = state;
      if (rights['USER_PICKER'] !== true) {
        return refused(403, 'You are not authorized to browse users.');
      }
      const asked = query.get(flavor === 'cloud' ? 'query' : 'username');
      return asked === null
        ? refused(400, 'The query parameter is not supported in GDPR strict mode.')
        : {
            json: people
              .filter(
                ({ email, active }) => active && email.startsWith(asked.toLowerCase().split('@')[0] ?? ''),
              )
              .map((person) => shownPerson(person, flavor)),
          };
    },
    [`POST ${root}/issue`]: (request, state) => made(request, state),
    [`GET ${root}/issue/:issue`]: (request, state) =>
      withIssue(request, state, ({ id, key, status }) => ({
        json: { id, key, fields: { status: statusOf(status) } },
      })),
    [`PUT ${root}/issue/:issue`]: (request, state) =>
      withIssue(request, state, (issue) => changed(issue, request, state)),
    [`GET ${root}/issue/:issue/editmeta`]: (request, state) =>
      withIssue(request, state, () => ({ json: { fields: Object.fromEntries(state.screen) } })),
    [`GET ${root}/issue/:issue/properties/:property`]: (request, state) =>
      withIssue(request, state, ({ properties }) => {
        const { property: key = '' } = request.params;
        return properties.has(key)
          ? { json: { key, value: properties.get(key) } }
          : refused(404, 'The property does not exist.');
      }),
    [`POST ${root}/issue/:issue/comment`]: (request, state) =>
      withIssue(request, state, ({ comments }) => {
        const { body } = request.json();
        if (!isRich(body, flavor)) {
          return refused(400, 'Comment body is not valid!');
        }
        comments.push(body);
        return { status: 201, json: { id: String(comments.length) } };
      }),
    [`GET ${root}/issue/:issue/transitions`]: (request, state) =>
      withIssue(request, state, ({ status }) => ({
        json: {
          transitions: (state.ways[status] ?? []).map(({ to, asks = {} }, at) => ({
            id: String(at + 11),
            name: `To ${to}`,
            to: statusOf(to),
            ...(request.query.get('expand') === 'transitions.fields' ? { fields: asks } : {}),
          })),
        },
      })),
    [`POST ${root}/issue/:issue/transitions`]: (request, state) =>
      withIssue(request, state, (issue) => moved(issue, request, state)),
  };
  return startFakeHttp(freshState(flavor), { ...routes, ...lists(root, flavor) }, guard);
}

/** What is found by looking for it, which each kind does at a place of its own. */
function lists(root: string, flavor: JiraFlavor): Routes<JiraState> {
  switch (flavor) {
    case 'cloud':
      return {
        [`POST ${root}/search/jql`]: searched,
        [`GET ${root}/project/search`]: ({ query }, { projects }) => ({
          json: {
            values: projects.filter(({ name, key }) =>
              `${name} ${key}`.toLowerCase().includes((query.get('query') ?? '').toLowerCase()),
            ),
            isLast: true,
          },
        }),
      };
    case 'dc':
      return {
        [`POST ${root}/search`]: searched,
        [`GET ${root}/project`]: (_request, { projects }) => ({ json: projects }),
      };
  }
}

export function refused(
  status: number,
  message: string,
  errors: Readonly<Record<string, string>> = {},
): Answer {
  return { status, json: { errorMessages: message === '' ? [] : [message], errors } };
}

function guard(
  { headers, path }: Received,
  { flavor, email, token, lenient }: JiraState,
): Answer | undefined {
  const wanted =
    flavor === 'cloud' ? `Basic ${Buffer.from(`${email}:${token}`).toString('base64')}` : `Bearer ${token}`;
  if (headers['authorization'] === wanted) {
    return undefined;
  }
  if (!lenient) {
    return { status: 401, json: { message: 'Client must be authenticated to access this resource.' } };
  }
  const reason = { 'x-seraph-loginreason': 'AUTHENTICATED_FAILED' };
  return path.includes('/search')
    ? { headers: reason, json: { issues: [], isLast: true } }
    : { ...refused(404, 'Issue does not exist or you do not have permission to see it.'), headers: reason };
}

/** Sees what was made long enough ago, and understands the one query that we ask. */
function searched(request: Received, state: JiraState): Answer {
  const { jql, fields } = request.json<{ jql: string; fields?: readonly string[] }>();
  const label = /^labels = "([\w-]+)" ORDER BY created ASC$/.exec(jql)?.[1];
  if (label === undefined) {
    return refused(400, `Error in the JQL Query: ${jql}`);
  }
  const found = state.issues
    .filter(({ created }) => created.getTime() + state.searchLagMs <= state.now.getTime())
    .filter((issue) => (issue.fields.get('labels') as readonly string[]).includes(label))
    .sort((a, b) => a.created.getTime() - b.created.getTime());
  return {
    json: {
      issues: found.map(({ id, key }) => (fields === undefined ? { id } : { id, key, fields: {} })),
      ...(state.flavor === 'cloud' ? { isLast: true } : { startAt: 0, total: found.length }),
    },
  };
}

interface Sent {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly properties?: readonly { readonly key: string; readonly value: unknown }[];
  readonly update?: { readonly labels?: readonly { readonly add: string }[] };
}

function made(request: Received, state: JiraState): Answer {
  const { fields, properties = [] } = request.json<Sent>();
  const { project, issuetype, ...rest } = fields as Record<string, { id?: string; key?: string }>;
  const home = projectOf(project?.id ?? project?.key, state);
  if (home === undefined) {
    return refused(400, '', { project: 'valid project is required' });
  }
  if (!['1', '2'].includes(issuetype?.id ?? '')) {
    return refused(400, '', { issuetype: 'The issue type selected is invalid.' });
  }
  const errors = errorsIn(rest, state);
  if (Object.keys(errors).length > 0) {
    return refused(400, '', errors);
  }
  const number = state.issues.length + 1;
  const issue: JiraIssue = {
    id: String(20_000 + number),
    key: `${home.key}-${number}`,
    created: state.now,
    status: 'To Do',
    fields: new Map(Object.entries({ labels: [], ...rest, issuetype: issuetype?.id })),
    properties: new Map(properties.map(({ key, value }) => [key, value])),
    comments: [],
  };
  state.issues.push(issue);
  return { status: 201, json: { id: issue.id, key: issue.key, self: `https://acme/rest/issue/${issue.id}` } };
}

function changed(issue: JiraIssue, request: Received, state: JiraState): Answer {
  const { fields, update } = request.json<Sent>();
  const errors = errorsIn(fields, state);
  if (Object.keys(errors).length > 0) {
    return refused(400, '', errors);
  }
  for (const [name, value] of Object.entries(fields)) {
    issue.fields.set(name, value);
  }
  const labels = (update?.labels ?? []).map(({ add }) => add);
  issue.fields.set('labels', [...new Set([...(issue.fields.get('labels') as readonly string[]), ...labels])]);
  return { status: 204 };
}

function moved(issue: JiraIssue, request: Received, state: JiraState): Answer {
  const { transition, fields = {} } = request.json<{ transition: { id: string }; fields?: object }>();
  const way = state.ways[issue.status]?.[Number(transition.id) - 11];
  if (way === undefined) {
    return refused(400, 'It seems that you have tried to perform a workflow operation that is not valid.');
  }
  const missing = Object.keys(way.asks ?? {}).filter((name) => !(name in fields));
  if (missing.length > 0) {
    return refused(400, '', Object.fromEntries(missing.map((name) => [name, `${name} is required.`])));
  }
  issue.status = way.to;
  for (const [name, value] of Object.entries(fields)) {
    issue.fields.set(name, value);
  }
  return { status: 204 };
}

const statusOf = (name: JiraStatus): object => ({ name, statusCategory: { key: categories[name] } });

function projectOf(idOrKey: string | undefined, { projects }: JiraState) {
  return projects.find(({ id, key }) => id === idOrKey || key === idOrKey);
}

function shownPerson({ id, email, shown, active }: JiraPerson, flavor: JiraFlavor): object {
  return flavor === 'cloud'
    ? { accountId: id, accountType: 'atlassian', active, ...(shown ? { emailAddress: email } : {}) }
    : { name: id, active, emailAddress: email };
}

function withIssue(request: Received, state: JiraState, answer: (issue: JiraIssue) => Answer): Answer {
  const { issue: id } = request.params;
  const found = state.issues.find((issue) => issue.id === id || issue.key === id);
  return found === undefined
    ? refused(404, 'Issue does not exist or you do not have permission to see it.')
    : answer(found);
}

/** Five at a time, so that nobody gets by with the first page. Data Center has names of its own for a page. */
function page({ query }: Received, { flavor }: JiraState, name: string, items: readonly object[]): Answer {
  const startAt = Number(query.get('startAt') ?? 0);
  const some = items.slice(startAt, startAt + 5);
  const facts = { startAt, maxResults: 5, total: items.length };
  return {
    json:
      flavor === 'cloud'
        ? { ...facts, [name]: some }
        : { ...facts, values: some, isLast: startAt + some.length >= items.length },
  };
}
