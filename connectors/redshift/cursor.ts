import { lineText } from '../../engine/contracts/lines.ts';
import type { Limits } from '../../engine/contracts/source.ts';
import type { PgRows } from '../shared/postgres-protocol.ts';
import { piecesOf, type Wrapped } from '../shared/reader.ts';
import { isSingleNode } from './errors.ts';
import { cursorName, type Reader, type Session } from './session.ts';

/** One more than a cluster of a single node gives at a time: it refuses the first part then, before anything has come. */
const first = 1001;
const mostOfSingleNode = 1000;
const most = 10_000;
/** Of one part, so that wide rows take no more memory than narrow ones. */
const wantedBytes = 8_000_000;

/**
 * The rows of a query as lines, by a cursor: Redshift has no COPY to the client, and a plain query would come all at
 * once. It begins at once, and the next part is on its way while one is worked on. The reader is ended with it.
 */
export async function linesOf(
  session: Session,
  begun: Reader,
  text: Wrapped,
  limits: Limits,
): Promise<AsyncIterable<Uint8Array>> {
  let reader = begun;
  let size = first;
  let atMost = most;
  const declare = (): Promise<PgRows> =>
    reader.ask({ ...text, before: `DECLARE ${cursorName} CURSOR FOR ${text.before}` });
  const fetched = (): Promise<PgRows['rows']> => {
    const rows = reader.fetch(size, text);
    // Whoever takes it hears of its failure; before that, it must not end the process.
    rows.catch(() => undefined);
    return rows;
  };
  const restarted = async (error: unknown): Promise<PgRows['rows']> => {
    if (size !== first || !isSingleNode(error)) {
      throw error;
    }
    atMost = mostOfSingleNode;
    size = atMost;
    await reader.end();
    reader = await session.begin(limits);
    await declare();
    return fetched();
  };
  await declare();
  let coming = fetched();
  const next = async (): Promise<Uint8Array | undefined> => {
    const rows = await coming.catch(restarted);
    // Only a part without rows is the end of all: no word says that a smaller one is the last.
    if (rows.length === 0) {
      return undefined;
    }
    const lines = Buffer.from(rows.map(lineText).join(''));
    const fitting = Math.max(1, Math.floor((wantedBytes * rows.length) / lines.length));
    size = Math.min(atMost, fitting);
    coming = fetched();
    return lines;
  };
  return piecesOf(next, (how) => reader.end(how));
}
