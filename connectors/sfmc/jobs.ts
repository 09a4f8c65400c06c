import { z } from 'zod';
import type { Call, Outcome, Value } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { theirWords } from '../../engine/contracts/http.ts';
import { hasCode } from '../shared/thrown.ts';
import { endOfJob, openTicket, spent } from '../shared/tickets.ts';
import type { Client } from './client.ts';

export type Row = Readonly<Record<string, Value>>;

/** Writes rows by their key, or goes on with the job that an earlier attempt began for them. One outcome per row. */
export async function writeRows(
  client: Client,
  list: string,
  rows: readonly Row[],
  call: Call,
): Promise<readonly Outcome[]> {
  const id = openTicket(call) ?? (await begin(client, list, rows, call));
  const hasErrors = await endOf(client, id, call);
  if (!hasErrors) {
    return rows.map(() => ({ state: 'ok' }));
  }
  const outcomes = outcomesOf(await resultsOf(client, id, call), rows);
  if (outcomes.some(({ state }) => state === 'retry')) {
    await call.keep(spent);
  }
  return outcomes;
}

async function begin(
  client: Client,
  list: string,
  rows: readonly Row[],
  { signal, keep }: Call,
): Promise<string> {
  const path = `async/dataextensions/${encodeURIComponent(list)}/rows`;
  const asked = { method: 'PUT', path, json: { items: rows }, repeatable: true, signal } as const;
  const { requestId } = await client
    .ask(asked, z.object({ requestId: z.string().min(1) }))
    .catch((error: unknown) => {
      // It does not say which row it minds.
      throw hasCode(error, 'INPUT_INVALID')
        ? new ActivateError('ROW_REJECTED', error.message, { cause: error })
        : error;
    });
  await keep(requestId);
  return requestId;
}

// Waiting ------------------------------------------------------------------------------------------------------------

const statusShape = z.object({
  status: z
    .object({
      requestStatus: z.string(),
      resultStatus: z.string().default(''),
      hasErrors: z.boolean().default(false),
    })
    .optional(),
});
type Status = NonNullable<z.output<typeof statusShape>['status']>;

const longestMs = 12 * 3_600_000;
/** A job without a status is one that is not picked up yet, or one that is forgotten: nothing tells which. */
const withoutStatusMs = 1_800_000;
/** It can be said to have failed just before it ends well. */
const failedForMs = 300_000;

/** True when some of its rows have errors. */
async function endOf(client: Client, id: string, call: Call): Promise<boolean> {
  const path = `async/${encodeURIComponent(id)}/status`;
  let failedSinceMs: number | undefined;
  const end = await endOfJob(
    call,
    async (waitedMs) => {
      const { status } = await client.ask({ method: 'GET', path, signal: call.signal }, statusShape);
      if (status === undefined) {
        return waitedMs > withoutStatusMs ? 'lost' : undefined;
      }
      failedSinceMs = status.requestStatus === 'Error' ? (failedSinceMs ?? waitedMs) : undefined;
      return failedSinceMs !== undefined && waitedMs - failedSinceMs > failedForMs ? 'errors' : endIn(status);
    },
    { pollsMs: [250, 1000, 2000, 5000, 15_000, 30_000, 60_000], longestMs },
    {
      lost: 'Marketing Cloud does not say what became of these rows.',
      late: 'Marketing Cloud has not dealt with these rows for 12 hours.',
    },
  );
  return end === 'errors';
}

/** Undefined while it goes on. The reference has both words for the end. */
function endIn({ requestStatus, resultStatus, hasErrors }: Status): 'well' | 'errors' | undefined {
  if (requestStatus !== 'Complete' && requestStatus !== 'Completed') {
    return undefined;
  }
  return hasErrors || resultStatus !== 'OK' ? 'errors' : 'well';
}

// Results ------------------------------------------------------------------------------------------------------------

const resultShape = z.object({ status: z.string(), message: z.string().nullish() });
type Result = z.output<typeof resultShape>;

const resultsShape = z.object({ count: z.number().default(0), items: z.array(resultShape).nullish() });

/** Fifty to a page, in the order of the rows. */
async function resultsOf(client: Client, id: string, call: Call): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (let page = 1; ; page += 1) {
    const path = `async/${encodeURIComponent(id)}/results`;
    const asked = { method: 'GET', path, query: { page }, signal: call.signal } as const;
    const { count, items } = await client.ask(asked, resultsShape);
    results.push(...(items ?? []));
    if ((items ?? []).length === 0 || results.length >= count) {
      break;
    }
  }
  if (results.length === 0) {
    await call.keep(spent);
    throw new ActivateError('OUTCOME_UNKNOWN', 'Marketing Cloud says that rows have errors, and not which.');
  }
  return results;
}

/** ROW_REJECTED when there is not one result for each row: nothing else tells which is about which. */
function outcomesOf(results: readonly Result[], rows: readonly Row[]): readonly Outcome[] {
  const failed = results.filter(({ status }) => status !== 'OK');
  const inOrder = rows.length === 1 ? failed.slice(0, 1) : results;
  if (inOrder.length !== rows.length) {
    throw new ActivateError(
      'ROW_REJECTED',
      `Marketing Cloud refuses ${failed.length} of these ${rows.length} rows, and does not say which.`,
    );
  }
  return rows.map((row, at) => outcomeOf(inOrder[at], row));
}

/** Rows that stood in each other's way come with the same code as those that can't be written at all. */
function outcomeOf(result: Result | undefined, row: Row): Outcome {
  if (result === undefined || result.status === 'OK') {
    return { state: 'ok' };
  }
  const says = theirWords(result.message ?? '', row);
  return says.includes('Rerun the transaction')
    ? {
        state: 'retry',
        reason: 'Marketing Cloud was writing other rows of the data extension at the same time.',
      }
    : { state: 'rejected', reason: `Marketing Cloud refuses this row. It says: ${says}` };
}
