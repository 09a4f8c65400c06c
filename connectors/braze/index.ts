import { defineConnector, type PartName } from '../../engine/contracts/connector.ts';
import type {
  Audiences,
  BatchLimits,
  Call,
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
import { config, loginOf } from './config.ts';
import { eventRefusalOf, trackedOf } from './events.ts';
import { create, lists, mustBeList } from './lists.ts';
import {
  type Catalog,
  obstaclesOf,
  openCatalog,
  refusalOf,
  specsOf,
  waysOf,
  whoIs,
  withShortTimes,
} from './profile.ts';
import type { Tracked } from './results.ts';

/** Users of a Braze workspace, what they did, and attributes that say who is on a list. */
export const braze = defineConnector({
  id: 'braze',
  name: 'Braze',
  summary:
    'Keeps users of Braze in step with your rows, sends it events and purchases, and marks who is on a list.',
  config,
  offers: ['objects', 'events', 'audiences'],
  hosts: ['*.braze.com', '*.braze.eu'],
  api,
  setup: [
    'In Braze open Settings, APIs and Identifiers, and make a REST API key. It needs `users.track`; for users and lists `custom_attributes.get` too, and `users.delete` if rows that go are to be deleted. Copy the REST endpoint from the same page.',
    'Match users by `external_id` where you can. Several users may share an e-mail address or a phone number: Braze then takes the one with an external id that was updated last, and where none has one, the one updated last. External ids are case-sensitive and stay for good.',
    'Braze bills what is sent, changed or not: map only what you use. Activate sends a row when it has changed, with all its mapped fields.',
    'Braze takes requests into a queue. What it finds wrong only later, such as an update of a user whom it does not know, it says nowhere.',
    'A list of Activate is a custom attribute that is true for whoever is on it and false for whoever left. (Braze keeps its cohorts for partners.)',
    'Name an event `$purchase` to record a purchase: map `product_id`, `currency` and `price`, and `quantity` if it is not 1. All else becomes properties of the purchase.',
    'Braze recognises no repeats: an event that is sent twice counts twice. Each has the property `activate_event_id`, the same for a row for ever. Choose what becomes of events of which nobody knows whether they arrived: they are reported, or sent again.',
    'Braze keeps times to the millisecond and texts of up to 255 characters.',
  ],
  verified: 'Tested against a server of ours that answers as Braze documents, not against Braze.',
  open: async (values, context) => {
    const client = openClient(loginOf(values), context);
    const catalog = openCatalog(client);
    return {
      objects: objectsOf(client, catalog),
      events: eventsOf(client, context.now),
      audiences: audiencesOf(client, catalog),
      check: (use) => check(client, catalog, use),
      close: async () => undefined,
    };
  },
});

/** A request takes 4 MB, and 100 KB of each object. */
const limitsOf = ({ login }: Client): BatchLimits => ({ rows: login.rows, bytes: 3_500_000, concurrency: 4 });

function objectsOf(client: Client, catalog: Catalog): Objects {
  const { login } = client;
  return {
    limits: limitsOf(client),
    operations: ['update', 'upsert', 'delete'],
    onlyIfEmpty: false,
    anyField: true,
    objects: async (typed) =>
      'users'.includes(typed.trim().toLowerCase()) ? [{ value: 'users', label: 'Users' }] : [],
    fields: async (object) => {
      if (object !== 'users') {
        throw new ActivateError('NOT_FOUND', 'Braze has no such kind of record.', { fix: 'Choose users.' });
      }
      return specsOf(login, await catalog.fresh());
    },
    verify: async (plan) => obstaclesOf(login, await catalog.known(), plan),
    write: (batch, call) =>
      batch.operation === 'delete' ? erase(client, batch, call) : write(client, catalog, batch, call),
    // Nothing in Braze refers to a user.
    find: async () => new Map(),
  };
}

async function write(
  client: Client,
  catalog: Catalog,
  { operation, match, items }: ObjectBatch,
  { signal }: Call,
): Promise<readonly Outcome[]> {
  const attributes = await catalog.known(signal);
  const sentOf = ({ values }: Item): Tracked => {
    const known = Object.entries(values);
    const own = known.filter(([name]) => match.includes(name));
    const rest = known.filter(([name]) => !match.includes(name));
    return {
      list: 'attributes',
      sent: {
        ...withShortTimes(Object.fromEntries(rest)),
        ...whoIs(Object.fromEntries(own), client.login),
        // Left out, users would be made by some ways to find them and not by others.
        _update_existing_only: operation === 'update',
      },
    };
  };
  return sendGood(
    items,
    ({ values }) => refusalOf(values, attributes),
    (good) => client.track(good.map(sentOf), { repeatable: true, signal }),
  );
}

/** Fewer than a request that tracks can have. */
const erasedAtOnce = 50;

/** The names that the ways to find a user have in requests to delete, where an address needs to say which of several. */
async function erase(
  { login, erase: ask }: Client,
  { match, items }: ObjectBatch,
  { signal }: Call,
): Promise<readonly Outcome[]> {
  const prioritization = ['identified', 'most_recently_updated'];
  for (let from = 0; from < items.length; from += erasedAtOnce) {
    const some = items.slice(from, from + erasedAtOnce).map(({ values }) => values[match[0] ?? ''] ?? null);
    switch (match[0]) {
      case 'email':
        await ask({ email_addresses: some.map((email) => ({ email, prioritization })) }, signal);
        break;
      case 'phone':
        await ask({ phone_numbers: some.map((phone) => ({ phone, prioritization })) }, signal);
        break;
      case 'alias_name':
        await ask(
          { user_aliases: some.map((name) => ({ alias_name: name, alias_label: login.aliasLabel ?? '' })) },
          signal,
        );
        break;
      case 'braze_id':
        await ask({ braze_ids: some }, signal);
        break;
      default:
        await ask({ external_ids: some }, signal);
    }
  }
  return items.map(() => ({ state: 'ok' }));
}

function eventsOf(client: Client, now: () => Date): Events {
  return {
    limits: limitsOf(client),
    people: waysOf(client.login),
    repeatsKnownForMs: 0,
    send: async (events, { again, signal }) =>
      again && !client.login.repeatsEvents
        ? events.map(() => inDoubt)
        : sendGood(
            events,
            (event) => eventRefusalOf(event, now()),
            (good) =>
              client.track(
                good.map((event) => trackedOf(event, client.login)),
                { repeatable: false, signal },
              ),
          ),
  };
}

const inDoubt: Outcome = {
  state: 'rejected',
  reason:
    'Nobody knows whether Braze has this event already, and a second time would count twice. Look there: skip it here if it arrived, or let the connection send events in doubt again.',
};

function audiencesOf(client: Client, catalog: Catalog): Audiences {
  const { login } = client;
  const change =
    (isOn: boolean): Audiences['add'] =>
    async (list, members, { signal }) => {
      mustBeList(list);
      const attributes = await catalog.known(signal);
      const sentOf = ({ identifiers, traits }: Member): Tracked => ({
        list: 'attributes',
        sent: {
          ...withShortTimes(traits),
          [list]: isOn,
          ...whoIs(identifiers, login),
          // Nobody becomes a user by leaving a list.
          _update_existing_only: !isOn || !login.makesUsers,
        },
      });
      return sendGood(
        members,
        ({ traits }) => refusalOf(traits, attributes),
        (good) => client.track(good.map(sentOf), { repeatable: true, signal }),
      );
    };
  return {
    limits: limitsOf(client),
    identifiers: waysOf(login).map(({ name, label }) => ({
      name,
      label,
      rule: name === 'email' ? 'email' : name === 'phone' ? 'phone-e164' : 'as-is',
      hash: 'none',
    })),
    smallest: 0,
    lists: (typed) => lists(catalog, typed),
    create: (name) => create(catalog, name),
    traits: async (list) => {
      const ways = waysOf(login).map(({ name }) => name as string);
      return specsOf(login, await catalog.fresh()).filter(
        ({ name }) => name !== list && !ways.includes(name),
      );
    },
    add: change(true),
    remove: change(false),
  };
}

async function check(client: Client, catalog: Catalog, use: PartName): Promise<readonly string[]> {
  await client.mustTrack();
  if (use !== 'events') {
    await catalog.fresh();
  }
  return [];
}
