import type { Connections } from '../connections.ts';
import type { Db } from '../contracts/db.ts';
import type { Query, Reading } from '../contracts/source.ts';
import type { PlanRequest } from '../frameworks/framework.ts';
import type { Shape, SnapshotChunk } from '../planner/chunks.ts';
import { numberedLines } from '../planner/numbered.ts';
import { sortedLines } from '../planner/sort.ts';
import { firingLines, type Observation } from '../planner/threshold.ts';
import { writeMoment } from '../planner/window.ts';
import { proveSelect } from '../sql/guard.ts';
import { connectionById } from '../store/connections.ts';
import type { Model } from '../store/models.ts';
import { observationsOf } from '../store/observations.ts';
import type { Run } from '../store/runs.ts';
import type { Sync } from '../store/syncs.ts';
import { keepWatermark, watermarkOf } from '../store/watermarks.ts';

export interface OpenParts {
  readonly db: Db;
  readonly now: () => Date;
  readonly connections: Connections;
  readonly readTimeoutMs: number;
}

/**
 * Where a window opens: so long before the newest event that was sent, or before the earliest that has to be read
 * again. Before the first run it opens at the first event there is, or, when what is there is to be taken as known, just
 * before now.
 */
export async function sinceOf(
  parts: OpenParts,
  { run, sync, model }: { readonly run: Run; readonly sync: Sync; readonly model: Model },
  { window, silentFirst }: PlanRequest,
): Promise<Query['since'] | undefined> {
  if (window === undefined || run.scope === 'everything') {
    return undefined;
  }
  const time = isTime(model, window.column);
  const { newest, refused } = await watermarkOf(parts.db, sync.id);
  const marks = [newest, refused].flatMap((mark) => (mark === null ? [] : [BigInt(mark)]));
  const quiet = newest === null && (silentFirst || run.scope === 'baseline') && time;
  const from = quiet ? [BigInt(parts.now().getTime()) * 1000n] : marks;
  if (from.length === 0) {
    return undefined;
  }
  const least = from.reduce((a, b) => (b < a ? b : a));
  // Numbers of this size are milliseconds since 1970, smaller ones seconds: as events read them.
  const perMs = !time && least >= 100_000_000_000_000_000n ? 1_000_000n : 1000n;
  return { column: window.column, value: writeMoment(least - BigInt(window.lookBackMs) * perMs, time) };
}

/** Whether a window is over times, and not over numbers. */
function isTime(model: Model, column: string): boolean {
  return model.columns.find((one) => one.name === column)?.type === 'time';
}

/**
 * Whatever happens after a run that takes all as known is to be sent, however late the next one comes. Noted before
 * anything is taken as known, so that a crash in between loses nothing either.
 */
export async function beginHere(
  parts: OpenParts,
  { run, sync, model }: { readonly run: Run; readonly sync: Sync; readonly model: Model },
  { window }: PlanRequest,
): Promise<void> {
  const column = model.columns.find(({ name }) => name === window?.column);
  const { newest, refused } = await watermarkOf(parts.db, sync.id);
  if (column?.type === 'time' && newest === null) {
    const began = BigInt((run.startedAt ?? parts.now()).getTime()) * 1000n;
    await keepWatermark(parts.db, sync.id, { newest: String(began), refused });
  }
}

/** A model's rows on their way, in key order. */
export interface Opened {
  readonly shape: Shape;
  readonly lines: AsyncIterable<Uint8Array>;
  /** Ends the reading in the warehouse. */
  abandon(): Promise<void>;
}

/** The rows in key order: sorted here where the source leaves that to us. */
function inKeyOrder({ lines, order, sorted }: Reading): AsyncIterable<Uint8Array> {
  return sorted || order.length === 0 ? lines : sortedLines(lines, order);
}

async function abandon(reading: Reading): Promise<void> {
  await reading.lines[Symbol.asyncIterator]().return?.();
}

interface Opening {
  readonly request: PlanRequest;
  readonly model: Model;
  readonly sync: Sync;
  readonly since: Query['since'] | undefined;
  /** Takes what a threshold has to remember of each row. */
  readonly seen?: Map<string, Observation>;
}

/** Proves that the model's query only reads, and begins to read it as a framework asks. */
export async function openReading(
  parts: OpenParts,
  { request, model, sync, since, seen }: Opening,
  signal: AbortSignal,
): Promise<Opened> {
  const record = await connectionById(parts.db, 'source', model.sourceId);
  const source = await parts.connections.source(record);
  await proveSelect(model.sql, source.dialect);
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
      lines: inKeyOrder(reading),
      abandon: () => abandon(reading),
    };
  }
  const counting = threshold.on === 'count';
  const reading: Reading = counting
    ? { order: ['bytes'], sorted: true, lines: oneLine(`rows\t${await source.count(model.sql, limits)}\n`) }
    : await source.read({ sql: model.sql, key: model.key, columns: request.columns }, limits);
  const keyless = !counting && model.key.length === 0;
  const columns = keyless ? ['row', ...request.columns] : request.columns;
  const lines = firingLines({
    lines: inKeyOrder(reading),
    keyWidth: keyless ? 0 : reading.order.length,
    valueAt: request.columns.indexOf(counting ? 'count' : (threshold.column ?? '')),
    threshold,
    before: await observationsOf(parts.db, sync.id),
    observe: (key, observation) => seen?.set(key, observation),
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

/** The snapshot of a sync that has told nothing. */
export async function* nothingTold(): AsyncGenerator<SnapshotChunk> {
  // Nothing was told yet, or nothing of it is kept.
}
