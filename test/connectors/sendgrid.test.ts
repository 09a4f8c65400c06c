import { describe, expect, it } from 'vitest';
import { sendgrid } from '../../connectors/sendgrid/index.ts';
import type { Audiences, Member, Value } from '../../engine/contracts/destination.ts';
import type { ActivateError } from '../../engine/contracts/errors.ts';
import { normaliser } from '../../engine/identity/normalise.ts';
import { destinationContract } from '../contracts/destination.ts';
import { partOf } from '../contracts/works.ts';
import {
  apiKey,
  buyers,
  type FakeSendgrid,
  type Fields,
  on,
  pausedUntil,
  refused,
  startSendgrid,
} from '../fakes/sendgrid.ts';
import { call, openFor } from '../support/connect.ts';

const typed = (fake: FakeSendgrid) => ({ apiKey, baseUrl: fake.url });

function member(
  key: string,
  identifiers: Readonly<Record<string, string>>,
  traits: Readonly<Record<string, Value>> = {},
): Member {
  return { key, identifiers, traits };
}

function people(n: number, at?: number): readonly Member[] {
  return Array.from({ length: n }, (_, i) =>
    member(`k${i}`, { email: i === at ? 'nobody-at-all' : `p${i}@mail.example` }),
  );
}

const states = (outcomes: readonly { readonly state: string }[]): readonly string[] =>
  outcomes.map(({ state }) => state);

const sentTo = (fake: FakeSendgrid): readonly (readonly Fields[])[] =>
  fake.to('PUT /v3/marketing/contacts').map((request) => request.json<{ contacts: Fields[] }>().contacts);

const search = (way: string): string => `POST /v3/marketing/contacts/search/identifiers/${way}`;
const removal = 'DELETE /v3/marketing/lists/:id/contacts';

async function withSendgrid(
  test: (audiences: Audiences, fake: FakeSendgrid, check: () => Promise<readonly string[]>) => Promise<void>,
  now: () => Date = () => new Date(),
): Promise<void> {
  const fake = await startSendgrid();
  const opened = await openFor(sendgrid, typed(fake), { now });
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

destinationContract('sendgrid', {
  connector: sendgrid,
  renewsToken: false,
  start: async () => {
    const fake = await startSendgrid();
    return {
      fake,
      config: typed(fake),
      wrongConfig: { ...typed(fake), apiKey: 'SG.of-somebody-else.0123456789' },
      stored: () => ({
        lists: fake.state.lists,
        contacts: fake.state.contacts.map(({ fields, lists }) => ({ fields, lists: [...lists] })),
      }),
    };
  },
  parts: { audiences: { list: buyers, members: people } },
  says: {
    unauthorized: refused(401, 'authorization required'),
    quoting: ({ headers, body }) => refused(400, `${JSON.stringify(headers)} ${body}`),
  },
});

describe('sendgrid: people', () => {
  it('come by what they are known by and with facts, fields of one’s own by their ids', () =>
    withSendgrid(async (audiences, fake) => {
      const facts = { first_name: 'Ada', city: null, w1: 3, e2_D: '2026-03-01', e3_T: true };

      await audiences.add(
        buyers,
        [member('1', { email: 'ada@mail.example', phone_number_id: '+441134960987' }, facts)],
        call(),
      );

      expect(fake.to('PUT /v3/marketing/contacts')[0]!.json()).toEqual({
        list_ids: [buyers],
        contacts: [
          {
            email: 'ada@mail.example',
            phone_number_id: '+441134960987',
            first_name: 'Ada',
            city: '',
            custom_fields: { w1: 3, e2_D: '03/01/2026', e3_T: 'true' },
          },
        ],
      });
    }));

  it('have numbers as numbers, digits of a text among them, and no empty text where a number or a day is missing', () =>
    withSendgrid(async (audiences, fake) => {
      const two = [
        member('1', { email: 'a@mail.example' }, { w1: '12.50', e2_D: null, e3_T: null }),
        member('2', { email: 'b@mail.example' }, { w1: null }),
      ];

      expect(states(await audiences.add(buyers, two, call()))).toEqual(['ok', 'ok']);
      expect(sentTo(fake)[0]!.map(({ custom_fields: own }) => own)).toEqual([
        { w1: 12.5, e2_D: null, e3_T: '' },
        { w1: null },
      ]);
    }));

  it('are known by values in the published form', async () => {
    const { identify } = normaliser(1);
    await withSendgrid(async ({ identifiers }) => {
      const formed = (name: string, text: string) =>
        identify(identifiers.find((one) => one.name === name)!, text, {});

      expect(formed('email', ' Mary@Example.COM ')).toMatchObject({ value: 'mary@example.com' });
      expect(formed('phone_number_id', '+44 (0)113 496 0987')).toMatchObject({ value: '+441134960987' });
      expect(formed('external_id', ' Cust-7')).toMatchObject({ value: ' Cust-7' });
    });
  });

  it('go once when two rows share them, as the later one has them, and both are answered for', () =>
    withSendgrid(async (audiences, fake) => {
      const twins = ['Ada', 'Augusta'].map((name, at) =>
        member(`k${at}`, { email: 'ada@mail.example' }, { first_name: name }),
      );

      expect(states(await audiences.add(buyers, twins, call()))).toEqual(['ok', 'ok']);
      expect(sentTo(fake)).toEqual([[{ email: 'ada@mail.example', first_name: 'Augusta' }]]);
    }));

  it('are refused alone when they are known by something too long', () =>
    withSendgrid(async (audiences, fake) => {
      const long = member('1', { external_id: 'x'.repeat(255) });

      const outcomes = await audiences.add(buyers, [long, ...people(1)], call());

      expect(outcomes).toMatchObject([{ state: 'rejected', field: 'external_id' }, { state: 'ok' }]);
      expect(sentTo(fake)[0]).toHaveLength(1);
    }));

  it('are not sent with a field that SendGrid does not know: the sync is at fault, and no row', () =>
    withSendgrid(async (audiences, fake) => {
      const error = await thrownBy(
        audiences.add(buyers, [member('1', { email: 'a@mail.example' }, { w9: 'x' })], call()),
      );

      expect(error).toMatchObject({ code: 'INPUT_INVALID', fix: expect.any(String) });
      expect(sentTo(fake)).toEqual([]);
    }));

  it('come in requests that are smaller than SendGrid takes', () =>
    withSendgrid(async ({ limits }) => {
      expect(limits.rows).toBeLessThanOrEqual(30_000);
      expect(limits.bytes).toBeLessThanOrEqual(6_000_000);
    }));
});

describe('sendgrid: what became of people', () => {
  it('is not known when SendGrid takes the request, but when its job has ended', () =>
    withSendgrid(async (audiences, fake) => {
      fake.state.endings.push({ after: 2 });
      const one = call();

      expect(await audiences.add(buyers, people(1), one)).toEqual([{ state: 'ok' }]);

      expect(fake.to('GET /v3/marketing/contacts/imports/:id')).toHaveLength(3);
      expect(one.kept).toEqual([JSON.stringify({ id: 'job-1', refused: {} })]);
      // Who was added can be removed at once: SendGrid knows them now.
      await audiences.remove(buyers, people(1), call());
      expect(on(fake.state)).toEqual([]);
    }));

  it('is asked for after a crash, and nobody is sent again', () =>
    withSendgrid(async (audiences, fake) => {
      const first = call();
      await audiences.add(buyers, people(3, 1), first);
      const requests = sentTo(fake).length;

      const outcomes = await audiences.add(
        buyers,
        people(3, 1),
        call({ again: true, ticket: first.kept[0] }),
      );

      expect(states(outcomes)).toEqual(['ok', 'rejected', 'ok']);
      expect(sentTo(fake)).toHaveLength(requests);
    }));

  it('is unknown when SendGrid has forgotten the job, and the next attempt sends them', () =>
    withSendgrid(async (audiences, fake) => {
      const lost = call({ again: true, ticket: JSON.stringify({ id: 'gone', refused: {} }) });

      expect((await thrownBy(audiences.add(buyers, people(1), lost))).code).toBe('OUTCOME_UNKNOWN');
      expect(await audiences.add(buyers, people(1), call({ again: true, ticket: lost.kept[0] }))).toEqual([
        { state: 'ok' },
      ]);
      expect(sentTo(fake)).toHaveLength(1);
    }));

  it('is waited for when SendGrid does not find a job yet that it has just begun', () =>
    withSendgrid(async (audiences, fake) => {
      fake.next(undefined, undefined, refused(404, 'job not found'));

      expect(await audiences.add(buyers, people(1), call())).toEqual([{ state: 'ok' }]);
      expect(sentTo(fake)).toHaveLength(1);
    }));

  it('is a refusal of those who are not on the list when a job ends with errors', () =>
    withSendgrid(async (audiences, fake) => {
      fake.state.endings.push({ status: 'errored', without: ['p1@mail.example'] });

      const outcomes = await audiences.add(buyers, people(3), call());

      expect(states(outcomes)).toEqual(['ok', 'rejected', 'ok']);
    }));

  it('is found by halving when the count of errors is not that of those who are missing', () =>
    withSendgrid(async (audiences, fake) => {
      fake.state.endings.push({ status: 'errored', without: ['p1@mail.example'], errors: 2 });

      const error = await thrownBy(audiences.add(buyers, people(3), call()));

      expect(error.code).toBe('ROW_REJECTED');
      expect(error.message).toContain('2 of these 3');
    }));

  it('is a refusal of all when the job fails, at the cap of contacts say', () =>
    withSendgrid(async (audiences, fake) => {
      fake.state.endings.push({ status: 'failed', errors: 2 });

      const outcomes = await audiences.add(buyers, people(2), call());

      expect(states(outcomes)).toEqual(['rejected', 'rejected']);
      expect(JSON.stringify(outcomes)).toContain('all the contacts that it can have');
    }));

  it.each(['value', 'place'] as const)(
    'is said of those whom SendGrid names by %s, and the others are sent',
    (names) =>
      withSendgrid(async (audiences, fake) => {
        fake.state.names = names;
        const six = people(6).map((one, at) =>
          at % 2 === 0 ? { ...one, identifiers: { email: `bad-${at}` } } : one,
        );

        const outcomes = await audiences.add(buyers, six, call());

        expect(states(outcomes)).toEqual(['rejected', 'ok', 'rejected', 'ok', 'rejected', 'ok']);
        expect(JSON.stringify(outcomes)).not.toContain('bad-');
        expect(on(fake.state)).toHaveLength(3);
      }),
  );

  it('is never said of somebody whose address is a part of the one that SendGrid names', () =>
    withSendgrid(async (audiences, fake) => {
      const two = [member('1', { email: 'nobody' }), member('2', { email: 'body@mail.example' })];
      fake.next(undefined, refused(400, "email 'nobody@mail.example' is not valid"));

      expect((await thrownBy(audiences.add(buyers, two, call()))).code).toBe('ROW_REJECTED');
    }));

  it('is left to halving when SendGrid names nobody, or too many one by one', () =>
    withSendgrid(async (audiences, fake) => {
      const many = Array.from({ length: 30 }, (_, i) => member(`k${i}`, { email: `bad-${i}` }));
      expect((await thrownBy(audiences.add(buyers, many, call()))).code).toBe('ROW_REJECTED');

      fake.state.names = 'nobody';
      expect((await thrownBy(audiences.add(buyers, people(2, 1), call()))).code).toBe('ROW_REJECTED');
    }));
});

describe('sendgrid: removal', () => {
  it('takes people off the list, and deletes nobody', () =>
    withSendgrid(async (audiences, fake) => {
      await audiences.add(buyers, people(250), call());

      const outcomes = await audiences.remove(buyers, people(250), call());

      expect(outcomes.every(({ state }) => state === 'ok')).toBe(true);
      expect(on(fake.state)).toEqual([]);
      expect(fake.state.contacts).toHaveLength(250);
      expect(fake.to(removal)).toHaveLength(3);
      expect(fake.to(removal).filter(({ query }) => query.has('delete_contacts'))).toEqual([]);
    }));

  it('makes no contact of somebody who was none, whom SendGrid would charge for', () =>
    withSendgrid(async (audiences, fake) => {
      expect(await audiences.remove(buyers, people(1), call())).toEqual([{ state: 'ok' }]);
      expect(fake.state.contacts).toEqual([]);
      expect(fake.to(removal)).toEqual([]);
    }));

  it('leaves alone who is a contact, but not on the list', () =>
    withSendgrid(async (audiences, fake) => {
      const other = fake.state.lists[0]!.id;
      await audiences.add(other, people(1), call());
      await audiences.add(buyers, people(2).slice(1), call());

      await audiences.remove(buyers, people(2), call());

      expect(fake.to(removal).map(({ query }) => query.get('contact_ids'))).toEqual(['contact-2']);
      expect(on(fake.state, other)).toHaveLength(1);
    }));

  it('is done when SendGrid shows people without the list, not when it takes the request', () =>
    withSendgrid(async (audiences, fake) => {
      await audiences.add(buyers, people(2), call());
      fake.state.removalLag = 2;

      const outcomes = await audiences.remove(buyers, people(2), call());

      expect(states(outcomes)).toEqual(['ok', 'ok']);
      expect(on(fake.state)).toEqual([]);
      expect(fake.to(search('email'))).toHaveLength(4);
    }));

  it('looks for each by the first thing that they are known by, never by a query that a value could break', () =>
    withSendgrid(async (audiences, fake) => {
      const three = [
        member('1', { email: "o'brien@mail.example", external_id: 'c1' }),
        member('2', { external_id: "c'2" }),
        member('3', { phone_number_id: '+16577770000' }),
      ];
      await audiences.add(buyers, three, call());

      await audiences.remove(buyers, three, call());

      expect(on(fake.state)).toEqual([]);
      expect(fake.to(search('external_id'))[0]!.json()).toEqual({ identifiers: ["c'2"] });
      expect(fake.to(search('phone_number_id'))[0]!.json()).toEqual({ identifiers: ['+16577770000'] });
    }));

  it('is halved when SendGrid looks for nobody because of one value', () =>
    withSendgrid(async (audiences) => {
      const error = await thrownBy(audiences.remove(buyers, people(3, 1), call()));

      expect(error.code).toBe('ROW_REJECTED');
      expect(error.message).not.toContain('nobody-at-all');
    }));

  it('is tried again when somebody deletes a contact between the look and the removal', () =>
    withSendgrid(async (audiences, fake) => {
      await audiences.add(buyers, people(2), call());
      fake.next(undefined, undefined, refused(404, 'contact not found'));

      expect((await thrownBy(audiences.remove(buyers, people(2), call()))).code).toBe('OUTCOME_UNKNOWN');
    }));
});

describe('sendgrid: lists', () => {
  it('come from all pages, best matches first', () =>
    withSendgrid(async (audiences) => {
      const labels = async (text: string) => (await audiences.lists(text)).map(({ label }) => label);

      expect(await labels('')).toEqual(['Big buyers', 'Buyers', 'Visitors']);
      expect(await labels(' buyers')).toEqual(['Buyers', 'Big buyers']);
    }));

  it('are the ones of that name on a later page, in place of twins', () =>
    withSendgrid(async (audiences, fake) => {
      expect(await audiences.create('Buyers')).toBe(buyers);
      expect(fake.to('POST /v3/marketing/lists')).toEqual([]);
    }));

  it('are the one that somebody else made of that name meanwhile', () =>
    withSendgrid(async (audiences, fake) => {
      fake.next({ json: { result: [] } });

      expect(await audiences.create('Buyers')).toBe(buyers);
    }));

  it('have names of 100 characters at most', () =>
    withSendgrid(async (audiences) => {
      expect((await thrownBy(audiences.create('x'.repeat(101)))).code).toBe('INPUT_INVALID');
    }));

  it('have the fields that a request may write, and those of one’s own', () =>
    withSendgrid(async (audiences) => {
      const fields = await audiences.traits(buyers);

      expect(fields.map(({ name, type }) => `${name} ${type}`)).toEqual(
        expect.arrayContaining(['first_name text', 'w1 number', 'e2_D date', 'e3_T text']),
      );
      expect(fields.map(({ name }) => name)).not.toContain('created_at');
    }));

  it.each(['add', 'remove'] as const)(
    'end the run when they are gone (%s), before anybody is made a contact',
    (verb) =>
      withSendgrid(async (audiences, fake) => {
        const error = await thrownBy(audiences[verb]('gone', people(1), call()));

        expect(error).toMatchObject({ code: 'TARGET_GONE', fix: expect.any(String) });
        expect(sentTo(fake)).toEqual([]);
      }),
  );
});

describe('sendgrid: connection', () => {
  it('waits until the second at which SendGrid counts anew', () =>
    withSendgrid(
      async (audiences, fake) => {
        fake.always(pausedUntil(Date.parse('2026-11-23T12:00:42Z') / 1000));

        expect(await thrownBy(audiences.lists(''))).toMatchObject({
          code: 'RATE_LIMITED',
          retryAfterMs: 42_000,
        });
      },
      () => new Date('2026-11-23T12:00:00Z'),
    ));

  it('warns of a key that may only read', () =>
    withSendgrid(async (_, fake, check) => {
      fake.state.scopes = ['marketing.read', 'mail.send'];

      expect(await check()).toEqual([expect.stringContaining('full access to Marketing')]);
    }));

  it('says what to do about a key without access to Marketing', () =>
    withSendgrid(async (_, fake, check) => {
      fake.next(refused(403, 'access forbidden'));

      expect(await thrownBy(check())).toMatchObject({ code: 'PERMISSION_DENIED', fix: expect.any(String) });
    }));

  it('calls SendGrid itself when no base URL says otherwise', async () => {
    const fake = await startSendgrid();
    const opened = await openFor(sendgrid, { apiKey }, { standIns: { 'api.sendgrid.com': fake.url } });

    expect(await opened.connection.check('audiences')).toEqual([]);
    await opened.close();
    await fake.close();
  });

  it.each([
    [{ apiKey: 'my-key' }, 'apiKey'],
    [{ baseUrl: 'ftp://x' }, 'baseUrl'],
  ])('does not open with what can not be right: %j', async (wrong, name) => {
    const fake = await startSendgrid();

    const error = await thrownBy(openFor(sendgrid, { ...typed(fake), ...wrong }));

    expect(error).toMatchObject({ code: 'CONFIG_INVALID', fix: expect.any(String) });
    expect(Object.keys(error.fields ?? {})).toEqual([name]);
    await fake.close();
  });
});
