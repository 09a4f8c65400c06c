import { type HoldParts, holdOf, reasonsFor } from '../approvals/hold.ts';
import type { Db } from '../contracts/db.ts';
import { type Framework, type PlanRequest, totalsOf } from '../frameworks/framework.ts';
import type { Shape } from '../planner/chunks.ts';
import { baseline, plan } from '../planner/plan.ts';
import type { PlanCounts } from '../planner/rows.ts';
import type { Observation } from '../planner/threshold.ts';
import { insertHold } from '../store/holds.ts';
import type { Model } from '../store/models.ts';
import { keepObservations } from '../store/observations.ts';
import { enterState, type Run, type RunCounts, stopRun } from '../store/runs.ts';
import type { Snapshots } from '../store/snapshots.ts';
import { noteWrote, type Sync } from '../store/syncs.ts';
import { beginHere, nothingTold, type Opened, type OpenParts, openReading, sinceOf } from './open.ts';

export interface ReadParts extends OpenParts, HoldParts {
  readonly db: Db;
  readonly snapshots: Snapshots;
}

/** How the lines of a plan are laid out, and whether the snapshot follows it. */
export interface Layout extends Shape {
  readonly kind: PlanRequest['kind'];
  /** The version of the sync that the plan was made for. */
  readonly version: number;
}

/**
 * What reading came to: a plan to `deliver`, one that is `held` until somebody approves it, or a first snapshot and
 * nothing to say, which is all that is `done`.
 */
export type Read = {
  readonly layout: Layout;
  readonly counts: RunCounts;
  readonly next: 'deliver' | 'held' | 'done';
};

/**
 * Reads the model once, in key order, and stores the plan: what differs from what was told so far. Begins anew when
 * an earlier attempt was interrupted. The source is closed to us before anything is delivered.
 */
export async function readModel(
  parts: ReadParts,
  job: { readonly run: Run; readonly sync: Sync; readonly model: Model; readonly framework: Framework },
  signal: AbortSignal,
): Promise<Read> {
  const { run, sync, model } = job;
  const request = job.framework.request(sync, model);
  const seen = new Map<string, Observation>();
  const since = await sinceOf(parts, job, request);
  const opened = await openReading(parts, { request, model, sync, since, seen }, signal);
  await parts.plans.clear(run.id);
  try {
    return await compare(parts, { ...job, request, opened, seen }, signal);
  } catch (error) {
    // A result that nobody read to its end still holds its connection.
    await opened.abandon();
    throw error;
  }
}

interface Comparing {
  readonly run: Run;
  readonly sync: Sync;
  readonly model: Model;
  readonly framework: Framework;
  readonly request: PlanRequest;
  readonly opened: Opened;
  readonly seen: ReadonlyMap<string, Observation>;
}

async function compare(
  parts: ReadParts,
  { run, sync, model, framework, request, opened: { shape, lines }, seen }: Comparing,
  signal: AbortSignal,
): Promise<Read> {
  const layout = { ...shape, kind: request.kind, version: sync.version };
  const known = request.kind === 'everything' ? 'none' : await parts.snapshots.prepare(sync.id, shape);
  if (run.scope === 'baseline' || (known === 'none' && request.silentFirst && run.scope === 'changes')) {
    await beginHere(parts, { run, sync, model }, request);
    const counts = await parts.snapshots.replaceAll(sync.id, shape, (write) =>
      baseline({ lines, shape, write, signal }),
    );
    return { layout, counts: { ...told(counts), added: 0, baseline: true }, next: 'done' };
  }
  const snapshot = known === 'none' ? nothingTold() : parts.snapshots.chunks(sync.id);
  const window = request.kind === 'window';
  const counts = await plan({
    lines,
    shape,
    snapshot,
    everything: run.scope === 'everything' || sync.resend,
    silentRemovals: window,
    write: (chunk) => parts.plans.save(run.id, chunk),
    signal,
  });
  // What falls out of the window is no change that anybody would speak of.
  const totals = window ? { ...told(counts), changed: 0, removed: 0 } : told(counts);
  const reasons = await reasonsNow(parts, { sync, framework, request, counts: totals });
  const hold =
    reasons.length === 0
      ? undefined
      : await holdOf(parts, { run, sync, model, totals: totalsOf(totals), reasons });
  await parts.db.transaction(async (sql) => {
    if (request.threshold !== undefined) {
      await keepObservations(sql, sync.id, run.id, seen);
    }
    await sql.query('update runs set layout = $2 where id = $1', [run.id, JSON.stringify(layout)]);
    if (hold !== undefined) {
      await stopRun(sql, run.id, totals);
      await insertHold(sql, hold);
      return;
    }
    if (!sync.wrote && writes(request, totals)) {
      await noteWrote(sql, sync.id);
    }
    await enterState(sql, run.id, 'delivering', totals);
  });
  return { layout, counts: totals, next: hold === undefined ? 'deliver' : 'held' };
}

/** Why the plan has to be looked at first. Where there is nothing to write there is nothing to ask. */
async function reasonsNow(
  parts: ReadParts,
  planned: Pick<Comparing, 'sync' | 'framework' | 'request'> & { readonly counts: RunCounts },
): Promise<readonly string[]> {
  const { sync, framework, request, counts } = planned;
  const totals = totalsOf(counts);
  return writes(request, counts)
    ? reasonsFor(parts.db, { sync, totals, objection: framework.objection(sync, totals) })
    : [];
}

function writes({ kind }: PlanRequest, { added = 0, changed = 0, removed = 0 }: RunCounts): boolean {
  return kind === 'everything' || added + changed + removed > 0;
}

function told(counts: PlanCounts): RunCounts {
  return {
    rows: counts.rows,
    before: counts.unchanged + counts.changed + counts.removed,
    added: counts.added,
    changed: counts.changed - counts.silent,
    removed: counts.removed,
    nullKeys: counts.nullKeys,
    duplicateKeys: counts.duplicateKeys,
  };
}
