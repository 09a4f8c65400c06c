import { PassThrough } from 'node:stream';
import type { Connection } from 'jsforce';
import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { type HttpRequest, withToken } from '../../engine/contracts/http.ts';
import { grantedToken } from '../shared/oauth.ts';
import type { Login } from './config.ts';
import { failureOf, quotaWaitMs, tokenFailureOf } from './errors.ts';

/** Salesforce keeps a version for three years at least. jsforce's own default is one from 2020. */
export const version = '66.0';

export type How = Pick<HttpRequest, 'signal' | 'repeatable' | 'timeoutMs'>;

/** A signed-in connection. */
export interface Session {
  readonly login: Login;
  /**
   * jsforce for one call or a few of a kind. Only its knowledge of paths and shapes is used: every request goes through
   * our own way to the web, so that hosts, proxy, time limits and the signal hold, it is repeated only where that does no
   * harm, and a 401 gets one new token, where jsforce would get new ones for ever.
   */
  api(how?: How): Connection;
  /** Throws RATE_LIMITED when the share of the org's daily calls that may be used is used up. */
  mayCall(signal: AbortSignal): Promise<void>;
}

interface Usage {
  readonly used: number;
  readonly limit: number;
}

export async function openSession(login: Login, context: ConnectorContext): Promise<Session> {
  const { Connection } = await import('jsforce');
  // Some loaders hand out the package's default export in its place, which has no such name.
  const { StreamPromise } = await import('jsforce/lib/util/promise.js');
  const http = withToken(context.http, () =>
    grantedToken(context.http, {
      vendor: 'Salesforce',
      // Not the `instance_url` of the answer is gone to afterwards, but where the person said: with My Domain it is the same.
      url: `${login.base}/services/oauth2/token`,
      form: login.grant(context.now()),
      refused: tokenFailureOf,
    }),
  );
  let usage: Usage | undefined;
  const exchange = async (request: JsforceRequest, how: How): Promise<JsforceResponse> => {
    const answer = await http.send(requestOf(request, how));
    usage = usageOf(answer.headers['sforce-limit-info']) ?? usage;
    if (!answer.ok) {
      throw failureOf(answer, request.body);
    }
    if (answer.text !== '' && answer.headers['content-type']?.startsWith('application/json') === true) {
      // jsforce takes what it can't read for a text, and hands that out as the result.
      answer.json();
    }
    return { statusCode: answer.status, headers: { ...answer.headers }, body: answer.text };
  };
  const api: Session['api'] = (how = {}) => {
    const connection = new Connection({ instanceUrl: login.base, version });
    connection._transport.httpRequest = (request) =>
      StreamPromise.create(() => ({
        stream: new PassThrough(),
        promise: exchange(request as JsforceRequest, how),
      }));
    return connection;
  };
  const isOver = (): boolean => usage !== undefined && usage.used >= usage.limit * login.apiShare;
  return {
    login,
    api,
    mayCall: async (signal) => {
      if (!isOver()) {
        return;
      }
      // What is known may be hours old, and the count falls by itself.
      await api({ signal }).request('/');
      if (isOver()) {
        throw new ActivateError(
          'RATE_LIMITED',
          `Salesforce has counted ${Math.round(login.apiShare * 100)}% or more of the API calls that the org has in 24 hours.`,
          {
            retryAfterMs: quotaWaitMs,
            fix: 'Wait until fewer were made in the last 24 hours, or raise the share in the settings of the connection.',
          },
        );
      }
    },
  };
}

interface JsforceRequest {
  readonly url: string;
  readonly method: HttpRequest['method'];
  readonly headers?: Readonly<Record<string, string>>;
  /** Strings only: nothing of jsforce that streams or posts forms is used. */
  readonly body?: string;
}

interface JsforceResponse {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
}

function requestOf({ url, method, headers = {}, body }: JsforceRequest, how: How): HttpRequest {
  const { 'content-length': _length, ...others } = headers;
  return {
    method,
    url,
    headers: others,
    ...(body === undefined ? {} : { body }),
    ...how,
    repeatable: how.repeatable ?? method === 'GET',
  };
}

/** `api-usage=18/5000`, on most answers; Salesforce brings it up to date late, so it is a good guess. */
function usageOf(header: string | undefined): Usage | undefined {
  const [, used, limit] = /api-usage=(\d+)\/(\d+)/.exec(header ?? '') ?? [];
  return used === undefined ? undefined : { used: Number(used), limit: Number(limit) };
}
