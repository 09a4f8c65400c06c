import { type Answer, type FakeHttp, type Received, startFakeHttp } from './http.ts';

type Data = Readonly<Record<string, unknown>>;

interface Sent {
  readonly email?: string;
  readonly userId?: string;
  readonly eventName?: string;
  readonly id?: string;
  readonly createdAt?: number;
  readonly dataFields?: Data;
  readonly createNewFields?: boolean;
}

interface List {
  readonly id: number;
  readonly name: string;
  readonly listType: string;
  readonly users: Set<string>;
}

export interface IterableState {
  readonly apiKey: string;
  /** What the project knows its users by. */
  projectType: 'email' | 'userId' | 'hybrid';
  /** Types by name of the field, as its first value made them. */
  readonly fields: Map<string, string>;
  /** Whether the project makes fields that it does not have. */
  makesFields: boolean;
  /** By address in small letters, or by id. */
  readonly users: Map<string, Data>;
  readonly events: Map<string, Sent>;
  readonly lists: List[];
  readonly forgotten: Set<string>;
  readonly conflicts: Set<string>;
  readonly disallowed: Set<string>;
  /** Whoever was taken off a list of a channel altogether. */
  readonly offChannel: Set<string>;
  maxBytes: number;
}

export type FakeIterable = FakeHttp<IterableState>;

/** An answer as Iterable has it, which calls some of its errors a success. */
export const said = (status: number, code: string, msg = '', params: unknown = null): Answer => ({
  status,
  json: { msg, code, params },
});

/** An email-based project with the users p0 to p2, and the lists 1 (static), 2 (dynamic) and 3 (of suppression). */
export function startIterable(): Promise<FakeIterable> {
  const list = (id: number, name: string, listType: string): List => ({
    id,
    name,
    listType,
    users: new Set(),
  });
  const state: IterableState = {
    apiKey: '6f1a0c9be2d34785a6b0f1c2d3e4f506',
    projectType: 'email',
    fields: new Map([
      ['email', 'string'],
      ['userId', 'string'],
      ['signupDate', 'date'],
      ['emailListIds', 'long'],
      ['name', 'string'],
      ['plan', 'string'],
      ['seats', 'long'],
      ['score', 'double'],
      ['vip', 'boolean'],
      ['since', 'date'],
      ['prefs', 'object'],
      ['prefs.mail', 'boolean'],
    ]),
    makesFields: true,
    users: new Map([0, 1, 2].map((i) => [`p${i}@mail.test`, { name: `Before ${i}` }])),
    events: new Map(),
    lists: [
      list(1, 'Buyers', 'Standard'),
      list(2, 'Active lately', 'Dynamic'),
      list(3, 'Held back', 'Suppression'),
    ],
    forgotten: new Set(),
    conflicts: new Set(),
    disallowed: new Set(),
    offChannel: new Set(),
    maxBytes: 4_000_000,
  };
  return startFakeHttp(
    state,
    {
      'GET /api/users/getFields': (_, { fields }) => ({ json: { fields: Object.fromEntries(fields) } }),
      'POST /api/users/bulkUpdate': update,
      'DELETE /api/users/byUserId/:user': erase,
      'DELETE /api/users/:user': erase,
      'POST /api/events/trackBulk': trackBulk,
      'GET /api/lists': (_, { lists }) => ({
        json: {
          lists: lists.map(({ id, name, listType }) => ({
            id,
            name,
            listType,
            createdAt: 1_700_000_000_000,
          })),
        },
      }),
      'POST /api/lists': (request, { lists }) => {
        lists.push(list(lists.length + 1, request.json<{ name: string }>().name, 'Standard'));
        return { json: { listId: lists.length } };
      },
      'POST /api/lists/subscribe': subscribe,
      'POST /api/lists/unsubscribe': unsubscribe,
    },
    ({ headers, body }, { apiKey, maxBytes }) => {
      if (headers['api-key'] !== apiKey) {
        return said(401, 'BadApiKey', 'Invalid API key');
      }
      return body.byteLength > maxBytes ? said(413, 'BatchTooLarge', 'Request entity too large') : undefined;
    },
  );
}

const failures = () => ({
  invalidEmails: [] as string[],
  invalidUserIds: [] as string[],
  notFoundEmails: [] as string[],
  notFoundUserIds: [] as string[],
  invalidDataEmails: [] as string[],
  invalidDataUserIds: [] as string[],
  conflictEmails: [] as string[],
  conflictUserIds: [] as string[],
  forgottenEmails: [] as string[],
  forgottenUserIds: [] as string[],
});

const keyOf = ({ email, userId }: Sent): string => email?.toLowerCase() ?? userId ?? '';

/** Why a user is refused, as the beginning of the name of the list that they are named in. */
function reasonAgainst(
  sent: Sent,
  { projectType, forgotten, conflicts, users }: IterableState,
  making: Making,
): 'invalid' | 'forgotten' | 'conflict' | 'notFound' | undefined {
  const { email, userId } = sent;
  const key = keyOf(sent);
  const wrongKind =
    (projectType === 'email' && email === undefined) || (projectType === 'userId' && userId === undefined);
  if (wrongKind || (email !== undefined && !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(email))) {
    return 'invalid';
  }
  if (forgotten.has(key)) {
    return 'forgotten';
  }
  if (conflicts.has(key)) {
    return 'conflict';
  }
  return making.users || users.has(key) ? undefined : 'notFound';
}

interface Making {
  /** Users that are not there. */
  readonly users: boolean;
  /** As the request has it; the project decides where it has nothing. */
  readonly fields: boolean | undefined;
}

/**
 * Takes what it can of a request for many, and says by name whom it did not take. A value of another type than its field
 * costs the whole request.
 */
function each(
  all: readonly Sent[],
  state: IterableState,
  making: Making,
  take: (sent: Sent, kept: Data) => void,
): Answer {
  const mismatch = mismatchIn(all, state);
  if (mismatch !== undefined) {
    return mismatch;
  }
  const failed = failures();
  const made = new Set<string>();
  const dropped = new Set<string>();
  const disallowed = new Set<string>();
  let successCount = 0;
  for (const sent of all) {
    const { email, eventName = '', dataFields = {} } = sent;
    const reason = reasonAgainst(sent, state, making);
    if (reason !== undefined) {
      // Addresses come back in small letters, however they were written.
      failed[`${reason}${email === undefined ? 'UserIds' : 'Emails'}`].push(keyOf(sent));
    } else if (state.disallowed.has(eventName)) {
      disallowed.add(eventName);
    } else {
      const makes = sent.createNewFields ?? making.fields ?? state.makesFields;
      take(sent, kept(dataFields, state, makes, made, dropped));
      successCount += 1;
    }
  }
  return {
    json: {
      successCount,
      failCount: all.length - successCount,
      // Kept for old callers.
      invalidEmails: failed.invalidEmails,
      invalidUserIds: failed.invalidUserIds,
      createdFields: [...made],
      filteredOutFields: [...dropped],
      disallowedEventNames: [...disallowed],
      failedUpdates: failed,
    },
  };
}

/** What of it there are fields for; null empties one. */
function kept(
  data: Data,
  { fields }: IterableState,
  makes: boolean,
  made: Set<string>,
  dropped: Set<string>,
): Data {
  const entries = Object.entries(data).filter(([name, value]) => {
    if (!fields.has(name) && value !== null && makes) {
      fields.set(name, typeOf(value));
      made.add(name);
    } else if (!fields.has(name) && value !== null) {
      dropped.add(name);
    }
    return fields.has(name);
  });
  return Object.fromEntries(entries);
}

function typeOf(value: unknown): string {
  switch (typeof value) {
    case 'number':
      return Number.isInteger(value) ? 'long' : 'double';
    case 'boolean':
      return 'boolean';
    case 'string':
      return /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d$/.test(value) ? 'date' : 'string';
    default:
      return 'object';
  }
}

function mismatchIn(all: readonly Sent[], { fields }: IterableState): Answer | undefined {
  for (const { dataFields = {} } of all) {
    for (const [name, value] of Object.entries(dataFields)) {
      const expected = fields.get(name);
      const incoming = typeOf(value);
      const fits =
        expected === undefined ||
        value === null ||
        expected === incoming ||
        (expected === 'double' && incoming === 'long') ||
        (expected === 'string' && incoming === 'date');
      if (!fits) {
        const one = {
          incomingTypes: [incoming, 'keyword'],
          expectedType: expected,
          category: 'user',
          offendingValue: value,
        };
        return said(
          400,
          'RequestFieldsTypesMismatched',
          `Project 3549: The request does not have the same data types as the project: ${String(value)}`,
          { validationErrors: { [`my_project_etl:::${name}`]: { ...one, _type: 'UnexpectedType' } } },
        );
      }
    }
  }
  return undefined;
}

function update(request: Received, state: IterableState): Answer {
  const {
    users,
    updateOnly = false,
    createNewFields,
  } = request.json<{
    users: readonly Sent[];
    updateOnly?: boolean;
    createNewFields?: boolean;
  }>();
  return each(users, state, { users: !updateOnly, fields: createNewFields }, (sent, data) =>
    change(sent, data, state),
  );
}

function change(sent: Sent, data: Data, { users }: IterableState): void {
  const merged = Object.entries({ ...users.get(keyOf(sent)), ...data }).filter(([, value]) => value !== null);
  users.set(keyOf(sent), Object.fromEntries(merged));
}

function erase({ params }: Received, { users, lists }: IterableState): Answer {
  const user = (params['user'] ?? '').toLowerCase();
  if (user.includes('refuse')) {
    return said(400, 'InvalidEmailAddressError', `Invalid email: ${user}`);
  }
  for (const { users: on } of lists) {
    on.delete(user);
  }
  return users.delete(user) ? said(200, 'Success') : said(404, 'NotFound', `No user ${user}`);
}

/** An event whose id is there already is written over. */
function trackBulk(request: Received, state: IterableState): Answer {
  const { events } = request.json<{ events: readonly Sent[] }>();
  return each(events, state, { users: true, fields: undefined }, (sent, data) => {
    state.events.set(sent.id ?? `made ${state.events.size}`, { ...sent, dataFields: data });
  });
}

interface Subscription {
  readonly listId: number;
  readonly subscribers: readonly Sent[];
  readonly updateExistingUsersOnly?: boolean;
  readonly channelUnsubscribe?: boolean;
}

const noList = said(400, 'Success', 'error.lists.invalidListId: No such list');

function subscribe(request: Received, state: IterableState): Answer {
  const { listId, subscribers, updateExistingUsersOnly: only = false } = request.json<Subscription>();
  const list = state.lists.find(({ id, listType }) => id === listId && listType === 'Standard');
  // Email-based projects make users in any case.
  const mayMake = !only || state.projectType === 'email';
  return list === undefined
    ? noList
    : each(subscribers, state, { users: mayMake, fields: undefined }, (sent, data) => {
        change(sent, data, state);
        list.users.add(keyOf(sent));
      });
}

function unsubscribe(request: Received, state: IterableState): Answer {
  const { listId, subscribers, channelUnsubscribe: altogether = true } = request.json<Subscription>();
  const list = state.lists.find(({ id }) => id === listId);
  return list === undefined
    ? noList
    : each(subscribers, state, { users: false, fields: undefined }, (sent) => {
        list.users.delete(keyOf(sent));
        if (altogether) {
          state.offChannel.add(keyOf(sent));
        }
      });
}
