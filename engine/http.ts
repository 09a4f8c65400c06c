import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, gzip, inflate } from 'node:zlib';
import { ActivateError } from './contracts/errors.ts';
import type { Http, HttpAnswer, HttpRequest } from './contracts/http.ts';
import type { Log } from './contracts/log.ts';
import { parsedUrl } from './contracts/url.ts';
import {
  exchange,
  type Incoming,
  NoAnswer,
  type Outgoing,
  tooLarge,
  unpackedAtMost,
} from './http/exchange.ts';
import { hostOf } from './http/hosts.ts';
import { type NetworkOptions, openNetwork } from './http/network.ts';
import { secretPieces, secretsSent, struckOut } from './http/secrets.ts';

export interface HttpOptions extends NetworkOptions {
  /** The secrets of the connection: no error that a far side answers with shows them, whatever it quotes. */
  readonly secrets?: readonly string[];
  readonly log: Log;
  readonly now?: () => Date;
  readonly pause?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

export interface HttpClient extends Http {
  /** Ends all connections, those with a request under way too. */
  close(): Promise<void>;
}

const tries = 3;
const longestWaitMs = 10_000;

/** The client that a connection is handed; what it promises stands at {@link Http}. */
export function createHttp(options: HttpOptions): HttpClient {
  const { log, now = () => new Date(), pause = paused } = options;
  const network = openNetwork(options);
  const secrets = (options.secrets ?? []).flatMap(secretPieces);
  const attempt = async (request: HttpRequest, url: URL, repeatable: boolean): Promise<HttpAnswer> => {
    const began = performance.now();
    const facts = { method: request.method, host: url.host, path: pathOf(request, url) };
    const ms = (): number => Math.round(performance.now() - began);
    try {
      const outgoing = await outgoingOf(request, url);
      const incoming = await exchange(await network.to(url), outgoing);
      log.debug({ ...facts, status: incoming.status, ms: ms() }, 'http call');
      return await answerOf(incoming, now(), [
        ...secrets,
        ...secretsSent(outgoing.headers, url.searchParams),
      ]);
    } catch (error) {
      log.debug({ ...facts, ms: ms() }, 'http call without an answer');
      if (error instanceof NoAnswer) {
        const code = error.sent && !repeatable ? 'OUTCOME_UNKNOWN' : 'UNAVAILABLE';
        throw new ActivateError(code, `${hostOf(url)} ${error.message}.`);
      }
      throw error;
    }
  };
  return {
    send: async (request) => {
      const { signal, repeatable = request.method === 'GET' || request.method === 'HEAD' } = request;
      signal?.throwIfAborted();
      const url = addressOf(request);
      network.mustAllow(url);
      for (let tried = 1; ; tried += 1) {
        const result = await attempt(request, url, repeatable).catch(unavailable);
        const waitMs = repeatable && tried < tries ? waitOf(result, tried) : undefined;
        if (waitMs !== undefined) {
          await pause(waitMs, signal);
        } else if (result instanceof ActivateError) {
          throw result;
        } else {
          return result;
        }
      }
    },
    close: () => network.close(),
  };
}

function addressOf({ url, query = {} }: HttpRequest): URL {
  const address = parsedUrl(url);
  if (address === undefined || !/^https?:$/.test(address.protocol)) {
    throw new ActivateError('CONFIG_INVALID', 'This is not an address of the web.', {
      fix: 'Enter one that begins with https://.',
    });
  }
  if (address.username !== '' || address.password !== '') {
    throw new ActivateError('CONFIG_INVALID', 'The address holds a user name or a password.', {
      fix: 'Leave out what stands before the @ sign.',
    });
  }
  // With its final dot a name is the same host, but no certificate is made out to it.
  address.hostname = address.hostname.replace(/\.$/, '');
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) {
      address.searchParams.append(name, String(value));
    }
  }
  return address;
}

/** For the log: without query, and without what looks like somebody's e-mail address. */
function pathOf(request: HttpRequest, url: URL): string {
  return request.secretPath === true ? '…' : url.pathname.replaceAll(/[^/]*(?:@|%40)[^/]*/gi, '…');
}

async function outgoingOf(request: HttpRequest, url: URL): Promise<Outgoing> {
  const { method, json, gzip: compress = false, timeoutMs = 30_000, signal } = request;
  const body = json === undefined ? request.body : JSON.stringify(json);
  const packed = compress && body !== undefined && typeof body !== 'function';
  const given = Object.entries(request.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]);
  return {
    method,
    url,
    headers: {
      accept: 'application/json',
      'accept-encoding': 'gzip, br',
      'user-agent': 'Activate',
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...Object.fromEntries(given),
      ...(packed ? { 'content-encoding': 'gzip' } : {}),
    },
    body: typeof body === 'function' ? body() : packed ? await promisify(gzip)(body) : body,
    timeoutMs,
    signal,
  };
}

async function answerOf(incoming: Incoming, now: Date, secrets: readonly string[]): Promise<HttpAnswer> {
  const { status, headers, body } = incoming;
  const whole = new TextDecoder().decode(await unpacked(body, headers['content-encoding']));
  const text = status >= 400 ? struckOut(whole, secrets) : whole;
  return {
    status,
    ok: status >= 200 && status < 300,
    headers,
    text,
    retryAfterMs: retryAfterOf(headers['retry-after'], now),
    json: () => {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        throw new ActivateError(
          'OUTCOME_UNKNOWN',
          `The answer can't be read: it has status ${status} and is not JSON.`,
        );
      }
    },
  };
}

const unpackers = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  br: promisify(brotliDecompress),
  deflate: promisify(inflate),
} as const;

async function unpacked(body: Buffer, encoding = 'identity'): Promise<Buffer> {
  const unpack = unpackers[encoding.toLowerCase() as keyof typeof unpackers] as
    | (typeof unpackers)['gzip']
    | undefined;
  if (unpack === undefined || body.byteLength === 0) {
    return body;
  }
  return unpack(body, unpackedAtMost).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ERR_BUFFER_TOO_LARGE'
      ? tooLarge()
      : new ActivateError('OUTCOME_UNKNOWN', "The answer can't be unpacked.");
  });
}

/** Seconds or a date; what lies in the past is no wait. */
function retryAfterOf(text: string | undefined, now: Date): number | undefined {
  if (text === undefined) {
    return undefined;
  }
  const ms = /^\d+(?:\.\d+)?$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - now.getTime();
  return Number.isNaN(ms) ? undefined : Math.max(0, Math.ceil(ms));
}

async function paused(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : error;
  }
}

function unavailable(error: unknown): ActivateError {
  if (error instanceof ActivateError && error.code === 'UNAVAILABLE') {
    return error;
  }
  throw error;
}

/** How long to wait before the next try; undefined when this result has to do. */
function waitOf(result: HttpAnswer | ActivateError, tried: number): number | undefined {
  if (result instanceof ActivateError) {
    return backoff(tried);
  }
  const { status, retryAfterMs } = result;
  if (status !== 429 && status < 500) {
    return undefined;
  }
  if (retryAfterMs !== undefined) {
    return retryAfterMs <= longestWaitMs ? retryAfterMs : undefined;
  }
  return status === 429 ? undefined : backoff(tried);
}

/** 200 ms, then twice that, give or take a quarter, so that workers do not come back in step. */
function backoff(tried: number): number {
  return 200 * 2 ** (tried - 1) * (0.75 + Math.random() / 2);
}
