import { z } from 'zod';
import type { Operation, Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer, theirWords } from '../../engine/contracts/http.ts';
import { jsonAs } from '../shared/json.ts';

/** What Salesforce says about one row or one request. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly fields: readonly string[];
}

/** Not now: another transaction holds the row, or Salesforce is in trouble. */
const passing: ReadonlySet<string> = new Set([
  'UNABLE_TO_LOCK_ROW',
  'SERVER_UNAVAILABLE',
  'REQUEST_LIMIT_EXCEEDED',
  'REQUEST_RUNNING_TOO_LONG',
  'QUERY_TIMEOUT',
  'UNKNOWN_EXCEPTION',
]);

/** The quota is one of the last 24 hours: nothing much changes within minutes. */
export const quotaWaitMs = 3_600_000;
const concurrentWaitMs = 30_000;

/** What an answer that is not 2xx means for the batch as a whole. `sent` is the body that it answers. */
export function failureOf(answer: HttpAnswer, sent: string | undefined): ActivateError {
  const { code, message } = refusalsOf(jsonAs(answer.text, z.unknown()))[0] ?? { code: '', message: '' };
  const says = theirWords(message, jsonAs(sent ?? '', z.unknown()));
  switch (code) {
    case 'REQUEST_LIMIT_EXCEEDED':
    case 'EXCEEDEDQUOTA':
      return limitReached(message);
    case 'UNABLE_TO_LOCK_ROW':
    case 'SERVER_UNAVAILABLE':
    case 'REQUEST_RUNNING_TOO_LONG':
      return new ActivateError('UNAVAILABLE', `Salesforce can't do it just now (${code}).`);
    case 'JSON_PARSER_ERROR':
      // One value of the wrong kind fails a whole request, and nothing says in which row it is.
      return new ActivateError(
        'ROW_REJECTED',
        "A value is of a kind that its field in Salesforce doesn't take.",
      );
    case 'INVALID_TYPE':
    case 'INVALIDENTITY':
    case 'NOT_FOUND':
      return new ActivateError(
        'NOT_FOUND',
        'Salesforce has no such kind of record, or does not show it to this user.',
        {
          fix: 'Choose another kind, or give the user the right to it.',
        },
      );
    case 'UNSUPPORTED_API_VERSION':
    case 'INVALIDVERSION':
      return new ActivateError(
        'CONFIG_INVALID',
        'Salesforce no longer speaks the version that Activate asks for.',
        {
          fix: 'Update Activate.',
        },
      );
    case 'API_DISABLED_FOR_ORG':
    case 'API_CURRENTLY_DISABLED':
      return new ActivateError('PERMISSION_DENIED', 'This user may not use the API of Salesforce.', {
        fix: 'Give the user the right "API Enabled".',
      });
    default:
      return errorOf(answer, 'Salesforce', says);
  }
}

/** Too many at once passes soon; the calls of a day are used up for long. Both have the same code. */
function limitReached(message: string): ActivateError {
  const concurrent = /concurrent/i.test(message);
  return new ActivateError(
    'RATE_LIMITED',
    concurrent
      ? 'Salesforce is busy with as many calls as it takes at once.'
      : 'The org has made all the API calls that Salesforce allows it in 24 hours.',
    {
      retryAfterMs: concurrent ? concurrentWaitMs : quotaWaitMs,
      ...(concurrent ? {} : { fix: 'Wait, or ask Salesforce for more calls a day.' }),
    },
  );
}

const tokenRefusal = z.object({
  error: z
    .string()
    .regex(/^[a-z_]{1,40}$/)
    .catch(''),
  error_description: z.string().catch(''),
});

/** Without what the answer says: it may quote the request, and that holds the secret. */
export function tokenFailureOf(answer: HttpAnswer): ActivateError {
  const { error: code, error_description: words } =
    jsonAs(answer.text, tokenRefusal) ?? tokenRefusal.parse({});
  if (/already being processed|expired authorization code/i.test(words)) {
    // Somebody else gets a token with the same key at this very moment.
    return new ActivateError('UNAVAILABLE', 'Salesforce is still busy with another request for a token.');
  }
  if (/not supported on this domain/i.test(words)) {
    return new ActivateError('CONFIG_INVALID', 'Salesforce gives no tokens at this address.', {
      fix: 'Enter the My Domain address of the org, not login or test.salesforce.com.',
      fields: { host: 'Salesforce gives no tokens at this address.' },
    });
  }
  if (answer.status === 400 || answer.status === 401) {
    const why = code === '' ? '' : ` (${code})`;
    return new ActivateError('AUTH_REJECTED', `Salesforce does not let this app sign in${why}.`, {
      fix: /approved/i.test(words)
        ? 'Approve the app for the user beforehand: in its policies, admin approved users, with a permission set.'
        : 'Check consumer key and secret (or private key and user name), and that the flow is switched on in the app.',
    });
  }
  return errorOf(answer, 'Salesforce');
}

export interface RowContext {
  readonly operation: Operation;
  readonly match: string;
  readonly values: unknown;
}

/** What became of a row that Salesforce did not take. */
export function outcomeOf(refusals: readonly Refusal[], row: RowContext): Outcome {
  const [first = { code: 'UNKNOWN', message: '', fields: [] }] = refusals;
  const { code, message, fields } = first;
  if (row.operation === 'delete' && code === 'ENTITY_IS_DELETED') {
    return { state: 'ok' };
  }
  if (passing.has(code) || isPassingTrigger(first) || isRace(first, row)) {
    return { state: 'retry', reason: `Salesforce was busy with this record (${code}).` };
  }
  const named = fields.filter((name) => /^[\w.]{1,80}$/.test(name));
  const [field] = named;
  return {
    state: 'rejected',
    reason: sentenceOf(code, named, theirWords(message, row.values), row),
    ...(field === undefined ? {} : { field }),
  };
}

/** A trigger of the org that met with a lock, or ran out of queries because of the rows beside it. */
function isPassingTrigger({ code, message }: Refusal): boolean {
  return (
    code === 'CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY' &&
    /UNABLE_TO_LOCK_ROW|Too many SOQL queries/i.test(message)
  );
}

/** Two upserts of a new record at the same time: the second finds nothing, and then can't insert. */
function isRace({ code, message }: Refusal, { operation, match }: RowContext): boolean {
  return (
    operation === 'upsert' &&
    code === 'DUPLICATE_VALUE' &&
    message.toLowerCase().includes(`duplicate value found: ${match.toLowerCase()} duplicates`)
  );
}

function sentenceOf(code: string, fields: readonly string[], says: string, row: RowContext): string {
  const names = fields.length === 0 ? 'A field' : fields.join(', ');
  switch (code) {
    case 'REQUIRED_FIELD_MISSING':
      return `Salesforce asks for what the row does not have: ${names}.`;
    case 'FIELD_CUSTOM_VALIDATION_EXCEPTION':
      return `A rule of the org refuses it: ${says}`;
    case 'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST':
      return `${names} takes only the values of its picklist.`;
    case 'STRING_TOO_LONG':
      return `${names} takes less text than the row has.`;
    case 'INVALID_EMAIL_ADDRESS':
      return `${names} takes an e-mail address.`;
    case 'NUMBER_OUTSIDE_VALID_RANGE':
      return `${names} does not take so large a number.`;
    case 'MALFORMED_ID':
    case 'INVALID_CROSS_REFERENCE_KEY':
      return `${names} takes the Id of a record that there is.`;
    case 'INSUFFICIENT_ACCESS_OR_READONLY':
    case 'INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY':
    case 'INVALID_FIELD_FOR_INSERT_UPDATE':
      return `The user that Activate signs in as may not write this: ${names}.`;
    case 'DUPLICATES_DETECTED':
      return 'A duplicate rule of the org finds that this record is there already.';
    case 'DUPLICATE_VALUE':
      return /external id specified/i.test(says)
        ? `Two rows mean the same record: they differ in ${row.match} only by upper and lower case, or not at all.`
        : `Another record has the same value in a field that is unique (${names}).`;
    case 'DUPLICATE_EXTERNAL_ID':
      return `Several records have the same ${row.match}: nobody can say which one is meant.`;
    case 'CANNOT_UPDATE_CONVERTED_LEAD':
      return 'The lead was converted: Salesforce no longer lets it be changed.';
    case 'ENTITY_IS_DELETED':
      return 'The record was deleted in Salesforce.';
    default:
      return `Salesforce refuses it (${/^\w{1,60}$/.test(code) ? code : 'no reason given'}${fields.length === 0 ? '' : `: ${names}`}).`;
  }
}

/** From the errors of a row in an answer (`statusCode`) or of a whole answer (`errorCode`). */
export function refusalsOf(errors: unknown): readonly Refusal[] {
  return (Array.isArray(errors) ? (errors as readonly unknown[]) : []).flatMap((error) => {
    if (typeof error !== 'object' || error === null) {
      return [];
    }
    const { statusCode, errorCode, message, fields } = error as Readonly<Record<string, unknown>>;
    return [
      {
        code: String(statusCode ?? errorCode ?? ''),
        message: String(message ?? ''),
        fields: Array.isArray(fields) ? fields.map(String) : [],
      },
    ];
  });
}

/** From the column `sf__Error` of a bulk job: `CODE:what it says:Field1 Field2 --`. */
export function bulkRefusalOf(text: string): Refusal {
  const [, code = '', message = '', fields = ''] =
    /^(\w+)\s*:([\s\S]*?)(?::([^:]*)--)?$/.exec(text.trim()) ?? [];
  return { code, message, fields: fields.split(/[\s,]+/).filter((name) => name !== '') };
}
