import { describe, expect, it } from 'vitest';
import { intercom } from '../../connectors/intercom/index.ts';
import type { PartName } from '../../engine/contracts/connector.ts';
import type {
  Audiences,
  Member,
  ObjectBatch,
  Objects,
  Operation,
  Outcome,
  Value,
} from '../../engine/contracts/destination.ts';
import type { ActivateError } from '../../engine/contracts/errors.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { destinationContract } from '../contracts/destination.ts';
import { partOf } from '../contracts/works.ts';
import { type FakeIntercom, problem, seed, startIntercom, token } from '../fakes/intercom.ts';
import { call, openFor } from '../support/connect.ts';

const typed = (fake: FakeIntercom): Raw => ({ region: 'eu', accessToken: token, baseUrl: fake.url });

type Rows = readonly Readonly<Record<string, Value>>[];

const batch = (operation: Operation, rows: Rows, more: Partial<ObjectBatch> = {}): ObjectBatch => ({
  object: 'contacts',
  operation,
  match: ['external_id'],
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
      Array.from({ length: n }, (_, i) => {
        const isBad = i === bad;
        if (operation === 'delete') {
          return { external_id: isBad ? ' ' : `delete-${i}` };
        }
        const email = isBad ? 'nobody' : `${operation}${i}@mail.test`;
        return { external_id: `${operation}-${i}`, email, name: `After ${i}` };
      }),
    );

const shown = ({ state }: FakeIntercom) =>
  [...state.contacts.values()].map(({ id, archived, values, custom, tags, companies }) => ({
    id,
    archived,
    ...values,
    ...custom,
    tags: [...tags],
    companies: [...companies],
  }));

destinationContract('intercom', {
  connector: intercom,
  renewsToken: false,
  start: async () => {
    const fake = await startIntercom();
    for (const i of [0, 1, 2]) {
      seed(fake, { external_id: `update-${i}`, name: 'Before' });
      seed(fake, { external_id: `delete-${i}`, name: 'Before' });
      seed(fake, { email: `p${i}@mail.test` });
    }
    return {
      fake,
      config: typed(fake),
      wrongConfig: { ...typed(fake), accessToken: 'dG9rOm9mIHNvbWVib2R5IGVsc2U=' },
      stored: () => ({ contacts: shown(fake), tags: fake.state.tags }),
    };
  },
  parts: {
    objects: {
      insert: batchOf('insert'),
      update: batchOf('update'),
      upsert: batchOf('upsert'),
      delete: batchOf('delete'),
    },
    audiences: {
      list: '7',
      members: (n, bad) =>
        Array.from({ length: n }, (_, i) => ({
          key: `k${i}`,
          identifiers: { email: i === bad ? 'stranger@mail.test' : `p${i}@mail.test` },
          traits: {},
        })),
    },
  },
  says: {
    unauthorized: problem(401, 'unauthorized', 'Access Token Invalid'),
    broken: [
      problem(500, 'server_error', 'Server error'),
      { status: 502, text: '<html>' },
      problem(408, 'timeout', ''),
    ],
  },
});

type Found = { readonly objects: Objects; readonly audiences: Audiences; readonly fake: FakeIntercom };

async function withIntercom(
  test: (found: Found, check: (use: PartName) => Promise<readonly string[]>) => Promise<void>,
  more: Raw = {},
): Promise<void> {
  const fake = await startIntercom();
  const { connection, close } = await openFor(intercom, { ...typed(fake), ...more }, { now: () => now });
  try {
    const parts = {
      objects: partOf(connection, 'objects'),
      audiences: partOf(connection, 'audiences'),
      fake,
    };
    await test(parts, (use) => connection.check(use));
    fake.expectNoUnexpected();
  } finally {
    await close();
    await fake.close();
  }
}

const now = new Date('2026-11-23T12:00:00Z');
const byEmail = { match: ['email'] };
const companies = { object: 'companies', match: ['company_id'] };
const statesOf = (outcomes: readonly Outcome[]) => outcomes.map(({ state }) => state);
const asked = (fake: FakeIntercom) => fake.requests.map(({ method, path }) => `${method} ${path}`);

const thrownBy = (doing: Promise<unknown>): Promise<ActivateError> =>
  doing.then(
    () => {
      throw new Error('nothing was thrown');
    },
    (error: unknown) => error as ActivateError,
  );

describe('intercom: contacts', () => {
  it('are found by external id without the search, which sees new ones late', () =>
    withIntercom(async ({ objects, fake }) => {
      const id = seed(fake, { external_id: 'u/1', name: 'Before', phone: '+49 30' });
      fake.state.unseen.add(id);
      const rows = [
        { external_id: 'u/1', name: 'Ada' },
        { external_id: 'u2', name: 'Ben' },
      ];

      const outcomes = await objects.write(batch('upsert', rows), call());

      const url = `https://app.eu.intercom.com/a/apps/ws1/users/${id}/all-conversations`;
      expect(outcomes).toEqual([
        { state: 'ok', id, url },
        expect.objectContaining({ state: 'ok', id: 'c102' }),
      ]);
      expect(shown(fake)).toMatchObject([
        { external_id: 'u/1', name: 'Ada', phone: '+49 30' },
        { external_id: 'u2', name: 'Ben' },
      ]);
      expect(asked(fake)).toEqual([
        'GET /data_attributes',
        'GET /contacts/find_by_external_id/u%2F1',
        `PUT /contacts/${id}`,
        'GET /contacts/find_by_external_id/u2',
        'POST /contacts',
      ]);
      expect(fake.requests.every(({ headers }) => headers['intercom-version'] === '2.16')).toBe(true);
    }));

  it('that the search does not see yet are named by the conflict, and updated', () =>
    withIntercom(async ({ objects, fake }) => {
      const id = seed(fake, { email: 'ada@mail.test' });
      fake.state.unseen.add(id);

      const outcomes = await objects.write(
        batch('upsert', [{ email: 'ada@mail.test', name: 'Ada' }], byEmail),
        call(),
      );

      expect(outcomes).toMatchObject([{ state: 'ok', id }]);
      expect(shown(fake)).toMatchObject([{ email: 'ada@mail.test', name: 'Ada' }]);
    }));

  it('with an address that several have are nobody in particular', () =>
    withIntercom(async ({ objects, fake }) => {
      for (const role of ['user', 'lead', 'lead'] as const) {
        seed(fake, { email: 'ada@mail.test' }, { role });
      }

      for (const operation of ['upsert', 'update', 'delete'] as const) {
        expect(await objects.write(batch(operation, [{ email: 'ada@mail.test' }], byEmail), call())).toEqual([
          { state: 'rejected', reason: expect.stringContaining('Several contacts'), field: 'email' },
        ]);
      }
      expect(await objects.find('contacts', 'email', ['ada@mail.test'])).toEqual(new Map());
      expect(shown(fake)).toHaveLength(3);
    }));

  it('are made as users: a lead of the same address would be made again and again', () =>
    withIntercom(async ({ objects, fake }) => {
      await objects.write(batch('insert', [{ email: 'ada@mail.test' }], byEmail), call());

      expect(fake.to('POST /contacts')[0]!.json()).toEqual({ role: 'user', email: 'ada@mail.test' });
    }));

  it('without a user id become the one that has their address; those with another id do not', () =>
    withIntercom(async ({ objects, fake }) => {
      const id = seed(fake, { email: 'ada@mail.test' });
      const other = seed(fake, { email: 'ben@mail.test', external_id: 'somebody' });
      const rows = [
        { external_id: 'u1', email: 'ada@mail.test' },
        { external_id: 'u2', email: 'ben@mail.test' },
      ];
      const conflict = `A contact matching those details already exists with id=${other}`;
      fake.next(...Array.from({ length: 6 }, () => undefined), problem(409, 'conflict', conflict));

      const outcomes = await objects.write(batch('upsert', rows), call());

      expect(outcomes).toMatchObject([
        { state: 'ok', id },
        { state: 'rejected', reason: expect.stringContaining('another user id'), field: 'email' },
      ]);
      expect(shown(fake)).toMatchObject([{ external_id: 'u1' }, { external_id: 'somebody' }]);
    }));

  it('that are archived are restored, or reported where Intercom does not restore them', () =>
    withIntercom(async ({ objects, fake }) => {
      seed(fake, { external_id: 'u1' }, { archived: true });
      fake.state.lost.add(seed(fake, { external_id: 'u2' }, { archived: true }));
      const rows = [
        { external_id: 'u1', name: 'Ada' },
        { external_id: 'u2', name: 'Ben' },
      ];

      const outcomes = await objects.write(batch('upsert', rows), call());

      expect(outcomes).toMatchObject([
        { state: 'ok' },
        {
          state: 'rejected',
          reason: expect.stringMatching(/does not restore it\. It says: User has been merged/),
        },
      ]);
      expect(shown(fake)).toMatchObject([{ archived: false, name: 'Ada' }, { archived: true }]);
      expect(await objects.write(batch('insert', rows.slice(1)), call({ again: true }))).toMatchObject([
        { state: 'rejected', reason: expect.stringContaining('archived') },
      ]);
    }));

  it('that were merged into others are those from then on, and keep their id', () =>
    withIntercom(async ({ objects, fake }) => {
      const into = seed(fake, { external_id: 'u9' });
      fake.state.merged.set('u1', into).set('u2', 'gone');

      const outcomes = await objects.write(
        batch('update', [{ external_id: 'u1', name: 'Ada' }, { external_id: 'u2' }]),
        call(),
      );

      expect(outcomes).toMatchObject([{ state: 'ok', id: into }, { state: 'rejected' }]);
      expect(shown(fake)).toMatchObject([{ external_id: 'u9', name: 'Ada' }]);
    }));

  it('that go while they are written are tried again', () =>
    withIntercom(async ({ objects, fake }) => {
      seed(fake, { external_id: 'u1' });
      await objects.fields('contacts');
      fake.next(undefined, problem(404, 'not_found', 'User Not Found'));

      expect(
        statesOf(await objects.write(batch('update', [{ external_id: 'u1', name: 'x' }]), call())),
      ).toEqual(['retry']);
    }));

  it('that are there are refused by an insert, unless an earlier attempt may have made them', () =>
    withIntercom(async ({ objects, fake }) => {
      const id = seed(fake, { external_id: 'u1', name: 'Before' });
      const insert = batch('insert', [{ external_id: 'u1', name: 'Ada' }]);

      expect(await objects.write(insert, call())).toMatchObject([
        { state: 'rejected', field: 'external_id' },
      ]);
      expect(await objects.write(insert, call({ again: true }))).toMatchObject([{ state: 'ok', id }]);
      expect(shown(fake)).toMatchObject([{ name: 'Before' }]);
    }));

  it('are found by the id of Intercom, and not made by it', () =>
    withIntercom(async ({ objects, fake }) => {
      const id = seed(fake, { email: 'ada@mail.test' });
      const rows = [
        { id, name: 'Ada' },
        { id: 'none', name: 'Ben' },
      ];

      for (const operation of ['upsert', 'update'] as const) {
        expect(statesOf(await objects.write(batch(operation, rows, { match: ['id'] }), call()))).toEqual([
          'ok',
          'rejected',
        ]);
      }
      expect(shown(fake)).toMatchObject([{ name: 'Ada' }]);
    }));

  it('are archived by the id of Intercom and not by ours, and those that are gone are done', () =>
    withIntercom(async ({ objects, fake }) => {
      const id = seed(fake, { external_id: 'u1' });
      const rows = [{ external_id: 'u1' }, { external_id: 'stranger' }];

      expect(statesOf(await objects.write(batch('delete', rows), call()))).toEqual(['ok', 'ok']);

      expect(fake.to(`POST /contacts/${id}/archive`)).toHaveLength(1);
      expect(shown(fake)).toMatchObject([{ id, archived: true }]);
    }));

  it('that somebody else archives at the same moment are done', () =>
    withIntercom(async ({ objects, fake }) => {
      seed(fake, { external_id: 'u1' });
      await objects.fields('contacts');
      fake.next(undefined, problem(400, 'bad_request', 'Contact is already in the same state'));

      expect(await objects.write(batch('delete', [{ external_id: 'u1' }]), call())).toEqual([
        { state: 'ok' },
      ]);
    }));

  it('are deleted for good where that was chosen', () =>
    withIntercom(
      async ({ objects, fake }) => {
        seed(fake, { external_id: 'u1' });

        expect(await objects.write(batch('delete', [{ external_id: 'u1' }]), call())).toEqual([
          { state: 'ok' },
        ]);
        expect(shown(fake)).toEqual([]);
      },
      { deleting: 'erase' },
    ));

  it('keep what they have in fields that are only for empty ones', () =>
    withIntercom(async ({ objects, fake }) => {
      seed(fake, { external_id: 'u1', name: 'Ada' }, { custom: { plan: 'pro' } });
      seed(fake, { external_id: 'u2' });
      const rows = ['u1', 'u2'].map((id) => ({
        external_id: id,
        name: 'New',
        'custom_attributes.plan': 'free',
      }));
      const fields = Object.keys(rows[0]!).map((name) => ({
        name,
        onlyIfEmpty: name !== 'external_id',
        sparse: false,
      }));

      expect(statesOf(await objects.write(batch('upsert', rows, { fields }), call()))).toEqual(['ok', 'ok']);

      expect(shown(fake)).toMatchObject([
        { name: 'Ada', plan: 'pro' },
        { name: 'New', plan: 'free' },
      ]);
      expect(fake.to('PUT /contacts/:id')).toHaveLength(1);
    }));

  it('are attached to the company that the row names', () =>
    withIntercom(async ({ objects, fake }) => {
      fake.state.companies.set('k1', { id: 'k1', company_id: 'acme' });
      const found = await objects.find('companies', 'company_id', ['acme', 'none']);
      const rows = [
        { external_id: 'u1', company: found.get('acme')! },
        { external_id: 'u2', company: 'k9' },
        { external_id: 'u3', company: null },
      ];

      const outcomes = await objects.write(batch('upsert', rows), call());

      expect(found).toEqual(new Map([['acme', 'k1']]));
      expect(statesOf(outcomes)).toEqual(['ok', 'rejected', 'ok']);
      expect(outcomes[1]).toMatchObject({
        reason: 'The contact is written, but Intercom does not attach it. It says: Company Not Found',
        field: 'company',
      });
      expect(shown(fake).map((one) => one.companies)).toEqual([['k1'], [], []]);
      expect(fake.to('POST /contacts')[0]!.json()).not.toHaveProperty('company');
    }));
});

describe('intercom: values', () => {
  it('have times as whole seconds, attributes of the workspace apart, and null to empty', () =>
    withIntercom(async ({ objects, fake }) => {
      const row = {
        external_id: 'u1',
        name: null,
        signed_up_at: '2026-11-23T12:00:00.999999Z',
        'custom_attributes.renews': '1815-12-10T00:00:00Z',
        'custom_attributes.seats': 3,
        'custom_attributes.score': 19.99,
        'custom_attributes.vip': false,
      };

      expect(statesOf(await objects.write(batch('upsert', [row]), call()))).toEqual(['ok']);

      expect(fake.to('POST /contacts')[0]!.json()).toEqual({
        role: 'user',
        external_id: 'u1',
        name: null,
        signed_up_at: 1795435200,
        custom_attributes: { renews: -4861728000, seats: 3, score: 19.99, vip: false },
      });
    }));

  it('never subscribe anybody again', () =>
    withIntercom(async ({ objects, fake }) => {
      seed(fake, { external_id: 'u1', unsubscribed_from_emails: true });
      const rows = ['u1', 'u2'].map((id, i) => ({
        external_id: id,
        name: 'x',
        unsubscribed_from_emails: i === 1,
      }));

      await objects.write(batch('upsert', rows), call());

      expect(shown(fake)).toMatchObject([
        { unsubscribed_from_emails: true },
        { unsubscribed_from_emails: true },
      ]);
    }));

  it('that are refused are named by their field, and not repeated', () =>
    withIntercom(async ({ objects, fake }) => {
      const rows = [
        { external_id: 'u1', email: 'not an address' },
        { external_id: 'u2', email: 'ben@mail.test', 'custom_attributes.shoes': 'red' },
      ];

      const outcomes = await objects.write(batch('upsert', rows), call());

      expect(outcomes).toEqual([
        {
          state: 'rejected',
          reason: 'Intercom refuses this. It says: The email … is no address',
          field: 'email',
        },
        {
          state: 'rejected',
          reason: "Intercom refuses this. It says: Custom attribute 'shoes' does not exist",
        },
      ]);
      expect(shown(fake)).toEqual([]);
    }));
});

describe('intercom: companies', () => {
  it('are upserted in one call, by an id of ours', () =>
    withIntercom(async ({ objects, fake }) => {
      const rows = [
        {
          company_id: 'acme',
          name: 'Acme',
          remote_created_at: '2026-11-23T12:00:00Z',
          'custom_attributes.tier': 'gold',
        },
      ];

      expect(await objects.write(batch('upsert', rows, companies), call())).toEqual([
        { state: 'ok', id: 'k1' },
      ]);
      expect(await objects.write(batch('upsert', rows, companies), call({ again: true }))).toEqual([
        { state: 'ok', id: 'k1' },
      ]);

      expect([...fake.state.companies.values()]).toEqual([
        {
          id: 'k1',
          company_id: 'acme',
          name: 'Acme',
          remote_created_at: 1795435200,
          custom_attributes: { tier: 'gold' },
        },
      ]);
      expect(asked(fake)).toEqual(['GET /data_attributes', 'POST /companies', 'POST /companies']);
    }));

  it('that are there are left alone by an insert, whose call would update them', () =>
    withIntercom(async ({ objects, fake }) => {
      fake.state.companies.set('k1', { id: 'k1', company_id: 'acme', name: 'Before' });
      const insert = batch(
        'insert',
        [
          { company_id: 'acme', name: 'After' },
          { company_id: 'new', name: 'New' },
        ],
        companies,
      );

      expect(statesOf(await objects.write(insert, call()))).toEqual(['rejected', 'ok']);
      expect(statesOf(await objects.write(insert, call({ again: true })))).toEqual(['ok', 'ok']);
      expect([...fake.state.companies.values()].map(({ name }) => name)).toEqual(['Before', 'New']);
    }));

  it('are updated without their id, which can not change, and deleted', () =>
    withIntercom(async ({ objects, fake }) => {
      fake.state.companies.set('k1', { id: 'k1', company_id: 'acme', name: 'Before' });
      const rows = [
        { company_id: 'acme', name: 'After' },
        { company_id: 'none', name: 'None' },
      ];

      expect(statesOf(await objects.write(batch('update', rows, companies), call()))).toEqual([
        'ok',
        'rejected',
      ]);
      expect(fake.to('PUT /companies/:id')[0]!.json()).toEqual({ name: 'After' });
      const byId = { ...companies, match: ['id'] };
      expect(
        statesOf(
          await objects.write(
            batch(
              'upsert',
              [
                { id: 'k1', name: 'Again' },
                { id: 'k9', name: 'x' },
              ],
              byId,
            ),
            call(),
          ),
        ),
      ).toEqual(['ok', 'rejected']);
      expect([...fake.state.companies.values()]).toEqual([{ id: 'k1', company_id: 'acme', name: 'Again' }]);

      expect(
        statesOf(
          await objects.write(
            batch(
              'delete',
              rows.map(({ company_id }) => ({ company_id })),
              companies,
            ),
            call(),
          ),
        ),
      ).toEqual(['ok', 'ok']);
      expect(fake.state.companies.size).toBe(0);
    }));

  it('keep what they have in fields that are only for empty ones', () =>
    withIntercom(async ({ objects, fake }) => {
      fake.state.companies.set('k1', { id: 'k1', company_id: 'acme', name: 'Before' });
      const rows = [{ company_id: 'acme', name: 'After', industry: 'Shoes' }];
      const fields = Object.keys(rows[0]!).map((name) => ({
        name,
        onlyIfEmpty: name !== 'company_id',
        sparse: false,
      }));

      for (const operation of ['upsert', 'update'] as const) {
        expect(
          statesOf(await objects.write(batch(operation, rows, { ...companies, fields }), call())),
        ).toEqual(['ok']);
      }
      expect([...fake.state.companies.values()]).toEqual([
        { id: 'k1', company_id: 'acme', name: 'Before', industry: 'Shoes' },
      ]);
      expect(fake.to('PUT /companies/:id')).toEqual([]);
    }));

  it('are refused and missed one by one', () =>
    withIntercom(async ({ objects, fake }) => {
      const rows = [
        { company_id: 'acme', website: 'no address' },
        { company_id: '', website: 'x' },
        { company_id: 'good', website: 'x' },
      ];

      expect(await objects.write(batch('upsert', rows, companies), call())).toMatchObject([
        { state: 'rejected', reason: "Intercom refuses this. It says: bad 'website' parameter: …" },
        { state: 'rejected', field: 'company_id' },
        { state: 'ok' },
      ]);
      fake.next(undefined, problem(404, 'company_not_found', 'Company Not Found'));
      expect(
        statesOf(
          await objects.write(batch('update', [{ company_id: 'good', name: 'x' }], companies), call()),
        ),
      ).toEqual(['retry']);
    }));
});

describe('intercom: trouble', () => {
  it('waits until the window of ten seconds is over, which is a time and no duration', () =>
    withIntercom(async ({ objects, fake }) => {
      const reset = String(now.getTime() / 1000 + 7);
      fake.always({
        ...problem(429, 'rate_limit_exceeded', 'Exceeded rate limit'),
        headers: { 'x-ratelimit-reset': reset },
      });

      expect(await thrownBy(objects.fields('contacts'))).toMatchObject({
        code: 'RATE_LIMITED',
        retryAfterMs: 7_000,
      });
    }));

  it('in the middle of a batch leaves what is done, and the rest for later', () =>
    withIntercom(async ({ objects, fake }) => {
      const rows = ['u1', 'u2', 'u3'].map((id) => ({ external_id: id, name: id }));
      const limit = { ...problem(429, 'rate_limit_exceeded', 'Exceeded'), headers: { 'retry-after': '30' } };
      fake.next(undefined, undefined, limit);

      const outcomes = await objects.write(batch('insert', rows), call());

      expect(outcomes).toMatchObject([
        { state: 'ok' },
        { state: 'retry', afterMs: 30_000 },
        { state: 'retry', afterMs: 30_000 },
      ]);
      fake.next(undefined, 'done-then-reset');
      expect(statesOf(await objects.write(batch('insert', rows.slice(1).reverse()), call()))).toEqual([
        'ok',
        'unknown',
      ]);
      expect(shown(fake)).toHaveLength(3);
    }));

  it('with the token is told with the region, in which alone it is known', () =>
    withIntercom(async ({ fake }, check) => {
      fake.always(problem(401, 'unauthorized', 'Access Token Invalid'));

      expect(await thrownBy(check('objects'))).toMatchObject({
        code: 'AUTH_REJECTED',
        fix: expect.stringContaining('region'),
      });
    }));

  it('with region and rights is told when it is connected', () =>
    withIntercom(async ({ fake }, check) => {
      fake.state.region = 'AU';
      fake.next(undefined, problem(403, 'api_plan_restricted', 'Active subscription needed.'));

      expect(await check('objects')).toEqual([
        expect.stringContaining('another region (AU)'),
        'The access token may not read data attributes.',
      ]);
      fake.next(undefined, problem(403, 'forbidden', 'no'));
      expect(await check('audiences')).toContain('The access token may not read tags.');
    }));
});

describe('intercom: set-up', () => {
  it('offers contacts and companies, with the attributes that can be written', () =>
    withIntercom(async ({ objects }) => {
      expect(await objects.objects('comp')).toEqual([{ value: 'companies', label: 'Companies' }]);
      const fields = await objects.fields('contacts');
      const spec = { required: false, key: false };

      expect(fields.filter(({ key }) => key).map(({ name }) => name)).toEqual(['id', 'external_id', 'email']);
      expect(fields.filter(({ name }) => name.startsWith('custom_'))).toEqual([
        { ...spec, name: 'custom_attributes.seats', label: 'seats', type: 'integer' },
        { ...spec, name: 'custom_attributes.score', label: 'score', type: 'number' },
        { ...spec, name: 'custom_attributes.vip', label: 'vip', type: 'boolean' },
        { ...spec, name: 'custom_attributes.renews', label: 'Renews on', type: 'time' },
        { ...spec, name: 'custom_attributes.plan', label: 'plan', type: 'text', maxLength: 255 },
        { ...spec, name: 'custom_attributes.size', label: 'size', type: 'text', options: ['small', 'big'] },
      ]);
      expect((await objects.fields('companies')).map(({ name }) => name)).toContain('custom_attributes.tier');
    }));

  it.each([
    ['contacts', ['phone'], 'upsert'],
    ['contacts', ['external_id', 'email'], 'upsert'],
    ['companies', ['name'], 'update'],
    ['contacts', ['id'], 'insert'],
  ] as const)('says beforehand that %s are not to be found by %s', (object, match, operation) =>
    withIntercom(async ({ objects }) => {
      const fields = match.map((name) => ({ name, onlyIfEmpty: false, sparse: false }));

      expect(await thrownBy(objects.verify({ object, operation, match, fields }))).toMatchObject({
        code: 'CONFIG_INVALID',
        fix: expect.any(String),
        fields: { match: expect.any(String) },
      });
    }),
  );

  it('warns of what goes otherwise than thought', () =>
    withIntercom(async ({ objects }) => {
      const verify = (object: string, match: string, ...names: readonly string[]) =>
        objects.verify({
          object,
          operation: 'upsert',
          match: [match],
          fields: [match, ...names].map((name) => ({ name, onlyIfEmpty: false, sparse: false })),
        });

      expect(await verify('contacts', 'external_id', 'name')).toEqual([]);
      expect(await verify('contacts', 'email')).toEqual([expect.stringContaining('some minutes late')]);
      expect(await verify('contacts', 'id')).toEqual([expect.stringContaining('ids by itself')]);
      expect(await verify('companies', 'company_id')).toEqual([
        expect.stringContaining('once a contact is attached'),
      ]);
      expect(await verify('contacts', 'external_id', 'company', 'unsubscribed_from_emails')).toEqual([
        expect.stringContaining('only ever unsubscribed'),
        expect.stringContaining('never detached'),
      ]);
    }));

  it('looks up what rows refer to', () =>
    withIntercom(async ({ objects, fake }) => {
      const id = seed(fake, { external_id: 'u1', email: 'ada@mail.test' });

      expect(await objects.find('admins', 'email', ['rep@acme.test', 'none@acme.test'])).toEqual(
        new Map([['rep@acme.test', '1']]),
      );
      expect(await objects.find('contacts', 'external_id', ['u1', 'u2'])).toEqual(new Map([['u1', id]]));
      expect(await objects.find('contacts', 'email', ['ADA@mail.test'])).toEqual(
        new Map([['ADA@mail.test', id]]),
      );
      expect(await thrownBy(objects.find('contacts', 'phone', ['1']))).toMatchObject({
        code: 'CONFIG_INVALID',
      });
    }));

  it.each([
    ['us', 'api.intercom.io'],
    ['eu', 'api.eu.intercom.io'],
    ['au', 'api.au.intercom.io'],
  ])('calls the host of the region %s', async (region, host) => {
    const fake = await startIntercom();
    fake.state.region = region.toUpperCase();
    const opened = await openFor(
      intercom,
      { region, accessToken: ` ${token}\n` },
      { standIns: { [host]: fake.url } },
    );

    expect(await opened.connection.check('objects')).toEqual([]);
    await opened.close();
    await fake.close();
  });

  it.each(['two words', 'dG9r\u0000', '"dG9r"'])('takes %j for no token', async (accessToken) => {
    await expect(openFor(intercom, { region: 'us', accessToken })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { accessToken: expect.any(String) },
    });
  });
});

describe('intercom: tags', () => {
  const people = (...named: readonly Readonly<Record<string, string>>[]): readonly Member[] =>
    named.map((identifiers, i) => ({ key: `k${i}`, identifiers, traits: {} }));
  const tagged = (fake: FakeIntercom) => shown(fake).map((one) => one.tags);

  it('go on many contacts in one call, and on all that share an address', () =>
    withIntercom(async ({ audiences, fake }) => {
      for (const role of ['user', 'lead', 'lead'] as const) {
        seed(fake, { email: 'ada@mail.test' }, { role });
      }
      fake.state.unseen.add(seed(fake, { external_id: 'u1' }));
      const members = people(
        { email: 'ada@mail.test' },
        { external_id: 'u1', email: 'x@mail.test' },
        { email: 'stranger@mail.test' },
      );

      const outcomes = await audiences.add('7', members, call());

      expect(statesOf(outcomes)).toEqual(['ok', 'ok', 'rejected']);
      expect(outcomes[2]).toMatchObject({ reason: expect.stringContaining('no such contact') });
      expect(tagged(fake)).toEqual([['7'], ['7'], ['7'], ['7']]);
      expect(fake.to('POST /tags').map((request) => request.json())).toEqual([
        { name: 'Buyers', users: ['c101', 'c102', 'c103', 'c104'].map((id) => ({ id })) },
      ]);

      expect(statesOf(await audiences.remove('7', members, call()))).toEqual(['ok', 'ok', 'ok']);
      expect(tagged(fake)).toEqual([[], [], [], []]);
    }));

  it('go on one by one where a contact that is gone makes Intercom refuse them all', () =>
    withIntercom(async ({ audiences, fake }) => {
      const id = seed(fake, { email: 'ada@mail.test' });
      seed(fake, { email: 'ben@mail.test' });
      fake.next(undefined, undefined, () => {
        fake.state.contacts.delete(id);
        return problem(404, 'not_found', 'User Not Found');
      });

      const outcomes = await audiences.add(
        '7',
        people({ email: 'ada@mail.test' }, { email: 'ben@mail.test' }),
        call(),
      );

      expect(statesOf(outcomes)).toEqual(['rejected', 'ok']);
      expect(tagged(fake)).toEqual([['7']]);
    }));

  it('take nothing else away', () =>
    withIntercom(async ({ audiences, fake }) => {
      seed(fake, { email: 'ada@mail.test', name: 'Ada' }, { tags: new Set(['7', '8']) });

      await audiences.remove('7', people({ email: 'ada@mail.test' }), call());

      expect(shown(fake)).toMatchObject([{ name: 'Ada', archived: false, tags: ['8'] }]);
    }));

  it('that are gone end the run', () =>
    withIntercom(async ({ audiences, fake }) => {
      seed(fake, { email: 'ada@mail.test' });
      const ada = people({ email: 'ada@mail.test' });

      expect(await thrownBy(audiences.add('99', ada, call()))).toMatchObject({ code: 'TARGET_GONE' });
      expect(await thrownBy(audiences.remove('99', ada, call()))).toMatchObject({ code: 'TARGET_GONE' });
      expect(await thrownBy(audiences.add('../me', ada, call()))).toMatchObject({ code: 'INPUT_INVALID' });
    }));

  it('are found by name whatever the capitals, before one is made', () =>
    withIntercom(async ({ audiences, fake }) => {
      expect(await audiences.create('bUYERS')).toBe('7');
      expect(await audiences.create('Churned')).toBe('22');
      expect(await audiences.lists('')).toEqual([
        { value: '7', label: 'Buyers' },
        { value: '8', label: 'Others' },
        { value: '22', label: 'Churned' },
      ]);
      expect(fake.state.tags).toHaveLength(3);
    }));
});
