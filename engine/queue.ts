import { createPostgresBackend, Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { ActivateError } from './contracts/errors.ts';
import type { Log } from './contracts/log.ts';

/** Carries the ids of runs to workers. A copy of what the database says: losing it loses nothing. */
export interface RunQueue {
  /** Many runs at once travel in groups, because a job costs far more than a run's id. */
  add(runIds: readonly number[]): Promise<void>;
  /** Hands groups of ids to `handle`, at most `concurrency` groups at a time. A group may come twice. */
  work(handle: (runIds: readonly number[]) => Promise<void>, concurrency: number): Promise<void>;
  waiting(): Promise<number>;
  close(): Promise<void>;
}

interface Group {
  readonly runs: readonly number[];
}

const name = 'activate-runs';
const largestGroup = 100;
const groupsWanted = 20;

/** The queue on Redis when there is an address for it, and on our PostgreSQL otherwise. */
export async function openQueue(options: {
  readonly databaseUrl: string;
  readonly redisUrl?: string | undefined;
  readonly log: Log;
}): Promise<RunQueue> {
  return options.redisUrl === undefined
    ? onPostgres(options.databaseUrl, options.log)
    : onRedis(options.redisUrl, options.log);
}

async function onPostgres(databaseUrl: string, log: Log): Promise<RunQueue> {
  const connection = {
    connectionString: databaseUrl,
    schema: 'bullmq',
    migrate: true,
    keepAlive: true,
    max: 4,
  };
  const queue = new Queue(name, { connection }, createPostgresBackend);
  await ready(queue);
  return wrap(
    queue,
    (process, concurrency) =>
      new Worker(
        name,
        process,
        { connection: { ...connection, migrate: false }, concurrency, ...running },
        createPostgresBackend,
      ),
    log,
    () => undefined,
  );
}

async function onRedis(redisUrl: string, log: Log): Promise<RunQueue> {
  const { Redis: RedisOf } = await import('ioredis');
  const connect = (): Redis => {
    const redis = new RedisOf(redisUrl, { maxRetriesPerRequest: null });
    redis.on('error', (error: Error) => log.warn({ error: error.message }, 'redis connection lost'));
    return redis;
  };
  const connections: Redis[] = [connect()];
  const queue = new Queue(name, { connection: connections[0] as Redis });
  await ready(queue);
  return wrap(
    queue,
    (process, concurrency) => {
      const connection = connect();
      connections.push(connection);
      return new Worker(name, process, { connection, concurrency, ...running });
    },
    log,
    () => {
      for (const connection of connections) {
        connection.disconnect();
      }
    },
  );
}

/**
 * Started by hand once it is ready: one that lost its connection while it was starting would ask for ever, without a
 * pause in which anything else could run. After an outage it asks again each second.
 */
const running = { autorun: false, runRetryDelay: 1000 } as const;

type Start = (process: (job: { readonly data: Group }) => Promise<void>, concurrency: number) => Runnable;

interface Jobs extends Closable {
  addBulk(jobs: { name: string; data: Group; opts: object }[]): Promise<unknown>;
  getWaitingCount(): Promise<number>;
}

interface Closable {
  on(event: 'error', heard: (error: Error) => void): unknown;
  waitUntilReady(): Promise<unknown>;
  close(): Promise<void>;
}

interface Runnable extends Closable {
  /** Resolves when it is closed. */
  run(): Promise<void>;
}

/** Throws UNAVAILABLE when what carries the queue is away. */
async function ready(part: Closable): Promise<void> {
  try {
    await part.waitUntilReady();
  } catch (cause) {
    throw new ActivateError('UNAVAILABLE', "The queue can't be reached.", {
      cause,
      fix: 'Check that its server runs, then start again.',
    });
  }
}

function wrap(queue: Jobs, start: Start, log: Log, disconnect: () => void): RunQueue {
  const workers: Runnable[] = [];
  queue.on('error', (error) => log.warn({ error: error.message }, 'queue error'));
  return {
    add: async (runIds) => {
      const size = Math.min(largestGroup, Math.max(1, Math.ceil(runIds.length / groupsWanted)));
      const groups: Group[] = [];
      for (let at = 0; at < runIds.length; at += size) {
        groups.push({ runs: runIds.slice(at, at + size) });
      }
      // Done and failed jobs are not kept: the runs table says what became of each run.
      const opts = { removeOnComplete: true, removeOnFail: true };
      await queue.addBulk(groups.map((data) => ({ name: 'runs', data, opts })));
    },
    work: async (handle, concurrency) => {
      const worker = start((job) => handle(job.data.runs), concurrency);
      const heard = (error: Error): void => log.warn({ error: error.message }, 'queue worker error');
      worker.on('error', heard);
      workers.push(worker);
      await ready(worker);
      worker.run().catch(heard);
    },
    waiting: () => queue.getWaitingCount(),
    close: async () => {
      await Promise.all(workers.map((worker) => worker.close()));
      await queue.close();
      disconnect();
    },
  };
}
