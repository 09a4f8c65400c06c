import { databricks } from '../../connectors/databricks/index.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { type House, sourceContract, type Words } from '../contracts/source.ts';
import { type Asked, type Outcome, type Pending, startFakeDatabricks } from '../fakes/databricks.ts';
import { partsOf, scaleOf, startWarehouseSql, type WarehouseSql } from '../fakes/warehouse-sql.ts';
import { startCutWay } from '../support/cut.ts';

const name = (given: string): string => `"${given.replaceAll('"', '""')}"`;

/** A PostgreSQL stands in for the SQL of Databricks, so people's queries are written as it reads them. */
const words: Words = {
  name,
  table: (given) => `shop.${name(given)}`,
  // In Databricks a backslash in a literal is an escape, for PostgreSQL only where an E stands before it.
  text: (value) => `E'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`,
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

/** What the SQL around a query needs that PostgreSQL has not, or has in another way: these are found first. */
const functions = [
  'create domain string as text',
  'create function format_number(numeric, int) returns text return round($1, $2)::text',
  'create function named_struct(text, timestamptz) returns timestamptz return $2',
  'create function map(text, text, text, text) returns text return $4',
  "create function \"to_json\"(timestamptz, text) returns text return to_char($1, replace(replace(replace(replace($2, 'mm:ss.SSSSSS', 'MI:SS.US'), 'yyyy', 'YYYY'), 'dd', 'DD'), 'HH', 'HH24'))",
  'create function get_json_object(text, text) returns text return $1',
  'create function "rtrim"(text, text) returns text return pg_catalog.rtrim($2, $1)',
  'create function "concat"(text, text) returns text return $1 || $2',
  'create function "concat"(text, text, text) returns text return $1 || $2 || $3',
  "create function hex(bytea) returns text return upper(encode($1, 'hex'))",
];

/** Names in backticks as PostgreSQL takes them. */
function requoted(text: string): string {
  return text.replaceAll(/`((?:[^`]|``)*)`/g, (_, inner: string) => name(inner.replaceAll('``', '`')));
}

/** Our own parts of a statement as PostgreSQL takes them. A whole table is a query of ours, too, and so is one about keys. */
function translated(statement: string): string {
  const [before, query, after] = partsOf(statement);
  const table = /^SELECT \* FROM `main`\.(.*)$/s.exec(query)?.[1];
  const asked = query.includes('\n  ) examined\n') ? requoted(query) : query;
  const own = table === undefined ? asked : `SELECT * FROM ${requoted(table)}`;
  return `${requoted(before.replaceAll('char(92)', 'chr(92)'))}${own}${requoted(after).replaceAll("TIMESTAMP_NTZ'", "TIMESTAMP'")}`;
}

function typeOf(type: string, modifier: number): string {
  switch (type) {
    case 'numeric':
      return `DECIMAL(${scaleOf(modifier).join(',')})`;
    case 'integer':
      return 'INT';
    case 'float8':
      return 'DOUBLE';
    case 'timestamp':
      return 'TIMESTAMP_NTZ';
    case 'timestamptz':
      return 'TIMESTAMP';
    case 'json':
      return 'VARIANT';
    case 'bytea':
      return 'BINARY';
    case 'text':
      return 'STRING';
    default:
      return type.toUpperCase();
  }
}

const rowsInPart = 10_000;

function pendingOf(sql: WarehouseSql, { statement }: Asked): Pending {
  const running = sql.run(translated(statement), 600_000);
  const outcome = (): Outcome | undefined => {
    const { came } = running;
    if (came === undefined) {
      return undefined;
    }
    if ('state' in came) {
      const { place, message } = came;
      const where = place === undefined ? '' : `; line ${place.line} pos ${place.position}`;
      return { code: 'BAD_REQUEST', message: `[SOME_CLASS] ${message}. SQLSTATE: ${came.state}${where}` };
    }
    const { columns, rows } = came;
    return {
      columns: columns.map(({ name: column, type, modifier }) => [column, typeOf(type, modifier)]),
      rows,
      parts: Array.from({ length: Math.ceil(rows.length / rowsInPart) }, (_, at) =>
        Math.min(rowsInPart, rows.length - at * rowsInPart),
      ),
    };
  };
  return { outcome, cancel: running.cancel };
}

async function start(): Promise<House> {
  const sql = await startWarehouseSql(functions);
  const fake = await startFakeDatabricks();
  const way = await startCutWay(Number(new URL(fake.workspace.url).port));
  const { state } = fake;
  const made: string[] = [];
  state.pages = [made];
  state.runsFor = 0;
  const careful = 'dapi-of-the-careful';
  state.granted.add(careful);
  const strings = (...columns: readonly string[]) => columns.map((column) => [column, 'STRING'] as const);
  state.script.push([
    /^SELECT current_user\(\), current_catalog/,
    { columns: strings('u', 'c'), rows: [['app-1', 'main']] },
  ]);
  state.run = (asked) => {
    if (!asked.statement.includes('information_schema')) {
      return pendingOf(sql, asked);
    }
    const token = fake.workspace.requests.at(-1)?.headers['authorization'] ?? '';
    const rows = [['schema', 'shop', token.endsWith(careful) ? 'SELECT' : 'MODIFY']];
    return {
      outcome: () => ({ columns: strings('on', 'name', 'privilege'), rows }),
      cancel: () => undefined,
    };
  };
  const configFor = (token: string, baseUrl: string): Raw => ({
    token,
    baseUrl,
    warehouse: state.warehouse,
    catalog: 'main',
  });
  // The tables that are listed are kept for a minute: here each look at the clock is one later.
  let now = Date.now();
  return {
    config: configFor(state.token, fake.workspace.url),
    carefulConfig: configFor(careful, fake.workspace.url),
    wrongConfig: configFor('not-the-token', fake.workspace.url),
    secrets: [state.token, careful],
    options: {
      now: () => {
        now += 61_000;
        return new Date(now);
      },
    },
    run: async (statement) => {
      const table = /^CREATE TABLE shop\."((?:[^"]|"")*)"/.exec(statement)?.[1];
      if (table !== undefined) {
        made.push(`main.shop.${table.replaceAll('""', '"')}`);
      }
      await sql.query(statement);
    },
    running: async (mark) => {
      const count = `select count(*)::int as n from pg_stat_activity where state = 'active' and query like $1 and pid <> pg_backend_pid()`;
      return (await sql.query<{ n: number }>(count, [`%${mark}%`]))[0]?.n ?? 0;
    },
    cut: Object.assign(way, { config: configFor(state.token, `http://127.0.0.1:${way.port}`) }),
    close: async () => {
      await way.close();
      await fake.close();
      await sql.close();
    },
  };
}

sourceContract('Databricks, at a server of ours with a PostgreSQL behind it', {
  connector: databricks,
  dialect: 'databricks',
  words,
  start,
  attacks: (table) => [
    `FROM ${table} INSERT INTO ${table} SELECT k`,
    `WITH d AS (SELECT 1 AS k) INSERT INTO ${table} SELECT k FROM d`,
    `OPTIMIZE ${table}`,
    `VACUUM ${table}`,
    `COPY INTO ${table} FROM 's3://bucket/x'`,
    `BEGIN DELETE FROM ${table}; END`,
    `EXECUTE IMMEDIATE 'DROP TABLE ${table}'`,
    `SET spark.sql.ansi.enabled = false`,
  ],
  skip: {
    NUL: 'PostgreSQL, which carries out the queries here, can hold no NUL in a text.',
    'values: unsigned': 'Databricks has no such type.',
    'suggests: primary key': 'Databricks holds nobody to a primary key, so none is asked for.',
    'slow reader':
      'The server of ours holds whole results in this very process; databricks.test.ts looks at memory.',
    interrupted: 'Each part is a request of its own, which is made again when it breaks.',
  },
});
