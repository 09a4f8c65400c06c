import type { KeyOrder } from '../contracts/source.ts';
import { remapLines } from '../planner/apply.ts';
import { chunkSize, headOf, type SnapshotChunk } from '../planner/chunks.ts';
import { compareKeys } from '../planner/keys.ts';

const backslash = 0x5c;
const newline = 0x0a;

/** What stands behind a backslash, as the byte it means; all others mean themselves. */
const meant = new Uint8Array(256).map((_, byte) => byte);
for (const [letter, byte] of Object.entries({ b: 8, f: 12, n: 10, r: 13, t: 9, v: 11 })) {
  meant[letter.charCodeAt(0)] = byte;
}

/** Lines that stood in one column of a table, as a reading gives them: with their own signs written twice over. */
export async function* unwrapped(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let pending = false;
  for await (const piece of pieces) {
    const out = Buffer.allocUnsafe(piece.length);
    let used = 0;
    for (const byte of piece) {
      if (pending) {
        out[used] = meant[byte] as number;
        used += 1;
        pending = false;
      } else if (byte === backslash) {
        pending = true;
      } else {
        out[used] = byte;
        used += 1;
      }
    }
    yield out.subarray(0, used);
  }
}

/** Lines laid out by other columns. */
export async function* relaid(
  pieces: AsyncIterable<Buffer>,
  from: readonly string[],
  to: readonly string[],
): AsyncGenerator<Buffer> {
  for await (const lines of wholeLines(pieces)) {
    yield remapLines(lines, from, to);
  }
}

/** The same bytes, cut behind newlines. */
async function* wholeLines(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  for await (const piece of pieces) {
    const all = held.length === 0 ? piece : Buffer.concat([held, piece]);
    const end = all.lastIndexOf(newline) + 1;
    if (end > 0) {
      yield all.subarray(0, end);
    }
    held = all.subarray(end);
  }
  if (held.length > 0) {
    yield held;
  }
}

/**
 * Lines in key order as the planner takes what was told so far. A key that comes twice, because two rows of the model
 * have it, was told once. `count` hears how many lines there are.
 */
export async function* chunksOf(
  pieces: AsyncIterable<Buffer>,
  orders: readonly KeyOrder[],
  count: (lines: number) => void,
): AsyncGenerator<SnapshotChunk> {
  let held: Buffer[] = [];
  let bytes = 0;
  const chunk = (): SnapshotChunk => {
    const lines = Buffer.concat(held);
    const made = { ...headOf(lines, held.length, orders), lines: async () => lines };
    count(held.length);
    held = [];
    bytes = 0;
    return made;
  };
  let before: Buffer | undefined;
  for await (const line of singleLines(pieces)) {
    if (before !== undefined && compareKeys(before, 0, line, 0, orders) === 0) {
      continue;
    }
    if (held.length === chunkSize.rows || (held.length > 0 && bytes + line.length > chunkSize.bytes)) {
      yield chunk();
    }
    held.push(line);
    bytes += line.length;
    before = line;
  }
  if (held.length > 0) {
    yield chunk();
  }
}

async function* singleLines(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const lines of wholeLines(pieces)) {
    for (let at = 0; at < lines.length; ) {
      const end = lines.indexOf(newline, at) + 1;
      yield lines.subarray(at, end);
      at = end;
    }
  }
}
