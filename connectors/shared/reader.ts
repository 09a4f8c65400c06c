import type { Dialect, Limits } from '../../engine/contracts/source.ts';
import { withoutSemicolon } from '../../engine/contracts/sql.ts';

// What databases have in common that are read over a connection of their own, as long as one reading takes.

/** A statement of ours around a person's query. */
export interface Wrapped {
  readonly before: string;
  readonly sql: string;
  readonly after: string;
}

/** The person's query, and how many characters of ours stood before it in the text that was sent. */
export interface Within {
  readonly sql: string;
  readonly at: number;
}

/** The text that is sent, and where the person's query is in it. */
export function written(
  wrapped: string | Wrapped,
  dialect: Dialect,
): { readonly text: string; readonly query?: Within } {
  if (typeof wrapped === 'string') {
    return { text: wrapped };
  }
  const sql = withoutSemicolon(wrapped.sql, dialect);
  // Lines of their own: a query may end in a `--` comment.
  const before = `${wrapped.before}\n`;
  return { text: `${before}${sql}\n${wrapped.after}`, query: { sql, at: [...before].length } };
}

/** Something that is ended in any case. */
interface Ending {
  end(): Promise<void>;
}

/** Works with a reader, and ends it in any case. */
export async function readWith<R extends Ending, T>(reader: R, work: (reader: R) => Promise<T>): Promise<T> {
  try {
    return await work(reader);
  } finally {
    await reader.end();
  }
}

/**
 * The pieces that `next` gives until there is none any more. The reader is ended once: with 'stop' when it is broken off.
 * By hand and not a generator, whose `finally` is skipped when it is broken off before its first step.
 */
export function piecesOf(
  next: () => Promise<Uint8Array | undefined>,
  endIt: (how?: 'stop') => Promise<void>,
): AsyncIterable<Uint8Array> {
  let ended = false;
  const end = async (how?: 'stop'): Promise<void> => {
    if (!ended) {
      ended = true;
      await endIt(how);
    }
  };
  const iterator: AsyncIterator<Uint8Array> = {
    next: async () => {
      if (ended) {
        return { done: true, value: undefined };
      }
      try {
        const piece = await next();
        if (piece !== undefined) {
          return { done: false, value: piece };
        }
      } catch (error) {
        await end();
        throw error;
      }
      await end();
      return { done: true, value: undefined };
    },
    return: async () => {
      await end('stop');
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}

/** In ms. The server keeps the limit; this is for a server that went silent. */
export function silenceAfter({ timeoutMs }: Limits): number {
  return timeoutMs + 5000;
}
