import { describe, expect, it } from 'vitest';
import { failed } from '../fakes/salesforce-answers.ts';
import { contactsOf, stageSalesforce } from '../fakes/salesforce-stage.ts';
import { call } from '../support/connect.ts';

describe('salesforce: refusals, limits and trouble', () => {
  const start = stageSalesforce();

  it('reads each row of an answer that has status 200 although every row was refused', async () => {
    const { objects } = await start();

    const outcomes = await objects.write(
      contactsOf('upsert', [
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

    const outcomes = await objects.write(
      contactsOf('upsert', [{ Ext_Id__c: 'a', LastName: 'Lovelace' }]),
      call(),
    );

    expect(outcomes).toEqual([
      { state: 'rejected', reason: 'A rule of the org refuses it: … is not a customer of ours.' },
    ]);
  });

  it('keeps the outcomes of the requests before when a later one fails', async () => {
    const { fake, objects } = await start();
    const rows = Array.from({ length: 600 }, (_, i) => ({ Ext_Id__c: `k${i}`, LastName: `N${i}` }));
    await objects.fields('Contact');
    fake.next(undefined, 'done-then-reset');

    const outcomes = await objects.write(contactsOf('insert', rows), call());

    const states = outcomes.map(({ state }) => state);
    expect(new Set(states.slice(0, 200))).toEqual(new Set(['ok']));
    expect(new Set(states.slice(200, 400))).toEqual(new Set(['unknown']));
    expect(new Set(states.slice(400))).toEqual(new Set(['retry']));
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
    const rows = contactsOf('upsert', [{ Ext_Id__c: 'a', LastName: 'A' }]);

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

    expect(
      await objects.write(contactsOf('upsert', [{ Ext_Id__c: 'a', LastName: 'A' }]), call()),
    ).toMatchObject([{ state: 'rejected' }]);
  });

  it('has a batch halved when one value of the wrong kind fails a whole request', async () => {
    const { objects } = await start();
    const rows = [
      { Ext_Id__c: 'a', LastName: 'A', Score__c: 1 },
      { Ext_Id__c: 'b', LastName: 'B', Score__c: 'many' },
    ];

    const writing = objects.write(contactsOf('upsert', rows), call());

    await expect(writing).rejects.toMatchObject({ code: 'ROW_REJECTED' });
    await expect(writing).rejects.not.toThrow('many');
    expect(await objects.write(contactsOf('upsert', rows.slice(0, 1)), call())).toMatchObject([
      { state: 'ok' },
    ]);
  });

  it('knows a quota that is used up from too many calls at once, by the 403 that both have', async () => {
    const { fake, objects } = await start();
    const rows = contactsOf('upsert', [{ Ext_Id__c: 'a', LastName: 'A' }]);
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
    const rows = contactsOf('upsert', [{ Ext_Id__c: 'a', LastName: 'A' }]);
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

    const outcomes = await objects.write(contactsOf('upsert', rows), call());

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

    const writing = objects.write(contactsOf('insert', [{ Ext_Id__c: 'a', LastName: 'A' }]), call());

    await expect(writing).rejects.toMatchObject({ code });
  });
});
