import type { Sql } from '../contracts/db.ts';
import type { KeyOrder } from '../contracts/source.ts';
import type { NewSnapshotChunk, Shape } from '../planner/chunks.ts';

/** A snapshot as it stands. */
export interface Head {
  readonly generation: number;
  readonly key_orders: KeyOrder[];
  readonly columns: string[];
}

/** A chunk of one, without its lines. */
export interface ChunkHead {
  readonly first_key: Buffer;
  readonly last_key: Buffer;
  readonly rows: number;
  readonly raw_bytes: number;
  readonly hash: Buffer;
}

export async function headOf(sql: Sql, syncId: number, lock = ''): Promise<Head | undefined> {
  const [head] = await sql.query<Head>(
    `select generation, key_orders, columns from snapshots where sync_id = $1 ${lock}`,
    [syncId],
  );
  return head;
}

/** Whether keys mean the same under both: same columns, same order. */
export function sameKey(head: Head, shape: Shape): boolean {
  const names = shape.columns.slice(0, shape.key.length);
  return (
    JSON.stringify([head.key_orders, head.columns.slice(0, head.key_orders.length)]) ===
    JSON.stringify([shape.key, names])
  );
}

/** Stores a chunk. */
export async function insertChunk(
  sql: Sql,
  { syncId, generation }: Place,
  chunk: NewSnapshotChunk,
): Promise<void> {
  await sql.query(
    `insert into snapshot_chunks (sync_id, generation, first_key, last_key, rows, raw_bytes, hash, data)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      syncId,
      generation,
      chunk.firstKey,
      chunk.lastKey,
      chunk.rows,
      chunk.rawBytes,
      hashBytes(chunk.hash),
      chunk.data,
    ],
  );
}

/** Notes how the lines of a snapshot are laid out, and which generation of its chunks counts. */
export async function putHead(sql: Sql, syncId: number, generation: number, shape: Shape): Promise<void> {
  await sql.query(
    `insert into snapshots (sync_id, generation, key_orders, columns) values ($1, $2, $3, $4)
     on conflict (sync_id) do update set generation = $2, key_orders = $3, columns = $4`,
    [syncId, generation, [...shape.key], [...shape.columns]],
  );
}

/** Which chunks are meant. */
export interface Place {
  readonly syncId: number;
  readonly generation: number;
}

/** A hash as it is stored. */
export function hashBytes(hash: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(hash);
  return bytes;
}
