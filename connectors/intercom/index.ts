import { z } from 'zod';
import { type Connection, defineConnector, type PartName } from '../../engine/contracts/connector.ts';
import type { Call, ObjectBatch, Objects, Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError, asActivateError } from '../../engine/contracts/errors.ts';
import { api, type Client, openClient } from './client.ts';
import { companyBy, writeCompany } from './companies.ts';
import { config, loginOf } from './config.ts';
import { contactsBy, type Work, writeContact } from './contacts.ts';
import { type Catalog, matchOf, objectsNamed, obstaclesOf, openCatalog } from './fields.ts';
import { audiencesOf } from './tags.ts';

/** Contacts and companies of an Intercom workspace, and tags of contacts. */
export const intercom = defineConnector({
  id: 'intercom',
  name: 'Intercom',
  summary: 'Keeps contacts, companies and tags of Intercom in step with your rows.',
  config,
  offers: ['objects', 'audiences'],
  hosts: ['api.intercom.io', 'api.eu.intercom.io', 'api.au.intercom.io'],
  api,
  setup: [
    'In Intercom open Settings, Integrations, Developer Hub, make an app for your own workspace, and copy its access token from Authentication. The token does not run out.',
    'Leave the app the rights to read and write users and companies, to read and write tags, and to list admins.',
    'Contacts are best matched by `external_id`, the id that users have in your product. New contacts are users, never leads.',
    'Make attributes of your own in Settings, Data first: Intercom refuses those that it does not know.',
    'Deleted contacts are archived, unless you choose that they are deleted for good. A row that comes back restores an archived contact.',
    'To put contacts into companies, map `company` with a look-up (`object: companies`, `by: company_id`); to give them owners, map `owner_id` with one (`object: admins`, `by: email`).',
    'Each list of Activate is a tag. Segments are filled by Intercom itself.',
  ],
  verified: 'Tested against a server of ours that answers as Intercom documents, not against Intercom.',
  open: async (values, context) => {
    const client = openClient(loginOf(values), context);
    const catalog = openCatalog(client);
    return {
      objects: objectsOf(client, catalog),
      audiences: audiencesOf(client),
      check: (use) => check(client, use),
      close: async () => undefined,
    } satisfies Connection<'objects' | 'audiences'>;
  },
});

function objectsOf(client: Client, catalog: Catalog): Objects {
  return {
    // One call for each record, and one or two to find it. In ten seconds there may be some 1,600.
    limits: { rows: 20, concurrency: 5 },
    operations: ['insert', 'update', 'upsert', 'delete'],
    onlyIfEmpty: true,
    objects: async (typed) => objectsNamed(typed),
    fields: async (object) => (await catalog.fresh(object)).specs,
    verify: async (plan) => obstaclesOf(await catalog.fresh(plan.object), plan),
    write: (batch, call) => writeBatch(client, catalog, batch, call),
    find: (object, field, values) => find(client, object, field, values),
  };
}

const me = z.object({ app: z.object({ region: z.string().nullish() }).nullish() });

async function check(client: Client, use: PartName): Promise<readonly string[]> {
  const { app } = await client.ask({ method: 'GET', path: 'me' }, me);
  const region = app?.region?.toLowerCase();
  const path = use === 'audiences' ? 'tags' : 'data_attributes';
  const answer = await client.send({ method: 'GET', path });
  if (!answer.ok && answer.status !== 403) {
    throw client.failure(answer, undefined);
  }
  return [
    ...(region !== undefined && region !== client.login.region
      ? [`The workspace is kept in another region (${region.toUpperCase()}): choose that one.`]
      : []),
    ...(answer.ok
      ? []
      : [`The access token may not read ${use === 'audiences' ? 'tags' : 'data attributes'}.`]),
  ];
}

/**
 * Writes records one after the other. What stops the first of them is thrown; what stops a later one leaves the outcomes
 * of those before, and the rest for another attempt.
 */
async function writeBatch(
  client: Client,
  catalog: Catalog,
  batch: ObjectBatch,
  call: Call,
): Promise<readonly Outcome[]> {
  const kind = await catalog.known(batch.object, call.signal);
  const work: Work = { client, kind, match: matchOf(kind, batch), batch, call };
  const write = kind.object === 'contacts' ? writeContact : writeCompany;
  const outcomes: Outcome[] = [];
  for (const item of batch.items) {
    const next = await refusedOr(() => write(work, item));
    if (next instanceof ActivateError) {
      call.signal.throwIfAborted();
      if (outcomes.length === 0) {
        throw next;
      }
      return batch.items.map((_, at) => outcomes[at] ?? leftOver(next, at === outcomes.length));
    }
    outcomes.push(next);
  }
  return outcomes;
}

async function refusedOr(write: () => Promise<Outcome>): Promise<Outcome | ActivateError> {
  try {
    return await write();
  } catch (thrown) {
    const error = asActivateError(thrown);
    return error.code === 'ROW_REJECTED' ? { state: 'rejected', reason: error.message } : error;
  }
}

function leftOver({ code, message, retryAfterMs }: ActivateError, isNext: boolean): Outcome {
  if (isNext && code === 'OUTCOME_UNKNOWN') {
    return { state: 'unknown', reason: message };
  }
  return {
    state: 'retry',
    reason: message,
    ...(retryAfterMs === undefined ? {} : { afterMs: retryAfterMs }),
  };
}

// Records that rows refer to -----------------------------------------------------------------------------------------

const admins = z.object({
  admins: z.array(z.object({ id: z.coerce.string(), email: z.string().nullish() })),
});

async function find(
  client: Client,
  object: string,
  field: string,
  values: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const ids = new Map<string, string>();
  switch (`${object} ${field}`) {
    case 'admins email': {
      const all = (await client.ask({ method: 'GET', path: 'admins' }, admins)).admins;
      for (const value of values) {
        const admin = all.find(({ email }) => email?.toLowerCase() === value.trim().toLowerCase());
        ids.set(value, admin?.id ?? '');
      }
      break;
    }
    case 'companies company_id':
    case 'companies id':
      for (const value of values) {
        ids.set(value, (await companyBy(client, field, value))?.id ?? '');
      }
      break;
    case 'contacts external_id':
    case 'contacts email':
    case 'contacts id':
      for (const value of values) {
        const [only, another] = await contactsBy(client, field, value);
        ids.set(value, another === undefined ? (only?.id ?? '') : '');
      }
      break;
    default:
      throw new ActivateError('CONFIG_INVALID', `Intercom can't look ${object} up by ${field}.`, {
        fix: 'Look contacts up by external_id or email, companies by company_id, admins by email.',
      });
  }
  return new Map([...ids].filter(([, id]) => id !== ''));
}
