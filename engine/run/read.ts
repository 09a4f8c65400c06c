import { type HoldParts, holdOf, reasonsFor } from '../approvals/hold.ts';
import type { Db } from '../contracts/db.ts';
import { type Framework, type PlanRequest, totalsOf } from '../frameworks/framework.ts';
import { baseline } from '../planner/baseline.ts';
import type { Shape } from '../planner/chunks.ts';
import { plan } from '../planner/plan.ts';
import type { PlanCounts } from '../planner/rows.ts';
import type { Observation } from '../planner/threshold.ts';
import { insertHold } from '../store/holds.ts';
import type { Model } from '../store/models.ts';
import { keepObservations } from '../store/observations.ts';
import { enterState, type Run, type RunCounts, stopRun } from '../store/runs.ts';
import { noteWrote, type Sync } from '../store/syncs.ts';
import type { Inside, Told } from '../warehouse/index.ts';
import type { Differing } from '../warehouse/told.ts';
import { beginHere, nothingTold, type Opened, type OpenParts, openReading, sinceOf } from './open.ts';

export interface ReadParts extends OpenParts, HoldParts {
  readonly db: Db;
  readonly told: Told;
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
 * Compares the model with what was told so far, and stores the plan: what differs. The model is read once, in key order,
 * or, where its rows are compared inside the warehouse, what differs is read. Begins anew when an earlier attempt was
 * interrupted. The source is closed to us before anything is delivered.
 */
export async function readModel(
  parts: ReadParts,
  job: { readonly run: Run; readonly sync: Sync; readonly model: Model; readonly framework: Framework },
  signal: AbortSignal,
): Promise<Read> {
  const { run, sync, model } = job;
  const request = job.framework.request(sync, model);
  const seen = new Map<string, Observation>();
  const limits = { timeoutMs: parts.readTimeoutMs, signal };
  const inside = await parts.told.inside({ sync, model, request }, limits);
  const everything = run.scope === 'everything' || sync.resend;
  await parts.plans.clear(run.id);
  if (inside !== undefined) {
    if (takesAsKnown(job, request, inside.known)) {
      return takenInside(job, request, inside);
    }
    const differing = await inside.compare({ id: run.id, everything });
    return closing(differing, async () => {
      const counts = await planned(parts, run, request, { ...differing, everything, signal });
      const untouched = differing.untouched();
      counts.rows += untouched;
      counts.unchanged += untouched;
      return stored(parts, { ...job, request, shape: differing.shape, counts, seen });
    });
  }
  const since = await sinceOf(parts, job, request);
  const opened = await openReading(parts, { request, model, sync, since, seen }, signal);
  return closing(opened, async () => {
    const { shape, lines } = opened;
    const known = request.kind === 'everything' ? 'none' : await parts.told.prepare(sync.id, shape);
    if (takesAsKnown(job, request, known)) {
      await beginHere(parts, job, request);
      const counts = await parts.told.replaceAll(sync.id, shape, (write) =>
        baseline({ lines, shape, write, signal }),
      );
      return taken(layoutOf(job, request, shape), told(counts));
    }
    const snapshot = known === 'none' ? nothingTold() : parts.told.chunks(sync.id);
    const counts = await planned(parts, run, request, { shape, lines, snapshot, everything, signal });
    return stored(parts, { ...job, request, shape, counts, seen });
  });
}

/** A result that nobody read to its end still holds its connection. */
async function closing(opened: Pick<Opened, 'abandon'>, work: () => Promise<Read>): Promise<Read> {
  try {
    return await work();
  } catch (error) {
    await opened.abandon();
    throw error;
  }
}

/** Whether a run takes all rows as told and says nothing. */
function takesAsKnown(
  { run }: { readonly run: Run },
  { silentFirst }: PlanRequest,
  known: 'none' | 'ready',
): boolean {
  return run.scope === 'baseline' || (known === 'none' && silentFirst && run.scope === 'changes');
}

async function takenInside(
  job: { readonly sync: Sync },
  request: PlanRequest,
  inside: Inside,
): Promise<Read> {
  const rows = await inside.takeAll();
  const counts = { rows, before: 0, changed: 0, removed: 0, nullKeys: 0, duplicateKeys: 0 };
  return taken(layoutOf(job, request, inside.shape), counts);
}

function taken(layout: Layout, counts: RunCounts): Read {
  return { layout, counts: { ...counts, added: 0, baseline: true }, next: 'done' };
}

function layoutOf({ sync }: { readonly sync: Sync }, { kind }: PlanRequest, shape: Shape): Layout {
  return { ...shape, kind, version: sync.version };
}

/** Makes the plan and stores it. */
async function planned(
  { plans }: ReadParts,
  run: Run,
  { kind }: PlanRequest,
  input: Pick<Differing, 'shape' | 'lines' | 'snapshot'> & {
    readonly everything: boolean;
    readonly signal: AbortSignal;
  },
): Promise<PlanCounts> {
  return plan({
    ...input,
    silentRemovals: kind === 'window',
    write: (chunk) => plans.save(run.id, chunk),
  });
}

interface Comparing {
  readonly run: Run;
  readonly sync: Sync;
  readonly model: Model;
  readonly framework: Framework;
  readonly request: PlanRequest;
  readonly shape: Shape;
  readonly counts: PlanCounts;
  readonly seen: ReadonlyMap<string, Observation>;
}

/** Notes what the plan comes to, and whether it may go on. */
async function stored(
  parts: ReadParts,
  { run, sync, model, framework, request, shape, counts, seen }: Comparing,
): Promise<Read> {
  const layout = layoutOf({ sync }, request, shape);
  // What falls out of the window is no change that anybody would speak of.
  const totals = request.kind === 'window' ? { ...told(counts), changed: 0, removed: 0 } : told(counts);
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
  of: Pick<Comparing, 'sync' | 'framework' | 'request'> & { readonly counts: RunCounts },
): Promise<readonly string[]> {
  const { sync, framework, request, counts } = of;
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
