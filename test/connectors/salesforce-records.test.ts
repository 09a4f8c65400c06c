import { describe, expect, it } from 'vitest';
import { contactsOf, stageSalesforce } from '../fakes/salesforce-stage.ts';
import { call } from '../support/connect.ts';

describe('salesforce: records', () => {
  const start = stageSalesforce();

  it('sends at most 200 records at once, and answers for each of 450', async () => {
    const { fake, objects } = await start();
    const rows = Array.from({ length: 450 }, (_, i) => ({
      Ext_Id__c: `k${i}`,
      LastName: i === 321 ? '' : `N${i}`,
    }));

    const outcomes = await objects.write(contactsOf('upsert', rows), call());

    expect(fake.to('PATCH /services/data/v66.0/composite/sobjects/Contact/Ext_Id__c')).toHaveLength(3);
    expect(outcomes.flatMap(({ state }, i) => (state === 'ok' ? [] : [i]))).toEqual([321]);
    expect(fake.state.org.rows('Contact')).toHaveLength(449);
  });

  it('says that a record is there already when it should only be added, and once more counts it as done', async () => {
    const { fake, objects } = await start();
    fake.state.org.seed('Contact', { Ext_Id__c: 'a', LastName: 'A', Email: 'a@x.example' });
    const unique = contactsOf('insert', [{ Ext_Id__c: 'a', LastName: 'Other' }]);
    const shared = contactsOf('insert', [{ Email: 'A@X.example', LastName: 'Other' }], { match: 'Email' });

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
      contactsOf('update', [
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
        await objects.write(contactsOf(operation, rows, { match: 'Email' }), call()),
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
      contactsOf(
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
      contactsOf(
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

    const outcomes = await objects.write(contactsOf('upsert', rows, { match: 'Number_Key__c' }), call());

    expect(outcomes.map(({ state }) => state)).toEqual(['ok', 'rejected']);
    expect(fake.state.org.rows('Contact')).toHaveLength(1);
  });

  it('upserts by Id as an update, of 15 characters as of 18', async () => {
    const { fake, objects } = await start();
    const id = fake.state.org.seed('Contact', { LastName: 'Before' });

    const outcomes = await objects.write(
      contactsOf('upsert', [{ Id: id, LastName: 'After' }], { match: 'Id' }),
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

    const outcomes = await objects.write(contactsOf('update', rows), call());

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
    await objects.write(contactsOf('delete', [{ Id: gone }], { match: 'Id' }), call());

    const outcomes = await objects.write(
      contactsOf('delete', [{ Ext_Id__c: 'a' }, { Ext_Id__c: 'never' }]),
      call(),
    );
    const again = await objects.write(contactsOf('delete', [{ Id: gone }], { match: 'Id' }), call());

    expect([...outcomes, ...again].map(({ state }) => state)).toEqual(['ok', 'ok', 'ok']);
    expect(fake.state.org.rows('Contact').map(({ Ext_Id__c }) => Ext_Id__c)).toEqual(['b']);
  });

  it('leaves out what an item leaves out, empties what is null, and fills only what is empty where it should', async () => {
    const { fake, objects } = await start();
    fake.state.org.seed('Contact', { Ext_Id__c: 'a', LastName: 'A', FirstName: 'Own', Score__c: 5 });
    fake.state.org.seed('Contact', { Ext_Id__c: 'b', LastName: 'B', Score__c: 5 });

    const outcomes = await objects.write(
      contactsOf(
        'upsert',
        [
          { Ext_Id__c: 'a', FirstName: 'Ours', Score__c: null },
          { Ext_Id__c: 'b', FirstName: 'Ours' },
          { Ext_Id__c: 'c', FirstName: 'Ours', LastName: 'C' },
        ],
        { onlyIfEmpty: ['FirstName'] },
      ),
      call(),
    );
    const nothingLeft = await objects.write(
      contactsOf('update', [{ Ext_Id__c: 'a', FirstName: 'Ours' }], { onlyIfEmpty: ['FirstName'] }),
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
      contactsOf('upsert', [
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
      contactsOf('upsert', [
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

    const outcomes = await objects.write(contactsOf('upsert', rows), call());

    const [sent] = fake.to('PATCH /services/data/v66.0/composite/sobjects/Contact/Ext_Id__c');
    const { records } = sent?.json<{ records: { Ext_Id__c: string }[] }>() ?? { records: [] };
    expect(records.map(({ Ext_Id__c }) => Ext_Id__c)).toEqual(['1', '3', '0', '2']);
    expect(outcomes.map(({ state }) => state)).toEqual(['ok', 'ok', 'rejected', 'ok']);
  });
});
