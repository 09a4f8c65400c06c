import type { Connection, Submittable } from 'pg';
import { tapCopy } from './copy-tap.ts';

const blockBytes = 64 * 1024;
const pauseAboveBytes = 1024 * 1024;

/**
 * One COPY … TO STDOUT, handed to `client.query`, whose bytes are taken with {@link CopyOut.next}. It goes over the
 * extended protocol, where the server itself refuses a second statement. Rows arrive as one message each and leave
 * as blocks of many: a reader of millions of rows must not pay for each.
 */
export class CopyOut implements Submittable {
  readonly #text: string;
  #connection: Connection | undefined;
  #block = Buffer.allocUnsafe(blockBytes);
  #used = 0;
  readonly #full: Buffer[] = [];
  #waitingBytes = 0;
  #state: 'running' | 'copied' | 'done' = 'running';
  #failure: unknown;
  #wake: (() => void) | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  submit(connection: Connection): void {
    this.#connection = connection;
    tapCopy(connection, {
      data: (block) => this.#push(block),
      over: () => this.#state === 'done' || this.#failure !== undefined,
    });
    connection.stream.cork();
    connection.parse({ text: this.#text, name: '', types: [] }, true);
    connection.bind({}, true);
    connection.execute({}, true);
    connection.sync();
    connection.stream.uncork();
  }

  /** The next bytes; undefined once the server has said that all were sent. Throws when it was cut short. */
  async next(): Promise<Buffer | undefined> {
    while (this.#full.length === 0 && this.#state !== 'done' && this.#failure === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const block = this.#full.shift();
    if (block !== undefined) {
      this.#waitingBytes -= block.length;
      if (this.#waitingBytes < pauseAboveBytes) {
        this.#connection?.stream.resume();
      }
      return block;
    }
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
    return undefined;
  }

  /** Gives up: drops the connection, since a server that waits for us to take its bytes hears no cancel. */
  abandon(): void {
    this.#connection?.stream.destroy();
  }

  // From here on: what `pg` calls on the query at work.

  handleCopyData(message: { readonly chunk: Buffer }): void {
    const { chunk } = message;
    if (this.#used + chunk.length > this.#block.length) {
      this.#flush();
    }
    if (chunk.length > blockBytes) {
      this.#push(Buffer.from(chunk));
      return;
    }
    this.#block.set(chunk, this.#used);
    this.#used += chunk.length;
  }

  handleCommandComplete(): void {
    this.#state = 'copied';
    this.#flush();
  }

  handleReadyForQuery(): void {
    if (this.#state === 'copied') {
      this.#state = 'done';
    } else {
      this.#failure ??= new Error('COPY ended without an end');
    }
    this.#notify();
  }

  handleError(error: unknown): void {
    this.#failure ??= error;
    this.#connection?.stream.resume();
    this.#notify();
  }

  #flush(): void {
    if (this.#used > 0) {
      this.#push(this.#block.subarray(0, this.#used));
      this.#block = Buffer.allocUnsafe(blockBytes);
      this.#used = 0;
    }
  }

  #push(block: Buffer): void {
    this.#full.push(block);
    this.#waitingBytes += block.length;
    if (this.#waitingBytes >= pauseAboveBytes) {
      this.#connection?.stream.pause();
    }
    this.#notify();
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
