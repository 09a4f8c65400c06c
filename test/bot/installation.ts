import { type Running, start } from '../../bot/roof.ts';
import { connectors } from '../../connectors/index.ts';
import type { Caller } from '../../engine/contracts/command.ts';
import { parseEnv } from '../../engine/env.ts';
import { createDb, type PooledDb } from '../../engine/store/db.ts';
import { silentLog } from '../support/log.ts';
import { freshDb } from '../support/postgres.ts';

/** The whole bot, worker included, as its entry starts it, with an empty warehouse beside it. */
export interface Installation {
  readonly running: Running;
  readonly warehouse: PooledDb;
  readonly warehouseUrl: string;
  /** Connects the warehouse as `warehouse`. */
  connect(by: Pick<Caller, 'person' | 'conversation'>): Promise<void>;
  /** Resolves once a run of the alert has ended that came by its schedule, and that a row could not have come into. */
  ranOnce(alert: string): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the bot as the environment says; the databases, the key and the port are given. */
export async function install(env: Readonly<Record<string, string>>): Promise<Installation> {
  const own = await freshDb();
  const house = await freshDb();
  const settings = parseEnv({
    DATABASE_URL: own.url,
    SECRET_KEY: 'k'.repeat(32),
    LOG_LEVEL: 'silent',
    PORT: '0',
    ...env,
  });
  const running = await start(settings, { web: true, worker: true, demo: false }, silentLog);
  const warehouse = createDb(house.url, { schema: 'public', log: silentLog });
  return {
    running,
    warehouse,
    warehouseUrl: house.url,
    connect: async (origin) => {
      const connector = connectors.find((one) => one.id === 'postgres');
      if (connector === undefined) {
        throw new Error('no postgres connector');
      }
      const by = {
        ...origin,
        ...(await running.app.identify(origin.person)),
        platform: origin.person.platform,
      };
      await running.app.services.sources.connect('warehouse', connector, { url: house.url }, by);
    },
    ranOnce: async (alert) => {
      for (let waited = 0; waited < 15_000; waited += 20) {
        const runs = await running.app.services.runs.recent(alert, 5);
        if (runs.some((run) => run.state === 'done')) {
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      throw new Error(`no run of ${alert} ended`);
    },
    stop: async () => {
      await running.stop();
      await warehouse.close();
      await own.close();
      await house.close();
    },
  };
}
