import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesOf, limits, refusal } from '../contracts/source-house.ts';
import { type DuckdbFolder, linesOf, startDuckdbFolder } from '../fakes/duckdb.ts';

let folder: DuckdbFolder;

beforeAll(async () => {
  folder = await startDuckdbFolder();
});

afterAll(() => folder.close());

describe('files of rows', () => {
  beforeAll(async () => {
    await folder.filled({
      'rows/orders.csv': 'id,zip,total,note\n10,007,1.10,""\n9,,18446744073709551616,"a ""b""\nc"\n',
      'rows/people.ndjson':
        '{"id": 9007199254740993, "tags": ["x"], "at": "2026-01-01T00:00:00Z", "big": 18446744073709551616, "n": 1.5}\n{"id": 2, "late": true}\n',
      'rows/packed.csv.gz': gzipSync('id;v\n1;x\n'),
      'rows/both.csv': 'id\n1\n',
      'rows/both.ndjson': '{"id": 2}\n',
      'rows/.hidden.csv': 'id\n1\n',
      'rows/Odd "name" --.csv': 'id\n5\n',
      'rows/readme.txt': 'not a table',
      'rows/deep/inner.csv': 'id\n1\n',
    });
    await folder.made(
      'maker.duckdb',
      `copy (select 9223372036854775807 as id, 1.23::decimal(10,2) as d) to '${join(folder.root, 'rows/typed.parquet')}'`,
    );
  });

  it('are tables by the names of the files', async () => {
    const source = await folder.open({ path: 'rows' });

    expect((await source.tables('')).toSorted()).toEqual([
      '"Odd ""name"" --"',
      '"both.csv"',
      '"both.ndjson"',
      'orders',
      'packed',
      'people',
      'typed',
    ]);
    expect(await source.tables('ord')).toEqual(['orders']);
    for (const table of await source.tables('')) {
      expect(await source.count(source.selectAll(table), limits), table).toBeGreaterThan(0);
    }
    expect(await linesOf(source, 'select o.id from orders o join "both.csv" on true', ['id'])).toBe(
      '10\n9\n',
    );
  });

  it('give what stands in them, digit by digit, for text has no types', async () => {
    const source = await folder.open({ path: 'rows' });

    expect((await source.preview('select * from orders', 5, limits)).rows).toEqual([
      ['10', '007', '1.10', ''],
      ['9', null, '18446744073709551616', 'a "b"\nc'],
    ]);
    expect((await source.preview('select id, tags, "at", big, n, late from people', 5, limits)).rows).toEqual(
      [
        ['9007199254740993', '["x"]', '2026-01-01T00:00:00Z', '18446744073709551616', '1.5', null],
        ['2', null, null, null, null, 'true'],
      ],
    );
    const { columns, rows } = await source.preview('select * from typed', 5, limits);
    expect(columns.map(({ native }) => native)).toEqual(['BIGINT', 'DECIMAL(10,2)']);
    expect(rows).toEqual([['9223372036854775807', '1.23']]);
  });

  it('can be one file', async () => {
    const source = await folder.open({ path: 'rows/orders.csv' });

    expect(await source.tables('')).toEqual(['orders']);
    expect(await linesOf(source, 'select id, zip from orders', ['id'], ['zip'])).toBe('10\t007\n9\t\\N\n');
    expect(await source.suggestKey('select * from orders', limits)).toEqual(['id']);
  });

  it('can be read by their names only: no other file, in no way', async () => {
    const source = await folder.open({ path: 'rows' });
    for (const sql of [
      "select * from read_text('/etc/passwd')",
      "select * from '/etc/passwd'",
      `select * from read_csv('${join(folder.root, 'inside/a.csv')}')`,
      `select * from '${join(folder.root, 'rows/deep/inner.csv')}'`,
      `select * from glob('${folder.root}/**')`,
      "select * from read_json('http://127.0.0.1:1/x.json')",
      "select * from read_parquet('s3://bucket/x.parquet')",
      `select * from sqlite_scan('x.db', 't')`,
    ]) {
      expect((await refusal(source.preview(sql, 5, limits))).code, sql).toMatch(
        /^(PERMISSION_DENIED|SQL_FAILED)$/,
      );
    }
    for (const sql of [
      "copy orders to 'x.csv'",
      'set enable_external_access = true',
      "attach 'x.duckdb'",
      'create table t (id int)',
    ]) {
      expect((await refusal(source.preview(sql, 5, limits))).code, sql).toMatch(/^(SQL|PERMISSION)_/);
    }
  });

  it('are asked for a watermark only where a column is a number or a time', async () => {
    const source = await folder.open({ path: 'rows' });
    const query = {
      sql: 'select * from orders',
      key: ['id'],
      columns: ['id'],
      since: { column: 'id', value: '9' },
    };

    expect(await refusal(source.read(query, limits).then(bytesOf))).toMatchObject({
      code: 'SQL_FAILED',
      fix: expect.stringContaining('CAST'),
    });
    const cast = {
      ...query,
      sql: 'select id::bigint as id from orders',
      since: { column: 'id', value: '10.000000' },
    };
    expect((await bytesOf(await source.read(cast, limits))).toString()).toBe('10\n');
  });
});
