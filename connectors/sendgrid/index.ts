import { z } from 'zod';
import { defineConnector } from '../../engine/contracts/connector.ts';
import type { Audiences, Call, Member, Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { untilKnown } from '../shared/wait.ts';
import { type Client, openClient, read, version } from './client.ts';
import { config, loginOf } from './config.ts';
import { endOf, jobFor, type Person } from './jobs.ts';
import { create, lists, mustBeThere } from './lists.ts';
import { contactOf, contactsOf, identifiers, longestIdentifier, traits } from './people.ts';

/** Contact lists of SendGrid Marketing Campaigns: people become contacts, and are on the list. */
export const sendgrid = defineConnector({
  id: 'sendgrid',
  name: 'SendGrid',
  summary: 'Keeps contact lists of SendGrid Marketing Campaigns in step with your rows.',
  config,
  offers: ['audiences'],
  hosts: ['api.sendgrid.com'],
  api: { version },
  setup: [
    'In SendGrid open Settings, API Keys, and make a key with restricted access: full access to Marketing, nothing else.',
    'Send only people who have agreed to your mails. A list is no proof of that: whoever has unsubscribed stays so, and gets nothing.',
    'Who leaves a list stays a contact, which SendGrid charges for. Nobody is deleted.',
    'Choose what people are known by once for the whole account, the e-mail address as a rule: SendGrid takes somebody for another person when one of their identifiers is missing.',
    'A run ends when SendGrid has dealt with its contacts. That takes from seconds to many minutes.',
  ],
  verified: 'Tested against a server of ours that answers as SendGrid documents, not against SendGrid.',
  tried: ['description', 'ours'],
  open: async (values, context) => {
    const client = openClient(loginOf(values), context);
    return {
      audiences: audiencesOf(client),
      check: () => check(client),
      close: async () => undefined,
    };
  },
});

function audiencesOf(client: Client): Audiences {
  return {
    // SendGrid takes 30,000 contacts or 6 MB, and lets 100 be looked for, or be taken off, by one request.
    limits: { rows: 5000, bytes: 4_000_000, concurrency: 2, paceMs: 1000 },
    identifiers,
    smallest: 0,
    lists: (typed) => lists(client, typed),
    create: (name) => create(client, name),
    traits: () => traits(client),
    add: (list, members, call) => add(client, list, members, call),
    remove: (list, members, call) => remove(client, list, members, call),
  };
}

/** Lists can be read with less than full access: what else the key may do, it says itself. */
async function check(client: Client): Promise<readonly string[]> {
  read(z.unknown(), await client.ask({ method: 'GET', path: 'marketing/lists', query: { page_size: 1 } }));
  const reply = await client.ask({ method: 'GET', path: 'scopes' });
  const scopes = read(z.object({ scopes: z.array(z.string()) }), reply).scopes;
  return scopes.some((scope) => scope.startsWith('marketing') && !scope.endsWith('.read'))
    ? []
    : ['The key can read lists, but may not be allowed to change them: give it full access to Marketing.'];
}

// People -------------------------------------------------------------------------------------------------------------

type Refused = Extract<Outcome, { readonly state: 'rejected' }>;

const notTaken =
  'SendGrid took the request, but not this contact, and does not say why. The account may have all the contacts that it can have.';

/** A request that is taken is only queued: what became of it is known when its job has ended. */
async function add(
  client: Client,
  list: string,
  members: readonly Member[],
  call: Call,
): Promise<readonly Outcome[]> {
  await mustBeThere(client, list, call.signal);
  const hasFacts = members.some(({ traits: facts }) => Object.keys(facts).length > 0);
  const known = hasFacts ? await traits(client, call.signal) : [];
  // Rows may share a person, who goes once, as the last of them has it.
  const firsts = new Map<string, number>();
  const people = new Map<number, Person>();
  const refusals = new Map<number, Refused>();
  for (const [at, member] of members.entries()) {
    const who = personIn(member);
    const first = firsts.get(who) ?? at;
    firsts.set(who, first);
    const refusal = refusalOf(member);
    if (refusal === undefined) {
      people.set(first, { contact: contactOf(member, known), knownBy: Object.values(member.identifiers) });
    } else {
      refusals.set(first, refusal);
    }
  }
  const { id, refused } = await jobFor(client, { list, people }, call);
  for (const [at, reason] of Object.entries(refused)) {
    refusals.set(Number(at), { state: 'rejected', reason });
  }
  const sent = members.filter((_, at) => people.has(at) && !refusals.has(at));
  const left = id === undefined ? new Set<Member>() : await leftOut(client, list, id, sent, call);
  for (const [at, member] of members.entries()) {
    if (left.has(member)) {
      refusals.set(at, { state: 'rejected', reason: notTaken });
    }
  }
  return members.map((member) => refusals.get(firsts.get(personIn(member)) ?? Number.NaN) ?? { state: 'ok' });
}

const personIn = ({ identifiers: given }: Member): string =>
  JSON.stringify(identifiers.map(({ name }) => given[name] ?? null));

function refusalOf({ identifiers: given }: Member): Refused | undefined {
  const long = Object.entries(given).find(([, value]) => value.length > longestIdentifier);
  return long === undefined
    ? undefined
    : {
        state: 'rejected',
        reason: `SendGrid takes ${longestIdentifier} characters at most.`,
        field: long[0],
      };
}

/** Those whom the job did not take. It counts them, and who is not on the list afterwards is one of them. */
async function leftOut(
  client: Client,
  list: string,
  id: string,
  sent: readonly Member[],
  call: Call,
): Promise<ReadonlySet<Member>> {
  const { state, errors } = await endOf(client, id, call);
  if (state === 'completed' && errors === 0) {
    return new Set();
  }
  if (state === 'failed' || sent.length === 1) {
    return new Set(sent);
  }
  const contacts = await contactsOf(client, sent, call.signal);
  const missing = sent.filter((member) => contacts.get(member)?.lists.includes(list) !== true);
  // Somebody may have been on the list before, and was refused what has changed.
  if (missing.length !== errors) {
    throw new ActivateError(
      'ROW_REJECTED',
      `SendGrid did not take ${errors} of these ${sent.length} contacts, and does not say which.`,
    );
  }
  return new Set(missing);
}

/** Who is no contact, or not on the list, is left alone: to make a contact in order to remove it would be charged for. */
async function remove(
  client: Client,
  list: string,
  members: readonly Member[],
  { signal }: Call,
): Promise<readonly Outcome[]> {
  await mustBeThere(client, list, signal);
  const leaving = async (some: readonly Member[]): Promise<ReadonlyMap<Member, string>> => {
    const contacts = await contactsOf(client, some, signal);
    return new Map(
      [...contacts].flatMap(([member, { id, lists: on }]) => (on.includes(list) ? [[member, id]] : [])),
    );
  };
  let left = await leaving(members);
  await takeOff(client, list, [...new Set(left.values())], signal);
  // That it is taken is not that it is done: SendGrid is asked again until it shows them without the list.
  await untilKnown(
    async () => {
      left = left.size === 0 ? left : await leaving([...left.keys()]);
      return left.size === 0 ? true : undefined;
    },
    { pollsMs: [250, 1000, 2000, 5000, 15_000, 30_000], longestMs: 600_000, signal },
  );
  return members.map((member) =>
    left.has(member)
      ? { state: 'retry', reason: 'SendGrid still shows this contact on the list.' }
      : { state: 'ok' },
  );
}

/** Ids go into the address: a hundred are 3,700 characters. Never `delete_contacts`, which would delete the people. */
const mostOffAtOnce = 100;

async function takeOff(
  client: Client,
  list: string,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const path = `marketing/lists/${encodeURIComponent(list)}/contacts`;
  for (let from = 0; from < ids.length; from += mostOffAtOnce) {
    const query = { contact_ids: ids.slice(from, from + mostOffAtOnce).join(',') };
    const reply = await client.ask({ method: 'DELETE', path, query, repeatable: true, signal });
    if ('error' in reply && reply.status === 404) {
      throw new ActivateError(
        'OUTCOME_UNKNOWN',
        'A contact was deleted from SendGrid just before it was to leave the list.',
      );
    }
    read(z.object({ job_id: z.string() }), reply);
  }
}
