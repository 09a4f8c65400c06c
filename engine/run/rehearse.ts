import { encodeLine } from '../contracts/lines.ts';
import { Rehearsal } from '../delivery/rehearsal.ts';
import type { Framework, PlannedRun, PlanRequest, PlanTotals } from '../frameworks/framework.ts';
import { decodeEntries, type PlanEntry } from '../planner/chunks.ts';
import { plan } from '../planner/plan.ts';
import type { Model } from '../store/models.ts';
import type { Run } from '../store/runs.ts';
import type { Sync } from '../store/syncs.ts';
import type { Differing } from '../warehouse/told.ts';
import { nothingTold, type Opened, openReading, sinceOf } from './open.ts';
import type { ReadParts } from './read.ts';

/** What a run would do. Counts are of the whole plan; the rest is of the changes that were looked at. */
export interface DryRun {
  readonly totals: PlanTotals;
  /** How many of the changes were looked at. */
  readonly lookedAt: number;
  readonly done: Readonly<Record<string, number>>;
  readonly sample: Rehearsal['sample'];
  readonly refusals: readonly { readonly reason: string; readonly count: number; readonly example: string }[];
  /** Why the run would stop and ask. */
  readonly objection: string | undefined;
  /** It would be the first, and take the rows that are there as known: nothing would be sent. */
  readonly takesAsKnown: boolean;
}

/** Makes a framework that rehearses. */
export type Rehearse = (rehearsal: Rehearsal) => Framework;

const mostLookedAt = 100_000;

/** Plans a run of a sync as it is now and says what it would do. Sends nothing, and forgets the plan. */
export async function rehearseRun(
  parts: ReadParts & Pick<PlannedRun, 'log'>,
  sync: Sync,
  model: Model,
  make: Rehearse,
  signal: AbortSignal,
): Promise<DryRun> {
  const rehearsal = new Rehearsal();
  const framework = make(rehearsal);
  const run = madeUp(sync, parts.now());
  const request = framework.request(sync, model);
  const opened = await openedFor(parts, { run, sync, model, request }, signal);
  const chunks: (readonly PlanEntry[])[] = [];
  let lookedAt = 0;
  try {
    const known = request.kind === 'everything' ? 'none' : await parts.told.prepare(sync.id, opened.shape);
    const counts = await plan({
      lines: opened.lines,
      shape: opened.shape,
      snapshot: known === 'none' ? nothingTold() : (opened.snapshot ?? parts.told.chunks(sync.id)),
      everything: sync.resend,
      silentRemovals: request.kind === 'window',
      write: async (chunk) => {
        if (lookedAt < mostLookedAt) {
          const entries = decodeEntries(chunk.entries, opened.shape.key.length);
          chunks.push(entries);
          lookedAt += entries.length;
        }
      },
      signal,
    });
    const untouched = opened.untouched?.() ?? 0;
    const totals = {
      rows: counts.rows + untouched,
      before: counts.unchanged + counts.changed + counts.removed + untouched,
      added: counts.added,
      // What falls out of the window is no change that anybody would speak of.
      changed: request.kind === 'window' ? 0 : counts.changed - counts.silent,
      removed: request.kind === 'window' ? 0 : counts.removed,
    };
    const takesAsKnown = known === 'none' && request.silentFirst && !sync.resend;
    if (takesAsKnown) {
      return { ...answer(rehearsal, totals, 0, undefined), takesAsKnown };
    }
    const told = known === 'none' ? nothingLines() : toldLines(parts, sync.id);
    const planned = plannedOf(
      { ...parts, run, sync, model, totals, chunks, told, signal },
      opened.shape.columns,
    );
    await framework.deliver(planned);
    return answer(rehearsal, totals, lookedAt, framework.objection(sync, totals));
  } catch (error) {
    await opened.abandon();
    throw error;
  }
}

/** The rows to plan from: all of the model, or what differs, where that is found inside the warehouse. */
async function openedFor(
  parts: ReadParts,
  {
    run,
    sync,
    model,
    request,
  }: Pick<PlannedRun, 'run' | 'sync' | 'model'> & { readonly request: PlanRequest },
  signal: AbortSignal,
): Promise<Opened & Partial<Differing>> {
  const limits = { timeoutMs: parts.readTimeoutMs, signal };
  const differing = await parts.told.look({ sync, model, request }, sync.resend, limits);
  if (differing !== undefined) {
    return differing;
  }
  const since = await sinceOf(parts, { run, sync, model }, request);
  return openReading(parts, { request, model, sync, since }, signal);
}

/** What these rows would become, as if they were all new: what a form shows before there is a sync. */
export async function rehearseRows(
  parts: Pick<PlannedRun, 'log' | 'now'>,
  sync: Sync,
  model: Model,
  rows: readonly (readonly (string | null)[])[],
  make: Rehearse,
  signal: AbortSignal,
): Promise<DryRun> {
  const rehearsal = new Rehearsal();
  const framework = make(rehearsal);
  const columns = framework.request(sync, model).columns;
  const positions = columns.map((name) => model.columns.findIndex((column) => column.name === name));
  const entries = rows.map((row): PlanEntry => {
    const values = positions.map((at) => row[at] ?? null);
    const key = model.key.map((name) => row[model.columns.findIndex((one) => one.name === name)] ?? '');
    return { kind: 'added', silent: false, line: encodeLine(values), key: key.join(' / ') };
  });
  const totals = { rows: rows.length, before: 0, added: rows.length, changed: 0, removed: 0 };
  const run = madeUp(sync, parts.now());
  const planned = plannedOf(
    { ...parts, run, sync, model, totals, chunks: [entries], told: nothingLines(), signal },
    columns,
  );
  await framework.deliver(planned);
  return answer(rehearsal, totals, rows.length, undefined);
}

function answer(
  rehearsal: Rehearsal,
  totals: PlanTotals,
  lookedAt: number,
  objection: string | undefined,
): DryRun {
  return {
    totals,
    lookedAt,
    done: Object.fromEntries(rehearsal.done),
    sample: rehearsal.sample,
    refusals: [...rehearsal.refusals].map(([reason, about]) => ({ reason, ...about })),
    objection,
    takesAsKnown: false,
  };
}

interface Planning extends Pick<PlannedRun, 'run' | 'sync' | 'model' | 'signal' | 'now' | 'log'> {
  readonly totals: PlanTotals;
  readonly chunks: readonly (readonly PlanEntry[])[];
  readonly told: AsyncIterable<Buffer>;
}

function plannedOf({ totals, chunks, told, ...rest }: Planning, columns: readonly string[]): PlannedRun {
  return {
    ...rest,
    columns,
    counts: totals,
    chunks: async function* () {
      for (const [seq, entries] of chunks.entries()) {
        yield { seq, size: entries.length, entries, again: false };
      }
    },
    allEntries: async function* () {
      yield* chunks;
    },
    told: () => told,
    begin: async () => undefined,
    beginWhere: async () => undefined,
    commit: async () => undefined,
  };
}

async function* toldLines(parts: Pick<ReadParts, 'told'>, syncId: number): AsyncGenerator<Buffer> {
  for await (const chunk of parts.told.chunks(syncId)) {
    yield await chunk.lines();
  }
}

async function* nothingLines(): AsyncGenerator<Buffer> {
  // Nothing was told yet.
}

/** A run that is kept nowhere. */
function madeUp(sync: Sync, now: Date): Run {
  return {
    id: 0,
    syncId: sync.id,
    dueAt: now,
    cause: 'manual',
    scope: 'changes',
    held: false,
    state: 'delivering',
    counts: {},
    error: null,
    requestedBy: null,
    progressTo: null,
    progressMessage: null,
    attempts: 1,
    startedAt: now,
    finishedAt: null,
  };
}
