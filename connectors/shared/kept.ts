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

/** Kinds of records, by name, and the like. */
export interface Seen<T> {
  /** As it is now. */
  fresh(name: string, signal?: AbortSignal): Promise<T>;
  /** As it was when last looked at. */
  known(name: string, signal?: AbortSignal): Promise<T>;
}

/** Keeps what was last seen for as long as the connection is open: the engine looks afresh when a run begins. */
export function keptAsSeen<T>(read: (name: string, signal?: AbortSignal) => Promise<T>): Seen<T> {
  const kept = new Map<string, T>();
  const fresh: Seen<T>['fresh'] = async (name, signal) => {
    const value = await read(name, signal);
    kept.set(name, value);
    return value;
  };
  return { fresh, known: async (name, signal) => kept.get(name) ?? fresh(name, signal) };
}
