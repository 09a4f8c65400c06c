import { z } from 'zod';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer, saying, theirWords } from '../../engine/contracts/http.ts';
import { jsonAs, readOr } from '../shared/json.ts';

const body = z.object({
  errorMessages: z.array(z.string()).default([]),
  errors: z.record(z.string(), z.string()).default({}),
});

/**
 * What keeps an answer from being what was asked for; undefined for one that is. `sent` is what was to be written: a
 * refusal is about it and does not repeat it; its `fields` are those that Jira names.
 */
export function refusalOf(answer: HttpAnswer, sent: unknown, now: Date): ActivateError | undefined {
  const stranger = strangerIn(answer);
  if (stranger !== undefined || answer.ok) {
    return stranger;
  }
  const { errorMessages, errors } = jsonAs(answer.text, body) ?? { errorMessages: [], errors: {} };
  const fields = Object.fromEntries(
    Object.entries(errors).map(([name, words]) => [name, theirWords(words, sent)]),
  );
  const says = theirWords([...errorMessages, ...Object.values(errors)].join(' '), sent);
  switch (answer.status) {
    case 400:
    case 413:
      return sent === undefined
        ? errorOf(answer, 'Jira', says)
        : new ActivateError('ROW_REJECTED', `Jira refuses this issue.${saying(says)}`, {
            fields,
          });
    case 429:
      return errorOf({ ...answer, retryAfterMs: waitOf(answer, now) } as HttpAnswer, 'Jira', limitIn(answer));
    default:
      return errorOf(answer, 'Jira', says);
  }
}

/**
 * Jira takes a request with a key that it does not accept for one of a stranger, and answers it: with nothing found, or
 * with a page to log in. Believed, that would mean that no issue is there.
 */
function strangerIn({ headers, status, ok, text }: HttpAnswer): ActivateError | undefined {
  if ((headers['x-authentication-denied-reason'] ?? '').startsWith('CAPTCHA')) {
    return new ActivateError('AUTH_REJECTED', 'Jira wants to see a person after too many failed log-ins.', {
      fix: 'Log in as this user in a browser once, then connect again: /activate connect.',
    });
  }
  const reason = headers['x-seraph-loginreason'] ?? '';
  const page = ok && status !== 204 && text !== '' && (headers['content-type'] ?? '').startsWith('text/html');
  return /AUTHENTICATED_FAILED|AUTHENTICATION_DENIED/.test(reason) || page
    ? new ActivateError('AUTH_REJECTED', 'Jira does not accept the token; it may be over.', {
        fix: 'Make a new one and connect again: /activate connect.',
      })
    : undefined;
}

/** `Retry-After`, or how long it is to the time at which the limit begins anew. */
function waitOf({ headers, retryAfterMs }: HttpAnswer, now: Date): number | undefined {
  const reset = Date.parse(headers['x-ratelimit-reset'] ?? '');
  return retryAfterMs ?? (Number.isNaN(reset) ? undefined : Math.max(0, reset - now.getTime()));
}

function limitIn({ headers }: HttpAnswer): string {
  switch (headers['ratelimit-reason']) {
    case 'jira-burst-based':
      return 'Too many requests of one kind in a second.';
    case 'jira-per-issue-on-write':
      return 'Too many changes to one issue.';
    case 'jira-quota-global-based':
    case 'jira-quota-tenant-based':
      return 'What the hour allows is used up.';
    default:
      return '';
  }
}

export const read = readOr('Jira answers something that Activate does not understand.');
