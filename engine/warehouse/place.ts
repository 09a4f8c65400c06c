import { ActivateError } from '../contracts/errors.ts';
import type { Dialect, Limits } from '../contracts/source.ts';
import { baseline } from '../planner/baseline.ts';
import { proveSelect } from '../sql/guard.ts';
import { connectionById } from '../store/connections.ts';
import type { Snapshots } from '../store/snapshots.ts';
import { dropState, stateOf, type WarehouseState } from '../store/warehouse-states.ts';
import { fillTold, tablesOf } from './statements.ts';
import {
  hasKeyOf,
  type Job,
  jobOf,
  newState,
  settlePending,
  type ToldParts,
  toldInside,
  type Warehouse,
  warehouseOf,
} from './told.ts';

export interface PlaceParts extends ToldParts {
  /** What was told of syncs that are compared here. */
  readonly here: Snapshots;
}

/** Rows from which it costs less to compare in the warehouse, as measured and reckoned in docs/scale.md. */
const rowsToCompareInside: Readonly<Partial<Record<Dialect, number>>> = {
  redshift: 1_000_000,
  snowflake: 1_000_000,
  bigquery: 1_000_000,
  databricks: 1_000_000,
};

/**
 * Where the rows of a sync are to be compared at this run: in its warehouse, or here (undefined). What was told follows
 * there when the choice has changed; what an earlier run found and delivered is worked in first. A sync that began here
 * stays here under the automatic rule, whatever it grows to: only a choice by hand moves it.
 */
export async function placeOf(
  parts: PlaceParts,
  job: Pick<Job, 'sync' | 'model' | 'request'>,
  limits: Limits,
): Promise<Job | undefined> {
  const { sync, model } = job;
  await settlePending(parts, sync.id, limits.signal);
  const state = await stateOf(parts.db, sync.id);
  const warehouse = await wanted(parts, job, state, limits);
  if (warehouse === undefined || (state !== undefined && state.sourceId !== model.sourceId)) {
    if (state !== undefined) {
      await moveHere(parts, sync.id, state, limits);
    }
    if (warehouse === undefined) {
      return undefined;
    }
  }
  const placed = await jobOf(warehouse, job, limits);
  const before = await stateOf(parts.db, sync.id);
  if (before === undefined && (await parts.here.prepare(sync.id, placed.shape)) === 'ready') {
    await moveThere(parts, placed);
  }
  return placed;
}

/** Whether something was told of a sync that can be compared with. */
export async function isKnownInside({ db }: Pick<ToldParts, 'db'>, { sync, shape }: Job): Promise<boolean> {
  const state = await stateOf(db, sync.id);
  return state !== undefined && hasKeyOf(state, shape);
}

/** The warehouse, where the sync's rows are to be compared there and can be. */
async function wanted(
  parts: PlaceParts,
  { sync, model, request }: Pick<Job, 'sync' | 'model' | 'request'>,
  state: WarehouseState | undefined,
  limits: Limits,
): Promise<Warehouse | undefined> {
  const source = await parts.connections.source(await connectionById(parts.db, 'source', model.sourceId));
  const { scratch } = source;
  const fits = request.kind === 'difference' && request.threshold === undefined && model.key.length > 0;
  if (scratch === undefined || !fits || scratch.choice === 'here') {
    return undefined;
  }
  if (scratch.choice === 'automatic' && state === undefined) {
    const from = rowsToCompareInside[source.dialect];
    const isNew = !(await parts.here.has(sync.id));
    await proveSelect(model.sql, source.dialect);
    if (from === undefined || !isNew || (await source.count(model.sql, limits)) < from) {
      return undefined;
    }
  }
  const lacking = await scratch.lacking(limits);
  if (lacking.length === 0) {
    return { source, scratch };
  }
  if (state !== undefined) {
    throw new ActivateError(
      'PERMISSION_DENIED',
      `What was told of ${sync.name} stands in the planner schema, which can't be used. ${lacking.join(' ')}`,
      { fix: 'Mend that, or connect the source again and have rows compared here.' },
    );
  }
  parts.log.warn({ sync: sync.name, lacking }, 'rows are compared here: the planner schema can not be used');
  return undefined;
}

/** Brings what was told out of the warehouse. */
async function moveHere(
  parts: PlaceParts,
  syncId: number,
  state: WarehouseState,
  limits: Limits,
): Promise<void> {
  const warehouse = await warehouseOf(parts, state.sourceId);
  const lines = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of toldInside(warehouse, state, limits)) {
      yield await chunk.lines();
    }
  };
  const shape = { key: state.keyOrders, columns: state.layouts.at(-1) ?? [] };
  const signal = limits.signal === undefined ? {} : { signal: limits.signal };
  // What stands in the warehouse counts before what is here, as long as it is noted: broken off, this begins anew.
  await parts.here.replaceAll(syncId, shape, (write) =>
    baseline({ lines: lines(), shape, write, ...signal }),
  );
  await dropState(parts.db, syncId);
}

const rowsAtOnce = 500;
const bytesAtOnce = 200_000;

/** Brings what was told into the warehouse, some hundred rows a statement. */
async function moveThere(parts: PlaceParts, job: Job): Promise<void> {
  const { source, scratch, sync, shape, limits } = job;
  const width = shape.key.length;
  await newState(parts.db, job, async ({ name }) => {
    const tables = tablesOf(scratch, name);
    let rows: { key: string; line: string }[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      if (rows.length > 0) {
        await scratch.execute(fillTold(source.dialect, tables, 0, rows), limits);
      }
      rows = [];
      bytes = 0;
    };
    for await (const chunk of parts.here.chunks(sync.id)) {
      for (const line of (await chunk.lines()).toString('utf8').split('\n').slice(0, -1)) {
        rows.push({ key: line.split('\t').slice(0, width).join('\t'), line });
        bytes += line.length;
        if (rows.length >= rowsAtOnce || bytes >= bytesAtOnce) {
          await flush();
        }
      }
    }
    await flush();
  });
  await parts.here.forget(sync.id);
}
