import { z } from 'zod';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Column, Limits } from '../../engine/contracts/source.ts';
import type { KeyPart } from '../shared/key-guess.ts';
import { bestMatches, type Listed } from '../shared/table-list.ts';
import { distinct } from '../shared/wrap.ts';
import type { Proof, Session, TableReference } from './session.ts';
import { columnOf, quoted } from './text.ts';

/** The columns of a query, by a dry run. Refuses columns that can't be told apart, or named. */
export async function describeQuery(
  session: Session,
  sql: string,
  limits: Limits,
): Promise<{ readonly columns: readonly Column[]; readonly tables: Proof['tables'] }> {
  const { fields, tables } = await session.prove(sql, limits);
  // Names of columns are the same in capitals and small letters.
  const columns = distinct(fields.map(columnOf), (one, other) => one.toLowerCase() === other.toLowerCase());
  const unnamed = columns.find(({ name }) => /^f\d+_$/.test(name));
  if (unnamed !== undefined) {
    await proveNamed(session, sql, unnamed.name, limits);
  }
  return { columns, tables };
}

/** What has no name is shown as `f0_`, but a query around it can't ask for that. */
async function proveNamed(session: Session, sql: string, name: string, limits: Limits): Promise<void> {
  try {
    await session.prove({ before: `SELECT q.${quoted(name)} FROM (`, sql, after: ') AS q' }, limits);
  } catch (error) {
    throw error instanceof ActivateError && error.code === 'SQL_FAILED'
      ? new ActivateError('SQL_FAILED', `A column of the query has no name: BigQuery shows it as ${name}.`, {
          fix: 'Give it one, as count(*) AS orders.',
        })
      : error;
  }
}

const reference = z.object({ datasetReference: z.object({ datasetId: z.string() }) });
const datasetsPage = z.object({
  datasets: z.array(reference).default([]),
  nextPageToken: z.string().optional(),
});
const tablesPage = z.object({
  tables: z.array(z.object({ tableReference: z.object({ tableId: z.string() }) })).default([]),
  nextPageToken: z.string().optional(),
});

/** Lists cost nothing, where INFORMATION_SCHEMA is billed; but each dataset is a request, and a large one several. */
const mostDatasets = 200;
const mostPages = 10;
const atOnce = 8;

/** Tables and views of the data's project, as `dataset.table`; with the project before it where another one pays. */
export async function tablesBy(session: Session, typed: string, limits: Limits): Promise<readonly string[]> {
  const { login } = session;
  const before = login.dataProject === login.project ? '' : `${login.dataProject}.`;
  const text = typed.trim().toLowerCase();
  const all = await datasetsOf(session, limits);
  // What stands before a dot is the dataset, as far as it is known.
  const named = all.filter((dataset) => text.includes(`${dataset.toLowerCase()}.`));
  const left = (named.length > 0 ? named : all).slice(0, mostDatasets);
  const found: Listed[] = [];
  for (let at = 0; at < left.length; at += atOnce) {
    const lists = left.slice(at, at + atOnce).map(async (schema) => {
      const tables = await tablesOf(session, schema, limits);
      return tables.map((name) => ({ schema, name, text: `${before}${schema}.${name}` }));
    });
    found.push(...(await Promise.all(lists)).flat());
  }
  return bestMatches(async () => found, typed);
}

export async function datasetsOf(session: Session, limits: Limits): Promise<readonly string[]> {
  const path = `projects/${session.login.dataProject}/datasets`;
  return paged(async (pageToken) => {
    const query = { maxResults: 1000, pageToken };
    const request = { method: 'GET', path, query, signal: limits.signal } as const;
    const { datasets, nextPageToken } = await session.ask(datasetsPage, request, session);
    return { items: datasets.map((one) => one.datasetReference.datasetId), nextPageToken };
  });
}

/** None where the service account may not look. */
export async function tablesOf(
  session: Session,
  dataset: string,
  limits: Limits,
): Promise<readonly string[]> {
  const path = `projects/${session.login.dataProject}/datasets/${dataset}/tables`;
  try {
    return await paged(async (pageToken) => {
      const query = { maxResults: 1000, pageToken };
      const request = { method: 'GET', path, query, signal: limits.signal } as const;
      const { tables, nextPageToken } = await session.ask(tablesPage, request, session);
      return { items: tables.map((one) => one.tableReference.tableId), nextPageToken };
    });
  } catch (error) {
    if (error instanceof ActivateError && error.code === 'PERMISSION_DENIED') {
      return [];
    }
    throw error;
  }
}

async function paged(
  ask: (token: string | undefined) => Promise<{
    readonly items: readonly string[];
    readonly nextPageToken: string | undefined;
  }>,
): Promise<readonly string[]> {
  const all: string[] = [];
  let token: string | undefined;
  for (let page = 0; page < mostPages; page += 1) {
    const { items, nextPageToken } = await ask(token);
    all.push(...items);
    token = nextPageToken;
    if (token === undefined || token === '') {
      break;
    }
  }
  return all;
}

/** A whole table, named as {@link tablesBy} names it: of its parts, only a project may have a dot. */
export function selectAll(table: string): string {
  const [, project, dataset = '', name = ''] = /^(?:(.+)\.)?([^.]+)\.([^.]+)$/.exec(table) ?? [
    '',
    '',
    '',
    table,
  ];
  const parts = [project, dataset, name].filter((part) => part !== undefined && part !== '');
  return `SELECT * FROM ${parts.map((part) => quoted(part ?? '')).join('.')}`;
}

const constraints = z.object({
  tableConstraints: z
    .object({ primaryKey: z.object({ columns: z.array(z.string()).default([]) }).optional() })
    .optional(),
});

/** The primary key of the one table that a query reads, which BigQuery does not enforce; none of several tables. */
export async function primaryKeyOf(
  session: Session,
  tables: readonly TableReference[],
  columns: readonly Column[],
  limits: Limits,
): Promise<readonly KeyPart[]> {
  const [only, another] = tables;
  if (only === undefined || another !== undefined) {
    return [];
  }
  const path = `projects/${only.projectId}/datasets/${only.datasetId}/tables/${encodeURIComponent(only.tableId)}`;
  const answer = await session.send({ method: 'GET', path, signal: limits.signal });
  const { tableConstraints } = answer.ok ? (constraints.safeParse(answer.json()).data ?? {}) : {};
  const names = tableConstraints?.primaryKey?.columns ?? [];
  return names.flatMap((name) => {
    const at = columns.findIndex((column) => column.name.toLowerCase() === name.toLowerCase());
    return at === -1 ? [] : [{ at, of: names.length }];
  });
}
