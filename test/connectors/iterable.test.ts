import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { iterable } from '../../connectors/iterable/index.ts';
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
import type { Answer } from '../fakes/http.ts';
import { type FakeIterable, type IterableState, said, startIterable } from '../fakes/iterable.ts';
import { call, type Opened, openFor } from '../support/connect.ts';

const several = <T>(n: number, make: (i: number) => T): readonly T[] =>
  Array.from({ length: n }, (_, i) => make(i));

const batch = (
  operation: Operation,
  items: readonly Item[],
  match: readonly string[] = ['email'],
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
      several(n, (i) => {
        const email = i === bad ? 'refuse me' : `p${i}@mail.test`;
        return item(operation === 'delete' ? { email } : { email, name: `After ${i}`, seats: i }, `k${i}`);
      }),
    );

const event = (i: number, more: Partial<Event> = {}): Event => ({
  key: `k${i}`,
  id: createHash('md5').update(String(i)).digest('hex'),
  name: 'Trial ended',
  time: `2026-11-23T11:00:0${i % 10}.987654Z`,
  person: { email: `p${i}@mail.test` },
  properties: { plan: 'pro' },
  ...more,
});

const member = (identifiers: Member['identifiers'], traits: Member['traits'] = {}, key = 'k'): Member => ({
  key,
  identifiers,
  traits,
});

const typed = (fake: FakeIterable): Raw => ({
  apiKey: fake.state.apiKey,
  region: 'us',
  projectType: 'email',
  baseUrl: fake.url,
});

destinationContract('iterable', {
  connector: iterable,
  renewsToken: false,
  start: async () => {
    const fake = await startIterable();
    return {
      fake,
      config: typed(fake),
      wrongConfig: { ...typed(fake), apiKey: '00000c9be2d34785a6b0f1c2d3e4f506' },
      stored: () => [
        [...fake.state.users],
        [...fake.state.events],
        fake.state.lists.map(({ name, users }) => [name, [...users]]),
        [...fake.state.offChannel],
      ],
    };
  },
  parts: {
    objects: { upsert: batchOf('upsert'), update: batchOf('update'), delete: batchOf('delete') },
    events: (n, bad) => several(n, (i) => event(i, i === bad ? { person: { email: 'refuse me' } } : {})),
    audiences: {
      list: '1',
      members: (n, bad) =>
        several(n, (i) =>
          member({ email: i === bad ? 'refuse me' : `p${i}@mail.test` }, { plan: 'pro' }, `k${i}`),
        ),
    },
  },
  says: { unauthorized: said(401, 'BadApiKey', 'Invalid API key') },
});

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

type Setting = Pick<IterableState, 'projectType' | 'makesFields'>;

async function connected(
  more: Raw = {},
  setting: Partial<Setting> = {},
): Promise<Opened & { readonly fake: FakeIterable }> {
  const fake = await startIterable();
  Object.assign(fake.state, setting);
  open.push(fake);
  const opened = await openFor(iterable, { ...typed(fake), ...more });
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

const bulkUpdate = 'POST /api/users/bulkUpdate';
const trackBulk = 'POST /api/events/trackBulk';

describe('iterable: the connection', () => {
  it('goes to Europe for a project there, with the key in a header', async () => {
    const fake = await startIterable();
    const opened = await openFor(
      iterable,
      { apiKey: fake.state.apiKey, region: 'eu', projectType: 'email' },
      { standIns: { 'api.eu.iterable.com': fake.url } },
    );
    open.push(fake, opened);

    expect(await opened.connection.check('events')).toEqual([]);
    expect(fake.requests[0]?.headers['api-key']).toBe(fake.state.apiKey);
    expect([...(fake.requests[0]?.query ?? [])]).toEqual([]);
  });

  it('is not made with an address that is none', async () => {
    const opening = openFor(iterable, {
      apiKey: 'k',
      region: 'us',
      projectType: 'email',
      baseUrl: 'ftp://x',
    });

    expect(await thrownBy(opening)).toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { baseUrl: expect.any(String) },
    });
  });

  it.each([
    ['objects', '/api/users/getFields'],
    ['events', '/api/users/getFields'],
    ['audiences', '/api/lists'],
  ] as const)('is tried for %s by what these need', async (part, path) => {
    const { connection, fake } = await connected();

    expect(await connection.check(part)).toEqual([]);
    expect(fake.requests.map((request) => request.path)).toEqual([path]);
  });
});

describe('iterable: what users can have', () => {
  it('is what finds them, and the fields of the project by their type, but those that Iterable keeps itself', async () => {
    const { connection } = await connected();

    const fields = await partOf(connection, 'objects').fields('users');

    expect(fields.map(({ name, type, key }) => [name, type, key])).toEqual([
      ['email', 'text', true],
      ['userId', 'text', false],
      ['name', 'text', false],
      ['plan', 'text', false],
      ['seats', 'integer', false],
      ['score', 'number', false],
      ['vip', 'boolean', false],
      ['since', 'time', false],
      ['prefs', 'any', false],
    ]);
  });

  it.each<[string, readonly string[]]>([
    ['email', ['email']],
    ['userId', ['userId']],
    ['hybrid', ['userId', 'email']],
  ])('depends on the type of the project: %s', async (projectType, names) => {
    const { connection } = await connected({ projectType });

    const fields = await partOf(connection, 'objects').fields('users');

    expect(fields.filter(({ key }) => key).map(({ name }) => name)).toEqual(names);
    expect(partOf(connection, 'events').people.map(({ name }) => name)).toEqual(names);
    expect(partOf(connection, 'audiences').identifiers.map(({ name }) => name)).toEqual(names);
  });

  it.each<[string, Raw, Operation, readonly string[], readonly string[], RegExp]>([
    [
      'the identifier of another type of project',
      {},
      'upsert',
      ['userId'],
      ['userId'],
      /knows its users by email/,
    ],
    ['a field that Iterable keeps', {}, 'upsert', ['email'], ['email', 'signupDate'], /itself: signupDate/],
    ['a part of a nested field', {}, 'upsert', ['email'], ['email', 'prefs.mail'], /itself: prefs.mail/],
    ['a field that would be made', {}, 'upsert', ['email'], ['email', 'sore'], /no field sore yet/],
    [
      'a field that would not',
      { newFields: 'leave' },
      'upsert',
      ['email'],
      ['email', 'sore'],
      /all rows would be refused/,
    ],
    ['updates alone', {}, 'update', ['email'], ['email', 'plan'], /updateOnly/],
    ['deleting', {}, 'delete', ['email'], ['email'], /for good/],
  ])('warns of %s', async (_what, more, operation, match, fields, warning) => {
    const { connection } = await connected(more);
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
    const { connection } = await connected({ projectType: 'hybrid' });
    const fields = ['userId', 'email', 'plan'].map((name) => ({ name, onlyIfEmpty: false, sparse: false }));

    expect(
      await partOf(connection, 'objects').verify({
        object: 'users',
        operation: 'upsert',
        match: ['userId'],
        fields,
      }),
    ).toEqual([]);
  });
});

describe('iterable: users', () => {
  const sentBy = async (
    given: ObjectBatch,
    more: Raw = {},
    setting: Partial<Setting> = {},
  ): Promise<unknown> => {
    const { connection, fake } = await connected(more, setting);
    expect(states(await partOf(connection, 'objects').write(given, call()))).toEqual(['ok']);
    return fake.to(bulkUpdate)[0]?.json();
  };

  it('have times in the one form that Iterable takes for times, and texts as they stand', async () => {
    const values = {
      email: ' ada@mail.test ',
      since: '2026-11-23T12:00:00.123456Z',
      seen: '2026-11-23T12:00:00Z',
      name: '2026-11-23T12:00:00Z',
      prefs: { at: ['2026-11-23T12:00:00Z'], day: '2026-11-23' },
    };

    expect(await sentBy(batch('upsert', [item(values)]))).toEqual({
      users: [
        {
          email: 'ada@mail.test',
          dataFields: {
            since: '2026-11-23 12:00:00 +00:00',
            seen: '2026-11-23 12:00:00 +00:00',
            name: '2026-11-23T12:00:00Z',
            prefs: { at: ['2026-11-23 12:00:00 +00:00'], day: '2026-11-23' },
          },
        },
      ],
    });
  });

  it('of a hybrid project are found by what they are matched by, and have the other as a field', async () => {
    const given = batch('upsert', [item({ userId: 'U 1', email: 'ada@mail.test' })], ['userId']);

    expect(await sentBy(given, { projectType: 'hybrid' }, { projectType: 'hybrid' })).toEqual({
      users: [{ userId: 'U 1', dataFields: { email: 'ada@mail.test' } }],
    });
  });

  it.each([
    ['make', true],
    ['leave', false],
  ])('get new fields as the connection says: %s', async (newFields, createNewFields) => {
    const given = batch('upsert', [item({ email: 'ada@mail.test', plan: 'pro' })]);

    expect(await sentBy(given, { newFields })).toMatchObject({ createNewFields });
  });

  it('lose a field to null, and keep what is not sent', async () => {
    const { connection, fake } = await connected();
    const { write } = partOf(connection, 'objects');
    await write(batch('upsert', [item({ email: 'p1@mail.test', plan: 'pro' })]), call());

    await write(batch('upsert', [item({ email: 'p1@mail.test', plan: null })]), call());

    expect(fake.state.users.get('p1@mail.test')).toEqual({ name: 'Before 1' });
  });

  it('are refused alone when they are only to be updated and nobody knows them', async () => {
    const { connection, fake } = await connected();
    const items = [
      item({ email: 'p1@mail.test', plan: 'pro' }),
      item({ email: 'new@mail.test', plan: 'pro' }),
    ];

    const outcomes = await partOf(connection, 'objects').write(batch('update', items), call());

    expect(outcomes).toEqual([
      { state: 'ok' },
      { state: 'rejected', reason: 'Iterable does not know this user.' },
    ]);
    expect(fake.state.users.has('new@mail.test')).toBe(false);
  });

  it('are refused by name in an answer of 200, whatever capitals the name has', async () => {
    const { connection, fake } = await connected();
    fake.state.forgotten.add('gone@mail.test');
    fake.state.conflicts.add('two@mail.test');
    const items = ['Gone@Mail.test', 'p1@mail.test', 'two@mail.test', 'no address'].map((email) =>
      item({ email, plan: 'pro' }, email),
    );

    const outcomes = await partOf(connection, 'objects').write(batch('upsert', items), call());

    expect(outcomes).toEqual([
      { state: 'rejected', reason: expect.stringContaining('forgotten') },
      { state: 'ok' },
      { state: 'rejected', reason: expect.stringContaining('Another user') },
      { state: 'rejected', reason: expect.stringContaining('does not take this as a user') },
    ]);
    expect(JSON.stringify(outcomes)).not.toMatch(/mail\.test|no address/i);
  });

  it('are refused by what the project does not know them by', async () => {
    const { connection } = await connected({ projectType: 'userId' }, { projectType: 'email' });

    const outcomes = await partOf(connection, 'objects').write(
      batch('upsert', [item({ userId: 'u1' })], ['userId']),
      call(),
    );

    expect(states(outcomes)).toEqual(['rejected']);
  });

  it('are not sent with more digits than a number can have: all of the request would be refused', async () => {
    const { connection, fake } = await connected();
    const items = [
      item({ email: 'p1@mail.test', seats: '12345678901234567890' }),
      item({ email: 'p2@mail.test', plan: '12345678901234567890' }),
    ];

    const outcomes = await partOf(connection, 'objects').write(batch('upsert', items), call());

    expect(outcomes).toEqual([
      { state: 'rejected', reason: expect.stringContaining('digits'), field: 'seats' },
      { state: 'ok' },
    ]);
    expect(fake.to(bulkUpdate)[0]?.json<{ users: unknown[] }>().users).toHaveLength(1);
  });

  it('cost the whole request with one value of another type: it is halved, and says the type but no value', async () => {
    const { connection } = await connected();
    const items = [
      item({ email: 'p1@mail.test', vip: 'certainly' as Value }),
      item({ email: 'p2@mail.test', vip: true }),
    ];

    const error = await thrownBy(partOf(connection, 'objects').write(batch('upsert', items), call()));

    expect(error).toMatchObject({ code: 'ROW_REJECTED', message: expect.stringContaining('vip as boolean') });
    expect(error.message).not.toContain('certainly');
  });

  it('are said to lack a field that was dropped without a word, if they have something in it', async () => {
    const { connection, fake } = await connected({}, { makesFields: false });
    const items = [
      item({ email: 'p1@mail.test', plan: 'pro', sore: 1 }),
      item({ email: 'p2@mail.test', plan: 'pro', sore: null }),
    ];

    const outcomes = await partOf(connection, 'objects').write(batch('upsert', items), call());

    expect(outcomes).toEqual([
      { state: 'rejected', reason: expect.stringContaining('no field sore'), field: 'sore' },
      { state: 'ok' },
    ]);
    expect(fake.state.users.get('p1@mail.test')).toMatchObject({ plan: 'pro' });
  });

  it('are not known about when more were refused than are named', async () => {
    const { connection, fake } = await connected();
    await connection.check('objects');
    fake.next({
      json: { successCount: 1, failCount: 2, failedUpdates: { invalidEmails: ['p1@mail.test'] } },
    });

    const outcomes = await partOf(connection, 'objects').write(batchOf('upsert')(3), call());

    expect(states(outcomes)).toEqual(['unknown', 'rejected', 'unknown']);
  });

  it('are refused for reasons that nobody has heard of yet', async () => {
    const { connection, fake } = await connected();
    await connection.check('objects');
    fake.next({
      json: { successCount: 2, failCount: 1, failedUpdates: { quarantinedEmails: ['p0@mail.test'] } },
    });

    const outcomes = await partOf(connection, 'objects').write(batchOf('upsert')(3), call());

    expect(states(outcomes)).toEqual(['rejected', 'ok', 'ok']);
  });
});

describe('iterable: users who go', () => {
  it('are deleted one by one, encoded, and may be gone already', async () => {
    const { connection, fake } = await connected();
    fake.state.users.set('a/b+c@mail.test', {});
    const items = ['a/b+c@mail.test', 'stranger@mail.test', 'p1@mail.test'].map((email) =>
      item({ email }, email),
    );

    const outcomes = await partOf(connection, 'objects').write(batch('delete', items), call());

    expect(states(outcomes)).toEqual(['ok', 'ok', 'ok']);
    expect(fake.requests.map(({ path }) => path)[0]).toBe('/api/users/a%2Fb%2Bc%40mail.test');
    expect([...fake.state.users.keys()]).toEqual(['p0@mail.test', 'p2@mail.test']);
  });

  it('are found by their id where the project knows them by it', async () => {
    const { connection, fake } = await connected({ projectType: 'userId' }, { projectType: 'userId' });
    fake.state.users.set('u 1', {});

    await partOf(connection, 'objects').write(batch('delete', [item({ userId: 'U 1' })], ['userId']), call());

    expect(fake.requests.map(({ path }) => path)).toEqual(['/api/users/byUserId/U%201']);
  });

  it.each<[string, Answer, readonly string[]]>([
    ['asks for a pause', said(429, 'RateLimitExceeded', 'Exceeded rate limit'), ['ok', 'retry', 'retry']],
    ['refuses one of them', said(400, 'InvalidEmailAddressError', 'Invalid email'), ['ok', 'rejected', 'ok']],
  ])('stay deleted when Iterable %s in the middle', async (_what, answer, wanted) => {
    const { connection, fake } = await connected();
    fake.next(undefined, answer);

    expect(states(await partOf(connection, 'objects').write(batchOf('delete')(3), call()))).toEqual(wanted);
  });

  it('end the run when the key is refused in the middle', async () => {
    const { connection, fake } = await connected();
    fake.next(undefined, said(401, 'BadApiKey'));

    expect((await thrownBy(partOf(connection, 'objects').write(batchOf('delete')(3), call()))).code).toBe(
      'AUTH_REJECTED',
    );
  });
});

describe('iterable: what an error is about', () => {
  it.each<[string, Answer, string]>([
    ['413, too much at once', said(413, 'BatchTooLarge'), 'ROW_REJECTED'],
    ['413 of something in between', { status: 413, text: '<html>' }, 'ROW_REJECTED'],
    ['409', said(409, 'ExternalKeyConflict'), 'ROW_REJECTED'],
    ['400 with the code of a success', said(400, 'Success', 'bad user p0@mail.test'), 'ROW_REJECTED'],
    ['400 for a trouble of its own', said(400, 'DatabaseError'), 'UNAVAILABLE'],
    ['no more fields', said(400, 'UniqueFieldsLimitExceeded'), 'INPUT_INVALID'],
    ['another kind of key', said(403, 'Forbidden'), 'PERMISSION_DENIED'],
    ['a pause', said(429, 'RateLimitExceeded'), 'RATE_LIMITED'],
    ['types, without which', said(400, 'RequestFieldsTypesMismatched'), 'ROW_REJECTED'],
  ])('%s', async (_what, answer, code) => {
    const { connection, fake } = await connected();
    await connection.check('objects');
    fake.always(answer);

    const error = await thrownBy(partOf(connection, 'objects').write(batchOf('upsert')(2), call()));

    expect(error.code).toBe(code);
    expect(error.message).not.toContain('p0@');
  });
});

describe('iterable: events', () => {
  it('have an id of their own, whole seconds, and times that Iterable takes for times', async () => {
    const { connection, fake } = await connected();
    const properties = { plan: 'pro', at: '2026-11-23T10:00:00.5Z' };

    await partOf(connection, 'events').send([event(1, { properties })], call());

    expect(fake.to(trackBulk)[0]?.json()).toEqual({
      events: [
        {
          email: 'p1@mail.test',
          id: event(1).id,
          eventName: 'Trial ended',
          createdAt: Date.parse('2026-11-23T11:00:01Z') / 1000,
          dataFields: { plan: 'pro', at: '2026-11-23 10:00:00 +00:00' },
        },
      ],
    });
  });

  it('are the same event when they come again, in another run and with other values', async () => {
    const { connection, fake } = await connected();
    const { send, repeatsKnownForMs } = partOf(connection, 'events');

    await send([event(1)], call());
    await send([event(1, { properties: { plan: 'free' } })], call({ run: 'run-2', again: true }));

    expect(repeatsKnownForMs).toBeUndefined();
    expect([...fake.state.events.values()]).toMatchObject([{ dataFields: { plan: 'free' } }]);
  });

  it('of a hybrid project say who it is by one of both', async () => {
    const { connection, fake } = await connected({ projectType: 'hybrid' }, { projectType: 'hybrid' });
    const { send } = partOf(connection, 'events');

    await send([event(1, { person: { email: 'p1@mail.test', userId: 'u1' } }), event(2)], call());

    const [first, second] = fake.to(trackBulk)[0]?.json<{ events: Record<string, unknown>[] }>().events ?? [];
    expect([first?.['userId'], first?.['email'], second?.['email']]).toEqual([
      'u1',
      undefined,
      'p2@mail.test',
    ]);
  });

  it('of one user are refused together, because the answer names the user and no event', async () => {
    const { connection, fake } = await connected();
    fake.state.forgotten.add('p1@mail.test');
    const person = { email: 'P1@mail.test' };

    const outcomes = await partOf(connection, 'events').send(
      [event(0, { person }), event(2), event(1, { person })],
      call(),
    );

    expect(states(outcomes)).toEqual(['rejected', 'ok', 'rejected']);
  });

  it('of a name that the project does not take are refused by it', async () => {
    const { connection, fake } = await connected();
    fake.state.disallowed.add('Secret');

    const outcomes = await partOf(connection, 'events').send(
      [event(0), event(1, { name: 'Secret' })],
      call(),
    );

    expect(outcomes).toEqual([
      { state: 'ok' },
      { state: 'rejected', reason: 'The project takes no events of this name.' },
    ]);
  });

  it('of no time are not sent', async () => {
    const { connection, fake } = await connected();

    const outcomes = await partOf(connection, 'events').send([event(0, { time: 'yesterday' })], call());

    expect(outcomes).toEqual([{ state: 'rejected', reason: 'There is no such time.', field: 'time' }]);
    expect(fake.requests).toEqual([]);
  });
});

describe('iterable: lists', () => {
  const on = (fake: FakeIterable): readonly string[] => [...(fake.state.lists[0]?.users ?? [])];

  it('are the static ones', async () => {
    const { connection } = await connected();

    expect(await partOf(connection, 'audiences').lists('')).toEqual([{ value: '1', label: 'Buyers' }]);
    expect(await partOf(connection, 'audiences').lists('lately')).toEqual([]);
  });

  it('lose people without taking them off the channel, which is what happens when nothing is said', async () => {
    const { connection, fake } = await connected();
    const { add, remove } = partOf(connection, 'audiences');
    await add('1', [member({ email: 'p1@mail.test' }, { plan: 'pro' })], call());
    expect(on(fake)).toEqual(['p1@mail.test']);
    expect(fake.state.users.get('p1@mail.test')).toMatchObject({ plan: 'pro' });

    expect(await remove('1', [member({ email: 'p1@mail.test' })], call())).toEqual([{ state: 'ok' }]);

    expect(on(fake)).toEqual([]);
    expect(fake.state.offChannel.size).toBe(0);
  });

  it.each([
    ['leave', 'rejected'],
    ['make', 'ok'],
  ])('and people whom Iterable lacks: %s', async (strangers, state) => {
    const { connection, fake } = await connected(
      { projectType: 'hybrid', strangers },
      { projectType: 'hybrid' },
    );

    const outcomes = await partOf(connection, 'audiences').add('1', [member({ userId: 'new' })], call());

    expect(states(outcomes)).toEqual([state]);
    expect(fake.state.users.has('new')).toBe(state === 'ok');
  });

  it('are rid of people who are nobody, were forgotten or never had a right address', async () => {
    const { connection, fake } = await connected();
    fake.state.forgotten.add('gone@mail.test');
    const leaving = ['gone@mail.test', 'stranger@mail.test', 'no address'].map((email) =>
      member({ email }, {}, email),
    );

    expect(states(await partOf(connection, 'audiences').remove('1', leaving, call()))).toEqual([
      'ok',
      'ok',
      'ok',
    ]);
  });

  it.each(['add', 'remove'] as const)(
    'that are gone end the run, though the code says success: %s',
    async (verb) => {
      const { connection } = await connected();

      const changing = partOf(connection, 'audiences')[verb](
        '99',
        [member({ email: 'p1@mail.test' })],
        call(),
      );

      expect((await thrownBy(changing)).code).toBe('TARGET_GONE');
    },
  );

  it('are known by a number', async () => {
    const { connection, fake } = await connected();

    const adding = partOf(connection, 'audiences').add('Buyers', [member({ email: 'p1@mail.test' })], call());

    expect((await thrownBy(adding)).code).toBe('INPUT_INVALID');
    expect(fake.requests).toEqual([]);
  });

  it('can have facts about people, with the types that Iterable keeps', async () => {
    const { connection, fake } = await connected();
    const { traits, add } = partOf(connection, 'audiences');

    expect((await traits('1')).map(({ name }) => name)).toEqual(expect.arrayContaining(['plan', 'seats']));
    const outcomes = await add(
      '1',
      [member({ email: 'p1@mail.test' }, { seats: '12345678901234567890' })],
      call(),
    );

    expect(outcomes).toMatchObject([{ state: 'rejected', field: 'seats' }]);
    expect(on(fake)).toEqual([]);
  });
});
