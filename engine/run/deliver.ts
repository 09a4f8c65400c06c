import type { Log } from '../contracts/log.ts';
import { type ChangeChunk, type Framework, type PlannedRun, totalsOf } from '../frameworks/framework.ts';
import { addedLines, decodeEntries, type PlanEntry } from '../planner/chunks.ts';
import type { Model } from '../store/models.ts';
import type { Plans, StoredPlanChunk } from '../store/plans.ts';
import type { Run, RunCounts } from '../store/runs.ts';
import type { Sync } from '../store/syncs.ts';
import type { Told } from '../warehouse/index.ts';
import type { Layout } from './read.ts';

export interface DeliverParts {
  readonly plans: Plans;
  readonly told: Told;
  readonly now: () => Date;
  readonly log: Log;
}

/** Hands a stored plan to its framework, chunk by chunk; what is committed already is passed over. */
export async function deliverPlan(
  parts: DeliverParts,
  job: { readonly run: Run; readonly sync: Sync; readonly model: Model; readonly framework: Framework },
  layout: Layout,
  signal: AbortSignal,
): Promise<RunCounts> {
  const { run, sync, model, framework } = job;
  const { plans, told } = parts;
  // Chunks that were handed out and not committed yet: they need not be read twice.
  const held = new Map<number, OpenChunk>();
  const planned: PlannedRun = {
    run,
    sync,
    model,
    columns: layout.columns,
    counts: totalsOf(run.counts),
    chunks: () => openChunks(plans, run.id, layout, held),
    allEntries: () => allEntries(plans, run.id, layout),
    told: () => toldLines(told, sync.id),
    begin: async (seqs) => {
      signal.throwIfAborted();
      await plans.markSending(run.id, seqs);
    },
    beginWhere: async (test) => {
      for await (const { seq, state, entries } of plans.read(run.id)) {
        if (state === 'planned' && decodeEntries(entries, layout.key.length).some(test)) {
          await plans.markSending(run.id, [seq]);
        }
      }
    },
    commit: async (seq, accepted, rest) => {
      signal.throwIfAborted();
      if (layout.kind === 'everything') {
        await plans.markCommitted(run.id, seq);
      } else {
        const place = { syncId: sync.id, runId: run.id, seq, shape: layout };
        await told.commit({ ...place, accepted, ...rest, chunk: held.get(seq) });
      }
      held.delete(seq);
    },
    signal,
    now: parts.now,
    log: parts.log,
  };
  return framework.deliver(planned);
}

async function* openChunks(
  plans: Plans,
  runId: number,
  layout: Layout,
  held: Map<number, OpenChunk>,
): AsyncGenerator<ChangeChunk> {
  for await (const stored of plans.read(runId)) {
    if (stored.state !== 'committed') {
      const chunk = new OpenChunk(stored, layout.key.length);
      held.set(chunk.seq, chunk);
      yield chunk;
    }
  }
}

/** A chunk of the plan as it is handed out. */
class OpenChunk implements ChangeChunk {
  readonly seq: number;
  readonly size: number;
  readonly again: boolean;
  readonly newRows?: () => Buffer;
  private readonly packed: Buffer;
  private readonly keyWidth: number;
  private unpacked: readonly PlanEntry[] | undefined;

  constructor(stored: StoredPlanChunk, keyWidth: number) {
    const { seq, added, changed, removed, silent, state, entries } = stored;
    this.seq = seq;
    this.size = added + changed + removed;
    this.again = state === 'sending';
    this.packed = entries;
    this.keyWidth = keyWidth;
    if (changed + removed + silent === 0) {
      let lines: Buffer | undefined;
      this.newRows = () => {
        lines ??= addedLines(this.packed);
        return lines;
      };
    }
  }

  get entries(): readonly PlanEntry[] {
    this.unpacked ??= decodeEntries(this.packed, this.keyWidth);
    return this.unpacked;
  }
}

async function* allEntries(
  plans: Plans,
  runId: number,
  layout: Layout,
): AsyncGenerator<readonly PlanEntry[]> {
  for await (const chunk of plans.read(runId)) {
    yield decodeEntries(chunk.entries, layout.key.length);
  }
}

async function* toldLines(told: Told, syncId: number): AsyncGenerator<Buffer> {
  for await (const chunk of told.chunks(syncId)) {
    yield await chunk.lines();
  }
}

/**
 * A run ends before its plan does: what was handed over, and is not known to have arrived or not, is remembered as
 * something that the destination may have.
 */
export async function leaveInDoubt({ plans, told }: DeliverParts, run: Run, layout: Layout): Promise<void> {
  for await (const { seq, state } of plans.read(run.id)) {
    if (state === 'sending') {
      const place = { syncId: run.syncId, runId: run.id, seq, shape: layout };
      await told.commit({ ...place, accepted: new Set(), doubtful: 'all' });
    }
  }
}
