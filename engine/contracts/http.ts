import { ActivateError, type ErrorCode } from './errors.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  /** Added to the URL, encoded; undefined values are left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** A function gives the bytes from the beginning each time it is called: for what is too large to hold at once. */
  readonly body?: string | Uint8Array | (() => AsyncIterable<Uint8Array>);
  /** Compresses `json`, text or bytes, for far sides that take `Content-Encoding: gzip`. */
  readonly gzip?: boolean;
  /**
   * Sending it twice does no harm, so that it is tried again by itself (up to 3 times in all) when the far side does not
   * answer, answers 5xx, or names a wait of 10 s or less. GET and HEAD are; all others only when this says so.
   */
  readonly repeatable?: boolean;
  /** For the whole exchange, from connecting to the last byte; 30 s unless said otherwise. */
  readonly timeoutMs?: number;
  /** The path holds a secret, as those of incoming webhooks do, and is kept out of the log. */
  readonly secretPath?: boolean;
  readonly signal?: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  /** 2xx. */
  readonly ok: boolean;
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  /** In an answer of 4xx or 5xx the keys and tokens that were sent are struck out, so that it may be quoted. */
  readonly text: string;
  /** What `Retry-After` asks for, given in seconds or as a date. */
  readonly retryAfterMs: number | undefined;
  /** The body read as JSON. Throws OUTCOME_UNKNOWN when it is none: nobody can say then what was done. */
  json(): unknown;
}

/**
 * The way to the web that every connector is handed: time limits, retries where they do no harm, a pool of connections,
 * the proxy of the installation, and a list of hosts that can't be fooled. Redirects are never followed. Any status is
 * an answer; it throws when there is none: UNAVAILABLE when the request did not get there or is repeatable,
 * OUTCOME_UNKNOWN when it may have got there, PERMISSION_DENIED when the host is not allowed, CONFIG_INVALID when the
 * address or a header can't be one, and the reason of the signal. No message repeats more of an address than its host.
 */
export interface Http {
  send(request: HttpRequest): Promise<HttpAnswer>;
}

/**
 * What an answer that is not 2xx means, in the codes that the engine goes by. `says` is the far side's own sentence;
 * where it may quote a row, it goes through {@link theirWords} first.
 */
export function errorOf(answer: HttpAnswer, vendor: string, says = ''): ActivateError {
  const code = codeOf(answer.status);
  const about = sentences[code as keyof typeof sentences] ?? 'does not take this request';
  return new ActivateError(code, `${vendor} ${about} (status ${answer.status}).${saying(theirWords(says))}`, {
    ...(answer.retryAfterMs === undefined ? {} : { retryAfterMs: answer.retryAfterMs }),
    ...(code in fixes ? { fix: fixes[code as keyof typeof fixes] } : {}),
  });
}

const sentences = {
  AUTH_REJECTED: 'does not accept the key or token',
  PERMISSION_DENIED: 'does not allow this',
  NOT_FOUND: 'does not know this place',
  RATE_LIMITED: 'asks for a pause',
  UNAVAILABLE: 'is not available just now',
  CONFIG_INVALID: 'answers with a redirect, and redirects are not followed',
  OUTCOME_UNKNOWN: 'ran into trouble and does not say what was done',
} as const;

const fixes = {
  AUTH_REJECTED: 'Make a new one and connect again: /activate connect.',
  PERMISSION_DENIED: 'Give the key or its user the rights that the set-up guide names.',
  CONFIG_INVALID: 'Connect again with the address that it leads to.',
} as const;

function codeOf(status: number): ErrorCode {
  switch (status) {
    case 401:
      return 'AUTH_REJECTED';
    case 403:
      return 'PERMISSION_DENIED';
    case 404:
    case 410:
      return 'NOT_FOUND';
    case 429:
      return 'RATE_LIMITED';
    case 408:
    case 425:
    case 503:
      return 'UNAVAILABLE';
    default:
      return status >= 500 ? 'OUTCOME_UNKNOWN' : status < 400 ? 'CONFIG_INVALID' : 'INPUT_INVALID';
  }
}

/**
 * A far side's sentence as people may read it: one line, at most 300 characters, and `…` in place of the values that it
 * was sent, because those who read reasons may not be those who may see rows.
 */
export function theirWords(says: string, sent?: unknown): string {
  const hidden = leavesOf(sent).sort((a, b) => b.length - a.length);
  const line = hidden
    .reduce((left, value) => left.replaceAll(value, '…'), says)
    .replaceAll(/\s+/g, ' ')
    .trim();
  return line.length <= 300 ? line : `${line.slice(0, 299)}…`;
}

/** Their words as they stand behind a sentence of ours, after a space; nothing when they have none. */
export function saying(words: string): string {
  return words === '' ? '' : ` It says: ${words}`;
}

/** Shorter ones (a 1, a yes) say nothing about anybody, and are parts of other words. */
const tellingFrom = 3;

function leavesOf(value: unknown): string[] {
  if (typeof value === 'object' && value !== null) {
    return Object.values(value).flatMap(leavesOf);
  }
  return value === null || typeof value === 'boolean' || String(value ?? '').length < tellingFrom
    ? []
    : [String(value)];
}

/**
 * An {@link Http} that signs each request with a token, got when first needed. A 401 gets a new token once, whoever asks
 * for it at the same time waits for the same one, and the request is sent once more; a second 401 is the answer.
 */
export function withToken(
  http: Http,
  fetchToken: () => Promise<string>,
  sign: (token: string) => Readonly<Record<string, string>> = (token) => ({
    authorization: `Bearer ${token}`,
  }),
): Http {
  let current: Promise<string> | undefined;
  const token = (): Promise<string> => {
    if (current === undefined) {
      const asked = fetchToken();
      current = asked;
      asked.catch(() => {
        current = current === asked ? undefined : current;
      });
    }
    return current;
  };
  const send = async (request: HttpRequest, used: string): Promise<HttpAnswer> =>
    http.send({ ...request, headers: { ...request.headers, ...sign(used) } });
  return {
    send: async (request) => {
      const asked = token();
      const answer = await send(request, await asked);
      if (answer.status !== 401) {
        return answer;
      }
      if (current === asked) {
        current = undefined;
      }
      return send(request, await token());
    },
  };
}
