import type { Call, Item, ObjectBatch, Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError, asActivateError } from '../../engine/contracts/errors.ts';
import type { HttpAnswer } from '../../engine/contracts/http.ts';
import { type Catalog, externalId, internalId, type Kind, keyOf, valueFor } from './catalog.ts';
import type { Client } from './client.ts';
import { failureOf, isAboutRow, isChanged, isMissing, isTaken, refusalIn } from './errors.ts';
import { failuresOf } from './jobs.ts';
import { type Send, verbs, type Work } from './work.ts';

/** From here on a job takes fewer requests than writing each record by itself. */
const jobFrom = 3;

/** Writes a batch, record by record or as a job. One outcome per item, in order. */
export async function writeBatch(
  client: Client,
  catalog: Catalog,
  batch: ObjectBatch,
  call: Call,
): Promise<readonly Outcome[]> {
  const kind = await catalog.known(batch.object, call.signal);
  const outcomes = new Map<number, Outcome>();
  const settle: Settle = (at, outcome) => void outcomes.set(at, outcome);
  const work: Work = {
    client,
    object: batch.object,
    verb: verbs[batch.operation],
    sends: sendsOf(client, kind, batch, settle),
    call,
  };
  if (work.sends.length > 0) {
    await (work.sends.length < jobFrom || work.verb === 'DELETE'
      ? sendEach(work, work.sends, call.again, settle)
      : runJob(work, settle));
  }
  return batch.items.map((_, at) => outcomes.get(at) ?? unsaid);
}

type Settle = (at: number, outcome: Outcome) => void;

const unsaid: Outcome = { state: 'unknown', reason: 'NetSuite does not say what became of this record.' };

/** What to send; rows that can't be sent get their outcome here. */
function sendsOf(client: Client, kind: Kind, batch: ObjectBatch, settle: Settle): readonly Send[] {
  const name = keyOf(kind, batch);
  const prefix = name === externalId ? client.login.idPrefix : '';
  return batch.items.flatMap((item, at): readonly Send[] => {
    const value = `${prefix}${String(item.values[name] ?? '')}`;
    const reason = unfit(name, value, item);
    if (reason !== undefined) {
      settle(at, { state: 'rejected', reason, field: name });
      return [];
    }
    const place = name === externalId ? `eid:${encodeURIComponent(value)}` : value;
    return [{ at, place, key: { [name]: value }, values: written(kind, batch, item) }];
  });
}

function written(kind: Kind, { match }: ObjectBatch, { values }: Item): Send['values'] {
  const entries = Object.entries(values).filter(([name]) => !match.includes(name) && name !== internalId);
  return Object.fromEntries(entries.map(([name, value]) => [name, valueFor(kind, name, value)]));
}

function unfit(key: string, value: string, { values }: Item): string | undefined {
  if ((values[key] ?? '') === '') {
    return `The row has nothing in ${key}.`;
  }
  if (key === internalId) {
    return /^\d+$/.test(value) ? undefined : 'An internal ID of NetSuite is a whole number.';
  }
  // NetSuite takes it for the end of one ID and the beginning of another.
  return value.includes('|') ? "An external ID can't hold the sign | in NetSuite." : undefined;
}

// Jobs ---------------------------------------------------------------------------------------------------------------

/**
 * A job is the quick way, and single records are the last word. Which task of a job is about which record is nowhere
 * promised, so those of failed tasks, by their order, are sent by themselves: each that is refused again was the one. If
 * one is taken now, the order says nothing, and all others are sent by themselves, too; done twice is done once.
 */
async function runJob(work: Work, settle: Settle): Promise<void> {
  const failures = await failuresOf(work);
  const isDoubtful = (at: number): boolean => failures === undefined || failures.has(at);
  for (const { at } of work.sends.filter(({ at }) => !isDoubtful(at))) {
    settle(at, { state: 'ok' });
  }
  const doubtful = work.sends.filter(({ at }) => isDoubtful(at));
  let isTakenNow = false;
  await sendEach(work, doubtful, work.call.again || failures === undefined, (at, outcome) => {
    isTakenNow ||= outcome.state === 'ok';
    settle(at, outcome);
  });
  if (isTakenNow && failures !== undefined) {
    await sendEach(
      work,
      work.sends.filter(({ at }) => !isDoubtful(at)),
      true,
      settle,
    );
  }
}

// Single records -----------------------------------------------------------------------------------------------------

/**
 * One record after the other. What stops the first is thrown; what stops a later one leaves the outcomes of those before,
 * and the rest for another attempt. One that NetSuite fails over is no reason to stop, two in a row are.
 */
async function sendEach(work: Work, sends: readonly Send[], again: boolean, settle: Settle): Promise<void> {
  let isDone = false;
  let lost = 0;
  for (const [i, send] of sends.entries()) {
    const result = await tried(work, send, again);
    if (!(result instanceof ActivateError)) {
      settle(send.at, result);
      isDone = true;
      lost = 0;
      continue;
    }
    const isLost = result.code === 'OUTCOME_UNKNOWN';
    lost += 1;
    settle(send.at, isLost ? { state: 'unknown', reason: result.message } : waiting(result));
    if (!isLost || lost > 1 || sends.length === 1) {
      if (!isDone) {
        throw result;
      }
      for (const { at } of sends.slice(i + 1)) {
        settle(at, waiting(result));
      }
      return;
    }
  }
}

async function tried(work: Work, send: Send, again: boolean): Promise<Outcome | ActivateError> {
  try {
    return await sendOne(work, send, again);
  } catch (thrown) {
    work.call.signal.throwIfAborted();
    return asActivateError(thrown);
  }
}

function waiting({ message: reason, retryAfterMs: afterMs }: ActivateError): Outcome {
  return { state: 'retry', reason, ...(afterMs === undefined ? {} : { afterMs }) };
}

/** `again`: what is there already counts as done. */
async function sendOne(work: Work, send: Send, again: boolean): Promise<Outcome> {
  const { client, object, verb, call } = work;
  const { place, key, values } = send;
  const answer = await client.send({
    method: verb,
    path: verb === 'POST' ? `/record/v1/${object}` : `/record/v1/${object}/${place}`,
    ...(verb === 'DELETE' ? {} : { json: verb === 'POST' ? { ...key, ...values } : values }),
    // External IDs are unique, so that one that has arrived can't be made a second time.
    repeatable: true,
    signal: call.signal,
  });
  if (answer.ok) {
    return done(answer);
  }
  if (!isAboutRow(answer)) {
    throw failureOf(answer, [key, values]);
  }
  if (isMissing(answer) && verb === 'DELETE') {
    return { state: 'ok' };
  }
  if (isMissing(answer)) {
    return { state: 'rejected', reason: `NetSuite has no such record of ${object} (any more).` };
  }
  if (isChanged(answer)) {
    return { state: 'retry', reason: 'Somebody else changed this record in the same moment.' };
  }
  return verb === 'POST' && isTaken(answer)
    ? outcomeOfTaken(work, send, again)
    : { state: 'rejected', ...refusalIn(answer, [key, values]) };
}

/** An earlier attempt may have made it a moment ago: then it is there by this very ID. */
async function outcomeOfTaken(
  { client, object, call }: Work,
  { place }: Send,
  again: boolean,
): Promise<Outcome> {
  const path = `/record/v1/${object}/${place}`;
  const there = again
    ? await client.send({ method: 'GET', path, query: { fields: externalId }, signal: call.signal })
    : undefined;
  return there?.ok === true
    ? { state: 'ok' }
    : { state: 'rejected', reason: `NetSuite has a record of ${object} like this already.` };
}

function done({ headers }: HttpAnswer): Outcome {
  const id = /\/(\d+)$/.exec(headers['location'] ?? '')?.[1];
  return { state: 'ok', ...(id === undefined ? {} : { id }) };
}
