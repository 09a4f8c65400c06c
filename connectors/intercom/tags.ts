import { z } from 'zod';
import type { Audiences, Call, Member, Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import { optionOf } from '../shared/named.ts';
import { type Client, read } from './client.ts';
import { contactsBy, search } from './contacts.ts';

/** More at once can take longer than Intercom waits. */
const perTagging = 50;

const tagShape = z.object({ id: z.coerce.string(), name: z.string() });
const taggedShape = z.object({
  users: z.array(z.object({ id: z.string(), tagged: z.boolean() })).nullish(),
});

/** Tags of contacts: who is to have one is looked up, and nobody becomes a contact by it. */
export function audiencesOf(client: Client): Audiences {
  return {
    limits: { rows: perTagging, concurrency: 4 },
    identifiers: [
      { name: 'external_id', label: 'User id', rule: 'as-is', hash: 'none' },
      { name: 'email', label: 'E-mail address', rule: 'email', hash: 'none' },
    ],
    smallest: 0,
    lists: (typed) => tags(client, typed),
    create: (name) => create(client, name),
    traits: async () => [],
    add: (list, members, call) => add(client, list, members, call),
    remove: (list, members, call) => remove(client, list, members, call),
  };
}

async function tags(client: Client, typed: string): Promise<Options> {
  const shape = z.object({ data: z.array(tagShape) });
  const { data } = await client.ask({ method: 'GET', path: 'tags' }, shape);
  const wanted = typed.trim().toLowerCase();
  return data
    .filter(({ name }) => name.toLowerCase().includes(wanted))
    .map(optionOf)
    .sort((a, b) => a.label.length - b.label.length)
    .slice(0, 100);
}

/** Intercom answers with the tag that is there when one has this name, whatever its capitals. */
async function create(client: Client, name: string): Promise<string> {
  const request = { method: 'POST', path: 'tags', json: { name: name.trim() }, repeatable: true } as const;
  return (await client.ask(request, tagShape)).id;
}

/** The name of a tag as it is now. TARGET_GONE when there is none. */
async function nameOf(client: Client, list: string, signal: AbortSignal): Promise<string> {
  if (!/^\d{1,20}$/.test(list)) {
    throw new ActivateError('INPUT_INVALID', 'This is not a tag of Intercom.', {
      fix: 'Choose one of those that are offered.',
    });
  }
  const tag = await client.find({ method: 'GET', path: `tags/${list}`, signal }, tagShape);
  if (tag === undefined) {
    throw new ActivateError('TARGET_GONE', 'This tag is not there any more in Intercom.', {
      fix: 'Choose another list for the sync.',
    });
  }
  return tag.name;
}

// People -------------------------------------------------------------------------------------------------------------

/**
 * The contacts of each member: by their user id, or all that have their address. The search sees new contacts late, so
 * those with a user id that it does not find are asked for one by one.
 */
async function contactsOf(
  client: Client,
  members: readonly Member[],
  signal: AbortSignal,
): Promise<readonly (readonly string[])[]> {
  const byField = async (field: 'external_id' | 'email'): Promise<ReadonlyMap<string, readonly string[]>> => {
    const values = [...new Set(members.flatMap((member) => nameIn(member, field) ?? []))];
    const found = new Map<string, string[]>();
    for (const contact of values.length === 0 ? [] : await search(client, field, values, signal)) {
      const value = String(contact[field] ?? '');
      const same = field === 'email' ? value.toLowerCase() : value;
      found.set(same, [...(found.get(same) ?? []), contact.id]);
    }
    for (const value of field === 'email' ? [] : values.filter((one) => !found.has(one))) {
      const late = await contactsBy(client, field, value, signal);
      found.set(
        value,
        late.map(({ id }) => id),
      );
    }
    return found;
  };
  const people = { external_id: await byField('external_id'), email: await byField('email') };
  return members.map((member) => {
    const field = nameIn(member, 'external_id') === undefined ? 'email' : 'external_id';
    return people[field].get(nameIn(member, field) ?? '') ?? [];
  });
}

/** A user id goes before an address: it belongs to one contact. */
function nameIn({ identifiers }: Member, field: 'external_id' | 'email'): string | undefined {
  const { external_id: id, email } = identifiers;
  return field === 'external_id' ? id : id === undefined ? email : undefined;
}

async function add(
  client: Client,
  list: string,
  members: readonly Member[],
  { signal }: Call,
): Promise<readonly Outcome[]> {
  const name = await nameOf(client, list, signal);
  const contacts = await contactsOf(client, members, signal);
  const all = [...new Set(contacts.flat())];
  const tagged = new Set<string>();
  for (let from = 0; from < all.length; from += perTagging) {
    for (const id of await tagMany(client, name, all.slice(from, from + perTagging), signal)) {
      tagged.add(id);
    }
  }
  for (const id of all.filter((one) => !tagged.has(one))) {
    if (await tagOne(client, list, id, signal)) {
      tagged.add(id);
    }
  }
  return contacts.map((ids) =>
    ids.some((id) => tagged.has(id))
      ? { state: 'ok' }
      : {
          state: 'rejected',
          reason: 'Intercom has no such contact (yet): tags are for contacts that are there.',
        },
  );
}

/** Who has the tag now. One contact that is gone makes Intercom refuse them all: then it is done one by one. */
async function tagMany(
  client: Client,
  name: string,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const json = { name, users: ids.map((id) => ({ id })) };
  const answer = await client.send({ method: 'POST', path: 'tags', json, repeatable: true, signal });
  if (answer.status === 400 || answer.status === 404) {
    return [];
  }
  if (!answer.ok) {
    throw client.failure(answer, ids);
  }
  return (read(taggedShape, answer.json()).users ?? []).filter(({ tagged }) => tagged).map(({ id }) => id);
}

/** False when the contact is gone. */
async function tagOne(client: Client, list: string, id: string, signal: AbortSignal): Promise<boolean> {
  const path = `contacts/${id}/tags`;
  const request = { method: 'POST', path, json: { id: list }, repeatable: true, rows: [id], signal } as const;
  return (await client.find(request, z.object({}))) !== undefined;
}

/** Takes the tag away, and nothing else. Who has none, or is gone, is 404. */
async function remove(
  client: Client,
  list: string,
  members: readonly Member[],
  { signal }: Call,
): Promise<readonly Outcome[]> {
  await nameOf(client, list, signal);
  const contacts = await contactsOf(client, members, signal);
  for (const id of new Set(contacts.flat())) {
    const path = `contacts/${id}/tags/${list}`;
    await client.find({ method: 'DELETE', path, repeatable: true, rows: [id], signal }, z.object({}));
  }
  return members.map(() => ({ state: 'ok' }));
}
