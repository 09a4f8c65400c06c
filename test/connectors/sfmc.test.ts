import { describe, expect, it } from 'vitest';
import { sfmc } from '../../connectors/sfmc/index.ts';
import type { Audiences, Member, Value } from '../../engine/contracts/destination.ts';
import type { ActivateError } from '../../engine/contracts/errors.ts';
import { destinationContract } from '../contracts/destination.ts';
import { partOf } from '../contracts/works.ts';
import {
  businessUnit,
  buyers,
  type Column,
  client,
  type FakeSfmc,
  fault,
  key,
  on,
  plain,
  refused,
  rowsOfBuyers,
  startSfmc,
} from '../fakes/sfmc.ts';
import { call, openFor } from '../support/connect.ts';

const typed = (fake: FakeSfmc) => ({
  ...client,
  subdomain: 'mc563885gzs27c5t9-63k636ttgm',
  businessUnit,
  folder: '4711',
  baseUrl: fake.url,
});

const byAddress = '2f6f0d6c-0000-4000-8000-000000000002';

function member(
  name: string,
  identifiers: Readonly<Record<string, string>>,
  traits: Readonly<Record<string, Value>> = {},
): Member {
  return { key: name, identifiers, traits };
}

function people(n: number, at?: number): readonly Member[] {
  return Array.from({ length: n }, (_, i) =>
    member(`k${i}`, { subscriberKey: `Cust-${i}`, email: i === at ? 'nobody-at-all' : `p${i}@mail.example` }),
  );
}

type Row = Readonly<Record<string, unknown>>;
const sent = (fake: FakeSfmc, at = 0): readonly Row[] =>
  fake.to(rowsOfBuyers)[at]!.json<{ items: Row[] }>().items;
const states = (outcomes: readonly { readonly state: string }[]): readonly string[] =>
  outcomes.map(({ state }) => state);

/** A data extension with these columns, and its id. */
function withColumns(fake: FakeSfmc, fields: readonly Column[]): string {
  fake.state.extensions.push({ id: 'of-this-test', name: 'Of this test', fields, rows: new Map() });
  return 'of-this-test';
}

async function withSfmc(
  test: (audiences: Audiences, fake: FakeSfmc, check: () => Promise<readonly string[]>) => Promise<void>,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const fake = await startSfmc();
  const opened = await openFor(sfmc, { ...typed(fake), ...more });
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

for (const leaving of ['mark', 'delete']) {
  destinationContract(`sfmc, which is to ${leaving} who leaves`, {
    connector: sfmc,
    renewsToken: true,
    start: async () => {
      const fake = await startSfmc();
      const config = { ...typed(fake), leaving };
      return {
        fake,
        config,
        wrongConfig: { ...config, clientSecret: 'of-another-installed-package' },
        stored: () => fake.state.extensions.map(({ name, rows }) => ({ name, rows: [...rows] })),
      };
    },
    parts: { audiences: { list: buyers, members: people } },
    says: {
      unauthorized: refused(401, 0, 'Not Authorized'),
      quoting: ({ headers, body }) => refused(400, 10006, `${JSON.stringify(headers)} ${body}`),
    },
  });
}

describe('sfmc: people', () => {
  it('are rows with a key, an address, facts, and a column that says that they are on the list', () =>
    withSfmc(async (audiences, fake) => {
      const facts = { Plan: 'pro', Seats: 3, TrialEnd: '2026-03-01' };

      await audiences.add(
        buyers,
        [member('1', { subscriberKey: ' Cust-7 ', email: 'ada@mail.example' }, facts)],
        call(),
      );

      expect(sent(fake)).toEqual([
        { SubscriberKey: 'Cust-7', EmailAddress: 'ada@mail.example', ...facts, IsMember: true },
      ]);
    }));

  it('keep their days as days, and their times with milliseconds: no clock moves them', () =>
    withSfmc(async (audiences, fake) => {
      const at = (text: string) =>
        member(text, { subscriberKey: text, email: 'a@mail.example' }, { TrialEnd: text });

      await audiences.add(buyers, [at('2026-03-01'), at('2026-03-01T12:00:00.123456Z')], call());

      expect(sent(fake).map((row) => row['TrialEnd'])).toEqual(['2026-03-01', '2026-03-01T12:00:00.123Z']);
    }));

  it('leave with their row kept, and the column false: this interface deletes no rows', () =>
    withSfmc(async (audiences, fake) => {
      await audiences.add(buyers, people(2), call());

      expect(states(await audiences.remove(buyers, people(1), call()))).toEqual(['ok']);

      expect(on(fake.state).map((row) => row['SubscriberKey'])).toEqual(['Cust-1']);
      expect(fake.state.extensions[0]!.rows.get('cust-0')).toMatchObject({ IsMember: false });
    }));

  it('keep their row when their address changes, and nothing else that they are known by', () =>
    withSfmc(async (audiences, fake) => {
      await audiences.add(buyers, people(1), call());

      const outcomes = await audiences.remove(buyers, [member('k0', { email: 'p0@mail.example' })], call());

      expect(outcomes).toEqual([{ state: 'ok' }]);
      expect(on(fake.state)).toHaveLength(1);
    }));

  it('are known by their address where that is the key', () =>
    withSfmc(async (audiences, fake) => {
      const both = [member('1', { email: 'a@mail.example' }), member('2', { subscriberKey: 'Cust-2' })];

      expect(states(await audiences.add(byAddress, both, call()))).toEqual(['ok', 'rejected']);
      expect(on(fake.state, byAddress)).toEqual([{ Email: 'a@mail.example', IsMember: true }]);
    }));

  it('are never known by an address in place of a subscriber key: it would be somebody else', () =>
    withSfmc(async (audiences, fake) => {
      const outcomes = await audiences.add(buyers, [member('1', { email: 'a@mail.example' })], call());

      expect(outcomes).toEqual([{ state: 'rejected', reason: expect.stringContaining('SubscriberKey') }]);
      expect(fake.to(rowsOfBuyers)).toEqual([]);
    }));

  it('go once when two keys differ in capitals alone, which would lock each other out', () =>
    withSfmc(async (audiences, fake) => {
      const twins = ['CUST-1', 'cust-1'].map((name) =>
        member(name, { subscriberKey: name, email: `${name}@mail.example` }),
      );

      expect(states(await audiences.add(buyers, twins, call()))).toEqual(['ok', 'ok']);
      expect(sent(fake)).toEqual([
        { SubscriberKey: 'cust-1', EmailAddress: 'cust-1@mail.example', IsMember: true },
      ]);
    }));

  it('are not sent with a column that is gone: the sync is at fault, and no row', () =>
    withSfmc(async (audiences, fake) => {
      const one = member('1', { subscriberKey: 'c', email: 'a@mail.example' }, { Gone: 'x' });

      expect((await thrownBy(audiences.add(buyers, [one], call()))).code).toBe('INPUT_INVALID');
      expect(fake.to(rowsOfBuyers)).toEqual([]);
    }));

  it('come many to a call, of which a year has so many, and one call at a time', () =>
    withSfmc(async ({ limits }) => {
      expect(limits).toMatchObject({ rows: 5000, concurrency: 1 });
      expect(limits.bytes).toBeLessThan(5_000_000);
    }));
});

describe('sfmc: rows of those who leave, deleted', () => {
  const deleting = { leaving: 'delete' };
  const soap = 'POST /Service.asmx';
  const actions = (fake: FakeSfmc) => fake.to(soap).map(({ headers }) => headers['soapaction']);
  const there = (fake: FakeSfmc) => [...fake.state.extensions[0]!.rows.keys()];

  it('go, and a data extension needs no column of membership for it', () =>
    withSfmc(async (audiences, fake) => {
      const list = withColumns(fake, [key(), plain('Plan', 'Text', { isNullable: false })]);
      const two = ['Cust-1', 'Cust-2'].map((name) => member(name, { subscriberKey: name }, { Plan: 'pro' }));
      await audiences.add(list, two, call());

      const outcomes = await audiences.remove(list, two.slice(1), call());

      expect(outcomes).toEqual([{ state: 'ok' }]);
      expect([...fake.state.extensions.at(-1)!.rows.values()]).toEqual([
        { SubscriberKey: 'Cust-1', Plan: 'pro' },
      ]);
    }, deleting));

  it('are looked for first, a hundred at a time, and none is deleted that is not there', () =>
    withSfmc(async (audiences, fake) => {
      await audiences.add(buyers, people(150), call());

      const outcomes = await audiences.remove(buyers, people(300), call());

      expect(outcomes.every(({ state }) => state === 'ok')).toBe(true);
      expect(there(fake)).toEqual([]);
      expect(actions(fake)).toEqual(['Retrieve', 'Delete', 'Retrieve', 'Delete', 'Retrieve']);
    }, deleting));

  it('are found by keys that mean something in XML', () =>
    withSfmc(async (audiences, fake) => {
      const odd = ['<O\'Brien & "Sons">', 'plain'].map((name) =>
        member(name, { subscriberKey: name, email: 'a@mail.example' }),
      );
      await audiences.add(buyers, odd, call());

      expect(states(await audiences.remove(buyers, odd, call()))).toEqual(['ok', 'ok']);
      expect(there(fake)).toEqual([]);
    }, deleting));

  it('are told by one when it can not be deleted, without its key', () =>
    withSfmc(async (audiences, fake) => {
      await audiences.add(buyers, people(3), call());
      fake.state.stuck.add('Cust-1');

      const outcomes = await audiences.remove(buyers, people(3), call());

      expect(states(outcomes)).toEqual(['ok', 'rejected', 'ok']);
      expect(JSON.stringify(outcomes)).not.toContain('Cust-1');
    }, deleting));

  it('are not deleted twice by itself when the answer is lost, and are found gone the next time', () =>
    withSfmc(async (audiences, fake) => {
      await audiences.add(buyers, people(2), call());
      fake.next(undefined, undefined, undefined, 'done-then-reset');

      expect((await thrownBy(audiences.remove(buyers, people(2), call()))).code).toBe('OUTCOME_UNKNOWN');
      expect(states(await audiences.remove(buyers, people(2), call({ again: true })))).toEqual(['ok', 'ok']);
      expect(actions(fake)).toEqual(['Retrieve', 'Delete', 'Retrieve']);
    }, deleting));

  it('share a token with all else, which is got anew when a fault says that it has ended', () =>
    withSfmc(async (audiences, fake) => {
      await audiences.add(buyers, people(1), call());
      fake.next(undefined, undefined, fault('Token Expired'));

      expect(await audiences.remove(buyers, people(1), call())).toEqual([{ state: 'ok' }]);
      expect(fake.to('POST /v2/token')).toHaveLength(2);
      expect(there(fake)).toEqual([]);
    }, deleting));

  it('stay, and nobody is told the token, when a fault quotes the request', () =>
    withSfmc(async (audiences, fake) => {
      await audiences.add(buyers, people(1), call());
      fake.next(undefined, undefined, quoting);

      const error = await thrownBy(audiences.remove(buyers, people(1), call()));

      expect(error.code).toBe('OUTCOME_UNKNOWN');
      expect(error.message).toContain('Unplanned outage for … at …');
      expect(error.message).not.toContain([...fake.state.tokens][0]);
      expect(error.message).not.toContain('Cust-0');
      expect(there(fake)).toHaveLength(1);
    }, deleting));
});

/** The token, and the key of a row. */
const quoting = ({ body }: { readonly body: Buffer }) => {
  const [, token, value] = /<fueloauth[^>]*>(.*?)<.*<Value>(.*?)</s.exec(body.toString('utf8')) ?? [];
  return fault(`Unplanned outage for ${token} at ${value}`, 'soap:Server');
};

describe('sfmc: what became of people', () => {
  it('is known when the job has ended, and not when it was taken', () =>
    withSfmc(async (audiences, fake) => {
      fake.state.goings.push({ first: ['Pending', 'Executing'] });
      const one = call();

      expect(await audiences.add(buyers, people(1), one)).toEqual([{ state: 'ok' }]);

      expect(fake.to('GET /data/v1/async/:id/status')).toHaveLength(3);
      expect(one.kept).toEqual(['request-1']);
    }));

  it('is waited for when a job has no status yet, which looks like one that is forgotten', () =>
    withSfmc(async (audiences, fake) => {
      fake.state.goings.push({ first: ['none'] });

      expect(await audiences.add(buyers, people(1), call())).toEqual([{ state: 'ok' }]);
      expect(fake.to(rowsOfBuyers)).toHaveLength(1);
    }));

  it('is waited for when a job is said to have failed, which can be said just before it ends well', () =>
    withSfmc(async (audiences, fake) => {
      fake.state.goings.push({ first: ['Error'] });

      expect(await audiences.add(buyers, people(1), call())).toEqual([{ state: 'ok' }]);
    }));

  it('is asked for after a crash, and no row is sent again', () =>
    withSfmc(async (audiences, fake) => {
      const first = call();
      await audiences.add(buyers, people(3, 1), first);

      const outcomes = await audiences.add(
        buyers,
        people(3, 1),
        call({ again: true, ticket: first.kept[0] }),
      );

      expect(states(outcomes)).toEqual(['ok', 'rejected', 'ok']);
      expect(fake.to(rowsOfBuyers)).toHaveLength(1);
    }));

  it('is told row by row from all pages of results, without the values', () =>
    withSfmc(async (audiences, fake) => {
      const outcomes = await audiences.add(buyers, people(120, 111), call());

      expect(outcomes.flatMap(({ state }, at) => (state === 'ok' ? [] : [at]))).toEqual([111]);
      expect(outcomes[111]).toMatchObject({ reason: expect.stringContaining('EmailAddress') });
      expect(JSON.stringify(outcomes)).not.toContain('nobody-at-all');
      expect(fake.to('GET /data/v1/async/:id/results')).toHaveLength(3);
    }));

  it('is tried again, by another job, for rows that were locked out by others', () =>
    withSfmc(async (audiences, fake) => {
      fake.state.goings.push({ deadlocks: ['Cust-1'] });
      const one = call();

      const outcomes = await audiences.add(buyers, people(3), one);

      expect(states(outcomes)).toEqual(['ok', 'retry', 'ok']);
      const again = call({ again: true, ticket: one.kept.at(-1) });
      expect(await audiences.add(buyers, people(2).slice(1), again)).toEqual([{ state: 'ok' }]);
      expect(on(fake.state)).toHaveLength(3);
    }));

  it('is found by halving when there are results for some rows only', () =>
    withSfmc(async (audiences, fake) => {
      const one = {
        status: 'Error',
        errorCode: 'UnexpectedError',
        message: 'Violation of a constraint',
      } as const;
      fake.state.goings.push({ results: [one] }, { results: [one] });

      expect(await thrownBy(audiences.add(buyers, people(3), call()))).toMatchObject({
        code: 'ROW_REJECTED',
        message: expect.stringContaining('1 of these 3'),
      });
      expect(states(await audiences.add(buyers, people(1), call()))).toEqual(['rejected']);
    }));

  it('is unknown when there are errors and no results, and another job tells', () =>
    withSfmc(async (audiences, fake) => {
      const one = call();
      await audiences.add(buyers, people(2, 0), one);
      fake.next(undefined, undefined, { json: { page: 1, pageSize: 50, count: 0, items: [] } });

      const lost = call({ again: true, ticket: one.kept[0] });
      expect((await thrownBy(audiences.add(buyers, people(2, 0), lost))).code).toBe('OUTCOME_UNKNOWN');
      const outcomes = await audiences.add(buyers, people(2, 0), call({ again: true, ticket: lost.kept[0] }));

      expect(states(outcomes)).toEqual(['rejected', 'ok']);
      expect(fake.to(rowsOfBuyers)).toHaveLength(2);
    }));

  it.each([
    [refused(400, 10006, 'Unable to save rows for data extension ID 1'), 'UNAVAILABLE'],
    [
      refused(400, 10006, 'Unable to save rows', { additionalErrors: [{ message: 'Value is too long' }] }),
      'ROW_REJECTED',
    ],
    [{ status: 400, json: { requestId: 'x', resultMessages: [{ message: 'Bad item' }] } }, 'ROW_REJECTED'],
    [refused(403, 20002, 'Insufficient Privileges'), 'PERMISSION_DENIED'],
    [refused(429, 50200, 'Your requests are temporarily blocked.'), 'RATE_LIMITED'],
    [refused(500, 10000, 'Unexpected'), 'OUTCOME_UNKNOWN'],
  ] as const)('is sorted when all is refused: %#', (answer, code) =>
    withSfmc(async (audiences, fake) => {
      fake.next(undefined, undefined, answer, ...(answer.status === 500 ? [answer, answer] : []));

      expect((await thrownBy(audiences.add(buyers, people(2), call()))).code).toBe(code);
    }),
  );
});

describe('sfmc: limits and sign-in', () => {
  it('waits as long as the body says when the header does not', () =>
    withSfmc(async (audiences, fake) => {
      await audiences.lists('');
      fake.always(refused(429, 50100, 'Rate limit exceeded', { retryAfter: 45 }));

      expect(await thrownBy(audiences.lists(''))).toMatchObject({
        code: 'RATE_LIMITED',
        retryAfterMs: 45_000,
      });
    }));

  it('asks for one token for all calls, for the business unit, and follows no address in the answer', () =>
    withSfmc(async (audiences, fake) => {
      await audiences.add(buyers, people(1), call());
      await audiences.remove(buyers, people(1), call());

      expect(fake.to('POST /v2/token')).toHaveLength(1);
      expect(new URLSearchParams(fake.to('POST /v2/token')[0]!.body.toString()).get('account_id')).toBe(
        businessUnit,
      );
    }));

  it('calls the hosts of its subdomain when no base URL says otherwise', async () => {
    const fake = await startSfmc();
    const { baseUrl: _, ...rest } = typed(fake);
    const standIns = {
      'mc563885gzs27c5t9-63k636ttgm.auth.marketingcloudapis.com': fake.url,
      'mc563885gzs27c5t9-63k636ttgm.rest.marketingcloudapis.com': fake.url,
      'mc563885gzs27c5t9-63k636ttgm.soap.marketingcloudapis.com': fake.url,
    };
    const opened = await openFor(sfmc, { ...rest, leaving: 'delete' }, { standIns });

    expect(await opened.connection.check('audiences')).toEqual([]);
    const { remove } = partOf(opened.connection, 'audiences');
    expect(await remove(buyers, people(1), call())).toEqual([{ state: 'ok' }]);
    await opened.close();
    await fake.close();
  });

  it('says what to do about a package that may not read data extensions', () =>
    withSfmc(async (_, fake, check) => {
      fake.next(undefined, refused(403, 20002, 'Insufficient Privileges'));

      expect(await thrownBy(check())).toMatchObject({
        code: 'PERMISSION_DENIED',
        fix: expect.stringContaining('Data Extensions'),
      });
    }));

  it.each([
    [{ subdomain: 'evil.example/x?' }, 'subdomain'],
    [{ subdomain: 'a.b' }, 'subdomain'],
    [{ businessUnit: 'Acme' }, 'businessUnit'],
    [{ baseUrl: 'ftp://x' }, 'baseUrl'],
  ])('does not open with what can not be right: %j', async (wrong, name) => {
    const fake = await startSfmc();

    const error = await thrownBy(openFor(sfmc, { ...typed(fake), ...wrong }));

    expect(error).toMatchObject({ code: 'CONFIG_INVALID', fix: expect.any(String) });
    expect(Object.keys(error.fields ?? {})).toEqual([name]);
    await fake.close();
  });
});

describe('sfmc: data extensions', () => {
  it('are looked for with a term always, without one by an underscore', () =>
    withSfmc(async (audiences, fake) => {
      expect((await audiences.lists('')).map(({ label }) => label)).toEqual(['Big_buyers', 'Buyers']);
      expect(await audiences.lists('buyers')).toEqual([
        { value: buyers, label: 'Buyers' },
        { value: byAddress, label: 'Big_buyers' },
      ]);
      expect(fake.to('GET /data/v1/customobjects').map(({ query }) => query.get('$search'))).toEqual([
        '_',
        'buyers',
      ]);
    }));

  it('are made so that mails can be sent to them, with a key, lengths, and a name that is allowed', () =>
    withSfmc(async (audiences, fake) => {
      await audiences.create('Trial: ends <soon>');

      const made = fake.to('POST /data/v1/customobjects')[0]!.json<Row & { fields: Row[] }>();
      expect(made).toMatchObject({
        name: 'Trial ends soon',
        categoryId: 4711,
        isSendable: true,
        sendableCustomObjectField: 'SubscriberKey',
        sendableSubscriberField: 'Subscriber Key',
      });
      expect(made.fields).toMatchObject([
        {
          name: 'SubscriberKey',
          type: 'Text',
          length: 254,
          isPrimaryKey: true,
          isNullable: false,
          ordinal: 0,
        },
        { name: 'EmailAddress', type: 'EmailAddress', length: 254, isNullable: true, ordinal: 1 },
        { name: 'IsMember', type: 'Boolean', isNullable: true, ordinal: 2 },
      ]);
    }));

  it('are the one of that name on a later page, in place of twins', () =>
    withSfmc(async (audiences, fake) => {
      const third = { ...fake.state.extensions[0]!, id: 'third', name: 'Buy' };
      fake.state.extensions.push(third);

      expect(await audiences.create('buy')).toBe('third');
      expect(fake.to('POST /data/v1/customobjects')).toEqual([]);
    }));

  it('are not made when nothing says in which folder', () =>
    withSfmc(
      async (audiences, fake) => {
        const error = await thrownBy(audiences.create('New'));

        expect(error).toMatchObject({ code: 'CONFIG_INVALID', fix: expect.any(String) });
        expect(Object.keys(error.fields ?? {})).toEqual(['folder']);
        expect(fake.to('POST /data/v1/customobjects')).toEqual([]);
      },
      { folder: '' },
    ));

  it('have facts for all columns but those that Activate fills itself', () =>
    withSfmc(async (audiences) => {
      expect(await audiences.traits(buyers)).toEqual([
        { name: 'Plan', label: 'Plan', type: 'text', required: false, key: false, maxLength: 10 },
        { name: 'Seats', label: 'Seats', type: 'integer', required: false, key: false },
        { name: 'TrialEnd', label: 'TrialEnd', type: 'any', required: false, key: false },
      ]);
    }));

  it('can name their column of membership otherwise', () =>
    withSfmc(
      async (audiences, fake) => {
        const list = withColumns(fake, [key(), plain('InSegment', 'Boolean')]);

        await audiences.add(list, [member('1', { subscriberKey: 'c' })], call());

        expect(fake.state.extensions.at(-1)!.rows.get('c')).toEqual({ SubscriberKey: 'c', InSegment: true });
      },
      { memberColumn: 'insegment' },
    ));

  it.each([
    ['no primary key', [plain('SubscriberKey', 'Text'), plain('IsMember', 'Boolean')]],
    ['several primary keys', [key(), key('Shop'), plain('IsMember', 'Boolean')]],
    ['no Boolean column IsMember', [key(), plain('IsMember', 'Text')]],
    [
      'EmailAddress',
      [key(), plain('IsMember', 'Boolean'), plain('EmailAddress', 'EmailAddress', { isNullable: false })],
    ],
    ['Plan', [key(), plain('IsMember', 'Boolean'), plain('Plan', 'Text', { isNullable: false })]],
  ])('are not used with columns that can not say who is on the list: %s', (says, fields) =>
    withSfmc(async (audiences, fake) => {
      const list = withColumns(fake, fields);

      const error = await thrownBy(audiences.add(list, people(1), call()));

      expect(error).toMatchObject({
        code: 'INPUT_INVALID',
        message: expect.stringContaining(says),
        fix: expect.any(String),
      });
      expect((await thrownBy(audiences.traits(list))).code).toBe('INPUT_INVALID');
    }),
  );

  it('end the run when they are gone, or belong to another business unit', () =>
    withSfmc(async (audiences) => {
      expect(await thrownBy(audiences.add('gone', people(1), call()))).toMatchObject({
        code: 'TARGET_GONE',
        fix: expect.stringContaining('business unit'),
      });
    }));
});
