import { createSlack } from '../bot/slack/platform.ts';
import { connectors } from '../connectors/index.ts';
import { boot } from '../engine/boot.ts';
import { parseEnv } from '../engine/env.ts';
import { createLog } from '../engine/log.ts';
import { drillTimes, slackTimeoutMs } from './drill-times.ts';

/** A worker as it ships, only less patient; it says "ready" once it works, and is never stopped, only killed. */
const env = parseEnv(process.env);
const log = createLog({ level: env.LOG_LEVEL, format: 'json' });
const app = await boot(env, {
  connectors,
  senders: () => [
    createSlack({
      botToken: env.SLACK_BOT_TOKEN ?? '',
      ...(env.SLACK_API_URL === undefined ? {} : { apiUrl: env.SLACK_API_URL }),
      paceMs: 20,
      timeoutMs: slackTimeoutMs,
      log,
    }),
  ],
  log,
  times: drillTimes,
});
await app.startWorker();
process.stdout.write('ready\n');
