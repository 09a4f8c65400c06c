import { describe, expect, it } from 'vitest';
import { snapchat } from '../../connectors/snapchat/index.ts';
import type { Audiences, Member } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { normaliser } from '../../engine/identity/normalise.ts';
import { destinationContract } from '../contracts/destination.ts';
import { partOf } from '../contracts/works.ts';
import type { Answer } from '../fakes/http.ts';
import { account, app, type FakeSnapchat, snapError, startSnapchat } from '../fakes/snapchat.ts';
import { call, openFor } from '../support/connect.ts';

const { identify } = normaliser(1);
const buyers = '5689640350646272';
const added = `POST /v1/segments/${buyers}/users`;
const removed = `DELETE /v1/segments/${buyers}/users`;

const typed = (fake: FakeSnapchat) => ({ account, ...app, baseUrl: fake.url });

const known = await (async () => {
  const opened = await openFor(snapchat, { account, ...app });
  await opened.close();
  return partOf(opened.connection, 'audiences').identifiers;
})();

/** A person as the engine hands it over. */
function person(key: string, given: Readonly<Record<string, string>>): Member {
  const found = Object.entries(given).map(([name, text]) => {
    const formed = identify(known.find((one) => one.name === name)!, text, {});
    return [name, formed !== undefined && 'value' in formed ? formed.value : ''];
  });
  return { key, identifiers: Object.fromEntries(found), traits: {} };
}

const people = (n: number, bad?: number): readonly Member[] =>
  Array.from({ length: n }, (_, i) =>
    i === bad
      ? { key: `k${i}`, identifiers: { EMAIL_SHA256: 'plain@mail.example' }, traits: {} }
      : person(`k${i}`, { EMAIL_SHA256: `p${i}@mail.example` }),
  );

async function withSnapchat(
  test: (audiences: Audiences, fake: FakeSnapchat, check: () => Promise<readonly string[]>) => Promise<void>,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const fake = await startSnapchat();
  const opened = await openFor(snapchat, { ...typed(fake), ...more });
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

destinationContract('snapchat', {
  connector: snapchat,
  renewsToken: true,
  start: async () => {
    const fake = await startSnapchat();
    return {
      fake,
      config: typed(fake),
      wrongConfig: { ...typed(fake), refreshToken: 'snap-somebody-elses-token' },
      stored: () =>
        fake.state.segments.map(({ id, name, people: there }) => ({ id, name, there: [...there].sort() })),
    };
  },
  parts: { audiences: { list: buyers, members: people } },
  says: {
    quoting: ({ headers, body }) => snapError('E1001', `${JSON.stringify(headers)} ${body}`),
  },
});

interface Sent {
  readonly id?: string;
  readonly schema: readonly string[];
  readonly data: readonly (readonly string[])[];
}

const sent = (fake: FakeSnapchat, route: string): readonly Sent[] =>
  fake.to(route).flatMap((request) => request.json<{ users: Sent[] }>().users);

const counted = (number: number): Answer => ({
  json: {
    request_status: 'SUCCESS',
    users: [{ sub_request_status: 'SUCCESS', user: { number_uploaded_users: number } }],
  },
});

describe('snapchat: people', () => {
  it('hashes telephone numbers without plus and trunk zero, addresses with dots and tags, ids in small letters', () =>
    withSnapchat(async (audiences, fake) => {
      await audiences.add(
        buyers,
        [
          person('1', { PHONE_SHA256: '+44 (0)113 496 0987' }),
          person('2', { EMAIL_SHA256: 'user.name+NYC@Example.com' }),
          person('3', { EMAIL_SHA256: 'Jane.Doe@gmail.com' }),
          person('4', { MOBILE_AD_ID_SHA256: 'AECE52E7-03EE-455A-B3C4-E57283966239' }),
        ],
        call(),
      );

      expect([...fake.state.segments[0]!.people].sort()).toEqual([
        'EMAIL_SHA256=831f6494ad6be4fcb3a724c3d5fef22d3ceffa3c62ef3a7984e45a0ea177f982',
        'EMAIL_SHA256=f109a2a632fbcea5fc82049f50beed3d8621bf9034399f437fb622222acccdac',
        'MOBILE_AD_ID_SHA256=e6a11334660bb4c2d68090399aaf9d80b433a569b993c5e32e6cad9bcf550e11',
        'PHONE_SHA256=0d0bdab1b69302da54eab62fafae55faadba503c4a51b870a57a34959d645be9',
      ]);
    }));

  it('sends one kind of identifier with each request, one after the other, and none for a kind that nobody has', () =>
    withSnapchat(async (audiences, fake) => {
      const both = person('1', { PHONE_SHA256: '+44 113 496 0987', EMAIL_SHA256: 'a@mail.example' });

      const outcomes = await audiences.add(
        buyers,
        [both, person('2', { EMAIL_SHA256: 'b@mail.example' })],
        call(),
      );

      expect(outcomes).toEqual([{ state: 'ok' }, { state: 'ok' }]);
      expect(sent(fake, added).map(({ schema, data }) => [schema, data.length])).toEqual([
        [['EMAIL_SHA256'], 2],
        [['PHONE_SHA256'], 1],
      ]);
    }));

  it('takes a person off by every kind that they were added by', () =>
    withSnapchat(async (audiences, fake) => {
      const one = person('1', {
        EMAIL_SHA256: 'a@mail.example',
        PHONE_SHA256: '+44 113 496 0987',
        MOBILE_AD_ID_SHA256: 'aece52e7-03ee-455a-b3c4-e57283966239',
      });
      await audiences.add(buyers, [one], call());
      const there = fake.state.segments[0]!.people.size;

      await audiences.remove(buyers, [one], call());

      expect(there).toBe(3);
      expect(fake.state.segments[0]!.people.size).toBe(0);
    }));

  it('sends a DELETE with its body, and the id of the list in it', () =>
    withSnapchat(async (audiences, fake) => {
      const [one] = people(1);

      await audiences.remove(buyers, [one!], call());

      const [request] = fake.to(removed);
      expect(Number(request!.headers['content-length'])).toBe(request!.body.length);
      expect(request!.json()).toEqual({
        users: [{ id: buyers, schema: ['EMAIL_SHA256'], data: [[one!.identifiers['EMAIL_SHA256']]] }],
      });
    }));

  it('sends a digest once that two rows share', () =>
    withSnapchat(async (audiences, fake) => {
      const same = { EMAIL_SHA256: 'a@mail.example' };

      const outcomes = await audiences.add(buyers, [person('1', same), person('2', same)], call());

      expect(outcomes).toEqual([{ state: 'ok' }, { state: 'ok' }]);
      expect(sent(fake, added)[0]!.data).toHaveLength(1);
    }));

  it('takes 20,000 people in one call', () =>
    withSnapchat(async (audiences, fake) => {
      const many = people(20_000);

      const outcomes = await audiences.add(buyers, many, call());

      expect(audiences.limits.rows).toBe(20_000);
      expect(outcomes.every(({ state }) => state === 'ok')).toBe(true);
      expect(fake.state.segments[0]!.people.size).toBe(20_000);
      expect(fake.to(added)).toHaveLength(1);
    }));

  it('says which row holds no digest, for Snapchat would leave it out without a word', () =>
    withSnapchat(async (audiences, fake) => {
      const outcomes = await audiences.add(buyers, people(3, 1), call());
      const upper = people(1)[0]!.identifiers['EMAIL_SHA256']!.toUpperCase();
      const shouted = await audiences.add(
        buyers,
        [{ key: 'k', identifiers: { EMAIL_SHA256: upper }, traits: {} }],
        call(),
      );

      expect(outcomes).toEqual([
        { state: 'ok' },
        { state: 'rejected', reason: expect.any(String), field: 'EMAIL_SHA256' },
        { state: 'ok' },
      ]);
      expect(shouted).toMatchObject([{ state: 'rejected' }]);
      expect(sent(fake, added).map(({ data }) => data.length)).toEqual([2]);
    }));

  it('does not know what was done when fewer were taken than sent, and leaves it at that the second time', () =>
    withSnapchat(async (audiences, fake, check) => {
      await check();
      fake.always(counted(2));

      const first = await thrownBy(audiences.add(buyers, people(3), call()));
      const second = await audiences.add(buyers, people(3), call({ again: true }));

      expect(first.code).toBe('OUTCOME_UNKNOWN');
      expect(second).toEqual([{ state: 'ok' }, { state: 'ok' }, { state: 'ok' }]);
    }));
});

describe('snapchat: refusals', () => {
  const parts = (status: string): Answer => ({
    json: {
      request_status: 'SUCCESS',
      users: [{ sub_request_status: status, sub_request_error_reason: 'Not this.', user: {} }],
    },
  });

  it.each([
    ['of the whole, by a number', snapError('E3002', 'No permission.'), 'PERMISSION_DENIED'],
    ['of the whole, with status 200', snapError('E3002', 'No permission.', 200), 'PERMISSION_DENIED'],
    ['by the status alone', { status: 403, text: '' }, 'PERMISSION_DENIED'],
    ['of a list that is gone', snapError('E3003', 'Not found.', 404), 'NOT_FOUND'],
    ['of a body', snapError('E1001', 'The body is missing.'), 'INPUT_INVALID'],
    ['of a body, with status 200', snapError('E1001', 'The body is missing.', 200), 'INPUT_INVALID'],
    ['of a part, in capitals', parts('ERROR'), 'INPUT_INVALID'],
    ['of a part, in small letters', parts('error'), 'INPUT_INVALID'],
    ['of a part, in a word that is new', parts('WARNED'), 'INPUT_INVALID'],
    ['by too many calls', snapError('', 'Slow down.', 429), 'RATE_LIMITED'],
    ['by trouble', snapError('E1000', 'Internal error.', 500), 'OUTCOME_UNKNOWN'],
    ['by being away', { status: 503, text: '<html>' }, 'UNAVAILABLE'],
  ] as const)('knows a refusal %s', (_, answer, code) =>
    withSnapchat(async (audiences, fake, check) => {
      await check();
      fake.always(answer);

      const error = await thrownBy(audiences.add(buyers, people(2), call()));

      expect(error).toBeInstanceOf(ActivateError);
      expect(error.code).toBe(code);
    }),
  );

  it('strikes out the token and the digests that an answer of status 200 quotes', () =>
    withSnapchat(async (audiences, fake, check) => {
      await check();
      const [one] = people(1);
      const digest = one!.identifiers['EMAIL_SHA256']!;
      fake.always(snapError('E1001', `Bearer 0.access-1 sent ${digest}`, 200));

      const error = await thrownBy(audiences.add(buyers, [one!], call()));

      expect(error.message).toContain('Bearer … sent …');
    }));

  it.each([
    ['the whole', { users: [{ sub_request_status: 'SUCCESS', user: { number_uploaded_users: 1 } }] }],
    ['a part', { request_status: 'SUCCESS', users: [{ user: { number_uploaded_users: 1 } }] }],
  ])('takes nothing for done when %s does not say so', (_, json) =>
    withSnapchat(async (audiences, fake, check) => {
      await check();
      fake.always({ json });

      const error = await thrownBy(audiences.add(buyers, people(1), call({ again: true })));

      expect(error.code).toBe('OUTCOME_UNKNOWN');
    }),
  );
});

describe('snapchat: sign-in', () => {
  it('gets a token once for many calls, and one more when it has run out', () =>
    withSnapchat(async (audiences, fake) => {
      await audiences.lists('');
      await audiences.add(buyers, people(1), call());
      const before = fake.to('POST /login/oauth2/access_token').length;

      fake.next(snapError('E1000', 'Unauthorized', 401));
      const outcomes = await audiences.add(buyers, people(2), call());

      expect(before).toBe(1);
      expect(outcomes).toEqual([{ state: 'ok' }, { state: 'ok' }]);
      expect(fake.to('POST /login/oauth2/access_token')).toHaveLength(2);
    }));

  it('sends the secrets to the sign-in alone, in the body', () =>
    withSnapchat(async (audiences, fake) => {
      await audiences.lists('');

      const [signIn, ...others] = fake.requests;
      expect(Object.fromEntries(new URLSearchParams(signIn!.body.toString()))).toEqual({
        grant_type: 'refresh_token',
        client_id: app.clientId,
        client_secret: app.clientSecret,
        refresh_token: app.refreshToken,
      });
      const rest = JSON.stringify(others.map(({ headers, query, body }) => [headers, `${query} ${body}`]));
      expect(rest).not.toContain(app.clientSecret);
      expect(rest).not.toContain(app.refreshToken);
    }));
});

describe('snapchat: lists', () => {
  const list = (id: string, name: string, source = 'FIRST_PARTY', targetable = 'READY') => ({
    id,
    name,
    source,
    targetable,
    people: new Set<string>(),
  });

  it('offers lists of people alone, the best match first, and says which are too small to be used', () =>
    withSnapchat(async (audiences, fake) => {
      fake.state.segments.push(
        list('2', 'All buyers'),
        list('3', 'Buyers of 2025', 'FIRST_PARTY', 'TOO_FEW_USERS'),
        list('4', 'Buyers, alike', 'LOOKALIKE'),
      );

      expect(await audiences.lists('buyers')).toEqual([
        { value: buyers, label: 'Buyers' },
        { value: '3', label: 'Buyers of 2025', hint: expect.stringContaining('Too few') },
        { value: '2', label: 'All buyers' },
      ]);
    }));

  it('finds lists on later pages by the cursor, and never follows the link', () =>
    withSnapchat(async (audiences, fake) => {
      fake.state.mostPerPage = 100;
      fake.state.segments.push(...Array.from({ length: 250 }, (_, i) => list(`9${i}`, `List ${i}`)));

      expect(await audiences.create('List 249')).toBe('9249');

      const asked = fake.to('GET /v1/adaccounts/:account/segments');
      expect(asked.map(({ query }) => query.get('cursor'))).toEqual([null, '100', '200']);
      expect(fake.to('POST /v1/adaccounts/:account/segments')).toEqual([]);
    }));

  it('makes lists that keep people for ever, or as long as the connection says', async () => {
    await withSnapchat(async (audiences, fake) => {
      const id = await audiences.create('Churned');

      expect(fake.state.segments.at(-1)).toMatchObject({ id, source: 'FIRST_PARTY', days: 9999 });
    });
    await withSnapchat(
      async (audiences, fake) => {
        await audiences.create('Churned');

        expect(fake.state.segments.at(-1)).toMatchObject({ days: 180 });
      },
      { days: '180' },
    );
  });

  it('does not make anything of a list that is refused inside an answer of status 200', () =>
    withSnapchat(async (audiences) => {
      expect(await thrownBy(audiences.create('x'.repeat(376)))).toMatchObject({
        code: 'INPUT_INVALID',
        message: expect.stringContaining('The request is not valid.'),
      });
    }));
});

describe('snapchat: connection', () => {
  it('warns of an ad account that is not active', () =>
    withSnapchat(async (_audiences, fake, check) => {
      fake.state.status = 'PAUSED';

      expect(await check()).toEqual([expect.stringContaining('not active')]);
    }));

  it('says whose role it is about when the account may not be read', () =>
    withSnapchat(async (_audiences, fake, check) => {
      fake.next(undefined, snapError('E3002', 'No permission.', 403));

      expect(await thrownBy(check())).toMatchObject({
        code: 'PERMISSION_DENIED',
        fix: expect.stringContaining('Data Manager'),
      });
    }));

  it('takes nothing but an id for the ad account', async () => {
    await expect(openFor(snapchat, { account: 'my account', ...app })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { account: expect.any(String) },
    });
  });
});
