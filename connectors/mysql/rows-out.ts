import { lineText } from '../../engine/contracts/lines.ts';
import type { Wire } from './wire.ts';

const blockCharacters = 64 * 1024;
const pauseAboveBytes = 1024 * 1024;

/**
 * The rows of one running query as blocks of COPY lines, taken with {@link RowsOut.next}. The connection is paused while
 * nobody takes them, so that a table of any size passes through little memory.
 */
export class RowsOut {
  readonly #wire: Wire;
  #lines: string[] = [];
  #characters = 0;
  readonly #full: Buffer[] = [];
  #waitingBytes = 0;
  #done = false;
  #failure: unknown;
  #wake: (() => void) | undefined;

  constructor(wire: Wire, text: string) {
    this.#wire = wire;
    wire.onLoss((error) => this.#fail(error));
    const query = wire.send(text);
    query.on('result', (row: readonly (string | null)[]) => this.#take(row));
    query.on('error', (error: unknown) => this.#fail(error));
    // Comes after an error too.
    query.on('end', () => this.#finish());
  }

  /** The next bytes; undefined once the server has said that all rows were sent. Throws when they were cut short. */
  async next(): Promise<Buffer | undefined> {
    while (this.#full.length === 0 && !this.#done && this.#failure === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const block = this.#full.shift();
    if (block !== undefined) {
      this.#waitingBytes -= block.length;
      if (this.#waitingBytes < pauseAboveBytes) {
        this.#wire.resume();
      }
      return block;
    }
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
    return undefined;
  }

  #take(row: readonly (string | null)[]): void {
    const line = lineText(row);
    this.#lines.push(line);
    this.#characters += line.length;
    if (this.#characters >= blockCharacters) {
      this.#flush();
    }
  }

  #flush(): void {
    const block = Buffer.from(this.#lines.join(''));
    this.#lines = [];
    this.#characters = 0;
    this.#full.push(block);
    this.#waitingBytes += block.length;
    if (this.#waitingBytes >= pauseAboveBytes) {
      this.#wire.pause();
    }
    this.#notify();
  }

  #finish(): void {
    if (this.#failure === undefined) {
      if (this.#characters > 0) {
        this.#flush();
      }
      this.#done = true;
    }
    this.#notify();
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#notify();
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
