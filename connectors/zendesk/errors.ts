import { z } from 'zod';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer, saying, theirWords } from '../../engine/contracts/http.ts';
import { jsonAs, readOr } from '../shared/json.ts';

/** `error` is a word (RecordInvalid) or, in older answers, an object with a title and a message. */
const body = z.object({
  error: z.union([z.string(), z.object({ message: z.string().default('') })]).default(''),
  description: z.string().default(''),
  details: z
    .record(z.string(), z.array(z.object({ description: z.string().default('') })))
    .catch({})
    .default({}),
});

/** What an answer that is not 2xx means. `sent` is what was to be written: a refusal is about it, and does not repeat it. */
export function refusalOf(answer: HttpAnswer, sent: unknown): ActivateError {
  const { error, description, details } = jsonAs(answer.text, body) ?? body.parse({});
  if (error === 'IdempotentRequestError') {
    return new ActivateError(
      'OUTCOME_UNKNOWN',
      'Zendesk was asked for this ticket before, with other contents; it has to be looked for.',
    );
  }
  const fields = Object.fromEntries(
    Object.entries(details).map(([name, all]) => [
      name,
      theirWords(all.map((one) => one.description).join(' '), sent),
    ]),
  );
  const words =
    Object.values(fields).join(' ') || description || (typeof error === 'string' ? '' : error.message);
  const says = theirWords(words, sent);
  switch (answer.status) {
    case 409:
      return new ActivateError('UNAVAILABLE', 'Somebody else is changing this ticket at Zendesk just now.', {
        retryAfterMs: answer.retryAfterMs ?? 1000,
      });
    case 400:
    case 413:
    case 422:
      return sent === undefined
        ? errorOf(answer, 'Zendesk', says)
        : new ActivateError('ROW_REJECTED', `Zendesk refuses this ticket.${saying(says)}`, {
            fields,
          });
    default:
      return errorOf(answer, 'Zendesk', says);
  }
}

/** What the place for tokens answers when it gives none. */
export function signInRefusal(answer: HttpAnswer): ActivateError {
  return [400, 401, 403].includes(answer.status)
    ? new ActivateError(
        'AUTH_REJECTED',
        `Zendesk does not let the OAuth client in (status ${answer.status}).`,
        {
          fix: 'Compare its identifier and its secret, and see that its kind is confidential: /activate connect.',
        },
      )
    : errorOf(answer, 'Zendesk');
}

export const read = readOr('Zendesk answers something that Activate does not understand.');
