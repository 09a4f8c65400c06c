import type { Db, Sql } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';
import { encodeLine } from '../contracts/lines.ts';
import { cutChunks, remapLines } from '../planner/apply.ts';
import { lineStarts, type NewSnapshotChunk, type Shape, type SnapshotChunk } from '../planner/chunks.ts';
import { compareKeys, decodeFields, sortKey } from '../planner/keys.ts';
import { type Packed, patchedLines } from '../planner/patch.ts';
import { type Commit, commitChunk } from './snapshot-commits.ts';
import {
  type ChunkHead,
  type Head,
  headOf,
  insertChunk,
  type Place,
  putHead,
  sameKey,
} from './snapshot-rows.ts';

/** What has been told so far, per sync. One run per sync at a time changes it. */
export interface Snapshots {
  /**
   * Makes the snapshot fit the shape and says whether there is one. `none`: nothing was told yet, or under another
   * key, so that nothing can be compared. Columns are matched by name: one that is new is unknown for every row, and
   * finding out about it is a silent change; one that is gone is dropped, and that is silent too.
   */
  prepare(syncId: number, shape: Shape): Promise<'none' | 'ready'>;
  /** The chunks in key order; their lines are fetched only when asked for. */
  chunks(syncId: number): AsyncIterable<SnapshotChunk>;
  /** Puts a new snapshot in place of the old one, all at once when `fill` is through; if it throws, the old one stays. */
  replaceAll<T>(
    syncId: number,
    shape: Shape,
    fill: (write: (chunk: NewSnapshotChunk) => Promise<void>) => Promise<T>,
  ): Promise<T>;
  /** Takes in the accepted (and the silent) entries of one plan chunk, all or nothing. Doing it twice is harmless. */
  commit(commit: Commit): Promise<void>;
  /** The row told last under a key, by column name. */
  get(syncId: number, key: readonly string[]): Promise<Readonly<Record<string, string | null>> | undefined>;
  forget(syncId: number): Promise<void>;
  /** Whether anything was told, under whatever key. */
  has(syncId: number): Promise<boolean>;
}

const headsPerPage = 500;
const mostFetched = 16;

/** The snapshots of syncs, on our own database. */
export function createSnapshots(db: Db): Snapshots {
  return {
    prepare: (syncId, shape) => prepare(db, syncId, shape),
    chunks: (syncId) => chunks(db, syncId),
    replaceAll: (syncId, shape, fill) => replaceAll(db, syncId, shape, fill),
    commit: (commit) => db.transaction((sql) => commitChunk(sql, commit)),
    get: (syncId, key) => get(db, syncId, key),
    has: async (syncId) => (await headOf(db, syncId)) !== undefined,
    forget: (syncId) =>
      db.transaction(async (sql) => {
        await sql.query('delete from snapshot_chunks where sync_id = $1', [syncId]);
        await sql.query('delete from snapshots where sync_id = $1', [syncId]);
      }),
  };
}

async function prepare(db: Db, syncId: number, shape: Shape): Promise<'none' | 'ready'> {
  const head = await headOf(db, syncId);
  if (head === undefined || !sameKey(head, shape)) {
    return 'none';
  }
  if (JSON.stringify(head.columns) === JSON.stringify(shape.columns)) {
    return 'ready';
  }
  await replaceAll(db, syncId, shape, async (write) => {
    for await (const chunk of chunks(db, syncId)) {
      const lines = remapLines(await chunk.lines(), head.columns, shape.columns);
      for (const remapped of cutChunks(lines, shape.key)) {
        await write(remapped);
      }
    }
  });
  return 'ready';
}

async function* chunks(db: Db, syncId: number): AsyncGenerator<SnapshotChunk> {
  const head = await headOf(db, syncId);
  if (head === undefined) {
    return;
  }
  const fetched = new Fetched(db, { syncId, ...head });
  let after = Buffer.alloc(0);
  for (;;) {
    const page = await db.query<ChunkHead>(
      `select first_key, last_key, rows, raw_bytes, hash from snapshot_chunks
       where sync_id = $1 and generation = $2 and first_key > $3 order by first_key limit ${headsPerPage}`,
      [syncId, head.generation, after],
    );
    for (const chunk of page) {
      yield {
        firstKey: chunk.first_key,
        lastKey: chunk.last_key,
        rows: chunk.rows,
        rawBytes: chunk.raw_bytes,
        hash: chunk.hash.readBigUInt64BE(),
        lines: () => fetched.linesOf(chunk.first_key),
      };
    }
    const last = page.at(-1);
    if (last === undefined || page.length < headsPerPage) {
      return;
    }
    after = Buffer.from(last.first_key);
  }
}

/** Fetches the lines of chunks: of one at first, then of more and more that follow, as long as each is asked for. */
class Fetched {
  readonly #sql: Sql;
  readonly #of: Head & Place;
  #held = new Map<string, Packed>();
  #times = -1;

  constructor(sql: Sql, of: Head & Place) {
    this.#sql = sql;
    this.#of = of;
  }

  async linesOf(firstKey: Buffer): Promise<Buffer> {
    const name = firstKey.toString('hex');
    if (!this.#held.has(name)) {
      await this.#fetch(firstKey);
    }
    const packed = this.#held.get(name);
    if (packed === undefined) {
      throw new ActivateError('BUG', 'A snapshot changed while it was read.');
    }
    this.#held.delete(name);
    return patchedLines(packed, this.#of.key_orders);
  }

  async #fetch(firstKey: Buffer): Promise<void> {
    this.#times = this.#held.size > 0 ? 0 : this.#times + 1;
    const rows = await this.#sql.query<Packed & { first_key: Buffer }>(
      `select first_key, data, patch from snapshot_chunks where sync_id = $1 and generation = $2 and first_key >= $3
       order by first_key limit $4`,
      [this.#of.syncId, this.#of.generation, firstKey, Math.min(2 ** this.#times, mostFetched)],
    );
    this.#held = new Map(rows.map((row) => [row.first_key.toString('hex'), row]));
  }
}

async function replaceAll<T>(
  db: Db,
  syncId: number,
  shape: Shape,
  fill: (write: (chunk: NewSnapshotChunk) => Promise<void>) => Promise<T>,
): Promise<T> {
  const before = await headOf(db, syncId);
  const generation = (before?.generation ?? 0) + 1;
  // Left by an attempt that did not finish.
  await db.query('delete from snapshot_chunks where sync_id = $1 and generation is distinct from $2', [
    syncId,
    before?.generation ?? null,
  ]);
  const result = await fill((chunk) => insertChunk(db, { syncId, generation }, chunk));
  await db.transaction(async (sql) => {
    await putHead(sql, syncId, generation, shape);
    await sql.query('delete from snapshot_chunks where sync_id = $1 and generation <> $2', [
      syncId,
      generation,
    ]);
  });
  return result;
}

async function get(
  db: Db,
  syncId: number,
  key: readonly string[],
): Promise<Readonly<Record<string, string | null>> | undefined> {
  const head = await headOf(db, syncId);
  if (head === undefined) {
    return undefined;
  }
  const wanted = encodeLine(key);
  const [row] = await db.query<Packed>(
    `select data, patch from snapshot_chunks where sync_id = $1 and generation = $2 and first_key <= $3 and last_key >= $3
     order by first_key desc limit 1`,
    [syncId, head.generation, sortKey(wanted, 0, head.key_orders)],
  );
  const lines = row === undefined ? Buffer.alloc(0) : patchedLines(row, head.key_orders);
  const start = lineStarts(lines).find(
    (at) => at < lines.length && compareKeys(lines, at, wanted, 0, head.key_orders) === 0,
  );
  if (start === undefined) {
    return undefined;
  }
  const values = decodeFields(lines, head.columns.length, start);
  return Object.fromEntries(head.columns.map((name, i) => [name, values[i] ?? null]));
}
