import type { Operation, Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { type Failure, isPassing } from './errors.ts';
import { nameOf, type Table, titleOf } from './table.ts';

/**
 * Whether a single row is at fault: its values, or what a rule or a trigger of the table makes of them. By number alone:
 * `mysql2` calls what MariaDB says by other names.
 */
export function isOfRow({ errno = 0, sqlState = '' }: Failure): boolean {
  return rowErrors.includes(errno) || (sqlState.startsWith('45') && errno >= 1644);
}

const rowErrors: readonly number[] = [
  1048, 1062, 1216, 1217, 1264, 1265, 1292, 1364, 1365, 1366, 1367, 1406,
].concat([1411, 1416, 1439, 1441, 1451, 1452, 1586, 1644, 1690, 1771, 3140, 3144, 3156, 3819, 4025, 4078]);

/** What the server says as it ends the connection; where it can be seen before, it is about the row. */
export const tooLarge = 1153;

/** Column and row that the server names at the end of its sentence; before that, the sentence may hold values. */
export function placeIn({
  sqlMessage = '',
}: Failure): { readonly column: string; readonly row: number } | undefined {
  const [, column, row] = /column (?:`[^`]*`\.)*[`']([^`']+)[`'] at row (\d+)$/.exec(sqlMessage) ?? [];
  return column === undefined ? undefined : { column, row: Number(row) };
}

/** Why a row was refused. The sentence of the server is not repeated: it holds values. */
export function rejection(failure: Failure, table: Table, operation: Operation): Outcome {
  // MariaDB calls the rule of a single column `table.column`.
  const rule = ruleIn(failure)?.replace(`${table.name}.`, '');
  const columns = columnsOf(failure, table, rule);
  const field = columns.length === 1 ? { field: columns[0] as string } : {};
  return { state: 'rejected', reason: reasonOf(failure, table, operation, columns, rule), ...field };
}

/** The index or constraint that was broken. */
function ruleIn({ errno, sqlMessage = '' }: Failure): string | undefined {
  switch (errno) {
    case 1062:
    case 1586:
      return /for key '(?:[^'.]*\.)?([^']+)'$/.exec(sqlMessage)?.[1];
    case 1451:
    case 1452:
      return /CONSTRAINT `([^`]+)` FOREIGN KEY/.exec(sqlMessage)?.[1];
    case 3819:
      return /^Check constraint '([^']+)'/.exec(sqlMessage)?.[1];
    case 4025:
      return /^CONSTRAINT `(?:[^`]*`\.`)*([^`]+)`/.exec(sqlMessage)?.[1];
    default:
      return undefined;
  }
}

function columnsOf(failure: Failure, table: Table, rule: string | undefined): readonly string[] {
  if (rule !== undefined) {
    const named = [...table.constraints, ...table.indexes].find(({ name }) => name === rule);
    return named?.columns ?? table.columns.filter(({ name }) => name === rule).map(({ name }) => name);
  }
  const { errno, sqlMessage = '' } = failure;
  const named =
    errno === 1048 || errno === 1364
      ? /^(?:Column|Field) '([^']+)'/.exec(sqlMessage)?.[1]
      : placeIn(failure)?.column;
  return named === undefined ? [] : [named];
}

function reasonOf(
  { errno = 0 }: Failure,
  table: Table,
  operation: Operation,
  columns: readonly string[],
  broken: string | undefined,
): string {
  const title = titleOf(table);
  const names = columns.length === 0 ? 'A value' : columns.join(' and ');
  const rule = broken === undefined ? '' : ` (${broken})`;
  switch (errno) {
    case 1048:
      return `${names} can't be empty in ${title}.`;
    case 1364:
      return `${names} of ${title} is empty, and has nothing to be filled with.`;
    case 1062:
    case 1586:
      return `Another row of ${title} has the same ${columns.length === 0 ? 'values' : names}${rule}.`;
    case 1216:
    case 1452:
      return `${names} of ${title} refers to a row that is not there${rule}.`;
    case 1217:
    case 1451:
      return operation === 'delete'
        ? `Other rows still refer to this row of ${title}${rule}.`
        : `Other rows refer to this row of ${title} by what would change${rule}.`;
    case 3819:
    case 4025:
      return `The row breaks a rule of ${title}${rule}.`;
    case 1406:
    case 1441:
      return `${names} is too long for ${title}.`;
    case 1264:
    case 1690:
      return `${names} is a number out of range for ${title}.`;
    case 1265:
    case 1292:
    case 1366:
    case 1367:
    case 1411:
      return `${names} does not have the form that ${title} takes.`;
    case 3140:
      return `${names} is no JSON.`;
    case tooLarge:
      return 'The row is larger than the database takes at once (max_allowed_packet).';
    case 1644:
      return `A trigger of ${title} refused the row.`;
    default:
      return `${title} does not take a value of the row (error ${errno}).`;
  }
}

/** Their sentences name tables, columns and users, and hold no values. */
const plain: readonly number[] = [
  1054, 1064, 1142, 1143, 1146, 1227, 1305, 1348, 1356, 1370, 1449, 1471, 1665, 1794,
];

/** What an error of the server means that is not about single rows. */
export function explainWrite(failure: Failure, table: Table, operation: Operation): ActivateError {
  const { errno = 0, sqlMessage = '' } = failure;
  const title = titleOf(table);
  const says = plain.includes(errno) ? `: ${sqlMessage}.` : ` (error ${errno}).`;
  const cause = `errno ${errno}`;
  if (errno === 1290 || errno === 1836 || errno === 1792) {
    return new ActivateError('UNAVAILABLE', 'The database takes no changes now: it is read-only.', {
      fix: 'It is tried again by itself. If this is a replica, connect to the primary server.',
      cause,
    });
  }
  if (isPassing(errno)) {
    return new ActivateError('UNAVAILABLE', `The database can't write to ${title} now (error ${errno}).`, {
      fix: 'It is tried again by itself.',
      cause,
    });
  }
  if (errno === 1044 || errno === 1142 || errno === 1143) {
    return new ActivateError(
      'PERMISSION_DENIED',
      `The database does not let this user write to ${title}${says}`,
      {
        fix: `Run: ${grantOf(table, operation)}`,
        cause,
      },
    );
  }
  if (errno === 1146) {
    return new ActivateError('NOT_FOUND', `There is no table ${title} (any more).`);
  }
  return new ActivateError('CONFIG_INVALID', `The database can't write to ${title}${says}`, {
    fix: 'Compare the mapping with the table as it is now.',
    cause,
  });
}

/** Statements that give the rights to write like this. */
function grantOf(table: Table, operation: Operation): string {
  const needed = {
    insert: 'SELECT, INSERT',
    update: 'SELECT, UPDATE',
    upsert: 'SELECT, INSERT, UPDATE',
    delete: 'SELECT, DELETE',
  };
  const to = table.user;
  return `GRANT ${needed[operation]} ON ${titleOf(table)} TO ${to}; GRANT CREATE TEMPORARY TABLES ON ${nameOf(table.database)}.* TO ${to};`;
}
