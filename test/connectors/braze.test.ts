import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { braze } from '../../connectors/braze/index.ts';
import type {
  Event,
  Item,
  Member,
  ObjectBatch,
  Operation,
  Value,
} from '../../engine/contracts/destination.ts';
import type { ActivateError } from '../../engine/contracts/errors.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { destinationContract } from '../contracts/destination.ts';
import { partOf } from '../contracts/works.ts';
import { type FakeBraze, refused, startBraze } from '../fakes/braze.ts';
import { call, type Opened, type OpenOptions, openFor } from '../support/connect.ts';

const several = <T>(n: number, make: (i: number) => T): readonly T[] =>
  Array.from({ length: n }, (_, i) => make(i));

const batch = (
  operation: Operation,
  items: readonly Item[],
  match: readonly string[] = ['external_id'],
): ObjectBatch => ({
  object: 'users',
  operation,
  match,
  fields: [...new Set(items.flatMap(({ values }) => Object.keys(values)))].map((name) => ({
    name,
    onlyIfEmpty: false,
    sparse: false,
  })),
  items,
});

const item = (values: Item['values'], key = 'k'): Item => ({ key, values });

const batchOf =
  (operation: 'upsert' | 'update' | 'delete') =>
  (n: number, bad?: number): ObjectBatch =>
    batch(
      operation,
      several(n, (i) =>
        operation === 'delete'
          ? item({ external_id: i === bad ? 'dummy' : `u${i}` }, `k${i}`)
          : item({ external_id: `u${i}`, plan: i === bad ? refused : `plan ${i}`, seats: i }, `k${i}`),
      ),
    );

const event = (i: number, more: Partial<Event> = {}): Event => ({
  key: `k${i}`,
  id: createHash('md5').update(String(i)).digest('hex'),
  name: 'Trial ended',
  time: `2026-11-23T11:00:0${i % 10}.123456Z`,
  person: { external_id: `u${i}` },
  properties: { plan: 'pro' },
  ...more,
});

const member = (identifiers: Member['identifiers'], traits: Member['traits'] = {}, key = 'k'): Member => ({
  key,
  identifiers,
  traits,
});

const typed = (fake: FakeBraze): Raw => ({
  endpoint: 'rest.fra-01.braze.eu',
  apiKey: fake.state.apiKey,
  baseUrl: fake.url,
});

const noRepeat = 'Braze recognises no repeat of an event; tests below show what is done about it.';

destinationContract('braze', {
  connector: braze,
  renewsToken: false,
  start: async () => {
    const fake = await startBraze();
    const config = { ...typed(fake), strangers: 'make' };
    return {
      fake,
      config,
      wrongConfig: { ...config, apiKey: '00000000-58d4-4c1e-9f63-0d2e8a417c95' },
      stored: () => [[...fake.state.users], fake.state.events, fake.state.purchases],
    };
  },
  parts: {
    objects: { upsert: batchOf('upsert'), update: batchOf('update'), delete: batchOf('delete') },
    events: (n, bad) => several(n, (i) => event(i, i === bad ? { properties: { plan: refused } } : {})),
    audiences: {
      list: 'trial_users',
      members: (n, bad) =>
        several(n, (i) => member({ external_id: i === bad ? 'dummy' : `u${i}` }, { plan: 'pro' }, `k${i}`)),
    },
  },
  says: {
    limited: (seconds) => ({
      status: 429,
      headers: seconds === undefined ? {} : { 'x-ratelimit-retry-after': String(seconds) },
      json: { message: 'Over rate limit' },
    }),
    unauthorized: { status: 401, json: { message: 'Invalid API key' } },
  },
  skip: { 'events again': noRepeat, 'events breaks off': noRepeat },
});

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

async function connected(
  more: Raw = {},
  options: OpenOptions = {},
): Promise<Opened & { readonly fake: FakeBraze }> {
  const fake = await startBraze();
  open.push(fake);
  const opened = await openFor(braze, { ...typed(fake), ...more }, options);
  open.push(opened);
  return { ...opened, fake };
}

const thrownBy = (doing: Promise<unknown>): Promise<ActivateError> =>
  doing.then(
    () => {
      throw new Error('nothing was thrown');
    },
    (error: unknown) => error as ActivateError,
  );

const states = (outcomes: readonly { readonly state: string }[]): readonly string[] =>
  outcomes.map(({ state }) => state);

type Lists = Readonly<Record<'attributes' | 'events' | 'purchases', readonly Record<string, unknown>[]>>;
const bodies = ({ fake }: { readonly fake: FakeBraze }): readonly Lists[] =>
  fake.to('POST /users/track').map((request) => request.json<Lists>());

const sentBy = async (given: ObjectBatch, more: Raw = {}): Promise<unknown> => {
  const opened = await connected(more);
  expect(states(await partOf(opened.connection, 'objects').write(given, call()))).toEqual(['ok']);
  return bodies(opened)[0]?.attributes[0];
};

describe('braze: the connection', () => {
  it.each([
    ['endpoint', 'dashboard-01.braze.com'],
    ['endpoint', 'https://rest.iad-01.braze.com.evil.example'],
    ['baseUrl', 'ftp://proxy.example'],
  ])('is not made with %s %s', async (field, value) => {
    const opening = openFor(braze, { endpoint: 'rest.iad-01.braze.com', apiKey: 'a key', [field]: value });

    expect(await thrownBy(opening)).toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { [field]: expect.any(String) },
    });
  });

  it('calls the REST endpoint that it was given, as Braze shows it', async () => {
    const fake = await startBraze();
    const opened = await openFor(
      braze,
      { endpoint: 'https://rest.us-10.braze.com/', apiKey: fake.state.apiKey },
      { standIns: { 'rest.us-10.braze.com': fake.url } },
    );
    open.push(fake, opened);

    expect(await opened.connection.check('objects')).toEqual([]);
    expect(fake.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /users/track',
      'GET /custom_attributes',
    ]);
  });

  it('tracks nothing to see whether the key may, and needs no other right for events', async () => {
    const { connection, fake } = await connected();

    expect(await connection.check('events')).toEqual([]);

    expect(fake.requests.map(({ path }) => path)).toEqual(['/users/track']);
    expect(fake.requests[0]?.json()).toEqual({ attributes: [] });
  });

  it('takes an unknown place for an unknown key: so other instances answer', async () => {
    const { connection, fake } = await connected();
    fake.always({ status: 404, json: { message: 'Unknown REST API Key' } });

    expect(await thrownBy(connection.check('objects'))).toMatchObject({
      code: 'AUTH_REJECTED',
      fix: expect.stringContaining('REST endpoint'),
    });
  });

  it('says that a plan or a right is missing', async () => {
    const { connection, fake } = await connected();
    fake.next(undefined, { status: 403, json: { message: 'Forbidden' } });

    expect((await thrownBy(connection.check('audiences'))).code).toBe('PERMISSION_DENIED');
  });
});

describe('braze: what users can have', () => {
  it('is what all have, and the active attributes of the workspace by their type', async () => {
    const { connection } = await connected();

    const fields = await partOf(connection, 'objects').fields('users');

    const some = ['external_id', 'email', 'gender', 'beta_tester', 'plan', 'prefs', 'seats', 'since', 'tags'];
    expect(
      fields.filter(({ name }) => some.includes(name)).map(({ name, type, key }) => [name, type, key]),
    ).toEqual([
      ['external_id', 'text', true],
      ['email', 'text', false],
      ['gender', 'text', false],
      ['beta_tester', 'boolean', false],
      ['plan', 'text', false],
      ['prefs', 'any', false],
      ['seats', 'number', false],
      ['since', 'time', false],
      ['tags', 'any', false],
    ]);
    expect(fields.find(({ name }) => name === 'gender')?.options).toEqual(['M', 'F', 'O', 'N', 'P']);
    expect(fields.find(({ name }) => name === 'plan')?.maxLength).toBe(255);
    expect(fields.map(({ name }) => name)).not.toContain('invited');
    expect(fields.map(({ name }) => name)).not.toContain('alias_name');
  });

  it('is read page by page, along the Link header', async () => {
    const { connection, fake } = await connected();
    fake.state.pageSize = 3;

    const fields = await partOf(connection, 'objects').fields('users');

    expect(fields.map(({ name }) => name)).toEqual(expect.arrayContaining(['beta_tester', 'plan', 'tags']));
    expect(fake.to('GET /custom_attributes').map(({ query }) => query.get('cursor'))).toEqual([
      null,
      'Mw==',
      'Ng==',
    ]);
  });

  it('has aliases for a connection with a label', async () => {
    const { connection } = await connected({ aliasLabel: 'device' });

    expect(await partOf(connection, 'objects').fields('users')).toContainEqual(
      expect.objectContaining({ name: 'alias_name', key: true }),
    );
    expect(partOf(connection, 'events').people.map(({ name }) => name)).toContain('alias_name');
  });

  it.each<[string, Operation, readonly string[], readonly string[], RegExp]>([
    ['two fields to match by', 'upsert', ['email', 'phone'], ['email', 'phone'], /one field/],
    ['a field that finds nobody', 'upsert', ['plan'], ['plan'], /external_id/],
    ['an id as an attribute', 'upsert', ['email'], ['email', 'external_id'], /external_id/],
    ['an address beside the number that matches', 'update', ['phone'], ['phone', 'email'], /no email/],
    [
      'a word of the interface',
      'upsert',
      ['external_id'],
      ['external_id', '_update_existing_only'],
      /leave it out/,
    ],
    [
      'an attribute that is not active',
      'upsert',
      ['external_id'],
      ['external_id', 'invited'],
      /not active: invited/,
    ],
    [
      'an attribute that would be made',
      'upsert',
      ['external_id'],
      ['external_id', 'plann'],
      /no attribute plann/,
    ],
    ['deleting', 'delete', ['external_id'], ['external_id'], /for good/],
  ])('warns of %s', async (_what, operation, match, fields, warning) => {
    const { connection } = await connected();
    const uses = fields.map((name) => ({ name, onlyIfEmpty: false, sparse: false }));

    const obstacles = await partOf(connection, 'objects').verify({
      object: 'users',
      operation,
      match,
      fields: uses,
    });

    expect(obstacles).toEqual([expect.stringMatching(warning)]);
  });

  it('has nothing against what is usual', async () => {
    const { connection } = await connected();
    const uses = ['external_id', 'email', 'phone', 'plan'].map((name) => ({
      name,
      onlyIfEmpty: false,
      sparse: false,
    }));

    expect(
      await partOf(connection, 'objects').verify({
        object: 'users',
        operation: 'upsert',
        match: ['external_id'],
        fields: uses,
      }),
    ).toEqual([]);
  });
});

describe('braze: users', () => {
  it('are found by an external id as it stands, capitals and all', async () => {
    expect(await sentBy(batch('upsert', [item({ external_id: 'User-A', email: 'A@mail.test' })]))).toEqual({
      external_id: 'User-A',
      email: 'A@mail.test',
      _update_existing_only: false,
    });
  });

  it('are made by an alias too, which Braze does only when it is told to', async () => {
    const given = batch('upsert', [item({ alias_name: 'd1', plan: 'pro' })], ['alias_name']);

    expect(await sentBy(given, { aliasLabel: 'device' })).toEqual({
      user_alias: { alias_name: 'd1', alias_label: 'device' },
      plan: 'pro',
      _update_existing_only: false,
    });
  });

  it('are not made when they are only to be updated', async () => {
    const { connection, fake } = await connected();

    const items = [item({ external_id: 'u1', plan: 'pro' }), item({ external_id: 'new', plan: 'pro' })];
    const outcomes = await partOf(connection, 'objects').write(batch('update', items), call());

    expect(states(outcomes)).toEqual(['ok', 'ok']);
    expect(fake.state.users.get('external_id u1')).toEqual({ first_name: 'Before 1', plan: 'pro' });
    expect(fake.state.users.has('external_id new')).toBe(false);
  });

  it('lose an attribute to null, and keep what is not sent', async () => {
    const { connection, fake } = await connected();
    const { write } = partOf(connection, 'objects');
    await write(batch('upsert', [item({ external_id: 'u1', plan: 'pro' })]), call());

    await write(batch('upsert', [item({ external_id: 'u1', plan: null })]), call());

    expect(fake.state.users.get('external_id u1')).toEqual({ first_name: 'Before 1' });
  });

  it('have times to the millisecond', async () => {
    const values = { external_id: 'u1', since: '2026-11-23T12:00:00.123456Z', dob: '1990-02-03' };

    expect(await sentBy(batch('upsert', [item(values)]))).toMatchObject({
      since: '2026-11-23T12:00:00.123Z',
      dob: '1990-02-03',
    });
  });

  it.each<[string, string, Value]>([
    [
      'a null inside an object, for which all that is nested would be dropped',
      'prefs',
      { mail: { weekly: null } },
    ],
    ['digits for a number, which would have to become a text', 'seats', '12345678901234567890'],
    ['a list that would be cut', 'tags', ['a', 'b', 'c', 'd']],
  ])('are not sent with %s', async (_what, field, value) => {
    const opened = await connected();
    const items = [item({ external_id: 'u1', [field]: value }), item({ external_id: 'u2', plan: 'pro' })];

    const outcomes = await partOf(opened.connection, 'objects').write(batch('upsert', items), call());

    expect(outcomes).toEqual([
      { state: 'rejected', reason: expect.stringContaining(field), field },
      { state: 'ok' },
    ]);
    expect(bodies(opened).map(({ attributes }) => attributes.length)).toEqual([1]);
  });

  it('travel 50 at a time, or as many as the connection says', async () => {
    const { connection } = await connected();
    const { connection: large } = await connected({ objectsPerRequest: '75' });

    expect(partOf(connection, 'objects').limits.rows).toBe(50);
    expect(partOf(large, 'events').limits.rows).toBe(75);
  });
});

describe('braze: users who go', () => {
  it('are deleted 50 at a time even where requests have more', async () => {
    const { connection, fake } = await connected({ objectsPerRequest: '75' });
    const items = several(75, (i) => item({ external_id: `u${i}` }, `k${i}`));

    const outcomes = await partOf(connection, 'objects').write(batch('delete', items), call());

    expect(outcomes).toHaveLength(75);
    expect(
      fake.to('POST /users/delete').map((one) => one.json<{ external_ids: string[] }>().external_ids.length),
    ).toEqual([50, 25]);
    expect(fake.state.users.size).toBe(0);
  });

  it.each<[string, object]>([
    ['braze_id', { braze_ids: ['x1'] }],
    ['alias_name', { user_aliases: [{ alias_name: 'x1', alias_label: 'device' }] }],
    [
      'email',
      { email_addresses: [{ email: 'x1', prioritization: ['identified', 'most_recently_updated'] }] },
    ],
    ['phone', { phone_numbers: [{ phone: 'x1', prioritization: ['identified', 'most_recently_updated'] }] }],
  ])('are found by %s, in the words of that request', async (match, body) => {
    const { connection, fake } = await connected({ aliasLabel: 'device' });

    const given = batch('delete', [item({ [match]: 'x1' })], [match]);
    expect(await partOf(connection, 'objects').write(given, call())).toEqual([{ state: 'ok' }]);

    expect(fake.to('POST /users/delete')[0]?.json()).toEqual(body);
  });

  it('are not known to be gone when Braze does not say so', async () => {
    const { connection, fake } = await connected();
    fake.next({ status: 202, json: { message: 'success' } });

    const deleting = partOf(connection, 'objects').write(batchOf('delete')(1), call());
    expect((await thrownBy(deleting)).code).toBe('OUTCOME_UNKNOWN');
  });
});

describe('braze: what it says of a request', () => {
  const three = batchOf('upsert')(3);

  it('is 201 with errors by place in a list, each with its own reason, and no value of a row', async () => {
    const { connection } = await connected();
    const items = [
      item({ external_id: 'u0', plan: refused }),
      item({ external_id: 'u1', plan: 'pro' }),
      item({ external_id: 'dummy-77' }),
    ];

    const outcomes = await partOf(connection, 'objects').write(batch('upsert', items), call());

    expect(outcomes).toEqual([
      { state: 'rejected', reason: 'Braze refuses this. It says: invalid data: …' },
      { state: 'ok' },
      {
        state: 'rejected',
        reason: 'Braze refuses this. It says: provided external_id … is blacklisted and disallowed',
      },
    ]);
  });

  it('is 400 with errors by place: nothing was done, and the others go again', async () => {
    const { connection, fake } = await connected();
    await connection.check('objects');
    const errors = [{ type: "'time' is required", input_array: 'attributes', index: 1 }];
    fake.next({ status: 400, json: { message: 'Bad Request', errors } });

    const outcomes = await partOf(connection, 'objects').write(three, call());

    expect(states(outcomes)).toEqual(['retry', 'rejected', 'retry']);
  });

  it.each([
    ['400 without a place', { status: 400, json: { message: 'Max input length exceeded' } }],
    ['413', { status: 413, text: '<html>' }],
    ['201 with another word than success', { status: 201, json: { message: 'Bad syntax' } }],
  ])('is %s: the batch is halved', async (_what, answer) => {
    const { connection, fake } = await connected();
    await connection.check('objects');
    fake.next(answer);

    expect((await thrownBy(partOf(connection, 'objects').write(three, call()))).code).toBe('ROW_REJECTED');
  });

  it('is 202 and queued while Braze is being looked after: it is taken', async () => {
    const { connection, fake } = await connected();
    await connection.check('objects');
    fake.next({ status: 202, json: { message: 'queued' } });

    expect(states(await partOf(connection, 'objects').write(three, call()))).toEqual(['ok', 'ok', 'ok']);
  });

  it('is not clear when there are errors that name no place', async () => {
    const { connection, fake } = await connected();
    await connection.check('objects');
    const errors = ['something is wrong', { type: 'bad', input_array: 'attributes', index: 0 }];
    fake.next({ status: 201, json: { message: 'success', errors } });

    expect(states(await partOf(connection, 'objects').write(three, call()))).toEqual([
      'rejected',
      'unknown',
      'unknown',
    ]);
  });

  it.each([
    ['seconds', { 'x-ratelimit-retry-after': '17' }, 17_000],
    [
      'seconds, whatever the window says',
      { 'x-ratelimit-retry-after': '17', 'x-ratelimit-reset': '9' },
      17_000,
    ],
    ['the end of the window, in seconds to go', { 'x-ratelimit-reset': '1800' }, 1_800_000],
    ['the end of the window, since 1970', { 'x-ratelimit-reset': '1795437000' }, 3_000_000],
    ['a date, as others do', { 'retry-after': '12' }, 12_000],
  ])('asks for a pause by %s', async (_how, headers, waitMs) => {
    const now = (): Date => new Date(1_795_434_000_000);
    const { connection, fake } = await connected({}, { now });
    await connection.check('objects');
    fake.next({ status: 429, headers, json: { message: 'Over rate limit' } });

    expect(await thrownBy(partOf(connection, 'objects').write(three, call()))).toMatchObject({
      code: 'RATE_LIMITED',
      retryAfterMs: waitMs,
    });
  });
});

describe('braze: events', () => {
  it('go with who they are about by the surest way, and with what tells a repeat', async () => {
    const opened = await connected();
    const person = { email: 'ada@mail.test', external_id: 'u1' };
    const properties = { plan: 'pro', empty: null, at: '2026-11-23T10:00:00.987654Z' };

    await partOf(opened.connection, 'events').send([event(1, { person, properties })], call());

    expect(bodies(opened)).toEqual([
      {
        events: [
          {
            external_id: 'u1',
            name: 'Trial ended',
            time: '2026-11-23T11:00:01.123Z',
            properties: { plan: 'pro', at: '2026-11-23T10:00:00.987Z', activate_event_id: event(1).id },
            _update_existing_only: true,
          },
        ],
      },
    ]);
  });

  it.each([
    ['leave', 0],
    ['make', 1],
  ])('about people whom Braze lacks: %s', async (strangers, count) => {
    const { connection, fake } = await connected({ strangers });

    await partOf(connection, 'events').send([event(1, { person: { external_id: 'new' } })], call());

    expect(fake.state.events).toHaveLength(count);
  });

  it('are purchases by name, in one request with the others, each refused by its own place', async () => {
    const { connection, fake } = await connected();
    const bought = { product_id: 77, currency: 'USD', price: '12.50', quantity: 2, colour: 'red' };

    const outcomes = await partOf(connection, 'events').send(
      [
        event(0, { name: '$purchase', properties: { ...bought, colour: refused } }),
        event(1),
        event(2, { name: '$purchase', properties: bought }),
        event(3, { person: { external_id: 'dummy' } }),
      ],
      call(),
    );

    expect(states(outcomes)).toEqual(['rejected', 'ok', 'ok', 'rejected']);
    expect(fake.state.events).toHaveLength(1);
    expect(fake.state.purchases).toEqual([
      {
        external_id: 'u2',
        product_id: '77',
        currency: 'USD',
        price: 12.5,
        quantity: 2,
        time: '2026-11-23T11:00:02.123Z',
        properties: { colour: 'red', activate_event_id: event(2).id },
      },
    ]);
    expect(fake.requests).toHaveLength(1);
  });

  const purchase = { product_id: 'p1', currency: 'USD', price: 1 };
  it.each<[string, Partial<Event>, string]>([
    ['of no time', { time: 'yesterday' }, 'time'],
    ['that lies ahead, which Braze would date to now', { time: '2026-11-23T12:06:00Z' }, 'time'],
    ['whose name begins with a dollar sign', { name: '$other' }, 'event'],
    ['with a property whose name does', { properties: { $plan: 'pro' } }, '$plan'],
    [
      'that is a purchase of nothing',
      { name: '$purchase', properties: { ...purchase, product_id: '' } },
      'product_id',
    ],
    [
      'that is a purchase without a currency',
      { name: '$purchase', properties: { ...purchase, currency: 'dollars' } },
      'currency',
    ],
    [
      'that is a purchase without a price',
      { name: '$purchase', properties: { ...purchase, price: 'free' } },
      'price',
    ],
    [
      'that is a purchase of too many',
      { name: '$purchase', properties: { ...purchase, quantity: 101 } },
      'quantity',
    ],
  ])('are not sent: one %s', async (_what, more, field) => {
    const { connection, fake } = await connected({}, { now: () => new Date('2026-11-23T12:00:00Z') });

    const outcomes = await partOf(connection, 'events').send([event(1, more)], call());

    expect(outcomes).toEqual([{ state: 'rejected', reason: expect.any(String), field }]);
    expect(fake.requests).toEqual([]);
  });

  it('in doubt are reported and sent no more: Braze would count them twice', async () => {
    const { connection, fake, pauses } = await connected();
    const { send } = partOf(connection, 'events');
    fake.next('done-then-reset');

    const error = await thrownBy(send([event(1)], call()));
    const outcomes = await send([event(1)], call({ again: true }));

    expect(error.code).toBe('OUTCOME_UNKNOWN');
    expect(pauses).toEqual([]);
    expect(outcomes).toEqual([{ state: 'rejected', reason: expect.stringContaining('Nobody knows') }]);
    expect(fake.state.events).toHaveLength(1);
  });

  it('in doubt are sent again where the connection says so, and then count twice under one id', async () => {
    const { connection, fake } = await connected({ unsure: 'again' });
    const { send } = partOf(connection, 'events');
    fake.next('done-then-reset');

    await thrownBy(send([event(1)], call()));
    const outcomes = await send([event(1)], call({ again: true }));

    expect(outcomes).toEqual([{ state: 'ok' }]);
    expect(fake.state.events).toHaveLength(2);
    expect(new Set(fake.state.events.map(({ properties }) => JSON.stringify(properties))).size).toBe(1);
  });

  it('that certainly did not arrive are no matter of doubt', async () => {
    const { connection, fake } = await connected();
    const { send } = partOf(connection, 'events');
    await fake.close();

    expect((await thrownBy(send([event(1)], call()))).code).toBe('UNAVAILABLE');
  });
});

describe('braze: lists', () => {
  const list = 'trial_users';

  it('are attributes that are true for who is on them, and false for who left', async () => {
    const { connection, fake } = await connected();
    const { add, remove } = partOf(connection, 'audiences');

    await add(list, [member({ external_id: 'u1', email: 'ada@mail.test' }, { plan: 'pro' })], call());
    expect(fake.state.users.get('external_id u1')).toEqual({
      first_name: 'Before 1',
      plan: 'pro',
      [list]: true,
    });

    await remove(
      list,
      [member({ external_id: 'u1' }), member({ external_id: 'stranger' }, {}, 'k2')],
      call(),
    );
    expect(fake.state.users.get('external_id u1')).toMatchObject({ [list]: false });
    expect(fake.state.users.has('external_id stranger')).toBe(false);
  });

  it('make nobody a user by taking them off, whatever they do otherwise', async () => {
    const { connection, fake } = await connected({ strangers: 'make' });

    await partOf(connection, 'audiences').remove(list, [member({ external_id: 'stranger' })], call());

    expect(fake.state.users.has('external_id stranger')).toBe(false);
  });

  it.each([
    ['leave', false],
    ['make', true],
  ])('and people whom Braze lacks: %s', async (strangers, isThere) => {
    const { connection, fake } = await connected({ strangers });

    await partOf(connection, 'audiences').add(list, [member({ email: 'new@mail.test' })], call());

    expect(fake.state.users.has('email new@mail.test')).toBe(isThere);
  });

  it('are offered when they hold true or false, and so is a name that nothing has yet', async () => {
    const { connection } = await connected();
    const { lists } = partOf(connection, 'audiences');

    expect(await lists('')).toEqual([{ value: 'beta_tester', label: 'beta_tester' }]);
    expect((await lists('BETA')).map(({ value }) => value)).toEqual(['beta_tester', 'BETA']);
    expect(await lists('plan')).toEqual([]);
    expect(await lists('first_name')).toEqual([]);
  });

  it.each([
    ['plan', 'EXISTS'],
    ['invited', 'EXISTS'],
    ['email', 'INPUT_INVALID'],
    ['$list', 'INPUT_INVALID'],
    ['l'.repeat(76), 'INPUT_INVALID'],
  ])('are not called %s', async (name, code) => {
    const { connection } = await connected();

    expect((await thrownBy(partOf(connection, 'audiences').create(name))).code).toBe(code);
  });

  it('take no field of every user for a list', async () => {
    const { connection, fake } = await connected();

    const adding = partOf(connection, 'audiences').add(
      'email_subscribe',
      [member({ external_id: 'u1' })],
      call(),
    );

    expect((await thrownBy(adding)).code).toBe('INPUT_INVALID');
    expect(fake.to('POST /users/track')).toEqual([]);
  });

  it('can have facts about people, but not what finds them', async () => {
    const { connection } = await connected();

    const names = (await partOf(connection, 'audiences').traits('beta_tester')).map(({ name }) => name);

    expect(names).toEqual(expect.arrayContaining(['first_name', 'plan']));
    expect(names.filter((name) => ['external_id', 'email', 'beta_tester'].includes(name))).toEqual([]);
  });
});
