import { type Failure, isOfServer } from './errors.ts';
import type { Given, Link } from './session.ts';
import { type Change, stagingOf } from './statements.ts';
import { isOfRow, placeIn, tooLarge } from './write-errors.ts';

export interface Staged {
  /** As it is called in statements: from 1, in the order of the batch. */
  readonly n: number;
  readonly values: readonly Given[];
}

/** Statements of few sizes, that the server need not read anew each time; no more values than one takes (65,535). */
const sizes = [500, 100, 20, 5, 1];
const mostValues = 60_000;
const mostBytes = 4_000_000;

/**
 * Puts rows where the table can take them from. Types are those of the table, so that what does not fit is refused here,
 * and mostly with the number of its row: `refuse` hears of those, and they are left out.
 */
export async function stage(
  link: Link,
  change: Change,
  rows: readonly Staged[],
  refuse: (n: number, failure: Failure) => void,
): Promise<void> {
  const fits = (row: Staged): boolean => {
    const fit = bytesOf(row) < link.packetBytes - 10_000;
    if (!fit) {
      refuse(row.n, { message: '', errno: tooLarge });
    }
    return fit;
  };
  const most = Math.min(mostBytes, link.packetBytes / 4);
  for (const piece of piecesOf(rows.filter(fits), change.columns.length + 1, most)) {
    await stagePiece(link, change, piece, refuse);
  }
}

function bytesOf({ values }: Staged): number {
  return values.reduce((sum, value) => sum + (value === null ? 1 : Buffer.byteLength(value) + 9), 0);
}

function* piecesOf(rows: readonly Staged[], columns: number, most: number): Generator<readonly Staged[]> {
  let piece: Staged[] = [];
  let bytes = 0;
  for (const row of rows) {
    const size = bytesOf(row);
    const isFull = (piece.length + 1) * columns > mostValues || bytes + size > most;
    if (piece.length > 0 && isFull) {
      yield piece;
      piece = [];
      bytes = 0;
    }
    piece.push(row);
    bytes += size;
  }
  if (piece.length > 0) {
    yield piece;
  }
}

async function stagePiece(
  link: Link,
  change: Change,
  rows: readonly Staged[],
  refuse: (n: number, failure: Failure) => void,
): Promise<void> {
  for (let left = rows; left.length > 0; ) {
    const size = sizes.find((one) => one <= left.length) ?? 1;
    const some = left.slice(0, size);
    const failure = await tried(link, change, some);
    if (failure === undefined) {
      left = left.slice(size);
      continue;
    }
    // By its number where the server says it; otherwise a smaller piece, down to the one.
    const at = placeIn(failure)?.row ?? (size === 1 ? 1 : undefined);
    const refused = at === undefined ? undefined : some[at - 1];
    if (refused === undefined) {
      const middle = Math.ceil(size / 2);
      await stagePiece(link, change, some.slice(0, middle), refuse);
      await stagePiece(link, change, some.slice(middle), refuse);
      left = left.slice(size);
    } else {
      refuse(refused.n, failure);
      left = left.filter((row) => row !== refused);
    }
  }
}

async function tried(link: Link, change: Change, rows: readonly Staged[]): Promise<Failure | undefined> {
  const values = rows.flatMap(({ n, values: own }): readonly Given[] => [String(n), ...own]);
  try {
    await link.ask(stagingOf(change, rows.length), values);
    return undefined;
  } catch (thrown) {
    if (isOfServer(thrown) && isOfRow(thrown)) {
      return thrown;
    }
    throw thrown;
  }
}
