import type { Log } from '../contracts/log.ts';
import { type ChangeChunk, type Framework, type PlannedRun, totalsOf } from '../frameworks/framework.ts';
import { decodeEntries, type PlanEntry } from '../planner/chunks.ts';
import type { Model } from '../store/models.ts';
import type { Plans } from '../store/plans.ts';
import type { Run, RunCounts } from '../store/runs.ts';
import type { Snapshots } from '../store/snapshots.ts';
import type { Sync } from '../store/syncs.ts';
import type { Layout } from './read.ts';

export interface DeliverParts {
  readonly plans: Plans;
  readonly snapshots: Snapshots;
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
  const { plans, snapshots } = parts;
  const planned: PlannedRun = {
    run,
    sync,
    model,
    columns: layout.columns,
    counts: totalsOf(run.counts),
    chunks: () => openChunks(plans, run.id, layout),
    allEntries: () => allEntries(plans, run.id, layout),
    told: () => toldLines(snapshots, sync.id),
    begin: async (seqs) => {
      signal.throwIfAborted();
      await plans.markSending(run.id, seqs);
    },
    commit: async (seq, accepted) => {
      signal.throwIfAborted();
      if (layout.kind === 'everything') {
        await plans.markCommitted(run.id, seq);
      } else {
        await snapshots.commit({ syncId: sync.id, runId: run.id, seq, shape: layout, accepted });
      }
    },
    signal,
    now: parts.now,
    log: parts.log,
  };
  return framework.deliver(planned);
}

async function* openChunks(plans: Plans, runId: number, layout: Layout): AsyncGenerator<ChangeChunk> {
  for await (const chunk of plans.read(runId)) {
    if (chunk.state !== 'committed') {
      const entries = decodeEntries(chunk.entries, layout.key.length);
      yield { seq: chunk.seq, entries, again: chunk.state === 'sending' };
    }
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

async function* toldLines(snapshots: Snapshots, syncId: number): AsyncGenerator<Buffer> {
  for await (const chunk of snapshots.chunks(syncId)) {
    yield await chunk.lines();
  }
}
