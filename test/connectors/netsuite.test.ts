import { execFileSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { netsuite } from '../../connectors/netsuite/index.ts';
import type { ObjectBatch, Objects, Operation, Outcome, Value } from '../../engine/contracts/destination.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { destinationContract } from '../contracts/destination.ts';
import { partOf } from '../contracts/works.ts';
import {
  certificateId,
  customers,
  type FakeNetsuite,
  problem,
  seed,
  startNetsuite,
  strangersKey,
} from '../fakes/netsuite.ts';
import { call, openFor } from '../support/connect.ts';

type Rows = readonly Readonly<Record<string, Value>>[];

const batch = (operation: Operation, rows: Rows, more: Partial<ObjectBatch> = {}): ObjectBatch => ({
  object: 'customer',
  operation,
  match: ['externalId'],
  fields: [...new Set(rows.flatMap((row) => Object.keys(row)))].map((name) => ({
    name,
    onlyIfEmpty: false,
    sparse: false,
  })),
  items: rows.map((values, i) => ({ key: `k${i}`, values })),
  ...more,
});

const batchOf =
  (operation: Operation) =>
  (n: number, bad?: number): ObjectBatch =>
    batch(
      operation,
      Array.from({ length: n }, (_, i): Rows[number] => {
        const externalId = `${operation}-${i}`;
        if (operation === 'delete') {
          return { externalId: i === bad ? '' : externalId };
        }
        return { externalId, email: i === bad ? 'nobody' : `p${i}@mail.test`, companyName: `After ${i}` };
      }),
    );

/** Deletions go one by one, all else as a job: what NetSuite has deleted, it answers without a body. */
const { delete: deletions, ...writes } = {
  insert: batchOf('insert'),
  update: batchOf('update'),
  upsert: batchOf('upsert'),
  delete: batchOf('delete'),
};

for (const objects of [writes, { delete: deletions }]) {
  destinationContract(`netsuite, to ${Object.keys(objects).join(', ')}`, {
    connector: netsuite,
    renewsToken: true,
    start: async () => {
      const fake = await startNetsuite();
      for (const i of [0, 1, 2]) {
        seed(fake, 'customer', { externalId: `update-${i}`, companyName: 'Before' });
        seed(fake, 'customer', { externalId: `delete-${i}`, companyName: 'Before' });
      }
      return {
        fake,
        config: fake.config,
        wrongConfig: { ...fake.config, privateKey: strangersKey },
        stored: () => customers(fake),
      };
    },
    parts: { objects },
    says: {
      unauthorized: problem(401, 'INVALID_LOGIN', 'Invalid login attempt.'),
      broken: [problem(500, 'UNEXPECTED_ERROR', 'Oh.'), { status: 502, text: '<html>' }, { status: 503 }],
    },
    skip: 'delete' in objects ? { 'objects unreadable': 'A deletion is answered without a body.' } : {},
  });
}

async function withNetsuite(
  test: (found: { readonly objects: Objects; readonly fake: FakeNetsuite }) => Promise<void>,
  typed: Raw = {},
): Promise<void> {
  const fake = await startNetsuite();
  const { connection, close } = await openFor(netsuite, { ...fake.config, ...typed });
  try {
    await test({ objects: partOf(connection, 'objects'), fake });
    fake.expectNoUnexpected();
  } finally {
    await close();
    await fake.close();
  }
}

const states = (outcomes: readonly Outcome[]): readonly string[] => outcomes.map(({ state }) => state);
const row = (externalId: string, more: Rows[number] = {}): Rows[number] => ({
  externalId,
  companyName: 'Acme',
  ...more,
});
const jobs = (fake: FakeNetsuite) => fake.to('PUT /services/rest/record/v1/customer');
const singles = (fake: FakeNetsuite) => fake.to('PUT /services/rest/record/v1/customer/:place');

describe('a job', () => {
  it('that succeeds with failed tasks says whose they were, each in its own words', async () => {
    await withNetsuite(async ({ objects, fake }) => {
      const rows = [
        row('a'),
        row('b', { email: 'not-an-address' }),
        row('c'),
        row('d', { email: 'nor-this' }),
      ];

      const outcomes = await objects.write(batch('upsert', rows), call());

      expect(states(outcomes)).toEqual(['ok', 'rejected', 'ok', 'rejected']);
      expect(outcomes[1]).toEqual({
        state: 'rejected',
        reason: 'NetSuite refuses this record (USER_ERROR). It says: Invalid value … in field email.',
        field: 'email',
      });
      expect(singles(fake)).toHaveLength(2);
    });
  });

  it('whose tasks come in another order than their records is not believed', async () => {
    await withNetsuite(async ({ objects, fake }) => {
      fake.state.disorder = true;
      const rows = [row('a', { email: 'not-an-address' }), row('b'), row('c'), row('d')];

      const outcomes = await objects.write(batch('upsert', rows), call());

      expect(states(outcomes)).toEqual(['rejected', 'ok', 'ok', 'ok']);
    });
  });

  it('that made records is not held against them when they are asked for again', async () => {
    await withNetsuite(async ({ objects, fake }) => {
      fake.state.disorder = true;
      const rows = [row('a', { email: 'not-an-address' }), row('b'), row('c'), row('d')];

      const outcomes = await objects.write(batch('insert', rows), call({ again: true }));

      expect(states(outcomes)).toEqual(['rejected', 'ok', 'ok', 'ok']);
      expect(customers(fake)).toHaveLength(3);
    });
  });

  it('has tasks of which the list may say nothing but where they are', async () => {
    await withNetsuite(async ({ objects, fake }) => {
      fake.state.bareTasks = true;
      const rows = [row('a'), row('b', { email: 'not-an-address' }), row('c')];

      expect(states(await objects.write(batch('upsert', rows), call()))).toEqual(['ok', 'rejected', 'ok']);
      expect(fake.to('GET /services/rest/async/v1/job/:job/task/:task')).toHaveLength(3);
    });
  });

  it('is waited for', async () => {
    await withNetsuite(async ({ objects, fake }) => {
      fake.state.polls = 2;

      expect(
        states(
          await objects.write(
            batch(
              'upsert',
              ['a', 'b', 'c'].map((id) => row(id)),
            ),
            call(),
          ),
        ),
      ).toEqual(['ok', 'ok', 'ok']);
      expect(fake.to('GET /services/rest/async/v1/job/:job')).toHaveLength(2);
    });
  });

  it('is begun once when its answer is lost: the key says which one it was', async () => {
    await withNetsuite(async ({ objects, fake }) => {
      const rows = ['a', 'b', 'c'].map((id) => row(id));
      await objects.fields('customer');
      fake.next('done-then-reset');
      const one = call();

      expect(states(await objects.write(batch('upsert', rows), one))).toEqual(['ok', 'ok', 'ok']);
      expect(jobs(fake)).toHaveLength(2);
      expect(fake.state.jobs).toHaveLength(1);
      expect(one.kept).toEqual([fake.state.jobs[0]?.id]);
    });
  });

  it('is another one in another run, though the records are the same', async () => {
    await withNetsuite(async ({ objects, fake }) => {
      const rows = ['a', 'b', 'c'].map((id) => row(id));
      await objects.write(batch('upsert', rows), call({ run: 'run-1' }));
      await objects.write(batch('upsert', rows), call({ run: 'run-2' }));

      expect(fake.state.jobs).toHaveLength(2);
    });
  });

  it('that an earlier attempt began is gone on with', async () => {
    await withNetsuite(async ({ objects, fake }) => {
      const rows = ['a', 'b', 'c'].map((id) => row(id));
      const first = call();
      await objects.write(batch('upsert', rows), first);

      await objects.write(batch('upsert', rows), call({ again: true, ticket: first.kept[0] }));

      expect(jobs(fake)).toHaveLength(1);
      expect(singles(fake)).toHaveLength(0);
    });
  });

  it('that NetSuite has forgotten is made up for record by record', async () => {
    await withNetsuite(async ({ objects, fake }) => {
      fake.state.forgets = true;
      const rows = ['a', 'b', 'c'].map((id) => row(id));

      expect(states(await objects.write(batch('insert', rows), call()))).toEqual(['ok', 'ok', 'ok']);
      expect(customers(fake)).toHaveLength(3);
    });
  });

  it('that failed over a record which is taken a moment later does no harm', async () => {
    await withNetsuite(async ({ objects, fake }) => {
      fake.state.flaky.add('b');
      const rows = ['a', 'b', 'c'].map((id) => row(id));

      expect(states(await objects.write(batch('upsert', rows), call()))).toEqual(['ok', 'ok', 'ok']);
      expect(customers(fake).map(({ externalId }) => externalId)).toEqual(['a', 'c', 'b']);
    });
  });
});

describe('a record by itself', () => {
  it.each(['a/b', 'a%2Fb', 'a b', 'ä?#&', "o'hara"])('with the external ID %s is found again', async (id) => {
    await withNetsuite(async ({ objects, fake }) => {
      await objects.write(batch('upsert', [row(id)]), call());
      await objects.write(batch('update', [row(id, { companyName: 'New' })]), call());

      expect(customers(fake)).toMatchObject([{ externalId: id, companyName: 'New' }]);
    });
  });

  it('can have no | in its external ID: NetSuite takes that for the end of it', async () => {
    await withNetsuite(async ({ objects, fake }) => {
      const outcomes = await objects.write(batch('upsert', [row('a|b'), row('c')]), call());

      expect(outcomes).toMatchObject([{ state: 'rejected', field: 'externalId' }, { state: 'ok' }]);
      expect(customers(fake)).toHaveLength(1);
    });
  });

  it('has the prefix before its external ID, and is looked up by it', async () => {
    await withNetsuite(
      async ({ objects, fake }) => {
        await objects.write(batch('upsert', [row('7')]), call());

        const [kept] = customers(fake);
        expect(kept).toMatchObject({ externalId: 'act-7' });
        expect(await objects.find('customer', 'externalId', ['7'])).toEqual(new Map([['7', kept?.['id']]]));
      },
      { idPrefix: 'act-' },
    );
  });

  it('over which NetSuite fails does not keep the others waiting', async () => {
    await withNetsuite(async ({ objects, fake }) => {
      fake.state.poison.add('a');

      expect(states(await objects.write(batch('upsert', [row('a'), row('b')]), call()))).toEqual([
        'unknown',
        'ok',
      ]);
    });
  });

  it('that somebody else changes in the same moment is tried again', async () => {
    await withNetsuite(async ({ objects, fake }) => {
      fake.state.open.add('a');

      expect(states(await objects.write(batch('upsert', [row('a')]), call()))).toEqual(['retry']);
    });
  });

  it('that is there already is not made again, and counts as made at another attempt', async () => {
    await withNetsuite(async ({ objects }) => {
      await objects.write(batch('insert', [row('a')]), call());

      const anew = await objects.write(batch('insert', [row('a')]), call());
      const again = await objects.write(batch('insert', [row('a')]), call({ again: true }));

      expect([...states(anew), ...states(again)]).toEqual(['rejected', 'ok']);
    });
  });

  it('that is not there is not updated, and is deleted', async () => {
    await withNetsuite(async ({ objects, fake }) => {
      const updated = await objects.write(batch('update', [row('a')]), call());
      const deleted = await objects.write(batch('delete', [{ externalId: 'a' }]), call());

      expect([...states(updated), ...states(deleted)]).toEqual(['rejected', 'ok']);
      expect(customers(fake)).toEqual([]);
    });
  });

  it('is updated and deleted by its internal ID, too', async () => {
    await withNetsuite(async ({ objects, fake }) => {
      const id = seed(fake, 'customer', { companyName: 'Before' });
      const by = { match: ['id'] };

      const outcomes = await objects.write(
        batch('update', [{ id, companyName: 'After' }, { id: 'x1' }], by),
        call(),
      );
      expect(outcomes).toMatchObject([
        { state: 'ok', id },
        { state: 'rejected', field: 'id' },
      ]);
      expect(customers(fake)).toMatchObject([{ companyName: 'After' }]);
      await objects.write(batch('delete', [{ id }], by), call());
      expect(customers(fake)).toEqual([]);
    });
  });

  it('is refused for the limit of requests at once even where that is no 429', async () => {
    await withNetsuite(async ({ objects, fake }) => {
      await objects.fields('customer');
      fake.always(problem(400, 'SSS_REQUEST_LIMIT_EXCEEDED', 'Request limit exceeded.'));

      await expect(objects.write(batch('upsert', [row('a')]), call())).rejects.toMatchObject({
        code: 'RATE_LIMITED',
      });
    });
  });

  it('keeps what was done before a pause, and asks for the rest of the batch again', async () => {
    await withNetsuite(async ({ objects, fake }) => {
      await objects.fields('customer');
      const pause = problem(429, 'USER_ERROR', 'Concurrent request limit exceeded.');
      fake.next(undefined, { ...pause, headers: { 'retry-after': '20' } });

      const outcomes = await objects.write(batch('upsert', [row('a'), row('b')]), call());

      expect(outcomes).toMatchObject([{ state: 'ok' }, { state: 'retry', afterMs: 20_000 }]);
    });
  });
});

it('makes records inactive by a field, as rows that leave may have it', async () => {
  await withNetsuite(async ({ objects, fake }) => {
    await objects.write(batch('upsert', [row('a')]), call());
    await objects.write(batch('update', [{ externalId: 'a', isInactive: true }]), call());

    expect(customers(fake)).toMatchObject([{ isInactive: true, companyName: 'Acme' }]);
  });
});

describe('fields', () => {
  it('are those that can be written, with the ids as keys and the choices of references', async () => {
    await withNetsuite(async ({ objects }) => {
      const fields = await objects.fields('customer');

      expect(Object.fromEntries(fields.map(({ name, type }) => [name, type]))).toEqual({
        id: 'text',
        externalId: 'text',
        companyName: 'text',
        email: 'text',
        isInactive: 'boolean',
        creditLimit: 'number',
        startDate: 'date',
        custentity_seen: 'time',
        custentity_seats: 'integer',
        custentity_plan: 'text',
        subsidiary: 'any',
        salesRep: 'any',
        country: 'any',
        custentity_interests: 'any',
      });
      expect(fields.filter(({ key }) => key).map(({ name }) => name)).toEqual(['id', 'externalId']);
      expect(fields.find(({ name }) => name === 'country')?.options).toEqual(['AT', 'DE']);
      expect(fields.find(({ name }) => name === 'companyName')?.maxLength).toBe(83);
    });
  });

  it('are sent as NetSuite takes them: references by id, several as items, times in milliseconds', async () => {
    await withNetsuite(async ({ objects, fake }) => {
      await objects.write(
        batch('upsert', [
          row('a', {
            subsidiary: 1,
            salesRep: '12',
            country: { id: 'AT' },
            custentity_interests: ['3', '4'],
            custentity_seen: '2026-11-23T12:00:00.123456Z',
            creditLimit: 12.5,
            email: null,
          }),
        ]),
        call(),
      );

      expect(customers(fake)).toMatchObject([
        {
          subsidiary: { id: '1' },
          salesRep: { id: '12' },
          country: { id: 'AT' },
          custentity_interests: { items: [{ id: '3' }, { id: '4' }] },
          custentity_seen: '2026-11-23T12:00:00.123Z',
          creditLimit: 12.5,
          email: null,
        },
      ]);
    });
  });

  it.each([
    [{ match: ['email'] }, 'upsert'],
    [{ match: ['externalId', 'email'] }, 'upsert'],
    [{ match: ['id'] }, 'upsert'],
    [{ match: ['id'] }, 'insert'],
    [{ match: ['externalId'], object: 'currency' }, 'update'],
  ] as const)('do not find records by %j to %s them, and it says what to do', async (more, operation) => {
    await withNetsuite(async ({ objects }) => {
      await expect(objects.verify(batch(operation, [row('a')], more))).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        fields: { match: expect.any(String) },
        fix: expect.any(String),
      });
    });
  });

  it('that NetSuite requires and nobody maps are told before', async () => {
    await withNetsuite(async ({ objects, fake }) => {
      fake.state.kinds.get('customer')?.required.push('subsidiary');

      expect(await objects.verify(batch('upsert', [row('a')]))).toEqual([
        expect.stringContaining('subsidiary'),
      ]);
      expect(await objects.verify(batch('update', [row('a')]))).toEqual([]);
    });
  });

  it('that refer to records look them up, quotes and all, and never guess among several', async () => {
    await withNetsuite(async ({ objects, fake }) => {
      const one = seed(fake, 'customer', { email: "o'hara@acme.example" });
      seed(fake, 'customer', { email: 'two@acme.example' });
      seed(fake, 'customer', { email: 'two@acme.example' });
      const values = ["o'hara@acme.example", 'two@acme.example', "x') OR ('1'='1"];

      expect(await objects.find('customer', 'email', values)).toEqual(
        new Map([["o'hara@acme.example", one]]),
      );
      await expect(objects.find('customer', 'email) --', ['x'])).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
      });
    });
  });
});

describe('the connection', () => {
  it.each([
    ['an RSA key by PS256, as RS256 is not taken', () => generateKeyPairSync('rsa', { modulusLength: 3072 })],
    ['a P-384 key', () => generateKeyPairSync('ec', { namedCurve: 'secp384r1' })],
    ['a P-521 key', () => generateKeyPairSync('ec', { namedCurve: 'secp521r1' })],
  ])('signs in with %s', async (_what, make) => {
    const { privateKey, publicKey } = make();
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    await withNetsuite(
      async ({ objects, fake }) => {
        fake.state.publicKey = publicKey;

        expect(await objects.objects('cust')).toEqual([{ value: 'customer', label: 'customer' }]);
      },
      { privateKey: pem },
    );
  });

  it('asks for one token however many ask for it, and for another when it has ended', async () => {
    await withNetsuite(async ({ objects, fake }) => {
      await Promise.all([objects.objects(''), objects.fields('customer')]);
      expect(fake.to('POST /services/rest/auth/oauth2/v1/token')).toHaveLength(1);
      fake.state.tokens.clear();

      await objects.fields('customer');
      expect(fake.to('POST /services/rest/auth/oauth2/v1/token')).toHaveLength(2);
    });
  });

  it('says what a refresh of a sandbox does when its certificate is not known', async () => {
    const fake = await startNetsuite();
    const { connection, close } = await openFor(netsuite, { ...fake.config, certificateId: 'old' });

    await expect(connection.check('objects')).rejects.toMatchObject({
      code: 'AUTH_REJECTED',
      fix: expect.stringContaining('sandbox'),
    });
    await close();
    await fake.close();
  });

  it('uses as many requests at once as it is told, of those that all share', async () => {
    await withNetsuite(async ({ objects }) => expect(objects.limits.concurrency).toBe(2));
    await withNetsuite(async ({ objects }) => expect(objects.limits.concurrency).toBe(4), {
      concurrency: '4',
    });
  });

  it('warns in the last month of a certificate', async () => {
    const { key, certificate } = certified();
    const ends = new Date(new X509Certificate(certificate).validTo).getTime();
    const warningsAt = async (daysBefore: number): Promise<readonly string[]> => {
      const fake = await startNetsuite();
      fake.state.publicKey = createPublicKey(key);
      const typed = { ...fake.config, privateKey: key, certificate };
      const now = (): Date => new Date(ends - daysBefore * 24 * 3_600_000);
      const { connection, close } = await openFor(netsuite, typed, { now });
      const warnings = await connection.check('objects');
      await close();
      await fake.close();
      return warnings;
    };

    expect(await warningsAt(31)).toEqual([]);
    expect(await warningsAt(29)).toEqual([expect.stringContaining('certificate ends')]);
  });

  it.each([
    [{ account: 'acme.example.com' }, 'account'],
    [{ privateKey: 'secret-that-is-no-key' }, 'privateKey'],
    [{ certificate: 'no certificate' }, 'certificate'],
    [{ certificate: certified().certificate }, 'certificate'],
    [{ idPrefix: 'a|b' }, 'idPrefix'],
    [{ baseUrl: 'netsuite' }, 'baseUrl'],
  ])('with %j can not be right, and says where', async (typed, name) => {
    const fake = await startNetsuite();

    await expect(openFor(netsuite, { ...fake.config, ...typed } as Raw)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.not.stringContaining('secret-that'),
      fields: { [name]: expect.any(String) },
    });
    await fake.close();
  });

  it.each(['1234567_SB1', '1234567-sb1', 'https://1234567-sb1.app.netsuite.com/'])(
    'takes %s for the account, and makes its assertion out to it',
    async (account) => {
      await withNetsuite(async ({ objects }) => expect(await objects.objects('')).toHaveLength(2), {
        account,
        certificateId,
      });
    },
  );
});

/** A key and a certificate for a year, as the set-up steps make them. */
function certified(): { readonly key: string; readonly certificate: string } {
  const folder = mkdtempSync(join(tmpdir(), 'activate-certificate-'));
  const [key, certificate] = [join(folder, 'a.pem'), join(folder, 'a.crt')];
  const how = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '365'];
  execFileSync('openssl', ['req', '-x509', ...how, '-subj', '/CN=a', '-keyout', key, '-out', certificate], {
    stdio: 'ignore',
  });
  return { key: readFileSync(key, 'utf8'), certificate: readFileSync(certificate, 'utf8') };
}
