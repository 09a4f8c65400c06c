import { type ConnectorContext, defineConnector } from '../../engine/contracts/connector.ts';
import type { Event, Events, Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { HttpAnswer } from '../../engine/contracts/http.ts';
import { config, type Login, loginOf } from './config.ts';
import { verdictsOf } from './results.ts';

const api = { version: 'HTTP V2, Batch Event Upload' };

/** Amplitude, by the upload that it means for many events at once. */
export const amplitude = defineConnector({
  id: 'amplitude',
  name: 'Amplitude',
  summary: 'Sends rows as events to a project of Amplitude.',
  config,
  offers: ['events'],
  hosts: ['api2.amplitude.com', 'api.eu.amplitude.com'],
  api,
  setup: [
    'In Amplitude open the settings of your organization, Projects, and your project, and copy its API key. Whoever has it can send events and read nothing.',
    'Choose the region that the project is in: a key of the other one counts as wrong.',
    'When you connect, Activate sets the user property `activate_connection_check` of a device of that name (`$identify`), because Amplitude has no way to try a key. It counts as no event.',
    'Map a user id, a device id, or both, and keep to it: Amplitude knows a repeat by the device and the id that Activate gives each event, and where there is no device, by the user.',
    'It knows repeats for 7 days. Do not send rows again that are older.',
    'Amplitude keeps times to the millisecond: microseconds are cut off. It cuts texts at 1,024 characters.',
    'Rows whose id means nobody (`null`, `anonymous`, `unknown` and the like) are refused: Amplitude would make one user of all of them. What has been sent can not be changed there.',
  ],
  verified: 'Tested against a server of ours that answers as Amplitude documents, not against Amplitude.',
  open: async (values, context) => {
    const upload = uploadTo(loginOf(values), context);
    return {
      events: eventsOf(upload),
      check: () => check(upload, context.now()),
      close: async () => undefined,
    };
  },
});

function eventsOf(upload: Upload): Events {
  return {
    // It would take 2,000 and 20 MB; half of that leaves a refused request less to repeat.
    limits: { rows: 1000, bytes: 10_000_000, concurrency: 4 },
    people: [
      { name: 'user_id', label: 'User id' },
      { name: 'device_id', label: 'Device id' },
    ],
    repeatsKnownForMs: 7 * 24 * 60 * 60 * 1000,
    send: (events, { signal }) => deliver(upload, events, signal),
  };
}

async function check(upload: Upload, now: Date): Promise<readonly string[]> {
  const name = 'activate_connection_check';
  const trial: Sent = {
    device_id: name,
    event_type: '$identify',
    time: now.getTime(),
    insert_id: name,
    user_properties: { $set: { [name]: true } },
  };
  const outcome = verdictsOf(await upload([trial], AbortSignal.timeout(15_000)), [trial]).get(0);
  if (outcome?.state !== 'ok') {
    throw new ActivateError('UNAVAILABLE', `Amplitude does not take a trial: ${outcome?.reason}`);
  }
  return [];
}

// Requests -----------------------------------------------------------------------------------------------------------

/** What Amplitude is sent for one event. */
interface Sent {
  readonly user_id?: string;
  readonly device_id?: string;
  readonly event_type: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly insert_id: string;
  readonly event_properties?: Event['properties'];
  readonly user_properties?: object;
}

type Upload = (events: readonly Sent[], signal: AbortSignal) => Promise<HttpAnswer>;

function uploadTo({ base, apiKey }: Login, { http }: ConnectorContext): Upload {
  return (events, signal) =>
    http.send({
      method: 'POST',
      url: `${base}/batch`,
      // Short ids would be left out of events without a word: small numbers are usual as keys.
      json: { api_key: apiKey, events, options: { min_id_length: 1 } },
      gzip: true,
      repeatable: true,
      timeoutMs: 60_000,
      signal,
    });
}

/** So often the rest of a batch is sent when there is something to refuse in it each time. */
const requestsPerBatch = 5;

/**
 * A refusal is about the whole request and names the events that it is for. Those are settled; the others go again at
 * once and not as `retry`, because nothing was done about them, and they would have to wait for those that are throttled.
 */
async function deliver(
  upload: Upload,
  events: readonly Event[],
  signal: AbortSignal,
): Promise<readonly Outcome[]> {
  const outcomes: (Outcome | undefined)[] = events.map(refusalOf);
  let left = events
    .flatMap((event, at) => (outcomes[at] === undefined ? [{ at, sent: sentOf(event) }] : []))
    .toSorted((a, b) => a.sent.time - b.sent.time);
  for (let request = 1; left.length > 0 && request <= requestsPerBatch; request += 1) {
    const sent = left.map((one) => one.sent);
    const verdicts = verdictsOf(await upload(sent, signal), sent);
    for (const [i, { at }] of left.entries()) {
      outcomes[at] = verdicts.get(i);
    }
    left = left.filter((_, i) => !verdicts.has(i));
  }
  return outcomes.map(
    (outcome) =>
      outcome ?? { state: 'retry', reason: 'Amplitude refuses the request for other events in it.' },
  );
}

function sentOf({ id, name, time, person, properties }: Event): Sent {
  return { ...person, event_type: name, time: Date.parse(time), insert_id: id, event_properties: properties };
}

const nobody =
  /^(?:null|nil|<nil>|none|nan|n\/a|undefined|unknown|anon|anonymous|0{8}-0{4}-0{4}-0{4}-0{12})$/i;

/** What must not be sent, because Amplitude would take it and make something else of it. */
function refusalOf({ time, person }: Event): Outcome | undefined {
  if (Number.isNaN(Date.parse(time))) {
    return { state: 'rejected', reason: 'There is no such time.', field: 'time' };
  }
  const field = Object.keys(person).find((name) => nobody.test(person[name] ?? ''));
  return field === undefined
    ? undefined
    : { state: 'rejected', reason: `What the row has as ${field} means nobody.`, field };
}
