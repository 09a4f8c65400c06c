import { deflateRawSync, inflateRawSync } from 'node:zlib';
import xxhash from 'xxhash-wasm';
import type { KeyOrder } from '../contracts/source.ts';
import { fieldEnd, keyText, sortKey } from './keys.ts';

/** How the lines of one sync are laid out. */
export interface Shape {
  readonly key: readonly KeyOrder[];
  /** All columns, those of the key first. */
  readonly columns: readonly string[];
  /** Positions in `columns`: a change that touches none of them is silent. All columns when left out. */
  readonly watched?: readonly number[];
}

/** A stretch of a snapshot: what the planner needs to skip it, and its lines for when it can't. */
export interface SnapshotChunk {
  readonly firstKey: Buffer;
  readonly lastKey: Buffer;
  readonly rows: number;
  readonly rawBytes: number;
  readonly hash: bigint;
  lines(): Promise<Buffer>;
}

/** A stretch of a snapshot to be stored; `data` is its lines, compressed. */
export interface NewSnapshotChunk extends Omit<SnapshotChunk, 'lines'> {
  readonly data: Buffer;
}

export type ChangeKind = 'added' | 'changed' | 'removed';

/** One change of a plan. `line` is the row as it is now, `previous` as it was told last. */
export interface PlanEntry {
  readonly kind: ChangeKind;
  /** Nobody has to hear of it; the snapshot takes it in all the same. */
  readonly silent: boolean;
  readonly line?: Buffer;
  readonly previous?: Buffer;
  /** As people read it. */
  readonly key: string;
}

/** What a stored chunk becomes once the entries of a plan chunk from `from` to before `to` are all taken in. */
export interface Stretch extends Omit<SnapshotChunk, 'lines'> {
  readonly before: Pick<SnapshotChunk, 'firstKey' | 'hash'>;
  readonly from: number;
  readonly to: number;
}

/** Changes in key order, to be stored and delivered as one. */
export interface PlanChunk {
  readonly seq: number;
  readonly firstKey: Buffer;
  readonly lastKey: Buffer;
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  /** How many of them are silent. */
  readonly silent: number;
  readonly entries: Buffer;
  /** Chunks of the snapshot of which it is known what they become; a chunk that is not among them is made anew. */
  readonly stretches: readonly Stretch[];
}

/** How large a chunk of a snapshot is made; a row larger than that has one of its own. */
export const chunkSize = { rows: 2048, bytes: 512 * 1024 } as const;

const { h64Raw } = await xxhash();

/** What tells one stretch of raw lines from another. */
export function hashOf(lines: Uint8Array): bigint {
  return h64Raw(lines);
}

/** What the planner has to know of lines in key order, at least one of them, all whole. */
export function headOf(
  lines: Uint8Array,
  rows: number,
  orders: readonly KeyOrder[],
): Omit<SnapshotChunk, 'lines'> {
  return {
    firstKey: sortKey(lines, 0, orders),
    lastKey: sortKey(lines, lastLineStart(lines, lines.length), orders),
    rows,
    rawBytes: lines.length,
    hash: hashOf(lines),
  };
}

/** The same lines, ready to be stored. */
export function packLines(lines: Uint8Array, rows: number, orders: readonly KeyOrder[]): NewSnapshotChunk {
  return { ...headOf(lines, rows, orders), data: compress(lines) };
}

/** Where the last line before `end` begins. */
export function lastLineStart(lines: Uint8Array, end: number): number {
  return lines.lastIndexOf(0x0a, end - 2) + 1;
}

// Level 1: a third of the time of the default for a tenth more bytes.
function compress(bytes: Uint8Array): Buffer {
  return deflateRawSync(bytes, { level: 1 });
}

export function decompress(data: Uint8Array): Buffer {
  // In one piece as a rule: several are joined, and all of them are garbage twice.
  return inflateRawSync(data, { chunkSize: Math.min(Math.max(1024, 8 * data.length), 1024 * 1024) });
}

const kinds = ['added', 'changed', 'removed'] as const;
const silentBit = 4;

/** Entries as they are collected: head byte, two lengths, two lines (an absent one has length 0). */
export class EntryBuffer {
  #bytes = Buffer.allocUnsafe(64 * 1024);
  #used = 0;
  #lastAt = 0;
  count = 0;

  get bytes(): number {
    return this.#used;
  }

  /** Takes in one change; the lines are copied from where they stand. */
  add(
    kind: ChangeKind,
    silent: boolean,
    line: Uint8Array | undefined,
    previous: Uint8Array | undefined,
  ): void {
    const at = this.#begin(kind, silent, line?.length ?? 0, previous?.length ?? 0);
    if (line !== undefined) {
      this.#bytes.set(line, at);
    }
    if (previous !== undefined) {
      this.#bytes.set(previous, at + (line?.length ?? 0));
    }
  }

  /** Takes in a new row from `start` to before `end`; a first run has millions, and a view of each would be garbage. */
  addNew(from: Uint8Array, start: number, end: number): void {
    let at = this.#begin('added', false, end - start, 0);
    for (let i = start; i < end; i += 1) {
      this.#bytes[at] = from[i] as number;
      at += 1;
    }
  }

  /** Writes the head of an entry; answers where its lines go. */
  #begin(kind: ChangeKind, silent: boolean, lineLength: number, previousLength: number): number {
    const at = this.#used;
    this.#reserve(9 + lineLength + previousLength);
    this.#lastAt = at;
    this.#bytes[at] = kinds.indexOf(kind) + (silent ? silentBit : 0);
    this.#bytes.writeUInt32LE(lineLength, at + 1);
    this.#bytes.writeUInt32LE(previousLength, at + 5);
    this.#used += 9 + lineLength + previousLength;
    this.count += 1;
    return at + 9;
  }

  /** The row of the first entry, or of the last: what its key is read from. */
  rowOf(which: 'first' | 'last'): Buffer {
    const at = which === 'first' ? 0 : this.#lastAt;
    const length = this.#bytes.readUInt32LE(at + 1) || this.#bytes.readUInt32LE(at + 5);
    return this.#bytes.subarray(at + 9, at + 9 + length);
  }

  /** The entries so far, compressed; the buffer is empty afterwards. */
  take(): Buffer {
    const packed = compress(this.#bytes.subarray(0, this.#used));
    this.#used = 0;
    this.count = 0;
    return packed;
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#used + bytes));
      this.#bytes.copy(larger, 0, 0, this.#used);
      this.#bytes = larger;
    }
  }
}

/** A chunk of these entries, at least one, as {@link decodeEntries} reads it. */
export function packEntries(
  seq: number,
  entries: readonly PlanEntry[],
  orders: readonly KeyOrder[],
): PlanChunk {
  const buffer = new EntryBuffer();
  for (const { kind, silent, line, previous } of entries) {
    buffer.add(kind, silent, line, previous);
  }
  const count = (kind: ChangeKind): number => entries.filter((entry) => entry.kind === kind).length;
  return {
    seq,
    firstKey: sortKey(buffer.rowOf('first'), 0, orders),
    lastKey: sortKey(buffer.rowOf('last'), 0, orders),
    added: count('added'),
    changed: count('changed'),
    removed: count('removed'),
    silent: entries.filter((entry) => entry.silent).length,
    entries: buffer.take(),
    stretches: [],
  };
}

/** The entries of a plan chunk. Their positions are how outcomes name them. Their keys, which are not free, can be left out. */
export function decodeEntries(packed: Uint8Array, keyWidth: number | 'no keys'): readonly PlanEntry[] {
  const bytes = decompress(packed);
  const entries: PlanEntry[] = [];
  for (let at = 0; at < bytes.length; ) {
    const head = bytes[at] as number;
    const middle = at + 9 + bytes.readUInt32LE(at + 1);
    const end = middle + bytes.readUInt32LE(at + 5);
    const line = bytes.subarray(at + 9, middle);
    const previous = bytes.subarray(middle, end);
    const entry: { -readonly [field in keyof PlanEntry]: PlanEntry[field] } = {
      kind: kinds[head & 3] as ChangeKind,
      silent: (head & silentBit) !== 0,
      key: keyWidth === 'no keys' ? '' : keyText(line.length > 0 ? line : previous, keyWidth),
    };
    if (line.length > 0) {
      entry.line = line;
    }
    if (previous.length > 0) {
      entry.previous = previous;
    }
    entries.push(entry);
    at = end;
  }
  return entries;
}

/** The line that an entry is about, as it is now or was: its key is the same. */
export function rowOf({ line, previous }: PlanEntry): Buffer {
  return line ?? previous ?? Buffer.alloc(0);
}

/** The rows of a plan chunk that holds nothing but new ones, as whole lines. */
export function addedLines(packed: Uint8Array): Buffer {
  const bytes = decompress(packed);
  let used = 0;
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at + 1);
    // Moved together where they stand: each copy elsewhere would need an object of its own.
    bytes.copyWithin(used, at + 9, at + 9 + length);
    used += length;
    at += 9 + length;
  }
  return bytes.subarray(0, used);
}

/** How many lines there are; `enough` when there are as many. */
export function countLines(lines: Uint8Array, enough = Number.POSITIVE_INFINITY): number {
  let count = 0;
  for (let at = 0; at < lines.length && count < enough; count += 1) {
    at = lines.indexOf(0x0a, at) + 1;
  }
  return count;
}

/** Splits whole lines into their positions: start of each, and the end of the last. */
export function lineStarts(lines: Uint8Array): readonly number[] {
  const starts = [0];
  for (let at = lines.indexOf(0x0a); at !== -1; at = lines.indexOf(0x0a, at + 1)) {
    starts.push(at + 1);
  }
  return starts;
}

/** Positions of the fields of a line: start of each, and one past the newline. */
export function fieldStarts(line: Uint8Array, count: number): readonly number[] {
  const starts = [0];
  for (let field = 0; field < count; field += 1) {
    starts.push(fieldEnd(line, starts[field] as number) + 1);
  }
  return starts;
}
