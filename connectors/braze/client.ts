import { z } from 'zod';
import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import type { Outcome, Value } from '../../engine/contracts/destination.ts';
import type { HttpAnswer, HttpRequest } from '../../engine/contracts/http.ts';
import { readOr } from '../shared/json.ts';
import type { Login } from './config.ts';
import { errorIn, outcomesOf, type Tracked } from './results.ts';

export const api = { version: 'REST, users/track' };

/** An attribute that users of the workspace have. */
export interface Attribute {
  readonly name: string;
  readonly dataType: string;
  readonly status: string;
  /** So many values of a list are kept. */
  readonly arrayLength: number | undefined;
}

/** The way to one workspace. */
export interface Client {
  readonly login: Login;
  attributes(signal?: AbortSignal): Promise<readonly Attribute[]>;
  /** What became of each. `ok` is queued: Braze does it some time later, and says no more. */
  track(
    all: readonly Tracked[],
    how: { readonly repeatable: boolean; readonly signal: AbortSignal },
  ): Promise<readonly Outcome[]>;
  /** Throws unless the key may track users; nothing is tracked. */
  mustTrack(): Promise<void>;
  /** Asks for users to be deleted; unknown ones are no error. At most 50. */
  erase(json: Readonly<Record<string, readonly Value[]>>, signal: AbortSignal): Promise<void>;
}

export function openClient(login: Login, { http, now }: ConnectorContext): Client {
  const send = (request: Omit<HttpRequest, 'url'> & { readonly path: string }): Promise<HttpAnswer> => {
    const { path, ...rest } = request;
    return http.send({
      ...rest,
      url: `${login.base}/${path}`,
      headers: { authorization: login.authorization },
    });
  };
  return {
    login,
    attributes: async (signal) => {
      const found: Attribute[] = [];
      const seen = new Set<string | undefined>();
      for (let cursor: string | undefined; !seen.has(cursor); ) {
        seen.add(cursor);
        const answer = await send({
          method: 'GET',
          path: 'custom_attributes',
          query: { cursor },
          ...(signal === undefined ? {} : { signal }),
        });
        found.push(...readAttributes(answer, now()));
        cursor = cursorIn(answer);
      }
      return found;
    },
    track: async (all, { repeatable, signal }) => {
      const lists = new Map<string, number[]>();
      for (const [at, { list }] of all.entries()) {
        lists.set(list, [...(lists.get(list) ?? []), at]);
      }
      const json = Object.fromEntries(
        [...lists].map(([list, places]) => [list, places.map((at) => all[at]?.sent)]),
      );
      const answer = await send({ method: 'POST', path: 'users/track', json, repeatable, signal });
      return outcomesOf(answer, all, (list, index) => lists.get(list)?.[index], now());
    },
    mustTrack: async () => {
      const answer = await send({
        method: 'POST',
        path: 'users/track',
        json: { attributes: [] },
        repeatable: true,
      });
      // There is nothing in it: that is refused once it is clear who asks.
      if (!answer.ok && answer.status !== 400) {
        throw errorIn(answer, undefined, now());
      }
    },
    erase: async (json, signal) => {
      const answer = await send({ method: 'POST', path: 'users/delete', json, repeatable: true, signal });
      if (!answer.ok) {
        throw errorIn(answer, json, now());
      }
      readErased(z.object({ deleted: z.number() }), answer.json());
    },
  };
}

const readErased = readOr('Braze does not say whom it deletes.');

const attributesShape = z.object({
  attributes: z.array(
    z.object({
      name: z.string(),
      data_type: z.string().nullish(),
      status: z.string().nullish(),
      array_length: z.number().nullish(),
    }),
  ),
});

const readListed = readOr('Braze lists its attributes in a shape that is not documented.');

function readAttributes(answer: HttpAnswer, now: Date): readonly Attribute[] {
  if (!answer.ok) {
    throw errorIn(answer, undefined, now);
  }
  const { attributes } = readListed(attributesShape, answer.json());
  return attributes.map(({ name, data_type: dataType, status, array_length: arrayLength }) => ({
    name,
    dataType: dataType ?? '',
    status: status ?? 'Active',
    arrayLength: arrayLength ?? undefined,
  }));
}

/** Where the next page begins. Only that is taken from the address: requests go nowhere else. */
function cursorIn({ headers }: HttpAnswer): string | undefined {
  const next = (headers['link'] ?? '').split(',').find((link) => /rel="?next"?/.test(link));
  const cursor = /[?&]cursor=([^&>]+)/.exec(next ?? '')?.[1];
  return cursor === undefined ? undefined : decodeURIComponent(cursor);
}
