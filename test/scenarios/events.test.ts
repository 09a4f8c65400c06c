import { startAmplitude } from '../fakes/amplitude.ts';
import { startMixpanel } from '../fakes/mixpanel.ts';
import { at, overHttp } from './far-sides.ts';
import { startReceiver, toReceiver } from './receiver.ts';
import { scenario } from './scenario.ts';
import type { FarSide, Play } from './stage.ts';

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
