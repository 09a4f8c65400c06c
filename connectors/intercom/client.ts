import { z } from 'zod';
import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer, type HttpRequest, theirWords } from '../../engine/contracts/http.ts';
import { jsonAs, readOr } from '../shared/json.ts';
import type { Login } from './config.ts';

/** Sent with each call: without it the default of the workspace decides what answers look like. */
export const api = { version: '2.16' };

export interface Asked extends Pick<HttpRequest, 'method' | 'query' | 'json' | 'repeatable'> {
  /** Without a slash before it. */
  readonly path: string;
  /** Values of rows that are in it, any of which may be why it is refused. */
  readonly rows?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** The way to one workspace. */
export interface Client {
  readonly login: Login;
  /** Throws what {@link Client.failure} says of an answer that is not 2xx. */
  ask<T extends z.ZodType>(request: Asked, shape: T): Promise<z.output<T>>;
  /** The same, and undefined when there is no such thing. */
  find<T extends z.ZodType>(request: Asked, shape: T): Promise<z.output<T> | undefined>;
  send(request: Asked): Promise<HttpAnswer>;
  /** What an answer that is not 2xx means. */
  failure(answer: HttpAnswer, rows: unknown): ActivateError;
}

export function openClient(login: Login, { http, now }: ConnectorContext): Client {
  const send = ({ path, rows: _rows, signal, ...request }: Asked): Promise<HttpAnswer> =>
    http.send({
      ...request,
      url: `${login.base}/${path}`,
      headers: { authorization: login.authorization, 'intercom-version': api.version },
      ...(signal === undefined ? {} : { signal }),
    });
  const failure: Client['failure'] = (answer, rows) => failureOf(answer, rows, now());
  return {
    login,
    send,
    failure,
    ask: async (request, shape) => {
      const answer = await send(request);
      if (!answer.ok) {
        throw failure(answer, request.rows);
      }
      return read(shape, answer.json());
    },
    find: async (request, shape) => {
      const answer = await send(request);
      if (answer.status === 404) {
        return undefined;
      }
      if (!answer.ok) {
        throw failure(answer, request.rows);
      }
      return read(shape, answer.json());
    },
  };
}

/** What a 2xx says. */
export const read = readOr('Intercom answered with something else than it is known to.');

const refusals = z.object({
  errors: z.array(z.object({ code: z.string(), message: z.string().nullish(), field: z.string().nullish() })),
});

export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly field: string | undefined;
}

export function refusalIn({ text }: HttpAnswer): Refusal {
  const [first] = jsonAs(text, refusals)?.errors ?? [];
  return { code: first?.code ?? '', message: first?.message ?? '', field: first?.field ?? undefined };
}

function failureOf(answer: HttpAnswer, rows: unknown, now: Date): ActivateError {
  const { message } = refusalIn(answer);
  const says = theirWords(message, rows);
  switch (answer.status) {
    case 401:
      return new ActivateError('AUTH_REJECTED', 'Intercom does not accept the access token here.', {
        fix: 'See that the region is that of the workspace, or make a new token, and connect again: /activate connect.',
      });
    case 429:
      return errorOf(
        { ...answer, retryAfterMs: answer.retryAfterMs ?? waitIn(answer, now) },
        'Intercom',
        says,
      );
    case 400:
    case 409:
    case 413:
    case 422:
      return rows === undefined
        ? errorOf(answer, 'Intercom', says)
        : new ActivateError('ROW_REJECTED', `Intercom refuses this. It says: ${says}`);
    default:
      return errorOf(answer, 'Intercom', says);
  }
}

/** A window lasts ten seconds; the header says when the next one begins, in seconds since 1970. */
function waitIn({ headers }: HttpAnswer, now: Date): number | undefined {
  const reset = headers['x-ratelimit-reset'] ?? '';
  return /^\d+$/.test(reset) ? Math.max(0, Number(reset) * 1000 - now.getTime()) : undefined;
}
