import pg from 'pg';
import { redshift } from '../../connectors/redshift/index.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { type House, sourceContract, type Words } from '../contracts/source.ts';
import { startCutWay } from '../support/cut.ts';
import { freshDb } from '../support/postgres.ts';

const name = (text: string): string => `"${text.replaceAll('"', '""')}"`;

/** What PostgreSQL and Redshift both take. */
const words: Words = {
  name,
  table: (text) => `shop.${name(text)}`,
  // In Redshift a backslash in a literal is an escape, for PostgreSQL only where an E stands before it.
  text: (value) => `E'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`,
  types: {
    text: 'varchar',
    integer: 'bigint',
    decimal: 'numeric(38,9)',
    float: 'double precision',
    boolean: 'boolean',
    date: 'date',
    datetime: 'timestamp',
    instant: 'timestamptz',
  },
  series: (upTo) => `SELECT i::bigint AS i FROM generate_series(1, ${upTo}) AS i`,
  long: (letters) => `rpad('', ${letters}, 'x' || (i % 10))`,
  failing: '1 / (5000 - i)',
  slow: (mark) => `SELECT 1 AS k, '${mark}' AS m, pg_sleep(60)`,
};

const password = 'pass-of-the-source';
let made = 0;

/** A PostgreSQL: it knows the statements that readings need, and cursors behave alike. */
async function start(): Promise<House> {
  const fresh = await freshDb();
  const admin = new pg.Client(fresh.url);
  admin.on('error', () => undefined);
  await admin.connect();
  made += 1;
  const careless = `rs_careless_${process.pid}_${Date.now().toString(36)}_${made}`;
  const careful = `rs_careful_${process.pid}_${Date.now().toString(36)}_${made}`;
  for (const statement of [
    `create role ${careless} login password '${password}'`,
    `create role ${careful} login password '${password}'`,
    'revoke create on schema public from public',
    'create schema shop',
    `grant all on schema shop to ${careless}`,
    `grant usage on schema shop to ${careful}`,
    `alter default privileges grant all on tables to ${careless}`,
    `alter default privileges grant select on tables to ${careful}`,
  ]) {
    await admin.query(statement);
  }
  const { port, pathname } = new URL(fresh.url);
  const way = await startCutWay(Number(port));
  const configFor = (user: string, at: string | number, secret = password): Raw => ({
    host: `127.0.0.1:${at}${pathname}`,
    user,
    password: secret,
  });
  return {
    config: configFor(careless, port),
    carefulConfig: configFor(careful, port),
    wrongConfig: configFor(careful, port, 'not-the-password'),
    secrets: [password],
    run: (statement) => admin.query(statement),
    // What runs of a reading is the FETCH of its rows, which does not say what for. Nothing else runs in this database.
    running: async (mark) => {
      const text = `select count(*)::int as n from pg_stat_activity where state = 'active' and datname = current_database()
        and (query like $1 or query like 'FETCH FORWARD%') and pid <> pg_backend_pid()`;
      return (await admin.query<{ n: number }>(text, [`%${mark}%`])).rows[0]?.n ?? 0;
    },
    interrupted: { config: configFor(careless, way.port), strike: () => way.strike() },
    cut: Object.assign(way, { config: configFor(careless, way.port) }),
    close: async () => {
      await way.close();
      await admin.query(`drop owned by ${careless}, ${careful} cascade`);
      await admin.query(`drop role ${careless}, ${careful}`);
      await admin.end();
      await fresh.close();
    },
  };
}

sourceContract('Redshift, at a PostgreSQL', {
  connector: redshift,
  dialect: 'redshift',
  words,
  start,
  attacks: (table) => [
    `UNLOAD ('SELECT 1') TO 's3://bucket/x' IAM_ROLE default`,
    `COPY ${table} FROM 's3://bucket/x' IAM_ROLE default`,
    `CALL sp_write()`,
    `LOCK ${table}`,
    `SELECT 1 AS k) AS q; ROLLBACK; BEGIN; DROP TABLE ${table}; COMMIT; SELECT * FROM (SELECT 1 AS k`,
    `SELECT 1 AS k) AS q; CLOSE activate_rows; DECLARE activate_rows CURSOR FOR SELECT * FROM (SELECT 1 AS k`,
  ],
  skip: {
    NUL: 'Neither Redshift nor PostgreSQL can hold a NUL in a text.',
    'values: unsigned': 'Redshift has no such type.',
    'values: json': 'PostgreSQL has no SUPER: the SQL for it is looked at in redshift.test.ts.',
    'values: bytes': 'PostgreSQL has no VARBYTE: the SQL for it is looked at in redshift.test.ts.',
  },
});
