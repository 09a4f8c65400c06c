import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { duckdb } from '../../connectors/duckdb/index.ts';
import { type House, sourceContract, type Words } from '../contracts/source.ts';
import { childrenWith } from '../support/children.ts';

const name = (text: string): string => `"${text.replaceAll('"', '""')}"`;

const words: Words = {
  name,
  table: (text) => `shop.${name(text)}`,
  text: (value) =>
    value
      .split('\0')
      .map((part) => `'${part.replaceAll("'", "''")}'`)
      .join(' || chr(0) || '),
  types: {
    text: 'VARCHAR',
    integer: 'BIGINT',
    unsigned: 'UBIGINT',
    decimal: 'DECIMAL(38,9)',
    float: 'DOUBLE',
    boolean: 'BOOLEAN',
    date: 'DATE',
    datetime: 'TIMESTAMP',
    instant: 'TIMESTAMPTZ',
    json: 'JSON',
    bytes: 'BLOB',
  },
  values: { bytes: (text) => `unhex('${text.slice(2)}')` },
  series: (upTo) => `SELECT i FROM range(1, ${upTo + 1}) AS r(i)`,
  long: (letters) => `repeat(chr(97 + CAST(i % 10 AS INTEGER)), ${letters})`,
  failing: "CASE WHEN i = 5000 THEN error('a row is wrong') ELSE 1 END",
  slow: (mark) =>
    `SELECT count(*) AS k, '${mark}' AS m FROM range(100000000) AS a(i), range(100000) AS b(j) WHERE hash(i + j) = 5`,
};

/** Works on the file as who may write, and waits until nobody else holds it. */
async function written(file: string, statement: string): Promise<void> {
  for (;;) {
    try {
      const instance = await DuckDBInstance.create(file);
      const connection = await instance.connect();
      try {
        await connection.run(statement);
      } finally {
        connection.closeSync();
        instance.closeSync();
      }
      return;
    } catch (error) {
      if (!String(error).includes('Could not set lock')) {
        throw error;
      }
    }
  }
}

async function start(): Promise<House> {
  const folder = await mkdtemp(join(tmpdir(), 'activate-duckdb-test-'));
  const file = join(folder, 'warehouse.duckdb');
  await written(file, 'CREATE SCHEMA shop; CREATE SEQUENCE shop.numbers');
  const before = new Set(childrenWith('duckdb/child'));
  const children = (): readonly number[] => childrenWith('duckdb/child').filter((pid) => !before.has(pid));
  return {
    // Little, so that what is large has to go to disk.
    config: { path: 'warehouse.duckdb', memoryMb: '250' },
    options: { allowedFolder: folder },
    run: (statement) => written(file, statement),
    // The file can be opened to write when nothing runs that reads it.
    running: async () => {
      try {
        const instance = await DuckDBInstance.create(file);
        instance.closeSync();
        return 0;
      } catch {
        return 1;
      }
    },
    interrupted: {
      config: { path: 'warehouse.duckdb' },
      strike: () => {
        for (const pid of children()) {
          process.kill(pid, 'SIGKILL');
        }
      },
    },
    traces: async () => (await readdir(folder)).filter((one) => one !== 'warehouse.duckdb'),
    close: () => rm(folder, { recursive: true }),
  };
}

sourceContract('DuckDB', {
  connector: duckdb,
  dialect: 'duckdb',
  words,
  start,
  attacks: (table) => [
    `COPY ${table} TO '/tmp/pwned.csv'`,
    `COPY (SELECT 1) TO 'pwned.parquet'`,
    "ATTACH '/tmp/pwned.duckdb' AS p",
    "EXPORT DATABASE 'pwned'",
    'INSTALL httpfs',
    'LOAD httpfs',
    'SET enable_external_access = true',
    'PRAGMA enable_profiling',
    'CALL pragma_version()',
    'CHECKPOINT',
    'EXPLAIN ANALYZE SELECT 1 AS k',
    `PIVOT ${table} ON k USING count(*)`,
    "SELECT 1 AS k FROM read_csv('/etc/passwd')",
    "SELECT content AS k FROM read_text('/etc/passwd')",
    "SELECT file AS k FROM glob('/etc/*')",
    "SELECT 1 AS k FROM '/etc/passwd'",
    "SELECT 1 AS k FROM read_parquet('https://example.com/x.parquet')",
    `SELECT 1 AS k \0; DROP TABLE ${table}`,
  ],
  calls: () => ["SELECT nextval('shop.numbers') AS k", "SELECT content AS k FROM read_text('/etc/hostname')"],
  skip: {
    'careless role': 'DuckDB has no roles.',
    'careful role': 'DuckDB has no roles: see the test of what it warns about.',
    'wrong login': 'A file has no login.',
    'cut at any byte': 'There is no connection to cut, only a process.',
  },
});
