import { z } from 'zod';
import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import type { HttpRequest } from '../../engine/contracts/http.ts';
import { keptForAMinute } from '../shared/kept.ts';
import { hasCode } from '../shared/thrown.ts';
import { type Flavor, invalid, type Settings } from './config.ts';
import { read, refusalOf } from './errors.ts';

/** The way to one Jira. Paths are those below `/rest/api/3` (Cloud) or `/rest/api/2`; answers are the JSON of a 2xx. */
export interface Jira {
  readonly flavor: Flavor;
  get(path: string, query: HttpRequest['query'], signal: AbortSignal): Promise<unknown>;
  /** Looks for something with a body, and changes nothing. */
  query(path: string, json: unknown, signal: AbortSignal): Promise<unknown>;
  post(path: string, json: unknown, signal: AbortSignal): Promise<unknown>;
  put(path: string, json: unknown, signal: AbortSignal): Promise<unknown>;
  /** Where issues are seen in the browser, as `https://host/browse/`. */
  browse(signal: AbortSignal): Promise<string>;
  /** What Jira says of itself. CONFIG_INVALID when there is none at this address. */
  server(signal: AbortSignal): Promise<Server>;
}

export const versions = { cloud: '3', dc: '2' } as const;

const server = z.object({ baseUrl: z.string(), deploymentType: z.string().default('Server') });
type Server = z.output<typeof server>;

export function openJira(settings: Settings, context: ConnectorContext): Jira {
  const { flavor, baseUrl, authorization } = settings;
  const send = async (
    request: Pick<HttpRequest, 'method' | 'query' | 'json' | 'repeatable'>,
    path: string,
    signal: AbortSignal,
    version: string = versions[flavor],
  ): Promise<unknown> => {
    const answer = await context.http.send({
      ...request,
      url: `${baseUrl}/rest/api/${version}${path}`,
      headers: { authorization, 'user-agent': context.applicationName },
      signal,
    });
    const refusal = refusalOf(answer, request.json, context.now());
    if (refusal !== undefined) {
      throw refusal;
    }
    return answer.text === '' ? undefined : answer.json();
  };
  const serverOf = async (signal: AbortSignal): Promise<Server> => {
    try {
      // Both kinds know this version.
      return read(server, await send({ method: 'GET' }, '/serverInfo', signal, '2'));
    } catch (error) {
      throw hasCode(error, 'NOT_FOUND')
        ? invalid(
            'baseUrl',
            'There is no Jira at this address.',
            'Give the address at which you open Jira, with its path if it has one.',
          )
        : error;
    }
  };
  const site = keptForAMinute(context.now, async (_name, signal) => (await serverOf(signal)).baseUrl);
  return {
    flavor,
    get: (path, query = {}, signal) => send({ method: 'GET', query }, path, signal),
    query: (path, json, signal) => send({ method: 'POST', json, repeatable: true }, path, signal),
    post: (path, json, signal) => send({ method: 'POST', json }, path, signal),
    // What is put twice stands there once.
    put: (path, json, signal) => send({ method: 'PUT', json, repeatable: true }, path, signal),
    browse: async (signal) => {
      // Tokens with scopes go by an address that no browser knows.
      const gateway = new URL(baseUrl).hostname === 'api.atlassian.com';
      return `${gateway ? await site.kept('site', signal) : baseUrl}/browse/`;
    },
    server: serverOf,
  };
}
