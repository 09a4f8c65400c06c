import { type Answer, type FakeHttp, type Received, startFakeHttp } from './http.ts';

export interface AsanaOption {
  readonly gid: string;
  readonly name: string;
  readonly enabled: boolean;
}

export interface AsanaField {
  readonly gid: string;
  readonly name: string;
  readonly resource_subtype: string;
  readonly enum_options?: readonly AsanaOption[];
  readonly is_formula_field?: boolean;
}

export interface AsanaTask {
  readonly gid: string;
  readonly created_at: string;
  modified_at: string;
  name: string;
  notes: string;
  completed: boolean;
  due_on: string | null;
  assignee: string | null;
  readonly projects: readonly string[];
  readonly fields: Map<string, unknown>;
  /** The value that an app of its own keeps with the task. */
  readonly external: string | null;
  readonly stories: string[];
  /** Only for some of the people. */
  hidden: boolean;
}

/** What is at Asana. Tests change it as people would. */
export interface AsanaState {
  readonly tasks: AsanaTask[];
  readonly fields: AsanaField[];
  readonly projects: { readonly gid: string; readonly name: string; readonly archived: boolean }[];
  readonly people: { readonly gid: string; readonly email: string }[];
  /** By client id and secret; an app is let in with its refresh token. */
  readonly app: { readonly id: string; readonly secret: string; readonly refreshToken: string };
  readonly personalToken: string;
  accessTokens: string[];
  /** What the app may do. */
  scopes: readonly string[];
  paid: boolean;
  pageSize: number;
  /** The time at the far side. */
  now: Date;
}

export const asanaEnums = {
  high: '1200000000000000011',
  low: '1200000000000000012',
  gone: '1200000000000000013',
  red: '1200000000000000021',
  blue: '1200000000000000022',
} as const;
export const asanaFields = {
  account: '1200000000000000001',
  priority: '1200000000000000002',
  colours: '1200000000000000003',
  since: '1200000000000000004',
  amount: '1200000000000000005',
  mark: '1200000000000000006',
} as const;

function freshState(): AsanaState {
  const option = (gid: string, name: string, enabled = true): AsanaOption => ({ gid, name, enabled });
  return {
    tasks: [],
    fields: [
      { gid: asanaFields.account, name: 'Account', resource_subtype: 'text' },
      {
        gid: asanaFields.priority,
        name: 'Priority',
        resource_subtype: 'enum',
        enum_options: [
          option(asanaEnums.high, 'High'),
          option(asanaEnums.low, 'Low'),
          option(asanaEnums.gone, 'Someday', false),
        ],
      },
      {
        gid: asanaFields.colours,
        name: 'Colours',
        resource_subtype: 'multi_enum',
        enum_options: [option(asanaEnums.red, 'Red'), option(asanaEnums.blue, 'Blue')],
      },
      { gid: asanaFields.since, name: 'Customer since', resource_subtype: 'date' },
      { gid: asanaFields.amount, name: 'Amount', resource_subtype: 'number' },
      { gid: asanaFields.mark, name: 'Activate mark', resource_subtype: 'text' },
      { gid: '1200000000000000007', name: 'Owner', resource_subtype: 'people' },
      { gid: '1200000000000000008', name: 'Score', resource_subtype: 'number', is_formula_field: true },
    ],
    projects: [
      { gid: '1100000000000000001', name: 'Customer success', archived: false },
      { gid: '1100000000000000002', name: 'Customer success 2024', archived: true },
      { gid: '1100000000000000003', name: 'Billing', archived: false },
    ],
    people: [{ gid: '1000000000000000001', email: 'ada@acme.example' }],
    app: { id: '1199999', secret: 'app-secret-of-acme', refreshToken: '2/refresh-token-of-acme' },
    personalToken: '2/personal-access-token-of-acme',
    accessTokens: [],
    scopes: ['tasks:read', 'tasks:write', 'stories:write'],
    paid: true,
    pageSize: 100,
    now: new Date('2026-11-23T12:00:00Z'),
  };
}

/** Asana as its reference describes it, without search: that would not see the newest tasks. */
export async function startFakeAsana(): Promise<FakeHttp<AsanaState>> {
  let issued = 0;
  return startFakeHttp<AsanaState>(
    freshState(),
    {
      'POST /-/oauth_token': ({ body }, state) => {
        const given = new URLSearchParams(body.toString());
        const { id, secret, refreshToken } = state.app;
        if (given.get('client_id') !== id || given.get('client_secret') !== secret) {
          return { status: 401, json: { error: 'invalid_client' } };
        }
        if (given.get('grant_type') !== 'refresh_token' || given.get('refresh_token') !== refreshToken) {
          return { status: 400, json: { error: 'invalid_grant' } };
        }
        issued += 1;
        state.accessTokens.push(`access-token-number-${issued}`);
        return { json: { access_token: state.accessTokens.at(-1), expires_in: 3600, token_type: 'bearer' } };
      },
      'GET /api/1.0/users/me': () => ({ json: { data: { gid: '1000000000000000009' } } }),
      'GET /api/1.0/workspaces': () => ({
        json: { data: [{ gid: '1050000000000000001', name: 'Acme' }], next_page: null },
      }),
      'GET /api/1.0/workspaces/:workspace/typeahead': ({ query }, { projects }) => ({
        json: {
          data: projects
            .filter(({ name }) => name.toLowerCase().includes((query.get('query') ?? '').toLowerCase()))
            .map((project) => picked(project, query)),
        },
      }),
      'GET /api/1.0/projects/:project/custom_field_settings': (request, state) =>
        state.projects.some(({ gid }) => gid === request.params['project'])
          ? page(
              state.fields.map((field) => ({ gid: `s${field.gid}`, custom_field: field })),
              request,
              state,
            )
          : refused(404, `project: Unknown object: ${request.params['project']}`),
      'GET /api/1.0/tasks': (request, state) => {
        const { query } = request;
        if (!query.has('project')) {
          return refused(400, 'project: Missing input');
        }
        const since = Date.parse(query.get('modified_since') ?? '');
        const found = state.tasks.filter(
          ({ projects, modified_at, hidden }) =>
            projects.includes(query.get('project') ?? '') && Date.parse(modified_at) >= since && !hidden,
        );
        return page(
          found.map((task) => shown(task, state)),
          request,
          state,
        );
      },
      'POST /api/1.0/tasks': (request, state) => made(request, state),
      'GET /api/1.0/tasks/:task': (request, state) => {
        if (byApp(request, state) && !state.scopes.includes('tasks:read')) {
          return refused(403, 'The app has no scope tasks:read.');
        }
        return withTask(request, state, (task) => ({
          json: { data: picked(shown(task, state), request.query) },
        }));
      },
      'PUT /api/1.0/tasks/:task': (request, state) =>
        withTask(request, state, (task) => changed(task, request, state)),
      'POST /api/1.0/tasks/:task/stories': (request, state) =>
        withTask(request, state, (task) => {
          task.stories.push(request.json<{ data: { text: string } }>().data.text);
          return { status: 201, json: { data: { gid: `${task.gid}${task.stories.length}` } } };
        }),
    },
    ({ path, headers }, state) => {
      const token = (headers['authorization'] ?? '').replace('Bearer ', '');
      return path === '/-/oauth_token' || [state.personalToken, ...state.accessTokens].includes(token)
        ? undefined
        : { status: 401, json: { errors: [{ message: 'Not Authorized' }] } };
    },
  );
}

export function refused(status: number, message: string): Answer {
  return { status, json: { errors: [{ message, help: 'See the docs on errors.' }] } };
}

interface Sent {
  readonly name?: string;
  readonly notes?: string;
  readonly completed?: boolean;
  readonly due_on?: string;
  readonly assignee?: string;
  readonly projects?: readonly string[];
  readonly custom_fields?: Readonly<Record<string, unknown>>;
  readonly external?: { readonly gid: string };
}

function made(request: Received, state: AsanaState): Answer {
  const { data } = request.json<{ data: Sent }>();
  const project = state.projects.find(({ gid }) => data.projects?.includes(gid));
  if (project === undefined) {
    return refused(404, `projects: Unknown object: ${data.projects?.[0]}`);
  }
  if (data.external !== undefined && !byApp(request, state)) {
    return refused(400, 'external: This is for apps only.');
  }
  const refusal = refusalOf(data, state);
  if (refusal !== undefined) {
    return refusal;
  }
  const at = state.now.toISOString();
  const task: AsanaTask = {
    gid: `13000000000000${String(state.tasks.length + 1).padStart(5, '0')}`,
    created_at: at,
    modified_at: at,
    name: '',
    notes: '',
    completed: false,
    due_on: null,
    assignee: null,
    projects: [project.gid],
    fields: new Map(),
    external: data.external?.gid ?? null,
    stories: [],
    hidden: false,
  };
  state.tasks.push(task);
  apply(task, data, state);
  return { status: 201, json: { data: picked(shown(task, state), request.query) } };
}

function changed(task: AsanaTask, request: Received, state: AsanaState): Answer {
  const { data } = request.json<{ data: Sent }>();
  const refusal = refusalOf(data, state);
  if (refusal !== undefined) {
    return refusal;
  }
  apply(task, data, state);
  task.modified_at = state.now.toISOString();
  return { json: { data: picked(shown(task, state), request.query) } };
}

function apply(task: AsanaTask, data: Sent, state: AsanaState): void {
  const { custom_fields = {}, projects: _projects, external: _external, assignee, ...plain } = data;
  Object.assign(task, plain);
  if (assignee !== undefined) {
    task.assignee =
      state.people.find(({ gid, email }) => gid === assignee || email === assignee)?.gid ?? null;
  }
  for (const [gid, value] of Object.entries(custom_fields)) {
    task.fields.set(gid, value);
  }
}

/** One wrong value refuses the whole task. */
function refusalOf(data: Sent, { people, fields, paid }: AsanaState): Answer | undefined {
  const { assignee, due_on, custom_fields = {} } = data;
  if (Object.keys(custom_fields).length > 0 && !paid) {
    return refused(402, 'Custom Fields are not available for free users or guests.');
  }
  if (assignee !== undefined && !people.some(({ gid, email }) => gid === assignee || email === assignee)) {
    return refused(400, `assignee: Not a recognized user: ${assignee}`);
  }
  if (due_on !== undefined && !/^\d{4}-\d\d-\d\d$/.test(due_on)) {
    return refused(400, `due_on: Not a valid date: ${due_on}`);
  }
  for (const [gid, value] of Object.entries(custom_fields)) {
    const field = fields.find((one) => one.gid === gid);
    if (field === undefined) {
      return refused(400, `custom_fields: Unknown custom field: ${gid}`);
    }
    if (value !== null && !takes(field, value)) {
      return refused(400, `custom_fields: ${field.name} does not take ${JSON.stringify(value)}`);
    }
  }
  return undefined;
}

function takes({ resource_subtype, enum_options = [] }: AsanaField, value: unknown): boolean {
  const isOption = (gid: unknown): boolean => enum_options.some((one) => one.gid === gid && one.enabled);
  switch (resource_subtype) {
    case 'text':
      return typeof value === 'string' && value.length <= 1024;
    case 'number':
      return typeof value === 'number';
    case 'date':
      return /^\d{4}-\d\d-\d\d$/.test(String((value as { readonly date?: string }).date));
    case 'enum':
      return isOption(value);
    case 'multi_enum':
      return Array.isArray(value) && value.every(isOption);
    default:
      return false;
  }
}

function byApp({ headers }: Received, { accessTokens }: AsanaState): boolean {
  return accessTokens.includes((headers['authorization'] ?? '').replace('Bearer ', ''));
}

/** An app finds its own tasks by the value that it gave them; nobody else does. */
function withTask(request: Received, state: AsanaState, answer: (task: AsanaTask) => Answer): Answer {
  const id = request.params['task'] ?? '';
  const external = /^external:(.+)$/.exec(id)?.[1];
  const task = state.tasks.find((one) =>
    external === undefined ? one.gid === id : byApp(request, state) && one.external === external,
  );
  if (task === undefined) {
    return refused(404, `task: Unknown object: ${id}`);
  }
  return task.hidden ? refused(403, 'task: Not authorized to access this task.') : answer(task);
}

function shown(task: AsanaTask, { fields }: AsanaState): Record<string, unknown> {
  const { gid, name, notes, completed, due_on, created_at, modified_at } = task;
  return {
    ...{ gid, name, notes, completed, due_on, created_at, modified_at },
    permalink_url: `https://app.asana.com/0/1/${gid}`,
    custom_fields: fields.map((field) => {
      const value = task.fields.get(field.gid) ?? null;
      return { ...field, ...(field.resource_subtype === 'text' ? { text_value: value } : {}) };
    }),
  };
}

function page(items: readonly object[], { query }: Received, { pageSize }: AsanaState): Answer {
  const size = Math.min(Number(query.get('limit') ?? 20), pageSize);
  const at = Number((query.get('offset') ?? 'at-0').slice(3));
  const rest = at + size < items.length ? { offset: `at-${at + size}` } : null;
  return {
    json: { data: items.slice(at, at + size).map((item) => picked(item, query)), next_page: rest },
  };
}

/** Asana leaves out what `opt_fields` does not name. */
function picked(item: object, query: URLSearchParams): unknown {
  return pick(
    item,
    (query.get('opt_fields') ?? '').split(',').map((path) => path.split('.')),
  );
}

function pick(item: unknown, paths: readonly (readonly string[])[]): unknown {
  if (Array.isArray(item)) {
    return item.map((one) => pick(one, paths));
  }
  if (typeof item !== 'object' || item === null) {
    return item;
  }
  return Object.fromEntries(
    Object.entries(item).flatMap(([name, value]) => {
      const below = paths.filter(([first]) => first === name).map(([, ...rest]) => rest);
      return name === 'gid' || below.length > 0
        ? [
            [
              name,
              pick(
                value,
                below.filter((rest) => rest.length > 0),
              ),
            ],
          ]
        : [];
    }),
  );
}
