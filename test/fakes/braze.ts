import { type Answer, type FakeHttp, type Received, startFakeHttp } from './http.ts';

type Sent = Readonly<Record<string, unknown>>;

interface Alias {
  readonly alias_name: string;
  readonly alias_label: string;
}

export interface BrazeState {
  readonly apiKey: string;
  /** Profiles, by the way they were found and what it holds: `external_id u1`. */
  readonly users: Map<string, Sent>;
  /** As Braze keeps them: each one that came, however often. */
  readonly events: Sent[];
  readonly purchases: Sent[];
  readonly attributes: Sent[];
  /** Pages of `GET /custom_attributes` have so many. */
  pageSize: number;
  /** Objects in one request, over all of its lists. */
  most: number;
}

export type FakeBraze = FakeHttp<BrazeState>;

/** A value that no attribute and no property may have. */
export const refused = 'refuse me';

/** A workspace with three users, u0 to u2, and a few attributes. */
export function startBraze(): Promise<FakeBraze> {
  const state: BrazeState = {
    apiKey: 'b2a7f1c0-58d4-4c1e-9f63-0d2e8a417c95',
    users: new Map([0, 1, 2].map((i) => [`external_id u${i}`, { first_name: `Before ${i}` }])),
    events: [],
    purchases: [],
    attributes: [
      { name: 'beta_tester', data_type: 'Boolean', status: 'Active', array_length: null },
      { name: 'email', data_type: 'String', status: 'Active', array_length: null },
      { name: 'invited', data_type: 'Boolean (Automatically Detected)', status: 'Blocklisted' },
      { name: 'plan', data_type: 'String', status: 'Active', array_length: null, description: null },
      { name: 'prefs', data_type: 'Object', status: 'Active', array_length: null },
      { name: 'seats', data_type: 'Number', status: 'Active', array_length: null },
      { name: 'since', data_type: 'Time', status: 'Active', array_length: null },
      { name: 'tags', data_type: 'Array', status: 'Active', array_length: 3, tag_names: [] },
    ],
    pageSize: 50,
    most: 75,
  };
  return startFakeHttp(
    state,
    {
      'GET /custom_attributes': listed,
      'POST /users/track': track,
      'POST /users/delete': erase,
    },
    ({ headers }, { apiKey }) =>
      headers['authorization'] === `Bearer ${apiKey}`
        ? undefined
        : { status: 401, json: { message: 'Invalid API key' } },
  );
}

function listed({ query, headers }: Received, { attributes, pageSize }: BrazeState): Answer {
  const from = Number(Buffer.from(query.get('cursor') ?? 'MA==', 'base64').toString());
  const rest = attributes.length > from + pageSize;
  const cursor = Buffer.from(String(from + pageSize)).toString('base64');
  const link = `<https://${headers['host']}/custom_attributes?cursor=${encodeURIComponent(cursor)}>; rel="next"`;
  return {
    headers: rest ? { link } : {},
    json: { message: 'success', attributes: attributes.slice(from, from + pageSize) },
  };
}

type List = 'attributes' | 'events' | 'purchases';

/** 201 for whatever of it can be queued, and errors by place in a list for the rest; 400 when nothing can. */
function track(request: Received, state: BrazeState): Answer {
  const body = request.json<Partial<Record<List, readonly Sent[]>>>();
  const lists = (['attributes', 'events', 'purchases'] as const).map(
    (list) => [list, body[list] ?? []] as const,
  );
  const count = lists.reduce((sum, [, all]) => sum + all.length, 0);
  if (count > state.most) {
    return { status: 400, json: { message: 'Max input length exceeded' } };
  }
  const errors: object[] = [];
  for (const [list, all] of lists) {
    for (const [index, sent] of all.entries()) {
      const type = errorOf(list, sent);
      if (type !== undefined) {
        errors.push({ type, input_array: list, index });
      } else {
        keep(list, sent, state);
      }
    }
  }
  if (errors.length === count) {
    const message = "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields.";
    return { status: 400, json: { message, ...(count === 0 ? {} : { errors }) } };
  }
  const processed = Object.fromEntries(
    lists.filter(([, all]) => all.length > 0).map(([list, all]) => [`${list}_processed`, all.length]),
  );
  return {
    status: 201,
    json: { message: 'success', ...processed, ...(errors.length > 0 ? { errors } : {}) },
  };
}

/** It quotes what it refuses. */
function errorOf(list: List, sent: Sent): string | undefined {
  if (wayOf(sent) === undefined) {
    return "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required";
  }
  if (JSON.stringify(sent).includes(refused)) {
    return `invalid data: ${refused}`;
  }
  if (String(sent['external_id']).startsWith('dummy')) {
    return `provided external_id ${String(sent['external_id'])} is blacklisted and disallowed`;
  }
  return list !== 'attributes' && typeof sent['time'] !== 'string' ? "'time' is required" : undefined;
}

/** How the user is found. An address is gone by before a number. */
function wayOf(sent: Sent): string | undefined {
  const alias = sent['user_alias'] as Alias | undefined;
  if (alias !== undefined) {
    return `alias ${alias.alias_label} ${alias.alias_name}`;
  }
  const name = ['external_id', 'braze_id', 'email', 'phone'].find((one) => sent[one] !== undefined);
  return name === undefined ? undefined : `${name} ${String(sent[name])}`;
}

/** Later, and without a word about users whom it may not make. */
function keep(list: List, sent: Sent, state: BrazeState): void {
  const { _update_existing_only: only, user_alias: alias, ...given } = sent;
  const way = wayOf(sent) ?? '';
  if (!state.users.has(way) && (only === true || (alias !== undefined && only === undefined))) {
    return;
  }
  const before = state.users.get(way) ?? {};
  if (list !== 'attributes') {
    state.users.set(way, before);
    state[list].push({ ...given, ...(alias === undefined ? {} : { user_alias: alias }) });
    return;
  }
  const { external_id: _e, braze_id: _b, ...values } = given;
  const merged = Object.entries({ ...before, ...values }).filter(([, value]) => value !== null);
  state.users.set(way, Object.fromEntries(merged));
  for (const [name, value] of Object.entries(values)) {
    if (!state.attributes.some((one) => one['name'] === name)) {
      state.attributes.push({
        name,
        data_type: typeof value === 'boolean' ? 'Boolean' : 'String',
        status: 'Active',
      });
    }
  }
}

interface Erasure {
  readonly external_ids?: readonly string[];
  readonly braze_ids?: readonly string[];
  readonly user_aliases?: readonly Alias[];
  readonly email_addresses?: readonly {
    readonly email: string;
    readonly prioritization?: readonly string[];
  }[];
  readonly phone_numbers?: readonly { readonly phone: string; readonly prioritization?: readonly string[] }[];
}

/** Queues users for deletion, unknown ones too; says no more than how many they are. */
function erase(request: Received, { users }: BrazeState): Answer {
  const body = request.json<Erasure>();
  const addressed = [...(body.email_addresses ?? []), ...(body.phone_numbers ?? [])];
  const ways = [
    ...(body.external_ids ?? []).map((id) => `external_id ${id}`),
    ...(body.braze_ids ?? []).map((id) => `braze_id ${id}`),
    ...(body.user_aliases ?? []).map((one) => `alias ${one.alias_label} ${one.alias_name}`),
    ...(body.email_addresses ?? []).map(({ email }) => `email ${email}`),
    ...(body.phone_numbers ?? []).map(({ phone }) => `phone ${phone}`),
  ];
  const unclear = addressed.some(({ prioritization }) => prioritization === undefined);
  if (ways.length > 50 || Object.keys(body).length !== 1 || unclear || ways.includes('external_id dummy')) {
    const message = ways.length > 50 ? 'The max number of ids per request was exceeded' : 'Bad Request';
    return { status: 400, json: { message } };
  }
  for (const way of ways) {
    users.delete(way);
  }
  return { json: { deleted: ways.length, message: 'success' } };
}
