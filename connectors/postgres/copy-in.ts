import type { Connection, Submittable } from 'pg';

/** What `pg` has besides, without a type. */
interface Writable extends Connection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/** One COPY … FROM STDIN with all its bytes at hand, to be given to `client.query`. */
export class CopyIn implements Submittable {
  /** Ends when the server has taken all rows, or fails with what `pg` throws: then it has taken none. */
  readonly done: Promise<void>;
  readonly #text: string;
  readonly #bytes: Buffer;
  #resolve = (): void => undefined;
  #reject = (_: unknown): void => undefined;

  constructor(text: string, bytes: Buffer) {
    this.#text = text;
    this.#bytes = bytes;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  submit(connection: Connection): void {
    connection.query(this.#text);
  }

  handleCopyInResponse(connection: Writable): void {
    connection.sendCopyFromChunk(this.#bytes);
    connection.endCopyFrom();
  }

  handleCommandComplete(): void {
    // What counts is that the server is ready for the next statement.
  }

  handleError(error: unknown): void {
    this.#reject(error);
  }

  handleReadyForQuery(): void {
    this.#resolve();
  }
}
