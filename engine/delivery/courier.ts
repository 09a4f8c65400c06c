import { createHash } from 'node:crypto';
import type { Db } from '../contracts/db.ts';
import type { BatchLimits, Call, Outcome } from '../contracts/destination.ts';
import { ActivateError, asActivateError } from '../contracts/errors.ts';
import type { Log } from '../contracts/log.ts';
import type { Patience } from '../messages/outbox.ts';
import { reservePace } from '../store/paces.ts';
import { keepTicket } from '../store/tickets.ts';

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
  /** Jobs begun by an earlier attempt of this run. */
  readonly tickets: ReadonlyMap<string, string>;
  readonly signal: AbortSignal;
  write(verb: string, items: readonly T[], call: Call): Promise<readonly Outcome[]>;
}

/** What became of the jobs, in their order, and what kept the rest from being done. */
export interface Carried {
  readonly outcomes: readonly Outcome[];
  /** Set when the destination as a whole is in the way: then jobs that were not reached are `retry`. */
  readonly trouble: ActivateError | undefined;
}

interface Batch<T> {
  readonly verb: string;
  readonly jobs: readonly (Job<T> & { readonly at: number })[];
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
 * for each job what became of it. Verbs go one after the other, in the order in which they first come.
 */
export class Courier<T> {
  private readonly parts: CourierParts<T>;
  private readonly tickets: Map<string, string>;

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
    const numbered = jobs.map((job, at) => ({ ...job, at }));
    for (const verb of new Set(jobs.map((job) => job.verb))) {
      const queue = this.cut(
        verb,
        numbered.filter((job) => job.verb === verb),
      );
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
    return { outcomes, trouble };
  }

  private cut(verb: string, jobs: Batch<T>['jobs']): Batch<T>[] {
    const { rows, bytes = Number.POSITIVE_INFINITY } = this.parts.limits;
    const batches: Batch<T>[] = [];
    let held: Batch<T>['jobs'][number][] = [];
    let size = 0;
    const close = (): void => {
      if (held.length > 0) {
        batches.push({ verb, jobs: held, again: held.some((job) => job.again) });
      }
      held = [];
      size = 0;
    };
    for (const job of jobs) {
      const own = Number.isFinite(bytes) ? Buffer.byteLength(JSON.stringify(job.item)) + 1 : 0;
      const mixed = held.length > 0 && held[0]?.again !== job.again;
      if (mixed || held.length >= rows || (held.length > 0 && size + own > bytes)) {
        close();
      }
      held.push(job);
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
    for (const [i, job] of batch.jobs.entries()) {
      outcomes[job.at] = answers[i] as Outcome;
    }
    const jobs = batch.jobs.filter((job) => isPassing(outcomes[job.at]));
    const unknown = jobs.some((job) => outcomes[job.at]?.state === 'unknown');
    return {
      open: jobs.length === 0 ? undefined : { ...batch, jobs, again: batch.again || unknown },
      waitMs: Math.max(0, ...jobs.map((job) => askedFor(outcomes[job.at]))),
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
    const [only] = batch.jobs;
    if (batch.jobs.length === 1 && only !== undefined) {
      outcomes[only.at] = { state: 'rejected', reason: error.message };
      return;
    }
    const middle = Math.ceil(batch.jobs.length / 2);
    await this.settle({ ...batch, jobs: batch.jobs.slice(0, middle) }, outcomes);
    await this.settle({ ...batch, jobs: batch.jobs.slice(middle) }, outcomes);
  }

  private async call(batch: Batch<T>): Promise<readonly Outcome[]> {
    const { db, runId, signal, limits, now, sleep } = this.parts;
    const wait = await reservePace(db, this.paceName(), limits.paceMs ?? 0, now());
    if (wait > 0) {
      await sleep(wait, signal);
    }
    const name = nameOf(batch);
    const answers = await this.parts.write(
      batch.verb,
      batch.jobs.map((job) => job.item),
      {
        signal,
        again: batch.again,
        run: String(runId),
        ticket: this.tickets.get(name),
        keep: async (ticket) => {
          this.tickets.set(name, ticket);
          await keepTicket(db, runId, name, ticket);
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
    await reservePace(this.parts.db, this.paceName(), ms, this.parts.now());
  }

  private paceName(): string {
    return `destination:${this.parts.destinationId}`;
  }
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

/** The same for the same items in the same order, so that a job begun for them is found again. */
function nameOf(batch: Batch<unknown>): string {
  const hash = createHash('sha1').update(batch.verb);
  for (const job of batch.jobs) {
    hash.update('\0').update(job.key);
  }
  return hash.digest('hex');
}
