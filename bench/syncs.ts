import { spawn } from 'node:child_process';
import { once } from 'node:events';
import pg from 'pg';
import { connectors } from '../connectors/index.ts';
import { type App, boot } from '../engine/boot.ts';
import type { Caller } from '../engine/contracts/command.ts';
import type { Connector } from '../engine/contracts/connector.ts';
import { parseEnv } from '../engine/env.ts';
import { parseSchedule } from '../engine/schedule/cron.ts';
import { createDb } from '../engine/store/db.ts';
import type { Run } from '../engine/store/runs.ts';
import { silentLog } from '../test/support/log.ts';
import { cpuOf, forgetPeak, peakMb, postmaster, settledCpu } from './cpu.ts';
import { endProcess, operator, startCompiledWorker } from './support.ts';

/** One way of bringing the rows there. */
export interface SyncMeasured {
  readonly what: string;
  readonly seconds: number;
  /** Of our process, and of the server that holds both tables and our own. */
  readonly cpuSeconds: number;
  readonly serverCpuSeconds: number;
  /** The largest resident memory of the worker, in MB. */
  readonly peakMb?: number;
}

const schema = 'activate_syncs';
const columns = ['id', 'name', 'email', 'amount', 'at'] as const;
const types = ['bigint', 'text', 'text', 'numeric', 'timestamptz'] as const;
const list = columns.join(', ');

/**
 * A table of `rows` rows kept in step with another database: by `psql` through a pipe into an empty table, by a loop
 * that anybody would write in an afternoon, and by a sync: first run, then by turns an unchanged run and one where one row
 * in a hundred changed, of which the first meets code that has not run before.
 */
export async function benchSyncs(url: string, rows: number): Promise<readonly SyncMeasured[]> {
  const from = await database(url, 'bench_from');
  const to = await database(url, 'bench_to');
  await fill(from, rows);
  await empty(to);
  const server = await serverOf(url);
  const synced = await bySync(url, server, from, to, rows);
  const piped = await timed('psql COPY | COPY', server, () => pipe(from, to));
  const looped = await timed('plain loop, 5,000 rows a statement', server, () => loop(from, to));
  return [piped, looped, ...synced];
}

async function database(url: string, name: string): Promise<string> {
  await ask(url, `create database ${name}`);
  const own = new URL(url);
  own.pathname = `/${name}`;
  return own.href;
}

async function serverOf(url: string): Promise<number> {
  const db = createDb(url, { schema: 'public', log: silentLog, connections: 1 });
  try {
    return await postmaster(db);
  } finally {
    await db.close();
  }
}

async function ask(url: string, ...statements: readonly string[]): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  for (const statement of statements) {
    await client.query(statement);
  }
  await client.end();
}

async function fill(url: string, rows: number): Promise<void> {
  await ask(
    url,
    `create table rows as select i::bigint as id, 'Account ' || i as name, 'user' || i || '@example.com' as email,
       (i * 1.37)::numeric(12, 2) as amount, timestamptz '2026-01-01' + i * interval '1.5 seconds' as at
       from generate_series(1, ${rows}::int) i`,
    'alter table rows add primary key (id)',
    'vacuum analyze rows',
  );
}

async function empty(url: string): Promise<void> {
  const defined = columns.map((name, at) => `${name} ${types[at]}`).join(', ');
  await ask(url, 'drop table if exists rows', `create table rows (${defined}, primary key (id))`);
}

/** `pid` is of the process whose CPU and memory count, when that is not this one. */
async function timed(
  what: string,
  server: number,
  work: () => Promise<Run | undefined>,
  pid = process.pid,
): Promise<SyncMeasured> {
  const [own, theirs] = [await cpuOf(pid), await settledCpu(server)];
  await forgetPeak(pid);
  const started = performance.now();
  const run = await work();
  // A run's own time: how long it waited for its turn is another figure.
  const ms = run
    ? (run.finishedAt?.getTime() ?? 0) - (run.startedAt?.getTime() ?? 0)
    : performance.now() - started;
  return {
    what,
    seconds: ms / 1000,
    cpuSeconds: (await cpuOf(pid)) - own,
    serverCpuSeconds: (await settledCpu(server)) - theirs,
    ...(run === undefined ? {} : { peakMb: await peakMb(pid) }),
  };
}

async function pipe(from: string, to: string): Promise<undefined> {
  await empty(to);
  const both = `psql "$FROM" -qc "copy (select ${list} from rows) to stdout" | psql "$TO" -qc 'copy rows from stdin'`;
  const env = { ...process.env, FROM: from, TO: to };
  const [code] = (await once(spawn('sh', ['-c', both], { stdio: 'inherit', env }), 'exit')) as [number];
  if (code !== 0) {
    throw new Error(`psql ended with ${code}`);
  }
}

/** Reads by key, 5,000 rows at a time, and writes each with one statement over `unnest`. */
async function loop(from: string, to: string): Promise<undefined> {
  await empty(to);
  const [reader, writer] = [new pg.Client(from), new pg.Client(to)];
  await Promise.all([reader.connect(), writer.connect()]);
  const arrays = types.map((type, at) => `$${at + 1}::${type}[]`).join(', ');
  const set = columns.slice(1).map((name) => `${name} = excluded.${name}`);
  const text = `insert into rows (${list}) select * from unnest(${arrays}) on conflict (id) do update set ${set.join(', ')}`;
  for (let last = '0'; ; ) {
    const { rows } = await reader.query<Record<string, unknown>>(
      `select id, name, email, amount, at::text from rows where id > $1 order by id limit 5000`,
      [last],
    );
    if (rows.length === 0) {
      break;
    }
    await writer.query(
      text,
      columns.map((name) => rows.map((row) => row[name])),
    );
    last = String(rows.at(-1)?.['id']);
  }
  await Promise.all([reader.end(), writer.end()]);
}

async function bySync(
  url: string,
  server: number,
  from: string,
  to: string,
  rows: number,
): Promise<readonly SyncMeasured[]> {
  const settings = {
    DATABASE_URL: url,
    DATABASE_SCHEMA: schema,
    SECRET_KEY: 'b'.repeat(32),
    LOG_LEVEL: 'silent',
  };
  const app = await boot(parseEnv(settings), { connectors, senders: () => [], log: silentLog });
  const worker = await startCompiledWorker(settings);
  const pid = worker.pid ?? 0;
  try {
    const by = { ...operator, ...(await app.identify(operator.person)) };
    const first = await timed('sync, first run', server, () => firstRun(app, by, from, to), pid);
    const rounds: SyncMeasured[] = [];
    for (let round = 1; round <= 3; round += 1) {
      rounds.push(await timed(`sync, unchanged run ${round}`, server, () => run(app, by), pid));
      await ask(from, `update rows set name = name || '!' where id % 100 = ${round}`, 'vacuum analyze rows');
      rounds.push(await timed(`sync, 1 % changed ${round}`, server, () => run(app, by), pid));
    }
    await prove(to, rows);
    return [first, ...rounds];
  } finally {
    await endProcess(worker);
    await app.close();
  }
}

async function create(app: App, by: Caller, from: string, to: string): Promise<void> {
  const postgres = connectors.find((one) => one.id === 'postgres') as Connector;
  await app.services.sources.connect('from', postgres, { url: from }, by);
  await app.services.destinations.connect('to', postgres, { url: to }, by);
  await app.services.syncs.create(
    {
      name: 'bench',
      framework: 'objects',
      source: 'from',
      sql: `select ${list} from rows`,
      key: ['id'],
      destination: 'to',
      schedule: parseSchedule('0 0 1 1 *', 'UTC'),
      startsNow: true,
      settings: {
        object: 'public.rows',
        mode: 'upsert',
        match: ['id'],
        fields: columns.map((name) => ({ field: name, from: { type: 'column', column: name } })),
      },
    },
    by,
  );
}

/** The run that begins by itself. */
async function firstRun(app: App, by: Caller, from: string, to: string): Promise<Run> {
  await create(app, by, from, to);
  for (;;) {
    const [last] = await app.services.runs.recent('bench', 1);
    if (last !== undefined) {
      return well(await app.services.runs.finished(last.id, 3_600_000));
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function run(app: App, by: Caller): Promise<Run> {
  const started = await app.services.runs.start('bench', by, 'manual');
  return well(await app.services.runs.finished(started.id, 3_600_000));
}

function well(run: Run): Run {
  if (run.state !== 'done' || (run.counts.failed ?? 0) > 0) {
    throw new Error(`the run came to ${JSON.stringify([run.state, run.error, run.counts])}`);
  }
  return run;
}

/** The rows have to be there: a fast sync that brings nothing proves nothing. */
async function prove(to: string, rows: number): Promise<void> {
  const db = createDb(to, { schema: 'public', log: silentLog, connections: 1 });
  const [found] = await db.query<{ all: number; changed: number }>(
    `select count(*) as all, count(*) filter (where name like '%!') as changed from rows`,
  );
  await db.close();
  if (found?.all !== rows || found.changed !== 3 * Math.floor(rows / 100)) {
    throw new Error(`${found?.all} rows are there, ${found?.changed} of them changed`);
  }
}
