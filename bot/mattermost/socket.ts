import { WebSocket } from 'ws';
import type { Log } from '../../engine/contracts/log.ts';
import { pause } from './insist.ts';

const PING_MS = 30_000;
const FIRST_WAIT_MS = 1000;
const MAX_WAIT_MS = 60_000;
/** How long the server may take to open a connection and to say hello. */
const HELLO_MS = 15_000;

/** An event of the server; `data` holds strings, some of them JSON. */
export interface ServerEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface SocketOptions {
  /** Of the server, as `https://chat.example.com`. */
  readonly url: string;
  readonly token: string;
  readonly ca?: readonly string[];
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Called whenever a connection hears, the first one and each after it. */
  readonly connected: (hello: ServerEvent) => void;
  readonly heard: (event: ServerEvent) => void;
  readonly firstWaitMs?: number;
}

/**
 * Keeps one connection to the server's events until the signal fires; resolves once the first of them hears. The
 * vendor's own client for it writes to the console, and a ping without an answer ends the process on Node 20, which
 * lacks CloseEvent. What passes while there is no connection is read back over REST by whoever listens.
 */
export async function openSocket(options: SocketOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    options.signal.addEventListener('abort', () => resolve(), { once: true });
    keepOpen(options, resolve).catch(reject);
  });
}

async function keepOpen(options: SocketOptions, first: () => void): Promise<void> {
  const { signal, log, firstWaitMs = FIRST_WAIT_MS } = options;
  let failures = 0;
  while (!signal.aborted) {
    const heard = await oneConnection(options, (hello) => {
      failures = 0;
      log.info({}, 'Mattermost connected');
      options.connected(hello);
      first();
    });
    if (signal.aborted) {
      return;
    }
    failures += 1;
    log.warn({ failures, why: heard }, 'Mattermost connection ended');
    const wait = Math.min(MAX_WAIT_MS, firstWaitMs * 2 ** Math.min(failures - 1, 6));
    await pause(wait * (0.75 + Math.random() / 2), signal);
  }
}

/** Resolves with why the connection ended. */
function oneConnection(options: SocketOptions, hello: (event: ServerEvent) => void): Promise<string> {
  const { signal, token, ca } = options;
  const address = `${options.url.replace(/^http/, 'ws').replace(/\/+$/, '')}/api/v4/websocket`;
  const socket = new WebSocket(address, {
    handshakeTimeout: HELLO_MS,
    ...(ca === undefined ? {} : { ca: [...ca] }),
  });
  return new Promise((resolve) => {
    let answered = true;
    const late = setTimeout(() => socket.terminate(), HELLO_MS);
    const ping = setInterval(() => {
      if (!answered) {
        socket.terminate();
        return;
      }
      answered = false;
      socket.ping();
    }, PING_MS);
    const stop = (): void => socket.terminate();
    signal.addEventListener('abort', stop, { once: true });
    const ended = (why: string): void => {
      clearTimeout(late);
      clearInterval(ping);
      signal.removeEventListener('abort', stop);
      resolve(why);
    };
    socket.on('open', () => {
      socket.send(JSON.stringify({ seq: 1, action: 'authentication_challenge', data: { token } }));
    });
    socket.on('pong', () => {
      answered = true;
    });
    // `ws` says both for a connection that fails; the first word is the one that tells why.
    socket.on('error', (error) => ended(error.message));
    socket.on('close', (code) => ended(`closed with ${code}`));
    socket.on('message', (bytes) => {
      answered = true;
      const event = readEvent(String(bytes));
      if (event?.event === 'hello') {
        clearTimeout(late);
        hello(event);
      } else if (event !== undefined) {
        options.heard(event);
      }
    });
  });
}

/** Answers to what we sent carry no event; we ask for nothing but to be let in. */
function readEvent(text: string): ServerEvent | undefined {
  try {
    const read: unknown = JSON.parse(text);
    return typeof read === 'object' && read !== null && 'event' in read && 'data' in read
      ? (read as ServerEvent)
      : undefined;
  } catch {
    // Not one of the server's frames; there is nothing to hear in it.
    return undefined;
  }
}
