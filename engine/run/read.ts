import type { Connections } from '../connections.ts';
import type { Db } from '../contracts/db.ts';
import type { Reading, Source } from '../contracts/source.ts';
import type { Framework, PlanRequest } from '../frameworks/framework.ts';
import type { Shape, SnapshotChunk } from '../planner/chunks.ts';
import { baseline, plan } from '../planner/plan.ts';
import type { PlanCounts } from '../planner/rows.ts';
import { firingLines, type Observation } from '../planner/threshold.ts';
import { proveSelect } from '../sql/guard.ts';
import { connectionById } from '../store/connections.ts';
import type { Model } from '../store/models.ts';
import { keepObservations, observationsOf } from '../store/observations.ts';
import type { Plans } from '../store/plans.ts';
import { enterState, type Run, type RunCounts } from '../store/runs.ts';
import type { Snapshots } from '../store/snapshots.ts';
import type { Sync } from '../store/syncs.ts';

export interface ReadParts {
  readonly db: Db;
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
  const opened = await open(parts, { source, request, model, sync, seen }, signal);
  try {
    return await compare(parts, job, request, opened, seen, signal);
  } catch (error) {
    // A result that nobody read to its end still holds its connection.
    await opened.abandon();
    throw error;
  }
}

async function compare(
  parts: ReadParts,
  { run, sync }: { readonly run: Run; readonly sync: Sync },
  request: PlanRequest,
  { shape, lines }: Opened,
  seen: ReadonlyMap<string, Observation>,
  signal: AbortSignal,
): Promise<Read> {
  const layout = { ...shape, kind: request.kind };
  const known = request.kind === 'everything' ? 'none' : await parts.snapshots.prepare(sync.id, shape);
  if (known === 'none' && request.silentFirst) {
    const counts = await parts.snapshots.replaceAll(sync.id, shape, (write) =>
      baseline({ lines, shape, write, signal }),
    );
    return { layout, counts: { ...told(counts), added: 0, baseline: true }, silent: true };
  }
  const snapshot = known === 'none' ? nothing() : parts.snapshots.chunks(sync.id);
  const counts = await plan({
    lines,
    shape,
    snapshot,
    write: (chunk) => parts.plans.save(run.id, chunk),
    signal,
  });
  await parts.db.transaction(async (sql) => {
    if (request.threshold !== undefined) {
      await keepObservations(sql, sync.id, run.id, seen);
    }
    await sql.query('update runs set layout = $2 where id = $1', [run.id, JSON.stringify(layout)]);
    await enterState(sql, run.id, 'delivering', told(counts));
  });
  return { layout, counts: told(counts), silent: false };
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
}

async function open(
  parts: ReadParts,
  { source, request, model, sync, seen }: Opening,
  signal: AbortSignal,
): Promise<Opened> {
  const limits = { timeoutMs: parts.readTimeoutMs, signal };
  const { threshold } = request;
  if (threshold === undefined) {
    const reading = await source.read({ sql: model.sql, key: model.key, columns: request.columns }, limits);
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
    added: counts.added,
    changed: counts.changed,
    removed: counts.removed,
    nullKeys: counts.nullKeys,
    duplicateKeys: counts.duplicateKeys,
  };
}
