import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import type { Column } from '../../../engine/contracts/source.ts';
import { encodeParquet } from '../../../engine/files/parquet.ts';
import type { RowValues } from '../../../engine/mapping/mapper.ts';
import { bytesOf, column, rowsOf } from './rows.ts';

function fileOf(bytes: Buffer): ArrayBuffer {
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}

async function written(rows: AsyncIterable<RowValues>, columns: readonly Column[]): Promise<ArrayBuffer> {
  return fileOf(await bytesOf(encodeParquet(rows, columns)));
}

describe('Parquet', () => {
  it('keeps every value in the type of its column', async () => {
    const columns = [
      column('id', 'number', 'bigint'),
      column('ratio', 'number', 'double precision'),
      column('price', 'number', 'numeric(10,2)'),
      column('wide', 'number', 'numeric(38,6)'),
      column('free', 'number', 'numeric'),
      column('yes', 'boolean', 'boolean'),
      column('at', 'time', 'timestamp with time zone'),
      column('local', 'time', 'timestamp without time zone'),
      column('day', 'time', 'date'),
      column('clock', 'time', 'time without time zone'),
      column('name'),
      column('doc', 'json', 'jsonb'),
      column('tags', 'text', 'text[]'),
      column('raw', 'bytes', 'bytea'),
    ];
    const row = [
      '9223372036854775807',
      '0.1',
      '-1.50',
      '12345678901234567890123456789012.000001',
      '1.000000000000000000001',
      't',
      '2026-11-23 10:00:00.123456+01',
      '1969-12-31 23:59:59.999999',
      '1969-12-31',
      '09:30:00',
      'Zoë 😀',
      '{"n": 12345678901234567890}',
      '{a,NULL}',
      '\\x00ff',
    ];
    const file = await written(
      rowsOf(
        row,
        row.map(() => null),
      ),
      columns,
    );

    const [first, second] = await parquetReadObjects({
      file,
      parsers: {
        timestampFromMicroseconds: (micros: bigint) => micros,
        dateFromDays: (days: number) => days,
        jsonFromBytes: (json: Uint8Array) => Buffer.from(json).toString(),
      } as never,
      utf8: false,
    });
    expect(first).toMatchObject({
      id: 9223372036854775807n,
      ratio: 0.1,
      price: -1.5,
      free: '1.000000000000000000001',
      yes: true,
      at: 1795424400123456n,
      local: -1n,
      day: -1,
      clock: '09:30:00',
      name: 'Zoë 😀',
      doc: '{"n": 12345678901234567890}',
      tags: '["a",null]',
    });
    expect(first?.['wide']).toBe(Number('12345678901234567890123456789012.000001'));
    expect(Buffer.from(first?.['raw'] as Uint8Array).toString('hex')).toBe('00ff');
    expect(Object.values(second ?? {})).toEqual(columns.map(() => null));
    expect(
      parquetMetadata(file)
        .schema.slice(1)
        .map(({ type, converted_type, logical_type }) => [type, converted_type ?? logical_type?.type]),
    ).toEqual([
      ['INT64', undefined],
      ['DOUBLE', undefined],
      ['INT64', 'DECIMAL'],
      ['FIXED_LEN_BYTE_ARRAY', 'DECIMAL'],
      ['BYTE_ARRAY', 'UTF8'],
      ['BOOLEAN', undefined],
      ['INT64', 'TIMESTAMP_MICROS'],
      ['INT64', 'TIMESTAMP'],
      ['INT32', 'DATE'],
      ['BYTE_ARRAY', 'UTF8'],
      ['BYTE_ARRAY', 'UTF8'],
      ['BYTE_ARRAY', 'JSON'],
      ['BYTE_ARRAY', 'JSON'],
      ['BYTE_ARRAY', undefined],
    ]);
  });

  it('writes large tables in row groups, each handed on before the next is made', async () => {
    let made = 0;
    async function* many(): AsyncGenerator<RowValues> {
      for (; made < 250_000; made += 1) {
        yield [String(made), `customer ${made % 100}`];
      }
    }
    const columns = [column('id', 'number', 'integer'), column('name')];
    const madeAt: number[] = [];
    const blocks: Uint8Array[] = [];
    for await (const block of encodeParquet(many(), columns)) {
      madeAt.push(made);
      blocks.push(block);
    }
    const file = fileOf(Buffer.concat(blocks));

    expect(madeAt).toEqual([99_999, 199_999, 250_000]);
    expect(parquetMetadata(file).row_groups.map(({ num_rows }) => num_rows)).toEqual([
      100_000n,
      100_000n,
      50_000n,
    ]);
    const rows = await parquetReadObjects({ file, rowStart: 199_999, rowEnd: 200_001 });
    expect(rows).toEqual([
      { id: 199_999n, name: 'customer 99' },
      { id: 200_000n, name: 'customer 0' },
    ]);
  });

  it('ends a row group early when its values are long, so that memory stays bounded', async () => {
    async function* long(): AsyncGenerator<RowValues> {
      for (let at = 0; at < 40; at += 1) {
        yield [`${at}`.padStart(1_000_000, '.')];
      }
    }
    const file = await written(long(), [column('text')]);

    expect(parquetMetadata(file).row_groups.map(({ num_rows }) => num_rows)).toEqual([17n, 17n, 6n]);
  });

  it('gives the same bytes for the same rows', async () => {
    const columns = [column('id', 'number', 'integer'), column('name')];
    const rows = () => rowsOf(['1', 'a'], ['2', null]);

    expect(
      Buffer.from(await written(rows(), columns)).equals(Buffer.from(await written(rows(), columns))),
    ).toBe(true);
  });

  it('writes a file that reads back when there are no rows', async () => {
    const file = await written(rowsOf(), [column('id', 'number', 'integer')]);

    expect(await parquetReadObjects({ file })).toEqual([]);
    expect(parquetMetadata(file).schema.map(({ name }) => name)).toEqual(['root', 'id']);
  });

  it.each([
    ['timestamp with time zone', 'time', 'infinity'],
    ['date', 'time', '0044-03-15 BC'],
    ['numeric(10,2)', 'number', 'NaN'],
  ] as const)('refuses what %s has no form for, and does not repeat it', async (native, type, value) => {
    const writing = written(rowsOf([value]), [column('when "x"', type, native)]);

    await expect(writing).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      message: expect.not.stringContaining(value),
      fix: 'Turn it into text in the query: CAST("when ""x""" AS text).',
    });
  });

  it('passes on what the source throws', async () => {
    async function* failing(): AsyncGenerator<RowValues> {
      yield ['1'];
      throw new Error('the cursor is gone');
    }

    await expect(written(failing(), [column('id', 'number', 'integer')])).rejects.toThrow(
      'the cursor is gone',
    );
  });
});
