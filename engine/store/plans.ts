import { createHash } from 'node:crypto';
import type { Sql } from '../contracts/db.ts';
import type { KeyOrder } from '../contracts/source.ts';
import { type PlanChunk, type PlanEntry, packEntries, type Stretch } from '../planner/chunks.ts';

export type PlanState = 'planned' | 'sending' | 'committed';

export interface StoredPlanChunk extends PlanChunk {
  readonly state: PlanState;
}

export interface Plans {
  /** Stores one chunk of a run's plan. */
  save(runId: number, chunk: PlanChunk): Promise<void>;
  /** The chunks of a run in order, one at a time. */
  read(runId: number): AsyncIterable<StoredPlanChunk>;
  /** The chunk that would hold a key, in the form of `sortKey`; undefined when none spans it. */
  find(runId: number, key: Buffer): Promise<StoredPlanChunk | undefined>;
  /** Notes that chunks are handed over now. */
  markSending(runId: number, seqs: readonly number[]): Promise<void>;
  /** Notes that a chunk is dealt with, for plans that no snapshot follows. */
  markCommitted(runId: number, seq: number): Promise<void>;
  /** Forgets the plan of a run that has to be planned anew. */
  clear(runId: number): Promise<void>;
  /** Whether nothing of the plan was handed over yet. */
  isUntouched(runId: number): Promise<boolean>;
  /** Every change of the plan, as SHA-256 in hex. */
  digest(runId: number): Promise<string>;
}

interface Row {
  readonly seq: number;
  readonly first_key: Buffer;
  readonly last_key: Buffer;
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  readonly silent: number;
  readonly entries: Buffer;
  readonly stretches: readonly StoredStretch[];
  readonly state: PlanState;
}

/** A stretch as JSON: keys in Base64, and hashes as digits. */
type StoredStretch = readonly [
  beforeKey: string,
  beforeHash: string,
  from: number,
  to: number,
  firstKey: string,
  lastKey: string,
  rows: number,
  rawBytes: number,
  hash: string,
];

const columns = 'seq, first_key, last_key, added, changed, removed, silent, entries, stretches, state';

/** The plans of runs, on our own database, or within one of its transactions. */
export function createPlans(db: Sql): Plans {
  return {
    save: (runId, chunk) => insertChunk(db, runId, chunk, 'planned'),
    read: (runId) => readChunks(db, runId),
    find: async (runId, key) => {
      const [row] = await db.query<Row>(
        `select ${columns} from plan_chunks where run_id = $1 and first_key <= $2 and last_key >= $2`,
        [runId, key],
      );
      return row === undefined ? undefined : chunkOf(row);
    },
    markSending: async (runId, seqs) => {
      await db.query(
        `update plan_chunks set state = 'sending' where run_id = $1 and seq = any($2) and state = 'planned'`,
        [runId, seqs],
      );
    },
    markCommitted: (runId, seq) => markCommitted(db, runId, seq),
    clear: async (runId) => {
      await db.query('delete from plan_chunks where run_id = $1', [runId]);
    },
    isUntouched: async (runId) => {
      const rows = await db.query(
        `select 1 from plan_chunks where run_id = $1 and state <> 'planned' limit 1`,
        [runId],
      );
      return rows.length === 0;
    },
    digest: async (runId) => {
      const hash = createHash('sha256');
      for await (const chunk of readChunks(db, runId)) {
        hash.update(`\n${chunk.seq} ${chunk.entries.length}\n`).update(chunk.entries);
      }
      return hash.digest('hex');
    },
  };
}

async function insertChunk(sql: Sql, runId: number, chunk: PlanChunk, state: PlanState): Promise<void> {
  const { seq, firstKey, lastKey, added, changed, removed, silent, entries, stretches } = chunk;
  const stored = JSON.stringify(stretches.map(storedStretch));
  await sql.query(
    `insert into plan_chunks (run_id, ${columns}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
    [runId, seq, firstKey, lastKey, added, changed, removed, silent, entries, stored, state],
  );
}

function storedStretch({
  before,
  from,
  to,
  firstKey,
  lastKey,
  rows,
  rawBytes,
  hash,
}: Stretch): StoredStretch {
  const text = (key: Buffer): string => key.toString('base64');
  const was = [text(before.firstKey), String(before.hash)] as const;
  return [...was, from, to, text(firstKey), text(lastKey), rows, rawBytes, String(hash)];
}

function stretchOf(stored: StoredStretch): Stretch {
  const [beforeKey, beforeHash, from, to, firstKey, lastKey, rows, rawBytes, hash] = stored;
  const keyOf = (text: string): Buffer => Buffer.from(text, 'base64');
  const before = { firstKey: keyOf(beforeKey), hash: BigInt(beforeHash) };
  const becomes = { firstKey: keyOf(firstKey), lastKey: keyOf(lastKey), rows, rawBytes, hash: BigInt(hash) };
  return { ...becomes, before, from, to };
}

/** Takes entries out of a chunk that was dealt with in part, into chunks of their own behind all others. */
export async function splitPlanChunk(
  sql: Sql,
  {
    runId,
    seq,
    orders,
    entries,
    later,
  }: {
    readonly runId: number;
    readonly seq: number;
    readonly orders: readonly KeyOrder[];
    readonly entries: readonly PlanEntry[];
    /** By position in `entries`. */
    readonly later: ReadonlyMap<number, 'planned' | 'sending'>;
  },
): Promise<void> {
  await sql.query('delete from plan_chunks where run_id = $1 and seq = $2', [runId, seq]);
  const [last] = await sql.query<{ seq: number }>(
    'select coalesce(max(seq), $2)::int as seq from plan_chunks where run_id = $1',
    [runId, seq],
  );
  const behind = Math.max(last?.seq ?? seq, seq);
  for (const [at, state] of (['committed', 'planned', 'sending'] as const).entries()) {
    const some = entries.filter((_, i) => (later.get(i) ?? 'committed') === state);
    if (some.length > 0) {
      const place = state === 'committed' ? seq : behind + at;
      await insertChunk(sql, runId, packEntries(place, some, orders), state);
    }
  }
}

async function* readChunks(db: Sql, runId: number): AsyncGenerator<StoredPlanChunk> {
  for (let seq = -1; ; ) {
    const [row] = await db.query<Row>(
      `select ${columns} from plan_chunks where run_id = $1 and seq > $2 order by seq limit 1`,
      [runId, seq],
    );
    if (row === undefined) {
      return;
    }
    yield chunkOf(row);
    seq = row.seq;
  }
}

export async function markCommitted(sql: Sql, runId: number, seq: number): Promise<void> {
  await sql.query(`update plan_chunks set state = 'committed' where run_id = $1 and seq = $2`, [runId, seq]);
}

/** One chunk, locked until the transaction ends; its entries are left out unless they are asked for. */
export async function lockPlanChunk(
  sql: Sql,
  runId: number,
  seq: number,
  withEntries: boolean,
): Promise<StoredPlanChunk | undefined> {
  const wanted = withEntries ? columns : columns.replace(', entries', ", ''::bytea as entries");
  const [row] = await sql.query<Row>(
    `select ${wanted} from plan_chunks where run_id = $1 and seq = $2 for update`,
    [runId, seq],
  );
  return row === undefined ? undefined : chunkOf(row);
}

function chunkOf(row: Row): StoredPlanChunk {
  const { first_key: firstKey, last_key: lastKey, stretches, ...rest } = row;
  return { ...rest, firstKey, lastKey, stretches: stretches.map(stretchOf) };
}
