import { connectors } from '../connectors/index.ts';
import { boot } from '../engine/boot.ts';
import { parseEnv } from '../engine/env.ts';
import { createLog } from '../engine/log.ts';
import { drilled, drillSender } from './drill-senders.ts';
import { drillTimes } from './drill-times.ts';

/** A worker as it ships, only less patient; it says "ready" once it works, and is never stopped, only killed. */
const env = parseEnv(process.env);
const platform = drilled.find((one) => one === process.env['DRILL_PLATFORM']) ?? 'slack';
const log = createLog({ level: env.LOG_LEVEL, format: 'json' });
const app = await boot(env, {
  connectors,
  senders: (db) => [drillSender(platform, env, db, log)],
  log,
  times: drillTimes,
});
await app.startWorker();
process.stdout.write('ready\n');
