import { generateKeyPairSync } from 'node:crypto';
import { bigquery } from '../../connectors/bigquery/index.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { type House, sourceContract, type Words } from '../contracts/source.ts';
import { makeBySql } from '../contracts/source-house.ts';
import {
  type FakeBigQuery,
  keyFileOf,
  type Pending,
  refused,
  type Script,
  startFakeBigQuery,
} from '../fakes/bigquery.ts';
import type { Received } from '../fakes/http.ts';
import { type Came, partsOf, startWarehouseSql, type WarehouseSql } from '../fakes/warehouse-sql.ts';
import { startCutWay } from '../support/cut.ts';

const name = (given: string): string => `"${given.replaceAll('"', '""')}"`;

/** A PostgreSQL stands in for the SQL of BigQuery, so people's queries are written as it reads them. */
const words: Words = {
  name,
  table: (given) => `shop.${name(given)}`,
  // In BigQuery a backslash in a literal is an escape, and a new line is none; for PostgreSQL an E has to stand before it.
  text: (value) => {
    const escaped = value.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
    return `E'${escaped.replaceAll('\n', '\\n').replaceAll('\r', '\\r')}'`;
  },
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
  'create function string_of(integer) returns text return $1::text',
  'create function string_of(bigint) returns text return $1::text',
  'create function string_of(numeric) returns text return $1::text',
  'create function string_of(boolean) returns text return $1::text',
  "create function string_of(float8) returns text return case $1 when 'Infinity' then 'inf' when '-Infinity' then '-inf' when 'NaN' then 'nan' else $1::text end",
  "create function is_inf(float8) returns boolean return $1 in ('Infinity', '-Infinity')",
  "create function is_nan(float8) returns boolean return $1 = 'NaN'",
  // %E*S has as many places as there are, down to none.
  `create function format_datetime(text, timestamp) returns text return replace(
    to_char($2, replace(replace(replace(replace(replace(replace($1,
      '%E4Y', 'YYYY'), '%m', 'MM'), '%d', 'DD'), '%H', 'HH24'), '%M', 'MI'), '%E*S', 'SS"/"')),
    '/', rtrim(rtrim(to_char($2, '.US'), '0'), '.'))`,
  'create function format_date(text, date) returns text return format_datetime($1, $2::timestamp)',
  'create function format_timestamp(text, timestamptz, text) returns text return format_datetime($1, $2 at time zone $3)',
  "create function to_hex(bytea) returns text return encode($1, 'hex')",
  'create function to_json_string(json) returns text return $1::text',
  'create function "concat"(text, text) returns text return $1 || $2',
  'create function "if"(boolean, text, text) returns text return case when $1 then $2 else $3 end',
  'create function datetime(timestamptz, text) returns timestamp return $1 at time zone $2',
  'create function "date"(timestamptz, text) returns date return ($1 at time zone $2)::date',
  'create domain bignumeric as numeric',
];

const quotedName = /(`(?:[^`\\]|\\[\s\S])*`)/;

/** Words of ours as PostgreSQL takes them. */
function respelled(text: string): string {
  return text
    .split(quotedName)
    .map((part) =>
      part.startsWith('`')
        ? name(part.slice(1, -1).replaceAll(/\\([\s\S])/g, '$1'))
        : part
            .replaceAll('CAST(', 'string_of(')
            .replaceAll(' AS STRING)', ')')
            .replaceAll("r'", "'")
            .replaceAll("TIMESTAMP '", "TIMESTAMPTZ '"),
    )
    .join('');
}

/** Our own parts of a statement as PostgreSQL takes them. A whole table is a query of ours, too, and so is one about keys. */
function translated(statement: string): string {
  const isOurs = /^SELECT [^\n]* FROM \(\n/.test(statement);
  const [before, query, after] = isOurs ? partsOf(statement) : ['', statement, ''];
  const own =
    query.startsWith('SELECT * FROM `') || query.includes('\n  ) examined\n') ? respelled(query) : query;
  return `${respelled(before)}${own}${respelled(after)}`;
}

const fieldTypes: Readonly<Record<string, string>> = {
  bigint: 'INTEGER',
  smallint: 'INTEGER',
  integer: 'INTEGER',
  numeric: 'NUMERIC',
  float8: 'FLOAT',
  boolean: 'BOOLEAN',
  date: 'DATE',
  timestamp: 'DATETIME',
  timestamptz: 'TIMESTAMP',
  json: 'JSON',
  jsonb: 'JSON',
  bytea: 'BYTES',
};

const refusalOf = ({ message, place }: Extract<Came, { state: string }>, linesBefore: number) => {
  const where = place === undefined ? '' : ` at [${place.line - linesBefore}:${place.position + 1}]`;
  return refused(400, 'invalidQuery', `${message}${where}`);
};

function pendingOf(sql: WarehouseSql, statement: string): Pending {
  const running = sql.run(statement, 600_000);
  return {
    outcome: () => {
      const { came } = running;
      return came !== undefined && 'state' in came ? { failing: refusalOf(came, 0) } : came;
    },
    cancel: running.cancel,
  };
}

/** What a dry run tells: several statements are a script, and what is no SELECT is called by its first word. */
async function scriptOf(sql: WarehouseSql, statement: string, made: ReadonlySet<string>): Promise<Script> {
  const bare = statement.replaceAll(
    /'(?:[^'\\]|\\[\s\S]|'')*'|"(?:[^"]|"")*"|`(?:[^`\\]|\\[\s\S])*`|--[^\n]*|\/\*[\s\S]*?\*\//g,
    ' ',
  );
  const first = /\w+/.exec(bare)?.[0]?.toUpperCase() ?? '';
  const statementType = /;\s*\S/.test(bare) ? 'SCRIPT' : first === 'WITH' ? 'SELECT' : first;
  const mark = statement;
  if (statementType !== 'SELECT') {
    return { mark, statementType };
  }
  const query = translated(statement);
  const came = await sql.run(`/* dry */ SELECT * FROM (\n${query}\n) AS dry LIMIT 0`, 30_000).done;
  if ('state' in came) {
    return { mark, refused: refusalOf(came, 1) };
  }
  const tables = [...made].filter((table) => query.includes(words.table(table)));
  return {
    mark,
    fields: came.columns.map((column) => ({ name: column.name, type: fieldTypes[column.type] ?? 'STRING' })),
    tables: tables.map((tableId) => ({ projectId: 'acme-analytics', datasetId: 'shop', tableId })),
    run: () => pendingOf(sql, query),
  };
}

const listed = `select c.relname::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'shop' and c.relkind in ('r', 'v') order by 1`;

function connected({ state }: FakeBigQuery, sql: WarehouseSql, made: ReadonlySet<string>): void {
  state.tablesPerPage = 1000;
  state.datasets.set('shop', []);
  state.ahead = async (request: Received) => {
    if (request.method === 'POST' && request.path.endsWith('/jobs')) {
      const { configuration } = request.json<{ configuration: { query: { query: string } } }>();
      const statement = configuration.query.query;
      state.known.set(statement, await scriptOf(sql, statement, made));
    }
    if (request.path.endsWith('/datasets/shop/tables')) {
      const tables = await sql.query<{ name: string }>(listed);
      state.datasets.set(
        'shop',
        tables.map((table) => table.name),
      );
    }
  };
}

async function start(): Promise<House> {
  const sql = await startWarehouseSql(functions);
  await sql.query('create table shop."first of all" (k bigint)');
  const fake = await startFakeBigQuery();
  const way = await startCutWay(Number(new URL(fake.url).port));
  const made = new Set<string>();
  connected(fake, sql, made);
  const { state } = fake;
  state.permissions.add('bigquery.tables.updateData').add('bigquery.tables.delete');
  const stranger = keyFileOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);
  const configFor = (serviceAccount: string, baseUrl = fake.url): Raw => ({ serviceAccount, baseUrl });
  const house: House = {
    config: configFor(state.key),
    carefulConfig: configFor(state.readersKey),
    wrongConfig: configFor(stranger),
    secrets: [(JSON.parse(state.key) as { private_key: string }).private_key],
    run: (statement) => sql.query(statement),
    make: async (given) => {
      made.add(given.name);
      if (given.primaryKey !== undefined) {
        state.primaryKeys.set(`shop.${given.name}`, given.primaryKey);
      }
      await makeBySql(words, house, given);
    },
    running: async (mark) => {
      const count = `select count(*)::int as n from pg_stat_activity
        where state = 'active' and query like $1 and query not like '/* dry */%' and pid <> pg_backend_pid()`;
      return (await sql.query<{ n: number }>(count, [`%${mark}%`]))[0]?.n ?? 0;
    },
    cut: Object.assign(way, { config: configFor(state.key, `http://127.0.0.1:${way.port}`) }),
    close: async () => {
      await way.close();
      await fake.close();
      await sql.close();
      fake.expectNoUnexpected();
    },
  };
  return house;
}

sourceContract('BigQuery, at a server of ours with a PostgreSQL behind it', {
  connector: bigquery,
  dialect: 'bigquery',
  words,
  start,
  attacks: (table) => [
    `EXPORT DATA OPTIONS (uri = 'gs://bucket/x*', format = 'CSV') AS SELECT k FROM ${table}`,
    `LOAD DATA INTO ${table} FROM FILES (format = 'CSV', uris = ['gs://bucket/x'])`,
    `CREATE TEMP TABLE pwned AS SELECT 1 AS k; SELECT k FROM pwned`,
    `DECLARE x INT64 DEFAULT 1; DELETE FROM ${table} WHERE k = x`,
    `BEGIN DELETE FROM ${table}; END`,
    `EXECUTE IMMEDIATE 'DROP TABLE ${table}'`,
    `CALL shop.writes()`,
  ],
  skip: {
    NUL: 'PostgreSQL, which carries out the queries here, can hold no NUL in a text; bigquery.test.ts has one.',
    'values: unsigned': 'BigQuery has no such type.',
    'slow reader':
      'The server of ours holds whole results in this very process; bigquery.test.ts looks at memory.',
    interrupted:
      'Each page is a request of its own, which is made again when it breaks; bigquery.test.ts breaks them.',
  },
});
