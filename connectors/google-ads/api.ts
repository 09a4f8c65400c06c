import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import type { ActivateError } from '../../engine/contracts/errors.ts';
import { type Http, type HttpRequest, withToken } from '../../engine/contracts/http.ts';
import { readOr } from '../shared/json.ts';
import { grantedToken } from '../shared/oauth.ts';
import type { Login } from './config.ts';
import { errorOf, type Refusal, refusalIn } from './errors.ts';

/** Of the Data Manager API. */
export const version = 'v1';

export interface Asked extends Pick<HttpRequest, 'method' | 'query' | 'json'> {
  /** Below the version, without a slash before it. */
  readonly path: string;
  readonly signal?: AbortSignal;
}

/** What Google answered: JSON, or why it does not do it. */
export type Reply = { readonly body: unknown } | { readonly refusal: Refusal; readonly error: ActivateError };

/** The way to the Data Manager API. */
export interface Api {
  readonly login: Login;
  /** Throws only where there is no answer. All that is asked for may be asked for twice. */
  ask(request: Asked): Promise<Reply>;
}

export function openApi(login: Login, { http: plain, now }: ConnectorContext): Api {
  const http: Http = withToken(plain, () => grantedToken(plain, login.grant(now())));
  const { manager } = login;
  return {
    login,
    ask: async ({ path, ...request }) => {
      const answer = await http.send({
        ...request,
        url: `${login.base}/${version}/${path}`,
        // Read where a list is asked for; uploads say it in their body.
        headers:
          manager === undefined ? {} : { 'login-account': `accountTypes/GOOGLE_ADS/accounts/${manager}` },
        repeatable: true,
        // 10,000 people take their time.
        timeoutMs: 120_000,
      });
      if (!answer.ok) {
        const refusal = refusalIn(answer.text);
        return { refusal, error: errorOf(answer, refusal, request.json) };
      }
      return { body: answer.json() };
    },
  };
}

/** The JSON of an answer; throws its error when it is one. */
export function bodyOf(reply: Reply): unknown {
  if ('error' in reply) {
    throw reply.error;
  }
  return reply.body;
}

/** Reads what is needed of a body. OUTCOME_UNKNOWN when it is not there. */
export const read = readOr('Google answered with something else than it is known to.');
