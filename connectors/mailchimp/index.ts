import { createHash } from 'node:crypto';
import { z } from 'zod';
import { defineConnector } from '../../engine/contracts/connector.ts';
import type { Audiences, Call, Member, Outcome, Value } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { theirWords } from '../../engine/contracts/http.ts';
import { sendGood } from '../shared/outcomes.ts';
import { hasCode } from '../shared/thrown.ts';
import { config, loginOf } from './config.ts';
import { type Endpoint, openEndpoint, version } from './endpoint.ts';
import { audiencesThere, create, lists, nameOfTag, type Place, placeOf, traits } from './lists.ts';

/** Tags of an audience: people become contacts, keep whatever status they have, and are tagged. */
export const mailchimp = defineConnector({
  id: 'mailchimp',
  name: 'Mailchimp',
  summary: 'Keeps a tag on the contacts of a Mailchimp audience in step with your rows.',
  config,
  offers: ['audiences'],
  hosts: ['*.api.mailchimp.com'],
  api: { version },
  setup: [
    'In Mailchimp open Account, Extras, API keys, as a user who may manage contacts, and make a key. It has all rights of that user: there are no scopes.',
    'Choose the status of new contacts: Subscribed only for people who have agreed to your mails, and of whose agreement you have a record.',
    'Each list of Activate is a tag of an audience. Who leaves it loses the tag, stays a contact, and keeps their subscription as it is.',
    'People who have unsubscribed, or whom somebody deleted for good, can be refused by Mailchimp. Activate reports them and leaves them alone.',
  ],
  verified: 'Tested against a server of ours that answers as Mailchimp documents, not against Mailchimp.',
  tried: ['description', 'ours'],
  open: async (values, context) => {
    const endpoint = openEndpoint(loginOf(values, version), context);
    return {
      audiences: audiencesOf(endpoint),
      check: () => check(endpoint),
      close: async () => undefined,
    };
  },
});

function audiencesOf(endpoint: Endpoint): Audiences {
  return {
    // Ten calls at once are all that an account has, for whoever calls.
    limits: { rows: 500, concurrency: 5 },
    identifiers: [{ name: 'email', label: 'E-mail address', rule: 'email', hash: 'none' }],
    smallest: 0,
    lists: (typed) => lists(endpoint, typed),
    create: (name) => create(endpoint, name),
    traits: (list) => traits(endpoint, placeOf(list).audience),
    add: (list, members, call) => add(endpoint, placeOf(list), members, call),
    remove: (list, members, call) => remove(endpoint, placeOf(list), members, call),
  };
}

async function check(endpoint: Endpoint): Promise<readonly string[]> {
  await endpoint.ask({ method: 'GET', path: 'ping' }, z.object({}));
  const there = await audiencesThere(endpoint);
  return there.length === 0 ? ['This account has no audience yet: make one in Mailchimp first.'] : [];
}

// People -------------------------------------------------------------------------------------------------------------

const contact = z.object({
  email_address: z.string(),
  tags: z.array(z.object({ id: z.coerce.string() })).default([]),
});

const enrolled = z.object({
  new_members: z.array(contact),
  errors: z.array(
    z.object({
      email_address: z.string(),
      error: z.string().default(''),
      error_code: z.string().default(''),
    }),
  ),
});

const segmented = z.object({
  members_added: z.array(contact).default([]),
  members_removed: z.array(contact).default([]),
});

/**
 * Makes contacts of those who are none, then tags those who lack the tag. Who is not among those that were tagged is
 * tagged alone: nothing promises that the call for many knows somebody who had the tag from an address without a contact.
 */
async function add(
  endpoint: Endpoint,
  place: Place,
  members: readonly Member[],
  { signal }: Call,
): Promise<readonly Outcome[]> {
  const name = await nameOfTag(endpoint, place, signal);
  return sendGood(members, refusalOf, async (good) => {
    // Rows may share an address, and Mailchimp refuses the second one.
    const people: People = new Map(good.map((member) => [addressOf(member), member.traits]));
    const reasons = new Map<string, string>();
    const tagged = await enroll(endpoint, place, people, reasons, signal);
    const lacking = (): readonly string[] => [...tagged].flatMap(([address, has]) => (has ? [] : [address]));
    if (lacking().length > 0) {
      const { members_added: added } = await segment(endpoint, place, { members_to_add: lacking() }, signal);
      for (const { email_address: address } of added) {
        tagged.set(plain(address), true);
      }
    }
    for (const address of lacking()) {
      tagged.set(address, await tagAlone(endpoint, place, { name, status: 'active' }, address, signal));
    }
    return good.map((member) => outcomeOf(member, reasons, tagged));
  });
}

type People = ReadonlyMap<string, Member['traits']>;

/**
 * Makes contacts, and writes the facts about those who were contacts before; adds to `reasons` why it can't. Returns who
 * is one now, and whether they are known to have the tag. The call for many knows only `status`, which with
 * `update_existing` would subscribe people again who have left; so it makes contacts, and what is there is written one by
 * one with `status_if_new`.
 */
async function enroll(
  endpoint: Endpoint,
  place: Place,
  people: People,
  reasons: Map<string, string>,
  signal: AbortSignal,
): Promise<Map<string, boolean>> {
  const { statusIfNew } = endpoint.login;
  const json = {
    members: [...people].map(([address, traits]) => ({
      ...described(address, traits),
      status: statusIfNew,
    })),
    update_existing: false,
    // All tags of a contact would be replaced, those of others too.
    sync_tags: false,
  };
  const path = `lists/${place.audience}`;
  const asked = { query: { skip_merge_validation: true }, people: true, repeatable: true, signal } as const;
  const { new_members: made, errors } = await endpoint.ask(
    { method: 'POST', path, json, ...asked },
    enrolled,
  );
  const tagged = new Map(made.map(({ email_address: address }) => [plain(address), false]));
  for (const { email_address: quoted, error, error_code: code } of errors) {
    const address = plain(quoted);
    const traits = people.get(address) ?? {};
    if (code !== 'ERROR_CONTACT_EXISTS') {
      reasons.set(address, refused(theirWords(error, [address, traits])));
    } else if (Object.keys(traits).length === 0) {
      tagged.set(address, false);
    } else {
      const one = { ...described(address, traits), status_if_new: statusIfNew };
      const request = {
        method: 'PUT',
        path: `${path}/members/${idOf(address)}`,
        json: one,
        ...asked,
      } as const;
      const answer = await endpoint.ask(request, contact).catch(rowRejected);
      if (answer instanceof ActivateError) {
        reasons.set(address, answer.message);
      } else {
        const has = answer.tags.some(({ id }) => id === place.tag);
        tagged.set(address, has);
      }
    }
  }
  return tagged;
}

function rowRejected(thrown: unknown): ActivateError {
  if (hasCode(thrown, 'ROW_REJECTED')) {
    return thrown;
  }
  throw thrown;
}

const described = (address: string, traits: Member['traits']): object => ({
  email_address: address,
  ...(Object.keys(traits).length === 0 ? {} : { merge_fields: mergeFieldsOf(traits) }),
});

const refused = (words: string): string => `Mailchimp refuses this contact. It says: ${words}`;

/** True unless nobody is known by that address. It changes nothing where there is nothing to change. */
async function tagAlone(
  endpoint: Endpoint,
  { audience }: Place,
  tag: { readonly name: string; readonly status: 'active' | 'inactive' },
  address: string,
  signal: AbortSignal,
): Promise<boolean> {
  const path = `lists/${audience}/members/${idOf(address)}/tags`;
  const json = { tags: [tag] };
  return (
    (await endpoint.tell({ method: 'POST', path, json, people: true, repeatable: true, signal })) !== 404
  );
}

const idOf = (address: string): string => createHash('md5').update(address).digest('hex');

function segment(
  endpoint: Endpoint,
  { audience, tag }: Place,
  json: object,
  signal: AbortSignal,
): Promise<z.output<typeof segmented>> {
  const path = `lists/${audience}/segments/${tag}`;
  return endpoint.ask({ method: 'POST', path, json, people: true, repeatable: true, signal }, segmented);
}

function outcomeOf(
  member: Member,
  reasons: ReadonlyMap<string, string>,
  tagged: ReadonlyMap<string, boolean>,
): Outcome {
  const address = addressOf(member);
  const reason = reasons.get(address);
  if (reason !== undefined) {
    return { state: 'rejected', reason };
  }
  const isTagged = tagged.get(address);
  if (isTagged === undefined) {
    return { state: 'unknown', reason: 'Mailchimp does not say what became of this contact.' };
  }
  return isTagged
    ? { state: 'ok' }
    : { state: 'retry', reason: 'Mailchimp has not tagged this contact yet.' };
}

/** Takes the tag away, and nothing else. Who was not among those that had it is asked for one by one, to be sure. */
async function remove(
  endpoint: Endpoint,
  place: Place,
  members: readonly Member[],
  { signal }: Call,
): Promise<readonly Outcome[]> {
  const name = await nameOfTag(endpoint, place, signal);
  const addresses = [...new Set(members.map(addressOf))];
  const { members_removed: gone } = await segment(endpoint, place, { members_to_remove: addresses }, signal);
  const removed = new Set(gone.map(({ email_address: address }) => plain(address)));
  for (const address of addresses.filter((one) => !removed.has(one))) {
    await tagAlone(endpoint, place, { name, status: 'inactive' }, address, signal);
  }
  return members.map(() => ({ state: 'ok' }));
}

const addressOf = (member: Member): string => member.identifiers['email'] ?? '';

/** As we know an address. Mailchimp gives some in quotes, and some with the capitals that it got first. */
const plain = (address: string): string => address.replaceAll(/["\\]/g, '').toLowerCase();

/** A postal address is taken whole or not at all. */
function refusalOf({ traits }: Member): Outcome | undefined {
  const broken = Object.entries(traits).find(
    ([, value]) => typeof value === 'object' && value !== null && !isAddress(value),
  );
  return broken === undefined
    ? undefined
    : {
        state: 'rejected',
        reason: 'A postal address needs addr1, city, state and zip.',
        field: broken[0],
      };
}

function isAddress(value: object): boolean {
  const parts = value as Readonly<Record<string, unknown>>;
  return ['addr1', 'city', 'state', 'zip'].every(
    (name) => typeof parts[name] === 'string' && parts[name] !== '',
  );
}

/** An empty text empties a field, where null would leave it as it is; and a truth value has to be a text. */
function mergeFieldsOf(traits: Readonly<Record<string, Value>>): Readonly<Record<string, Value>> {
  return Object.fromEntries(
    Object.entries(traits).map(([name, value]) => [
      name,
      typeof value === 'boolean' ? String(value) : (value ?? ''),
    ]),
  );
}
