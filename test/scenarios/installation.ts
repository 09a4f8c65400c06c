import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createLocal } from '../../bot/local/platform.ts';
import { connectors } from '../../connectors/index.ts';
import { type App, boot, type Times } from '../../engine/boot.ts';
import type { Caller } from '../../engine/contracts/command.ts';
import type { Db } from '../../engine/contracts/db.ts';
import { demoChannels, demoPeople } from '../../engine/demo/people.ts';
import { parseEnv } from '../../engine/env.ts';
import { createDb, type PooledDb } from '../../engine/store/db.ts';
import type { Run } from '../../engine/store/runs.ts';
import { silentLog } from '../support/log.ts';
import { freshDb } from '../support/postgres.ts';

/** A worker that carries out runs, until it is struck down. */
export interface Hand {
  /** Ends it at whatever it is doing; others can take up its runs at once. */
  kill(): Promise<void>;
}

/** An installation in which nothing is set up yet, with an empty warehouse that documents can refer to. */
export interface Installation {
  /** Of the warehouse's address in documents, as `${…}` has it. */
  readonly warehouseVariable: string;
  readonly warehouseUrl: string;
  readonly services: App['services'];
  readonly db: Db;
  readonly warehouse: PooledDb;
  readonly by: Caller;
  /** What a process of this installation has in its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** A worker in this process, or in one of its own. */
  hire(where?: 'here' | 'own process'): Promise<Hand>;
  start(sync: string): Promise<Run>;
  /** Starts a run and waits for its end. */
  run(sync: string): Promise<Run>;
  /** The end of the latest run. */
  ended(sync: string): Promise<Run>;
  /** Resolves once this holds, which is asked of the latest run again and again. */
  until(sync: string, holds: (run: RunAtWork) => boolean): Promise<void>;
  close(): Promise<void>;
}

export interface RunAtWork {
  readonly state: Run['state'];
  readonly attempts: number;
  readonly worker: string | null;
}

const times: Times = {
  leaseMs: 20_000,
  retryMs: 20,
  patience: { attempts: 3, firstWaitMs: 10, longestWaitMs: 2000 },
};

/** What far sides take minutes for, ours do at once. */
const longestSleepMs = 50;

const entry = fileURLToPath(new URL('../../engine/main.ts', import.meta.url));

let installed = 0;

/** `more` is what its environment has besides. */
export async function install(more: Readonly<Record<string, string>> = {}): Promise<Installation> {
  const own = await freshDb();
  const house = await freshDb();
  installed += 1;
  const warehouseVariable = `CONNECTION_WAREHOUSE_${installed}_URL`;
  process.env[warehouseVariable] = house.url;
  const env = {
    DATABASE_URL: own.url,
    SECRET_KEY: 'k'.repeat(32),
    ACTIVATE_ADMINS: demoPeople[0].email,
    ALLOWED_PRIVATE_HOSTS: '127.0.0.1',
    LOG_LEVEL: 'silent',
    ...more,
  };
  const open = (): Promise<App> =>
    boot(parseEnv(env), {
      connectors,
      senders: (db) => [createLocal({ db, log: silentLog, people: demoPeople, channels: demoChannels })],
      log: silentLog,
      times,
      sleep: (ms, signal) => delay(Math.min(ms, longestSleepMs), undefined, { signal }),
    });
  const desk = await open();
  const warehouse = createDb(house.url, { schema: 'public', log: silentLog });
  const person = { kind: 'person', platform: 'cli', id: 'mia' } as const;
  const conversation = { kind: 'conversation', platform: 'cli', id: 'terminal' } as const;
  const by: Caller = { ...(await desk.identify(person)), person, conversation, platform: 'cli' };
  const hands = new Set<Hand>();
  const latest = async (sync: string): Promise<(RunAtWork & Pick<Run, 'id'>) | undefined> => {
    const [run] = await own.db.query<RunAtWork & Pick<Run, 'id'>>(
      `select runs.id, runs.state, attempts, worker from runs join syncs on syncs.id = sync_id
        where name = $1 order by runs.id desc limit 1`,
      [sync],
    );
    return run;
  };
  const until: Installation['until'] = async (sync, holds) => {
    for (const end = Date.now() + 20_000; Date.now() < end; ) {
      const run = await latest(sync);
      if (run !== undefined && holds(run)) {
        return;
      }
      await delay(10);
    }
    throw new Error(`the latest run of ${sync} stands still: ${JSON.stringify(await latest(sync))}`);
  };
  const ended: Installation['ended'] = async (sync) => {
    await until(sync, ({ state }) => state === 'done' || state === 'failed');
    const [run] = await desk.services.runs.recent(sync, 1);
    return run as Run;
  };
  const start = (sync: string): Promise<Run> => desk.services.runs.start(sync, by, 'manual');
  return {
    warehouseVariable,
    warehouseUrl: house.url,
    services: desk.services,
    db: own.db,
    warehouse,
    by,
    env,
    until,
    ended,
    start,
    run: async (sync) => {
      await start(sync);
      return ended(sync);
    },
    hire: async (where = 'here') => {
      const made = where === 'here' ? await handOf(await open()) : await handInProcess(env, own.db);
      const hand: Hand = {
        kill: async () => {
          hands.delete(hand);
          await made.kill();
        },
      };
      hands.add(hand);
      return hand;
    },
    close: async () => {
      await Promise.all([...hands].map((hand) => hand.kill()));
      await desk.close();
      await warehouse.close();
      await own.close();
      await house.close();
    },
  };
}

async function handOf(app: App): Promise<Hand> {
  const worker = await app.startWorker();
  return {
    kill: async () => {
      await worker.stop();
      await app.close();
    },
  };
}

/** The worker as it ships, which is given no chance to tidy up. */
async function handInProcess(env: Installation['env'], db: Db): Promise<Hand> {
  const child = spawn(process.execPath, ['--import', 'tsx', entry], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return {
    kill: async () => {
      await gone(child);
      // The time that others wait before they take up what it held.
      await db.query(
        `update runs set lease_until = now() - interval '1 second' where state not in ('done', 'failed')`,
      );
    },
  };
}

async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }
}
