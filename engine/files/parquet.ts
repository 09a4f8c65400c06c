import { ByteWriter, type ColumnSource, ParquetWriter, type SchemaElement } from 'hyparquet-writer';
import { ActivateError } from '../contracts/errors.ts';
import type { Column } from '../contracts/source.ts';
import { naturalOf, Refused } from '../mapping/convert.ts';
import type { RowValues } from '../mapping/mapper.ts';
import { isArray, jsonTextOf, plainTextOf } from './values.ts';

/** A row group ends at whichever comes first: what memory holds, and what readers skip by. */
const groupRows = 100_000;
const groupCharacters = 16 * 1024 * 1024;

interface Typed {
  readonly element: SchemaElement;
  /** What the footer calls it, where that is not what it is written as. */
  readonly footer?: SchemaElement;
  readonly value: (text: string) => unknown;
  /** Smallest and largest value of each group, by which readers skip; not for what has no useful order. */
  readonly statistics: boolean;
}

/**
 * Rows as Parquet with Snappy, a column for each. Exact: whole numbers are INT64, `numeric(p,s)` DECIMAL, `numeric`
 * without digits text, times microseconds. One row group is in memory at a time; the same rows give the same bytes.
 * Throws INPUT_INVALID for a value that its column's type has no room for (the time `infinity`, say).
 */
export async function* encodeParquet(
  rows: AsyncIterable<RowValues>,
  columns: readonly Column[],
): AsyncGenerator<Uint8Array> {
  const typed = columns.map(typeOf);
  const bytes = new ByteWriter();
  const root = { name: 'root', num_children: columns.length };
  const writer = new ParquetWriter({
    writer: bytes,
    createdBy: 'activate',
    schema: [root, ...typed.map(({ element }) => element)],
  });
  const group = createGroup(typed);
  for await (const row of rows) {
    group.add(row);
    if (group.isFull()) {
      await writer.write({ columnData: group.take(), rowGroupSize: groupRows });
      yield takeBytes(bytes);
    }
  }
  if (!group.isEmpty()) {
    await writer.write({ columnData: group.take(), rowGroupSize: groupRows });
  }
  writer.schema = [root, ...typed.map(({ element, footer = element }) => footer)];
  await writer.finish();
  yield takeBytes(bytes);
}

/** What was written since the last time. The writer counts on from there by itself. */
function takeBytes(writer: ByteWriter): Uint8Array {
  const taken = writer.getBytes().slice();
  writer.index = 0;
  return taken;
}

function createGroup(typed: readonly Typed[]) {
  let values: unknown[][] = typed.map(() => []);
  let characters = 0;
  let count = 0;
  return {
    isFull: () => count >= groupRows || characters >= groupCharacters,
    isEmpty: () => count === 0,
    add: (row: RowValues): void => {
      count += 1;
      for (const [at, { value }] of typed.entries()) {
        const text = row[at] ?? null;
        characters += text?.length ?? 0;
        values[at]?.push(text === null ? null : value(text));
      }
    },
    take: () => {
      const columnData = typed.map(({ element, statistics }, at) => ({
        name: element.name,
        data: (values[at] ?? []) as ColumnSource['data'],
        statistics,
      }));
      values = typed.map(() => []);
      characters = 0;
      count = 0;
      return columnData;
    },
  };
}

function typeOf(column: Column): Typed {
  if (isArray(column)) {
    return jsonType(column);
  }
  switch (column.type) {
    case 'number':
      return numberType(column);
    case 'boolean': {
      const value = natural(column);
      return { element: element(column, { type: 'BOOLEAN' }), value, statistics: true };
    }
    case 'time':
      return timeType(column);
    case 'json':
      return jsonType(column);
    case 'bytes':
      return {
        element: element(column, { type: 'BYTE_ARRAY' }),
        value: (text) => Buffer.from(text.replace(/^\\x/, ''), 'hex'),
        statistics: false,
      };
    case 'text':
      return textType(column);
    default:
      return column.type satisfies never;
  }
}

/** INT64 holds 18 digits whatever they are; 16 bytes hold 38. */
const digitsOfInt64 = 18;
const digitsOf16Bytes = 38;

function numberType(column: Column): Typed {
  if (/^(smallint|integer|bigint)$/.test(column.native)) {
    return { element: element(column, { type: 'INT64' }), value: BigInt, statistics: true };
  }
  if (/^(real|double precision)$/.test(column.native)) {
    return { element: element(column, { type: 'DOUBLE' }), value: Number, statistics: true };
  }
  const [, digits, decimals] = /^numeric\((\d+),(\d+)\)$/.exec(column.native) ?? [];
  const precision = Number(digits);
  const scale = Number(decimals);
  if (!(precision <= digitsOf16Bytes && scale <= precision)) {
    return textType(column);
  }
  return {
    element: element(column, {
      ...(precision <= digitsOfInt64
        ? { type: 'INT64' as const }
        : { type: 'FIXED_LEN_BYTE_ARRAY' as const, type_length: 16 }),
      converted_type: 'DECIMAL',
      logical_type: { type: 'DECIMAL', precision, scale },
      precision,
      scale,
    }),
    value: (text) => unscaled(column, text, scale),
    statistics: true,
  };
}

/** `-1.5` with two decimals is -150. */
function unscaled(column: Column, text: string, scale: number): bigint {
  const [, whole = '', fraction = ''] = /^(-?\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (whole === '' || fraction.length > scale) {
    throw unfit(column);
  }
  return BigInt(whole + fraction.padEnd(scale, '0'));
}

function timeType(column: Column): Typed {
  const iso = natural(column);
  if (column.native === 'date') {
    const value = (text: string): number => millisecondsOf(column, String(iso(text))) / 86_400_000;
    return { element: element(column, { type: 'INT32', converted_type: 'DATE' }), value, statistics: true };
  }
  if (!column.native.startsWith('timestamp')) {
    return textType(column);
  }
  const isAdjustedToUTC = column.native.endsWith('with time zone');
  return {
    element: element(column, {
      type: 'INT64',
      // The older name for it means a moment in UTC: a time without a zone goes by the newer one alone.
      ...(isAdjustedToUTC ? { converted_type: 'TIMESTAMP_MICROS' as const } : {}),
      logical_type: { type: 'TIMESTAMP', isAdjustedToUTC, unit: 'MICROS' },
    }),
    value: (text) => {
      const [seconds = '', fraction = ''] = String(iso(text)).replace(/Z$/, '').split('.');
      return BigInt(millisecondsOf(column, `${seconds}Z`)) * 1000n + BigInt(fraction.padEnd(6, '0'));
    },
    statistics: true,
  };
}

function millisecondsOf(column: Column, iso: string): number {
  const milliseconds = Date.parse(iso);
  if (Number.isNaN(milliseconds)) {
    throw unfit(column);
  }
  return milliseconds;
}

/** Written as the text that it is, and called JSON in the end: as JSON the writer would read it and round its numbers. */
function jsonType(column: Column): Typed {
  return {
    ...textType(column),
    footer: element(column, {
      type: 'BYTE_ARRAY',
      converted_type: 'JSON',
      logical_type: { type: 'JSON' },
    }),
    value: jsonTextOf(column),
    statistics: false,
  };
}

function textType(column: Column): Typed {
  return {
    element: element(column, {
      type: 'BYTE_ARRAY',
      converted_type: 'UTF8',
      logical_type: { type: 'STRING' },
    }),
    value: plainTextOf(column),
    statistics: true,
  };
}

function element(column: Column, how: Omit<SchemaElement, 'name'>): SchemaElement {
  return { name: column.name, repetition_type: 'OPTIONAL', ...how };
}

function natural(column: Column): (text: string) => unknown {
  const convert = naturalOf(column.name, column);
  return (text) => {
    try {
      return convert(text);
    } catch (error) {
      throw error instanceof Refused ? unfit(column) : error;
    }
  };
}

function unfit(column: Column): ActivateError {
  return new ActivateError(
    'INPUT_INVALID',
    `The column "${column.name}" holds a value that Parquet has no ${column.native} for.`,
    { fix: `Turn it into text in the query: CAST("${column.name.replaceAll('"', '""')}" AS text).` },
  );
}
