import pg from 'pg';
import { postgres } from '../../connectors/postgres/index.ts';
import { type House, sourceContract, type Words } from '../contracts/source.ts';
import { startCutWay } from '../support/cut.ts';
import { freshDb } from '../support/postgres.ts';

const name = (text: string): string => `"${text.replaceAll('"', '""')}"`;

const words: Words = {
  name,
  table: (text) => `shop.${name(text)}`,
  text: (value) => `'${value.replaceAll("'", "''")}'`,
  types: {
    text: 'text',
    integer: 'bigint',
    decimal: 'numeric(38,9)',
    float: 'double precision',
    boolean: 'boolean',
    date: 'date',
    datetime: 'timestamp',
    instant: 'timestamptz',
    json: 'json',
    bytes: 'bytea',
  },
  series: (upTo) => `SELECT i::bigint AS i FROM generate_series(1, ${upTo}) AS i`,
  long: (letters) => `rpad('', ${letters}, 'x' || (i % 10))`,
  failing: '1 / (5000 - i)',
  slow: (mark) => `SELECT 1 AS k, '${mark}' AS m, pg_sleep(60)`,
};

const password = 'pass-of-the-source';
let made = 0;

async function start(): Promise<House> {
  const fresh = await freshDb();
  const admin = new pg.Client(fresh.url);
  admin.on('error', () => undefined);
  await admin.connect();
  made += 1;
  const careless = `careless_${process.pid}_${Date.now().toString(36)}_${made}`;
  const careful = `careful_${process.pid}_${Date.now().toString(36)}_${made}`;
  await admin.query(
    `
    create role ${careless} login password '${password}';
    create role ${careful} login password '${password}';
    revoke create on schema public from public;
    create schema shop;
    create sequence shop.numbers;
    grant all on schema shop to ${careless};
    grant all on sequence shop.numbers to ${careless};
    grant usage on schema shop to ${careful};
    alter default privileges grant all on tables to ${careless};
    alter default privileges grant select on tables to ${careful};
    create function shop.writes() returns int language sql security definer as 'insert into shop.called values (99) returning 1';
  `
      .replaceAll('\n', ' ')
      .replace(/create function[^;]*;/, (text) => `set check_function_bodies = off; ${text}`),
  );
  const way = await startCutWay(Number(new URL(fresh.url).port));
  const urlFor = (role: string, port: string | number, secret = password): string => {
    const url = new URL(fresh.url);
    url.username = role;
    url.password = secret;
    url.port = String(port);
    return url.href;
  };
  const { port } = new URL(fresh.url);
  return {
    config: { url: urlFor(careless, port) },
    carefulConfig: { url: urlFor(careful, port) },
    wrongConfig: { url: urlFor(careful, port, 'not-the-password') },
    secrets: [password],
    run: (statement) => admin.query(statement),
    running: async (mark) => {
      const text = `select count(*)::int as n from pg_stat_activity where state = 'active' and query like $1 and pid <> pg_backend_pid()`;
      return (await admin.query<{ n: number }>(text, [`%${mark}%`])).rows[0]?.n ?? 0;
    },
    interrupted: { config: { url: urlFor(careless, way.port) }, strike: () => way.strike() },
    cut: Object.assign(way, { config: { url: urlFor(careless, way.port) } }),
    close: async () => {
      await way.close();
      await admin.query(`drop owned by ${careless}, ${careful} cascade; drop role ${careless}, ${careful}`);
      await admin.end();
      await fresh.close();
    },
  };
}

sourceContract('PostgreSQL', {
  connector: postgres,
  dialect: 'postgresql',
  words,
  start,
  attacks: (table) => [
    `SELECT * FROM ${table} FOR UPDATE`,
    `COPY ${table} TO PROGRAM 'true'`,
    `DO $$ BEGIN DELETE FROM ${table}; END $$`,
    'SET ROLE postgres',
    'LISTEN x',
    'VACUUM',
    `LOCK TABLE ${table}`,
    `SELECT 1 AS k) AS q; ROLLBACK; BEGIN; DROP TABLE ${table}; COMMIT; SELECT * FROM (SELECT 1 AS k`,
  ],
  calls: () => [
    'SELECT shop.writes() AS k',
    "SELECT nextval('shop.numbers') AS k",
    'SELECT lo_create(0) AS k',
    "SELECT query_to_xml('insert into shop.called values (99) returning 1', true, true, '')::text AS k",
  ],
  skip: {
    NUL: 'PostgreSQL can hold no NUL in a text.',
    'values: unsigned': 'PostgreSQL has no such type.',
  },
});
