import { generateKeyPairSync } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { salesforce } from '../../connectors/salesforce/index.ts';
import type { Objects, Operation, Value } from '../../engine/contracts/destination.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { destinationContract, type FarSide } from '../contracts/destination.ts';
import { partOf } from '../contracts/works.ts';
import { type FakeSalesforce, startSalesforce } from '../fakes/salesforce.ts';
import { failed } from '../fakes/salesforce-answers.ts';
import { call, type Opened, openFor } from '../support/connect.ts';

const names = ['Ada', 'O\'Hara \\ "Q"', 'Zoë\n<b>'];

function contacts(operation: Operation, n: number, bad?: number) {
  const fields = ['Ext_Id__c', ...(operation === 'delete' ? [] : ['LastName', 'Plan__c'])];
  return {
    object: 'Contact',
    operation,
    match: ['Ext_Id__c'],
    fields: fields.map((name) => ({ name, onlyIfEmpty: false, sparse: false })),
    items: Array.from({ length: n }, (_, i) => ({
      key: String(i),
      values: {
        Ext_Id__c: `${i === bad && operation === 'delete' ? 'pinned' : operation}-${i}`,
        ...(operation === 'delete'
          ? {}
          : { LastName: names[i] ?? `Name ${i}`, Plan__c: i === bad ? 'Gold' : 'Pro' }),
      },
    })),
  };
}

async function startFarSide(): Promise<FarSide> {
  const fake = await startSalesforce();
  const { org } = fake.state;
  org.pinned.add('pinned-1');
  for (const key of [
    'update-0',
    'update-1',
    'update-2',
    'delete-0',
    'delete-1',
    'delete-2',
    'pinned-1',
    'pinned-0',
  ]) {
    org.seed('Contact', { Ext_Id__c: key, LastName: 'Before' });
  }
  return {
    fake,
    config: { ...fake.config, taskKeyField: 'Activate_Key__c' },
    wrongConfig: { ...fake.config, clientSecret: 'not-the-consumer-secret' },
    stored: () => [org.rows('Contact'), org.rows('Task')],
  };
}

destinationContract('salesforce', {
  connector: salesforce,
  start: startFarSide,
  renewsToken: true,
  parts: {
    objects: {
      insert: (n, bad) => contacts('insert', n, bad),
      update: (n, bad) => contacts('update', n, bad),
      upsert: (n, bad) => contacts('upsert', n, bad),
      delete: (n, bad) => contacts('delete', n, bad),
    },
    tasks: (n, bad) =>
      Array.from({ length: n }, (_, i) => ({
        mark: `${i}`.padStart(32, 'a'),
        project: 'Task',
        title: `Call ${i}`,
        body: 'First line\nsecond',
        fields: { Priority: i === bad ? 'Whatever' : 'High' },
      })),
  },
});

describe('salesforce: records', () => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) {
      await close();
    }
  });

  async function start(more: Raw = {}): Promise<{ fake: FakeSalesforce; opened: Opened; objects: Objects }> {
    const fake = await startSalesforce();
    const opened = await openFor(salesforce, { ...fake.config, ...more });
    closing.push(async () => {
      await opened.close();
      await fake.close();
      fake.expectNoUnexpected();
    });
    return { fake, opened, objects: partOf(opened.connection, 'objects') };
  }

  function batch(
    operation: Operation,
    rows: readonly Readonly<Record<string, Value>>[],
    { match = 'Ext_Id__c', onlyIfEmpty = [] as readonly string[] } = {},
  ) {
    const used = [...new Set([match, ...rows.flatMap((row) => Object.keys(row))])];
    return {
      object: 'Contact',
      operation,
      match: [match],
      fields: used.map((name) => ({ name, onlyIfEmpty: onlyIfEmpty.includes(name), sparse: true })),
      items: rows.map((values, i) => ({ key: String(i), values })),
    };
  }

  it('calls only My Domain hosts of Salesforce, however they are written', async () => {
    const open = async (host: string, baseUrl?: string): Promise<void> => {
      const opened = await openFor(salesforce, {
        host,
        clientId: 'k',
        clientSecret: 's',
        ...(baseUrl === undefined ? {} : { baseUrl }),
      });
      await opened.close();
    };

    for (const good of [
      'acme.my.salesforce.com',
      'https://acme--dev.sandbox.my.salesforce.com/',
      'ACME-dev-ed.develop.my.salesforce.com',
    ]) {
      await expect(open(good), good).resolves.toBeUndefined();
    }
    for (const evil of [
      'acme.my.salesforce.com.evil.example',
      'evil.example/.my.salesforce.com',
      'evil.example?.my.salesforce.com',
      'evil.example#.my.salesforce.com',
      'acme.my.salesforce.com@evil.example',
      'user:pass@acme.my.salesforce.com',
      'acmemy.salesforce.com',
      'my.salesforce.com',
      'acme.my.salesforce.com:8443',
      'https://evil.example\\.my.salesforce.com',
      'login.salesforce.com',
    ]) {
      await expect(open(evil), evil).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        fields: { host: expect.any(String) },
      });
    }
    await expect(open('acme.my.salesforce.com', 'https://gateway.example/salesforce')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { baseUrl: expect.any(String) },
    });
  });

  it('signs in with a private key, even one that a form has made one line of', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const fake = await startSalesforce();
    fake.state.publicKey = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const { clientSecret: _secret, ...others } = fake.config;

    for (const text of [
      pem,
      pem.replaceAll('\n', ' '),
      pem.replaceAll('\n', '\\n'),
      pem.replaceAll('\n', ''),
    ]) {
      const opened = await openFor(salesforce, {
        ...others,
        username: 'integration@acme.example',
        privateKey: text,
      });

      expect(await opened.connection.check('objects')).toEqual([]);
      await opened.close();
    }
    await fake.close();
    fake.expectNoUnexpected();
  });

  it.each([
    ['neither', {}, 'clientSecret'],
    ['both', { clientSecret: 's', privateKey: 'p' }, 'clientSecret'],
    ['no user', { privateKey: 'p' }, 'username'],
    ['no key', { privateKey: 'hunter2-hunter2', username: 'u' }, 'privateKey'],
  ])('says which field is at fault when there is %s', async (_name, more, at) => {
    const opening = openFor(salesforce, { host: 'acme.my.salesforce.com', clientId: 'k', ...more });

    await expect(opening).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { [at]: expect.any(String) },
    });
    await expect(opening).rejects.not.toThrow('hunter2');
  });

  it('gets one token for all who wait for it, and one more when it has expired', async () => {
    const { fake, objects } = await start();

    await Promise.all([objects.objects(''), objects.fields('Contact'), objects.fields('Account')]);
    const before = fake.state.tokensMade;
    fake.state.tokens.clear();
    await Promise.all([objects.objects(''), objects.fields('Contact'), objects.fields('Account')]);

    expect([before, fake.state.tokensMade]).toEqual([1, 2]);
  });

  it('gives up after one new token when 401 stays, where jsforce would ask for ever', async () => {
    const { fake, objects } = await start();
    await objects.objects('');
    const refusals = Array.from({ length: 4 }, () =>
      failed(401, 'INVALID_SESSION_ID', 'Session expired or invalid'),
    );

    fake.next(refusals[0], undefined, refusals[1]);

    await expect(objects.objects('')).rejects.toMatchObject({ code: 'AUTH_REJECTED' });
    expect(fake.state.tokensMade).toBe(2);
  });

  it('takes a token request that is still being processed for something that passes', async () => {
    const { fake, objects } = await start();
    fake.always({
      status: 400,
      json: { error: 'invalid_grant', error_description: 'token request is already being processed' },
    });

    await expect(objects.objects('')).rejects.toMatchObject({ code: 'UNAVAILABLE' });

    fake.heal();
    expect((await objects.objects('Contact')).map(({ value }) => value)).toEqual(['Contact']);
  });

  it('says that tokens are given at My Domain only', async () => {
    const { fake, opened } = await start();
    fake.next({
      status: 400,
      json: { error: 'invalid_grant', error_description: 'request not supported on this domain' },
    });

    await expect(opened.connection.check('objects')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { host: expect.any(String) },
    });
  });

  it('sends the token nowhere else, whatever instance the answer names', async () => {
    const { fake, objects } = await start();

    await objects.objects('');

    // The fake answers with an instance_url of evil.example; with that, nothing would have arrived here.
    expect(fake.to('GET /services/data/v66.0/sobjects')).toHaveLength(1);
  });

  it('offers kinds that can be written, and fields with their types, lengths, choices and keys', async () => {
    const { objects } = await start();

    const kinds = await objects.objects('');
    const fields = await objects.fields('Contact');

    expect(kinds.map(({ value }) => value)).toEqual(['Account', 'Contact', 'Task']);
    const byName = Object.fromEntries(fields.map(({ label: _label, ...field }) => [field.name, field]));
    expect(byName).toMatchObject({
      Id: { type: 'text', key: true, required: false },
      LastName: { type: 'text', required: true, key: false, maxLength: 80 },
      Email: { type: 'text', key: true, required: false },
      Ext_Id__c: { key: true },
      Score__c: { type: 'number' },
      Active__c: { type: 'boolean', required: false },
      Seen__c: { type: 'time' },
      Plan__c: { options: ['Free', 'Pro'] },
      Topics__c: { type: 'any' },
    });
    expect(byName['Total__c']).toBeUndefined();
    expect(byName['CreatedDate']).toBeUndefined();
  });

  it('looks at fields anew each time', async () => {
    const { fake, objects } = await start();
    await objects.fields('Contact');
    const kind = fake.state.org.kind('Contact');
    kind.fields.splice(
      kind.fields.findIndex(({ name }) => name === 'Score__c'),
      1,
    );

    const fields = await objects.fields('Contact');

    expect(fields.map(({ name }) => name)).not.toContain('Score__c');
    await expect(
      objects.write(batch('upsert', [{ Ext_Id__c: 'a', LastName: 'A', Score__c: 1 }]), call()),
    ).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('Score__c') });
  });

  it('says what stands against a plan', async () => {
    const { fake, objects } = await start();
    const plan = (operation: Operation, match: string, ...more: string[]) => ({
      object: 'Contact',
      operation,
      match: [match],
      fields: [match, ...more].map((name) => ({ name, onlyIfEmpty: false, sparse: false })),
    });

    expect(await objects.verify(plan('upsert', 'Ext_Id__c', 'LastName'))).toEqual([]);
    expect(await objects.verify(plan('upsert', 'FirstName', 'LastName'))).toEqual([
      expect.stringContaining('External ID'),
    ]);
    expect(await objects.verify(plan('upsert', 'Email', 'LastName'))).toEqual([
      expect.stringContaining('not unique'),
    ]);
    expect(await objects.verify(plan('insert', 'Id', 'LastName'))).toEqual([
      expect.stringContaining('by itself'),
    ]);
    expect(await objects.verify(plan('update', 'Id', 'Total__c'))).toEqual([
      expect.stringContaining("can't be changed: Total__c"),
    ]);
    expect(await objects.verify(plan('upsert', 'Ext_Id__c', 'FirstName'))).toEqual([
      expect.stringContaining('LastName'),
    ]);
    expect(await objects.verify(plan('update', 'Notes__c', 'LastName'))).toEqual([
      expect.stringContaining("can't search"),
    ]);
    expect(await objects.verify({ ...plan('upsert', 'Ext_Id__c'), match: ['Ext_Id__c', 'Email'] })).toEqual([
      expect.stringContaining('one field'),
    ]);
    fake.state.org.kind('Contact').writable = false;
    expect(await objects.verify(plan('delete', 'Ext_Id__c'))).toEqual([
      expect.stringContaining('may not delete'),
    ]);
  });

  it('reads each row of an answer that has status 200 although every row was refused', async () => {
    const { objects } = await start();

    const outcomes = await objects.write(
      batch('upsert', [
        { Ext_Id__c: 'a', FirstName: 'No last name' },
        { Ext_Id__c: 'b', LastName: 'x'.repeat(81) },
        { Ext_Id__c: 'c', LastName: 'C', Email: 'nobody@home at all' },
        { Ext_Id__c: 'd', LastName: 'D', Plan__c: 'Platinum' },
      ]),
      call(),
    );

    expect(outcomes).toEqual([
      {
        state: 'rejected',
        reason: 'Salesforce asks for what the row does not have: LastName.',
        field: 'LastName',
      },
      { state: 'rejected', reason: 'LastName takes less text than the row has.', field: 'LastName' },
      { state: 'rejected', reason: 'Email takes an e-mail address.', field: 'Email' },
      { state: 'rejected', reason: 'Plan__c takes only the values of its picklist.', field: 'Plan__c' },
    ]);
  });

  it("shows what a rule of the org says, without the row's values", async () => {
    const { fake, objects } = await start();
    await objects.fields('Contact');
    fake.next({
      json: [
        {
          success: false,
          errors: [
            {
              statusCode: 'FIELD_CUSTOM_VALIDATION_EXCEPTION',
              message: 'Lovelace is not a customer of ours.',
              fields: [],
            },
          ],
        },
      ],
    });

    const outcomes = await objects.write(batch('upsert', [{ Ext_Id__c: 'a', LastName: 'Lovelace' }]), call());

    expect(outcomes).toEqual([
      { state: 'rejected', reason: 'A rule of the org refuses it: … is not a customer of ours.' },
    ]);
  });

  it('sends at most 200 records at once, and answers for each of 450', async () => {
    const { fake, objects } = await start();
    const rows = Array.from({ length: 450 }, (_, i) => ({
      Ext_Id__c: `k${i}`,
      LastName: i === 321 ? '' : `N${i}`,
    }));

    const outcomes = await objects.write(batch('upsert', rows), call());

    expect(fake.to('PATCH /services/data/v66.0/composite/sobjects/Contact/Ext_Id__c')).toHaveLength(3);
    expect(outcomes.flatMap(({ state }, i) => (state === 'ok' ? [] : [i]))).toEqual([321]);
    expect(fake.state.org.rows('Contact')).toHaveLength(449);
  });

  it('keeps the outcomes of the requests before when a later one fails', async () => {
    const { fake, objects } = await start();
    const rows = Array.from({ length: 600 }, (_, i) => ({ Ext_Id__c: `k${i}`, LastName: `N${i}` }));
    await objects.fields('Contact');
    fake.next(undefined, 'done-then-reset');

    const outcomes = await objects.write(batch('insert', rows), call());

    const states = outcomes.map(({ state }) => state);
    expect(new Set(states.slice(0, 200))).toEqual(new Set(['ok']));
    expect(new Set(states.slice(200, 400))).toEqual(new Set(['unknown']));
    expect(new Set(states.slice(400))).toEqual(new Set(['retry']));
  });

  it('says that a record is there already when it should only be added, and once more counts it as done', async () => {
    const { fake, objects } = await start();
    fake.state.org.seed('Contact', { Ext_Id__c: 'a', LastName: 'A', Email: 'a@x.example' });
    const unique = batch('insert', [{ Ext_Id__c: 'a', LastName: 'Other' }]);
    const shared = batch('insert', [{ Email: 'A@X.example', LastName: 'Other' }], { match: 'Email' });

    expect(await objects.write(unique, call())).toMatchObject([
      { state: 'rejected', reason: expect.stringContaining('unique') },
    ]);
    expect(await objects.write(shared, call())).toMatchObject([
      { state: 'rejected', reason: expect.stringContaining('already') },
    ]);
    expect(await objects.write(unique, call({ again: true }))).toMatchObject([
      { state: 'ok', id: expect.any(String) },
    ]);
    expect(fake.state.org.rows('Contact')).toEqual([{ Ext_Id__c: 'a', LastName: 'A', Email: 'a@x.example' }]);
  });

  it('updates by an external id without ever making a record', async () => {
    const { fake, objects } = await start();
    fake.state.org.seed('Contact', { Ext_Id__c: 'There', LastName: 'Before' });

    const outcomes = await objects.write(
      batch('update', [
        { Ext_Id__c: 'there', LastName: 'After' },
        { Ext_Id__c: 'missing', LastName: 'Nobody' },
        { Ext_Id__c: 'THERE', LastName: 'Twice' },
      ]),
      call(),
    );

    expect(outcomes).toMatchObject([
      { state: 'ok', url: expect.stringContaining('https://acme.my.salesforce.com/003') },
      { state: 'rejected', reason: 'There is no record of Contact with this Ext_Id__c.', field: 'Ext_Id__c' },
      { state: 'rejected', reason: 'Another row means the same record.' },
    ]);
    expect(fake.state.org.rows('Contact')).toEqual([{ Ext_Id__c: 'There', LastName: 'After' }]);
  });

  it('refuses a row whose key several records have', async () => {
    const { fake, objects } = await start();
    for (const LastName of ['One', 'Two']) {
      fake.state.org.seed('Contact', { Email: 'shared@x.example', LastName });
    }
    const rows = [{ Email: 'shared@x.example', LastName: 'Which?' }];

    for (const operation of ['update', 'delete', 'upsert'] as const) {
      expect(
        await objects.write(batch(operation, rows, { match: 'Email' }), call()),
        operation,
      ).toMatchObject([{ state: 'rejected', reason: expect.stringContaining('Several records') }]);
    }
    expect(fake.state.org.rows('Contact').map(({ LastName }) => LastName)).toEqual(['One', 'Two']);
  });

  it('finds records by any text, whatever quotes and backslashes are in it', async () => {
    const { fake, objects } = await start();
    const odd = [
      "O'Brien",
      'back\\slash',
      "\\' OR Id != '",
      'line\nbreak',
      '"double"',
      'tab\there',
      "x\\\\'",
    ];
    for (const text of odd) {
      fake.state.org.seed('Contact', { Ext_Id__c: text, LastName: 'Before' });
    }
    fake.state.org.seed('Contact', { Ext_Id__c: 'innocent', LastName: 'Before' });

    const outcomes = await objects.write(
      batch(
        'update',
        odd.map((text) => ({ Ext_Id__c: text, LastName: 'After' })),
      ),
      call(),
    );

    expect(outcomes.map(({ state }) => state)).toEqual(odd.map(() => 'ok'));
    expect(fake.state.org.rows('Contact').filter(({ LastName }) => LastName === 'Before')).toEqual([
      { Ext_Id__c: 'innocent', LastName: 'Before' },
    ]);
  });

  it('asks for numbers as numbers, and takes what is none for not there', async () => {
    const { fake, objects } = await start();
    fake.state.org.seed('Contact', { Number_Key__c: 7, LastName: 'Before' });
    fake.state.org.seed('Contact', { Number_Key__c: 0, LastName: 'Before' });

    const outcomes = await objects.write(
      batch(
        'update',
        [
          { Number_Key__c: '7.0', LastName: 'After' },
          { Number_Key__c: 'seven', LastName: 'After' },
          { Number_Key__c: 0, LastName: 'After' },
        ],
        { match: 'Number_Key__c' },
      ),
      call(),
    );

    expect(outcomes.map(({ state }) => state)).toEqual(['ok', 'rejected', 'ok']);
  });

  it('upserts a key of 0, for which jsforce would throw', async () => {
    const { fake, objects } = await start();
    const rows = [
      { Number_Key__c: 0, LastName: 'Zero' },
      { Number_Key__c: '', LastName: 'Nothing' },
    ];

    const outcomes = await objects.write(batch('upsert', rows, { match: 'Number_Key__c' }), call());

    expect(outcomes.map(({ state }) => state)).toEqual(['ok', 'rejected']);
    expect(fake.state.org.rows('Contact')).toHaveLength(1);
  });

  it('upserts by Id as an update, of 15 characters as of 18', async () => {
    const { fake, objects } = await start();
    const id = fake.state.org.seed('Contact', { LastName: 'Before' });

    const outcomes = await objects.write(
      batch('upsert', [{ Id: id, LastName: 'After' }], { match: 'Id' }),
      call(),
    );

    expect(outcomes).toMatchObject([{ state: 'ok', id }]);
    const found = await objects.find('Contact', 'Id', [id.slice(0, 15), 'not an id']);
    expect([...found]).toEqual([[id.slice(0, 15), id]]);
  });

  it('looks many keys up in queries that fit into an address', async () => {
    const { fake, objects } = await start();
    fake.state.pageSize = 50;
    const rows = Array.from({ length: 500 }, (_, i) => ({
      Ext_Id__c: `${"'ü".repeat(20)}${i}`,
      LastName: 'After',
    }));
    for (const row of rows) {
      fake.state.org.seed('Contact', { ...row, LastName: 'Before' });
    }

    const outcomes = await objects.write(batch('update', rows), call());

    expect(new Set(outcomes.map(({ state }) => state))).toEqual(new Set(['ok']));
    expect(new Set(fake.state.org.rows('Contact').map(({ LastName }) => LastName))).toEqual(
      new Set(['After']),
    );
    expect(Math.max(...fake.requests.map(({ path, query }) => `${path}?${query}`.length))).toBeLessThan(
      16_000,
    );
  });

  it('deletes by an external id; what is not there is deleted already', async () => {
    const { fake, objects } = await start();
    fake.state.org.seed('Contact', { Ext_Id__c: 'a', LastName: 'A' });
    fake.state.org.seed('Contact', { Ext_Id__c: 'b', LastName: 'B' });
    const gone = fake.state.org.seed('Contact', { LastName: 'C' });
    await objects.write(batch('delete', [{ Id: gone }], { match: 'Id' }), call());

    const outcomes = await objects.write(
      batch('delete', [{ Ext_Id__c: 'a' }, { Ext_Id__c: 'never' }]),
      call(),
    );
    const again = await objects.write(batch('delete', [{ Id: gone }], { match: 'Id' }), call());

    expect([...outcomes, ...again].map(({ state }) => state)).toEqual(['ok', 'ok', 'ok']);
    expect(fake.state.org.rows('Contact').map(({ Ext_Id__c }) => Ext_Id__c)).toEqual(['b']);
  });

  it('leaves out what an item leaves out, empties what is null, and fills only what is empty where it should', async () => {
    const { fake, objects } = await start();
    fake.state.org.seed('Contact', { Ext_Id__c: 'a', LastName: 'A', FirstName: 'Own', Score__c: 5 });
    fake.state.org.seed('Contact', { Ext_Id__c: 'b', LastName: 'B', Score__c: 5 });

    const outcomes = await objects.write(
      batch(
        'upsert',
        [
          { Ext_Id__c: 'a', FirstName: 'Ours', Score__c: null },
          { Ext_Id__c: 'b', FirstName: 'Ours' },
          { Ext_Id__c: 'c', FirstName: 'Ours', LastName: 'C' },
          { Ext_Id__c: 'A', FirstName: 'Ours' },
        ].slice(0, 3),
        { onlyIfEmpty: ['FirstName'] },
      ),
      call(),
    );
    const nothingLeft = await objects.write(
      batch('update', [{ Ext_Id__c: 'a', FirstName: 'Ours' }], { onlyIfEmpty: ['FirstName'] }),
      call(),
    );

    expect(outcomes.map(({ state }) => state)).toEqual(['ok', 'ok', 'ok']);
    expect(nothingLeft).toMatchObject([{ state: 'ok' }]);
    expect(fake.state.org.rows('Contact')).toEqual([
      { Ext_Id__c: 'a', LastName: 'A', FirstName: 'Own' },
      { Ext_Id__c: 'b', LastName: 'B', FirstName: 'Ours', Score__c: 5 },
      { Ext_Id__c: 'c', LastName: 'C', FirstName: 'Ours' },
    ]);
  });

  it('writes lists with semicolons, times to the millisecond, and digits as they are', async () => {
    const { fake, objects } = await start();
    await objects.write(
      batch('upsert', [
        {
          Ext_Id__c: 'a',
          LastName: 'A',
          Topics__c: ['red', 'blue'],
          Seen__c: '2026-03-29T00:59:59.123456Z',
          Score__c: '12345678901234567.5',
          Active__c: false,
        },
      ]),
      call(),
    );

    expect(fake.state.org.rows('Contact')).toEqual([
      {
        Ext_Id__c: 'a',
        LastName: 'A',
        Topics__c: 'red;blue',
        Seen__c: '2026-03-29T00:59:59.123Z',
        Score__c: '12345678901234567.5',
        Active__c: false,
      },
    ]);
  });

  it('refuses both rows of a request whose keys differ in nothing but case', async () => {
    const { objects } = await start();

    const outcomes = await objects.write(
      batch('upsert', [
        { Ext_Id__c: 'key', LastName: 'One' },
        { Ext_Id__c: 'KEY', LastName: 'Two' },
        { Ext_Id__c: 'other', LastName: 'Three' },
      ]),
      call(),
    );

    expect(outcomes).toMatchObject([
      { state: 'rejected', reason: expect.stringContaining('upper and lower case') },
      { state: 'rejected' },
      { state: 'ok' },
    ]);
  });

  it.each([
    ['a locked row', 'UNABLE_TO_LOCK_ROW', 'unable to obtain exclusive access'],
    [
      'a trigger that met with a lock',
      'CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY',
      'Trg: UNABLE_TO_LOCK_ROW, unable to',
    ],
    [
      'a trigger with too many queries',
      'CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY',
      'Trg: Too many SOQL queries: 101',
    ],
    [
      'an upsert that raced',
      'DUPLICATE_VALUE',
      'duplicate value found: Ext_Id__c duplicates value on record with id: 003',
    ],
  ])('tries %s again', async (_name, statusCode, message) => {
    const { fake, objects } = await start();
    await objects.fields('Contact');
    fake.next({ json: [{ success: false, errors: [{ statusCode, message, fields: [] }] }] });
    const rows = batch('upsert', [{ Ext_Id__c: 'a', LastName: 'A' }]);

    expect(await objects.write(rows, call())).toMatchObject([{ state: 'retry' }]);
    expect(await objects.write(rows, call())).toMatchObject([{ state: 'ok' }]);
  });

  it('does not try again what a trigger refuses for good', async () => {
    const { fake, objects } = await start();
    await objects.fields('Contact');
    const error = {
      statusCode: 'CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY',
      message: 'Trg: null pointer',
      fields: [],
    };
    fake.next({ json: [{ success: false, errors: [error] }] });

    expect(await objects.write(batch('upsert', [{ Ext_Id__c: 'a', LastName: 'A' }]), call())).toMatchObject([
      { state: 'rejected' },
    ]);
  });

  it('has a batch halved when one value of the wrong kind fails a whole request', async () => {
    const { objects } = await start();
    const rows = [
      { Ext_Id__c: 'a', LastName: 'A', Score__c: 1 },
      { Ext_Id__c: 'b', LastName: 'B', Score__c: 'many' },
    ];

    const writing = objects.write(batch('upsert', rows), call());

    await expect(writing).rejects.toMatchObject({ code: 'ROW_REJECTED' });
    await expect(writing).rejects.not.toThrow('many');
    expect(await objects.write(batch('upsert', rows.slice(0, 1)), call())).toMatchObject([{ state: 'ok' }]);
  });

  it('knows a quota that is used up from too many calls at once, by the 403 that both have', async () => {
    const { fake, objects } = await start();
    const rows = batch('upsert', [{ Ext_Id__c: 'a', LastName: 'A' }]);
    await objects.fields('Contact');

    fake.next(
      failed(403, 'REQUEST_LIMIT_EXCEEDED', 'ConcurrentRequests (Concurrent API Requests) Limit exceeded.'),
    );
    await expect(objects.write(rows, call())).rejects.toMatchObject({
      code: 'RATE_LIMITED',
      retryAfterMs: 30_000,
    });

    fake.state.usage = { used: 100, limit: 100 };
    await expect(objects.write(rows, call())).rejects.toMatchObject({
      code: 'RATE_LIMITED',
      retryAfterMs: 3_600_000,
    });
  });

  it('stops at the share of the daily calls that was set, and goes on when it has room again', async () => {
    const { fake, objects } = await start({ apiShare: '50' });
    const rows = batch('upsert', [{ Ext_Id__c: 'a', LastName: 'A' }]);
    fake.state.usage = { used: 60, limit: 100 };
    await objects.fields('Contact');

    await expect(objects.write(rows, call())).rejects.toMatchObject({
      code: 'RATE_LIMITED',
      retryAfterMs: 3_600_000,
      message: expect.stringContaining('50%'),
    });
    expect(fake.state.org.rows('Contact')).toEqual([]);

    fake.state.usage = { used: 10, limit: 100 };
    expect(await objects.write(rows, call())).toMatchObject([{ state: 'ok' }]);
  });

  it('stops within a batch when the share is reached, and keeps what was done', async () => {
    const { fake, objects } = await start({ apiShare: '50' });
    const rows = Array.from({ length: 400 }, (_, i) => ({ Ext_Id__c: `k${i}`, LastName: `N${i}` }));
    await objects.fields('Contact');
    fake.state.usage = { used: 49, limit: 100 };

    const outcomes = await objects.write(batch('upsert', rows), call());

    expect(outcomes.map(({ state }) => state)).toEqual([
      ...Array.from({ length: 200 }, () => 'ok'),
      ...Array.from({ length: 200 }, () => 'retry'),
    ]);
  });

  it.each([
    [503, 'SERVER_UNAVAILABLE', 'UNAVAILABLE'],
    [410, 'UNSUPPORTED_API_VERSION', 'CONFIG_INVALID'],
    [403, 'API_DISABLED_FOR_ORG', 'PERMISSION_DENIED'],
    [400, 'INVALID_FIELD', 'INPUT_INVALID'],
  ])('takes status %i with %s for %s', async (status, errorCode, code) => {
    const { fake, objects } = await start();
    await objects.fields('Contact');
    fake.always(failed(status, errorCode, "No such column 'Nope__c' on sobject of type Contact"));

    const writing = objects.write(batch('insert', [{ Ext_Id__c: 'a', LastName: 'A' }]), call());

    await expect(writing).rejects.toMatchObject({ code });
  });

  it('finds parents by their keys, and none where two have the same', async () => {
    const { fake, objects } = await start();
    const acme = fake.state.org.seed('Account', { Name: 'Acme', Ext_Id__c: "A'1" });
    fake.state.org.seed('Account', { Name: 'Twin' });
    fake.state.org.seed('Account', { Name: 'twin' });

    const byKey = await objects.find('Account', 'Ext_Id__c', ["A'1", "a'1", 'none']);
    const byName = await objects.find('Account', 'Name', ['acme', 'Twin']);

    expect([...byKey]).toEqual([
      ["A'1", acme],
      ["a'1", acme],
    ]);
    expect([...byName]).toEqual([['acme', acme]]);
  });

  it('sends children of one parent side by side, and answers in the order of the items', async () => {
    const { fake, objects } = await start();
    const rows = [
      { Ext_Id__c: '0', LastName: 'A', AccountId: '001B' },
      { Ext_Id__c: '1', LastName: 'B', AccountId: '001A' },
      { Ext_Id__c: '2', AccountId: '001B' },
      { Ext_Id__c: '3', LastName: 'D', AccountId: '001A' },
    ];

    const outcomes = await objects.write(batch('upsert', rows), call());

    const [sent] = fake.to('PATCH /services/data/v66.0/composite/sobjects/Contact/Ext_Id__c');
    const { records } = sent?.json<{ records: { Ext_Id__c: string }[] }>() ?? { records: [] };
    expect(records.map(({ Ext_Id__c }) => Ext_Id__c)).toEqual(['1', '3', '0', '2']);
    expect(outcomes.map(({ state }) => state)).toEqual(['ok', 'ok', 'rejected', 'ok']);
  });
});
