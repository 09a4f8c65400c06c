import { defineConnector } from '../../engine/contracts/connector.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { quoted, selectAll } from '../../engine/contracts/names.ts';
import type { Column, Limits, Query, Reading, Source } from '../../engine/contracts/source.ts';
import { piecesOf } from '../shared/reader.ts';
import { readColumns } from '../shared/wrap.ts';
import { describeQuery, readableTables, suggestKey } from './catalog.ts';
import { config, loginOf } from './config.ts';
import { objectsOf } from './objects.ts';
import { warningsOf } from './rights.ts';
import { keyText, orderOf, scratchOf } from './scratch.ts';
import { createSession, type Session } from './session.ts';

const checking: Limits = { timeoutMs: 15_000 };

/** PostgreSQL 12 and newer, and what speaks its protocol and SQL. */
export const postgres = defineConnector({
  id: 'postgres',
  name: 'PostgreSQL',
  summary: 'Reads tables and queries of a PostgreSQL database, and writes rows to its tables.',
  config,
  offers: ['source', 'objects'],
  hosts: [],
  setup: [
    "Make a role of its own for reading: `create role activate login password '…'`. To write, make another one.",
    'Let the one that reads see what it needs and nothing else: `grant usage on schema public to activate`, then `grant select on …`.',
    'For tables so large that they are to be compared in the database itself, give the one that reads a schema of its own, and no other right to write: `create schema activate_planner authorization activate`. Name it as the planner schema.',
    'Let the one that writes change the tables it fills and no others: `grant select, insert, update on … to …`, and `delete` where rows are to be removed. It reads them to leave alone what has not changed.',
    'Give each table that is filled a unique index on the columns that find a row, as `create unique index on accounts (email)`. It may not be partial, deferrable or on an expression.',
    'Numbers and times are rounded to what the column holds, as `numeric(10,2)` and `timestamp(0)` do; text that is too long for its column is refused. A field without a value is emptied, unless it is mapped with “ignore nulls”.',
  ],
  verified: 'Tested against a real PostgreSQL server.',
  tried: ['software'],
  open: async (values, context) => {
    const login = loginOf(values);
    const session = await createSession(login, context.applicationName);
    const scratch = scratchOf(session, values);
    return {
      source: { ...sourceOf(session), scratch },
      objects: objectsOf(session, context.now),
      check: async (use) => [
        ...(await session.read(checking, (reader) => warningsOf(reader, login, use, values.plannerSchema))),
        ...(use === 'source' ? ((await scratch?.lacking(checking)) ?? []) : []),
      ],
      close: () => session.close(),
    };
  },
});

function sourceOf(session: Session): Source {
  return {
    dialect: 'postgresql',
    tables: (typed) => session.read(checking, (reader) => readableTables(reader, typed)),
    selectAll,
    describe: (sql, limits) =>
      session.read(limits, async (reader) => (await describeQuery(reader, sql)).columns),
    preview: (sql, rows, limits) =>
      session.read(limits, async (reader) => {
        const { columns } = await describeQuery(reader, sql);
        const limited = { before: 'SELECT * FROM (', sql, after: `) AS q LIMIT ${Math.trunc(rows)}` };
        return { columns, rows: (await reader.ask(limited)).rows };
      }),
    count: (sql, limits) =>
      session.read(limits, async (reader) => {
        const { rows } = await reader.ask({ before: 'SELECT count(*) FROM (', sql, after: ') AS q' });
        return Number(rows[0]?.[0]);
      }),
    suggestKey: (sql, limits) => session.read(limits, (reader) => suggestKey(reader, sql)),
    read: (query, limits) => read(session, query, limits),
  };
}

async function read(session: Session, query: Query, limits: Limits): Promise<Reading> {
  const reader = await session.begin(limits);
  try {
    const { columns } = await describeQuery(reader, query.sql);
    const { key, others } = readColumns(query, columns);
    const keys = key.map((column) => keyOf(column, reader.encoding));
    const values = [...keys.map(({ value }) => value), ...others.map(({ name }) => `q.${quoted(name)}`)];
    // Without a key any order will do.
    const sorting = keys.length === 0 ? '' : `ORDER BY ${keys.map(({ sort }) => sort).join(', ')}`;
    const copy = reader.copy({
      before: `COPY (SELECT ${values.join(', ')} FROM (`,
      sql: query.sql,
      after: `) AS q ${sinceOf(query)} ${sorting}) TO STDOUT`,
    });
    return { order: keys.map(({ order }) => order), sorted: true, lines: piecesOf(copy.next, reader.end) };
  } catch (error) {
    await reader.end();
    throw error;
  }
}

function sinceOf({ since }: Query): string {
  if (since === undefined) {
    return '';
  }
  if (!/^[-+:.\dTZ]+$/.test(since.value)) {
    throw new ActivateError('BUG', 'A watermark is neither a number nor a time.');
  }
  // A number goes without quotes: as text with a fraction, no column of whole numbers would take it.
  const isNumber = /^-?\d+(\.\d+)?$/.test(since.value);
  const value = isNumber ? since.value.replace(/\.0+$/, '') : `'${since.value}'`;
  return `WHERE q.${quoted(since.column)} >= ${value}`;
}

interface Key {
  readonly order: 'numeric' | 'bytes';
  readonly value: string;
  readonly sort: string;
}

/**
 * Integers and UUIDs sort natively as we need them, so that an index serves. All else sorts by the bytes of its text:
 * never by the database's locale, in which `a < B` and which changes with the operating system.
 */
function keyOf(column: Column, encoding: string): Key {
  const name = `q.${quoted(column.name)}`;
  if (orderOf(column) === 'numeric') {
    return { order: 'numeric', value: name, sort: name };
  }
  if (column.native === 'uuid') {
    return { order: 'bytes', value: name, sort: name };
  }
  const value = keyText(name);
  // In these encodings the server's bytes sort as those of UTF-8, which we are sent.
  const asSent = /^(UTF8|SQL_ASCII|LATIN1)$/.test(encoding);
  return { order: 'bytes', value, sort: asSent ? `${value} COLLATE "C"` : `convert_to(${value}, 'UTF8')` };
}
