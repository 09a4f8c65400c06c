import { z } from 'zod';
import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import type { HttpAnswer, HttpRequest } from '../../engine/contracts/http.ts';
import { readOr } from '../shared/json.ts';
import type { Login, Who } from './config.ts';
import { errorIn } from './results.ts';

export const api = { version: 'REST, not versioned' };

export interface Asked extends Pick<HttpRequest, 'method' | 'json' | 'repeatable'> {
  /** Below `api`, without a slash before it. */
  readonly path: string;
  /** It holds people, any of whom may be why it is refused. */
  readonly people?: true;
  readonly signal?: AbortSignal;
}

/** The way to one project. */
export interface Client {
  readonly login: Login;
  /** Throws what {@link errorIn} says of an answer that is not 2xx. */
  ask<T extends z.ZodType>(request: Asked, shape: T): Promise<z.output<T>>;
  /** The fields of users, with their types. */
  fields(signal?: AbortSignal): Promise<ReadonlyMap<string, string>>;
  /** The same as they were last looked at. */
  knownFields(signal: AbortSignal): Promise<ReadonlyMap<string, string>>;
  /** Deletes a user; one whom nobody knows is no error. */
  erase(who: Who, signal: AbortSignal): Promise<void>;
}

const read = readOr('Iterable answers in a shape that is not documented.');

export function openClient(login: Login, { http }: ConnectorContext): Client {
  const send = ({ path, people: _people, ...request }: Asked): Promise<HttpAnswer> =>
    http.send({
      ...request,
      url: `${login.base}/api/${path}`,
      // Never in the query: such calls are held to lower limits.
      headers: { 'api-key': login.apiKey },
      timeoutMs: 60_000,
    });
  const ask: Client['ask'] = async (request, shape) => {
    const answer = await send(request);
    if (!answer.ok) {
      throw errorIn(answer, request.people === true ? request.json : undefined);
    }
    return read(shape, answer.json());
  };
  let kept: ReadonlyMap<string, string> | undefined;
  const fields: Client['fields'] = async (signal) => {
    const request = {
      method: 'GET',
      path: 'users/getFields',
      ...(signal === undefined ? {} : { signal }),
    } as const;
    const found = await ask(request, z.object({ fields: z.record(z.string(), z.unknown()) }));
    // What is nested stands under the name of the whole, with dots, or within it.
    kept = new Map(
      Object.entries(found.fields)
        .filter(([name]) => !name.includes('.'))
        .map(([name, type]) => [name, typeof type === 'string' ? type : 'object']),
    );
    return kept;
  };
  return {
    login,
    ask,
    fields,
    knownFields: async (signal) => kept ?? fields(signal),
    erase: async ({ email, userId = '' }, signal) => {
      const path =
        email === undefined
          ? `users/byUserId/${encodeURIComponent(userId)}`
          : `users/${encodeURIComponent(email)}`;
      const answer = await send({ method: 'DELETE', path, repeatable: true, signal });
      if (!answer.ok && answer.status !== 404) {
        throw errorIn(answer, [email, userId]);
      }
      if (answer.ok) {
        answer.json();
      }
    },
  };
}
