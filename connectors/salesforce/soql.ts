import type { Connection, Field } from 'jsforce';
import { ActivateError } from '../../engine/contracts/errors.ts';

export type Row = Readonly<Record<string, unknown>>;

/** All rows of a query, over all its pages. `all` brings those in the recycle bin and the archive too. */
export async function rowsOf(api: Connection, soql: string, all = false): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const path = `/${all ? 'queryAll' : 'query'}?q=${encodeURIComponent(soql)}`;
  for (let next: string | undefined = path; next !== undefined; ) {
    const page: Page = await api.request<Page>(next);
    if (!Array.isArray(page?.records)) {
      throw new ActivateError('OUTCOME_UNKNOWN', 'Salesforce answered a query without records.');
    }
    rows.push(...page.records);
    next = page.nextRecordsUrl;
  }
  return rows;
}

interface Page {
  readonly records: readonly Row[];
  readonly nextRecordsUrl?: string;
}

const escapes: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\f': '\\f',
};

/** A text in SOQL. The backslash first of all: `\'` made of an unescaped `\` and an escaped `'` would end the text. */
export function quoted(text: string): string {
  return `'${text.replaceAll(/[\\'"]/g, '\\$&').replaceAll(/[\n\r\t\b\f]/g, (sign) => escapes[sign] ?? sign)}'`;
}

/** A value as SOQL compares it with this field; undefined when it can be no value of it, and so finds nothing. */
function literalOf({ type }: Field, text: string): string | undefined {
  switch (type) {
    case 'int':
    case 'double':
    case 'currency':
    case 'percent':
      return /^[-+]?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(text) ? text : undefined;
    case 'date':
      return /^\d{4}-\d\d-\d\d$/.test(text) ? text : undefined;
    case 'datetime':
      return /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(text) ? text : undefined;
    case 'boolean':
      return /^(true|false)$/.test(text) ? text : undefined;
    case 'id':
    case 'reference':
      return isId(text) ? quoted(text) : undefined;
    default:
      return quoted(text);
  }
}

/** Whether it can be an Id at all: Salesforce refuses a whole query for one that can't. */
export function isId(text: string): boolean {
  return /^[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?$/.test(text);
}

/** Under which two values of a field are the same to Salesforce, as far as we can tell. */
export function sameAs({ type, caseSensitive }: Field, value: unknown): string {
  const text = String(value).trim();
  switch (type) {
    case 'id':
    case 'reference':
      // 18 characters are the 15 and a checksum.
      return text.slice(0, 15);
    case 'int':
    case 'double':
    case 'currency':
    case 'percent':
      return String(Number(text));
    default:
      return caseSensitive ? text : text.toLowerCase();
  }
}

const mostValues = 200;
/** Encoded; Salesforce takes addresses of 16 KB. */
const mostCharacters = 12_000;

/** Records whose field has one of these values, by {@link sameAs} of the value. `select` adds fields to read. */
export async function findBy(
  api: Connection,
  object: string,
  field: Field,
  values: readonly string[],
  select: readonly string[] = [],
): Promise<ReadonlyMap<string, readonly Row[]>> {
  const found = new Map<string, Row[]>();
  const names = [...new Set(['Id', field.name, ...select])].join(', ');
  const literals = [...new Set(values)].flatMap((value) => literalOf(field, value) ?? []);
  for (const some of inQueries(literals)) {
    const soql = `SELECT ${names} FROM ${object} WHERE ${field.name} IN (${some.join(', ')})`;
    for (const row of await rowsOf(api, soql)) {
      const name = sameAs(field, row[field.name]);
      found.set(name, [...(found.get(name) ?? []), row]);
    }
  }
  return found;
}

function inQueries(literals: readonly string[]): readonly (readonly string[])[] {
  const queries: string[][] = [];
  let room = 0;
  for (const literal of literals) {
    const size = encodeURIComponent(literal).length + 6;
    const last = queries.at(-1);
    if (last === undefined || last.length >= mostValues || size > room) {
      queries.push([literal]);
      room = mostCharacters - size;
    } else {
      last.push(literal);
      room -= size;
    }
  }
  return queries;
}
