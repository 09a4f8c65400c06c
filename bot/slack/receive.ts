import type { Dispatch, Origin, Reply } from '../../engine/contracts/chat.ts';
import type { Log } from '../../engine/contracts/log.ts';
import type { Invocation, Raw } from '../../engine/contracts/refs.ts';
import { type Answerer, type Asked, createAnswerer } from './answer.ts';
import {
  type Carried,
  carried,
  drawForm,
  drawOptions,
  readView,
  type SentView,
  workingView,
} from './form.ts';
import type { Web } from './web.ts';

/** Hears one payload of Slack. `ack` is called once, within Slack's three seconds. */
export type Hear = (body: Readonly<Record<string, unknown>>, ack: Ack) => Promise<void>;
export type Ack = (payload?: object) => Promise<void>;

/** How long an answer may take before a dialog is opened ahead of it, for Slack's permission lasts 3 s. */
const OPEN_AFTER_MS = 1200;
/** How long a submission may take before its dialog says "Working…". */
const SUBMIT_WITHIN_MS = 2000;
const OPTIONS_WITHIN_MS = 2500;
/** What was heard is remembered this long: Slack tries an event again after a minute and after five. */
const REMEMBERED_MS = 10 * 60_000;

/** The fields that we read of what Slack sends, all kinds in one. */
interface Body {
  readonly type?: string;
  readonly command?: string;
  readonly text?: string;
  readonly user_id?: string;
  readonly channel_id?: string;
  readonly thread_ts?: string;
  readonly trigger_id?: string;
  readonly response_url?: string;
  readonly event_id?: string;
  readonly event?: SlackEvent;
  readonly authorizations?: readonly { readonly user_id?: string }[];
  readonly user?: { readonly id: string };
  readonly channel?: { readonly id: string };
  readonly container?: {
    readonly thread_ts?: string;
    readonly message_ts?: string;
    readonly is_ephemeral?: boolean;
  };
  readonly message?: { readonly ts: string; readonly thread_ts?: string };
  readonly actions?: readonly SentAction[];
  readonly view?: SentView;
  readonly action_id?: string;
  readonly value?: string;
}

interface SlackEvent {
  readonly type: string;
  readonly subtype?: string;
  readonly user?: string;
  readonly bot_id?: string;
  readonly text?: string;
  readonly channel?: string;
  readonly channel_type?: string;
  readonly ts?: string;
  readonly thread_ts?: string;
  readonly tab?: string;
}

interface SentAction {
  readonly action_id: string;
  readonly value?: string;
  readonly selected_option?: { readonly value?: string };
}

interface Parts {
  readonly dispatch: Dispatch;
  readonly answers: Answerer;
  readonly log: Log;
}

/** Builds the one receiver of both modes. */
export function createReceiver(parts: {
  readonly web: Web;
  readonly dispatch: Dispatch;
  readonly log: Log;
  readonly now: () => Date;
}): Hear {
  const { dispatch, log } = parts;
  const inner: Parts = { dispatch, log, answers: createAnswerer(parts.web, dispatch, log) };
  const heard = new Map<string, { readonly at: number; readonly acked: Promise<object | undefined> }>();

  return async (raw, ack) => {
    const body = raw as Body;
    const key = body.event_id ?? (body.type === 'block_suggestion' ? undefined : body.trigger_id);
    if (key === undefined) {
      return route(inner, body, ack);
    }
    const at = parts.now().getTime();
    forget(heard, at);
    const before = heard.get(key);
    if (before !== undefined) {
      // A repetition gets the very same acknowledgement, and nothing is done twice.
      return ack(await before.acked);
    }
    let settle: (payload: object | undefined) => void = () => undefined;
    const acked = new Promise<object | undefined>((resolve) => {
      settle = resolve;
    });
    heard.set(key, { at, acked });
    try {
      await route(inner, body, async (payload) => {
        settle(payload);
        await ack(payload);
      });
    } catch (error) {
      log.error({ error, type: body.type }, 'Slack request failed');
      // Whoever repeats it must not wait for ever.
      settle(undefined);
      throw error;
    }
  };
}

function forget(heard: Map<string, { readonly at: number }>, now: number): void {
  for (const [key, { at }] of heard) {
    if (now - at < REMEMBERED_MS) {
      return;
    }
    heard.delete(key);
  }
}

async function route(parts: Parts, body: Body, ack: Ack): Promise<void> {
  switch (body.type) {
    case undefined:
      return body.command === undefined ? ack() : hearCommand(parts, body, ack);
    case 'event_callback':
      await ack();
      return body.event === undefined ? undefined : hearEvent(parts, body, body.event);
    case 'block_actions':
      await ack();
      return hearAction(parts, body);
    case 'view_submission':
      return hearSubmission(parts, body, ack);
    case 'view_closed':
      await ack();
      return hearClosed(parts, body);
    case 'block_suggestion':
      return hearSuggestion(parts, body, ack);
    default:
      // Slack adds kinds of its own now and then; not answering would show people an error.
      parts.log.debug({ type: body.type }, 'Slack sent something that nobody here wants');
      return ack();
  }
}

async function hearCommand(parts: Parts, body: Body, ack: Ack): Promise<void> {
  await ack();
  const line = body.text ?? '';
  const origin = originOf(body.user_id ?? '', body.channel_id ?? '', body.thread_ts);
  const asked: Asked = {
    origin,
    ...(body.trigger_id === undefined ? {} : { trigger: body.trigger_id }),
    ...(body.response_url === undefined ? {} : { responseUrl: body.response_url }),
    again: parts.dispatch.parse(line),
  };
  await answerInTime(parts, asked, parts.dispatch.typed(line, origin));
}

async function hearEvent(parts: Parts, body: Body, event: SlackEvent): Promise<void> {
  if (event.user === undefined || event.bot_id !== undefined || event.channel === undefined) {
    return;
  }
  if (event.type === 'app_home_opened') {
    if (event.tab !== undefined && event.tab !== 'home') {
      return;
    }
    const home = { command: 'home', input: {} };
    const origin = originOf(event.user, event.channel, undefined);
    const reply = await parts.dispatch.run(home, origin);
    return parts.answers.give(reply, { origin, again: home, home: true });
  }
  const direct = event.type === 'message' && event.channel_type === 'im' && event.subtype === undefined;
  if (event.type !== 'app_mention' && !direct) {
    return;
  }
  const line = withoutMention(event.text ?? '', body.authorizations?.[0]?.user_id);
  // In a channel the answer goes into a thread; in direct messages it simply follows.
  const thread = direct ? event.thread_ts : (event.thread_ts ?? event.ts);
  const origin = originOf(event.user, event.channel, thread);
  const reply = await parts.dispatch.typed(line, origin);
  await parts.answers.give(reply, { origin, again: parts.dispatch.parse(line) });
}

/** The line without the mention of the bot, with Slack's entities read back. */
function withoutMention(text: string, bot: string | undefined): string {
  const mention =
    bot === undefined ? /^\s*<@[UW][A-Z0-9]+(\|[^>]*)?>/ : new RegExp(`<@${bot}(\\|[^>]*)?>`, 'g');
  return readEntities(text.replace(mention, ' ')).trim();
}

function readEntities(text: string): string {
  return text
    .replace(/<(?:mailto:|tel:)?([^@#!|>][^|>]*)\|([^>]*)>/g, '$2')
    .replace(/<((?:https?|mailto|tel):[^|>]*)>/g, '$1')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&amp;/g, '&');
}

async function hearAction(parts: Parts, body: Body): Promise<void> {
  const action = body.actions?.[0];
  const run = action === undefined ? undefined : invocationOf(action);
  if (action === undefined || run === undefined) {
    return;
  }
  // Going back keeps what was typed so far.
  const typed = action.action_id === 'back' && body.view !== undefined ? readView(body.view) : {};
  const invocation: Invocation = { command: run.command, input: { ...typed, ...run.input } };
  const asked = pressedBy(body, invocation);
  await answerInTime(parts, asked, parts.dispatch.run(invocation, asked.origin));
}

function pressedBy(body: Body, again: Invocation): Asked {
  const place = body.view === undefined ? undefined : carried(body.view)?.place;
  const user = body.user?.id ?? '';
  const thread = body.message?.thread_ts ?? body.container?.thread_ts ?? place?.thread;
  const origin = originOf(user, body.channel?.id ?? place?.channel ?? user, thread);
  const pressed = body.message?.ts ?? body.container?.message_ts;
  const responseUrl = body.response_url ?? place?.responseUrl;
  return {
    origin:
      pressed === undefined
        ? origin
        : { ...origin, message: { conversation: origin.conversation, id: pressed } },
    again,
    ...(body.trigger_id === undefined ? {} : { trigger: body.trigger_id }),
    ...(responseUrl === undefined ? {} : { responseUrl }),
    ...(body.container?.is_ephemeral === true ? { ephemeral: true } : {}),
    ...openIn(body.view),
  };
}

function openIn(view: SentView | undefined): { readonly home?: boolean; readonly view?: string } {
  if (view?.type === 'home') {
    return { home: true };
  }
  return view?.id === undefined ? {} : { view: view.id };
}

/** What a button or a menu's option carries; undefined for a link button and for what isn't ours. */
export function invocationOf(action: SentAction): Invocation | undefined {
  try {
    if (action.action_id.startsWith('pick:')) {
      const shared = JSON.parse(action.action_id.slice(5, action.action_id.lastIndexOf('#'))) as Raw;
      const [command, rest] = JSON.parse(action.selected_option?.value ?? '') as [string, Raw];
      return { command, input: { ...shared, ...rest } };
    }
    const run: unknown = JSON.parse(action.value ?? '');
    return typeof run === 'object' && run !== null && 'command' in run && 'input' in run
      ? (run as Invocation)
      : undefined;
  } catch {
    // A link button has no value; Slack reports its click all the same.
    return undefined;
  }
}

/** Answers while the permission to open a dialog lasts, or holds one open until the answer is there. */
async function answerInTime(parts: Parts, asked: Asked, reply: Promise<Reply>): Promise<void> {
  const dialog =
    asked.view === undefined && asked.trigger !== undefined && parts.dispatch.mayOpenForm(asked.again);
  if (!dialog || (await within(reply, OPEN_AFTER_MS)) !== undefined) {
    return parts.answers.give(await reply, asked);
  }
  const view = await parts.answers.openView(asked, workingView());
  await parts.answers.give(await reply, { ...asked, ...(view === undefined ? {} : { view }) });
}

async function hearSubmission(parts: Parts, body: Body, ack: Ack): Promise<void> {
  const view = body.view ?? {};
  const form = carried(view);
  if (form === undefined) {
    return ack();
  }
  const invocation: Invocation = { command: form.command, input: { ...form.hidden, ...readView(view) } };
  const origin = originOf(body.user?.id ?? '', form.place.channel, form.place.thread);
  const asked: Asked = {
    origin,
    again: invocation,
    ...(form.place.responseUrl === undefined ? {} : { responseUrl: form.place.responseUrl }),
  };
  const running = parts.dispatch.run(invocation, origin);
  const reply = await within(running, SUBMIT_WITHIN_MS);
  if (reply === undefined) {
    await ack({ response_action: 'update', view: workingView(view.private_metadata) });
    return parts.answers.give(await running, {
      ...asked,
      ...(view.id === undefined ? {} : { view: view.id }),
    });
  }
  if (reply.kind === 'form') {
    return ack(formAck(parts.log, reply.form, form));
  }
  await ack();
  await parts.answers.give(reply, asked);
}

/** Errors at the fields when the same dialog stays; otherwise the next dialog in its place. */
function formAck(log: Log, form: Extract<Reply, { kind: 'form' }>['form'], shown: Carried): object {
  const wrong = Object.entries(form.errors);
  const same = form.command === shown.command && shown.fields.join() === Object.keys(form.fields).join();
  if (same && wrong.length > 0 && wrong.every(([name]) => shown.fields.includes(name))) {
    return {
      response_action: 'errors',
      errors: Object.fromEntries(wrong.map(([name, message]) => [`f:${name}`, message])),
    };
  }
  const { payload, losses } = drawForm(form, shown.place);
  if (losses.length > 0) {
    log.warn({ losses, command: form.command }, 'Form did not fit into Slack as it was');
  }
  return { response_action: 'update', view: payload };
}

async function hearClosed(parts: Parts, body: Body): Promise<void> {
  const form = body.view === undefined ? undefined : carried(body.view);
  if (body.view === undefined || form === undefined) {
    return;
  }
  const values = readView(body.view);
  if (Object.values(values).every((value) => value === '')) {
    return;
  }
  const origin = originOf(body.user?.id ?? '', form.place.channel, form.place.thread);
  const input = { ...form.hidden, ...values, closed: 'true' };
  await parts.dispatch.run({ command: form.command, input }, origin);
}

async function hearSuggestion(parts: Parts, body: Body, ack: Ack): Promise<void> {
  const form = body.view === undefined ? undefined : carried(body.view);
  if (body.view === undefined || form === undefined || body.action_id === undefined) {
    return ack({ options: [] });
  }
  const origin = originOf(body.user?.id ?? '', form.place.channel, form.place.thread);
  const input = { ...form.hidden, ...readView(body.view) };
  const looking = parts.dispatch.options(form.command, body.action_id, body.value ?? '', input, origin);
  const found = await within(looking, OPTIONS_WITHIN_MS);
  const losses: string[] = [];
  const options = drawOptions(found ?? [], losses);
  if (found === undefined || losses.length > 0) {
    parts.log.warn(
      { losses, late: found === undefined, field: body.action_id },
      'Choices did not all reach Slack',
    );
  }
  await ack({ options });
}

function originOf(user: string, channel: string, thread: string | undefined): Origin {
  return {
    person: { kind: 'person', platform: 'slack', id: user },
    conversation: {
      kind: 'conversation',
      platform: 'slack',
      id: channel,
      ...(thread === undefined ? {} : { thread }),
    },
    // Ids of direct messages begin with a D; the Home tab goes by the person.
    ...(channel.startsWith('D') || channel === user ? { direct: true } : {}),
  };
}

/** What the promise comes to within the time; undefined when it takes longer (it goes on all the same). */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
