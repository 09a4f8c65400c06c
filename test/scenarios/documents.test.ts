import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FreshDb, freshDb } from '../support/postgres.ts';
import { type Installation, install } from './installation.ts';
import { activate, type Ended } from './terminal.ts';

let house: Installation;
let crm: FreshDb;
let folder: string;
let yaml: string;
const crmVariable = 'CONNECTION_CRM_URL';

beforeAll(async () => {
  house = await install();
  crm = await freshDb();
  folder = await mkdtemp(join(tmpdir(), 'activate-documents-'));
  await house.warehouse.query('create table accounts (id int primary key, name text, email text)');
  await house.warehouse.query(`insert into accounts values (1, 'Northwind', 'mia@northwind.example')`);
  await crm.db.query('create table public.contacts (email text primary key, name text)');
  process.env[crmVariable] = crm.url;
  yaml = `sources:
  warehouse:
    connector: postgres
    secrets:
      url: \${${house.warehouseVariable}}
destinations:
  crm:
    connector: postgres
    secrets:
      url: \${${crmVariable}}
models:
  accounts:
    source: warehouse
    key: [id]
    sql: select id, name, email from accounts
syncs:
  contacts:
    framework: objects
    model: accounts
    destination: crm
    schedule: 0 7 * * *
    object: public.contacts
    mode: upsert
    match: [email]
    fields:
      email: email
      name: name
`;
});

afterAll(async () => {
  await house.close();
  await crm.close();
  await rm(folder, { recursive: true });
});

async function withFile(command: 'plan' | 'apply', text: string): Promise<Ended> {
  const path = join(folder, 'activate.yaml');
  await writeFile(path, text);
  return activate([command, path], house.env);
}

const plan = async (text: string): Promise<string> =>
  house.services.documents.plan(text).then(
    () => 'no mistake',
    (error: Error) => error.message,
  );

describe('a file', () => {
  it('is planned and applied in the terminal, and an export of it changes nothing', async () => {
    expect((await house.services.documents.plan(yaml)).map(({ action }) => action)).toEqual(
      new Array(4).fill('create'),
    );
    expect(await house.services.syncs.list()).toEqual([]);

    const applied = await withFile('apply', yaml);
    expect(applied).toMatchObject({ code: 0, err: '' });
    expect(applied.out).toContain('4 changes made');
    const hand = await house.hire();
    expect(await house.ended('contacts')).toMatchObject({ state: 'done', counts: { rows: 1 } });
    await hand.kill();
    expect(await crm.db.query('select * from public.contacts')).toEqual([
      { email: 'mia@northwind.example', name: 'Northwind' },
    ]);

    const exported = await activate(['export'], house.env);
    expect(exported).toMatchObject({ code: 0, err: '' });
    expect((await withFile('plan', exported.out)).out).toContain('Nothing to change');
    expect((await house.services.documents.plan(yaml)).some(({ action }) => action !== 'none')).toBe(false);
  });

  it('that moves a sync to another model leaves the query that others read as it is', async () => {
    const { documents, models } = house.services;
    const queries = async (): Promise<unknown> =>
      (await models.list()).map(({ name, sql, usedBy }) => [name, sql.trim(), usedBy.toSorted()]).sort();
    const both = yaml
      .replace(
        'syncs:',
        '  named:\n    source: warehouse\n    key: [id]\n    sql: select * from accounts\nsyncs:',
      )
      .replace(
        'syncs:\n',
        `syncs:\n${yaml.slice(yaml.indexOf('  contacts:')).replace('contacts:', 'copies:')}`,
      );
    await documents.apply(both, house.by);
    const at = both.lastIndexOf('model: accounts');

    await documents.apply(`${both.slice(0, at)}model: named${both.slice(at + 15)}`, house.by);

    expect(await queries()).toEqual([
      ['accounts', 'select id, name, email from accounts', ['copies']],
      ['named', 'select * from accounts', ['contacts']],
    ]);
    await documents.apply(yaml, house.by);
    await house.services.syncs.remove('copies', house.by);
    expect(await queries()).toEqual([['accounts', 'select id, name, email from accounts', ['contacts']]]);
  });

  it('that is edited shows what differs, and no secret', async () => {
    const { documents } = house.services;
    const differences = async (text: string): Promise<unknown> =>
      (await documents.plan(text)).flatMap((change) => change.differences);
    const edited = yaml
      .replace('0 7 * * *', '30 6 * * 1-5')
      .replace('name: name', "name: '{{ name }} ({{ id }})'");
    expect(await differences(edited)).toEqual([
      { path: 'schedule', before: '0 7 * * *', after: '30 6 * * 1-5' },
      { path: 'fields.name', before: 'name', after: '{{ name }} ({{ id }})' },
    ]);

    process.env[crmVariable] = `${crm.url}?application_name=elsewhere`;
    const moved = await differences(yaml);
    process.env[crmVariable] = crm.url;

    expect(moved).toEqual([{ path: 'secrets.url', before: '(another)', after: `\${${crmVariable}}` }]);
  });
});

describe('a mistake', () => {
  it.each([
    ['mode: upsert', 'mode: upsrt', 'syncs.contacts.mode (line 23): Invalid option'],
    ['name: name', 'name: nmae', 'syncs.contacts.fields.name (line 27): There is no column "nmae"'],
    ['framework: objects', 'framework: object', 'syncs.contacts.framework (line 18): Invalid option'],
    ['model: accounts', 'model: acounts', 'syncs.contacts.model (line 19): There is no model "acounts"'],
    ['destination: crm', 'destination: cmr', 'syncs.contacts.destination (line 20): There is no destination'],
    ['source: warehouse', 'source: house', 'models.accounts.source (line 13): There is no source "house"'],
    ['from accounts', 'from acounts', 'models.accounts.sql (line 15): PostgreSQL says'],
    ['key: [id]', 'kee: [id]', 'models.accounts (line 14): Unrecognized key: "kee"'],
    ['key: [id]', 'key: [id', 'at line 15'],
    ['0 7 * * *', '0 7 * *', 'syncs.contacts.schedule (line 21): "0 7 * *" is not a schedule'],
    [
      'mode: upsert',
      'mode: upsert\n    removall: archive',
      'syncs.contacts.removall (line 24): There is no setting',
    ],
    ['connector: postgres', 'connector: postgers', 'sources.warehouse (line 2): There is no connector'],
    [
      '  crm:\n',
      '  crm:\n    config: { hst: x }\n',
      'destinations.crm.config.hst (line 8): There is no field',
    ],
  ])('as %j for %j is named with its line', async (right, wrong, sentence) => {
    expect(yaml).toContain(right);

    expect(await plan(yaml.replace(right, wrong))).toContain(sentence);
  });

  it('is named beside all others', async () => {
    const said = await plan(
      yaml.replace('mode: upsert', 'mode: upsrt').replace('connector: postgres', 'connector: postgers'),
    );

    expect(said).toContain('The file has 2 mistakes');
    expect(said).toContain('sources.warehouse (line 2)');
    expect(said).toContain('syncs.contacts.mode (line 23)');
  });

  it('that only the destination can tell is named when it is applied', async () => {
    const text = yaml.replace('match: [email]', 'match: [mail]');

    const { code, err } = await withFile('apply', text);

    expect(code).toBe(1);
    expect(err).toContain('syncs.contacts.match (line 24): There is no mapped field "mail".');
    expect(err).toContain('What comes before it in the file was applied, the rest was not.');
  });

  it('that gives a secret away does not repeat it', async () => {
    const inSecrets = await plan(yaml.replace(`\${${crmVariable}}`, 'postgres://me:hush@127.0.0.1/crm'));
    const inConfig = await plan(
      yaml.replace(
        `secrets:\n      url: \${${crmVariable}}`,
        'config:\n      url: postgres://me:hush@127.0.0.1/crm',
      ),
    );

    expect(inSecrets).toContain('destinations.crm.secrets.url (line 10): What is secret is never in a file.');
    expect(inConfig).toContain('destinations.crm.config.url (line 10): What is secret is never in a file.');
    expect(inSecrets + inConfig).not.toContain('hush');
  });

  it('as a secret that is not set is told before anything is connected', async () => {
    const said = await plan(yaml.replaceAll('crm', 'other').replace(crmVariable, 'CONNECTION_OTHER_URL'));

    expect(said).toContain('destinations.other.secrets.url (line 10)');
    expect(said).toContain('CONNECTION_OTHER_URL} is not set.');
  });
});
