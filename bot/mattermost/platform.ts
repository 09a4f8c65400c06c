import type { Dispatch, Message, Sender } from '../../engine/contracts/chat.ts';
import type { Log } from '../../engine/contracts/log.ts';
import type { MessageRef, Target } from '../../engine/contracts/refs.ts';
import type { Platform } from '../platform.ts';
import { createAnswerer } from './answer.ts';
import { catchUp } from './catch-up.ts';
import { createDirectory } from './directory.ts';
import { asUnavailable } from './errors.ts';
import { type Features, featuresOf } from './features.ts';
import { filesOf } from './files.ts';
import type { Heard } from './heard.ts';
import { createHttp } from './http.ts';
import { insist } from './insist.ts';
import { channelOf, type Desk, editCard, MARK, postCard } from './post.ts';
import { createReceiver, type Receiver, type SeenPost } from './receive.ts';
import { createSeal } from './seal.ts';
import { callbackBase, createSlash, type Slash } from './slash.ts';
import { openSocket, type ServerEvent } from './socket.ts';
import { createTokens } from './tokens.ts';
import { readAuthorities, Web } from './web.ts';

/** The server's clock and ours may differ by this much. */
const SKEW_MS = 60_000;
const PAGE = 200;
/** The wait before a server that can't be reached at the start is tried again; it doubles with each failure. */
const RETRY_MS = 1000;

export interface MattermostConfig {
  /** Of the server, as `https://chat.example.com`. */
  readonly url: string;
  readonly token: string;
  /** Where the server reaches the bot. */
  readonly callbackUrl: string | undefined;
  /** The installation's key, out of which ours is made. */
  readonly secretKey: string;
  /** A file of certificates that are trusted besides the usual ones. */
  readonly caFile?: string;
  /** Tokens of slash commands that an admin created by hand. */
  readonly commandTokens?: readonly string[];
  /** Take everybody's e-mail address for their own, though the server does not check. */
  readonly trustEmails?: boolean;
  readonly heard: Heard;
  readonly log: Log;
  readonly now?: () => Date;
  /** How long Mattermost may take for one call; 15 s when left out. */
  readonly timeoutMs?: number;
  /** The wait before a lost connection is opened again; it doubles with each failure. */
  readonly reconnectMs?: number;
  /** How long a submitted dialog waits for its answer. */
  readonly submitWithinMs?: number;
}

/** Mattermost as a chat platform. Connects to nothing before it is asked to. */
export function createMattermost(config: MattermostConfig): Platform {
  const { log, now = () => new Date(), timeoutMs } = config;
  const callbackUrl = callbackBase(config.callbackUrl);
  const ca = config.caFile === undefined ? undefined : readAuthorities(config.caFile);
  const web = new Web({
    url: config.url,
    token: config.token,
    now,
    ...(ca === undefined ? {} : { ca }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  const trustsEmails = emailTrust(web, config.trustEmails === true);
  const directory = createDirectory({ web, log, now, trustsEmails });
  const tokens = createTokens(createSeal(config.secretKey, now));
  const desk: Desk = { web, directory, tokens, log, callbackUrl };
  const http = createHttp(log);
  const slash = createSlash({
    web,
    log,
    now,
    url: `${callbackUrl}/command`,
    tokens: config.commandTokens ?? [],
    me: directory.me,
  });
  let features = featuresOf(undefined, callbackUrl);

  return {
    ...createSender(desk),
    receive: async (dispatch: Dispatch, signal: AbortSignal) => {
      const { reconnectMs = RETRY_MS } = config;
      features = await insist(() => detect(web, callbackUrl, log), { log, signal, firstWaitMs: reconnectMs });
      const answers = createAnswerer({ ...desk, dispatch, features: () => features });
      const { heard, submitWithinMs } = config;
      const receiver = createReceiver({
        dispatch,
        answers,
        directory,
        tokens,
        slash,
        heard,
        log,
        now,
        ...(submitWithinMs === undefined ? {} : { submitWithinMs }),
      });
      http.listen(receiver.hear, signal);
      await insist(slash.register, { log, signal, firstWaitMs: reconnectMs });
      await listen(
        { ...config, desk, receiver, slash, now, ...(ca === undefined ? {} : { ca }) },
        signal,
        (version) => {
          features = featuresOf(version ?? features.version, callbackUrl);
        },
      );
    },
    routes: { path: '/mattermost', handler: http.handler },
  };
}

interface Listening extends MattermostConfig {
  readonly desk: Desk;
  readonly receiver: Receiver;
  readonly slash: Slash;
  readonly ca?: readonly string[];
  readonly now: () => Date;
}

/** Hears direct messages and mentions; what passed while there was no connection is read back. */
async function listen(
  parts: Listening,
  signal: AbortSignal,
  versionSeen: (version: string | undefined) => void,
): Promise<void> {
  const { log, receiver, slash } = parts;
  let began: Date | undefined;
  const fail = (error: unknown): void => log.error({ error }, 'Mattermost event failed');
  await openSocket({
    url: parts.url,
    token: parts.token,
    log,
    signal,
    ...(parts.ca === undefined ? {} : { ca: parts.ca }),
    ...(parts.reconnectMs === undefined ? {} : { firstWaitMs: parts.reconnectMs }),
    connected: (hello) => {
      const version = /^(\d+\.\d+\.\d+)/.exec(String(hello.data['server_version'] ?? ''))?.[1];
      versionSeen(version);
      catchUp({ ...parts, signal }, began).catch(fail);
      began ??= parts.now();
    },
    heard: (event) => {
      switch (event.event) {
        case 'posted': {
          const post = postOf(event);
          if (post !== undefined) {
            receiver.seen(post, event.data['channel_type'] === 'D').catch(fail);
          }
          return;
        }
        case 'added_to_team':
          slash.register().catch(fail);
          return;
        default:
      }
    },
  });
}

function postOf(event: ServerEvent): SeenPost | undefined {
  try {
    return JSON.parse(String(event.data['post'])) as SeenPost;
  } catch {
    // The server writes a post as JSON inside the event; anything else is no post.
    return undefined;
  }
}

/** Asks who we are and what the server is. AUTH_REJECTED when it refuses the token. */
async function detect(web: Web, callbackUrl: string, log: Log): Promise<Features> {
  await web.getMe();
  const features = featuresOf((await web.getClientConfig()).Version ?? web.version, callbackUrl);
  log.info({ ...features }, 'Mattermost found');
  if (features.version !== undefined && features.many && !features.dynamic) {
    log.warn(
      {},
      'Choices are not asked for as people type: Mattermost wants the callback address to be HTTPS',
    );
  }
  return features;
}

/** Whether the server makes people prove their e-mail address, asked once. */
function emailTrust(web: Web, told: boolean): () => Promise<boolean> {
  let asked: Promise<boolean> | undefined;
  return () => {
    asked ??= told
      ? Promise.resolve(true)
      : web.getClientConfig().then(
          (config) => config.RequireEmailVerification === 'true',
          (error: unknown) => {
            asked = undefined;
            throw error;
          },
        );
    return asked;
  };
}

function createSender(desk: Desk): Sender {
  const { personByEmail, profile, channels, people, groups, members, nameOf } = desk.directory;
  return {
    id: 'mattermost',
    paceMs: 0,
    personByEmail,
    profile,
    channels,
    people,
    groups,
    members,
    nameOf,
    post: async (to, message, options) => {
      const thread = to.kind === 'conversation' ? to.thread : undefined;
      const posted = await postCard(desk, {
        channel: await asUnavailable(channelOf(desk, to)),
        card: message.card,
        files: filesOf(message),
        ...(thread === undefined ? {} : { thread }),
        ...(options?.mark === undefined ? {} : { mark: options.mark }),
      });
      return refOf(posted.channel, posted.id, thread);
    },
    update: async (posted: MessageRef, message: Message) => {
      const { id, thread } = posted.conversation;
      const place = { id: posted.id, channel: id, ...(thread === undefined ? {} : { thread }) };
      await asUnavailable(editCard(desk, message.card, place));
    },
    find: (to, mark, since) => asUnavailable(find(desk, to, mark, since)),
  };
}

/** Reads back from the newest post until one is older than the time in question. */
async function find(desk: Desk, to: Target, mark: string, since: Date): Promise<MessageRef | undefined> {
  const channel = await channelOf(desk, to);
  const thread = to.kind === 'conversation' ? to.thread : undefined;
  const me = await desk.directory.me();
  const oldest = since.getTime() - SKEW_MS;
  for (let page = 0; ; page += 1) {
    const { order, posts } = await desk.web.getPosts(channel, page, PAGE, false);
    const listed = order.flatMap((id) => (posts[id] === undefined ? [] : [posts[id]]));
    const found = listed.find((post) => post.props[MARK] === mark && post.user_id === me.id);
    if (found !== undefined) {
      return refOf(channel, found.id, thread);
    }
    const last = listed.at(-1);
    if (last === undefined || order.length < PAGE || last.create_at < oldest) {
      return undefined;
    }
  }
}

function refOf(channel: string, id: string, thread: string | undefined): MessageRef {
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
