import { encodeLine } from '../contracts/lines.ts';
import type { Limits } from '../contracts/source.ts';
import type { SnapshotChunk } from '../planner/chunks.ts';
import { decodeFields } from '../planner/keys.ts';
import { createSnapshots, type Snapshots } from '../store/snapshots.ts';
import { dropState, stateOf } from '../store/warehouse-states.ts';
import { writeLogs } from './logs.ts';
import { isKnownInside, placeOf } from './place.ts';
import { commitKept } from './settle.ts';
import {
  compareInside,
  type Differing,
  hasKeyOf,
  type Job,
  jobOf,
  lineInside,
  lookInside,
  settlePending,
  sweepWarehouses,
  type ToldParts,
  takeAllInside,
  toldInside,
  warehouseOf,
} from './told.ts';

type Wanted = Pick<Job, 'sync' | 'model' | 'request'>;

/** A sync whose rows are compared inside its warehouse at this run. */
export interface Inside {
  readonly known: 'none' | 'ready';
  readonly shape: Job['shape'];
  compare(run: { readonly id: number; readonly everything: boolean }): Promise<Differing>;
  /** Takes all rows of the model as told; answers with how many there are. */
  takeAll(): Promise<number>;
}

/** What was told of syncs, wherever it stands: on our own database, or in their warehouses. */
export interface Told extends Snapshots {
  /** Where this run is to compare: in the warehouse, or here (undefined). Works in what an earlier run left there. */
  inside(job: Wanted, limits: Limits): Promise<Inside | undefined>;
  /** What differs just now in the warehouse, for a dry run; undefined when rows are compared here. */
  look(job: Wanted, everything: boolean, limits: Limits): Promise<Differing | undefined>;
  /** Works in what a run found and delivered in its warehouse; when that is away, the next run does. */
  settle(syncId: number, signal: AbortSignal): Promise<void>;
  /** Drops tables in warehouses that are of no more use. */
  sweep(now: Date): Promise<void>;
  /** Writes logs to the warehouses whose connections ask for it. */
  writeLogs(signal: AbortSignal): Promise<void>;
}

export function createTold(parts: ToldParts): Told {
  const { db, log } = parts;
  const here = createSnapshots(db);
  const limits: Limits = { timeoutMs: parts.readTimeoutMs };
  return {
    prepare: async (syncId, shape) => {
      const state = await stateOf(db, syncId);
      return state === undefined ? here.prepare(syncId, shape) : hasKeyOf(state, shape) ? 'ready' : 'none';
    },
    chunks: (syncId) => chunksAnywhere(parts, here, syncId),
    replaceAll: here.replaceAll,
    commit: async (commit) => {
      const state = await stateOf(db, commit.syncId);
      await (state?.runId === commit.runId
        ? db.transaction((sql) => commitKept(sql, commit))
        : here.commit(commit));
    },
    get: async (syncId, key) => {
      const state = await stateOf(db, syncId);
      if (state === undefined) {
        return here.get(syncId, key);
      }
      const written = encodeLine(key).toString('utf8').slice(0, -1);
      const found = await lineInside(await warehouseOf(parts, state.sourceId), state, written, limits);
      if (found === undefined) {
        return undefined;
      }
      const values = decodeFields(Buffer.from(found.line), found.columns.length);
      return Object.fromEntries(found.columns.map((name, i) => [name, values[i] ?? null]));
    },
    forget: async (syncId) => {
      await dropState(db, syncId);
      await here.forget(syncId);
    },
    has: async (syncId) => (await stateOf(db, syncId)) !== undefined || here.has(syncId),
    inside: async (wanted, within) => {
      const job = await placeOf({ ...parts, here }, wanted, within);
      return job === undefined
        ? undefined
        : {
            known: (await isKnownInside(parts, job)) ? 'ready' : 'none',
            shape: job.shape,
            compare: (run) => compareInside(parts, job, run),
            takeAll: () => takeAllInside(parts, job),
          };
    },
    look: async (wanted, everything, within) => {
      const state = await stateOf(db, wanted.sync.id);
      if (state === undefined || state.sourceId !== wanted.model.sourceId) {
        return undefined;
      }
      const job = await jobOf(await warehouseOf(parts, state.sourceId), wanted, within);
      return hasKeyOf(state, job.shape) ? lookInside(job, state, everything) : undefined;
    },
    settle: async (syncId, signal) => {
      try {
        await settlePending(parts, syncId, signal);
      } catch (error) {
        signal.throwIfAborted();
        log.warn({ sync: syncId, error }, 'what was delivered is worked into the warehouse at the next run');
      }
    },
    sweep: (now) => sweepWarehouses(parts, now),
    writeLogs: (signal) => writeLogs(parts, { ...limits, signal }),
  };
}

async function* chunksAnywhere(
  parts: ToldParts,
  here: Snapshots,
  syncId: number,
): AsyncGenerator<SnapshotChunk> {
  const state = await stateOf(parts.db, syncId);
  if (state === undefined) {
    yield* here.chunks(syncId);
    return;
  }
  yield* toldInside(await warehouseOf(parts, state.sourceId), state, { timeoutMs: parts.readTimeoutMs });
}
