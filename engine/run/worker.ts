import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Db } from '../contracts/db.ts';
import type { Log } from '../contracts/log.ts';
import type { RunQueue } from '../queue.ts';
import { claimDue, nextDue, strandedRuns } from '../schedule/due.ts';
import { claimRuns, type Run, renewLeases } from '../store/runs.ts';
import type { Executed } from './execute.ts';
import { Lanes } from './lanes.ts';

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
  const claim = async (ids: readonly number[]): Promise<readonly Run[]> => {
    const claimed = await claimRuns(parts.db, ids, id, parts.now(), parts.leaseMs);
    for (const run of claimed) {
      active.set(run.id, new AbortController());
    }
    return claimed;
  };
  const carry = async (run: Run): Promise<void> => {
    const began = Date.now();
    parts.metrics.started(run, parts.now().getTime() - run.dueAt.getTime());
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
  const lanes = new Lanes({ count: parts.concurrency, claim, carry });
  await parts.queue.work((runs) => lanes.add(runs), parts.concurrency);
  return {
    stop: async () => {
      stopping.abort();
      await scheduler;
      const unclaimed = lanes.close();
      await parts.queue.close();
      clearInterval(heartbeat);
      await giveBack(parts, id, unclaimed);
    },
  };
}

/** What this worker holds, or was about to take, is free at once, so that nobody waits for its lease to run out. */
async function giveBack(parts: WorkerParts, worker: string, unclaimed: readonly number[]): Promise<void> {
  await parts.db
    .query(
      `update runs set worker = null, lease_until = $3
        where (worker = $1 or (worker is null and id = any($2))) and state not in ('done', 'failed')`,
      [worker, unclaimed, parts.now()],
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
