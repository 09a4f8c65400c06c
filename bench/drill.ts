import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { connectors } from '../connectors/index.ts';
import { type App, boot } from '../engine/boot.ts';
import type { Caller } from '../engine/contracts/command.ts';
import { parseEnv } from '../engine/env.ts';
import type { AlertSettings } from '../engine/model/alert.ts';
import { parseSchedule } from '../engine/schedule/cron.ts';
import { createDb, type PooledDb } from '../engine/store/db.ts';
import type { Run } from '../engine/store/runs.ts';
import { silentLog } from '../test/support/log.ts';
import { type Expected, type Findings, judge } from './drill-judge.ts';
import { drillSender } from './drill-senders.ts';
import { type Side, type SideName, sides } from './drill-sides.ts';
import { endProcess, firstLine, operator, ownDatabase, startScript } from './support.ts';

export interface DrillOptions {
  readonly side: SideName;
  /** Runs of the two alerts together. */
  readonly runs: number;
  readonly workers: number;
  /** SIGKILLs, spread over the runs; every third time all workers die at once, and that counts as one. */
  readonly kills: number;
  /** An empty database; an embedded server is started when left out. */
  readonly databaseUrl?: string;
  readonly log: (line: string) => void;
}

export interface DrillResult extends Findings {
  readonly runs: number;
  /** Runs that ended as failed; what they left open is for the runs after them. */
  readonly failedRuns: number;
  readonly kills: number;
  /** Runs that a second worker had to take up. */
  readonly takenUp: number;
  readonly faults: number;
  /** Posts that the far side took without answering, and workers that died meanwhile: each may leave one in doubt. */
  readonly doubts: number;
  readonly seconds: number;
}

const alerts = ['alpha', 'beta'] as const;
const secretKey = 'd'.repeat(32);
const runTimeoutMs = 120_000;

/**
 * Workers are killed while they send messages through a platform that is slow and fails; at the end every message that
 * the rows ask for must be there exactly once, and live cards must show the last values.
 */
export async function drill(options: DrillOptions): Promise<DrillResult> {
  const own = options.databaseUrl === undefined ? await ownDatabase() : undefined;
  const url = options.databaseUrl ?? own?.url ?? '';
  const side = await sides[options.side]();
  try {
    return await onDatabase(options, url, side);
  } finally {
    await side.close();
    await own?.close();
  }
}

async function onDatabase(options: DrillOptions, url: string, side: Side): Promise<DrillResult> {
  const env = {
    DATABASE_URL: url,
    SECRET_KEY: secretKey,
    LOG_LEVEL: 'silent',
    ...side.env,
    DRILL_PLATFORM: side.platform,
  };
  const app = await boot(parseEnv(env), {
    connectors,
    senders: (db) => [drillSender(side.platform, parseEnv(env), db, silentLog)],
    log: silentLog,
  });
  const warehouse = createDb(url, { schema: 'public', log: silentLog, connections: 2 });
  const crew = new Crew(options.workers, env);
  try {
    const by = { ...operator, ...(await app.identify(operator.person)) };
    await warehouse.query('create table drill_rows (id bigint primary key, channel text, amount bigint)');
    await warehouse.query("insert into drill_rows values (0, 'drill-0', 0)");
    await side.begin(app);
    await createAlerts(app, by, url, side);
    await crew.ready();
    return await new Drill(options, { app, by, warehouse, side, crew }).play();
  } finally {
    await crew.stop();
    await warehouse.close();
    await app.close();
  }
}

async function createAlerts(app: App, by: Caller, url: string, { platform }: Side): Promise<void> {
  const connector = connectors.find((one) => one.id === 'postgres');
  if (connector === undefined) {
    throw new Error('no postgres connector');
  }
  await app.services.sources.connect('warehouse', connector, { url }, by);
  const shared: Omit<AlertSettings, 'mode' | 'message'> = {
    trigger: 'added',
    watch: [],
    title: 'Row {{ id }}',
    targets: [{ type: 'channel-from', column: 'channel' }],
    tag: [],
    burst: 1_000_000,
    cooldownDays: 90,
    silentFirst: true,
    platform,
  };
  for (const name of alerts) {
    const settings: AlertSettings =
      name === 'alpha'
        ? { ...shared, mode: 'message', message: 'alpha-{{ id }};' }
        : { ...shared, mode: 'card', message: 'beta-{{ id }}; amount-{{ amount }};' };
    const draft = {
      name,
      source: 'warehouse',
      sql: 'select id, channel, amount from public.drill_rows',
      key: ['id'],
      schedule: parseSchedule('0 0 1 1 *', 'UTC'),
      settings,
    };
    await app.services.alerts.create(draft, by);
  }
}

interface Stage {
  readonly app: App;
  readonly by: Caller;
  readonly warehouse: PooledDb;
  readonly side: Side;
  readonly crew: Crew;
}

class Drill {
  private readonly options: DrillOptions;
  private readonly stage: Stage;
  private readonly expected = new Map<number, Expected>();
  private lastRow = 0;
  private killed = 0;
  private faults = 0;
  private unanswered = 0;
  private readonly ended: Run[] = [];

  constructor(options: DrillOptions, stage: Stage) {
    this.options = options;
    this.stage = stage;
  }

  async play(): Promise<DrillResult> {
    const began = performance.now();
    await this.baseline();
    const rounds = Math.ceil(this.options.runs / alerts.length);
    for (let round = 0; round < rounds; round += 1) {
      await this.stage.crew.ready();
      await this.change();
      await this.spoil();
      await Promise.all([this.runAll(), this.kill(quota(this.options.kills, rounds, round))]);
      this.options.log(
        `round ${round + 1} of ${rounds}: ${this.expected.size} rows, ${this.killed} kills, ${this.faults} faults`,
      );
    }
    await this.settle();
    const findings = judge(await this.stage.side.messages(this.stage.app), this.expected);
    return {
      ...findings,
      runs: this.ended.length,
      failedRuns: this.ended.filter((run) => run.state === 'failed').length,
      kills: this.killed,
      takenUp: this.ended.filter((run) => run.attempts > 1).length,
      faults: this.faults,
      doubts: this.unanswered + this.killed * this.options.workers,
      seconds: Math.round((performance.now() - began) / 1000),
    };
  }

  /** The first run of an alert begins by itself; it takes the row that is there as known. */
  private async baseline(): Promise<void> {
    const { runs } = this.stage.app.services;
    for (const name of alerts) {
      for (let first = await runs.recent(name, 1); first[0]?.state !== 'done'; ) {
        await delay(50);
        first = await runs.recent(name, 1);
      }
    }
  }

  private async change(): Promise<void> {
    const { warehouse, side } = this.stage;
    const moved = Math.floor(Math.random() * (this.lastRow + 1));
    await warehouse.query('update drill_rows set amount = amount + 1 where id = $1', [moved]);
    const known = this.expected.get(moved);
    if (known !== undefined) {
      this.expected.set(moved, { ...known, amount: known.amount + 1 });
    }
    const rows = 1 + Math.floor(Math.random() * 8);
    for (let made = 0; made < rows; made += 1) {
      this.lastRow += 1;
      const channel = pick(side.channels);
      const written = pick([channel.name, `#${channel.name}`, `${side.platform}:${channel.id}`]);
      await warehouse.query('insert into drill_rows values ($1, $2, 0)', [this.lastRow, written]);
      this.expected.set(this.lastRow, { channel: channel.id, amount: 0 });
    }
  }

  /** Faults for the calls that the next runs make. */
  private async spoil(): Promise<void> {
    const { faults, lost } = await this.stage.side.spoil();
    this.faults += faults;
    this.unanswered += lost;
  }

  private async runAll(): Promise<readonly Run[]> {
    const { runs } = this.stage.app.services;
    const started = await Promise.all(alerts.map((name) => runs.start(name, this.stage.by, 'manual')));
    const ended = await Promise.all(started.map((run) => runs.finished(run.id, runTimeoutMs)));
    this.ended.push(...ended);
    return ended;
  }

  private async kill(times: number): Promise<void> {
    for (let made = 0; made < times; made += 1) {
      await delay(20 + Math.random() * 800);
      this.killed += 1;
      await this.stage.crew.kill(this.killed % 3 === 0);
    }
  }

  /** Runs without kills until nothing is left to say. */
  private async settle(): Promise<void> {
    await this.stage.crew.ready();
    for (let made = 0; made < 20; made += 1) {
      const ended = await this.runAll();
      const quiet = ended.every(
        ({ state, counts }) => state === 'done' && (counts.added ?? 0) + (counts.changed ?? 0) === 0,
      );
      if (quiet) {
        return;
      }
    }
    this.options.log('the alerts never came to rest');
  }
}

/** How many kills belong to this round. */
function quota(kills: number, rounds: number, round: number): number {
  return Math.floor(((round + 1) * kills) / rounds) - Math.floor((round * kills) / rounds);
}

function pick<T>(of: readonly T[]): T {
  return of[Math.floor(Math.random() * of.length)] as T;
}

/** The workers: each that is killed is started again at once. */
class Crew {
  private readonly env: Readonly<Record<string, string>>;
  private readonly hands: { child: ChildProcess; ready: Promise<unknown> }[] = [];

  constructor(size: number, env: Readonly<Record<string, string>>) {
    this.env = env;
    for (let at = 0; at < size; at += 1) {
      this.hands.push(this.hire());
    }
  }

  /** Resolves once all of them work. */
  async ready(): Promise<void> {
    await Promise.all(this.hands.map((hand) => hand.ready));
  }

  async kill(all: boolean): Promise<void> {
    const chosen = all ? this.hands.map((_, at) => at) : [Math.floor(Math.random() * this.hands.length)];
    await Promise.all(
      chosen.map(async (at) => {
        const hand = this.hands[at];
        if (hand !== undefined) {
          await endProcess(hand.child);
          this.hands[at] = this.hire();
        }
      }),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.hands.map((hand) => endProcess(hand.child)));
  }

  private hire(): { child: ChildProcess; ready: Promise<unknown> } {
    const child = startScript('bench/drill-worker.ts', this.env);
    const ready = firstLine(child);
    // Killed before it was ready: whoever waits has the next one to wait for.
    ready.catch(() => undefined);
    return { child, ready };
  }
}
