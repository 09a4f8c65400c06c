import type { z } from 'zod';
import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import { type Http, type HttpAnswer, withToken } from '../../engine/contracts/http.ts';
import { readOr } from '../shared/json.ts';
import { grantedToken } from '../shared/oauth.ts';
import type { Login } from './config.ts';
import { faultIn, isOfSignIn, refusalOf } from './errors.ts';

/** Of the Bing Ads API; its SOAP side ends on 2027-01-31, this is the REST side. */
export const version = 'v13';

/** The way to the campaign management service of one account. */
export interface Api {
  readonly login: Login;
  /** Posts to a path below the version. All that is posted may be posted twice. Throws {@link refusalOf}. */
  ask<T extends z.ZodType>(path: string, json: object, shape: T, signal?: AbortSignal): Promise<z.output<T>>;
}

const read = readOr('Microsoft answered with something else than it is known to.');

export function openApi(login: Login, { http: plain }: ConnectorContext): Api {
  // What is inside tells whether a new token helps: any status comes with a token that has run out, and 401 with others.
  const told: Http = {
    send: async (request) => {
      const answer = await plain.send(request);
      const fault = faultIn(answer.text);
      if (isOfSignIn(fault)) {
        return { ...answer, status: 401, ok: false };
      }
      return fault !== undefined && answer.status === 401 ? { ...answer, status: 403 } : answer;
    },
  };
  const http = withToken(told, () => grantedToken(plain, login.grant));
  const send = async (path: string, json: object, signal?: AbortSignal): Promise<HttpAnswer> =>
    http.send({
      method: 'POST',
      url: `${login.base}/CampaignManagement/${version}/${path}`,
      headers: login.headers,
      json,
      repeatable: true,
      timeoutMs: 120_000,
      ...(signal === undefined ? {} : { signal }),
    });
  return {
    login,
    ask: async (path, json, shape, signal) => {
      const answer = await send(path, json, signal);
      const fault = faultIn(answer.text);
      if (!answer.ok || fault !== undefined) {
        throw refusalOf(answer, fault, json);
      }
      return read(shape, answer.json());
    },
  };
}
