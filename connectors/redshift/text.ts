import type { Column, KeyOrder } from '../../engine/contracts/source.ts';

interface Type {
  readonly kind: Column['type'];
  readonly native: string;
  /** Has a length, or digits in all and behind the point. */
  readonly sized?: 'length' | 'digits';
}

/** By the numbers that the wire protocol knows types by. What is missing is text. */
const types: Readonly<Record<number, Type>> = {
  16: { kind: 'boolean', native: 'boolean' },
  20: { kind: 'number', native: 'bigint' },
  21: { kind: 'number', native: 'smallint' },
  23: { kind: 'number', native: 'integer' },
  700: { kind: 'number', native: 'real' },
  701: { kind: 'number', native: 'double precision' },
  1042: { kind: 'text', native: 'character', sized: 'length' },
  1043: { kind: 'text', native: 'character varying', sized: 'length' },
  1082: { kind: 'time', native: 'date' },
  1083: { kind: 'time', native: 'time without time zone' },
  1114: { kind: 'time', native: 'timestamp without time zone' },
  1184: { kind: 'time', native: 'timestamp with time zone' },
  1188: { kind: 'text', native: 'interval year to month' },
  1190: { kind: 'text', native: 'interval day to second' },
  1266: { kind: 'time', native: 'time with time zone' },
  1700: { kind: 'number', native: 'numeric', sized: 'digits' },
  3000: { kind: 'text', native: 'geometry' },
  3001: { kind: 'text', native: 'geography' },
  4000: { kind: 'json', native: 'super' },
  6551: { kind: 'bytes', native: 'varbyte' },
};

/** A column as the server describes it. `modifier` is the type's size as PostgreSQL packs it, negative for none. */
export function columnOf(name: string, oid: number, modifier: number): Column {
  const { kind, native, sized } = types[oid] ?? { kind: 'text', native: oid === 705 ? 'unknown' : 'text' };
  const size = modifier - 4;
  if (sized === undefined || size < 0) {
    return { name, type: kind, native };
  }
  const inside = sized === 'length' ? `${size}` : `${size >> 16},${size & 0xffff}`;
  return { name, type: kind, native: `${native}(${inside})` };
}

/**
 * SQL for the exact text of a value, as PostgreSQL writes it, whatever time zone or style of dates is set; NULL stays
 * NULL. Blanks at the end of a `character` are none of its value.
 */
export function textOf({ native }: Column, expression: string): string {
  switch (native) {
    case 'boolean':
      // There is no cast from one to text.
      return `CASE WHEN ${expression} THEN 'true' WHEN NOT ${expression} THEN 'false' END`;
    case 'date':
      return `TO_CHAR(${expression}, 'YYYY-MM-DD')`;
    case 'timestamp without time zone':
      return momentText(expression);
    case 'timestamp with time zone':
      return `${momentText(`(${expression} AT TIME ZONE 'UTC')`)} || '+00'`;
    case 'super':
      return `JSON_SERIALIZE(${expression})`;
    case 'varbyte':
      // A backslash in a literal would be an escape.
      return `CHR(92) || 'x' || LOWER(FROM_VARBYTE(${expression}, 'hex'))`;
    case 'geometry':
    case 'geography':
      return `ST_AsText(${expression})`;
    default:
      return native.startsWith('character varying') ? expression : `${expression}::varchar`;
  }
}

/** Without zeros at the end of the fraction, and without a fraction that is none. */
function momentText(expression: string): string {
  return `RTRIM(RTRIM(TO_CHAR(${expression}, 'YYYY-MM-DD HH24:MI:SS.US'), '0'), '.')`;
}

/** How a key column is sorted: integers as numbers, all else by the bytes of its text. */
export function orderOf({ native }: Column): KeyOrder {
  return /^(smallint|integer|bigint)$/.test(native) ? 'numeric' : 'bytes';
}

/** A watermark, given as digits or as a time in UTC, as a value that compares with a column. */
export function momentOf({ type, native }: Column, value: string): string {
  if (type === 'number') {
    return value;
  }
  const time = value.replace('T', ' ').replace(/Z$/, '');
  switch (native) {
    case 'timestamp with time zone':
      return `'${time}+00'::timestamptz`;
    case 'timestamp without time zone':
      return `'${time}'::timestamp`;
    case 'date':
      return `'${time.slice(0, 10)}'::date`;
    default:
      return `'${value}'`;
  }
}
