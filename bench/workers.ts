import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { createSlack } from '../bot/slack/platform.ts';
import { connectors } from '../connectors/index.ts';
import { type App, boot } from '../engine/boot.ts';
import { parseEnv } from '../engine/env.ts';
import { createDb } from '../engine/store/db.ts';
import { silentLog } from '../test/support/log.ts';
import { atRest, createAlerts, due } from './alerts.ts';
import { endProcess, type SlackProcess, startCompiledWorker, startSlackProcess } from './support.ts';

const schema = 'activate_workers';
/** One way, as to a warehouse in another region. */
const delayMs = 40;

/** Runs a minute. */
export interface WorkersMeasured {
  readonly one: number;
  readonly two: number;
  /** To the warehouse and back. */
  readonly delayMs: number;
}

/**
 * So many unchanged alerts due at once, over a warehouse that is some way off, as most are: carried out by one worker
 * process, and by two. By turns, twice each; the better time of each counts, since other work on the machine only slows.
 */
export async function benchWorkers(url: string, redisUrl: string, alerts: number): Promise<WorkersMeasured> {
  const slack = await startSlackProcess();
  try {
    await slack.addChannels([{ id: 'C0BENCH', name: 'bench', member: true }]);
    return await measured(slack, url, redisUrl, alerts);
  } finally {
    await slack.close();
    const admin = createDb(url, { schema: 'public', log: silentLog, connections: 1 });
    await admin.query(`drop schema if exists ${schema} cascade`);
    await admin.query('drop table if exists public.alert_rows');
    await admin.close();
  }
}

async function measured(
  slack: SlackProcess,
  url: string,
  redisUrl: string,
  alerts: number,
): Promise<WorkersMeasured> {
  const raw = {
    DATABASE_URL: url,
    DATABASE_SCHEMA: schema,
    REDIS_URL: redisUrl,
    SECRET_KEY: 'b'.repeat(32),
    SLACK_BOT_TOKEN: slack.tokens.bot,
    SLACK_APP_TOKEN: slack.tokens.app,
    SLACK_API_URL: slack.apiUrl,
    LOG_LEVEL: 'silent',
  };
  const far = await startFarAway(Number(new URL(url).port));
  const app = await boot(parseEnv(raw), {
    connectors,
    senders: () => [createSlack({ botToken: slack.tokens.bot, apiUrl: slack.apiUrl, log: silentLog })],
    log: silentLog,
  });
  const hired: ChildProcess[] = [];
  try {
    await app.db.query(
      "create table public.alert_rows as select i as id, 'Account ' || i as name from generate_series(1, 100) i",
    );
    const away = new URL(url);
    away.port = String(far.port);
    await createAlerts(app, away.href, alerts);
    hired.push(await startCompiledWorker(raw));
    await atRest(app);
    await due(app, alerts);
    const times = { one: Number.POSITIVE_INFINITY, two: Number.POSITIVE_INFINITY };
    for (let round = 0; round < 2; round += 1) {
      times.one = Math.min(times.one, await secondsOf(app, alerts));
      hired.push(await startCompiledWorker(raw));
      // The first runs of a process meet cold code.
      await due(app, alerts);
      times.two = Math.min(times.two, await secondsOf(app, alerts));
      await endProcess(hired.pop() as ChildProcess);
    }
    return { one: (alerts / times.one) * 60, two: (alerts / times.two) * 60, delayMs: 2 * delayMs };
  } finally {
    await Promise.all(hired.map(endProcess));
    await app.close();
    await far.close();
  }
}

/** From due to the end of the last run. */
async function secondsOf(app: App, alerts: number): Promise<number> {
  const at = await due(app, alerts, 3);
  const [row] = await app.db.query<{ seconds: number }>(
    'select extract(epoch from max(finished_at) - $1)::float8 as seconds from runs where due_at = $1',
    [at],
  );
  return row?.seconds ?? 0;
}

/** A way to a port of this machine on which every byte takes its time, in both directions and in order. */
async function startFarAway(to: number): Promise<{ readonly port: number; close(): Promise<void> }> {
  const open = new Set<Socket>();
  const late = (from: Socket, into: Socket): void => {
    from.on('data', (bytes) => setTimeout(() => into.write(bytes), delayMs));
    from.on('close', () => setTimeout(() => into.destroy(), delayMs));
    from.on('error', () => undefined);
  };
  const server = createServer((near) => {
    const away = connect(to, '127.0.0.1');
    for (const socket of [near, away]) {
      open.add(socket);
      socket.setNoDelay(true);
      socket.on('close', () => open.delete(socket));
    }
    late(near, away);
    late(away, near);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: async () => {
      for (const socket of open) {
        socket.destroy();
      }
      server.close();
      await once(server, 'close');
    },
  };
}
