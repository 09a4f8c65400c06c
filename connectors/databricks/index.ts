import { defineConnector } from '../../engine/contracts/connector.ts';
import type { Column, Limits, Query, Reading, Source } from '../../engine/contracts/source.ts';
import { keptForAMinute } from '../shared/kept.ts';
import { linesOf } from '../shared/statements.ts';
import { bestMatches, type Listed } from '../shared/table-list.ts';
import { around, readColumns, watermarkOf } from '../shared/wrap.ts';
import { describeQuery, listTables, selectAll, someRows, suggestKey, valuesOf } from './catalog.ts';
import { config, loginOf } from './config.ts';
import { vendor } from './errors.ts';
import { quoted } from './names.ts';
import { warningsOf } from './rights.ts';
import { scratchOf } from './scratch.ts';
import { type Session, sessionOf } from './session.ts';
import { orderOf } from './text.ts';

/** A warehouse that is not serverless takes minutes to start. */
const checking: Limits = { timeoutMs: 300_000 };

/** SQL warehouses of Databricks by the Statement Execution API. */
export const databricks = defineConnector({
  id: 'databricks',
  name: 'Databricks',
  summary: 'Reads tables and queries of a Databricks SQL warehouse.',
  config,
  offers: ['source'],
  // The workspace is that of the Workspace URL. Large results lie in the cloud's storage, which gets nothing of the sign-in.
  hosts: [
    '*.amazonaws.com',
    '*.amazonaws.com.cn',
    '*.blob.core.windows.net',
    '*.dfs.core.windows.net',
    '*.blob.core.usgovcloudapi.net',
    '*.blob.core.chinacloudapi.cn',
    'storage.googleapis.com',
    '*.storage.googleapis.com',
    '*.cloud.databricks.com',
  ],
  api: { version: 'Statement Execution API 2.0' },
  setup: [
    'As an admin of the workspace make a service principal for Activate alone (Settings, Identity and access, Service principals), without entitlements but “Databricks SQL access”, and in no group of admins. Make an OAuth secret for it: its client ID and the secret go into the form. A personal access token works, too.',
    'Make a small SQL warehouse, best a serverless one that stops after 5 minutes, and give the service principal “Can use” on it (Permissions). Each start costs: let syncs run at the same times.',
    'As the owner of the catalog let it read what it needs and nothing else, by its application ID: ``GRANT USE CATALOG ON CATALOG main TO `…`;``, ``GRANT USE SCHEMA, SELECT ON SCHEMA main.sales TO `…`;``.',
    'Only for a planner schema: ``CREATE SCHEMA main.activate_planner;`` and ``GRANT USE SCHEMA, CREATE TABLE ON SCHEMA main.activate_planner TO `…`;``. It owns the tables that it makes there, and nothing else.',
    'Queries are stopped by Activate when their time is over. For a machine that dies in the middle of one, have an admin set `STATEMENT_TIMEOUT` in the SQL settings of the workspace: by itself Databricks goes on for two days.',
    'Large results are fetched from the storage of the workspace, by links that run out after a quarter of an hour: a firewall has to let Activate reach it.',
    'Statements of Activate are found in the query history by their tag `app`.',
  ],
  verified:
    'Tested against a server of our own that answers as documented; the SQL that it is sent was not run on Databricks.',
  open: async (values, context) => {
    const session = sessionOf(loginOf(values), context);
    const lists = keptForAMinute(context.now, (pattern) => listTables(session, pattern));
    return {
      source: sourceOf(session, (pattern) => lists.kept(pattern, new AbortController().signal)),
      check: () => warningsOf(session, checking),
      close: async () => undefined,
    };
  },
});

function sourceOf(session: Session, list: (pattern: string) => Promise<readonly Listed[]>): Source {
  const { planner, catalog } = session.login;
  return {
    dialect: 'databricks',
    tables: (typed) => bestMatches(list, typed),
    selectAll: (table) => selectAll(table, catalog),
    describe: (sql, limits) => describeQuery(session, sql, limits),
    preview: (sql, rows, limits) => someRows(session, sql, rows, limits),
    count: async (sql, limits) => {
      const { rows } = await session.ask(around('SELECT COUNT(*) FROM', sql, 'AS q', 'databricks'), limits);
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
  // By its number a value is sorted as the text that it is given as.
  const sorts = key.map((column, at) =>
    orderOf(column) === 'numeric' ? `q.${quoted(column.name)}` : String(at + 1),
  );
  const after = ['AS q', sinceOf(query, columns), sorts.length === 0 ? '' : `ORDER BY ${sorts.join(', ')}`];
  const statement = around(
    `SELECT ${valuesOf([...key, ...others]).join(', ')} FROM`,
    query.sql,
    after.filter((part) => part !== '').join(' '),
    'databricks',
  );
  return {
    order: key.map(orderOf),
    sorted: true,
    lines: linesOf(session.begin(statement, limits, { isLarge: true }), vendor),
  };
}

function sinceOf({ since }: Query, columns: readonly Column[]): string {
  if (since === undefined) {
    return '';
  }
  const column = `q.${quoted(since.column)}`;
  const mark = watermarkOf(since.value);
  if (mark.number !== undefined) {
    return `WHERE ${column} >= ${mark.number}`;
  }
  const { day, clock, fraction } = mark;
  const moment = `${day} ${clock}.${fraction.padEnd(6, '0')}`;
  switch (columns.find(({ name }) => name === since.column)?.native) {
    case 'DATE':
      return `WHERE ${column} >= DATE'${day}'`;
    case 'TIMESTAMP_NTZ':
      return `WHERE ${column} >= TIMESTAMP_NTZ'${moment}'`;
    default:
      return `WHERE ${column} >= TIMESTAMP'${moment}Z'`;
  }
}
