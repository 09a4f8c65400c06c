import { z } from 'zod';
import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import { type Http, type HttpRequest, withToken } from '../../engine/contracts/http.ts';
import { grantedToken } from '../shared/oauth.ts';
import type { Settings } from './config.ts';
import { read, refusalOf, signInRefusal } from './errors.ts';

/** The way to one Zendesk. Paths are those below `/api/v2`; answers are the JSON of a 2xx. */
export interface Zendesk {
  get(path: string, query: HttpRequest['query'], signal: AbortSignal): Promise<unknown>;
  /** The items under this name of all pages. */
  pages(path: string, name: string, query: HttpRequest['query'], signal: AbortSignal): AsyncIterable<unknown>;
  /** Makes a ticket, once for each key however often it is asked for in two hours. */
  create(ticket: object, key: string, signal: AbortSignal): Promise<unknown>;
  /** Changes a ticket. `repeatable` where doing it twice does no harm: a comment would stand there twice. */
  change(id: string, ticket: object, repeatable: boolean, signal: AbortSignal): Promise<void>;
}

export const version = 'v2';

const page = z.object({
  meta: z
    .object({ has_more: z.boolean().default(false), after_cursor: z.string().nullish() })
    .default({ has_more: false }),
});

export function openZendesk(settings: Settings, context: ConnectorContext): Zendesk {
  const http = signedIn(settings, context);
  const send = async (
    path: string,
    request: Omit<HttpRequest, 'url' | 'signal'>,
    signal: AbortSignal,
  ): Promise<unknown> => {
    const answer = await http.send({
      ...request,
      url: `${settings.baseUrl}/api/${version}${path}`,
      headers: { ...request.headers, 'user-agent': context.applicationName },
      signal,
    });
    if (!answer.ok) {
      throw refusalOf(answer, request.json);
    }
    return answer.json();
  };
  return {
    get: (path, query, signal) =>
      send(path, { method: 'GET', ...(query === undefined ? {} : { query }) }, signal),
    pages: async function* (path, name, query, signal) {
      let after: string | undefined;
      do {
        const cursor = { ...query, 'page[size]': 100, 'page[after]': after };
        const answer = await send(path, { method: 'GET', query: cursor }, signal);
        const items = read(z.object({ [name]: z.array(z.unknown()) }), answer);
        yield* items[name] ?? [];
        const { has_more, after_cursor } = read(page, answer).meta;
        after = has_more ? (after_cursor ?? undefined) : undefined;
      } while (after !== undefined);
    },
    create: (ticket, key, signal) =>
      send(
        '/tickets',
        { method: 'POST', json: { ticket }, headers: { 'idempotency-key': key }, repeatable: true },
        signal,
      ),
    change: async (id, ticket, repeatable, signal) => {
      await send(
        `/tickets/${encodeURIComponent(id)}`,
        { method: 'PUT', json: { ticket }, repeatable },
        signal,
      );
    },
  };
}

function signedIn({ login, baseUrl }: Settings, { http }: ConnectorContext): Http {
  switch (login.type) {
    case 'token':
      return {
        send: ({ headers, ...request }) =>
          http.send({ ...request, headers: { ...headers, authorization: login.authorization } }),
      };
    case 'client':
      return withToken(http, () =>
        grantedToken(http, {
          vendor: 'Zendesk',
          url: `${baseUrl}/oauth/tokens`,
          form: {
            grant_type: 'client_credentials',
            client_id: login.clientId,
            client_secret: login.clientSecret,
            scope: 'read write',
          },
          asJson: true,
          refused: signInRefusal,
        }),
      );
    default:
      return login satisfies never;
  }
}
