import { z } from 'zod';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer, theirWords } from '../../engine/contracts/http.ts';
import { jsonAs } from '../shared/json.ts';

const detailShape = z.object({
  detail: z.string().catch(''),
  'o:errorCode': z.string().catch(''),
  'o:errorPath': z.string().catch(''),
});
const problemShape = z.object({
  title: z.string().catch(''),
  'o:errorCode': z.string().catch(''),
  'o:errorDetails': z.array(detailShape).catch([]),
});

/** What NetSuite says about a request that it does not take. */
export interface Problem {
  readonly codes: readonly string[];
  readonly says: string;
  /** The field at fault, as far as it is named. */
  readonly field: string | undefined;
}

/** Nothing in it is promised to be there. */
export function problemIn({ text }: HttpAnswer): Problem {
  const problem = jsonAs(text, problemShape) ?? problemShape.parse({});
  const details = problem['o:errorDetails'];
  const [first] = details;
  // `$.email`, or `item.items[0].quantity`: the field of the record is what comes first.
  const [, field] = /^\$?\.?([A-Za-z]\w{0,100})/.exec(first?.['o:errorPath'] ?? '') ?? [];
  return {
    codes: [problem['o:errorCode'], ...details.map((one) => one['o:errorCode'])].filter(
      (code) => code !== '',
    ),
    says: details.length === 0 ? problem.title : details.map(({ detail }) => detail).join(' '),
    field,
  };
}

/** The limit is on requests at the same time, and shared with all that connects to the account. */
const busy = new Set([
  'CONCURRENCY_LIMIT_EXCEEDED',
  'SSS_REQUEST_LIMIT_EXCEEDED',
  'WS_CONCUR_SESSION_DISALLWD',
  'WS_REQUEST_BLOCKED',
]);

function isBusy(answer: HttpAnswer): boolean {
  return answer.status === 429 || problemIn(answer).codes.some((code) => busy.has(code));
}

/** Somebody else has changed the record in the same moment. */
export function isChanged(answer: HttpAnswer): boolean {
  return answer.status === 409 || problemIn(answer).codes.includes('RCRD_HAS_BEEN_CHANGED');
}

/** There is no such record, which is something else than no such place. */
export function isMissing(answer: HttpAnswer): boolean {
  return answer.status === 404 && problemIn(answer).codes.includes('NONEXISTENT_ID');
}

/** A record like this is there already. */
export function isTaken(answer: HttpAnswer): boolean {
  const { codes, says } = problemIn(answer);
  return codes.some((code) => /^DUP_|^UNIQUE_/.test(code)) || /already exists/i.test(says);
}

/** Whether it is the record that NetSuite minds, and not the request as such. */
export function isAboutRow(answer: HttpAnswer): boolean {
  return /^4(?:00|04|09|12|13|22)$/.test(String(answer.status)) && !isBusy(answer) && !isNoPlace(answer);
}

function isNoPlace(answer: HttpAnswer): boolean {
  return answer.status === 404 && !isMissing(answer);
}

/** What an answer that is not 2xx means. `sent`: values that are in the request, any of which it may quote. */
export function failureOf(answer: HttpAnswer, sent: unknown): ActivateError {
  const says = theirWords(problemIn(answer).says, sent);
  if (isBusy(answer)) {
    return new ActivateError(
      'RATE_LIMITED',
      'NetSuite has as many requests under way as the account may have.',
      {
        ...(answer.retryAfterMs === undefined ? {} : { retryAfterMs: answer.retryAfterMs }),
      },
    );
  }
  if (answer.status === 405) {
    return new ActivateError(
      'CONFIG_INVALID',
      `NetSuite has no such thing for this kind of record. ${says}`.trim(),
      {
        fix: 'Choose another mode, or another kind of record.',
      },
    );
  }
  return errorOf(answer, 'NetSuite', says);
}

/** What is wrong with one record, as people may read it. */
export function refusalIn(
  answer: HttpAnswer,
  sent: unknown,
): { readonly reason: string; readonly field?: string } {
  const { codes, says, field } = problemIn(answer);
  const code = codes.find((one) => /^\w{1,60}$/.test(one));
  return {
    reason: `NetSuite refuses this record${code === undefined ? '' : ` (${code})`}. It says: ${theirWords(says, sent)}`,
    ...(field === undefined ? {} : { field }),
  };
}
