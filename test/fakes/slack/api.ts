import { faultsOf, type Json, viewFaults } from './blocks.ts';
import { BOT, nextTs, type OpenView, type Posted, type State, TEAM } from './state.ts';

/** How strict the fake is about how often it is asked; one message a second and channel, when asked for. */
export interface Strictness {
  readonly perChannelMs: number;
}

/** Answers one call of the Web API. `base` is the fake's own address. */
export function answerCall(state: State, method: string, args: Json, base: string, strict: Strictness): Json {
  const handler = METHODS[method];
  return handler === undefined ? no('unknown_method') : handler(state, args, base, strict);
}

type Handler = (state: State, args: Json, base: string, strict: Strictness) => Json;

function no(error: string, more: Json = {}): Json {
  return { ok: false, error, ...more };
}

const METHODS: Readonly<Record<string, Handler>> = {
  'auth.test': (state) => ({ ok: true, user_id: BOT, team_id: TEAM, bot_id: 'B0BOT', ...state.home }),
  'chat.postMessage': postMessage,
  'chat.postEphemeral': (state, args) => {
    const channel = placeOf(state, args);
    if (typeof channel !== 'string') {
      return channel;
    }
    if (!state.users.some((user) => user.id === args['user'])) {
      return no('user_not_in_channel');
    }
    const posted = add(state, channel, args, String(args['user']));
    return 'ts' in posted ? { ok: true, message_ts: posted['ts'] } : posted;
  },
  'chat.update': (state, args) => {
    const found = state.messages.find(
      (message) =>
        message.channel === args['channel'] && message.ts === args['ts'] && message.ephemeral === undefined,
    );
    if (found === undefined) {
      return no('message_not_found');
    }
    if (found.user !== BOT) {
      return no('cant_update_message');
    }
    const faults = args['blocks'] === undefined ? [] : faultsOf(args['blocks'], 'message');
    if (faults.length > 0) {
      return no('invalid_blocks', { response_metadata: { messages: faults } });
    }
    rewrite(found, args);
    return { ok: true, channel: found.channel, ts: found.ts };
  },
  'conversations.history': (state, args) =>
    history(state, args, (message) => message.thread_ts === undefined),
  'conversations.replies': (state, args) =>
    history(state, args, (message) => message.ts === args['ts'] || message.thread_ts === args['ts']),
  'conversations.list': (state, args) => {
    const types = String(args['types'] ?? 'public_channel');
    const listed = state.channels.filter((channel) =>
      channel.private === true
        ? channel.member === true && types.includes('private_channel')
        : types.includes('public'),
    );
    return paged(listed.map(channelJson), args, 'channels');
  },
  'conversations.info': (state, args) => {
    const channel = state.channels.find(({ id }) => id === args['channel']);
    if (channel !== undefined && (channel.private !== true || channel.member === true)) {
      return { ok: true, channel: channelJson(channel) };
    }
    return [...state.directs.values()].includes(String(args['channel']))
      ? { ok: true, channel: { id: args['channel'], is_im: true } }
      : no('channel_not_found');
  },
  'conversations.open': (state, args) => {
    const user = state.users.find(({ id }) => id === args['users']);
    return user === undefined ? no('user_not_found') : { ok: true, channel: { id: direct(state, user.id) } };
  },
  'users.list': (state, args) => paged(state.users.map(userJson), args, 'members'),
  'users.info': (state, args) => {
    const user = state.users.find(({ id }) => id === args['user']);
    return user === undefined ? no('user_not_found') : { ok: true, user: userJson(user) };
  },
  'users.lookupByEmail': (state, args) => {
    const user = state.users.find(({ email }) => email !== undefined && email === args['email']);
    return user === undefined ? no('users_not_found') : { ok: true, user: userJson(user) };
  },
  'usergroups.list': (state) => ({
    ok: true,
    usergroups: state.groups.map(({ id, handle, name, users, disabled }) => ({
      id,
      team_id: TEAM,
      is_usergroup: true,
      handle,
      name,
      user_count: users.length,
      is_external: false,
      date_delete: disabled === true ? 1_700_000_000 : 0,
    })),
  }),
  'usergroups.users.list': (state, args) => {
    const group = state.groups.find(({ id }) => id === args['usergroup']);
    return group === undefined ? no('no_such_subteam') : { ok: true, users: group.users };
  },
  'views.open': (state, args) => openView(state, args, true),
  'views.push': (state, args) => openView(state, args, false),
  'views.update': (state, args) => {
    const open = state.views.get(String(args['view_id']));
    if (open === undefined) {
      return no('not_found');
    }
    if (args['hash'] !== undefined && args['hash'] !== open.hash) {
      return no('hash_conflict');
    }
    return showView(state, open, args['view'] as Json);
  },
  'views.publish': (state, args) => {
    const view = args['view'] as Json;
    const faults = viewFaults(view);
    if (faults.length > 0) {
      return no('invalid_arguments', { response_metadata: { messages: faults } });
    }
    state.homes.set(String(args['user_id']), view);
    return { ok: true, view: { id: `H${String(args['user_id'])}` } };
  },
  'files.getUploadURLExternal': (state, args, base) => {
    state.serial += 1;
    const id = `F${state.serial}`;
    state.files.set(id, { name: String(args['filename']), bytes: Buffer.alloc(0) });
    return { ok: true, file_id: id, upload_url: `${base}/_upload/${id}` };
  },
  'files.completeUploadExternal': (state, args) => {
    const channel = placeOf(state, { channel: args['channel_id'] });
    if (typeof channel !== 'string') {
      return channel;
    }
    for (const { id } of JSON.parse(String(args['files'])) as { id: string }[]) {
      const file = state.files.get(id);
      if (file === undefined || file.bytes.length === 0) {
        return no('file_not_found');
      }
      file.channel = channel;
      file.thread = String(args['thread_ts'] ?? '');
    }
    return { ok: true, files: [] };
  },
};

function postMessage(state: State, args: Json, _base: string, strict: Strictness): Json {
  const channel = placeOf(state, args);
  if (typeof channel !== 'string') {
    return channel;
  }
  const last = state.lastPostAt.get(channel) ?? 0;
  if (strict.perChannelMs > 0 && Date.now() - last < strict.perChannelMs) {
    return no('ratelimited');
  }
  state.lastPostAt.set(channel, Date.now());
  const posted = add(state, channel, args, undefined);
  return 'ts' in posted ? { ok: true, channel, ts: posted['ts'] } : posted;
}

function placeOf(state: State, args: Json): string | Json {
  const id = String(args['channel'] ?? '');
  const user = state.users.find((one) => one.id === id);
  if (user !== undefined) {
    return user.deleted === true ? no('user_disabled') : direct(state, id);
  }
  if (/^D/.test(id) && [...state.directs.values()].includes(id)) {
    return id;
  }
  const channel = state.channels.find((one) => one.id === id);
  if (channel === undefined || (channel.private === true && channel.member !== true)) {
    return no('channel_not_found');
  }
  return channel.archived === true ? no('is_archived') : id;
}

function direct(state: State, user: string): string {
  const known = state.directs.get(user) ?? `D${user.slice(1)}`;
  state.directs.set(user, known);
  return known;
}

function add(state: State, channel: string, args: Json, ephemeral: string | undefined): Json {
  if (args['blocks'] === undefined && String(args['text'] ?? '') === '') {
    return no('no_text');
  }
  const faults = args['blocks'] === undefined ? [] : faultsOf(args['blocks'], 'message');
  if (faults.length > 0) {
    return no('invalid_blocks', { response_metadata: { messages: faults } });
  }
  if (textOf(args['blocks']) > 13_200) {
    return no('msg_blocks_too_long');
  }
  const message: Posted = {
    channel,
    ts: nextTs(state),
    user: BOT,
    text: String(args['text'] ?? ''),
    blocks: (args['blocks'] ?? []) as Json[],
    edits: 0,
    ...(args['metadata'] === undefined ? {} : { metadata: args['metadata'] as Json }),
    ...(args['thread_ts'] === undefined ? {} : { thread_ts: String(args['thread_ts']) }),
    ...(ephemeral === undefined ? {} : { ephemeral }),
  };
  state.messages.push(message);
  return { ts: message.ts };
}

/** Puts a message that came through a `response_url` where it belongs. */
export function respond(state: State, id: string, body: Json): boolean {
  const response = state.responses.get(id);
  if (response === undefined || response.uses >= 5) {
    return false;
  }
  response.uses += 1;
  const old = state.messages.find((message) => message.ts === response.ts);
  if (body['replace_original'] === true && old !== undefined) {
    rewrite(old, body);
    return true;
  }
  add(state, response.channel, body, body['response_type'] === 'in_channel' ? undefined : response.user);
  return true;
}

function rewrite(message: Posted, args: Json): void {
  message.text = String(args['text'] ?? '');
  message.blocks = (args['blocks'] ?? []) as Json[];
  message.edits += 1;
}

function textOf(blocks: unknown): number {
  let sum = 0;
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) {
      value.map(walk);
    } else if (typeof value === 'object' && value !== null) {
      const { text } = value as Json;
      sum += typeof text === 'string' ? text.length : 0;
      Object.values(value).map(walk);
    }
  };
  walk(blocks);
  return sum;
}

function history(state: State, args: Json, wanted: (message: Posted) => boolean): Json {
  const place = placeOf(state, args);
  if (typeof place !== 'string') {
    return place;
  }
  const oldest = Number(args['oldest'] ?? 0);
  const found = state.messages
    .filter((message) => message.channel === place && message.ephemeral === undefined && wanted(message))
    .filter((message) => Number(message.ts) > oldest)
    .reverse()
    .map(({ metadata, ...message }) =>
      args['include_all_metadata'] === 'true' && metadata !== undefined ? { ...message, metadata } : message,
    );
  return paged(found, args, 'messages');
}

function paged(items: readonly Json[], args: Json, name: string): Json {
  const from = Number(args['cursor'] ?? 0);
  const limit = Number(args['limit'] ?? 100);
  const next = from + limit < items.length ? String(from + limit) : '';
  return { ok: true, [name]: items.slice(from, from + limit), response_metadata: { next_cursor: next } };
}

function channelJson(channel: State['channels'][number]): Json {
  return {
    id: channel.id,
    name: channel.name,
    is_private: channel.private === true,
    is_archived: channel.archived === true,
    is_member: channel.member === true,
  };
}

function userJson(user: State['users'][number]): Json {
  return {
    id: user.id,
    team_id: TEAM,
    is_email_confirmed: true,
    is_restricted: false,
    is_ultra_restricted: false,
    name: user.name.toLowerCase().replace(/ /g, '.'),
    deleted: user.deleted === true,
    is_bot: false,
    tz: user.tz,
    profile: { real_name: user.name, display_name: '', email: user.email },
    ...user.more,
  };
}

function openView(state: State, args: Json, root: boolean): Json {
  const trigger = state.triggers.get(String(args['trigger_id']));
  if (trigger === undefined) {
    return no('invalid_trigger_id');
  }
  if (trigger.used) {
    return no('exchanged_trigger_id');
  }
  if (trigger.until < Date.now()) {
    return no('expired_trigger_id');
  }
  const stack = root ? [] : (state.stacks.get(trigger.user) ?? []);
  if (stack.length >= 3) {
    return no('push_limit_reached');
  }
  state.serial += 1;
  const open: OpenView = { id: `V${state.serial}`, user: trigger.user, hash: '', view: {} };
  const shown = showView(state, open, args['view'] as Json);
  if (shown['ok'] === true) {
    trigger.used = true;
    state.views.set(open.id, open);
    state.stacks.set(trigger.user, [...stack, open.id]);
  }
  return shown;
}

/** Shows a view in an open modal; Slack's refusal when it is not well made. */
export function showView(state: State, open: OpenView, view: Json): Json {
  const faults = viewFaults(view);
  if (faults.length > 0) {
    return no('invalid_arguments', { response_metadata: { messages: faults } });
  }
  state.serial += 1;
  open.view = view;
  open.hash = `${state.serial}.hash`;
  return { ok: true, view: { ...view, id: open.id, hash: open.hash } };
}
