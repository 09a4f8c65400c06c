import { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer, theirWords } from '../../engine/contracts/http.ts';
import type { Limits } from '../../engine/contracts/source.ts';
import { timedOut } from '../shared/statements.ts';
import { inTheirLines } from '../shared/wrap.ts';
import { invalid, type Login } from './config.ts';

export const vendor = 'Databricks';

/** Why a statement failed, as its status says. */
export interface Failure {
  readonly error_code?: string;
  readonly message?: string;
}

/** A request that was not taken, as a sentence for the person. */
export function refusal(answer: HttpAnswer, login: Login): ActivateError {
  const words = wordsOf(failureIn(answer).message);
  switch (answer.status) {
    case 401: {
      const isToken = login.signIn.by === 'token';
      const message = `Databricks does not accept ${isToken ? 'the access token' : 'the service principal'}.`;
      return new ActivateError('AUTH_REJECTED', `${message}${words === '' ? '' : ` It says: ${words}`}`, {
        fix: 'Make a new one and connect again: /activate connect.',
        fields: { [isToken ? 'token' : 'clientSecret']: message },
      });
    }
    case 403:
      return new ActivateError(
        'PERMISSION_DENIED',
        `Databricks does not allow this: ${words || 'status 403'}`,
        {
          fix: 'Give the principal “Can use” on the SQL warehouse, and see that an IP access list lets Activate in.',
        },
      );
    default:
      return errorOf(answer, vendor, words);
  }
}

/** A statement that was not taken: it can be the warehouse that is wrong. */
export function notTaken(answer: HttpAnswer, login: Login): ActivateError {
  const { error_code: code = '', message } = failureIn(answer);
  if (answer.status === 404 || (answer.status === 400 && /warehouse|endpoint/i.test(message ?? ''))) {
    return invalid(
      'warehouse',
      `There is no SQL warehouse ${login.warehouse} that this principal sees.`,
      'Check its ID, and give the principal “Can use” on it.',
    );
  }
  return answer.status === 400
    ? new ActivateError('SQL_FAILED', `Databricks says: ${wordsOf(message) || code}`, {
        fix: 'Correct the query and try again.',
      })
    : refusal(answer, login);
}

/** A statement that failed, as a sentence for the person. */
export function explain({ error_code: code = '', message }: Failure, limits: Limits): ActivateError {
  const words = wordsOf(message);
  switch (code) {
    case 'DEADLINE_EXCEEDED':
      return timedOut(vendor, limits.timeoutMs);
    case 'UNAUTHENTICATED':
      return new ActivateError('AUTH_REJECTED', `Databricks does not accept the sign-in: ${words}`, {
        fix: 'Connect again: /activate connect.',
      });
    case 'TEMPORARILY_UNAVAILABLE':
    case 'WORKSPACE_TEMPORARILY_UNAVAILABLE':
    case 'SERVICE_UNDER_MAINTENANCE':
    case 'RESOURCE_EXHAUSTED':
    case 'IO_ERROR':
    case 'INTERNAL_ERROR':
    case 'ABORTED':
    case 'CANCELLED':
      return new ActivateError('UNAVAILABLE', `Databricks can't answer now: ${words || code}`, {
        fix: 'It is tried again by itself.',
      });
    default:
      return ofQuery(words || code);
  }
}

function ofQuery(words: string): ActivateError {
  switch (/^\[([A-Z_]+)/.exec(words)?.[1]) {
    case 'INSUFFICIENT_PERMISSIONS':
    case 'PERMISSION_DENIED':
      return new ActivateError('PERMISSION_DENIED', `Databricks says: ${words}`, {
        fix: 'Ask for the right to read it: GRANT USE CATALOG, USE SCHEMA, SELECT ON … TO ….',
      });
    case 'NO_SUCH_CATALOG_EXCEPTION':
    case 'CATALOG_NOT_FOUND':
      return invalid(
        'catalog',
        `Databricks says: ${words}`,
        'Check the catalog of the connection and of the query, and that the principal has USE CATALOG on it.',
      );
    default:
      return new ActivateError('SQL_FAILED', `Databricks says: ${words}`, {
        fix: 'Correct the query and try again.',
      });
  }
}

/** Without the query, which is repeated after a line of its own. */
function wordsOf(message = ''): string {
  return theirWords(inTheirLines(message.replace(/\s*== SQL[\s\S]*$/, '')));
}

function failureIn(answer: HttpAnswer): Failure {
  try {
    return answer.json() as Failure;
  } catch {
    // A page of something that stands before Databricks.
    return {};
  }
}
