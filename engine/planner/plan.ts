import {
  chunkSize,
  EntryBuffer,
  hashOf,
  headOf,
  type PlanChunk,
  type SnapshotChunk,
  type Stretch,
} from './chunks.ts';
import { isDoubtful } from './doubt.ts';
import { Incoming, type Lines, stopIfAsked } from './incoming.ts';
import { compareKeys, fieldEnd, sortKey } from './keys.ts';
import { noCounts, type PlanCounts, Rows } from './rows.ts';
import { sameBytes } from './same.ts';

/** A chunk of the plan that holds this ends with the stored chunk at hand, or at twice as much. */
const entriesPerChunk = 2000;
const bytesPerChunk = 1024 * 1024;

export interface PlanInput extends Lines {
  /** Rows that are as they were told count as changed all the same. */
  readonly everything?: boolean;
  /** Rows that left are nothing to speak of: the snapshot forgets them. */
  readonly silentRemovals?: boolean;
  /** What was told so far, in key order, laid out as `shape` says. */
  readonly snapshot: AsyncIterable<SnapshotChunk>;
  write(chunk: PlanChunk): Promise<void>;
}

/**
 * Compares a stream of rows with the snapshot, in one pass and in memory that does not grow with either, and writes
 * the differences in chunks. A stretch of the stream that hashes like the next stored chunk is skipped as a whole,
 * neither split nor compared; within a chunk that changed, lines are split and compared where bytes differ. Rows with a
 * NULL in their key, and all rows of a key that comes twice, are left out and counted; for such a key the snapshot stays as
 * it was. Throws ORDER_BROKEN when the rows are not in key order.
 */
export async function plan(input: PlanInput): Promise<PlanCounts> {
  const incoming = new Incoming(input.lines);
  try {
    return await new Merge(input, incoming).run();
  } finally {
    await incoming.close();
  }
}

/** How far a merge is, to tell later what came since. */
interface Standing {
  readonly position: number;
  readonly seq: number;
  readonly entries: number;
  /** By how many rows the snapshot grows with the chunk being collected. */
  readonly more: number;
  /** Rows that were left out so far, without the one at hand. */
  readonly leftOut: number;
}

class Merge {
  readonly #input: PlanInput;
  readonly #incoming: Incoming;
  readonly #counts = noCounts();
  readonly #rows: Rows;
  readonly #watched: readonly boolean[];
  readonly #entries = new EntryBuffer();
  #seq = 0;
  /** The lines of the stored chunk at hand, and how far they are dealt with. */
  #old: Buffer = Buffer.alloc(0);
  #oldAt = 0;
  /** Lines of it that were not looked at one by one. */
  #oldRows = 0;
  #stretches: Stretch[] = [];
  /** Counts of the chunk being collected. */
  #own = { added: 0, changed: 0, removed: 0, silent: 0 };

  constructor(input: PlanInput, incoming: Incoming) {
    const { key, columns, watched } = input.shape;
    this.#input = input;
    this.#incoming = incoming;
    this.#rows = new Rows(incoming, key, this.#counts);
    this.#watched = columns.map((_, i) => watched === undefined || watched.includes(i));
  }

  async run(): Promise<PlanCounts> {
    for await (const chunk of this.#input.snapshot) {
      stopIfAsked(this.#input.signal);
      if (!(await this.#skips(chunk))) {
        await this.#compare(chunk);
      }
    }
    await this.#untilDone(() => this.#addRest());
    await this.#flush();
    return this.#counts;
  }

  /** Adds what comes before the chunk, then tries whether the stream goes on with the very same bytes. */
  async #skips(chunk: SnapshotChunk): Promise<boolean> {
    let order = 1;
    await this.#untilDone(() => {
      for (;;) {
        const found = this.#rows.tryNext();
        if (found !== 'row') {
          order = 1;
          return found === 'end' ? 'done' : 'more';
        }
        order = Buffer.compare(
          sortKey(this.#incoming.buffer, this.#incoming.start, this.#input.shape.key),
          chunk.firstKey,
        );
        if (order >= 0) {
          return 'done';
        }
        this.#addRow();
        if (this.#isFull()) {
          return 'full';
        }
      }
    });
    const whole = order === 0 && !this.#rows.duplicate && this.#input.everything !== true;
    if (!whole || !(await this.#incoming.fill(chunk.rawBytes))) {
      return false;
    }
    const { buffer, start } = this.#incoming;
    const end = start + chunk.rawBytes;
    if (buffer[end - 1] !== 0x0a || hashOf(buffer.subarray(start, end)) !== chunk.hash) {
      return false;
    }
    this.#rows.consumeStretch(chunk.rawBytes, chunk.rows);
    return true;
  }

  async #compare(chunk: SnapshotChunk): Promise<void> {
    this.#old = await chunk.lines();
    this.#oldAt = 0;
    this.#oldRows = chunk.rows;
    // With some more, so that a stretch that has grown a little is in the window as a whole.
    await this.#incoming.fill(Math.min(chunk.rawBytes, chunkSize.bytes) * 1.25);
    const begun = this.#standing();
    await this.#untilDone(() => this.#mergeOld());
    this.#counts.rows += this.#oldRows;
    this.#counts.unchanged += this.#oldRows;
    this.#noteStretch(chunk, begun);
    if (this.#isFull()) {
      await this.#flush();
    }
  }

  #standing(): Standing {
    const { nullKeys, duplicateKeys } = this.#counts;
    const { added, removed } = this.#own;
    return {
      position: this.#incoming.position,
      seq: this.#seq,
      entries: this.#entries.count,
      more: added - removed,
      leftOut: nullKeys + duplicateKeys - (this.#rows.duplicate ? 1 : 0),
    };
  }

  /** Notes what a chunk becomes: the lines of the stream as they are, if none was left out and all are in the window. */
  #noteStretch({ firstKey, hash, rows }: SnapshotChunk, begun: Standing): void {
    const now = this.#standing();
    const lines = this.#incoming.since(begun.position);
    const whole = now.seq === begun.seq && now.leftOut === begun.leftOut;
    if (!whole || lines === undefined || lines.length === 0 || now.entries === begun.entries) {
      return;
    }
    const becomes = headOf(lines, rows + now.more - begun.more, this.#input.shape.key);
    const at = { from: begun.entries, to: now.entries };
    this.#stretches.push({ ...becomes, ...at, before: { firstKey, hash } });
  }

  /** Runs a part of the merge that can't wait by itself: gives it input, and takes its output away. */
  async #untilDone(part: () => 'done' | 'more' | 'full'): Promise<void> {
    for (;;) {
      const state = part();
      if (state === 'done') {
        return;
      }
      if (state === 'full') {
        await this.#flush();
      } else {
        await this.#rows.next();
      }
    }
  }

  #mergeOld(): 'done' | 'more' | 'full' {
    while (this.#oldAt < this.#old.length) {
      if (this.#isFull(2)) {
        return 'full';
      }
      const found = this.#rows.tryNext();
      if (found === 'more') {
        return 'more';
      }
      this.#mergeLine(this.#old.indexOf(0x0a, this.#oldAt) + 1, found === 'end');
    }
    return 'done';
  }

  #mergeLine(oldEnd: number, streamEnded: boolean): void {
    const { buffer, start } = this.#incoming;
    const { length, duplicate } = this.#rows;
    const same =
      !streamEnded &&
      length === oldEnd - this.#oldAt &&
      buffer.compare(this.#old, this.#oldAt, oldEnd, start, start + length) === 0;
    const order = streamEnded
      ? 1
      : same
        ? 0
        : compareKeys(buffer, start, this.#old, this.#oldAt, this.#input.shape.key);
    if (order < 0) {
      this.#addRow();
      return;
    }
    if (order > 0) {
      this.#emit(
        'removed',
        this.#input.silentRemovals === true,
        undefined,
        this.#old.subarray(this.#oldAt, oldEnd),
      );
      this.#oldAt = oldEnd;
      this.#oldRows -= 1;
      return;
    }
    const everything = this.#input.everything === true;
    if (same && !duplicate && !everything) {
      this.#passSame(length);
      return;
    }
    if (!duplicate) {
      const line = buffer.subarray(start, start + length);
      const previous = this.#old.subarray(this.#oldAt, oldEnd);
      this.#emit('changed', !everything && this.#isSilent(line, previous), line, previous);
    }
    this.#rows.consume();
    this.#oldAt = oldEnd;
    this.#oldRows -= 1;
  }

  /** Passes over all lines that are as they were, from the row at hand (of `length` bytes, one of them) on. */
  #passSame(length: number): void {
    const { buffer, start, available } = this.#incoming;
    const most = Math.min(available, this.#old.length - this.#oldAt) - length;
    const same = sameBytes(buffer, start + length, this.#old, this.#oldAt + length, most);
    const bytes = buffer.lastIndexOf(0x0a, start + length + same - 1) + 1 - start;
    this.#rows.consumeStretch(bytes, 0);
    this.#oldAt += bytes;
  }

  #addRest(): 'done' | 'more' | 'full' {
    for (;;) {
      if (this.#isFull()) {
        return 'full';
      }
      const found = this.#rows.tryNext();
      if (found !== 'row') {
        return found === 'end' ? 'done' : 'more';
      }
      this.#addRow();
    }
  }

  #addRow(): void {
    const { buffer, start } = this.#incoming;
    if (!this.#rows.duplicate) {
      this.#entries.addNew(buffer, start, start + this.#rows.length);
      this.#counts.added += 1;
      this.#own.added += 1;
    }
    this.#rows.consume();
  }

  #emit(
    kind: 'changed' | 'removed',
    silent: boolean,
    line: Uint8Array | undefined,
    previous: Uint8Array | undefined,
  ): void {
    this.#entries.add(kind, silent, line, previous);
    this.#counts[kind] += 1;
    this.#counts.silent += silent ? 1 : 0;
    this.#own[kind] += 1;
    this.#own.silent += silent ? 1 : 0;
  }

  /** Whether nothing differs that is watched. What was not known before can't be a change of it. */
  #isSilent(line: Uint8Array, previous: Uint8Array): boolean {
    if (isDoubtful(previous)) {
      return false;
    }
    let i = 0;
    let j = 0;
    for (const watched of this.#watched) {
      const iEnd = fieldEnd(line, i);
      const jEnd = fieldEnd(previous, j);
      if (watched && differs(line, i, iEnd, previous, j, jEnd) && !isUnknown(previous, j, jEnd)) {
        return false;
      }
      i = iEnd + 1;
      j = jEnd + 1;
    }
    return true;
  }

  #isFull(times = 1): boolean {
    const { count, bytes } = this.#entries;
    return count >= times * entriesPerChunk || bytes >= times * bytesPerChunk;
  }

  async #flush(): Promise<void> {
    stopIfAsked(this.#input.signal);
    if (this.#entries.count === 0) {
      return;
    }
    const keyOf = (which: 'first' | 'last'): Buffer =>
      sortKey(this.#entries.rowOf(which), 0, this.#input.shape.key);
    const keys = { firstKey: keyOf('first'), lastKey: keyOf('last') };
    const chunk = { seq: this.#seq, ...keys, ...this.#own, stretches: this.#stretches };
    this.#seq += 1;
    this.#stretches = [];
    this.#own = { added: 0, changed: 0, removed: 0, silent: 0 };
    await this.#input.write({ ...chunk, entries: this.#entries.take() });
  }
}

function differs(a: Uint8Array, i: number, iEnd: number, b: Uint8Array, j: number, jEnd: number): boolean {
  if (iEnd - i !== jEnd - j) {
    return true;
  }
  for (let n = 0; i + n < iEnd; n += 1) {
    if (a[i + n] !== b[j + n]) {
      return true;
    }
  }
  return false;
}

/** The field says `\?`, see `unknownField`. */
function isUnknown(line: Uint8Array, start: number, end: number): boolean {
  return end - start === 2 && line[start] === 0x5c && line[start + 1] === 0x3f;
}
