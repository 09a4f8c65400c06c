import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { ActivateError } from '../../engine/contracts/errors.ts';
import type { HttpAnswer, HttpRequest } from '../../engine/contracts/http.ts';
import type { Column } from '../../engine/contracts/source.ts';
import { orAborted } from '../shared/signal.ts';
import {
  bodyOf,
  type Result,
  type Rows,
  type Standing,
  type Statement,
  shortOf,
} from '../shared/statements.ts';
import type { Login } from './config.ts';
import { type Asked, explain, refusalIn } from './errors.ts';

export const vendor = 'BigQuery';

/** One request; `path` is below the version. */
export type Wanted = Pick<HttpRequest, 'method' | 'query' | 'json' | 'timeoutMs'> & {
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
};

/** The way to BigQuery, and whose it is. */
export interface Way {
  readonly login: Login;
  /** Whatever is answered. All that is asked for may be asked for twice: jobs have names of ours. */
  send(request: Wanted): Promise<HttpAnswer>;
}

/** A query to be started under a name of ours. */
export interface Job {
  readonly id: string;
  readonly configuration: object;
  /** Of its rows; none for a statement that has no rows. */
  readonly columns: readonly Column[];
}

const rowsPerPage = 10_000;
/** How long BigQuery is asked to hold an answer back until the query is done, and what a request may take in all. */
const longPollMs = 20_000;
const requestMs = 120_000;
const cancelMs = 10_000;
/** How long a start is waited for that is to be canceled. */
const patienceMs = 2000;

const page = z.object({
  jobComplete: z.boolean(),
  totalRows: z.coerce.number().int().optional(),
  pageToken: z.string().optional(),
  rows: z.array(z.unknown()).default([]),
});
type Page = z.output<typeof page>;

const begun = z.object({ jobReference: z.object({ location: z.string().optional() }) });
const listed = z.object({
  jobs: z
    .array(z.object({ jobReference: z.object({ jobId: z.string(), location: z.string().optional() }) }))
    .default([]),
});

/** A job that starts when it is first asked how it stands. It can be canceled before anybody knows whether it did. */
export function statementOf(way: Way, { id, configuration, columns }: Job, asked: Asked): Statement {
  const { login, send } = way;
  const path = `projects/${login.project}/queries/${id}`;
  let { location } = login;
  let starting: Promise<ActivateError | undefined> | undefined;
  /** Why it is refused. Not broken off by a signal: a start that is under way may arrive after the word to cancel it. */
  const start = async (): Promise<ActivateError | undefined> => {
    const jobReference = { projectId: login.project, jobId: id, location };
    const json = { jobReference, configuration };
    const place = `projects/${login.project}/jobs`;
    const answer = await send({ method: 'POST', path: place, json, timeoutMs: requestMs });
    // A duplicate had come before, and only the answer was lost.
    if (answer.status === 409 && refusalIn(answer).reason === 'duplicate') {
      location ??= await locationOf(way, id);
    } else if (answer.ok) {
      location = read(begun, answer).jobReference.location ?? location;
    } else {
      return explain(answer, asked);
    }
    return undefined;
  };
  const following = async (pageToken: string, signal: AbortSignal): Promise<Page> => {
    const query = { maxResults: rowsPerPage, pageToken, location };
    const answer = await send({ method: 'GET', path, query, signal, timeoutMs: requestMs });
    if (!answer.ok) {
      // It was there: what BigQuery keeps of a result for a day may be gone sooner.
      throw answer.status === 404
        ? shortOf(vendor, 'only a part of a result, and then did not know it any more')
        : explain(answer, asked);
    }
    return read(page, answer);
  };
  return {
    standing: async (signal): Promise<Standing> => {
      starting ??= start();
      const refused = await orAborted(starting, signal);
      if (refused !== undefined) {
        return { state: 'failed', error: refused };
      }
      const maxResults = columns.length === 0 ? 0 : rowsPerPage;
      const query = { maxResults, timeoutMs: longPollMs, location };
      const answer = await send({ method: 'GET', path, query, signal, timeoutMs: requestMs });
      if (!answer.ok) {
        return failedBy(explain(answer, asked));
      }
      const first = read(page, answer);
      return first.jobComplete
        ? { state: 'done', result: resultOf(first, columns, following) }
        : { state: 'running' };
    },
    cancel: async () => {
      const late = new AbortController();
      const patience = sleep(patienceMs, undefined, { signal: late.signal }).catch(() => undefined);
      await Promise.race([starting?.catch(() => undefined), patience]);
      late.abort();
      location ??= await locationOf(way, id);
      const place = `projects/${login.project}/jobs/${id}/cancel`;
      await send({ method: 'POST', path: place, query: { location }, timeoutMs: cancelMs });
    },
  };
}

/** What passes may be about the question alone, while the query goes on and is billed: thrown, it is canceled. */
function failedBy(error: ActivateError): Standing {
  if (error.retry === 'never') {
    return { state: 'failed', error };
  }
  throw error;
}

/** Where a job runs whose start was not answered: it is found in its own location alone. The latest jobs are listed first. */
async function locationOf({ login, send }: Way, id: string): Promise<string | undefined> {
  const path = `projects/${login.project}/jobs`;
  const answer = await send({ method: 'GET', path, query: { maxResults: 200 }, timeoutMs: cancelMs });
  const { jobs } = answer.ok ? read(listed, answer) : { jobs: [] };
  return jobs.find(({ jobReference }) => jobReference.jobId === id)?.jobReference.location;
}

function resultOf(
  first: Page,
  columns: readonly Column[],
  following: (token: string, signal: AbortSignal) => Promise<Page>,
): Result {
  // A statement that writes may count nothing.
  const { totalRows = columns.length === 0 ? 0 : undefined } = first;
  if (totalRows === undefined) {
    throw shortOf(vendor, 'a result without the number of its rows');
  }
  return {
    columns,
    rowCount: totalRows,
    pieces: (signal) => piecesOf(first, (token) => following(token, signal)),
  };
}

async function* piecesOf(first: Page, following: (token: string) => Promise<Page>): AsyncGenerator<Rows> {
  yield first.rows.map(valuesOf);
  for (let token = first.pageToken; token !== undefined && token !== ''; ) {
    const next = await following(token);
    if (!next.jobComplete || next.totalRows !== first.totalRows || next.pageToken === token) {
      throw shortOf(vendor, 'a result that changed while it was read');
    }
    yield next.rows.map(valuesOf);
    token = next.pageToken;
  }
}

function valuesOf(row: unknown): readonly (string | null)[] {
  const { f: cells } = row as { readonly f?: readonly { readonly v?: unknown }[] };
  const values = cells?.map(({ v }) => v) ?? [];
  if (!values.every((value) => value === null || typeof value === 'string')) {
    throw shortOf(vendor, 'values of another type than was asked for');
  }
  return values;
}

/** Reads what is needed of an answer; UNAVAILABLE when it is not there. */
export function read<T extends z.ZodType>(shape: T, answer: HttpAnswer): z.output<T> {
  const parsed = shape.safeParse(bodyOf(answer, vendor));
  if (!parsed.success) {
    throw shortOf(vendor, 'something else than it is known to send');
  }
  return parsed.data;
}
