import { z } from 'zod';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { type HttpAnswer, errorOf as plainErrorOf, theirWords } from '../../engine/contracts/http.ts';
import { jsonAs } from '../shared/json.ts';
import { errorFor, type Meaning } from '../shared/meanings.ts';

/** An error of a Google interface, as much of it as is gone by. */
export interface Refusal {
  /** Reasons by Google's own names, the most telling first. */
  readonly reasons: readonly string[];
  readonly message: string;
  /** Fields that it names, by their path in the request. */
  readonly violations: readonly { readonly field: string; readonly says: string }[];
  /** Which limit was reached. */
  readonly quota: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** What Google's support asks for. */
  readonly requestId: string | undefined;
}

const shape = z.object({
  error: z.object({
    message: z.string().default(''),
    status: z.string().default(''),
    details: z
      .array(
        z.object({
          reason: z.string().optional(),
          metadata: z.record(z.string(), z.string()).optional(),
          fieldViolations: z
            .array(
              z.object({
                field: z.string().default(''),
                description: z.string().default(''),
                reason: z.string().default(''),
              }),
            )
            .optional(),
          retryDelay: z.string().optional(),
          requestId: z.string().optional(),
        }),
      )
      .default([]),
  }),
});

const nothing: Refusal = {
  reasons: [],
  message: '',
  violations: [],
  quota: undefined,
  retryAfterMs: undefined,
  requestId: undefined,
};

/** Nothing is in what a proxy answers with. */
export function refusalIn(text: string): Refusal {
  const parsed = jsonAs(text, shape);
  if (parsed === undefined) {
    return nothing;
  }
  const { message, status, details } = parsed.error;
  const violations = details.flatMap(({ fieldViolations = [] }) => fieldViolations);
  const named = [
    ...violations.map(({ reason }) => reason),
    ...details.map(({ reason = '' }) => reason),
    status,
  ];
  const delay = details.find(({ retryDelay }) => retryDelay !== undefined)?.retryDelay;
  return {
    reasons: [...new Set(named.filter((reason) => reason !== ''))],
    message,
    violations: violations.map(({ field, description, reason }) => ({ field, says: description || reason })),
    quota: details.find(({ metadata }) => metadata?.['quota_limit'] !== undefined)?.metadata?.['quota_limit'],
    retryAfterMs: secondsIn(delay),
    requestId: details.find(({ requestId }) => requestId !== undefined)?.requestId,
  };
}

/** As `30s` or `1.5s`; in milliseconds. */
function secondsIn(delay = ''): number | undefined {
  const seconds = /^(\d+(?:\.\d+)?)s$/.exec(delay)?.[1];
  return seconds === undefined ? undefined : Math.ceil(Number(seconds) * 1000);
}

/** What an error means that is told by its reason; any other goes by its status. */
export function errorOf(answer: HttpAnswer, refusal: Refusal, sent: unknown): ActivateError {
  const { reasons, message, violations, quota, requestId } = refusal;
  const words = theirWords([message, ...violations.slice(0, 3).map(({ says }) => says)].join(' '), sent);
  const retryAfterMs = refusal.retryAfterMs ?? answer.retryAfterMs;
  if (answer.status === 429) {
    return new ActivateError(
      'RATE_LIMITED',
      `Google asks for a pause${quota === undefined ? '' : `: the limit ${theirWords(quota)} is reached`}.`,
      retryAfterMs === undefined ? {} : { retryAfterMs },
    );
  }
  const meaning = reasons.map((reason) => meanings[reason]).find((found) => found !== undefined);
  if (meaning === undefined || answer.status >= 500) {
    return plainErrorOf({ ...answer, retryAfterMs }, 'Google', words);
  }
  return errorFor(meaning, [meaning.name, requestId && `request ${theirWords(requestId)}`], words);
}

const terms =
  'Open Tools, Audience manager, Customer lists in Google Ads, and accept what is asked for there.';
const another = 'Choose another list for the sync, one that the account itself owns.';
const rights =
  'Compare the account numbers, and make whoever signs in a user of the account or of its manager, with Standard access.';

const meanings: Readonly<Record<string, (Meaning & { readonly name: string }) | undefined>> =
  Object.fromEntries(
    Object.entries({
      SERVICE_DISABLED: {
        code: 'PERMISSION_DENIED',
        message: 'The Data Manager API is not enabled in the Google Cloud project',
        fix: 'Enable it in Google Cloud, APIs & Services, Library, and try again some minutes later.',
      },
      ACCESS_TOKEN_SCOPE_INSUFFICIENT: {
        code: 'AUTH_REJECTED',
        message: 'The sign-in is not for the Data Manager API; one for the Google Ads API does not do',
        fix: 'Make a refresh token with the scope https://www.googleapis.com/auth/datamanager and connect again: /activate connect.',
      },
      TERMS_AND_CONDITIONS_NOT_SIGNED: {
        code: 'PERMISSION_DENIED',
        message: 'The Customer Match terms have not been accepted for this account',
        fix: terms,
      },
      EU_POLITICAL_ADVERTISING_DECLARATION_REQUIRED: {
        code: 'PERMISSION_DENIED',
        message: 'The account has not declared whether it has political ads for the European Union',
        fix: 'Answer that question in Google Ads, Admin, Account settings.',
      },
      NOT_ALLOWLISTED: {
        code: 'PERMISSION_DENIED',
        message: 'Google does not let this account use Customer Match',
        fix: 'Ask Google: an account needs some history of keeping policies and of paying.',
      },
      ADVERTISER_NOT_ALLOWLISTED_FOR_UPLOADED_DATA: {
        code: 'PERMISSION_DENIED',
        message: 'Google does not let this account use Customer Match',
        fix: 'Ask Google: an account needs some history of keeping policies and of paying.',
      },
      USER_LIST_MUTATION_NOT_SUPPORTED: {
        code: 'TARGET_GONE',
        message: 'This list can only be read: Google fills it, or it is shared',
        fix: another,
      },
      OWNERSHIP_REQUIRED_FOR_UPDATE: {
        code: 'TARGET_GONE',
        message: 'This list belongs to another account',
        fix: another,
      },
      SENSITIVE_USER_LIST_IMMUTABLE: {
        code: 'PERMISSION_DENIED',
        message: 'Google has locked this list for what it tells of people',
        fix: 'Look at it in Audience manager of Google Ads: health and money are what a list must not tell of.',
      },
      INVALID_USER_LIST_ID: { code: 'TARGET_GONE', message: 'Google does not know this list', fix: another },
      INVALID_DESTINATION: { code: 'TARGET_GONE', message: 'Google does not know this list', fix: another },
      INVALID_USER_LIST_TYPE: {
        code: 'TARGET_GONE',
        message: 'People of this kind can not be put on this list',
        fix: another,
      },
      USER_LIST_NAME_RESERVED: {
        code: 'INPUT_INVALID',
        message: 'Google keeps this name for lists of its own',
        fix: 'Give the list another name.',
      },
      INVALID_DISPLAY_NAME: {
        code: 'INPUT_INVALID',
        message: 'Google does not take this name for a list',
        fix: 'Give the list another name.',
      },
      NOT_FOUND: {
        code: 'NOT_FOUND',
        message: 'Google does not know this account or list',
        fix: rights,
      },
      PERMISSION_DENIED: {
        code: 'PERMISSION_DENIED',
        message: 'Google does not know this account or list, or does not show it to whoever signs in',
        fix: rights,
      },
    } as const satisfies Record<string, Meaning>).map(([name, meaning]) => [name, { ...meaning, name }]),
  );
