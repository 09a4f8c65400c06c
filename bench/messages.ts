import { createSlack } from '../bot/slack/platform.ts';
import { connectors } from '../connectors/index.ts';
import { type App, boot } from '../engine/boot.ts';
import type { Caller } from '../engine/contracts/command.ts';
import { parseEnv } from '../engine/env.ts';
import { parseSchedule } from '../engine/schedule/cron.ts';
import { createDb, type PooledDb } from '../engine/store/db.ts';
import { silentLog } from '../test/support/log.ts';
import { cpuOf, postmaster, serverCpu } from './cpu.ts';
import { operator, type SlackProcess, startSlackProcess } from './support.ts';

export interface MessagesMeasured {
  readonly channels: number;
  readonly messages: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** Of our own process, with the planner's part and all else that a run does. */
  readonly cpuMsPerMessage: number;
  /** Of the pretended Slack and of the database, which share the machine with us. */
  readonly slackCpuMs: number;
  readonly databaseCpuMs: number;
}

/**
 * One run that says `rows` new rows, a message each, from the warehouse to a Slack in another process that sets no
 * limit: what the engine costs, not what a chat allows.
 */
export async function benchMessages(
  url: string,
  rows: number,
  spread: readonly number[],
): Promise<readonly MessagesMeasured[]> {
  const slack = await startSlackProcess();
  const env = parseEnv({
    DATABASE_URL: url,
    SECRET_KEY: 'b'.repeat(32),
    SLACK_BOT_TOKEN: slack.tokens.bot,
    SLACK_APP_TOKEN: slack.tokens.app,
    LOG_LEVEL: 'silent',
  });
  const app = await boot(env, {
    connectors,
    senders: () => [
      createSlack({ botToken: slack.tokens.bot, apiUrl: slack.apiUrl, paceMs: 0, log: silentLog }),
    ],
    log: silentLog,
  });
  const warehouse = createDb(url, { schema: 'public', log: silentLog, connections: 2 });
  const worker = await app.startWorker();
  try {
    const by = { ...operator, ...(await app.identify(operator.person)) };
    await prepare(app, by, url, warehouse, slack);
    const measured: MessagesMeasured[] = [];
    for (const channels of spread) {
      measured.push(await measure({ app, by, warehouse, slack }, rows, channels));
    }
    return measured;
  } finally {
    await worker.stop();
    await warehouse.close();
    await app.close();
    await slack.close();
  }
}

async function prepare(
  app: App,
  by: Caller,
  url: string,
  warehouse: PooledDb,
  slack: SlackProcess,
): Promise<void> {
  await slack.addChannels(
    Array.from({ length: 50 }, (_, at) => ({ id: `C0BENCH${at}`, name: `bench-${at}`, member: true })),
  );
  await warehouse.query('create table bench_rows (id bigint primary key, name text, channel text)');
  const connector = connectors.find((one) => one.id === 'postgres');
  if (connector === undefined) {
    throw new Error('no postgres connector');
  }
  await app.services.sources.connect('warehouse', connector, { url }, by);
}

interface Stage {
  readonly app: App;
  readonly by: Caller;
  readonly warehouse: PooledDb;
  readonly slack: SlackProcess;
}

async function measure(stage: Stage, rows: number, channels: number): Promise<MessagesMeasured> {
  const { app, by, warehouse, slack } = stage;
  const { alerts, runs } = app.services;
  const name = `to-${channels}`;
  await warehouse.query('truncate bench_rows');
  await warehouse.query("insert into bench_rows values (0, 'first', 'bench-0')");
  await slack.reset();
  await alerts.create(
    {
      name,
      source: 'warehouse',
      sql: 'select id, name, channel from public.bench_rows',
      key: ['id'],
      schedule: parseSchedule('0 0 1 1 *', 'UTC'),
      settings: {
        trigger: 'added',
        watch: [],
        title: 'Row {{ id }}',
        message: '*{{ name }}* is new.',
        targets: [{ type: 'channel-from', column: 'channel' }],
        tag: [],
        mode: 'message',
        burst: 10_000_000,
        cooldownDays: 90,
        silentFirst: true,
        platform: 'slack',
      },
    },
    by,
  );
  await baseline(stage, name);
  await warehouse.query(
    `insert into bench_rows select i, 'Account ' || i, 'bench-' || i % $2::int from generate_series(1, $1::int) i`,
    [rows, channels],
  );
  const server = await postmaster(warehouse);
  const others = async (): Promise<readonly [number, number]> => [
    await cpuOf(slack.pid),
    await serverCpu(server),
  ];
  const [slackBefore, databaseBefore] = await others();
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  const run = await runs.finished((await runs.start(name, by, 'manual')).id, 300_000);
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - began) / 1000;
  const [slackAfter, databaseAfter] = await others();
  const messages = run.counts.messages ?? 0;
  if (messages !== rows || (await slack.messages()).length !== rows) {
    throw new Error(
      `${messages} messages for ${rows} rows: ${run.counts.reasons?.[0] ?? run.error?.message}`,
    );
  }
  return {
    channels,
    messages,
    seconds,
    perSecond: messages / seconds,
    cpuMsPerMessage: (user + system) / 1000 / messages,
    slackCpuMs: ((slackAfter - slackBefore) * 1000) / messages,
    databaseCpuMs: ((databaseAfter - databaseBefore) * 1000) / messages,
  };
}

async function baseline({ app }: Stage, name: string): Promise<void> {
  const { runs } = app.services;
  for (;;) {
    const [first] = await runs.recent(name, 1);
    if (first !== undefined) {
      await runs.finished(first.id, 60_000);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
