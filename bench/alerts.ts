import { createSlack } from '../bot/slack/platform.ts';
import { connectors } from '../connectors/index.ts';
import { type App, boot } from '../engine/boot.ts';
import { parseEnv } from '../engine/env.ts';
import { parseSchedule } from '../engine/schedule/cron.ts';
import { createDb } from '../engine/store/db.ts';
import { silentLog } from '../test/support/log.ts';
import { cpuOf, postmaster, settledCpu } from './cpu.ts';
import { operator, type SlackProcess, startSlackProcess } from './support.ts';

export interface AlertsMeasured {
  readonly alerts: number;
  /** Milliseconds from due to started. */
  readonly p50: number;
  readonly p99: number;
  /** From due to the end of the last run. */
  readonly seconds: number;
  readonly cpuMsPerRun: number;
  /** Of the server that holds both our database and the warehouse. */
  readonly databaseCpuMs: number;
}

const schema = 'activate_alerts';

/** So many real alerts due in the same second, each over the same hundred rows of which none has changed. */
export async function benchAlerts(url: string, alerts: number): Promise<AlertsMeasured> {
  const slack = await startSlackProcess();
  try {
    await slack.addChannels([{ id: 'C0BENCH', name: 'bench', member: true }]);
    return await withSlack(slack, url, alerts);
  } finally {
    await slack.close();
  }
}

async function withSlack(slack: SlackProcess, url: string, alerts: number): Promise<AlertsMeasured> {
  const env = parseEnv({
    DATABASE_URL: url,
    DATABASE_SCHEMA: schema,
    SECRET_KEY: 'b'.repeat(32),
    SLACK_BOT_TOKEN: slack.tokens.bot,
    SLACK_APP_TOKEN: slack.tokens.app,
    LOG_LEVEL: 'silent',
  });
  const app = await boot(env, {
    connectors,
    senders: () => [createSlack({ botToken: slack.tokens.bot, apiUrl: slack.apiUrl, log: silentLog })],
    log: silentLog,
  });
  try {
    await app.db.query(
      "create table public.alert_rows as select i as id, 'Account ' || i as name from generate_series(1, 100) i",
    );
    await createAlerts(app, url, alerts);
    const worker = await app.startWorker();
    try {
      await atRest(app);
      await due(app, alerts);
      return await measured(app, url, alerts);
    } finally {
      await worker.stop();
    }
  } finally {
    await app.close();
    const admin = createDb(url, { schema: 'public', log: silentLog, connections: 1 });
    await admin.query(`drop schema ${schema} cascade`);
    await admin.query('drop table public.alert_rows');
    await admin.close();
  }
}

export async function createAlerts(app: App, url: string, alerts: number): Promise<void> {
  const by = { ...operator, ...(await app.identify(operator.person)) };
  const connector = connectors.find((one) => one.id === 'postgres');
  if (connector === undefined) {
    throw new Error('no postgres connector');
  }
  await app.services.sources.connect('warehouse', connector, { url }, by);
  await app.services.alerts.create(
    {
      name: 'alert',
      source: 'warehouse',
      sql: 'select id, name from public.alert_rows',
      key: ['id'],
      schedule: parseSchedule('0 0 1 1 *', 'UTC'),
      settings: {
        trigger: 'added',
        watch: [],
        title: 'Row {{ id }}',
        message: '*{{ name }}* is new.',
        targets: [{ type: 'channel', to: 'slack:C0BENCH' }],
        tag: [],
        mode: 'message',
        burst: 100,
        cooldownDays: 90,
        silentFirst: true,
        platform: 'slack',
      },
    },
    by,
  );
  await app.db.query(
    `insert into syncs (name, framework, model_id, settings, cron, time_zone)
     select name || i, framework, model_id, settings, cron, time_zone from syncs, generate_series(2, $1::int) i`,
    [alerts],
  );
}

/** The run that comes with a new alert holds up its next one. */
export async function atRest(app: App): Promise<void> {
  for (;;) {
    const runs = await app.db.query<{ finished: boolean }>(
      'select finished_at is not null as finished from runs',
    );
    if (runs.length > 0 && runs.every((run) => run.finished)) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Makes all alerts due and waits until each has run, counted from then. */
export async function due(app: App, alerts: number, inSeconds = 0): Promise<Date> {
  const [row] = await app.db.query<{ at: Date }>(
    `with due as (select date_trunc('second', clock_timestamp()) + $1::int * interval '1 s' as at),
       set as (update syncs set next_due_at = (select at from due))
     select at from due`,
    [inSeconds],
  );
  const at = row?.at ?? new Date();
  for (;;) {
    const [ended] = await app.db.query<{ count: number; failed: number }>(
      `select count(*)::int as count, (count(*) filter (where state = 'failed'))::int as failed
         from runs where due_at = $1 and finished_at is not null`,
      [at],
    );
    if ((ended?.failed ?? 0) > 0) {
      throw new Error('a run failed');
    }
    if ((ended?.count ?? 0) >= alerts) {
      return at;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function measured(app: App, url: string, alerts: number): Promise<AlertsMeasured> {
  const admin = createDb(url, { schema, log: silentLog, connections: 1 });
  const server = await postmaster(admin);
  const [ours, theirs] = [await cpuOf(process.pid), await settledCpu(server)];
  const at = await due(app, alerts, 3);
  const cpuMsPerRun = (((await cpuOf(process.pid)) - ours) * 1000) / alerts;
  const databaseCpuMs = (((await settledCpu(server)) - theirs) * 1000) / alerts;
  const [row] = await admin.query<{ p50: number; p99: number; seconds: number }>(
    `select percentile_disc(0.5) within group (order by extract(epoch from started_at - due_at) * 1000)::float8 as p50,
       percentile_disc(0.99) within group (order by extract(epoch from started_at - due_at) * 1000)::float8 as p99,
       extract(epoch from max(finished_at) - $1)::float8 as seconds from runs where due_at = $1`,
    [at],
  );
  await admin.close();
  return {
    alerts,
    p50: row?.p50 ?? 0,
    p99: row?.p99 ?? 0,
    seconds: row?.seconds ?? 0,
    cpuMsPerRun,
    databaseCpuMs,
  };
}
