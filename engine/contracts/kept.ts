export interface Kept<T> {
  fresh(name: string, signal: AbortSignal): Promise<T>;
  kept(name: string, signal: AbortSignal): Promise<T>;
}

const mostEntries = 1000;

/** Reads again after a minute: often enough for whoever changes something there, and not once for each item. */
export function keptForAMinute<T>(
  now: () => Date,
  read: (name: string, signal: AbortSignal) => Promise<T>,
): Kept<T> {
  const entries = new Map<string, { readonly until: number; readonly value: T }>();
  const fresh = async (name: string, signal: AbortSignal): Promise<T> => {
    const value = await read(name, signal);
    if (entries.size >= mostEntries) {
      entries.clear();
    }
    entries.set(name, { until: now().getTime() + 60_000, value });
    return value;
  };
  return {
    fresh,
    kept: async (name, signal) => {
      const entry = entries.get(name);
      return entry !== undefined && entry.until > now().getTime() ? entry.value : fresh(name, signal);
    },
  };
}
