const FOUND_MS = 60 * 60_000;
const MISSED_MS = 5 * 60_000;
const MOST = 50_000;

export type Memory<T> = (key: string, find: () => Promise<T | undefined>) => Promise<T | undefined>;

/** Remembers what was found for an hour and what wasn't for five minutes; those who ask at once share one answer. */
export function createMemory<T>(now: () => Date): Memory<T> {
  const entries = new Map<string, { readonly answer: Promise<T | undefined>; until: number }>();
  return (key, find) => {
    const entry = entries.get(key);
    if (entry !== undefined && entry.until > now().getTime()) {
      return entry.answer;
    }
    if (entries.size > MOST) {
      entries.clear();
    }
    const fresh = { answer: find(), until: Number.POSITIVE_INFINITY };
    entries.set(key, fresh);
    fresh.answer.then(
      (found) => {
        fresh.until = now().getTime() + (found === undefined ? MISSED_MS : FOUND_MS);
      },
      () => entries.delete(key),
    );
    return fresh.answer;
  };
}
