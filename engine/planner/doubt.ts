import type { PlanEntry } from './chunks.ts';
import { fieldEnd } from './keys.ts';

/**
 * What a destination has of a row is in doubt when a call about it was never answered, or was carried out in part. The
 * snapshot then keeps all that it may have: line after line, each ended by a field `\!`, which no source writes. Such a
 * line equals none of a source's, so that its row is dealt with at the next run, whatever it has become.
 */
const mark = Buffer.from('\t\\!');
const tab = Buffer.from('\t');
const newline = Buffer.from('\n');

/** A line that says that a destination may have any of these of a row. */
export function doubtfulLine(possible: readonly Buffer[]): Buffer {
  const known = possible.filter((line, at) => possible.findIndex((other) => other.equals(line)) === at);
  const parts = known.flatMap((line, at) => [
    ...(at === 0 ? [] : [tab]),
    line.subarray(0, line.length - newline.length),
    mark,
  ]);
  return Buffer.concat([...parts, newline]);
}

export function isDoubtful(line: Uint8Array): boolean {
  const end = line.length - newline.length;
  return line[end - 1] === 0x21 && line[end - 2] === 0x5c && line[end - 3] === 0x09;
}

/** Whether this row was in doubt before. */
export function isInDoubt({ previous }: PlanEntry): boolean {
  return previous !== undefined && isDoubtful(previous);
}

/** All that a destination may have of a row, the newest first; `width` is the number of columns. */
export function possibleLines(line: Buffer, width: number): readonly Buffer[] {
  if (!isDoubtful(line)) {
    return [line];
  }
  const lines: Buffer[] = [];
  for (let start = 0; start < line.length; ) {
    let end = start - 1;
    for (let field = 0; field < width; field += 1) {
      end = fieldEnd(line, end + 1);
    }
    lines.push(Buffer.concat([line.subarray(start, end), newline]));
    start = end + mark.length + 1;
  }
  return lines;
}
