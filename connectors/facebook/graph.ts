import { createHmac } from 'node:crypto';
import { z } from 'zod';
import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import type { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer, type HttpRequest, theirWords } from '../../engine/contracts/http.ts';
import { jsonAs, readOr } from '../shared/json.ts';
import { errorFor, type Meaning } from '../shared/meanings.ts';
import type { Login } from './config.ts';

/** Of the Graph API and the Marketing API. */
export const version = 'v26.0';

export interface GraphRequest extends Pick<HttpRequest, 'method' | 'query' | 'json' | 'repeatable'> {
  /** Below the version, without a slash before it. */
  readonly path: string;
  readonly signal?: AbortSignal;
}

/** What Facebook answered: JSON, or an error by its own numbers and what that means here. */
export type Reply =
  | { readonly body: unknown }
  | { readonly code: number; readonly subcode: number | undefined; readonly error: ActivateError };

/** The way to the Graph API. */
export interface Graph {
  readonly login: Login;
  /** Throws only what is no error in Facebook's own form: no answer, a page of a proxy. */
  ask(request: GraphRequest): Promise<Reply>;
}

export function openGraph(login: Login, { http }: ConnectorContext): Graph {
  const proof =
    login.appSecret === undefined
      ? {}
      : { appsecret_proof: createHmac('sha256', login.appSecret).update(login.token).digest('hex') };
  return {
    login,
    ask: async ({ path, query, ...request }) => {
      const answer = await http.send({
        ...request,
        url: `${login.base}/${version}/${path}`,
        query: { ...query, ...proof },
        headers: { authorization: `Bearer ${login.token}` },
        // 10,000 people take their time.
        timeoutMs: 120_000,
      });
      // Looked for first: some errors come with status 200.
      const refusal = jsonAs(answer.text, refusalShape)?.error;
      if (refusal !== undefined) {
        const { code, error_subcode: subcode } = refusal;
        return { code, subcode, error: refusalOf(refusal, answer, request.json) };
      }
      if (!answer.ok) {
        throw errorOf(answer, 'Facebook');
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
export const read = readOr('Facebook answered with something else than it is known to.');

const refusalShape = z.object({
  error: z.object({
    code: z.number(),
    error_subcode: z.number().optional(),
    message: z.string().optional(),
    error_user_msg: z.string().optional(),
    is_transient: z.boolean().optional(),
    fbtrace_id: z.string().optional(),
  }),
});
type Refusal = z.output<typeof refusalShape>['error'];

function refusalOf(refusal: Refusal, answer: HttpAnswer, sent: unknown): ActivateError {
  const { code: number, error_subcode: subcode, fbtrace_id: trace = '' } = refusal;
  return errorFor(
    meaningOf(refusal),
    [`error ${number}`, subcode, /^[\w-]+$/.test(trace) && `trace ${trace}`],
    theirWords(refusal.error_user_msg ?? refusal.message ?? '', sent),
    answer.retryAfterMs ?? regainMs(answer),
  );
}

/** Too many calls: of the app, the user, the account or the page, or for one kind of business (80003: audiences). */
const tooMany = [4, 17, 32, 613];
const tooManyOfAKind = { from: 80_000, to: 80_014 } as const;
/** Unknown trouble, a service that is down. */
const passing = [1, 2];
/** A list that is being changed otherwise. */
const busy = [1_870_145, 1_870_148];
const termsOpen = [1_870_034, 1_870_090, 1_870_092];
const uploadBlocked = 1_713_230;

/** Subcodes come first: the same number may stand for what passes and for what does not. */
function meaningOf({ code, error_subcode: subcode = 0, is_transient: transient = false }: Refusal): Meaning {
  if (termsOpen.includes(subcode)) {
    return {
      code: 'PERMISSION_DENIED',
      message: 'The terms for custom audiences have not been accepted for this ad account',
      fix: 'Let somebody of the business accept them at https://business.facebook.com/ads/manage/customaudiences/tos/.',
    };
  }
  if (subcode === uploadBlocked) {
    return {
      code: 'PERMISSION_DENIED',
      message: 'Facebook has blocked uploads to this list, for what its name or its people hint at',
      fix: 'Look at the list in Ads Manager: health and money are what its name must not tell of.',
    };
  }
  if (tooMany.includes(code) || (code >= tooManyOfAKind.from && code <= tooManyOfAKind.to)) {
    return { code: 'RATE_LIMITED', message: 'Facebook asks for a pause' };
  }
  if (busy.includes(subcode) || passing.includes(code) || transient) {
    return { code: 'UNAVAILABLE', message: 'Facebook can not do this just now' };
  }
  return lasting(code, subcode);
}

function lasting(code: number, subcode: number): Meaning {
  switch (code) {
    case 102:
    case 190:
      return {
        code: 'AUTH_REJECTED',
        message: 'Facebook does not accept the access token',
        fix: 'Make a new token for the system user and connect again: /activate connect.',
      };
    case 100:
      return subcode === 33
        ? {
            code: 'NOT_FOUND',
            message: 'Facebook does not know this list or ad account, or does not show it to this token',
            fix: 'Make the system user Admin on the ad account that owns the list.',
          }
        : { code: 'INPUT_INVALID', message: 'Facebook does not take this request' };
    case 10:
    case 200:
    case 294:
    case 2654:
      return {
        code: 'PERMISSION_DENIED',
        message: 'Facebook does not allow this',
        fix: 'Give the token ads_management and ads_read, and the system user Admin on the ad account.',
      };
    case 368:
      return {
        code: 'PERMISSION_DENIED',
        message: 'Facebook has blocked this for a breach of its policies',
        fix: 'Look at Account Quality in Meta Business Suite, and try again when the block is lifted.',
      };
    case 2635:
      return {
        code: 'CONFIG_INVALID',
        message: `Facebook has ended version ${version} of its interface`,
        fix: 'Update Activate.',
      };
    default:
      return { code: 'INPUT_INVALID', message: 'Facebook does not take this request' };
  }
}

const usageShape = z.record(
  z.string(),
  z.array(z.object({ estimated_time_to_regain_access: z.number().default(0) })),
);

/** The longest wait in `X-Business-Use-Case-Usage`, which counts it in minutes. Facebook sends no `Retry-After`. */
function regainMs({ headers }: HttpAnswer): number | undefined {
  const usage = jsonAs(headers['x-business-use-case-usage'] ?? '', usageShape) ?? {};
  const minutes = Object.values(usage).flatMap((uses) =>
    uses.map((use) => use.estimated_time_to_regain_access),
  );
  const longest = Math.max(0, ...minutes);
  return longest === 0 ? undefined : longest * 60_000;
}
