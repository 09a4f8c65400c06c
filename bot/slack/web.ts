import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { failure } from './errors.ts';

/** How long Slack may take for one call. */
const TIMEOUT_MS = 15_000;

/** Slack's Web API, by method name. Answers are what Slack sent; anything but `ok` is thrown as an ActivateError. */
export interface Web {
  call<T = object>(method: string, args: Readonly<Record<string, unknown>>): Promise<T>;
  /** Answers at a `response_url`, which needs no token and no membership. */
  respond(url: string, message: object): Promise<void>;
  /** Uploads the bytes of a file to the address that Slack gave. */
  upload(url: string, bytes: Uint8Array): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly text: string;
}

/** Methods that take JSON; the older ones that read want a form. */
const JSON_METHODS = /^(chat|views)\./;

/**
 * A client as thin as can be: Slack's own costs 0.7 ms of CPU per message here, this one 0.2 ms. It never retries
 * by itself: the engine does, and it looks first.
 */
export function createWeb(config: {
  readonly token: string;
  readonly apiUrl: string;
  readonly timeoutMs?: number;
}): Web {
  const { timeoutMs = TIMEOUT_MS } = config;
  const secure = config.apiUrl.startsWith('https:');
  // An idle connection is closed before Slack closes it: a post on a dead one would have an unknown outcome.
  const options = { keepAlive: true, maxSockets: 64, timeout: timeoutMs };
  const agent = secure ? new HttpsAgent(options) : new HttpAgent(options);
  const base = config.apiUrl.endsWith('/') ? config.apiUrl : `${config.apiUrl}/`;
  const target = new URL(base);
  const authorization = `Bearer ${config.token}`;

  const placeOf = (to: URL): Place => ({ to, path: to.pathname + to.search, agent: undefined, timeoutMs });

  return {
    call: async <T>(method: string, args: Readonly<Record<string, unknown>>): Promise<T> => {
      const json = JSON_METHODS.test(method);
      const body = json ? JSON.stringify(args) : form(args);
      const type = json ? 'application/json; charset=utf-8' : 'application/x-www-form-urlencoded';
      const headers = { authorization, 'content-type': type };
      const path = `${target.pathname}${method}`;
      const answer = await send({ to: target, path, agent, timeoutMs }, body, headers);
      return read(method, answer) as T;
    },
    respond: async (url, message) => {
      const to = new URL(url);
      const answer = await send(placeOf(to), JSON.stringify(message), {
        'content-type': 'application/json; charset=utf-8',
      });
      if (answer.status >= 300) {
        throw failure('response_url', answer.status === 404 ? 'expired_url' : `http_${answer.status}`);
      }
    },
    upload: async (url, bytes) => {
      const to = new URL(url);
      const answer = await send(placeOf(to), bytes, {
        'content-type': 'application/octet-stream',
      });
      if (answer.status >= 300) {
        throw new ActivateError('UNAVAILABLE', `Slack did not take the file (status ${answer.status}).`);
      }
    },
  };
}

function form(args: Readonly<Record<string, unknown>>): string {
  const fields = Object.entries(args).filter(([, value]) => value !== undefined);
  return new URLSearchParams(
    fields.map(([key, value]): [string, string] => [
      key,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  ).toString();
}

function read(method: string, answer: Answer): unknown {
  if (answer.status === 429) {
    const seconds = Number(answer.retryAfter);
    throw new ActivateError('RATE_LIMITED', 'Slack asks us to slow down.', {
      retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 1000,
      cause: { method, reason: 'ratelimited' },
    });
  }
  if (answer.status >= 500) {
    throw new ActivateError('OUTCOME_UNKNOWN', `Slack answered ${method} with status ${answer.status}.`, {
      cause: { method, reason: `http_${answer.status}` },
    });
  }
  const parsed = parse(answer.text);
  if (parsed === undefined) {
    throw new ActivateError('OUTCOME_UNKNOWN', `Slack answered ${method} with something that isn't JSON.`, {
      fix: 'Check that SLACK_API_URL leads to Slack and that no proxy stands in between.',
      cause: { method, reason: `http_${answer.status}` },
    });
  }
  if (parsed.ok !== true) {
    throw failure(method, String(parsed.error ?? `http_${answer.status}`), parsed);
  }
  return parsed;
}

function parse(text: string): { readonly ok?: unknown; readonly error?: unknown } | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? parsed : undefined;
  } catch {
    // A proxy's page, say; the caller words it.
    return undefined;
  }
}

/** Where a request goes, over which connections, and how long it may take. */
interface Place {
  readonly to: URL;
  readonly path: string;
  readonly agent: HttpAgent | undefined;
  readonly timeoutMs: number;
}

function send(
  { to, path, agent, timeoutMs }: Place,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = (to.protocol === 'https:' ? httpsRequest : httpRequest)(
      {
        protocol: to.protocol,
        hostname: to.hostname,
        port: to.port,
        path,
        method: 'POST',
        timeout: timeoutMs,
        ...(agent === undefined ? {} : { agent }),
        headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          text += part;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], text }),
        );
        response.on('error', (error) => reject(lost(error)));
      },
    );
    request.on('timeout', () => request.destroy(new Error('no answer in time')));
    request.on('error', (error) => reject(lost(error)));
    request.end(body);
  });
}

/** Errors that come before anything was sent. Everything later may have reached Slack. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'CERT_HAS_EXPIRED',
]);

function lost(error: Error): ActivateError {
  const code = 'code' in error ? String(error.code) : '';
  if (NOT_SENT.has(code)) {
    return new ActivateError('UNAVAILABLE', `Slack can't be reached (${code}).`, {
      cause: error,
      fix: 'Check the network between Activate and Slack.',
    });
  }
  return new ActivateError('OUTCOME_UNKNOWN', `The connection to Slack was lost (${error.message}).`, {
    cause: error,
  });
}
