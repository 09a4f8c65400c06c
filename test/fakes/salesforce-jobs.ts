import type { Answer, Received, Routes } from './http.ts';
import { failed, handled, type Usage } from './salesforce-answers.ts';
import { type Dml, Fault, fieldOf, type Org, type Rec } from './salesforce-org.ts';

export interface Job {
  readonly id: string;
  readonly object: string;
  readonly operation: Dml;
  readonly externalIdFieldName: string | undefined;
  state: string;
  errorMessage: string | undefined;
  csv: string | undefined;
  readonly successful: Rec[];
  readonly failed: Rec[];
  unprocessed: readonly Rec[];
}

/** What Bulk API 2.0 needs of an org. */
export interface JobState extends Usage {
  readonly org: Org;
  readonly jobs: Job[];
  /** States that a job goes through after its upload, one a poll; the last stays. */
  jobSteps: readonly string[];
  /** After so many records a job that fails or is aborted stops. */
  jobStopsAfter: number;
  jobError: string | undefined;
}

/** The routes of Bulk API 2.0. */
export function jobRoutes(): Routes<JobState> {
  return {
    [`POST /services/data/v66.0/jobs/ingest`]: handled((request, state) => {
      const given = request.json<
        Pick<Job, 'object' | 'operation'> & { readonly externalIdFieldName?: string }
      >();
      const id = `750${String(state.jobs.length + 1).padStart(12, '0')}AAA`;
      state.org.kind(given.object);
      const job: Job = {
        id,
        object: given.object,
        operation: given.operation,
        externalIdFieldName: given.externalIdFieldName,
        state: 'Open',
        errorMessage: undefined,
        csv: undefined,
        successful: [],
        failed: [],
        unprocessed: [],
      };
      state.jobs.push(job);
      return infoOf(job);
    }),
    [`PUT /services/data/v66.0/jobs/ingest/:id/batches`]: (request, state) => {
      const job = jobOf(request, state);
      if (job.state !== 'Open' || job.csv !== undefined) {
        return failed(400, 'INVALIDJOBSTATE', 'Data was uploaded already');
      }
      job.csv = request.body.toString('utf8');
      return { status: 201 };
    },
    [`PATCH /services/data/v66.0/jobs/ingest/:id`]: handled((request, state) => {
      const job = jobOf(request, state);
      if (job.state !== 'Open') {
        throw new Fault(400, 'INVALIDJOBSTATE', `Job is ${job.state}`);
      }
      job.state = request.json<{ state: string }>().state;
      return infoOf(job);
    }),
    [`GET /services/data/v66.0/jobs/ingest/:id`]: handled((request, state) => {
      const job = jobOf(request, state);
      proceed(job, state);
      return infoOf(job);
    }),
    [`GET /services/data/v66.0/jobs/ingest/:id/successfulResults`]: (request, state) =>
      results(jobOf(request, state).successful),
    [`GET /services/data/v66.0/jobs/ingest/:id/failedResults`]: (request, state) =>
      results(jobOf(request, state).failed),
    [`GET /services/data/v66.0/jobs/ingest/:id/unprocessedrecords`]: (request, state) =>
      results(jobOf(request, state).unprocessed),
  };
}

function jobOf({ params }: Received, { jobs }: JobState): Job {
  const job = jobs.find(({ id }) => id === params['id']);
  if (job === undefined) {
    throw new Fault(404, 'NOT_FOUND', 'The requested resource does not exist');
  }
  return job;
}

function infoOf(job: Job): Rec {
  const { id, object, operation, state, errorMessage, failed: refused } = job;
  return {
    id,
    object,
    operation,
    state,
    errorMessage,
    numberRecordsFailed: refused.length,
    contentType: 'CSV',
  };
}

/** One step on the way of a job; it is worked on when it ends. */
function proceed(job: Job, state: JobState): void {
  if (!/^(UploadComplete|InProgress)$/.test(job.state)) {
    return;
  }
  const [next = 'JobComplete', ...later] = state.jobSteps;
  state.jobSteps = later.length === 0 ? [next] : later;
  job.state = next;
  if (/^(JobComplete|Failed|Aborted)$/.test(next)) {
    job.errorMessage = next === 'Failed' ? state.jobError : undefined;
    work(job, state);
  }
}

function work(job: Job, { org, jobStopsAfter }: JobState): void {
  const kind = org.kind(job.object);
  const rows = tableOf(job.csv ?? '');
  const todo = rows.slice(0, job.state === 'JobComplete' ? rows.length : jobStopsAfter);
  for (const row of todo) {
    const record = Object.fromEntries(
      Object.entries(row)
        .filter(([, text]) => text !== '')
        .map(([name, text]) => [name, text === '#N/A' ? null : typed(fieldOf(kind, name).type, text)]),
    );
    const [result] = org.change(job.object, job.operation, [record], job.externalIdFieldName);
    if (result?.success === true) {
      job.successful.unshift({ sf__Id: result.id, sf__Created: String(result.created), ...row });
    } else {
      const [error] = result?.errors ?? [];
      const said = `${error?.statusCode}:${error?.message}:${error?.fields.join(' ')} --`;
      job.failed.unshift({ sf__Id: '', sf__Error: said, ...row });
    }
  }
  job.unprocessed = rows.slice(todo.length);
}

function typed(type: string, text: string): unknown {
  switch (type) {
    case 'double':
      return Number(text);
    case 'boolean':
      return text === 'true';
    default:
      return text;
  }
}

function results(rows: readonly Rec[]): Answer {
  const columns = Object.keys(rows[0] ?? { sf__Id: '' });
  const cell = (value: unknown): string => `"${String(value ?? '').replaceAll('"', '""')}"`;
  const lines = [columns.map(cell), ...rows.map((row) => columns.map((name) => cell(row[name])))];
  return {
    text: `${lines.map((line) => line.join(',')).join('\n')}\n`,
    headers: { 'content-type': 'text/csv' },
  };
}

/** CSV as RFC 4180 has it, by column. */
export function tableOf(csv: string): readonly Readonly<Record<string, string>>[] {
  const lines: string[][] = [[]];
  for (const [, inQuotes, bare = '', end = ''] of csv.matchAll(/(?:"((?:[^"]|"")*)"|([^,"\n]*))(,|\n|$)/g)) {
    lines.at(-1)?.push(inQuotes?.replaceAll('""', '"') ?? bare);
    if (end === '\n') {
      lines.push([]);
    }
    if (end === '') {
      break;
    }
  }
  const [columns = [], ...rest] = lines;
  return rest
    .filter((line) => line.length === columns.length)
    .map((line) => Object.fromEntries(columns.map((name, i) => [name, line[i] ?? ''])));
}
