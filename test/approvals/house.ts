import { dispatchOf } from '../../bot/commands.ts';
import { createLocal } from '../../bot/local/platform.ts';
import { type App, boot } from '../../engine/boot.ts';
import { shortPlan } from '../../engine/cards/hold.ts';
import type { Card } from '../../engine/contracts/card.ts';
import type { Dispatch, Origin, Reply, Sender } from '../../engine/contracts/chat.ts';
import type { Caller, Role } from '../../engine/contracts/command.ts';
import type { Db } from '../../engine/contracts/db.ts';
import type { MessageRef, PersonRef } from '../../engine/contracts/refs.ts';
import { parseEnv } from '../../engine/env.ts';
import { type ApprovalPolicy, approvalPolicy } from '../../engine/model/policy.ts';
import type { Worker } from '../../engine/run/worker.ts';
import type { SyncDraft } from '../../engine/services.ts';
import type { AuditRow } from '../../engine/store/audit.ts';
import { auditEntries } from '../../engine/store/audit.ts';
import { copiesOf, type Hold, holdById } from '../../engine/store/holds.ts';
import type { Run } from '../../engine/store/runs.ts';
import { silentLog } from '../support/log.ts';
import { memoryConnector, type World, World as WorldInMemory } from '../support/memory.ts';
import { freshDb } from '../support/postgres.ts';
import { text } from '../support/rig.ts';

const roles = {
  ada: 'admin',
  erin: 'editor',
  ann: 'approver',
  bob: 'approver',
  cid: 'approver',
  vic: 'viewer',
} as const satisfies Record<string, Role>;

export type Who = keyof typeof roles;

const people = Object.keys(roles) as readonly Who[];

export const emailOf = (who: Who): string => `${who}@house.example`;

/** Where holds are asked. */
const channel = 'local:approvals';

/** One installation that several processes share: a warehouse and a far side in memory, and everybody by their role. */
export interface House {
  readonly db: Db;
  readonly world: World;
  readonly app: App;
  /** Who is in the groups of the local chat just now, by the id of the group. */
  readonly groups: Map<string, Who[]>;
  /** Another process on the same database, with its own pool and its own dispatcher. */
  open(): Promise<{ readonly app: App; readonly dispatch: Dispatch }>;
  by(who: Who): Promise<Caller>;
  origin(who: Who, message?: MessageRef): Origin;
  /** What a dispatcher answers to a typed line. */
  says(who: Who, line: string): Promise<Reply>;
  /** A press of a button on the first card of a hold, with its values as they are or edited. */
  press(who: Who, hold: Hold, edited?: Press): Promise<Reply>;
  /** Makes a sync of people to the list of the far side, held at each run unless said otherwise. */
  audience(name: string, changes?: Partial<SyncDraft>, who?: Who): Promise<string>;
  /** Fills the warehouse with people of these numbers. */
  fill(numbers: readonly number[]): void;
  /** Starts a run and answers with its hold, once that was asked for. */
  hold(name: string): Promise<Hold>;
  /** Starts a run and waits for its end, or until it waits. */
  run(name: string): Promise<Run>;
  /** Waits for a run that goes on. */
  ended(hold: Hold): Promise<Run>;
  now(hold: Hold): Promise<Hold>;
  /** Has works begun that all want to decide about a hold, and lets them at it once they stand in line, after `meanwhile`. */
  inLine<T>(
    hold: Hold,
    works: readonly (() => Promise<T>)[],
    meanwhile?: () => Promise<void>,
  ): Promise<readonly T[]>;
  /** Who is on the list of the far side, by number. */
  members(): readonly number[];
  /** The log about one thing, newest first. */
  log(subject: string): Promise<readonly AuditRow[]>;
  setRole(who: Who, role: Role): Promise<void>;
  /** Stops the worker, so that nothing is carried out until it is started again. */
  stopWorker(): Promise<void>;
  startWorker(): Promise<void>;
  close(): Promise<void>;
}

export interface Press {
  readonly command?: 'approve' | 'reject' | 'delegate';
  readonly input?: Readonly<Record<string, string>>;
  /** Another message than the hold's own card; null: none. */
  readonly message?: MessageRef | null;
  readonly dispatch?: Dispatch;
}

export async function startHouse({ worker = true }: { readonly worker?: boolean } = {}): Promise<House> {
  const own = await freshDb();
  const { db } = own;
  const world = new WorldInMemory();
  const groups = new Map<string, Who[]>();
  const env = parseEnv({
    DATABASE_URL: own.url,
    SECRET_KEY: 'k'.repeat(32),
    ACTIVATE_ADMINS: emailOf('ada'),
    LOG_LEVEL: 'silent',
  });
  const apps: App[] = [];
  const open: House['open'] = async () => {
    const app = await boot(env, {
      connectors: [memoryConnector(world)],
      senders: (its) => [senderOn(its, groups)],
      log: silentLog,
      times: { leaseMs: 20_000, retryMs: 20, patience: { attempts: 2, firstWaitMs: 5, longestWaitMs: 1000 } },
    });
    apps.push(app);
    return { app, dispatch: dispatchOf(app) };
  };
  const { app, dispatch } = await open();
  const { services } = app;
  let working: Worker | undefined;
  const setRole: House['setRole'] = async (who, role) => {
    const { id } = await app.identify(personOf(who));
    await db.query('update people set role = $2 where id = $1', [Number(id), role]);
  };
  for (const who of people) {
    await setRole(who, roles[who]);
  }
  const by: House['by'] = async (who) => ({
    ...(await app.identify(personOf(who))),
    ...origin(who),
    platform: 'local',
  });
  const ada = await by('ada');
  world.columns = [{ name: 'id', type: 'number', native: 'integer' }, text('email')];
  const memory = memoryConnector(world);
  await services.sources.connect('warehouse', memory, {}, ada);
  await services.destinations.connect('far-side', memory, {}, ada);
  const house: House = {
    db,
    world,
    app,
    groups,
    open,
    by,
    origin,
    setRole,
    says: (who, line) => dispatch.typed(line, origin(who)),
    press: async (who, hold, { command = 'approve', input = {}, message, dispatch: other } = {}) => {
      const [copy] = await copiesOf(db, hold.id);
      const pressed = message === undefined ? copy?.message : (message ?? undefined);
      const values = { name: hold.subject, plan: shortPlan(hold.fingerprint), ...input };
      return (other ?? dispatch).run({ command, input: values }, origin(who, pressed));
    },
    audience: async (name, changes = {}, who = 'ada') => {
      await services.syncs.create({ ...draftOf(name), ...changes }, await by(who));
      return name;
    },
    fill: (numbers) => {
      world.rows = numbers.map((id) => [String(id), `p${id}@people.example`]);
    },
    run: async (name) => {
      const started = await services.runs.start(name, ada, 'manual');
      return services.runs.finished(started.id, 20_000);
    },
    hold: async (name) => {
      const run = await house.run(name);
      const [row] = await db.query<{ id: string }>('select id from holds where run_id = $1', [run.id]);
      const found = row === undefined ? undefined : await holdById(db, row.id);
      if (found === undefined) {
        throw new Error(`the run of ${name} is not held: ${JSON.stringify(run)}`);
      }
      await posted(db, found.id);
      return house.now(found);
    },
    ended: (hold) => services.runs.finished(hold.runId ?? 0, 20_000),
    now: async (hold) => {
      const found = await holdById(db, hold.id);
      if (found === undefined) {
        throw new Error('the hold is gone');
      }
      return found;
    },
    inLine: async (hold, works, meanwhile) => {
      const begun = await db.transaction(async (sql) => {
        await sql.query('select 1 from holds where id = $1 for update', [hold.id]);
        const all = works.map((work) => work());
        await standingInLine(db, works.length);
        await meanwhile?.();
        return { all };
      });
      return Promise.all(begun.all);
    },
    members: () => membersOf(world),
    log: async (subject) => (await auditEntries(db, subject, 50)).rows,
    stopWorker: async () => {
      await working?.stop();
      working = undefined;
    },
    startWorker: async () => {
      working = await (await open()).app.startWorker();
    },
    close: async () => {
      await working?.stop();
      await Promise.all(apps.map((one) => one.close()));
      await own.close();
    },
  };
  if (worker) {
    await house.startWorker();
  }
  return house;
}

/** A sync of people to the one list, as somebody would make it. */
export function draftOf(name: string): SyncDraft {
  return {
    name,
    framework: 'audiences',
    source: 'warehouse',
    sql: 'select id, email from people',
    key: ['id'],
    destination: 'far-side',
    settings: { list: 'list', listName: 'List', identifiers: { EMAIL: 'email' } },
    schedule: { cron: '0 0 1 1 *', timeZone: 'UTC' },
    startsNow: false,
    reportTo: channel,
    policy: policyWith({ ask: 'always' }),
  };
}

export function policyWith(changes: Partial<ApprovalPolicy>): ApprovalPolicy {
  return approvalPolicy.parse(changes);
}

export function membersOf(world: World): readonly number[] {
  return [...world.members].map((member) => Number(/^EMAIL p(\d+)@/.exec(member)?.[1])).sort((a, b) => a - b);
}

/** What a reply says, as one text; a form says which fields it asks for. */
export function wordsOf(reply: Reply): string {
  switch (reply.kind) {
    case 'card':
      return said(reply.card);
    case 'form':
      return `form: ${Object.keys(reply.form.fields).join(' ')}`;
    case 'done':
      return reply.note ?? '';
    default:
      return reply satisfies never;
  }
}

function said(card: Card): string {
  return JSON.stringify([card.title, card.blocks]);
}

function personOf(who: Who): PersonRef {
  return { kind: 'person', platform: 'local', id: who };
}

function origin(who: Who, message?: MessageRef): Origin {
  const conversation = { kind: 'conversation', platform: 'local', id: 'approvals' } as const;
  return { person: personOf(who), conversation, ...(message === undefined ? {} : { message }) };
}

/** The local chat, and groups that it has not. */
function senderOn(db: Db, groups: ReadonlyMap<string, readonly Who[]>): Sender {
  const local = createLocal({
    db,
    log: silentLog,
    people: people.map((id) => ({ id, name: nameOf(id), email: emailOf(id) })),
    channels: ['approvals', 'other'].map((id) => ({ id, name: id })),
  });
  return {
    ...local,
    groups: async () => [...groups.keys()].map((id) => ({ value: `local:&${id}`, label: id })),
    members: async (id) => (groups.get(id) ?? []).map(personOf),
  };
}

function nameOf(who: Who): string {
  return `${who[0]?.toUpperCase()}${who.slice(1)}`;
}

/** Until all places have their card. */
async function posted(db: Db, id: string): Promise<void> {
  await until('its card is posted', async () => {
    const [row] = await db.query<{ drawn: boolean }>(
      'select drawn >= revision as drawn from holds where id = $1',
      [id],
    );
    return row?.drawn === true;
  });
}

/** Until so many wait for a lock, or as many as a process has connections. */
async function standingInLine(db: Db, count: number): Promise<void> {
  await until(`${count} stand in line`, async () => {
    const [row] = await db.query<{ waiting: number }>(
      `select count(*) as waiting from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return (row?.waiting ?? 0) >= Math.min(count, connections);
  });
}

/** Of one process. */
const connections = 16;

/** Asks again and again, ten seconds at most. */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let asked = 0; asked < 1000; asked += 1) {
    if (await holds()) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`it never was so: ${what}`);
}
