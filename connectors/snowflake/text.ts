import type { Column, KeyOrder } from '../../engine/contracts/source.ts';

/** What the SQL API says of a column. */
export interface RowType {
  readonly name: string;
  /** In small letters as documented; in capital ones it was seen, too. */
  readonly type: string;
  readonly precision?: number | null;
  readonly scale?: number | null;
}

const kinds: Readonly<Record<string, Column['type']>> = {
  NUMBER: 'number',
  DECIMAL: 'number',
  FLOAT: 'number',
  DECFLOAT: 'number',
  BOOLEAN: 'boolean',
  DATE: 'time',
  TIMESTAMP_NTZ: 'time',
  TIMESTAMP_LTZ: 'time',
  TIMESTAMP_TZ: 'time',
  VARIANT: 'json',
  OBJECT: 'json',
  ARRAY: 'json',
  MAP: 'json',
  VECTOR: 'json',
  BINARY: 'bytes',
};

/** The API's own names for what SQL names otherwise. */
const names: Readonly<Record<string, string>> = { FIXED: 'NUMBER', REAL: 'FLOAT', TEXT: 'VARCHAR' };

/** A column as we know it. A whole number is a NUMBER, one with places behind the point a DECIMAL, its other name. */
export function columnOf({ name, type, precision, scale }: RowType): Column {
  const upper = type.toUpperCase();
  const base = names[upper] ?? upper;
  const native =
    base !== 'NUMBER'
      ? base
      : (scale ?? 0) === 0
        ? `NUMBER(${precision ?? 38},0)`
        : `DECIMAL(${precision ?? 38},${scale ?? 0})`;
  return { name, type: kinds[baseOf(native)] ?? 'text', native };
}

function baseOf(native: string): string {
  return native.replace(/\(.*/, '');
}

/**
 * SQL for the exact text of a value, which no setting of the session can change: numbers as their digits, times in UTC as
 * PostgreSQL writes them, bytes in hexadecimal, JSON as its text. NULL stays NULL.
 */
export function textOf({ native }: Pick<Column, 'native'>, expression: string): string {
  switch (baseOf(native)) {
    case 'NUMBER':
    case 'DECIMAL':
    case 'DECFLOAT':
    case 'BOOLEAN':
      return `TO_VARCHAR(${expression})`;
    case 'FLOAT':
      return floatText(expression);
    case 'DATE':
      return `TO_CHAR(${expression}, 'YYYY-MM-DD')`;
    case 'TIME':
      return withoutZeros(`TO_CHAR(${expression}, 'HH24:MI:SS.FF9')`);
    case 'TIMESTAMP_NTZ':
      return withoutZeros(`TO_CHAR(${expression}, 'YYYY-MM-DD HH24:MI:SS.FF9')`);
    case 'TIMESTAMP_LTZ':
    case 'TIMESTAMP_TZ':
      return `CONCAT(${withoutZeros(`TO_CHAR(CONVERT_TIMEZONE('UTC', ${expression}), 'YYYY-MM-DD HH24:MI:SS.FF9')`)}, '+00')`;
    case 'BINARY':
      // A backslash in quotes would be read as the beginning of something.
      return `CONCAT(CHR(92), 'x', HEX_ENCODE(${expression}, 0))`;
    case 'VARIANT':
    case 'OBJECT':
    case 'ARRAY':
    case 'MAP':
      return `TO_JSON(TO_VARIANT(${expression}))`;
    case 'VECTOR':
      return `TO_JSON(TO_VARIANT(TO_ARRAY(${expression})))`;
    case 'GEOGRAPHY':
    case 'GEOMETRY':
      return `ST_ASEWKT(${expression})`;
    default:
      // A collation is part of a text's type, and would decide how it is sorted.
      return `COLLATE(TO_VARCHAR(${expression}), 'utf8')`;
  }
}

/** Nine places are always written, with the point before them. */
function withoutZeros(text: string): string {
  return `RTRIM(RTRIM(${text}, '0'), '.')`;
}

/** The short text where it means this very number, else all 17 digits: two numbers must not look alike. */
function floatText(expression: string): string {
  const short = `TO_VARCHAR(${expression})`;
  const long = `TRIM(TO_VARCHAR(${expression}, 'S9.9999999999999999EEEE'), ' +')`;
  return [
    `CASE WHEN ${expression} = 'inf'::FLOAT THEN 'Infinity'`,
    `WHEN ${expression} = '-inf'::FLOAT THEN '-Infinity'`,
    `WHEN TRY_TO_DOUBLE(${short}) = ${expression} THEN ${short} ELSE ${long} END`,
  ].join(' ');
}

/** How a key's column is sorted: whole numbers as such, all else by the bytes of its text. */
export function orderOf({ native }: Pick<Column, 'native'>): KeyOrder {
  return baseOf(native) === 'NUMBER' ? 'numeric' : 'bytes';
}
