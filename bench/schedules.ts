import { setTimeout as delay } from 'node:timers/promises';
import type { Db } from '../engine/contracts/db.ts';
import { openQueue } from '../engine/queue.ts';
import { startWorker } from '../engine/run/worker.ts';
import { createDb } from '../engine/store/db.ts';
import { migrate } from '../engine/store/migrate.ts';
import { finishRun } from '../engine/store/runs.ts';
import { silentLog } from '../test/support/log.ts';

export interface SchedulesMeasured {
  readonly syncs: number;
  /** Milliseconds from the time a sync is due to the time a lane of the worker begins its run. */
  readonly p50: number;
  readonly p99: number;
}

const schema = 'activate_schedules';

/**
 * So many syncs due in the same second. With `finish` each run writes down its end, a commit of its own; without, the
 * body is empty, and only scheduling and queue are measured.
 */
export async function benchSchedules(
  url: string,
  syncs: number,
  options: { readonly redisUrl: string | undefined; readonly finish: boolean },
): Promise<SchedulesMeasured> {
  const db = createDb(url, { schema, log: silentLog, connections: 16 });
  await migrate(db, schema);
  const queue = await openQueue({ databaseUrl: url, redisUrl: options.redisUrl, log: silentLog });
  const now = (): Date => new Date();
  const lags: number[] = [];
  const worker = await startWorker({
    db,
    queue,
    now,
    log: silentLog,
    chores: [],
    concurrency: 10,
    leaseMs: 30_000,
    metrics: { started: (_, lagMs) => lags.push(lagMs), ended: () => undefined },
    execute: async (run) => {
      if (options.finish) {
        await finishRun(db, run.id, { state: 'done', counts: {}, error: null, at: now() });
      }
      return 'done';
    },
  });
  try {
    await fill(db, syncs);
    return await measured(lags, syncs);
  } finally {
    await worker.stop();
    await db.query(`drop schema ${schema} cascade`);
    await db.close();
  }
}

async function fill(db: Db, syncs: number): Promise<void> {
  await db.query(`insert into sources (name, connector, config, secrets) values ('s', 'postgres', '{}', '')`);
  await db.query(`insert into models (name, source_id, sql, key, columns) values ('m', 1, '', '{}', '[]')`);
  // Far enough ahead that writing them down is no part of the measure.
  await db.query(
    `insert into syncs (name, framework, model_id, settings, cron, time_zone, next_due_at)
     select 's' || i, 'notify', 1, '{}', '0 0 1 1 *', 'UTC', date_trunc('second', clock_timestamp()) + interval '5 s'
       from generate_series(1, $1::int) i`,
    [syncs],
  );
}

async function measured(lags: readonly number[], syncs: number): Promise<SchedulesMeasured> {
  while (lags.length < syncs) {
    await delay(100);
  }
  const sorted = lags.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
  return { syncs, p50: at(0.5), p99: at(0.99) };
}
