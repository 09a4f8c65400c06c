import type { Sql } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';
import { applyEntries, cutChunks } from '../planner/apply.ts';
import {
  chunkSize,
  countLines,
  decodeEntries,
  type PlanEntry,
  rowOf,
  type Shape,
  type Stretch,
} from '../planner/chunks.ts';
import { doubtfulLine, possibleLines } from '../planner/doubt.ts';
import { sortKey } from '../planner/keys.ts';
import { addToPatch, type Packed, packPatch, patchedLines } from '../planner/patch.ts';
import { lockPlanChunk, markCommitted, type StoredPlanChunk, splitPlanChunk } from './plans.ts';
import {
  type ChunkHead,
  hashBytes,
  headOf,
  insertChunk,
  type Place,
  putHead,
  sameKey,
} from './snapshot-rows.ts';

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

/** A chunk below this is joined to the one before it. */
const fewRows = 256;
/** By how much a chunk may outgrow the usual size before it is cut. */
const mostGrowth = 1.25;
/** From this part of a chunk's size on, its patch is worked in: each run that opens the chunk has to do so. */
const largestPatch = 0.25;

/** Where to write, and how lines are laid out there. */
interface OpenPlace extends Place {
  readonly shape: Shape;
}

/** See `Snapshots.commit`. Wants to be in a transaction. */
export async function commitChunk(sql: Sql, commit: Commit): Promise<void> {
  const { syncId, runId, seq, shape, accepted } = commit;
  const chunk = await lockPlanChunk(sql, runId, seq, commit.chunk === undefined);
  if (chunk === undefined) {
    throw new ActivateError('BUG', 'There is no such plan chunk.');
  }
  if (chunk.state === 'committed') {
    return;
  }
  const place = { syncId, generation: await openGeneration(sql, syncId, shape), shape };
  const heads = await headsAround(sql, place, chunk);
  const newRows = accepted === 'all' && isGap(heads, chunk.firstKey) ? commit.chunk?.newRows?.() : undefined;
  if (newRows !== undefined) {
    await insertLines(sql, place, newRows);
    await markCommitted(sql, runId, seq);
    return;
  }
  const all = commit.chunk?.entries ?? decodeEntries(chunk.entries, shape.key.length);
  const entries = accepted === 'all' ? all : withDoubts(all, commit, accepted);
  const groups = groupByChunk(heads, entries, shape, chunk.firstKey);
  const stretches = new Map(chunk.stretches.map((one) => [one.before.firstKey.toString('hex'), one]));
  const patched = await patchChunks(sql, place, groups, { entries: all, stretches });
  for (const group of groups) {
    if (!patched.has(group)) {
      await rewrite(sql, place, group);
    }
  }
  await markCommitted(sql, runId, seq);
  if (commit.later !== undefined && commit.later.size > 0) {
    await splitPlanChunk(sql, { runId, seq, orders: shape.key, entries: all, later: commit.later });
  }
}

/** The stored chunks that a plan chunk reaches into: from the one in which its first key is to the one of its last. */
async function headsAround(
  sql: Sql,
  { syncId, generation }: Place,
  { firstKey, lastKey }: StoredPlanChunk,
): Promise<readonly ChunkHead[]> {
  return sql.query<ChunkHead>(
    `select first_key, last_key, rows, raw_bytes, hash from snapshot_chunks
     where sync_id = $1 and generation = $2
     and first_key <= greatest($3, (select min(first_key) from snapshot_chunks where sync_id = $1 and generation = $2))
     and first_key >= coalesce((select max(first_key) from snapshot_chunks where sync_id = $1 and generation = $2 and first_key <= $4), ''::bytea)
     order by first_key`,
    [syncId, generation, lastKey, firstKey],
  );
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
  readonly head: ChunkHead | undefined;
  readonly entries: PlanEntry[];
}

function groupByChunk(
  heads: readonly ChunkHead[],
  entries: readonly PlanEntry[],
  shape: Shape,
  planFirst: Buffer,
): readonly Group[] {
  if (isGap(heads, planFirst)) {
    return entries.length === 0 ? [] : [{ head: undefined, entries: [...entries] }];
  }
  const groups: Group[] = [];
  let at = -1;
  for (const entry of entries) {
    const key = sortKey(rowOf(entry), 0, shape.key);
    while (at + 1 < heads.length && Buffer.compare((heads[at + 1] as ChunkHead).first_key, key) <= 0) {
      at += 1;
    }
    const head = heads[Math.max(at, 0)];
    const last = groups.at(-1);
    if (last !== undefined && last.head === head) {
      last.entries.push(entry);
    } else {
      groups.push({ head, entries: [entry] });
    }
  }
  return groups;
}

/** The entries of a plan chunk, and what it knows of the stored chunks that it changes, by their first keys. */
interface Known {
  readonly entries: readonly PlanEntry[];
  readonly stretches: ReadonlyMap<string, Stretch>;
}

/** Keeps changes beside the chunks that they are of, where it is known what these become. Answers with what it dealt with. */
async function patchChunks(
  sql: Sql,
  { syncId, generation, shape }: OpenPlace,
  groups: readonly Group[],
  known: Known,
): Promise<ReadonlySet<Group>> {
  const fitting = groups.flatMap((group) => {
    const stretch = stretchFor(group, known);
    return stretch === undefined ? [] : [{ group, stretch, at: stretch.before.firstKey }];
  });
  if (fitting.length === 0) {
    return new Set();
  }
  const stored = await sql.query<{ n: number; size: number; patch: Buffer | null }>(
    `select n, length(data) as size, patch from unnest($3::bytea[]) with ordinality as wanted (first_key, n)
     join snapshot_chunks as c using (first_key) where c.sync_id = $1 and c.generation = $2`,
    [syncId, generation, fitting.map(({ at }) => at)],
  );
  const patches = stored.flatMap(({ n, size, patch }) => {
    const { group, stretch, at } = fitting[n - 1] as (typeof fitting)[number];
    const all = patch === null ? group.entries : addToPatch(patch, group.entries, shape.key);
    const packed = packPatch(all);
    return packed.length > size * largestPatch ? [] : [{ group, stretch, at, packed }];
  });
  await sql.query(
    `update snapshot_chunks as c
     set first_key = n.first_key, last_key = n.last_key, rows = n.rows, raw_bytes = n.raw_bytes, hash = n.hash, patch = n.patch
     from unnest($3::bytea[], $4::bytea[], $5::bytea[], $6::int[], $7::int[], $8::bytea[], $9::bytea[])
       as n (at, first_key, last_key, rows, raw_bytes, hash, patch)
     where c.sync_id = $1 and c.generation = $2 and c.first_key = n.at`,
    [
      syncId,
      generation,
      patches.map(({ at }) => at),
      patches.map(({ stretch }) => stretch.firstKey),
      patches.map(({ stretch }) => stretch.lastKey),
      patches.map(({ stretch }) => stretch.rows),
      patches.map(({ stretch }) => stretch.rawBytes),
      patches.map(({ stretch }) => hashBytes(stretch.hash)),
      patches.map(({ packed }) => packed),
    ],
  );
  return new Set(patches.map(({ group }) => group));
}

/** What the chunk of a group becomes, if it is as it was when that was found out and the group is all of the changes to it. */
function stretchFor({ head, entries }: Group, known: Known): Stretch | undefined {
  const stretch = head && known.stretches.get(head.first_key.toString('hex'));
  if (stretch === undefined || !head?.hash.equals(hashBytes(stretch.before.hash))) {
    return undefined;
  }
  const { from, to, rows, rawBytes } = stretch;
  const whole = entries.length === to - from && entries.every((one, i) => one === known.entries[from + i]);
  const fits =
    rows >= fewRows && rows <= mostGrowth * chunkSize.rows && rawBytes <= mostGrowth * chunkSize.bytes;
  return whole && fits ? stretch : undefined;
}

async function rewrite(sql: Sql, place: OpenPlace, { head, entries }: Group): Promise<void> {
  const old = head === undefined ? Buffer.alloc(0) : await takeOut(sql, place, head.first_key);
  await insertLines(sql, place, applyEntries(old, entries, place.shape.key));
}

/** Stores lines as chunks of their own; a few are joined to the chunk before them. */
async function insertLines(sql: Sql, place: OpenPlace, lines: Buffer): Promise<void> {
  const { key } = place.shape;
  const rows = countLines(lines, fewRows);
  const few = rows > 0 && rows < fewRows;
  const before = few ? await takeOutBefore(sql, place, sortKey(lines, 0, key)) : Buffer.alloc(0);
  for (const chunk of cutChunks(few ? Buffer.concat([before, lines]) : lines, key)) {
    await insertChunk(sql, place, chunk);
  }
}

async function takeOut(sql: Sql, place: OpenPlace, firstKey: Buffer): Promise<Buffer> {
  const [row] = await sql.query<Packed>(
    'delete from snapshot_chunks where sync_id = $1 and generation = $2 and first_key = $3 returning data, patch',
    [place.syncId, place.generation, firstKey],
  );
  return row === undefined ? Buffer.alloc(0) : patchedLines(row, place.shape.key);
}

async function takeOutBefore(sql: Sql, place: OpenPlace, key: Buffer): Promise<Buffer> {
  const [row] = await sql.query<{ first_key: Buffer }>(
    `select first_key from snapshot_chunks where sync_id = $1 and generation = $2 and first_key < $3
     order by first_key desc limit 1`,
    [place.syncId, place.generation, key],
  );
  return row === undefined ? Buffer.alloc(0) : takeOut(sql, place, row.first_key);
}
