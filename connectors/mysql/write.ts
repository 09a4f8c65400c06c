import type { Call, ObjectBatch, Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { type Failure, isOfServer } from './errors.ts';
import type { Link, Session } from './session.ts';
import { type Staged, stage } from './stage.ts';
import {
  type Change,
  deleteOf,
  insertAgainOf,
  insertMissingOf,
  insertOf,
  numbersOf,
  stagedFor,
  stageOf,
  unstagingOf,
  updateOf,
} from './statements.ts';
import { type Table, type TableColumn, titleOf, uniqueOn } from './table.ts';
import { faultOf, givenOf } from './values.ts';
import { missingIndexOf, needsOf } from './verify.ts';
import { explainWrite, isOfRow, rejection } from './write-errors.ts';

const done: Outcome = { state: 'ok' };

/**
 * Writes a batch in a transaction; what is thrown has written nothing. One outcome per item, in order. Rows are first put
 * into a table of this connection alone, and go on from there by the match fields: `ON DUPLICATE KEY UPDATE` would take any
 * unique index of the table for a match, and change the wrong row.
 */
export async function writeBatch(
  session: Session,
  table: Table,
  batch: ObjectBatch,
  call: Call,
): Promise<readonly Outcome[]> {
  const [missing] = [...needsOf(table), ...missingIndexOf(table, batch)];
  if (missing !== undefined) {
    throw new ActivateError('CONFIG_INVALID', missing, {
      fix: 'Change it there, or write to another table.',
    });
  }
  const outcomes: Outcome[] = batch.items.map(() => done);
  const writer = new Writer(table, batch, call, outcomes);
  await session.write(call.signal, {
    before: (link) => writer.stage(link),
    work: (link, shapes) => writer.write(link, shapes),
    after: (link) => writer.tidy(link),
  });
  return outcomes;
}

/** Items that have the very same fields: what an item leaves out may not even be named in a statement. */
interface Shape {
  readonly change: Change;
  /** Numbers of rows, from 1 and without a gap: shape by shape. */
  readonly from: number;
  readonly to: number;
}

class Writer {
  private readonly table: Table;
  private readonly batch: ObjectBatch;
  private readonly call: Call;
  private readonly outcomes: Outcome[];
  private readonly staged: string;
  /** Which item has which number. */
  private readonly itemOf: number[] = [];

  constructor(table: Table, batch: ObjectBatch, call: Call, outcomes: Outcome[]) {
    this.table = table;
    this.batch = batch;
    this.call = call;
    this.outcomes = outcomes;
    this.staged = stagedFor(table);
  }

  async stage(link: Link): Promise<readonly Shape[]> {
    const { table, batch, staged } = this;
    const columns = namesOf(batch).map((name) => columnOf(table, name));
    const unique = uniqueOn(table, batch.match) === undefined ? [] : batch.match;
    await this.asked(link, stageOf(staged, columns, unique));
    const shapes: Shape[] = [];
    for (const { present, items } of shapesOf(columns, batch)) {
      const onlyIfEmpty = new Set(batch.fields.filter((field) => field.onlyIfEmpty).map(({ name }) => name));
      const change = { table, staged, columns: present, match: batch.match, onlyIfEmpty };
      const rows = items.flatMap((item) => this.rowOf(item, present));
      const from = rows[0]?.n;
      if (from === undefined) {
        continue;
      }
      await stage(link, change, rows, (n, failure) => this.refuse(n, failure)).catch((thrown: unknown) => {
        throw this.told(thrown);
      });
      shapes.push({ change, from, to: this.itemOf.length });
    }
    return shapes;
  }

  async write(link: Link, shapes: readonly Shape[]): Promise<void> {
    for (const { change, from, to } of shapes) {
      await this.writeRange(link, change, from, to);
    }
  }

  async tidy(link: Link): Promise<void> {
    await link.ask(unstagingOf(this.staged));
  }

  private rowOf(item: number, columns: readonly TableColumn[]): readonly Staged[] {
    const values = this.batch.items[item]?.values ?? {};
    for (const column of columns) {
      const reason = faultOf(column, values[column.name] ?? null);
      if (reason !== undefined) {
        this.outcomes[item] = { state: 'rejected', reason, field: column.name };
        return [];
      }
    }
    const n = this.itemOf.push(item);
    return [{ n, values: columns.map((column) => givenOf(column, values[column.name] ?? null)) }];
  }

  private refuse(n: number, failure: Failure): void {
    this.outcomes[this.itemOf[n - 1] as number] = rejection(failure, this.table, this.batch.operation);
  }

  /** All or nothing: which row was at fault the server does not always say. */
  private async writeRange(link: Link, change: Change, from: number, to: number): Promise<void> {
    await link.ask('SAVEPOINT here');
    try {
      await this.carryOut(link, change, from, to);
    } catch (thrown) {
      if (!isOfServer(thrown) || !isOfRow(thrown)) {
        throw this.told(thrown);
      }
      await link.ask('ROLLBACK TO SAVEPOINT here');
      if (from === to) {
        this.refuse(from, thrown);
        return;
      }
      const middle = Math.floor((from + to) / 2);
      await this.writeRange(link, change, from, middle);
      await this.writeRange(link, change, middle + 1, to);
    }
  }

  private async carryOut(link: Link, change: Change, from: number, to: number): Promise<void> {
    const { again } = this.call;
    switch (this.batch.operation) {
      case 'insert':
        if (change.match.length === 0) {
          await link.ask((again ? insertAgainOf : insertOf)(change, from, to));
          return;
        }
        // After an attempt whose end nobody knows, what is there is ours.
        if (!again) {
          await this.miss(link, change, from, to, 'there');
        }
        await link.ask(insertMissingOf(change, from, to));
        return;
      case 'update':
        await this.miss(link, change, from, to, 'missing');
        await this.update(link, change, from, to);
        return;
      case 'upsert':
        await this.update(link, change, from, to);
        await link.ask(insertMissingOf(change, from, to));
        return;
      case 'delete':
        await link.ask(deleteOf(change, from, to));
        return;
      default:
        this.batch.operation satisfies never;
    }
  }

  private async update(link: Link, change: Change, from: number, to: number): Promise<void> {
    const text = updateOf(change, from, to);
    if (text !== undefined) {
      await link.ask(text);
    }
  }

  private async miss(
    link: Link,
    change: Change,
    from: number,
    to: number,
    which: 'there' | 'missing',
  ): Promise<void> {
    const { match } = change;
    const key = match.join(' and ');
    const reason =
      which === 'there'
        ? `There is a row of ${titleOf(this.table)} with this ${key} already.`
        : `There is no row of ${titleOf(this.table)} with this ${key}.`;
    for (const [n] of await link.ask(numbersOf(change, from, to, which))) {
      const field = match.length === 1 ? { field: match[0] as string } : {};
      this.outcomes[this.itemOf[Number(n) - 1] as number] = { state: 'rejected', reason, ...field };
    }
  }

  private async asked(link: Link, text: string): Promise<void> {
    await link.ask(text).catch((thrown: unknown) => {
      throw this.told(thrown);
    });
  }

  private told(thrown: unknown): unknown {
    return isOfServer(thrown) ? explainWrite(thrown, this.table, this.batch.operation) : thrown;
  }
}

function namesOf({ operation, match, fields }: ObjectBatch): readonly string[] {
  return operation === 'delete' ? match : fields.map(({ name }) => name);
}

function shapesOf(
  columns: readonly TableColumn[],
  { items }: ObjectBatch,
): readonly { readonly present: readonly TableColumn[]; readonly items: readonly number[] }[] {
  const byFields = new Map<string, { readonly present: readonly TableColumn[]; readonly items: number[] }>();
  for (const [at, { values }] of items.entries()) {
    const present = columns.filter(({ name }) => values[name] !== undefined);
    const mask = present.map(({ name }) => name).join('\0');
    const shape = byFields.get(mask) ?? { present, items: [] };
    shape.items.push(at);
    byFields.set(mask, shape);
  }
  return [...byFields.values()];
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
