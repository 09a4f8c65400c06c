/** So many of a process's connections, at most, are kept while something else is done with the others. */
const atOnce = 4;

interface Turns {
  free: number;
  readonly waiting: (() => void)[];
}

const all = new WeakMap<object, Turns>();

/**
 * Does work that keeps one connection of a pool while it needs others: a few at a time, the rest waits for its turn. All
 * at once could keep every connection there is, each waiting for one more.
 */
export async function takingTurns<T>(pool: object, work: () => Promise<T>): Promise<T> {
  const turns = all.get(pool) ?? { free: atOnce, waiting: [] };
  all.set(pool, turns);
  if (turns.free > 0) {
    turns.free -= 1;
  } else {
    await new Promise<void>((resolve) => turns.waiting.push(resolve));
  }
  try {
    return await work();
  } finally {
    const next = turns.waiting.shift();
    if (next === undefined) {
      turns.free += 1;
    } else {
      next();
    }
  }
}
