import { attachmentFaults, dialogFaults, postRefusal } from './mattermost-checks.ts';
import {
  BOT,
  type FakeChannel,
  type FakePost,
  type FakeUser,
  type Json,
  newId,
  type State,
  TEAM,
} from './mattermost-state.ts';

/** An answer of the server: a status and JSON, or a refusal by its own name. */
export interface Said {
  readonly status: number;
  readonly body: unknown;
}

export interface Rights {
  /** The role of a system admin: all channels, whispering, commands. */
  readonly admin: boolean;
  readonly commands: boolean;
}

export interface Server {
  readonly state: State;
  readonly version: string;
  readonly rights: Rights;
  readonly triggerMs: number;
  readonly settings: Readonly<Record<string, string>>;
  /** Tells everybody who listens of a post. */
  published(post: FakePost): void;
}

export interface Request {
  readonly method: string;
  /** Below /api/v4, without a query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Json;
  readonly upload?: { readonly name: string; readonly bytes: Buffer; readonly channel: string };
}

export function refusal(status: number, id: string, message = id): Said {
  return { status, body: { id, message, detailed_error: '', request_id: newId(), status_code: status } };
}

const forbidden = (): Said => refusal(403, 'api.context.permissions.app_error', 'No permission');
const missing = (id: string): Said => refusal(404, id);

type Route = (server: Server, request: Request, ...parts: string[]) => Said;

/** The calls that the bot makes, and what a real server answers. */
const ROUTES: readonly (readonly [string, RegExp, Route])[] = [
  ['GET', /^\/users\/me$/, ({ state }) => ok(userJson(state.users.get(BOT)!))],
  ['GET', /^\/users\/email\/([^/]+)$/, byEmail],
  ['GET', /^\/users\/me\/teams$/, ({ state }) => ok(state.teams)],
  ['GET', /^\/users\/me\/teams\/(\w+)\/channels$/, ownChannels],
  ['GET', /^\/users\/(\w+)$/, oneUser],
  ['GET', /^\/users$/, ({ state }) => ok([...state.users.values()].map(userJson))],
  ['POST', /^\/users\/search$/, searchUsers],
  ['GET', /^\/teams\/(\w+)\/channels$/, publicChannels],
  ['GET', /^\/channels\/(\w+)$/, oneChannel],
  ['POST', /^\/channels\/direct$/, direct],
  ['POST', /^\/channels\/(\w+)\/members$/, join],
  ['GET', /^\/channels\/(\w+)\/posts$/, listPosts],
  ['POST', /^\/posts$/, createPost],
  ['POST', /^\/posts\/ephemeral$/, whisper],
  ['GET', /^\/posts\/(\w+)$/, onePost],
  ['PUT', /^\/posts\/(\w+)\/patch$/, patchPost],
  ['POST', /^\/files$/, upload],
  ['GET', /^\/commands$/, listCommands],
  ['POST', /^\/commands$/, addCommand],
  ['PUT', /^\/commands\/(\w+)$/, editCommand],
  ['POST', /^\/actions\/dialogs\/open$/, openDialog],
  ['GET', /^\/config\/client$/, ({ version, settings }) => ok({ Version: version, ...settings })],
  ['GET', /^\/groups$/, listGroups],
  ['GET', /^\/groups\/(\w+)\/members$/, groupMembers],
];

export function answerCall(server: Server, request: Request): Said {
  for (const [method, pattern, route] of ROUTES) {
    const match = pattern.exec(request.path);
    if (method === request.method && match !== null) {
      return route(server, request, ...match.slice(1).map(decodeURIComponent));
    }
  }
  server.state.violations.push(`${request.method} ${request.path} is no call that is known here`);
  return missing('api.context.404.app_error');
}

function ok(body: unknown, status = 200): Said {
  return { status, body };
}

function userJson(user: FakeUser): Json {
  return {
    delete_at: 0,
    first_name: '',
    last_name: '',
    nickname: '',
    auth_service: '',
    roles: 'system_user',
    ...user,
  };
}

function channelJson(state: State, channel: FakeChannel): Json {
  const last = state.posts.filter((post) => post.channel_id === channel.id && post.ephemeral === undefined);
  return {
    id: channel.id,
    name: channel.name,
    display_name: channel.name,
    type: channel.type,
    team_id: channel.type === 'D' ? '' : channel.team,
    delete_at: channel.delete_at,
    last_post_at: last.at(-1)?.create_at ?? 0,
  };
}

function byEmail({ state }: Server, _: Request, email = ''): Said {
  const user = [...state.users.values()].find((one) => one.email !== '' && one.email === email);
  return user === undefined ? missing('app.user.missing_account.const') : ok(userJson(user));
}

function oneUser({ state }: Server, _: Request, id = ''): Said {
  const user = state.users.get(id);
  return user === undefined ? missing('app.user.missing_account.const') : ok(userJson(user));
}

function searchUsers({ state }: Server, { body }: Request): Said {
  const term = String(body['term']).toLowerCase();
  const found = [...state.users.values()].filter((user) =>
    [user.username, user.email, user.first_name, user.last_name, user.nickname].some((text) =>
      text?.toLowerCase().startsWith(term),
    ),
  );
  return ok(found.map(userJson));
}

function ownChannels({ state }: Server, _: Request, team = ''): Said {
  const own = [...state.channels.values()].filter(
    (channel) => channel.members.has(BOT) && (channel.type === 'D' || channel.team === team),
  );
  return ok(own.map((channel) => channelJson(state, channel)));
}

function publicChannels({ state }: Server, { query }: Request, team = ''): Said {
  const page = Number(query.get('page'));
  const size = Number(query.get('per_page'));
  const all = [...state.channels.values()].filter(
    (channel) => channel.type === 'O' && channel.team === team && channel.delete_at === 0,
  );
  return ok(all.slice(page * size, (page + 1) * size).map((channel) => channelJson(state, channel)));
}

function oneChannel({ state, rights }: Server, _: Request, id = ''): Said {
  const channel = state.channels.get(id);
  if (channel === undefined) {
    return missing('app.channel.get.existing.app_error');
  }
  return channel.type === 'O' || channel.members.has(BOT) || rights.admin
    ? ok(channelJson(state, channel))
    : forbidden();
}

export function directOf(state: State, user: string): FakeChannel {
  const name = `${BOT}__${user}`;
  const there = [...state.channels.values()].find((channel) => channel.name === name);
  const channel: FakeChannel = there ?? {
    id: newId(),
    name,
    type: 'D',
    team: '',
    members: new Set([BOT, user]),
    delete_at: 0,
  };
  state.channels.set(channel.id, channel);
  return channel;
}

function direct({ state }: Server, { body }: Request): Said {
  const [, user = ''] = body as unknown as string[];
  return state.users.has(user)
    ? ok(channelJson(state, directOf(state, user)), 201)
    : missing('app.user.missing_account.const');
}

function join({ state }: Server, { body }: Request, id = ''): Said {
  const channel = state.channels.get(id);
  if (channel?.type !== 'O') {
    return forbidden();
  }
  channel.members.add(String(body['user_id']));
  return ok({ channel_id: id, user_id: body['user_id'] }, 201);
}

function listPosts({ state }: Server, { query }: Request, id = ''): Said {
  if (!state.channels.get(id)?.members.has(BOT)) {
    return forbidden();
  }
  const since = Number(query.get('since') ?? 0);
  const all = state.posts
    .filter((post) => post.channel_id === id && post.ephemeral === undefined && post.update_at >= since)
    .reverse();
  const size = Number(query.get('per_page') ?? 60);
  const page = Number(query.get('page') ?? 0);
  const shown = since > 0 ? all.slice(0, 1000) : all.slice(page * size, (page + 1) * size);
  return ok({
    order: shown.map((post) => post.id),
    posts: Object.fromEntries(shown.map((post) => [post.id, postJson(post)])),
    next_post_id: '',
    prev_post_id: '',
  });
}

/** What the server gives out of a post: without what its buttons carry. */
function postJson(post: FakePost): Json {
  const attachments = ((post.props['attachments'] ?? []) as Json[]).map((attachment) => ({
    ...attachment,
    actions: ((attachment['actions'] ?? []) as Json[]).map(({ integration: _, ...action }) => action),
  }));
  const { ephemeral: _, ...rest } = post;
  return { ...rest, props: { ...post.props, attachments } };
}

function createPost(server: Server, { body }: Request): Said {
  const { state, rights } = server;
  const channel = state.channels.get(String(body['channel_id']));
  if (channel === undefined || !(channel.members.has(BOT) || rights.admin)) {
    return forbidden();
  }
  if (channel.delete_at > 0) {
    return refusal(400, 'api.post.create_post.can_not_post_to_deleted.error');
  }
  const root = String(body['root_id'] ?? '');
  if (root !== '' && !state.posts.some((post) => post.id === root)) {
    return refusal(400, 'api.post.create_post.root_id.app_error');
  }
  const pending = String(body['pending_post_id'] ?? '');
  const same = state.posts.find(
    (post) => pending !== '' && post.pending_post_id === pending && Date.now() - post.create_at < 30_000,
  );
  if (same !== undefined) {
    return ok(postJson(same), 201);
  }
  const refused = postRefusal(body);
  if (refused !== undefined) {
    return refusal(400, refused);
  }
  const files = (body['file_ids'] ?? []) as string[];
  if (String(body['message'] ?? '') === '' && files.length === 0) {
    state.violations.push('a post says nothing');
  }
  return ok(postJson(addPost(server, BOT, body)), 201);
}

let lastAt = 0;

/** Puts a post where it belongs and tells everybody. Two posts never have the same time. */
export function addPost(server: Server, user: string, body: Json, more: Partial<FakePost> = {}): FakePost {
  const { state } = server;
  lastAt = Math.max(Date.now(), lastAt + 1);
  const props = { ...((body['props'] ?? {}) as Json) };
  state.violations.push(...attachmentFaults(props['attachments']));
  const post: FakePost = {
    id: newId(),
    create_at: lastAt,
    update_at: lastAt,
    edit_at: 0,
    delete_at: 0,
    user_id: user,
    channel_id: String(body['channel_id']),
    root_id: String(body['root_id'] ?? ''),
    message: String(body['message'] ?? ''),
    type: '',
    props: state.users.get(user)?.is_bot === true ? { ...props, from_bot: 'true' } : props,
    pending_post_id: String(body['pending_post_id'] ?? ''),
    file_ids: (body['file_ids'] ?? []) as string[],
    ...more,
  };
  state.posts.push(post);
  server.published(post);
  return post;
}

function whisper(server: Server, { body }: Request): Said {
  if (!server.rights.admin) {
    return forbidden();
  }
  const post = addPost(server, BOT, body['post'] as Json, { ephemeral: String(body['user_id']) });
  return ok(postJson(post), 201);
}

function onePost({ state }: Server, _: Request, id = ''): Said {
  const post = state.posts.find((one) => one.id === id && one.ephemeral === undefined);
  return post === undefined ? missing('app.post.get.app_error') : ok(postJson(post));
}

function patchPost(server: Server, { body }: Request, id = ''): Said {
  const post = server.state.posts.find((one) => one.id === id && one.ephemeral === undefined);
  if (post === undefined) {
    return missing('app.post.get.app_error');
  }
  if (post.user_id !== BOT) {
    return forbidden();
  }
  const refused = postRefusal(body);
  if (refused !== undefined) {
    return refusal(400, refused);
  }
  changePost(server, post, body);
  return ok(postJson(post));
}

/** Only what is given is changed; props are replaced as a whole. */
export function changePost({ state }: Server, post: FakePost, body: Json): void {
  if (body['message'] !== undefined) {
    post.message = String(body['message']);
  }
  if (body['props'] !== undefined && body['props'] !== null) {
    post.props = body['props'] as Json;
    state.violations.push(...attachmentFaults(post.props['attachments']));
  }
  post.update_at = Math.max(Date.now(), post.update_at + 1);
  post.edit_at = post.update_at;
}

function upload({ state, rights }: Server, { upload: file }: Request): Said {
  if (file === undefined) {
    return refusal(400, 'api.file.upload_file.no_files');
  }
  if (!(state.channels.get(file.channel)?.members.has(BOT) || rights.admin)) {
    return forbidden();
  }
  const id = newId();
  state.files.set(id, file);
  return ok({ file_infos: [{ id, name: file.name, size: file.bytes.length }], client_ids: [] }, 201);
}

function listCommands({ state, rights }: Server, { query }: Request): Said {
  return rights.commands || rights.admin
    ? ok(state.commands.filter((command) => command.team_id === query.get('team_id')))
    : forbidden();
}

function addCommand({ state, rights }: Server, { body }: Request): Said {
  if (!(rights.commands || rights.admin)) {
    return forbidden();
  }
  const trigger = String(body['trigger']);
  if (state.commands.some((one) => one.trigger === trigger && one.team_id === body['team_id'])) {
    return refusal(400, 'api.command.duplicate_trigger.app_error');
  }
  const command = {
    ...(body as unknown as { url: string; username: string }),
    id: newId(),
    token: newId(),
    team_id: String(body['team_id'] ?? TEAM),
    creator_id: BOT,
    trigger,
    delete_at: 0,
  };
  state.commands.push(command);
  return ok(command, 201);
}

function editCommand({ state }: Server, { body }: Request, id = ''): Said {
  const command = state.commands.find((one) => one.id === id);
  if (command === undefined) {
    return missing('store.sql_command.get.missing.app_error');
  }
  command.url = String(body['url']);
  return ok(command);
}

function openDialog({ state, triggerMs, version }: Server, { body }: Request): Said {
  const trigger = state.triggers.get(String(body['trigger_id']));
  if (trigger === undefined) {
    return refusal(400, 'interactive_message.decode_trigger_id.base64_decode_failed');
  }
  if (Date.now() - trigger.at > triggerMs) {
    return refusal(400, 'interactive_message.decode_trigger_id.expired');
  }
  const dialog = body['dialog'] as Json;
  state.violations.push(...dialogFaults(dialog, version));
  const firstState = String(dialog['state'] ?? '');
  const url = String(body['url']);
  state.dialogs.set(trigger.user, { url, firstState, dialog, values: {}, channel: trigger.channel });
  return ok({ status: 'OK' });
}

function listGroups({ state, version }: Server, { query }: Request): Said {
  if (Number(version.split('.')[0]) < 11) {
    return refusal(501, 'api.ldap_groups.license_error');
  }
  const wanted = (query.get('q') ?? '').toLowerCase();
  return ok(state.groups.filter((group) => group.display_name.toLowerCase().includes(wanted)));
}

function groupMembers({ state }: Server, { query }: Request, id = ''): Said {
  const members = state.groups.find((group) => group.id === id)?.members ?? [];
  const page = Number(query.get('page'));
  const size = Number(query.get('per_page'));
  const shown = members.slice(page * size, (page + 1) * size);
  return ok({ members: shown.map((member) => ({ id: member })), total_member_count: members.length });
}
