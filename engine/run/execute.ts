import { basisOf, basisOfRun, type Planned } from '../approvals/basis.ts';
import { mustBeApproved } from '../approvals/decide.ts';
import { type ActivateError, asActivateError } from '../contracts/errors.ts';
import type { Framework } from '../frameworks/framework.ts';
import type { Outbox } from '../messages/outbox.ts';
import { auditRun, isWorthAuditing } from '../store/audit.ts';
import { holdOfRun, touchHoldOfRun } from '../store/holds.ts';
import { modelById } from '../store/models.ts';
import {
  enterState,
  finishRun,
  type Run,
  type RunCounts,
  type RunError,
  releaseRun,
  runById,
} from '../store/runs.ts';
import {
  type Failure,
  type FrameworkId,
  noteResent,
  noteWrote,
  type Sync,
  syncById,
} from '../store/syncs.ts';
import { type DeliverParts, deliverPlan, leaveInDoubt } from './deliver.ts';
import { type HealthParts, reportHealth } from './health.ts';
import { type Layout, type ReadParts, readModel } from './read.ts';
import { followHold, showing, showProgress } from './show.ts';

export interface ExecuteParts extends ReadParts, DeliverParts, HealthParts {
  readonly outbox: Outbox;
  readonly frameworks: ReadonlyMap<FrameworkId, Framework>;
  readonly worker: string;
  /** A run that meets passing trouble is taken up again this often before it counts as failed. */
  readonly attempts: number;
  readonly retryMs: number;
  /** Throws when the sync's rows are not to be read now. */
  readonly mayRead?: (run: Run, sync: Sync) => Promise<void>;
}

/**
 * What became of a run in this worker's hands. `released`: it is open, and somebody takes it up later. `held`: it waits
 * for a person.
 */
export type Executed = 'done' | 'failed' | 'released' | 'held';

/**
 * Carries a run from where it stands to its end: read, deliver, report. Every step is stored, so that a run whose
 * process was killed at any point goes on where it was. An abort means that the lease is lost or that the process
 * stops: then nothing more is written.
 */
export async function executeRun(parts: ExecuteParts, run: Run, signal: AbortSignal): Promise<Executed> {
  const sync = await syncById(parts.db, run.syncId);
  if (sync === undefined) {
    return 'done';
  }
  try {
    const counts = await carryOut(parts, run, sync, signal);
    if (counts === 'held') {
      await followHold(parts, run, signal);
      return 'held';
    }
    if (sync.resend && run.scope === 'changes') {
      await noteResent(parts.db, sync.id, sync.version);
    }
    await parts.told.settle(sync.id, signal);
    await end(parts, run, sync, { counts, error: null }, signal);
    return 'done';
  } catch (thrown) {
    if (signal.aborted) {
      return 'released';
    }
    const error = asActivateError(thrown);
    if (error.retry !== 'never' && run.attempts < parts.attempts) {
      const wait = Math.max(error.retryAfterMs ?? 0, parts.retryMs * 2 ** (run.attempts - 1));
      parts.log.warn({ run: run.id, sync: sync.name, code: error.code, wait }, 'run will be taken up again');
      await releaseRun(parts.db, run.id, parts.worker, new Date(parts.now().getTime() + wait));
      return 'released';
    }
    if (error.code === 'BUG') {
      parts.log.error({ run: run.id, sync: sync.name, stack: stackOf(error) }, 'run failed by a bug of ours');
    }
    await concede(parts, run, sync);
    await parts.told.settle(sync.id, signal);
    await end(parts, run, sync, { counts: {}, error: toRunError(error) }, signal);
    return 'failed';
  }
}

async function carryOut(
  parts: ExecuteParts,
  run: Run,
  sync: Sync,
  signal: AbortSignal,
): Promise<RunCounts | 'held'> {
  const framework = parts.frameworks.get(sync.framework);
  if (framework === undefined) {
    throw new Error(`no framework ${sync.framework}`);
  }
  const model = await modelById(parts.db, sync.modelId);
  const job = { run, sync, model, framework };
  if (run.state === 'delivering') {
    const layout = await layoutOf(parts, run.id);
    if (run.held) {
      await mustStillBeApproved(parts, run, { sync, model });
      await showProgress(parts, run, sync, signal);
      await followHold(parts, run, signal);
      return showing(parts, run, sync, signal, () => deliverPlan(parts, job, layout, signal));
    }
    if (sync.framework === 'notify' || layout.version === sync.version) {
      return showing(parts, run, sync, signal, () => deliverPlan(parts, job, layout, signal));
    }
    // Edited since: a plan for other settings would fill fields from columns that it does not have.
    await concede(parts, run, sync);
  }
  await parts.mayRead?.(run, sync);
  await enterState(parts.db, run.id, 'reading', {});
  await showProgress(parts, { ...run, state: 'reading' }, sync, signal);
  const read = await readModel(parts, job, signal);
  if (read.next === 'done') {
    return read.counts;
  }
  if (read.next === 'held') {
    await showProgress(parts, { ...run, state: 'held', counts: read.counts }, sync, signal);
    return 'held';
  }
  await showProgress(parts, { ...run, state: 'delivering', counts: read.counts }, sync, signal);
  const planned = { ...job, run: { ...run, counts: read.counts } };
  const delivered = await showing(parts, run, sync, signal, () =>
    deliverPlan(parts, planned, read.layout, signal),
  );
  return { ...read.counts, ...delivered };
}

/**
 * Before the first write, and each time a worker takes the run up: what was approved is what is there. Once something
 * is written its chunks carry what became of them, and only what they are written with is compared.
 */
async function mustStillBeApproved(parts: ExecuteParts, run: Run, planned: Planned): Promise<void> {
  const untouched = await parts.plans.isUntouched(run.id);
  const now = untouched
    ? await basisOfRun(parts.db, parts.plans, planned, run.id)
    : await basisOf(parts.db, planned);
  mustBeApproved(await holdOfRun(parts.db, run.id), now);
}

async function layoutOf(parts: ExecuteParts, runId: number): Promise<Layout> {
  const [row] = await parts.db.query<{ layout: Layout }>('select layout from runs where id = $1', [runId]);
  return (row as { layout: Layout }).layout;
}

/** What was handed over from a plan that is given up now. Its own book tells an alert, so that nothing has to be in doubt. */
async function concede(parts: ExecuteParts, run: Run, sync: Sync): Promise<void> {
  const layout: Layout | null = await layoutOf(parts, run.id);
  if (sync.framework !== 'notify' && layout !== null && layout.kind !== 'everything') {
    await leaveInDoubt(parts, run, layout);
  }
}

async function end(
  parts: ExecuteParts,
  run: Run,
  sync: Sync,
  outcome: { readonly counts: RunCounts; readonly error: RunError | null },
  signal: AbortSignal,
): Promise<void> {
  const stored = await runById(parts.db, run.id);
  const counts = { ...stored?.counts, ...outcome.counts };
  // Its own card says that it was stopped; nothing is broken.
  if (outcome.error?.code !== 'NOT_APPROVED') {
    await reportHealth(parts, sync, run, failureOf(outcome.error, counts), signal);
  }
  const state = outcome.error === null ? 'done' : 'failed';
  const ended = {
    ...run,
    progressMessage: stored?.progressMessage ?? null,
    state,
    counts,
    error: outcome.error,
  } as const;
  await showProgress(parts, ended, sync, signal);
  if (run.held && (state === 'done' || !(await parts.plans.isUntouched(run.id)))) {
    // One that was stopped before its first write leaves the next one the first.
    await noteWrote(parts.db, sync.id);
  }
  const ending = { state, counts, error: outcome.error, at: parts.now() } as const;
  const worthAuditing = isWorthAuditing(run, counts, outcome.error);
  if (run.held || worthAuditing) {
    await parts.db.transaction(async (sql) => {
      await finishRun(sql, run.id, ending);
      if (run.held) {
        // Should this process die now, others draw what came of it.
        await touchHoldOfRun(sql, run.id);
      }
      if (worthAuditing) {
        await auditRun(sql, sync, run, counts, outcome.error, ending.at);
      }
    });
  } else {
    await finishRun(parts.db, run.id, ending);
  }
  if (run.held) {
    await followHold(parts, run, signal);
  }
}

/** A run whose messages did not all get through is a failure of the sync, though the run itself came to its end. */
function failureOf(error: RunError | null, counts: RunCounts): Failure | null {
  if (error !== null) {
    return error;
  }
  const failed = counts.failed ?? 0;
  if (failed === 0) {
    return null;
  }
  if (counts.done !== undefined) {
    const rows = failed === 1 ? 'One row was' : `${failed.toLocaleString('en')} rows were`;
    return { code: 'ROW_REJECTED', message: `${rows} refused.`, refusals: counts.refusals };
  }
  const first = counts.reasons?.[0] ?? '';
  return {
    code: 'ROW_REJECTED',
    message: `${failed === 1 ? 'One message' : `${failed} messages`} did not get through. ${first}`.trim(),
  };
}

function toRunError(error: ActivateError): RunError {
  const said =
    error.code === 'BUG' ? 'Something went wrong inside Activate; the log says more.' : error.message;
  return { code: error.code, message: said, ...(error.fix === undefined ? {} : { fix: error.fix }) };
}

function stackOf(error: ActivateError): string | undefined {
  return error.cause instanceof Error ? error.cause.stack : error.stack;
}
