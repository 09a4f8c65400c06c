import type { Call, Item, ObjectBatch, Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { elementOf, faultOf, mayBeUnfit } from './elements.ts';
import type { Failure } from './errors.ts';
import { filledByCopy } from './fill.ts';
import type { Hope } from './hope.ts';
import {
  type Change,
  deleteOf,
  insertAgainOf,
  insertMissingOf,
  insertOf,
  updateOf,
  upsertOf,
} from './statements.ts';
import { type Table, type TableColumn, titleOf } from './table.ts';
import type { Transaction } from './transaction.ts';
import { missingIndexOf } from './verify.ts';
import { explainWrite, isOfRow, rejection } from './write-errors.ts';

const done: Outcome = { state: 'ok' };
/** Where two runs at once, or one that is repeated, could make the same row twice. */
const makesRows = { insert: true, upsert: true, update: false, delete: false } as const;
/** Writes a batch in a transaction; what is thrown has written nothing. One outcome per item, in order. */
export async function writeBatch(
  transaction: Transaction,
  table: Table,
  batch: ObjectBatch,
  call: Call,
  hope: Hope,
): Promise<readonly Outcome[]> {
  const [missing] = makesRows[batch.operation] ? missingIndexOf(table, batch) : [];
  if (missing !== undefined) {
    throw new ActivateError('CONFIG_INVALID', missing, { fix: 'Make it, or match by other fields.' });
  }
  const outcomes: Outcome[] = batch.items.map(() => done);
  for (const shape of shapesOf(table, batch)) {
    const { change, rows } = shape;
    if (!call.again && (await filledByCopy(transaction, batch, change, rows, hope))) {
      continue;
    }
    const part = encode(shape, batch, outcomes);
    if (part.rows.length > 0) {
      await writePart(transaction, batch, call, part, outcomes);
    }
  }
  return outcomes;
}

/** Items that have the very same fields: what an item leaves out may not even be named in a statement. */
interface Shape {
  readonly change: Change;
  /** Positions in the batch. */
  readonly rows: readonly number[];
}

interface Part extends Shape {
  /** By column and row: elements of arrays. */
  readonly elements: readonly (readonly string[])[];
}

function shapesOf(table: Table, { fields, items, match, operation }: ObjectBatch): readonly Shape[] {
  const names = (operation === 'delete' ? match : fields.map(({ name }) => name)).map((name) =>
    columnOf(table, name),
  );
  const onlyIfEmpty = new Set(fields.filter((field) => field.onlyIfEmpty).map(({ name }) => name));
  const byFields = new Map<string, { columns: TableColumn[]; rows: number[] }>();
  const full = names.map(() => '1').join('');
  for (const [row, { values }] of items.entries()) {
    const mask = names.every(({ name }) => values[name] !== undefined)
      ? full
      : names.map(({ name }) => (values[name] === undefined ? '0' : '1')).join('');
    let shape = byFields.get(mask);
    if (shape === undefined) {
      shape = { columns: names.filter((_, i) => mask[i] === '1'), rows: [] };
      byFields.set(mask, shape);
    }
    shape.rows.push(row);
  }
  return [...byFields.values()].map(({ columns, rows }) => ({
    change: { table, columns, match, onlyIfEmpty },
    rows,
  }));
}

function columnOf(table: Table, name: string): TableColumn {
  const column = table.columns.find((one) => one.name === name);
  if (column === undefined) {
    throw new ActivateError('CONFIG_INVALID', `${titleOf(table)} has no column ${name} (any more).`, {
      fix: 'Take it out of the mapping, or choose another column.',
    });
  }
  return column;
}

/** Turns values into elements; rows that PostgreSQL can't hold are marked and left out. */
function encode(shape: Shape, { items }: ObjectBatch, outcomes: Outcome[]): Part {
  const elements = shape.change.columns.map((column) =>
    shape.rows.map((row) => elementOf(column, valueIn(items, row, column))),
  );
  for (const [i, column] of shape.change.columns.entries()) {
    if (mayBeUnfit(column, (elements[i] ?? []).join())) {
      for (const row of shape.rows) {
        const fault = faultOf(column, valueIn(items, row, column));
        if (fault !== undefined) {
          outcomes[row] = { state: 'rejected', reason: fault, field: column.name };
        }
      }
    }
  }
  if (shape.rows.every((row) => outcomes[row] === done)) {
    return { ...shape, elements };
  }
  const fit = (_: unknown, i: number): boolean => outcomes[shape.rows[i] as number] === done;
  return { ...shape, rows: shape.rows.filter(fit), elements: elements.map((column) => column.filter(fit)) };
}

function valueIn(items: readonly Item[], row: number, column: TableColumn): Item['values'][string] {
  return items[row]?.values[column.name] ?? null;
}

async function writePart(
  transaction: Transaction,
  batch: ObjectBatch,
  call: Call,
  part: Part,
  outcomes: Outcome[],
): Promise<void> {
  const { change, rows, elements } = part;
  const text = statementOf(batch, call, change);
  const writeRange = async (from: number, to: number): Promise<void> => {
    const lists = elements.map((column) => `{${column.slice(from, to).join(',')}}`);
    const { rows: found, failure } = await transaction.attempt(text, lists).then(
      (answer) => ({ rows: answer, failure: undefined }),
      (thrown: unknown) => ({ rows: [], failure: refusal(thrown) }),
    );
    if (failure === undefined) {
      for (const [number] of found) {
        outcomes[rows[from + Number(number) - 1] as number] = missed(batch, change);
      }
    } else if (to - from === 1) {
      const row = rows[from] as number;
      outcomes[row] = rejection(failure, change, batch.operation, batch.items[row]?.values ?? {});
    } else {
      // All or nothing: which row was at fault, the server does not say.
      const middle = Math.floor((from + to) / 2);
      await writeRange(from, middle);
      await writeRange(middle, to);
    }
  };
  const refusal = (thrown: unknown): Failure => {
    const failure = thrown as Failure;
    if (failure.severity === undefined || call.signal.aborted) {
      throw thrown;
    }
    if (!isOfRow(failure)) {
      throw explainWrite(failure, change, batch.operation);
    }
    return failure;
  };
  await writeRange(0, rows.length);
}

function statementOf({ operation }: ObjectBatch, call: Call, change: Change): string {
  switch (operation) {
    case 'insert':
      if (change.match.length === 0) {
        return call.again ? insertAgainOf(change) : insertOf(change);
      }
      return call.again ? insertAgainOf(change) : insertMissingOf(change);
    case 'update':
      return updateOf(change);
    case 'upsert':
      return upsertOf(change);
    case 'delete':
      return deleteOf(change);
    default:
      return operation satisfies never;
  }
}

function missed({ operation, match }: ObjectBatch, { table }: Change): Outcome {
  const key = match.join(' and ');
  const reason =
    operation === 'insert'
      ? `There is a row of ${titleOf(table)} with this ${key} already.`
      : `There is no row of ${titleOf(table)} with this ${key}.`;
  return { state: 'rejected', reason, ...(match.length === 1 ? { field: match[0] as string } : {}) };
}
