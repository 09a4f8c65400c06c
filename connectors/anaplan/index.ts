import { z } from 'zod';
import { type Connection, defineConnector } from '../../engine/contracts/connector.ts';
import type { Call, ObjectBatch, Objects, Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { hasCode, nothingOn } from '../shared/thrown.ts';
import { type Catalog, openCatalog, specsOf } from './catalog.ts';
import { writeCells } from './cells.ts';
import { api, type Client, openClient } from './client.ts';
import { config, invalid, loginOf } from './config.ts';
import { runImport } from './imports.ts';
import { lookUp, writeList } from './lists.ts';
import { obstaclesOf } from './verify.ts';

/** Lists, cells of modules and imports of one Anaplan model. */
export const anaplan = defineConnector({
  id: 'anaplan',
  name: 'Anaplan',
  summary: 'Keeps lists and modules of an Anaplan model in step with your rows, or feeds an import.',
  config,
  offers: ['objects'],
  hosts: ['api.anaplan.com', 'auth.anaplan.com'],
  api,
  setup: [
    'Copy the workspace ID and the model ID from the address of the model. A connection is for one model.',
    'Take a user of its own. To write to lists and modules directly it has to be a Workspace Administrator; to run imports, its role in the model has to allow them.',
    'Sign in with its e-mail address and password (with single sign-on it has to be an exception user), or register a certificate of a public authority for it in the administration of Anaplan, under Security, Certificates.',
    'OAuth is not offered: its refresh tokens are good for one use, and two workers would take them from each other.',
    'Above some 5,000 rows an import is faster than a list: make one in the model from a file in UTF-8, and choose it as the object. It reads all columns of that file, and nothing else may upload to the file while it runs. Have it map by code, and clear nothing first: only rows that have changed are sent, 10,000 in a file.',
    'Cells are found by an item of each dimension, by name (`Products`) or by code (`Products.code`). Cells with a formula and sums are not offered.',
    'A model does one thing at a time: while it calculates or is locked, Activate waits.',
  ],
  verified: 'Tested against a server of ours that answers as Anaplan documents, not against Anaplan.',
  open: async (values, context) => {
    const login = loginOf(values);
    const client = openClient(login, context);
    const catalog = openCatalog(client);
    return {
      objects: objectsOf(client, catalog),
      check: () => check(client, login.endsAt, context.now()),
      close: async () => undefined,
    } satisfies Connection<'objects'>;
  },
});

function objectsOf(client: Client, catalog: Catalog): Objects {
  return {
    // One at a time, as the model does it. Ten requests a second are for the whole company.
    limits: { rows: 10_000, bytes: 5_000_000, concurrency: 1, paceMs: 500 },
    operations: ['insert', 'update', 'upsert', 'delete'],
    onlyIfEmpty: false,
    objects: (typed) => catalog.kinds(typed),
    fields: async (object) => specsOf(await catalog.fresh(object)),
    verify: async (plan) => obstaclesOf(await catalog.fresh(plan.object), plan),
    write: (batch, call) => write(client, catalog, batch, call),
    find: async (object, field, values) => {
      const kind = await catalog.known(object);
      if (kind.type !== 'list' || (field !== 'code' && field !== 'name')) {
        throw new ActivateError('CONFIG_INVALID', 'Anaplan looks up items of lists by code or by name.', {
          fix: 'Choose a list, and one of these.',
        });
      }
      return lookUp(client, kind.id, field, values);
    },
  };
}

async function write(
  client: Client,
  catalog: Catalog,
  batch: ObjectBatch,
  call: Call,
): Promise<readonly Outcome[]> {
  const kind = await catalog.known(batch.object, call.signal);
  switch (kind.type) {
    case 'list':
      return writeList(client, kind, batch, call);
    case 'module':
      return writeCells(client, kind, batch, call);
    case 'import':
      return runImport(client, kind, batch, call);
    default:
      return kind satisfies never;
  }
}

const warnsMs = 30 * 24 * 3_600_000;

async function check(client: Client, endsAt: Date | undefined, now: Date): Promise<readonly string[]> {
  const imports = await client.all('/imports', 'imports', z.object({})).catch((error: unknown) => {
    if (hasCode(error, 'NOT_FOUND')) {
      throw invalid(
        'model',
        'There is no such model in this workspace, or the user may not open it.',
        'Copy both IDs from the address of the model, and give the user a role in it.',
      );
    }
    throw error;
  });
  const lists = await client
    .all('/lists', 'lists', z.object({}))
    .catch(nothingOn('PERMISSION_DENIED', 'NOT_FOUND'));
  const isAdministrator = lists !== undefined;
  return [
    ...(isAdministrator ? [] : ['The user is no Workspace Administrator: it can only run imports.']),
    ...(isAdministrator || imports.length > 0 ? [] : ['The user may not run any import either.']),
    ...(endsAt !== undefined && endsAt.getTime() - now.getTime() < warnsMs
      ? [`The certificate ends on ${endsAt.toISOString().slice(0, 10)}: register another one before.`]
      : []),
  ];
}
