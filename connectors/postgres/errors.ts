import { ActivateError, type ErrorCode, type ErrorOptions } from '../../engine/contracts/errors.ts';
import type { PgAsked } from '../../engine/contracts/postgres-protocol.ts';
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

type Sentence = readonly [
  code: ErrorCode,
  message: string,
  fix: string,
  fields?: Readonly<Record<string, string>>,
];

/** Turns what `pg` throws into an ActivateError, without any secret in it. */
export function explain(thrown: unknown, login: Login, asked?: PgAsked): ActivateError {
  if (thrown instanceof ActivateError) {
    return withoutPassword(thrown, login);
  }
  if (asked?.limits.signal?.aborted === true) {
    return new ActivateError('CANCELED', 'The query was canceled.', { cause: thrown });
  }
  const failure = thrown as Failure;
  const [code, message, fix, fields] =
    failure.severity === undefined ? ofNetwork(failure, login) : ofServer(failure, login, asked);
  const options: ErrorOptions = { fix, ...(fields === undefined ? {} : { fields }) };
  // A cause is kept only where it can't hold what was typed into the connection form.
  const clean = (text: string): string => without(login.password, text);
  return new ActivateError(code, clean(message), {
    ...options,
    fix: clean(fix),
    cause: without(login.password, failure.message),
  });
}

/** What is ours already may repeat words of the server. */
function withoutPassword(error: ActivateError, { password }: Login): ActivateError {
  const { code, message, fix, fields, retryAfterMs, cause } = error;
  const clean = (text: string): string => without(password, text);
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

function without(secret: string | undefined, text: string): string {
  return secret === undefined || secret === '' ? text : text.replaceAll(secret, '***');
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
    `PostgreSQL says: ${failure.message}${place(failure, asked)}.`,
    `Correct the query and try again.${hint}`,
  ];
}

/** 57014 is a timeout, or somebody's cancel; the server's words are in its own language, so the clock decides. */
function ofStop(asked: PgAsked | undefined): Sentence {
  const limitMs = asked?.limits.timeoutMs ?? Number.POSITIVE_INFINITY;
  if (asked !== undefined && performance.now() - asked.startedAt >= limitMs) {
    return [
      'SQL_TIMEOUT',
      `The query was stopped after ${seconds(limitMs)}.`,
      'Make it faster (fewer rows, an index, a materialized view), or raise the limit.',
    ];
  }
  return ['UNAVAILABLE', 'Somebody at the database canceled the query.', 'It is tried again by itself.'];
}

function seconds(ms: number): string {
  return ms === 1000 ? '1 second' : `${ms / 1000} seconds`;
}

/** Where in the person's own text; positions count characters, not UTF-16 units. */
function place(failure: Failure, asked: PgAsked | undefined): string {
  if (failure.position === undefined || asked?.query === undefined) {
    return '';
  }
  const text = [...asked.query.sql];
  const index = Number(failure.position) - 1 - asked.query.at;
  if (index < 0 || index > text.length) {
    return '';
  }
  const before = text.slice(0, index).join('').split('\n');
  return ` (line ${before.length}, column ${[...(before.at(-1) ?? '')].length + 1})`;
}

const tlsCodes = /^(ERR_TLS|ERR_SSL|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO|CERT_|EPROTO)/;

function ofNetwork(failure: Failure, login: Login): Sentence {
  const at = `${login.host}:${login.port}`;
  const code = failure.code ?? '';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    const message = `No server is known by the name ${login.host}.`;
    return [
      'UNAVAILABLE',
      message,
      'Check the host name, and that it can be reached from here.',
      { host: message },
    ];
  }
  if (code === 'ECONNREFUSED' || code === 'ENOENT') {
    const message = `Nothing answers at ${at}.`;
    return [
      'UNAVAILABLE',
      message,
      'Check host and port, and that PostgreSQL runs and listens there.',
      { host: message },
    ];
  }
  // `pg` gives these two no code, only words.
  const noTls = failure.message.includes('does not support SSL');
  if (noTls || tlsCodes.test(code)) {
    const message = noTls
      ? `${at} offers no encryption.`
      : `The encryption of ${at} can't be trusted: ${failure.message}.`;
    const fix = noTls
      ? 'Turn TLS on at the server, or choose Off if the network can be trusted.'
      : 'Use the host name of the certificate, or choose Encrypted without verification.';
    return ['CONFIG_INVALID', message, fix, { tls: message }];
  }
  if (failure.message.startsWith('SASL')) {
    const message = `The server at ${at} does not prove that it knows the password.`;
    return ['AUTH_REJECTED', message, 'Check host and port: this may be another server.', { host: message }];
  }
  return [
    'UNAVAILABLE',
    `The connection to ${at} was lost or not made in time.`,
    'It is tried again by itself.',
  ];
}
