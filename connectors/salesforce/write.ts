import type { Connection, Record as Fields } from 'jsforce';
import type { Call, ObjectBatch, Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError, asActivateError } from '../../engine/contracts/errors.ts';
import { jobBegunFor, runJob, type Settle } from './bulk.ts';
import type { Catalog } from './discovery.ts';
import { outcomeOf, refusalsOf } from './errors.ts';
import type { Session } from './session.ts';
import { type Send, type Work, workOf } from './work.ts';

/** From here on a bulk job takes less time and fewer of the org's calls than requests of 200 records. */
const bulkFrom = 2000;
const perRequest = 200;
/** Triggers of the org run within the request; Salesforce gives them up to ten minutes. */
const writingMs = 300_000;

/** Writes a batch, record by record or as a bulk job. One outcome per item, in order. */
export async function writeBatch(
  session: Session,
  catalog: Catalog,
  batch: ObjectBatch,
  call: Call,
): Promise<readonly Outcome[]> {
  const goesOn = jobBegunFor(call) !== undefined;
  if (!goesOn) {
    await session.mayCall(call.signal);
  }
  const kind = await catalog.known(batch.object, call.signal);
  const outcomes = new Array<Outcome | undefined>(batch.items.length).fill(undefined);
  const work = await workOf(session.api({ signal: call.signal }), kind, batch, call, outcomes);
  const isBulk = goesOn || (work.sends.length >= bulkFrom && work.sends.every(fitsCsv));
  const settle: Settle = (at, outcome) => {
    outcomes[at] = batch.operation === 'delete' ? outcome : withUrl(outcome, session.login.home);
  };
  if (work.sends.length > 0 && isBulk) {
    await runJob(session, work, call, settle);
  } else {
    await sendAll(session, work, call, settle);
  }
  return outcomes.map(
    (outcome) => outcome ?? { state: 'unknown', reason: 'Salesforce did not say what was done.' },
  );
}

/** In a bulk job `#N/A` empties a field, and so can't be written as a text; nor can very long ones. */
function fitsCsv({ record }: Send): boolean {
  return Object.values(record).every(
    (value) => typeof value !== 'string' || (value !== '#N/A' && value.length <= 32_000),
  );
}

/**
 * Requests of 200 records, one after the other. What stops the first of them is thrown; what stops a later one leaves the
 * outcomes of those before, and the rest for another attempt.
 */
async function sendAll(session: Session, work: Work, { signal }: Call, settle: Settle): Promise<void> {
  for (let from = 0; from < work.sends.length; from += perRequest) {
    const some = work.sends.slice(from, from + perRequest);
    try {
      await sendSome(session, work, some, signal, settle);
    } catch (thrown) {
      signal.throwIfAborted();
      const error = asActivateError(thrown);
      if (from === 0) {
        throw error;
      }
      const isUnknown = error.code === 'OUTCOME_UNKNOWN';
      for (const [i, { at }] of work.sends.slice(from).entries()) {
        settle(at, { state: isUnknown && i < some.length ? 'unknown' : 'retry', reason: error.message });
      }
      return;
    }
  }
}

async function sendSome(
  session: Session,
  work: Work,
  some: readonly Send[],
  signal: AbortSignal,
  settle: Settle,
): Promise<void> {
  await session.mayCall(signal);
  const api = session.api({ signal, timeoutMs: writingMs, repeatable: work.operation !== 'insert' });
  const results = await request(api, work, some);
  for (const [i, { at }] of some.entries()) {
    settle(at, resultOf(results[i], work, at));
  }
}

async function request(
  api: Connection,
  { object, operation, match }: Work,
  sends: readonly Send[],
): Promise<readonly unknown[]> {
  const records = sends.map(({ record }) => record as Fields);
  const results: unknown = await write();
  if (!Array.isArray(results) || results.length !== sends.length) {
    throw new ActivateError('OUTCOME_UNKNOWN', 'Salesforce did not answer for each record.');
  }
  return results;

  function write(): Promise<unknown> {
    switch (operation) {
      case 'insert':
        return api.create(object, records);
      case 'update':
        return api.update(object, records as (Fields & { Id: string })[]);
      case 'upsert':
        return api.upsert(object, records, match);
      case 'delete':
        return api.destroy(
          object,
          records.map(({ Id }) => String(Id)),
        );
      default:
        return operation satisfies never;
    }
  }
}

/** The answer's status is 200 even when every record was refused. */
function resultOf(result: unknown, { items, operation, match }: Work, at: number): Outcome {
  const { success, id, errors } = (result ?? {}) as Readonly<Record<string, unknown>>;
  if (success === true) {
    return { state: 'ok', ...(typeof id === 'string' ? { id } : {}) };
  }
  return outcomeOf(refusalsOf(errors), { operation, match, values: items[at]?.values });
}

function withUrl(outcome: Outcome, home: string): Outcome {
  return outcome.state === 'ok' && outcome.id !== undefined
    ? { ...outcome, url: `${home}/${outcome.id}` }
    : outcome;
}
