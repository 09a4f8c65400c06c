import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { describe } from 'vitest';
import { mysql } from '../../connectors/mysql/index.ts';
import { type House, sourceContract, type Words } from '../contracts/source.ts';
import { startCutWay } from '../support/cut.ts';
import { hasMariadb, startMariadb } from '../support/mariadb.ts';

const name = (text: string): string => `\`${text.replaceAll('`', '``')}\``;

const words: Words = {
  name,
  table: (text) => `shop.${name(text)}`,
  text: (value) => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''").replaceAll('\0', '\\0')}'`,
  types: {
    text: 'text',
    integer: 'bigint',
    unsigned: 'bigint unsigned',
    decimal: 'decimal(38,9)',
    float: 'double',
    boolean: 'bit(1)',
    date: 'date',
    datetime: 'datetime(6)',
    instant: 'timestamp(6) null',
    json: 'json',
    bytes: 'varbinary(9000)',
  },
  values: {
    integer: (text) => `CAST('${text}' AS SIGNED)`,
    unsigned: (text) => `CAST('${text}' AS UNSIGNED)`,
    boolean: (text) => (text === 'true' ? "b'1'" : "b'0'"),
    instant: (text) => `CAST('${text.replace(/\+00$/, '')}' AS DATETIME(6))`,
    json: (text) => words.text(text),
    bytes: (text) => (text === '\\x' ? "x''" : `x'${text.slice(2)}'`),
  },
  series: (upTo) => `SELECT seq AS i FROM seq_1_to_${upTo}`,
  long: (letters) => `RPAD('', ${letters}, CONCAT('x', i % 10))`,
  failing: '(SELECT 1 UNION SELECT 2 FROM DUAL WHERE i = 5000)',
  slow: (mark) => `SELECT 1 AS k, '${mark}' AS m, SLEEP(60) AS s`,
};

const password = 'pass-of-the-source';
let folder = '';

async function start(): Promise<House> {
  const server = await startMariadb(['--max-allowed-packet=64M']);
  folder = mkdtempSync(join(tmpdir(), 'activate-outfile-'));
  const admin = await createConnection({ uri: server.adminUrl, charset: 'utf8mb4', timezone: 'Z' });
  for (const statement of [
    'create database shop character set utf8mb4',
    'use shop',
    "set time_zone = '+00:00'",
    `create user careless identified by '${password}'`,
    'grant all privileges on *.* to careless with grant option',
    `create user careful identified by '${password}'`,
    'grant select on shop.* to careful',
    'create sequence numbers',
    'create function writes() returns int modifies sql data begin insert into called values (99); return 1; end',
  ]) {
    await admin.query(statement);
  }
  const way = await startCutWay(server.port);
  const urlFor = (user: string, port = server.port, secret = password): string =>
    `mysql://${user}:${secret}@127.0.0.1:${port}/shop`;
  return {
    config: { url: urlFor('careless') },
    carefulConfig: { url: urlFor('careful') },
    wrongConfig: { url: urlFor('careful', server.port, 'not-the-password') },
    secrets: [password],
    run: (statement) => admin.query(statement),
    running: async (mark) => {
      const [rows] = await admin.query(
        `select id from information_schema.processlist where command = 'Query' and info like '%${mark}%' and id <> connection_id()`,
      );
      return (rows as unknown[]).length;
    },
    interrupted: { config: { url: urlFor('careless', way.port) }, strike: () => way.strike() },
    cut: Object.assign(way, { config: { url: urlFor('careless', way.port) } }),
    traces: () => ['out', 'dump'].filter((file) => existsSync(join(folder, file))),
    close: async () => {
      await way.close();
      await admin.end();
      await server.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

describe.skipIf(!hasMariadb)('a real MariaDB server (skipped where there is no mariadbd)', () => {
  sourceContract('MySQL / MariaDB', {
    connector: mysql,
    dialect: 'mysql',
    words,
    start,
    attacks: (table) => [
      `SELECT k FROM ${table} FOR UPDATE`,
      `SELECT k FROM ${table} INTO OUTFILE '${folder}/out'`,
      `SELECT 1 AS k) m INTO OUTFILE '${folder}/out' -- `,
      `SELECT 1 AS k) m INTO DUMPFILE '${folder}/dump' #`,
      `SELECT 1 AS k /*! ) m INTO OUTFILE '${folder}/out' */ -- `,
      'SET SESSION TRANSACTION READ WRITE',
      `LOCK TABLES ${table} WRITE`,
      `REPLACE INTO ${table} VALUES (99)`,
      `RENAME TABLE ${table} TO shop.renamed`,
      'KILL 1',
    ],
    calls: () => ['SELECT shop.writes() AS k', 'SELECT NEXTVAL(shop.numbers) AS k'],
    impossibleNames: { names: ['Ünï🦊'], because: 'Names are of signs of up to three bytes.' },
    skip: {
      'not a number': 'MySQL has neither NaN nor Infinity.',
      'error position':
        'The server tells a line only for what is no SQL, and none for a column that it does not know.',
      'values: instant':
        'A TIMESTAMP reaches from 1970 to 2038 alone: those are tried with the other types of MySQL.',
    },
  });
});
