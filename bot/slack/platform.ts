import type { Dispatch, Message, Sender } from '../../engine/contracts/chat.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Log } from '../../engine/contracts/log.ts';
import type { MessageRef, Target } from '../../engine/contracts/refs.ts';
import type { Platform } from '../platform.ts';
import { drawCard } from './card.ts';
import { createDirectory } from './directory.ts';
import { filesOf, shareFiles } from './files.ts';
import { createHttp } from './http.ts';
import { createReceiver } from './receive.ts';
import { openSockets } from './socket.ts';
import { createWeb, type Web } from './web.ts';

/** The name under which a message carries its mark. */
const MARK_EVENT = 'activate_delivery';
/** Slack's clock and ours may differ by this much. */
const SKEW_MS = 60_000;

export interface SlackConfig {
  readonly botToken: string;
  /** Given: Socket Mode, and no public address is needed. */
  readonly appToken?: string;
  /** Given without an app token: Slack calls us over HTTP at `/slack`. */
  readonly signingSecret?: string;
  /** Where the Web API lives; Slack's own when left out. */
  readonly apiUrl?: string;
  /** Slack allows about one message a second per channel. */
  readonly paceMs?: number;
  /** How long Slack may take for one call; 15 s when left out. */
  readonly timeoutMs?: number;
  readonly log: Log;
  readonly now?: () => Date;
}

/** Slack as a chat platform. Connects to nothing before it is asked to. */
export function createSlack(config: SlackConfig): Platform {
  const { log, now = () => new Date(), appToken, signingSecret } = config;
  const apiUrl = config.apiUrl ?? 'https://slack.com/api/';
  const { timeoutMs } = config;
  const web = createWeb({
    token: config.botToken,
    apiUrl,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  const sender = createSender(web, log, now, config.paceMs ?? 1000);
  const http =
    appToken === undefined && signingSecret !== undefined
      ? createHttp({ signingSecret, log, now })
      : undefined;

  return {
    ...sender,
    receive: async (dispatch: Dispatch, signal: AbortSignal) => {
      const hear = createReceiver({ web, dispatch, log, now });
      if (appToken !== undefined) {
        await openSockets({ appToken, apiUrl, log, hear, signal });
      } else if (http !== undefined) {
        http.listen(hear, signal);
      } else {
        throw new ActivateError('CONFIG_INVALID', 'Slack has no way to reach the bot.', {
          fix: 'Set SLACK_APP_TOKEN (Socket Mode), or SLACK_SIGNING_SECRET and a public address (HTTP).',
        });
      }
    },
    ...(http === undefined ? {} : { routes: { path: '/slack', handler: http.handler } }),
  };
}

function createSender(web: Web, log: Log, now: () => Date, paceMs: number): Sender {
  const directory = createDirectory(web, log, now);
  return {
    id: 'slack',
    paceMs,
    ...directory,
    post: async (to, message, options) => {
      const { payload, losses } = drawCard(message.card);
      note(log, losses, to.id);
      const thread = to.kind === 'conversation' ? to.thread : undefined;
      const posted = await web.call<{ channel: string; ts: string }>('chat.postMessage', {
        channel: to.id,
        ...(thread === undefined ? {} : { thread_ts: thread }),
        ...payload,
        unfurl_links: false,
        unfurl_media: false,
        ...(options?.mark === undefined
          ? {}
          : { metadata: { event_type: MARK_EVENT, event_payload: { mark: options.mark } } }),
      });
      await shareFiles(web, log, filesOf(message), { channel: posted.channel, thread: thread ?? posted.ts });
      return refOf(posted.channel, posted.ts, thread);
    },
    update: async (posted: MessageRef, message: Message) => {
      const { payload, losses } = drawCard(message.card);
      note(log, losses, posted.conversation.id);
      await asUnavailable(
        web.call('chat.update', { channel: posted.conversation.id, ts: posted.id, ...payload }),
      );
    },
    find: (to, mark, since) => asUnavailable(find(web, to, mark, since)),
  };
}

interface History {
  readonly messages?: readonly {
    readonly ts: string;
    readonly metadata?: { readonly event_type?: string; readonly event_payload?: { readonly mark?: string } };
  }[];
  readonly response_metadata?: { readonly next_cursor?: string };
}

async function find(web: Web, to: Target, mark: string, since: Date): Promise<MessageRef | undefined> {
  const channel = to.kind === 'person' ? await openDirect(web, to.id) : to.id;
  const thread = to.kind === 'conversation' ? to.thread : undefined;
  const oldest = ((since.getTime() - SKEW_MS) / 1000).toFixed(6);
  let cursor = '';
  do {
    const page: History = await web.call(
      thread === undefined ? 'conversations.history' : 'conversations.replies',
      {
        channel,
        ...(thread === undefined ? {} : { ts: thread }),
        oldest,
        include_all_metadata: true,
        limit: 200,
        ...(cursor === '' ? {} : { cursor }),
      },
    );
    const found = page.messages?.find(
      ({ metadata }) => metadata?.event_type === MARK_EVENT && metadata.event_payload?.mark === mark,
    );
    if (found !== undefined) {
      return refOf(channel, found.ts, thread);
    }
    cursor = page.response_metadata?.next_cursor ?? '';
  } while (cursor !== '');
  return undefined;
}

async function openDirect(web: Web, user: string): Promise<string> {
  return (await web.call<{ channel: { id: string } }>('conversations.open', { users: user })).channel.id;
}

function refOf(channel: string, ts: string, thread: string | undefined): MessageRef {
  return {
    conversation: {
      kind: 'conversation',
      platform: 'slack',
      id: channel,
      ...(thread === undefined ? {} : { thread }),
    },
    id: ts,
  };
}

function note(log: Log, losses: readonly string[], target: string): void {
  if (losses.length > 0) {
    log.warn({ losses, target }, 'Message did not fit into Slack as it was');
  }
}

/** For what may be done twice without harm: an unknown outcome is a failure to try again. */
async function asUnavailable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof ActivateError && error.code === 'OUTCOME_UNKNOWN') {
      throw new ActivateError('UNAVAILABLE', error.message, { cause: error });
    }
    throw error;
  }
}
