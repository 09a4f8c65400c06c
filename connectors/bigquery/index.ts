import { defineConnector } from '../../engine/contracts/connector.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type {
  Column,
  Limits,
  Query,
  Reading,
  Scratch,
  Source,
  Table,
} from '../../engine/contracts/source.ts';
import { guessKey, sampleRows } from '../shared/key-guess.ts';
import type { Wrapped } from '../shared/reader.ts';
import { allRows, linesOf } from '../shared/statements.ts';
import { readColumns } from '../shared/wrap.ts';
import { describeQuery, primaryKeyOf, selectAll, tablesBy } from './catalog.ts';
import { config, loginOf } from './config.ts';
import { sizeOf } from './errors.ts';
import { vendor } from './job.ts';
import { warningsOf } from './rights.ts';
import { scratchOf } from './scratch.ts';
import { createSession, type Session } from './session.ts';
import { momentOf, orderOf, quoted, textOf } from './text.ts';

const checking: Limits = { timeoutMs: 60_000 };

/** BigQuery by its REST interface. */
export const bigquery = defineConnector({
  id: 'bigquery',
  name: 'BigQuery',
  summary: 'Reads tables and queries of Google BigQuery.',
  config,
  offers: ['source'],
  hosts: ['bigquery.googleapis.com', 'oauth2.googleapis.com'],
  api: { version: 'v2' },
  setup: [
    'Make a service account for Activate alone, give it the role BigQuery Job User on the project that pays, and BigQuery Data Viewer on the datasets that are read and on no others. Make a key for it, as JSON.',
    'A query is billed by the bytes that it scans, and `LIMIT` does not make them fewer: a preview of a large table costs as much as reading it. Each query is tried dry first, which is free; one that would be billed for more than “Most GB per query” is refused.',
    'For a limit per day, set the quota “Query usage per day per user” in Google Cloud, IAM & Admin, Quotas: it holds whatever asks.',
    'Fill in the location where not even the text of a query may leave its region, and where there is a planner schema: then all datasets of a query have to be in one location, which is that of the planner schema.',
    'A planner schema is a dataset: give the service account BigQuery Data Editor on that one alone. Its tables may not expire.',
    'Columns that are STRUCT, ARRAY or JSON come as JSON. In STRUCT and ARRAY, BigQuery writes NUMERIC with a fraction and whole numbers beyond 2^53 as text.',
    'To read tables that are sheets of Google Drive, share the sheets with the service account.',
  ],
  verified:
    'Tested against a server of our own that answers as documented. The SQL that is sent was written by the reference and never run at BigQuery.',
  tried: ['description', 'ours'],
  open: async (values, context) => {
    const login = loginOf(values);
    const session = createSession(login, context);
    const scratch = login.planner === undefined ? undefined : scratchOf(session, login.planner, values);
    return {
      source: sourceOf(session, scratch),
      check: () => check(session, scratch),
      close: async () => undefined,
    };
  },
});

async function check(session: Session, scratch: Scratch | undefined): Promise<readonly string[]> {
  const trial = { before: 'SELECT q.x FROM (', sql: "SELECT 'x' AS x", after: ') AS q' };
  await rowsOf(session, trial, [textColumn('x')], checking);
  const lacking = (await scratch?.lacking(checking)) ?? [];
  return [...(await warningsOf(session, checking)), ...lacking];
}

function sourceOf(session: Session, scratch: Scratch | undefined): Source {
  return {
    dialect: 'bigquery',
    tables: (typed) => tablesBy(session, typed, checking),
    selectAll,
    describe: async (sql, limits) => (await describeQuery(session, sql, limits)).columns,
    preview: async (sql, rows, limits) => {
      const { columns } = await describeQuery(session, sql, limits);
      return sample(session, sql, columns, rows, limits);
    },
    count: async (sql, limits) => {
      const counted = { before: 'SELECT CAST(COUNT(*) AS STRING) AS n FROM (', sql, after: ') AS q' };
      const { rows } = await rowsOf(session, counted, [textColumn('n')], limits);
      return Number(rows[0]?.[0]);
    },
    suggestKey: async (sql, limits) => {
      const { columns, tables } = await describeQuery(session, sql, limits);
      const primary = await primaryKeyOf(session, tables, columns, limits);
      return guessKey(await sample(session, sql, columns, sampleRows, limits), primary);
    },
    costOf: async (sql, limits) => {
      const { estimate } = await session.prove(sql, limits);
      const allowed = sizeOf(session.login.mostBytes);
      return estimate === undefined
        ? undefined
        : `Each run scans up to ${sizeOf(estimate)}, by which BigQuery bills. This connection allows ${allowed} a query.`;
    },
    read: (query, limits) => read(session, query, limits),
    scratch,
  };
}

function textColumn(name: string): Column {
  return { name, type: 'text', native: 'STRING' };
}

async function sample(
  session: Session,
  sql: string,
  columns: readonly Column[],
  rows: number,
  limits: Limits,
): Promise<Table> {
  const limited = { ...selecting(columns, sql), after: `) AS q LIMIT ${Math.trunc(rows)}` };
  return rowsOf(session, limited, columns, limits);
}

/** Names of ours in the result: a column may be called by a word that is reserved, or not at all. */
function selecting(columns: readonly Column[], sql: string): Wrapped {
  const texts = columns.map((column, i) => `${textOf(column, `q.${quoted(column.name)}`)} AS c${i + 1}`);
  return { before: `SELECT ${texts.join(', ')} FROM (`, sql, after: ') AS q' };
}

/** Columns of ours: their values are all text. */
async function rowsOf(
  session: Session,
  text: Wrapped,
  columns: readonly Column[],
  limits: Limits,
): Promise<Table> {
  return allRows(await session.select(text, columns, limits), vendor);
}

/** In any order: to sort much, BigQuery would need it all in one place, and fails. */
async function read(session: Session, query: Query, limits: Limits): Promise<Reading> {
  const described = await describeQuery(session, query.sql, limits);
  const { key, others } = readColumns(query, described.columns);
  const columns = [...key, ...others];
  const text = selecting(columns, query.sql);
  const after = `${text.after} ${sinceOf(query, described.columns)}`;
  const followed = await session.select({ ...text, after }, columns, limits);
  return {
    order: key.map(orderOf),
    sorted: key.length === 0,
    lines: linesOf(followed, vendor),
  };
}

function sinceOf({ since }: Query, columns: readonly Column[]): string {
  if (since === undefined) {
    return '';
  }
  const column = columns.find(({ name }) => name === since.column);
  if (column === undefined || !/^[-+:.\dTZ]+$/.test(since.value)) {
    throw new ActivateError('BUG', 'A watermark is of no column, or neither a number nor a time.');
  }
  return `WHERE q.${quoted(column.name)} >= ${momentOf(column, since.value)}`;
}
