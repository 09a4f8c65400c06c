import type { Action, Card } from '../engine/contracts/card.ts';
import type { Reply } from '../engine/contracts/chat.ts';
import { type ActivateError, ERRORS, type ErrorCode } from '../engine/contracts/errors.ts';
import type { Invocation } from '../engine/contracts/refs.ts';

/** A card that says what went wrong and what to do now; only its caller sees it. */
export function trouble(
  title: string,
  sentence: string,
  fix: string | undefined,
  next: readonly Action[],
): Reply {
  const card: Card = {
    title,
    tone: 'bad',
    blocks: [
      { type: 'text', text: [sentence] },
      ...(fix === undefined ? [] : [{ type: 'text', text: [fix] } as const]),
      ...(next.length === 0 ? [] : [{ type: 'actions', actions: next } as const]),
    ],
    fallback: fix === undefined ? sentence : `${sentence} ${fix}`,
  };
  return { kind: 'card', card, to: 'caller' };
}

/** What was asked for is not done yet, and not refused: somebody has to agree first. */
export function waitingReply({ message, fix }: ActivateError): Reply {
  const card: Card = {
    title: 'Waits for approval',
    tone: 'warning',
    blocks: [
      { type: 'text', text: [message] },
      ...(fix === undefined ? [] : [{ type: 'context', text: [fix] } as const]),
      {
        type: 'actions',
        actions: [approvals],
      },
    ],
    fallback: message,
  };
  return { kind: 'card', card, to: 'caller' };
}

/** What a person is shown of an error: its own words, or an apology with a reference into the log. */
export function errorReply(error: ActivateError, again: Invocation, reference: string): Reply {
  const retry: Action = { type: 'button', label: 'Try again', run: again };
  if (error.code === 'BUG') {
    return trouble(
      'That is our mistake',
      `Something went wrong inside Activate (reference ${reference}). Nothing was changed.`,
      'Try again; if it happens again, show this reference to whoever runs Activate.',
      [retry],
    );
  }
  const worthIt = ERRORS[error.code].retry !== 'never';
  const { title, next } = saidOf[error.code] ?? { title: 'That did not work', next: [] };
  return trouble(title, error.message, error.fix, worthIt ? [retry] : next);
}

const approvals: Action = { type: 'button', label: 'Approvals', run: { command: 'approvals', input: {} } };

/** What heads the refusals that are nobody's mistake. */
const saidOf: Readonly<
  Partial<Record<ErrorCode, { readonly title: string; readonly next: readonly Action[] }>>
> = {
  NOT_ALLOWED: { title: 'You may not do that', next: [] },
  OUTDATED: { title: 'Too late', next: [approvals] },
};
