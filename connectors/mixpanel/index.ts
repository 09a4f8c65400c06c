import { type ConnectorContext, defineConnector } from '../../engine/contracts/connector.ts';
import type { Event, Events, Outcome, Value } from '../../engine/contracts/destination.ts';
import type { HttpAnswer } from '../../engine/contracts/http.ts';
import { sendGood } from '../shared/outcomes.ts';
import { config, type Login, loginOf } from './config.ts';
import { mustKnowUs, outcomesOf } from './results.ts';

const api = { version: 'Import Events, strict' };

/** Mixpanel, by the import that says of each event what became of it. */
export const mixpanel = defineConnector({
  id: 'mixpanel',
  name: 'Mixpanel',
  summary: 'Sends rows as events to a project of Mixpanel.',
  config,
  offers: ['events'],
  hosts: ['api.mixpanel.com', 'api-eu.mixpanel.com', 'api-in.mixpanel.com'],
  api,
  setup: [
    'In the settings of your Mixpanel organization, make a service account, and give it the role Owner or Admin in the project: others may not import.',
    'Copy its user name and its secret: the secret is shown once. Copy the id of the project from the settings of the project, and see there where its data is kept.',
    'For a project with Simplified ID Merge map the user id, the device id or both. For one with Original ID Merge map the distinct id.',
    'Mixpanel knows a repeat by event, person, time and the id that Activate gives each event: keep the columns for the first three as they are once events have been sent.',
    'Mixpanel keeps times to the millisecond: microseconds are cut off. It cuts texts at 255 characters, and takes up to 254 properties with an event, those that Activate sets among them.',
    'Rows from before 1971 are refused. Rows that lie more than an hour ahead are refused too, until their time has come: they are tried again at each run.',
    'Let each person have an id of their own: of more than 200,000 events of one id in a day Mixpanel makes `$hotshard_events` without an id.',
  ],
  verified: 'Tested against a server of ours that answers as Mixpanel documents, not against Mixpanel.',
  open: async (values, context) => {
    const post = postTo(loginOf(values), context);
    return {
      events: eventsOf(post, context.now),
      check: () => check(post),
      close: async () => undefined,
    };
  },
});

function eventsOf(post: Post, now: () => Date): Events {
  return {
    // A request takes 2 MB or 10, as one or the other page has it; events grow a little on the way into it.
    limits: { rows: 2000, bytes: 1_500_000, concurrency: 4 },
    people: [
      { name: 'user_id', label: 'User id' },
      { name: 'device_id', label: 'Device id' },
      { name: 'distinct_id', label: 'Distinct id' },
    ],
    repeatsKnownForMs: undefined,
    send: (events, { signal }) =>
      sendGood(
        events,
        (event) => refusalOf(event, now()),
        async (good) => {
          const sent = good.map(sentOf);
          return outcomesOf(await post(sent, signal), sent);
        },
      ),
  };
}

/** An event with nothing in it is never stored, and refused only once it is clear who asks and for which project. */
async function check(post: Post): Promise<readonly string[]> {
  mustKnowUs(await post([{}], AbortSignal.timeout(15_000)));
  return [];
}

// Requests -----------------------------------------------------------------------------------------------------------

/** What Mixpanel is sent for one event. */
interface Sent {
  readonly event: string;
  readonly properties: Readonly<Record<string, Value>>;
}

type Post = (events: readonly (Sent | Record<string, never>)[], signal: AbortSignal) => Promise<HttpAnswer>;

function postTo({ base, authorization, projectId }: Login, { http }: ConnectorContext): Post {
  return (json, signal) =>
    http.send({
      method: 'POST',
      url: `${base}/import`,
      // Not strict, it would drop bad events without a word.
      query: { strict: 1, project_id: projectId },
      headers: { authorization },
      json,
      gzip: true,
      repeatable: true,
      timeoutMs: 60_000,
      signal,
    });
}

function sentOf({ id, name, time, person, properties }: Event): Sent {
  const { user_id, device_id, distinct_id } = person;
  return {
    event: name,
    properties: {
      ...properties,
      // In milliseconds always: as seconds it would be another event to Mixpanel.
      time: Date.parse(time),
      // Left out, it would be made of the address that the request comes from. This is what Mixpanel makes of the others.
      distinct_id: distinct_id ?? user_id ?? `$device:${device_id}`,
      ...(user_id === undefined ? {} : { $user_id: user_id }),
      ...(device_id === undefined ? {} : { $device_id: device_id }),
      $insert_id: id,
    },
  };
}

const reserved = ['time', 'distinct_id', '$user_id', '$device_id', '$insert_id', 'token'];
const earliest = Date.UTC(1971);
const aheadMs = 60 * 60 * 1000;

/** What must not be sent, because Mixpanel could take it and make something else of it. */
function refusalOf({ time, properties }: Event, now: Date): Outcome | undefined {
  const reject = (field: string, reason: string): Outcome => ({ state: 'rejected', reason, field });
  const moment = Date.parse(time);
  if (Number.isNaN(moment)) {
    return reject('time', 'There is no such time.');
  }
  if (moment < earliest) {
    return reject('time', 'Mixpanel takes nothing from before 1971.');
  }
  if (moment > now.getTime() + aheadMs) {
    return reject('time', 'It lies more than an hour ahead; it is tried again at each run until then.');
  }
  const taken = reserved.find((name) => Object.hasOwn(properties, name));
  return taken === undefined
    ? undefined
    : reject(taken, `Mixpanel has a meaning of its own for ${taken}: give the property another name.`);
}
