import { createPublicKey, generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { type Answer, type FakeHttp, type Received, type Routes, startFakeHttp } from './http.ts';

type Fields = Readonly<Record<string, unknown>>;
type Rec = Record<string, unknown>;

export interface Kind {
  readonly properties: Readonly<Record<string, object>>;
  readonly required: string[];
  /** By internal id. */
  readonly records: Map<string, Rec>;
}

interface Job {
  readonly id: string;
  readonly key: string | undefined;
  /** By task id. */
  readonly tasks: Map<string, 'succeeded' | 'failed'>;
  polled: number;
}

export interface NetsuiteState {
  readonly kinds: Map<string, Kind>;
  readonly jobs: Job[];
  readonly tokens: Set<string>;
  /** What assertions are checked by. */
  publicKey: KeyObject;
  lastId: number;
  /** How often a job is asked for before it has ended. */
  polls: number;
  /** Lists of tasks hold links only. */
  bareTasks: boolean;
  /** Tasks are numbered in another order than their records. */
  disorder: boolean;
  /** Jobs are forgotten at once. */
  forgets: boolean;
  /** External IDs of records that fail in jobs, and by themselves are taken. */
  readonly flaky: Set<string>;
  /** External IDs over which NetSuite itself fails. */
  readonly poison: Set<string>;
  /** Somebody has the record with this external ID open. */
  readonly open: Set<string>;
}

export type FakeNetsuite = FakeHttp<NetsuiteState> & {
  /** What every test connects with. */
  readonly config: Readonly<Record<string, string>>;
};

const root = '/services/rest';
const record = `${root}/record/v1`;
const job = `${root}/async/v1/job`;
const tokenPath = `${root}/auth/oauth2/v1/token`;
const clientId = 'client-0a1b2c3d4e5f';
export const certificateId = 'custcertificate_activate';
/** Made out to NetSuite itself, though the fake is somewhere else. */
const audience = `https://1234567-sb1.suitetalk.api.netsuite.com${tokenPath}`;

const keys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();
const privateKey = pemOf(keys.privateKey);
export const strangersKey = pemOf(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey);

const text = (title: string, maxLength = 100) => ({ title, type: 'string', nullable: true, maxLength });
const reference = (title: string) => ({
  title,
  type: 'object',
  properties: { id: { type: 'string' }, refName: {}, externalId: {}, links: { readOnly: true } },
});

const customerFields = {
  id: text('Internal ID'),
  externalId: text('External ID'),
  companyName: text('Company Name', 83),
  email: text('Email'),
  isInactive: { title: 'Inactive', type: 'boolean' },
  creditLimit: { title: 'Credit Limit', type: 'number', format: 'double' },
  startDate: { title: 'Start Date', type: 'string', format: 'date' },
  custentity_seen: { title: 'Seen', type: 'string', format: 'date-time', 'x-ns-custom-field': true },
  custentity_seats: { title: 'Seats', type: 'integer', 'x-ns-custom-field': true },
  custentity_plan: text('Plan'),
  subsidiary: reference('Primary Subsidiary'),
  salesRep: { $ref: `${record}/metadata-catalog/nsLink` },
  country: {
    ...reference('Country'),
    properties: { id: { type: 'string', enum: ['AT', 'DE'] }, refName: {} },
  },
  custentity_interests: {
    title: 'Interests',
    type: 'object',
    properties: { items: { type: 'array' }, links: {} },
  },
  lastModifiedDate: { title: 'Last Modified', type: 'string', format: 'date-time' },
  balance: { title: 'Balance', type: 'number', readOnly: true },
  links: { title: 'Links', type: 'array', readOnly: true },
};

/** NetSuite with customers, and `currency` that has no external IDs. */
export async function startNetsuite(): Promise<FakeNetsuite> {
  const state: NetsuiteState = {
    kinds: new Map<string, Kind>([
      ['customer', { properties: customerFields, required: [], records: new Map() }],
      [
        'currency',
        { properties: { id: text('Internal ID'), name: text('Name') }, required: [], records: new Map() },
      ],
    ]),
    jobs: [],
    tokens: new Set(),
    publicKey: createPublicKey(privateKey),
    lastId: 100,
    polls: 1,
    bareTasks: false,
    disorder: false,
    forgets: false,
    flaky: new Set(),
    poison: new Set(),
    open: new Set(),
  };
  const fake = await startFakeHttp(state, routes, guard);
  const config = { account: '1234567_SB1', clientId, certificateId };
  return { ...fake, config: { ...config, privateKey, baseUrl: fake.url } };
}

/** Adds a record, as somebody else would have. */
export function seed({ state }: FakeNetsuite, kind: string, values: Fields): string {
  state.lastId += 1;
  const id = String(state.lastId);
  state.kinds.get(kind)?.records.set(id, { ...values, id });
  return id;
}

export function customers({ state }: FakeNetsuite): readonly Rec[] {
  return [...(state.kinds.get('customer')?.records.values() ?? [])];
}

/** An error in NetSuite's shape. */
export function problem(status: number, code: string, detail: string, path?: string): Answer {
  const where = path === undefined ? {} : { 'o:errorPath': path };
  return {
    status,
    json: {
      type: 'https://www.w3.org/Protocols/rfc2616/rfc2616-sec10.html#sec10.4.1',
      title: 'Bad Request',
      status,
      'o:errorDetails': [{ detail, ...where, 'o:errorCode': code }],
    },
  };
}

function guard({ path, headers }: Received, { tokens }: NetsuiteState): Answer | undefined {
  const token = headers['authorization']?.replace(/^Bearer /, '') ?? '';
  return path === tokenPath || tokens.has(token)
    ? undefined
    : problem(401, 'INVALID_LOGIN', 'Invalid login attempt. For more details, see the Login Audit Trail.');
}

// Signing in ---------------------------------------------------------------------------------------------------------

function token({ body }: Received, state: NetsuiteState): Answer {
  const form = new URLSearchParams(body.toString());
  const [head = '', claims = '', signature = ''] = (form.get('client_assertion') ?? '').split('.');
  const read = (part: string): Fields => JSON.parse(Buffer.from(part, 'base64url').toString() || '{}');
  const { alg, kid, typ } = read(head);
  const { iss, scope, aud, iat, exp } = read(claims);
  const lasts = Number(exp) - Number(iat);
  const isFine =
    form.get('grant_type') === 'client_credentials' &&
    form.get('client_assertion_type') === 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' &&
    typ === 'JWT' &&
    kid === certificateId &&
    iss === clientId &&
    scope === 'rest_webservices' &&
    aud === audience &&
    lasts > 0 &&
    lasts < 3600 &&
    isSigned(String(alg), `${head}.${claims}`, signature, state.publicKey);
  if (!isFine) {
    return { status: 400, json: { error: 'invalid_request' } };
  }
  const made = `token-${state.tokens.size + 1}-of-netsuite`;
  state.tokens.add(made);
  return { json: { access_token: made, expires_in: '3600', token_type: 'bearer' } };
}

/** RS256 is not taken. */
function isSigned(alg: string, signed: string, signature: string, key: KeyObject): boolean {
  const bytes = Buffer.from(signature, 'base64url');
  const how = alg.startsWith('PS')
    ? { key, padding: 6, saltLength: Number(alg.slice(2)) / 8 }
    : { key, dsaEncoding: 'ieee-p1363' as const };
  return /^[EP]S(?:256|384|512)$/.test(alg) && verify(`sha${alg.slice(2)}`, Buffer.from(signed), how, bytes);
}

// Records ------------------------------------------------------------------------------------------------------------

const noKind = problem(404, 'NONEXISTENT_RECORD', 'Record type does not exist.');

function metadata({ params }: Received, { kinds }: NetsuiteState): Answer {
  const kind = kinds.get(params['kind'] ?? '');
  const { properties, required } = kind ?? {};
  return kind === undefined ? noKind : { json: { type: 'object', properties, required } };
}

/** The record that an address means: `12`, or `eid:…`. */
function foundAt({ records }: Kind, place: string): Rec | undefined {
  return place.startsWith('eid:')
    ? [...records.values()].find(({ externalId }) => externalId === place.slice(4))
    : records.get(place);
}

/** What NetSuite minds about a record, quoting it. */
function faultIn({ properties }: Kind, values: Fields): Answer | undefined {
  for (const [name, value] of Object.entries(values)) {
    const property = properties[name] as { readonly type?: string; readonly $ref?: string } | undefined;
    if (property === undefined) {
      return problem(400, 'INVALID_CONTENT', `Unknown reference or field ${name}.`, name);
    }
    const isReference = property.type === 'object' || property.$ref !== undefined;
    if (isReference && value !== null && typeof value !== 'object') {
      return problem(400, 'INVALID_CONTENT', `Invalid value for field ${name}: ${value}.`, name);
    }
    if (
      String(value) === 'refuse me' ||
      (name === 'email' && value !== null && !/^[^@\s]+@[^@\s]+$/.test(String(value)))
    ) {
      return problem(400, 'USER_ERROR', `Invalid value ${value} in field ${name}.`, name);
    }
  }
  return undefined;
}

/** Carries out one write. `place` is undefined for what is posted. */
function write(
  state: NetsuiteState,
  name: string,
  method: string,
  place: string | undefined,
  values: Fields,
): Answer {
  const kind = state.kinds.get(name);
  if (kind === undefined) {
    return noKind;
  }
  const external = String(place?.startsWith('eid:') === true ? place.slice(4) : (values['externalId'] ?? ''));
  const there = foundAt(kind, place ?? `eid:${external}`);
  const fault = troubleWith(state, external) ?? (method === 'DELETE' ? undefined : faultIn(kind, values));
  if (fault !== undefined) {
    return fault;
  }
  if (method === 'POST' && there !== undefined) {
    return problem(400, 'DUP_RCRD', `This entity already exists: ${external}.`, 'externalId');
  }
  if (method !== 'POST' && method !== 'PUT' && there === undefined) {
    return problem(
      404,
      'NONEXISTENT_ID',
      `The record instance does not exist. Provide a valid ID: ${place}.`,
    );
  }
  if (method === 'DELETE') {
    kind.records.delete(String(there?.['id']));
    return { status: 204 };
  }
  state.lastId += 1;
  const id = String(there?.['id'] ?? state.lastId);
  kind.records.set(id, { ...there, ...(external === '' ? {} : { externalId: external }), ...values, id });
  return { status: 204, headers: { location: `https://1234567-sb1.example${record}/${name}/${id}` } };
}

function troubleWith({ poison, open }: NetsuiteState, external: string): Answer | undefined {
  if (poison.has(external)) {
    return problem(500, 'UNEXPECTED_ERROR', 'An unexpected error occurred. Error ID: 4711');
  }
  return open.has(external)
    ? problem(409, 'RCRD_HAS_BEEN_CHANGED', 'Record has been changed by another user.')
    : undefined;
}

function one(request: Received, state: NetsuiteState): Answer {
  const { method, params } = request;
  const values = method === 'DELETE' ? {} : request.json();
  const place = params['place'] ?? '';
  return place.includes('|')
    ? problem(404, 'NONEXISTENT_ID', 'The record instance does not exist.')
    : write(state, params['kind'] ?? '', method, place, values);
}

function get({ params }: Received, { kinds }: NetsuiteState): Answer {
  const kind = kinds.get(params['kind'] ?? '');
  const found = kind && foundAt(kind, params['place'] ?? '');
  return found === undefined
    ? problem(404, 'NONEXISTENT_ID', 'The record instance does not exist.')
    : { json: found };
}

// Jobs ---------------------------------------------------------------------------------------------------------------

/** One record, or up to 100 of them in a job. */
function several(request: Received, state: NetsuiteState): Answer {
  const { method, params, headers } = request;
  const kind = params['kind'] ?? '';
  if (headers['prefer'] !== 'respond-async') {
    return write(state, kind, method, undefined, request.json());
  }
  if (headers['content-type'] !== 'application/vnd.oracle.resource+json; type=collection') {
    return problem(400, 'INVALID_HEADER', 'Invalid content type.');
  }
  const key = headers['x-netsuite-idempotency-key'] ?? '';
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(key)) {
    return problem(400, 'INVALID_HEADER', 'The idempotency key has to be a UUID.');
  }
  const known = state.jobs.find((old) => old.key === key);
  if (known !== undefined) {
    const again = problem(
      400,
      'IDEMPOTENCY_ERROR',
      'A request with the same idempotency key is already submitted.',
    );
    return { ...again, headers: { location: `${job}/${known.id}` } };
  }
  const { items } = request.json<{ items: readonly Fields[] }>();
  if (items.length > 100) {
    return problem(400, 'INVALID_CONTENT', 'At most 100 records.');
  }
  return { status: 202, headers: { location: `${job}/${begin(state, kind, method, key, items).id}` } };
}

function begin(
  state: NetsuiteState,
  kind: string,
  method: string,
  key: string,
  items: readonly Fields[],
): Job {
  const ends = items.map(({ id, ...values }) => {
    const external = values['externalId'];
    const place = id === undefined ? `eid:${external}` : String(id);
    const isFlaky = state.flaky.has(String(external));
    const answer = isFlaky
      ? problem(500, 'UNEXPECTED_ERROR', 'Try again.')
      : write(state, kind, method, method === 'POST' ? undefined : place, values);
    return (answer.status ?? 200) < 300 ? ('succeeded' as const) : ('failed' as const);
  });
  const first = state.jobs.length * 1000 + 8;
  const order = state.disorder ? ends.toReversed() : ends;
  const begun: Job = {
    id: String(state.jobs.length + 4000),
    key,
    tasks: new Map(order.map((end, i) => [String(first + i), end])),
    polled: 0,
  };
  state.jobs.push(begun);
  return begun;
}

function jobOf({ params }: Received, { jobs, forgets }: NetsuiteState): Job | undefined {
  return forgets ? undefined : jobs.find(({ id }) => id === params['job']);
}

const noJob = problem(404, 'NONEXISTENT_ID', 'The job does not exist.');

function statusOf(request: Received, state: NetsuiteState): Answer {
  const found = jobOf(request, state);
  if (found === undefined) {
    return noJob;
  }
  found.polled += 1;
  const completed = found.polled >= state.polls;
  // A job succeeds whatever becomes of its tasks.
  return { json: { id: found.id, completed, progress: completed ? 'succeeded' : 'processing' } };
}

function tasksOf(request: Received, state: NetsuiteState): Answer {
  const found = jobOf(request, state);
  if (found === undefined) {
    return noJob;
  }
  // By their numbers as texts: 10 comes before 8.
  const items = [...found.tasks].toSorted().map(([id, progress]) => ({
    links: [{ rel: 'self', href: `https://1234567-sb1.example${job}/${found.id}/task/${id}` }],
    ...(state.bareTasks ? {} : { id, completed: true, progress }),
  }));
  return { json: { count: items.length, hasMore: false, items } };
}

function taskOf(request: Received, state: NetsuiteState): Answer {
  const id = request.params['task'] ?? '';
  const progress = jobOf(request, state)?.tasks.get(id);
  return progress === undefined ? noJob : { json: { id, completed: true, progress } };
}

// Queries ------------------------------------------------------------------------------------------------------------

function query(request: Received, { kinds }: NetsuiteState): Answer {
  const { q } = request.json<{ q: string }>();
  const [, field = '', object = '', list = ''] =
    /^SELECT id, (\w+) AS matched FROM (\w+) WHERE \1 IN \((.*)\)$/s.exec(q) ?? [];
  const kind = kinds.get(object);
  if (request.headers['prefer'] !== 'transient' || kind === undefined) {
    return problem(400, 'INVALID_PARAMETER', `Invalid search query. Record ${object} was not found.`);
  }
  const wanted = [...list.matchAll(/'((?:[^']|'')*)'/g)].map(([, one = '']) => one.replaceAll("''", "'"));
  const all = [...kind.records.values()]
    .filter((rec) => wanted.includes(String(rec[field])))
    .map((rec) => ({ links: [], id: String(rec['id']), matched: String(rec[field]) }));
  const offset = Number(request.query.get('offset'));
  const limit = Number(request.query.get('limit'));
  return { json: { items: all.slice(offset, offset + limit), hasMore: all.length > offset + limit } };
}

const routes: Routes<NetsuiteState> = {
  [`POST ${tokenPath}`]: token,
  [`GET ${record}/metadata-catalog`]: (_request, { kinds }) => ({
    json: { items: [...kinds.keys()].map((name) => ({ name, links: [] })) },
  }),
  [`GET ${record}/metadata-catalog/:kind`]: metadata,
  [`POST ${record}/:kind`]: several,
  [`PUT ${record}/:kind`]: several,
  [`PATCH ${record}/:kind`]: several,
  [`GET ${record}/:kind/:place`]: get,
  [`PUT ${record}/:kind/:place`]: one,
  [`PATCH ${record}/:kind/:place`]: one,
  [`DELETE ${record}/:kind/:place`]: one,
  [`GET ${job}/:job`]: statusOf,
  [`GET ${job}/:job/task`]: tasksOf,
  [`GET ${job}/:job/task/:task`]: taskOf,
  [`POST ${root}/query/v1/suiteql`]: query,
};
