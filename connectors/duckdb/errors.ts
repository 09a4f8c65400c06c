import { ActivateError, ERRORS, type ErrorCode } from '../../engine/contracts/errors.ts';
import type { Limits } from '../../engine/contracts/source.ts';
import { placeAfter, secondsOf } from '../shared/database-errors.ts';
import type { Settings } from './config.ts';
import type { Failure } from './wire.ts';

/** What was asked when it failed, and whether we had given it up by then. */
export interface Asked {
  readonly limits: Limits;
  readonly settings: Settings;
  /** The person's query. */
  readonly sql?: string | undefined;
  readonly stopped: 'late' | 'canceled' | undefined;
}

type Sentence = readonly [code: ErrorCode, message: string, fix: string];

/** Turns what went wrong in the other process into an ActivateError. */
export function explain(failure: Failure, asked: Asked): ActivateError {
  const [code, message, fix] = sentenceOf(failure, asked);
  const fields = code === 'CONFIG_INVALID' && failure.type !== 'missing' ? { fields: { path: message } } : {};
  return new ActivateError(code, message, {
    ...(fix === '' ? {} : { fix }),
    ...fields,
    cause: failure.message,
  });
}

const again = 'It is tried again by itself.';

function sentenceOf(failure: Failure, asked: Asked): Sentence {
  const { type, message } = failure;
  // Time that went by with waiting for a file is no fault of the query.
  const stopped = asked.stopped === 'late' && type === 'locked' ? undefined : asked.stopped;
  switch (stopped) {
    case 'canceled':
      return ['CANCELED', 'The query was canceled.', ''];
    case 'late': {
      const fix = 'Make it faster (fewer rows, more threads or memory), or raise the limit.';
      return ['SQL_TIMEOUT', `The query was stopped after ${secondsOf(asked.limits.timeoutMs)}.`, fix];
    }
    case undefined:
      break;
    default:
      stopped satisfies never;
  }
  if (Object.hasOwn(ERRORS, type)) {
    return [type as ErrorCode, message, failure.fix ?? ''];
  }
  switch (type) {
    case 'missing':
      return ['CONFIG_INVALID', 'DuckDB is not installed here.', 'Run: npm install @duckdb/node-api'];
    case 'locked':
      return [
        'UNAVAILABLE',
        `Somebody else is writing to ${asked.settings.path}.`,
        `${again} Let what writes to it close it when it is done.`,
      ];
    case 'lost':
      return ['UNAVAILABLE', `The answer of DuckDB broke off: ${message}`, again];
    case 'unsafe':
      return ['SQL_UNSAFE', message, 'Use one SELECT; a WITH clause can hold the steps before it.'];
    default:
      return ofDuckdb(failure, asked);
  }
}

function ofDuckdb(failure: Failure, asked: Asked): Sentence {
  const { type } = failure;
  const message = firstWords(failure.message);
  const path = asked.settings.path;
  if (/^(INTERNAL|FATAL)$/i.test(type)) {
    return ['UNAVAILABLE', `DuckDB broke down: ${message}.`, again];
  }
  if (/version number|newer version|storage version|not a valid DuckDB database/i.test(failure.message)) {
    return [
      'CONFIG_INVALID',
      `DuckDB can't read ${path}: ${message}.`,
      'Write it with an older version of DuckDB, or update Activate.',
    ];
  }
  if (type === 'Permission') {
    const fix = 'Use the tables of this connection: its queries can reach no other file and no address.';
    return ['PERMISSION_DENIED', `DuckDB says: ${message}.`, fix];
  }
  if (/read-only/i.test(failure.message)) {
    return ['SQL_UNSAFE', `The query tried to write: ${message}.`, 'Use a query that only reads.'];
  }
  if (type === 'Out of Memory') {
    return [
      'SQL_FAILED',
      `DuckDB says: ${message}.`,
      'Give the connection more memory, or let the query keep less at once.',
    ];
  }
  if (type === 'IO') {
    return ['UNAVAILABLE', `DuckDB can't read now: ${message}.`, again];
  }
  return [
    'SQL_FAILED',
    `DuckDB says: ${message}${placeOf(failure, asked)}.`,
    'Correct the query and try again.',
  ];
}

/** One line, without the full stop that we set ourselves. */
function firstWords(message: string): string {
  return message
    .replaceAll(/\s*\n\s*/g, ' ')
    .trim()
    .replace(/[.!]$/, '');
}

/** Where in the person's own text; DuckDB counts bytes, people count signs. */
function placeOf({ position }: Failure, { sql }: Asked): string {
  if (position === undefined || sql === undefined) {
    return '';
  }
  return placeAfter(Buffer.from(sql).subarray(0, position).toString('utf8'));
}
