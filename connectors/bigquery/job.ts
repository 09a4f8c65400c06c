import { z } from 'zod';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { HttpAnswer, HttpRequest } from '../../engine/contracts/http.ts';
import type { Limits } from '../../engine/contracts/source.ts';
import { untilKnown } from '../../engine/contracts/wait.ts';
import type { Login } from './config.ts';
import { type Asked, canceled, cutShort, explain, overTime, refusalIn } from './errors.ts';

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

export type Row = readonly (string | null)[];

/** A query at work in BigQuery, which goes on when nobody asks for it. */
export interface Job {
  /** The next rows, undefined once all have come. Waits until there are any, and throws when some are missing. */
  next(width: number): Promise<readonly Row[] | undefined>;
  /** Waits for the end of a statement that has no rows. */
  done(): Promise<void>;
  /** Gives up: what still runs is canceled there. */
  stop(): Promise<void>;
}

const rowsPerPage = 10_000;
/** How long BigQuery is asked to hold an answer back until the query is done, and what a request may take in all. */
const longPollMs = 20_000;
const requestMs = 120_000;
const cancelMs = 10_000;
/** Between two of those, in case it doesn't hold them back. */
const pollsMs = [20, 100, 500, 1000] as const;

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

/**
 * Starts a query under a name of ours. The time limit is kept here, since BigQuery only attempts to; its own, a little
 * later, is for when this process is gone.
 */
export async function startJob(
  way: Way,
  { id, configuration }: { readonly id: string; readonly configuration: object },
  asked: Asked,
  limits: Limits,
): Promise<Job> {
  const { login, send } = way;
  const deadline = AbortSignal.timeout(Math.ceil(limits.timeoutMs));
  const signal = limits.signal === undefined ? deadline : AbortSignal.any([limits.signal, deadline]);
  let { location } = login;
  let isRunning = true;
  const stop = async (): Promise<void> => {
    if (isRunning) {
      isRunning = false;
      location ??= await locationOf(way, id).catch(() => undefined);
      const path = `projects/${login.project}/jobs/${id}/cancel`;
      await send({ method: 'POST', path, query: { location }, timeoutMs: cancelMs }).catch(() => undefined);
    }
  };
  /** Whoever gives up, or does not know what became of a job, cancels it: it would go on, and be billed. */
  const watched = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (thrown) {
      await stop();
      if (limits.signal?.aborted === true) {
        throw canceled(thrown);
      }
      throw deadline.aborted && thrown === deadline.reason ? overTime(asked) : thrown;
    }
  };
  const results = async (query: HttpRequest['query'], until: AbortSignal | undefined): Promise<Page> => {
    const path = `projects/${login.project}/queries/${id}`;
    const answer = await send({
      method: 'GET',
      path,
      query: { ...query, location },
      signal: until,
      timeoutMs: requestMs,
    });
    if (answer.ok) {
      return read(page, answer);
    }
    throw answer.status === 404 && !isRunning ? cutShort('it is not there any more') : explain(answer, asked);
  };
  const completed = (maxResults: number): Promise<Page> =>
    watched(async () => {
      const ask = async (): Promise<Page | undefined> => {
        const answer = await results({ maxResults, timeoutMs: longPollMs }, signal);
        return answer.jobComplete ? answer : undefined;
      };
      const first = await untilKnown(ask, { pollsMs, longestMs: limits.timeoutMs, signal });
      if (first === undefined) {
        throw overTime(asked);
      }
      isRunning = false;
      return first;
    });
  await watched(async () => {
    const jobReference = { projectId: login.project, jobId: id, location };
    const answer = await send({
      method: 'POST',
      path: `projects/${login.project}/jobs`,
      json: { jobReference, configuration },
      signal,
      timeoutMs: requestMs,
    });
    // Then it had come, and only the answer was lost.
    if (answer.status === 409 && refusalIn(answer).reason === 'duplicate') {
      location ??= await locationOf(way, id);
      return;
    }
    if (!answer.ok) {
      isRunning = answer.status >= 500;
      throw explain(answer, asked);
    }
    location = read(begun, answer).jobReference.location ?? location;
  });
  return {
    next: rowsOf(
      () => completed(rowsPerPage),
      (pageToken) => watched(() => results({ maxResults: rowsPerPage, pageToken }, limits.signal)),
    ),
    done: async () => void (await completed(0)),
    stop,
  };
}

/** Where a job runs whose start was not answered: it is found in its own location alone. The latest jobs are listed first. */
async function locationOf({ login, send }: Way, id: string): Promise<string | undefined> {
  const path = `projects/${login.project}/jobs`;
  const answer = await send({ method: 'GET', path, query: { maxResults: 200 }, timeoutMs: cancelMs });
  const { jobs } = answer.ok ? read(listed, answer) : { jobs: [] };
  return jobs.find(({ jobReference }) => jobReference.jobId === id)?.jobReference.location;
}

interface Progress {
  /** Of the next page; undefined once there is none. */
  readonly token: string | undefined;
  readonly received: number;
  /** Undefined before the first page. */
  readonly total: number | undefined;
}

function rowsOf(first: () => Promise<Page>, following: (token: string) => Promise<Page>): Job['next'] {
  let progress: Progress = { token: undefined, received: 0, total: undefined };
  return async (width) => {
    const { token, total } = progress;
    if (token === undefined && total !== undefined) {
      return undefined;
    }
    const page = await (token === undefined ? first() : following(token));
    progress = further(progress, page);
    return page.rows.map((row) => valuesOf(row, width));
  };
}

/** Counts what comes: a result is whole when there are as many rows as BigQuery said that there would be. */
function further({ token, received: before, total }: Progress, page: Page): Progress {
  const { jobComplete, totalRows, pageToken = '', rows } = page;
  const received = before + rows.length;
  if (!jobComplete || totalRows === undefined || (total !== undefined && totalRows !== total)) {
    throw cutShort('it changed while it was read');
  }
  if (pageToken !== '' && pageToken === token) {
    throw cutShort('it gave the same part twice');
  }
  if (pageToken === '' ? received !== totalRows : received > totalRows) {
    const [all, came] = [totalRows, received].map((rows) => rows.toLocaleString('en'));
    throw cutShort(`it has ${all} rows, and ${came} came`);
  }
  return { token: pageToken === '' ? undefined : pageToken, received, total: totalRows };
}

function valuesOf(row: unknown, width: number): Row {
  const { f: cells } = row as { readonly f?: readonly { readonly v?: unknown }[] };
  const values = cells?.map(({ v }) => v);
  if (values?.length !== width || !values.every((value) => value === null || typeof value === 'string')) {
    throw new ActivateError('OUTCOME_UNKNOWN', 'BigQuery gave rows of another shape than was asked for.');
  }
  return values as Row;
}

/** Reads what is needed of an answer. OUTCOME_UNKNOWN when it is not there. */
export function read<T extends z.ZodType>(shape: T, answer: HttpAnswer): z.output<T> {
  const parsed = shape.safeParse(answer.json());
  if (!parsed.success) {
    throw new ActivateError('OUTCOME_UNKNOWN', 'BigQuery answered with something else than it is known to.');
  }
  return parsed.data;
}
