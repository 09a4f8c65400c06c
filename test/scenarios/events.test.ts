import { describe, expect, it } from 'vitest';
import { startAmplitude } from '../fakes/amplitude.ts';
import { type FakeBraze, refused, startBraze } from '../fakes/braze.ts';
import { startIterable } from '../fakes/iterable.ts';
import { startMixpanel } from '../fakes/mixpanel.ts';
import { at } from './addresses.ts';
import { overHttp } from './far-sides.ts';
import { startReceiver, toReceiver } from './receiver.ts';
import { scenario } from './scenario.ts';
import { type FarSide, type Play, Stage, sync } from './stage.ts';

/** An event is what it was when it was sent: rows that change or go are no news. */
const play: Play = {
  framework: 'events',
  word: 'sent',
  changes: { sent: 1 },
  wanted: `select id as n, 'signed up' as name, 'user-' || id as person from accounts`,
};

const settings = `
event: '"signed up"'
time: at
person: { user_id: user_id }
properties:
  n: id
  plan: plan
silent_first: false
`;

async function amplitude(): Promise<FarSide> {
  const fake = await startAmplitude();
  return {
    ...overHttp(fake),
    connection: (port) => ({
      config: { region: 'us', baseUrl: at(fake.url, port) },
      secrets: { apiKey: fake.state.apiKey },
    }),
    settings,
    there: () =>
      fake.state.events.map(({ event_type, user_id, event_properties }) => ({
        n: event_properties?.['n'],
        name: event_type,
        person: user_id,
      })),
    refusal: { column: 'plan', bad: 'refuse me', reason: /event_properties|plan/ },
  };
}

/** It refuses events by their name: that of these is what the row has as plan. */
async function iterable(): Promise<FarSide> {
  const fake = await startIterable();
  fake.state.projectType = 'userId';
  fake.state.disallowed.add('refuse me');
  return {
    ...overHttp(fake),
    connection: (port) => ({
      config: { region: 'us', projectType: 'userId', baseUrl: at(fake.url, port) },
      secrets: { apiKey: fake.state.apiKey },
    }),
    settings: settings
      .replace('user_id: user_id', 'userId: user_id')
      .replace(`'"signed up"'`, "'{{ plan }}'"),
    there: () =>
      [...fake.state.events.values()].map(({ eventName, userId, dataFields }) => ({
        n: dataFields?.['n'],
        name: eventName === 'Normal' ? 'signed up' : eventName,
        person: userId,
      })),
    refusal: { column: 'plan', bad: 'refuse me', reason: /no events of this name/ },
  };
}

async function mixpanel(): Promise<FarSide> {
  const fake = await startMixpanel();
  const { username, projectId, secret } = fake.state;
  return {
    ...overHttp(fake),
    connection: (port) => ({
      config: { username, projectId, region: 'us', baseUrl: at(fake.url, port) },
      secrets: { secret },
    }),
    settings,
    there: () =>
      [...fake.state.events.values()].map(({ event, properties }) => ({
        n: properties?.['n'],
        name: event,
        person: properties?.['$user_id'],
      })),
    refusal: { column: 'plan', bad: 'refuse me', reason: /plan/ },
  };
}

/** It knows no repeat: what comes twice has the same id of ours, by which whoever reads events can tell. */
async function brazeWith(unsure: 'again' | 'report'): Promise<FarSide & { readonly fake: FakeBraze }> {
  const fake = await startBraze();
  const propertiesOf = (event: Readonly<Record<string, unknown>>) =>
    event['properties'] as Readonly<Record<string, string>>;
  return {
    fake,
    ...overHttp(fake),
    connection: (port) => ({
      config: { endpoint: 'rest.iad-01.braze.com', strangers: 'make', unsure, baseUrl: at(fake.url, port) },
      secrets: { apiKey: fake.state.apiKey },
    }),
    settings: settings.replace('user_id: user_id', 'external_id: user_id'),
    there: () => {
      const events = fake.state.events.map(
        (event) => [propertiesOf(event)['activate_event_id'], event] as const,
      );
      return [...new Map(events).values()].map((event) => ({
        n: propertiesOf(event)['n'],
        name: event['name'],
        person: event['external_id'],
      }));
    },
    refusal: { column: 'plan', bad: refused, reason: /invalid data/ },
  };
}

describe('events to braze that may have arrived', () => {
  it('are reported at each run and sent no more', async () => {
    const far = await brazeWith('report');
    const stage = await Stage.set(play, 'braze', async () => far);
    try {
      await stage.apply();
      await stage.house.ended(sync);
      await stage.add(2);
      far.fake.next('done-then-reset');

      const runs = [await stage.house.run(sync), await stage.house.run(sync), await stage.house.run(sync)];

      expect(runs.map(({ state, counts: { failed, done } }) => ({ state, failed, done }))).toEqual(
        runs.map(() => ({ state: 'done', failed: 2, done: {} })),
      );
      expect(await stage.house.services.syncs.reasons(sync)).toMatchObject([{ count: 2 }]);
      expect(far.fake.state.events).toHaveLength(2);
      await stage.isAsWanted();
    } finally {
      await stage.close();
    }
  });
});

interface Sent {
  readonly name: string;
  readonly person: { readonly user_id: string };
  readonly properties: { readonly n: number };
}

async function webhook(): Promise<FarSide> {
  const kept: unknown[] = [];
  const fake = await startReceiver(({ data }) => {
    const { name, person, properties } = data as unknown as Sent;
    kept.push({ n: properties.n, name, person: person.user_id });
    return {};
  });
  return {
    ...toReceiver(fake),
    settings,
    there: () => kept,
    refusal: { column: 'plan', bad: 'refuse me', reason: /Not this one/ },
  };
}

scenario(play, { connector: 'amplitude', start: amplitude, sigkill: true });
scenario(play, { connector: 'mixpanel', start: mixpanel });
scenario(play, { connector: 'webhook', start: webhook });
scenario(play, { connector: 'braze', start: () => brazeWith('again') });
scenario(play, { connector: 'iterable', start: iterable });
