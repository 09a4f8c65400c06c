import type { Dispatch, Origin, Reply } from '../../engine/contracts/chat.ts';
import type { Log } from '../../engine/contracts/log.ts';
import type { Invocation, MessageRef } from '../../engine/contracts/refs.ts';
import type { Answerer, Asked, Body } from './answer.ts';
import type { Directory } from './directory.ts';
import { type Carried, confirmDialog, type Place, readSubmission, wantsBack } from './form.ts';
import type { Heard } from './heard.ts';
import type { Call, Hear } from './http.ts';
import { resolveTyped, withSuggestions } from './lookups.ts';
import { createOnce, type Once, within } from './once.ts';
import type { Slash } from './slash.ts';
import type { Confirming, Pressed, Tokens } from './tokens.ts';

/** How long a command or a press waits for its answer, so that a dialog can still be opened: 3 s on older servers. */
const ANSWER_WITHIN_MS = 2000;
/** How long a submitted dialog waits; the server gives up after 30 s, or earlier where an admin says so. */
const SUBMIT_WITHIN_MS = 10_000;
const LOOKUP_WITHIN_MS = 5000;

export interface ReceiverParts {
  readonly dispatch: Dispatch;
  readonly answers: Answerer;
  readonly directory: Directory;
  readonly tokens: Tokens;
  readonly slash: Slash;
  readonly heard: Heard;
  readonly log: Log;
  readonly now: () => Date;
  /** Another time than {@link SUBMIT_WITHIN_MS}. */
  readonly submitWithinMs?: number;
}

/** A post as the server tells of it. Only what we read. */
export interface SeenPost {
  readonly id: string;
  readonly create_at: number;
  readonly user_id: string;
  readonly channel_id: string;
  readonly root_id?: string;
  readonly message: string;
  readonly type?: string;
  readonly props?: Readonly<Record<string, unknown>>;
}

export interface Receiver {
  readonly hear: Hear;
  /** Answers a post that is a direct message or a mention of the bot; each is answered once. */
  seen(post: SeenPost, direct: boolean): Promise<void>;
}

export function createReceiver(parts: ReceiverParts): Receiver {
  const once = createOnce(parts.now);
  return {
    hear: async (call) => {
      switch (call.kind) {
        case 'command':
          return hearCommand(parts, call, once);
        case 'action':
          return hearAction(parts, call, once);
        case 'dialog':
          return hearDialog(parts, call, once);
        case 'lookup':
          return hearLookup(parts, call);
        default:
          return call.kind satisfies never;
      }
    },
    seen: (post, direct) => hearPost(parts, post, direct),
  };
}

async function hearCommand(parts: ReceiverParts, call: Call, once: Once): Promise<Body | undefined> {
  const { text, user_id: user, channel_id: channel, trigger_id: trigger, response_url: url } = strings(call);
  if (!(await parts.slash.knows(call.token || strings(call)['token'] || ''))) {
    return undefined;
  }
  const line = text ?? '';
  const place: Place = {
    channel: channel ?? '',
    ...(url === undefined ? {} : { responseUrl: url }),
    ...(await directOf(parts, call)),
  };
  const origin = originOf(user ?? '', place);
  const asked: Asked = {
    origin,
    again: parts.dispatch.parse(line),
    place,
    via: 'command',
    ...(trigger === undefined ? {} : { trigger }),
  };
  const work = (): Promise<Body> => answerInTime(parts, asked, parts.dispatch.typed(line, origin));
  return trigger === undefined ? work() : once(trigger, work);
}

async function hearAction(parts: ReceiverParts, call: Call, once: Once): Promise<Body | undefined> {
  const {
    user_id: user = '',
    channel_id: channel = '',
    post_id: post = '',
    trigger_id: trigger,
  } = strings(call);
  const context = call.body['context'];
  const { token, selected_option: option } =
    typeof context === 'object' && context !== null ? (context as Readonly<Record<string, unknown>>) : {};
  const read = parts.tokens.readButton(token, { person: user, channel, post });
  if (read.state === 'forged') {
    return undefined;
  }
  if (read.state === 'expired') {
    return { ephemeral_text: 'This button is too old. Type /activate to start anew.' };
  }
  const pressed = read.value;
  const run = pressed.runs[pressed.runs.length === 1 ? 0 : Number(option)];
  if (run === undefined) {
    return { ephemeral_text: 'That is none of the choices.' };
  }
  const seen = { user, channel, post, trigger, direct: await directOf(parts, call) };
  const asked = pressedBy(pressed, run, seen);
  return once(trigger ?? `${read.id} ${user}`, () => press(parts, pressed, asked));
}

async function press(parts: ReceiverParts, pressed: Pressed, asked: Asked): Promise<Body> {
  const { confirm, label } = pressed;
  if (confirm === undefined) {
    return answerInTime(parts, asked, parts.dispatch.run(asked.again, asked.origin));
  }
  const confirming: Confirming = { run: asked.again, place: asked.place };
  const state = parts.tokens.dialog(confirming, asked.origin.person.id);
  if (await parts.answers.open(asked, confirmDialog(label, confirm, state))) {
    return {};
  }
  return parts.answers.tell(
    {
      title: '',
      blocks: [
        { type: 'text', text: [confirm] },
        { type: 'actions', actions: [{ type: 'button', label, style: 'danger', run: asked.again }] },
      ],
      fallback: confirm,
    },
    asked,
  );
}

function pressedBy(
  pressed: Pressed,
  again: Invocation,
  seen: {
    readonly user: string;
    readonly channel: string;
    readonly post: string;
    readonly trigger: string | undefined;
    readonly direct: { readonly direct?: true };
  },
): Asked {
  const { home, thread, ephemeral } = pressed;
  const inThread = thread === undefined ? {} : { thread };
  const place: Place = {
    ...(home ?? { channel: seen.channel, ...inThread, ...seen.direct }),
    pressed: {
      id: seen.post,
      channel: seen.channel,
      ...inThread,
      ...(ephemeral === undefined ? {} : { ephemeral }),
    },
  };
  return {
    origin: originOf(seen.user, place),
    again,
    place,
    via: 'action',
    ...(seen.trigger === undefined ? {} : { trigger: seen.trigger }),
  };
}

/** Answers while the permission to open a dialog lasts, or says that it takes longer and answers then. */
async function answerInTime(parts: ReceiverParts, asked: Asked, reply: Promise<Reply>): Promise<Body> {
  const early = await within(reply, ANSWER_WITHIN_MS);
  if (early !== undefined) {
    return parts.answers.give(early, asked);
  }
  later(parts, reply, { ...asked, via: 'none' });
  const words = '⏳ Working on it. This takes a few seconds.';
  return asked.via === 'command'
    ? { response_type: 'ephemeral', text: words, skip_slack_parsing: true }
    : { ephemeral_text: words, skip_slack_parsing: true };
}

function later(parts: ReceiverParts, reply: Promise<Reply>, asked: Asked): void {
  reply
    .then((said) => parts.answers.give(said, asked))
    .catch((error: unknown) => parts.log.error({ error }, 'Late answer failed'));
}

async function hearDialog(parts: ReceiverParts, call: Call, once: Once): Promise<Body | undefined> {
  const { user_id: user = '', type, state } = strings(call);
  const read = parts.tokens.readDialog(state, user);
  if (read.state === 'forged') {
    return undefined;
  }
  if (read.state === 'expired') {
    return { error: 'This form is too old. Close it and open it again.' };
  }
  if (call.body['cancelled'] === true) {
    return {};
  }
  const sent = call.body['submission'];
  const submission = typeof sent === 'object' && sent !== null ? (sent as Record<string, unknown>) : {};
  const key = `${read.id} ${type ?? ''} ${JSON.stringify(submission)}`;
  return once(key, () =>
    'run' in read.value
      ? confirmed(parts, read.value, user)
      : submitted(parts, read.value, submission, { user, refresh: type === 'refresh' }),
  );
}

async function confirmed(parts: ReceiverParts, { run, place }: Confirming, user: string): Promise<Body> {
  const origin = originOf(user, place);
  const reply = parts.dispatch.run(run, origin);
  return submitInTime(parts, { origin, again: run, place, via: 'dialog' }, reply);
}

async function submitted(
  parts: ReceiverParts,
  carried: Carried,
  submission: Readonly<Record<string, unknown>>,
  by: { readonly user: string; readonly refresh: boolean },
): Promise<Body> {
  const { command, hidden, back, place } = carried;
  const origin = originOf(by.user, place);
  const typed = { ...hidden, ...readSubmission(submission, carried) };
  if (back !== undefined && wantsBack(submission, hidden['step'] ?? '')) {
    const again = { command, input: { ...typed, ...back } };
    const reply = parts.dispatch.run(again, origin);
    return submitInTime(parts, { origin, again, place, via: 'dialog' }, reply);
  }
  if (by.refresh) {
    // Somebody chose to go on after all: nothing changes.
    return {};
  }
  const input = await resolveTyped(parts.dispatch, carried, typed, origin);
  const again = { command, input };
  const asked: Asked = { origin, again, place, dialog: carried, via: 'dialog' };
  const reply = parts.dispatch
    .run(again, origin)
    .then(async (said) =>
      said.kind === 'form' && carried.typed.length > 0
        ? { ...said, form: await withSuggestions(parts.dispatch, carried, said.form, input, origin) }
        : said,
    );
  return submitInTime(parts, asked, reply);
}

/** A dialog that takes long closes, and what it comes to is told. */
async function submitInTime(parts: ReceiverParts, asked: Asked, reply: Promise<Reply>): Promise<Body> {
  const early = await within(reply, parts.submitWithinMs ?? SUBMIT_WITHIN_MS);
  if (early !== undefined) {
    return parts.answers.give(early, asked);
  }
  const { dialog: _, ...late } = asked;
  later(parts, reply, { ...late, via: 'none' });
  return {};
}

/** A client asks with the state of the first dialog of several, so that the address says which field of which it is. */
async function hearLookup(parts: ReceiverParts, call: Call): Promise<Body | undefined> {
  const { user_id: user = '' } = strings(call);
  const read = parts.tokens.readLookup(call.query.get('t'), user);
  if (read.state !== 'ok') {
    return read.state === 'expired' ? { items: [] } : undefined;
  }
  const carried = read.value;
  const sent = call.body['submission'];
  const submission = typeof sent === 'object' && sent !== null ? (sent as Record<string, unknown>) : {};
  const { query = '', selected_field: field = '', ...filled } = submission;
  const input = { ...carried.hidden, ...readSubmission(filled, carried) };
  const origin = originOf(user, carried.place);
  const looking = parts.dispatch.options(carried.command, String(field), String(query), input, origin);
  const found = await within(looking, LOOKUP_WITHIN_MS);
  if (found === undefined) {
    parts.log.warn({ command: carried.command, field }, 'Choices did not come in time');
  }
  const items = (found ?? []).map(({ value, label, hint }) => ({
    text: hint === undefined || hint === '' ? label || value : `${label} — ${hint}`,
    value,
  }));
  return { items };
}

async function hearPost(parts: ReceiverParts, post: SeenPost, direct: boolean): Promise<void> {
  const me = await parts.directory.me();
  const line = lineOf(post, me, direct);
  if (line === undefined || !(await parts.heard.claim(post.id, new Date(post.create_at)))) {
    return;
  }
  const root = post.root_id === undefined || post.root_id === '' ? undefined : post.root_id;
  // In a channel the answer goes into a thread; in direct messages it simply follows.
  const thread = direct ? root : (root ?? post.id);
  const place: Place = {
    channel: post.channel_id,
    ...(thread === undefined ? {} : { thread }),
    ...(direct ? { direct } : {}),
  };
  const origin = originOf(post.user_id, place);
  const reply = await parts.dispatch.typed(line, origin);
  await parts.answers.give(reply, { origin, again: parts.dispatch.parse(line), place, via: 'none' });
}

/** What a post says to the bot; undefined when it is none of its business, or not written by a person. */
function lineOf(post: SeenPost, me: { readonly id: string; readonly username: string }, direct: boolean) {
  const byMachine = ['from_bot', 'from_webhook', 'from_plugin'].some(
    (name) => post.props?.[name] === 'true' || post.props?.[name] === true,
  );
  if (post.user_id === me.id || byMachine || (post.type ?? '') !== '') {
    return undefined;
  }
  const name = me.username.replace(/[.-]/g, '\\$&');
  const mention = new RegExp(`(?<![\\w@.-])@${name}(?![\\w-]|\\.\\w)`, 'i');
  if (!direct && !mention.test(post.message)) {
    return undefined;
  }
  return post.message.replace(new RegExp(`\\s*${mention.source}\\s*`, 'i'), ' ').trim();
}

function originOf(user: string, place: Place): Origin {
  const conversation = {
    kind: 'conversation',
    platform: 'mattermost',
    id: place.channel,
    ...(place.thread === undefined ? {} : { thread: place.thread }),
  } as const;
  const message = place.pressed === undefined ? undefined : messageOf(place.pressed);
  return {
    person: { kind: 'person', platform: 'mattermost', id: user },
    conversation,
    ...(message === undefined ? {} : { message }),
    ...(place.direct === true ? { direct: true } : {}),
  };
}

/** The channel of two people's direct messages is named after both. */
async function directOf(parts: ReceiverParts, call: Call): Promise<{ readonly direct?: true }> {
  const { channel_name: name = '', user_id: user = '' } = strings(call);
  const me = await parts.directory.me();
  return name === `${me.id}__${user}` || name === `${user}__${me.id}` ? { direct: true } : {};
}

function messageOf({ id, channel, thread }: NonNullable<Place['pressed']>): MessageRef {
  return {
    conversation: {
      kind: 'conversation',
      platform: 'mattermost',
      id: channel,
      ...(thread === undefined ? {} : { thread }),
    },
    id,
  };
}

/** The strings of a call's body. */
function strings({ body }: Call): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    Object.entries(body).flatMap(([name, value]) =>
      typeof value === 'string' && value !== '' ? [[name, value]] : [],
    ),
  );
}
