import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesOf, limits, refusal } from '../contracts/source-house.ts';
import { type DuckdbFolder, startDuckdbFolder } from '../fakes/duckdb.ts';
import { childrenWith } from '../support/children.ts';

let folder: DuckdbFolder;

beforeAll(async () => {
  folder = await startDuckdbFolder();
});

afterAll(() => folder.close());

describe('the process of DuckDB', () => {
  it('fails a reading in the middle of which a row can not be made, and does not just end', async () => {
    await folder.made('stream.duckdb', 'create table t as select 1 as id');
    const source = await folder.open({ path: 'stream.duckdb' });
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

  it('leaves the sorting to us where it has too little memory for it', async () => {
    await folder.made('wide.duckdb', 'create table t as select 1 as id');
    const source = await folder.open({ path: 'wide.duckdb', memoryMb: '250' });
    const sql =
      'select i as id, repeat(chr(97 + cast(i % 10 as integer)), 1000) as x from range(600000) r(i)';
    const query = { sql, key: ['id'], columns: ['x'] };

    const { sorted, order, lines } = await source.read(query, { timeoutMs: 110_000 });

    let bytes = 0;
    for await (const piece of lines) {
      bytes += piece.length;
    }
    expect([sorted, order]).toEqual([false, ['numeric']]);
    expect(bytes).toBe(600_000 * 1002 + 3_488_890);
  }, 120_000);

  it('knows nothing of this one, and leaves nothing on the disk when it is killed at its work or closed', async () => {
    await folder.made(
      'big.duckdb',
      "create table t as select i as id, repeat('x', 100) as x from range(100000) r(i)",
    );
    const before = childrenWith('duckdb/child');
    const source = await folder.open({ path: 'big.duckdb' });
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
    await folder.made('place.duckdb', 'create table t as select 1 as id');
    const source = await folder.open({ path: 'place.duckdb' });

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
    const home = await mkdtemp(join(folder.root, 'compiled-'));
    const { config } = ts.readConfigFile('tsconfig.build.json', ts.sys.readFile) as { config: object };
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, process.cwd());
    // Alone, a file does not know that it is a module.
    const compilerOptions = { ...options, module: ts.ModuleKind.ESNext };
    for (const part of ['connectors/duckdb', 'connectors/shared', 'engine/contracts']) {
      await mkdir(join(home, part), { recursive: true });
      for (const file of (await readdir(part)).filter((name) => name.endsWith('.ts'))) {
        const source = await readFile(join(part, file), 'utf8');
        const { outputText } = ts.transpileModule(source, { compilerOptions, fileName: file });
        await writeFile(join(home, part, file.replace(/ts$/, 'js')), outputText);
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
    execFileSync(process.execPath, ['--input-type=module', '-e', script, folder.root], {
      cwd: home,
      env: { TMPDIR: join(home, 'spills') },
      encoding: 'utf8',
    }).trim();

  it('it finds its other process, and ends though that one is still there', async () => {
    await folder.filled({ 'built.csv': 'id\n1\n2\n' });

    const home = await compiled(['zod', '@duckdb']);

    expect(run(home)).toBe('2');

    // The one who asked is gone; the other tidies up behind itself.
    while ((await readdir(join(home, 'spills'))).length > 0) {
      await new Promise(setImmediate);
    }
  });

  it('it says in a sentence that DuckDB is not installed', async () => {
    await folder.filled({ 'built.csv': 'id\n1\n2\n' });

    expect(run(await compiled(['zod']))).toBe(
      'CONFIG_INVALID: DuckDB is not installed here. Run: npm install @duckdb/node-api',
    );
  });
});
