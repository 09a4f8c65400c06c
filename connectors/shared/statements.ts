import { setTimeout as sleep } from 'node:timers/promises';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { HttpAnswer } from '../../engine/contracts/http.ts';
import { lineText } from '../../engine/contracts/lines.ts';
import type { Column, Limits, Table } from '../../engine/contracts/source.ts';
import { secondsOf } from './database-errors.ts';
import { piecesOf } from './reader.ts';

// What warehouses have in common that are given a statement by HTTP, asked until it is done, and whose rows come in pieces.

export type Rows = Table['rows'];

/** What a statement came to. */
export interface Result {
  readonly columns: readonly Column[];
  /** All its rows, as the warehouse counts them. */
  readonly rowCount: number;
  /** The rows in their order; each piece is fetched when it is asked for. Throws when one does not come whole. */
  pieces(signal: AbortSignal): AsyncIterable<Rows>;
}

export type Standing =
  /** `why` is a sentence about what it waits for, where the warehouse says so. */
  | { readonly state: 'running'; readonly why?: string }
  | { readonly state: 'done'; readonly result: Result }
  | { readonly state: 'failed'; readonly error: ActivateError };

/** A statement that a warehouse has taken. */
export interface Statement {
  standing(signal: AbortSignal): Promise<Standing>;
  /** Ends it in the warehouse. It may be over by then, which is no trouble. */
  cancel(): Promise<void>;
}

/** A statement that is under way, and whoever waits for it. */
export interface Followed {
  /** Settles when the statement is over; when it was given up, after the warehouse was told to end it. */
  readonly result: Promise<Result>;
  /** Aborted when nobody wants the result any more; its reason is the error to throw. */
  readonly signal: AbortSignal;
  /** Gives it up, or forgets it when it is over. Resolves when the warehouse knows. */
  stop(): Promise<void>;
}

const pollsMs = [50, 100, 250, 500, 1000, 2000] as const;

/**
 * Gives a statement to a warehouse and asks how it stands until it is over. When the signal of the limits or their time
 * says so, it is ended in the warehouse: also when its id came only after that. `graceMs` is for a warehouse that keeps
 * the limit by itself and gets the time to say so.
 */
export function follow(
  vendor: string,
  limits: Limits,
  submit: () => Promise<Statement>,
  graceMs = 0,
): Followed {
  const stop = new AbortController();
  const aborted = (): void => stop.abort(canceled(limits.signal?.reason));
  let waitsFor = '';
  const late = (): void => stop.abort(timedOut(vendor, limits.timeoutMs, waitsFor));
  const timer = setTimeout(late, limits.timeoutMs + graceMs);
  limits.signal?.addEventListener('abort', aborted, { once: true });
  if (limits.signal?.aborted === true) {
    aborted();
  }
  const run = async (): Promise<Result> => {
    stop.signal.throwIfAborted();
    const statement = await submit();
    let over = false;
    try {
      for (let asked = 0; ; asked += 1) {
        stop.signal.throwIfAborted();
        const standing = await statement.standing(stop.signal);
        switch (standing.state) {
          case 'done':
            over = true;
            return standing.result;
          case 'failed':
            over = true;
            throw standing.error;
          case 'running':
            waitsFor = standing.why ?? '';
            await sleep(pollsMs[Math.min(asked, pollsMs.length - 1)], undefined, { signal: stop.signal });
            break;
          default:
            standing satisfies never;
        }
      }
    } catch (error) {
      if (!over) {
        await statement.cancel().catch(() => undefined);
      }
      throw stop.signal.aborted ? stop.signal.reason : error;
    } finally {
      clearTimeout(timer);
    }
  };
  const result = run();
  // Whoever awaits it is told; that nobody does must not end the process.
  result.catch(() => clearTimeout(timer));
  return {
    result,
    signal: stop.signal,
    stop: async () => {
      limits.signal?.removeEventListener('abort', aborted);
      stop.abort(canceled(undefined));
      await result.catch(() => undefined);
    },
  };
}

/** Waits for a statement that has no rows. */
export async function finished(followed: Followed): Promise<void> {
  try {
    await followed.result;
  } finally {
    await followed.stop();
  }
}

/** All rows of a result that is small, proven to be all. */
export async function allRows(followed: Followed, vendor: string): Promise<Table> {
  try {
    const result = await followed.result;
    const rows: (readonly (string | null)[])[] = [];
    for await (const piece of result.pieces(followed.signal)) {
      rows.push(...provenPiece(piece, result, vendor));
    }
    proveCount(result, rows.length, vendor);
    return { columns: result.columns, rows };
  } catch (error) {
    throw readOnly(error);
  } finally {
    await followed.stop();
  }
}

/**
 * The rows of a result as lines, as readings have them. While one piece is worked on, the next one is fetched. Ends only
 * when as many rows came as the warehouse counts.
 */
export function linesOf(followed: Followed, vendor: string): AsyncIterable<Uint8Array> {
  const lines = encoded(followed, vendor);
  const next = async (): Promise<Uint8Array | undefined> => {
    try {
      return (await lines.next()).value;
    } catch (error) {
      throw readOnly(error);
    }
  };
  return piecesOf(next, () => followed.stop());
}

/** So many rows go into one buffer. */
const rowsPerBuffer = 1000;

async function* encoded(followed: Followed, vendor: string): AsyncGenerator<Uint8Array, undefined> {
  const result = await followed.result;
  let seen = 0;
  for await (const piece of oneAhead(result.pieces(followed.signal))) {
    const rows = provenPiece(piece, result, vendor);
    seen += rows.length;
    for (let at = 0; at < rows.length; at += rowsPerBuffer) {
      yield Buffer.from(
        rows
          .slice(at, at + rowsPerBuffer)
          .map(lineText)
          .join(''),
      );
    }
  }
  proveCount(result, seen, vendor);
  return undefined;
}

async function* oneAhead<T>(pieces: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = pieces[Symbol.asyncIterator]();
  let ahead = iterator.next();
  for (;;) {
    const step = await ahead;
    if (step.done === true) {
      return;
    }
    ahead = iterator.next();
    // Its failure is told when its turn comes.
    ahead.catch(() => undefined);
    yield step.value;
  }
}

function provenPiece(rows: Rows, { columns }: Result, vendor: string): Rows {
  if (rows.some((row) => row.length !== columns.length)) {
    throw shortOf(vendor, `a row that has not as many values as there are columns (${columns.length})`);
  }
  return rows;
}

function proveCount({ rowCount }: Result, seen: number, vendor: string): void {
  if (seen !== rowCount) {
    const count = (rows: number): string => rows.toLocaleString('en');
    throw shortOf(vendor, `${count(seen)} rows of a result that has ${count(rowCount)}`);
  }
}

/** A result that did not come whole: rows that are missing would be taken for removed. `what` came instead. */
export function shortOf(vendor: string, what: string): ActivateError {
  return new ActivateError('UNAVAILABLE', `${vendor} sent ${what}. Nothing was taken from it.`, {
    fix: 'It is tried again by itself.',
  });
}

/** The body of an answer, which may have broken off. */
export function bodyOf<T>(answer: HttpAnswer, vendor: string): T {
  try {
    return answer.json() as T;
  } catch {
    throw shortOf(vendor, 'an answer that breaks off');
  }
}

/** Who only reads need not know what became of it there: it can be asked for again. */
function readOnly(error: unknown): unknown {
  return error instanceof ActivateError && error.code === 'OUTCOME_UNKNOWN'
    ? new ActivateError('UNAVAILABLE', error.message, {
        fix: 'It is tried again by itself.',
        cause: error.cause,
      })
    : error;
}

function canceled(reason: unknown): ActivateError {
  return new ActivateError('CANCELED', 'The query was canceled.', { cause: reason });
}

/** The statement took longer than it may. `waitsFor` is a sentence about what it waited for, or empty. */
export function timedOut(vendor: string, timeoutMs: number, waitsFor = ''): ActivateError {
  const fix =
    waitsFor === ''
      ? 'Make it faster (fewer rows, fewer columns, a larger warehouse), or raise the limit.'
      : 'Try again in a few minutes.';
  return new ActivateError(
    'SQL_TIMEOUT',
    `${vendor} was told to stop the query after ${secondsOf(timeoutMs)}. ${waitsFor}`.trim(),
    { fix },
  );
}
