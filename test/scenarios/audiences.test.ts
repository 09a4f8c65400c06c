import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { startBraze } from '../fakes/braze.ts';
import { account, startFacebook, token } from '../fakes/facebook.ts';
import { account as googleAccount, refreshToken as googleToken, startGoogle } from '../fakes/google-ads.ts';
import { token as hubspotToken, seed, startHubspot } from '../fakes/hubspot.ts';
import { token as intercomToken, seed as seedIntercom, startIntercom } from '../fakes/intercom.ts';
import { startIterable } from '../fakes/iterable.ts';
import { apiKey, startMailchimp } from '../fakes/mailchimp.ts';
import { developerToken, refreshToken as microsoftToken, startMicrosoft } from '../fakes/microsoft-ads.ts';
import { on as onSendgrid, apiKey as sendgridKey, startSendgrid } from '../fakes/sendgrid.ts';
import { businessUnit, on as onSfmc, client as sfmcClient, startSfmc } from '../fakes/sfmc.ts';
import { app, account as snapAccount, startSnapchat } from '../fakes/snapchat.ts';
import { advertiser, startTikTok, token as tiktokToken } from '../fakes/tiktok.ts';
import { at } from './addresses.ts';
import { overHttp } from './far-sides.ts';
import { startReceiver, toReceiver } from './receiver.ts';
import { scenario } from './scenario.ts';
import type { FarSide, Play } from './stage.ts';

const play: Play = {
  framework: 'audiences',
  word: 'added to the list',
  changes: { 'added to the list': 2, 'removed from the list': 2 },
  wanted: 'select email from accounts where not gone',
};

/** Ad platforms show nobody's address: people are known by what their address comes to. */
function addressesBy(prefix: string): ReadonlyMap<string, string> {
  const addresses = ['moved@acme.example', ...Array.from({ length: 500 }, (_, i) => `a${i}@acme.example`)];
  const hashed = (text: string): string => createHash('sha256').update(text).digest('hex');
  return new Map(addresses.map((email) => [`${prefix}${hashed(email)}`, email]));
}

async function mailchimp(): Promise<FarSide> {
  const fake = await startMailchimp();
  const [list] = fake.state.audiences;
  return {
    ...overHttp(fake),
    connection: (port) => ({
      config: { statusIfNew: 'subscribed', baseUrl: at(fake.url, port) },
      secrets: { apiKey },
    }),
    settings: `
list: a1b2c3d4e5:7
list_name: Buyers
identifiers: { email: email }
`,
    there: () =>
      [...(list?.contacts.values() ?? [])]
        .filter(({ tags }) => tags.has(7))
        .map(({ address }) => ({ email: address })),
    refusal: { column: 'email', bad: 'nobody@example.com', reason: /fake or invalid/ },
  };
}

async function facebook(): Promise<FarSide> {
  const fake = await startFacebook();
  const known = addressesBy('EMAIL=');
  return {
    ...overHttp(fake),
    connection: (port) => ({
      config: { account, fileSource: 'USER_PROVIDED_ONLY', baseUrl: at(fake.url, port) },
      secrets: { accessToken: token },
    }),
    settings: `
list: '100'
list_name: Buyers
identifiers: { EMAIL: email }
`,
    there: () =>
      [...(fake.state.audiences[0]?.people ?? [])].map((one) => ({ email: known.get(one) ?? one })),
    refusal: { column: 'email', bad: 'no address', reason: /mail/ },
  };
}

async function snapchat(): Promise<FarSide> {
  const fake = await startSnapchat();
  const known = addressesBy('EMAIL_SHA256=');
  const { clientId, ...secrets } = app;
  return {
    ...overHttp(fake, /^\/login\//),
    connection: (port) => ({
      config: { account: snapAccount, clientId, baseUrl: at(fake.url, port) },
      secrets,
    }),
    settings: `
list: '5689640350646272'
list_name: Buyers
identifiers: { EMAIL_SHA256: email }
`,
    there: () => [...(fake.state.segments[0]?.people ?? [])].map((one) => ({ email: known.get(one) ?? one })),
    refusal: { column: 'email', bad: 'no address', reason: /mail/ },
  };
}

async function tiktok(): Promise<FarSide> {
  const fake = await startTikTok();
  const known = addressesBy('EMAIL_SHA256=');
  return {
    ...overHttp(fake),
    connection: (port) => ({
      config: { advertiser, baseUrl: at(fake.url, port) },
      secrets: { accessToken: tiktokToken },
    }),
    settings: `
list: '100'
list_name: Buyers
identifiers: { EMAIL_SHA256: email }
`,
    there: () =>
      [...(fake.state.audiences[0]?.people ?? [])].map((one) => ({ email: known.get(one) ?? one })),
    refusal: { column: 'email', bad: 'no address', reason: /mail/ },
  };
}

/** A list is an attribute: who left has it still, and it is false. */
async function braze(): Promise<FarSide> {
  const fake = await startBraze();
  return {
    ...overHttp(fake),
    connection: (port) => ({
      config: { endpoint: 'rest.iad-01.braze.com', strangers: 'make', baseUrl: at(fake.url, port) },
      secrets: { apiKey: fake.state.apiKey },
    }),
    settings: `
list: buyers
list_name: buyers
identifiers: { external_id: email }
`,
    there: () =>
      [...fake.state.users]
        .filter(([, { buyers }]) => buyers === true)
        .map(([way]) => ({ email: way.replace('external_id ', '') })),
    refusal: { column: 'email', bad: 'dummy@acme.example', reason: /blacklisted/ },
  };
}

async function googleAds(): Promise<FarSide> {
  const fake = await startGoogle();
  const known = addressesBy('');
  const digestIn = (one: string): string => /[0-9a-f]{64}/.exec(one)?.[0] ?? '';
  return {
    ...overHttp(fake, /\/token$/),
    connection: (port) => ({
      config: {
        account: googleAccount,
        terms: 'ACCEPTED',
        consent: 'granted',
        clientId: '4711.apps.googleusercontent.com',
        baseUrl: at(fake.url, port),
      },
      secrets: { clientSecret: 'GOCSPX-secret-of-the-client', refreshToken: googleToken },
    }),
    settings: `
list: '9007199254740993'
list_name: Buyers
identifiers: { email: email }
`,
    there: () =>
      [...(fake.state.lists[0]?.people.keys() ?? [])].map((one) => ({
        email: known.get(digestIn(one)) ?? one,
      })),
    refusal: { column: 'email', bad: 'no address', reason: /mail/ },
  };
}

async function microsoftAds(): Promise<FarSide> {
  const fake = await startMicrosoft();
  const known = addressesBy('Email ');
  return {
    ...overHttp(fake, /\/token$|\/QueryByIds$/),
    connection: (port) => ({
      config: {
        account: '123456789',
        customer: '12345678',
        clientId: '0a1b2c3d-0000-0000-0000-000000000000',
        terms: 'accepted',
        baseUrl: at(fake.url, port),
      },
      secrets: { developerToken, refreshToken: microsoftToken },
    }),
    settings: `
list: '9007199254740993'
list_name: Buyers
identifiers: { email: email }
`,
    there: () => [...(fake.state.lists[0]?.items ?? [])].map((one) => ({ email: known.get(one) ?? one })),
    refusal: { column: 'email', bad: 'no address', reason: /mail/ },
  };
}

/** HubSpot's lists take contacts that are there: those of all accounts to come. */
async function hubspot(): Promise<FarSide> {
  const fake = await startHubspot();
  const emails = ['moved', ...Array.from({ length: 500 }, (_, i) => `a${i}`)].map(
    (name) => `${name}@acme.example`,
  );
  const known = new Map(emails.map((email) => [seed(fake, 'contacts', { email }), email]));
  return {
    ...overHttp(fake, /batch\/read|search/),
    connection: (port) => ({
      config: { baseUrl: at(fake.url, port) },
      secrets: { accessToken: hubspotToken },
    }),
    settings: `
list: '7'
list_name: Buyers
identifiers: { email: email }
`,
    there: () => [...(fake.state.lists[0]?.members ?? [])].map((id) => ({ email: known.get(id) ?? id })),
    refusal: { column: 'email', bad: 'stranger@example.com', reason: /no such contact/ },
  };
}

async function iterable(): Promise<FarSide> {
  const fake = await startIterable();
  return {
    ...overHttp(fake),
    connection: (port) => ({
      config: { region: 'us', projectType: 'email', baseUrl: at(fake.url, port) },
      secrets: { apiKey: fake.state.apiKey },
    }),
    settings: `
list: '1'
list_name: Buyers
identifiers: { email: email }
`,
    there: () => [...(fake.state.lists[0]?.users ?? [])].map((email) => ({ email })),
    refusal: { column: 'email', bad: 'no address', reason: /mail/ },
    inspect: () => expect(fake.state.offChannel.size).toBe(0),
  };
}

async function sendgrid(): Promise<FarSide> {
  const fake = await startSendgrid();
  return {
    ...overHttp(fake, /search\/identifiers/),
    connection: (port) => ({
      config: { baseUrl: at(fake.url, port) },
      secrets: { apiKey: sendgridKey },
    }),
    settings: `
list: 3b1d0ffa-0000-4000-8000-000000000001
list_name: Buyers
identifiers: { email: email }
`,
    there: () => onSendgrid(fake.state).map(({ email }) => ({ email })),
    refusal: { column: 'email', bad: 'somebody@no-mail.example', reason: /not valid/ },
  };
}

/** Intercom's tags are for contacts that are there: those of all accounts to come. */
async function intercom(): Promise<FarSide> {
  const fake = await startIntercom();
  for (const name of ['moved', ...Array.from({ length: 500 }, (_, i) => `a${i}`)]) {
    seedIntercom(fake, { email: `${name}@acme.example` });
  }
  return {
    ...overHttp(fake, /search/),
    connection: (port) => ({
      config: { region: 'eu', baseUrl: at(fake.url, port) },
      secrets: { accessToken: intercomToken },
    }),
    settings: `
list: '7'
list_name: Buyers
identifiers: { email: email }
`,
    there: () =>
      [...fake.state.contacts.values()]
        .filter(({ tags }) => tags.has('7'))
        .map(({ values }) => ({ email: values['email'] })),
    refusal: { column: 'email', bad: 'stranger@example.com', reason: /no such contact/ },
  };
}

/** Who left has a row still, and its column says so. */
async function sfmc(): Promise<FarSide> {
  const fake = await startSfmc();
  const { clientId, clientSecret } = sfmcClient;
  return {
    ...overHttp(fake, /\/token$/),
    connection: (port) => ({
      config: { subdomain: 'mc563885', businessUnit, clientId, baseUrl: at(fake.url, port) },
      secrets: { clientSecret },
    }),
    settings: `
list: 2f6f0d6c-0000-4000-8000-000000000001
list_name: Buyers
identifiers: { subscriberKey: email, email: email }
`,
    there: () => onSfmc(fake.state).map(({ EmailAddress: email }) => ({ email })),
    refusal: { column: 'email', bad: 'somebody@no-mail.example', reason: /no address/ },
  };
}

async function webhook(): Promise<FarSide> {
  const people = new Set<string>();
  const fake = await startReceiver(({ type, data }) => {
    const { email } = data['identifiers'] as { readonly email: string };
    people[type === 'audience.add' ? 'add' : 'delete'](email);
    return {};
  });
  return {
    ...toReceiver(fake, 5),
    settings: `
list: buyers
list_name: Buyers
identifiers: { email: email }
`,
    there: () => [...people].map((email) => ({ email })),
    refusal: { column: 'email', bad: 'refuse-me@acme.example', reason: /Not this one/ },
  };
}

scenario(play, { connector: 'mailchimp', start: mailchimp, sigkill: true });
scenario(play, { connector: 'facebook', start: facebook });
scenario(play, { connector: 'hubspot', start: hubspot });
scenario(play, { connector: 'intercom', start: intercom });
scenario(play, { connector: 'webhook', start: webhook });
scenario(play, { connector: 'braze', start: braze });
scenario(play, { connector: 'tiktok', start: tiktok });
scenario(play, { connector: 'google-ads', start: googleAds });
scenario(play, { connector: 'microsoft-ads', start: microsoftAds });
scenario(play, { connector: 'snapchat', start: snapchat });
scenario(play, { connector: 'iterable', start: iterable });
scenario(play, { connector: 'sendgrid', start: sendgrid });
scenario(play, { connector: 'sfmc', start: sfmc });
