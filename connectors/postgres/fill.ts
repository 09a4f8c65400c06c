import type { Item, LineBatch, ObjectBatch } from '../../engine/contracts/destination.ts';
import { copyTextOf, elementOf, mayBeUnfit } from './elements.ts';
import type { Failure } from './errors.ts';
import type { Hope } from './hope.ts';
import { anyThereOf, type Change, copyOf } from './statements.ts';
import { uniqueOn } from './table.ts';
import type { Transaction } from './transaction.ts';
import { explainWrite, isOfRow } from './write-errors.ts';

/** Rows that are looked for to guess whether all are new, and the number of rows from which that pays. */
const samples = 20;
const copiedFrom = 1000;

/**
 * Writes rows that seem to be new to the table by COPY, which costs the server less than half of a statement that looks
 * for each of them. False when it did not come to that, or when one of them was there or was refused: then nothing is
 * written, and who is at fault is for others to find out.
 */
export async function filledByCopy(
  transaction: Transaction,
  { operation, items }: ObjectBatch,
  change: Change,
  rows: readonly number[],
  hope: Hope,
): Promise<boolean> {
  if (rows.length < copiedFrom || !canCopy(operation, change)) {
    return false;
  }
  if (!(await hope.isAllNew(() => isNoneThere(transaction, change, rows, items)))) {
    return false;
  }
  const text = rows.map((row) => lineOf(change, items[row]?.values ?? {})).join('');
  if (change.columns.some((column) => mayBeUnfit(column, text))) {
    return false;
  }
  return copied(transaction, change, operation, [Buffer.from(text, 'utf8')], hope);
}

/** {@link filledByCopy} for rows as their source wrote them: COPY reads the very text that they are in. */
export async function filledByLines(
  transaction: Transaction,
  { operation, lines, rows }: LineBatch,
  change: Change,
  hope: Hope,
): Promise<boolean> {
  if (rows < copiedFrom || !canCopy(operation, change)) {
    return false;
  }
  const each = Math.ceil(samples / lines.length);
  const items = lines.flatMap((piece) => sampleOf(piece, each, change));
  const places = items.map((_, i) => i);
  if (!(await hope.isAllNew(() => isNoneThere(transaction, change, places, items)))) {
    return false;
  }
  return copied(transaction, change, operation, lines, hope);
}

/** About so many of the lines as items that have the match fields. */
function sampleOf(lines: Buffer, wanted: number, { columns, match }: Change): readonly Item[] {
  const items: Item[] = [];
  const step = Math.max(1, Math.floor(lines.length / wanted));
  for (let at = 0; at >= 0 && at < lines.length; at = lines.indexOf(0x0a, at + step) + 1 || -1) {
    const values = lines.toString('utf8', at, lines.indexOf(0x0a, at)).split('\t');
    const found = columns.flatMap(({ name }, i) => (match.includes(name) ? [[name, values[i] ?? '']] : []));
    // What is written with a backslash would have to be read first, and there are others.
    if (!found.some(([, value]) => value?.includes('\\'))) {
      items.push({ key: '', values: Object.fromEntries(found) as Record<string, string> });
    }
  }
  return items;
}

async function copied(
  transaction: Transaction,
  change: Change,
  operation: ObjectBatch['operation'],
  pieces: readonly Buffer[],
  hope: Hope,
): Promise<boolean> {
  try {
    await transaction.copy(copyOf(change), pieces);
    return true;
  } catch (thrown) {
    const failure = thrown as Failure;
    if (failure.severity === undefined) {
      throw thrown;
    }
    // Elsewhere a bad row is no reason to give up: the next batches are as new.
    if (failure.code === '23505' || !isOfRow(failure)) {
      hope.giveUp();
    }
    const refused = isOfRow(failure) || failure.code?.startsWith('0A') === true;
    if (!refused) {
      throw explainWrite(failure, change, operation);
    }
    return false;
  }
}

/** COPY obeys neither rules nor row level security. */
function canCopy(operation: ObjectBatch['operation'], { table, match, columns }: Change): boolean {
  const findsRows = match.length === 0 || uniqueOn(table, match) !== undefined;
  const makesRows = operation === 'insert' || operation === 'upsert';
  return (
    makesRows &&
    findsRows &&
    !table.rules &&
    !table.rowSecurity &&
    columns.every(({ type }) => type !== 'bytea')
  );
}

async function isNoneThere(
  transaction: Transaction,
  change: Change,
  rows: readonly number[],
  items: readonly Item[],
): Promise<boolean> {
  if (change.match.length === 0) {
    return true;
  }
  const columns = change.columns.filter(({ name }) => change.match.includes(name));
  const step = Math.ceil(rows.length / samples);
  const some = rows.filter((_, i) => i % step === 0);
  const lists = columns.map((column) => {
    const elements = some.map((row) => elementOf(column, items[row]?.values[column.name] ?? null));
    return `{${elements.join(',')}}`;
  });
  const found = await transaction.attempt(anyThereOf({ ...change, columns }), lists).catch(refusedAs);
  return found?.length === 0;
}

/** A key of the wrong type: that is told when its row is written. */
function refusedAs(thrown: unknown): undefined {
  if ((thrown as Failure).severity === undefined) {
    throw thrown;
  }
}

function lineOf({ columns }: Change, values: Item['values']): string {
  let line = '';
  for (const column of columns) {
    line += line === '' ? '' : '\t';
    line += copyTextOf(column, values[column.name] ?? null);
  }
  return `${line}\n`;
}
