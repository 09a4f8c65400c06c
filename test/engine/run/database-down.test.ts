import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createSlack } from '../../../bot/slack/platform.ts';
import { connectors } from '../../../connectors/index.ts';
import { type App, boot } from '../../../engine/boot.ts';
import type { Caller } from '../../../engine/contracts/command.ts';
import type { Log } from '../../../engine/contracts/log.ts';
import { parseEnv } from '../../../engine/env.ts';
import { parseSchedule } from '../../../engine/schedule/cron.ts';
import { createDb, type PooledDb } from '../../../engine/store/db.ts';
import { type Embedded, startEmbedded } from '../../../engine/store/embedded.ts';
import { type FakeSlack, startFakeSlack, TOKENS } from '../../fakes/slack.ts';
import { waitForRun } from '../../support/app.ts';
import { silentLog } from '../../support/log.ts';
import { freshDb } from '../../support/postgres.ts';

const rows = 24;
const key = 'k'.repeat(32);

/**
 * A database server that is really stopped and started again. It comes back on another port, as the embedded one
 * does, so that a door with one address stands before it, open only while the server runs.
 */
class Database {
  private readonly dir: string;
  private readonly open = new Set<Socket>();
  private server: Embedded | undefined;
  private door: Server | undefined;
  private address = 0;

  constructor(dir: string) {
    this.dir = dir;
  }

  async start(): Promise<void> {
    this.server = await startEmbedded(this.dir);
    const port = Number(new URL(this.server.url('postgres')).port);
    this.door = createServer((from) => {
      const to = connect(port, '127.0.0.1');
      for (const [one, other] of [
        [from, to],
        [to, from],
      ] as const) {
        this.open.add(one);
        one.on('error', () => other.destroy());
        one.on('close', () => this.open.delete(one));
        one.pipe(other);
      }
    });
    const { door } = this;
    await new Promise<void>((resolve) => door.listen(this.address, '127.0.0.1', resolve));
    const address = door.address();
    this.address = typeof address === 'object' && address !== null ? address.port : 0;
  }

  url(name: string): string {
    const url = new URL(this.server?.url(name) ?? '');
    url.port = String(this.address);
    return url.href;
  }

  async stop(): Promise<void> {
    await this.server?.stop();
    const closed = new Promise((resolve) => this.door?.close(resolve));
    for (const one of this.open) {
      one.destroy();
    }
    await closed;
  }
}

describe('our own database stops in the middle of a run', () => {
  let dir: string;
  let database: Database;
  let slack: FakeSlack;
  let warehouse: PooledDb;
  let warehouseUrl: string;
  let app: App;
  let warned: EventEmitter;
  const cleanups: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'activate-down-'));
    database = new Database(dir);
    await database.start();
    const admin = createDb(database.url('postgres'), { schema: 'public', log: silentLog });
    await admin.query('create database activate');
    await admin.close();
  });
  afterAll(async () => {
    await database.stop();
    await rm(dir, { recursive: true, force: true });
  });

  beforeEach(async () => {
    const house = await freshDb();
    warehouseUrl = house.url;
    warehouse = createDb(house.url, { schema: 'public', log: silentLog });
    slack = await startFakeSlack({ channels: [{ id: 'C0SALES', name: 'sales', member: true }] });
    warned = new EventEmitter();
    const log: Log = { ...silentLog, warn: (_facts, message) => void warned.emit(message) };
    app = await boot(
      parseEnv({ DATABASE_URL: database.url('activate'), SECRET_KEY: key, LOG_LEVEL: 'silent' }),
      {
        connectors,
        // A slow chat: one message in a tenth of a second.
        senders: () => [
          createSlack({ botToken: TOKENS.bot, apiUrl: slack.apiUrl, paceMs: 100, log: silentLog }),
        ],
        log,
        times: { leaseMs: 1500, retryMs: 200 },
      },
    );
    const worker = await app.startWorker();
    cleanups.push(
      () => worker.stop(),
      () => app.close(),
      () => slack.close(),
      () => warehouse.close(),
      () => house.close(),
    );
  });
  afterEach(async () => {
    for (const clean of cleanups.splice(0)) {
      await clean();
    }
  });

  async function alert(): Promise<void> {
    const person = { kind: 'person', platform: 'slack', id: 'U0MAYA' } as const;
    const conversation = { kind: 'conversation', platform: 'slack', id: 'C0SALES' } as const;
    const by: Caller = { ...(await app.identify(person)), person, conversation, platform: 'slack' };
    const connector = connectors.find((one) => one.id === 'postgres');
    if (connector === undefined) {
      throw new Error('no postgres connector');
    }
    await app.services.sources.connect('warehouse', connector, { url: warehouseUrl }, by);
    await app.services.alerts.create(
      {
        name: 'orders',
        source: 'warehouse',
        sql: 'select id from orders',
        key: ['id'],
        schedule: parseSchedule('every 1 second', 'UTC'),
        settings: {
          trigger: 'added',
          watch: [],
          title: 'Order {{ id }}',
          message: 'A new order.',
          targets: [{ type: 'channel', to: 'slack:C0SALES' }],
          tag: [],
          mode: 'card',
          burst: 100,
          cooldownDays: 90,
          silentFirst: true,
          platform: 'slack',
        },
      },
      by,
    );
    await waitForRun(app, 'orders');
  }

  const titles = (): readonly string[] =>
    slack.messages('C0SALES').map((message) => JSON.stringify(message.blocks).match(/Order \d+/)?.[0] ?? '');

  it('goes on where it stood once the database is back, and says every row once', async () => {
    await warehouse.query('create table orders (id int primary key)');
    await alert();
    const heard: string[] = [];
    const quiet = new AbortController();
    await app.db.listen('news', (payload) => heard.push(payload), quiet.signal);
    await warehouse.query('insert into orders select generate_series(1, $1::int)', [rows]);
    await slack.until(() => titles().length >= 5);

    await database.stop();
    expect(await app.ready()).toMatchObject({ ok: false });
    await expect(app.db.query('select 1')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: "Activate's own database does not answer.",
    });
    // Three signs of life are missed: by then the lease has run out.
    for (let missed = 0; missed < 3; missed += 1) {
      await once(warned, 'no sign of life could be given');
    }
    const before = titles().length;
    expect(before).toBeLessThan(rows);
    await database.start();

    await slack.until(() => titles().length >= rows);
    const recent = await app.services.runs.recent('orders', 50);
    const run = recent.find((one) => (one.counts.added ?? 0) > 0);
    const ended = await app.services.runs.finished(run?.id ?? 0, 20_000);
    expect(ended).toMatchObject({ state: 'done', counts: { added: rows, failed: 0 } });
    expect(ended.attempts).toBeGreaterThan(1);
    // The runs that follow have nothing more to say, and who listens hears again.
    await warehouse.query('insert into orders values (1000)');
    await slack.until(() => titles().includes('Order 1000'));
    expect(titles().toSorted()).toEqual(
      [...Array.from({ length: rows }, (_, at) => `Order ${at + 1}`), 'Order 1000'].toSorted(),
    );
    await app.db.query("select pg_notify('news', 'back')");
    await expect.poll(() => heard).toContain('back');
    quiet.abort();
  }, 90_000);

  it('can be stopped while the database is away', async () => {
    await database.stop();

    for (const clean of cleanups.splice(0)) {
      await clean();
    }

    await database.start();
  });
});

describe('started while our own database is away', () => {
  it('waits for it a little', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'activate-down-'));
    const database = new Database(dir);
    await database.start();
    const url = database.url('postgres');
    await database.stop();
    const warned = new EventEmitter();
    const log: Log = { ...silentLog, warn: (_facts, message) => void warned.emit(message) };
    const waiting = once(warned, 'the database does not answer yet');
    const booting = boot(parseEnv({ DATABASE_URL: url, SECRET_KEY: key }), {
      connectors,
      senders: () => [],
      log,
    });

    await waiting;
    await database.start();

    const app = await booting;
    expect(await app.ready()).toMatchObject({ ok: true });
    await app.close();
    await database.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it('ends and says so when it does not come', async () => {
    const entry = fileURLToPath(new URL('../../../bot/main.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', entry], {
      env: {
        PATH: process.env['PATH'],
        DATABASE_URL: 'postgres://me:hidden@127.0.0.1:9/none',
        SECRET_KEY: key,
        PORT: '0',
      },
    });
    let said = '';
    child.stderr.on('data', (part: Buffer) => {
      said += part.toString();
    });

    const [code] = await once(child, 'close');

    expect(code).toBe(1);
    expect(said).toContain('Activate could not start.');
    expect(said).toContain("Activate's own database does not answer.");
    expect(said).not.toContain('hidden');
    expect(said).not.toMatch(/^\s+at /m);
  });
});
