import { spawn } from 'node:child_process';
import { once } from 'node:events';
import pg from 'pg';
import { postgres } from '../connectors/postgres/index.ts';
import type { Item, ObjectBatch, Objects } from '../engine/contracts/destination.ts';
import { call, openFor } from '../test/support/connect.ts';

/** One way of writing, in rows per second. */
export interface UpsertTimes {
  readonly way: string;
  readonly first: number;
  readonly changed?: number;
  readonly unchanged?: number;
  /** The largest resident memory seen, in MB. */
  readonly peakMb: number;
}

const columns = ['id', 'name', 'email', 'amount', 'seen_at'] as const;
const types = ['bigint', 'text', 'text', 'numeric', 'timestamptz'] as const;
const createTable = `create table upserted (${columns.map((name, i) => `${name} ${types[i]}`).join(', ')}, primary key (id))`;

/**
 * Writes `rows` rows of 5 columns into a table with a primary key: all new, then all changed, then all the same again.
 * Beside it a plain loop over `unnest` with 5,000 rows a statement, and `psql \copy` into the same table, all new only.
 * Two rounds, the better figure of each: the first one also makes the server's files.
 */
export async function benchUpsertWrite(url: string, rows: number): Promise<readonly UpsertTimes[]> {
  const round = async (): Promise<readonly UpsertTimes[]> => [
    await psqlCopy(url, rows),
    await ours(url, rows),
    await plainLoop(url, rows),
  ];
  const [one, two] = [await round(), await round()];
  return one.map((times, i) => better(times, two[i] ?? times));
}

function better(one: UpsertTimes, two: UpsertTimes): UpsertTimes {
  const larger = (a = 0, b = 0): number => Math.max(a, b);
  const first = larger(one.first, two.first);
  const peakMb = larger(one.peakMb, two.peakMb);
  if (one.changed === undefined) {
    return { way: one.way, first, peakMb };
  }
  const changed = larger(one.changed, two.changed);
  return { way: one.way, first, changed, unchanged: larger(one.unchanged, two.unchanged), peakMb };
}

async function ours(url: string, rows: number): Promise<UpsertTimes> {
  await empty(url);
  const opened = await openFor(postgres, { url });
  const objects = opened.connection.objects as Objects;
  const fields = columns.map((name) => ({ name, onlyIfEmpty: false, sparse: false }));
  const plan = { object: 'public.upserted', operation: 'upsert', match: ['id'], fields } as const;
  const pass = (version: number): Promise<void> =>
    inLanes(rows, objects.limits.rows, objects.limits.concurrency, async (from, to) => {
      const batch: ObjectBatch = { ...plan, items: itemsOf(from, to, version) };
      const outcomes = await objects.write(batch, call());
      if (outcomes.some(({ state }) => state !== 'ok')) {
        throw new Error('a row was not written');
      }
    });
  const times = await passes('write()', rows, pass);
  await opened.close();
  return times;
}

/** What anybody would write in an afternoon. */
async function plainLoop(url: string, rows: number): Promise<UpsertTimes> {
  await empty(url);
  const client = new pg.Client(url);
  await client.connect();
  const arrays = types.map((type, i) => `$${i + 1}::${type}[]`).join(', ');
  const set = columns.slice(1).map((name) => `${name} = excluded.${name}`);
  const text = `insert into upserted (${columns.join(', ')}) select * from unnest(${arrays})
    on conflict (id) do update set ${set.join(', ')}`;
  const times = await passes('plain loop', rows, (version) =>
    inLanes(rows, 5000, 1, async (from, to) => {
      const items = itemsOf(from, to, version);
      await client.query(
        text,
        columns.map((name) => items.map(({ values }) => values[name])),
      );
    }),
  );
  await client.end();
  return times;
}

/** The limit: the database's own program, from a stream, into an empty table. */
async function psqlCopy(url: string, rows: number): Promise<UpsertTimes> {
  await empty(url);
  const started = performance.now();
  const generate = `copy (select i, 'Account ' || i, 'user' || i || '@example.com', (i * 7 % 100000) / 100.0,
    timestamptz '2026-01-01 10:00:00.123456Z' + i % 9 * interval '1 day' from generate_series(1, ${rows}) i) to stdout`;
  const from = spawn('psql', [url, '-qc', generate], { stdio: ['ignore', 'pipe', 'inherit'] });
  const to = spawn('psql', [url, '-qc', 'copy upserted from stdin'], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  from.stdout.pipe(to.stdin);
  const [code] = (await once(to, 'exit')) as [number];
  if (code !== 0) {
    throw new Error(`psql ended with ${code}`);
  }
  return { way: 'psql COPY | COPY', first: perSecond(rows, started), peakMb: 0 };
}

async function passes(
  way: string,
  rows: number,
  pass: (version: number) => Promise<void>,
): Promise<UpsertTimes> {
  let peakMb = 0;
  const watch = setInterval(() => {
    peakMb = Math.max(peakMb, process.memoryUsage().rss / 1e6);
  }, 20);
  const timed = async (version: number): Promise<number> => {
    const started = performance.now();
    await pass(version);
    return perSecond(rows, started);
  };
  const first = await timed(0);
  const changed = await timed(1);
  const unchanged = await timed(1);
  clearInterval(watch);
  return { way, first, changed, unchanged, peakMb };
}

function perSecond(rows: number, started: number): number {
  return (rows / (performance.now() - started)) * 1000;
}

async function inLanes(
  rows: number,
  size: number,
  lanes: number,
  work: (from: number, to: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < rows) {
      const from = next;
      next = Math.min(rows, from + size);
      await work(from, next);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

function itemsOf(from: number, to: number, version: number): readonly Item[] {
  return Array.from({ length: to - from }, (_, i) => {
    const id = from + i + 1;
    return {
      key: String(id),
      values: {
        id,
        name: `Account ${id}`,
        email: `user${id}@example.com`,
        amount: ((id * 7) % 100_000) / 100 + version,
        seen_at: `2026-01-0${1 + (id % 9)}T10:00:00.123456Z`,
      },
    };
  });
}

async function empty(url: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query('drop table if exists upserted');
  await client.query(createTable);
  await client.query('checkpoint');
  await client.end();
}
