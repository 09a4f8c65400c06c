import { createHash, createPublicKey, createVerify, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { googleAds } from '../../connectors/google-ads/index.ts';
import type { Audiences, Member, Value } from '../../engine/contracts/destination.ts';
import type { ActivateError } from '../../engine/contracts/errors.ts';
import { normaliser } from '../../engine/identity/normalise.ts';
import { destinationContract } from '../contracts/destination.ts';
import { partOf } from '../contracts/works.ts';
import {
  type FakeGoogle,
  googleError,
  paused,
  place,
  reason,
  refreshToken,
  startGoogle,
  uploadsOf,
} from '../fakes/google-ads.ts';
import { call, openFor } from '../support/connect.ts';

const { identify } = normaliser(1);
const buyers = '9007199254740993';
const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

const typed = (fake: FakeGoogle) => ({
  account: '123-456-7890',
  terms: 'ACCEPTED',
  consent: 'granted',
  clientId: '4711.apps.googleusercontent.com',
  clientSecret: 'GOCSPX-secret-of-the-client',
  refreshToken,
  baseUrl: fake.url,
});

const known = await (async () => {
  const fake = await startGoogle();
  const opened = await openFor(googleAds, typed(fake));
  await opened.close();
  await fake.close();
  return partOf(opened.connection, 'audiences').identifiers;
})();

/** A person as the engine hands it over. */
function person(
  key: string,
  given: Readonly<Record<string, string>>,
  traits: Readonly<Record<string, Value>> = {},
): Member {
  const identifiers = Object.entries(given).map(([name, text]) => {
    const found = identify(known.find((one) => one.name === name)!, text, {});
    return [name, found !== undefined && 'value' in found ? found.value : ''];
  });
  return { key, identifiers: Object.fromEntries(identifiers), traits };
}

const bad = (key: string): Member => ({ key, identifiers: { email: 'plain@mail.example' }, traits: {} });

function people(n: number, at?: number): readonly Member[] {
  return Array.from({ length: n }, (_, i) =>
    i === at ? bad(`k${i}`) : person(`k${i}`, { email: `p${i}@mail.example` }),
  );
}

const there = (fake: FakeGoogle, id = buyers): readonly (readonly string[])[] => [
  ...fake.state.lists.find((one) => one.id === id)!.people.values(),
];

async function withGoogle(
  test: (audiences: Audiences, fake: FakeGoogle, check: () => Promise<readonly string[]>) => Promise<void>,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const fake = await startGoogle();
  const opened = await openFor(googleAds, { ...typed(fake), ...more });
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

destinationContract('google-ads', {
  connector: googleAds,
  renewsToken: true,
  start: async () => {
    const fake = await startGoogle();
    return {
      fake,
      config: typed(fake),
      wrongConfig: { ...typed(fake), refreshToken: '1//0g-of-somebody-else' },
      stored: () =>
        fake.state.lists.map(({ id, displayName, people: held }) => ({
          id,
          displayName,
          held: [...held.keys()].sort(),
        })),
    };
  },
  parts: { audiences: { list: buyers, members: people } },
  says: {
    limited: paused,
    unauthorized: googleError(401, 'UNAUTHENTICATED', [reason('ACCESS_TOKEN_EXPIRED')]),
    quoting: ({ headers, body }) =>
      googleError(400, 'INVALID_ARGUMENT', [], `${JSON.stringify(headers)} ${body}`),
  },
});

describe('google-ads: people', () => {
  it('come with all that they are known by in one member, in the published form', () =>
    withGoogle(async (audiences, fake) => {
      await audiences.add(
        buyers,
        [
          person('1', {
            email: 'Cloudy.SanFrancisco+shopping@gmail.com',
            phone: '1-800-555-0100',
            givenName: ' Mrs. Alex   ',
            familyName: 'quinn, jr., dds',
            regionCode: ' us ',
            postalCode: '  94045 ',
          }),
        ],
        call(),
      );

      expect(uploadsOf(fake, 'ingest')[0]!.json()).toEqual({
        destinations: [
          {
            operatingAccount: { accountType: 'GOOGLE_ADS', accountId: '1234567890' },
            productDestinationId: buyers,
          },
        ],
        audienceMembers: [
          {
            userData: {
              userIdentifiers: [
                { emailAddress: '223ebda6f6889b1494551ba902d9d381daf2f642bae055888e96343d53e9f9c4' },
                { phoneNumber: 'fb4f73a6ec5fdb7077d564cdd22c3554b43ce49168550c3b12c547b78c517b30' },
                {
                  address: {
                    givenName: '4135aa9dc1b842a653dea846903ddb95bfb8c5a10c504a7fa16e10bc31d1fdf0',
                    familyName: 'c512ca0c5c1e71be19f3356821e56732b5fb3ac894b0dbc5846d0b6920106fb3',
                    regionCode: 'US',
                    postalCode: '94045',
                  },
                },
              ],
            },
            consent: { adUserData: 'CONSENT_GRANTED', adPersonalization: 'CONSENT_GRANTED' },
          },
        ],
        encoding: 'HEX',
        termsOfService: { customerMatchTermsOfServiceStatus: 'ACCEPTED' },
      });
    }));

  it('come without an address when a part of it is missing', () =>
    withGoogle(async (audiences, fake) => {
      await audiences.add(
        buyers,
        [person('1', { email: 'a@mail.example', givenName: 'Ada', regionCode: 'GB' })],
        call(),
      );

      expect(there(fake)).toEqual([[JSON.stringify({ emailAddress: hash('a@mail.example') })]]);
    }));

  it('are refused with an address alone, by which nobody could be taken off again part by part', () =>
    withGoogle(async (audiences, fake) => {
      const parts = { givenName: 'Ada', familyName: 'Lovelace', regionCode: 'GB', postalCode: 'SW1Y 4LB' };

      const outcomes = await audiences.add(
        buyers,
        [person('1', parts), person('2', { email: 'b@mail.example' })],
        call(),
      );

      expect(outcomes).toMatchObject([{ state: 'rejected' }, { state: 'ok' }]);
      expect(await audiences.remove(buyers, [person('1', { postalCode: 'SW1Y 4LB' })], call())).toEqual([
        { state: 'ok' },
      ]);
      expect(uploadsOf(fake, 'remove')).toEqual([]);
    }));

  it.each([
    ['2', { userId: ' Cust-7' }, { userIdData: { userId: ' Cust-7' } }],
    [
      '3',
      { mobileId: 'AECE52E7-03EE-455A-B3C4-E57283966239' },
      { mobileData: { mobileIds: ['aece52e7-03ee-455a-b3c4-e57283966239'] } },
    ],
  ])('are known by one kind of thing on list %s, unhashed', (id, given, sent) =>
    withGoogle(async (audiences, fake) => {
      const outcomes = await audiences.add(
        id,
        [person('1', { ...given, email: 'a@mail.example' }), person('2', { email: 'b@mail.example' })],
        call(),
      );

      expect(outcomes).toEqual([
        { state: 'ok' },
        { state: 'rejected', reason: expect.stringContaining('the row has none') },
      ]);
      expect(
        uploadsOf(fake, 'ingest')[0]!.json<{ audienceMembers: object[] }>().audienceMembers,
      ).toMatchObject([sent]);
      expect(await audiences.remove(id, [person('1', given)], call())).toEqual([{ state: 'ok' }]);
      expect(there(fake, id)).toEqual([]);
    }),
  );

  it('come 10,000 at once', () =>
    withGoogle(async (audiences, fake) => {
      const outcomes = await audiences.add(buyers, people(10_000), call());

      expect(audiences.limits.rows).toBe(10_000);
      expect(outcomes.every(({ state }) => state === 'ok')).toBe(true);
      expect(uploadsOf(fake, 'ingest')).toHaveLength(1);
      expect(there(fake)).toHaveLength(10_000);
    }));

  it('are reached through a manager account, in the body of uploads and the header of lists', () =>
    withGoogle(
      async (audiences, fake) => {
        await audiences.remove(buyers, people(1), call());

        const [sent] = uploadsOf(fake, 'remove');
        expect(sent!.json<{ destinations: object[] }>().destinations[0]).toMatchObject({
          loginAccount: { accountType: 'GOOGLE_ADS', accountId: '9998887777' },
        });
        expect(fake.to(`GET ${place}/:id`)[0]!.headers['login-account']).toBe(
          'accountTypes/GOOGLE_ADS/accounts/9998887777',
        );
      },
      { manager: '999 888 7777' },
    ));
});

describe('google-ads: consent', () => {
  const agrees = { ad_user_data: true, ad_personalization: true };

  it('is what each row says, and nobody comes whose row says nothing', () =>
    withGoogle(
      async (audiences, fake) => {
        const outcomes = await audiences.add(
          buyers,
          [
            person('1', { email: 'a@mail.example' }, agrees),
            person('2', { email: 'b@mail.example' }, { ad_user_data: true, ad_personalization: null }),
            person('3', { email: 'c@mail.example' }),
          ],
          call(),
        );

        expect(outcomes.map(({ state }) => state)).toEqual(['ok', 'rejected', 'rejected']);
        expect(there(fake)).toHaveLength(1);
      },
      { consent: 'mapped' },
    ));

  it('takes off whoever withdraws it, without a word of consent, and says so', () =>
    withGoogle(async (audiences, fake) => {
      await audiences.add(buyers, people(2), call());

      const withdrawn = { ...people(2)[1]!, traits: { ad_user_data: true, ad_personalization: false } };
      const outcomes = await audiences.add(buyers, [people(1)[0]!, withdrawn], call());

      expect(outcomes).toEqual([
        { state: 'ok' },
        { state: 'rejected', reason: expect.stringContaining('taken off the list') },
      ]);
      expect(there(fake)).toEqual([[JSON.stringify({ emailAddress: hash('p0@mail.example') })]]);
      expect(Object.keys(uploadsOf(fake, 'remove')[0]!.json())).toEqual([
        'destinations',
        'audienceMembers',
        'encoding',
      ]);
    }));

  it('counts as withdrawn when the same person agrees in one row only', () =>
    withGoogle(async (audiences, fake) => {
      const [ada] = people(1);

      await audiences.add(buyers, [ada!, { ...ada!, key: 'k1', traits: { ad_user_data: false } }], call());

      expect(there(fake)).toEqual([]);
    }));

  it('is never made up: what nobody says is not sent', () =>
    withGoogle(
      async (audiences, fake) => {
        await audiences.add(buyers, people(1), call());

        expect(uploadsOf(fake, 'ingest')[0]!.body.toString()).not.toMatch(/consent/i);
        expect((await audiences.traits(buyers)).map(({ name }) => name)).toEqual([
          'ad_user_data',
          'ad_personalization',
        ]);
      },
      { consent: 'unsaid' },
    ));
});

describe('google-ads: what became of people', () => {
  it('is known only when Google has dealt with them', () =>
    withGoogle(async (audiences, fake) => {
      fake.state.endings.push({ after: 2 });
      const one = call();

      expect(await audiences.add(buyers, people(1), one)).toEqual([{ state: 'ok' }]);
      expect(fake.to('GET /v1/:method')).toHaveLength(3);
      expect(one.kept).toEqual([JSON.stringify({ ingest: { id: 'request-1', refused: {} } })]);
    }));

  it('is asked for after a crash, and nobody is sent again', () =>
    withGoogle(async (audiences, fake) => {
      const first = call();
      await audiences.add(buyers, people(3, 1), first);

      const outcomes = await audiences.add(
        buyers,
        people(3, 1),
        call({ again: true, ticket: first.kept[0] }),
      );

      expect(outcomes.map(({ state }) => state)).toEqual(['ok', 'rejected', 'ok']);
      // Once with the one whom it minds, once without.
      expect(uploadsOf(fake, 'ingest')).toHaveLength(2);
    }));

  it('is unknown when Google has forgotten what it was sent, and the next attempt sends them', () =>
    withGoogle(async (audiences, fake) => {
      const lost = call({ ticket: JSON.stringify({ ingest: { id: 'gone', refused: {} } }) });

      expect((await thrownBy(audiences.add(buyers, people(1), lost))).code).toBe('OUTCOME_UNKNOWN');
      expect(await audiences.add(buyers, people(1), call({ again: true, ticket: lost.kept[0] }))).toEqual([
        { state: 'ok' },
      ]);
      expect(uploadsOf(fake, 'ingest')).toHaveLength(1);
    }));

  it.each(['FAILED', 'FAILURE'] as const)('is a refusal of each when the request ends as %s', (status) =>
    withGoogle(async (audiences, fake) => {
      fake.state.endings.push({
        status,
        counts: [{ recordCount: '3', reason: 'PROCESSING_ERROR_REASON_NO_CONSENT' }],
      });

      const outcomes = await audiences.add(buyers, people(3), call());

      expect(outcomes).toEqual(
        people(3).map(() => ({ state: 'rejected', reason: expect.stringContaining('does not agree') })),
      );
    }),
  );

  it('is found by halving when some were refused and nobody says who, though the request was taken', () =>
    withGoogle(async (audiences, fake) => {
      const some = {
        status: 'PARTIAL_SUCCESS',
        counts: [{ recordCount: '1', reason: 'PROCESSING_ERROR_REASON_UNKNOWN_CONSENT' }],
      } as const;
      fake.state.endings.push(some, { ...some, status: 'FAILED' });

      const all = await thrownBy(audiences.add(buyers, people(3), call()));
      const alone = await audiences.add(buyers, people(1), call());

      expect(all.code).toBe('ROW_REJECTED');
      expect(all.message).toContain('1 of these 3');
      expect(alone).toMatchObject([{ state: 'rejected' }]);
    }));

  it('is unknown, and tried again, when Google ran into trouble of its own', () =>
    withGoogle(async (audiences, fake) => {
      fake.state.endings.push({
        status: 'PARTIAL_SUCCESS',
        counts: [{ recordCount: '2', reason: 'PROCESSING_ERROR_REASON_INTERNAL_ERROR' }],
      });
      const one = call();

      const outcomes = await audiences.add(buyers, people(3), one);

      expect(outcomes.map(({ state }) => state)).toEqual(['unknown', 'unknown', 'unknown']);
      expect(await audiences.add(buyers, people(3), call({ again: true, ticket: one.kept.at(-1) }))).toEqual(
        people(3).map(() => ({ state: 'ok' })),
      );
      expect(there(fake)).toHaveLength(3);
    }));

  it('is said of those whom Google minds, one after the other if need be, and the others are sent', () =>
    withGoogle(async (audiences, fake) => {
      fake.state.namesAtMost = 1;
      const six = people(6).map((member, at) => (at % 2 === 0 ? bad(member.key) : member));

      const outcomes = await audiences.add(buyers, six, call());

      expect(outcomes.map(({ state }) => state)).toEqual([
        'rejected',
        'ok',
        'rejected',
        'ok',
        'rejected',
        'ok',
      ]);
      expect(JSON.stringify(outcomes)).not.toContain('plain@mail.example');
      expect(there(fake)).toHaveLength(3);
    }));

  it('is left to halving when Google minds too many to leave them out one by one', () =>
    withGoogle(async (audiences, fake) => {
      fake.state.namesAtMost = 1;

      const error = await thrownBy(
        audiences.add(
          buyers,
          Array.from({ length: 30 }, (_, i) => bad(`k${i}`)),
          call(),
        ),
      );

      expect(error.code).toBe('ROW_REJECTED');
    }));

  it('is settled when nobody is left to send', () =>
    withGoogle(async (audiences, fake) => {
      expect(await audiences.add(buyers, [bad('1')], call())).toMatchObject([{ state: 'rejected' }]);
      expect(fake.state.uploads.size).toBe(0);
    }));
});

describe('google-ads: errors', () => {
  const denied = (why: string) => googleError(403, 'PERMISSION_DENIED', [reason(why)]);
  const refused = (why: string) => googleError(400, 'INVALID_ARGUMENT', [reason(why)]);

  it.each([
    [denied('SERVICE_DISABLED'), 'PERMISSION_DENIED', /Enable it/],
    [denied('ACCESS_TOKEN_SCOPE_INSUFFICIENT'), 'AUTH_REJECTED', /auth\/datamanager/],
    [denied('PERMISSION_DENIED'), 'PERMISSION_DENIED', /manager/],
    [denied('NOT_ALLOWLISTED'), 'PERMISSION_DENIED', /history/],
    [refused('TERMS_AND_CONDITIONS_NOT_SIGNED'), 'PERMISSION_DENIED', /accept/],
    [refused('EU_POLITICAL_ADVERTISING_DECLARATION_REQUIRED'), 'PERMISSION_DENIED', /Account settings/],
    [refused('USER_LIST_MUTATION_NOT_SUPPORTED'), 'TARGET_GONE', /another list/],
    [googleError(504, 'DEADLINE_EXCEEDED', [reason('DEADLINE_EXCEEDED')]), 'OUTCOME_UNKNOWN', undefined],
    [refused('SOMETHING_NEW'), 'INPUT_INVALID', undefined],
  ])('is sorted: %#', (answer, code, fix) =>
    withGoogle(async (audiences, fake) => {
      await audiences.add(buyers, people(1), call());
      fake.always(answer);

      const error = await thrownBy(audiences.add(buyers, people(1), call()));

      expect(error.code).toBe(code);
      expect(error.fix ?? 'none').toMatch(fix ?? /none/);
    }),
  );

  it('names the limit that is reached, and leaves the wait open when Google does', () =>
    withGoogle(async (audiences, fake) => {
      await audiences.lists('');
      fake.always(paused());

      const error = await thrownBy(audiences.add(buyers, people(1), call()));

      expect(error).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: undefined });
      expect(error.message).toContain('IngestionRequestsPerMinutePerProject');
    }));

  it.each([
    ['77', 'TARGET_GONE'],
    ['4', 'TARGET_GONE'],
    ['5', 'TARGET_GONE'],
  ])('ends when list %s is gone, filled by Google, or closed', (id, code) =>
    withGoogle(async (audiences, fake) => {
      expect((await thrownBy(audiences.add(id, people(1), call()))).code).toBe(code);
      expect(uploadsOf(fake, 'ingest')).toEqual([]);
    }),
  );

  it('still takes people off a list that is closed', () =>
    withGoogle(async (audiences) => {
      expect(await audiences.remove('5', people(1), call())).toEqual([{ state: 'ok' }]);
    }));
});

describe('google-ads: lists', () => {
  it('offers those that people can be put on, from all pages, with what they know people by', () =>
    withGoogle(async (audiences) => {
      expect(await audiences.lists('')).toEqual([
        { value: '3', label: 'App users (advertising ids)' },
        { value: buyers, label: 'Buyers' },
        { value: '2', label: 'Members (user ids)' },
      ]);
      expect(await audiences.lists(' buy')).toEqual([{ value: buyers, label: 'Buyers' }]);
    }));

  it('makes them for as many whole days as wanted', () =>
    withGoogle(
      async (audiences, fake) => {
        expect(await audiences.create('New')).toBe('105');
        expect(fake.to(`POST ${place}`)[0]!.json()).toEqual({
          displayName: 'New',
          description: 'Kept in step by Activate.',
          membershipDuration: '2592000s',
          ingestedUserListInfo: {
            uploadKeyTypes: ['CONTACT_ID'],
            contactIdInfo: { dataSourceType: 'DATA_SOURCE_TYPE_FIRST_PARTY' },
          },
        });
      },
      { days: '30' },
    ));

  it.each([
    ['user', { uploadKeyTypes: ['USER_ID'] }],
    ['ios', { uploadKeyTypes: ['MOBILE_ID'], mobileIdInfo: { keySpace: 'IOS', appId: 'com.acme' } }],
    ['android', { uploadKeyTypes: ['MOBILE_ID'], mobileIdInfo: { keySpace: 'ANDROID', appId: 'com.acme' } }],
  ])('makes them for people known by %s', (newLists, info) =>
    withGoogle(
      async (audiences, fake) => {
        await audiences.create('New');

        expect(fake.to(`POST ${place}`)[0]!.json()).toMatchObject({
          membershipDuration: '46656000s',
          ingestedUserListInfo: info,
        });
      },
      { newLists, appId: 'com.acme' },
    ),
  );

  it('takes the one that somebody else made of that name meanwhile, and none that nobody can be put on', () =>
    withGoogle(async (audiences, fake) => {
      const none = { json: { userLists: [] } };
      fake.next(undefined, none);
      expect(await audiences.create('Buyers')).toBe(buyers);
      expect(await thrownBy(audiences.create('Visitors'))).toMatchObject({
        code: 'EXISTS',
        fix: expect.any(String),
      });
    }));
});

describe('google-ads: connection', () => {
  it('tries whether lists may be made, and makes none', () =>
    withGoogle(async (_, fake, check) => {
      expect(await check()).toEqual([]);
      expect(fake.to(`POST ${place}`)[0]!.query.get('validateOnly')).toBe('true');

      fake.state.mayMakeLists = false;
      expect(await check()).toEqual([expect.stringContaining('not made')]);
      expect(fake.state.lists).toHaveLength(5);
    }));

  it('signs in at Google itself when no base URL says otherwise', async () => {
    const fake = await startGoogle();
    const { baseUrl: _, ...plain } = typed(fake);
    const standIns = { 'datamanager.googleapis.com': fake.url, 'oauth2.googleapis.com': fake.url };
    const opened = await openFor(googleAds, plain, { standIns });

    expect(await opened.connection.check('audiences')).toEqual([]);
    expect(fake.to('POST /token')).toHaveLength(1);
    await opened.close();
    await fake.close();
  });

  it('signs in as a service account, with an assertion for Google that its key has signed', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const serviceAccount = JSON.stringify({
      type: 'service_account',
      client_email: 'activate@acme.iam.gserviceaccount.com',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    });
    const fake = await startGoogle();
    const { clientId: _id, clientSecret: _secret, refreshToken: _token, ...rest } = typed(fake);
    const now = new Date('2026-11-23T12:00:00Z');
    const opened = await openFor(googleAds, { ...rest, serviceAccount }, { now: () => now });

    expect(await opened.connection.check('audiences')).toEqual([]);

    const form = new URLSearchParams(fake.to('POST /token')[0]!.body.toString());
    const [head = '', claims = '', signature = ''] = form.get('assertion')!.split('.');
    expect(form.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer');
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toEqual({
      iss: 'activate@acme.iam.gserviceaccount.com',
      scope: 'https://www.googleapis.com/auth/datamanager',
      aud: 'https://oauth2.googleapis.com/token',
      iat: now.getTime() / 1000,
      exp: now.getTime() / 1000 + 3600,
    });
    const verify = createVerify('RSA-SHA256').update(`${head}.${claims}`);
    expect(
      verify.verify(
        createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })),
        signature,
        'base64url',
      ),
    ).toBe(true);
    expect(JSON.stringify(opened.logged)).not.toContain(form.get('assertion'));
    await opened.close();
    await fake.close();
  });

  it.each([
    [{ account: 'acme' }, 'account'],
    [{ manager: '12' }, 'manager'],
    [{ baseUrl: 'ftp://x' }, 'baseUrl'],
    [{ newLists: 'ios' }, 'appId'],
    [{ serviceAccount: '{}' }, 'serviceAccount'],
    [
      { clientId: '', clientSecret: '', refreshToken: '', serviceAccount: '{"type": "user"}' },
      'serviceAccount',
    ],
    [{ clientSecret: '' }, 'clientSecret'],
    [{ refreshToken: '' }, 'refreshToken'],
  ])('does not open with what can not be right: %j', async (wrong, name) => {
    const fake = await startGoogle();

    const error = await thrownBy(openFor(googleAds, { ...typed(fake), ...wrong }));

    expect(error).toMatchObject({ code: 'CONFIG_INVALID', fix: expect.any(String) });
    expect(Object.keys(error.fields ?? {})).toEqual([name]);
    await fake.close();
  });

  it('is not asked about terms and consent that nobody has answered for', async () => {
    const fake = await startGoogle();
    const { terms: _terms, consent: _consent, ...rest } = typed(fake);

    await expect(openFor(googleAds, rest)).rejects.toThrow(/terms.*consent/);
    await fake.close();
  });
});
