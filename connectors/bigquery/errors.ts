import { ActivateError, type ErrorCode } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer, theirWords } from '../../engine/contracts/http.ts';
import type { Login } from './config.ts';

/** Why BigQuery does not do something. */
export interface Refusal {
  /** Its own word for it, from the table of its error messages; empty where it gives none, as a proxy does. */
  readonly reason: string;
  readonly says: string;
}

/** What was asked when it failed. */
export interface Asked {
  readonly login: Login;
  /** How many lines of ours stood before the person's query in the text that was sent. */
  readonly linesBefore?: number;
  /** Bytes that the query would be billed for, as far as BigQuery could tell beforehand. */
  readonly estimate?: number | undefined;
}

export function refusalIn({ text }: HttpAnswer): Refusal {
  try {
    const { error } = JSON.parse(text) as {
      readonly error?: {
        readonly message?: unknown;
        readonly errors?: readonly { readonly reason?: unknown }[];
      };
    };
    return { reason: String(error?.errors?.[0]?.reason ?? ''), says: String(error?.message ?? '') };
  } catch {
    return { reason: '', says: '' };
  }
}

type Sentence = readonly [code: ErrorCode, message: string, fix: string, retryAfterMs?: number | undefined];

function errorIn([code, message, fix, retryAfterMs]: Sentence): ActivateError {
  return new ActivateError(code, message, { fix, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
}

/** What an answer that is not 2xx means, by its reason; one without goes by its status. */
export function explain(answer: HttpAnswer, asked: Asked): ActivateError {
  const refusal = refusalIn(answer);
  const sentence = sentenceOf(refusal, asked);
  if (sentence === undefined) {
    return errorOf(answer, 'BigQuery', refusal.says);
  }
  const [code, message, fix, waitMs] = sentence;
  return errorIn([code, message, fix, answer.retryAfterMs ?? waitMs]);
}

export function overBilled(asked: Asked): ActivateError {
  return errorIn(tooMuch(asked));
}

export function canceled(cause: unknown): ActivateError {
  return new ActivateError('CANCELED', 'The query was canceled.', { cause });
}

const again = 'It is tried again by itself.';
/** Google's advice for a quota that counts over a longer time. */
const quotaPauseMs = 600_000;

function sentenceOf({ reason, says }: Refusal, asked: Asked): Sentence | undefined {
  const { login } = asked;
  const words = placed(says, asked.linesBefore ?? 0);
  switch (reason) {
    case 'invalidQuery':
    case 'invalid':
    case 'badRequest':
      return ['SQL_FAILED', `BigQuery says: ${words}`, 'Correct the query and try again.'];
    case 'notFound':
      return [
        'SQL_FAILED',
        `BigQuery says: ${words}`,
        login.location === undefined
          ? 'Check the names, and that all tables of the query are in one location.'
          : `Check the names, and that the tables are in ${login.location}, the location of this connection.`,
      ];
    case 'accessDenied':
      return [
        'PERMISSION_DENIED',
        `BigQuery says: ${words}`,
        `Give ${login.email} the role BigQuery Data Viewer on it, and BigQuery Job User on ${login.project}.`,
      ];
    case 'bytesBilledLimitExceeded':
      return tooMuch(asked);
    case 'billingTierLimitExceeded':
    case 'resourcesExceeded':
    case 'responseTooLarge':
      return [
        'SQL_FAILED',
        `The query needs more than BigQuery gives to one: ${words}`,
        'Leave out ORDER BY, join or group less at once, or make a table of its result beforehand.',
      ];
    case 'billingNotEnabled':
      return [
        'PERMISSION_DENIED',
        `The project ${login.project} has no billing.`,
        'Enable billing for it in Google Cloud.',
      ];
    case 'quotaExceeded':
      return [
        'UNAVAILABLE',
        `A quota of the project ${login.project} is used up: ${words}`,
        'It is tried again by itself. Raise the quota in Google Cloud, or run less often.',
        quotaPauseMs,
      ];
    case 'rateLimitExceeded':
    case 'jobRateLimitExceeded':
    case 'backendError':
    case 'jobBackendError':
    case 'internalError':
    case 'jobInternalError':
    case 'tableUnavailable':
    case 'blocked':
      return ['UNAVAILABLE', `BigQuery can't answer now (${reason}).`, again];
    case 'stopped':
      return ['UNAVAILABLE', 'Somebody canceled the query at BigQuery.', again];
    case 'timeout':
      return [
        'SQL_TIMEOUT',
        'The query took longer than BigQuery lets it.',
        'Make it faster (fewer rows, a table made of its result beforehand), or raise the limit.',
      ];
    default:
      return undefined;
  }
}

function tooMuch({ login, estimate }: Asked): Sentence {
  const would = estimate === undefined ? '' : ` of ${sizeOf(estimate)}`;
  return [
    'SQL_FAILED',
    `The query would be billed for a scan${would}, and this connection allows ${sizeOf(login.mostBytes)}. Nothing was billed.`,
    'Read fewer columns, filter by the column that the table is partitioned by, or raise “Most GB per query” of the connection. A LIMIT does not make it less.',
  ];
}

/** In decimal units, to three digits. */
export function sizeOf(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  return `${Number((bytes / 1000 ** power).toPrecision(3)).toLocaleString('en')} ${units[power]}`;
}

/** Its words, with places in the person's own text. */
function placed(says: string, linesBefore: number): string {
  const words = says.replaceAll(
    /(?: at)? \[(\d+):(\d+)\]/g,
    (_, line, column) => ` (line ${Number(line) - linesBefore}, column ${column})`,
  );
  return `${theirWords(words).replace(/\.$/, '')}.`;
}
