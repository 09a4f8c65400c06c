import type { Item, Operation, Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { type Failure, passing } from './errors.ts';
import type { Change } from './statements.ts';
import { type TableColumn, titleOf } from './table.ts';

/** Whether a single row is at fault: its values, or what a rule or a trigger of the table makes of them. */
export function isOfRow({ code = '', routine }: Failure): boolean {
  // Row level security has no code of its own: the server's own function tells it from a missing right.
  return /^(21000|22|23|27|44000|54000|P0001|P0004)/.test(code) || routine === 'ExecWithCheckOptions';
}

/** Why a lone row was refused. Neither the message nor the detail of PostgreSQL is repeated: both may hold values. */
export function rejection(
  failure: Failure,
  change: Change,
  operation: Operation,
  values: Item['values'],
): Outcome {
  const columns = columnsOf(failure, change, values);
  const field = columns.length === 1 ? { field: columns[0] as string } : {};
  return { state: 'rejected', reason: reasonOf(failure, change, operation, columns), ...field };
}

/** The columns that an error is about, as far as it says so. */
function columnsOf(failure: Failure, { table, columns }: Change, values: Item['values']): readonly string[] {
  if (failure.column !== undefined) {
    return [failure.column];
  }
  if (failure.constraint !== undefined) {
    const named = [...table.constraints, ...table.indexes].find(({ name }) => name === failure.constraint);
    return named?.columns ?? [];
  }
  const parameter = /\$(\d+)/.exec(failure.where ?? '')?.[1];
  if (parameter !== undefined && failure.code?.startsWith('22') === true) {
    return columns.slice(Number(parameter) - 1, Number(parameter)).map(({ name }) => name);
  }
  // Of these two the server does not name the column.
  if (failure.code === '22001') {
    const tooLong = ({ name, maxLength }: TableColumn): boolean =>
      maxLength !== null && [...String(values[name] ?? '')].length > maxLength;
    return columns.filter(tooLong).map(({ name }) => name);
  }
  const limited = columns.filter(({ fullType, type }) => type === 'numeric' && fullType !== type);
  return failure.code === '22003' && limited.length === 1 ? limited.map(({ name }) => name) : [];
}

function reasonOf(
  { code = '', constraint }: Failure,
  { table }: Change,
  operation: Operation,
  columns: readonly string[],
): string {
  const title = titleOf(table);
  const names = columns.length === 0 ? 'A value' : columns.join(' and ');
  const rule = constraint === undefined ? '' : ` (${constraint})`;
  switch (code) {
    case '23502':
      return `${names} can't be empty in ${title}.`;
    case '23503':
      return operation === 'delete'
        ? `Other rows still refer to this row of ${title}${rule}.`
        : `${names} of ${title} refers to a row that is not there${rule}.`;
    case '23505':
      return `Another row of ${title} has the same ${columns.length === 0 ? 'values' : names}${rule}.`;
    case '23514':
      return `The row breaks a rule of ${title}${rule}.`;
    case '23P01':
      return `The row collides with another row of ${title}${rule}.`;
    case '22001':
      return `${names} is too long for ${title}.`;
    case '22003':
      return `${names} is a number out of range for ${title}.`;
    case '22007':
    case '22008':
      return `${names} is no date or time that ${title} takes.`;
    case '22P02':
      return `${names} does not have the form that ${title} takes.`;
    case '42501':
      return `Row level security of ${title} does not let this row be written.`;
    case '54000':
      return `A value of the row is too large for an index of ${title}.`;
    default:
      return code.startsWith('P0')
        ? `A trigger of ${title} refused the row (PostgreSQL's code ${code}).`
        : `${title} does not take a value of the row (PostgreSQL's code ${code}).`;
  }
}

/** What an error of the server means that is not about single rows. */
export function explainWrite(failure: Failure, change: Change, operation: Operation): ActivateError {
  const { code = '', message } = failure;
  const title = titleOf(change.table);
  if (code === '25006') {
    return new ActivateError('UNAVAILABLE', 'PostgreSQL takes no changes now: it is read-only.', {
      fix: 'It is tried again by itself. If this is a standby server, connect to the primary one.',
    });
  }
  if (code === '57014') {
    return new ActivateError('UNAVAILABLE', `Writing to ${title} took too long, or was canceled there.`, {
      fix: 'It is tried again by itself. Look for locks and slow triggers at the table.',
    });
  }
  if (passing.test(code)) {
    return new ActivateError('UNAVAILABLE', `PostgreSQL can't write to ${title} now: ${message}.`, {
      fix: 'It is tried again by itself.',
    });
  }
  if (code === '42501') {
    return new ActivateError('PERMISSION_DENIED', `PostgreSQL says: ${message}.`, {
      fix: `Run: ${grantOf(change, operation)}`,
    });
  }
  if (code === '42P01' || code === '3F000') {
    return new ActivateError('NOT_FOUND', `There is no table ${title} (any more).`);
  }
  return new ActivateError('CONFIG_INVALID', `PostgreSQL can't write to ${title}: ${message}.`, {
    fix: 'Compare the mapping with the table as it is now.',
  });
}

/** The statement that gives the right to write like this. */
export function grantOf({ table }: Pick<Change, 'table'>, operation: Operation): string {
  return `GRANT ${neededFor(operation).join(', ')} ON ${titleOf(table)} TO ${table.role};`;
}

export function neededFor(operation: Operation): readonly ('SELECT' | 'INSERT' | 'UPDATE' | 'DELETE')[] {
  switch (operation) {
    case 'insert':
      return ['SELECT', 'INSERT'];
    case 'update':
      return ['SELECT', 'UPDATE'];
    case 'upsert':
      return ['SELECT', 'INSERT', 'UPDATE'];
    case 'delete':
      return ['SELECT', 'DELETE'];
    default:
      return operation satisfies never;
  }
}
