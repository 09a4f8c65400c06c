import { z } from 'zod';
import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import {
  errorOf,
  type Http,
  type HttpAnswer,
  type HttpRequest,
  withToken,
} from '../../engine/contracts/http.ts';
import { readOr } from '../shared/json.ts';
import type { Login } from './config.ts';
import { failureOf } from './errors.ts';

export const api = { version: '2.0' };

export interface Asked extends Omit<HttpRequest, 'url' | 'signal'> {
  /** What follows `/models/<ours>`: `/lists`. */
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
  /** Values of rows that are in it, any of which may be why it is refused. */
  readonly rows?: unknown;
}

/** The way to one model. Throws what {@link failureOf} says of an answer that is not 2xx. */
export interface Client {
  send(request: Asked): Promise<HttpAnswer>;
  ask<T extends z.ZodType>(request: Asked, shape: T): Promise<z.output<T>>;
  /** What stands under this name on all pages. */
  all<T extends z.ZodType>(
    path: string,
    name: string,
    shape: T,
    signal?: AbortSignal,
  ): Promise<readonly z.output<T>[]>;
}

const pageShape = z.object({
  meta: z
    .object({ paging: z.object({ totalSize: z.number().catch(0) }).catch({ totalSize: 0 }) })
    .catch({ paging: { totalSize: 0 } }),
});

/**
 * A write answers when all that depends on it is calculated anew. A token lasts 35 minutes, and is used for all calls: a
 * fresh one for each can make others end.
 */
const timeoutMs = 600_000;

export function openClient(login: Login, context: ConnectorContext): Client {
  const http = withToken(
    context.http,
    () => tokenOf(context.http, login, context.now()),
    (token) => ({ authorization: `AnaplanAuthToken ${token}` }),
  );
  const home = `${login.base}/2/0/workspaces/${login.workspace}/models/${login.model}`;
  const send: Client['send'] = async ({ path, rows, signal, ...request }) => {
    const answer = await http.send({
      timeoutMs,
      ...request,
      url: `${home}${path}`,
      ...(signal === undefined ? {} : { signal }),
    });
    if (!answer.ok) {
      throw failureOf(answer, rows);
    }
    return answer;
  };
  return {
    send,
    ask: async (request, shape) => read(shape, (await send(request)).json()),
    all: async (path, name, shape, signal) => {
      const found: z.output<typeof shape>[] = [];
      for (;;) {
        const answer = await send({
          method: 'GET',
          path,
          query: { limit: 1000, offset: found.length },
          signal,
        });
        // What is empty is left out of the answer.
        const page = read(z.object({ [name]: z.array(shape).default([]) }), answer.json())[name] ?? [];
        found.push(...page);
        // Pages may be cut below what was asked for, without a word.
        if (page.length === 0 || found.length >= read(pageShape, answer.json()).meta.paging.totalSize) {
          return found;
        }
      }
    },
  };
}

const read = readOr('Anaplan answered with something else than it documents.');

const tokenShape = z.object({ tokenInfo: z.object({ tokenValue: z.string().min(1) }) });

async function tokenOf(http: Http, login: Login, now: Date): Promise<string> {
  const answer = await http.send({
    method: 'POST',
    url: login.signIn,
    ...login.credentials(now),
    repeatable: true,
  });
  if (answer.status === 400 || answer.status === 401 || answer.status === 403) {
    throw new ActivateError('AUTH_REJECTED', 'Anaplan does not take the sign-in.', {
      fix: 'Look at the user and the password or certificate in Anaplan, and connect again: /activate connect.',
    });
  }
  if (!answer.ok) {
    throw errorOf(answer, 'Anaplan');
  }
  return read(tokenShape, answer.json()).tokenInfo.tokenValue;
}
