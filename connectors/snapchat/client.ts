import { z } from 'zod';
import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import {
  errorOf,
  type HttpAnswer,
  type HttpRequest,
  saying,
  theirWords,
  withToken,
} from '../../engine/contracts/http.ts';
import { parsedUrl } from '../../engine/contracts/url.ts';
import { jsonAs, readOr } from '../shared/json.ts';
import { grantedToken } from '../shared/oauth.ts';
import type { Login } from './config.ts';

/** Of the Ads API. There has been no other. */
export const version = 'v1';

/** What answers hold, each in an envelope of the second name. */
const envelopes = { adaccounts: 'adaccount', segments: 'segment', users: 'user' } as const;

export interface Asked extends Pick<HttpRequest, 'method' | 'query' | 'json' | 'repeatable'> {
  /** Below the version, without a slash before it. */
  readonly path: string;
  readonly of: keyof typeof envelopes;
  readonly signal?: AbortSignal;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Of the page that follows. */
  readonly cursor: string | undefined;
}

/** The way to one ad account. */
export interface Client {
  readonly login: Login;
  /** Throws when the whole of a request was refused, or one thing in it. */
  ask<T extends z.ZodType>(request: Asked, shape: T): Promise<Page<z.output<T>>>;
}

export function openClient(login: Login, context: ConnectorContext): Client {
  let token = '';
  const http = withToken(context.http, async () => {
    token = await fetchToken(login, context);
    return token;
  });
  return {
    login,
    ask: async ({ path, of, ...request }, shape) => {
      const answer = await http.send({
        ...request,
        url: `${login.base}/${version}/${path}`,
        // Tens of thousands of people take their time.
        timeoutMs: 120_000,
      });
      // Some refusals come with status 200, and their words may quote what was sent.
      const refusal = refusalIn(answer.text, of);
      if (refusal !== undefined || !answer.ok) {
        throw errorIn(answer, refusal, [request.json, token]);
      }
      return pageIn(answer.json(), of, shape);
    },
  };
}

/** Snapchat's tokens last an hour at most, and a 401 gets the next. */
function fetchToken(login: Login, { http }: ConnectorContext): Promise<string> {
  return grantedToken(http, {
    vendor: 'Snapchat',
    url: `${login.accounts}/login/oauth2/access_token`,
    form: {
      grant_type: 'refresh_token',
      client_id: login.clientId,
      client_secret: login.clientSecret,
      refresh_token: login.refreshToken,
    },
    renew: 'a refresh token with the scope snapchat-marketing-api',
  });
}

// Answers ------------------------------------------------------------------------------------------------------------

/** In capitals in some answers, in small letters in others. */
const success = z.string().regex(/^success$/i);
const headShape = z.looseObject({
  request_status: success,
  paging: z.object({ next_link: z.string().optional() }).optional(),
});
const partsShape = z.array(z.looseObject({ sub_request_status: success }));

const read = readOr('Snapchat answered with something else than it is known to.');

function pageIn<T extends z.ZodType>(body: unknown, of: Asked['of'], shape: T): Page<z.output<T>> {
  const head = headShape.safeParse(body).data;
  const parts = partsShape.safeParse(head?.[of]).data;
  const items = read(
    z.array(shape),
    parts?.map((one) => one[envelopes[of]]),
  );
  return { items, cursor: cursorOf(head?.paging?.next_link) };
}

/** The link itself is not followed: it leads to whatever host it names. */
function cursorOf(link: string | undefined): string | undefined {
  return link !== undefined && parsedUrl(link) !== undefined
    ? (new URL(link).searchParams.get('cursor') ?? undefined)
    : undefined;
}

// Errors -------------------------------------------------------------------------------------------------------------

interface Refusal {
  readonly code: string;
  readonly says: string;
}

const wholeShape = z.object({
  request_status: z.string().regex(/^error$/i),
  error_code: z.string().default(''),
  debug_message: z.string().default(''),
});
const partShape = z.object({
  sub_request_status: z.string().regex(/^(?!success$)/i),
  sub_request_error_reason: z.string().default(''),
});

/** Of the whole request, or of the first thing in it that was refused. */
function refusalIn(text: string, of: Asked['of']): Refusal | undefined {
  const whole = jsonAs(text, wholeShape);
  if (whole !== undefined) {
    return { code: whole.error_code, says: whole.debug_message };
  }
  const parts = jsonAs(text, z.object({ [of]: z.array(z.unknown()) }))?.[of] ?? [];
  const part = parts.map((one) => partShape.safeParse(one).data).find((one) => one !== undefined);
  return part === undefined ? undefined : { code: '', says: part.sub_request_error_reason };
}

function errorIn(answer: HttpAnswer, refusal: Refusal | undefined, sent: unknown): ActivateError {
  const says = theirWords(refusal?.says ?? '', sent);
  const words = saying(says);
  const code = /^E\d{1,6}$/.exec(refusal?.code ?? '')?.[0];
  if (code === 'E3002' || answer.status === 403) {
    return new ActivateError('PERMISSION_DENIED', `Snapchat does not allow this.${words}`, {
      fix: 'Give whoever the refresh token is from the role Data Manager on the ad account, or a higher one.',
    });
  }
  if (code === 'E3003' || answer.status === 404) {
    return new ActivateError('NOT_FOUND', `Snapchat does not know this list or ad account.${words}`, {
      fix: 'Look into Audiences in Ads Manager whether the list is still there, and choose another for the sync if not.',
    });
  }
  if (!answer.ok) {
    return errorOf(answer, 'Snapchat', says);
  }
  const name = code === undefined ? '' : ` (${code})`;
  return new ActivateError('INPUT_INVALID', `Snapchat does not take this request${name}.${words}`);
}
