import { randomBytes } from 'node:crypto';
import type { Sql } from '../contracts/db.ts';
import type { KeyOrder } from '../contracts/source.ts';
import type { Shape } from '../planner/chunks.ts';

/** Where in its warehouse stands what was told of a sync. */
export interface WarehouseState {
  readonly syncId: number;
  readonly sourceId: number;
  /** Part of the names of its tables. */
  readonly name: string;
  readonly keyOrders: readonly KeyOrder[];
  /** Lists of columns, those of the key first; the last is in use. */
  readonly layouts: readonly (readonly string[])[];
  /** The run whose differences stand there and are not worked in yet. */
  readonly runId: number | null;
}

const fields = `sync_id as "syncId", source_id as "sourceId", name, key_orders as "keyOrders", layouts, run_id as "runId"`;

export async function stateOf(sql: Sql, syncId: number): Promise<WarehouseState | undefined> {
  const [row] = await sql.query<WarehouseState>(`select ${fields} from warehouse_states where sync_id = $1`, [
    syncId,
  ]);
  return row;
}

/** A name that no other sync of any installation has, so that several can share a schema. */
export function newStateName(): string {
  return randomBytes(6).toString('hex');
}

/** Notes a state, in place of the one that there is: the tables of that one are of no more use. */
export async function putState(
  sql: Sql,
  { syncId, sourceId, name }: Pick<WarehouseState, 'syncId' | 'sourceId' | 'name'>,
  { key, columns }: Shape,
): Promise<void> {
  await dropState(sql, syncId);
  await sql.query(
    'insert into warehouse_states (sync_id, source_id, name, key_orders, layouts) values ($1, $2, $3, $4, $5)',
    [syncId, sourceId, name, [...key], JSON.stringify([columns])],
  );
}

/** Forgets a state; its tables go when their warehouse can be asked. */
export async function dropState(sql: Sql, syncId: number): Promise<void> {
  await sql.query(
    `with gone as (delete from warehouse_states where sync_id = $1 returning source_id, name)
     insert into warehouse_litter (source_id, name) select source_id, name from gone`,
    [syncId],
  );
}

export async function noteLayout(sql: Sql, syncId: number, columns: readonly string[]): Promise<void> {
  await sql.query('update warehouse_states set layouts = layouts || $2::jsonb where sync_id = $1', [
    syncId,
    JSON.stringify([columns]),
  ]);
}

/** Notes whose differences are to be worked in; null: none are. */
export async function notePending(sql: Sql, syncId: number, runId: number | null): Promise<void> {
  await sql.query('update warehouse_states set run_id = $2 where sync_id = $1', [syncId, runId]);
}

export interface Litter {
  readonly sourceId: number;
  readonly name: string;
}

/** Notes tables before they are made: whoever makes them may die. */
export async function noteLitter(sql: Sql, { sourceId, name }: Litter): Promise<void> {
  await sql.query('insert into warehouse_litter (source_id, name) values ($1, $2) on conflict do nothing', [
    sourceId,
    name,
  ]);
}

/** Tables that are of no more use for sure. */
export async function litter(sql: Sql, now: Date): Promise<readonly Litter[]> {
  return sql.query<Litter>(
    `select source_id as "sourceId", name from warehouse_litter l
     where since < $1::timestamptz - interval '1 day' and not exists (select from warehouse_states s where s.name = l.name)
     order by source_id, name`,
    [now],
  );
}

export async function forgetLitter(sql: Sql, { sourceId, name }: Litter): Promise<void> {
  await sql.query('delete from warehouse_litter where source_id = $1 and name = $2', [sourceId, name]);
}
