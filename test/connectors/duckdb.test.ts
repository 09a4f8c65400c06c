import { execFileSync } from 'node:child_process';
import { readdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { duckdb } from '../../connectors/duckdb/index.ts';
import { connectors } from '../../connectors/index.ts';
import { limits, refusal } from '../contracts/source-house.ts';
import { type DuckdbFolder, linesOf, startDuckdbFolder } from '../fakes/duckdb.ts';
import { childrenWith } from '../support/children.ts';
import { openFor } from '../support/connect.ts';

let folder: DuckdbFolder;

beforeAll(async () => {
  folder = await startDuckdbFolder();
});

afterAll(() => folder.close());

/** As DuckDB sums up the blocks of its files. */
function checksumOf(block: Buffer): bigint {
  let sum = 5381n;
  for (let at = 0; at < block.length; at += 8) {
    sum ^= BigInt.asUintN(64, block.readBigUInt64LE(at) * 0xbf58476d1ce4e5b9n);
  }
  return sum;
}

describe('what is declared', () => {
  it('is in the list', () => {
    expect(connectors).toContain(duckdb);
  });

  it.each(['../outside.duckdb', '/etc/passwd', 'a/../../b', 'x\0y'])(
    'does not let a connection lead out: %j',
    async (path) => {
      await expect(folder.open({ path })).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        fields: { path: expect.any(String) },
      });
    },
  );

  it('reads nothing where no folder was set free', async () => {
    await expect(openFor(duckdb, { path: 'x.duckdb' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fix: expect.stringContaining('ALLOWED_FOLDER'),
    });
  });
});

describe('a connection', () => {
  it('says that nothing is there, and follows no link out of the folder', async () => {
    await symlink('/etc', join(folder.root, 'leads-out'));
    await folder.filled({ 'inside/a.csv': 'id\n1\n' });
    await symlink('/etc/hostname', join(folder.root, 'inside/hostname.csv'));

    expect(await refusal((await folder.open({ path: 'nothing.duckdb' })).check())).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('nothing.duckdb'),
    });
    expect((await refusal((await folder.open({ path: 'leads-out' })).check())).code).toBe(
      'PERMISSION_DENIED',
    );
    expect(await (await folder.open({ path: 'inside' })).tables('')).toEqual(['a']);
  });

  it('is good with a file, and has nothing to warn about, for there are no rights', async () => {
    await folder.made('good.duckdb', 'create table t as select 1 as id');

    expect(await (await folder.open({ path: 'good.duckdb' })).check()).toEqual([]);
  });

  it('refuses what is no database', async () => {
    await folder.filled({
      'text.duckdb': 'this is no database, but it is long enough to be read as one'.repeat(100),
    });

    expect(await refusal((await folder.open({ path: 'text.duckdb' })).check())).toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });

  it('says both versions when a newer DuckDB wrote the file', async () => {
    await folder.made('newer.duckdb', 'create table t as select 1 as id');
    const bytes = await readFile(join(folder.root, 'newer.duckdb'));
    // The first header: the checksum of its rest, the word DUCK, and the version.
    bytes.writeBigUInt64LE(9999n, 12);
    bytes.writeBigUInt64LE(checksumOf(bytes.subarray(8, 4096)), 0);
    await folder.filled({ 'newer.duckdb': bytes });

    const error = await refusal((await folder.open({ path: 'newer.duckdb' })).check());

    expect(error).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringMatching(/9999[\s\S]*\d/) });
  });
});

describe('a file that somebody else holds', () => {
  it('is waited for', async () => {
    const release = await folder.holding('held.duckdb', 'create table t as select 1 as id');
    const source = await folder.open({ path: 'held.duckdb' });
    const counted = source.count('select * from t', limits);
    // The question has been at it, in vain, once its process is there.
    while (childrenWith('duckdb/child').length === 0) {
      await new Promise(setImmediate);
    }

    release();

    expect(await counted).toBe(1);
  });

  it('is said to be held when that takes too long, and what is tried again', async () => {
    const release = await folder.holding('kept.duckdb', 'create table t as select 1 as id');
    const source = await folder.open({ path: 'kept.duckdb' });

    const error = await refusal(source.count('select * from t', { timeoutMs: 3000 }));

    expect(error).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/Somebody else is writing to .*kept\.duckdb/),
    });
    release();
    expect(await source.count('select * from t', limits)).toBe(1);
  });

  it('can be written to again as soon as a question is answered, or a reading ended or broken off', async () => {
    await folder.made(
      'shared.duckdb',
      "create table t as select i as id, repeat('x', 1000) as x from range(20000) r(i)",
    );
    const source = await folder.open({ path: 'shared.duckdb' });
    const writes = async (): Promise<void> => folder.made('shared.duckdb', 'insert into t values (-1, null)');
    await source.preview('select * from t', 5, limits);
    await writes();
    await linesOf(source, 'select * from t', ['id']);
    await writes();
    const reading = await source.read({ sql: 'select * from t', key: ['id'], columns: ['x'] }, limits);
    for await (const _ of reading.lines) {
      break;
    }
    await writes();

    expect(await source.count('select * from t', limits)).toBe(20_003);
  });

  it('is read by several at once', async () => {
    await folder.made('many.duckdb', 'create table t as select i as id from range(1000) r(i)');
    const [one, other] = [
      await folder.open({ path: 'many.duckdb' }),
      await folder.open({ path: 'many.duckdb' }),
    ];

    const counts = [one, other, one, other, one].map((source) => source.count('select * from t', limits));

    expect(await Promise.all(counts)).toEqual([1000, 1000, 1000, 1000, 1000]);
  });

  it('is read with the changes that stand beside it after a crash of its writer', async () => {
    await folder.made('crashed.duckdb', 'create table t as select 1 as id');
    const script = `
      import { DuckDBInstance } from ${JSON.stringify(import.meta.resolve('@duckdb/node-api'))};
      const c = await (await DuckDBInstance.create(process.argv[1])).connect();
      await c.run('insert into t values (2)');
      process.kill(process.pid, 'SIGKILL');`;
    try {
      execFileSync(
        process.execPath,
        ['--input-type=module', '-e', script, join(folder.root, 'crashed.duckdb')],
        {
          stdio: 'ignore',
        },
      );
    } catch {
      // It has killed itself.
    }
    expect(await readdir(folder.root)).toContain('crashed.duckdb.wal');
    const source = await folder.open({ path: 'crashed.duckdb' });

    expect(await source.count('select * from t', limits)).toBe(2);
  });
});

describe('values', () => {
  it('of every type have their exact text', async () => {
    await folder.made('types.duckdb', 'create table nothing (id int)');
    const source = await folder.open({ path: 'types.duckdb' });
    const exact: readonly (readonly [sql: string, text: string | null])[] = [
      ["'170141183460469231731687303715884105727'::hugeint", '170141183460469231731687303715884105727'],
      ["'340282366920938463463374607431768211455'::uhugeint", '340282366920938463463374607431768211455'],
      ["'-128'::tinyint", '-128'],
      ["timestamp_ns '2026-01-01 00:00:00.123456789'", '2026-01-01 00:00:00.123456789'],
      ["timestamptz '2026-03-29 01:30:00.5+02'", '2026-03-28 23:30:00.5+00'],
      ["time '23:59:59.999999'", '23:59:59.999999'],
      ["'infinity'::date", 'infinity'],
      ["uuid '00000000-0000-0000-0000-00000000000a'", '00000000-0000-0000-0000-00000000000a'],
      ['[1, 9223372036854775807, null]', '[1,9223372036854775807,null]'],
      ["{'a': 'x, \"y\"', 'b': [1.50::decimal(5,2)]}", '{"a":"x, \\"y\\"","b":[1.5]}'],
      ["map {'k': 1}", '{"k":1}'],
      ["'red'::enum('red', 'blue')", 'red'],
      ["interval '1 year 2 days 3 hours'", '1 year 2 days 03:00:00'],
      ["'101'::bit", '101'],
      ['1e21::float', '1e+21'],
      ['null', null],
    ];
    const sql = `select ${exact.map(([e], i) => `${e} as c${i}`).join(', ')}`;

    const { rows } = await source.preview(sql, 2, limits);

    expect(rows).toEqual([exact.map(([, text]) => text)]);
  });

  it('sort by their bytes though a column has a collation', async () => {
    await folder.made(
      'collated.duckdb',
      "create table t (w varchar collate nocase); insert into t values ('b'), ('A'), ('a'), ('B')",
    );

    const source = await folder.open({ path: 'collated.duckdb' });

    expect(await linesOf(source, 'select w from t', ['w'])).toBe('A\nB\na\nb\n');
  });
});

describe('tables', () => {
  it('are told apart where the schema has the name of the file', async () => {
    await folder.made(
      'sales.duckdb',
      'create schema sales.sales',
      'create table sales.sales.orders as select 7 as id',
    );
    const source = await folder.open({ path: 'sales.duckdb' });

    const [table = ''] = await source.tables('orders');

    expect(table).toBe('sales.sales.orders');
    expect(await linesOf(source, source.selectAll(table), ['id'])).toBe('7\n');
  });

  it('that differ from others in capital letters only are two columns of one name', async () => {
    await folder.made('letters.duckdb', 'create table t as select 1 as id');
    const source = await folder.open({ path: 'letters.duckdb' });

    expect(await refusal(source.describe('select 1 as a, 2 as "A"', limits))).toMatchObject({
      code: 'SQL_FAILED',
      message: expect.stringContaining('Two columns'),
    });
  });
});
