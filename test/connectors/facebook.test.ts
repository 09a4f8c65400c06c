import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { facebook } from '../../connectors/facebook/index.ts';
import type { Audiences, Member } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { normaliser } from '../../engine/identity/normalise.ts';
import { destinationContract } from '../contracts/destination.ts';
import { partOf } from '../contracts/works.ts';
import { account, type FakeFacebook, graphError, paused, startFacebook, token } from '../fakes/facebook.ts';
import type { Answer } from '../fakes/http.ts';
import { call, openFor } from '../support/connect.ts';

const { identify } = normaliser(1);
const users = '/v26.0/100/users';

/** A person as the engine hands it over. */
function person(key: string, given: Readonly<Record<string, string>>): Member {
  const known = Object.entries(given).map(([name, text]) => {
    const identifier = openedIdentifiers.find((one) => one.name === name)!;
    const found = identify(identifier, text, {});
    return [name, found !== undefined && 'value' in found ? found.value : ''];
  });
  return { key, identifiers: Object.fromEntries(known), traits: {} };
}

function people(n: number, bad?: number): readonly Member[] {
  return Array.from({ length: n }, (_, i) =>
    i === bad
      ? { key: `k${i}`, identifiers: { EMAIL: 'plain@mail.example' }, traits: {} }
      : person(`k${i}`, { EXTERN_ID: `id-${i}`, EMAIL: `p${i}@mail.example` }),
  );
}

const typed = (fake: FakeFacebook) => ({
  accessToken: token,
  account,
  fileSource: 'USER_PROVIDED_ONLY',
  baseUrl: fake.url,
});

const openedIdentifiers = await (async () => {
  const opened = await openFor(facebook, {
    accessToken: token,
    account,
    fileSource: 'USER_PROVIDED_ONLY',
  });
  await opened.close();
  return partOf(opened.connection, 'audiences').identifiers;
})();

async function withFacebook(
  test: (audiences: Audiences, fake: FakeFacebook, check: () => Promise<readonly string[]>) => Promise<void>,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const fake = await startFacebook();
  const opened = await openFor(facebook, { ...typed(fake), ...more });
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

destinationContract('facebook', {
  connector: facebook,
  renewsToken: false,
  start: async () => {
    const fake = await startFacebook();
    return {
      fake,
      config: typed(fake),
      wrongConfig: { ...typed(fake), accessToken: 'EAAB-somebody-elses-token' },
      stored: () =>
        fake.state.audiences.map(({ id, name, people: there }) => ({ id, name, there: [...there].sort() })),
    };
  },
  parts: { audiences: { list: '100', members: people } },
  says: {
    limited: (seconds) => paused(seconds === undefined ? undefined : seconds / 60),
    unauthorized: graphError(190, 463, {}, 401),
    broken: [
      graphError(1, undefined, {}, 500),
      graphError(2, undefined, {}, 503),
      { status: 502, text: '<html>' },
    ],
    quoting: ({ headers, body }) =>
      graphError(100, undefined, { message: `${JSON.stringify(headers)} ${body}` }),
  },
});

describe('facebook: people', () => {
  it('hashes what is to be hashed, and sends ids as they are', () =>
    withFacebook(async (audiences, fake) => {
      const mary = person('1', {
        EXTERN_ID: 'Cust-7',
        EMAIL: ' Mary@Example.com',
        PHONE: '+1 (555) 987-6543',
        FN: 'Mary',
        COUNTRY: 'US',
        MADID: 'AECE52E7-03EE-455A-B3C4-E57283966239',
      });

      await audiences.add('100', [mary], call());

      const { payload } = fake
        .to(`POST ${users}`)[0]!
        .json<{ payload: { schema: string[]; data: string[][] } }>();
      expect(Object.fromEntries(payload.schema.map((name, at) => [name, payload.data[0]![at]]))).toEqual({
        EXTERN_ID: 'Cust-7',
        EMAIL: 'f1904cf1a9d73a55fa5de0ac823c4403ded71afd4c3248d00bdcd0866552bb79',
        PHONE: '1ef970831d7963307784fa8688e8fce101a15685d62aa765fed23f3a2c576a4e',
        FN: '6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec',
        COUNTRY: '79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621',
        MADID: 'aece52e7-03ee-455a-b3c4-e57283966239',
      });
    }));

  it('leaves cells empty that a person has nothing for, never with the hash of nothing', () =>
    withFacebook(async (audiences, fake) => {
      await audiences.add(
        '100',
        [person('1', { EMAIL: 'a@mail.example' }), person('2', { EXTERN_ID: 'two' })],
        call(),
      );

      const sent = fake.to(`POST ${users}`)[0]!.json<{ payload: unknown }>().payload;
      expect(sent).toEqual({
        schema: ['EXTERN_ID', 'EMAIL'],
        data: [
          ['', expect.stringMatching(/^[0-9a-f]{64}$/)],
          ['two', ''],
        ],
      });
      expect(JSON.stringify(sent)).not.toContain('e3b0c442');
    }));

  it('takes 10,000 people in one call, with a session of its own for each attempt', () =>
    withFacebook(async (audiences, fake) => {
      const many = people(10_000);

      const outcomes = await audiences.add('100', many, call());
      await audiences.add('100', many, call({ again: true }));

      expect(audiences.limits.rows).toBe(10_000);
      expect(outcomes.every(({ state }) => state === 'ok')).toBe(true);
      expect(fake.state.audiences[0]!.people.size).toBe(10_000);
      const sessions = fake
        .to(`POST ${users}`)
        .map((request) => request.json<{ session: Record<string, number> }>().session);
      expect(sessions).toEqual(
        sessions.map(({ session_id: id }) => ({
          session_id: id,
          batch_seq: 1,
          last_batch_flag: true,
          estimated_num_total: 10_000,
        })),
      );
      const ids = sessions.map(({ session_id: id }) => id!);
      expect(new Set(ids).size).toBe(2);
      expect(ids.every((id) => Number.isSafeInteger(id) && id > 0)).toBe(true);
    }));

  it('removes by all that people were added by', () =>
    withFacebook(async (audiences, fake) => {
      const [first, second] = people(2);
      await audiences.add('100', [first!, second!], call());

      await audiences.remove('100', [first!], call());

      expect(fake.to(`DELETE ${users}`)[0]!.json<{ payload: unknown }>().payload).toEqual({
        schema: ['EXTERN_ID', 'EMAIL'],
        data: [['id-0', first!.identifiers['EMAIL']]],
      });
      expect(fake.state.audiences[0]!.people.size).toBe(1);
    }));
});

const uploaded = (more: object): Answer => ({
  json: {
    audience_id: '100',
    session_id: '1',
    num_received: 3,
    num_invalid_entries: 0,
    invalid_entry_samples: {},
    ...more,
  },
});

describe('facebook: what became of people', () => {
  it('finds those whom it can not read among its samples, however these are spaced', () =>
    withFacebook(async (audiences, fake) => {
      const three = people(3);
      const row = JSON.stringify(
        [three[1]!.identifiers['EXTERN_ID'], three[1]!.identifiers['EMAIL']],
        null,
        1,
      );
      fake.next(
        uploaded({
          num_invalid_entries: 1,
          invalid_entry_samples: { [row]: `Bad ${three[1]!.identifiers['EMAIL']}` },
        }),
      );

      const outcomes = await audiences.add('100', three, call());

      expect(outcomes.map(({ state }) => state)).toEqual(['ok', 'rejected', 'ok']);
      expect(JSON.stringify(outcomes)).not.toContain(three[1]!.identifiers['EMAIL']);
    }));

  it('halves a batch of which it does not say who can not be read', () =>
    withFacebook(async (audiences, fake) => {
      fake.always(uploaded({ num_invalid_entries: 2, invalid_entry_samples: [] }));

      const all = await thrownBy(audiences.add('100', people(3), call()));
      const alone = await audiences.add('100', people(1), call());

      expect(all.code).toBe('ROW_REJECTED');
      expect(alone).toMatchObject([{ state: 'rejected' }]);
    }));

  it('does not take its samples for all when there is no room for more', () =>
    withFacebook(async (audiences) => {
      const bad = Array.from({ length: 150 }, (_, i) => ({
        key: `k${i}`,
        identifiers: { EMAIL: `x${i}` },
        traits: {},
      }));

      const error = await thrownBy(audiences.add('100', bad, call()));

      expect(error.code).toBe('ROW_REJECTED');
    }));

  it('does not know what was done when nobody was received, or the answer is another', () =>
    withFacebook(async (audiences, fake) => {
      fake.next(uploaded({ num_received: 0 }), { json: { success: true } });

      expect((await thrownBy(audiences.add('100', people(3), call()))).code).toBe('OUTCOME_UNKNOWN');
      expect((await thrownBy(audiences.add('100', people(3), call()))).code).toBe('OUTCOME_UNKNOWN');
    }));

  it('puts off a removal that would make the list too small, and never calls it done', () =>
    withFacebook(async (audiences, fake) => {
      fake.always(graphError(200, 1_870_047, { error_user_title: 'Audience Size too Low' }));

      const outcomes = await audiences.remove('100', people(2), call());

      expect(outcomes).toEqual(
        [0, 1].map(() => ({ state: 'rejected', reason: expect.stringContaining('small') })),
      );
    }));
});

describe('facebook: errors by their numbers', () => {
  it.each([
    [graphError(1), 'UNAVAILABLE'],
    [graphError(2), 'UNAVAILABLE'],
    [graphError(2650, 1_870_145), 'UNAVAILABLE'],
    [graphError(2650, 1_870_148), 'UNAVAILABLE'],
    [graphError(99, undefined, { is_transient: true }), 'UNAVAILABLE'],
    [graphError(4), 'RATE_LIMITED'],
    [graphError(17, 2_446_079), 'RATE_LIMITED'],
    [graphError(613, 1_487_742), 'RATE_LIMITED'],
    [graphError(80_003), 'RATE_LIMITED'],
    [graphError(190, 460), 'AUTH_REJECTED'],
    [graphError(100, 33), 'NOT_FOUND'],
    [graphError(100, 1_713_230), 'PERMISSION_DENIED'],
    [graphError(100), 'INPUT_INVALID'],
    [graphError(200), 'PERMISSION_DENIED'],
    [graphError(200, 1_870_034), 'PERMISSION_DENIED'],
    [graphError(200, 1_870_090), 'PERMISSION_DENIED'],
    [graphError(200, 1_870_092), 'PERMISSION_DENIED'],
    [graphError(10), 'PERMISSION_DENIED'],
    [graphError(294), 'PERMISSION_DENIED'],
    [graphError(368), 'PERMISSION_DENIED'],
    [graphError(2654, 1_713_092), 'PERMISSION_DENIED'],
    [graphError(2635), 'CONFIG_INVALID'],
    [graphError(105), 'INPUT_INVALID'],
    [graphError(194), 'INPUT_INVALID'],
    [graphError(2650, 1_870_147), 'INPUT_INVALID'],
    [graphError(2650, 1_870_144), 'INPUT_INVALID'],
  ] as const)('takes %j for %s, with status 200 too', (answer, code) =>
    withFacebook(async (audiences, fake) => {
      fake.always(answer);
      const error = await thrownBy(audiences.add('100', people(1), call()));
      fake.always({ ...answer, status: 200 });
      const disguised = await thrownBy(audiences.add('100', people(1), call()));

      expect(error).toBeInstanceOf(ActivateError);
      expect([error.code, disguised.code]).toEqual([code, code]);
      expect(error.message).toContain('A1b2-C3');
    }),
  );

  it('says where the terms are that nobody has accepted yet', () =>
    withFacebook(async (audiences, fake) => {
      fake.always(graphError(200, 1_870_090));

      const error = await thrownBy(audiences.add('100', people(1), call()));

      expect(error.fix).toContain('customaudiences/tos');
    }));

  it('waits for the minutes of X-Business-Use-Case-Usage, the longest of them', () =>
    withFacebook(async (audiences, fake) => {
      const usage = {
        4711: [{ estimated_time_to_regain_access: 3 }, { type: 'ads_management' }],
        4712: [{ estimated_time_to_regain_access: 28 }],
      };
      fake.always({ ...graphError(17), headers: { 'x-business-use-case-usage': JSON.stringify(usage) } });

      const error = await thrownBy(audiences.add('100', people(1), call()));

      expect(error).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 28 * 60_000 });
    }));

  it('does not know a list that is gone', () =>
    withFacebook(async (audiences) => {
      expect(await thrownBy(audiences.add('999', people(1), call()))).toMatchObject({
        code: 'NOT_FOUND',
        fix: expect.stringContaining('Admin'),
      });
    }));
});

describe('facebook: lists', () => {
  it('offers lists of people alone, the best match first', () =>
    withFacebook(async (audiences, fake) => {
      fake.state.audiences.push(
        { id: '102', name: 'All buyers', subtype: 'CUSTOM', people: new Set() },
        { id: '103', name: 'Buyers of 2025', subtype: 'CUSTOM', people: new Set() },
        { id: '104', name: 'Buyers, alike', subtype: 'LOOKALIKE', people: new Set() },
      );

      const offered = await audiences.lists('buyers');

      expect(offered.map(({ label }) => label)).toEqual(['Buyers', 'Buyers of 2025', 'All buyers']);
    }));

  it('finds lists on later pages by the cursor, and never follows an address with the token in it', () =>
    withFacebook(async (audiences, fake) => {
      const more = Array.from({ length: 250 }, (_, i) => `List ${i}`);
      fake.state.audiences.push(
        ...more.map((name, i) => ({ id: `5${i}`, name, subtype: 'CUSTOM', people: new Set<string>() })),
      );

      expect(await audiences.create('List 249')).toBe('5249');

      const asked = fake.to(`GET /v26.0/${account}/customaudiences`);
      expect(asked.map(({ query }) => query.get('after'))).toEqual([null, '100', '200']);
      expect(asked.some(({ query }) => query.has('access_token'))).toBe(false);
      expect(fake.to(`POST /v26.0/${account}/customaudiences`)).toEqual([]);
    }));

  it('asks for shorter pages when Facebook is asked for too much', () =>
    withFacebook(async (audiences, fake) => {
      fake.state.mostPerPage = 20;

      expect(await audiences.lists('')).toEqual([{ value: '100', label: 'Buyers' }]);
    }));

  it('says at Facebook where the data of a new list is from', () =>
    withFacebook(async (audiences, fake) => {
      const id = await audiences.create('Churned');

      expect(fake.to(`POST /v26.0/${account}/customaudiences`)[0]!.json()).toMatchObject({
        name: 'Churned',
        subtype: 'CUSTOM',
        customer_file_source: 'USER_PROVIDED_ONLY',
      });
      expect(fake.state.audiences.at(-1)).toMatchObject({ id, name: 'Churned' });
    }));
});

describe('facebook: connection', () => {
  it('warns of missing permissions and of an account that is not active', () =>
    withFacebook(async (_audiences, fake, check) => {
      fake.state.permissions = ['ads_read'];
      fake.state.accountStatus = 2;

      expect(await check()).toEqual([
        expect.stringContaining('not active'),
        'The token lacks the permission ads_management.',
      ]);
    }));

  it('proves the app secret with each call, and never sends it', () =>
    withFacebook(
      async (audiences, fake) => {
        await audiences.lists('');

        const proof = createHmac('sha256', 'app-secret-1').update(token).digest('hex');
        expect(fake.requests[0]!.query.get('appsecret_proof')).toBe(proof);
        expect(
          JSON.stringify(fake.requests.map(({ headers, query }) => [headers, String(query)])),
        ).not.toContain('app-secret-1');
      },
      { appSecret: 'app-secret-1' },
    ));

  it('takes the id of the ad account with or without act_, and nothing else', async () => {
    await withFacebook(async (_audiences, _fake, check) => expect(await check()).toEqual([]), {
      account: '4711',
    });
    await expect(
      openFor(facebook, { accessToken: token, account: 'my account', fileSource: 'USER_PROVIDED_ONLY' }),
    ).rejects.toMatchObject({ code: 'CONFIG_INVALID', fields: { account: expect.any(String) } });
  });
});
