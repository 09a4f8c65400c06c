import { ActivateError } from '../contracts/errors.ts';
import type { KeyOrder } from '../contracts/source.ts';
import { lastLineStart } from './chunks.ts';
import type { Incoming } from './incoming.ts';
import { compareKeys, fieldEnd, hasNullKey, keyText } from './keys.ts';

/** What reading met. Keys of NULL and keys of several rows are left out; up to five of each are named. */
export interface PlanCounts {
  rows: number;
  added: number;
  changed: number;
  removed: number;
  /** How many of the changes are silent. */
  silent: number;
  unchanged: number;
  nullKeys: number;
  /** Rows, not keys: two rows of one key count two. */
  duplicateKeys: number;
  readonly examples: { readonly nullKeys: string[]; readonly duplicateKeys: string[] };
}

export function noCounts(): PlanCounts {
  return {
    rows: 0,
    added: 0,
    changed: 0,
    removed: 0,
    silent: 0,
    unchanged: 0,
    nullKeys: 0,
    duplicateKeys: 0,
    examples: { nullKeys: [], duplicateKeys: [] },
  };
}

const examples = 5;

/** The rows of a stream one by one, proven to be in key order, with those left out that have no key of their own. */
export class Rows {
  readonly #incoming: Incoming;
  readonly #orders: readonly KeyOrder[];
  readonly #counts: PlanCounts;
  /** The key of the row before, in case it is gone from the window. */
  #held = Buffer.alloc(256);
  #heldLength = 0;
  #duplicatesCounted = false;
  /** The row at hand: `length` bytes from `incoming.start`; 0 when there is none. */
  length = 0;
  /** The row at hand shares its key with the next: only its key is of use. */
  duplicate = false;

  constructor(incoming: Incoming, orders: readonly KeyOrder[], counts: PlanCounts) {
    this.#incoming = incoming;
    this.#orders = orders;
    this.#counts = counts;
  }

  /** Puts the next row at hand, if it is not there yet. `more`: the window does not hold enough to tell. */
  tryNext(): 'row' | 'more' | 'end' {
    while (this.length === 0) {
      const { buffer, start } = this.#incoming;
      const end = this.#incoming.lineEnd(start);
      if (end === -1) {
        return this.#incoming.ended ? this.#atEnd() : 'more';
      }
      if (hasNullKey(buffer, start, this.#orders.length)) {
        this.#counts.nullKeys += 1;
        this.#leaveOut(end, this.#counts.examples.nullKeys);
      } else if (this.#repeatsHeld()) {
        this.#countRepeated();
        this.#leaveOut(end, this.#counts.examples.duplicateKeys);
      } else if (!this.#lookAhead(end)) {
        return 'more';
      }
    }
    return 'row';
  }

  /** {@link Rows.tryNext}, reading as far as needed. */
  async next(): Promise<'row' | 'end'> {
    for (;;) {
      const found = this.tryNext();
      if (found !== 'more') {
        return found;
      }
      await this.#incoming.more();
    }
  }

  /** Done with the row at hand. */
  consume(): void {
    this.#hold(this.#incoming.start);
    this.#duplicatesCounted = this.duplicate;
    this.#incoming.start += this.length;
    this.#counts.rows += 1;
    this.length = 0;
    this.duplicate = false;
  }

  /** Done with a stretch of `bytes` that holds `rows` rows in order, the one at hand its first. */
  consumeStretch(bytes: number, rows: number): void {
    const end = this.#incoming.start + bytes;
    this.#hold(lastLineStart(this.#incoming.buffer, end));
    this.#duplicatesCounted = false;
    this.#incoming.start = end;
    this.#counts.rows += rows;
    this.#counts.unchanged += rows;
    this.length = 0;
  }

  #atEnd(): 'end' {
    if (this.#incoming.available > 0) {
      throw new ActivateError('UNAVAILABLE', 'The source broke off in the middle of a row.', {
        fix: 'Nothing was changed; the next run reads everything again.',
      });
    }
    return 'end';
  }

  #repeatsHeld(): boolean {
    if (this.#heldLength === 0) {
      return false;
    }
    const { buffer, start } = this.#incoming;
    const order = compareKeys(this.#held, 0, buffer, start, this.#orders);
    if (order > 0) {
      const width = this.#orders.length;
      throw new ActivateError(
        'ORDER_BROKEN',
        `The source gave key ${keyText(buffer, width, start)} after ${keyText(this.#held, width)}, out of order.`,
        { fix: 'Nothing was changed. Report this with the type of the key column.' },
      );
    }
    return order === 0;
  }

  /** A repeated row whose first was taken for a normal one, in a stretch that was skipped as a whole. */
  #countRepeated(): void {
    if (!this.#duplicatesCounted) {
      this.#duplicatesCounted = true;
      this.#counts.unchanged -= 1;
      this.#counts.duplicateKeys += 1;
    }
    this.#counts.duplicateKeys += 1;
  }

  /** Takes the line that ends here as the row at hand, once the next one says whether its key is its own. */
  #lookAhead(end: number): boolean {
    const { buffer, start, ended } = this.#incoming;
    const next = this.#incoming.lineEnd(end);
    if (next === -1 && !ended) {
      return false;
    }
    this.length = end - start;
    this.duplicate =
      next !== -1 &&
      !hasNullKey(buffer, end, this.#orders.length) &&
      compareKeys(buffer, start, buffer, end, this.#orders) === 0;
    if (this.duplicate) {
      this.#counts.duplicateKeys += 1;
    }
    return true;
  }

  #leaveOut(end: number, named: string[]): void {
    const { buffer, start } = this.#incoming;
    if (named.length < examples) {
      const key = keyText(buffer, this.#orders.length, start);
      if (!named.includes(key)) {
        named.push(key);
      }
    }
    this.#counts.rows += 1;
    this.#incoming.start = end;
  }

  #hold(start: number): void {
    const { buffer } = this.#incoming;
    let end = start;
    for (let field = 0; field < this.#orders.length; field += 1) {
      end = fieldEnd(buffer, end) + 1;
    }
    this.#heldLength = end - start;
    if (this.#heldLength > this.#held.length) {
      this.#held = Buffer.alloc(this.#heldLength * 2);
    }
    // By hand: a copy of so few bytes costs less than the view that `copy` makes.
    for (let i = start; i < end; i += 1) {
      this.#held[i - start] = buffer[i] as number;
    }
  }
}
