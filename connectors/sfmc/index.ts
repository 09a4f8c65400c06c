import { z } from 'zod';
import { defineConnector } from '../../engine/contracts/connector.ts';
import type {
  Audiences,
  Call,
  Identifier,
  Member,
  Outcome,
  Value,
} from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { type Client, openClient, version } from './client.ts';
import { config, loginOf } from './config.ts';
import { erase } from './erase.ts';
import { type Column, create, lists, type Table, tableOf, traitsOf } from './extensions.ts';
import { type Row, writeRows } from './jobs.ts';

/** Data extensions of Marketing Cloud Engagement: one row for each person, and a column that says who is on the list. */
export const sfmc = defineConnector({
  id: 'sfmc',
  name: 'Marketing Cloud',
  summary: 'Keeps data extensions of Marketing Cloud Engagement in step with your rows.',
  config,
  offers: ['audiences'],
  hosts: ['*.rest.marketingcloudapis.com', '*.auth.marketingcloudapis.com', '*.soap.marketingcloudapis.com'],
  api: { version },
  setup: [
    'In Marketing Cloud open Setup, Apps, Installed Packages, and make a package with an API integration of the type Server-to-Server.',
    'Give it Read and Write on Data Extensions, and enable it for the business unit. Its Authentication Base URI has the subdomain.',
    'A list is a data extension with one primary key, the subscriber key or the e-mail address, and a Boolean column `IsMember`. All other columns have to be nullable. For new ones, Activate needs the number of a folder.',
    'Who leaves a list keeps their row, with `IsMember` false: let segments, journeys and sends filter on the column. Or let rows be deleted; the data extension needs no such column then.',
    'A row in a data extension subscribes nobody: whoever has unsubscribed stays so in All Subscribers, and gets nothing.',
    'Let nothing else write into these data extensions: rows that are written by two at once can be refused.',
  ],
  verified:
    'Tested against a server of ours that answers as Salesforce documents, not against Marketing Cloud.',
  open: async (values, context) => {
    const client = openClient(loginOf(values), context);
    return {
      audiences: audiencesOf(client),
      check: () => check(client),
      close: async () => undefined,
    };
  },
});

const identifiers = [
  { name: 'subscriberKey', label: 'Subscriber key', rule: 'as-is', hash: 'none' },
  { name: 'email', label: 'E-mail address', rule: 'email', hash: 'none' },
] as const satisfies readonly Identifier[];

function audiencesOf(client: Client): Audiences {
  return {
    // One writer for a data extension: two lock each other out. Calls are counted by the year, so that each takes many.
    limits: { rows: 5000, bytes: 3_000_000, concurrency: 1, paceMs: 1000 },
    identifiers,
    smallest: 0,
    lists: (typed) => lists(client, typed),
    create: (name) => create(client, name),
    traits: async (list) => traitsOf(await tableOf(client, list)),
    add: (list, members, call) => change(client, list, members, true, call),
    remove: (list, members, call) =>
      client.login.memberColumn === undefined
        ? eraseAll(client, list, members, call)
        : change(client, list, members, false, call),
  };
}

/** Whether rows may be written shows only when some are. */
async function check(client: Client): Promise<readonly string[]> {
  const query = { $search: '_', $page: 1, $pageSize: 1 };
  await client.ask({ method: 'GET', path: 'customobjects', query }, z.object({ count: z.number() }));
  return [];
}

// People -------------------------------------------------------------------------------------------------------------

/** Joining and leaving alike write a row, where rows stay and a column says who is on the list. */
async function change(
  client: Client,
  list: string,
  members: readonly Member[],
  isMember: boolean,
  call: Call,
): Promise<readonly Outcome[]> {
  const table = await tableOf(client, list, call.signal);
  // Keys that differ in capitals alone are the same to Marketing Cloud. The last row is the one that counts.
  const rows = new Map<string, Row>();
  const keys = members.map((member) => keyOf(member, table));
  for (const [at, member] of members.entries()) {
    const key = keys[at];
    if (key !== undefined) {
      rows.set(key.toLowerCase(), rowOf(member, key, table, isMember));
    }
  }
  const outcomes = rows.size === 0 ? [] : await writeRows(client, list, [...rows.values()], call);
  const byKey = new Map([...rows.keys()].map((key, at) => [key, outcomes[at]]));
  return keys.map((key): Outcome => {
    if (key !== undefined) {
      return (
        byKey.get(key.toLowerCase()) ?? {
          state: 'unknown',
          reason: 'Marketing Cloud does not say what became of this row.',
        }
      );
    }
    // Who leaves by something else than the key has a new address, say: their row stays theirs.
    return isMember
      ? {
          state: 'rejected',
          reason: `The row has nothing for ${table.key.name}, the key of the data extension.`,
        }
      : { state: 'ok' };
  });
}

/** Who is known by something else than the key has no row of their own to be deleted. */
async function eraseAll(
  client: Client,
  list: string,
  members: readonly Member[],
  { signal }: Call,
): Promise<readonly Outcome[]> {
  const table = await tableOf(client, list, signal);
  const keys = members.map((member) => keyOf(member, table));
  const known = new Map(keys.flatMap((key) => (key === undefined ? [] : [[key.toLowerCase(), key]])));
  const refused = await erase(client, list, table.key.name, [...known.values()], signal);
  return keys.map((key): Outcome => {
    const reason = refused.get(known.get(key?.toLowerCase() ?? '') ?? '');
    return reason === undefined ? { state: 'ok' } : { state: 'rejected', reason };
  });
}

/** An address where the key is one. Otherwise the subscriber key, never an address in its place: it would be somebody else. */
function keyOf({ identifiers: given }: Member, { key, email }: Table): string | undefined {
  const text = given[key === email ? 'email' : 'subscriberKey']?.trim();
  return text === '' ? undefined : text;
}

function rowOf(
  { identifiers: given, traits: facts }: Member,
  key: string,
  table: Table,
  isMember: boolean,
): Row {
  const row: Record<string, Value> = { [table.key.name]: key };
  if (table.email !== undefined && table.email !== table.key && given['email'] !== undefined) {
    row[table.email.name] = given['email'];
  }
  for (const [name, value] of Object.entries(facts)) {
    const column = table.others.find((one) => one.name === name);
    if (column === undefined) {
      throw new ActivateError(
        'INPUT_INVALID',
        'The data extension lacks a column that the sync is to fill.',
        {
          fix: 'Look at its columns in Marketing Cloud, and map others in the sync.',
        },
      );
    }
    row[name] = cellOf(value, column);
  }
  return table.member === undefined ? row : { ...row, [table.member.name]: isMember };
}

function cellOf(value: Value, { type }: Column): Value {
  if (value === null) {
    return null;
  }
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  switch (type) {
    case 'Number':
    case 'Decimal':
    case 'Boolean':
      return typeof value === 'object' ? text : value;
    case 'Date':
      // It knows milliseconds, and no smaller parts.
      return text.replace(/(\.\d{3})\d+/, '$1');
    default:
      return text;
  }
}
