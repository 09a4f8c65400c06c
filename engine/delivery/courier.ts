import { createHash } from 'node:crypto';
import type { Db } from '../contracts/db.ts';
import type { BatchLimits, Call, Outcome } from '../contracts/destination.ts';
import { ActivateError, asActivateError } from '../contracts/errors.ts';
import type { Log } from '../contracts/log.ts';
import type { Patience } from '../messages/outbox.ts';
import { pausePace, reservePace } from '../store/paces.ts';
import { keepTicket } from '../store/tickets.ts';
import { sizeOf } from './size.ts';

/** Something to hand over: `verb` says what is to be done with it, `key` which row it is about. */
export interface Job<T> {
  readonly key: string;
  readonly verb: string;
  readonly item: T;
  /** It may have got through before. */
  readonly again: boolean;
}

export interface CourierParts<T> {
  readonly db: Db;
  readonly log: Log;
  readonly now: () => Date;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly patience: Patience;
  readonly runId: number;
  readonly destinationId: number;
  readonly limits: BatchLimits;
  /** Verbs in the order in which they have to be dealt with; those that are not named come first. */
  readonly order?: readonly string[] | undefined;
  /** Jobs begun by an earlier attempt of this run. */
  readonly tickets: ReadonlyMap<string, string>;
  readonly signal: AbortSignal;
  write(verb: string, items: readonly T[], call: Call): Promise<readonly Outcome[]>;
}

/** What became of the jobs, in their order, and what kept the rest from being done. */
export interface Carried {
  readonly outcomes: readonly Outcome[];
  /** Jobs that at some try may have got through, whatever the last try came to, by position. */
  readonly unsure: ReadonlySet<number>;
  /** Set when the destination as a whole is in the way: then jobs that were not reached are `retry`. */
  readonly trouble: ActivateError | undefined;
}

interface Batch<T> {
  readonly verb: string;
  readonly jobs: readonly Job<T>[];
  /** Where each job stands among all that are carried. */
  readonly at: readonly number[];
  readonly again: boolean;
}

/** What is left of a batch after a try. */
interface Left<T> {
  readonly open: Batch<T> | undefined;
  readonly waitMs: number;
}

/**
 * Hands jobs to a destination: in batches within its limits, so many at a time as it bears, in its pace. Waits and
 * tries again what passes by itself, halves a batch that is refused as a whole until the bad row is found, and says
 * for each job what became of it. Verbs go one after the other.
 */
export class Courier<T> {
  private readonly parts: CourierParts<T>;
  private readonly tickets: Map<string, string>;
  private unsure = new Set<number>();

  constructor(parts: CourierParts<T>) {
    this.parts = parts;
    this.tickets = new Map(parts.tickets);
  }

  async carry(jobs: readonly Job<T>[]): Promise<Carried> {
    const outcomes = new Array<Outcome>(jobs.length).fill({
      state: 'retry',
      reason: 'It was not tried yet.',
    });
    let trouble: ActivateError | undefined;
    this.unsure = new Set();
    for (const verb of this.verbsOf(jobs)) {
      const queue = this.cut(verb, jobs);
      const work = async (): Promise<void> => {
        for (let batch = queue.shift(); batch !== undefined && trouble === undefined; batch = queue.shift()) {
          try {
            await this.settle(batch, outcomes);
          } catch (thrown) {
            this.parts.signal.throwIfAborted();
            trouble ??= asActivateError(thrown);
          }
        }
      };
      await Promise.all(Array.from({ length: this.parts.limits.concurrency }, work));
      if (trouble !== undefined) {
        break;
      }
    }
    return { outcomes, unsure: this.unsure, trouble };
  }

  private verbsOf(jobs: readonly Job<T>[]): readonly string[] {
    const { order = [] } = this.parts;
    return [...new Set(jobs.map((job) => job.verb))].sort((a, b) => order.indexOf(a) - order.indexOf(b));
  }

  private cut(verb: string, jobs: readonly Job<T>[]): Batch<T>[] {
    const { rows, bytes } = this.parts.limits;
    const batches: Batch<T>[] = [];
    let held: Job<T>[] = [];
    let at: number[] = [];
    let size = 0;
    const close = (): void => {
      if (held.length > 0) {
        batches.push({ verb, jobs: held, at, again: held[0]?.again === true });
      }
      held = [];
      at = [];
      size = 0;
    };
    for (const [place, job] of jobs.entries()) {
      if (job.verb !== verb) {
        continue;
      }
      const own = bytes === undefined ? 0 : sizeOf(job.item, bytes) + 1;
      // Two things to do for one row go in two calls.
      const mixed = held.length > 0 && (held[0]?.again !== job.again || held.at(-1)?.key === job.key);
      const full = held.length >= rows || (bytes !== undefined && held.length > 0 && size + own > bytes);
      if (mixed || full) {
        close();
      }
      held.push(job);
      at.push(place);
      size += own;
    }
    close();
    return batches;
  }

  /** Carries one batch to outcomes that stand; throws what is about the destination and not about the rows. */
  private async settle(batch: Batch<T>, outcomes: Outcome[]): Promise<void> {
    const { patience, sleep, signal } = this.parts;
    let open: Batch<T> | undefined = batch;
    for (let made = 1; open !== undefined; made += 1) {
      signal.throwIfAborted();
      const last: boolean = made >= patience.attempts;
      const left: Left<T> = await this.attempt(open, outcomes, last);
      open = last ? undefined : left.open;
      if (open !== undefined) {
        await sleep(Math.max(left.waitMs, backoff(patience, made)), signal);
      }
    }
  }

  /** One try. Answers with what of the batch has to be tried again, and how long the far side wants to be left alone. */
  private async attempt(batch: Batch<T>, outcomes: Outcome[], last: boolean): Promise<Left<T>> {
    let answers: readonly Outcome[];
    try {
      answers = await this.call(batch);
    } catch (thrown) {
      this.parts.signal.throwIfAborted();
      return this.afterError(batch, asActivateError(thrown), outcomes, last);
    }
    const open: number[] = [];
    for (const [i, place] of batch.at.entries()) {
      const outcome = answers[i] as Outcome;
      outcomes[place] = outcome;
      if (outcome.state === 'unknown') {
        this.unsure.add(place);
      }
      if (isPassing(outcome)) {
        open.push(i);
      }
    }
    return {
      open: open.length === 0 ? undefined : remaining(batch, open, outcomes),
      waitMs: longest(batch, open, outcomes),
    };
  }

  private async afterError(
    batch: Batch<T>,
    error: ActivateError,
    outcomes: Outcome[],
    last: boolean,
  ): Promise<Left<T>> {
    if (error.code === 'ROW_REJECTED') {
      await this.halve(batch, error, outcomes);
      return { open: undefined, waitMs: 0 };
    }
    if (error.retry === 'unknown' || error.code === 'BUG') {
      for (const place of batch.at) {
        this.unsure.add(place);
      }
    }
    const waitMs = error.retryAfterMs ?? 0;
    if (error.retry === 'never' || last || waitMs > this.parts.patience.longestWaitMs) {
      throw error;
    }
    if (error.code === 'RATE_LIMITED') {
      await this.pause(waitMs);
    }
    this.parts.log.debug({ run: this.parts.runId, code: error.code }, 'batch will be tried again');
    return { open: { ...batch, again: batch.again || error.retry === 'unknown' }, waitMs };
  }

  private async halve(batch: Batch<T>, error: ActivateError, outcomes: Outcome[]): Promise<void> {
    const [only] = batch.at;
    if (batch.jobs.length === 1 && only !== undefined) {
      outcomes[only] = { state: 'rejected', reason: error.message };
      return;
    }
    const middle = Math.ceil(batch.jobs.length / 2);
    await this.settle(partOf(batch, 0, middle), outcomes);
    await this.settle(partOf(batch, middle, batch.jobs.length), outcomes);
  }

  private async call(batch: Batch<T>): Promise<readonly Outcome[]> {
    const { db, runId, signal, limits, now, sleep } = this.parts;
    const wait = await reservePace(db, this.paceName(), limits.paceMs ?? 0, now());
    if (wait > 0) {
      await sleep(wait, signal);
    }
    // Asked for by few, and not free for a large batch.
    const name = lazy(() => nameOf(batch));
    const answers = await this.parts.write(
      batch.verb,
      batch.jobs.map((job) => job.item),
      {
        signal,
        again: batch.again,
        run: String(runId),
        ticket: this.tickets.size === 0 ? undefined : this.tickets.get(name()),
        keep: async (ticket) => {
          this.tickets.set(name(), ticket);
          await keepTicket(db, runId, name(), ticket);
        },
      },
    );
    if (answers.length !== batch.jobs.length) {
      throw new ActivateError(
        'BUG',
        `A connector answered ${answers.length} outcomes for ${batch.jobs.length} items.`,
      );
    }
    return answers;
  }

  /** All processes wait: what the far side counts, it counts for the connection. */
  private async pause(ms: number): Promise<void> {
    const { db, now } = this.parts;
    await pausePace(db, this.paceName(), new Date(now().getTime() + ms));
  }

  private paceName(): string {
    return `destination:${this.parts.destinationId}`;
  }
}

function partOf<T>(batch: Batch<T>, from: number, to: number): Batch<T> {
  return { ...batch, jobs: batch.jobs.slice(from, to), at: batch.at.slice(from, to) };
}

/** What has to be tried again of a batch, by position in it. */
function remaining<T>(batch: Batch<T>, open: readonly number[], outcomes: readonly Outcome[]): Batch<T> {
  const at = open.map((i) => batch.at[i] as number);
  const unknown = at.some((place) => outcomes[place]?.state === 'unknown');
  return { ...batch, at, jobs: open.map((i) => batch.jobs[i] as Job<T>), again: batch.again || unknown };
}

function longest<T>(batch: Batch<T>, open: readonly number[], outcomes: readonly Outcome[]): number {
  return Math.max(0, ...open.map((i) => askedFor(outcomes[batch.at[i] as number])));
}

function isPassing(outcome: Outcome | undefined): boolean {
  return outcome?.state === 'retry' || outcome?.state === 'unknown';
}

function askedFor(outcome: Outcome | undefined): number {
  return outcome?.state === 'retry' ? (outcome.afterMs ?? 0) : 0;
}

function backoff({ firstWaitMs }: Patience, made: number): number {
  return firstWaitMs * 2 ** (made - 1) * (0.75 + Math.random() / 2);
}

function lazy<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** The same for the same items in the same order, so that a job begun for them is found again. */
function nameOf(batch: Batch<unknown>): string {
  const hash = createHash('sha1').update(batch.verb);
  for (const job of batch.jobs) {
    hash.update('\0').update(job.key);
  }
  return hash.digest('hex');
}
