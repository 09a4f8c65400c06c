import { asActivateError } from '../../engine/contracts/errors.ts';
import type { Log } from '../../engine/contracts/log.ts';
import { refusalOf, UNTRUSTED } from './errors.ts';

const MAX_WAIT_MS = 60_000;

/**
 * Does its work until it succeeds, waiting in between as long as the server asks, or twice as long each time. Throws
 * what somebody has to mend, and whatever was last when the signal fires.
 */
export async function insist<T>(
  work: () => Promise<T>,
  about: { readonly log: Log; readonly signal: AbortSignal; readonly firstWaitMs: number },
): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await work();
    } catch (error) {
      const { code, retry, retryAfterMs, message } = asActivateError(error);
      // Waiting makes no certificate a trusted one.
      if (retry === 'never' || refusalOf(error)?.id === UNTRUSTED || about.signal.aborted) {
        throw error;
      }
      about.log.warn({ code, failures, reason: message }, 'Mattermost does not answer as it should yet');
      const wait = retryAfterMs ?? about.firstWaitMs * 2 ** Math.min(failures - 1, 6);
      await pause(Math.min(MAX_WAIT_MS, wait), about.signal);
    }
  }
}

/** Ends early when the signal fires. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    if (signal.aborted) {
      done();
    }
  });
}
