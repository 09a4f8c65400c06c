import type { Outcome } from '../../engine/contracts/destination.ts';

/**
 * Sends what is not to be refused beforehand; the outcomes are in the order of all items. `send` answers for each of the
 * good ones, in their order, and is not called when there are none.
 */
export async function sendGood<T>(
  items: readonly T[],
  refusal: (item: T) => Outcome | undefined,
  send: (good: readonly T[]) => Promise<readonly Outcome[]>,
): Promise<readonly Outcome[]> {
  const refused = items.map(refusal);
  const good = items.filter((_, at) => refused[at] === undefined);
  const answers = (good.length === 0 ? [] : await send(good)).values();
  return refused.map((outcome) => outcome ?? (answers.next().value as Outcome));
}
