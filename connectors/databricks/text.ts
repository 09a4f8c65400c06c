import type { Column, KeyOrder } from '../../engine/contracts/source.ts';

const kinds: Readonly<Record<string, Column['type']>> = {
  TINYINT: 'number',
  SMALLINT: 'number',
  INT: 'number',
  BIGINT: 'number',
  FLOAT: 'number',
  DOUBLE: 'number',
  DECIMAL: 'number',
  BOOLEAN: 'boolean',
  DATE: 'time',
  TIMESTAMP: 'time',
  TIMESTAMP_NTZ: 'time',
  ARRAY: 'json',
  MAP: 'json',
  STRUCT: 'json',
  VARIANT: 'json',
  OBJECT: 'json',
  BINARY: 'bytes',
};

/** A column by what the API says of it: its name, and its type as SQL writes it, as `DECIMAL(10,2)`. */
export function columnOf({ name, type_text: native }: { name: string; type_text: string }): Column {
  return { name, type: kinds[baseOf(native)] ?? 'text', native };
}

function baseOf(native: string): string {
  return (/^[A-Za-z_]+/.exec(native)?.[0] ?? '').toUpperCase();
}

/** How times are written inside of JSON, whatever the time zone of the session. */
const times = "'timeZone', 'UTC', 'timestampFormat', 'yyyy-MM-dd HH:mm:ss.SSSSSS";

/**
 * SQL for the exact text of a value, which no setting of the session can change: numbers as their digits, times in UTC as
 * PostgreSQL writes them, bytes in hexadecimal, JSON as its text. NULL stays NULL.
 */
export function textOf({ native }: Pick<Column, 'native'>, expression: string): string {
  switch (baseOf(native)) {
    case 'DECIMAL': {
      // By CAST small ones may come with an exponent, where ANSI mode is off.
      const [, scale = '0'] = /,\s*(\d+)/.exec(native) ?? [];
      return `replace(format_number(${expression}, ${scale}), ',', '')`;
    }
    case 'TIMESTAMP': {
      // CAST and date_format write it in the time zone of the session; to_json can be told which.
      const json = `to_json(named_struct('v', ${expression}), map(${times}'))`;
      return `concat(rtrim('.', rtrim('0', get_json_object(${json}, '$.v'))), '+00')`;
    }
    case 'BINARY':
      // A backslash in quotes would be read as the beginning of something.
      return `concat(char(92), 'x', lower(hex(${expression})))`;
    case 'ARRAY':
    case 'MAP':
    case 'STRUCT':
      return `to_json(${expression}, map('ignoreNullFields', 'false', ${times}XXX'))`;
    case 'VARIANT':
    case 'OBJECT':
      return `to_json(${expression})`;
    case 'GEOGRAPHY':
    case 'GEOMETRY':
      return `st_asewkt(${expression})`;
    default:
      // A collation is part of a text's type, and would decide how it is sorted.
      return / COLLATE /i.test(native)
        ? `CAST(${expression} AS STRING) COLLATE UTF8_BINARY`
        : `CAST(${expression} AS STRING)`;
  }
}

/** How a key's column is sorted: whole numbers as such, all else by the bytes of its text. */
export function orderOf({ native }: Pick<Column, 'native'>): KeyOrder {
  return /^(TINYINT|SMALLINT|INT|BIGINT)$/.test(baseOf(native)) ? 'numeric' : 'bytes';
}
