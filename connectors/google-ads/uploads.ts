import { z } from 'zod';
import type { Call, Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { theirWords } from '../../engine/contracts/http.ts';
import { endOfJob, openTicket, spent } from '../shared/tickets.ts';
import { type Api, bodyOf, read } from './api.ts';

/** People that are put on a list or taken off it by one request. Each is at a place of the batch. */
export interface Upload {
  readonly verb: 'ingest' | 'remove';
  readonly list: string;
  readonly people: ReadonlyMap<number, object>;
}

/** Takes what became of whoever is at a place of the batch. */
export type Settle = (at: number, outcome: Outcome) => void;

/** A request that Google has taken; without an id when nobody was left to send. `refused`: why not, by place. */
const begun = z.object({
  id: z.string().optional(),
  refused: z.record(z.string(), z.string()),
});
type Begun = z.output<typeof begun>;
const ticketShape = z.object({ ingest: begun.optional(), remove: begun.optional() });
type Ticket = z.output<typeof ticketShape>;

/**
 * Sends people, or goes on with what an earlier attempt sent, and waits until Google says what became of them. One upload
 * after the other: Google promises no order among those that it has not dealt with.
 */
export async function carry(api: Api, uploads: readonly Upload[], call: Call, settle: Settle): Promise<void> {
  const before = ticketOf(openTicket(call));
  let ticket = before;
  let isPassing = false;
  for (const upload of uploads) {
    const { verb, people } = upload;
    const begunBefore = before[verb];
    const sent = begunBefore ?? (await submit(api, upload, call));
    if (begunBefore === undefined) {
      ticket = { ...ticket, [verb]: sent };
      await call.keep(JSON.stringify(ticket));
    }
    const left = [...people.keys()].filter((at) => sent.refused[at] === undefined);
    const outcome = await outcomeFor(api, sent, left.length, begunBefore === undefined, call);
    for (const at of people.keys()) {
      const reason = sent.refused[at];
      settle(at, reason === undefined ? outcome : { state: 'rejected', reason });
    }
    isPassing ||= outcome.state === 'unknown';
  }
  if (isPassing) {
    await call.keep(spent);
  }
}

function ticketOf(text: string | undefined): Ticket {
  return text === undefined ? {} : ticketShape.parse(JSON.parse(text));
}

/** The same for all whom Google has taken. ROW_REJECTED when it is not the same for all of them. */
async function outcomeFor(
  api: Api,
  { id }: Begun,
  people: number,
  isFresh: boolean,
  call: Call,
): Promise<Outcome> {
  if (id === undefined) {
    return { state: 'ok' };
  }
  return outcomeOf(await waitFor(api, id, isFresh, call), people);
}

// Sending ------------------------------------------------------------------------------------------------------------

/** As often as this people are left out whom Google names; then the batch has to be halved. */
const mostPasses = 20;

/** One bad identifier and Google takes nobody; it names whom it minds, and the others are sent without them. */
async function submit(api: Api, { verb, list, people }: Upload, { signal }: Call): Promise<Begun> {
  const refused: Record<string, string> = {};
  const left = new Map(people);
  for (let pass = 1; left.size > 0; pass += 1) {
    const places = [...left.keys()];
    const reply = await api.ask({
      method: 'POST',
      path: `audienceMembers:${verb}`,
      json: {
        destinations: [destinationOf(api, list)],
        audienceMembers: [...left.values()],
        encoding: 'HEX',
        ...(verb === 'ingest' ? { termsOfService: { customerMatchTermsOfServiceStatus: 'ACCEPTED' } } : {}),
      },
      signal,
    });
    if (!('error' in reply)) {
      return { id: read(z.object({ requestId: z.string().min(1) }), reply.body).requestId, refused };
    }
    const named = reply.refusal.violations.flatMap(({ field, says }) => {
      const at = places[Number(/audience_?members\[(\d+)\]/i.exec(field)?.[1] ?? Number.NaN)];
      return at === undefined ? [] : [{ at, says }];
    });
    if (named.length === 0) {
      throw reply.error;
    }
    if (pass === mostPasses) {
      throw new ActivateError(
        'ROW_REJECTED',
        'Google minds too many of these people to leave them out one by one.',
      );
    }
    for (const { at, says } of named) {
      refused[at] ??=
        `Google can't read what this person is known by. It says: ${theirWords(says, people.get(at))}`;
      left.delete(at);
    }
  }
  return { refused };
}

function destinationOf({ login: { account, manager } }: Api, list: string): object {
  const accountType = 'GOOGLE_ADS';
  return {
    operatingAccount: { accountType, accountId: account },
    ...(manager === undefined ? {} : { loginAccount: { accountType, accountId: manager } }),
    productDestinationId: list,
  };
}

// Waiting ------------------------------------------------------------------------------------------------------------

/** Google needs half an hour as a rule. */
const pollsMs = [250, 1000, 5000, 30_000, 60_000, 300_000, 600_000] as const;
/** It promises an answer within a day. */
const longestMs = 24 * 3_600_000;
/** So long after it has taken a request, Google may not find it yet. */
const unknownAtFirstMs = 60_000;

const statusShape = z.object({
  requestStatusPerDestination: z
    .array(
      z.object({
        requestStatus: z.string(),
        errorInfo: z
          .object({
            errorCounts: z
              .array(z.object({ recordCount: z.coerce.number().default(0), reason: z.string().default('') }))
              .default([]),
          })
          .optional(),
      }),
    )
    .min(1),
});

/** How a request ended: counts by reason, and never who it was. */
type Result =
  | { readonly state: 'ok' }
  | {
      readonly state: 'failed' | 'partial';
      readonly counts: readonly { readonly recordCount: number; readonly reason: string }[];
    };

async function waitFor(api: Api, requestId: string, fresh: boolean, call: Call): Promise<Result> {
  const { signal } = call;
  const asked = { method: 'GET', path: 'requestStatus:retrieve', query: { requestId }, signal } as const;
  return endOfJob(
    call,
    async (waitedMs) => {
      const reply = await api.ask(asked);
      if ('error' in reply && isUnknown(reply.refusal.reasons)) {
        return fresh && waitedMs <= unknownAtFirstMs ? undefined : 'lost';
      }
      return resultIn(bodyOf(reply));
    },
    { pollsMs, longestMs },
    {
      lost: 'Google does not know any more what it was sent.',
      late: 'Google has not dealt with these people for 24 hours.',
    },
  );
}

function isUnknown(reasons: readonly string[]): boolean {
  return reasons.includes('INVALID_REQUEST_ID') || reasons.includes('NOT_FOUND');
}

/** Undefined while it goes on. */
function resultIn(body: unknown): Result | undefined {
  const [only] = read(statusShape, body).requestStatusPerDestination;
  const counts = only?.errorInfo?.errorCounts ?? [];
  switch (only?.requestStatus) {
    case 'SUCCESS':
      return { state: 'ok' };
    case 'PARTIAL_SUCCESS':
      return { state: 'partial', counts };
    // The reference says the first, the guide the second.
    case 'FAILED':
    case 'FAILURE':
      return { state: 'failed', counts };
    default:
      return undefined;
  }
}

// What became of people ----------------------------------------------------------------------------------------------

const reasons: Readonly<Record<string, string>> = {
  DENIED_CONSENT: 'they have not agreed, or the settings of the account say so of all',
  NO_CONSENT: "the account does not agree that data goes to Google's advertising services",
  UNKNOWN_CONSENT:
    'nothing says whether they have agreed: neither the row, nor the connection, nor the account',
};
const passing = ['', 'UNSPECIFIED', 'INTERNAL_ERROR'];

function outcomeOf(result: Result, people: number): Outcome {
  if (result.state === 'ok') {
    return { state: 'ok' };
  }
  const named = result.counts.map(({ recordCount, reason }) => ({
    recordCount,
    reason: reason.replace('PROCESSING_ERROR_REASON_', ''),
  }));
  const lasting = named.filter(({ reason }) => !passing.includes(reason));
  if (lasting.length === 0) {
    return {
      state: 'unknown',
      reason: 'Google ran into trouble with some of these people and does not say whom.',
    };
  }
  const why = lasting.map(({ reason }) => reasons[reason] ?? theirWords(reason)).join('; ');
  if (result.state === 'failed' || people === 1) {
    return { state: 'rejected', reason: `Google did not take this person: ${why}.` };
  }
  const count = lasting.reduce((sum, { recordCount }) => sum + recordCount, 0);
  throw new ActivateError(
    'ROW_REJECTED',
    `Google did not take ${count} of these ${people} people, and does not say whom: ${why}.`,
  );
}
