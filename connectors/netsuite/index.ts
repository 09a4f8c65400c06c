import { type Connection, defineConnector } from '../../engine/contracts/connector.ts';
import type { Objects } from '../../engine/contracts/destination.ts';
import { type Catalog, obstaclesOf, openCatalog, specsOf } from './catalog.ts';
import { api, type Client, openClient } from './client.ts';
import { config, loginOf } from './config.ts';
import { findBy } from './find.ts';
import { perJob } from './jobs.ts';
import { writeBatch } from './write.ts';

/** Records of a NetSuite account, custom ones among them, by SuiteTalk REST. */
export const netsuite = defineConnector({
  id: 'netsuite',
  name: 'NetSuite',
  summary: 'Keeps records of NetSuite in step with your rows.',
  config,
  offers: ['objects'],
  hosts: ['*.suitetalk.api.netsuite.com'],
  api,
  setup: [
    'In Setup, Company, Enable Features, SuiteCloud, switch on REST Web Services and OAuth 2.0.',
    'Make a role with the permissions "REST Web Services", "Log in using OAuth 2.0 Access Tokens" and those for the records that you sync, and give it to a user of its own. To look records up by other fields it needs "SuiteAnalytics Workbook" as well.',
    'In Setup, Integration, Manage Integrations, make an integration with the grant "Client Credentials (Machine to Machine)" and the scope "REST Web Services", and copy the client ID.',
    'Make a key and a certificate: `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 730 -keyout activate.pem -out activate.crt`. Upload `activate.crt` in Setup, Integration, OAuth 2.0 Client Credentials (M2M) Setup, for the user, the role and the integration, and copy the certificate ID.',
    'A certificate ends after two years at most, and a refresh of a sandbox clears its mapping: make both anew then.',
    'Rows are matched by `externalId`. Only one system may give external IDs to records of a kind: if there is another already, agree on a prefix.',
    'NetSuite does not delete a record that transactions refer to. To make records inactive instead, let rows that leave set `isInactive`, and map it for those that are there.',
    'References such as `subsidiary` take the internal ID, or several of them as a list. What is required depends on the forms of the account: accounts with several subsidiaries need `subsidiary` for new customers.',
    'Token-based authentication (OAuth 1.0) is not offered: NetSuite takes no new integrations with it from 2027.1 on.',
  ],
  verified: 'Tested against a server of ours that answers as Oracle documents, not against NetSuite.',
  open: async (values, context) => {
    const client = openClient(loginOf(values), context);
    const catalog = openCatalog(client);
    return {
      objects: objectsOf(client, catalog),
      check: () => check(client, catalog, context.now()),
      close: async () => undefined,
    } satisfies Connection<'objects'>;
  },
});

function objectsOf(client: Client, catalog: Catalog): Objects {
  const { login } = client;
  return {
    limits: { rows: perJob, bytes: 50_000_000, concurrency: login.concurrency },
    operations: ['insert', 'update', 'upsert', 'delete'],
    onlyIfEmpty: false,
    objects: (typed) => catalog.kinds(typed),
    fields: async (object) => specsOf(await catalog.fresh(object)),
    verify: async (plan) => obstaclesOf(await catalog.fresh(plan.object), plan),
    write: (batch, call) => writeBatch(client, catalog, batch, call),
    find: (object, field, values) => findBy(client, object, field, values),
  };
}

const warnsMs = 30 * 24 * 3_600_000;

async function check({ login }: Client, catalog: Catalog, now: Date): Promise<readonly string[]> {
  const kinds = await catalog.kinds('');
  const { endsAt } = login;
  return [
    ...(kinds.length === 0 ? ['The role of the connection may not see any kind of record.'] : []),
    ...(endsAt !== undefined && endsAt.getTime() - now.getTime() < warnsMs
      ? [`The certificate ends on ${endsAt.toISOString().slice(0, 10)}: make another one before.`]
      : []),
  ];
}
