import { BSON } from 'mongodb';
import { ids as anaplanIds, startAnaplan } from '../fakes/anaplan.ts';
import { refused, startBraze } from '../fakes/braze.ts';
import { token as hubspotToken, startHubspot } from '../fakes/hubspot.ts';
import { token as intercomToken, startIntercom } from '../fakes/intercom.ts';
import { startIterable } from '../fakes/iterable.ts';
import { failure, startFakeMongodb } from '../fakes/mongodb.ts';
import { Refusal } from '../fakes/mongodb-store.ts';
import { failure as mysqlFailure, startFakeMysql } from '../fakes/mysql.ts';
import { customers, startNetsuite } from '../fakes/netsuite.ts';
import { startSalesforce } from '../fakes/salesforce.ts';
import { hasMariadb, startMariadb } from '../support/mariadb.ts';
import { freshDb } from '../support/postgres.ts';
import { at, portOf } from './addresses.ts';
import { overHttp } from './far-sides.ts';
import { startReceiver, toReceiver } from './receiver.ts';
import { scenario } from './scenario.ts';
import type { FarSide, Play } from './stage.ts';

const play: Play = {
  framework: 'objects',
  word: 'written',
  changes: { written: 3, deleted: 2 },
  wanted: 'select email, name, seats, plan from accounts where not gone',
};

const mirror = `
mode: mirror
match: [email]
fields:
  email: email
  name: name
  seats: seats
  plan: plan
`;

async function postgres(): Promise<FarSide> {
  const crm = await freshDb();
  await crm.db.query(`
    create table public.contacts (email text primary key, name text not null, seats int,
      plan text check (plan <> 'refuse me'));
    create table public.writes (at timestamptz default now());
    create function public.note() returns trigger language plpgsql as
      'begin insert into public.writes default values; return null; end';
    create trigger note after insert or update or delete on public.contacts
      for each statement execute function public.note();
  `);
  return {
    port: portOf(crm.url),
    connection: (port) => ({ config: {}, secrets: { url: at(crm.url, port) } }),
    settings: `object: public.contacts${mirror}`,
    there: () => crm.db.query('select email, name, seats, plan from public.contacts'),
    writes: async () => (await crm.db.query('select from public.writes')).length,
    refusal: { column: 'plan', bad: 'refuse me', reason: /contacts_plan_check/ },
    close: crm.close,
  };
}

async function mysql(): Promise<FarSide> {
  const server = await startMariadb();
  const crm = await startFakeMysql(server.adminUrl, [
    `create table contacts (email varchar(100) primary key, name varchar(100) not null, seats int,
      plan varchar(100), constraint fine check (plan <> 'refuse me'))`,
    'create table writes (at timestamp default now())',
    ...['insert', 'update', 'delete'].map(
      (event) =>
        `create trigger note_${event} after ${event} on contacts for each row insert into writes () values ()`,
    ),
  ]);
  return {
    port: crm.port,
    connection: (port) => ({ config: {}, secrets: { url: at(crm.url, port) } }),
    settings: `object: contacts${mirror}`,
    there: () => crm.ask('select email, name, seats, plan from contacts'),
    writes: async () => (await crm.ask('select 1 from writes')).length,
    refusal: { column: 'plan', bad: 'refuse me', reason: /\(fine\)/ },
    stumble: () => {
      const busy = mysqlFailure(1213, '40001', 'Deadlock found when trying to get lock');
      crm.next(busy, busy);
    },
    close: async () => {
      await crm.close();
      await server.stop();
    },
  };
}

async function mongodb(): Promise<FarSide> {
  const fake = await startFakeMongodb();
  const customers = fake.add('customers', {}, 'email');
  fake.onWrite = (_collection, statement) => {
    if (JSON.stringify(statement).includes('refuse me')) {
      throw new Refusal(121, 'Document failed validation');
    }
  };
  const busy = { json: failure(91, 'ShutdownInProgress') };
  return {
    port: portOf(fake.url),
    connection: (port) => ({ config: {}, secrets: { url: at(fake.url, port) } }),
    settings: `object: customers${mirror}`,
    there: () =>
      customers.documents.map((document) => {
        const { email, name, seats, plan } = BSON.EJSON.parse(BSON.EJSON.stringify(document)) as Record<
          string,
          unknown
        >;
        return { email, name, seats, plan };
      }),
    writes: () => fake.commands.filter((one) => 'update' in one || 'delete' in one || 'insert' in one).length,
    refusal: { column: 'plan', bad: 'refuse me', reason: /valid/ },
    stumble: () => fake.next(busy, busy),
    close: async () => {
      await fake.close();
      fake.expectNoUnexpected();
    },
  };
}

async function salesforce(): Promise<FarSide> {
  const fake = await startSalesforce();
  const { clientSecret = '', baseUrl = '', ...config } = fake.config;
  return {
    ...overHttp(fake, /oauth2/),
    connection: (port) => ({ config: { ...config, baseUrl: at(baseUrl, port) }, secrets: { clientSecret } }),
    settings: `
object: Contact
mode: mirror
match: [Ext_Id__c]
fields:
  Ext_Id__c: email
  LastName: name
  Score__c: seats
  FirstName: plan
  Email: '{{ plan }}@acme.example'
`,
    there: () =>
      fake.state.org.rows('Contact').map(({ Ext_Id__c, LastName, Score__c, FirstName }) => ({
        email: Ext_Id__c,
        name: LastName,
        seats: Score__c,
        plan: FirstName,
      })),
    refusal: { column: 'plan', bad: 'refuse me', reason: /e-?mail/i },
  };
}

/** What it can't queue it says at once; whom it deletes, it says nowhere. */
async function braze(): Promise<FarSide> {
  const fake = await startBraze();
  fake.state.users.clear();
  return {
    ...overHttp(fake),
    connection: (port) => ({
      config: { endpoint: 'rest.iad-01.braze.com', baseUrl: at(fake.url, port) },
      secrets: { apiKey: fake.state.apiKey },
    }),
    settings: `
object: users
mode: mirror
match: [external_id]
fields:
  external_id: email
  first_name: name
  seats: seats
  plan: plan
`,
    there: () =>
      [...fake.state.users].map(([way, { first_name, seats, plan }]) => ({
        email: way.replace('external_id ', ''),
        name: first_name,
        seats,
        plan,
      })),
    refusal: { column: 'plan', bad: refused, reason: /invalid data/ },
  };
}

async function hubspot(): Promise<FarSide> {
  const fake = await startHubspot();
  const contacts = fake.state.kinds.get('contacts')?.records ?? new Map();
  return {
    ...overHttp(fake, /batch\/read/),
    connection: (port) => ({
      config: { baseUrl: at(fake.url, port) },
      secrets: { accessToken: hubspotToken },
    }),
    settings: `
object: contacts
mode: mirror
match: [email]
fields:
  email: email
  firstname: name
  seats: seats
  jobtitle: plan
`,
    there: () =>
      [...contacts.values()]
        .filter(({ archived }) => !archived)
        .map(({ properties: { email, firstname, seats, jobtitle } }) => ({
          email,
          name: firstname,
          seats: Number(seats),
          plan: jobtitle,
        })),
    refusal: { column: 'email', bad: 'no address', reason: /INVALID_EMAIL/ },
  };
}

/** One value of another type than its field costs the whole request. */
async function iterable(): Promise<FarSide> {
  const fake = await startIterable();
  fake.state.users.clear();
  return {
    ...overHttp(fake),
    connection: (port) => ({
      config: { region: 'us', projectType: 'email', baseUrl: at(fake.url, port) },
      secrets: { apiKey: fake.state.apiKey },
    }),
    settings: `
object: users
mode: mirror
match: [email]
fields:
  email: email
  name: name
  seats: seats
  plan: plan
`,
    there: () =>
      [...fake.state.users].map(([email, { name, seats, plan }]) => ({ email, name, seats, plan })),
    refusal: { column: 'email', bad: 'no address', reason: /as a user/ },
  };
}

async function intercom(): Promise<FarSide> {
  const fake = await startIntercom();
  return {
    ...overHttp(fake),
    connection: (port) => ({
      config: { region: 'eu', baseUrl: at(fake.url, port) },
      secrets: { accessToken: intercomToken },
    }),
    settings: `
object: contacts
mode: mirror
match: [external_id]
fields:
  external_id: email
  name: name
  custom_attributes.seats: seats
  custom_attributes.plan: plan
  email: '{{ plan }}@acme.example'
`,
    there: () =>
      [...fake.state.contacts.values()]
        .filter(({ archived }) => !archived)
        .map(({ values: { external_id: email, name }, custom: { seats, plan } }) => ({
          email,
          name,
          seats,
          plan,
        })),
    refusal: { column: 'plan', bad: 'refuse me', reason: /no address/ },
  };
}

async function netsuite(): Promise<FarSide> {
  const fake = await startNetsuite();
  const { privateKey = '', baseUrl = '', ...config } = fake.config;
  return {
    ...overHttp(fake, /oauth2/),
    connection: (port) => ({ config: { ...config, baseUrl: at(baseUrl, port) }, secrets: { privateKey } }),
    settings: `
object: customer
mode: mirror
match: [externalId]
fields:
  externalId: email
  companyName: name
  custentity_seats: seats
  custentity_plan: plan
`,
    there: () =>
      customers(fake).map(({ externalId, companyName, custentity_seats, custentity_plan }) => ({
        email: externalId,
        name: companyName,
        seats: custentity_seats,
        plan: custentity_plan,
      })),
    refusal: { column: 'plan', bad: 'refuse me', reason: /USER_ERROR/ },
  };
}

/** A name is given once, so that what can change is kept in properties. */
async function anaplan(): Promise<FarSide> {
  const fake = await startAnaplan();
  const { password = '', baseUrl = '', ...config } = fake.config;
  return {
    ...overHttp(fake, /token|dimensions/),
    connection: (port) => ({ config: { ...config, baseUrl: at(baseUrl, port) }, secrets: { password } }),
    settings: `
object: ${anaplanIds.list}
mode: mirror
match: [code]
fields:
  code: email
  name: email
  Title: name
  Seats: seats
  Plan: plan
`,
    there: () =>
      fake.state.items.map(({ code, properties }) => ({
        email: code,
        name: properties['Title'],
        seats: properties['Seats'],
        plan: properties['Plan'],
      })),
    refusal: { column: 'plan', bad: 'refuse me', reason: /INCORRECT_FORMAT/ },
  };
}

async function webhook(): Promise<FarSide> {
  const kept = new Map<unknown, unknown>();
  const fake = await startReceiver(({ type, data }) => {
    const values = data['values'] as { readonly email: string };
    if (type === 'record.delete') {
      kept.delete(values.email);
    } else {
      kept.set(values.email, values);
    }
    return {};
  });
  return {
    ...toReceiver(fake, 5),
    settings: `object: contacts${mirror}`,
    there: () => [...kept.values()],
    refusal: { column: 'plan', bad: 'refuse me', reason: /Not this one/ },
  };
}

scenario(play, { connector: 'postgres', start: postgres, sigkill: true, terminal: true });
scenario(play, { connector: 'postgres', start: postgres, inside: 'struck at the destination' });
scenario(play, { connector: 'postgres', start: postgres, inside: 'struck at the warehouse' });
if (hasMariadb) {
  scenario(play, { connector: 'mysql', start: mysql });
}
scenario(play, { connector: 'mongodb', start: mongodb });
scenario(play, { connector: 'hubspot', start: hubspot });
scenario(play, { connector: 'intercom', start: intercom });
scenario(play, { connector: 'salesforce', start: salesforce });
scenario(play, { connector: 'webhook', start: webhook });
scenario(play, { connector: 'braze', start: braze });
scenario(play, { connector: 'iterable', start: iterable });
scenario(play, { connector: 'netsuite', start: netsuite });
scenario(play, { connector: 'anaplan', start: anaplan });
