import { describe, expect, it } from 'vitest';
import { hubspot } from '../../connectors/hubspot/index.ts';
import type { PartName } from '../../engine/contracts/connector.ts';
import type {
  Audiences,
  Member,
  ObjectBatch,
  Objects,
  Operation,
  Outcome,
  Value,
} from '../../engine/contracts/destination.ts';
import type { ActivateError } from '../../engine/contracts/errors.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { destinationContract } from '../contracts/destination.ts';
import { partOf } from '../contracts/works.ts';
import type { Received } from '../fakes/http.ts';
import { type FakeHubspot, seed, startHubspot, token } from '../fakes/hubspot.ts';
import { problem } from '../fakes/hubspot-records.ts';
import { call, openFor } from '../support/connect.ts';

const typed = (fake: FakeHubspot): Raw => ({ accessToken: token, baseUrl: fake.url });

const batchOf =
  (operation: Operation) =>
  (n: number, bad?: number): ObjectBatch => ({
    object: 'contacts',
    operation,
    match: ['email'],
    fields: (operation === 'delete' ? ['email'] : ['email', 'firstname']).map((name) => ({
      name,
      onlyIfEmpty: false,
      sparse: false,
    })),
    items: Array.from({ length: n }, (_, i) => {
      const email = i === bad ? (operation === 'delete' ? '' : 'nobody') : `${operation}${i}@mail.test`;
      const values: Record<string, Value> = { email };
      return {
        key: `k${i}`,
        values: operation === 'delete' ? values : { ...values, firstname: `After ${i}` },
      };
    }),
  });

destinationContract('hubspot', {
  connector: hubspot,
  renewsToken: false,
  start: async () => {
    const fake = await startHubspot();
    for (const i of [0, 1, 2]) {
      seed(fake, 'contacts', { email: `update${i}@mail.test`, firstname: 'Before' });
      seed(fake, 'contacts', { email: `delete${i}@mail.test`, firstname: 'Before' });
      seed(fake, 'contacts', { email: `p${i}@mail.test` });
    }
    return {
      fake,
      config: typed(fake),
      wrongConfig: { ...typed(fake), accessToken: 'pat-eu1-of-somebody-else' },
      stored: () => ({
        contacts: [...(fake.state.kinds.get('contacts')?.records.values() ?? [])],
        lists: fake.state.lists.map(({ name, members }) => [name, [...members]]),
      }),
    };
  },
  parts: {
    objects: {
      insert: batchOf('insert'),
      update: batchOf('update'),
      upsert: batchOf('upsert'),
      delete: batchOf('delete'),
    },
    audiences: {
      list: '7',
      members: (n, bad) =>
        Array.from({ length: n }, (_, i) => ({
          key: `k${i}`,
          identifiers: { email: i === bad ? 'stranger@mail.test' : `p${i}@mail.test` },
          traits: {},
        })),
    },
  },
  says: {
    unauthorized: problem(401, 'INVALID_AUTHENTICATION', 'Authentication credentials not found.'),
    broken: [
      problem(500, 'INTERNAL_ERROR', 'internal error'),
      { status: 502, text: '<html>' },
      { status: 524 },
    ],
  },
});

type Found = { readonly objects: Objects; readonly audiences: Audiences; readonly fake: FakeHubspot };

async function withHubspot(
  test: (found: Found, check: (use: PartName) => Promise<readonly string[]>) => Promise<void>,
): Promise<void> {
  const fake = await startHubspot();
  const { connection, close } = await openFor(hubspot, typed(fake));
  try {
    const parts = {
      objects: partOf(connection, 'objects'),
      audiences: partOf(connection, 'audiences'),
      fake,
    };
    await test(parts, (use) => connection.check(use));
    fake.expectNoUnexpected();
  } finally {
    await close();
    await fake.close();
  }
}

type Rows = readonly Readonly<Record<string, Value>>[];

const batch = (operation: Operation, rows: Rows, more: Partial<ObjectBatch> = {}): ObjectBatch => ({
  object: 'contacts',
  operation,
  match: ['email'],
  fields: [...new Set(rows.flatMap((row) => Object.keys(row)))].map((name) => ({
    name,
    onlyIfEmpty: false,
    sparse: false,
  })),
  items: rows.map((values, i) => ({ key: `k${i}`, values })),
  ...more,
});

const byKey = { match: ['customer_key'] };
const recordsOf = ({ state }: FakeHubspot, kind = 'contacts') => [...state.kinds.get(kind)!.records.values()];
const valuesOf = (fake: FakeHubspot, kind?: string) =>
  recordsOf(fake, kind).map(({ properties }) => properties);
const inputsOf = (request: Received | undefined) =>
  request!.json<{ inputs: readonly Readonly<Record<string, unknown>>[] }>().inputs;
const statesOf = (outcomes: readonly Outcome[]) => outcomes.map(({ state }) => state);

const thrownBy = (doing: Promise<unknown>): Promise<ActivateError> =>
  doing.then(
    () => {
      throw new Error('nothing was thrown');
    },
    (error: unknown) => error as ActivateError,
  );

const batchPath = `/crm/objects/2026-03/contacts/batch`;

describe('hubspot: contacts by their address', () => {
  it('are updated and then made, never upserted: an upsert may empty what is not in it', () =>
    withHubspot(async ({ objects, fake }) => {
      const id = seed(fake, 'contacts', { email: 'ada@mail.test', firstname: 'Ada', seats: '3' });

      const outcomes = await objects.write(
        batch('upsert', [
          { email: 'ada@mail.test', plan: 'pro' },
          { email: 'ben@mail.test', plan: 'free' },
        ]),
        call(),
      );

      expect(outcomes).toEqual([
        { state: 'ok', id, url: `https://app.hubspot.com/contacts/1/record/0-1/${id}` },
        expect.objectContaining({ state: 'ok' }),
      ]);
      expect(valuesOf(fake)).toEqual([
        { email: 'ada@mail.test', firstname: 'Ada', seats: '3', plan: 'pro' },
        { email: 'ben@mail.test', plan: 'free' },
      ]);
      expect(fake.to(`POST ${batchPath}/upsert`)).toEqual([]);
    }));

  it('are one contact whatever the capitals: HubSpot refuses a batch that has one twice', () =>
    withHubspot(async ({ objects, fake }) => {
      const rows = [{ email: 'Ada@mail.test' }, { email: ' ada@MAIL.test' }, { email: 'ben@mail.test' }];

      const outcomes = await objects.write(batch('upsert', rows), call());

      expect(statesOf(outcomes)).toEqual(['ok', 'rejected', 'ok']);
      expect(outcomes[1]).toEqual({
        state: 'rejected',
        reason: expect.stringContaining('same record'),
        field: 'email',
      });
      expect(valuesOf(fake)).toEqual([{ email: 'ada@mail.test' }, { email: 'ben@mail.test' }]);
    }));

  it('are told by the names of the request where HubSpot shows another address of theirs', () =>
    withHubspot(async ({ objects, fake }) => {
      const second = 'ada@home.test';
      const id = seed(fake, 'contacts', {
        email: 'ada@mail.test',
        hs_additional_emails: `${second};a@old.test`,
      });
      seed(fake, 'contacts', { email: 'ben@mail.test' });

      const rows = [
        { email: 'ben@mail.test', seats: 1 },
        { email: 'stranger@mail.test', seats: 2 },
        { email: second, seats: 3 },
      ];
      const outcomes = await objects.write(batch('update', rows), call());

      expect(statesOf(outcomes)).toEqual(['ok', 'rejected', 'ok']);
      expect(outcomes[2]).toMatchObject({ id });
      expect(recordsOf(fake).find((one) => one.id === id)?.properties).toMatchObject({
        email: 'ada@mail.test',
        seats: '3',
      });
      expect(await objects.find('contacts', 'email', [second, 'A@old.test', 'nobody@mail.test'])).toEqual(
        new Map([
          [second, id],
          ['A@old.test', id],
        ]),
      );
    }));

  it('that somebody else makes in between are tried again', () =>
    withHubspot(async ({ objects, fake }) => {
      await objects.fields('contacts');
      fake.next(undefined, () => {
        seed(fake, 'contacts', { email: 'ada@mail.test' });
        return problem(409, 'CONFLICT', 'Contact already exists. Existing ID: 101');
      });

      const rows = batch('upsert', [{ email: 'ada@mail.test', seats: 1 }]);
      expect(await objects.write(rows, call())).toMatchObject([{ state: 'retry' }]);
      expect(await objects.write(rows, call())).toMatchObject([{ state: 'ok' }]);
      expect(valuesOf(fake)).toEqual([{ email: 'ada@mail.test', seats: '1' }]);
    }));
});

describe('hubspot: operations', () => {
  it('upserts by a unique property, 100 at a time, with a name for each', () =>
    withHubspot(async ({ objects, fake }) => {
      seed(fake, 'contacts', { customer_key: 'c0', firstname: 'Ada', seats: '9' });
      const rows = Array.from({ length: 100 }, (_, i) => ({ customer_key: `c${i}`, seats: i }));

      const outcomes = await objects.write(batch('upsert', rows, byKey), call());

      expect(objects.limits.rows).toBe(100);
      expect(new Set(statesOf(outcomes))).toEqual(new Set(['ok']));
      expect(valuesOf(fake)[0]).toEqual({ customer_key: 'c0', firstname: 'Ada', seats: '0' });
      const [request, another] = fake.to(`POST ${batchPath}/upsert`);
      expect(another).toBeUndefined();
      expect(inputsOf(request)[7]).toEqual({
        id: 'c7',
        idProperty: 'customer_key',
        properties: { customer_key: 'c7', seats: '7' },
        objectWriteTraceId: '7',
      });
    }));

  it('upserts custom objects', () =>
    withHubspot(async ({ objects, fake }) => {
      const cars = batch('upsert', [{ vin: 'v1', make: 'Saab' }], { object: 'p1_cars', match: ['vin'] });

      expect(await objects.write(cars, call())).toMatchObject([{ state: 'ok' }]);
      expect(await objects.write(cars, call({ again: true }))).toMatchObject([{ state: 'ok' }]);
      expect(valuesOf(fake, 'p1_cars')).toEqual([{ vin: 'v1', make: 'Saab' }]);
    }));

  it('updates by address with the name of the property, without which HubSpot changes nothing and says so to nobody', () =>
    withHubspot(async ({ objects, fake }) => {
      seed(fake, 'contacts', { email: 'ada@mail.test' });
      const update = batch('update', [
        { email: 'ada@mail.test', seats: 4 },
        { email: 'ben@mail.test', seats: 5 },
      ]);

      expect(await objects.write(update, call())).toMatchObject([
        { state: 'ok' },
        { state: 'rejected', reason: 'HubSpot has no such record (any more).' },
      ]);
      expect(inputsOf(fake.to(`POST ${batchPath}/update`)[0])).toMatchObject([
        { idProperty: 'email' },
        { idProperty: 'email' },
      ]);
      expect(valuesOf(fake)).toEqual([{ email: 'ada@mail.test', seats: '4' }]);
    }));

  it('takes the record id for no property, and makes nothing by it', () =>
    withHubspot(async ({ objects, fake }) => {
      const id = seed(fake, 'contacts', { firstname: 'Ada' });
      const rows = [
        { hs_object_id: id, seats: 1 },
        { hs_object_id: '999', seats: 2 },
      ];

      const outcomes = await objects.write(batch('upsert', rows, { match: ['hs_object_id'] }), call());

      expect(statesOf(outcomes)).toEqual(['ok', 'rejected']);
      const [input] = inputsOf(fake.to(`POST ${batchPath}/update`)[0]);
      expect(input).toEqual({ id, properties: { seats: '1' }, objectWriteTraceId: '0' });
      await objects.write(batch('delete', [{ hs_object_id: id }], { match: ['hs_object_id'] }), call());
      expect(recordsOf(fake)).toMatchObject([{ id, archived: true }]);
    }));

  it('inserts, refuses who is there, and takes them for done after an attempt that may have got through', () =>
    withHubspot(async ({ objects, fake }) => {
      seed(fake, 'contacts', { email: 'ada@mail.test', firstname: 'Ada' });
      const insert = batch('insert', [
        { email: 'ada@mail.test', firstname: 'Other' },
        { email: 'ben@mail.test', firstname: 'Ben' },
      ]);

      expect(await objects.write(insert, call())).toMatchObject([
        { state: 'rejected', reason: expect.stringContaining('unique') },
        { state: 'ok' },
      ]);
      expect(statesOf(await objects.write(insert, call({ again: true })))).toEqual(['ok', 'ok']);
      expect(valuesOf(fake)).toEqual([
        { email: 'ada@mail.test', firstname: 'Ada' },
        { email: 'ben@mail.test', firstname: 'Ben' },
      ]);
    }));

  it('takes a contact for done that an earlier attempt makes while it looks', () =>
    withHubspot(async ({ objects, fake }) => {
      await objects.fields('contacts');
      fake.next(undefined, problem(409, 'CONFLICT', 'Contact already exists. Existing ID: 7'));

      expect(
        await objects.write(batch('insert', [{ email: 'ada@mail.test' }]), call({ again: true })),
      ).toEqual([{ state: 'ok' }]);
    }));

  it('archives what it finds, once where two addresses are those of one contact', () =>
    withHubspot(async ({ objects, fake }) => {
      const id = seed(fake, 'contacts', { email: 'ada@mail.test', hs_additional_emails: 'ada@home.test' });
      seed(fake, 'contacts', { email: 'ben@mail.test' });
      const rows = ['ada@mail.test', 'ada@home.test', 'stranger@mail.test'].map((email) => ({ email }));

      expect(statesOf(await objects.write(batch('delete', rows), call()))).toEqual(['ok', 'ok', 'ok']);

      expect(inputsOf(fake.to(`POST ${batchPath}/archive`)[0])).toEqual([{ id }]);
      expect(recordsOf(fake).map(({ archived }) => archived)).toEqual([true, false]);
    }));

  it('writes only where nothing is, where that is asked', () =>
    withHubspot(async ({ objects, fake }) => {
      seed(fake, 'contacts', { email: 'ada@mail.test', firstname: 'Ada' });
      seed(fake, 'contacts', { email: 'ben@mail.test' });
      const rows = ['ada', 'ben', 'cleo'].map((name) => ({ email: `${name}@mail.test`, firstname: 'New' }));
      const fields = ['email', 'firstname'].map((name) => ({
        name,
        onlyIfEmpty: name === 'firstname',
        sparse: false,
      }));

      expect(statesOf(await objects.write(batch('upsert', rows, { fields }), call()))).toEqual([
        'ok',
        'ok',
        'ok',
      ]);

      expect(valuesOf(fake).map(({ firstname }) => firstname)).toEqual(['Ada', 'New', 'New']);
      expect(inputsOf(fake.to(`POST ${batchPath}/update`)[0])).toHaveLength(2);
    }));
});

describe('hubspot: values', () => {
  it('are texts, and an empty one empties where null would be passed over', () =>
    withHubspot(async ({ objects, fake }) => {
      seed(fake, 'contacts', { email: 'ada@mail.test', firstname: 'Ada', seats: '1' });
      const row = {
        email: 'ada@mail.test',
        firstname: null,
        seats: '12345678901234567890',
        is_vip: false,
        born_on: '1815-12-10',
        seen_at: '2026-11-23T12:00:00.123456Z',
        interests: ['tea', 'rum'],
      };

      expect(await objects.write(batch('update', [row]), call())).toMatchObject([{ state: 'ok' }]);

      expect(valuesOf(fake)).toEqual([
        {
          email: 'ada@mail.test',
          seats: '12345678901234567890',
          is_vip: 'false',
          born_on: '1815-12-10',
          seen_at: '2026-11-23T12:00:00.123Z',
          interests: 'tea;rum',
        },
      ]);
    }));

  it('that look like a time keep all their digits in a text', () =>
    withHubspot(async ({ objects, fake }) => {
      const firstname = '2026-11-23T12:00:00.123456Z';

      await objects.write(batch('insert', [{ email: 'ada@mail.test', firstname }]), call());

      expect(valuesOf(fake)[0]).toMatchObject({ firstname });
    }));
});

describe('hubspot: refusals', () => {
  const rows = [
    { customer_key: 'good', plan: 'pro' },
    { customer_key: 'bad', plan: 'platinum' },
  ];

  it('name the property and the code, and repeat no value', () =>
    withHubspot(async ({ objects, fake }) => {
      const outcomes = await objects.write(batch('upsert', rows, byKey), call());

      expect(outcomes).toMatchObject([
        { state: 'ok' },
        {
          state: 'rejected',
          reason: 'HubSpot refuses plan (INVALID_OPTION). It says: … was not one of the allowed options',
          field: 'plan',
        },
      ]);
      expect(valuesOf(fake)).toHaveLength(1);
    }));

  it('of a whole batch for one row are halved; of one row alone they are its own', () =>
    withHubspot(async ({ objects, fake }) => {
      fake.state.wholeBatch = true;

      const error = await thrownBy(objects.write(batch('upsert', rows, byKey), call()));
      const alone = await objects.write(batch('upsert', rows.slice(1), byKey), call());

      expect(error).toMatchObject({ code: 'ROW_REJECTED', message: expect.not.stringContaining('platinum') });
      expect(alone).toMatchObject([{ state: 'rejected', field: 'plan' }]);
      expect(valuesOf(fake)).toEqual([]);
    }));

  it('with 409 for one contact that is there are halved as well', () =>
    withHubspot(async ({ objects, fake }) => {
      seed(fake, 'contacts', { email: 'ada@mail.test' });
      fake.state.wholeBatch = true;
      const insert = ['ada@mail.test', 'ben@mail.test'].map((email) => ({ email }));

      expect(await thrownBy(objects.write(batch('insert', insert), call()))).toMatchObject({
        code: 'ROW_REJECTED',
      });
      expect(await objects.write(batch('insert', insert.slice(0, 1)), call())).toMatchObject([
        { state: 'rejected' },
      ]);
      expect(await objects.write(batch('insert', insert.slice(1)), call())).toMatchObject([{ state: 'ok' }]);
    }));

  it('can be silent: 200, with nothing written and nothing said', () =>
    withHubspot(async ({ objects, fake }) => {
      fake.state.silent = true;

      const outcomes = await objects.write(batch('upsert', rows, byKey), call());

      expect(outcomes).toMatchObject(
        rows.map(() => ({ state: 'rejected', reason: expect.stringContaining('wrote nothing') })),
      );
    }));

  it('are told by the values that records were found by where HubSpot gives no names back', () =>
    withHubspot(async ({ objects, fake }) => {
      fake.state.traceless = true;

      expect(statesOf(await objects.write(batch('upsert', rows, byKey), call()))).toEqual(['ok', 'rejected']);
    }));

  it('that name no row at all make the batch smaller, and rows that nothing is said of are unknown', () =>
    withHubspot(async ({ objects, fake }) => {
      await objects.fields('contacts');
      const error = {
        status: 'error',
        category: 'VALIDATION_ERROR',
        message: 'platinum is not allowed',
        context: {},
      };
      const answered = (results: readonly object[], errors: readonly object[]) => ({
        status: 207,
        json: { status: 'COMPLETE', results, errors },
      });
      fake.next(answered([{ id: '1' }], [error]), answered([{ id: '1' }], []));

      expect(await thrownBy(objects.write(batch('upsert', rows, byKey), call()))).toMatchObject({
        code: 'ROW_REJECTED',
        message: 'HubSpot refuses this. It says: … is not allowed',
      });
      expect(statesOf(await objects.write(batch('upsert', rows, byKey), call()))).toEqual([
        'unknown',
        'unknown',
      ]);
    }));

  it('of a passing kind are tried again', () =>
    withHubspot(async ({ objects, fake }) => {
      await objects.fields('contacts');
      const context = { objectWriteTraceId: ['1'] };
      const errors = [{ status: 'error', category: 'RATE_LIMITS', message: 'slow down', context }];
      fake.next({ status: 207, json: { results: [{ id: '1', objectWriteTraceId: '0' }], errors } });

      expect(statesOf(await objects.write(batch('upsert', rows, byKey), call()))).toEqual(['ok', 'retry']);
    }));

  it('for a property that is gone end the run', () =>
    withHubspot(async ({ objects, fake }) => {
      await objects.fields('contacts');
      const gone = JSON.stringify([
        {
          isValid: false,
          message: 'Property "plan" does not exist',
          error: 'PROPERTY_DOESNT_EXIST',
          name: 'plan',
        },
      ]);
      fake.next(problem(400, 'VALIDATION_ERROR', `Property values were not valid: ${gone}`));

      expect(await thrownBy(objects.write(batch('upsert', rows, byKey), call()))).toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining('does not exist'),
      });
    }));
});

describe('hubspot: limits', () => {
  const policy = (policyName: string, headers = {}) => ({
    ...problem(429, 'RATE_LIMITS', 'You have reached your limit.', { policyName }),
    headers,
  });

  it.each([
    ['ten seconds', policy('TEN_SECONDLY_ROLLING'), 10_000],
    ['a second', policy('SECONDLY'), 1_000],
    ['a day', policy('DAILY'), 3_600_000],
    ['a day, with a wait that is named', policy('DAILY', { 'retry-after': '77' }), 77_000],
    ['locked records', problem(423, 'LOCKED', 'locked'), 2_000],
    [
      'an account on the move',
      { ...problem(477, 'MIGRATION', 'moving'), headers: { 'retry-after': '600' } },
      600_000,
    ],
  ])('waits for %s as long as that takes', (_, answer, retryAfterMs) =>
    withHubspot(async ({ objects, fake }) => {
      fake.always(answer);

      expect(
        await thrownBy(objects.write(batch('upsert', [{ email: 'ada@mail.test' }]), call())),
      ).toMatchObject({
        code: 'RATE_LIMITED',
        retryAfterMs,
      });
    }),
  );

  it('names the scopes that are missing', () =>
    withHubspot(async ({ objects, fake }, check) => {
      fake.state.forbidden.set('/crm/objects', 'crm.objects.contacts.write');
      fake.state.forbidden.set('/crm/lists', 'crm.lists.read');

      expect(
        await thrownBy(objects.write(batch('upsert', [{ email: 'ada@mail.test' }]), call())),
      ).toMatchObject({
        code: 'PERMISSION_DENIED',
        message: 'The access token lacks rights: crm.objects.contacts.write.',
      });
      expect(await check('audiences')).toEqual([
        expect.stringContaining('crm.objects.contacts.write'),
        expect.stringContaining('crm.lists.read'),
      ]);
    }));
});

describe('hubspot: discovery', () => {
  it('offers the kinds there are, and custom objects where the plan has them', () =>
    withHubspot(async ({ objects, fake }) => {
      expect((await objects.objects('')).map(({ value }) => value)).toEqual([
        'contacts',
        'companies',
        'deals',
        'tickets',
        'p1_cars',
      ]);
      expect(await objects.objects('car')).toEqual([{ value: 'p1_cars', label: 'Cars' }]);

      fake.state.forbidden.set('/crm-object-schemas', 'crm.schemas.custom.read');
      expect(await objects.objects('car')).toEqual([]);
    }));

  it('offers what can be written, with what finds records and what can be associated', () =>
    withHubspot(async ({ objects }) => {
      const spec = { type: 'text', required: false, key: false };

      expect(await objects.fields('contacts')).toEqual([
        { ...spec, name: 'hs_object_id', label: 'Record ID', key: true },
        { ...spec, name: 'email', label: 'Email', key: true },
        { ...spec, name: 'customer_key', label: 'Customer key', key: true },
        { ...spec, name: 'firstname', label: 'First Name' },
        { ...spec, name: 'jobtitle', label: 'Job Title' },
        { ...spec, name: 'seats', label: 'Seats', type: 'number' },
        { ...spec, name: 'plan', label: 'Plan', options: ['free', 'pro'] },
        { ...spec, name: 'interests', label: 'interests', type: 'any' },
        {
          ...spec,
          name: 'lifecyclestage',
          label: 'Lifecycle Stage',
          options: ['subscriber', 'lead', 'customer'],
        },
        { ...spec, name: 'is_vip', label: 'VIP', type: 'boolean' },
        { ...spec, name: 'born_on', label: 'Born', type: 'date' },
        { ...spec, name: 'seen_at', label: 'Seen', type: 'time' },
        { ...spec, name: 'hubspot_owner_id', label: 'Owner' },
        { ...spec, name: 'associations.companies', label: 'Associated companies (record ID)' },
      ]);
    }));

  it('knows what a new record needs, and asks for sensitive properties apart where it may', () =>
    withHubspot(async ({ objects, fake }) => {
      const needed = async (object: string) =>
        (await objects.fields(object)).filter(({ required }) => required).map(({ name }) => name);

      expect(await needed('p1_cars')).toEqual(['make']);
      expect(await needed('deals')).toEqual(['dealname', 'dealstage']);
      fake.state.forbidden.clear();
      fake.next(undefined, {
        json: { results: [{ name: 'diagnosis', label: 'Diagnosis', type: 'string' }] },
      });
      expect((await objects.fields('contacts')).map(({ name }) => name)).toContain('diagnosis');
    }));

  it.each([
    ['companies', ['domain'], 'upsert', /need not be unique/],
    ['contacts', ['email', 'customer_key'], 'upsert', /by one property/],
    ['contacts', ['hs_object_id'], 'insert', /by itself/],
  ] as const)('says beforehand that %s are not to be found by %s', (object, match, operation, message) =>
    withHubspot(async ({ objects }) => {
      const fields = match.map((name) => ({ name, onlyIfEmpty: false, sparse: false }));

      expect(await thrownBy(objects.verify({ object, operation, match, fields }))).toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringMatching(message),
        fix: expect.any(String),
      });
    }),
  );

  it('warns of stages that move forward only, of records that are not made, and of associations that stay', () =>
    withHubspot(async ({ objects, fake }) => {
      seed(fake, 'contacts', { email: 'ada@mail.test', lifecyclestage: 'customer' });
      const named = (...names: readonly string[]) =>
        names.map((name) => ({ name, onlyIfEmpty: false, sparse: false }));
      const plan = { object: 'contacts', operation: 'upsert' } as const;

      expect(
        await objects.verify({ ...plan, match: ['email'], fields: named('email', 'firstname') }),
      ).toEqual([]);
      expect(
        await objects.verify({
          ...plan,
          match: ['hs_object_id'],
          fields: named('hs_object_id', 'lifecyclestage', 'associations.companies'),
        }),
      ).toEqual([
        expect.stringMatching(/record ids/),
        expect.stringMatching(/forward only/),
        expect.stringMatching(/added/),
      ]);
      await objects.write(batch('update', [{ email: 'ada@mail.test', lifecyclestage: 'lead' }]), call());
      expect(valuesOf(fake)).toMatchObject([{ lifecyclestage: 'customer' }]);
    }));
});

describe('hubspot: records that rows refer to', () => {
  it('are found by unique values, 100 at a time, and by ids', () =>
    withHubspot(async ({ objects, fake }) => {
      const ids = Array.from({ length: 150 }, (_, i) => seed(fake, 'contacts', { customer_key: `c${i}` }));
      const keys = ids.map((_, i) => `c${i}`);

      expect(await objects.find('contacts', 'customer_key', [...keys, 'none'])).toEqual(
        new Map(keys.map((key, i) => [key, ids[i]!])),
      );
      expect(fake.to(`POST ${batchPath}/read`)).toHaveLength(2);
      expect(await objects.find('contacts', 'hs_object_id', [ids[0]!, '5'])).toEqual(
        new Map([[ids[0], ids[0]]]),
      );
    }));

  it('are searched for by values that need not be unique, in small letters; of several none is meant', () =>
    withHubspot(async ({ objects, fake }) => {
      const acme = seed(fake, 'companies', { domain: 'acme.test' });
      for (let twin = 0; twin < 3; twin += 1) {
        seed(fake, 'companies', { domain: 'twins.test' });
      }

      expect(await objects.find('companies', 'domain', ['ACME.test', 'twins.test', 'none.test'])).toEqual(
        new Map([['ACME.test', acme]]),
      );
      expect(await thrownBy(objects.find('companies', 'nothing', ['x']))).toMatchObject({
        code: 'CONFIG_INVALID',
      });
    }));

  it('can be owners, by their address', () =>
    withHubspot(async ({ objects, fake }) => {
      fake.state.owners.push(
        { id: '1', email: 'Rep@acme.test' },
        { id: '2' },
        { id: '3', email: 'boss@acme.test' },
      );

      expect(
        await objects.find('owners', 'email', ['rep@acme.test', 'boss@acme.test', 'none@acme.test']),
      ).toEqual(
        new Map([
          ['rep@acme.test', '1'],
          ['boss@acme.test', '3'],
        ]),
      );
    }));

  it.each([false, true])(
    'are associated once the record is written (answers without names: %s)',
    (traceless) =>
      withHubspot(async ({ objects, fake }) => {
        fake.state.traceless = traceless;
        const acme = seed(fake, 'companies', { domain: 'acme.test' });
        const rows = [
          { email: 'ada@mail.test', 'associations.companies': acme },
          { email: 'ben@mail.test', 'associations.companies': '999' },
          { email: 'cleo@mail.test', 'associations.companies': null },
        ];

        const outcomes = await objects.write(batch('upsert', rows), call());

        expect(statesOf(outcomes)).toEqual(['ok', 'rejected', 'ok']);
        expect(outcomes[1]).toMatchObject({
          reason: expect.stringMatching(/is written, but HubSpot does not associate it/),
          field: 'associations.companies',
        });
        const [ada] = recordsOf(fake);
        expect([...fake.state.links]).toEqual([`contacts/${ada!.id} companies/${acme}`]);
        expect(valuesOf(fake)).toHaveLength(3);
      }),
  );
});

describe('hubspot: lists', () => {
  const people = (...addresses: readonly string[]): readonly Member[] =>
    addresses.map((email) => ({ key: email, identifiers: { email }, traits: {} }));

  it('take contacts by record id alone: people are looked up, and who is none is refused', () =>
    withHubspot(async ({ audiences, fake }) => {
      const ada = seed(fake, 'contacts', { email: 'ada@mail.test', hs_additional_emails: 'ada@home.test' });
      const ben = seed(fake, 'contacts', { email: 'ben@mail.test' });
      const members = [
        ...people('ada@home.test', 'stranger@mail.test'),
        { key: 'k3', identifiers: { hs_object_id: ben }, traits: {} },
        { key: 'k4', identifiers: { hs_object_id: '999' }, traits: {} },
      ];

      const outcomes = await audiences.add('7', members, call());

      expect(outcomes).toEqual([
        { state: 'ok', id: ada },
        { state: 'rejected', reason: expect.stringContaining('no such contact') },
        { state: 'ok', id: ben },
        { state: 'rejected', reason: expect.stringContaining('no such contact') },
      ]);
      expect([...fake.state.lists[0]!.members]).toEqual([ada, ben]);
      expect(statesOf(await audiences.remove('7', members, call()))).toEqual(['ok', 'ok', 'ok', 'ok']);
      expect([...fake.state.lists[0]!.members]).toEqual([]);
    }));

  it('that HubSpot fills by itself, or that are gone, end the run', () =>
    withHubspot(async ({ audiences, fake }) => {
      seed(fake, 'contacts', { email: 'ada@mail.test' });

      for (const list of ['8', '99']) {
        expect(await thrownBy(audiences.add(list, people('ada@mail.test'), call()))).toMatchObject({
          code: 'TARGET_GONE',
        });
      }
      expect(await thrownBy(audiences.add('../7', people('ada@mail.test'), call()))).toMatchObject({
        code: 'INPUT_INVALID',
      });
    }));

  it('are offered where they can be filled, and not made twice', () =>
    withHubspot(async ({ audiences, fake }) => {
      expect(await audiences.lists('')).toEqual([{ value: '7', label: 'Buyers' }]);
      expect(await audiences.create('Buyers')).toBe('7');
      expect(await audiences.create('Big / small')).toBe('22');
      expect(await thrownBy(audiences.create('Opened lately'))).toMatchObject({ code: 'EXISTS' });
      expect(fake.state.lists.map(({ name }) => name)).toEqual(['Buyers', 'Opened lately', 'Big / small']);
    }));
});

describe('hubspot: connection', () => {
  it('calls HubSpot itself where no address is given', async () => {
    const fake = await startHubspot();
    const opened = await openFor(
      hubspot,
      { accessToken: ` ${token}\n` },
      { standIns: { 'api.hubapi.com': fake.url } },
    );

    expect(await opened.connection.check('objects')).toEqual([]);
    await opened.close();
    await fake.close();
  });

  it.each(['two words', 'pat\u0000x', '"pat-eu1"'])('takes %j for no token', async (accessToken) => {
    await expect(openFor(hubspot, { accessToken })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { accessToken: expect.any(String) },
    });
  });
});
