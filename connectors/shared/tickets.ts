import type { Call } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { type Patience, untilKnown } from './wait.ts';

/** A ticket whose job has told all that it can: what the job did not do needs another one. */
export const spent = 'spent';

/** What an earlier attempt kept of its job; undefined when there was none, or it is spent. */
export function openTicket({ ticket }: Pick<Call, 'ticket'>): string | undefined {
  return ticket === spent ? undefined : ticket;
}

/**
 * Waits until a job has ended, for hours if need be: it goes on by itself, whatever becomes of us. `ask` answers with its
 * end; undefined while it goes on, `lost` when the far side does not know it any more. Throws OUTCOME_UNKNOWN, with its
 * ticket spent, when it is lost, and when it takes longer than anybody waits: with the sentences for these.
 */
export async function endOfJob<T>(
  { keep, signal }: Pick<Call, 'keep' | 'signal'>,
  ask: (waitedMs: number) => Promise<T | 'lost' | undefined>,
  patience: Omit<Patience, 'signal'>,
  sentences: { readonly lost: string; readonly late: string },
): Promise<T> {
  const end = await untilKnown(ask, { ...patience, signal });
  if (end === undefined || end === 'lost') {
    await keep(spent);
    throw new ActivateError('OUTCOME_UNKNOWN', end === 'lost' ? sentences.lost : sentences.late);
  }
  return end;
}
