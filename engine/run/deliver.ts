import type { Db } from '../contracts/db.ts';
import type { Log } from '../contracts/log.ts';
import type { ChangeChunk, Framework, PlannedRun } from '../frameworks/framework.ts';
import { decodeEntries } from '../planner/chunks.ts';
import type { Model } from '../store/models.ts';
import type { Plans } from '../store/plans.ts';
import type { Run, RunCounts } from '../store/runs.ts';
import type { Snapshots } from '../store/snapshots.ts';
import type { Sync } from '../store/syncs.ts';
import type { Layout } from './read.ts';

export interface DeliverParts {
  readonly db: Db;
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
  const planned: PlannedRun = {
    run,
    sync,
    model,
    columns: layout.columns,
    counts: await countsOf(parts.db, run.id),
    chunks: () => openChunks(parts.plans, run.id, layout),
    commit: async (seq, accepted) => {
      signal.throwIfAborted();
      if (layout.kind === 'everything') {
        await parts.plans.markCommitted(run.id, seq);
      } else {
        await parts.snapshots.commit({ syncId: sync.id, runId: run.id, seq, shape: layout, accepted });
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
    if (chunk.state === 'planned') {
      yield { seq: chunk.seq, entries: decodeEntries(chunk.entries, layout.key.length) };
    }
  }
}

async function countsOf(db: Db, runId: number): Promise<PlannedRun['counts']> {
  const [row] = await db.query<{ added: number; changed: number; removed: number }>(
    `select coalesce(sum(added), 0) as added, coalesce(sum(changed) - sum(silent), 0) as changed,
            coalesce(sum(removed), 0) as removed from plan_chunks where run_id = $1`,
    [runId],
  );
  return row ?? { added: 0, changed: 0, removed: 0 };
}
