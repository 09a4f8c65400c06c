import { setTimeout as delay } from 'node:timers/promises';
import { Connections } from './connections.ts';
import type { Sender } from './contracts/chat.ts';
import type { Caller } from './contracts/command.ts';
import type { Connector } from './contracts/connector.ts';
import type { Db } from './contracts/db.ts';
import { ActivateError } from './contracts/errors.ts';
import type { Log } from './contracts/log.ts';
import type { PersonRef, PlatformId } from './contracts/refs.ts';
import { mustBeFresh } from './dbt/fresh.ts';
import { createReader } from './dbt/reader.ts';
import type { DeliveryParts } from './delivery/changes.ts';
import type { Rehearsal } from './delivery/rehearsal.ts';
import type { Env } from './env.ts';
import { createAudiences } from './frameworks/audiences.ts';
import { createEvents } from './frameworks/events.ts';
import { createFiles } from './frameworks/files.ts';
import type { Framework } from './frameworks/framework.ts';
import { createMail } from './frameworks/mail.ts';
import { createNotify } from './frameworks/notify.ts';
import { createObjects } from './frameworks/objects.ts';
import { createTasks } from './frameworks/tasks.ts';
import { createHttp } from './http.ts';
import { createUnsubscribeLinks, type UnsubscribeLinks } from './mail/unsubscribe.ts';
import { createNotices } from './messages/notices.ts';
import { Outbox, type Patience } from './messages/outbox.ts';
import { type ReminderParts, remindOfSnoozed } from './messages/reminders.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { openQueue, type RunQueue } from './queue.ts';
import { executeRun } from './run/execute.ts';
import { startWorker, type Worker } from './run/worker.ts';
import { createVault, ownSecretKey, type Vault } from './secrets.ts';
import type { Services } from './services.ts';
import { createDb, type PooledDb } from './store/db.ts';
import { type Embedded, startEmbedded } from './store/embedded.ts';
import { migrate } from './store/migrate.ts';
import { People } from './store/people.ts';
import { createPlans } from './store/plans.ts';
import { pruneRuns } from './store/runs.ts';
import type { FrameworkId } from './store/syncs.ts';
import { createServices } from './verbs/index.ts';
import { createTold, type Told } from './warehouse/index.ts';

/** The engine put together, without anybody to talk to yet. */
export interface App {
  readonly env: Env;
  readonly db: Db;
  readonly log: Log;
  readonly services: Services;
  readonly metrics: Metrics;
  /** The embedded server, when there is one. */
  readonly embedded: Embedded | undefined;
  identify(person: PersonRef): Promise<Pick<Caller, 'id' | 'name' | 'email' | 'role' | 'timeZone'>>;
  startWorker(): Promise<Worker>;
  ready(): Promise<{ readonly ok: boolean; readonly checks: Readonly<Record<string, string>> }>;
  close(): Promise<void>;
}

export interface BootOptions {
  readonly connectors: readonly Connector[];
  /** The speaking halves of the platforms, made once the database is there. */
  readonly senders: (db: Db) => readonly Sender[] | Promise<readonly Sender[]>;
  readonly log: Log;
  /** Other times than a real installation has, for drills that can't wait as long. */
  readonly times?: Partial<Times>;
  /** Another way to let time pass, for the same. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** How long the engine waits for what. */
export interface Times {
  /** How long a worker may show no sign of life before its runs are taken over; longer than a post may take. */
  readonly leaseMs: number;
  /** The wait before a run that met passing trouble is taken up again; it doubles with each attempt. */
  readonly retryMs: number;
  readonly patience: Patience;
}

const usualTimes: Times = {
  leaseMs: 30_000,
  retryMs: 5000,
  patience: { attempts: 6, firstWaitMs: 1000, longestWaitMs: 5 * 60_000 },
};

/** Where our own database is: the one that is configured, or an embedded one that this starts. */
export async function openStore(
  env: Env,
  log: Log,
): Promise<{ readonly url: string; readonly db: PooledDb; readonly embedded: Embedded | undefined }> {
  const embedded = env.DATABASE_URL === undefined ? await startEmbedded(env.ACTIVATE_DATA_DIR) : undefined;
  if (embedded !== undefined) {
    await ensureDatabase(embedded, 'activate', log);
  }
  const url = env.DATABASE_URL ?? (embedded as Embedded).url('activate');
  const db = createDb(url, { schema: env.DATABASE_SCHEMA, log, connections: 16 });
  await withPatience(log, () => migrate(db, env.DATABASE_SCHEMA));
  return { url, db, embedded };
}

/** Creates a database on the embedded server when it is not there. */
export async function ensureDatabase(embedded: Embedded, name: string, log: Log): Promise<boolean> {
  const admin = createDb(embedded.url('postgres'), { schema: 'public', log, connections: 1 });
  try {
    const there = await admin.query('select 1 from pg_database where datname = $1', [name]);
    if (there.length === 0) {
      await admin.query(`create database ${name}`);
    }
    return there.length === 0;
  } finally {
    await admin.close();
  }
}

const databaseTries = 5;

/** A database that is still starting is waited for, a little. */
async function withPatience<T>(log: Log, work: () => Promise<T>): Promise<T> {
  for (let made = 1; ; made += 1) {
    try {
      return await work();
    } catch (error) {
      const passing = error instanceof ActivateError && error.retry === 'later';
      if (!passing || made === databaseTries) {
        throw error;
      }
      log.warn({ attempt: made }, 'the database does not answer yet');
      await delay(1000);
    }
  }
}

const readTimeoutMs = 15 * 60_000;

function connectionsOf(
  env: Env,
  {
    connectors,
    vault,
    now,
    log,
  }: Pick<BootOptions, 'connectors' | 'log'> & {
    readonly vault: Vault;
    readonly now: () => Date;
  },
): Connections {
  return new Connections({
    connectors,
    vault,
    now,
    allowedFolder: env.ALLOWED_FOLDER,
    httpFor: (about) =>
      createHttp({ ...about, privateHosts: env.ALLOWED_PRIVATE_HOSTS, proxy: env.HTTPS_PROXY, log, now }),
  });
}

/** Puts the engine together. Throws CONFIG_INVALID or UNAVAILABLE in sentences for whoever starts it. */
export async function boot(env: Env, options: BootOptions): Promise<App> {
  const { log, connectors } = options;
  const { leaseMs, retryMs, patience } = { ...usualTimes, ...options.times };
  const { url, db, embedded } = await openStore(env, log);
  const queue = await openQueue({ databaseUrl: url, redisUrl: env.REDIS_URL, log });
  const now = (): Date => new Date();
  const secretKey = env.SECRET_KEY ?? (await ownSecretKey(env.ACTIVATE_DATA_DIR));
  const vault = createVault(secretKey);
  const people = new People(db, { admins: env.ACTIVATE_ADMINS, defaultRole: env.DEFAULT_ROLE });
  const { sleep = slept } = options;
  const connections = connectionsOf(env, { connectors, vault, now, log });
  const senders = new Map<PlatformId, Sender>(
    [...(await options.senders(db)), createNotices({ db, connections })].map((sender) => [sender.id, sender]),
  );
  const outbox = new Outbox({ db, senders, log, now, sleep, patience });
  const shared = { db, senders, people, outbox, now, log };
  const told = createTold({ db, connections, plans: createPlans(db), readTimeoutMs, log });
  const metrics = createMetrics(db, queue);
  const links = createUnsubscribeLinks(vault, env.PUBLIC_URL);
  const delivery = { db, connections, sleep, patience, links };
  const frameworks = (rehearsal?: Rehearsal): Frameworks =>
    frameworksOf(createNotify(shared), rehearsal === undefined ? delivery : { ...delivery, rehearsal });
  const services = createServices({
    ...shared,
    vault,
    connections,
    frameworks,
    connectors,
    queue,
    told,
    dbt: createReader({
      vault,
      allowedFolder: env.ALLOWED_FOLDER,
      privateHosts: env.ALLOWED_PRIVATE_HOSTS,
      proxy: env.HTTPS_PROXY,
      log,
      now,
    }),
    publicUrl: env.PUBLIC_URL,
    links,
    personalDataRole: env.PERSONAL_DATA_ROLE,
  });
  const stopping = new AbortController();
  const chores = choresOf({ ...shared, services, told, signal: stopping.signal });
  return {
    env,
    db,
    log,
    services,
    metrics,
    embedded,
    identify: (person) => identify(people, senders, person, now()),
    startWorker: () =>
      startWorker({
        ...shared,
        queue,
        concurrency: env.WORKER_CONCURRENCY,
        leaseMs,
        metrics: metrics.worker,
        chores: chores.all,
        execute: (run, worker, signal) =>
          executeRun(
            {
              ...shared,
              connections,
              told,
              plans: createPlans(db),
              frameworks: frameworks(),
              mayRead: (run, sync) => mustBeFresh({ db, now }, run, sync),
              worker,
              attempts: 5,
              retryMs,
              readTimeoutMs,
            },
            run,
            signal,
          ),
      }),
    ready: () => ready(db, queue),
    close: async () => {
      stopping.abort();
      await chores.ended();
      await queue.close();
      await connections.close();
      await db.close();
      await embedded?.stop();
    },
  };
}

/** What every worker sees to besides runs. A chat or a warehouse that does not answer must not keep schedules waiting. */
function choresOf({
  services,
  told,
  signal,
  ...shared
}: ReminderParts & { readonly services: Services; readonly told: Told; readonly signal: AbortSignal }): {
  readonly all: readonly (() => Promise<void>)[];
  ended(): Promise<void>;
} {
  const { db, log, now } = shared;
  const tending = aside(() => services.approvals.tend(signal), log, 'approvals');
  const following = aside(() => services.dbt.tend(signal), log, 'dbt projects');
  const logging = aside(() => told.writeLogs(signal), log, 'logs in warehouses');
  return {
    all: [
      () => remindOfSnoozed(shared, signal),
      tending.begin,
      following.begin,
      every(60_000, logging.begin),
      every(3_600_000, () => Promise.all([pruneRuns(db, now()), told.sweep(now())])),
    ],
    ended: async () => {
      await Promise.all([tending.ended(), following.ended(), logging.ended()]);
    },
  };
}

type Frameworks = ReadonlyMap<FrameworkId, Framework>;

/** The frameworks, by name. */
function frameworksOf(
  notify: Framework,
  parts: DeliveryParts & { connections: Connections; links: UnsubscribeLinks },
): Frameworks {
  const all = [
    notify,
    createObjects(parts),
    createEvents(parts),
    createAudiences(parts),
    createFiles(parts),
    createTasks(parts),
    createMail(parts),
  ];
  return new Map(all.map((framework) => [framework.id, framework]));
}

async function slept(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal });
}

/** Work that is begun when asked, unless it is still going on, and that nobody waits for. */
function aside(
  work: () => Promise<void>,
  log: Log,
  what: string,
): { readonly begin: () => Promise<void>; readonly ended: () => Promise<void> } {
  let going: Promise<void> | undefined;
  return {
    begin: async () => {
      going ??= work()
        .catch((error: unknown) => log.warn({ error: String(error) }, `${what} could not be seen to`))
        .finally(() => {
          going = undefined;
        });
    },
    ended: async () => going,
  };
}

/** Does its work when asked, but once in so many ms at most. */
function every(ms: number, work: () => Promise<unknown>): () => Promise<void> {
  let last = 0;
  return async () => {
    if (Date.now() - last > ms) {
      last = Date.now();
      await work();
    }
  };
}

async function identify(
  people: People,
  senders: ReadonlyMap<PlatformId, Sender>,
  ref: PersonRef,
  now: Date,
): Promise<Pick<Caller, 'id' | 'name' | 'email' | 'role' | 'timeZone'>> {
  const known = await people.known(ref, now);
  const profile =
    known === undefined ? ((await senders.get(ref.platform)?.profile(ref)) ?? { name: ref.id }) : undefined;
  const person = known ?? (await people.meet(ref, profile ?? { name: ref.id }, now));
  // Whoever can start commands on this machine has the database and the key in hand already.
  const role = ref.platform === 'cli' ? 'admin' : person.role;
  return {
    id: String(person.id),
    name: person.name,
    email: person.email ?? undefined,
    role,
    timeZone: person.timeZone,
  };
}

async function ready(db: Db, queue: RunQueue): Promise<{ ok: boolean; checks: Record<string, string> }> {
  const check = async (work: () => Promise<unknown>): Promise<string> => {
    try {
      await work();
      return 'ok';
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };
  const checks = {
    database: await check(() => db.query('select 1')),
    queue: await check(() => queue.waiting()),
  };
  return { ok: Object.values(checks).every((said) => said === 'ok'), checks };
}
