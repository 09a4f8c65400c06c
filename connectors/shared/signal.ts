/**
 * The same, unless the signal comes first: then it throws the signal's reason, and nobody waits for the work any more. For
 * libraries that know no signal.
 */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) {
    return work;
  }
  // Once nobody waits for it, its failure must not end the process.
  work.catch(() => undefined);
  signal.throwIfAborted();
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** The same, but a wait for the next piece ends when the signal says so. */
export function stoppable<T>(pieces: AsyncIterable<T>, signal: AbortSignal): AsyncIterable<T> {
  const iterator = pieces[Symbol.asyncIterator]();
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => orAborted(iterator.next(), signal),
      return: async () => {
        void iterator.return?.().catch(() => undefined);
        return { done: true, value: undefined };
      },
    }),
  };
}
