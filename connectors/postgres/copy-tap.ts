import type { Connection } from 'pg';

const copyData = 0x64;
const headBytes = 5;
/** What a server says first to a statement that was parsed. */
const parseComplete = Buffer.from([0x31, 0, 0, 0, 4]);

interface Heard {
  /** Bytes that were copied; they are the receiver's to keep. */
  readonly data: (block: Buffer) => void;
  /** Whether the statement has come to its end, so that the connection goes back. */
  readonly over: () => boolean;
}

/**
 * Stands between a connection and `pg` while one COPY runs, and takes the rows out of the stream. They come as a
 * message each, for which `pg` makes several objects: that is half of what reading an unchanged model costs us. All
 * other messages go to `pg` as they are. Does nothing, so that `pg` hands over the rows itself, when the first bytes
 * are not those that belong at the beginning.
 */
export function tapCopy(connection: Connection, heard: Heard): void {
  const { stream } = connection;
  const others = stream.listeners('data') as ((bytes: Buffer) => void)[];
  const pass = (bytes: Buffer): void => {
    for (const other of others) {
      other(bytes);
    }
  };
  const messages = new Messages(heard.data, pass);
  let begun = false;
  const take = (bytes: Buffer): void => {
    if (!begun && !bytes.subarray(0, headBytes).equals(parseComplete)) {
      giveBack();
      pass(bytes);
      return;
    }
    begun = true;
    messages.take(bytes);
    if (heard.over() && messages.whole) {
      giveBack();
    }
  };
  const giveBack = (): void => {
    for (const other of others) {
      stream.on('data', other);
    }
    stream.off('data', take);
  };
  stream.on('data', take);
  for (const other of others) {
    stream.off('data', other);
  }
}

/** Tells rows from all other messages, wherever the stream is cut. */
class Messages {
  readonly #data: (block: Buffer) => void;
  readonly #pass: (bytes: Buffer) => void;
  /** The beginning of a message of which less has come than tells how long it is. */
  readonly #head = Buffer.alloc(headBytes);
  #headLength = 0;
  /** How much of the message at hand has not come yet. */
  #rest = 0;
  #isRow = false;

  constructor(data: (block: Buffer) => void, pass: (bytes: Buffer) => void) {
    this.#data = data;
    this.#pass = pass;
  }

  /** Nothing of a message is missing. */
  get whole(): boolean {
    return this.#rest === 0 && this.#headLength === 0;
  }

  /** Moves the rows together where they stand: a copy of each elsewhere would need an object of its own. */
  take(bytes: Buffer): void {
    let from = 0;
    let to = 0;
    let at = 0;
    while (at < bytes.length) {
      if (this.#rest === 0) {
        at = this.#begin(bytes, at);
      }
      const end = Math.min(at + this.#rest, bytes.length);
      this.#rest -= end - at;
      if (this.#isRow) {
        bytes.copyWithin(to, at, end);
        to += end - at;
      } else if (end > at) {
        this.#give(bytes, from, to);
        from = to;
        this.#pass(bytes.subarray(at, end));
      }
      at = end;
    }
    this.#give(bytes, from, to);
  }

  #give(bytes: Buffer, from: number, to: number): void {
    if (to > from) {
      this.#data(bytes.subarray(from, to));
    }
  }

  /** Reads the head of a message, or as much as there is of it; answers where it goes on. */
  #begin(bytes: Buffer, start: number): number {
    const taken = Math.min(headBytes - this.#headLength, bytes.length - start);
    if (taken === headBytes && bytes[start] === copyData) {
      this.#isRow = true;
      this.#rest = bytes.readUInt32BE(start + 1) - 4;
      return start + headBytes;
    }
    bytes.copy(this.#head, this.#headLength, start, start + taken);
    this.#headLength += taken;
    this.#isRow = false;
    if (this.#headLength === headBytes) {
      this.#headLength = 0;
      this.#isRow = this.#head[0] === copyData;
      this.#rest = this.#head.readUInt32BE(1) - 4;
      if (!this.#isRow) {
        this.#pass(Buffer.from(this.#head));
      }
    }
    return start + taken;
  }
}
