import type { Connection, Submittable } from 'pg';

/** What `pg` has besides, without a type. */
interface Writable extends Connection {
  endCopyFrom(): void;
}

const copyData = 0x64;

/** One COPY … FROM STDIN with all its bytes at hand, to be given to `client.query`. */
export class CopyIn implements Submittable {
  /** Ends when the server has taken all rows, or fails with what `pg` throws: then it has taken none. */
  readonly done: Promise<void>;
  readonly #text: string;
  readonly #pieces: readonly Buffer[];
  #resolve = (): void => undefined;
  #reject = (_: unknown): void => undefined;

  constructor(text: string, pieces: readonly Buffer[]) {
    this.#text = text;
    this.#pieces = pieces;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  submit(connection: Connection): void {
    connection.query(this.#text);
  }

  handleCopyInResponse(connection: Writable): void {
    const { stream } = connection;
    stream.cork();
    for (const piece of this.#pieces) {
      // Past `pg`, which would copy each piece into a message of its own.
      const head = Buffer.allocUnsafe(5);
      head[0] = copyData;
      head.writeUInt32BE(piece.length + 4, 1);
      stream.write(head);
      stream.write(piece);
    }
    connection.endCopyFrom();
    stream.uncork();
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
