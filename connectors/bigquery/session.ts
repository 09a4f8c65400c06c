import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { type Http, withToken } from '../../engine/contracts/http.ts';
import type { Column, Limits } from '../../engine/contracts/source.ts';
import { withoutSemicolon } from '../../engine/contracts/sql.ts';
import { grantedToken } from '../shared/oauth.ts';
import { type Wrapped, written } from '../shared/reader.ts';
import { type Followed, finished, follow } from '../shared/statements.ts';
import type { Login } from './config.ts';
import { type Asked, canceled, explain, overBilled } from './errors.ts';
import { read, statementOf, vendor, type Wanted, type Way } from './job.ts';
import type { SchemaField } from './text.ts';

export interface TableReference {
  readonly projectId: string;
  readonly datasetId: string;
  readonly tableId: string;
}

/** What a dry run tells of a query that is one SELECT. */
export interface Proof {
  readonly fields: readonly SchemaField[];
  readonly tables: readonly TableReference[];
  /** That would be billed, where BigQuery knows. */
  readonly estimate: number | undefined;
}

export interface Session extends Way {
  /** Reads what is needed of an answer. Throws when it is an error. */
  ask<T extends z.ZodType>(shape: T, request: Wanted, asked: Asked): Promise<z.output<T>>;
  /** A dry run, which costs nothing. Throws SQL_UNSAFE when it is anything but one SELECT. */
  prove(text: string | Wrapped, limits: Limits): Promise<Proof>;
  /** Starts a SELECT of ours with these columns of text, once it is proven that it is one and not billed for too much. */
  select(text: Wrapped, columns: readonly Column[], limits: Limits): Promise<Followed>;
  /** Runs one statement of ours that may write, and waits for its end. */
  execute(statement: string, limits: Limits): Promise<void>;
}

/** By how much BigQuery's own time limit is behind ours. */
const graceMs = 5000;

const field: z.ZodType<SchemaField> = z.lazy(() =>
  z.object({
    name: z.string(),
    type: z.string(),
    mode: z.string().optional(),
    fields: z.array(field).optional(),
    precision: z.string().optional(),
    scale: z.string().optional(),
    maxLength: z.string().optional(),
  }),
);

const table = z.object({ projectId: z.string(), datasetId: z.string(), tableId: z.string() });

const dryRun = z.object({
  statistics: z.object({
    query: z.object({
      statementType: z.string().default('something unknown'),
      schema: z.object({ fields: z.array(field).default([]) }).default({ fields: [] }),
      referencedTables: z.array(table).default([]),
      totalBytesProcessed: z.coerce.number().optional(),
      totalBytesProcessedAccuracy: z.string().optional(),
    }),
  }),
});

type DryRun = z.output<typeof dryRun>['statistics']['query'];

export function createSession(
  login: Login,
  { http: plain, now, applicationName }: ConnectorContext,
): Session {
  const http: Http = withToken(plain, () => grantedToken(plain, login.grant(now())));
  const send: Way['send'] = ({ path, signal, ...request }) =>
    http.send({
      ...request,
      url: `${login.base}/${path}`,
      repeatable: true,
      ...(signal === undefined ? {} : { signal }),
    });
  const ask: Session['ask'] = async (shape, request, asked) => {
    const answer = await send(request).catch((thrown: unknown) => {
      throw request.signal?.aborted === true ? canceled(thrown) : thrown;
    });
    if (!answer.ok) {
      throw explain(answer, asked);
    }
    return read(shape, answer);
  };
  const labels = { activate: labelOf(applicationName) };
  const begin = (statement: string, columns: readonly Column[], asked: Asked, limits: Limits): Followed => {
    const configuration = {
      labels,
      jobTimeoutMs: String(Math.ceil(limits.timeoutMs) + graceMs),
      query: { ...queryOf(statement), maximumBytesBilled: String(login.mostBytes) },
    };
    const job = { id: `activate_${randomUUID()}`, configuration, columns };
    return follow(vendor, limits, async () => statementOf({ login, send }, job, asked));
  };
  const tried = async (statement: string, linesBefore: number, limits: Limits): Promise<DryRun> => {
    const jobReference = { projectId: login.project, location: login.location };
    const configuration = { dryRun: true, labels, query: queryOf(statement) };
    const request = {
      method: 'POST',
      path: `projects/${login.project}/jobs`,
      json: { jobReference, configuration },
      signal: limits.signal,
    } as const;
    return (await ask(dryRun, request, { login, linesBefore })).statistics.query;
  };
  return {
    login,
    send,
    ask,
    prove: async (text, limits) => {
      const { statement, linesBefore } = lined(text);
      return proofIn(await tried(statement, linesBefore, limits));
    },
    select: async (text, columns, limits) => {
      const { statement, linesBefore } = lined(text);
      const found = await tried(statement, linesBefore, limits);
      const { estimate } = proofIn(found);
      const asked = { login, linesBefore, estimate };
      proveCost(found, asked);
      return begin(statement, columns, asked, limits);
    },
    execute: async (statement, limits) => {
      const found = await tried(statement, 0, limits);
      if (found.statementType === 'SCRIPT') {
        throw new ActivateError('SQL_UNSAFE', 'BigQuery takes this for several statements.', {
          fix: 'Correct the query: it has to be one SELECT.',
        });
      }
      const asked = { login, estimate: found.totalBytesProcessed };
      proveCost(found, asked);
      await finished(begin(statement, [], asked, limits));
    },
  };
}

function proofIn({ statementType, schema, referencedTables, totalBytesProcessed }: DryRun): Proof {
  if (statementType !== 'SELECT') {
    throw new ActivateError('SQL_UNSAFE', `BigQuery takes this for ${statementType}, not for one SELECT.`, {
      fix: 'Use a query that only reads.',
    });
  }
  return { fields: schema.fields, tables: referencedTables, estimate: totalBytesProcessed };
}

/** For tables that are clustered BigQuery names the most that it may be, and often it is far less: then it decides itself. */
function proveCost({ totalBytesProcessed = 0, totalBytesProcessedAccuracy }: DryRun, asked: Asked): void {
  if (totalBytesProcessedAccuracy !== 'UPPER_BOUND' && totalBytesProcessed > asked.login.mostBytes) {
    throw overBilled(asked);
  }
}

function queryOf(query: string): object {
  return { query, useLegacySql: false };
}

/** The text that is sent, and the line in it before the person's query. */
function lined(text: string | Wrapped): { readonly statement: string; readonly linesBefore: number } {
  if (typeof text === 'string') {
    return { statement: withoutSemicolon(text, 'bigquery'), linesBefore: 0 };
  }
  return { statement: written(text, 'bigquery').text, linesBefore: text.before.split('\n').length };
}

/** Labels take small letters, digits, `_` and `-`, at most 63. */
function labelOf(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, '-')
    .slice(0, 63);
}
