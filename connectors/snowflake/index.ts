import { defineConnector } from '../../engine/contracts/connector.ts';
import { quoted } from '../../engine/contracts/names.ts';
import type { Column, Limits, Query, Reading, Source } from '../../engine/contracts/source.ts';
import { keptForAMinute } from '../shared/kept.ts';
import { linesOf } from '../shared/statements.ts';
import { bestMatches, type Listed } from '../shared/table-list.ts';
import { around, readColumns, watermarkOf } from '../shared/wrap.ts';
import { describeQuery, listTables, selectAll, someRows, suggestKey } from './catalog.ts';
import { config, loginOf } from './config.ts';
import { vendor } from './errors.ts';
import { warningsOf } from './rights.ts';
import { scratchOf } from './scratch.ts';
import { type Session, sessionOf } from './session.ts';
import { orderOf, textOf } from './text.ts';

/** A warehouse that sleeps has to wake up first. */
const checking: Limits = { timeoutMs: 60_000 };

/** Snowflake by its SQL API. */
export const snowflake = defineConnector({
  id: 'snowflake',
  name: 'Snowflake',
  summary: 'Reads tables and queries of a Snowflake account.',
  config,
  offers: ['source'],
  // Results come by the same address, and not from the cloud's storage.
  hosts: ['*.snowflakecomputing.com', '*.snowflakecomputing.cn'],
  api: { version: 'SQL API v2' },
  setup: [
    'As USERADMIN make a role and a user for Activate alone: `CREATE ROLE ACTIVATE_READER;`, then `CREATE USER ACTIVATE TYPE = SERVICE DEFAULT_ROLE = ACTIVATE_READER DEFAULT_SECONDARY_ROLES = ();`, then `GRANT ROLE ACTIVATE_READER TO USER ACTIVATE;`. Without the empty list of secondary roles, every other role that it may get later counts, too.',
    "Make a key pair, `openssl genrsa 2048 | openssl pkcs8 -topk8 -inform PEM -nocrypt -out rsa_key.p8` and `openssl rsa -in rsa_key.p8 -pubout -out rsa_key.pub`, and as USERADMIN give the user its public half, without the first and the last line: `ALTER USER ACTIVATE SET RSA_PUBLIC_KEY = '…';`. The text of `rsa_key.p8` goes into the form.",
    "Or use a programmatic access token: `ALTER USER ACTIVATE ADD PROGRAMMATIC ACCESS TOKEN ACTIVATE_TOKEN ROLE_RESTRICTION = 'ACTIVATE_READER';`. Snowflake takes it only where a network policy holds for the user. Or use OAuth with a security integration of your own; its refresh token has to be made anew when it runs out, by itself after 90 days.",
    'As SYSADMIN make a small warehouse that falls asleep quickly, `CREATE WAREHOUSE ACTIVATE_WH WAREHOUSE_SIZE = XSMALL AUTO_SUSPEND = 60 INITIALLY_SUSPENDED = TRUE;`, and `GRANT USAGE ON WAREHOUSE ACTIVATE_WH TO ROLE ACTIVATE_READER;`. Each time it wakes up it costs at least a minute: let syncs run at the same times.',
    'As the owner of the data let the role read what it needs and nothing else: `GRANT USAGE ON DATABASE ANALYTICS TO ROLE ACTIVATE_READER;`, `GRANT USAGE ON SCHEMA ANALYTICS.PUBLIC TO ROLE ACTIVATE_READER;`, `GRANT SELECT ON ALL TABLES IN SCHEMA ANALYTICS.PUBLIC TO ROLE ACTIVATE_READER;`, and the same for `ALL VIEWS`. For what is made later: `GRANT SELECT ON FUTURE TABLES IN SCHEMA ANALYTICS.PUBLIC TO ROLE ACTIVATE_READER;` (SECURITYADMIN may have to say that).',
    'Only for a planner schema: `CREATE SCHEMA ANALYTICS.ACTIVATE_PLANNER;` and `GRANT USAGE, CREATE TABLE ON SCHEMA ANALYTICS.ACTIVATE_PLANNER TO ROLE ACTIVATE_READER;`. It owns the tables that it makes there, and nothing else.',
    'Nothing of this needs ACCOUNTADMIN. Only a limit on what the warehouse may use up does: `CREATE RESOURCE MONITOR ACTIVATE_LIMIT WITH CREDIT_QUOTA = 10 FREQUENCY = MONTHLY START_TIMESTAMP = IMMEDIATELY TRIGGERS ON 100 PERCENT DO SUSPEND;`, then `ALTER WAREHOUSE ACTIVATE_WH SET RESOURCE_MONITOR = ACTIVATE_LIMIT;`.',
    'Statements of Activate are found in the query history by their tag: `QUERY_TAG` is `{"app":"…"}` with the name of the installation.',
  ],
  verified:
    'Tested against a server of our own that answers as documented; the SQL that it is sent was not run on Snowflake.',
  open: async (values, context) => {
    const session = sessionOf(loginOf(values), context);
    const lists = keptForAMinute(context.now, (pattern) => listTables(session, pattern, checking));
    return {
      source: sourceOf(session, (pattern) => lists.kept(pattern, new AbortController().signal)),
      check: () => warningsOf(session, checking),
      close: async () => undefined,
    };
  },
});

function sourceOf(session: Session, list: (pattern: string) => Promise<readonly Listed[]>): Source {
  const { planner } = session.login;
  return {
    dialect: 'snowflake',
    tables: (typed) => bestMatches(list, typed),
    selectAll,
    describe: (sql, limits) => describeQuery(session, sql, limits),
    preview: (sql, rows, limits) => someRows(session, sql, rows, limits),
    count: async (sql, limits) => {
      const { rows } = await session.ask(around('SELECT COUNT(*) FROM', sql, 'AS q', 'snowflake'), limits);
      return Number(rows[0]?.[0]);
    },
    suggestKey: (sql, limits) => suggestKey(session, sql, limits),
    read: (query, limits) => read(session, query, limits),
    ...(planner === undefined ? {} : { scratch: scratchOf(session, planner) }),
  };
}

async function read(session: Session, query: Query, limits: Limits): Promise<Reading> {
  const columns = await describeQuery(session, query.sql, limits);
  const { key, others } = readColumns(query, columns);
  const named = ({ name }: Column): string => `q.${quoted(name)}`;
  const values = [...key, ...others].map((column) => textOf(column, named(column)));
  // By its number a value is sorted as the text that it is given as.
  const sorts = key.map((column, at) => (orderOf(column) === 'numeric' ? named(column) : String(at + 1)));
  const after = ['AS q', sinceOf(query, columns), sorts.length === 0 ? '' : `ORDER BY ${sorts.join(', ')}`];
  const statement = around(
    `SELECT ${values.join(', ')} FROM`,
    query.sql,
    after.filter((part) => part !== '').join(' '),
    'snowflake',
  );
  return {
    order: key.map(orderOf),
    sorted: true,
    lines: linesOf(session.begin(statement, limits), vendor),
  };
}

function sinceOf({ since }: Query, columns: readonly Column[]): string {
  if (since === undefined) {
    return '';
  }
  const column = `q.${quoted(since.column)}`;
  const native = columns.find(({ name }) => name === since.column)?.native ?? '';
  const mark = watermarkOf(since.value);
  if (mark.number !== undefined) {
    return `WHERE ${column} >= ${mark.number}`;
  }
  const { day, clock, fraction } = mark;
  const moment = `${day} ${clock}.${fraction.padEnd(6, '0')}`;
  switch (native) {
    case 'DATE':
      return `WHERE ${column} >= TO_DATE('${day}', 'YYYY-MM-DD')`;
    case 'TIMESTAMP_LTZ':
    case 'TIMESTAMP_TZ':
      return `WHERE ${column} >= TO_TIMESTAMP_TZ('${moment} +0000', 'YYYY-MM-DD HH24:MI:SS.FF6 TZHTZM')`;
    default:
      return `WHERE ${column} >= TO_TIMESTAMP_NTZ('${moment}', 'YYYY-MM-DD HH24:MI:SS.FF6')`;
  }
}
