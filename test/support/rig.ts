import { randomUUID } from 'node:crypto';
import { Connections } from '../../engine/connections.ts';
import type { Sender } from '../../engine/contracts/chat.ts';
import type { Db, Sql } from '../../engine/contracts/db.ts';
import type { PlatformId } from '../../engine/contracts/refs.ts';
import type { Column } from '../../engine/contracts/source.ts';
import { createAudiences } from '../../engine/frameworks/audiences.ts';
import { createEvents } from '../../engine/frameworks/events.ts';
import { createFiles } from '../../engine/frameworks/files.ts';
import { createMail } from '../../engine/frameworks/mail.ts';
import { createObjects } from '../../engine/frameworks/objects.ts';
import { createTasks } from '../../engine/frameworks/tasks.ts';
import { createUnsubscribeLinks } from '../../engine/mail/unsubscribe.ts';
import { Outbox, type Patience } from '../../engine/messages/outbox.ts';
import { type ExecuteParts, executeRun } from '../../engine/run/execute.ts';
import { createVault } from '../../engine/secrets.ts';
import { type DeliveryFramework, parseSettings } from '../../engine/setup/index.ts';
import { saveConnection } from '../../engine/store/connections.ts';
import { saveModel } from '../../engine/store/models.ts';
import { People } from '../../engine/store/people.ts';
import { createPlans } from '../../engine/store/plans.ts';
import {
  claimRuns,
  letRunGoOn,
  type Run,
  type RunScope,
  requestRun,
  runById,
} from '../../engine/store/runs.ts';
import { insertSync, type Sync } from '../../engine/store/syncs.ts';
import { createTold } from '../../engine/warehouse/index.ts';
import { silentLog } from './log.ts';
import { type Cell, memoryConnector, World } from './memory.ts';
import { type FreshDb, freshDb } from './postgres.ts';

/** Runs of syncs without a queue: the engine's own code on a real database, a world in memory, and death at any step. */
export interface Rig {
  readonly world: World;
  readonly db: Db;
  /** Of the same database. Secrets are sealed with 32 letters k. */
  readonly url: string;
  /** The time that the engine sees. */
  readonly clock: { now: Date };
  /** How long the engine wanted to sleep; it never really did. */
  readonly slept: number[];
  /** An empty world, at noon on the first of March 2026. */
  reset(): Promise<void>;
  sync(framework: DeliveryFramework, settings: unknown, options?: SyncOptions): Promise<Sync>;
  /** Makes a run, or goes on with one that was stopped, and carries it to its end, however many workers it takes. */
  run(sync: Sync, options?: RunOptions): Promise<Run>;
  close(): Promise<void>;
}

export interface SyncOptions {
  readonly key?: readonly string[];
  readonly columns: readonly Column[];
  readonly rows?: readonly (readonly Cell[])[];
}

export interface RunOptions {
  readonly scope?: RunScope;
  /** Somebody approves it, should it stop and ask; without, a run that asks is answered with as it stands. */
  readonly approve?: boolean;
  /** After so many steps, of ours or of the far side's, the first worker dies. */
  readonly dieAfter?: number;
  /** In the so manieth step at the far side the first worker is asked to stop: that call is broken off, and it tidies up. */
  readonly stopAt?: number;
  /** Called when a worker has died or given the run back, before the next one takes it. */
  readonly between?: () => void | Promise<void>;
  /** How often a run that meets passing trouble is taken up again. */
  readonly attempts?: number;
  readonly patience?: Patience;
}

export const text = (name: string): Column => ({ name, type: 'text', native: 'text' });
export const number = (name: string): Column => ({ name, type: 'number', native: 'integer' });
export const time = (name: string): Column => ({ name, type: 'time', native: 'timestamp with time zone' });

/** A process: it dies after so many steps, and from then on nothing that it does has an effect. */
class Life {
  readonly control = new AbortController();
  private left: number;

  constructor(steps: number) {
    this.left = steps;
  }

  readonly step = (): void => {
    this.left -= 1;
    if (this.left <= 0) {
      this.control.abort(new Error('killed'));
      throw new Error('killed');
    }
  };

  /** A life that ends in the middle of a call, and in which our own database can still be spoken to. */
  static stopped(steps: number): Lived {
    const life = new Life(Number.POSITIVE_INFINITY);
    let left = steps;
    return {
      life,
      far: () => {
        left -= 1;
        if (left <= 0) {
          life.control.abort(new Error('the worker stops'));
          throw life.control.signal.reason;
        }
      },
    };
  }
}

interface Lived {
  readonly life: Life;
  /** Told of each step at the far side. */
  readonly far: () => void;
}

function lifeOf(steps: number): Lived {
  const life = new Life(steps);
  return { life, far: life.step };
}

function firstLife({ dieAfter = Number.POSITIVE_INFINITY, stopAt }: RunOptions): Lived {
  return stopAt === undefined ? lifeOf(dieAfter) : Life.stopped(stopAt);
}

function mortal(db: Db, { step }: Life): Db {
  const sqlOf = (sql: Sql): Sql => ({
    query: async (statement, values) => {
      step();
      const rows = await sql.query<never>(statement, values);
      step();
      return rows;
    },
  });
  return {
    ...sqlOf(db),
    transaction: async (work) => {
      const result = await db.transaction((sql) => work(sqlOf(sql)));
      step();
      return result;
    },
    listen: db.listen,
  };
}

/** What it posts, or edits, may be the last that is heard of a process. */
function mortalSender(sender: Sender, { step }: Life): Sender {
  return {
    ...sender,
    post: async (...given) => {
      step();
      const posted = await sender.post(...given);
      step();
      return posted;
    },
    update: async (...given) => {
      step();
      await sender.update(...given);
      step();
    },
  };
}

async function approveHeld(db: Db, run: Run | undefined): Promise<void> {
  if (run?.state === 'held') {
    await db.query(`update holds set state = 'approved' where run_id = $1`, [run.id]);
    await letRunGoOn(db, run.id);
  }
}

const noon = new Date('2026-03-01T12:00:00Z');

/** With senders, what is posted can be struck down like all else. */
export async function startRig(
  options: { readonly senders?: (db: Db) => readonly Sender[] } = {},
): Promise<Rig> {
  const own: FreshDb = await freshDb();
  const { db } = own;
  const world = new World();
  const vault = createVault('k'.repeat(32));
  const clock = { now: noon };
  const slept: number[] = [];
  const now = (): Date => clock.now;
  const sleep = async (ms: number, signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    slept.push(ms);
    clock.now = new Date(clock.now.getTime() + ms);
  };
  const connections = new Connections({
    connectors: [memoryConnector(world)],
    vault,
    now,
    httpFor: () => ({ send: () => Promise.reject(new Error('no web here')), close: async () => undefined }),
  });
  const connection = { connector: 'memory', config: {}, secrets: vault.seal({}), createdBy: null };
  const source = await saveConnection(db, { ...connection, kind: 'source', name: 'warehouse' });
  const destination = await saveConnection(db, { ...connection, kind: 'destination', name: 'far side' });
  const sendersFor = (life: Life): ReadonlyMap<PlatformId, Sender> =>
    new Map((options.senders?.(db) ?? []).map((sender) => [sender.id, mortalSender(sender, life)]));
  const partsFor = (life: Life, how: RunOptions): ExecuteParts => {
    const lived = mortal(db, life);
    const senders = sendersFor(life);
    const patience = how.patience ?? { attempts: 3, firstWaitMs: 10, longestWaitMs: 60_000 };
    const links = createUnsubscribeLinks(vault, 'https://activate.example');
    const delivery = { db: lived, connections, sleep, patience, links };
    return {
      db: lived,
      now,
      connections,
      readTimeoutMs: 10_000,
      plans: createPlans(lived),
      told: createTold({
        db: lived,
        connections,
        plans: createPlans(lived),
        readTimeoutMs: 10_000,
        log: silentLog,
      }),
      log: silentLog,
      outbox: new Outbox({ db: lived, senders, log: silentLog, now, sleep, patience }),
      senders,
      people: new People(lived, { admins: [], defaultRole: 'viewer' }),
      frameworks: new Map(
        [createObjects, createEvents, createAudiences, createFiles, createTasks, createMail].map((create) => {
          const framework = create(delivery);
          return [framework.id, framework];
        }),
      ),
      worker: randomUUID(),
      attempts: how.attempts ?? 5,
      retryMs: 1000,
    };
  };
  const live = async (id: number, { life, far }: Lived, how: RunOptions): Promise<void> => {
    const parts = partsFor(life, how);
    const [claimed] = await claimRuns(db, [id], parts.worker, now(), 30_000);
    if (claimed === undefined) {
      return;
    }
    world.step = far;
    try {
      await executeRun(parts, claimed, life.control.signal);
    } catch (error) {
      if (!life.control.signal.aborted) {
        throw error;
      }
    }
  };
  return {
    world,
    db,
    url: own.url,
    clock,
    slept,
    reset: async () => {
      world.reset();
      slept.length = 0;
      clock.now = noon;
      await db.query('delete from paces');
    },
    sync: async (framework, settings, made) => {
      world.columns = made?.columns ?? world.columns;
      world.rows = (made?.rows ?? []).map((row) => [...row]);
      const name = `sync-${randomUUID().slice(0, 8)}`;
      const model = await saveModel(db, {
        name,
        sourceId: source.id,
        sql: 'select * from rows',
        key: made?.key ?? ['id'],
        columns: world.columns,
      });
      return insertSync(db, {
        name,
        framework,
        modelId: model.id,
        destinationId: destination.id,
        settings: parseSettings(framework, settings),
        cron: '0 0 1 1 *',
        timeZone: 'UTC',
        reportTo: null,
        policy: {},
        createdBy: null,
        nextDueAt: new Date('2100-01-01T00:00:00Z'),
      });
    },
    run: async (sync, how = {}) => {
      const { scope = 'changes', approve = false } = how;
      const request = { syncId: sync.id, dueAt: now(), cause: 'manual', requestedBy: null } as const;
      const [waiting] = await db.query<{ id: number }>(
        `select id from runs where sync_id = $1 and state not in ('done', 'failed')`,
        [sync.id],
      );
      const made = waiting ?? (await requestRun(db, { ...request, progressTo: null, scope }));
      if (made === undefined) {
        throw new Error('A run of this sync is still open.');
      }
      for (let lives = 0; lives < 50; lives += 1) {
        await live(made.id, lives === 0 ? firstLife(how) : lifeOf(Number.POSITIVE_INFINITY), how);
        const run = await runById(db, made.id);
        if (run?.state === 'done' || run?.state === 'failed' || (run?.state === 'held' && !approve)) {
          return run;
        }
        await approveHeld(db, run);
        await db.query('update runs set worker = null where id = $1', [made.id]);
        await how.between?.();
      }
      throw new Error('The run does not end.');
    },
    close: async () => {
      await connections.close();
      await own.close();
    },
  };
}
