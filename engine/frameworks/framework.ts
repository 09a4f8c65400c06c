import type { Log } from '../contracts/log.ts';
import type { Threshold } from '../model/alert.ts';
import type { PlanEntry } from '../planner/chunks.ts';
import type { Model } from '../store/models.ts';
import type { Run, RunCounts } from '../store/runs.ts';
import type { FrameworkId, Sync } from '../store/syncs.ts';

/** How a framework wants its plan made. The engine reads, compares, stores and resumes. */
export interface PlanRequest {
  /** All columns to read, the key's first. */
  readonly columns: readonly string[];
  /** Columns whose change is worth hearing of; all of `columns` when left out. */
  readonly watched?: readonly string[];
  /** `difference` against what was told so far, or `everything` at each run. */
  readonly kind: 'difference' | 'everything';
  /** Only rows that cross this line count, and a row that comes back counts as removed. */
  readonly threshold?: Threshold;
  /** The first run takes all rows as told. */
  readonly silentFirst: boolean;
}

/** Changes of one chunk, not yet committed. */
export interface ChangeChunk {
  readonly seq: number;
  readonly entries: readonly PlanEntry[];
}

/** One run's plan, frozen, handed to the framework. */
export interface PlannedRun {
  readonly run: Run;
  readonly sync: Sync;
  readonly model: Model;
  /** The columns of each line, in order. */
  readonly columns: readonly string[];
  /** Changes of the whole plan; `changed` leaves the silent ones out. */
  readonly counts: { readonly added: number; readonly changed: number; readonly removed: number };
  /** The chunks not committed yet, in order. */
  chunks(): AsyncIterable<ChangeChunk>;
  /** Takes these entries (by position) of a chunk, and its silent ones, as told. */
  commit(seq: number, accepted: ReadonlySet<number> | 'all'): Promise<void>;
  readonly signal: AbortSignal;
  readonly now: () => Date;
  readonly log: Log;
}

/**
 * One of the six ways to put rows to work. It says how the plan is made and what each change becomes; it does not
 * read, store or schedule by itself.
 */
export interface Framework {
  readonly id: FrameworkId;
  request(sync: Sync, model: Model): PlanRequest;
  /** Delivers all chunks, committing each. Must bear being called again after a crash at any point. */
  deliver(planned: PlannedRun): Promise<RunCounts>;
}
