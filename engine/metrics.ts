import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Db } from './contracts/db.ts';
import type { RunQueue } from './queue.ts';
import type { WorkerParts } from './run/worker.ts';

export interface Metrics {
  readonly worker: WorkerParts['metrics'];
  /** Prometheus text. */
  text(): Promise<string>;
}

/** What this process did, and what the database and the queue say at the moment of asking. */
export function createMetrics(db: Db, queue: RunQueue): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'activate_' });
  const registers = [registry];
  const runs = new Counter({
    name: 'activate_runs_total',
    help: 'Runs that ended here.',
    labelNames: ['state'],
    registers,
  });
  const seconds = new Histogram({
    name: 'activate_run_seconds',
    help: 'How long runs took.',
    buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 1800],
    registers,
  });
  const lag = new Histogram({
    name: 'activate_run_lag_seconds',
    help: 'From when a run was due to when a worker took it.',
    buckets: [0.1, 0.5, 1, 2, 5, 15, 60, 300],
    registers,
  });
  const waiting = new Gauge({
    name: 'activate_queue_waiting',
    help: 'Groups of runs that wait for a worker.',
    registers,
  });
  const rows = new Gauge({
    name: 'activate_rows_read',
    help: 'Rows read by the runs of the last hour.',
    registers,
  });
  const deliveries = new Gauge({
    name: 'activate_deliveries',
    help: 'Messages of the last hour by what became of them.',
    labelNames: ['state'],
    registers,
  });
  const failing = new Gauge({
    name: 'activate_syncs_failing',
    help: 'Syncs whose last run failed.',
    registers,
  });
  const text = async (): Promise<string> => {
    waiting.set(await queue.waiting());
    const states = await db.query<{ state: string; count: number }>(
      `select state, count(*) as count from deliveries where created_at > now() - interval '1 hour' group by state`,
    );
    deliveries.reset();
    for (const { state, count } of states) {
      deliveries.set({ state }, count);
    }
    const [now] = await db.query<{ rows: number; failing: number }>(
      `select (select coalesce(sum((counts->>'rows')::bigint), 0)::bigint from runs where finished_at > now() - interval '1 hour') as rows,
              (select count(*) from syncs where failing_since is not null) as failing`,
    );
    rows.set(now?.rows ?? 0);
    failing.set(now?.failing ?? 0);
    return registry.metrics();
  };
  return {
    text,
    worker: {
      started: (_run, lagMs) => lag.observe(Math.max(0, lagMs / 1000)),
      ended: (how, ms) => {
        runs.inc({ state: how });
        seconds.observe(ms / 1000);
      },
    },
  };
}
