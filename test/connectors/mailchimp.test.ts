import { describe, expect, it } from 'vitest';
import { mailchimp } from '../../connectors/mailchimp/index.ts';
import type { Audiences, Member, Value } from '../../engine/contracts/destination.ts';
import type { ActivateError } from '../../engine/contracts/errors.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { destinationContract } from '../contracts/destination.ts';
import { partOf } from '../contracts/works.ts';
import { apiKey, type FakeMailchimp, problem, startMailchimp } from '../fakes/mailchimp.ts';
import { call, openFor } from '../support/connect.ts';

const list = 'a1b2c3d4e5:7';
const audiencePath = '/3.0/lists/a1b2c3d4e5';
const segmentPath = `${audiencePath}/segments/7`;

const person = (email: string, traits: Readonly<Record<string, Value>> = {}, key = email): Member => ({
  key,
  identifiers: { email },
  traits,
});

const people = (n: number, bad?: number): readonly Member[] =>
  Array.from({ length: n }, (_, i) =>
    person(i === bad ? 'fake@example.com' : `p${i}@mail.test`, { FNAME: `First ${i}` }, `k${i}`),
  );

const typed = (fake: FakeMailchimp): Raw => ({ apiKey, statusIfNew: 'pending', baseUrl: fake.url });

async function withMailchimp(
  test: (audiences: Audiences, fake: FakeMailchimp, check: () => Promise<readonly string[]>) => Promise<void>,
  more: Raw = {},
): Promise<void> {
  const fake = await startMailchimp();
  const opened = await openFor(mailchimp, { ...typed(fake), ...more });
  try {
    await test(partOf(opened.connection, 'audiences'), fake, () => opened.connection.check('audiences'));
    fake.expectNoUnexpected();
  } finally {
    await opened.close();
    await fake.close();
  }
}

const thrownBy = (doing: Promise<unknown>): Promise<ActivateError> =>
  doing.then(
    () => {
      throw new Error('nothing was thrown');
    },
    (error: unknown) => error as ActivateError,
  );

const contactsOf = ({ state }: FakeMailchimp) =>
  [...state.audiences[0]!.contacts.values()].map(({ address, status, tags, merged }) => ({
    address,
    status,
    tags: [...tags],
    merged,
  }));

/** Somebody who is a contact already, with a status and a tag of somebody else's. */
function known(fake: FakeMailchimp, address: string, status: string): void {
  fake.state.audiences[0]!.contacts.set(address, { address, status, merged: {}, tags: new Set([55]) });
}

destinationContract('mailchimp', {
  connector: mailchimp,
  renewsToken: false,
  start: async () => {
    const fake = await startMailchimp();
    return {
      fake,
      config: typed(fake),
      wrongConfig: { ...typed(fake), apiKey: 'fedcba9876543210fedcba9876543210-us19' },
      stored: () => [contactsOf(fake), fake.state.tags.map(({ name }) => name)],
    };
  },
  parts: { audiences: { list, members: people } },
  says: {
    unauthorized: problem(401, 'API Key Invalid'),
    broken: [
      problem(500, 'Internal Server Error'),
      { status: 504, text: '<html>' },
      { status: 503, text: '' },
    ],
  },
});

describe('mailchimp: who enters', () => {
  it('becomes a contact of the chosen status, with the tag', () =>
    withMailchimp(async (audiences, fake) => {
      const outcomes = await audiences.add(list, [person('ada@mail.test', { FNAME: 'Ada' })], call());

      expect(outcomes).toEqual([{ state: 'ok' }]);
      expect(contactsOf(fake)).toEqual([
        { address: 'ada@mail.test', status: 'pending', tags: [7], merged: { FNAME: 'Ada' } },
      ]);
    }));

  it.each(['unsubscribed', 'cleaned', 'transactional'])(
    'keeps the status %s that they have, and their other tags',
    (status) =>
      withMailchimp(
        async (audiences, fake) => {
          known(fake, 'ada@mail.test', status);
          known(fake, 'ben@mail.test', status);

          const both = [person('ada@mail.test'), person('ben@mail.test', { FNAME: 'Ben' })];
          expect(await audiences.add(list, both, call())).toEqual([{ state: 'ok' }, { state: 'ok' }]);

          expect(contactsOf(fake)).toMatchObject([
            { status, tags: [55, 7], merged: {} },
            { status, tags: [55, 7], merged: { FNAME: 'Ben' } },
          ]);
          expect(fake.to(`POST ${audiencePath}`)[0]!.json()).toMatchObject({ update_existing: false });
          const [put] = fake.to(`PUT ${audiencePath}/members/:id`);
          expect(put!.json()).toMatchObject({ status_if_new: 'subscribed' });
          expect(put!.json()).not.toHaveProperty('status');
        },
        { statusIfNew: 'subscribed' },
      ),
  );

  it('is not asked about a status that nobody chose', async () => {
    await expect(openFor(mailchimp, { apiKey })).rejects.toThrow(/statusIfNew/);
  });

  it('travels with 500 others', () =>
    withMailchimp(async (audiences, fake) => {
      const outcomes = await audiences.add(list, people(500), call());

      expect(audiences.limits).toMatchObject({ rows: 500, concurrency: 5 });
      expect(outcomes.every(({ state }) => state === 'ok')).toBe(true);
      expect(fake.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
        `GET ${segmentPath}`,
        `POST ${audiencePath}`,
        `POST ${segmentPath}`,
      ]);
    }));

  it('is refused alone, by address, when Mailchimp answers 200 with errors', () =>
    withMailchimp(async (audiences, fake) => {
      const state =
        'ben@mail.test is in a compliance state due to unsubscribe, bounce, or compliance review and cannot be subscribed.';
      fake.state.refused.set('ben@mail.test', state);
      fake.state.refused.set(
        'cleo@mail.test',
        'cleo@mail.test was permanently deleted and cannot be re-imported.',
      );

      const outcomes = await audiences.add(
        list,
        ['ada', 'ben', 'cleo', 'dan'].map((name) => person(`${name}@mail.test`)),
        call(),
      );

      expect(outcomes.map((outcome) => outcome.state)).toEqual(['ok', 'rejected', 'rejected', 'ok']);
      expect(outcomes[1]).toMatchObject({ reason: expect.stringContaining('compliance state') });
      expect(JSON.stringify(outcomes)).not.toContain('@mail.test');
    }));

  it('is sent once when two rows share an address', () =>
    withMailchimp(async (audiences, fake) => {
      const outcomes = await audiences.add(
        list,
        [person('ada@mail.test', {}, 'k1'), person('ada@mail.test', {}, 'k2')],
        call(),
      );

      expect(outcomes).toEqual([{ state: 'ok' }, { state: 'ok' }]);
      expect(fake.to(`POST ${audiencePath}`)[0]!.json<{ members: unknown[] }>().members).toHaveLength(1);
    }));

  it('is tagged no second time: the call that tags would say the same as of a stranger', () =>
    withMailchimp(async (audiences, fake) => {
      await audiences.add(list, people(2), call());
      const before = fake.to(`POST ${segmentPath}`).length;

      expect(await audiences.add(list, people(2), call({ again: true }))).toEqual([
        { state: 'ok' },
        { state: 'ok' },
      ]);
      expect(fake.to(`POST ${segmentPath}`)).toHaveLength(before);
    }));

  it('has the tag already, without facts to write', () =>
    withMailchimp(async (audiences, fake) => {
      const ada = [person('ada@mail.test')];
      await audiences.add(list, ada, call());

      expect(await audiences.add(list, ada, call({ again: true }))).toEqual([{ state: 'ok' }]);
      expect(contactsOf(fake)).toMatchObject([{ tags: [7] }]);
    }));

  it('is tagged alone, or tried again, when Mailchimp does not see them yet as it tags', () =>
    withMailchimp(async (audiences, fake) => {
      const nobody = problem(404, 'Resource Not Found');
      fake.state.late.add('p0@mail.test');
      fake.next(undefined, undefined, undefined, nobody);

      const outcomes = await audiences.add(list, people(2), call());

      expect(outcomes.map(({ state }) => state)).toEqual(['retry', 'ok']);
      fake.state.late.add('p0@mail.test');
      expect(await audiences.add(list, people(1), call())).toEqual([{ state: 'ok' }]);
      expect(contactsOf(fake)).toMatchObject([{ tags: [7] }, { tags: [7] }]);
    }));

  it('is refused alone when new facts about a contact are', () =>
    withMailchimp(async (audiences, fake) => {
      known(fake, 'ada@mail.test', 'subscribed');
      known(fake, 'ben@mail.test', 'subscribed');
      fake.state.refused.set('ada@mail.test', 'FNAME is too long');

      const outcomes = await audiences.add(
        list,
        [person('ada@mail.test', { FNAME: 'Ada' }), person('ben@mail.test', { FNAME: 'Ben' })],
        call(),
      );

      expect(outcomes).toEqual([
        { state: 'rejected', reason: expect.stringContaining('FNAME is too long') },
        { state: 'ok' },
      ]);
      expect(contactsOf(fake).map(({ tags }) => tags)).toEqual([[55], [55, 7]]);
    }));

  it('is not known about when Mailchimp names them nowhere', () =>
    withMailchimp(async (audiences, fake) => {
      fake.next(undefined, { json: { new_members: [], updated_members: [], errors: [] } });

      expect(await audiences.add(list, people(1), call())).toMatchObject([{ state: 'unknown' }]);
    }));
});

describe('mailchimp: facts about people', () => {
  it('empties fields with an empty text, and writes truth values as texts', () =>
    withMailchimp(async (audiences, fake) => {
      await audiences.add(list, [person('ada@mail.test', { FNAME: 'Ada', LTV: 3.5 })], call());

      await audiences.add(
        list,
        [person('ada@mail.test', { FNAME: null, VIP: true, LTV: '12345678901234567890' })],
        call(),
      );

      expect(contactsOf(fake)[0]!.merged).toEqual({ FNAME: '', VIP: 'true', LTV: '12345678901234567890' });
    }));

  it('takes a postal address whole or not at all', () =>
    withMailchimp(async (audiences, fake) => {
      const whole = { addr1: '1 Main St', city: 'Atlanta', state: 'GA', zip: '30308' };

      const outcomes = await audiences.add(
        list,
        [
          person('ada@mail.test', { ADDRESS: whole }),
          person('ben@mail.test', { ADDRESS: { ...whole, zip: '' } }),
          person('cleo@mail.test', { ADDRESS: ['1 Main St'] }),
        ],
        call(),
      );

      expect(outcomes).toEqual([
        { state: 'ok' },
        ...[1, 2].map(() => ({
          state: 'rejected',
          reason: expect.stringContaining('zip'),
          field: 'ADDRESS',
        })),
      ]);
      expect(contactsOf(fake)).toHaveLength(1);
    }));

  it('sends nobody when all are refused beforehand', () =>
    withMailchimp(async (audiences, fake) => {
      const outcomes = await audiences.add(list, [person('ada@mail.test', { ADDRESS: {} })], call());

      expect(outcomes).toMatchObject([{ state: 'rejected' }]);
      expect(fake.to(`POST ${audiencePath}`)).toEqual([]);
    }));

  it('offers the merge fields of the audience, none of them as required', () =>
    withMailchimp(async (audiences, fake) => {
      expect(await audiences.traits(list)).toEqual([
        { name: 'FNAME', label: 'First Name', type: 'text', required: false, key: false, maxLength: 25 },
        { name: 'LTV', label: 'Value', type: 'number', required: false, key: false },
        { name: 'BDAY', label: 'Birthday (MM/DD)', type: 'text', required: false, key: false },
        { name: 'ADDRESS', label: 'Address', type: 'json', required: false, key: false },
        { name: 'SINCE', label: 'Since', type: 'date', required: false, key: false },
        { name: 'PLAN', label: 'Plan', type: 'text', required: false, key: false, options: ['free', 'paid'] },
      ]);

      await audiences.add(list, people(1), call());
      expect(fake.to(`POST ${audiencePath}`)[0]!.query.get('skip_merge_validation')).toBe('true');
    }));
});

describe('mailchimp: who leaves', () => {
  it('loses the tag, and stays the contact that they are', () =>
    withMailchimp(async (audiences, fake) => {
      known(fake, 'ada@mail.test', 'subscribed');
      await audiences.add(list, [person('ada@mail.test')], call());

      expect(await audiences.remove(list, [person('ada@mail.test')], call())).toEqual([{ state: 'ok' }]);

      expect(contactsOf(fake)).toEqual([
        { address: 'ada@mail.test', status: 'subscribed', tags: [55], merged: {} },
      ]);
    }));

  it('is asked for alone when not among those that had the tag, and may be a stranger', () =>
    withMailchimp(async (audiences, fake) => {
      await audiences.add(
        list,
        [person('urist.mcvankab@freddiesjabberjab.com'), person('ada@mail.test')],
        call(),
      );
      fake.state.late.add('urist.mcvankab@freddiesjabberjab.com');

      const leaving = ['ada@mail.test', 'urist.mcvankab@freddiesjabberjab.com', 'stranger@mail.test'];
      const outcomes = await audiences.remove(
        list,
        leaving.map((address) => person(address)),
        call(),
      );

      expect(outcomes.map(({ state }) => state)).toEqual(['ok', 'ok', 'ok']);
      expect(contactsOf(fake).map(({ tags }) => tags)).toEqual([[], []]);
      expect(fake.to(`POST ${audiencePath}/members/:id/tags`).map(({ path }) => path)).toContain(
        `${audiencePath}/members/f50c27ddd7003ce145e57c99210bc89f/tags`,
      );
    }));
});

describe('mailchimp: errors', () => {
  it('takes 403 without a word for throttling, and with one for missing rights', () =>
    withMailchimp(async (audiences, fake) => {
      fake.next({ status: 403, text: '' }, problem(403, 'User Disabled', 'This account has been disabled.'));

      expect(await thrownBy(audiences.add(list, people(1), call()))).toMatchObject({
        code: 'RATE_LIMITED',
        retryAfterMs: undefined,
      });
      expect(await thrownBy(audiences.add(list, people(1), call()))).toMatchObject({
        code: 'PERMISSION_DENIED',
      });
    }));

  it('halves a batch that is refused as a whole for what it holds, and quotes nobody', () =>
    withMailchimp(async (audiences, fake) => {
      fake.next(
        undefined,
        problem(400, 'Invalid Resource', 'p0@mail.test is no address, and First 1 no name'),
      );

      const error = await thrownBy(audiences.add(list, people(2), call()));

      expect(error.code).toBe('ROW_REJECTED');
      expect(error.message).toContain('Invalid Resource');
      expect(error.message).not.toMatch(/p0@|First 1/);
    }));

  it.each(['9', '8'])('ends when the tag is gone, or is segment %s that Mailchimp fills by itself', (id) =>
    withMailchimp(async (audiences, fake) => {
      const gone = await thrownBy(audiences.add(`a1b2c3d4e5:${id}`, people(1), call()));
      const again = await thrownBy(audiences.remove(`a1b2c3d4e5:${id}`, people(1), call()));

      expect([gone.code, again.code]).toEqual(['TARGET_GONE', 'TARGET_GONE']);
      expect(contactsOf(fake)).toEqual([]);
    }),
  );

  it('does not take anything else for a list', () =>
    withMailchimp(async (audiences) => {
      for (const other of ['a1b2c3d4e5', 'a1:7/../x', ':7', 'a1:x']) {
        expect(
          (await thrownBy(Promise.resolve().then(() => audiences.add(other, people(1), call())))).code,
        ).toBe('INPUT_INVALID');
      }
    }));
});

describe('mailchimp: lists', () => {
  it('offers tags, with their audience where there are several', () =>
    withMailchimp(async (audiences, fake) => {
      expect(await audiences.lists('buy')).toEqual([{ value: list, label: 'Buyers' }]);

      fake.state.audiences.push({ id: 'ffff', name: 'Partners', contacts: new Map() });
      fake.state.tags.push({ id: 9, audience: 'ffff', name: 'Buyers', type: 'static' });

      expect(await audiences.lists('buy')).toEqual([
        { value: 'ffff:9', label: 'Buyers (Partners)' },
        { value: list, label: 'Buyers (Newsletter)' },
      ]);
    }));

  it('finds a tag before it makes one, whatever its capitals', () =>
    withMailchimp(async (audiences, fake) => {
      expect(await audiences.create('bUYERS')).toBe(list);
      expect(await audiences.create('Buyers of shoes')).toBe('a1b2c3d4e5:102');
      expect(fake.state.tags.map(({ name }) => name)).toEqual(['Buyers', 'Opened lately', 'Buyers of shoes']);
    }));

  it('makes a tag in the audience that was chosen, and in none when there is a choice', async () => {
    await withMailchimp(async (audiences, fake) => {
      fake.state.audiences.push({ id: 'ffff', name: 'Partners', contacts: new Map() });
      expect(await thrownBy(audiences.create('Churned'))).toMatchObject({
        code: 'CONFIG_INVALID',
        fields: { audience: expect.any(String) },
      });
    });
    await withMailchimp(
      async (audiences, fake) => {
        fake.state.audiences.push({ id: 'ffff', name: 'Partners', contacts: new Map() });
        expect(await audiences.create('Churned')).toBe('ffff:102');
      },
      { audience: 'ffff' },
    );
  });
});

describe('mailchimp: connection', () => {
  it('says when the account has no audience, or not the one that was chosen', async () => {
    await withMailchimp(async (_audiences, fake, check) => {
      fake.state.audiences.length = 0;
      expect(await check()).toEqual([expect.stringContaining('no audience')]);
    });
    await withMailchimp(
      async (_audiences, _fake, check) =>
        expect(await thrownBy(check())).toMatchObject({
          code: 'CONFIG_INVALID',
          fields: { audience: expect.any(String) },
        }),
      { audience: 'zzz' },
    );
  });

  it('calls the data centre that the key names', async () => {
    const fake = await startMailchimp();
    const opened = await openFor(
      mailchimp,
      { apiKey, statusIfNew: 'pending' },
      { standIns: { 'us19.api.mailchimp.com': fake.url } },
    );

    expect(await opened.connection.check('audiences')).toEqual([]);
    expect(fake.to('GET /3.0/ping')).toHaveLength(1);
    await opened.close();
    await fake.close();
  });

  it.each(['0123', '0123-us19.evil.test/', '0123-evil.test#-us1', '0123-us19@evil.test', 'a-us19\u0000'])(
    'lets no key say where to call: %j',
    async (key) => {
      await expect(openFor(mailchimp, { apiKey: key, statusIfNew: 'pending' })).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        fields: { apiKey: expect.any(String) },
      });
    },
  );
});
