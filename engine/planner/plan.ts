import { ActivateError } from '../contracts/errors.ts';
import {
  type ChangeKind,
  chunkSize,
  EntryBuffer,
  hashOf,
  type NewSnapshotChunk,
  type PlanChunk,
  packLines,
  type Shape,
  type SnapshotChunk,
} from './chunks.ts';
import { isDoubtful } from './doubt.ts';
import { Incoming } from './incoming.ts';
import { compareKeys, fieldEnd, sortKey } from './keys.ts';
import { noCounts, type PlanCounts, Rows } from './rows.ts';

const entriesPerChunk = 2000;
const bytesPerChunk = 1024 * 1024;

interface Input {
  /** The model's rows as a source streams them, in key order, the key's columns first. */
  readonly lines: AsyncIterable<Uint8Array>;
  readonly shape: Shape;
  readonly signal?: AbortSignal;
}

export interface PlanInput extends Input {
  /** Rows that are as they were told count as changed all the same. */
  readonly everything?: boolean;
  /** Rows that left are nothing to speak of: the snapshot forgets them. */
  readonly silentRemovals?: boolean;
  /** What was told so far, in key order, laid out as `shape` says. */
  readonly snapshot: AsyncIterable<SnapshotChunk>;
  write(chunk: PlanChunk): Promise<void>;
}

export interface BaselineInput extends Input {
  write(chunk: NewSnapshotChunk): Promise<void>;
}

/**
 * Compares a stream of rows with the snapshot, in one pass and in memory that does not grow with either, and writes
 * the differences in chunks. A stretch of the stream that hashes like the next stored chunk is skipped as a whole,
 * neither split nor compared. Rows with a NULL in their key, and all rows of a key that comes twice, are left out and
 * counted; for such a key the snapshot stays as it was. Throws ORDER_BROKEN when the rows are not in key order.
 */
export async function plan(input: PlanInput): Promise<PlanCounts> {
  const incoming = new Incoming(input.lines);
  try {
    return await new Merge(input, incoming).run();
  } finally {
    await incoming.close();
  }
}

/** Reads a stream into chunks of a first snapshot: everything counts as told. */
export async function baseline(input: BaselineInput): Promise<PlanCounts> {
  const incoming = new Incoming(input.lines);
  const counts = noCounts();
  const rows = new Rows(incoming, input.shape.key, counts);
  let block = Buffer.allocUnsafe(chunkSize.bytes);
  let used = 0;
  let held = 0;
  const flush = async (): Promise<void> => {
    stopIfAsked(input.signal);
    if (held > 0) {
      await input.write(packLines(block.subarray(0, used), held, input.shape.key));
    }
    used = 0;
    held = 0;
  };
  try {
    for (;;) {
      let found = rows.tryNext();
      if (found === 'more') {
        found = await rows.next();
      }
      if (found === 'end') {
        await flush();
        return counts;
      }
      if (!rows.duplicate) {
        if (held === chunkSize.rows || used + rows.length > chunkSize.bytes) {
          await flush();
        }
        if (rows.length > block.length) {
          block = Buffer.allocUnsafe(rows.length);
        }
        incoming.buffer.copy(block, used, incoming.start, incoming.start + rows.length);
        used += rows.length;
        held += 1;
      }
      rows.consume();
    }
  } finally {
    await incoming.close();
  }
}

function stopIfAsked(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) {
    throw new ActivateError('CANCELED', 'The run was canceled.', { cause: signal.reason });
  }
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
        this.#old = await chunk.lines();
        this.#oldAt = 0;
        await this.#untilDone(() => this.#mergeOld());
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
      if (this.#isFull()) {
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
      return;
    }
    const everything = this.#input.everything === true;
    if (same && !duplicate && !everything) {
      this.#counts.unchanged += 1;
    } else if (!duplicate) {
      const line = buffer.subarray(start, start + length);
      const previous = this.#old.subarray(this.#oldAt, oldEnd);
      this.#emit('changed', !everything && this.#isSilent(line, previous), line, previous);
    }
    this.#rows.consume();
    this.#oldAt = oldEnd;
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
      this.#emit('added', false, buffer.subarray(start, start + this.#rows.length), undefined);
    }
    this.#rows.consume();
  }

  #emit(
    kind: ChangeKind,
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

  #isFull(): boolean {
    return this.#entries.count >= entriesPerChunk || this.#entries.bytes >= bytesPerChunk;
  }

  async #flush(): Promise<void> {
    stopIfAsked(this.#input.signal);
    if (this.#entries.count === 0) {
      return;
    }
    const keyOf = (which: 'first' | 'last'): Buffer =>
      sortKey(this.#entries.rowOf(which), 0, this.#input.shape.key);
    const keys = { firstKey: keyOf('first'), lastKey: keyOf('last') };
    const chunk = { seq: this.#seq, ...keys, ...this.#own, entries: this.#entries.take() };
    this.#seq += 1;
    this.#own = { added: 0, changed: 0, removed: 0, silent: 0 };
    await this.#input.write(chunk);
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
