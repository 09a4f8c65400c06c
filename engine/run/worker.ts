import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Db } from '../contracts/db.ts';
import type { Log } from '../contracts/log.ts';
import type { RunQueue } from '../queue.ts';
import { claimDue, nextDue, strandedRuns } from '../schedule/due.ts';
import { claimRuns, type Run, renewLeases } from '../store/runs.ts';
import type { Executed } from './execute.ts';

export interface WorkerParts {
  readonly db: Db;
  readonly queue: RunQueue;
  readonly execute: (run: Run, worker: string, signal: AbortSignal) => Promise<Executed>;
  /** Small chores done about once a second, by whichever worker comes first. */
  readonly chores: readonly (() => Promise<void>)[];
  readonly now: () => Date;
  readonly log: Log;
  readonly concurrency: number;
  /** How long a worker may show no sign of life before its runs are taken over. */
  readonly leaseMs: number;
  readonly metrics: { started(run: Run, lagMs: number): void; ended(how: Executed, ms: number): void };
}

export interface Worker {
  /** Lets runs come to a safe point, gives them back, and ends. */
  stop(): Promise<void>;
}

const tickMs = 1000;

/** Claims due syncs, takes runs from the queue and carries them out, until stopped. */
export async function startWorker(parts: WorkerParts): Promise<Worker> {
  const id = randomUUID();
  const stopping = new AbortController();
  const active = new Map<number, AbortController>();
  const lanes = new Lanes(parts.concurrency);
  const handle = async (runIds: readonly number[]): Promise<void> => {
    const now = parts.now();
    const wanted = runIds.filter((run) => !active.has(run));
    for (const run of wanted) {
      // Taken before anything is awaited: the same run may come in two groups at once.
      active.set(run, new AbortController());
    }
    const claimed = await claimRuns(parts.db, wanted, id, now, parts.leaseMs).catch((error: unknown) => {
      release(active, wanted);
      throw error;
    });
    const got = new Set(claimed.map((run) => run.id));
    release(
      active,
      wanted.filter((run) => !got.has(run)),
    );
    for (const run of claimed) {
      parts.metrics.started(run, now.getTime() - run.dueAt.getTime());
    }
    await Promise.all(claimed.map((run) => lanes.take(() => carry(run))));
  };
  const carry = async (run: Run): Promise<void> => {
    const began = Date.now();
    const control = active.get(run.id) ?? new AbortController();
    try {
      const how = stopping.signal.aborted
        ? 'released'
        : await parts.execute(run, id, AbortSignal.any([control.signal, stopping.signal]));
      parts.metrics.ended(how, Date.now() - began);
    } catch (error) {
      // The database does not answer: the lease runs out by itself, and the run is taken up again.
      parts.log.warn({ run: run.id, error: String(error) }, 'run was interrupted');
    } finally {
      active.delete(run.id);
    }
  };
  const heartbeat = setInterval(() => void beat(parts, id, active), parts.leaseMs / 3);
  const scheduler = schedule(parts, stopping.signal);
  await parts.queue.work(handle, parts.concurrency);
  return {
    stop: async () => {
      stopping.abort();
      await scheduler;
      await parts.queue.close();
      clearInterval(heartbeat);
      await giveBack(parts, id);
    },
  };
}

function release(active: Map<number, AbortController>, runs: readonly number[]): void {
  for (const run of runs) {
    active.delete(run);
  }
}

/** What this worker still holds is free at once, so that nobody waits for its lease to run out. */
async function giveBack(parts: WorkerParts, worker: string): Promise<void> {
  await parts.db
    .query(
      `update runs set worker = null, lease_until = $2 where worker = $1 and state not in ('done', 'failed')`,
      [worker, parts.now()],
    )
    .catch((error: unknown) => parts.log.warn({ error: String(error) }, 'runs could not be given back'));
}

async function beat(
  parts: WorkerParts,
  worker: string,
  active: ReadonlyMap<number, AbortController>,
): Promise<void> {
  const ids = [...active.keys()];
  if (ids.length === 0) {
    return;
  }
  try {
    const held = new Set(await renewLeases(parts.db, ids, worker, parts.now(), parts.leaseMs));
    for (const id of ids) {
      if (!held.has(id)) {
        active.get(id)?.abort(new Error('the lease is lost'));
      }
    }
  } catch (error) {
    parts.log.warn({ error: String(error) }, 'no sign of life could be given');
  }
}

/** Looks for due syncs when the next one is due, and at least once a second. */
async function schedule(parts: WorkerParts, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    let wait = tickMs;
    try {
      wait = await tick(parts);
    } catch (error) {
      parts.log.warn({ error: String(error) }, 'schedules could not be looked at');
    }
    await delay(wait, undefined, { signal }).catch(() => undefined);
  }
}

async function tick(parts: WorkerParts): Promise<number> {
  for (;;) {
    const due = await claimDue(parts.db, parts.now());
    if (due.length === 0) {
      break;
    }
    await parts.queue.add(due);
  }
  const stranded = await strandedRuns(parts.db, parts.now(), parts.leaseMs);
  if (stranded.length > 0) {
    await parts.queue.add(stranded);
  }
  for (const chore of parts.chores) {
    await chore();
  }
  const next = await nextDue(parts.db);
  return next === undefined ? tickMs : Math.min(tickMs, Math.max(0, next.getTime() - parts.now().getTime()));
}

/** Lets so many pieces of work go on at a time; the others wait their turn. */
class Lanes {
  private free: number;
  private readonly waiting: (() => void)[] = [];

  constructor(count: number) {
    this.free = count;
  }

  async take(work: () => Promise<void>): Promise<void> {
    if (this.free === 0) {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    } else {
      this.free -= 1;
    }
    try {
      await work();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) {
        this.free += 1;
      } else {
        next();
      }
    }
  }
}
