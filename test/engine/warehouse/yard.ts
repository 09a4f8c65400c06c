import { randomUUID } from 'node:crypto';
import { postgres } from '../../../connectors/postgres/index.ts';
import { Connections } from '../../../engine/connections.ts';
import type { Connector } from '../../../engine/contracts/connector.ts';
import type { Db } from '../../../engine/contracts/db.ts';
import type { Raw } from '../../../engine/contracts/refs.ts';
import type { Source } from '../../../engine/contracts/source.ts';
import { createVault } from '../../../engine/secrets.ts';
import { saveConnection } from '../../../engine/store/connections.ts';
import { createPlans, type Plans } from '../../../engine/store/plans.ts';
import { createTold, type Told } from '../../../engine/warehouse/index.ts';
import { silentLog } from '../../support/log.ts';
import { type FreshDb, freshDb } from '../../support/postgres.ts';

/** A warehouse with a role that may read `public` and owns a planner schema, and an engine's memory of what was told. */
export interface Yard {
  readonly db: Db;
  readonly plans: Plans;
  readonly told: Told;
  readonly source: Source;
  readonly sourceId: number;
  readonly role: string;
  /** What the source is connected with. */
  readonly login: Raw;
  readonly connections: Connections;
  /** SQL as the owner of the warehouse. */
  sql<T extends object>(text: string, values?: readonly unknown[]): Promise<readonly T[]>;
  /** Stores the source with other settings; those that are open stay as they are. */
  reconnect(change: Raw): Promise<Source>;
  newSync(): Promise<number>;
  newRun(syncId: number): Promise<number>;
  close(): Promise<void>;
}

export const schema = 'activate_planner';

export async function startYard(change: Raw = {}, connector: Connector = postgres): Promise<Yard> {
  const fresh: FreshDb = await freshDb();
  const { db } = fresh;
  const role = `reader_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
  const database = new URL(fresh.url).pathname.slice(1);
  await db.query(`create role ${role} login password 'reads'`);
  await db.query(`grant usage on schema public to ${role}`);
  await db.query(`alter default privileges in schema public grant select on tables to ${role}`);
  await db.query(`create schema ${schema} authorization ${role}`);
  const url = new URL(fresh.url);
  const login: Raw = {
    host: url.hostname,
    port: url.port,
    database,
    user: role,
    password: 'reads',
    plannerSchema: schema,
    planner: 'warehouse',
    ...change,
  };
  const vault = createVault('a key for tests only');
  const connections = new Connections({
    connectors: [connector],
    vault,
    now: () => new Date(),
    httpFor: () => ({ send: () => Promise.reject(new Error('no web here')), close: async () => undefined }),
  });
  const plans = createPlans(db);
  const told = createTold({ db, connections, plans, readTimeoutMs: 20_000, log: silentLog });
  const save = (given: Raw): ReturnType<typeof saveConnection> => {
    const { password = '', ...config } = given;
    const secrets = vault.seal({ password });
    return saveConnection(db, {
      connector: connector.id,
      config,
      secrets,
      createdBy: null,
      kind: 'source',
      name: 'warehouse',
    });
  };
  const record = await save(login);
  await db.query(
    `insert into models (name, source_id, sql, key, columns) values ('m', $1, 'select 1', '{k}', '[]')`,
    [record.id],
  );
  let syncs = 0;
  return {
    db,
    plans,
    told,
    source: await connections.source(record),
    sourceId: record.id,
    role,
    login,
    connections,
    sql: (text, values) => db.query(text, values === undefined ? [] : [...values]),
    reconnect: async (other) => connections.source(await save({ ...login, ...other })),
    newSync: async () => {
      syncs += 1;
      const [row] = await db.query<{ id: number }>(
        `insert into syncs (name, framework, model_id, settings, cron, time_zone) values ($1, 'notify', 1, '{}', '* * * * *', 'UTC') returning id`,
        [`sync ${syncs}`],
      );
      return row?.id ?? 0;
    },
    newRun: async (syncId) => {
      await db.query(`update runs set state = 'done' where sync_id = $1`, [syncId]);
      const [row] = await db.query<{ id: number }>(
        `insert into runs (sync_id, due_at, cause) values ($1, now(), 'manual') returning id`,
        [syncId],
      );
      return row?.id ?? 0;
    },
    close: async () => {
      await connections.close();
      await db.query(`drop owned by ${role} cascade`);
      await db.query(`drop role ${role}`);
      await fresh.close();
    },
  };
}
