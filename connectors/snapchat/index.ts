import { z } from 'zod';
import { defineConnector } from '../../engine/contracts/connector.ts';
import type { Audiences, Call, Identifier, Member, Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Option } from '../../engine/contracts/form.ts';
import { nearest, optionOf } from '../shared/named.ts';
import { type Client, openClient, version } from './client.ts';
import { config, loginOf } from './config.ts';

/** Customer lists of Snapchat: people on a segment of an ad account, matched by hashes. */
export const snapchat = defineConnector({
  id: 'snapchat',
  name: 'Snapchat Audiences',
  summary: 'Keeps customer lists of Snapchat ads in step with your rows.',
  config,
  offers: ['audiences'],
  hosts: ['adsapi.snapchat.com', 'accounts.snapchat.com'],
  api: { version },
  setup: [
    'In Snap Business Manager open Business Details as an admin of the organization, and make an OAuth app. Its secret is shown once.',
    'Give a user the role Data Manager on the ad account: the token can do what that user can.',
    'As that user open `https://accounts.snapchat.com/login/oauth2/authorize` with `response_type=code`, `scope=snapchat-marketing-api` and the id and redirect of the app, and exchange the `code` for a refresh token at `https://accounts.snapchat.com/login/oauth2/access_token`.',
    'Map one kind of identifier for each list where you can. With several, Snapchat takes each for a person of its own.',
    'If lists forget people after some days, say `/activate resync` and send everything again before these are over.',
    'A list is used from 1,000 matched people on, and ends when no ad has used it for 13 months.',
  ],
  verified: 'Tested against a server of ours that answers as Snapchat documents, not against Snapchat.',
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
  { name: 'EMAIL_SHA256', label: 'E-mail address', rule: 'email', hash: 'sha256' },
  { name: 'PHONE_SHA256', label: 'Telephone number', rule: 'phone-digits', hash: 'sha256' },
  { name: 'MOBILE_AD_ID_SHA256', label: 'Advertising id', rule: 'device', hash: 'sha256' },
] as const satisfies readonly Identifier[];

function audiencesOf(client: Client): Audiences {
  return {
    // Snapchat takes 100,000, of one kind. A call is a request for each kind, and a token has ten requests a second.
    limits: { rows: 20_000, concurrency: 2, paceMs: 300 },
    identifiers,
    smallest: 1_000,
    lists: async (typed) => nearest(await customerLists(client), typed).map(offered),
    create: (name) => create(client, name),
    traits: async () => [],
    add: (list, members, call) => change(client, 'POST', list, members, call),
    remove: (list, members, call) => change(client, 'DELETE', list, members, call),
  };
}

async function check(client: Client): Promise<readonly string[]> {
  const path = `adaccounts/${client.login.account}`;
  const { items } = await client.ask(
    { method: 'GET', path, of: 'adaccounts' },
    z.object({ status: z.string() }),
  );
  await client.ask(
    { method: 'GET', path: `${path}/segments`, query: { limit: 50 }, of: 'segments' },
    z.unknown(),
  );
  return items[0]?.status === 'ACTIVE'
    ? []
    : ['The ad account is not active: lists are kept, but no ad uses them.'];
}

// Lists --------------------------------------------------------------------------------------------------------------

const segmentShape = z.object({
  id: z.string(),
  name: z.string(),
  source_type: z.string().default(''),
  targetable_status: z.string().default(''),
});
type Segment = z.output<typeof segmentShape>;

/** The lists that people can be put on: others are made by Snapchat, of visitors and the like. */
async function customerLists(client: Client): Promise<readonly Segment[]> {
  const found: Segment[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await client.ask(
      {
        method: 'GET',
        path: `adaccounts/${client.login.account}/segments`,
        query: { limit: 1000, cursor },
        of: 'segments',
      },
      segmentShape,
    );
    found.push(...page.items.filter(({ source_type: type }) => type === 'FIRST_PARTY'));
    if (page.cursor === undefined || page.cursor === cursor) {
      return found;
    }
    cursor = page.cursor;
  }
}

function offered(segment: Segment): Option {
  return {
    ...optionOf(segment),
    ...(segment.targetable_status === 'TOO_FEW_USERS'
      ? { hint: 'Too few matched people for an ad to use it' }
      : {}),
  };
}

/** Names are not unique at Snapchat: asked twice, it would make twins. */
async function create(client: Client, name: string): Promise<string> {
  const there = (await customerLists(client)).find((list) => list.name === name);
  if (there !== undefined) {
    return there.id;
  }
  const { account, days } = client.login;
  const segment = {
    name,
    description: 'Kept in step by Activate.',
    source_type: 'FIRST_PARTY',
    retention_in_days: days,
    ad_account_id: account,
  };
  const { items } = await client.ask(
    { method: 'POST', path: `adaccounts/${account}/segments`, json: { segments: [segment] }, of: 'segments' },
    segmentShape,
  );
  if (items[0] === undefined) {
    throw new ActivateError('OUTCOME_UNKNOWN', 'Snapchat does not say what became of the list.');
  }
  return items[0].id;
}

// People -------------------------------------------------------------------------------------------------------------

const uploadShape = z.object({ number_uploaded_users: z.coerce.number() });

/**
 * One request for each kind of identifier, each of a set, so that all can be repeated. Snapchat takes a request as a whole
 * or not at all.
 */
async function change(
  client: Client,
  method: 'POST' | 'DELETE',
  list: string,
  members: readonly Member[],
  call: Call,
): Promise<readonly Outcome[]> {
  const outcomes = members.map(outcomeOf);
  const good = members.filter((_, at) => outcomes[at]?.state === 'ok');
  for (const { name } of identifiers) {
    // Rows may share a person.
    const digests = [...new Set(good.flatMap(({ identifiers: given }) => given[name] ?? []))];
    if (digests.length > 0) {
      await upload(client, method, list, { name, digests }, call);
    }
  }
  return outcomes;
}

async function upload(
  client: Client,
  method: 'POST' | 'DELETE',
  list: string,
  { name, digests }: { readonly name: string; readonly digests: readonly string[] },
  { again, signal }: Call,
): Promise<void> {
  const people = { schema: [name], data: digests.map((digest) => [digest]) };
  const { items } = await client.ask(
    {
      method,
      path: `segments/${encodeURIComponent(list)}/users`,
      json: { users: [method === 'POST' ? people : { id: list, ...people }] },
      repeatable: true,
      of: 'users',
      signal,
    },
    uploadShape,
  );
  const taken = items[0]?.number_uploaded_users ?? 0;
  // Nowhere is it said whether people count who were there before: the second time they would all be such.
  if (taken < digests.length && !again) {
    throw new ActivateError(
      'OUTCOME_UNKNOWN',
      `Snapchat says that it took ${taken} of ${digests.length}, and not whom.`,
    );
  }
}

/** What is no digest Snapchat leaves out without a word. */
function outcomeOf({ identifiers: given }: Member): Outcome {
  const bad = Object.entries(given).find(([, value]) => !/^[0-9a-f]{64}$/.test(value));
  return bad === undefined
    ? { state: 'ok' }
    : { state: 'rejected', reason: 'Snapchat takes SHA-256 digests alone.', field: bad[0] };
}
