import { z } from 'zod';
import type { Outcome, Value } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer, saying, theirWords } from '../../engine/contracts/http.ts';
import { jsonAs } from '../shared/json.ts';

/** An object of a request to `/users/track`, and the list of the request that it belongs to. */
export interface Tracked {
  readonly list: 'attributes' | 'events' | 'purchases';
  readonly sent: Readonly<Record<string, Value>>;
}

const report = z.object({ message: z.string(), errors: z.array(z.unknown()).nullish() });
type Report = z.output<typeof report>;
const rowError = z.object({ type: z.string(), input_array: z.string(), index: z.number() });

/** The place of an object among all of a request, by its list and its place in that. */
type PlaceOf = (list: string, index: number) => number | undefined;

/**
 * Braze says one of three things: it took the request; it took it but for those that it names by their place in a list;
 * it took nothing of it, whatever the status.
 */
export function outcomesOf(
  answer: HttpAnswer,
  all: readonly Tracked[],
  placeOf: PlaceOf,
  now: Date,
): readonly Outcome[] {
  const said = reportIn(answer, all, now);
  const { reasons, unplaced } = reasonsIn(said, all, placeOf);
  const taken = answer.ok && ['success', 'queued'].includes(said.message);
  if (!taken && reasons.size === 0) {
    throw errorIn({ ...answer, status: 400 }, all, now);
  }
  const rest: Outcome = !taken ? untouched : unplaced ? unclear : { state: 'ok' };
  return all.map((_, at) => {
    const reason = reasons.get(at);
    return reason === undefined
      ? rest
      : { state: 'rejected', reason: `Braze refuses this. It says: ${reason}` };
  });
}

const untouched: Outcome = { state: 'retry', reason: 'Braze refused the request for other rows in it.' };
const unclear: Outcome = {
  state: 'unknown',
  reason: 'Braze refused rows of the request without naming them.',
};

function reportIn(answer: HttpAnswer, all: readonly Tracked[], now: Date): Report {
  const { ok, status } = answer;
  const said = ok
    ? report.safeParse(answer.json()).data
    : status === 400
      ? jsonAs(answer.text, report)
      : undefined;
  if (said !== undefined) {
    return said;
  }
  throw ok
    ? new ActivateError('OUTCOME_UNKNOWN', 'Braze does not say what it took.')
    : errorIn(answer, all, now);
}

/** Why objects were refused, by their place among all; and whether some were that can't be told from the others. */
function reasonsIn(
  { errors }: Report,
  all: readonly Tracked[],
  placeOf: PlaceOf,
): { readonly reasons: ReadonlyMap<number, string>; readonly unplaced: boolean } {
  const reasons = new Map<number, string>();
  let unplaced = false;
  for (const error of errors ?? []) {
    const { data } = rowError.safeParse(error);
    const place = data === undefined ? undefined : placeOf(data.input_array, data.index);
    if (data === undefined || place === undefined) {
      unplaced = true;
    } else {
      reasons.set(place, theirWords(data.type, all[place]?.sent));
    }
  }
  return { reasons, unplaced };
}

// Errors -------------------------------------------------------------------------------------------------------------

/** `sent`: what rows had to do with the request, any of which may be why it is refused. */
export function errorIn(answer: HttpAnswer, sent: unknown, now: Date): ActivateError {
  const { status } = answer;
  const words = theirWords(jsonAs(answer.text, z.object({ message: z.string() }))?.message ?? '', sent);
  const says = saying(words);
  // An unknown key is 404 as well, and so is every key at another instance.
  if (status === 401 || status === 404) {
    return new ActivateError('AUTH_REJECTED', `Braze does not accept the key at this endpoint.${says}`, {
      fix: 'See that the key belongs to this REST endpoint and has the permissions that the set-up guide names, and connect again: /activate connect.',
    });
  }
  if (sent !== undefined && (status === 400 || status === 413)) {
    return new ActivateError('ROW_REJECTED', `Braze refuses this.${says}`);
  }
  return errorOf({ ...answer, retryAfterMs: waitIn(answer, now) }, 'Braze', words);
}

/** In headers of Braze's own: seconds, or the end of the hour, which is given as seconds to go or since 1970. */
function waitIn({ headers, retryAfterMs }: HttpAnswer, now: Date): number | undefined {
  const secondsIn = (name: string): number | undefined => {
    const text = headers[name] ?? '';
    return /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : undefined;
  };
  const after = secondsIn('x-ratelimit-retry-after');
  const reset = secondsIn('x-ratelimit-reset');
  if (after !== undefined || reset === undefined) {
    return after === undefined ? retryAfterMs : after * 1000;
  }
  return reset > 1e9 ? Math.max(0, reset * 1000 - now.getTime()) : reset * 1000;
}
