import {
  type Answer,
  type FailsByRoute,
  type FakeHttp,
  type Received,
  type Routes,
  startFakeHttp,
} from './http.ts';
import { cardFaults, every, type Json, MESSAGE_BYTES } from './teams-cards.ts';
import {
  APP,
  directOf,
  type FakeChannel,
  type FakePerson,
  type FakeTeam,
  ISSUER,
  isAssertion,
  makeKey,
  type Posted,
  SECRET,
  type SigningKey,
  type State,
  signToken,
  TENANT,
  teamsId,
} from './teams-state.ts';

export type { Posted } from './teams-state.ts';
export { APP, directOf, SECRET, TENANT, teamsId } from './teams-state.ts';

export const MAYA = 'a0000000-0000-4000-8000-00000000000a';
export const SAM = 'b0000000-0000-4000-8000-00000000000b';
export const SALES = '19:sales0000000000000000000000000000@thread.tacv2';
export const GENERAL = '19:general00000000000000000000000000@thread.tacv2';
export const GROUP = '19:group000000000000000000000000000@thread.v2';

const people: readonly FakePerson[] = [
  { id: MAYA, name: 'Maya Ortiz', email: 'maya@example.com' },
  { id: SAM, name: 'Sam Reed', email: 'sam@example.com' },
];
const teams: readonly FakeTeam[] = [{ id: GENERAL, name: 'Northwind', groupId: 'group-of-northwind' }];
const channels: readonly FakeChannel[] = [
  { id: GENERAL, team: GENERAL },
  { id: SALES, name: 'sales', team: GENERAL },
];

export interface FakeOptions {
  readonly people?: readonly FakePerson[];
  readonly teams?: readonly FakeTeam[];
  readonly channels?: readonly FakeChannel[];
  /** In PEM: then the app proves itself with it, and not with the secret. */
  readonly certificate?: string;
  /** Seconds that a token for calls lasts; an hour when left out. */
  readonly tokenSeconds?: number;
  /** Members a page of a roster. */
  readonly page?: number;
}

/** A pretended Microsoft: its sign-in, its signing keys, the Teams service, and Graph. Strict about what they are strict about. */
export interface FakeTeams {
  readonly http: FakeHttp<State> & FailsByRoute;
  readonly state: State;
  readonly serviceUrl: string;
  readonly loginUrl: string;
  readonly openIdUrl: string;
  readonly graphUrl: string;
  readonly violations: readonly string[];
  /** What stands in a conversation, threads too, oldest first. */
  messages(conversation: string): readonly Posted[];
  /** A token of Teams for the bot, with these claims over the usual ones, by this key. */
  token(claims?: Json, key?: SigningKey): string;
  tokensAsked(): number;
  /** Resolves once `check` is truthy with what it came to. */
  until<T>(check: () => T | undefined | false): Promise<T>;
  close(): Promise<void>;
}

export async function startFakeTeams(options: FakeOptions = {}): Promise<FakeTeams> {
  const key = makeKey('key-1');
  // Signing keys are remembered by their address for a day.
  const path = `/keys-${Math.random().toString(36).slice(2)}`;
  const state: State = {
    people: [...people, ...(options.people ?? [])],
    teams: [...teams, ...(options.teams ?? [])],
    channels: [...channels, ...(options.channels ?? [])],
    messages: [],
    violations: [],
    uploads: [],
    closed: new Set(),
    targeted: true,
    members: 0,
    next: 0,
  };
  const issued = new Map<string, { readonly resource: string; readonly until: number }>();
  const guard = (request: Received): Answer | undefined => {
    const wanted = request.path.startsWith('/graph/') ? new URL(http.url).origin : ISSUER;
    if (!/^\/(graph|teams)\//.test(request.path)) {
      return undefined;
    }
    const token = issued.get((request.headers['authorization'] ?? '').replace('Bearer ', ''));
    return token?.resource === wanted && token.until > Date.now()
      ? undefined
      : refused(401, 'Unauthorized', 'Authorization has been denied for this request.');
  };
  const http: FakeHttp<State> & FailsByRoute = await startFakeHttp<State>(
    state,
    {
      [`GET ${path}/openid`]: () => ({ json: { issuer: ISSUER, jwks_uri: `${http.url}${path}/jwks` } }),
      [`GET ${path}/jwks`]: () => ({ json: { keys: [key.jwk] } }),
      'POST /login/:tenant/oauth2/v2.0/token': (request) => {
        const form = new URLSearchParams(request.body.toString());
        const url = `${http.url}/login/${TENANT}/oauth2/v2.0/token`;
        const known =
          options.certificate === undefined
            ? form.get('client_secret') === SECRET
            : isAssertion(form.get('client_assertion') ?? '', options.certificate, url);
        if (request.params['tenant'] !== TENANT || form.get('client_id') !== APP || !known) {
          return { status: 401, json: { error: 'invalid_client' } };
        }
        const seconds = options.tokenSeconds ?? 3600;
        const token = `token-${issued.size}`;
        const resource = (form.get('scope') ?? '').replace(/\/\.default$/, '');
        issued.set(token, { resource, until: Date.now() + seconds * 1000 });
        return { json: { access_token: token, expires_in: seconds, token_type: 'Bearer' } };
      },
      ...serviceRoutes(options.page ?? 2),
      ...graphRoutes(() => http.url),
      'PUT /upload/:id': (request, { uploads }) => {
        const range = request.headers['content-range'] ?? '';
        uploads.push({ path: request.path, range, body: request.body });
        return { status: 201, json: {} };
      },
    },
    guard,
  );
  const serviceUrl = `${http.url}/teams/`;
  return {
    http,
    state,
    serviceUrl,
    loginUrl: `${http.url}/login`,
    openIdUrl: `${http.url}${path}/openid`,
    graphUrl: `${http.url}/graph`,
    violations: state.violations,
    messages: (conversation) => state.messages.filter((one) => one.conversation === conversation),
    token: (claims, by = key) => signToken(by, serviceUrl, claims),
    tokensAsked: () => issued.size,
    until: async (check) => {
      for (let waited = 0; waited < 20_000; waited += 10) {
        const found = check();
        if (found !== undefined && found !== false) {
          return found;
        }
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      throw new Error('What was waited for did not happen.');
    },
    close: () => http.close(),
  };
}

function refused(status: number, code: string, message: string): Answer {
  return { status, json: { error: { code, message } } };
}

function serviceRoutes(page: number): Routes<State> {
  return {
    'POST /teams/v3/conversations': (request, state) => create(request.json(), state),
    'POST /teams/v3/conversations/:id/activities': (request, state) =>
      post(request.params['id'] ?? '', request.json(), state, request.query),
    'PUT /teams/v3/conversations/:id/activities/:message': (request, state) => {
      const message = state.messages.find(({ id }) => id === request.params['message']);
      if (message === undefined || message.deleted) {
        return refused(404, 'ActivityNotFoundInConversation', 'Activity not found.');
      }
      const activity = request.json();
      if ((request.query.get('isTargetedActivity') === 'true') !== (message.onlyFor !== undefined)) {
        return refused(400, 'BadArgument', 'Not a targeted message.');
      }
      check(activity, state);
      message.activity = activity;
      message.edits += 1;
      return { json: { id: message.id } };
    },
    'DELETE /teams/v3/conversations/:id/activities/:message': (request, state) => {
      const message = state.messages.find(({ id }) => id === request.params['message']);
      if (message !== undefined) {
        message.deleted = true;
      }
      return { json: {} };
    },
    'GET /teams/v3/conversations/:id/pagedmembers': (request, state) => {
      state.members += 1;
      const from = Number(request.query.get('continuationToken') ?? '0');
      const listed = state.people.filter((person) => person.listed !== false);
      const next = from + page < listed.length ? { continuationToken: String(from + page) } : {};
      return { json: { members: listed.slice(from, from + page).map(memberOf), ...next } };
    },
    'GET /teams/v3/conversations/:id/members/:member': (request, state) => {
      const wanted = request.params['member'] ?? '';
      const person = state.people.find((one) => one.id === wanted || teamsId(one.id) === wanted);
      return person === undefined || person.listed === false
        ? refused(404, 'MemberNotFoundInConversation', 'Member not found.')
        : { json: memberOf(person) };
    },
    'GET /teams/v3/teams/:id/conversations': (request, state) => {
      const team = request.params['id'] ?? '';
      return state.closed.has(team)
        ? refused(403, 'BotNotInConversationRoster', 'The bot is not part of the conversation roster.')
        : {
            json: {
              conversations: state.channels
                .filter((channel) => channel.team === team)
                .map(({ id, name }) => ({ id, name: name ?? null })),
            },
          };
    },
  };
}

function memberOf({ id, name, email, more }: FakePerson): Json {
  return {
    id: teamsId(id),
    aadObjectId: id,
    name,
    email,
    userPrincipalName: email.replace('@example.com', '@corp.example.com'),
    tenantId: TENANT,
    userRole: 'user',
    ...more,
  };
}

function create(body: Json, state: State): Answer {
  const { members, activity, channelData, isGroup } = body as {
    members?: { id: string }[];
    activity?: Json;
    channelData?: { channel?: { id: string } };
    isGroup?: boolean;
  };
  const channel = channelData?.channel?.id;
  if (isGroup === true && channel !== undefined && activity !== undefined) {
    const posted = post(channel, activity, state, new URLSearchParams());
    const { id } = (posted.json ?? {}) as { id?: string };
    return id === undefined
      ? posted
      : { status: 201, json: { id: `${channel};messageid=${id}`, activityId: id } };
  }
  const wanted = members?.[0]?.id;
  const person = state.people.find((one) => one.id === wanted || teamsId(one.id) === wanted);
  return person === undefined
    ? refused(403, 'ForbiddenOperationException', 'The bot is not installed in user scope.')
    : { status: 201, json: { id: directOf(person.id) } };
}

function post(address: string, activity: Json, state: State, query: URLSearchParams): Answer {
  const [conversation = '', thread] = address.split(';messageid=');
  if (state.closed.has(conversation)) {
    return refused(403, 'BotNotInConversationRoster', 'The bot is not part of the conversation roster.');
  }
  check(activity, state);
  const recipient = (activity['recipient'] as { id?: string } | undefined)?.id;
  const targeted = query.get('isTargetedActivity') === 'true';
  if (targeted && (!state.targeted || recipient === undefined)) {
    return refused(400, 'BadArgument', 'Targeted messages are not supported here.');
  }
  state.next += 1;
  const message: Posted = {
    id: String(1_700_000_000_000 + state.next),
    conversation,
    activity,
    edits: 0,
    deleted: false,
    ...(thread === undefined ? {} : { thread }),
    ...(targeted && recipient !== undefined ? { onlyFor: recipient } : {}),
  };
  state.messages.push(message);
  return { status: 201, json: { id: message.id } };
}

/** Notes what Teams would refuse in a message, or show wrongly. */
function check(activity: Json, { violations }: State): void {
  const bytes = JSON.stringify(activity).replace(/data:image\/png;base64,[\w+/=]+/g, '').length * 2;
  if (bytes > MESSAGE_BYTES) {
    violations.push(`a message of ${bytes} bytes`);
  }
  const attachments = (activity['attachments'] ?? []) as { contentType: string; content: unknown }[];
  for (const { contentType, content } of attachments) {
    if (contentType === 'application/vnd.microsoft.card.adaptive') {
      violations.push(...cardFaults(content), ...mentionFaults(content));
    }
  }
}

/** Mentions without an entity, and entities that stand nowhere. */
function mentionFaults(content: unknown): readonly string[] {
  const { msteams, ...rest } = content as { msteams?: { entities?: { text: string }[] } };
  const entities = (msteams?.entities ?? []).map(({ text }) => text);
  const texts = every(rest).flatMap((one) =>
    [one['text'], one['value']].filter((text): text is string => typeof text === 'string'),
  );
  const said = texts.flatMap((text) => text.match(/<at>[^<]*<\/at>/g) ?? []);
  return [
    ...said.filter((text) => !entities.includes(text)).map((text) => `${text} has no entity`),
    ...entities.filter((text) => !said.includes(text)).map((text) => `${text} stands nowhere`),
  ];
}

function graphRoutes(url: () => string): Routes<State> {
  return {
    'GET /graph/v1.0/users': (request, { people: all }) => {
      const [, mail] = /^mail eq '(.+?)' or /.exec(request.query.get('$filter') ?? '') ?? [];
      const value = all
        .filter(({ email }) => email === mail)
        .map(({ id, name, email, more }) => ({
          ...{ id, displayName: name, mail: email, userPrincipalName: email, userType: 'Member' },
          ...more,
        }));
      return { json: { value } };
    },
    'GET /graph/v1.0/teams/:group/channels/:channel/messages': (request, state) =>
      history(request, state, request.params['channel'] ?? '', undefined, url()),
    'GET /graph/v1.0/teams/:group/channels/:channel/messages/:root/replies': (request, state) =>
      history(request, state, request.params['channel'] ?? '', request.params['root'], url()),
    'GET /graph/v1.0/chats/:chat/messages': (request, state) =>
      history(request, state, request.params['chat'] ?? '', undefined, url()),
  };
}

/** Newest first, two a page. */
function history(
  request: Received,
  { messages }: State,
  conversation: string,
  thread: string | undefined,
  url: string,
): Answer {
  const all = messages
    .filter((one) => one.conversation === conversation && one.thread === thread)
    .toReversed();
  const skip = Number(request.query.get('$skip') ?? '0');
  const value = all.slice(skip, skip + 2).map(({ id, activity }) => ({
    id,
    createdDateTime: new Date().toISOString(),
    attachments: ((activity['attachments'] ?? []) as { content: unknown }[]).map(({ content }) => ({
      content: JSON.stringify(content),
    })),
  }));
  const next = `${url}${request.path}?$skip=${skip + 2}`;
  return { json: { value, ...(skip + 2 < all.length ? { '@odata.nextLink': next } : {}) } };
}
