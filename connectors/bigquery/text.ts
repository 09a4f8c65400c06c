import type { Column, KeyOrder } from '../../engine/contracts/source.ts';

/** A field of a schema, as much of it as is gone by. */
export interface SchemaField {
  readonly name: string;
  readonly type: string;
  readonly mode?: string | undefined;
  readonly fields?: readonly SchemaField[] | undefined;
  readonly precision?: string | undefined;
  readonly scale?: string | undefined;
  readonly maxLength?: string | undefined;
}

/** A name as SQL takes it whatever is in it: with the escapes of a literal. */
export function quoted(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}

/** The REST interface keeps the names of an older SQL. */
const names: Readonly<Record<string, string>> = {
  INTEGER: 'INT64',
  FLOAT: 'FLOAT64',
  BOOLEAN: 'BOOL',
  RECORD: 'STRUCT',
};

const kinds: Readonly<Record<string, Column['type']>> = {
  INT64: 'number',
  FLOAT64: 'number',
  NUMERIC: 'number',
  BIGNUMERIC: 'number',
  BOOL: 'boolean',
  TIMESTAMP: 'time',
  DATETIME: 'time',
  DATE: 'time',
  TIME: 'time',
  BYTES: 'bytes',
  JSON: 'json',
  STRUCT: 'json',
  ARRAY: 'json',
};

export function columnOf(field: SchemaField): Column {
  const native = nativeOf(field);
  return { name: field.name, type: kinds[bare(native)] ?? 'text', native };
}

function nativeOf(field: SchemaField): string {
  const { mode, precision, scale, maxLength } = field;
  const type = names[field.type] ?? field.type;
  if (mode === 'REPEATED') {
    return `ARRAY<${nativeOf({ ...field, mode: undefined })}>`;
  }
  if (type === 'STRUCT') {
    return `STRUCT<${(field.fields ?? []).map((part) => `${part.name} ${nativeOf(part)}`).join(', ')}>`;
  }
  const size = maxLength ?? [precision, scale].filter((part) => part !== undefined).join(', ');
  return size === '' ? type : `${type}(${size})`;
}

function bare(native: string): string {
  return /^\w+/.exec(native)?.[0] ?? native;
}

/**
 * SQL for the exact text of a value, as PostgreSQL writes it, whatever the time zone of the project; NULL stays NULL.
 * FLOAT64 gets as many digits as it takes to read the same number back.
 */
export function textOf({ native }: Column, expression: string): string {
  switch (bare(native)) {
    case 'STRING':
      return expression;
    // By itself it writes “inf” and “nan”.
    case 'FLOAT64':
      return `CASE WHEN IS_NAN(${expression}) THEN 'NaN' WHEN IS_INF(${expression}) THEN IF(${expression} > 0, 'Infinity', '-Infinity') ELSE CAST(${expression} AS STRING) END`;
    // %Y would write the year 33 with two digits.
    case 'TIMESTAMP':
      return `FORMAT_TIMESTAMP('%E4Y-%m-%d %H:%M:%E*S+00', ${expression}, 'UTC')`;
    case 'DATETIME':
      return `FORMAT_DATETIME('%E4Y-%m-%d %H:%M:%E*S', ${expression})`;
    case 'DATE':
      return `FORMAT_DATE('%E4Y-%m-%d', ${expression})`;
    case 'TIME':
      return `FORMAT_TIME('%H:%M:%E*S', ${expression})`;
    case 'BYTES':
      return `CONCAT(r'\\x', TO_HEX(${expression}))`;
    case 'GEOGRAPHY':
      return `ST_ASTEXT(${expression})`;
    case 'JSON':
    case 'STRUCT':
    case 'ARRAY':
      // Of NULL it makes the text “null”.
      return `IF(${expression} IS NULL, NULL, TO_JSON_STRING(${expression}))`;
    default:
      return `CAST(${expression} AS STRING)`;
  }
}

export function orderOf({ native }: Column): KeyOrder {
  return native === 'INT64' ? 'numeric' : 'bytes';
}

/** A watermark as a value that compares with a column: never by way of FLOAT64, in which whole numbers get lost. */
export function momentOf({ native }: Column, value: string): string {
  switch (bare(native)) {
    case 'TIMESTAMP':
      return `TIMESTAMP '${value}'`;
    case 'DATETIME':
      return `DATETIME(TIMESTAMP '${value}', 'UTC')`;
    case 'DATE':
      return `DATE(TIMESTAMP '${value}', 'UTC')`;
    case 'INT64':
    case 'NUMERIC':
    case 'BIGNUMERIC':
    case 'FLOAT64':
      return `BIGNUMERIC '${value}'`;
    default:
      return `'${value}'`;
  }
}
