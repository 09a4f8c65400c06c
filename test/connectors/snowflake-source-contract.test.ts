import { snowflake } from '../../connectors/snowflake/index.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { type House, sourceContract, type Words } from '../contracts/source.ts';
import { type Asked, type Outcome, type Pending, startFakeSnowflake, text } from '../fakes/snowflake.ts';
import { partsOf, scaleOf, startWarehouseSql, type WarehouseSql } from '../fakes/warehouse-sql.ts';
import { startCutWay } from '../support/cut.ts';

const name = (given: string): string => `"${given.replaceAll('"', '""')}"`;

/** A PostgreSQL stands in for the SQL of Snowflake, so people's queries are written as it reads them. */
const words: Words = {
  name,
  table: (given) => `shop.${name(given)}`,
  // In Snowflake a backslash in a literal is an escape, for PostgreSQL only where an E stands before it.
  text: (value) => `E'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`,
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
  slow: (mark) => `SELECT 1 AS k, '${mark}' AS m, pg_sleep(60)::text AS s`,
};

/** What the SQL around a query needs that PostgreSQL has not. */
const functions = [
  'create function to_varchar(bigint) returns text return $1::text',
  'create function to_varchar(numeric) returns text return $1::text',
  'create function to_varchar(boolean) returns text return $1::text',
  'create function to_varchar(text) returns text return $1',
  'create function to_varchar(float8) returns text return $1::text',
  'create function to_varchar(float8, text) returns text return $1::text',
  'create function try_to_double(text) returns float8 return $1::float8',
  'create function convert_timezone(text, timestamptz) returns timestamp return $2 at time zone $1',
  "create function hex_encode(bytea, int) returns text return encode($1, 'hex')",
  'create function to_variant(json) returns json return $1',
  'create function to_timestamp_ntz(text, text) returns timestamp return $1::timestamp',
  'create function to_timestamp_tz(text, text) returns timestamptz return $1::timestamptz',
  'create function sf_concat(text, text) returns text return $1 || $2',
  'create function sf_concat(text, text, text) returns text return $1 || $2 || $3',
  'create function sf_collate(text, text) returns text return $1',
];

/** Our own part of a statement as PostgreSQL takes it; names in quotes stay as they are. */
function translated(statement: string): string {
  const [before, query, after] = partsOf(statement);
  const head = before.replaceAll(/"(?:[^"]|"")*"|\bCOLLATE\(|\bCONCAT\(|FF9/g, (part) => {
    const instead: Readonly<Record<string, string>> = {
      'COLLATE(': 'sf_collate(',
      'CONCAT(': 'sf_concat(',
      FF9: 'US',
    };
    return instead[part] ?? part;
  });
  return `${head}${query}${after}`;
}

const kinds: Readonly<Record<string, string>> = {
  boolean: 'boolean',
  float8: 'real',
  date: 'date',
  timestamp: 'timestamp_ntz',
  timestamptz: 'timestamp_tz',
  json: 'variant',
  bytea: 'binary',
};
const rowsInPart = 10_000;

function pendingOf(sql: WarehouseSql, { statement, timeout = 60 }: Asked): Pending {
  const running = sql.run(translated(statement), timeout * 1000);
  const outcome = (): Outcome | undefined => {
    const { came } = running;
    if (came === undefined) {
      return undefined;
    }
    if ('state' in came) {
      const place = came.place;
      const where = place === undefined ? '' : `error line ${place.line} at position ${place.position}\n`;
      const code = came.state === '57014' ? '000630' : '001003';
      return { code, message: `SQL compilation error: ${where}${came.message}` };
    }
    const { columns, rows } = came;
    const parts = Array.from({ length: Math.ceil(rows.length / rowsInPart) }, (_, at) =>
      Math.min(rowsInPart, rows.length - at * rowsInPart),
    );
    return {
      columns: columns.map(({ name: column, type, modifier }) => {
        const [precision, scale] = type === 'numeric' ? scaleOf(modifier) : [38, 0];
        return /^(bigint|integer|smallint|numeric)$/.test(type)
          ? { name: column, type: 'fixed', precision, scale }
          : { name: column, type: kinds[type] ?? 'text' };
      }),
      rows,
      parts: parts.length === 0 ? [0] : parts,
    };
  };
  return { outcome, cancel: running.cancel };
}

const listed = `select 'x', c.relname::text, 'TABLE', 'db', n.nspname::text from pg_class c
  join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'shop' and c.relkind in ('r', 'v')`;

async function start(): Promise<House> {
  const sql = await startWarehouseSql(functions);
  const fake = await startFakeSnowflake();
  const way = await startCutWay(Number(new URL(fake.url).port));
  const { state } = fake;
  state.runsFor = 0;
  state.run = (asked) => {
    if (asked.statement.startsWith('SELECT CURRENT_USER()')) {
      const columns = ['U', 'R', 'W', 'D', 'S'].map(text);
      const rows = [['ACTIVATE', asked.role ?? '', 'WH', 'ANALYTICS', '{"roles":"","value":""}']];
      return { outcome: () => ({ columns, rows }), cancel: () => undefined };
    }
    return asked.statement.startsWith('SHOW TERSE OBJECTS') ? tablesOf(sql) : pendingOf(sql, asked);
  };
  const grants = (...rows: readonly (readonly string[])[]): Outcome => ({
    columns: ['privilege', 'granted_on', 'name'].map(text),
    rows,
  });
  const reads = ['SELECT', 'TABLE', 'ANALYTICS.SHOP.X'];
  state.script.push(
    [/^SHOW GRANTS TO ROLE "CARELESS"/, grants(reads, ['INSERT', 'TABLE', 'ANALYTICS.SHOP.X'])],
    [/^SHOW GRANTS/, grants(reads)],
  );
  const configFor = (role: string, baseUrl: string, token = state.token): Raw => ({
    account: 'myorg-myaccount',
    token,
    role,
    database: 'analytics',
    baseUrl,
  });
  // The tables that are listed are kept for a minute: here each look at the clock is one later.
  let now = Date.now();
  return {
    config: configFor('careless', fake.url),
    carefulConfig: configFor('careful', fake.url),
    wrongConfig: configFor('careful', fake.url, 'not-the-token'),
    secrets: [state.token],
    options: {
      now: () => {
        now += 61_000;
        return new Date(now);
      },
    },
    run: (statement) => sql.query(statement),
    running: async (mark) => {
      const count = `select count(*)::int as n from pg_stat_activity where state = 'active' and query like $1 and pid <> pg_backend_pid()`;
      return (await sql.query<{ n: number }>(count, [`%${mark}%`]))[0]?.n ?? 0;
    },
    cut: Object.assign(way, { config: configFor('careless', `http://127.0.0.1:${way.port}`) }),
    close: async () => {
      await way.close();
      await fake.close();
      await sql.close();
    },
  };
}

function tablesOf(sql: WarehouseSql): Pending {
  const running = sql.run(listed, 10_000);
  const columns = ['created_on', 'name', 'kind', 'database_name', 'schema_name'].map(text);
  return {
    outcome: () =>
      running.came !== undefined && 'rows' in running.came ? { columns, rows: running.came.rows } : undefined,
    cancel: running.cancel,
  };
}

sourceContract('Snowflake, at a server of ours with a PostgreSQL behind it', {
  connector: snowflake,
  dialect: 'snowflake',
  words,
  start,
  attacks: (table) => [
    `SELECT 1 AS k ->> DROP TABLE ${table}`,
    `SELECT 1 AS k) AS q ->> DROP TABLE ${table} ->> (SELECT 1 AS k`,
    `CALL sp_write()`,
    `PUT file:///etc/passwd @~`,
    `COPY INTO @~/x FROM ${table}`,
    `BEGIN DELETE FROM ${table}; END`,
    `EXECUTE IMMEDIATE 'DROP TABLE ${table}'`,
  ],
  skip: {
    NUL: 'PostgreSQL, which carries out the queries here, can hold no NUL in a text.',
    'values: unsigned': 'Snowflake has no such type.',
    'suggests: primary key': 'Snowflake holds nobody to a primary key, so none is asked for.',
    'slow reader':
      'The server of ours holds whole results in this very process; snowflake.test.ts looks at memory.',
    interrupted: 'Each part is a request of its own, which is made again when it breaks.',
  },
});
