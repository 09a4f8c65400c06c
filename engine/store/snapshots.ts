import type { Db, Sql } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { KeyOrder } from '../contracts/source.ts';
import { applyEntries, cutChunks, remapLines } from '../planner/apply.ts';
import {
  decodeEntries,
  decompress,
  lineStarts,
  type NewSnapshotChunk,
  type PlanEntry,
  type Shape,
  type SnapshotChunk,
} from '../planner/chunks.ts';
import { doubtfulLine, possibleLines } from '../planner/doubt.ts';
import { compareKeys, decodeFields, encodeLine, sortKey } from '../planner/keys.ts';
import { lockPlanChunk, markCommitted, splitPlanChunk } from './plans.ts';

export interface Commit {
  readonly syncId: number;
  readonly runId: number;
  readonly seq: number;
  readonly shape: Shape;
  /** Positions of the entries that were accepted; silent ones need not be named. */
  readonly accepted: ReadonlySet<number> | 'all';
  /** Entries of which the destination may have something: they are kept as such, and come again at the next run. */
  readonly doubtful?: ReadonlySet<number> | 'all' | undefined;
  /** Entries that are not dealt with yet: they become chunks of their own in this state. */
  readonly later?: ReadonlyMap<number, 'planned' | 'sending'> | undefined;
  /** The chunk, where whoever commits has it at hand. */
  readonly chunk?: ChunkAtHand | undefined;
}

/** A plan chunk that was read already; `newRows` gives its rows where it holds nothing but new ones. */
export interface ChunkAtHand {
  readonly entries: readonly PlanEntry[];
  readonly newRows?: () => Buffer;
}

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
}

interface Head {
  readonly generation: number;
  readonly key_orders: KeyOrder[];
  readonly columns: string[];
}

interface ChunkHead {
  readonly first_key: Buffer;
  readonly last_key: Buffer;
  readonly rows: number;
  readonly raw_bytes: number;
  readonly hash: Buffer;
}

const headsPerPage = 500;
/** A chunk below this is joined to the one before it. */
const fewRows = 256;

/** The snapshots of syncs, on our own database. */
export function createSnapshots(db: Db): Snapshots {
  return {
    prepare: (syncId, shape) => prepare(db, syncId, shape),
    chunks: (syncId) => chunks(db, syncId),
    replaceAll: (syncId, shape, fill) => replaceAll(db, syncId, shape, fill),
    commit: (commit) => db.transaction((sql) => commitChunk(sql, commit)),
    get: (syncId, key) => get(db, syncId, key),
    forget: (syncId) =>
      db.transaction(async (sql) => {
        await sql.query('delete from snapshot_chunks where sync_id = $1', [syncId]);
        await sql.query('delete from snapshots where sync_id = $1', [syncId]);
      }),
  };
}

async function headOf(sql: Sql, syncId: number, lock = ''): Promise<Head | undefined> {
  const [head] = await sql.query<Head>(
    `select generation, key_orders, columns from snapshots where sync_id = $1 ${lock}`,
    [syncId],
  );
  return head;
}

/** Whether keys mean the same under both: same columns, same order. */
function sameKey(head: Head, shape: Shape): boolean {
  const names = shape.columns.slice(0, shape.key.length);
  return (
    JSON.stringify([head.key_orders, head.columns.slice(0, head.key_orders.length)]) ===
    JSON.stringify([shape.key, names])
  );
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
  const { generation } = head;
  let after = Buffer.alloc(0);
  for (;;) {
    const page = await db.query<ChunkHead>(
      `select first_key, last_key, rows, raw_bytes, hash from snapshot_chunks
       where sync_id = $1 and generation = $2 and first_key > $3 order by first_key limit ${headsPerPage}`,
      [syncId, generation, after],
    );
    for (const chunk of page) {
      yield {
        firstKey: chunk.first_key,
        lastKey: chunk.last_key,
        rows: chunk.rows,
        rawBytes: chunk.raw_bytes,
        hash: chunk.hash.readBigUInt64BE(),
        lines: () => linesOf(db, syncId, generation, chunk.first_key),
      };
    }
    const last = page.at(-1);
    if (last === undefined || page.length < headsPerPage) {
      return;
    }
    after = Buffer.from(last.first_key);
  }
}

async function linesOf(sql: Sql, syncId: number, generation: number, firstKey: Buffer): Promise<Buffer> {
  const [row] = await sql.query<{ data: Buffer }>(
    'select data from snapshot_chunks where sync_id = $1 and generation = $2 and first_key = $3',
    [syncId, generation, firstKey],
  );
  if (row === undefined) {
    throw new ActivateError('BUG', 'A snapshot changed while it was read.');
  }
  return decompress(row.data);
}

async function insert(sql: Sql, syncId: number, generation: number, chunk: NewSnapshotChunk): Promise<void> {
  const hash = Buffer.alloc(8);
  hash.writeBigUInt64BE(chunk.hash);
  await sql.query(
    `insert into snapshot_chunks (sync_id, generation, first_key, last_key, rows, raw_bytes, hash, data)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [syncId, generation, chunk.firstKey, chunk.lastKey, chunk.rows, chunk.rawBytes, hash, chunk.data],
  );
}

async function putHead(sql: Sql, syncId: number, generation: number, shape: Shape): Promise<void> {
  await sql.query(
    `insert into snapshots (sync_id, generation, key_orders, columns) values ($1, $2, $3, $4)
     on conflict (sync_id) do update set generation = $2, key_orders = $3, columns = $4`,
    [syncId, generation, [...shape.key], [...shape.columns]],
  );
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
  const result = await fill((chunk) => insert(db, syncId, generation, chunk));
  await db.transaction(async (sql) => {
    await putHead(sql, syncId, generation, shape);
    await sql.query('delete from snapshot_chunks where sync_id = $1 and generation <> $2', [
      syncId,
      generation,
    ]);
  });
  return result;
}

async function commitChunk(sql: Sql, commit: Commit): Promise<void> {
  const { syncId, runId, seq, shape, accepted } = commit;
  const chunk = await lockPlanChunk(sql, runId, seq, commit.chunk === undefined);
  if (chunk === undefined) {
    throw new ActivateError('BUG', 'There is no such plan chunk.');
  }
  if (chunk.state === 'committed') {
    return;
  }
  const generation = await openGeneration(sql, syncId, shape);
  const heads = await sql.query<ChunkHead>(
    `select first_key, last_key, rows from snapshot_chunks
     where sync_id = $1 and generation = $2
     and first_key <= greatest($3, (select min(first_key) from snapshot_chunks where sync_id = $1 and generation = $2))
     and first_key >= coalesce((select max(first_key) from snapshot_chunks where sync_id = $1 and generation = $2 and first_key <= $4), ''::bytea)
     order by first_key`,
    [syncId, generation, chunk.lastKey, chunk.firstKey],
  );
  const newRows = accepted === 'all' && isGap(heads, chunk.firstKey) ? commit.chunk?.newRows?.() : undefined;
  if (newRows !== undefined) {
    await insertLines(sql, { syncId, generation, shape }, newRows);
    await markCommitted(sql, runId, seq);
    return;
  }
  const all = commit.chunk?.entries ?? decodeEntries(chunk.entries, shape.key.length);
  const entries = accepted === 'all' ? all : withDoubts(all, commit, accepted);
  for (const group of groupByChunk(heads, entries, shape, chunk.firstKey)) {
    await rewrite(sql, syncId, generation, group, shape);
  }
  await markCommitted(sql, runId, seq);
  if (commit.later !== undefined && commit.later.size > 0) {
    await splitPlanChunk(sql, { runId, seq, orders: shape.key, entries: all, later: commit.later });
  }
}

/**
 * Whether all of a plan chunk comes where nothing is stored: behind one stored chunk and before the next, or before
 * anything is. Then no chunk has to be unpacked to be added to.
 */
function isGap(heads: readonly ChunkHead[], planFirst: Buffer): boolean {
  const [before, another] = heads;
  return before === undefined || (another === undefined && Buffer.compare(before.last_key, planFirst) < 0);
}

/** What goes into the snapshot: accepted entries as they are, and doubtful ones as all that there may be. */
function withDoubts(
  all: readonly PlanEntry[],
  { doubtful, shape }: Commit,
  accepted: ReadonlySet<number>,
): readonly PlanEntry[] {
  return all.flatMap((entry, i) => {
    if (entry.silent || accepted.has(i)) {
      return [entry];
    }
    const { line, previous } = entry;
    const before = previous === undefined ? [] : possibleLines(previous, shape.columns.length);
    return doubtful === 'all' || doubtful?.has(i) === true
      ? [{ ...entry, line: doubtfulLine([...(line === undefined ? [] : [line]), ...before]) }]
      : [];
  });
}

/** The generation to write to: that of the snapshot, or a new and empty one when nothing was told under this key. */
async function openGeneration(sql: Sql, syncId: number, shape: Shape): Promise<number> {
  const head = await headOf(sql, syncId, 'for update');
  if (head !== undefined && sameKey(head, shape)) {
    return head.generation;
  }
  await sql.query('delete from snapshot_chunks where sync_id = $1', [syncId]);
  const generation = (head?.generation ?? 0) + 1;
  await putHead(sql, syncId, generation, shape);
  return generation;
}

interface Group {
  /** The stored chunk the entries go into; none when nothing is stored yet. */
  readonly firstKey: Buffer | undefined;
  readonly entries: PlanEntry[];
}

function groupByChunk(
  heads: readonly ChunkHead[],
  entries: readonly PlanEntry[],
  shape: Shape,
  planFirst: Buffer,
): readonly Group[] {
  if (isGap(heads, planFirst)) {
    return entries.length === 0 ? [] : [{ firstKey: undefined, entries: [...entries] }];
  }
  const groups: Group[] = [];
  let at = -1;
  for (const entry of entries) {
    const key = sortKey(entry.line ?? entry.previous ?? Buffer.alloc(0), 0, shape.key);
    while (at + 1 < heads.length && Buffer.compare((heads[at + 1] as ChunkHead).first_key, key) <= 0) {
      at += 1;
    }
    const firstKey = heads[Math.max(at, 0)]?.first_key;
    const last = groups.at(-1);
    if (last !== undefined && last.firstKey === firstKey) {
      last.entries.push(entry);
    } else {
      groups.push({ firstKey, entries: [entry] });
    }
  }
  return groups;
}

async function rewrite(
  sql: Sql,
  syncId: number,
  generation: number,
  group: Group,
  shape: Shape,
): Promise<void> {
  const old =
    group.firstKey === undefined ? Buffer.alloc(0) : await takeOut(sql, syncId, generation, group.firstKey);
  await insertLines(sql, { syncId, generation, shape }, applyEntries(old, group.entries, shape.key));
}

interface Place {
  readonly syncId: number;
  readonly generation: number;
  readonly shape: Shape;
}

/** Stores lines as chunks of their own; a few are joined to the chunk before them. */
async function insertLines(sql: Sql, { syncId, generation, shape }: Place, lines: Buffer): Promise<void> {
  const rows = lineStarts(lines).length - 1;
  const few = rows > 0 && rows < fewRows;
  const before = few
    ? await takeOutBefore(sql, syncId, generation, sortKey(lines, 0, shape.key))
    : Buffer.alloc(0);
  for (const chunk of cutChunks(few ? Buffer.concat([before, lines]) : lines, shape.key)) {
    await insert(sql, syncId, generation, chunk);
  }
}

async function takeOut(sql: Sql, syncId: number, generation: number, firstKey: Buffer): Promise<Buffer> {
  const [row] = await sql.query<{ data: Buffer }>(
    'delete from snapshot_chunks where sync_id = $1 and generation = $2 and first_key = $3 returning data',
    [syncId, generation, firstKey],
  );
  return row === undefined ? Buffer.alloc(0) : decompress(row.data);
}

async function takeOutBefore(sql: Sql, syncId: number, generation: number, key: Buffer): Promise<Buffer> {
  const [row] = await sql.query<{ first_key: Buffer }>(
    `select first_key from snapshot_chunks where sync_id = $1 and generation = $2 and first_key < $3
     order by first_key desc limit 1`,
    [syncId, generation, key],
  );
  return row === undefined ? Buffer.alloc(0) : takeOut(sql, syncId, generation, row.first_key);
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
  const [row] = await db.query<{ data: Buffer }>(
    `select data from snapshot_chunks where sync_id = $1 and generation = $2 and first_key <= $3 and last_key >= $3
     order by first_key desc limit 1`,
    [syncId, head.generation, sortKey(wanted, 0, head.key_orders)],
  );
  const lines = row === undefined ? Buffer.alloc(0) : decompress(row.data);
  const start = lineStarts(lines).find(
    (at) => at < lines.length && compareKeys(lines, at, wanted, 0, head.key_orders) === 0,
  );
  if (start === undefined) {
    return undefined;
  }
  const values = decodeFields(lines, head.columns.length, start);
  return Object.fromEntries(head.columns.map((name, i) => [name, values[i] ?? null]));
}
