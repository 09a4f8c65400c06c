import { describe, expect, it } from 'vitest';
import { microsoftAds } from '../../connectors/microsoft-ads/index.ts';
import type { Audiences, Member } from '../../engine/contracts/destination.ts';
import type { ActivateError } from '../../engine/contracts/errors.ts';
import { normaliser } from '../../engine/identity/normalise.ts';
import { destinationContract } from '../contracts/destination.ts';
import { partOf } from '../contracts/works.ts';
import {
  apply,
  audiences as audiencesPath,
  developerToken,
  type FakeMicrosoft,
  fault,
  partly,
  refreshToken,
  startMicrosoft,
} from '../fakes/microsoft-ads.ts';
import { call, openFor } from '../support/connect.ts';

const { identify } = normaliser(1);
const buyers = '9007199254740993';

const typed = (fake: FakeMicrosoft) => ({
  account: '123456789',
  customer: '12345678',
  developerToken,
  clientId: '0a1b2c3d-0000-0000-0000-000000000000',
  refreshToken,
  terms: 'accepted',
  baseUrl: fake.url,
});

/** A person as the engine hands it over. */
function person(key: string, given: { readonly email?: string; readonly crm?: string }): Member {
  const { email, crm } = given;
  const found =
    email === undefined
      ? undefined
      : identify({ name: 'email', label: 'E-mail', rule: 'email', hash: 'sha256' }, email, {});
  return {
    key,
    identifiers: {
      ...(found !== undefined && 'value' in found ? { email: found.value } : {}),
      ...(crm === undefined ? {} : { crm }),
    },
    traits: {},
  };
}

const bad = (key: string): Member => ({ key, identifiers: { email: 'plain@mail.example' }, traits: {} });

function people(n: number, at?: number): readonly Member[] {
  return Array.from({ length: n }, (_, i) =>
    i === at ? bad(`k${i}`) : person(`k${i}`, { email: `p${i}@mail.example` }),
  );
}

const sentIn = (fake: FakeMicrosoft): readonly Readonly<Record<string, unknown>>[] =>
  fake
    .to(apply)
    .map((request) => request.json<{ CustomerListUserData: Record<string, unknown> }>().CustomerListUserData);

async function withMicrosoft(
  test: (audiences: Audiences, fake: FakeMicrosoft, check: () => Promise<readonly string[]>) => Promise<void>,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const fake = await startMicrosoft();
  const opened = await openFor(microsoftAds, { ...typed(fake), ...more });
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

destinationContract('microsoft-ads', {
  connector: microsoftAds,
  renewsToken: true,
  start: async () => {
    const fake = await startMicrosoft();
    return {
      fake,
      config: typed(fake),
      wrongConfig: { ...typed(fake), refreshToken: 'M.C512_of-somebody-else' },
      stored: () => fake.state.lists.map(({ id, name, items }) => ({ id, name, items: [...items].sort() })),
    };
  },
  parts: { audiences: { list: buyers, members: people } },
  says: {
    unauthorized: fault(109, 'AuthenticationTokenExpired', 'The token has expired.', 401),
    broken: [
      fault(0, 'InternalError', 'An internal error has occurred.', 500),
      { status: 502, text: '<html>' },
      { status: 503, text: '' },
    ],
    quoting: ({ headers, body }) => fault(8001, 'InvalidActionType', `${JSON.stringify(headers)} ${body}`),
  },
});

describe('microsoft-ads: people', () => {
  it('go by one list, one action and one kind of thing in each call, e-mail hashed as published', () =>
    withMicrosoft(async (audiences, fake) => {
      const outcomes = await audiences.add(
        buyers,
        [person('1', { email: ' Test@Contoso.com', crm: 'Cust-7' }), person('2', { crm: 'Cust-8' })],
        call(),
      );

      expect(outcomes).toEqual([{ state: 'ok' }, { state: 'ok' }]);
      const common = { ActionType: 'Add', AudienceId: buyers };
      expect(sentIn(fake)).toEqual([
        {
          ...common,
          CustomerListItemSubType: 'Email',
          CustomerListItems: ['f25ad364d33972379a7a4f4df33db142205f5c40eb19cfdb2fc5aaf117e10101'],
        },
        { ...common, CustomerListItemSubType: 'CRM', CustomerListItems: ['Cust-7', 'Cust-8'] },
      ]);
      expect(fake.to(apply)[0]!.headers).toMatchObject({
        developertoken: developerToken,
        customerid: '12345678',
        customeraccountid: '123456789',
      });
    }));

  it('keep their dots and what follows a plus sign, unlike at Google', () =>
    withMicrosoft(async (audiences, fake) => {
      await audiences.add(buyers, [person('1', { email: 'user.name+NYC@Example.com' })], call());

      expect([...fake.state.lists[0]!.items]).toEqual([
        'Email f109a2a632fbcea5fc82049f50beed3d8621bf9034399f437fb622222acccdac',
      ]);
    }));

  it('come once when two rows share a value, and both rows are told', () =>
    withMicrosoft(async (audiences, fake) => {
      const [ada] = people(1);

      expect(await audiences.add(buyers, [ada!, { ...ada!, key: 'k1' }], call())).toEqual([
        { state: 'ok' },
        { state: 'ok' },
      ]);
      expect(sentIn(fake)[0]!['CustomerListItems']).toHaveLength(1);
    }));

  it('come 1,000 at once, never by Replace, which would leave the last batch alone', () =>
    withMicrosoft(async (audiences, fake) => {
      const many = people(2000);

      await audiences.add(buyers, many.slice(0, 1000), call());
      await audiences.add(buyers, many.slice(1000), call());

      expect(audiences.limits.rows).toBe(1000);
      expect(fake.state.lists[0]!.items.size).toBe(2000);
      expect(sentIn(fake).map(({ ActionType }) => ActionType)).toEqual(['Add', 'Add']);
    }));

  it('leave by the same values', () =>
    withMicrosoft(async (audiences, fake) => {
      const three = [...people(2), person('crm', { crm: 'Cust-7' })];
      await audiences.add(buyers, three, call());

      await audiences.remove(buyers, three.slice(1), call());

      expect([...fake.state.lists[0]!.items]).toEqual([`Email ${three[0]!.identifiers['email']}`]);
    }));
});

describe('microsoft-ads: what became of people', () => {
  it('is a refusal of each when all of them are, though the status is 200', () =>
    withMicrosoft(async (audiences) => {
      const outcomes = await audiences.add(
        buyers,
        ['1', '2', '3'].map((key) => ({ ...bad(key), identifiers: { email: `plain-${key}` } })),
        call(),
      );

      expect(outcomes).toEqual(
        [1, 2, 3].map(() => ({
          state: 'rejected',
          reason: expect.stringContaining('InvalidCustomerListItem: … is not valid'),
          field: 'email',
        })),
      );
    }));

  it('is found by the place among what was sent, not among the rows', () =>
    withMicrosoft(async (audiences) => {
      const [ada] = people(1);

      const outcomes = await audiences.add(
        buyers,
        [ada!, { ...ada!, key: 'k1' }, bad('2'), bad('3')],
        call(),
      );

      expect(outcomes.map(({ state }) => state)).toEqual(['ok', 'ok', 'rejected', 'rejected']);
    }));

  it('is not known when somebody was taken by one thing and refused by another', () =>
    withMicrosoft(async (audiences, fake) => {
      const half = person('1', { email: 'a@mail.example', crm: 'x'.repeat(101) });

      expect(await audiences.add(buyers, [half], call())).toMatchObject([{ state: 'unknown' }]);
      expect(fake.state.lists[0]!.items.size).toBe(1);
    }));

  it('is tried again for those who met with trouble or came too fast', () =>
    withMicrosoft(async (audiences, fake) => {
      fake.next(
        undefined,
        partly(
          { Code: 0, ErrorCode: 'InternalError', Message: 'Trouble.', Index: 0 },
          { Code: 117, ErrorCode: 'CallRateExceeded', Message: 'Slow down.', Index: 2 },
        ),
      );

      expect(await audiences.add(buyers, people(3), call())).toMatchObject([
        { state: 'unknown' },
        { state: 'ok' },
        { state: 'retry', afterMs: 60_000 },
      ]);
    }));

  it.each([
    [8000, 'TARGET_GONE'],
    [8003, 'PERMISSION_DENIED'],
    [106, 'PERMISSION_DENIED'],
  ])('ends the run when it is about the list or the account: %i', (Code, code) =>
    withMicrosoft(async (audiences, fake) => {
      const error = { Code, ErrorCode: 'Whole', Message: 'About all.' };
      fake.next(undefined, partly({ ...error, Index: 0 }), partly(error));

      expect((await thrownBy(audiences.add(buyers, people(1), call()))).code).toBe(code);
      expect((await thrownBy(audiences.add(buyers, people(1), call()))).code).toBe(code);
    }),
  );

  it('is found by halving when somebody is refused and nobody named', () =>
    withMicrosoft(async (audiences, fake) => {
      const [ada] = people(1);
      const quoting = {
        Code: 8004,
        ErrorCode: 'InvalidItem',
        Message: `What about ${ada!.identifiers['email']}?`,
      };
      fake.next(undefined, partly(quoting));

      const error = await thrownBy(audiences.add(buyers, people(3), call()));

      expect(error.code).toBe('ROW_REJECTED');
      expect(error.message).not.toContain(ada!.identifiers['email']);
    }));

  it.each([{}, { PartialErrors: null }, { PartialErrors: [null] }])(
    'is well when nothing stands against it: %j',
    (json) =>
      withMicrosoft(async (audiences, fake) => {
        fake.next(undefined, { json });

        expect(await audiences.add(buyers, people(1), call())).toEqual([{ state: 'ok' }]);
      }),
  );
});

describe('microsoft-ads: signing in', () => {
  it.each([
    [105, 401],
    [109, 400],
    [109, 200],
  ])('gets a new token once for error %i, with whatever status (%i)', (code, status) =>
    withMicrosoft(async (audiences, fake) => {
      fake.next(undefined, fault(code, 'Expired', 'Token.', status));

      expect(await audiences.add(buyers, people(1), call())).toEqual([{ state: 'ok' }]);
      expect(fake.to('POST /common/oauth2/v2.0/token')).toHaveLength(2);
    }),
  );

  it('takes 106 for a lack of rights, which no new token changes', () =>
    withMicrosoft(async (audiences, fake) => {
      fake.next(undefined, fault(106, 'UserIsNotAuthorized', 'No.', 401));

      const error = await thrownBy(audiences.add(buyers, people(1), call()));

      expect(error).toMatchObject({ code: 'PERMISSION_DENIED', fix: expect.any(String) });
      expect(fake.to('POST /common/oauth2/v2.0/token')).toHaveLength(1);
    }));

  it('asks with its own refresh token each time, and as a public app without a secret', async () => {
    const fake = await startMicrosoft();
    const { baseUrl: _, ...plain } = typed(fake);
    const standIns = {
      'campaign.api.bingads.microsoft.com': fake.url,
      'login.microsoftonline.com': fake.url,
    };
    const opened = await openFor(microsoftAds, plain, { standIns });
    await opened.connection.check('audiences');
    fake.state.tokens.clear();
    await opened.connection.check('audiences');

    const forms = fake
      .to('POST /common/oauth2/v2.0/token')
      .map(({ body }) => new URLSearchParams(body.toString()));
    expect(forms.map((form) => Object.fromEntries(form))).toEqual(
      [1, 2].map(() => ({
        grant_type: 'refresh_token',
        client_id: plain.clientId,
        refresh_token: refreshToken,
        scope: 'https://ads.microsoft.com/msads.manage offline_access',
      })),
    );
    await opened.close();
    await fake.close();
  });

  it('says what to do about a developer token that is not known', () =>
    withMicrosoft(
      async (_audiences, _fake, check) =>
        expect(await thrownBy(check())).toMatchObject({
          code: 'AUTH_REJECTED',
          fix: expect.stringContaining('developer token'),
        }),
      { developerToken: 'another-token', clientSecret: 'secret-of-the-app' },
    ));
});

describe('microsoft-ads: errors', () => {
  it('waits a minute when calls came too fast, for no answer says how long', () =>
    withMicrosoft(async (audiences, fake) => {
      await audiences.lists('');
      fake.always(fault(117, 'CallRateExceeded', 'You have exceeded the number of calls.'));

      const error = await thrownBy(audiences.add(buyers, people(1), call()));

      expect(error).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 60_000 });
      expect(error.message).toContain('9a8b7c6d-1234');
    }));

  it('reads faults of both kinds, and those of which it knows no number by their status', () =>
    withMicrosoft(async (audiences, fake) => {
      const { Errors: _, ...rest } = (fault(1, 'x').json ?? {}) as Record<string, unknown>;
      const problems = [
        { Code: '4711', ErrorCode: 'Strange', Message: 'Strange.' },
        { Code: '8003', ErrorCode: 'CustomerListTermsAndConditionsNotAccepted', Message: 'Terms.' },
      ];
      fake.next(
        undefined,
        { status: 400, json: { ...rest, OperationErrors: problems } },
        fault(4711, 'Strange', 'Strange.', 400),
        fault(4711, 'Strange', 'Strange.', 200),
      );

      const codes = [];
      for (const _time of [1, 2, 3]) {
        codes.push((await thrownBy(audiences.add(buyers, people(1), call()))).code);
      }

      expect(codes).toEqual(['PERMISSION_DENIED', 'INPUT_INVALID', 'INPUT_INVALID']);
    }));

  it('ends when the list is gone', () =>
    withMicrosoft(async (audiences) => {
      expect((await thrownBy(audiences.remove('77', people(1), call()))).code).toBe('TARGET_GONE');
    }));
});

describe('microsoft-ads: terms', () => {
  it('are never accepted unless somebody chose that', () =>
    withMicrosoft(async (audiences, fake) => {
      fake.state.termsAccepted = false;

      const error = await thrownBy(audiences.add(buyers, people(1), call()));

      expect(error).toMatchObject({ code: 'PERMISSION_DENIED', fix: expect.stringContaining('by hand') });
      expect(sentIn(fake)[0]).not.toHaveProperty('AcceptCustomerMatchTerm');
      expect((await thrownBy(audiences.create('New'))).code).toBe('PERMISSION_DENIED');
    }));

  it('are accepted with each upload by whoever chose it', () =>
    withMicrosoft(
      async (audiences, fake) => {
        fake.state.termsAccepted = false;

        expect(await audiences.add(buyers, people(1), call())).toEqual([{ state: 'ok' }]);
        expect(sentIn(fake)[0]).toMatchObject({ AcceptCustomerMatchTerm: true });
      },
      { terms: 'accept' },
    ));
});

describe('microsoft-ads: lists', () => {
  it('offers customer lists, asked for with ids that are null, and keeps ids of 64 bits', () =>
    withMicrosoft(async (audiences, fake) => {
      expect(await audiences.lists('')).toEqual([
        { value: buyers, label: 'Buyers' },
        { value: '12', label: 'Members' },
      ]);
      expect(await audiences.lists('mem')).toEqual([{ value: '12', label: 'Members' }]);
      expect(fake.to(`${audiencesPath}/QueryByIds`)[0]!.json()).toEqual({
        AudienceIds: null,
        Type: 'CustomerList',
      });
    }));

  it.each([
    [{}, -1],
    [{ days: '30' }, 30],
  ])('makes lists that keep people as long as wanted: %j', (more, duration) =>
    withMicrosoft(async (audiences, fake) => {
      expect(await audiences.create('New')).toBe('102');
      expect(fake.to(audiencesPath)[0]!.json()).toEqual({
        Audiences: [
          {
            Name: 'New',
            Type: 'CustomerList',
            Description: 'Kept in step by Activate.',
            MembershipDuration: duration,
          },
        ],
      });
    }, more),
  );

  it('takes the list that somebody else made of that name meanwhile: a refusal inside of an answer that looks well', () =>
    withMicrosoft(async (audiences, fake) => {
      fake.next(undefined, { json: { Audiences: [] } });

      expect(await audiences.create('Buyers')).toBe(buyers);
      expect(fake.state.lists).toHaveLength(2);
    }));

  it('says why a list can not be made', () =>
    withMicrosoft(async (audiences, fake) => {
      const refused = { Code: 4842, ErrorCode: 'InvalidAudienceName', Message: 'Not this one.', Index: 0 };
      fake.next(undefined, undefined, { json: { AudienceIds: [null], PartialErrors: [refused] } });

      const error = await thrownBy(audiences.create('Strange'));

      expect(error).toMatchObject({
        code: 'INPUT_INVALID',
        message: expect.stringContaining('Not this one'),
      });
      expect((await thrownBy(audiences.create('x'.repeat(129)))).code).toBe('INPUT_INVALID');
    }));
});

describe('microsoft-ads: connection', () => {
  it.each([
    [{ account: 'F123' }, 'account'],
    [{ customer: 'acme' }, 'customer'],
    [{ baseUrl: 'ftp://x' }, 'baseUrl'],
  ])('does not open with what can not be right: %j', async (wrong, name) => {
    const fake = await startMicrosoft();

    const error = await thrownBy(openFor(microsoftAds, { ...typed(fake), ...wrong }));

    expect(error).toMatchObject({ code: 'CONFIG_INVALID', fix: expect.any(String) });
    expect(Object.keys(error.fields ?? {})).toEqual([name]);
    await fake.close();
  });
});
