import { z } from 'zod';
import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer, type HttpRequest, theirWords } from '../../engine/contracts/http.ts';
import { jsonAs, readOr } from '../shared/json.ts';
import type { Login } from './config.ts';

/** Of the Marketing API. */
export const version = '3.0';

export interface Asked extends Pick<HttpRequest, 'method' | 'query' | 'json' | 'repeatable'> {
  /** Below the version, without a slash before it. */
  readonly path: string;
  /** It holds people, any of whom may be why it is refused. */
  readonly people?: true;
  readonly signal?: AbortSignal;
}

/** The way to one account. */
export interface Endpoint {
  readonly login: Login;
  /** Throws what {@link errorIn} says of an answer that is not 2xx. */
  ask<T extends z.ZodType>(request: Asked, shape: T): Promise<z.output<T>>;
  /** The status alone, of what answers with nothing: 2xx, or 404. */
  tell(request: Asked): Promise<number>;
}

export function openEndpoint(login: Login, { http }: ConnectorContext): Endpoint {
  const send = ({ path, people: _people, ...request }: Asked): Promise<HttpAnswer> =>
    http.send({
      ...request,
      url: `${login.base}/${path}`,
      headers: { authorization: login.authorization },
      // Mailchimp itself gives up after as long.
      timeoutMs: 120_000,
    });
  return {
    login,
    ask: async (request, shape) => {
      const answer = await send(request);
      if (!answer.ok) {
        throw errorIn(answer, request);
      }
      return read(shape, answer.json());
    },
    tell: async (request) => {
      const answer = await send(request);
      if (!answer.ok && answer.status !== 404) {
        throw errorIn(answer, request);
      }
      return answer.status;
    },
  };
}

const read = readOr('Mailchimp answered with something else than it is known to.');

const problemShape = z.object({ title: z.string().default(''), detail: z.string().default('') });

/** 403 without a word is how Mailchimp throttles at the edge; with one it is about rights. */
function errorIn(answer: HttpAnswer, { json: sent, people }: Asked): ActivateError {
  const problem = jsonAs(answer.text, problemShape);
  if (answer.status === 403 && problem === undefined) {
    return new ActivateError('RATE_LIMITED', 'Mailchimp asks for a pause (status 403 without a reason).', {
      ...(answer.retryAfterMs === undefined ? {} : { retryAfterMs: answer.retryAfterMs }),
    });
  }
  const says = [problem?.title, problem?.detail]
    .filter((part) => part !== undefined && part !== '')
    .join(': ');
  if (answer.status === 400 && people === true) {
    return new ActivateError('ROW_REJECTED', `Mailchimp refuses this. It says: ${theirWords(says, sent)}`);
  }
  return errorOf(answer, 'Mailchimp', theirWords(says, sent));
}
