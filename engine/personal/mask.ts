import type { Table } from '../contracts/source.ts';
import type { PersonalColumns, PersonalKind } from './columns.ts';

const dots = '•••';

/** One word's letter and nothing else of it. Short words would be guessed from it. */
function initial(word: string): string {
  const [first = ''] = word;
  return [...word].length > 2 && /\p{L}/u.test(first) ? `${first}${dots}` : dots;
}

function maskEmail(value: string): string {
  const at = value.lastIndexOf('@');
  const host = value.slice(at + 1);
  const dot = host.lastIndexOf('.');
  if (at < 0 || dot < 1) {
    return initial(value.trim());
  }
  const name = at > 2 ? value.slice(0, 1) : '';
  return `${name}${dots}@${dot > 2 ? host.slice(0, 1) : ''}${dots}${host.slice(dot)}`;
}

function maskDigits(value: string): string {
  const text = value.trim();
  const digits = text.replaceAll(/\D/g, '');
  const country = /^(?:\+|00)\d/.test(text) && digits.length >= 9 ? text.slice(0, 3) : '';
  return digits.length >= 6 ? `${country}${dots}${digits.slice(-2)}` : dots;
}

function maskId(value: string): string {
  const text = value.trim();
  return text.length >= 6 && /[\p{L}\d]{2}$/u.test(text) ? `${dots}${text.slice(-2)}` : dots;
}

function maskOther(value: string): string {
  if (/^\S+@\S+\.\S+$/.test(value)) {
    return maskEmail(value);
  }
  return /^[+\d][\d\s().-]*$/.test(value) ? maskDigits(value) : initial(value.trim());
}

/**
 * A value as those may see it who are not to know whose it is: enough to recognise it for whoever knows it already.
 * Nothing of a value that is so short that the rest could be guessed.
 */
export function maskValue(kind: PersonalKind, value: string): string {
  const text = value.trim() === '' ? value : maskAs(kind, value);
  return text !== '' && value.length > 3 && text.includes(value) ? dots : text;
}

function maskAs(kind: PersonalKind, value: string): string {
  switch (kind) {
    case 'email':
      return maskEmail(value);
    case 'phone':
      return maskDigits(value);
    case 'name':
      return value.trim().split(/\s+/).slice(0, 4).map(initial).join(' ');
    case 'address':
      return /^\d/.test(value.trim()) ? dots : initial(value.trim());
    case 'birth':
      return /^\d{4}-\d/.test(value) ? `${value.slice(0, 4)}-${dots}` : dots;
    case 'ip':
      return /^\d{1,3}\./.test(value) ? `${value.slice(0, value.indexOf('.'))}.${dots}` : dots;
    case 'id':
      return maskId(value);
    case 'other':
      return maskOther(value);
    default:
      return kind satisfies never;
  }
}

const emails =
  /(?<![\p{L}\p{N}_]|:\/\/)[\p{L}\p{N}_%+](?:[\p{L}\p{N}._%+'-])*@[\p{L}\p{N}][\p{L}\p{N}.-]*\.\p{L}{2,}/gu;
const phones = /(?<![\w+])(?:\+|00(?=[1-9]))\d[\d\s().-]{6,}\d/g;
const ibans = /(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?(?!\w)/g;

/**
 * A text without what tells by its shape who somebody is: e-mail addresses, telephone numbers with their country, bank
 * accounts. Ids and words stay.
 */
export function masked(text: string): string {
  return text.replaceAll(emails, maskEmail).replaceAll(ibans, maskId).replaceAll(phones, maskDigits);
}

/** One value of a column: masked when the column is personal, and else gone through. */
function maskCell(column: string, value: string, personal: PersonalColumns): string {
  const kind = personal.get(column);
  return kind === undefined ? masked(value) : maskValue(kind, value);
}

/** A row by the names of its columns, masked. NULL stays. */
export function maskRow(row: Row, personal: PersonalColumns): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value === null ? null : maskCell(name, value, personal),
    ]),
  );
}

/** A row as its values in the order of `columns`, masked. NULL stays. */
export function maskCells(
  values: readonly (string | null)[],
  columns: readonly string[],
  personal: PersonalColumns,
): readonly (string | null)[] {
  return values.map((value, at) => (value === null ? null : maskCell(columns[at] ?? '', value, personal)));
}

export function maskTable(table: Table, personal: PersonalColumns): Table {
  const names = table.columns.map(({ name }) => name);
  return { ...table, rows: table.rows.map((row) => maskCells(row, names, personal)) };
}

/** The key of a row as it is written, `eu / 42`, masked. */
export function maskKey(key: string, columns: readonly string[], personal: PersonalColumns): string {
  const parts = columns.length > 1 ? key.split(' / ') : [key];
  return parts.length === Math.max(1, columns.length)
    ? maskCells(parts, columns, personal).join(' / ')
    : masked(key);
}

/**
 * A text that was made of rows, masked: what stands in their personal columns is masked wherever it is found, in capitals
 * or not.
 */
export function maskText(text: string, rows: readonly Row[], personal: PersonalColumns): string {
  const values = rows
    .flatMap((row) => Object.entries(row))
    .flatMap(([name, value]) => {
      const kind = personal.get(name);
      return kind === undefined || value === null || value.trim().length < 3
        ? []
        : [[value.trim(), kind] as const];
    })
    .sort(([a], [b]) => b.length - a.length);
  const replaced = values.reduce(
    (left, [value, kind]) =>
      left.replaceAll(new RegExp(value.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'), 'giu'), () =>
        maskValue(kind, value),
      ),
    text,
  );
  return masked(replaced);
}

/** A row by the names of its columns; NULL as null. */
export type Row = Readonly<Record<string, string | null>>;
