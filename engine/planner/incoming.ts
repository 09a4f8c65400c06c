import { ActivateError } from '../contracts/errors.ts';
import type { Shape } from './chunks.ts';

/** What is read into a snapshot, or compared with one. */
export interface Lines {
  /** The model's rows as a source streams them, in key order, the key's columns first. */
  readonly lines: AsyncIterable<Uint8Array>;
  readonly shape: Shape;
  readonly signal?: AbortSignal;
}

/** The incoming lines as one window of bytes: pieces are taken in at its end, lines and chunks leave at its start. */
export class Incoming {
  readonly #pieces: AsyncIterator<Uint8Array>;
  buffer = Buffer.allocUnsafe(1024 * 1024);
  /** The first byte that has not been dealt with. */
  start = 0;
  #end = 0;
  #ended = false;
  /** Where the window stands in the whole stream. */
  #passed = 0;

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** Reads on until `bytes` are there, or the stream has ended. Moves the window: positions count anew from `start`. */
  async fill(bytes: number): Promise<boolean> {
    while (this.#end - this.start < bytes && !this.#ended) {
      const { done, value } = await this.#pieces.next();
      if (done === true) {
        this.#ended = true;
      } else {
        this.#append(value);
      }
    }
    return this.#end - this.start >= bytes;
  }

  /** Where the line that begins at `from` ends (behind its newline); -1 when that has not been read yet. */
  lineEnd(from: number): number {
    const at = this.buffer.indexOf(0x0a, from);
    return at === -1 || at >= this.#end ? -1 : at + 1;
  }

  /** Reads one piece more; false at the end. A last line without its newline is a stream cut short. */
  async more(): Promise<boolean> {
    return this.fill(this.#end - this.start + 1);
  }

  get ended(): boolean {
    return this.#ended;
  }

  get available(): number {
    return this.#end - this.start;
  }

  /** How far into the whole stream `start` is. */
  get position(): number {
    return this.#passed + this.start;
  }

  /** What was dealt with since the stream was at a position; undefined when the window holds no more of it. */
  since(position: number): Buffer | undefined {
    return position < this.#passed ? undefined : this.buffer.subarray(position - this.#passed, this.start);
  }

  /** Stops the source. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  #append(piece: Uint8Array): void {
    if (this.#end + piece.length > this.buffer.length) {
      const held = this.#end - this.start;
      const size = Math.max(this.buffer.length, 2 * (held + piece.length));
      const target = size > this.buffer.length ? Buffer.allocUnsafe(size) : this.buffer;
      this.buffer.copy(target, 0, this.start, this.#end);
      this.buffer = target;
      this.#passed += this.start;
      this.start = 0;
      this.#end = held;
    }
    this.buffer.set(piece, this.#end);
    this.#end += piece.length;
  }
}

/** Throws CANCELED once the signal has fired. */
export function stopIfAsked(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) {
    throw new ActivateError('CANCELED', 'The run was canceled.', { cause: signal.reason });
  }
}
