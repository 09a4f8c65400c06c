import { createLocal } from '../../bot/local/platform.ts';
import { connectors } from '../../connectors/index.ts';
import { type App, boot } from '../../engine/boot.ts';
import { shortPlan } from '../../engine/cards/hold.ts';
import type { Sender } from '../../engine/contracts/chat.ts';
import type { Caller } from '../../engine/contracts/command.ts';
import type { Db } from '../../engine/contracts/db.ts';
import { demoChannels, demoPeople } from '../../engine/demo/people.ts';
import { parseEnv } from '../../engine/env.ts';
import type { AlertSettings } from '../../engine/model/alert.ts';
import { parseSchedule } from '../../engine/schedule/cron.ts';
import type { AlertDraft } from '../../engine/services.ts';
import { createDb, type PooledDb } from '../../engine/store/db.ts';
import { pendingHolds } from '../../engine/store/holds.ts';
import type { Run } from '../../engine/store/runs.ts';
import { silentLog } from './log.ts';
import { freshDb } from './postgres.ts';

/** The engine on a database of its own, with the local chat to speak to and an empty warehouse beside it. */
export interface TestApp {
  readonly app: App;
  readonly db: Db;
  readonly url: string;
  readonly warehouse: PooledDb;
  readonly by: Caller;
  /** Creates an alert; what is left out has sensible values. */
  alert(
    draft: Partial<Omit<AlertDraft, 'settings'>> & { readonly settings?: Partial<AlertSettings> },
  ): Promise<string>;
  /** Runs an alert now and waits for the end, or until it waits for approval. */
  run(name: string): Promise<Run>;
  /** Approves what waits of a sync, and waits for the end of the run. */
  approve(name: string): Promise<Run>;
  /** What stands in a local channel: plain card text, oldest first. */
  said(channel: string): Promise<readonly Said[]>;
  close(): Promise<void>;
}

export interface Said {
  readonly id: string;
  readonly text: string;
  readonly thread: string | null;
}

export async function startApp(
  options: {
    readonly senders?: (db: Db) => readonly Sender[];
    readonly worker?: boolean;
    /** What its environment has besides. */
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<TestApp> {
  const own = await freshDb();
  const house = await freshDb();
  const env = parseEnv({
    DATABASE_URL: own.url,
    SECRET_KEY: 'k'.repeat(32),
    ACTIVATE_ADMINS: demoPeople[0].email,
    LOG_LEVEL: 'silent',
    ALLOWED_PRIVATE_HOSTS: '127.0.0.1',
    ...options.env,
  });
  const local = (db: Db): Sender =>
    createLocal({ db, log: silentLog, people: demoPeople, channels: demoChannels });
  const app = await boot(env, {
    connectors,
    senders: options.senders ?? ((db) => [local(db)]),
    log: silentLog,
  });
  const worker = options.worker === false ? undefined : await app.startWorker();
  const warehouse = createDb(house.url, { schema: 'public', log: silentLog });
  const by = await caller(app);
  const connector = connectors.find((one) => one.id === 'postgres');
  if (connector === undefined) {
    throw new Error('no postgres connector');
  }
  await app.services.sources.connect('warehouse', connector, { url: house.url }, by);
  return {
    app,
    db: own.db,
    url: own.url,
    warehouse,
    by,
    alert: async (draft) => {
      const full = { ...defaults, ...draft, settings: { ...defaultSettings, ...draft.settings } };
      const made = await app.services.alerts.create(full, by);
      await waitForRun(app, made.sync.name);
      return made.sync.name;
    },
    run: async (name) => {
      const started = await app.services.runs.start(name, { ...by, platform: 'cli' }, 'manual');
      return app.services.runs.finished(started.id, 20_000);
    },
    approve: async (name) => {
      const [hold] = await pendingHolds(own.db, name);
      if (hold === undefined) {
        throw new Error(`nothing of ${name} waits`);
      }
      await app.services.approvals.approve({ name, plan: shortPlan(hold.fingerprint) }, by);
      return app.services.runs.finished(hold.runId ?? 0, 20_000);
    },
    said: (channel) => said(own.db, channel),
    close: async () => {
      await worker?.stop();
      await warehouse.close();
      await app.close();
      await own.close();
      await house.close();
    },
  };
}

const defaultSettings: AlertSettings = {
  trigger: 'added',
  watch: [],
  title: '{{ name }}',
  message: '*{{ name }}* has {{ seats }} seats',
  targets: [{ type: 'channel', to: 'local:sales-pql' }],
  tag: [],
  mode: 'message',
  burst: 20,
  cooldownDays: 90,
  silentFirst: true,
  platform: 'local',
};

const defaults: Omit<AlertDraft, 'settings'> = {
  name: 'new-accounts',
  source: 'warehouse',
  sql: 'select id, name, seats, email from accounts',
  key: ['id'],
  schedule: parseSchedule('0 0 1 1 *', 'UTC'),
};

async function caller(app: App): Promise<Caller> {
  const person = { kind: 'person', platform: 'local', id: demoPeople[0].id } as const;
  const conversation = { kind: 'conversation', platform: 'local', id: 'data-alerts' } as const;
  return { ...(await app.identify(person)), person, conversation, platform: 'local' };
}

/** A new alert runs at once; this waits for that run. */
export async function waitForRun(app: App, name: string): Promise<void> {
  for (let waited = 0; waited < 20_000; waited += 20) {
    const [last] = await app.services.runs.recent(name, 1);
    if (last?.state === 'done' || last?.state === 'failed' || last?.state === 'held') {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`no run of ${name} ended`);
}

async function said(db: Db, channel: string): Promise<readonly Said[]> {
  const rows = await db.query<{ id: string; card: string; thread: string | null }>(
    'select id::text, card::text, thread_id::text as thread from local_messages where conversation_id = $1 and card is not null order by local_messages.id',
    [channel],
  );
  return rows.map((row) => ({ id: row.id, text: row.card, thread: row.thread }));
}
