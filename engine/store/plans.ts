import { createHash } from 'node:crypto';
import type { Db, Sql } from '../contracts/db.ts';
import type { KeyOrder } from '../contracts/source.ts';
import { type PlanChunk, type PlanEntry, packEntries } from '../planner/chunks.ts';

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
  /** What an approval is for: the query, the settings and every change, as one SHA-256 in hex. */
  fingerprint(runId: number, query: string, settings: unknown): Promise<string>;
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
  readonly state: PlanState;
}

const columns = 'seq, first_key, last_key, added, changed, removed, silent, entries, state';

/** The plans of runs, on our own database. */
export function createPlans(db: Db): Plans {
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
    fingerprint: async (runId, query, settings) => {
      const hash = createHash('sha256').update(JSON.stringify([query, settings]));
      for await (const chunk of readChunks(db, runId)) {
        hash.update(`\n${chunk.seq} ${chunk.entries.length}\n`).update(chunk.entries);
      }
      return hash.digest('hex');
    },
  };
}

async function insertChunk(sql: Sql, runId: number, chunk: PlanChunk, state: PlanState): Promise<void> {
  const { seq, firstKey, lastKey, added, changed, removed, silent, entries } = chunk;
  await sql.query(
    `insert into plan_chunks (run_id, seq, first_key, last_key, added, changed, removed, silent, entries, state)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [runId, seq, firstKey, lastKey, added, changed, removed, silent, entries, state],
  );
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

async function* readChunks(db: Db, runId: number): AsyncGenerator<StoredPlanChunk> {
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
  const { first_key: firstKey, last_key: lastKey, ...rest } = row;
  return { ...rest, firstKey, lastKey };
}
