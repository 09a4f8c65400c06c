import { z } from 'zod';
import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import type { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer, type HttpRequest, theirWords } from '../../engine/contracts/http.ts';
import { jsonAs, readOr } from '../shared/json.ts';
import { errorFor, type Meaning } from '../shared/meanings.ts';
import type { Login } from './config.ts';

/** Of the API for Business. */
export const version = 'v1.3';

export interface Asked extends Pick<HttpRequest, 'method' | 'query' | 'json' | 'repeatable'> {
  /** Below the version, without a slash before it and with one at its end. */
  readonly path: string;
  readonly signal?: AbortSignal;
}

/** The way to one advertiser. */
export interface Client {
  readonly login: Login;
  /** What stands under `data`. Throws what the number of an answer says, whatever its status. */
  ask<T extends z.ZodType>(request: Asked, shape: T): Promise<z.output<T>>;
}

export function openClient(login: Login, { http }: ConnectorContext): Client {
  return {
    login,
    ask: async ({ path, ...request }, shape) => {
      const answer = await http.send({
        ...request,
        url: `${login.base}/open_api/${version}/${path}`,
        headers: { 'access-token': login.token },
        timeoutMs: 60_000,
      });
      // Looked for first: refusals come with status 200.
      const refusal = jsonAs(answer.text, refusalShape);
      if (refusal !== undefined) {
        throw errorIn(refusal, answer, [request.json, login.token]);
      }
      if (!answer.ok) {
        throw errorOf(answer, 'TikTok');
      }
      return read(shape, read(taken, answer.json()).data);
    },
  };
}

const read = readOr('TikTok answered with something else than it is known to.');

/** The one number that says that something was done. */
const taken = z.object({ code: z.literal(0), data: z.unknown() });

// Errors -------------------------------------------------------------------------------------------------------------

const refusalShape = z.object({
  code: z.number().refine((code) => code !== 0),
  message: z.string().default(''),
  request_id: z.string().default(''),
});
type Refusal = z.output<typeof refusalShape>;

function errorIn(refusal: Refusal, { retryAfterMs }: HttpAnswer, sent: unknown): ActivateError {
  const { code: number, message: words, request_id: id } = refusal;
  return errorFor(
    meaningOf(number),
    // The one thing that TikTok's support asks for.
    [`error ${number}`, /^[\w-]+$/.test(id) && `request ${id}`],
    theirWords(words, sent),
    retryAfterMs,
  );
}

/** Too frequent, twice, and too many in a business line. */
const tooMany = [40_100, 40_132, 61_000];
/** Somebody else writes, or TikTok is down for repairs. Its own troubles are all from 50000 to 59999. */
const passing = [40_202, 60_001];
const isTheirs = (number: number): boolean => number >= 50_000 && number < 60_000;

/** The numbers have names in TikTok's own client; what most of them mean is written nowhere in public. */
function meaningOf(number: number): Meaning {
  if (tooMany.includes(number)) {
    return { code: 'RATE_LIMITED', message: 'TikTok asks for a pause' };
  }
  if (passing.includes(number) || isTheirs(number)) {
    return { code: 'UNAVAILABLE', message: 'TikTok can not do this just now' };
  }
  return lasting(number);
}

function lasting(number: number): Meaning {
  switch (number) {
    // Done in part, too many at once, something that is no hash: it never says for whom.
    case 20_001:
    case 40_061:
    case 40_062:
      return { code: 'ROW_REJECTED', message: 'TikTok does not take all of these people' };
    case 40_102:
    case 40_103:
    case 40_104:
    case 40_105:
    case 40_106:
    case 40_107:
      return {
        code: 'AUTH_REJECTED',
        message: 'TikTok does not accept the access token',
        fix: 'Let the advertiser authorize your app again, and connect with the new token: /activate connect.',
      };
    case 40_117:
    case 40_118:
      return {
        code: 'PERMISSION_DENIED',
        message: 'TikTok has not opened this part of its interface to your app',
        fix: 'Ask your contact at TikTok to allow your app the streaming of audiences (segment).',
      };
    case 40_001:
    case 40_003:
    case 40_113:
    case 40_125:
    case 40_130:
    case 40_301:
    case 41_000:
      return {
        code: 'PERMISSION_DENIED',
        message: 'TikTok does not allow this',
        fix: 'Give the app the scope Audience Management, and let somebody who manages this advertiser authorize it again.',
      };
    case 40_007:
    case 40_300:
    case 40_302:
      return {
        code: 'NOT_FOUND',
        message: 'TikTok does not know this list or advertiser',
        fix: 'Look into the Audience Manager whether the list is still there, and choose another for the sync if not.',
      };
    case 40_006:
    case 40_051:
    case 41_001:
      return {
        code: 'CONFIG_INVALID',
        message: `TikTok has ended version ${version} of its interface`,
        fix: 'Update Activate.',
      };
    default:
      return { code: 'INPUT_INVALID', message: 'TikTok does not take this request' };
  }
}
