import type { FakeHttp, Received, Reply } from './http.ts';

type Controls = Omit<FakeHttp, 'state' | 'url' | 'close'>;

/** The requests to a far side that is no HTTP server, and what is planned to go wrong with them. */
export interface Line extends Controls {
  standing(): Reply | undefined;
  /** Takes a request down; the reply that is planned for it. */
  replyTo(request: Received): Reply | undefined;
}

export function createLine(): Line {
  const requests: Received[] = [];
  const queue: (Reply | undefined)[] = [];
  let standing: Reply | undefined;
  let waiting: ((request: Received) => void)[] = [];
  return {
    requests,
    standing: () => standing,
    replyTo: (request) => {
      requests.push(request);
      const reply = queue.length > 0 ? queue.shift() : standing;
      for (const tell of waiting.splice(0)) {
        tell(request);
      }
      return reply;
    },
    next: (...replies) => void queue.push(...replies),
    always: (reply) => {
      standing = reply;
    },
    heal: () => {
      queue.length = 0;
      standing = undefined;
    },
    to: (name) => requests.filter(({ method }) => method === name),
    arrival: () =>
      new Promise((resolve) => {
        waiting = [...waiting, resolve];
      }),
    // All that is asked is answered.
    expectNoUnexpected: () => undefined,
  };
}

/** A request that was no HTTP. */
export function receivedOf(method: string, body: Buffer, path = '/'): Received {
  const json = (): never => {
    throw new Error('This far side has no JSON.');
  };
  return { method, path, query: new URLSearchParams(), headers: {}, body, params: {}, json };
}

/** The error of a server that is planned; one that is made for a request needs that. */
export function errorIn<E>(reply: Reply | undefined, request?: Received): E | undefined {
  if (reply === undefined || typeof reply === 'string') {
    return undefined;
  }
  if (typeof reply !== 'function') {
    return reply.json as E;
  }
  return request === undefined ? undefined : (reply(request).json as E);
}
