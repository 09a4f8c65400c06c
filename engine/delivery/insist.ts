import type { Db } from '../contracts/db.ts';
import { type ActivateError, asActivateError } from '../contracts/errors.ts';
import type { Patience } from '../messages/outbox.ts';
import { pausePace, reservePace } from '../store/paces.ts';

export interface InsistParts {
  readonly db: Db;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly patience: Patience;
  readonly now: () => Date;
  readonly destinationId: number;
  readonly paceMs: number;
  readonly signal: AbortSignal;
}

/**
 * Does one thing at a destination, in its pace, again and again while what keeps it from being done passes by itself.
 * `again` is true once an earlier try may have got through. Throws what does not pass, or not soon.
 */
export async function insist<T>(parts: InsistParts, work: (again: boolean) => Promise<T>): Promise<T> {
  const { db, sleep, patience, now, destinationId, paceMs, signal } = parts;
  const name = `destination:${destinationId}`;
  let again = false;
  for (let made = 1; ; made += 1) {
    signal.throwIfAborted();
    const turn = await reservePace(db, name, paceMs, now());
    if (turn > 0) {
      await sleep(turn, signal);
    }
    try {
      return await work(again);
    } catch (thrown) {
      signal.throwIfAborted();
      const error: ActivateError = asActivateError(thrown);
      const asked = error.retryAfterMs ?? 0;
      if (error.retry === 'never' || made >= patience.attempts || asked > patience.longestWaitMs) {
        throw error;
      }
      again ||= error.retry === 'unknown';
      if (error.code === 'RATE_LIMITED') {
        await pausePace(db, name, new Date(now().getTime() + asked));
      }
      await sleep(
        Math.max(asked, patience.firstWaitMs * 2 ** (made - 1) * (0.75 + Math.random() / 2)),
        signal,
      );
    }
  }
}

/** Works through items, so many at a time. The first error ends it, once what is under way has ended. */
export async function inParallel<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let at = 0;
  let failed = false;
  let trouble: unknown;
  const lane = async (): Promise<void> => {
    while (at < items.length && !failed) {
      const item = items[at] as T;
      at += 1;
      try {
        await work(item);
      } catch (error) {
        trouble ??= error;
        failed = true;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane));
  if (failed) {
    throw trouble;
  }
}
