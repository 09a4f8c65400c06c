import { ActivateError } from '../../engine/contracts/errors.ts';
import {
  errorOf,
  type NetworkAdvice,
  ofNetwork,
  placeOf,
  type Sentence,
  secondsOf,
  without,
} from '../shared/database-errors.ts';
import type { PgAsked } from '../shared/postgres-protocol.ts';
import type { Login } from './config.ts';

/** What `pg` throws. */
export interface Failure {
  readonly message: string;
  readonly code?: string;
  /** Set on errors that the server itself sent. */
  readonly severity?: string;
  readonly position?: string;
  readonly hint?: string;
  readonly column?: string;
  readonly constraint?: string;
  readonly where?: string;
  /** The function of the server that raised it. */
  readonly routine?: string;
}

/** Turns what `pg` throws into an ActivateError, without any secret in it. */
export function explain(thrown: unknown, login: Login, asked?: PgAsked): ActivateError {
  if (thrown instanceof ActivateError) {
    return withoutPassword(thrown, login);
  }
  if (asked?.limits.signal?.aborted === true) {
    return new ActivateError('CANCELED', 'The query was canceled.', { cause: thrown });
  }
  const failure = thrown as Failure;
  const sentence =
    failure.severity === undefined
      ? ofNetwork(failure, login.host, `${login.host}:${login.port}`, advice)
      : ofServer(failure, login, asked);
  // A cause is kept only where it can't hold what was typed into the connection form.
  return errorOf(sentence, login.password, failure.message);
}

/** What is ours already may repeat words of the server. */
function withoutPassword(error: ActivateError, { password }: Login): ActivateError {
  const { code, message, fix, fields, retryAfterMs, cause } = error;
  const clean = (text: string): string => without([password], text);
  if (clean(`${message}${fix}${String(cause)}`) === `${message}${fix}${String(cause)}`) {
    return error;
  }
  return new ActivateError(code, clean(message), {
    ...(fix === undefined ? {} : { fix: clean(fix) }),
    ...(fields === undefined ? {} : { fields }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(cause === undefined ? {} : { cause: clean(String(cause)) }),
  });
}

/** Codes of PostgreSQL that mean "not now". */
export const passing = /^(08|53|57P|58|40001|40P01|25P0[34]|55P03|XX)/;

function ofServer(failure: Failure, login: Login, asked: PgAsked | undefined): Sentence {
  const code = failure.code ?? '';
  if (code === '28P01' || code.startsWith('28')) {
    return [
      'AUTH_REJECTED',
      `PostgreSQL refused the login of ${login.user}: ${failure.message}.`,
      'Check user and password, and that the server lets this user in from here.',
      { password: 'The server refused this login.' },
    ];
  }
  if (code === '3D000') {
    const message = `There is no database named ${login.database} on ${login.host}.`;
    return ['CONFIG_INVALID', message, 'Check the name of the database.', { database: message }];
  }
  if (code === '42501') {
    return [
      'PERMISSION_DENIED',
      `PostgreSQL says: ${failure.message}.`,
      `Ask for the right to read it, as GRANT SELECT ON … TO ${login.user}.`,
    ];
  }
  if (code === '25006') {
    return ['SQL_UNSAFE', `The query tried to write: ${failure.message}.`, 'Use a query that only reads.'];
  }
  if (code === '57014') {
    return ofStop(asked);
  }
  if (passing.test(code)) {
    return [
      'UNAVAILABLE',
      `PostgreSQL can't answer now: ${failure.message}.`,
      'It is tried again by itself.',
    ];
  }
  const hint = failure.hint === undefined ? '' : ` ${failure.hint}`;
  return [
    'SQL_FAILED',
    `PostgreSQL says: ${failure.message}${placeOf(failure.position, asked?.query)}.`,
    `Correct the query and try again.${hint}`,
  ];
}

/** 57014 is a timeout, or somebody's cancel; the server's words are in its own language, so the clock decides. */
function ofStop(asked: PgAsked | undefined): Sentence {
  const limitMs = asked?.limits.timeoutMs ?? Number.POSITIVE_INFINITY;
  if (asked !== undefined && performance.now() - asked.startedAt >= limitMs) {
    return [
      'SQL_TIMEOUT',
      `The query was stopped after ${secondsOf(limitMs)}.`,
      'Make it faster (fewer rows, an index, a materialized view), or raise the limit.',
    ];
  }
  return ['UNAVAILABLE', 'Somebody at the database canceled the query.', 'It is tried again by itself.'];
}

const advice: NetworkAdvice = {
  unknownName: 'Check the host name, and that it can be reached from here.',
  nobodyAnswers: 'Check host and port, and that PostgreSQL runs and listens there.',
  noEncryption: 'Turn TLS on at the server, or choose Off if the network can be trusted.',
  impostor: 'Check host and port: this may be another server.',
  lost: 'It is tried again by itself.',
};
