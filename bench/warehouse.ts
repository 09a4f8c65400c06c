import { randomBytes } from 'node:crypto';
import { postgres } from '../connectors/postgres/index.ts';
import { Connections } from '../engine/connections.ts';
import type { Db } from '../engine/contracts/db.ts';
import type { Source } from '../engine/contracts/source.ts';
import { baseline } from '../engine/planner/baseline.ts';
import { plan } from '../engine/planner/plan.ts';
import { createVault } from '../engine/secrets.ts';
import { saveConnection } from '../engine/store/connections.ts';
import { createDb } from '../engine/store/db.ts';
import { migrate } from '../engine/store/migrate.ts';
import { createPlans, type Plans } from '../engine/store/plans.ts';
import { createSnapshots } from '../engine/store/snapshots.ts';
import { createTold, type Told } from '../engine/warehouse/index.ts';
import { silentLog } from '../test/support/log.ts';
import { postmaster } from './cpu.ts';
import { copyToNowhere, type Measured, measure } from './measure.ts';

const schema = 'activate_warehouse';
const planner = 'activate_bench_planner';
const limits = { timeoutMs: 3_600_000 };
const columns = ['id', 'name', 'email', 'amount', 'at'];
const sql = 'select id, name, email, amount, at from public.bench_rows';

/**
 * A run of which one row in a thousand changed, by the planner that reads everything and by the one inside the warehouse,
 * beside `psql` copying the same columns to nowhere. PostgreSQL only; its role reads the table and owns a schema.
 * `bytes` is what came out of the source.
 */
export async function benchWarehouse(
  url: string,
  rows: number,
): Promise<readonly (Measured & { bytes?: number })[]> {
  const db = createDb(url, { schema, log: silentLog });
  const role = `bench_${randomBytes(4).toString('hex')}`;
  try {
    await migrate(db, schema);
    await fill(db, rows, role);
    const server = await postmaster(db);
    const yard = await yardOf(db, url, role);
    const both = await compared(yard, server, rows);
    const limit = await measure('psql COPY', server, () => copyToNowhere(url, sql, columns));
    await yard.close();
    return [limit, ...both];
  } finally {
    await db.query(`drop schema if exists ${schema}, ${planner} cascade`);
    await db.query('drop table if exists public.bench_rows');
    await db.query(`drop owned by ${role} cascade`);
    await db.query(`drop role if exists ${role}`);
    await db.close();
  }
}

async function fill(db: Db, rows: number, role: string): Promise<void> {
  await db.query(`create table public.bench_rows as
    select i::bigint as id, 'Account ' || i as name, 'user' || i || '@example.com' as email,
      (i * 1.37)::numeric(12, 2) as amount, timestamptz '2026-01-01' + i * interval '1.5 seconds' as at
    from generate_series(1, ${rows}::int) i`);
  await db.query('alter table public.bench_rows add primary key (id)');
  await db.query('vacuum analyze public.bench_rows');
  await db.query(`create role ${role} login password 'bench'`);
  await db.query(`grant select on public.bench_rows to ${role}`);
  await db.query(`create schema ${planner} authorization ${role}`);
}

interface Yard {
  readonly db: Db;
  readonly source: Source;
  readonly sourceId: number;
  readonly told: Told;
  readonly plans: Plans;
  close(): Promise<void>;
}

async function yardOf(db: Db, url: string, role: string): Promise<Yard> {
  const vault = createVault('only for measuring');
  const connections = new Connections({
    connectors: [postgres],
    vault,
    now: () => new Date(),
    httpFor: () => ({ send: () => Promise.reject(new Error('nobody asks')), close: async () => undefined }),
  });
  const at = new URL(url);
  const record = await saveConnection(db, {
    kind: 'source',
    name: 'bench',
    connector: 'postgres',
    config: {
      host: at.hostname,
      port: at.port,
      database: at.pathname.slice(1),
      user: role,
      plannerSchema: planner,
      planner: 'warehouse',
    },
    secrets: vault.seal({ password: 'bench' }),
    createdBy: null,
  });
  const plans = createPlans(db);
  return {
    db,
    plans,
    source: await connections.source(record),
    sourceId: record.id,
    told: createTold({ db, connections, plans, readTimeoutMs: limits.timeoutMs, log: silentLog }),
    close: () => connections.close(),
  };
}

async function compared(
  yard: Yard,
  server: number,
  rows: number,
): Promise<readonly (Measured & { bytes?: number })[]> {
  const { db, source, told, plans, sourceId } = yard;
  const [sync] = await db.query<{ here: number; inside: number }>(
    `with m as (insert into models (name, source_id, sql, key, columns) values ('m', $1, '', '{}', '[]') returning id),
      s as (insert into syncs (name, framework, model_id, settings, cron, time_zone)
        select name, 'notify', m.id, '{}', '', 'UTC' from m, (values ('here'), ('inside')) n (name) returning id, name)
     select (select id from s where name = 'here') as here, (select id from s where name = 'inside') as inside`,
    [sourceId],
  );
  const { here, inside } = sync ?? { here: 0, inside: 0 };
  const snapshots = createSnapshots(db);
  const shape = { key: ['numeric'] as const, columns };
  const job = {
    sync: { id: inside, name: 'inside' },
    model: { sourceId, sql, key: ['id'] } as never,
    request: { columns, kind: 'difference', silentFirst: false } as const,
  };
  const read = async (): Promise<AsyncIterable<Uint8Array>> =>
    (await source.read({ sql, key: ['id'], columns }, limits)).lines;
  const first = await measure('here, first', server, async () => {
    const lines = await read();
    await snapshots.replaceAll(here, shape, (write) => baseline({ lines, shape, write }));
    return undefined;
  });
  const firstInside = await measure('inside, first', server, async () => {
    await (await told.inside(job, limits))?.takeAll();
    return undefined;
  });
  await db.query('update public.bench_rows set amount = amount + 1 where id % 1000 = 7');
  await db.query('vacuum analyze public.bench_rows');
  const expected = Math.floor((rows + 993) / 1000);
  let bytes = 0;
  const counted = async function* (lines: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of lines) {
      bytes += piece.length;
      yield piece;
    }
  };
  const run = async (syncId: number): Promise<number> => {
    await db.query(`update runs set state = 'done' where sync_id = $1`, [syncId]);
    const [row] = await db.query<{ id: number }>(
      `insert into runs (sync_id, due_at, cause) values ($1, now(), 'manual') returning id`,
      [syncId],
    );
    return row?.id ?? 0;
  };
  const finish = async (which: Pick<Told, 'commit'>, syncId: number, runId: number): Promise<void> => {
    let found = 0;
    for await (const { seq, changed } of plans.read(runId)) {
      found += changed;
      await which.commit({ syncId, runId, seq, shape, accepted: 'all' });
    }
    if (found !== expected) {
      throw new Error(`${found} rows changed, and not ${expected}`);
    }
  };
  const again = await measure('here, 0.1 % changed', server, async () => {
    const runId = await run(here);
    const lines = counted(await read());
    const write = plans.save.bind(undefined, runId);
    await plan({ lines, shape, snapshot: snapshots.chunks(here), write });
    await finish(snapshots, here, runId);
    return undefined;
  });
  const bytesHere = bytes;
  bytes = 0;
  const againInside = await measure('inside, 0.1 % changed', server, async () => {
    const runId = await run(inside);
    const place = await told.inside(job, limits);
    const found = await place?.compare({ id: runId, everything: false });
    if (found === undefined) {
      throw new Error('rows are not compared inside');
    }
    const write = plans.save.bind(undefined, runId);
    await plan({ shape, lines: counted(found.lines), snapshot: found.snapshot, write });
    await finish(told, inside, runId);
    await told.settle(inside, new AbortController().signal);
    return undefined;
  });
  const unchanged = await measure('inside, nothing changed', server, async () => {
    const runId = await run(inside);
    const found = await (await told.inside(job, limits))?.compare({ id: runId, everything: false });
    if (found === undefined) {
      throw new Error('rows are not compared inside');
    }
    const write = (): Promise<void> => Promise.reject(new Error('a change where there is none'));
    await plan({ shape, lines: found.lines, snapshot: found.snapshot, write });
    await told.settle(inside, new AbortController().signal);
    return undefined;
  });
  // What was told comes out of the warehouse too, as long as what is there now.
  return [
    first,
    firstInside,
    { ...again, bytes: bytesHere },
    { ...againInside, bytes: 2 * bytes },
    unchanged,
  ];
}
