import { ActivateError, type ErrorCode } from '../../engine/contracts/errors.ts';
import type { Login } from './config.ts';

/** What the driver throws, as far as it is looked at. Its texts hold values of rows and are never repeated. */
export interface Failure {
  readonly name?: string;
  readonly message: string;
  readonly code?: number | string;
  readonly codeName?: string;
  /** Set when no server could be chosen: nothing was sent. */
  readonly reason?: unknown;
  readonly cause?: unknown;
}

/** Codes of servers that mean "not now": shut down, stepped down, out of time, in each other's way. */
const passing = new Set([
  6, 7, 24, 43, 46, 50, 63, 64, 79, 89, 91, 100, 112, 133, 134, 150, 189, 202, 234, 262, 391, 9001, 10058,
  10107, 11600, 11602, 13388, 13435, 13436,
]);

/** Errors of the driver from before anything goes out. */
const nothingSent: ReadonlySet<string> = new Set([
  'MongoServerSelectionError',
  'MongoTopologyClosedError',
  'MongoNotConnectedError',
  'MongoWaitQueueTimeoutError',
]);

export function isPassing(code: number): boolean {
  return passing.has(code);
}

/**
 * Turns what the driver throws into an ActivateError. `writing` says that something was on its way: then a connection
 * that breaks leaves open what was done.
 */
export function explain(thrown: unknown, login: Login, writing = false): unknown {
  if (thrown instanceof ActivateError || !(thrown instanceof Error)) {
    return thrown;
  }
  const failure = thrown as Failure;
  if (typeof failure.code === 'number') {
    return ofServer(failure.code, failure, login);
  }
  if (failure.name === 'MongoParseError' || failure.name === 'MongoInvalidArgumentError') {
    return new ActivateError('CONFIG_INVALID', 'The driver of MongoDB does not understand this connection.', {
      fix: 'Copy the connection string again from Atlas, or from who looks after the server.',
      fields: { url: 'This is not a connection string that the driver understands.' },
    });
  }
  if (nothingSent.has(failure.name ?? '') || failure.reason !== undefined) {
    return new ActivateError('UNAVAILABLE', `No server of MongoDB answers at ${login.hosts}.`, {
      fix: 'Check the host, that the server runs, and that it lets this machine in: Atlas has an IP access list.',
      cause: failure.name,
    });
  }
  if (/querySrv|queryTxt|ENOTFOUND|EAI_AGAIN/.test(`${failure.code} ${failure.message}`)) {
    return new ActivateError('UNAVAILABLE', `No server is known by the name ${login.hosts}.`, {
      fix: 'Check the host name of the connection string, and that it can be looked up from here.',
    });
  }
  return writing
    ? new ActivateError(
        'OUTCOME_UNKNOWN',
        'The connection was lost before MongoDB said what it had written.',
        {
          fix: 'It is tried again by itself.',
          cause: failure.name,
        },
      )
    : new ActivateError('UNAVAILABLE', `The connection to ${login.hosts} was lost.`, {
        fix: 'It is tried again by itself.',
        cause: failure.name,
      });
}

function ofServer(code: number, failure: Failure, login: Login): ActivateError {
  const named = `${failure.codeName ?? 'error'}, code ${code}`;
  const make = (
    error: ErrorCode,
    message: string,
    fix: string,
    more: { retryAfterMs?: number; fields?: Readonly<Record<string, string>> } = {},
  ): ActivateError => new ActivateError(error, message, { fix, cause: named, ...more });
  if (code === 18 || code === 8000 || code === 11) {
    return make(
      'AUTH_REJECTED',
      'MongoDB refused the login.',
      'Check user and password, the database that the user belongs to (authSource), and signs in the password that have to be written as %40, %2F.',
      { fields: { url: 'The server refused this login.' } },
    );
  }
  if (code === 13) {
    return make(
      'PERMISSION_DENIED',
      `The user of this connection may not do this in the database ${login.database}.`,
      `Give it the role readWrite on ${login.database}.`,
    );
  }
  if (code === 16500) {
    const waitMs = Number(/RetryAfterMs=(\d+)/.exec(failure.message)?.[1] ?? Number.NaN);
    return make('RATE_LIMITED', 'The server asks for a pause.', 'It is tried again by itself.', {
      ...(Number.isNaN(waitMs) ? {} : { retryAfterMs: waitMs }),
    });
  }
  if (passing.has(code)) {
    return make('UNAVAILABLE', `MongoDB can't answer now (${named}).`, 'It is tried again by itself.');
  }
  if (code === 20) {
    return make(
      'CONFIG_INVALID',
      'This server knows no retryable writes.',
      'Add retryWrites=false to the connection string.',
    );
  }
  if (code === 26) {
    return make('NOT_FOUND', 'The collection is gone.', 'Choose another one.');
  }
  return make(
    'CONFIG_INVALID',
    `MongoDB does not take this (${named}).`,
    'Compare the mapping with the documents as they are now.',
  );
}
