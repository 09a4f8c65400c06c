import { describe, expect, it } from 'vitest';
import { tiktok } from '../../connectors/tiktok/index.ts';
import type { Audiences, Member } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { normaliser } from '../../engine/identity/normalise.ts';
import { destinationContract } from '../contracts/destination.ts';
import { partOf } from '../contracts/works.ts';
import { limited } from '../fakes/http.ts';
import { advertiser, type FakeTikTok, startTikTok, tiktokError, token } from '../fakes/tiktok.ts';
import { call, openFor } from '../support/connect.ts';

const { identify } = normaliser(1);
const mapping = 'POST /open_api/v1.3/segment/mapping/';

const typed = (fake: FakeTikTok) => ({ accessToken: token, advertiser, baseUrl: fake.url });

const known = await (async () => {
  const opened = await openFor(tiktok, { accessToken: token, advertiser });
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

async function withTikTok(
  test: (audiences: Audiences, fake: FakeTikTok, check: () => Promise<readonly string[]>) => Promise<void>,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const fake = await startTikTok();
  const opened = await openFor(tiktok, { ...typed(fake), ...more });
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

destinationContract('tiktok', {
  connector: tiktok,
  renewsToken: false,
  start: async () => {
    const fake = await startTikTok();
    return {
      fake,
      config: typed(fake),
      wrongConfig: { ...typed(fake), accessToken: 'tt-somebody-elses-token' },
      stored: () =>
        fake.state.audiences.map(({ id, name, people: there }) => ({ id, name, there: [...there].sort() })),
    };
  },
  parts: { audiences: { list: '100', members: people } },
  says: {
    limited: (seconds) => (seconds === undefined ? tiktokError(40_100) : limited(seconds)),
    unauthorized: tiktokError(40_105, 'Access token is incorrect or has been revoked.'),
    broken: [tiktokError(50_000), tiktokError(51_063), tiktokError(60_001), { status: 502, text: '<html>' }],
    quoting: ({ headers, body }) => tiktokError(40_002, `${JSON.stringify(headers)} ${body}`),
  },
});

interface Sent {
  readonly action: string;
  readonly id_schema: readonly string[];
  readonly batch_data: readonly (readonly object[])[];
}

const sent = (fake: FakeTikTok): readonly Sent[] => fake.to(mapping).map((request) => request.json<Sent>());

describe('tiktok: people', () => {
  it('keeps dots and plus tags of an address, and hashes the rest as TikTok publishes it', () =>
    withTikTok(async (audiences, fake) => {
      await audiences.add(
        '100',
        [
          person('1', { EMAIL_SHA256: 'JaneDoe@gmail.com' }),
          person('2', { EMAIL_SHA256: ' User.Name+NYC@Example.com' }),
          person('3', { AAID_SHA256: '5F3A2B18-9C4D-4E7F-B8E2-17D3A1E69B25' }),
          person('4', { PHONE_SHA256: '374-93-828222' }),
          person('5', { PHONE_SHA256_NO_PLUS: '374-93-828222' }),
        ],
        call(),
      );

      expect([...fake.state.audiences[0]!.people].sort()).toEqual([
        'AAID_SHA256=83dc3f5f32b9472613b0f038d36f22585a609d018af6f6067f50da318bf354bd',
        'EMAIL_SHA256=d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69',
        'EMAIL_SHA256=f109a2a632fbcea5fc82049f50beed3d8621bf9034399f437fb622222acccdac',
        'PHONE_SHA256=241371e614f8650dfae0f111361c69de1bb4829a72b71bb8044daae8b2e7791d',
        'PHONE_SHA256=65b7e6dcf6f4310f8d7cbfbd78289a753062fb054d6664fb9aaac5df66a422d4',
      ]);
    }));

  it('puts each digest into its own column, and an empty object where a row has none', () =>
    withTikTok(async (audiences, fake) => {
      const phone = person('1', { PHONE_SHA256: '+44 113 496 0987' });
      // In another order than the columns'.
      const both = person('2', {
        IDFA_SHA256: 'AECE52E7-03EE-455A-B3C4-E57283966239',
        EMAIL_SHA256: 'b@mail.example',
      });

      await audiences.add('100', [phone, both], call());

      const cell = (id: string | undefined): object => ({ id, audience_ids: ['100'] });
      expect(sent(fake)).toEqual([
        {
          advertiser_ids: [advertiser],
          action: 'add',
          id_schema: ['EMAIL_SHA256', 'PHONE_SHA256', 'IDFA_SHA256'],
          batch_data: [
            [{}, cell(phone.identifiers['PHONE_SHA256']), {}],
            [cell(both.identifiers['EMAIL_SHA256']), {}, cell(both.identifiers['IDFA_SHA256'])],
          ],
        },
      ]);
    }));

  it('sends ids of Android and of iOS under their own names', () =>
    withTikTok(async (audiences, fake) => {
      const id = 'aece52e7-03ee-455a-b3c4-e57283966239';
      await audiences.add(
        '100',
        [person('1', { AAID_SHA256: id }), person('2', { IDFA_SHA256: id })],
        call(),
      );

      expect(sent(fake)[0]!.id_schema).toEqual(['IDFA_SHA256', 'AAID_SHA256']);
      expect(fake.state.audiences[0]!.people.size).toBe(2);
    }));

  it('sends both forms of a telephone number as two rows, and takes both off again', () =>
    withTikTok(async (audiences, fake) => {
      const both = person('1', {
        EMAIL_SHA256: 'a@mail.example',
        PHONE_SHA256: '+44 113 496 0987',
        PHONE_SHA256_NO_PLUS: '+44 113 496 0987',
      });

      await audiences.add('100', [both], call());
      const there = fake.state.audiences[0]!.people.size;
      await audiences.remove('100', [both], call());

      expect(there).toBe(3);
      expect(sent(fake).map(({ action, batch_data: rows }) => [action, rows.length])).toEqual([
        ['add', 2],
        ['delete', 2],
      ]);
      expect(fake.state.audiences[0]!.people.size).toBe(0);
    }));

  it('sends 1,000 rows in one call and never more, one call at a time', () =>
    withTikTok(async (audiences, fake) => {
      const many = Array.from({ length: 1_000 }, (_, i) =>
        person(`k${i}`, {
          PHONE_SHA256: `+44 113 496 ${String(1000 + i)}`,
          PHONE_SHA256_NO_PLUS: `+44 113 496 ${String(1000 + i)}`,
        }),
      );

      const outcomes = await audiences.add('100', many, call());

      expect(audiences.limits).toMatchObject({ rows: 1_000, concurrency: 1 });
      expect(outcomes).toHaveLength(1_000);
      expect(sent(fake).map(({ batch_data: rows }) => rows.length)).toEqual([1_000, 1_000]);
      expect(fake.state.audiences[0]!.people.size).toBe(2_000);
    }));

  it('does not take status 200 for done: the number has to be there, and 0', () =>
    withTikTok(async (audiences, fake) => {
      fake.next({ json: { message: 'OK' } }, { json: { code: '0', data: {} } }, tiktokError(40_002, 'No.'));

      const codes: string[] = [];
      for (let i = 0; i < 3; i += 1) {
        codes.push((await thrownBy(audiences.add('100', people(2), call()))).code);
      }

      expect(codes).toEqual(['OUTCOME_UNKNOWN', 'OUTCOME_UNKNOWN', 'INPUT_INVALID']);
    }));

  it.each([
    [20_001, 'done in part'],
    [40_061, 'too many at once'],
    [40_062, 'not hashed'],
  ])('has a batch halved that is refused with %i (%s), and repeats nobody', (code) =>
    withTikTok(async (audiences, fake) => {
      const [one] = people(1);
      fake.always(tiktokError(code, `Look at ${one!.identifiers['EMAIL_SHA256']}`));

      const error = await thrownBy(audiences.add('100', [one!], call()));

      expect(error.code).toBe('ROW_REJECTED');
      expect(error.message).not.toContain(one!.identifiers['EMAIL_SHA256']);
    }),
  );
});

describe('tiktok: errors by their numbers', () => {
  it.each([
    [40_000, 'INPUT_INVALID'],
    [40_001, 'PERMISSION_DENIED'],
    [40_002, 'INPUT_INVALID'],
    [40_007, 'NOT_FOUND'],
    [40_051, 'CONFIG_INVALID'],
    [40_100, 'RATE_LIMITED'],
    [40_102, 'AUTH_REJECTED'],
    [40_104, 'AUTH_REJECTED'],
    [40_105, 'AUTH_REJECTED'],
    [40_118, 'PERMISSION_DENIED'],
    [40_130, 'PERMISSION_DENIED'],
    [40_132, 'RATE_LIMITED'],
    [40_202, 'UNAVAILABLE'],
    [40_300, 'NOT_FOUND'],
    [50_000, 'UNAVAILABLE'],
    [50_002, 'UNAVAILABLE'],
    [51_003, 'UNAVAILABLE'],
    [59_999, 'UNAVAILABLE'],
    [60_001, 'UNAVAILABLE'],
    [61_000, 'RATE_LIMITED'],
    [70_001, 'INPUT_INVALID'],
  ] as const)('takes %i for %s, whatever the status, and names the request', (number, code) =>
    withTikTok(async (audiences, fake) => {
      fake.always(tiktokError(number));
      const error = await thrownBy(audiences.add('100', people(1), call()));
      fake.always(tiktokError(number, 'Something about this call.', 400));
      const other = await thrownBy(audiences.add('100', people(1), call()));

      expect(error).toBeInstanceOf(ActivateError);
      expect([error.code, other.code]).toEqual([code, code]);
      expect(error.message).toContain(`error ${number}, request 20261126091500A1B2C3`);
    }),
  );

  it('strikes out the token that an answer of status 200 quotes', () =>
    withTikTok(async (audiences, fake) => {
      fake.always(tiktokError(40_105, `No such token: ${token}`));

      const error = await thrownBy(audiences.lists(''));

      expect(error.message).not.toContain(token);
      expect(error.message).toContain('No such token: …');
    }));

  it('does not know a list that is gone', () =>
    withTikTok(async (audiences) => {
      expect(await thrownBy(audiences.add('999', people(1), call()))).toMatchObject({
        code: 'NOT_FOUND',
        fix: expect.stringContaining('Audience Manager'),
      });
    }));
});

describe('tiktok: lists', () => {
  it('offers lists that people can be sent to, the best match first', () =>
    withTikTok(async (audiences, fake) => {
      const list = (id: string, name: string, type: string) => ({
        id,
        name,
        type,
        people: new Set<string>(),
      });
      fake.state.audiences.push(
        list('102', 'All buyers', 'Partner Audience'),
        list('103', 'Buyers of 2025', 'A kind that we do not know'),
        list('104', 'Buyers from a file', 'Customer File Audience'),
        list('105', 'Buyers on the web', 'Website Traffic'),
      );

      const offered = await audiences.lists('buyers');

      expect(offered.map(({ label }) => label)).toEqual(['Buyers', 'Buyers of 2025', 'All buyers']);
    }));

  it('looks through all pages for the name before it makes a list, for names may come twice', () =>
    withTikTok(async (audiences, fake) => {
      fake.state.audiences.push(
        ...Array.from({ length: 250 }, (_, i) => ({
          id: `5${i}`,
          name: `List ${i}`,
          type: 'Partner Audience',
          people: new Set<string>(),
        })),
      );

      expect(await audiences.create('List 249')).toBe('5249');

      const asked = fake.to('GET /open_api/v1.3/dmp/custom_audience/list/');
      expect(asked.map(({ query }) => query.get('page'))).toEqual(['1', '2', '3']);
      expect(fake.to('POST /open_api/v1.3/segment/audience/')).toEqual([]);
    }));

  it('does not take a lookalike of the same name for the list', () =>
    withTikTok(async (audiences) => {
      expect(await audiences.create('Like buyers')).not.toBe('101');
    }));

  it('tells TikTok what new lists know people by', () =>
    withTikTok(
      async (audiences, fake) => {
        await audiences.create('Churned');

        expect(fake.to('POST /open_api/v1.3/segment/audience/')[0]!.json()).toEqual({
          advertiser_id: advertiser,
          custom_audience_name: 'Churned',
          id_type: 'AAID_SHA256',
          action: 'create',
        });
      },
      { newLists: 'AAID_SHA256' },
    ));
});

describe('tiktok: connection', () => {
  it('warns of an advertiser that is not enabled, and of lists that expire soon', () =>
    withTikTok(async (_audiences, fake, check) => {
      fake.state.status = 'STATUS_DISABLE';
      fake.state.audiences.push({
        id: '106',
        name: 'Forgotten',
        type: 'Partner Audience',
        expiring: true,
        people: new Set(),
      });

      expect(await check()).toEqual([
        expect.stringContaining('not enabled'),
        expect.stringContaining('expire soon, for no ad uses them: Forgotten.'),
      ]);
    }));

  it('says at the field that the token does not see this advertiser', () =>
    withTikTok(
      async (_audiences, _fake, check) => {
        expect(await thrownBy(check())).toMatchObject({
          code: 'CONFIG_INVALID',
          fields: { advertiser: expect.any(String) },
        });
      },
      { advertiser: '7099999999999999999' },
    ));

  it('takes nothing but digits for the id of an advertiser', async () => {
    await expect(openFor(tiktok, { accessToken: token, advertiser: 'my account' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { advertiser: expect.any(String) },
    });
  });
});
