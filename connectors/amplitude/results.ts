import { z } from 'zod';
import type { Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer, saying, theirWords } from '../../engine/contracts/http.ts';
import { jsonAs } from '../shared/json.ts';

const success = z.object({ code: z.literal(200) });

const indexes = z.array(z.number()).catch([]);
const byField = z.record(z.string(), indexes).catch({});
/** Ids, with how many events there were of each. */
const byId = z.record(z.string(), z.unknown()).catch({});

/** What a refusal may name: by place in the request, or by whom events are about. */
const refusal = z.object({
  error: z.string().catch(''),
  missing_field: z.string().catch(''),
  events_with_missing_fields: byField,
  events_with_invalid_fields: byField,
  events_with_invalid_id_lengths: byField,
  silenced_events: indexes,
  throttled_events: indexes,
  throttled_users: byId,
  throttled_devices: byId,
  exceeded_daily_quota_users: byId,
  exceeded_daily_quota_devices: byId,
});
type Refusal = z.output<typeof refusal>;

/** Whom an event is about, as it was sent. */
interface About {
  readonly user_id?: string;
  readonly device_id?: string;
}

/**
 * What an answer says of the events of a request, by their place in it: of all of them when it was taken, of those that
 * it is refused for otherwise. Throws what is about the request as a whole.
 */
export function verdictsOf(answer: HttpAnswer, sent: readonly About[]): ReadonlyMap<number, Outcome> {
  if (answer.ok) {
    if (!success.safeParse(answer.json()).success) {
      throw new ActivateError('OUTCOME_UNKNOWN', 'Amplitude does not say that it took the events.');
    }
    return new Map(sent.map((_, at) => [at, { state: 'ok' }]));
  }
  const said = jsonAs(answer.text, refusal);
  const verdicts =
    said === undefined || said.missing_field !== '' || ![400, 429].includes(answer.status)
      ? new Map<number, Outcome>()
      : namedIn(said, answer.status, sent);
  if (verdicts.size === 0) {
    throw refusedAsAWhole(answer, said, sent);
  }
  return verdicts;
}

function namedIn(said: Refusal, status: number, sent: readonly About[]): Map<number, Outcome> {
  const verdicts = new Map<number, Outcome>();
  const settle = (at: number, outcome: Outcome): void => {
    if (at in sent && !verdicts.has(at)) {
      verdicts.set(at, outcome);
    }
  };
  const reject = (
    fields: Refusal['events_with_missing_fields'],
    reasonOf: (field: string) => string,
  ): void => {
    for (const [field, places] of Object.entries(fields)) {
      for (const at of places) {
        settle(at, { state: 'rejected', reason: reasonOf(field), field });
      }
    }
  };
  reject(said.events_with_missing_fields, (field) => `Amplitude misses ${field}.`);
  reject(said.events_with_invalid_fields, (field) => `Amplitude does not take what is in ${field}.`);
  reject(said.events_with_invalid_id_lengths, (field) => `Amplitude finds ${field} too short.`);
  for (const at of said.silenced_events) {
    settle(at, { state: 'rejected', reason: 'Amplitude takes nothing from this device any more.' });
  }
  for (const [at, about] of sent.entries()) {
    if (isAmong(about, said.exceeded_daily_quota_users, said.exceeded_daily_quota_devices)) {
      settle(at, { state: 'rejected', reason: overQuota });
    } else if (status === 429 && isAmong(about, said.throttled_users, said.throttled_devices)) {
      settle(at, throttled);
    }
  }
  for (const at of said.throttled_events) {
    settle(at, throttled);
  }
  return verdicts;
}

const throttled: Outcome = {
  state: 'retry',
  reason: 'Amplitude gets too many events of this user or device at a time.',
  afterMs: 30_000,
};

/** The quota frees itself hour by hour, which is too long to wait in a run. */
const overQuota = 'Amplitude takes no more than 500,000 events of a user or device in 24 hours.';

function isAmong({ user_id, device_id }: About, users: object, devices: object): boolean {
  return (
    (user_id !== undefined && Object.hasOwn(users, user_id)) ||
    (device_id !== undefined && Object.hasOwn(devices, device_id))
  );
}

// Errors -------------------------------------------------------------------------------------------------------------

/** Refusals that fewer events would not help against. */
const aboutTheRequest = ['Invalid request path', 'Missing request body', 'Invalid JSON request body'];

function refusedAsAWhole(
  answer: HttpAnswer,
  said: Refusal | undefined,
  sent: readonly About[],
): ActivateError {
  const words = theirWords(said?.error ?? '', sent);
  // There is no code for it: the sentence is all that tells it from a bad event.
  if (answer.status === 400 && said?.error.startsWith('Invalid API key') === true) {
    return new ActivateError('AUTH_REJECTED', 'Amplitude does not know this API key.', {
      fix: 'Copy the key of the project once more, choose the region that it is in, and connect again: /activate connect.',
    });
  }
  if (answer.status === 413) {
    return new ActivateError('ROW_REJECTED', 'Amplitude finds this too large.');
  }
  const isOfEvents =
    answer.status === 400 &&
    said !== undefined &&
    said.missing_field === '' &&
    !aboutTheRequest.includes(said.error);
  return isOfEvents
    ? new ActivateError('ROW_REJECTED', `Amplitude refuses this.${saying(words)}`)
    : errorOf(answer, 'Amplitude', words);
}
