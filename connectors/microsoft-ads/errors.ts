import { z } from 'zod';
import type { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer, theirWords } from '../../engine/contracts/http.ts';
import { jsonAs } from '../shared/json.ts';
import { errorFor, type Meaning } from '../shared/meanings.ts';

/** Something that went wrong, by Microsoft's number and name of it. */
export const problem = z.object({
  Code: z.coerce.number(),
  ErrorCode: z.string().nullish(),
  Message: z.string().nullish(),
});
export type Problem = z.output<typeof problem>;

export interface Fault {
  readonly problems: readonly Problem[];
  /** What Microsoft's support asks for. */
  readonly trackingId: string | undefined;
}

const faultShape = z.object({
  Errors: z.array(problem).nullish(),
  OperationErrors: z.array(problem).nullish(),
  TrackingId: z.string().nullish(),
});

/** A fault about the request as a whole, whatever the status of the answer. */
export function faultIn(text: string): Fault | undefined {
  const parsed = jsonAs(text, faultShape);
  const problems = [...(parsed?.Errors ?? []), ...(parsed?.OperationErrors ?? [])];
  return problems.length === 0 ? undefined : { problems, trackingId: parsed?.TrackingId ?? undefined };
}

const notSignedIn = [105, 109];

/** A new token helps: the present one is not known, or has run out. */
export function isOfSignIn(fault: Fault | undefined): boolean {
  return fault?.problems.some(({ Code }) => notSignedIn.includes(Code)) === true;
}

/** Calls of the last minute are counted. */
const throttledMs = 60_000;

/** Numbers that are about the request as a whole and not about who is in it. */
const meanings: Readonly<Record<number, Meaning | undefined>> = {
  0: { code: 'OUTCOME_UNKNOWN', message: 'Microsoft ran into trouble and does not say what was done' },
  105: {
    code: 'AUTH_REJECTED',
    message: 'Microsoft does not accept the sign-in or the developer token',
    fix: 'Compare the developer token, make a new refresh token, and connect again: /activate connect.',
  },
  109: {
    code: 'AUTH_REJECTED',
    message: 'Microsoft does not accept the sign-in',
    fix: 'Make a new refresh token and connect again: /activate connect.',
  },
  106: {
    code: 'PERMISSION_DENIED',
    message: 'Whoever signs in may not use this account',
    fix: 'Compare the account id and the customer id, and give the user a role on the account that may change audiences.',
  },
  117: { code: 'RATE_LIMITED', message: 'Microsoft asks for a pause' },
  8000: {
    code: 'TARGET_GONE',
    message: 'Microsoft does not know this list',
    fix: 'Choose another list for the sync.',
  },
  8003: {
    code: 'PERMISSION_DENIED',
    message: 'The Customer Match terms have not been accepted',
    fix: 'Make a customer list in Microsoft Advertising by hand and accept them there, or let each upload accept them: /activate connect.',
  },
};

/** What a fault, or an answer without one, comes to. */
export function refusalOf(answer: HttpAnswer, fault: Fault | undefined, sent: unknown): ActivateError {
  const first = fault?.problems.find(({ Code }) => meanings[Code] !== undefined) ?? fault?.problems[0];
  const known =
    first === undefined ? undefined : wholeRefusalOf(first, sent, fault?.trackingId, answer.retryAfterMs);
  if (known !== undefined) {
    return known;
  }
  const says = first === undefined ? '' : wordsOf(first, sent);
  return errorOf(answer.ok ? { ...answer, status: 400 } : answer, 'Microsoft', says);
}

/** Undefined for what is about somebody on the list, or of a number that is not known. */
export function wholeRefusalOf(
  found: Problem,
  sent: unknown,
  trackingId?: string,
  waitMs = throttledMs,
): ActivateError | undefined {
  const meaning = meanings[found.Code];
  if (meaning === undefined) {
    return undefined;
  }
  return errorFor(
    meaning,
    [`error ${found.Code}`, trackingId && `tracking id ${theirWords(trackingId)}`],
    wordsOf(found, sent),
    waitMs,
  );
}

/** Its name of the problem and its sentence, which may quote whom it is about. */
export function wordsOf({ Code, ErrorCode, Message }: Problem, sent: unknown): string {
  return theirWords(`${ErrorCode ?? Code}: ${Message ?? ''}`.replace(/: $/, ''), sent);
}
