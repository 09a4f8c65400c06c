import { parsedUrl } from '../../engine/contracts/url.ts';
import { failure, lost } from './errors.ts';
import type { Tokens } from './token.ts';

/** The service that keeps conversations. */
export const BOT_SERVICE = 'https://api.botframework.com';

/** How long Teams may take for one call. */
const TIMEOUT_MS = 15_000;

export interface Request {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/**
 * All calls to Microsoft go out here. Anything but success is thrown as an ActivateError. It never retries by itself:
 * the engine does, and it looks first.
 */
export interface Web {
  /** Sends a request as it stands; `what` says in an error what was tried. */
  send(request: Request, what: string): Promise<Answer>;
  /** JSON to and from a service, with the app's token for it. */
  call<T = object>(resource: string, method: string, url: string, body?: object): Promise<T>;
}

export function createWeb(config: { readonly tokens: Tokens; readonly timeoutMs?: number }): Web {
  const { tokens, timeoutMs = TIMEOUT_MS } = config;
  const send = (request: Request, what: string): Promise<Answer> => sendOnce(request, what, timeoutMs);
  return {
    send,
    call: async <T>(resource: string, method: string, url: string, body?: object): Promise<T> => {
      const headers = {
        authorization: `Bearer ${await tokens(resource)}`,
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' }),
      };
      const sent = body === undefined ? {} : { body: JSON.stringify(body) };
      const answer = await send({ method, url, headers, ...sent }, `${method} ${pathOf(url)}`);
      return (answer.text === '' ? {} : JSON.parse(answer.text)) as T;
    },
  };
}

/** What was called, without the ids in it: they may be people's. */
export function pathOf(url: string): string {
  return parsedUrl(url) !== undefined ? new URL(url).pathname.replace(/[^/]*[:%@][^/]*/g, '…') : 'an address';
}

async function sendOnce(request: Request, what: string, timeoutMs: number): Promise<Answer> {
  let answer: Answer;
  try {
    const response = await fetch(request.url, {
      method: request.method,
      headers: request.headers ?? {},
      ...(request.body === undefined ? {} : { body: request.body }),
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await response.text();
    answer = { status: response.status, headers: Object.fromEntries(response.headers), text };
  } catch (thrown) {
    throw lost(thrown);
  }
  if (answer.status >= 300) {
    throw failure({
      what,
      status: answer.status,
      retryAfter: answer.headers['retry-after'],
      text: answer.text,
    });
  }
  return answer;
}
