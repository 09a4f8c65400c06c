import { type Answer, type FakeHttp, type Received, startFakeHttp } from './http.ts';

export interface ZendeskTicket {
  readonly id: number;
  readonly created_at: string;
  updated_at: string;
  subject: string;
  status: string;
  type: string | null;
  due_at: string | null;
  priority: string | null;
  tags: string[];
  group_id: number;
  assignee_id: number | null;
  requester: string;
  readonly external_id: string | null;
  readonly custom: Map<number, unknown>;
  readonly comments: { readonly body: string; readonly public: boolean }[];
  /** Not for this agent's eyes. */
  hidden: boolean;
}

export interface ZendeskField {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly active: boolean;
  readonly custom_field_options?: readonly { readonly name: string; readonly value: string }[];
}

/** What is at Zendesk. Tests change it as people would. */
export interface ZendeskState {
  readonly tickets: ZendeskTicket[];
  readonly groups: { readonly id: number; readonly name: string; deleted: boolean }[];
  readonly fields: ZendeskField[];
  readonly users: { readonly id: number; readonly email: string; role: string; groups: readonly number[] }[];
  readonly client: { readonly id: string; readonly secret: string };
  readonly login: { readonly email: string; readonly token: string };
  accessTokens: string[];
  /** Which agent we are. */
  me: { readonly id: number | null; readonly role: string; readonly ticket_restriction: string | null };
  /** Which tickets may be read at all. */
  mayRead: boolean;
  /** Tickets without an assignee are given to whoever solves them. */
  autoAssign: boolean;
  /** Answers to tickets that were asked for, by their key. */
  readonly keys: Map<string, { readonly body: string; readonly answer: Answer; readonly at: number }>;
  pageSize: number;
  now: Date;
}

export const zendeskIds = {
  group: '360000000001',
  ada: 900_001,
  me: 900_009,
  account: '510000000001',
  plan: '510000000002',
  products: '510000000003',
  since: '510000000004',
  seats: '510000000005',
  vip: '510000000006',
} as const;

function freshState(): ZendeskState {
  const field = (
    id: string,
    type: string,
    title: string,
    more: Partial<ZendeskField> = {},
  ): ZendeskField => ({
    id: Number(id),
    type,
    title,
    active: true,
    ...more,
  });
  const group = Number(zendeskIds.group);
  return {
    tickets: [],
    groups: [
      { id: group, name: 'Customer success', deleted: false },
      { id: 360_000_000_002, name: 'Billing', deleted: false },
      { id: 360_000_000_003, name: 'Customer success 2024', deleted: true },
    ],
    fields: [
      field('1', 'subject', 'Subject'),
      field('2', 'status', 'Status'),
      field(zendeskIds.account, 'text', 'Account'),
      field(zendeskIds.plan, 'tagger', 'Plan', {
        custom_field_options: [
          { name: 'Normal', value: 'plan_normal' },
          { name: 'Plan::Gold', value: 'plan_gold' },
        ],
      }),
      field(zendeskIds.products, 'multiselect', 'Products', {
        custom_field_options: [
          { name: 'Bot', value: 'product_bot' },
          { name: 'Desk', value: 'product_desk' },
        ],
      }),
      field(zendeskIds.since, 'date', 'Customer since'),
      field(zendeskIds.seats, 'integer', 'Seats'),
      field(zendeskIds.vip, 'checkbox', 'VIP'),
      field('510000000007', 'text', 'Of old', { active: false }),
      field('510000000008', 'partialcreditcard', 'Card'),
    ],
    users: [
      { id: zendeskIds.ada, email: 'ada@acme.example', role: 'agent', groups: [group] },
      { id: 900_002, email: 'bob@acme.example', role: 'agent', groups: [360_000_000_002] },
      { id: 900_003, email: 'eve@customer.example', role: 'end-user', groups: [] },
      { id: zendeskIds.me, email: 'activate@acme.example', role: 'agent', groups: [group] },
    ],
    client: { id: 'activate_for_acme', secret: 'client-secret-of-acme' },
    login: { email: 'activate@acme.example', token: 'api-token-of-acme' },
    accessTokens: [],
    me: { id: zendeskIds.me, role: 'agent', ticket_restriction: null },
    mayRead: true,
    autoAssign: false,
    keys: new Map(),
    pageSize: 100,
    now: new Date('2026-11-23T12:00:00Z'),
  };
}

/** Zendesk as its reference describes it, with the key by which it knows a repeat for two hours. */
export async function startFakeZendesk(): Promise<FakeHttp<ZendeskState>> {
  return startFakeHttp<ZendeskState>(
    freshState(),
    {
      'POST /oauth/tokens': (request, state) => signIn(request, state),
      'GET /api/v2/users/me': (_request, { me }) => ({ json: { user: me } }),
      'GET /api/v2/users/search': ({ query }, { users }) => ({
        // It finds parts of addresses too.
        json: {
          users: users.filter(({ email }) => email.includes(query.get('query')?.toLowerCase() ?? '?')),
        },
      }),
      'GET /api/v2/users/:user/group_memberships': (request, state) => {
        const groups = state.users.find(({ id }) => id === Number(request.params['user']))?.groups ?? [];
        const all = groups.map((group_id, at) => ({ id: at, group_id }));
        return page('group_memberships', all, request, state);
      },
      'GET /api/v2/groups/assignable': (request, state) => page('groups', state.groups, request, state),
      'GET /api/v2/groups/:group': ({ params }, { groups }) => {
        const group = groups.find(({ id }) => id === Number(params['group']));
        return group === undefined ? notFound : { json: { group } };
      },
      'GET /api/v2/ticket_fields': (request, state) => page('ticket_fields', state.fields, request, state),
      'GET /api/v2/tickets': (request, state) => {
        const wanted = request.query.get('external_id');
        const found = state.tickets.filter((one) => wanted === null || one.external_id === wanted);
        return state.mayRead ? page('tickets', found.map(shown), request, state) : forbidden;
      },
      'POST /api/v2/tickets': (request, state) => keyed(request, state),
      'GET /api/v2/tickets/:ticket': (request, state) =>
        withTicket(request, state, (ticket) => ({ json: { ticket: shown(ticket) } })),
      'GET /api/v2/tickets/:ticket/comments': (request, state) =>
        withTicket(request, state, ({ comments }) => page('comments', comments, request, state)),
      'PUT /api/v2/tickets/:ticket': (request, state) =>
        withTicket(request, state, (ticket) => changed(ticket, request, state)),
    },
    ({ path, headers }, { login, accessTokens }) => {
      const given = headers['authorization'] ?? '';
      const basic = Buffer.from(`${login.email}/token:${login.token}`).toString('base64');
      const known = [`Basic ${basic}`, ...accessTokens.map((token) => `Bearer ${token}`)];
      return path === '/oauth/tokens' || known.includes(given)
        ? undefined
        : { status: 401, json: { error: "Couldn't authenticate you" } };
    },
  );
}

const notFound: Answer = { status: 404, json: { error: 'RecordNotFound', description: 'Not found' } };
const forbidden: Answer = {
  status: 403,
  json: { error: 'Forbidden', description: 'You do not have access to this page.' },
};

function invalid(details: Readonly<Record<string, string>>): Answer {
  return {
    status: 422,
    json: {
      error: 'RecordInvalid',
      description: 'Record validation errors',
      details: Object.fromEntries(
        Object.entries(details).map(([name, description]) => [
          name,
          [{ description, error: 'InvalidValue' }],
        ]),
      ),
    },
  };
}

function signIn(request: Received, state: ZendeskState): Answer {
  const given = request.json<Readonly<Record<string, string>>>();
  const { id, secret } = state.client;
  if (given['client_id'] !== id || given['client_secret'] !== secret) {
    return {
      status: 401,
      json: { error: 'invalid_client', error_description: 'Client authentication failed' },
    };
  }
  if (given['grant_type'] !== 'client_credentials' || given['scope'] !== 'read write') {
    return { status: 400, json: { error: 'invalid_request' } };
  }
  state.accessTokens.push(`access-token-number-${state.accessTokens.length + 1}`);
  return { json: { access_token: state.accessTokens.at(-1), token_type: 'bearer', scope: 'read write' } };
}

interface Sent {
  readonly subject?: string;
  readonly comment?: { readonly body: string; readonly public?: boolean };
  readonly status?: string;
  readonly type?: string;
  readonly due_at?: string;
  readonly priority?: string;
  readonly tags?: readonly string[];
  readonly group_id?: number;
  readonly assignee_id?: number;
  readonly requester?: { readonly email: string; readonly name?: string };
  readonly external_id?: string;
  readonly custom_fields?: readonly { readonly id: number; readonly value: unknown }[];
  readonly safe_update?: boolean;
  readonly updated_stamp?: string;
}

/** A repeat within two hours gets the first answer; one with another body is refused. */
function keyed(request: Received, state: ZendeskState): Answer {
  const key = request.headers['idempotency-key'];
  if (key === undefined) {
    return made(request, state);
  }
  const body = request.body.toString();
  const before = state.keys.get(key);
  if (before !== undefined && state.now.getTime() - before.at < 2 * 3_600_000) {
    return before.body === body
      ? { ...before.answer, headers: { 'x-idempotency-lookup': 'hit' } }
      : {
          status: 400,
          json: {
            error: 'IdempotentRequestError',
            description: "The parameters don't match those of the key.",
          },
        };
  }
  const answer = made(request, state);
  if (answer.status === 201) {
    state.keys.set(key, { body, answer, at: state.now.getTime() });
  }
  return { ...answer, headers: { 'x-idempotency-lookup': 'miss' } };
}

function made(request: Received, state: ZendeskState): Answer {
  const { ticket: sent } = request.json<{ ticket: Sent }>();
  const refusal =
    sent.comment === undefined || sent.comment.body.trim() === ''
      ? invalid({ base: 'Description: cannot be blank' })
      : refusalOf(sent, sent.group_id, state);
  if (refusal !== undefined) {
    return refusal;
  }
  const at = state.now.toISOString();
  const ticket: ZendeskTicket = {
    id: 35_001 + state.tickets.length,
    created_at: at,
    updated_at: at,
    subject: '',
    status: 'new',
    type: null,
    due_at: null,
    priority: null,
    tags: [],
    group_id: sent.group_id ?? 0,
    assignee_id: null,
    requester: 'activate@acme.example',
    external_id: sent.external_id ?? null,
    custom: new Map(),
    comments: [],
    hidden: false,
  };
  state.tickets.push(ticket);
  apply(ticket, sent);
  return { status: 201, json: { ticket: shown(ticket) } };
}

function changed(ticket: ZendeskTicket, request: Received, state: ZendeskState): Answer {
  const { ticket: sent } = request.json<{ ticket: Sent }>();
  if (ticket.status === 'closed') {
    return invalid({ status: 'Status: closed prevents ticket update' });
  }
  if (sent.safe_update === true && sent.updated_stamp !== ticket.updated_at) {
    return {
      status: 409,
      json: { error: 'UpdateConflict', description: 'Safe Update prevented the update' },
    };
  }
  const refusal = refusalOf(sent, ticket.group_id, state);
  if (refusal !== undefined) {
    return refusal;
  }
  if (sent.status === 'solved' && (sent.assignee_id ?? ticket.assignee_id) === null && !state.autoAssign) {
    return invalid({ base: 'Assignee: is required when solving a ticket' });
  }
  apply(ticket, sent);
  ticket.updated_at = state.now.toISOString();
  return { json: { ticket: shown(ticket) } };
}

function apply(ticket: ZendeskTicket, sent: Sent): void {
  const { comment, custom_fields = [], tags, requester, external_id: _id, group_id: _group, ...plain } = sent;
  const { safe_update: _safe, updated_stamp: _stamp, ...values } = plain;
  Object.assign(ticket, values);
  if (comment !== undefined) {
    // Spaces at line ends are not kept.
    ticket.comments.push({
      body: comment.body.replaceAll(/[ \t]+\n/g, '\n').trim(),
      public: comment.public ?? true,
    });
  }
  if (tags !== undefined) {
    ticket.tags = tags.map((tag) => tag.toLowerCase());
  }
  if (requester !== undefined) {
    ticket.requester = requester.email;
  }
  for (const { id, value } of custom_fields) {
    ticket.custom.set(id, value);
  }
}

/** One wrong value refuses the whole ticket. */
function refusalOf(sent: Sent, group: number | undefined, state: ZendeskState): Answer | undefined {
  if (!state.groups.some(({ id, deleted }) => id === group && !deleted)) {
    return invalid({ group: `Group: ${group} is invalid` });
  }
  const { assignee_id: assignee, due_at: due, type, requester, custom_fields = [] } = sent;
  if (
    assignee !== undefined &&
    !state.users.some(({ id, groups }) => id === assignee && groups.includes(group ?? 0))
  ) {
    return invalid({ assignee: `Assignee: ${assignee} is not in the group` });
  }
  if (due !== undefined && type !== 'task') {
    return invalid({ due_at: 'Due at: only for tasks' });
  }
  if (requester !== undefined && (requester.name ?? '') === '') {
    return invalid({ requester: 'Requester: Name: is too short (minimum one characters)' });
  }
  for (const { id, value } of custom_fields) {
    const field = state.fields.find((one) => one.id === id);
    if (value !== null && (field === undefined || !takes(field, value))) {
      return invalid({ base: `${field?.title ?? id}: ${JSON.stringify(value)} is not valid` });
    }
  }
  return undefined;
}

function takes({ type, custom_field_options: options = [] }: ZendeskField, value: unknown): boolean {
  const isOption = (tag: unknown): boolean => options.some((option) => option.value === tag);
  switch (type) {
    case 'text':
      return typeof value === 'string' && value.length <= 1000;
    case 'integer':
      return Number.isInteger(value);
    case 'date':
      return /^\d{4}-\d\d-\d\d$/.test(String(value));
    case 'checkbox':
      return typeof value === 'boolean';
    case 'tagger':
      return isOption(value);
    case 'multiselect':
      return Array.isArray(value) && value.every(isOption);
    default:
      return false;
  }
}

function withTicket(
  request: Received,
  state: ZendeskState,
  answer: (ticket: ZendeskTicket) => Answer,
): Answer {
  const ticket = state.tickets.find(({ id }) => id === Number(request.params['ticket']));
  if (ticket === undefined) {
    return notFound;
  }
  return ticket.hidden || !state.mayRead ? forbidden : answer(ticket);
}

function shown({
  custom,
  comments,
  hidden: _hidden,
  requester: _requester,
  ...ticket
}: ZendeskTicket): object {
  return {
    ...ticket,
    url: `https://acme.zendesk.com/api/v2/tickets/${ticket.id}.json`,
    description: comments[0]?.body ?? '',
    custom_fields: [...custom].map(([id, value]) => ({ id, value })),
  };
}

function page(
  name: string,
  items: readonly unknown[],
  { query }: Received,
  { pageSize }: ZendeskState,
): Answer {
  const size = Math.min(Number(query.get('page[size]') ?? 100), pageSize);
  const at = Number((query.get('page[after]') ?? 'at-0').slice(3));
  const more = at + size < items.length;
  return {
    json: {
      [name]: items.slice(at, at + size),
      meta: { has_more: more, after_cursor: more ? `at-${at + size}` : null },
    },
  };
}
