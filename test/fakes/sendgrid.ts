import { type Answer, type FakeHttp, type Received, startFakeHttp } from './http.ts';

export type Fields = Readonly<Record<string, unknown>>;

interface Contact {
  readonly id: string;
  fields: Fields;
  readonly lists: Set<string>;
}

/** How a job ends, other than well. `after`: so often it is said to be pending first. */
interface Ending {
  readonly status?: 'completed' | 'errored' | 'failed';
  /** Addresses of those whom it does not take. */
  readonly without?: readonly string[];
  /** What it counts as such, where that is another number. */
  readonly errors?: number;
  readonly after?: number;
}

interface Job {
  readonly ending: Ending;
  readonly lists: readonly string[];
  readonly contacts: readonly Fields[];
  polls: number;
  done: boolean;
}

export interface SendgridState {
  readonly lists: { readonly id: string; readonly name: string }[];
  readonly contacts: Contact[];
  readonly jobs: Map<string, Job>;
  /** Of the next jobs, in order. */
  readonly endings: Ending[];
  /** How it says which contacts it minds: one by its value, one by its place, or not at all. */
  names: 'value' | 'place' | 'nobody';
  scopes: readonly string[];
  /** So often a contact is still shown on a list that it was taken off. */
  removalLag: number;
  readonly removals: { readonly contact: Contact; readonly list: string; shown: number }[];
}

export type FakeSendgrid = FakeHttp<SendgridState>;

export const apiKey = 'SG.c1b2a3d4e5f6.0a1b2c3d4e5f6g7h8i9j-of-a-customer';
export const buyers = '3b1d0ffa-0000-4000-8000-000000000001';

/** An error as SendGrid has it. */
export function refused(status: number, message: string, field: string | null = null): Answer {
  return { status, json: { errors: [{ message, field }] } };
}

/** An answer that asks for a pause until a second since 1970. */
export function pausedUntil(second: number): Answer {
  const headers = {
    'x-ratelimit-limit': '600',
    'x-ratelimit-remaining': '0',
    'x-ratelimit-reset': `${second}`,
  };
  return { ...refused(429, 'too many requests'), headers };
}

/** An account with three lists, shown two at a time, and two fields of its own. */
export function startSendgrid(): Promise<FakeSendgrid> {
  const state: SendgridState = {
    lists: [
      { id: '3b1d0ffa-0000-4000-8000-000000000002', name: 'Big buyers' },
      { id: '3b1d0ffa-0000-4000-8000-000000000003', name: 'Visitors' },
      { id: buyers, name: 'Buyers' },
    ],
    contacts: [],
    jobs: new Map(),
    endings: [],
    names: 'value',
    scopes: ['marketing.read', 'marketing.create', 'marketing.update', 'marketing.delete'],
    removalLag: 0,
    removals: [],
  };
  return startFakeHttp<SendgridState>(
    state,
    {
      'GET /v3/scopes': (_, { scopes }) => ({ json: { scopes } }),
      'GET /v3/marketing/lists': page,
      'POST /v3/marketing/lists': makeList,
      'GET /v3/marketing/lists/:id': ({ params }, { lists }) => {
        const found = lists.find(({ id }) => id === params['id']);
        return found === undefined ? refused(404, 'list not found') : { json: found };
      },
      'DELETE /v3/marketing/lists/:id/contacts': takeOff,
      'GET /v3/marketing/field_definitions': () => ({
        json: {
          custom_fields: [
            { id: 'w1', name: 'num_orders', field_type: 'Number' },
            { id: 'e2_D', name: 'trial_end', field_type: 'Date' },
            { id: 'e3_T', name: 'plan', field_type: 'Text' },
          ],
          reserved_fields: [
            { id: '_rf0_T', name: 'first_name', field_type: 'Text' },
            { id: '_rf21_D', name: 'created_at', field_type: 'Date', read_only: true },
          ],
        },
      }),
      'PUT /v3/marketing/contacts': upsert,
      'GET /v3/marketing/contacts/imports/:id': status,
      'POST /v3/marketing/contacts/search/identifiers/:way': search,
    },
    ({ headers }) =>
      headers['authorization'] === `Bearer ${apiKey}` ? undefined : refused(401, 'authorization required'),
  );
}

function page({ query }: Received, { lists }: SendgridState): Answer {
  const from = Number(query.get('page_token') ?? 0);
  const until = from + Math.min(2, Number(query.get('page_size') ?? 100));
  const self = `https://api.sendgrid.com/v3/marketing/lists?page_size=2&page_token=${from}`;
  const next = `https://api.sendgrid.com/v3/marketing/lists?page_size=2&page_token=${until}`;
  return {
    json: {
      result: lists.slice(from, until),
      _metadata: { self, count: lists.length, ...(until < lists.length ? { next } : {}) },
    },
  };
}

function makeList(request: Received, { lists }: SendgridState): Answer {
  const { name } = request.json<{ name: string }>();
  if (lists.some((list) => list.name === name)) {
    return refused(400, 'list name already exists', 'name');
  }
  const made = { id: `3b1d0ffa-0000-4000-8000-${String(lists.length + 1).padStart(12, '0')}`, name };
  lists.push(made);
  return { status: 201, json: made };
}

const ways = ['email', 'phone_number_id', 'external_id', 'anonymous_id'];

/** Looked at as a whole, at once; carried out later, as a job. */
function upsert(request: Received, state: SendgridState): Answer {
  const { list_ids: lists, contacts } = request.json<{ list_ids: string[]; contacts: Fields[] }>();
  if (contacts.length > 30_000 || request.body.length > 6_000_000) {
    return refused(400, 'too many contacts');
  }
  const own = new Set(['w1', 'e2_D', 'e3_T']);
  if (
    contacts.some((one) => Object.keys((one['custom_fields'] as Fields) ?? {}).some((id) => !own.has(id)))
  ) {
    return refused(400, 'invalid custom field ids supplied', 'custom_fields');
  }
  const at = contacts.findIndex(
    (one) =>
      !ways.some((way) => one[way] !== undefined) || (one['email'] !== undefined && !isTaken(one['email'])),
  );
  if (at >= 0) {
    const email = String(contacts[at]?.['email']);
    return {
      value: refused(400, `email '${email}' is not valid: missing '@' or angle-addr`),
      place: refused(400, 'email is not valid', `contacts[${at}].email`),
      nobody: refused(400, 'one or more contacts are not valid'),
    }[state.names];
  }
  const id = `job-${state.jobs.size + 1}`;
  state.jobs.set(id, { ending: state.endings.shift() ?? {}, lists, contacts, polls: 0, done: false });
  return { status: 202, json: { job_id: id } };
}

/** An address whose domain takes no mail is found out only when somebody is to be made of it. */
const isTaken = (value: unknown): boolean => isAddress(value) && !String(value).endsWith('@no-mail.example');
const isAddress = (value: unknown): boolean => /^[^@\s]+@[^@\s]+$/.test(String(value));

function status({ params }: Received, state: SendgridState): Answer {
  const job = state.jobs.get(params['id'] ?? '');
  if (job === undefined) {
    return refused(404, 'job not found');
  }
  const without = [...(job.ending.without ?? []), ...mistyped(job.contacts)];
  const { after = 0, errors = without.length } = job.ending;
  const ended = job.ending.status ?? (without.length === 0 ? 'completed' : 'errored');
  job.polls += 1;
  if (job.polls <= after) {
    return { json: { id: params['id'], job_type: 'upsert', status: 'pending', results: {} } };
  }
  if (!job.done && ended !== 'failed') {
    apply(job, without, state);
  }
  job.done = true;
  const results = {
    requested_count: job.contacts.length,
    errored_count: errors,
    errors_url: 'https://files.example/e.csv',
  };
  return { json: { id: params['id'], job_type: 'upsert', status: ended, results } };
}

/** Found out only by the job: a number that came as a text. */
function mistyped(contacts: readonly Fields[]): readonly string[] {
  return contacts
    .filter(({ custom_fields: own }) => typeof (own as Fields | undefined)?.['w1'] === 'string')
    .map(({ email }) => String(email));
}

/** A contact is one with the same value in any of its identifiers. */
function apply({ lists, contacts }: Job, without: readonly string[], state: SendgridState): void {
  for (const fields of contacts.filter(({ email }) => !without.includes(String(email)))) {
    const there = state.contacts.find((one) =>
      ways.some((way) => fields[way] !== undefined && one.fields[way] === fields[way]),
    );
    const contact = there ?? { id: `contact-${state.contacts.length + 1}`, fields: {}, lists: new Set() };
    contact.fields = { ...contact.fields, ...fields };
    for (const list of lists) {
      contact.lists.add(list);
    }
    if (there === undefined) {
      state.contacts.push(contact);
    }
  }
}

function search(request: Received, { contacts, removals }: SendgridState): Answer {
  const way = request.params['way'] ?? '';
  const { identifiers } = request.json<{ identifiers: string[] }>();
  if (identifiers.length > 100 || !ways.includes(way)) {
    return refused(400, 'at most 100 identifiers');
  }
  const bad = way === 'email' ? identifiers.find((value) => !isAddress(value)) : undefined;
  if (bad !== undefined) {
    return refused(400, `invalid email: ${bad}`);
  }
  const result = identifiers.map((value) => {
    const found = contacts.find(({ fields }) => fields[way] === value);
    return [
      value,
      found === undefined ? { error: 'contact not found' } : { contact: shown(found, removals) },
    ] as const;
  });
  return result.every(([, one]) => 'error' in one)
    ? refused(404, 'contacts not found')
    : { json: { result: Object.fromEntries(result) } };
}

function shown(contact: Contact, removals: SendgridState['removals']): object {
  for (const removal of removals.filter((one) => one.contact === contact)) {
    removal.shown -= 1;
    if (removal.shown < 0) {
      contact.lists.delete(removal.list);
      removals.splice(removals.indexOf(removal), 1);
    }
  }
  return { id: contact.id, ...contact.fields, list_ids: [...contact.lists], segment_ids: [] };
}

function takeOff(
  { params, query }: Received,
  { contacts, lists, removals, removalLag }: SendgridState,
): Answer {
  const ids = (query.get('contact_ids') ?? '').split(',');
  if (query.has('delete_contacts') || ids.length > 100) {
    throw new Error('Nobody is deleted, and at most 100 are taken off at once.');
  }
  const found = contacts.filter(({ id }) => ids.includes(id));
  if (found.length < ids.length || !lists.some(({ id }) => id === params['id'])) {
    return refused(404, 'contact not found');
  }
  for (const contact of found) {
    if (removalLag === 0) {
      contact.lists.delete(params['id'] ?? '');
    } else {
      removals.push({ contact, list: params['id'] ?? '', shown: removalLag });
    }
  }
  return { status: 202, json: { job_id: 'removal-1' } };
}

/** Who is on a list, by what they are known by. */
export function on({ contacts }: SendgridState, list = buyers): readonly Fields[] {
  return contacts.filter(({ lists }) => lists.has(list)).map(({ fields }) => fields);
}
