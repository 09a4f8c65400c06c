import { postgres } from '../connectors/postgres/index.ts';
import type { Db } from '../engine/contracts/db.ts';
import type { Query, Source } from '../engine/contracts/source.ts';
import { baseline } from '../engine/planner/baseline.ts';
import type { Shape } from '../engine/planner/chunks.ts';
import { plan } from '../engine/planner/plan.ts';
import { createDb } from '../engine/store/db.ts';
import { migrate } from '../engine/store/migrate.ts';
import { createSnapshots } from '../engine/store/snapshots.ts';
import { postmaster } from './cpu.ts';
import { copyToNowhere, type Measured, measure } from './measure.ts';

export interface PlannerBench {
  readonly rows: number;
  /** A PostgreSQL server on this machine; a schema `activate_bench` is made in the database and dropped again. */
  readonly url: string;
}

const schema = 'activate_bench';
const limits = { timeoutMs: 3_600_000 };
const columns = ['name', 'email', 'amount', 'at'];
const sql = `select id, code, name, email, amount, at from ${schema}.rows`;

/**
 * An unchanged sync against the least that reading costs: `psql` copying the same columns to nowhere, in no order. The
 * key is once an indexed integer and once a text that the server has to sort. Linux only: CPU is read from /proc.
 */
export async function benchPlanner({ rows, url }: PlannerBench): Promise<readonly Measured[]> {
  const log = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: () => undefined,
  };
  const db = createDb(url, { schema, log: { ...log, child: () => ({ ...log, child: () => never() }) } });
  const connection = await postgres.open(
    { ...noFields, url },
    { applicationName: 'activate/bench', http: { send: never }, now: () => new Date() },
  );
  const source = connection.source as Source;
  try {
    await migrate(db, schema);
    await fill(db, rows);
    const server = await postmaster(db);
    const results: Measured[] = [];
    for (const key of ['id', 'code']) {
      const wanted = [key, ...columns];
      const limit = await measure(`psql COPY, ${key}`, server, () => copyToNowhere(url, sql, wanted));
      const { first, again } = await unchanged(db, source, server, key, wanted);
      results.push(limit, first, again);
      print(limit, [limit, first, again]);
    }
    return results;
  } finally {
    await connection.close();
    await db.query(`drop schema if exists ${schema} cascade`);
    await db.close();
  }
}

const noFields = {
  host: undefined,
  port: undefined,
  database: undefined,
  user: undefined,
  password: undefined,
  tls: undefined,
  plannerSchema: undefined,
  planner: undefined,
  logs: undefined,
};

function never(): never {
  throw new Error('nobody asks for it');
}

function print(limit: Measured, all: readonly Measured[]): void {
  for (const { what, seconds, cpuSeconds, serverCpuSeconds, peakMb } of all) {
    const ratio = (cpuSeconds / limit.cpuSeconds).toFixed(2);
    const memory = peakMb === undefined ? '' : `, ${Math.round(peakMb)} MB at most`;
    console.log(
      `${what}: ${seconds.toFixed(1)} s, CPU ${cpuSeconds.toFixed(2)} s = ${ratio} x psql, ${serverCpuSeconds.toFixed(2)} s of it the server's${memory}`,
    );
  }
}

async function fill(db: Db, rows: number): Promise<void> {
  await db.query(`create table ${schema}.rows as
    select i as id, md5(i::text) as code, 'Account ' || i as name, 'user' || i || '@example.com' as email,
      (i * 1.37)::numeric(12, 2) as amount, timestamptz '2026-01-01' + i * interval '1.5 seconds' as at
    from generate_series(1, ${rows}::int) i`);
  await db.query(`alter table ${schema}.rows add primary key (id)`);
  await db.query(`vacuum analyze ${schema}.rows`);
  await db.query(
    `insert into ${schema}.sources (name, connector, config, secrets) values ('s', 'postgres', '{}', '')`,
  );
  await db.query(
    `insert into ${schema}.models (name, source_id, sql, key, columns) values ('m', 1, '', '{}', '[]')`,
  );
  await db.query(`insert into ${schema}.syncs (name, framework, model_id, settings, cron, time_zone)
    values ('id', 'notify', 1, '{}', '', 'UTC'), ('code', 'notify', 1, '{}', '', 'UTC')`);
}

async function unchanged(
  db: Db,
  source: Source,
  server: number,
  key: string,
  wanted: readonly string[],
): Promise<{ readonly first: Measured; readonly again: Measured }> {
  const snapshots = createSnapshots(db);
  const [sync] = await db.query<{ id: number }>('select id from syncs where name = $1', [key]);
  const syncId = sync?.id ?? 0;
  const query: Query = { sql, key: [key], columns: wanted };
  const shape: Shape = { key: [key === 'id' ? 'numeric' : 'bytes'], columns: wanted };
  const first = await measure(`first run, ${key}`, server, async () => {
    const { lines } = await source.read(query, limits);
    await snapshots.replaceAll(syncId, shape, (write) => baseline({ lines, shape, write }));
    return undefined;
  });
  const again = await measure(`unchanged run, ${key}`, server, async () => {
    const { lines } = await source.read(query, limits);
    const counts = await plan({
      lines,
      shape,
      snapshot: snapshots.chunks(syncId),
      write: () => Promise.reject(new Error('a change where there is none')),
    });
    if (counts.rows !== counts.unchanged) {
      throw new Error('a row where there is none');
    }
    return undefined;
  });
  return { first, again };
}
