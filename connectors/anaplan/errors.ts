import { z } from 'zod';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer, theirWords } from '../../engine/contracts/http.ts';
import { jsonAs } from '../shared/json.ts';

const problemShape = z.object({ status: z.object({ message: z.string().catch('') }).catch({ message: '' }) });

/** A model does one thing at a time, and an import may take its time. */
const busyWaitMs = 60_000;

/** What an answer that is not 2xx means. `rows`: values of rows that are in the request. */
export function failureOf(answer: HttpAnswer, rows: unknown): ActivateError {
  const says = theirWords(jsonAs(answer.text, problemShape)?.status.message ?? '', rows);
  switch (answer.status) {
    case 400:
    case 413:
      return rows === undefined
        ? errorOf(answer, 'Anaplan', says)
        : new ActivateError('ROW_REJECTED', `Anaplan refuses this. It says: ${says}`);
    case 404:
      return new ActivateError('NOT_FOUND', 'Anaplan has no such thing, or this user may not see it.', {
        fix: 'Compare the IDs with those in Anaplan, and the rights of the user.',
      });
    case 409:
    case 423:
    case 424:
      return new ActivateError('RATE_LIMITED', 'The model is busy or locked: it does one thing at a time.', {
        retryAfterMs: answer.retryAfterMs ?? busyWaitMs,
      });
    case 422:
      return new ActivateError(
        'CONFIG_INVALID',
        `The model can't be used: it may be archived. ${says}`.trim(),
        {
          fix: 'Open it in Anaplan, or connect to another one.',
        },
      );
    default:
      return errorOf(answer, 'Anaplan', says);
  }
}

export const failuresShape = z
  .array(
    z.object({
      requestIndex: z.number(),
      failureType: z.string().catch(''),
      failureMessageDetails: z.string().catch(''),
    }),
  )
  // It is not there when nothing failed.
  .default([]);
export type Failure = z.output<typeof failuresShape>[number];

/** Why Anaplan did not take a part of a request, as people may read it. */
export function reasonOf({ failureType, failureMessageDetails }: Failure, sent: unknown): string {
  const type = /^[\w -]{1,60}$/.test(failureType) ? ` (${failureType})` : '';
  return `Anaplan refuses this${type}. It says: ${theirWords(failureMessageDetails, sent)}`;
}
