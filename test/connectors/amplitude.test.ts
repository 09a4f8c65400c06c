import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { amplitude } from '../../connectors/amplitude/index.ts';
import type { Event } from '../../engine/contracts/destination.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { destinationContract, type Harness } from '../contracts/destination.ts';
import { partOf } from '../contracts/works.ts';
import { type AmplitudeState, startAmplitude } from '../fakes/amplitude.ts';
import type { Answer, FakeHttp } from '../fakes/http.ts';
import { call, type Opened, openFor } from '../support/connect.ts';

const event = (n: number, more: Partial<Event> = {}): Event => ({
  key: `k${n}`,
  id: createHash('md5').update(String(n)).digest('hex'),
  name: 'Trial ended',
  time: `2026-11-23T11:00:0${n}.123456Z`,
  person: { user_id: `user-${n}` },
  properties: { plan: 'pro', big: '9007199254740993' },
  ...more,
});
const bad = { properties: { note: 'refuse me' } };
const several = (n: number): readonly Event[] => Array.from({ length: n }, (_, i) => event(i));

const harness: Harness = {
  connector: amplitude,
  renewsToken: false,
  start: async () => {
    const fake = await startAmplitude();
    const config = { apiKey: fake.state.apiKey, region: 'us', baseUrl: fake.url };
    return {
      fake,
      config,
      wrongConfig: { ...config, apiKey: 'fedcba9876543210fedcba9876543210' },
      stored: () => fake.state.events,
    };
  },
  parts: {
    events: (n, at) => Array.from({ length: n }, (_, i) => event(i, i === at ? bad : {})),
  },
};

destinationContract('amplitude', harness);

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

async function connected(more: Raw = {}): Promise<Opened & { readonly fake: FakeHttp<AmplitudeState> }> {
  const fake = await startAmplitude();
  open.push(fake);
  const opened = await openFor(amplitude, {
    apiKey: fake.state.apiKey,
    region: 'us',
    baseUrl: fake.url,
    ...more,
  });
  open.push(opened);
  return { ...opened, fake };
}

type Body = { readonly events: readonly Record<string, unknown>[] } & Record<string, unknown>;
const bodies = ({ requests }: FakeHttp<AmplitudeState>): readonly Body[] =>
  requests.map((request) => request.json<Body>());
const names = (body: Body | undefined): readonly unknown[] =>
  body?.events.map(({ user_id }) => user_id) ?? [];

describe('an upload', () => {
  it('goes to the batch upload, packed, with ids of any length and times cut to the millisecond', async () => {
    const { connection, fake } = await connected();

    await partOf(connection, 'events').send([event(1)], call());

    expect(fake.requests[0]).toMatchObject({
      path: '/batch',
      headers: { 'content-encoding': 'gzip', 'content-type': 'application/json' },
    });
    expect(bodies(fake)).toEqual([
      {
        api_key: fake.state.apiKey,
        options: { min_id_length: 1 },
        events: [
          {
            user_id: 'user-1',
            event_type: 'Trial ended',
            time: Date.parse('2026-11-23T11:00:01.123Z'),
            insert_id: event(1).id,
            event_properties: { plan: 'pro', big: '9007199254740993' },
          },
        ],
      },
    ]);
  });

  it('keeps small numbers as ids, which would be left out otherwise', async () => {
    const { connection, fake } = await connected();

    const outcomes = await partOf(connection, 'events').send(
      [event(1, { person: { user_id: '7', device_id: 'device-7' } })],
      call(),
    );

    expect(outcomes).toEqual([{ state: 'ok' }]);
    expect(fake.state.events).toMatchObject([{ user_id: '7', device_id: 'device-7' }]);
  });

  it('has its events in the order of their time, and its outcomes in that of the rows', async () => {
    const { connection, fake } = await connected();

    const outcomes = await partOf(connection, 'events').send([event(3, bad), event(1), event(2)], call());

    expect(outcomes.map(({ state }) => state)).toEqual(['rejected', 'ok', 'ok']);
    expect(bodies(fake).map(names)).toEqual([
      ['user-1', 'user-2', 'user-3'],
      ['user-1', 'user-2'],
    ]);
  });

  it('goes to Europe for a project there', async () => {
    const fake = await startAmplitude();
    const opened = await openFor(
      amplitude,
      { apiKey: fake.state.apiKey, region: 'eu' },
      { standIns: { 'api.eu.amplitude.com': fake.url } },
    );
    open.push(fake, opened);

    expect(await partOf(opened.connection, 'events').send([event(1)], call())).toEqual([{ state: 'ok' }]);
    expect(fake.state.events).toHaveLength(1);
  });
});

describe('a repeat', () => {
  it('is the same event in another run and with other values, and is known for as long as is declared', async () => {
    const { connection, fake } = await connected();
    const { send, repeatsKnownForMs = 0 } = partOf(connection, 'events');

    await send([event(1)], call());
    await send([event(1, { properties: { plan: 'free' } })], call({ run: 'run-2', again: true }));
    fake.state.now = new Date(fake.state.now.getTime() + repeatsKnownForMs - 1);
    await send([event(1)], call({ run: 'run-3' }));

    const ids = bodies(fake).map(({ events: [only] }) => only?.['insert_id']);
    expect(new Set(ids).size).toBe(1);
    expect(fake.state.events).toHaveLength(1);

    fake.state.now = new Date(fake.state.now.getTime() + 1);
    await send([event(1)], call({ run: 'run-4' }));
    expect(fake.state.events).toHaveLength(2);
  });

  it('of a request that broke off stores nothing twice', async () => {
    const { connection, fake, pauses } = await connected();
    fake.next('done-then-reset');

    expect(await partOf(connection, 'events').send(several(3), call())).toHaveLength(3);
    expect(pauses).toHaveLength(1);
    expect(fake.state.events).toHaveLength(3);
  });
});

describe('a refusal of the whole request', () => {
  it('settles the events that it names, whatever for, and sends the others again at once', async () => {
    const { connection, fake } = await connected();
    fake.state.silenced.add('gone');
    const events = [
      event(0),
      event(1, { name: '' }),
      event(2, bad),
      event(3, { person: { device_id: 'gone' } }),
      // Named with a rate of 0 among the throttled, in a refusal of those that are silenced.
      event(4, { person: { user_id: 'user-4', device_id: 'fine' } }),
    ];

    const outcomes = await partOf(connection, 'events').send(events, call());

    expect(outcomes).toEqual([
      { state: 'ok' },
      { state: 'rejected', reason: 'Amplitude misses event_type.', field: 'event_type' },
      {
        state: 'rejected',
        reason: 'Amplitude does not take what is in event_properties.',
        field: 'event_properties',
      },
      { state: 'rejected', reason: 'Amplitude takes nothing from this device any more.' },
      { state: 'ok' },
    ]);
    expect(fake.state.events.map(({ user_id }) => user_id)).toEqual(['user-0', 'user-4']);
    expect(fake.requests).toHaveLength(4);
  });

  it('that names short ids is about these events', async () => {
    const { connection, fake } = await connected();
    fake.next({ status: 400, json: { code: 400, events_with_invalid_id_lengths: { user_id: [1] } } });

    const outcomes = await partOf(connection, 'events').send(several(2), call());

    expect(outcomes).toEqual([
      { state: 'ok' },
      { state: 'rejected', reason: 'Amplitude finds user_id too short.', field: 'user_id' },
    ]);
  });

  it('for ever other events leaves the rest for later', async () => {
    const { connection, fake } = await connected();
    fake.always({ status: 400, json: { code: 400, events_with_invalid_fields: { time: [0] } } });

    const outcomes = await partOf(connection, 'events').send(several(8), call());

    expect(fake.requests).toHaveLength(5);
    expect(outcomes.map(({ state }) => state)).toEqual([
      ...Array.from({ length: 5 }, () => 'rejected'),
      ...Array.from({ length: 3 }, () => 'retry'),
    ]);
  });

  it('that names nobody lets the batch be halved, and repeats no value of a row', async () => {
    const { connection, fake } = await connected();
    fake.always({ status: 400, json: { code: 400, error: 'Invalid event JSON near user-1' } });

    await expect(partOf(connection, 'events').send(several(2), call())).rejects.toMatchObject({
      code: 'ROW_REJECTED',
      message: 'Amplitude refuses this. It says: Invalid event JSON near …',
    });
    expect(fake.requests).toHaveLength(1);
  });

  it.each([
    ['an empty answer, as for too many groups', { status: 400, json: {} }, 'ROW_REJECTED'],
    ['too large', { status: 413, json: { code: 413, error: 'Payload too large' } }, 'ROW_REJECTED'],
    [
      'a field of the request that is missing, events named or not',
      {
        status: 400,
        json: {
          error: 'Request missing required field',
          missing_field: 'api_key',
          events_with_missing_fields: { event_type: [0] },
        },
      },
      'INPUT_INVALID',
    ],
    [
      'a body that can not be read',
      { status: 400, json: { error: 'Invalid JSON request body' } },
      'INPUT_INVALID',
    ],
    ['a page of a proxy', { status: 400, text: '<html><h1>400 Bad Request</h1></html>' }, 'INPUT_INVALID'],
    ['a blocked country', { status: 403, text: 'Forbidden' }, 'PERMISSION_DENIED'],
    ['a success of something else', { json: { ok: true } }, 'OUTCOME_UNKNOWN'],
  ] as const)('for %s', async (_name, answer: Answer, code) => {
    const { connection, fake } = await connected();
    fake.always(answer);

    await expect(partOf(connection, 'events').send(several(2), call())).rejects.toMatchObject({ code });
    expect(fake.requests).toHaveLength(1);
  });

  it('halves down to the one event that is too large for a request', async () => {
    const { connection, fake } = await connected();
    const { send } = partOf(connection, 'events');
    fake.state.maxBytes = 2000;
    const large = event(0, { properties: { text: 'x'.repeat(2000) } });

    await expect(send([large, event(1)], call())).rejects.toMatchObject({ code: 'ROW_REJECTED' });
    await expect(send([large], call())).rejects.toMatchObject({ code: 'ROW_REJECTED' });
    expect(await send([event(1)], call())).toEqual([{ state: 'ok' }]);
  });

  it('for its key ends the run, says what to look at, and does not repeat the key', async () => {
    const { connection } = await connected({ apiKey: 'fedcba9876543210' });

    const error: unknown = await partOf(connection, 'events')
      .send(several(2), call())
      .catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: 'AUTH_REJECTED', fix: expect.stringContaining('region') });
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain('fedcba9876543210');
  });
});

describe('too much at a time', () => {
  it('has throttled users and devices wait for 30 seconds, and nobody else', async () => {
    const { connection, fake } = await connected();
    fake.state.throttled.add('user-1').add('device-2');
    const events = [
      event(0),
      event(1),
      event(2, { person: { user_id: 'u', device_id: 'device-2' } }),
      event(3),
    ];

    const outcomes = await partOf(connection, 'events').send(events, call());

    const throttled = { state: 'retry', reason: expect.stringMatching(/at a time/), afterMs: 30_000 };
    expect(outcomes).toEqual([{ state: 'ok' }, throttled, throttled, { state: 'ok' }]);
    expect(fake.state.events.map(({ user_id }) => user_id)).toEqual(['user-0', 'user-3']);
    expect(fake.requests).toHaveLength(2);

    fake.state.throttled.clear();
    expect(await partOf(connection, 'events').send(events, call({ again: true }))).toHaveLength(4);
    expect(fake.state.events).toHaveLength(4);
  });

  it('leaves those over the quota of a day to the next run', async () => {
    const { connection, fake } = await connected();
    fake.state.overQuota.add('user-1');
    fake.state.throttled.add('user-2');

    const outcomes = await partOf(connection, 'events').send(several(3), call());

    expect(outcomes).toMatchObject([
      { state: 'ok' },
      { state: 'rejected', reason: expect.stringMatching(/24 hours/) },
      { state: 'retry', afterMs: 30_000 },
    ]);
  });

  it.each([
    ['users and no places', { throttled_users: { 'user-0': 4000 } }],
    ['places and nobody', { throttled_events: [0] }],
  ])('may be said with %s', async (_name, named) => {
    const { connection, fake } = await connected();
    fake.next({ status: 429, json: { code: 429, ...named } });

    const outcomes = await partOf(connection, 'events').send(several(2), call());

    expect(outcomes).toMatchObject([{ state: 'retry', afterMs: 30_000 }, { state: 'ok' }]);
  });
});

describe('what is not sent at all', () => {
  it.each(['null', 'NULL', 'None', 'undefined', 'NaN', 'anonymous', '00000000-0000-0000-0000-000000000000'])(
    'is a row about %s',
    async (id) => {
      const { connection, fake } = await connected();

      const outcomes = await partOf(connection, 'events').send(
        [event(0, { person: { device_id: 'device-1', user_id: id } }), event(1)],
        call(),
      );

      expect(outcomes).toEqual([
        { state: 'rejected', reason: 'What the row has as user_id means nobody.', field: 'user_id' },
        { state: 'ok' },
      ]);
      expect(bodies(fake).map(names)).toEqual([['user-1']]);
    },
  );

  it('is a row without a time that there is, which would get the time of its arrival', async () => {
    const { connection, fake } = await connected();

    const outcomes = await partOf(connection, 'events').send(
      [event(0, { time: '2026-13-45T00:00:00Z' })],
      call(),
    );

    expect(outcomes).toEqual([{ state: 'rejected', reason: 'There is no such time.', field: 'time' }]);
    expect(fake.requests).toEqual([]);
  });
});

describe('the check', () => {
  it('proves the key by something that counts as no event, and does so again without a trace', async () => {
    const { connection, fake } = await connected();

    expect(await connection.check('events')).toEqual([]);
    expect(await connection.check('events')).toEqual([]);

    expect([...fake.state.identified]).toEqual(['activate_connection_check']);
    expect(fake.state.events).toEqual([]);
  });

  it('does not take being throttled for a yes', async () => {
    const { connection, fake } = await connected();
    fake.state.throttled.add('activate_connection_check');

    await expect(connection.check('events')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('says what is wrong with a base URL', async () => {
    await expect(connected({ baseUrl: 'ftp://x.example' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { baseUrl: expect.any(String) },
      fix: expect.any(String),
    });
  });
});
