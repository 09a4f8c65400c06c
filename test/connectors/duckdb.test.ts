import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { duckdb } from '../../connectors/duckdb/index.ts';
import { connectors } from '../../connectors/index.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import type { Limits, Source } from '../../engine/contracts/source.ts';
import { bytesOf, refusal } from '../contracts/source-house.ts';
import { childrenWith } from '../support/children.ts';
import { openFor } from '../support/connect.ts';

const limits: Limits = { timeoutMs: 30_000 };

let root: string;
const closing: (() => Promise<void>)[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'activate-duckdb-test-'));
});

afterAll(async () => {
  for (const close of closing) {
    await close();
  }
  await rm(root, { recursive: true });
});

async function open(
  config: Raw,
): Promise<Source & { check(): Promise<readonly string[]>; close(): Promise<void> }> {
  const { connection, close } = await openFor(duckdb, config, { allowedFolder: root });
  closing.push(close);
  return { ...(connection.source as Source), check: () => connection.check('source'), close };
}

/** Keeps a file open as who writes to it, until it is let go. */
async function holding(file: string, ...statements: readonly string[]): Promise<() => void> {
  await mkdir(dirname(join(root, file)), { recursive: true });
  const instance = await DuckDBInstance.create(join(root, file));
  const connection = await instance.connect();
  for (const statement of statements) {
    await connection.run(statement);
  }
  return () => {
    connection.closeSync();
    instance.closeSync();
  };
}

async function made(file: string, ...statements: readonly string[]): Promise<void> {
  (await holding(file, ...statements))();
}

async function filled(files: Readonly<Record<string, string | Buffer>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), content);
  }
}

const read = async (source: Source, sql: string, key: readonly string[], columns = key): Promise<string> =>
  (await bytesOf(await source.read({ sql, key, columns }, limits))).toString();

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
      await expect(open({ path })).rejects.toMatchObject({
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
    await symlink('/etc', join(root, 'leads-out'));
    await filled({ 'inside/a.csv': 'id\n1\n' });
    await symlink('/etc/hostname', join(root, 'inside/hostname.csv'));

    expect(await refusal((await open({ path: 'nothing.duckdb' })).check())).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('nothing.duckdb'),
    });
    expect((await refusal((await open({ path: 'leads-out' })).check())).code).toBe('PERMISSION_DENIED');
    expect(await (await open({ path: 'inside' })).tables('')).toEqual(['a']);
  });

  it('is good with a file, and has nothing to warn about, for there are no rights', async () => {
    await made('good.duckdb', 'create table t as select 1 as id');

    expect(await (await open({ path: 'good.duckdb' })).check()).toEqual([]);
  });

  it('refuses what is no database', async () => {
    await filled({
      'text.duckdb': 'this is no database, but it is long enough to be read as one'.repeat(100),
    });

    expect(await refusal((await open({ path: 'text.duckdb' })).check())).toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });

  it('says both versions when a newer DuckDB wrote the file', async () => {
    await made('newer.duckdb', 'create table t as select 1 as id');
    const bytes = await readFile(join(root, 'newer.duckdb'));
    // The first header: the checksum of its rest, the word DUCK, and the version.
    bytes.writeBigUInt64LE(9999n, 12);
    bytes.writeBigUInt64LE(checksumOf(bytes.subarray(8, 4096)), 0);
    await filled({ 'newer.duckdb': bytes });

    const error = await refusal((await open({ path: 'newer.duckdb' })).check());

    expect(error).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringMatching(/9999[\s\S]*\d/) });
  });
});

describe('a file that somebody else holds', () => {
  it('is waited for', async () => {
    const release = await holding('held.duckdb', 'create table t as select 1 as id');
    const source = await open({ path: 'held.duckdb' });
    const counted = source.count('select * from t', limits);
    // The question has been at it, in vain, once its process is there.
    while (childrenWith('duckdb/child').length === 0) {
      await new Promise(setImmediate);
    }

    release();

    expect(await counted).toBe(1);
  });

  it('is said to be held when that takes too long, and what is tried again', async () => {
    const release = await holding('kept.duckdb', 'create table t as select 1 as id');
    const source = await open({ path: 'kept.duckdb' });

    const error = await refusal(source.count('select * from t', { timeoutMs: 3000 }));

    expect(error).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/Somebody else is writing to .*kept\.duckdb/),
    });
    release();
    expect(await source.count('select * from t', limits)).toBe(1);
  });

  it('can be written to again as soon as a question is answered, or a reading ended or broken off', async () => {
    await made(
      'shared.duckdb',
      "create table t as select i as id, repeat('x', 1000) as x from range(20000) r(i)",
    );
    const source = await open({ path: 'shared.duckdb' });
    const writes = async (): Promise<void> => made('shared.duckdb', 'insert into t values (-1, null)');
    await source.preview('select * from t', 5, limits);
    await writes();
    await read(source, 'select * from t', ['id']);
    await writes();
    const reading = await source.read({ sql: 'select * from t', key: ['id'], columns: ['x'] }, limits);
    for await (const _ of reading.lines) {
      break;
    }
    await writes();

    expect(await source.count('select * from t', limits)).toBe(20_003);
  });

  it('is read by several at once', async () => {
    await made('many.duckdb', 'create table t as select i as id from range(1000) r(i)');
    const [one, other] = [await open({ path: 'many.duckdb' }), await open({ path: 'many.duckdb' })];

    const counts = [one, other, one, other, one].map((source) => source.count('select * from t', limits));

    expect(await Promise.all(counts)).toEqual([1000, 1000, 1000, 1000, 1000]);
  });

  it('is read with the changes that stand beside it after a crash of its writer', async () => {
    await made('crashed.duckdb', 'create table t as select 1 as id');
    const script = `
      import { DuckDBInstance } from ${JSON.stringify(import.meta.resolve('@duckdb/node-api'))};
      const c = await (await DuckDBInstance.create(process.argv[1])).connect();
      await c.run('insert into t values (2)');
      process.kill(process.pid, 'SIGKILL');`;
    try {
      execFileSync(process.execPath, ['--input-type=module', '-e', script, join(root, 'crashed.duckdb')], {
        stdio: 'ignore',
      });
    } catch {
      // It has killed itself.
    }
    expect(await readdir(root)).toContain('crashed.duckdb.wal');
    const source = await open({ path: 'crashed.duckdb' });

    expect(await source.count('select * from t', limits)).toBe(2);
  });
});

describe('values', () => {
  it('of every type have their exact text', async () => {
    await made('types.duckdb', 'create table nothing (id int)');
    const source = await open({ path: 'types.duckdb' });
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
    await made(
      'collated.duckdb',
      "create table t (w varchar collate nocase); insert into t values ('b'), ('A'), ('a'), ('B')",
    );

    const source = await open({ path: 'collated.duckdb' });

    expect(await read(source, 'select w from t', ['w'])).toBe('A\nB\na\nb\n');
  });
});

describe('tables', () => {
  it('are told apart where the schema has the name of the file', async () => {
    await made(
      'sales.duckdb',
      'create schema sales.sales',
      'create table sales.sales.orders as select 7 as id',
    );
    const source = await open({ path: 'sales.duckdb' });

    const [table = ''] = await source.tables('orders');

    expect(table).toBe('sales.sales.orders');
    expect(await read(source, source.selectAll(table), ['id'])).toBe('7\n');
  });

  it('that differ from others in capital letters only are two columns of one name', async () => {
    await made('letters.duckdb', 'create table t as select 1 as id');
    const source = await open({ path: 'letters.duckdb' });

    expect(await refusal(source.describe('select 1 as a, 2 as "A"', limits))).toMatchObject({
      code: 'SQL_FAILED',
      message: expect.stringContaining('Two columns'),
    });
  });
});

describe('files of rows', () => {
  beforeAll(async () => {
    await filled({
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
    await made(
      'maker.duckdb',
      `copy (select 9223372036854775807 as id, 1.23::decimal(10,2) as d) to '${join(root, 'rows/typed.parquet')}'`,
    );
  });

  it('are tables by the names of the files', async () => {
    const source = await open({ path: 'rows' });

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
    expect(await read(source, 'select o.id from orders o join "both.csv" on true', ['id'])).toBe('10\n9\n');
  });

  it('give what stands in them, digit by digit, for text has no types', async () => {
    const source = await open({ path: 'rows' });

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
    const source = await open({ path: 'rows/orders.csv' });

    expect(await source.tables('')).toEqual(['orders']);
    expect(await read(source, 'select id, zip from orders', ['id'], ['zip'])).toBe('10\t007\n9\t\\N\n');
    expect(await source.suggestKey('select * from orders', limits)).toEqual(['id']);
  });

  it('can be read by their names only: no other file, in no way', async () => {
    const source = await open({ path: 'rows' });
    for (const sql of [
      "select * from read_text('/etc/passwd')",
      "select * from '/etc/passwd'",
      `select * from read_csv('${join(root, 'inside/a.csv')}')`,
      `select * from '${join(root, 'rows/deep/inner.csv')}'`,
      `select * from glob('${root}/**')`,
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
    const source = await open({ path: 'rows' });
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

describe('the process of DuckDB', () => {
  it('fails a reading in the middle of which a row can not be made, and does not just end', async () => {
    await made('stream.duckdb', 'create table t as select 1 as id');
    const source = await open({ path: 'stream.duckdb' });
    const sql =
      "select i as id, case when i = 50000 then error('a row is wrong') end as x from range(100000) r(i)";

    for (const key of [['id'], []]) {
      expect(
        await refusal(source.read({ sql, key, columns: ['id', 'x'] }, limits).then(bytesOf)),
      ).toMatchObject({
        code: 'SQL_FAILED',
        message: 'DuckDB says: a row is wrong.',
      });
    }
  });

  it('knows nothing of this one, and leaves nothing on the disk when it is killed at its work or closed', async () => {
    await made(
      'big.duckdb',
      "create table t as select i as id, repeat('x', 100) as x from range(100000) r(i)",
    );
    const before = childrenWith('duckdb/child');
    const source = await open({ path: 'big.duckdb' });
    const reading = await source.read({ sql: 'select * from t', key: ['id'], columns: ['x'] }, limits);
    const lines = reading.lines[Symbol.asyncIterator]();
    await lines.next();
    const [child = 0] = childrenWith('duckdb/child').filter((pid) => !before.includes(pid));
    expect(await readFile(`/proc/${child}/environ`, 'utf8')).not.toMatch(/PATH|HOME|SECRET/);

    const spillOf = async (pid: number): Promise<string> =>
      (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').at(-2) ?? '';
    const first = await spillOf(child);
    expect(await readdir(first)).toHaveLength(1);

    process.kill(child, 'SIGKILL');
    const rest = async (): Promise<void> => {
      while ((await lines.next()).done !== true) {
        // On to where it breaks.
      }
    };

    expect((await refusal(rest())).code).toBe('UNAVAILABLE');
    expect(await source.count('select * from t', limits)).toBe(100_000);
    const [next = 0] = childrenWith('duckdb/child').filter((pid) => !before.includes(pid));
    const second = await spillOf(next);
    expect(await readdir(second)).toEqual([]);
    await source.close();
    await expect(readdir(first)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(readdir(second)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('says what is wrong and where, in the signs of a person', async () => {
    await made('place.duckdb', 'create table t as select 1 as id');
    const source = await open({ path: 'place.duckdb' });

    expect((await refusal(source.count("select '💥ä', nmae from t", limits))).message).toMatch(
      /nmae.*\(line 1, column 14\)/,
    );
    expect((await refusal(source.count('select 1 as id frm t', limits))).message).toMatch(
      /\(line 1, column \d+\)/,
    );
    expect((await refusal(source.preview("select 'x'::int as id", 1, limits))).message).toMatch(
      /Could not convert/,
    );
  });
});

describe('compiled', () => {
  /** Compiles the connector, and what it uses, as the build does. */
  async function compiled(packages: readonly string[]): Promise<string> {
    const home = await mkdtemp(join(root, 'compiled-'));
    const { config } = ts.readConfigFile('tsconfig.build.json', ts.sys.readFile) as { config: object };
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, process.cwd());
    // Alone, a file does not know that it is a module.
    const compilerOptions = { ...options, module: ts.ModuleKind.ESNext };
    for (const folder of ['connectors/duckdb', 'engine/contracts']) {
      await mkdir(join(home, folder), { recursive: true });
      for (const file of (await readdir(folder)).filter((name) => name.endsWith('.ts'))) {
        const source = await readFile(join(folder, file), 'utf8');
        const { outputText } = ts.transpileModule(source, { compilerOptions, fileName: file });
        await writeFile(join(home, folder, file.replace(/ts$/, 'js')), outputText);
      }
    }
    await cp('package.json', join(home, 'package.json'));
    await mkdir(join(home, 'spills'));
    await mkdir(join(home, 'node_modules'));
    for (const name of packages) {
      await mkdir(dirname(join(home, 'node_modules', name)), { recursive: true });
      await symlink(join(process.cwd(), 'node_modules', name), join(home, 'node_modules', name));
    }
    return home;
  }

  const script = `
    import { duckdb } from './connectors/duckdb/index.js';
    const c = await duckdb.open({ path: 'built.csv' }, { allowedFolder: process.argv[1], applicationName: 'x', now: () => new Date(), http: {} });
    const said = await c.source.count('select * from built', { timeoutMs: 20000 }).catch((e) => e.code + ': ' + e.message + ' ' + e.fix);
    console.log(said);`;
  const run = (home: string): string =>
    execFileSync(process.execPath, ['--input-type=module', '-e', script, root], {
      cwd: home,
      env: { TMPDIR: join(home, 'spills') },
      encoding: 'utf8',
    }).trim();

  it('it finds its other process, and ends though that one is still there', async () => {
    await filled({ 'built.csv': 'id\n1\n2\n' });

    const home = await compiled(['zod', '@duckdb']);

    expect(run(home)).toBe('2');

    // The one who asked is gone; the other tidies up behind itself.
    while ((await readdir(join(home, 'spills'))).length > 0) {
      await new Promise(setImmediate);
    }
  });

  it('it says in a sentence that DuckDB is not installed', async () => {
    await filled({ 'built.csv': 'id\n1\n2\n' });

    expect(run(await compiled(['zod']))).toBe(
      'CONFIG_INVALID: DuckDB is not installed here. Run: npm install @duckdb/node-api',
    );
  });
});
