import { z } from 'zod';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer, saying, theirWords } from '../../engine/contracts/http.ts';
import { jsonAs } from '../shared/json.ts';

const body = z.object({ errors: z.array(z.object({ message: z.string() })) });

/** What an answer that is not 2xx means. `sent` is what was to be written: a refusal is about it, and does not repeat it. */
export function refusalOf(answer: HttpAnswer, sent: unknown): ActivateError {
  const says = theirWords(saidIn(answer), sent);
  const words = saying(says);
  switch (answer.status) {
    case 400:
      return sent === null || sent === undefined
        ? errorOf(answer, 'Asana', says)
        : new ActivateError('ROW_REJECTED', `Asana refuses this task.${words}`);
    case 402:
      return new ActivateError('PERMISSION_DENIED', `Asana has this for paid plans only.${words}`, {
        fix: 'Leave out what the plan does not have, custom fields perhaps, or upgrade it.',
      });
    case 451:
      return new ActivateError('PERMISSION_DENIED', `Asana may not do this for legal reasons.${words}`, {
        fix: 'Ask the support of Asana.',
      });
    default:
      return errorOf(answer, 'Asana', says);
  }
}

/** What the token's place answers when it gives none. */
export function signInRefusal(answer: HttpAnswer): ActivateError {
  return answer.status >= 400 && answer.status < 500 && answer.status !== 429
    ? new ActivateError('AUTH_REJECTED', `Asana does not let the app in (status ${answer.status}).`, {
        fix: 'Compare its client ID and secret, and make a new refresh token: /activate connect.',
      })
    : errorOf(answer, 'Asana');
}

function saidIn({ text }: HttpAnswer): string {
  const { errors } = jsonAs(text, body) ?? { errors: [] };
  return errors.map(({ message }) => message).join(' ');
}
