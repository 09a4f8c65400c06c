import type { Value } from '../../engine/contracts/destination.ts';
import type { TableColumn } from './table.ts';

/** What PostgreSQL does not hold, or would change unseen: U+0000, and halves of a surrogate pair. */
const unfit = /[\0\p{Cs}]/u;
/** The same as JSON writes it: an odd number of backslashes makes it an escape. */
const unfitEscape = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/i;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** A value as an element in the text of a PostgreSQL array. */
export function elementOf(column: TableColumn, value: Value): string {
  if (value === null) {
    return 'NULL';
  }
  if (typeof value === 'number' && column.category === 'N') {
    return String(value);
  }
  return quotedElement(textOf(column, value));
}

function quotedElement(text: string): string {
  return /["\\]/.test(text) ? `"${text.replaceAll(/["\\]/g, '\\$&')}"` : `"${text}"`;
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/** A value as COPY reads it. */
export function copyTextOf(column: TableColumn, value: Value): string {
  if (value === null) {
    return '\\N';
  }
  const text = textOf(column, value);
  return /[\\\t\n\r]/.test(text) ? text.replaceAll(/[\\\t\n\r]/g, (sign) => escapes[sign] ?? sign) : text;
}

/** A value in the text form of its column's type. */
function textOf(column: TableColumn, value: Exclude<Value, null>): string {
  if (column.type === 'json' || column.type === 'jsonb') {
    return JSON.stringify(value);
  }
  if (column.type === 'bytea' && typeof value === 'string') {
    return `\\x${Buffer.from(value, 'base64').toString('hex')}`;
  }
  if (column.category === 'A' && Array.isArray(value)) {
    return arrayText(value, column.element ?? '');
  }
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function arrayText(values: readonly Value[], element: string): string {
  const isJson = element === 'json' || element === 'jsonb';
  const parts = values.map((value) => {
    if (value === null) {
      return 'NULL';
    }
    if (Array.isArray(value) && !isJson) {
      return arrayText(value, element);
    }
    return quotedElement(isJson || typeof value === 'object' ? JSON.stringify(value) : String(value));
  });
  return `{${parts.join(',')}}`;
}

/** Why PostgreSQL can't hold this value as it is; undefined when it may. */
export function faultOf(column: TableColumn, value: Value): string | undefined {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') {
    return undefined;
  }
  if (column.type === 'bytea' && !(typeof value === 'string' && base64.test(value))) {
    return `${column.name} takes bytes, and this is no Base64 text of any.`;
  }
  const text = textOf(column, value);
  const isJson = column.type.startsWith('json') || column.element?.startsWith('json') === true;
  if (text.includes('\0') || (isJson && /\\u0000/.test(text) && unfitEscape.test(text))) {
    return `${column.name} holds the character U+0000, which PostgreSQL can't store.`;
  }
  if (unfit.test(text) || (isJson && unfitEscape.test(text))) {
    return `${column.name} holds half of a character (a lone surrogate), which PostgreSQL can't store.`;
  }
  return undefined;
}

/** Whether a look at the single values is worth the while, from all elements of a column together. */
export function mayBeUnfit(column: TableColumn, elements: string): boolean {
  return column.type === 'bytea' || unfit.test(elements) || /\\u(?:0000|d[89a-f])/i.test(elements);
}
