import { ActivateError } from '../../engine/contracts/errors.ts';
import {
  errorOf,
  type NetworkAdvice,
  ofNetwork,
  placeOf,
  type Sentence,
  secondsOf,
} from '../shared/database-errors.ts';
import type { PgAsked } from '../shared/postgres-protocol.ts';
import type { Login } from './config.ts';

/** What `pg` throws. */
interface Failure {
  readonly message: string;
  readonly code?: string;
  /** Set on errors that the server itself sent. */
  readonly severity?: string;
  readonly position?: string;
  readonly hint?: string;
}

const again = 'It is tried again by itself.';

/** Turns what `pg` throws into an ActivateError, without the password in it. */
export function explain(thrown: unknown, login: Login, asked: PgAsked): ActivateError {
  if (thrown instanceof ActivateError) {
    return thrown;
  }
  if (asked.limits.signal?.aborted === true) {
    return new ActivateError('CANCELED', 'The query was canceled.', { cause: thrown });
  }
  const failure = thrown as Failure;
  const sentence =
    failure.severity === undefined
      ? ofNetwork(failure, login.host, `${login.host}:${login.port}`, advice)
      : ofServer(failure, login, asked);
  // The error itself may hold what was typed into the form.
  return errorOf(sentence, login.password, failure.message);
}

/** Whether a cluster of a single node refuses a part of a result for its size; it has no code of its own for that. */
export function isSingleNode(error: unknown): boolean {
  return error instanceof ActivateError && /\bfetch size\b.*\bsingle node\b/i.test(error.message);
}

/** Codes that mean “not now”; XX000 is, among others, a transaction that could not be put in order with another one. */
const passing = /^(08|53(?!100)|57P|58|40001|40P01|25P0[34]|55P03|XX)/;

function ofServer(failure: Failure, login: Login, asked: PgAsked): Sentence {
  const { code = '', message } = failure;
  if (code.startsWith('28')) {
    return [
      'AUTH_REJECTED',
      `Redshift refused the login of ${login.user}: ${message}.`,
      'Check user and password, and that the security group lets this machine in.',
      { password: 'The server refused this login.' },
    ];
  }
  switch (code) {
    case '3D000': {
      const says = `There is no database named ${login.database} on ${login.host}.`;
      return ['CONFIG_INVALID', says, 'Check the name of the database.', { database: says }];
    }
    case '42501':
      return [
        'PERMISSION_DENIED',
        `Redshift says: ${message}.`,
        `Ask for the right to read it, as GRANT USAGE ON SCHEMA … TO ${login.user}, and GRANT SELECT ON … TO ${login.user}.`,
      ];
    case '25006':
      return ['SQL_UNSAFE', `The query tried to write: ${message}.`, 'Use a query that only reads.'];
    case '57014':
      return ofStop(asked);
    case '53100':
      return [
        'SQL_FAILED',
        `The cluster has no room for the result: ${message}.`,
        'Read fewer rows or columns, free space, or name a planner schema so that only differences are read.',
      ];
    default:
      return passing.test(code)
        ? ['UNAVAILABLE', `Redshift can't answer now: ${message}.`, again]
        : [
            'SQL_FAILED',
            `Redshift says: ${message}${placeOf(failure.position, asked.query)}.`,
            `Correct the query and try again.${failure.hint === undefined ? '' : ` ${failure.hint}`}`,
          ];
  }
}

/** A time limit, somebody's cancel, or a rule of workload management; their words are alike, so the clock decides. */
function ofStop({ limits, startedAt }: PgAsked): Sentence {
  if (performance.now() - startedAt >= limits.timeoutMs) {
    return [
      'SQL_TIMEOUT',
      `The query was stopped after ${secondsOf(limits.timeoutMs)}.`,
      'Make it faster (fewer rows, a sort key, a materialized view), or raise the limit. The wait in a queue counts, too.',
    ];
  }
  return ['UNAVAILABLE', 'Somebody, or a rule of workload management, canceled the query.', again];
}

const advice: NetworkAdvice = {
  unknownName: 'Check the endpoint, and that it can be reached from here.',
  nobodyAnswers: 'Check the endpoint, and that the cluster is not paused.',
  noEncryption: 'Check the endpoint, or choose Off if the network can be trusted.',
  impostor: 'Check the endpoint: this may be another server.',
  lost: `${again} If it never works, look whether the security group lets this machine in.`,
};
