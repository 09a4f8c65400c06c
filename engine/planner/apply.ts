import type { KeyOrder } from '../contracts/source.ts';
import {
  chunkSize,
  fieldStarts,
  lineStarts,
  type NewSnapshotChunk,
  type PlanEntry,
  packLines,
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
  const starts = lineStarts(lines);
  let i = 0;
  let kept = 0;
  for (const entry of entries) {
    const row = entry.line ?? entry.previous ?? lines;
    let order = 1;
    while (i < starts.length - 1) {
      order = compareKeys(lines, starts[i] as number, row, 0, orders);
      if (order >= 0) {
        break;
      }
      i += 1;
    }
    parts.push(lines.subarray(kept, starts[i]));
    // What was there under this key goes; what is there now comes.
    i += order === 0 ? 1 : 0;
    kept = starts[i] as number;
    if (entry.line !== undefined) {
      parts.push(entry.line);
    }
  }
  parts.push(lines.subarray(kept));
  return Buffer.concat(parts);
}

/** Cuts lines into chunks of about equal size, none over the limits unless one row is. */
export function cutChunks(lines: Buffer, orders: readonly KeyOrder[]): readonly NewSnapshotChunk[] {
  const starts = lineStarts(lines);
  const rows = starts.length - 1;
  if (rows === 0) {
    return [];
  }
  const pieces = Math.max(Math.ceil(rows / chunkSize.rows), Math.ceil(lines.length / chunkSize.bytes));
  const perPiece = Math.ceil(rows / pieces);
  const chunks: NewSnapshotChunk[] = [];
  let from = 0;
  for (let to = 1; to <= rows; to += 1) {
    const bytesWithNext = (starts[to + 1] ?? Number.POSITIVE_INFINITY) - (starts[from] as number);
    if (to - from >= perPiece || bytesWithNext > chunkSize.bytes) {
      chunks.push(packLines(lines.subarray(starts[from], starts[to]), to - from, orders));
      from = to;
    }
  }
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
