import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ActivateError } from '../contracts/errors.ts';
import type { KeyOrder } from '../contracts/source.ts';
import { compareKeys } from './keys.ts';

/** How much is sorted in memory; more goes to disk in pieces of this size, which are merged as they are read again. */
const memoryBytes = 32 * 1024 * 1024;
const blockBytes = 128 * 1024;

/**
 * Lines in key order, whatever order they come in. Memory stays flat; what does not fit stands in a file of this
 * machine's folder for passing things that is readable by nobody else and has no name once it is open, so that a
 * process that is killed leaves nothing.
 */
export async function* sortedLines(
  lines: AsyncIterable<Uint8Array>,
  orders: readonly KeyOrder[],
  most = memoryBytes,
): AsyncGenerator<Buffer> {
  const pile = new Pile(orders, most);
  const spilled: Spilled[] = [];
  let spill: Spill | undefined;
  try {
    for await (const piece of lines) {
      pile.add(piece);
      if (pile.isFull) {
        spill ??= await Spill.open();
        spilled.push(await spill.write(pile.take()));
      }
    }
    pile.mustBeWhole();
    const rest = pile.take();
    if (spill === undefined) {
      yield* rest;
      return;
    }
    spilled.push(await spill.write(rest));
    yield* merged(spilled, orders);
  } finally {
    await spill?.close();
  }
}

/** Whole lines, one behind the other, and where each begins. */
class Pile {
  readonly #orders: readonly KeyOrder[];
  readonly #most: number;
  #buffer = Buffer.allocUnsafe(1024 * 1024);
  #used = 0;
  /** From here on there is no newline yet. */
  #searched = 0;
  #starts: number[] = [];
  #lineStart = 0;

  constructor(orders: readonly KeyOrder[], most: number) {
    this.#orders = orders;
    this.#most = most;
  }

  add(piece: Uint8Array): void {
    if (this.#used + piece.length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * this.#buffer.length, this.#used + piece.length));
      this.#buffer.copy(larger, 0, 0, this.#used);
      this.#buffer = larger;
    }
    this.#buffer.set(piece, this.#used);
    this.#used += piece.length;
    for (;;) {
      const at = this.#buffer.indexOf(0x0a, this.#searched);
      if (at === -1 || at >= this.#used) {
        this.#searched = this.#used;
        return;
      }
      this.#starts.push(this.#lineStart);
      this.#lineStart = at + 1;
      this.#searched = at + 1;
    }
  }

  get isFull(): boolean {
    return this.#used >= this.#most;
  }

  /** Throws when the last line lacks its newline: a stream that was cut short. */
  mustBeWhole(): void {
    if (this.#used > this.#lineStart) {
      throw new ActivateError('UNAVAILABLE', 'The source broke off in the middle of a row.');
    }
  }

  /** The whole lines in order, in blocks; the pile then holds what is behind the last newline. */
  *take(): Generator<Buffer> {
    const [buffer, starts, end] = [this.#buffer, this.#starts, this.#lineStart];
    const rest = Buffer.from(buffer.subarray(end, this.#used));
    this.#buffer = Buffer.allocUnsafe(Math.max(1024 * 1024, rest.length));
    this.#buffer.set(rest);
    this.#used = rest.length;
    this.#searched = rest.length;
    this.#starts = [];
    this.#lineStart = 0;
    starts.sort((a, b) => compareKeys(buffer, a, buffer, b, this.#orders) || a - b);
    let block = Buffer.allocUnsafe(blockBytes);
    let used = 0;
    for (const start of starts) {
      const length = buffer.indexOf(0x0a, start) + 1 - start;
      if (used + length > block.length) {
        yield block.subarray(0, used);
        block = Buffer.allocUnsafe(Math.max(blockBytes, length));
        used = 0;
      }
      buffer.copy(block, used, start, start + length);
      used += length;
    }
    if (used > 0) {
      yield block.subarray(0, used);
    }
  }
}

/** A file without a name. */
class Spill {
  readonly #file: FileHandle;
  #size = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(): Promise<Spill> {
    const folder = await mkdtemp(join(tmpdir(), 'activate-sort-'));
    try {
      return new Spill(await open(join(folder, 'rows'), 'wx+', 0o600));
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  /** Appends sorted lines. Throws UNAVAILABLE when the disk is full. */
  async write(blocks: Iterable<Buffer>): Promise<Spilled> {
    const from = this.#size;
    for (const block of blocks) {
      await this.#file.writeFile(block).catch((error: NodeJS.ErrnoException) => {
        throw new ActivateError('UNAVAILABLE', 'There is no room on the disk to sort the rows.', {
          fix: `Make room in ${tmpdir()}, or let TMPDIR name another folder.`,
          cause: error,
        });
      });
      this.#size += block.length;
    }
    return new Spilled(this.#file, from, this.#size);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** A stretch of sorted lines in the file, read line by line. */
class Spilled {
  readonly #file: FileHandle;
  readonly #end: number;
  #position: number;
  buffer = Buffer.alloc(0);
  /** Where the line at hand begins and ends. */
  start = 0;
  end = 0;

  constructor(file: FileHandle, from: number, end: number) {
    this.#file = file;
    this.#position = from;
    this.#end = end;
  }

  /** Goes on to the next line; false at the end. Without a wait where the line is here already. */
  tryNext(): boolean {
    const at = this.buffer.indexOf(0x0a, this.end);
    if (at === -1) {
      return false;
    }
    this.start = this.end;
    this.end = at + 1;
    return true;
  }

  async next(): Promise<boolean> {
    while (!this.tryNext()) {
      const wanted = Math.min(blockBytes, this.#end - this.#position);
      if (wanted === 0) {
        return false;
      }
      const block = Buffer.allocUnsafe(wanted);
      const { bytesRead } = await this.#file.read(block, 0, wanted, this.#position);
      if (bytesRead === 0) {
        throw new ActivateError('UNAVAILABLE', 'What was sorted on disk has become shorter.');
      }
      this.#position += bytesRead;
      this.buffer = Buffer.concat([this.buffer.subarray(this.end), block.subarray(0, bytesRead)]);
      this.end = 0;
    }
    return true;
  }
}

async function* merged(parts: readonly Spilled[], orders: readonly KeyOrder[]): AsyncGenerator<Buffer> {
  const heap: Spilled[] = [];
  const isBefore = (a: Spilled, b: Spilled): boolean =>
    compareKeys(a.buffer, a.start, b.buffer, b.start, orders) < 0;
  for (const part of parts) {
    if (await part.next()) {
      heap.push(part);
    }
  }
  for (let at = (heap.length >> 1) - 1; at >= 0; at -= 1) {
    sink(heap, at, isBefore);
  }
  let block = Buffer.allocUnsafe(blockBytes);
  let used = 0;
  for (let top = heap[0]; top !== undefined; top = heap[0]) {
    const length = top.end - top.start;
    if (used + length > block.length) {
      yield block.subarray(0, used);
      block = Buffer.allocUnsafe(Math.max(blockBytes, length));
      used = 0;
    }
    top.buffer.copy(block, used, top.start, top.end);
    used += length;
    if (!top.tryNext() && !(await top.next())) {
      const last = heap.pop();
      if (last !== top && last !== undefined) {
        heap[0] = last;
      }
    }
    sink(heap, 0, isBefore);
  }
  if (used > 0) {
    yield block.subarray(0, used);
  }
}

function sink(heap: Spilled[], from: number, isBefore: (a: Spilled, b: Spilled) => boolean): void {
  for (let at = from; ; ) {
    const [left, right] = [2 * at + 1, 2 * at + 2];
    let least = at;
    for (const child of [left, right]) {
      if (child < heap.length && isBefore(heap[child] as Spilled, heap[least] as Spilled)) {
        least = child;
      }
    }
    if (least === at) {
      return;
    }
    [heap[at], heap[least]] = [heap[least] as Spilled, heap[at] as Spilled];
    at = least;
  }
}
