import type { z } from 'zod';
import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import type { HttpAnswer, HttpRequest } from '../../engine/contracts/http.ts';
import { readOr } from '../shared/json.ts';
import type { Login } from './config.ts';
import { failureOf } from './errors.ts';

/**
 * Of all parts of the interface. HubSpot supports a version for 18 months. From 2026-09 on it holds what is written to the
 * account's own rules for records, which is another promise to those who connect.
 */
export const api = { version: '2026-03', endsOn: '2027-09-30' };

export interface Asked extends Pick<HttpRequest, 'method' | 'query' | 'json' | 'repeatable'> {
  /** `crm/objects` and what follows the version: `contacts/batch/read`. */
  readonly of: string;
  readonly path?: string;
  /** Values of rows that are in it, any of which may be why it is refused. */
  readonly rows?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** The way to one account. Throws what `failureOf` says of an answer that is not 2xx. */
export interface Client {
  ask<T extends z.ZodType>(request: Asked, shape: T): Promise<z.output<T>>;
  /** The answer itself, of what may answer with nothing, or whose refusals are to be looked at. */
  send(request: Asked): Promise<HttpAnswer>;
}

/** Where a batch of 100 goes through the rules of the account, it takes a while. */
const timeoutMs = 60_000;

export function openClient(login: Login, { http }: ConnectorContext): Client {
  const send = ({ of, path, rows: _rows, signal, ...request }: Asked): Promise<HttpAnswer> =>
    http.send({
      ...request,
      url: [login.base, of, api.version, ...(path === undefined ? [] : [path])].join('/'),
      headers: { authorization: login.authorization },
      timeoutMs,
      ...(signal === undefined ? {} : { signal }),
    });
  return {
    send,
    ask: async (request, shape) => {
      const answer = await send(request);
      if (!answer.ok) {
        throw failureOf(answer, request.rows);
      }
      return read(shape, answer.json());
    },
  };
}

/** What a 2xx says. */
export const read = readOr('HubSpot answered with something else than it is known to.');
