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
  /**
   * `difference` against what was told so far; `everything` at each run; or `window`: the rows that are new since the
   * last run, told from those told already by comparing what lies within `window`.
   */
  readonly kind: 'difference' | 'everything' | 'window';
  /** Where the window opens: so long before the newest row that was told. Required for kind `window`. */
  readonly window?: { readonly column: string; readonly lookBackMs: number };
  /** Only rows that cross this line count, and a row that comes back counts as removed. */
  readonly threshold?: Threshold;
  /** The first run takes all rows as told. */
  readonly silentFirst: boolean;
}

/** Changes of one chunk, not yet committed. */
export interface ChangeChunk {
  readonly seq: number;
  /** How many entries it has. */
  readonly size: number;
  /** Unpacked when first asked for. */
  readonly entries: readonly PlanEntry[];
  /** It was handed over before: what is in it may have got through. */
  readonly again: boolean;
  /** The rows as whole lines, where all that it holds is new rows; undefined otherwise. */
  readonly newRows?: () => Buffer;
}

/** What becomes of those entries of a chunk that were not accepted; what is in neither comes again at the next run. */
export interface Rest {
  /** The destination may have something of them. */
  readonly doubtful: ReadonlySet<number>;
  /** They come again in this run; `sending` when something of them may have arrived. */
  readonly later: ReadonlyMap<number, 'planned' | 'sending'>;
}

/** What reading came to. `before` is the number of rows that were told before. */
export interface PlanTotals {
  readonly rows: number;
  readonly before: number;
  readonly added: number;
  /** Without the silent ones. */
  readonly changed: number;
  readonly removed: number;
}

/** What reading came to, as a run keeps it. */
export function totalsOf(counts: RunCounts): PlanTotals {
  const { rows = 0, before = 0, added = 0, changed = 0, removed = 0 } = counts;
  return { rows, before, added, changed, removed };
}

/** One run's plan, frozen, handed to the framework. */
export interface PlannedRun {
  readonly run: Run;
  readonly sync: Sync;
  readonly model: Model;
  /** The columns of each line, in order. */
  readonly columns: readonly string[];
  /** Of the whole plan. */
  readonly counts: PlanTotals;
  /** The chunks not committed yet, in order. */
  chunks(): AsyncIterable<ChangeChunk>;
  /** Every entry of the plan, committed or not, a chunk at a time. */
  allEntries(): AsyncIterable<readonly PlanEntry[]>;
  /** What was told so far, as whole lines laid out like `columns`, a chunk at a time. */
  told(): AsyncIterable<Buffer>;
  /** Notes that chunks are handed over, before they are. */
  begin(seqs: readonly number[]): Promise<void>;
  /** The same for all chunks that hold such an entry. */
  beginWhere(test: (entry: PlanEntry) => boolean): Promise<void>;
  /** Takes these entries (by position) of a chunk, and its silent ones, as told. */
  commit(seq: number, accepted: ReadonlySet<number> | 'all', rest?: Rest): Promise<void>;
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
  /**
   * Why this plan should not be carried out without somebody looking at it, as a sentence; undefined when it may. A
   * person can let the run pass.
   */
  objection(sync: Sync, totals: PlanTotals): string | undefined;
  /** Delivers all chunks, committing each. Must bear being called again after a crash at any point. */
  deliver(planned: PlannedRun): Promise<RunCounts>;
}
