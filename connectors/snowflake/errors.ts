import { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer, theirWords } from '../../engine/contracts/http.ts';
import type { Limits } from '../../engine/contracts/source.ts';
import { timedOut } from '../shared/statements.ts';
import { inTheirLines } from '../shared/wrap.ts';
import { invalid, type Login } from './config.ts';

export const vendor = 'Snowflake';

/** What an answer says that has no result. */
interface Failure {
  readonly code?: string;
  readonly message?: string;
}

/** An answer of Snowflake that is neither a result nor a wait, as a sentence for the person. */
export function explain(answer: HttpAnswer, login: Login, limits: Limits): ActivateError {
  const { code = '', message = '' } = failureIn(answer);
  const words = theirWords(inTheirLines(message));
  switch (answer.status) {
    case 401:
    case 403:
      return refused(code, words, login);
    case 404:
    case 410:
      return new ActivateError('UNAVAILABLE', 'Snowflake does not know the query any more.', {
        fix: 'It is tried again by itself.',
      });
    case 408:
      return timedOut(vendor, limits.timeoutMs);
    case 400:
    case 422:
      return ofStatement(code, words, login, limits);
    default:
      return errorOf(answer, vendor, words);
  }
}

function failureIn(answer: HttpAnswer): Failure {
  try {
    return answer.json() as Failure;
  } catch {
    // A page of something that stands before Snowflake.
    return {};
  }
}

function ofStatement(code: string, words: string, login: Login, limits: Limits): ActivateError {
  switch (code) {
    case '000630':
      return timedOut(vendor, limits.timeoutMs);
    case '000604':
      return new ActivateError('UNAVAILABLE', 'Somebody at Snowflake canceled the query.', {
        fix: 'It is tried again by itself.',
      });
    case '000625':
      return new ActivateError('UNAVAILABLE', 'Snowflake ended the query by itself.', {
        fix: 'It is tried again by itself.',
      });
    case '000606':
    case '000607':
      return invalid(
        'warehouse',
        'Snowflake has no warehouse for the query.',
        'Fill in a warehouse that the role may use: GRANT USAGE ON WAREHOUSE … TO ROLE ….',
      );
    case '390189':
    case '390186':
      return invalid(
        'role',
        'Snowflake does not let the user have this role.',
        'Check how it is written, and grant it: GRANT ROLE … TO USER ….',
      );
    case '003001':
      return new ActivateError('PERMISSION_DENIED', `Snowflake says: ${words}`, {
        fix: `Ask for the right to read it: GRANT SELECT ON TABLE … TO ROLE ${login.role ?? '…'}.`,
      });
    case '000008':
      return new ActivateError('SQL_UNSAFE', 'The query is more than one statement.', {
        fix: 'Use one SELECT.',
      });
    default:
      return new ActivateError('SQL_FAILED', `Snowflake says: ${words || `error ${code}`}`, {
        fix: 'Correct the query and try again.',
      });
  }
}

function refused(code: string, words: string, { signIn }: Login): ActivateError {
  // Rules about addresses and times, for which no other key helps.
  if (/^39042\d$/.test(code)) {
    return new ActivateError('PERMISSION_DENIED', `Snowflake does not let us in: ${words}`, {
      fix: 'Let a network policy of the user allow the address that Activate calls from.',
    });
  }
  const said = words === '' ? '' : ` It says: ${words}`;
  switch (signIn.by) {
    case 'key': {
      const message = `Snowflake does not accept the private key of ${signIn.user}.${said}`;
      return new ActivateError('AUTH_REJECTED', message, {
        fix: 'Check account, user, and that ALTER USER … SET RSA_PUBLIC_KEY has its public half; and that the clock of this machine is right.',
        fields: { privateKey: message },
      });
    }
    case 'token': {
      const message = `Snowflake does not accept the access token.${said}`;
      return new ActivateError('AUTH_REJECTED', message, {
        fix: 'It may have run out, or its user has no network policy: make a new one and connect again.',
        fields: { token: message },
      });
    }
    case 'oauth': {
      const message = `Snowflake does not accept the sign-in by OAuth.${said}`;
      return new ActivateError('AUTH_REJECTED', message, {
        fix: 'Make a new refresh token and connect again, and see that the role is not blocked for the integration.',
        fields: { refreshToken: message },
      });
    }
    default:
      return signIn satisfies never;
  }
}
