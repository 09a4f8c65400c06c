import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { mixpanel } from '../../connectors/mixpanel/index.ts';
import type { Event } from '../../engine/contracts/destination.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { destinationContract, type Harness } from '../contracts/destination.ts';
import { partOf } from '../contracts/works.ts';
import type { Answer, FakeHttp } from '../fakes/http.ts';
import { type MixpanelState, startMixpanel } from '../fakes/mixpanel.ts';
import { call, type Opened, openFor } from '../support/connect.ts';

const event = (n: number, more: Partial<Event> = {}): Event => ({
  key: `k${n}`,
  id: createHash('md5').update(String(n)).digest('hex'),
  name: 'Trial ended',
  time: '2026-11-23T11:00:00.123456Z',
  person: { user_id: `user-${n}` },
  properties: { plan: 'pro', big: '9007199254740993' },
  ...more,
});
const bad = { properties: { note: 'refuse me' } };
const several = (n: number): readonly Event[] => Array.from({ length: n }, (_, i) => event(i));

function configOf({ url, state }: FakeHttp<MixpanelState>): Raw {
  const { username, secret, projectId } = state;
  return { username, secret, projectId, region: 'us', baseUrl: url };
}

const harness: Harness = {
  connector: mixpanel,
  renewsToken: false,
  start: async () => {
    const fake = await startMixpanel();
    const config = configOf(fake);
    return {
      fake,
      config,
      wrongConfig: { ...config, secret: 'an0therSecret' },
      // Reports show the copy that came last; here it differs in nothing.
      stored: () => [...fake.state.events],
    };
  },
  parts: {
    events: (n, at) => Array.from({ length: n }, (_, i) => event(i, i === at ? bad : {})),
  },
};

destinationContract('mixpanel', harness);

const open: { close(): Promise<void> }[] = [];
const noon = new Date('2026-11-23T12:00:00Z');

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

interface Connected extends Opened {
  readonly fake: FakeHttp<MixpanelState>;
  /** Sets the clocks of both sides. */
  readonly setNow: (now: Date) => void;
}

async function connected(more: Raw = {}): Promise<Connected> {
  const fake = await startMixpanel();
  open.push(fake);
  fake.state.now = noon;
  const opened = await openFor(mixpanel, { ...configOf(fake), ...more }, { now: () => fake.state.now });
  open.push(opened);
  const setNow = (now: Date): void => {
    fake.state.now = now;
  };
  return { ...opened, fake, setNow };
}

interface Body {
  readonly event: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

describe('an import', () => {
  it('is strict, packed, signed in and about the project', async () => {
    const { connection, fake } = await connected();

    await partOf(connection, 'events').send([event(1)], call());

    const [request] = fake.requests;
    expect(request).toMatchObject({ path: '/import', headers: { 'content-encoding': 'gzip' } });
    expect(Object.fromEntries(request?.query ?? [])).toEqual({ strict: '1', project_id: '1234567' });
    expect(request?.json()).toEqual([
      {
        event: 'Trial ended',
        properties: {
          plan: 'pro',
          big: '9007199254740993',
          time: Date.parse('2026-11-23T11:00:00.123Z'),
          distinct_id: 'user-1',
          $user_id: 'user-1',
          $insert_id: event(1).id,
        },
      },
    ]);
  });

  it.each([
    [
      { user_id: 'u', device_id: 'd' },
      { distinct_id: 'u', $user_id: 'u', $device_id: 'd' },
    ],
    [{ device_id: 'd' }, { distinct_id: '$device:d', $device_id: 'd' }],
    [{ distinct_id: 'x' }, { distinct_id: 'x' }],
    [
      { distinct_id: 'x', user_id: 'u' },
      { distinct_id: 'x', $user_id: 'u' },
    ],
  ])('always says who it is about: %j', async (person: Event['person'], wanted) => {
    const { connection, fake } = await connected();

    await partOf(connection, 'events').send([event(1, { person, properties: {} })], call());

    const { time: _time, $insert_id: _id, ...who } = fake.requests[0]?.json<Body[]>()[0]?.properties ?? {};
    expect(who).toEqual(wanted);
  });

  it.each([
    ['us', 'api.mixpanel.com'],
    ['eu', 'api-eu.mixpanel.com'],
    ['in', 'api-in.mixpanel.com'],
  ])('goes to where the data is kept: %s', async (region, host) => {
    const fake = await startMixpanel();
    const { baseUrl: _baseUrl, ...config } = configOf(fake);
    const opened = await openFor(mixpanel, { ...config, region }, { standIns: { [host]: fake.url } });
    open.push(fake, opened);

    expect(await opened.connection.check('events')).toEqual([]);
    expect(fake.requests).toHaveLength(1);
  });
});

describe('a repeat', () => {
  it('is the same event in another run: its insert id is neither random nor of the run', async () => {
    const { connection, fake } = await connected();
    const { send } = partOf(connection, 'events');

    await send([event(1)], call());
    await send([event(1)], call({ run: 'run-2', again: true }));
    await send([event(1, { properties: { plan: 'free' } })], call({ run: 'run-3' }));

    const ids = fake.requests.map((request) => request.json<Body[]>()[0]?.properties['$insert_id']);
    expect(ids).toEqual(Array.from({ length: 3 }, () => event(1).id));
    expect(String(ids[0])).toMatch(/^[A-Za-z0-9-]{1,36}$/);
    expect([...fake.state.events.values()]).toMatchObject([{ properties: { plan: 'free' } }]);
    expect(fake.state.raw).toHaveLength(3);
  });

  it('is known a year later, as is declared', async () => {
    const { connection, fake, setNow } = await connected();
    const { send, repeatsKnownForMs } = partOf(connection, 'events');

    await send([event(1)], call());
    setNow(new Date('2027-11-23T12:00:00Z'));
    await send([event(1)], call({ run: 'run-2' }));

    expect(repeatsKnownForMs).toBeUndefined();
    expect(fake.state.events.size).toBe(1);
  });

  it('of a request that broke off shows nothing twice', async () => {
    const { connection, fake, pauses } = await connected();
    fake.next('done-then-reset');

    expect(await partOf(connection, 'events').send(several(3), call())).toHaveLength(3);
    expect(pauses).toHaveLength(1);
    expect(fake.state.events.size).toBe(3);
  });
});

describe('what an answer says', () => {
  it('with 400 is of the events that it names; the others are stored and not sent again', async () => {
    const { connection, fake } = await connected();

    const outcomes = await partOf(connection, 'events').send(
      [event(0), event(1, bad), event(2, { name: '' }), event(3)],
      call(),
    );

    expect(outcomes).toEqual([
      { state: 'ok' },
      {
        state: 'rejected',
        reason: "'properties.note' is invalid: '…' is not allowed",
        field: 'note',
      },
      { state: 'rejected', reason: "'event' must not be missing or blank", field: 'event' },
      { state: 'ok' },
    ]);
    expect(fake.requests).toHaveLength(1);
    expect(fake.state.raw).toHaveLength(2);
  });

  it.each([200, 400])('with %i counts what it names as refused', async (status) => {
    const { connection, fake } = await connected();
    const failed_records = [{ index: 0, insert_id: event(0).id, field: 'properties.time' }, { index: 7 }];
    fake.next({ status, json: { code: status, num_records_imported: 1, failed_records } });

    expect(await partOf(connection, 'events').send(several(2), call())).toEqual([
      { state: 'rejected', reason: 'Mixpanel does not say why.', field: 'time' },
      { state: 'ok' },
    ]);
  });

  it('without a count leaves open those that it does not name', async () => {
    const { connection, fake } = await connected();
    fake.next({ status: 400, json: { code: 400, failed_records: [{ index: 0, message: 'no' }] } });

    const outcomes = await partOf(connection, 'events').send(several(2), call());

    expect(outcomes.map(({ state }) => state)).toEqual(['rejected', 'unknown']);
  });

  it('with 200 and nothing stored is no yes', async () => {
    const { connection, fake } = await connected();
    const error = 'some data points in the request failed validation';
    fake.next({ json: { code: 200, error, num_records_imported: 0, status: 0 } });

    const outcomes = await partOf(connection, 'events').send(several(2), call());

    expect(outcomes.map(({ state }) => state)).toEqual(['unknown', 'unknown']);
  });

  it('leaves those open that it neither counts nor names', async () => {
    const { connection, fake } = await connected();
    const failed_records = [
      { index: 1, message: 'no' },
      { index: 7, message: 'There is no such event' },
    ];
    fake.next({ status: 400, json: { code: 400, num_records_imported: 2, failed_records } });

    const outcomes = await partOf(connection, 'events').send(several(4), call());

    expect(outcomes.map(({ state }) => state)).toEqual(['unknown', 'rejected', 'unknown', 'unknown']);
  });

  it.each([
    ['too large', { status: 413, json: { code: 413, error: 'request exceeds max limit' } }, 'ROW_REJECTED'],
    ['a request that is wrong as a whole', { status: 400, json: { error: 'bad project' } }, 'INPUT_INVALID'],
    ['a page of a proxy', { status: 400, text: '<html></html>' }, 'INPUT_INVALID'],
    ['a pause, with no time named', { status: 429, json: { code: 429, error: 'Slow' } }, 'RATE_LIMITED'],
    ['a success of something else', { json: { status: 'OK' } }, 'OUTCOME_UNKNOWN'],
  ] as const)('of the whole request: %s', async (_name, answer: Answer, code) => {
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

  it('fits into 2 MB when a batch is as large as is declared', async () => {
    const { connection, fake } = await connected();
    const { limits, send } = partOf(connection, 'events');
    const full: Event[] = [];
    for (let bytes = 0; full.length < limits.rows; ) {
      const n = full.length;
      // Ids are sent twice.
      const person = { user_id: `user-${n}`.padEnd(200, '0'), device_id: `device-${n}` };
      const one = event(n, { person, properties: { text: 'x'.repeat(650) } });
      bytes += Buffer.byteLength(JSON.stringify(one)) + 1;
      if (bytes > (limits.bytes ?? 0)) {
        break;
      }
      full.push(one);
    }

    const outcomes = await send(full, call());

    expect(full.length).toBeGreaterThan(1000);
    expect(outcomes.every(({ state }) => state === 'ok')).toBe(true);
    expect(fake.state.events.size).toBe(full.length);
  });
});

describe('a time', () => {
  it('that is not yet is held back, run by run, until it is an hour away', async () => {
    const { connection, fake, setNow } = await connected();
    const { send } = partOf(connection, 'events');
    const tomorrow = event(0, { time: '2026-11-24T12:00:00.000Z' });

    expect(await send([tomorrow, event(1)], call())).toEqual([
      { state: 'rejected', reason: expect.stringMatching(/an hour ahead/), field: 'time' },
      { state: 'ok' },
    ]);
    setNow(new Date('2026-11-24T11:00:00Z'));
    expect(await send([tomorrow], call({ run: 'run-2' }))).toEqual([{ state: 'ok' }]);

    expect([...fake.state.events.values()].map(({ properties }) => properties?.['time'])).toEqual([
      Date.parse('2026-11-23T11:00:00.123Z'),
      Date.parse('2026-11-24T12:00:00Z'),
    ]);
  });

  it.each(['1970-01-20T00:00:00Z', '1969-12-31T23:59:59.999999Z', '2026-13-45T00:00:00Z'])(
    'that would be taken for another one is not sent: %s',
    async (time) => {
      const { connection, fake } = await connected();

      expect(await partOf(connection, 'events').send([event(0, { time })], call())).toMatchObject([
        { state: 'rejected', field: 'time' },
      ]);
      expect(fake.requests).toEqual([]);
    },
  );

  it('of 1971 is taken for what it is', async () => {
    const { connection, fake } = await connected();

    await partOf(connection, 'events').send([event(0, { time: '1971-01-01T00:00:00Z' })], call());

    expect(fake.state.raw).toMatchObject([{ properties: { time: 31_536_000_000 } }]);
  });
});

describe('an event', () => {
  it.each(['anonymous', 'null', '0', '[]', '00000000-0000-0000-0000-000000000000'])(
    'about %s is refused, and the refusal does not repeat a long one',
    async (id) => {
      const { connection, fake } = await connected();

      const [first, second] = await partOf(connection, 'events').send(
        [event(0, { person: { user_id: id } }), event(1)],
        call(),
      );

      expect(first).toMatchObject({ state: 'rejected', field: 'distinct_id' });
      expect(second).toEqual({ state: 'ok' });
      expect(id.length > 2 && JSON.stringify(first).includes(id)).toBe(false);
      expect(fake.state.raw).toHaveLength(1);
    },
  );

  it.each([
    [254, 'ok'],
    [255, 'rejected'],
  ])('with %i properties in all is %s', async (count, state) => {
    const { connection } = await connected();
    // Those of Activate: time, distinct_id, $user_id, $insert_id.
    const properties = Object.fromEntries(Array.from({ length: count - 4 }, (_, i) => [`p${i}`, i]));

    const outcomes = await partOf(connection, 'events').send([event(0, { properties })], call());

    expect(outcomes).toMatchObject([{ state }]);
  });

  it.each(['time', 'distinct_id', '$insert_id', '$user_id', '$device_id', 'token'])(
    'does not lose a property that is called %s without a word',
    async (name) => {
      const { connection, fake } = await connected();

      const outcomes = await partOf(connection, 'events').send(
        [event(0, { properties: { [name]: 'mine' } })],
        call(),
      );

      expect(outcomes).toMatchObject([{ state: 'rejected', field: name }]);
      expect(fake.requests).toEqual([]);
    },
  );
});

describe('the connection', () => {
  it('is tried with an event that can not be stored', async () => {
    const { connection, fake } = await connected();

    expect(await connection.check('events')).toEqual([]);
    expect(fake.requests.map((request) => request.json())).toEqual([[{}]]);
    expect(fake.state.raw).toEqual([]);
  });

  it.each([{ projectId: '7654321' }, { username: 'somebody.else' }])(
    'says all that may be wrong with it: %j',
    async (typed: Raw) => {
      const { connection } = await connected(typed);

      await expect(connection.check('events')).rejects.toMatchObject({
        code: 'AUTH_REJECTED',
        fix: expect.stringMatching(/Owner or Admin.*residency/),
      });
    },
  );

  it.each([
    ['projectId', { projectId: '0a1b2c3d4e5f' }],
    ['username', { username: 'activate:s3cretOfTheAccount' }],
    ['baseUrl', { baseUrl: 'ftp://x.example' }],
  ])('says what is wrong with %s', async (name, typed: Raw) => {
    const error: unknown = await connected(typed).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({
      code: 'CONFIG_INVALID',
      fix: expect.any(String),
      fields: { [name]: expect.any(String) },
    });
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain('s3cret');
  });
});
