import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Limits } from '../../engine/contracts/source.ts';
import {
  errorOf,
  type NetworkAdvice,
  ofNetwork,
  type Sentence,
  secondsOf,
} from '../shared/database-errors.ts';
import type { Login } from './config.ts';

/** What `mysql2` throws. */
export interface Failure {
  readonly message: string;
  /** A name; on MariaDB often that of another error of MySQL, so that `errno` alone tells. */
  readonly code?: string;
  readonly errno?: number;
  /** Set on errors that the server itself sent. */
  readonly sqlState?: string;
  readonly sqlMessage?: string;
}

/** Whether the server itself said so: the connection is still of use then. */
export function isOfServer(thrown: unknown): thrown is Failure & { readonly errno: number } {
  const { sqlState, errno } = (thrown ?? {}) as Failure;
  return sqlState !== undefined && errno !== undefined && !isEnd(errno);
}

/** The server ends the connection with these, and nobody knows how far it came. */
function isEnd(errno: number): boolean {
  return [1053, 1153, 1159, 1161, 1927, 4031].includes(errno);
}

/**
 * Errors that mean "not now": too many connections, memory, disk, locks, deadlocks, a shutdown, a server that only reads,
 * a statement that was stopped, a cluster that is not ready.
 */
const passing: readonly number[] = [1021, 1037, 1038, 1040, 1041, 1047, 1053, 1114, 1159, 1161, 1180].concat([
  1203, 1205, 1213, 1226, 1290, 1317, 1637, 1792, 1836, 1927, 1969, 3024, 3572, 4031,
]);

export function isPassing(errno: number): boolean {
  return passing.includes(errno);
}

/** Turns what `mysql2` throws into an ActivateError, without any secret in it. */
export function explain(thrown: unknown, login: Login): ActivateError {
  if (thrown instanceof ActivateError) {
    return thrown;
  }
  const failure = thrown as Failure;
  const { host, port, password } = login;
  const sentence =
    failure.sqlState === undefined
      ? ofNetwork(failure, host, host.startsWith('/') ? host : `${host}:${port}`, advice)
      : ofServer(failure, login);
  // A cause is kept only where it can't hold what was typed into the connection form, or a value of a row.
  return errorOf(sentence, password, `${failure.code ?? ''} ${failure.errno ?? ''}`.trim());
}

/** The same for a question that only reads, and may be stopped. */
export function explainReading(thrown: unknown, login: Login, limits: Limits): ActivateError {
  const { errno, sqlState, sqlMessage = '' } = (thrown ?? {}) as Failure;
  if (thrown instanceof ActivateError) {
    return thrown;
  }
  if (limits.signal?.aborted === true) {
    return new ActivateError('CANCELED', 'The query was canceled.', { cause: errno });
  }
  switch (sqlState === undefined ? undefined : errno) {
    case 1969:
    case 3024:
      return new ActivateError('SQL_TIMEOUT', `The query was stopped after ${secondsOf(limits.timeoutMs)}.`, {
        fix: 'Make it faster (fewer rows, an index, a summary table), or raise the limit.',
        cause: errno,
      });
    case 1317:
    case 1927:
      return new ActivateError('UNAVAILABLE', 'Somebody at the database stopped the query.', {
        fix: 'It is tried again by itself.',
        cause: errno,
      });
    case 1792:
      return new ActivateError('SQL_UNSAFE', `The query tried to write: ${sqlMessage}.`, {
        fix: 'Use a query that only reads.',
        cause: errno,
      });
    default:
      return explain(thrown, login);
  }
}

function ofServer(failure: Failure, login: Login): Sentence {
  const { errno = 0, sqlMessage = failure.message } = failure;
  switch (errno) {
    case 1045:
    case 1698:
    case 1820:
    case 1862:
    case 1251:
      return [
        'AUTH_REJECTED',
        `The database refused the login of ${login.user}: ${sqlMessage}.`,
        'Check user and password, and that the server lets this user in from here.',
        { password: 'The server refused this login.' },
      ];
    case 1130:
      return [
        'AUTH_REJECTED',
        'The database lets nobody in from this machine.',
        `Ask for the user ${login.user} to be allowed from here, as 'user'@'%'.`,
        { host: 'The server lets nobody in from here.' },
      ];
    case 1044:
    case 1049: {
      const message = `There is no database named ${login.database} on ${login.host}, or ${login.user} may not use it.`;
      return [
        'CONFIG_INVALID',
        message,
        'Check the name of the database, and the rights of the user.',
        { database: message },
      ];
    }
    case 1142:
    case 1143:
    case 1227:
    case 1370:
      return [
        'PERMISSION_DENIED',
        `The database says: ${sqlMessage}.`,
        `Ask for the right, as GRANT … TO '${login.user}'.`,
      ];
    case 1129:
      return [
        'UNAVAILABLE',
        'The database has locked out this machine after too many connections that failed.',
        'Run FLUSH HOSTS there. It is tried again by itself.',
      ];
    default:
      return isPassing(errno)
        ? ['UNAVAILABLE', `The database can't answer now: ${sqlMessage}.`, 'It is tried again by itself.']
        : ['SQL_FAILED', `The database says: ${sqlMessage}.`, 'Correct the query and try again.'];
  }
}

const advice: NetworkAdvice = {
  unknownName: 'Check the host name, and that it can be reached from here.',
  nobodyAnswers: 'Check host and port, and that the database runs and listens there.',
  noEncryption: 'Turn TLS on at the server, or choose Off if the network can be trusted.',
  lost: 'It is tried again by itself.',
};
