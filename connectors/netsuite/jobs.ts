import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { HttpAnswer } from '../../engine/contracts/http.ts';
import { untilKnown } from '../shared/wait.ts';
import { read } from './client.ts';
import { failureOf, isAboutRow, problemIn } from './errors.ts';
import type { Work } from './work.ts';

/** More are not taken in one request. */
export const perJob = 100;

/** The last of these again and again: each question is one of the few requests that the account may have under way. */
const pollsMs = [500, 1000, 2000, 5000, 10_000, 30_000] as const;
const longestMs = 12 * 3_600_000;

/**
 * Writes records by a job, or goes on with the one that an earlier attempt began for them, and answers with the places
 * of those whose tasks failed. Undefined when nobody can say: the job is forgotten, or has other tasks than records.
 */
export async function failuresOf(work: Work): Promise<ReadonlySet<number> | undefined> {
  const id = work.call.ticket ?? (await begin(work));
  if (!(await isOver(work, id))) {
    return undefined;
  }
  const tasks = await tasksOf(work, id);
  if (tasks.length !== work.sends.length) {
    return undefined;
  }
  return new Set(work.sends.filter((_, i) => tasks[i]?.progress !== 'succeeded').map(({ at }) => at));
}

/** Begun twice with one key, NetSuite answers with an error, and with the job that it has begun before. */
async function begin({ client, object, verb, sends, call }: Work): Promise<string> {
  const items = sends.map(({ key, values }) => ({ ...key, ...values }));
  const answer = await client.send({
    method: verb,
    path: `/record/v1/${object}`,
    headers: {
      prefer: 'respond-async',
      'content-type': 'application/vnd.oracle.resource+json; type=collection',
      'x-netsuite-idempotency-key': keyFor([call.run, object, verb, items]),
    },
    body: JSON.stringify({ items }),
    repeatable: true,
    signal: call.signal,
  });
  const isKnown = problemIn(answer).codes.includes('IDEMPOTENCY_ERROR');
  if (!answer.ok && !isKnown) {
    throw isAboutRow(answer) ? refused(answer, items) : failureOf(answer, items);
  }
  const id = /\/async\/v1\/job\/([\w-]+)/.exec(answer.headers['location'] ?? '')?.[1];
  if (id === undefined) {
    throw new ActivateError('OUTCOME_UNKNOWN', 'NetSuite began a job and does not say which.');
  }
  await call.keep(id);
  return id;
}

function refused(answer: HttpAnswer, items: readonly unknown[]): ActivateError {
  const { message } = failureOf(answer, items);
  return new ActivateError('ROW_REJECTED', message);
}

/** A UUID: the same for the same records of one run, another when they come again in a later one. */
function keyFor(what: readonly unknown[]): string {
  const hex = createHash('sha256').update(JSON.stringify(what)).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

const stepShape = z.object({ completed: z.boolean().catch(false), progress: z.string().catch('') });

/** Waits for the end of the job, for hours if need be. False when NetSuite does not know it any more. */
async function isOver({ client, call }: Work, id: string): Promise<boolean> {
  const over = await untilKnown(
    async () => {
      const answer = await client.send({ method: 'GET', path: `/async/v1/job/${id}`, signal: call.signal });
      if (answer.status === 404) {
        return false;
      }
      if (!answer.ok) {
        throw failureOf(answer, undefined);
      }
      const { completed, progress } = read(stepShape, answer.json());
      return completed || progress === 'succeeded' || progress === 'failed' ? true : undefined;
    },
    { pollsMs, longestMs, signal: call.signal },
  );
  if (over === undefined) {
    throw new ActivateError('OUTCOME_UNKNOWN', 'The job at NetSuite has not ended for 12 hours.');
  }
  return over;
}

const tasksShape = z.object({
  items: z.array(
    z.object({
      id: z.coerce.string().optional(),
      progress: z.string().optional(),
      links: z.array(z.object({ rel: z.string(), href: z.string() })).catch([]),
    }),
  ),
});

interface Task {
  readonly id: string;
  readonly progress: string;
}

/** One for each record, in the order of their numbers. A job that succeeded may have tasks that did not. */
async function tasksOf({ client, call: { signal } }: Work, job: string): Promise<readonly Task[]> {
  const path = `/async/v1/job/${job}/task`;
  const { items } = await client.ask({ method: 'GET', path, query: { limit: perJob }, signal }, tasksShape);
  const tasks: Task[] = [];
  for (const { id: given, progress, links } of items) {
    const id =
      given ?? /\/task\/([\w-]+)\/?$/.exec(links.find(({ rel }) => rel === 'self')?.href ?? '')?.[1] ?? '';
    tasks.push({
      id,
      // The list may hold nothing but links.
      progress:
        progress ?? (await client.ask({ method: 'GET', path: `${path}/${id}`, signal }, stepShape)).progress,
    });
  }
  return tasks.toSorted((a, b) => a.id.length - b.id.length || (a.id < b.id ? -1 : 1));
}
