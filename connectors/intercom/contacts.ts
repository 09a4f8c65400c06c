import { z } from 'zod';
import type { Call, Item, ObjectBatch, Outcome } from '../../engine/contracts/destination.ts';
import { type HttpAnswer, theirWords } from '../../engine/contracts/http.ts';
import { type Client, read, refusalIn } from './client.ts';
import { type Body, bodyOf, companyField, type Kind, keptIn } from './fields.ts';

const contactShape = z.looseObject({
  id: z.string(),
  external_id: z.string().nullish(),
  email: z.string().nullish(),
  workspace_id: z.string().nullish(),
});
export type Contact = z.output<typeof contactShape>;

/** What a row is about, and all that is needed to write it. */
export interface Work {
  readonly client: Client;
  readonly kind: Kind;
  /** The field that finds records. */
  readonly match: string;
  readonly batch: ObjectBatch;
  readonly call: Call;
}

export function refused(reason: string, field?: string): Outcome {
  return { state: 'rejected', reason, ...(field === undefined ? {} : { field }) };
}

/** Writes one contact, and attaches it to the company that the row names. */
export async function writeContact(work: Work, item: Item): Promise<Outcome> {
  const { batch, client, call } = work;
  const outcome = await written(work, item);
  const company = item.values[companyField];
  if (
    outcome.state !== 'ok' ||
    outcome.id === undefined ||
    batch.operation === 'delete' ||
    typeof company !== 'string'
  ) {
    return outcome;
  }
  const answer = await client.send({
    method: 'POST',
    path: `contacts/${outcome.id}/companies`,
    json: { id: company },
    repeatable: true,
    signal: call.signal,
  });
  if (answer.ok) {
    return outcome;
  }
  if (answer.status !== 404 && answer.status !== 400) {
    throw client.failure(answer, [company]);
  }
  const says = theirWords(refusalIn(answer).message, [company]);
  return refused(`The contact is written, but Intercom does not attach it. It says: ${says}`, companyField);
}

async function written(work: Work, item: Item): Promise<Outcome> {
  const { client, match, batch, call } = work;
  const value = String(item.values[match] ?? '').trim();
  if (value === '') {
    return refused(`The row has nothing in ${match}.`, match);
  }
  if (batch.operation === 'insert') {
    return make(work, item, value);
  }
  const found = await contactsBy(client, match, value, call.signal);
  const [contact, another] = found;
  if (another !== undefined) {
    return refused(
      `Several contacts of Intercom have this ${match}: nobody can say which one is meant.`,
      match,
    );
  }
  switch (batch.operation) {
    case 'update':
      return contact === undefined ? refused(nobody, match) : change(work, item, contact);
    case 'upsert':
      if (contact === undefined) {
        return match === 'id' ? refused(nobody, match) : make(work, item, value);
      }
      return change(work, item, contact);
    case 'delete':
      return contact === undefined ? { state: 'ok' } : remove(work, contact.id);
    default:
      return batch.operation satisfies never;
  }
}

const nobody = 'Intercom has no such contact (any more).';

// Finding ------------------------------------------------------------------------------------------------------------

const pageShape = z.object({
  data: z.array(contactShape),
  pages: z.object({ next: z.object({ starting_after: z.string().nullish() }).nullish() }).nullish(),
});

/**
 * The contacts that have one of these values, of which the search knows: it sees new ones some minutes late. `field` is
 * `email` or `external_id`.
 */
export async function search(
  client: Client,
  field: string,
  values: readonly string[],
  signal?: AbortSignal,
): Promise<readonly Contact[]> {
  const found: Contact[] = [];
  const query = { field, operator: 'IN', value: values };
  for (let after: string | undefined, more = true; more; more = after !== undefined) {
    const pagination = { per_page: 150, ...(after === undefined ? {} : { starting_after: after }) };
    const page: z.output<typeof pageShape> = await client.ask(
      {
        method: 'POST',
        path: 'contacts/search',
        json: { query, pagination },
        repeatable: true,
        rows: values,
        signal,
      },
      pageShape,
    );
    found.push(...page.data);
    after = page.pages?.next?.starting_after ?? undefined;
  }
  return found;
}

/** None, the one, or several that have the same address. */
export async function contactsBy(
  client: Client,
  match: string,
  value: string,
  signal?: AbortSignal,
): Promise<readonly Contact[]> {
  if (match === 'email') {
    return search(client, match, [value.toLowerCase()], signal);
  }
  const path = `contacts/${match === 'external_id' ? 'find_by_external_id/' : ''}${encodeURIComponent(value)}`;
  const answer = await client.send({ method: 'GET', path, signal });
  const into = answer.status === 410 ? mergedInto(answer) : undefined;
  if (into !== undefined) {
    const contact = await contactOf(client, into, signal);
    return contact === undefined ? [] : [contact];
  }
  if (answer.status === 404 || answer.status === 410) {
    return [];
  }
  if (!answer.ok) {
    throw client.failure(answer, [value]);
  }
  return [read(contactShape, answer.json())];
}

/** Whoever was merged into another contact is that one from then on. */
function mergedInto({ headers }: HttpAnswer): string | undefined {
  return /<\/contacts\/([\w-]+)>;\s*rel="canonical"/.exec(headers['link'] ?? '')?.[1];
}

function contactOf(client: Client, id: string, signal?: AbortSignal): Promise<Contact | undefined> {
  return client.find({ method: 'GET', path: `contacts/${encodeURIComponent(id)}`, signal }, contactShape);
}

// Writing ------------------------------------------------------------------------------------------------------------

/** Makes a contact. Two addresses are never made two users: 409 says which contact is there already. */
async function make(work: Work, item: Item, value: string): Promise<Outcome> {
  const { client, kind, match, batch, call } = work;
  const isInsert = batch.operation === 'insert';
  const json = { role: 'user', ...bodyOf(kind, item.values, []) };
  const answer = await client.send({
    method: 'POST',
    path: 'contacts',
    json,
    // Sent again after it got through, it finds its own contact: that is for an upsert only.
    repeatable: !isInsert,
    signal: call.signal,
  });
  if (answer.ok) {
    return done(work, read(contactShape, answer.json()));
  }
  const there = answer.status === 409 ? conflictIn(answer) : undefined;
  if (there === undefined) {
    return rowRefused(work, answer, json);
  }
  if (isInsert && (!call.again || there.isArchived)) {
    const which = there.isArchived ? 'an archived contact' : 'a contact';
    return refused(`Intercom has ${which} with this ${match} or address already.`, match);
  }
  return takeOver(work, item, value, there);
}

interface Conflict {
  readonly id: string;
  readonly isArchived: boolean;
}

function conflictIn(answer: HttpAnswer): Conflict | undefined {
  const { message } = refusalIn(answer);
  const id = /already exists with id=([\w-]+)/.exec(message)?.[1];
  return id === undefined ? undefined : { id, isArchived: /archived contact/i.test(message) };
}

/** Goes on with the contact that is there, if it is the one that the row means. Whoever is archived is restored first. */
async function takeOver(
  work: Work,
  item: Item,
  value: string,
  { id, isArchived }: Conflict,
): Promise<Outcome> {
  const { client, match, batch, call } = work;
  const before = await contactOf(client, id, call.signal);
  if (before !== undefined && !isMeant(before, match, value)) {
    return refused(
      'Intercom has another contact with the address of this row, which has another user id.',
      'email',
    );
  }
  if (isArchived) {
    const restored = await client.send({
      method: 'POST',
      path: `contacts/${id}/unarchive`,
      signal: call.signal,
    });
    if (restored.status === 400 || restored.status === 404) {
      const says = theirWords(refusalIn(restored).message, item.values);
      return refused(`Intercom has archived this contact and does not restore it. It says: ${says}`, match);
    }
    if (!restored.ok) {
      throw client.failure(restored, item.values);
    }
  }
  const contact = isArchived ? await contactOf(client, id, call.signal) : before;
  if (contact === undefined) {
    return { state: 'retry', reason: 'Intercom has merged or deleted this contact just now.' };
  }
  return batch.operation === 'insert' ? done(work, contact) : change(work, item, contact);
}

/** A contact without a user id of its own is whoever has its address. */
function isMeant(contact: Contact, match: string, value: string): boolean {
  return match === 'external_id'
    ? (contact.external_id ?? '') === '' || contact.external_id === value
    : (contact.email ?? '').toLowerCase() === value.toLowerCase();
}

async function change(work: Work, item: Item, contact: Contact): Promise<Outcome> {
  const { client, kind, match, batch, call } = work;
  // Whoever was merged into another keeps that one's id.
  const own = match === 'external_id' && (contact.external_id ?? '') !== '' ? [match] : [];
  const json: Body = bodyOf(kind, item.values, [...own, ...keptIn(batch, contact)]);
  const isThere = String(contact[match] ?? '') !== '';
  if (Object.keys(json).every((name) => name === match && isThere)) {
    return done(work, contact);
  }
  const answer = await client.send({
    method: 'PUT',
    path: `contacts/${contact.id}`,
    json,
    repeatable: true,
    signal: call.signal,
  });
  if (answer.ok) {
    return done(work, read(contactShape, answer.json()));
  }
  if (answer.status === 404) {
    return { state: 'retry', reason: 'Intercom has merged or deleted this contact just now.' };
  }
  return rowRefused(work, answer, json);
}

async function remove({ client, call }: Work, id: string): Promise<Outcome> {
  const { erases } = client.login;
  const answer = await client.send({
    method: erases ? 'DELETE' : 'POST',
    path: `contacts/${id}${erases ? '' : '/archive'}`,
    repeatable: true,
    signal: call.signal,
  });
  const wasGone =
    answer.status === 404 || (answer.status === 400 && /same state/i.test(refusalIn(answer).message));
  if (!answer.ok && !wasGone) {
    throw client.failure(answer, [id]);
  }
  return { state: 'ok' };
}

function done({ client }: Work, { id, workspace_id: workspace }: Contact): Outcome {
  const url = `${client.login.home}/a/apps/${workspace}/users/${id}/all-conversations`;
  return { state: 'ok', id, ...(typeof workspace === 'string' ? { url } : {}) };
}

/** A refusal of what the row holds is the row's; anything else is thrown. */
export function rowRefused({ client, kind }: Work, answer: HttpAnswer, sent: Body): Outcome {
  const error = client.failure(answer, sent);
  if (error.code !== 'ROW_REJECTED') {
    throw error;
  }
  const { field } = refusalIn(answer);
  const isKnown = kind.specs.some((spec) => spec.name === field);
  return refused(error.message, isKnown ? field : undefined);
}
