import { z } from 'zod';
import type { Call } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { endOfJob, openTicket } from '../shared/tickets.ts';
import { type Client, type Complaint, read, wordsOf } from './client.ts';

export interface Person {
  readonly contact: object;
  readonly knownBy: readonly string[];
}

/** People to be put on a list, each by a place in the batch. */
export interface Upload {
  readonly list: string;
  readonly people: ReadonlyMap<number, Person>;
}

/** A job that SendGrid has begun; without an id when nobody was left to send. `refused`: why not, by place. */
const begunShape = z.object({ id: z.string().optional(), refused: z.record(z.string(), z.string()) });
type Begun = z.output<typeof begunShape>;

/** The job that an earlier attempt began, or a new one. */
export async function jobFor(client: Client, upload: Upload, call: Call): Promise<Begun> {
  const ticket = openTicket(call);
  if (ticket !== undefined) {
    return begunShape.parse(JSON.parse(ticket));
  }
  const begun = await submit(client, upload, call.signal);
  await call.keep(JSON.stringify(begun));
  return begun;
}

/** As often as this people are left out whom SendGrid names; then the batch has to be halved. */
const mostPasses = 20;

/** One bad contact and SendGrid takes nobody. It quotes or counts whom it minds, and the others are sent without them. */
async function submit(client: Client, { list, people }: Upload, signal: AbortSignal): Promise<Begun> {
  const refused: Record<string, string> = {};
  const left = new Map(people);
  for (let pass = 1; left.size > 0; pass += 1) {
    const json = { list_ids: [list], contacts: [...left.values()].map(({ contact }) => contact) };
    const reply = await client.ask({
      method: 'PUT',
      path: 'marketing/contacts',
      json,
      repeatable: true,
      signal,
    });
    if (!('error' in reply)) {
      return { id: read(z.object({ job_id: z.string().min(1) }), reply).job_id, refused };
    }
    if (reply.status !== 400) {
      throw reply.error;
    }
    const named = new Map(
      reply.complaints.flatMap((complaint) =>
        whomItNames(complaint, left).map((at) => [at, complaint] as const),
      ),
    );
    if (named.size === 0 || pass === mostPasses) {
      throw new ActivateError(
        'ROW_REJECTED',
        `SendGrid refuses these contacts for some of them. It says: ${wordsOf(reply.complaints, json)}`,
      );
    }
    for (const [at, complaint] of named) {
      refused[at] = `SendGrid refuses this contact. It says: ${wordsOf([complaint], left.get(at)?.contact)}`;
      left.delete(at);
    }
  }
  return { refused };
}

/** By the place in what was sent, as `contacts[3].email`, or by a value as a word of the sentence. */
function whomItNames({ message, field }: Complaint, left: Upload['people']): readonly number[] {
  const place = /contacts\[(\d+)\]/.exec(`${field} ${message}`)?.[1];
  const at = place === undefined ? undefined : [...left.keys()][Number(place)];
  if (at !== undefined) {
    return [at];
  }
  const words = new Set(
    message.split(/[\s'"`<>(),;]+/).map((word) => word.replace(/[.:]+$/, '').toLowerCase()),
  );
  return [...left].flatMap(([one, { knownBy }]) =>
    knownBy.some((value) => words.has(value.toLowerCase())) ? [one] : [],
  );
}

// Waiting ------------------------------------------------------------------------------------------------------------

/** How a job ended: with a count of contacts that it did not take, and never who these are. */
export interface Ended {
  readonly state: 'completed' | 'errored' | 'failed';
  readonly errors: number;
}

const statusShape = z.object({
  status: z.string(),
  results: z.object({ errored_count: z.number().default(0) }).optional(),
});

/** So long after it has taken a job, SendGrid may not find it yet. */
const unknownAtFirstMs = 60_000;

export function endOf(client: Client, id: string, call: Call): Promise<Ended> {
  const isFresh = openTicket(call) === undefined;
  return endOfJob(
    call,
    async (waitedMs) => {
      const path = `marketing/contacts/imports/${encodeURIComponent(id)}`;
      const reply = await client.ask({ method: 'GET', path, signal: call.signal });
      if ('error' in reply && reply.status === 404) {
        return isFresh && waitedMs <= unknownAtFirstMs ? undefined : 'lost';
      }
      return endIn(read(statusShape, reply));
    },
    { pollsMs: [250, 1000, 2000, 5000, 15_000, 30_000, 60_000, 300_000], longestMs: 24 * 3_600_000 },
    {
      lost: 'SendGrid does not know any more what it was sent.',
      late: 'SendGrid has not dealt with these contacts for 24 hours.',
    },
  );
}

/** Undefined while it goes on. */
function endIn({ status, results }: z.output<typeof statusShape>): Ended | undefined {
  return status === 'completed' || status === 'errored' || status === 'failed'
    ? { state: status, errors: results?.errored_count ?? 0 }
    : undefined;
}
