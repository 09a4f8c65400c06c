import { defineConnector, type PartName } from '../../engine/contracts/connector.ts';
import type {
  Audiences,
  Call,
  Event,
  Events,
  Item,
  Member,
  ObjectBatch,
  Objects,
  Outcome,
} from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { sendGood } from '../shared/outcomes.ts';
import { api, type Client, openClient } from './client.ts';
import { config, type Identifier, loginOf, type Who } from './config.ts';
import { erase } from './erase.ts';
import { create, listIdOf, lists } from './lists.ts';
import { type Named, outcomesOf, report } from './results.ts';
import { dataOf, labels, obstaclesOf, refusalOf, specsOf } from './values.ts';

/** Users of an Iterable project, what they did, and the static lists that they are on. */
export const iterable = defineConnector({
  id: 'iterable',
  name: 'Iterable',
  summary: 'Keeps users and static lists of Iterable in step with your rows, and sends it events.',
  config,
  offers: ['objects', 'events', 'audiences'],
  hosts: ['api.iterable.com', 'api.eu.iterable.com'],
  api,
  setup: [
    'In Iterable open Integrations, API Keys, and make a server-side key without JWT. It belongs to one project.',
    'See in the settings of the project by what it knows its users, and choose that: by the other, every row would be refused, or make a second user.',
    'Compare the types of your columns with those of the fields in Iterable. The first value that a field gets decides for ever what it can hold.',
    'Iterable makes a user of whoever it does not know. To update users and make none, have it switch `updateOnly` on for your project.',
    'A list of Activate is a static list. Who leaves it is taken off that list only, and stays subscribed to your channels. In email-based projects whoever is put on a list becomes a user, whatever you choose for people whom Iterable lacks.',
    'Each event has an id, the same for a row for ever: when it comes again, Iterable updates the event that it has.',
    'Times go to Iterable to the second. A nested object replaces the whole one that is there.',
    'People who were forgotten at their own wish are refused. Activate reports them and leaves them alone.',
  ],
  verified: 'Tested against a server of ours that answers as Iterable documents, not against Iterable.',
  open: async (values, context) => {
    const client = openClient(loginOf(values), context);
    return {
      objects: objectsOf(client),
      events: eventsOf(client),
      audiences: audiencesOf(client),
      check: (use) => check(client, use),
      close: async () => undefined,
    };
  },
});

// A request takes 4 MB. What a project may send in a second is counted by the kind of request.
const bytes = 3_500_000;
const bulk = { rows: 1000, bytes, concurrency: 2, paceMs: 200 };

function objectsOf(client: Client): Objects {
  const { login } = client;
  return {
    limits: bulk,
    operations: ['update', 'upsert', 'delete'],
    onlyIfEmpty: false,
    anyField: true,
    objects: async (typed) =>
      'users'.includes(typed.trim().toLowerCase()) ? [{ value: 'users', label: 'Users' }] : [],
    fields: async (object) => {
      if (object !== 'users') {
        throw new ActivateError('NOT_FOUND', 'Iterable has no such kind of record.', {
          fix: 'Choose users.',
        });
      }
      return specsOf(login, await client.fields());
    },
    verify: async (plan) => obstaclesOf(login, await client.fields(), plan),
    write: (batch, call) => {
      const by = login.identifiers.filter((name) => batch.match.includes(name));
      return batch.operation === 'delete'
        ? erase(
            client,
            batch.items.map(({ values }) => whoIs(values, by)),
            call.signal,
          )
        : write(client, by, batch, call);
    },
    // Nothing in Iterable refers to a user.
    find: async () => new Map(),
  };
}

async function write(
  client: Client,
  by: readonly Identifier[],
  { operation, match, items }: ObjectBatch,
  { signal }: Call,
): Promise<readonly Outcome[]> {
  const types = await client.knownFields(signal);
  const isText = (name: string): boolean => types.get(name) === 'string';
  const sentOf = ({ values }: Item): Named => {
    const rest = Object.entries(values).filter(([name]) => !match.includes(name));
    return {
      ...whoIs(values, by),
      dataFields: dataOf(Object.fromEntries(rest), isText),
    };
  };
  return sendGood(
    items,
    ({ values }) => refusalOf(values, types),
    async (good) => {
      const users = good.map(sentOf);
      const json = {
        users,
        ...(operation === 'update' ? { updateOnly: true } : {}),
        ...newFieldsOf(client),
      };
      const said = await client.ask(
        { method: 'POST', path: 'users/bulkUpdate', json, people: true, repeatable: true, signal },
        report,
      );
      return outcomesOf(said, users);
    },
  );
}

/** Left out where the project decides. */
const newFieldsOf = ({ login: { makesFields } }: Client): { readonly createNewFields?: boolean } =>
  makesFields === undefined ? {} : { createNewFields: makesFields };

/** Who it is, by the surest identifier that is given; requests want one, and addresses without white space around. */
function whoIs(given: Readonly<Record<string, unknown>>, identifiers: readonly Identifier[]): Who {
  const name = identifiers.find((one) => given[one] !== undefined);
  const value = name === undefined ? '' : String(given[name]);
  return name === undefined ? {} : name === 'email' ? { email: value.trim() } : { userId: value };
}

function eventsOf(client: Client): Events {
  const { login } = client;
  return {
    limits: { ...bulk, paceMs: 100 },
    people: login.identifiers.map((name) => ({ name, label: labels[name] })),
    repeatsKnownForMs: undefined,
    send: (events, { signal }) => {
      const sentOf = ({ id, name, time, person, properties }: Event): Named => ({
        ...whoIs(person, login.identifiers),
        id,
        eventName: name,
        // In seconds.
        createdAt: Math.floor(Date.parse(time) / 1000),
        dataFields: dataOf(properties),
        ...newFieldsOf(client),
      });
      return sendGood(
        events,
        ({ time }) =>
          Number.isNaN(Date.parse(time))
            ? { state: 'rejected', reason: 'There is no such time.', field: 'time' }
            : undefined,
        async (good) => {
          const sent = good.map(sentOf);
          const said = await client.ask(
            {
              method: 'POST',
              path: 'events/trackBulk',
              json: { events: sent },
              people: true,
              repeatable: true,
              signal,
            },
            report,
          );
          return outcomesOf(said, sent);
        },
      );
    },
  };
}

function audiencesOf(client: Client): Audiences {
  const { login } = client;
  return {
    limits: bulk,
    identifiers: login.identifiers.map((name) => ({
      name,
      label: labels[name],
      rule: name === 'email' ? 'email' : 'as-is',
      hash: 'none',
    })),
    smallest: 0,
    lists: (typed) => lists(client, typed),
    create: (name) => create(client, name),
    traits: async () => specsOf(login, await client.fields()).filter(({ key }) => !key),
    add: async (list, members, { signal }) => {
      const listId = listIdOf(list);
      const types = members.some(({ traits }) => Object.keys(traits).length > 0)
        ? await client.knownFields(signal)
        : new Map<string, string>();
      const sentOf = ({ identifiers, traits }: Member): Named => ({
        ...whoIs(identifiers, login.identifiers),
        ...(Object.keys(traits).length === 0
          ? {}
          : { dataFields: dataOf(traits, (name) => types.get(name) === 'string') }),
      });
      return sendGood(
        members,
        ({ traits }) => refusalOf(traits, types),
        async (good) => {
          const subscribers = good.map(sentOf);
          const json = { listId, subscribers, updateExistingUsersOnly: !login.makesUsers };
          const said = await client.ask(
            { method: 'POST', path: 'lists/subscribe', json, people: true, repeatable: true, signal },
            report,
          );
          return outcomesOf(said, subscribers);
        },
      );
    },
    remove: async (list, members, { signal }) => {
      const subscribers = members.map(({ identifiers }) => whoIs(identifiers, login.identifiers));
      // Left out, it would be true: they would get no mails of that channel any more.
      const json = { listId: listIdOf(list), subscribers, channelUnsubscribe: false };
      const said = await client.ask(
        { method: 'POST', path: 'lists/unsubscribe', json, people: true, repeatable: true, signal },
        report,
      );
      // Whoever is nobody to Iterable is on no list.
      return outcomesOf(said, subscribers, ['notFound', 'forgotten', 'invalid']);
    },
  };
}

async function check(client: Client, use: PartName): Promise<readonly string[]> {
  await (use === 'audiences' ? lists(client, '') : client.fields());
  return [];
}
