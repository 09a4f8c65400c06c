import { type Connection, defineConnector, type PartName } from '../../engine/contracts/connector.ts';
import type { Objects } from '../../engine/contracts/destination.ts';
import { config, loginOf } from './config.ts';
import { type Catalog, fieldOf, obstaclesOf, openCatalog, specsOf } from './discovery.ts';
import { openSession, type Session, version } from './session.ts';
import { findBy, sameAs } from './soql.ts';
import { checkTasks, tasksOf } from './tasks.ts';
import { writeBatch } from './write.ts';

/** Records and tasks of a Salesforce org, through `jsforce`. */
export const salesforce = defineConnector({
  id: 'salesforce',
  name: 'Salesforce',
  summary: 'Keeps records in step with a query, and gives people tasks.',
  config,
  offers: ['objects', 'tasks'],
  hosts: ['*.my.salesforce.com'],
  api: { version },
  setup: [
    'In Setup, make an External Client App: switch OAuth on, with the scope `api`, and with `refresh_token, offline_access` too if you sign in with a private key. (Connected Apps can no longer be made.)',
    'For client credentials: switch on the Client Credentials Flow, name the user to run as in the policies of the app, and copy consumer key and secret.',
    'For a private key instead: `openssl req -x509 -newkey rsa:2048 -nodes -days 730 -keyout activate.pem -out activate.crt`, give `activate.crt` to the app under JWT Bearer Flow, and approve the app for the user by a permission set.',
    'Take a user of its own with the licence Salesforce Integration: it needs "API Enabled", and the rights on the objects and fields that you sync. To find records by an External ID that is not unique it needs "View All" on them.',
    'Rows are matched by an External ID: a custom field of your object that is marked External ID and unique.',
    'For tasks, add a text field of 40 characters to Activity, marked External ID and unique, and name it in the connection: then no task is ever made twice. Without it, Activate looks for a line at the end of the text.',
  ],
  verified:
    'Tested against a server of ours that answers as the documentation says, not against Salesforce itself.',
  open: async (values, context) => {
    const session = await openSession(loginOf(values), context);
    const catalog = openCatalog(session);
    return {
      objects: objectsOf(session, catalog),
      tasks: tasksOf(session, catalog),
      check: (use) => check(session, catalog, use),
      close: async () => undefined,
    } satisfies Connection<'objects' | 'tasks'>;
  },
});

function objectsOf(session: Session, catalog: Catalog): Objects {
  return {
    // So many that a bulk job is worth it: of fewer than 2,000 each request takes 200. One at a time, for locks.
    limits: { rows: 10_000, bytes: 30_000_000, concurrency: 1 },
    operations: ['insert', 'update', 'upsert', 'delete'],
    onlyIfEmpty: true,
    objects: (typed) => catalog.kinds(typed),
    fields: async (object) => specsOf(await catalog.fresh(object)),
    verify: async (plan) => obstaclesOf(await catalog.fresh(plan.object), plan),
    write: (batch, call) => writeBatch(session, catalog, batch, call),
    find: async (object, name, values) => {
      const field = fieldOf(await catalog.known(object), name);
      const found = await findBy(session.api(), object, field, values);
      return new Map(
        values.flatMap((value) => {
          // A value that several records have says nothing about which one is meant.
          const [only, another] = found.get(sameAs(field, value)) ?? [];
          return only === undefined || another !== undefined ? [] : [[value, String(only['Id'])] as const];
        }),
      );
    },
  };
}

async function check(session: Session, catalog: Catalog, use: PartName): Promise<readonly string[]> {
  if (use === 'tasks') {
    return checkTasks(session, catalog);
  }
  const kinds = await catalog.kinds('');
  return kinds.length === 0 ? ['The user of the connection may not write any kind of record.'] : [];
}
