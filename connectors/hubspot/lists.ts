import { z } from 'zod';
import type { Audiences, Call, Member, Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import { type Catalog, keyOf, recordId } from './catalog.ts';
import { type Client, read } from './client.ts';
import { failureOf } from './errors.ts';
import { perRequest, readBy } from './records.ts';

/** Contacts, as lists know kinds. */
const contactType = '0-1';
/** Lists that people are put on by hand; all others HubSpot fills by itself. */
const byHand: readonly string[] = ['MANUAL', 'SNAPSHOT'];

const listShape = z.object({ listId: z.string(), name: z.string(), processingType: z.string() });
const fetchedShape = z.object({ list: listShape });
const foundShape = z.object({ lists: z.array(listShape) });

/** Static lists of contacts. Lists know records by their ids only, so people are looked up first. */
export function audiencesOf(client: Client, catalog: Catalog): Audiences {
  return {
    limits: { rows: perRequest, concurrency: 2, paceMs: 200 },
    identifiers: [
      { name: 'email', label: 'E-mail address', rule: 'email', hash: 'none' },
      { name: recordId, label: 'Record ID', rule: 'as-is', hash: 'none' },
    ],
    smallest: 0,
    lists: (typed) => lists(client, typed),
    create: (name) => create(client, name),
    traits: async () => [],
    add: (list, members, call) => change(client, catalog, list, 'add', members, call),
    remove: (list, members, call) => change(client, catalog, list, 'remove', members, call),
  };
}

async function lists(client: Client, typed: string): Promise<Options> {
  const json = {
    query: typed.trim(),
    objectTypeId: contactType,
    processingTypes: byHand,
    offset: 0,
    count: 100,
    listIds: [],
    additionalProperties: [],
  };
  const request = { method: 'POST', of: 'crm/lists', path: 'search', json, repeatable: true } as const;
  const { lists: found } = await client.ask(request, foundShape);
  return found
    .map(({ listId, name }) => ({ value: listId, label: name.slice(0, 75) }))
    .sort((a, b) => a.label.length - b.label.length)
    .slice(0, 100);
}

async function create(client: Client, typed: string): Promise<string> {
  const name = typed.trim();
  const path = `object-type-id/${contactType}/name/${encodeURIComponent(name)}`;
  const there = await client.send({ method: 'GET', of: 'crm/lists', path });
  if (there.status === 404) {
    const json = { name, objectTypeId: contactType, processingType: 'MANUAL' };
    return (await client.ask({ method: 'POST', of: 'crm/lists', json }, fetchedShape)).list.listId;
  }
  if (!there.ok) {
    throw failureOf(there, undefined);
  }
  const { list } = read(fetchedShape, there.json());
  if (!byHand.includes(list.processingType)) {
    throw new ActivateError('EXISTS', 'HubSpot has an active list of this name, which it fills by itself.', {
      fix: 'Choose another name.',
    });
  }
  return list.listId;
}

// People -------------------------------------------------------------------------------------------------------------

async function change(
  client: Client,
  catalog: Catalog,
  list: string,
  verb: 'add' | 'remove',
  members: readonly Member[],
  { signal }: Call,
): Promise<readonly Outcome[]> {
  if (!/^\d{1,20}$/.test(list)) {
    throw new ActivateError('INPUT_INVALID', 'This is not a list of HubSpot.', {
      fix: 'Choose one of those that are offered.',
    });
  }
  const ids = await idsOf(client, catalog, members, signal);
  const all = [...new Set(ids.filter((id) => id !== undefined))];
  const gone = all.length === 0 ? [] : await put(client, list, verb, all, signal);
  return ids.map((id) => {
    const isThere = id !== undefined && !gone.includes(id);
    return isThere || verb === 'remove'
      ? { state: 'ok', ...(isThere ? { id } : {}) }
      : {
          state: 'rejected',
          reason: 'HubSpot has no such contact (yet): lists take only contacts that are there.',
        };
  });
}

/** The contact of each member. An address goes before an id: it is what most rows have. */
async function idsOf(
  client: Client,
  catalog: Catalog,
  members: readonly Member[],
  signal: AbortSignal,
): Promise<readonly (string | undefined)[]> {
  const addresses = members.flatMap(({ identifiers }) => identifiers['email'] ?? []);
  if (addresses.length === 0) {
    return members.map(({ identifiers }) => identifiers[recordId]);
  }
  const kind = await catalog.known('contacts', signal);
  const key = keyOf(kind, { match: ['email'], operation: 'update' });
  const found = await readBy(client, kind, key, addresses, [], signal);
  return members.map(({ identifiers }) => found.get(identifiers['email'] ?? '')?.id ?? identifiers[recordId]);
}

/** Ids that HubSpot knows nobody by. Who is on the list already, or is not, is no error. */
async function put(
  client: Client,
  list: string,
  verb: 'add' | 'remove',
  ids: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const answer = await client.send({
    method: 'PUT',
    of: 'crm/lists',
    path: `${list}/memberships/add-and-remove`,
    json: { recordIdsToAdd: verb === 'add' ? ids : [], recordIdsToRemove: verb === 'remove' ? ids : [] },
    repeatable: true,
    signal,
  });
  if (answer.ok) {
    return read(z.object({ recordIdsMissing: z.array(z.string()).default([]) }), answer.json())
      .recordIdsMissing;
  }
  if (answer.status === 404 || answer.status === 400) {
    await mustTakePeople(client, list, signal);
  }
  throw failureOf(answer, ids);
}

async function mustTakePeople(client: Client, list: string, signal: AbortSignal): Promise<void> {
  const answer = await client.send({ method: 'GET', of: 'crm/lists', path: list, signal });
  if (
    answer.status === 404 ||
    (answer.ok && !byHand.includes(read(fetchedShape, answer.json()).list.processingType))
  ) {
    throw new ActivateError('TARGET_GONE', 'HubSpot has no static list of this id (any more).', {
      fix: 'Choose another list for the sync. Active lists are filled by HubSpot itself.',
    });
  }
}
