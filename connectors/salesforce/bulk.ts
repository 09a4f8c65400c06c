import { setTimeout as sleep } from 'node:timers/promises';
import type { IngestJobV2 } from 'jsforce/lib/api/bulk2.js';
import type { Call, Outcome, Value } from '../../engine/contracts/destination.ts';
import { ActivateError, asActivateError } from '../../engine/contracts/errors.ts';
import { theirWords } from '../../engine/contracts/http.ts';
import { untilKnown } from '../shared/wait.ts';
import { bulkRefusalOf, outcomeOf } from './errors.ts';
import type { Session } from './session.ts';
import type { Send, Work } from './work.ts';

type Job = IngestJobV2<never>;
/** Takes what became of the item at a place of the batch. */
export type Settle = (at: number, outcome: Outcome) => void;

const uploadMs = 600_000;
/** The last of these again and again. */
const pollsMs = [250, 500, 1000, 2000, 4000, 8000, 15_000, 30_000] as const;
const longestPollMs = 600_000;
/** A batch of a job may take ten minutes, and is tried ten times. */
const longestJobMs = 12 * 3_600_000;

/** A ticket whose job has told all that it can: records that it could not write need another one. */
const spent = 'spent:';

/** The job that an earlier attempt began, and whose results nobody has seen. */
export function jobBegunFor({ ticket }: Call): string | undefined {
  return ticket?.startsWith(spent) === true ? undefined : ticket;
}

/** Writes records by a job of Bulk API 2.0, or goes on with the one that an earlier attempt began for them. */
export async function runJob(session: Session, work: Work, call: Call, settle: Settle): Promise<void> {
  const job = (await jobBegun(session, call)) ?? (await beginJob(session, work, call));
  const state = await waitFor(job, call);
  let isPassing = false;
  await readResults(job, state, work, call, (at, outcome) => {
    isPassing ||= outcome.state === 'retry' || outcome.state === 'unknown';
    settle(at, outcome);
  });
  if (isPassing) {
    await call.keep(`${spent}${job.id}`);
  }
}

function jobOf(session: Session, id: string, { signal }: Call): Job {
  return session.api({ signal, repeatable: true }).bulk2.job('ingest', { id }) as Job;
}

/** A job that is still open was never begun to be worked on, and nobody knows whether its data arrived: it is given up. */
async function jobBegun(session: Session, call: Call): Promise<Job | undefined> {
  const begun = jobBegunFor(call);
  if (begun === undefined) {
    return undefined;
  }
  const job = jobOf(session, begun, call);
  try {
    const { state } = await job.check();
    if (state !== 'Open') {
      return job;
    }
    await job.abort();
    return undefined;
  } catch (thrown) {
    // Salesforce forgets jobs a week after their end.
    if (asActivateError(thrown).code === 'NOT_FOUND') {
      return undefined;
    }
    throw thrown;
  }
}

async function beginJob(session: Session, work: Work, call: Call): Promise<Job> {
  const { signal } = call;
  // An open job that nobody knows of does nothing: making one twice does no harm.
  const job = session.api({ signal, repeatable: true }).bulk2.createJob({
    object: work.object,
    operation: work.operation,
    ...(work.operation === 'upsert' ? { externalIdFieldName: work.key } : {}),
    contentType: 'CSV',
    lineEnding: 'LF',
  }) as Job;
  const { id } = await job.open();
  if (id === undefined) {
    throw new ActivateError('OUTCOME_UNKNOWN', 'Salesforce made a bulk job without an Id.');
  }
  await call.keep(id);
  // Not with jsforce's `uploadData`: it streams, and a stream can be neither repeated nor measured.
  await session.api({ signal, repeatable: false, timeoutMs: uploadMs }).request({
    method: 'PUT',
    url: `/jobs/ingest/${id}/batches`,
    headers: { 'content-type': 'text/csv; charset=UTF-8' },
    body: csvOf(work),
  });
  return jobOf(session, id, call);
}

/**
 * One line per record, with a column for each field that any of them has. An empty place leaves the field alone and `#N/A`
 * empties it, so that records with different fields can stand in one table.
 */
function csvOf({ key, sends }: Pick<Work, 'key' | 'sends'>): string {
  const columns = [...new Set([key, ...sends.flatMap(({ record }) => Object.keys(record))])];
  const lines = sends.map(({ record }) => columns.map((name) => cellOf(record[name])).join(','));
  return `${columns.join(',')}\n${lines.join('\n')}\n`;
}

function cellOf(value: Value | undefined): string {
  if (value === undefined) {
    return '';
  }
  const text = value === null || value === '' ? '#N/A' : String(value);
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

type Ended = 'JobComplete' | 'Failed' | 'Aborted';

/** Waits until the job has ended, for hours if need be: it goes on by itself, whatever becomes of us. */
async function waitFor(job: Job, call: Call): Promise<Ended> {
  const ended = await untilKnown(
    async (waitedMs): Promise<Ended | undefined> => {
      const { state, errorMessage } = await patiently(call, () => job.check());
      switch (state) {
        case 'Open':
          await letBegin(job, waitedMs >= insistsAfterMs);
          return undefined;
        case 'UploadComplete':
        case 'InProgress':
          return undefined;
        case 'Failed':
          mustNotBeSetUp(errorMessage);
          return state;
        case 'JobComplete':
        case 'Aborted':
          return state;
        case undefined:
          throw new ActivateError('OUTCOME_UNKNOWN', 'Salesforce does not say how far the bulk job is.');
        default:
          return state satisfies never;
      }
    },
    { pollsMs, longestMs: longestJobMs, signal: call.signal },
  );
  if (ended === undefined) {
    throw new ActivateError('OUTCOME_UNKNOWN', 'The bulk job at Salesforce has not ended for 12 hours.');
  }
  return ended;
}

/** Of waiting: it is asked for the third time then. */
const insistsAfterMs = 750;

/** The answer to this may be lost, or it may be refused because it was said before: the state of the job tells. */
async function letBegin(job: Job, insists: boolean): Promise<void> {
  try {
    await job.close();
  } catch (thrown) {
    if (insists && asActivateError(thrown).retry === 'never') {
      throw thrown;
    }
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}

/** A job that could not be read at all did nothing, and would do nothing another time. */
function mustNotBeSetUp(says: string | undefined): void {
  if (says !== undefined && /^(InvalidBatch|ClientInputError|InvalidJob)/i.test(says)) {
    throw new ActivateError(
      'INPUT_INVALID',
      `Salesforce could not read the bulk job. It says: ${theirWords(says)}`,
      {
        fix: 'Compare the fields of the sync with those of the kind of record in Salesforce.',
      },
    );
  }
}

/**
 * Asks on when Salesforce can't answer for a while. The engine must not: to begin again with a job under way would write
 * all of its records twice.
 */
async function patiently<T>({ signal }: Call, ask: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await ask();
    } catch (thrown) {
      signal.throwIfAborted();
      const error = asActivateError(thrown);
      if (error.retry === 'never' || tried >= mostTries) {
        throw error;
      }
      await pause(
        Math.min(longestPollMs, Math.max(error.retryAfterMs ?? 0, pollsMs[tried] ?? 30_000)),
        signal,
      );
    }
  }
}

const mostTries = 60;

/**
 * A job that is complete may have refused every record; one that failed or was aborted keeps what it wrote, and has
 * records that it never came to. All in any order: the key says which is which.
 */
async function readResults(job: Job, state: Ended, work: Work, call: Call, settle: Settle): Promise<void> {
  const byKey = new Map(work.sends.map((send) => [textOf(send, work.key), send]));
  const settleAll = (rows: unknown, outcome: (row: ResultRow, send: Send) => Outcome): void => {
    for (const row of tableOf(rows)) {
      const send = byKey.get(row[work.key] ?? '');
      if (send !== undefined) {
        settle(send.at, outcome(row, send));
      }
    }
  };
  settleAll(await patiently(call, () => job.getSuccessfulResults()), ({ sf__Id: id }) => ({
    state: 'ok',
    ...(id === undefined || id === '' ? {} : { id }),
  }));
  settleAll(await patiently(call, () => job.getFailedResults()), ({ sf__Error: error }, { at }) =>
    outcomeOf([bulkRefusalOf(error ?? '')], {
      operation: work.operation,
      match: work.match,
      values: work.items[at]?.values,
    }),
  );
  if (state !== 'JobComplete') {
    settleAll(await patiently(call, () => job.getUnprocessedRecords()), () =>
      state === 'Failed'
        ? { state: 'retry', reason: 'The bulk job at Salesforce failed before it came to this record.' }
        : {
            state: 'rejected',
            reason: 'Somebody aborted the bulk job in Salesforce before it came to this record.',
          },
    );
  }
}

type ResultRow = Readonly<Record<string, string | undefined>>;

function textOf({ record }: Send, key: string): string {
  return String(record[key] ?? '');
}

/** jsforce hands out as text what it can't read as a table, nothing at all among it. */
function tableOf(rows: unknown): readonly ResultRow[] {
  if (rows === '' || rows === undefined) {
    return [];
  }
  if (!Array.isArray(rows)) {
    throw new ActivateError('OUTCOME_UNKNOWN', "The results of the bulk job can't be read.");
  }
  return rows as readonly ResultRow[];
}
