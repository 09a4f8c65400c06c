import { ActivateError, type ErrorCode } from '../../engine/contracts/errors.ts';
import { saying } from '../../engine/contracts/http.ts';

/** What a number or a word of a vendor's errors comes to. */
export interface Meaning {
  readonly code: ErrorCode;
  /** A sentence without its full stop. */
  readonly message: string;
  readonly fix?: string;
}

/**
 * The error for it. `names`: what the vendor's support asks for, as `error 190`; those that are not there are left out.
 * `words`: the vendor's own, without what they may not repeat. `waitMs` is for pauses alone.
 */
export function errorFor(
  { code, message, fix }: Meaning,
  names: readonly (string | number | false | undefined)[],
  words: string,
  waitMs?: number,
): ActivateError {
  const about = names.filter(Boolean).join(', ');
  return new ActivateError(code, `${message} (${about}).${saying(words)}`, {
    ...(fix === undefined ? {} : { fix }),
    ...(code === 'RATE_LIMITED' && waitMs !== undefined ? { retryAfterMs: waitMs } : {}),
  });
}
