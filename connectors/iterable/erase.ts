import type { Outcome } from '../../engine/contracts/destination.ts';
import { type ActivateError, asActivateError } from '../../engine/contracts/errors.ts';
import type { Client } from './client.ts';
import type { Who } from './config.ts';

/** Users go one by one, as there is no other way. What was done before something came in between stays done. */
export async function erase(
  client: Client,
  users: readonly Who[],
  signal: AbortSignal,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const who of users) {
    const error = await client.erase(who, signal).then(() => undefined, asError(signal));
    if (error === undefined) {
      outcomes.push({ state: 'ok' });
    } else if (error.code === 'ROW_REJECTED') {
      outcomes.push({ state: 'rejected', reason: error.message });
    } else if (outcomes.length === 0 || error.retry === 'never') {
      throw error;
    } else {
      const left = notYet(error);
      return users.map((_, at) => outcomes[at] ?? left);
    }
  }
  return outcomes;
}

const asError =
  (signal: AbortSignal) =>
  (thrown: unknown): ActivateError => {
    signal.throwIfAborted();
    return asActivateError(thrown);
  };

function notYet({ message: reason, retryAfterMs: afterMs }: ActivateError): Outcome {
  return { state: 'retry', reason, ...(afterMs === undefined ? {} : { afterMs }) };
}
