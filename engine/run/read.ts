import type { Connections } from '../connections.ts';
import type { Db } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { Query, Reading, Source } from '../contracts/source.ts';
import { type Framework, type PlanRequest, totalsOf } from '../frameworks/framework.ts';
import type { Shape, SnapshotChunk } from '../planner/chunks.ts';
import { numberedLines } from '../planner/numbered.ts';
import { baseline, plan } from '../planner/plan.ts';
import type { PlanCounts } from '../planner/rows.ts';
import { firingLines, type Observation } from '../planner/threshold.ts';
import { writeMoment } from '../planner/window.ts';
import { proveSelect } from '../sql/guard.ts';
import { connectionById } from '../store/connections.ts';
import type { Model } from '../store/models.ts';
import { keepObservations, observationsOf } from '../store/observations.ts';
import type { Plans } from '../store/plans.ts';
import { enterState, type Run, type RunCounts } from '../store/runs.ts';
import type { Snapshots } from '../store/snapshots.ts';
import type { Sync } from '../store/syncs.ts';
import { keepWatermark, watermarkOf } from '../store/watermarks.ts';

export interface ReadParts {
  readonly db: Db;
  readonly now: () => Date;
  readonly connections: Connections;
  readonly plans: Plans;
  readonly snapshots: Snapshots;
  readonly readTimeoutMs: number;
}

/** How the lines of a plan are laid out, and whether the snapshot follows it. */
export interface Layout extends Shape {
  readonly kind: PlanRequest['kind'];
}

/** What reading came to: a plan to deliver, or a first snapshot and nothing to say. */
export type Read = { readonly layout: Layout; readonly counts: RunCounts; readonly silent: boolean };

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
  const record = await connectionById(parts.db, 'source', model.sourceId);
  const source = await parts.connections.source(record);
  await proveSelect(model.sql, source.dialect);
  await parts.plans.clear(run.id);
  const seen = new Map<string, Observation>();
  const since = await sinceOf(parts, job, request);
  const opened = await open(parts, { source, request, model, sync, seen, since }, signal);
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
  readonly framework: Framework;
  readonly request: PlanRequest;
  readonly opened: Opened;
  readonly seen: ReadonlyMap<string, Observation>;
}

async function compare(
  parts: ReadParts,
  { run, sync, framework, request, opened: { shape, lines }, seen }: Comparing,
  signal: AbortSignal,
): Promise<Read> {
  const layout = { ...shape, kind: request.kind };
  const known = request.kind === 'everything' ? 'none' : await parts.snapshots.prepare(sync.id, shape);
  if (run.scope === 'baseline' || (known === 'none' && request.silentFirst && run.scope === 'changes')) {
    const counts = await parts.snapshots.replaceAll(sync.id, shape, (write) =>
      baseline({ lines, shape, write, signal }),
    );
    return { layout, counts: { ...told(counts), added: 0, baseline: true }, silent: true };
  }
  const snapshot = known === 'none' ? nothing() : parts.snapshots.chunks(sync.id);
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
  const objection = run.unguarded ? undefined : framework.objection(sync, totalsOf(totals));
  if (objection !== undefined) {
    throw new ActivateError('GUARD_TRIPPED', objection, {
      fix: 'Nothing was sent. Look at the query; if it is right, let the run pass.',
    });
  }
  await parts.db.transaction(async (sql) => {
    if (request.threshold !== undefined) {
      await keepObservations(sql, sync.id, run.id, seen);
    }
    if (window) {
      await keepWatermark(sql, sync.id, { ...(await watermarkOf(sql, sync.id)), refused: null });
    }
    await sql.query('update runs set layout = $2 where id = $1', [run.id, JSON.stringify(layout)]);
    await enterState(sql, run.id, 'delivering', totals);
  });
  return { layout, counts: totals, silent: false };
}

/**
 * Where a window opens: so long before the newest event that was sent, or before the earliest that was refused. Before
 * the first run it opens at the first event there is, or, when what is there is to be taken as known, just before now.
 */
async function sinceOf(
  parts: ReadParts,
  { run, sync, model }: { readonly run: Run; readonly sync: Sync; readonly model: Model },
  { window, silentFirst }: PlanRequest,
): Promise<Query['since'] | undefined> {
  if (window === undefined || run.scope === 'everything') {
    return undefined;
  }
  const isTime = model.columns.find((column) => column.name === window.column)?.type === 'time';
  const { newest, refused } = await watermarkOf(parts.db, sync.id);
  const marks = [newest, refused].flatMap((mark) => (mark === null ? [] : [BigInt(mark)]));
  const quiet = newest === null && (silentFirst || run.scope === 'baseline') && isTime;
  const from = quiet ? [BigInt(parts.now().getTime()) * 1000n] : marks;
  if (from.length === 0) {
    return undefined;
  }
  const opens =
    from.reduce((least, mark) => (mark < least ? mark : least)) - BigInt(window.lookBackMs) * 1000n;
  return { column: window.column, value: writeMoment(opens, isTime) };
}

interface Opened {
  readonly shape: Shape;
  readonly lines: AsyncIterable<Uint8Array>;
  /** Ends the reading in the warehouse. */
  abandon(): Promise<void>;
}

async function abandon(reading: Reading): Promise<void> {
  await reading.lines[Symbol.asyncIterator]().return?.();
}

interface Opening {
  readonly source: Source;
  readonly request: PlanRequest;
  readonly model: Model;
  readonly sync: Sync;
  readonly seen: Map<string, Observation>;
  readonly since: Query['since'] | undefined;
}

async function open(
  parts: ReadParts,
  { source, request, model, sync, seen, since }: Opening,
  signal: AbortSignal,
): Promise<Opened> {
  const limits = { timeoutMs: parts.readTimeoutMs, signal };
  const { threshold } = request;
  if (threshold === undefined) {
    const query = { sql: model.sql, key: model.key, columns: request.columns };
    const reading = await source.read(since === undefined ? query : { ...query, since }, limits);
    if (model.key.length === 0) {
      return {
        shape: shapeOf(['numeric'], ['#', ...request.columns], undefined),
        lines: numberedLines(reading.lines),
        abandon: () => abandon(reading),
      };
    }
    return {
      shape: shapeOf(reading.order, request.columns, request.watched),
      lines: reading.lines,
      abandon: () => abandon(reading),
    };
  }
  const counting = threshold.on === 'count';
  const reading: Reading = counting
    ? { order: ['bytes'], lines: oneLine(`rows\t${await source.count(model.sql, limits)}\n`) }
    : await source.read({ sql: model.sql, key: model.key, columns: request.columns }, limits);
  const keyless = !counting && model.key.length === 0;
  const columns = keyless ? ['row', ...request.columns] : request.columns;
  const lines = firingLines({
    lines: reading.lines,
    keyWidth: keyless ? 0 : reading.order.length,
    valueAt: request.columns.indexOf(counting ? 'count' : (threshold.column ?? '')),
    threshold,
    before: await observationsOf(parts.db, sync.id),
    observe: (key, observation) => seen.set(key, observation),
  });
  return {
    shape: shapeOf(keyless ? ['bytes'] : reading.order, columns, request.watched),
    lines,
    abandon: () => abandon(reading),
  };
}

function shapeOf(
  key: Shape['key'],
  columns: readonly string[],
  watched: readonly string[] | undefined,
): Shape {
  return {
    key,
    columns,
    ...(watched === undefined ? {} : { watched: watched.map((name) => columns.indexOf(name)) }),
  };
}

async function* oneLine(line: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(line);
}

async function* nothing(): AsyncGenerator<SnapshotChunk> {
  // Nothing was told yet, or nothing of it is kept.
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
