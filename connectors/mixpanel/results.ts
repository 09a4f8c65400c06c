import { z } from 'zod';
import type { Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer, theirWords } from '../../engine/contracts/http.ts';
import { jsonAs } from '../shared/json.ts';

/** What an import says of itself, with status 200 or 400. */
const report = z
  .object({
    num_records_imported: z.number().optional(),
    failed_records: z
      .array(z.object({ index: z.number(), field: z.string().nullish(), message: z.string().nullish() }))
      .nullish(),
  })
  .refine(({ num_records_imported: imported, failed_records: failed }) => (imported ?? failed) != null);
type Report = z.output<typeof report>;

/**
 * What became of each event of a request. A refusal is of those that it names, whatever the status: the others are
 * stored, as long as that is what the count of them says.
 */
export function outcomesOf(answer: HttpAnswer, sent: readonly unknown[]): readonly Outcome[] {
  const { num_records_imported: imported = 0, failed_records: failed } = reportIn(answer, sent);
  const refused = new Map((failed ?? []).filter(({ index }) => index in sent).map((one) => [one.index, one]));
  const rest: Outcome =
    imported >= sent.length - refused.size
      ? { state: 'ok' }
      : {
          state: 'unknown',
          reason: 'Mixpanel stored fewer events than it should have, and does not name them.',
        };
  return sent.map((event, at) => {
    const own = refused.get(at);
    if (own === undefined) {
      return rest;
    }
    const field = own.field?.replace(/^properties\./, '');
    return {
      state: 'rejected',
      reason: theirWords(own.message ?? 'Mixpanel does not say why.', event),
      ...(field === undefined ? {} : { field }),
    };
  });
}

/** Throws unless the answer is that of an import which we may do. */
export function mustKnowUs(answer: HttpAnswer): void {
  reportIn(answer, []);
}

function reportIn(answer: HttpAnswer, sent: readonly unknown[]): Report {
  const { ok, status } = answer;
  const said = ok
    ? report.safeParse(answer.json()).data
    : status === 400
      ? jsonAs(answer.text, report)
      : undefined;
  if (said !== undefined) {
    return said;
  }
  if (ok) {
    throw new ActivateError('OUTCOME_UNKNOWN', 'Mixpanel does not say what it stored.');
  }
  throw refusalOf(answer, sent);
}

// Errors -------------------------------------------------------------------------------------------------------------

function refusalOf(answer: HttpAnswer, sent: readonly unknown[]): ActivateError {
  if (answer.status === 401) {
    return new ActivateError(
      'AUTH_REJECTED',
      'Mixpanel does not let this service account import into the project.',
      {
        fix: 'See that it is Owner or Admin of the project, that the id and the data residency of the project are right, and connect again: /activate connect.',
      },
    );
  }
  if (answer.status === 413) {
    return new ActivateError('ROW_REJECTED', 'Mixpanel finds this too large.');
  }
  const words = jsonAs(answer.text, z.object({ error: z.string() }))?.error ?? '';
  return errorOf(answer, 'Mixpanel', theirWords(words, sent));
}
