import { setTimeout as sleep } from 'node:timers/promises';

export interface Patience {
  /** Pauses between one question and the next, in milliseconds; the last of them again and again. */
  readonly pollsMs: readonly [number, ...number[]];
  readonly longestMs: number;
  readonly signal: AbortSignal;
}

/**
 * Asks until there is an answer: how far a job at the far side is, say. Undefined when there was none for as long as it
 * is worth waiting. Throws what asking throws, and the reason of the signal.
 */
export async function untilKnown<T>(
  ask: (waitedMs: number) => Promise<T | undefined>,
  { pollsMs, longestMs, signal }: Patience,
): Promise<T | undefined> {
  let waitedMs = 0;
  for (let asked = 0; waitedMs < longestMs; asked += 1) {
    const answer = await ask(waitedMs);
    if (answer !== undefined) {
      return answer;
    }
    const pauseMs = pollsMs[Math.min(asked, pollsMs.length - 1)] ?? pollsMs[0];
    await sleep(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    waitedMs += pauseMs;
  }
  return undefined;
}
