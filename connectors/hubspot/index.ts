import { z } from 'zod';
import { type Connection, defineConnector, type PartName } from '../../engine/contracts/connector.ts';
import type { Objects } from '../../engine/contracts/destination.ts';
import { type Catalog, obstaclesOf, openCatalog, specsOf } from './catalog.ts';
import { api, type Client, openClient, read } from './client.ts';
import { config, loginOf } from './config.ts';
import { failureOf } from './errors.ts';
import { audiencesOf } from './lists.ts';
import { findBy, findOwners, perRequest } from './records.ts';
import { writeBatch } from './write.ts';

/** Records of a HubSpot account, custom objects among them, and static lists of contacts. */
export const hubspot = defineConnector({
  id: 'hubspot',
  name: 'HubSpot',
  summary: 'Keeps records and static lists of HubSpot in step with your rows.',
  config,
  offers: ['objects', 'audiences'],
  hosts: ['api.hubapi.com'],
  api,
  setup: [
    'In HubSpot open Settings, Integrations, Service Keys, and make a key. (Legacy private apps can no longer be made; the access token of one that you have works too.)',
    'Give it read and write of each kind that you sync: `crm.objects.contacts.read` and `crm.objects.contacts.write`, and the same for `companies`, `deals` and `custom`; for tickets `tickets`. For custom objects `crm.schemas.custom.read` as well.',
    'For lists give it `crm.lists.read`, `crm.lists.write` and `crm.objects.contacts.read`. Activate fills static lists, with contacts that are in HubSpot already.',
    'To look owners up by e-mail address (`object: owners`, `by: email`), give it `crm.objects.owners.read`.',
    'Contacts are found by `email`. For all other kinds, and for contacts by an id of yours, make a property that requires unique values; the domain of a company need not be unique, so it finds none.',
    'Deleted records go to the recycle bin of HubSpot, from where they can be restored for a while.',
  ],
  verified: 'Tested against a server of ours that answers as HubSpot documents, not against HubSpot.',
  open: async (values, context) => {
    const client = openClient(loginOf(values), context);
    const catalog = openCatalog(client);
    return {
      objects: objectsOf(client, catalog),
      audiences: audiencesOf(client, catalog),
      check: (use) => check(client, use),
      close: async () => undefined,
    } satisfies Connection<'objects' | 'audiences'>;
  },
});

function objectsOf(client: Client, catalog: Catalog): Objects {
  return {
    // The smallest plan has 100 calls in ten seconds, and a batch may take three.
    limits: { rows: perRequest, concurrency: 2, paceMs: 300 },
    operations: ['insert', 'update', 'upsert', 'delete'],
    onlyIfEmpty: true,
    objects: (typed) => catalog.kinds(typed),
    fields: async (object) => specsOf(await catalog.fresh(object)),
    verify: async (plan) => obstaclesOf(await catalog.fresh(plan.object), plan),
    write: (batch, call) => writeBatch(client, catalog, batch, call),
    find: async (object, field, values) =>
      object === 'owners'
        ? findOwners(client, values)
        : findBy(client, await catalog.known(object), field, values),
  };
}

/** Asks for one contact, and for one list where lists are to be filled. What is not allowed may not be needed. */
async function check(client: Client, use: PartName): Promise<readonly string[]> {
  const contacts = { method: 'GET', of: 'crm/objects', path: 'contacts', query: { limit: 1 } } as const;
  const json = { offset: 0, count: 1, listIds: [], processingTypes: [], additionalProperties: [] };
  const lists = { method: 'POST', of: 'crm/lists', path: 'search', json, repeatable: true } as const;
  const warnings: string[] = [];
  for (const request of use === 'audiences' ? [contacts, lists] : [contacts]) {
    const answer = await client.send(request);
    if (answer.status === 403) {
      const what = request === lists ? 'lists' : 'contacts';
      warnings.push(`The access token may not read ${what}. ${failureOf(answer, undefined).message}`);
    } else if (!answer.ok) {
      throw failureOf(answer, undefined);
    } else {
      read(z.object({}), answer.json());
    }
  }
  return warnings;
}
