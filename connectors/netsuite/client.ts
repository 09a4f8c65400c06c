import type { z } from 'zod';
import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import { type HttpAnswer, type HttpRequest, withToken } from '../../engine/contracts/http.ts';
import { readOr } from '../shared/json.ts';
import { grantedToken } from '../shared/oauth.ts';
import type { Login } from './config.ts';
import { failureOf } from './errors.ts';

/** Of all services of SuiteTalk REST; NetSuite changes what they do with each release, and names no end. */
export const api = { version: 'v1' };

export interface Asked extends Omit<HttpRequest, 'url' | 'signal'> {
  /** What follows `/services/rest`: `/record/v1/customer`. */
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
}

/** The way to one account. */
export interface Client {
  readonly login: Login;
  /** The answer itself, whatever its status. */
  send(request: Asked): Promise<HttpAnswer>;
  /** What a 2xx says. Throws what {@link failureOf} says of any other. */
  ask<T extends z.ZodType>(request: Asked, shape: T): Promise<z.output<T>>;
}

/** Scripts and workflows of the account run within the request; NetSuite cuts it after 15 minutes. */
const timeoutMs = 300_000;

/** A token lasts an hour, and there is no refreshing it: a 401 gets another one. */
export function openClient(login: Login, { http, now }: ConnectorContext): Client {
  const signedIn = withToken(http, () => grantedToken(http, login.grant(now())));
  const send = ({ path, signal, ...request }: Asked): Promise<HttpAnswer> =>
    signedIn.send({
      timeoutMs,
      ...request,
      url: `${login.base}/services/rest${path}`,
      ...(signal === undefined ? {} : { signal }),
    });
  return {
    login,
    send,
    ask: async (request, shape) => {
      const answer = await send(request);
      if (!answer.ok) {
        throw failureOf(answer, request.json);
      }
      return read(shape, answer.json());
    },
  };
}

/** What a 2xx says. */
export const read = readOr('NetSuite answered with something else than it documents.');
