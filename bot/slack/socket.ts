import { once } from 'node:events';
import type { SocketModeReceiver } from '@slack/bolt';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Log } from '../../engine/contracts/log.ts';
import type { Hear } from './receive.ts';

/** Slack replaces a connection now and then and takes seconds to do it: the other one hears meanwhile. */
const CONNECTIONS = 2;
const MAX_WAIT_MS = 30_000;
const SHORT_LIVED_MS = 1000;

interface Options {
  readonly appToken: string;
  readonly apiUrl: string;
  readonly log: Log;
  readonly hear: Hear;
  readonly signal: AbortSignal;
}

/**
 * Opens the Socket Mode connections and keeps them open until the signal fires. Resolves once one of them hears;
 * throws AUTH_REJECTED when Slack refuses the app token.
 */
export async function openSockets(options: Options): Promise<void> {
  // Loading Bolt takes half a second, which HTTP mode and the worker need not pay.
  const { SocketModeReceiver: Receiver } = await import('@slack/bolt');
  const connect = (): Promise<void> =>
    new Promise((resolve, reject) => {
      keepOpen(options, () => create(Receiver, options), resolve).catch((error: unknown) => {
        options.log.error({ error }, 'Socket Mode connection given up');
        reject(error);
      });
    });
  const connections = Array.from({ length: CONNECTIONS }, connect);
  // Both may be refused; the first to be says so to whoever waits.
  void Promise.allSettled(connections);
  await Promise.race([...connections, once(options.signal, 'abort')]);
}

type Client = SocketModeReceiver['client'];

function create(Receiver: typeof SocketModeReceiver, options: Options): Client {
  const { client } = new Receiver({
    appToken: options.appToken,
    // Its own way of reconnecting ends the process when Slack refuses the token meanwhile.
    autoReconnectEnabled: false,
    logger: quiet(options.log),
    installerOptions: { clientOptions: { slackApiUrl: options.apiUrl, retryConfig: { retries: 0 } } },
  });
  client.on('slack_event', ({ body, ack }: { body: object; ack: (payload?: object) => Promise<void> }) => {
    options
      .hear(body as Readonly<Record<string, unknown>>, (payload) => ack(payload))
      .catch((error: unknown) => options.log.error({ error }, 'Slack event failed'));
  });
  return client;
}

async function keepOpen(options: Options, make: () => Client, connected: () => void): Promise<void> {
  const { signal, log } = options;
  let failures = 0;
  while (!signal.aborted) {
    const client = make();
    // Heard from the beginning: Slack may close a connection in the same breath in which it opens it.
    const closed = new Promise<void>((resolve) => {
      client.once('disconnected', () => resolve());
    });
    try {
      const began = performance.now();
      await Promise.race([client.start(), closed]);
      connected();
      log.info({}, 'Socket Mode connected');
      await untilClosed(client, closed, signal);
      // One that is closed at once each time must not be opened again without end.
      failures = performance.now() - began < SHORT_LIVED_MS ? failures + 1 : 0;
    } catch (error) {
      refuseWhenRejected(error);
      failures += 1;
      log.warn({ error, failures }, 'Socket Mode connection failed');
    }
    if (!signal.aborted && failures > 0) {
      await pause(Math.min(MAX_WAIT_MS, 500 * 2 ** Math.min(failures, 6)), signal);
    }
  }
}

async function untilClosed(client: Client, closed: Promise<void>, signal: AbortSignal): Promise<void> {
  const close = (): void => {
    client.disconnect().catch(() => undefined);
  };
  signal.addEventListener('abort', close, { once: true });
  if (signal.aborted) {
    close();
  }
  await Promise.race([closed, aborted(signal)]);
  signal.removeEventListener('abort', close);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
    } else {
      signal.addEventListener('abort', () => resolve(), { once: true });
    }
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
  });
}

const REFUSALS = new Set([
  'invalid_auth',
  'not_authed',
  'account_inactive',
  'token_revoked',
  'not_allowed_token_type',
]);

function refuseWhenRejected(error: unknown): void {
  const data = typeof error === 'object' && error !== null && 'data' in error ? error.data : undefined;
  const reason = typeof data === 'object' && data !== null && 'error' in data ? String(data.error) : '';
  if (REFUSALS.has(reason)) {
    throw new ActivateError('AUTH_REJECTED', 'Slack refused the app token.', {
      cause: { method: 'apps.connections.open', reason },
      fix: 'Create an app-level token (xapp-…) with the scope connections:write and set it as SLACK_APP_TOKEN.',
    });
  }
  if (reason === 'missing_scope') {
    throw new ActivateError('PERMISSION_DENIED', 'The app token lacks the scope connections:write.', {
      cause: { method: 'apps.connections.open', reason },
      fix: 'Create an app-level token with the scope connections:write and set it as SLACK_APP_TOKEN.',
    });
  }
}

type BoltLogger = NonNullable<ConstructorParameters<typeof SocketModeReceiver>[0]['logger']>;

/** Bolt's words at debug level: what matters is logged here, once, with constant messages. */
function quiet(log: Log): BoltLogger {
  const level = 'warn' as ReturnType<BoltLogger['getLevel']>;
  return {
    debug: () => undefined,
    info: () => undefined,
    warn: (...words) => log.debug({ words }, 'Bolt warns'),
    error: (...words) => log.debug({ words }, 'Bolt reports an error'),
    setLevel: () => undefined,
    getLevel: () => level,
    setName: () => undefined,
  };
}
