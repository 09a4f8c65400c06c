import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

/** A request as the fake got it. */
export interface Received {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes as they came, unpacked when they came as gzip. */
  readonly body: Buffer;
  /** What the path has in place of `:name`. */
  readonly params: Readonly<Record<string, string>>;
  /** The body as JSON; a handler that reads what is none fails the test. */
  json<T = Record<string, unknown>>(): T;
}

/** Status 200 unless said otherwise; `json` is written as JSON, `text` as it stands. */
export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly text?: string | Buffer;
}

/**
 * What goes wrong with one request: it is never answered; its connection breaks without anything being done; it is
 * carried out, and then its connection breaks; it is carried out, and then the answer is cut in the middle.
 */
export type Fault = 'hang' | 'reset' | 'done-then-reset' | 'done-then-garbage';

export type Reply = Answer | Fault | ((request: Received) => Answer);

export type Routes<S> = Readonly<Record<string, (request: Received, state: S) => Answer>>;

/** A far side on a free port of 127.0.0.1. A connector's fake is a state, some routes, and this. */
export interface FakeHttp<S = unknown> {
  readonly url: string;
  readonly state: S;
  /** All requests, in the order in which they came. */
  readonly requests: readonly Received[];
  /** Replies for the next requests whatever their route, in order, in place of the routes'; `undefined` lets one through. */
  next(...replies: readonly (Reply | undefined)[]): void;
  /** One reply for all requests from now on, until {@link heal}. */
  always(reply: Reply): void;
  heal(): void;
  /** The requests of a route, written as in the routes. */
  to(route: string): readonly Received[];
  /** Resolves with the next request that comes, before it is answered. */
  arrival(): Promise<Received>;
  /** Throws when a request came that no route is for, or that a handler threw at. Belongs at the end of each test. */
  expectNoUnexpected(): void;
  close(): Promise<void>;
}

/** Besides, what can go wrong with one route: it is carried out and never answered, or answered after a while. */
export type RouteFault = Reply | 'done-then-hang' | { readonly slowMs: number };

export interface FailsByRoute {
  /** Faults for the next requests of a route, in order, written as in the routes. */
  fail(route: string, ...faults: readonly RouteFault[]): void;
}

/** An answer that asks for a pause. */
export function limited(seconds?: number): Answer {
  const headers = seconds === undefined ? {} : { 'retry-after': String(seconds) };
  return { status: 429, headers, json: { message: 'Too many requests' } };
}

/**
 * Starts one. Routes are written `POST /lists/:list/members`; `*` at the end of a path stands for the rest of it.
 * `guard` sees every request first and may answer in place of the route, a wrong key with 401 say. `ahead` is awaited
 * before a request is answered: handlers find what it has found out elsewhere.
 */
export async function startFakeHttp<S>(
  state: S,
  routes: Routes<S>,
  guard: (request: Received, state: S) => Answer | undefined = () => undefined,
  ahead?: (request: Received, state: S) => Promise<void>,
): Promise<FakeHttp<S> & FailsByRoute> {
  const requests: Received[] = [];
  const unexpected: string[] = [];
  const queue: (Reply | undefined)[] = [];
  const ofRoute = new Map<string, RouteFault[]>();
  const failing = (request: Received): RouteFault | undefined => {
    const [, faults] = [...ofRoute].find(([route]) => paramsOf(route, request) !== undefined) ?? [];
    return faults?.shift();
  };
  let standing: Reply | undefined;
  let waiting: ((request: Received) => void)[] = [];
  const found = (request: Received): Answer => {
    const refusal = guard(request, state);
    if (refusal !== undefined) {
      return refusal;
    }
    for (const [route, handler] of Object.entries(routes)) {
      const params = paramsOf(route, request);
      if (params !== undefined) {
        return handler({ ...request, params }, state);
      }
    }
    unexpected.push(`${request.method} ${request.path}`);
    return { status: 599, text: 'The fake has no such route.' };
  };
  const handled = (request: Received): Answer => {
    try {
      return found(request);
    } catch (error) {
      unexpected.push(`${request.method} ${request.path}: ${String(error)}`);
      return { status: 599, text: 'The fake ran into trouble.' };
    }
  };
  const server = createServer((incoming, response) => {
    const received = async (): Promise<Received> => {
      const request = await receive(incoming);
      await ahead?.(request, state);
      return request;
    };
    received().then(
      (request) => {
        requests.push(request);
        const reply = queue.length > 0 ? queue.shift() : (failing(request) ?? standing);
        for (const tell of waiting.splice(0)) {
          tell(request);
        }
        respond(response, reply, () => handled(request), request);
      },
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    state,
    requests,
    next: (...replies) => void queue.push(...replies),
    fail: (route, ...faults) => void ofRoute.set(route, [...(ofRoute.get(route) ?? []), ...faults]),
    always: (reply) => {
      standing = reply;
    },
    heal: () => {
      queue.length = 0;
      ofRoute.clear();
      standing = undefined;
    },
    to: (route) => requests.filter((request) => paramsOf(route, request) !== undefined),
    arrival: () =>
      new Promise((resolve) => {
        waiting = [...waiting, resolve];
      }),
    expectNoUnexpected: () => {
      if (unexpected.length > 0) {
        throw new Error(`The fake did not expect:\n${unexpected.join('\n')}`);
      }
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function respond(
  response: ServerResponse,
  reply: RouteFault | undefined,
  handled: () => Answer,
  request: Received,
): void {
  switch (reply) {
    case 'hang':
      return;
    case 'reset':
      response.destroy();
      return;
    case 'done-then-reset':
      handled();
      response.destroy();
      return;
    case 'done-then-hang':
      handled();
      return;
    case 'done-then-garbage': {
      const { status, headers } = handled();
      const type = { 'content-type': 'application/json' };
      write(response, {
        status: status ?? 200,
        headers: { ...type, ...headers },
        text: '{"id": "1", "resul',
      });
      return;
    }
    case undefined:
      write(response, handled());
      return;
    default:
      if (typeof reply === 'object' && 'slowMs' in reply) {
        setTimeout(() => write(response, handled()), reply.slowMs);
        return;
      }
      write(response, typeof reply === 'function' ? reply(request) : reply);
  }
}

function write(response: ServerResponse, { status = 200, headers = {}, json, text }: Answer): void {
  const type = json === undefined ? {} : { 'content-type': 'application/json' };
  response.writeHead(status, { ...type, ...headers });
  response.end(json === undefined ? text : JSON.stringify(json));
}

async function receive(incoming: IncomingMessage): Promise<Received> {
  const parts: Buffer[] = [];
  for await (const part of incoming as AsyncIterable<Buffer>) {
    parts.push(part);
  }
  const raw = Buffer.concat(parts);
  const body = incoming.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
  const url = new URL(incoming.url ?? '/', 'http://fake');
  return {
    method: incoming.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    headers: Object.fromEntries(
      Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
    ),
    body,
    params: {},
    json: <T>() => JSON.parse(body.toString('utf8')) as T,
  };
}

function paramsOf(route: string, { method, path }: Received): Readonly<Record<string, string>> | undefined {
  const [wanted, pattern = ''] = route.split(' ');
  const names = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*$/, '(?<rest>.*)');
  const match = new RegExp(`^${names.replaceAll(/:(\w+)/g, '(?<$1>[^/]+)')}$`).exec(path);
  if (method !== wanted || match === null) {
    return undefined;
  }
  return Object.fromEntries(
    Object.entries(match.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)]),
  );
}
