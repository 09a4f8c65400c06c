import type { KeyOrder } from '../contracts/source.ts';
import {
  chunkSize,
  countLines,
  fieldStarts,
  lineStarts,
  type NewSnapshotChunk,
  type PlanEntry,
  packLines,
  rowOf,
} from './chunks.ts';
import { doubtfulLine, isDoubtful, possibleLines } from './doubt.ts';
import { compareKeys, unknownField } from './keys.ts';

/** Lines in key order with changes in key order worked in. */
export function applyEntries(
  lines: Buffer,
  entries: readonly PlanEntry[],
  orders: readonly KeyOrder[],
): Buffer {
  const parts: Uint8Array[] = [];
  let kept = 0;
  for (const entry of entries) {
    const row = rowOf(entry);
    const place = placeOf(row, lines, kept, orders);
    parts.push(lines.subarray(kept, place));
    // What was there under this key goes; what is there now comes.
    const isThere = place < lines.length && compareKeys(lines, place, row, 0, orders) === 0;
    kept = isThere ? lines.indexOf(0x0a, place) + 1 : place;
    if (entry.line !== undefined) {
      parts.push(entry.line);
    }
  }
  parts.push(lines.subarray(kept));
  return Buffer.concat(parts);
}

/**
 * Where among lines the first begins, from the line at `from` on, whose key is not before that of `row`: looks near at
 * first, then in steps that double, and halves what lies between.
 */
function placeOf(row: Uint8Array, lines: Buffer, from: number, orders: readonly KeyOrder[]): number {
  const isBefore = (at: number): boolean => compareKeys(lines, at, row, 0, orders) < 0;
  let low = from;
  let high = from;
  for (let step = 1; high < lines.length && isBefore(high); step *= 2) {
    low = lines.indexOf(0x0a, high) + 1;
    high = startOfLine(lines, Math.min(low + step * 64, lines.length));
  }
  while (low < high) {
    const middle = startOfLine(lines, (low + high) >>> 1);
    if (isBefore(middle)) {
      low = lines.indexOf(0x0a, middle) + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/** Where the line begins that a place is in; the end of all is a place of its own. */
function startOfLine(lines: Buffer, at: number): number {
  return at === 0 ? 0 : lines.lastIndexOf(0x0a, at - 1) + 1;
}

/** Cuts lines into chunks of about equal size, none over the limits unless one row is. */
export function cutChunks(lines: Buffer, orders: readonly KeyOrder[]): readonly NewSnapshotChunk[] {
  const rows = countLines(lines);
  const pieces = Math.max(Math.ceil(rows / chunkSize.rows), Math.ceil(lines.length / chunkSize.bytes));
  const perPiece = Math.ceil(rows / pieces);
  const chunks: NewSnapshotChunk[] = [];
  let from = 0;
  let held = 0;
  const close = (to: number): void => {
    if (held > 0) {
      chunks.push(packLines(lines.subarray(from, to), held, orders));
    }
    from = to;
    held = 0;
  };
  for (let at = 0; at < lines.length; held += 1) {
    const end = lines.indexOf(0x0a, at) + 1;
    if (held >= perPiece || end - from > chunkSize.bytes) {
      close(at);
    }
    at = end;
  }
  close(lines.length);
  return chunks;
}

/** Lines laid out by other columns: by name, and `unknownField` where a column is new. */
export function remapLines(lines: Buffer, from: readonly string[], to: readonly string[]): Buffer {
  const positions = to.map((name) => from.indexOf(name));
  const parts: Uint8Array[] = [];
  const starts = lineStarts(lines);
  for (let n = 0; n + 1 < starts.length; n += 1) {
    const line = lines.subarray(starts[n], starts[n + 1]);
    parts.push(
      ...(isDoubtful(line)
        ? [doubtfulLine(possibleLines(line, from.length).map((one) => remapped(one, from.length, positions)))]
        : fieldsAt(line, from.length, positions)),
    );
  }
  return Buffer.concat(parts);
}

function remapped(line: Buffer, width: number, positions: readonly number[]): Buffer {
  return Buffer.concat(fieldsAt(line, width, positions));
}

const unknown = Buffer.from(unknownField);
const tab = Buffer.from('\t');
const newline = Buffer.from('\n');

function fieldsAt(line: Buffer, width: number, positions: readonly number[]): readonly Uint8Array[] {
  const fields = fieldStarts(line, width);
  return positions.flatMap((position, i) => [
    position === -1 ? unknown : line.subarray(fields[position], (fields[position + 1] as number) - 1),
    i === positions.length - 1 ? newline : tab,
  ]);
}
