import type { Value } from '../../engine/contracts/destination.ts';
import type { Given } from './session.ts';
import type { TableColumn } from './table.ts';

/** A value as the server is given it. Numbers are digits, so that none is rounded on the way. */
export function givenOf({ type, fullType }: TableColumn, value: Value): Given {
  if (value === null) {
    return null;
  }
  if (typeof value === 'object') {
    return JSON.stringify(value);
  }
  switch (type) {
    case 'bit':
      return bitsOf(fullType, value);
    case 'binary':
    case 'varbinary':
    case 'tinyblob':
    case 'blob':
    case 'mediumblob':
    case 'longblob':
      return typeof value === 'string' ? Buffer.from(value, 'base64') : Buffer.from(String(value));
    case 'datetime':
    case 'timestamp':
      return timeOf(String(value));
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
    case 'decimal':
    case 'float':
    case 'double':
      return typeof value === 'boolean' ? (value ? '1' : '0') : String(value);
    case 'json':
      return JSON.stringify(value);
    default:
      return String(value);
  }
}

/** In UTC, as the connection is: MariaDB takes no letters and no shift in a time. */
function timeOf(text: string): string {
  return text.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d(?:\.\d+)?)(?:Z|\+00:00)$/, '$1 $2');
}

/** As bytes: a digit would be taken for the bits of its letter. What is too large is left to be refused. */
function bitsOf(fullType: string, value: string | number | boolean): Given {
  const digits = BigInt(value).toString(16);
  const length = Math.ceil(Number(/\d+/.exec(fullType)?.[0] ?? 1) / 8);
  return Buffer.from(digits.padStart(2 * Math.max(length, Math.ceil(digits.length / 2)), '0'), 'hex');
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Why a value can't be written to its column, in a sentence; undefined when the server has to say. */
export function faultOf({ name, type, notNull }: TableColumn, value: Value): string | undefined {
  if (value === null) {
    // MariaDB may fill a time that is emptied with that of the moment.
    return notNull ? `${name} can't be empty.` : undefined;
  }
  if (type === 'bit') {
    // Any other text would be taken for the bits of its letters.
    const isWhole = typeof value === 'boolean' || /^\d{1,20}$/.test(String(value));
    return isWhole ? undefined : `${name} takes a whole number that is not below 0.`;
  }
  if (typeof value !== 'string') {
    return undefined;
  }
  if (/blob|binary/.test(type)) {
    return base64.test(value) ? undefined : `${name} takes bytes, written in Base64.`;
  }
  return /\p{Cs}/u.test(value)
    ? `${name} has half of a sign in it, which the database would change.`
    : undefined;
}
