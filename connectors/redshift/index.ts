import { defineConnector } from '../../engine/contracts/connector.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { quoted, selectAll } from '../../engine/contracts/names.ts';
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
import { readColumns } from '../shared/wrap.ts';
import { describeQuery, primaryKeysOf, readableTables } from './catalog.ts';
import { config, loginOf } from './config.ts';
import { linesOf } from './cursor.ts';
import { warningsOf } from './rights.ts';
import { scratchOf } from './scratch.ts';
import { createSession, type Reader, type Session } from './session.ts';
import { momentOf, orderOf, textOf } from './text.ts';

const checking: Limits = { timeoutMs: 60_000 };

/** Amazon Redshift, clusters and serverless, by the protocol of PostgreSQL. */
export const redshift = defineConnector({
  id: 'redshift',
  name: 'Amazon Redshift',
  summary: 'Reads tables and queries of Amazon Redshift.',
  config,
  offers: ['source'],
  hosts: [],
  setup: [
    "Make a user of its own for reading: `create user activate password '…'`.",
    'Let it see what it needs and nothing else: `grant usage on schema shop to activate`, then `grant select on all tables in schema shop to activate`, and `alter default privileges in schema shop grant select on tables to activate` for tables to come.',
    'By default everybody may make tables in the schema public: `revoke create on schema public from public` if nobody else relies on it.',
    'Give it no IAM role, and revoke `assumerole` from it: with a role, a user can write files to S3 by `unload`.',
    'The endpoint has to be reachable from here: a public one, or over a VPN or peering, and its security group has to let this machine in.',
    'To give its queries a queue of their own, fill in a query group and name it in workload management. The wait in a queue counts to the time limit.',
    'A result is read by a cursor, for which Redshift puts all of it on the leader node first, up to a limit by the type of nodes. For large tables name a planner schema: then only differences are read.',
    'A planner schema: `create schema activate_planner authorization activate`.',
    'A query that uses tables can not use functions that only the leader node has, as `generate_series`, `now` or `current_schema`: use `getdate` and the like.',
    'Tables of Spectrum and of data shares are not offered in the list, and can be named in a query. SUPER comes as JSON, of up to 65,535 bytes.',
  ],
  verified:
    'No cluster was ever tried. Tested against a real PostgreSQL server as far as that knows the same SQL; the rest is compared with what the manual of Redshift gives.',
  tried: ['stand-in'],
  open: async (values, context) => {
    const login = loginOf(values);
    const session = await createSession(login, context.applicationName);
    const { plannerSchema } = login;
    const scratch = plannerSchema === undefined ? undefined : scratchOf(session, plannerSchema, values);
    return {
      source: sourceOf(session, scratch),
      check: async () => [
        ...(await session.read(checking, (reader) => warningsOf(reader, login))),
        ...((await scratch?.lacking(checking)) ?? []),
      ],
      close: () => session.close(),
    };
  },
});

function sourceOf(session: Session, scratch: Scratch | undefined): Source {
  return {
    dialect: 'redshift',
    tables: (typed) => session.read(checking, (reader) => readableTables(reader, typed)),
    selectAll,
    describe: (sql, limits) =>
      session.read(limits, async (reader) => (await describeQuery(reader, sql)).columns),
    preview: (sql, rows, limits) =>
      session.read(limits, async (reader) =>
        sample(reader, sql, (await describeQuery(reader, sql)).columns, rows),
      ),
    count: (sql, limits) =>
      session.read(limits, async (reader) => {
        const { rows } = await reader.ask({
          before: 'SELECT COUNT(*)::varchar FROM (',
          sql,
          after: ') AS q',
        });
        return Number(rows[0]?.[0]);
      }),
    suggestKey: (sql, limits) =>
      session.read(limits, async (reader) => {
        const { columns, fields } = await describeQuery(reader, sql);
        const table = await sample(reader, sql, columns, sampleRows);
        return guessKey(table, await primaryKeysOf(reader, fields));
      }),
    read: (query, limits) => read(session, query, limits),
    scratch,
  };
}

async function sample(reader: Reader, sql: string, columns: readonly Column[], rows: number): Promise<Table> {
  const limited = { ...selecting(columns, sql), after: `) AS q LIMIT ${Math.trunc(rows)}` };
  return { columns, rows: (await reader.ask(limited)).rows };
}

function selecting(columns: readonly Column[], sql: string): Wrapped {
  const texts = columns.map((column, at) => `${textOf(column, nameIn(column))} AS c${at + 1}`);
  return { before: `SELECT ${texts.join(', ')} FROM (`, sql, after: ') AS q' };
}

function nameIn({ name }: Column): string {
  return `q.${quoted(name)}`;
}

async function read(session: Session, query: Query, limits: Limits): Promise<Reading> {
  const reader = await session.begin(limits);
  try {
    const described = await describeQuery(reader, query.sql);
    const { key, others } = readColumns(query, described.columns);
    const order = key.map(orderOf);
    // Text may be compared by a collation without case, and then not by its bytes: it is sorted here.
    const sorted = order.every((one) => one === 'numeric');
    const text = selecting([...key, ...others], query.sql);
    const sort = sorted && key.length > 0 ? ` ORDER BY ${key.map(nameIn).join(', ')}` : '';
    const after = `${text.after}${sinceOf(query, described.columns)}${sort}`;
    return { order, sorted, lines: await linesOf(session, reader, { ...text, after }, limits) };
  } catch (error) {
    await reader.end();
    throw error;
  }
}

function sinceOf({ since }: Query, columns: readonly Column[]): string {
  if (since === undefined) {
    return '';
  }
  const column = columns.find(({ name }) => name === since.column);
  if (column === undefined || !/^[-+:.\dTZ]+$/.test(since.value)) {
    throw new ActivateError('BUG', 'A watermark is of no column, or neither a number nor a time.');
  }
  return ` WHERE ${nameIn(column)} >= ${momentOf(column, since.value)}`;
}
