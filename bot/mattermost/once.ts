import type { Body } from './answer.ts';

/** What was heard is remembered this long: a press comes again when a proxy repeats it. */
const REMEMBERED_MS = 10 * 60_000;

export type Once = (key: string, work: () => Promise<Body>) => Promise<Body>;

/** What comes again gets the very same answer, and nothing is done twice. */
export function createOnce(now: () => Date): Once {
  const before = new Map<string, { readonly at: number; readonly body: Promise<Body> }>();
  return (key, work) => {
    const at = now().getTime();
    for (const [old, entry] of before) {
      if (at - entry.at < REMEMBERED_MS) {
        break;
      }
      before.delete(old);
    }
    const known = before.get(key);
    if (known !== undefined) {
      return known.body;
    }
    const body = work();
    before.set(key, { at, body });
    // A dialog that stays open is submitted again, perhaps just as it was.
    body.then(
      (said) => ('error' in said || 'errors' in said ? before.delete(key) : undefined),
      () => before.delete(key),
    );
    return body;
  };
}

/** What the promise comes to within the time; undefined when it takes longer (it goes on all the same). */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
