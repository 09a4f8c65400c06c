import { z } from 'zod';
import type { Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { outcomeOf, type Refusal, refusalShape, refusalText, takenIn } from './errors.ts';

/** What is sent for one item. */
export interface Send {
  /** Its place in the batch; its name in requests, too. */
  readonly at: number;
  /** What the record is found by. */
  readonly id: string;
  readonly properties: Readonly<Record<string, string>>;
}

/** What became of one, and whether that is because there is no record, or one already. */
export interface Result {
  readonly outcome: Outcome;
  readonly because?: 'missing' | 'taken';
  /** The record in question. */
  readonly id?: string;
}

const resultShape = z.object({
  id: z.string(),
  url: z.string().optional(),
  objectWriteTraceId: z.string().optional(),
});
export const writtenShape = z.object({
  results: z.array(resultShape).default([]),
  errors: z.array(refusalShape).default([]),
});
export type Written = z.output<typeof writtenShape>;

/**
 * What became of each, by place. Answers come in any order, and a contact that was found by another of its addresses shows
 * none that we sent: only the name that was given to each in the request tells which is which.
 */
export function resultsOf({ results, errors }: Written, sends: readonly Send[]): ReadonlyMap<number, Result> {
  if (results.length === 0 && errors.length === 0) {
    return new Map(sends.map(({ at }) => [at, silent]));
  }
  const told = new Map<number, Result>();
  for (const error of errors) {
    for (const send of sends.filter((one) => isAbout(error, one))) {
      told.set(send.at, resultOf(error, send));
    }
  }
  const nameless = results.filter(
    ({ objectWriteTraceId: name }) => !sends.some(({ at }) => String(at) === name),
  );
  for (const result of results.filter((one) => !nameless.includes(one))) {
    told.set(Number(result.objectWriteTraceId), written(result));
  }
  const rest = sends.filter(({ at }) => !told.has(at));
  const unnamed = errors.find((error) => !sends.some((send) => isAbout(error, send)));
  if (rest.length > 0 && unnamed !== undefined) {
    throw new ActivateError('ROW_REJECTED', refusalText(unnamed, rest));
  }
  const all = nameless.length >= rest.length;
  for (const { at } of rest) {
    told.set(at, { outcome: all ? { state: 'ok' } : unsaid });
  }
  return told;
}

/** HubSpot says that it went well, and has done nothing at all; it will do no more when asked again. */
const silent: Result = {
  outcome: {
    state: 'rejected',
    reason: 'HubSpot answered that all went well, but wrote nothing and says nothing about it.',
  },
};
const unsaid: Outcome = { state: 'unknown', reason: 'HubSpot does not say what became of this record.' };

function isAbout({ context }: Refusal, { at, id }: Send): boolean {
  const names = [context['objectWriteTraceId']].flat();
  return names.length > 0 && names[0] !== undefined
    ? names.includes(String(at))
    : [context['ids'], context['id']].flat().some((one) => String(one).toLowerCase() === id.toLowerCase());
}

function written({ id, url }: z.output<typeof resultShape>): Result {
  return { outcome: { state: 'ok', id, ...(url === undefined ? {} : { url }) }, id };
}

/** What a refusal of one record says of it. */
export function resultOf(refusal: Refusal, { id, properties }: Send): Result {
  const taken = takenIn(refusal);
  if (taken !== undefined) {
    const outcome: Outcome = {
      state: 'rejected',
      reason: 'HubSpot has another record with a value of this row that has to be unique.',
    };
    return { outcome, because: 'taken', ...taken };
  }
  if (refusal.category === 'OBJECT_NOT_FOUND') {
    return {
      outcome: { state: 'rejected', reason: 'HubSpot has no such record (any more).' },
      because: 'missing',
    };
  }
  return { outcome: outcomeOf(refusal, [id, properties]) };
}
