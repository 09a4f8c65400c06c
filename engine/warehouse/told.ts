import type { Connections } from '../connections.ts';
import type { Db } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { Log } from '../contracts/log.ts';
import type { Column, Limits, Scratch, Source } from '../contracts/source.ts';
import type { PlanRequest } from '../frameworks/framework.ts';
import type { Shape, SnapshotChunk } from '../planner/chunks.ts';
import { sortedLines } from '../planner/sort.ts';
import { proveSelect } from '../sql/guard.ts';
import { connectionById } from '../store/connections.ts';
import type { Model } from '../store/models.ts';
import type { Plans } from '../store/plans.ts';
import type { Sync } from '../store/syncs.ts';
import {
  forgetLitter,
  litter,
  newStateName,
  noteLayout,
  noteLitter,
  notePending,
  putState,
  stateOf,
  type WarehouseState,
} from '../store/warehouse-states.ts';
import { chunksOf, relaid, unwrapped } from './lines.ts';
import { settleRun } from './settle.ts';
import {
  type Comparison,
  differences,
  drop,
  makeFound,
  makeTold,
  selectFrom,
  selectTold,
  tablesOf,
  takeAsTold,
} from './statements.ts';

export interface ToldParts {
  readonly db: Db;
  readonly connections: Connections;
  readonly plans: Plans;
  readonly readTimeoutMs: number;
  readonly log: Log;
}

/** A source that has a place of ours, and that place. */
export interface Warehouse {
  readonly source: Source;
  readonly scratch: Scratch;
}

/** The warehouse of a source; throws CONFIG_INVALID when its connection names no place of ours (any more). */
export async function warehouseOf(
  { db, connections }: Pick<ToldParts, 'db' | 'connections'>,
  sourceId: number,
): Promise<Warehouse> {
  const record = await connectionById(db, 'source', sourceId);
  const source = await connections.source(record);
  if (source.scratch === undefined) {
    throw new ActivateError('CONFIG_INVALID', `${record.name} names no planner schema any more.`, {
      fix: 'What was told stands there: connect it again with the same schema, or delete the sync.',
    });
  }
  return { source, scratch: source.scratch };
}

/** A sync whose rows are to be compared inside its warehouse. */
export interface Job extends Warehouse {
  readonly sync: Pick<Sync, 'id' | 'name'>;
  readonly model: Model;
  readonly request: PlanRequest;
  readonly shape: Shape;
  /** Those of `shape`, as the source describes them. */
  readonly columns: readonly Column[];
  readonly limits: Limits;
}

/** Describes a model's columns in the order of a line. Proves its query first. */
export async function jobOf(
  warehouse: Warehouse,
  { sync, model, request }: Pick<Job, 'sync' | 'model' | 'request'>,
  limits: Limits,
): Promise<Job> {
  const { source, scratch } = warehouse;
  await proveSelect(model.sql, source.dialect);
  const known = new Map((await source.describe(model.sql, limits)).map((column) => [column.name, column]));
  const columns = request.columns.map((name) => {
    const column = known.get(name);
    if (column === undefined) {
      throw new ActivateError('SQL_FAILED', `The query has no column “${name}” (any more).`, {
        fix: `It has: ${[...known.keys()].slice(0, 20).join(', ')}. Correct the query or the settings.`,
      });
    }
    return column;
  });
  const shape: Shape = {
    key: columns.slice(0, model.key.length).map((column) => scratch.orderOf(column)),
    columns: request.columns,
    ...(request.watched === undefined
      ? {}
      : { watched: request.watched.map((name) => request.columns.indexOf(name)) }),
  };
  return { ...warehouse, sync, model, request, shape, columns, limits };
}

/** What differs, for the planner: rows as they are, rows as they were told, and how many are not among them. */
export interface Differing {
  readonly shape: Shape;
  readonly lines: AsyncIterable<Uint8Array>;
  readonly snapshot: AsyncIterable<SnapshotChunk>;
  /** Rows that are as they were told. Known once `snapshot` was read to its end. */
  untouched(): number;
  abandon(): Promise<void>;
}

/**
 * Makes the tables that say what differs since it was told, and begins to read them. Done again for the same run, it
 * begins anew: what an earlier attempt delivered has to be settled before.
 */
export async function compareInside(
  { db }: Pick<ToldParts, 'db'>,
  job: Job,
  run: { readonly id: number; readonly everything: boolean },
): Promise<Differing> {
  const state = await readyState(db, job);
  const tables = tablesOf(job.scratch, state.name);
  const told = await countTold(job, state);
  await notePending(db, job.sync.id, run.id);
  await job.scratch.execute(drop(tables.found), job.limits);
  await job.scratch.execute(makeFound(comparisonOf(job, state, run.everything)), job.limits);
  return differing(job, state, { from: tables.found, told });
}

/** The same without writing anything: for a dry run. */
export async function lookInside(job: Job, state: WarehouseState, everything: boolean): Promise<Differing> {
  const told = await countTold(job, state);
  const select = differences(comparisonOf(job, state, everything));
  return differing(job, state, { from: `(\n${select}\n) d`, told });
}

/** Takes all rows of the model as told, in place of what was; answers with how many there are. */
export async function takeAllInside({ db }: Pick<ToldParts, 'db'>, job: Job): Promise<number> {
  const state = await newState(db, job, async (fresh) => {
    await job.scratch.execute(takeAsTold(comparisonOf(job, fresh, true)), job.limits);
  });
  return countTold(job, state);
}

function comparisonOf(
  { source, scratch, model, columns, shape }: Job,
  { name, layouts }: Pick<WarehouseState, 'name' | 'layouts'>,
  everything: boolean,
): Comparison {
  const isLast = JSON.stringify(layouts.at(-1)) === JSON.stringify(shape.columns);
  return {
    dialect: source.dialect,
    scratch,
    tables: tablesOf(scratch, name),
    sql: model.sql,
    columns,
    keyWidth: shape.key.length,
    layout: isLast ? layouts.length - 1 : layouts.length,
    everything,
  };
}

/** The state to compare with: as it is, with the columns of now as its last layout, or a new and empty one. */
async function readyState(db: Db, job: Job): Promise<WarehouseState> {
  const { sync, shape } = job;
  const state = await stateOf(db, sync.id);
  if (state === undefined || !hasKeyOf(state, shape)) {
    return newState(db, job, async () => undefined);
  }
  if (JSON.stringify(state.layouts.at(-1)) === JSON.stringify(shape.columns)) {
    return state;
  }
  await noteLayout(db, sync.id, shape.columns);
  return { ...state, layouts: [...state.layouts, shape.columns] };
}

export function hasKeyOf({ keyOrders, layouts }: WarehouseState, { key, columns }: Shape): boolean {
  const width = keyOrders.length;
  return (
    JSON.stringify([keyOrders, layouts.at(-1)?.slice(0, width)]) ===
    JSON.stringify([key, columns.slice(0, key.length)])
  );
}

/** Makes a table for what is told, fills it, and only then lets it count. */
export async function newState(
  db: Db,
  { source, scratch, sync, model, shape, limits }: Job,
  fill: (state: WarehouseState) => Promise<void>,
): Promise<WarehouseState> {
  const place = { syncId: sync.id, sourceId: model.sourceId, name: newStateName() };
  const state: WarehouseState = { ...place, keyOrders: shape.key, layouts: [shape.columns], runId: null };
  await noteLitter(db, place);
  await scratch.execute(makeTold(source.dialect, tablesOf(scratch, place.name)), limits);
  await fill(state);
  await db.transaction(async (sql) => {
    await putState(sql, place, shape);
    await forgetLitter(sql, place);
  });
  return state;
}

async function countTold({ source, scratch, sync, limits }: Job, { name }: WarehouseState): Promise<number> {
  const { told } = tablesOf(scratch, name);
  try {
    return await source.count(selectFrom(source.dialect, told, ['tk']), limits);
  } catch (error) {
    if (error instanceof ActivateError && error.code === 'SQL_FAILED') {
      throw new ActivateError(
        'SQL_FAILED',
        `What was told of ${sync.name} stood in ${told}, which can't be read.`,
        {
          fix: `Bring the table back. If it is lost, /activate resync ${sync.name} takes the rows of now as told, or sends all of them again.`,
          cause: error,
        },
      );
    }
    throw error;
  }
}

/** Reads what differs, from a table or from a query in parentheses. */
async function differing(
  { source, shape, limits }: Job,
  { layouts }: WarehouseState,
  { from, told }: { readonly from: string; readonly told: number },
): Promise<Differing> {
  const { dialect } = source;
  const opened: AsyncIterable<Uint8Array>[] = [];
  const read = async function* (column: string, where: string): AsyncGenerator<Uint8Array> {
    const sql = `${selectFrom(dialect, from, [column])} WHERE ${where}`;
    const { lines } = await source.read({ sql, key: [], columns: [column] }, limits);
    opened.push(lines);
    yield* lines;
  };
  const previous = async function* (): AsyncGenerator<Buffer> {
    for (const at of layouts.keys()) {
      const lines = unwrapped(read('fwas', `fwaslayout = '${at}'`));
      yield* at === layouts.length - 1 ? lines : relaid(lines, lasting(layouts, at), shape.columns);
    }
  };
  let found = 0;
  const count = (lines: number): void => {
    found += lines;
  };
  return {
    shape,
    lines: sortedLines(unwrapped(read('fline', 'fline IS NOT NULL')), shape.key),
    snapshot: chunksOf(sortedLines(previous(), shape.key), shape.key, count),
    untouched: () => told - found,
    abandon: async () => {
      for (const lines of opened) {
        await lines[Symbol.asyncIterator]().return?.();
      }
    },
  };
}

/**
 * The columns of a layout; those that a later one lacked have no name any more: what was not told in between is not
 * known, even where the column is back.
 */
function lasting(layouts: WarehouseState['layouts'], at: number): readonly string[] {
  const later = layouts.slice(at + 1);
  return (layouts[at] ?? []).map((name) => (later.every((columns) => columns.includes(name)) ? name : '\0'));
}

/** All that was told of a sync, in key order, laid out by its last layout. */
export async function* toldInside(
  { source, scratch }: Warehouse,
  { name, layouts, keyOrders }: WarehouseState,
  limits: Limits,
): AsyncGenerator<SnapshotChunk> {
  const { told } = tablesOf(scratch, name);
  const last = layouts.at(-1) ?? [];
  const all = async function* (): AsyncGenerator<Buffer> {
    for (const at of layouts.keys()) {
      const sql = `${selectFrom(source.dialect, told, ['tline'])} WHERE tlayout = '${at}'`;
      const { lines } = await source.read({ sql, key: [], columns: ['tline'] }, limits);
      yield* at === layouts.length - 1
        ? unwrapped(lines)
        : relaid(unwrapped(lines), lasting(layouts, at), last);
    }
  };
  yield* chunksOf(sortedLines(all(), keyOrders), keyOrders, () => undefined);
}

/** The line told last under a key, as fields of it are written, and its columns. */
export async function lineInside(
  { source, scratch }: Warehouse,
  { name, layouts }: WarehouseState,
  key: string,
  limits: Limits,
): Promise<{ readonly line: string; readonly columns: readonly string[] } | undefined> {
  const sql = selectTold(source.dialect, tablesOf(scratch, name), key);
  const { rows } = await source.preview(sql, 1, limits);
  const [line, layout] = rows[0] ?? [];
  return line === undefined || line === null
    ? undefined
    : { line: `${line}\n`, columns: layouts[Number(layout)] ?? [] };
}

/**
 * Works in what the last run of a sync found and delivered, if that is not done yet. Throws as the warehouse does; then
 * it is done before the next comparison.
 */
export async function settlePending(parts: ToldParts, syncId: number, signal?: AbortSignal): Promise<void> {
  const state = await stateOf(parts.db, syncId);
  if (state?.runId == null) {
    return;
  }
  const { source, scratch } = await warehouseOf(parts, state.sourceId);
  const tables = tablesOf(scratch, state.name);
  const limits: Limits = { timeoutMs: parts.readTimeoutMs, ...(signal === undefined ? {} : { signal }) };
  await settleRun(parts, {
    scratch,
    dialect: source.dialect,
    tables,
    runId: state.runId,
    keyWidth: state.keyOrders.length,
    layout: state.layouts.length - 1,
    limits,
  });
  await notePending(parts.db, syncId, null);
  await scratch.execute(drop(tables.found), limits);
  await scratch.execute(drop(tables.kept), limits);
}

/** Drops tables that are of no more use. What can't be dropped now stays noted. */
export async function sweepWarehouses(parts: Omit<ToldParts, 'plans'>, now: Date): Promise<void> {
  for (const one of await litter(parts.db, now)) {
    try {
      const { scratch } = await warehouseOf(parts, one.sourceId);
      for (const table of Object.values(tablesOf(scratch, one.name))) {
        await scratch.execute(drop(table), { timeoutMs: parts.readTimeoutMs });
      }
      await forgetLitter(parts.db, one);
    } catch (error) {
      parts.log.warn(
        { source: one.sourceId, tables: one.name, error },
        'tables in a warehouse can not be dropped',
      );
    }
  }
}
