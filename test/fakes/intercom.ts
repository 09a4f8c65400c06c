import { randomUUID } from 'node:crypto';
import { type Answer, type FakeHttp, type Received, startFakeHttp } from './http.ts';

type Values = Record<string, unknown>;

export interface FakeContact {
  readonly id: string;
  role: 'user' | 'lead';
  archived: boolean;
  values: Values;
  custom: Values;
  readonly tags: Set<string>;
  readonly companies: Set<string>;
}

export interface IntercomState {
  readonly contacts: Map<string, FakeContact>;
  /** Contacts that were merged into others, by external id. */
  readonly merged: Map<string, string>;
  /** Ids that the search does not see yet. */
  readonly unseen: Set<string>;
  /** Archived contacts that can't be restored. */
  readonly lost: Set<string>;
  readonly companies: Map<string, Values & { readonly id: string; readonly company_id: string }>;
  readonly tags: { readonly id: string; readonly name: string }[];
  readonly admins: readonly { readonly id: string; readonly email: string }[];
  region: string;
  lastId: number;
}

export type FakeIntercom = FakeHttp<IntercomState>;

export const token = 'dG9rOjUxYzBhOWQzX2U3ZjI0YjY4OjE6MA==';

/** An error as Intercom has it. */
export function problem(status: number, code: string, message: string, field?: string): Answer {
  const error = { code, message, ...(field === undefined ? {} : { field }) };
  return { status, json: { type: 'error.list', request_id: randomUUID(), errors: [error] } };
}

/** A workspace in Europe with no contacts, and the tags Buyers (7) and Others (8). */
export function startIntercom(): Promise<FakeIntercom> {
  const state: IntercomState = {
    contacts: new Map(),
    merged: new Map(),
    unseen: new Set(),
    lost: new Set(),
    companies: new Map(),
    tags: [
      { id: '7', name: 'Buyers' },
      { id: '8', name: 'Others' },
    ],
    admins: [
      { id: '1', email: 'Rep@acme.test' },
      { id: '2', email: 'boss@acme.test' },
    ],
    region: 'EU',
    lastId: 100,
  };
  return startFakeHttp<IntercomState>(
    state,
    { ...routes, ...contactRoutes, ...companyRoutes },
    ({ headers }) => {
      if (headers['authorization'] !== `Bearer ${token}`) {
        return problem(401, 'unauthorized', 'Access Token Invalid');
      }
      return headers['intercom-version'] === '2.16'
        ? undefined
        : problem(400, 'intercom_version_invalid', 'The requested version could not be found');
    },
  );
}

/** Adds a contact, as somebody else would have. */
export function seed({ state }: FakeIntercom, values: Values, more: Partial<FakeContact> = {}): string {
  return added(state, values, more).id;
}

function added(state: IntercomState, values: Values, more: Partial<FakeContact> = {}): FakeContact {
  state.lastId += 1;
  const contact: FakeContact = {
    id: `c${state.lastId}`,
    role: 'user',
    archived: false,
    values: { ...values },
    custom: {},
    tags: new Set(),
    companies: new Set(),
    ...more,
  };
  state.contacts.set(contact.id, contact);
  return contact;
}

const attribute = (model: string, name: string, type: string, more: object = {}) => ({
  type: 'data_attribute',
  model,
  name,
  full_name: `custom_attributes.${name}`,
  label: name,
  data_type: type,
  api_writable: true,
  custom: true,
  archived: false,
  ...more,
});

const dataAttributes = [
  attribute('contact', 'seats', 'integer'),
  attribute('contact', 'score', 'float'),
  attribute('contact', 'vip', 'boolean'),
  attribute('contact', 'renews', 'date', { label: 'Renews on' }),
  attribute('contact', 'plan', 'string'),
  attribute('contact', 'size', 'string', { options: ['small', 'big'] }),
  attribute('contact', 'old', 'string', { archived: true }),
  attribute('contact', 'computed', 'string', { api_writable: false }),
  { ...attribute('contact', 'browser', 'string'), full_name: 'browser', custom: false },
  attribute('company', 'tier', 'string'),
];

const missing = problem(404, 'not_found', 'User Not Found');

const routes = {
  'GET /me': (_: Received, { region }: IntercomState): Answer => ({
    json: { type: 'admin', id: '1', app: { type: 'app', id_code: 'ws1', region } },
  }),
  'GET /data_attributes': ({ query }: Received): Answer => ({
    json: {
      type: 'list',
      data: dataAttributes.filter(({ model }) => model === (query.get('model') ?? model)),
    },
  }),
  'GET /admins': (_: Received, { admins }: IntercomState): Answer => ({
    json: { type: 'admin.list', admins },
  }),
  'GET /tags': (_: Received, { tags }: IntercomState): Answer => ({ json: { type: 'list', data: tags } }),
  'GET /tags/:tag': ({ params }: Received, { tags }: IntercomState): Answer => {
    const tag = tags.find(({ id }) => id === params['tag']);
    return tag === undefined
      ? problem(404, 'not_found', 'Resource Not Found')
      : { json: { type: 'tag', ...tag } };
  },
  'POST /tags': tagMany,
};

/** Makes a tag that is not there, whatever the capitals; one unknown user refuses all of them. */
function tagMany(request: Received, state: IntercomState): Answer {
  const { name, users = [] } = request.json<{ name: string; users?: readonly { id: string }[] }>();
  const contacts = users.map(({ id }) => active(state, id));
  if (contacts.includes(undefined)) {
    return missing;
  }
  const there = state.tags.find((tag) => tag.name.toLowerCase() === name.toLowerCase());
  const tag = there ?? { id: String(20 + state.tags.length), name };
  if (there === undefined) {
    state.tags.push(tag);
  }
  for (const contact of contacts) {
    contact?.tags.add(tag.id);
  }
  return {
    json: { type: 'tag', ...tag, users: users.map(({ id }) => ({ id, tagged: true })), companies: [] },
  };
}

// Contacts -----------------------------------------------------------------------------------------------------------

function active({ contacts }: IntercomState, id: string | undefined): FakeContact | undefined {
  const contact = contacts.get(id ?? '');
  return contact?.archived === false ? contact : undefined;
}

function shown({ id, role, values, custom }: FakeContact): object {
  const empty = {
    external_id: null,
    email: null,
    name: null,
    phone: null,
    owner_id: null,
    unsubscribed_from_emails: false,
  };
  return { type: 'contact', id, workspace_id: 'ws1', role, ...empty, ...values, custom_attributes: custom };
}

/** What Intercom has against these values; nothing when it takes them. */
function against(body: Values): Answer | undefined {
  const { email, custom_attributes: custom = {} } = body as { email?: string; custom_attributes?: Values };
  if (typeof email === 'string' && !/^[^@\s]+@[^@\s]+$/.test(email)) {
    return problem(400, 'parameter_invalid', `The email ${email} is no address`, 'email');
  }
  const names = dataAttributes
    .filter(({ model, custom: own }) => own && model === 'contact')
    .map(({ name }) => name);
  const unknown = Object.keys(custom).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    return problem(400, 'parameter_invalid', `Custom attribute '${unknown}' does not exist`);
  }
  const times = [body['signed_up_at'], custom['renews']].filter((one) => one !== undefined && one !== null);
  return times.every(Number.isInteger) ? undefined : problem(400, 'parameter_invalid', 'is no time');
}

function apply(contact: FakeContact, body: Values): Answer {
  const { custom_attributes: custom = {}, role: _role, ...values } = body;
  Object.assign(contact.values, values);
  Object.assign(contact.custom, custom);
  return { json: shown(contact) };
}

/** Users are the same by their external id; by their address only where one of the two has no such id. */
function conflictWith(state: IntercomState, { external_id: id, email }: Values): FakeContact | undefined {
  return [...state.contacts.values()].find(({ role, values }) => {
    const sameId = id !== undefined && values['external_id'] === id;
    const oneHasNone = id === undefined || (values['external_id'] ?? null) === null;
    return sameId || (role === 'user' && oneHasNone && email !== undefined && values['email'] === email);
  });
}

const withContact =
  (then: (contact: FakeContact, request: Received, state: IntercomState) => Answer) =>
  (request: Received, state: IntercomState): Answer => {
    const contact = active(state, request.params['id']);
    return contact === undefined ? missing : then(contact, request, state);
  };

const contactRoutes = {
  'GET /contacts/find_by_external_id/:id': ({ params }: Received, state: IntercomState): Answer => {
    const into = state.merged.get(params['id'] ?? '');
    if (into !== undefined) {
      const gone = problem(410, 'contact_merged', 'This contact has been merged.');
      return { ...gone, headers: { link: `</contacts/${into}>; rel="canonical"` } };
    }
    const found = [...state.contacts.values()].find(
      ({ archived, values }) => !archived && values['external_id'] === params['id'],
    );
    return found === undefined ? missing : { json: shown(found) };
  },
  'POST /contacts/search': search,
  'GET /contacts/:id': withContact((contact) => ({ json: shown(contact) })),
  'POST /contacts': (request: Received, state: IntercomState): Answer => {
    const body = request.json();
    const wrong = against(body);
    if (wrong !== undefined) {
      return wrong;
    }
    const there = conflictWith(state, body);
    if (there !== undefined) {
      const who = there.archived ? 'An archived contact' : 'A contact';
      return problem(409, 'conflict', `${who} matching those details already exists with id=${there.id}`);
    }
    return apply(added(state, {}), body);
  },
  'PUT /contacts/:id': withContact(
    (contact, request) => against(request.json()) ?? apply(contact, request.json()),
  ),
  'DELETE /contacts/:id': withContact(({ id }, _request, { contacts }) => {
    contacts.delete(id);
    return { json: { type: 'contact', id, deleted: true } };
  }),
  'POST /contacts/:id/archive': ({ params }: Received, { contacts }: IntercomState): Answer => {
    const contact = contacts.get(params['id'] ?? '');
    if (contact === undefined) {
      return missing;
    }
    if (contact.archived) {
      return problem(400, 'bad_request', 'Contact is already in the same state');
    }
    contact.archived = true;
    return { json: { type: 'contact', id: contact.id, archived: true } };
  },
  'POST /contacts/:id/unarchive': ({ params }: Received, { contacts, lost }: IntercomState): Answer => {
    const contact = contacts.get(params['id'] ?? '');
    if (contact === undefined || lost.has(contact.id)) {
      return problem(400, 'bad_request', 'User has been merged and is not restorable.');
    }
    contact.archived = false;
    return { json: { type: 'contact', id: contact.id, archived: false } };
  },
  'POST /contacts/:id/tags': withContact((contact, request, { tags }) => {
    const { id } = request.json<{ id: string }>();
    contact.tags.add(id);
    return { json: { type: 'tag', ...tags.find((tag) => tag.id === id) } };
  }),
  'DELETE /contacts/:id/tags/:tag': withContact((contact, { params }) =>
    contact.tags.delete(params['tag'] ?? '') ? { json: { type: 'tag', id: params['tag'] } } : missing,
  ),
  'POST /contacts/:id/companies': withContact((contact, request, { companies }) => {
    const { id } = request.json<{ id: string }>();
    if (!companies.has(id)) {
      return problem(404, 'company_not_found', 'Company Not Found');
    }
    contact.companies.add(id);
    return { json: { type: 'company', id } };
  }),
};

/** Does not see everybody; two to a page. */
function search(request: Received, { contacts, unseen }: IntercomState): Answer {
  const { query, pagination } = request.json<{
    query: { field: string; operator: string; value: readonly string[] };
    pagination: { starting_after?: string };
  }>();
  const valueIn = ({ values }: FakeContact): string => {
    const value = String(values[query.field] ?? '');
    return query.field === 'email' ? value.toLowerCase() : value;
  };
  const all = [...contacts.values()].filter(
    (contact) => !contact.archived && !unseen.has(contact.id) && query.value.includes(valueIn(contact)),
  );
  const from = Number(pagination.starting_after ?? 0);
  const next = from + 2 < all.length ? { next: { per_page: 2, starting_after: String(from + 2) } } : {};
  const data = all.slice(from, from + 2).map(shown);
  return {
    json: { type: 'list', data, total_count: all.length, pages: { type: 'pages', page: 1, ...next } },
  };
}

// Companies ----------------------------------------------------------------------------------------------------------

const noCompany = problem(404, 'company_not_found', 'Company Not Found');

const companyRoutes = {
  'GET /companies': ({ query }: Received, { companies }: IntercomState): Answer => {
    const found = [...companies.values()].find((one) => one.company_id === query.get('company_id'));
    return found === undefined ? noCompany : { json: { type: 'company', ...found } };
  },
  'POST /companies': (request: Received, state: IntercomState): Answer => {
    const body = request.json<Values & { company_id: string }>();
    if (String(body['website'] ?? '').includes(' ')) {
      return problem(400, 'bad_request', `bad 'website' parameter: ${body['website']}`);
    }
    const there = [...state.companies.values()].find((one) => one.company_id === body.company_id);
    const id = there?.id ?? `k${state.companies.size + 1}`;
    state.companies.set(id, { ...there, ...body, id });
    return { json: { type: 'company', ...state.companies.get(id) } };
  },
  'GET /companies/:id': ({ params }: Received, { companies }: IntercomState): Answer => {
    const company = companies.get(params['id'] ?? '');
    return company === undefined ? noCompany : { json: { type: 'company', ...company } };
  },
  'PUT /companies/:id': (request: Received, { companies }: IntercomState): Answer => {
    const company = companies.get(request.params['id'] ?? '');
    const body = request.json();
    if (company === undefined) {
      return noCompany;
    }
    if ('company_id' in body) {
      return problem(400, 'parameter_invalid', "company_id can't be updated");
    }
    companies.set(company.id, { ...company, ...body });
    return { json: { type: 'company', ...companies.get(company.id) } };
  },
  'DELETE /companies/:id': ({ params }: Received, { companies }: IntercomState): Answer =>
    companies.delete(params['id'] ?? '')
      ? { json: { id: params['id'], object: 'company', deleted: true } }
      : noCompany,
};
