import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { endProcess, ownDatabase } from './support.ts';

const parts = ['planner', 'warehouse', 'messages', 'schedules', 'alerts', 'workers', 'syncs'] as const;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: 'string', default: '1000000' },
    messages: { type: 'string', default: '10000' },
    syncs: { type: 'string', default: '10000' },
    alerts: { type: 'string', default: '1000' },
  },
});
const wanted = (part: (typeof parts)[number]): boolean =>
  positionals.length === 0 || positionals.includes(part);

// A part is loaded when it is wanted: its memory is read from this process.
say(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}`);
const own = await ownDatabase();
try {
  if (wanted('messages')) {
    const { benchMessages } = await import('./messages.ts');
    for (const one of await benchMessages(own.url, Number(values.messages), [50, 1])) {
      say(
        `messages to ${one.channels} channels: ${Math.round(one.perSecond)}/s, CPU ${one.cpuMsPerMessage.toFixed(2)} ms each (targets: 2000/s, 0.5 ms); beside it the Slack ${one.slackCpuMs.toFixed(2)} ms, the database ${one.databaseCpuMs.toFixed(2)} ms`,
      );
    }
  }
  if (wanted('schedules')) {
    await schedules('PostgreSQL', undefined);
    await onRedis((redisUrl) => schedules('Redis', redisUrl));
  }
  if (wanted('alerts')) {
    const { benchAlerts } = await import('./alerts.ts');
    const one = await benchAlerts(own.url, Number(values.alerts));
    say(
      `${one.alerts} unchanged alerts due at once: started after p50 ${Math.round(one.p50)} ms, p99 ${Math.round(one.p99)} ms, all done after ${one.seconds.toFixed(1)} s, CPU ${one.cpuMsPerRun.toFixed(1)} ms each, the database ${one.databaseCpuMs.toFixed(1)} ms`,
    );
  }
  if (wanted('workers')) {
    await onRedis(async (redisUrl) => {
      const { benchWorkers } = await import('./workers.ts');
      const { one, two, delayMs } = await benchWorkers(own.url, redisUrl, Number(values.alerts));
      say(
        `${values.alerts} unchanged alerts over a warehouse ${delayMs} ms away, queue on Redis: ${Math.round(one)} runs a minute by one worker, ${Math.round(two)} by two = ${(two / one).toFixed(2)} x (target: 1.8 x)`,
      );
    });
  }
  if (wanted('syncs')) {
    const { benchSyncs } = await import('./syncs.ts');
    const all = await benchSyncs(own.url, Number(values.rows));
    const limit = all[0]?.seconds ?? 0;
    for (const { what, seconds, cpuSeconds, serverCpuSeconds, peakMb } of all) {
      const memory = peakMb === undefined ? '' : `, ${Math.round(peakMb)} MB at most`;
      say(
        `${values.rows} rows, ${what}: ${seconds.toFixed(2)} s = ${(seconds / limit).toFixed(2)} x psql, CPU ${cpuSeconds.toFixed(2)} s and the server's ${serverCpuSeconds.toFixed(2)} s${memory}`,
      );
    }
  }
  if (wanted('planner')) {
    const { benchPlanner } = await import('./planner.ts');
    await benchPlanner({ rows: Number(values.rows), url: own.url });
  }
  if (wanted('warehouse')) {
    const { benchWarehouse } = await import('./warehouse.ts');
    const all = await benchWarehouse(own.url, Number(values.rows));
    const limit = all[0];
    for (const { what, seconds, cpuSeconds, serverCpuSeconds, peakMb, bytes } of all) {
      const memory = peakMb === undefined ? '' : `, ${Math.round(peakMb)} MB at most`;
      const came = bytes === undefined ? '' : `, ${(bytes / 1e6).toFixed(1)} MB read`;
      say(
        `${values.rows} rows, ${what}: ${seconds.toFixed(1)} s = ${(seconds / (limit?.seconds ?? 1)).toFixed(2)} x psql, CPU ${(cpuSeconds - serverCpuSeconds).toFixed(2)} s here and ${serverCpuSeconds.toFixed(2)} s in the server${came}${memory}`,
      );
    }
  }
} finally {
  await own.close();
}

async function schedules(on: string, redisUrl: string | undefined): Promise<void> {
  const { benchSchedules } = await import('./schedules.ts');
  for (const finish of [false, true]) {
    const { syncs, p50, p99 } = await benchSchedules(own.url, Number(values.syncs), { redisUrl, finish });
    const body = finish ? 'a run that writes its end' : 'an empty run';
    say(
      `${syncs} syncs due at once, queue on ${on}, ${body}: started after p50 ${Math.round(p50)} ms, p99 ${Math.round(p99)} ms (target: 2000 ms)`,
    );
  }
}

/** A Redis of our own on a free port, when this machine has the program. */
async function onRedis(work: (redisUrl: string) => Promise<void>): Promise<void> {
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const redis = spawn('redis-server', args, { stdio: 'ignore' });
  const started = await Promise.race([once(redis, 'spawn').then(() => true), once(redis, 'error')]).catch(
    () => false,
  );
  if (started !== true) {
    say('queue on Redis: not measured, there is no redis-server here');
    return;
  }
  await onRunningRedis(redis, port, work);
}

async function onRunningRedis(
  redis: ChildProcess,
  port: number,
  work: (redisUrl: string) => Promise<void>,
): Promise<void> {
  try {
    // BullMQ connects again by itself until it listens.
    await delay(500);
    await work(`redis://127.0.0.1:${port}`);
  } finally {
    await endProcess(redis);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
