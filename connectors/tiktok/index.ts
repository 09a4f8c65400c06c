import { z } from 'zod';
import { defineConnector } from '../../engine/contracts/connector.ts';
import type { Audiences, Call, Identifier, Member, Outcome } from '../../engine/contracts/destination.ts';
import { nearest, optionOf } from '../shared/named.ts';
import { type Client, openClient, version } from './client.ts';
import { config, invalid, loginOf } from './config.ts';

/** Custom audiences of TikTok by the streaming route: people on a list of an advertiser, matched by hashes. */
export const tiktok = defineConnector({
  id: 'tiktok',
  name: 'TikTok Audiences',
  summary: 'Keeps custom audiences of TikTok ads in step with your rows.',
  config,
  offers: ['audiences'],
  hosts: ['business-api.tiktok.com'],
  api: { version },
  setup: [
    'In the developer portal of TikTok for Business make an app with the scope Audience Management, and let TikTok approve it.',
    'Ask your contact at TikTok to allow the app the streaming of audiences: not every app may call it.',
    "Open the app's authorization URL as somebody who manages the advertiser, and exchange the `auth_code` that it ends in for a token at `/open_api/v1.3/oauth2/access_token/`. It lasts until it is revoked.",
    'Let Activate make the list: people can only be sent to lists that were made by this route, which TikTok Ads Manager calls partner audiences and has no form for.',
    'Map telephone numbers with the plus sign, as TikTok recommends, unless the list was filled without it before: who was added by one form can only be removed by it.',
    'Map advertising ids of Android to `AAID_SHA256` and those of iOS to `IDFA_SHA256`: nobody is found under the other.',
    'A list is used from 1,000 matched people on, and TikTok lets lists expire that no ad uses.',
  ],
  verified: 'Tested against a server of ours that answers as others have met TikTok, not against TikTok.',
  open: async (values, context) => {
    const client = openClient(loginOf(values), context);
    return {
      audiences: audiencesOf(client),
      check: () => check(client),
      close: async () => undefined,
    };
  },
});

/** The order of the columns of each upload; both forms of a telephone number go into the same one. */
const identifiers = [
  { name: 'EMAIL_SHA256', label: 'E-mail address', rule: 'email-spaceless', hash: 'sha256' },
  { name: 'PHONE_SHA256', label: 'Telephone number', rule: 'phone-e164', hash: 'sha256' },
  { name: 'PHONE_SHA256_NO_PLUS', label: 'Telephone without plus', rule: 'phone-digits', hash: 'sha256' },
  { name: 'IDFA_SHA256', label: 'Advertising id (iOS)', rule: 'device', hash: 'sha256' },
  { name: 'AAID_SHA256', label: 'Advertising id (Android)', rule: 'device', hash: 'sha256' },
] as const satisfies readonly Identifier[];

/** TikTok names no most; others send this many. */
const mostRows = 1_000;

function audiencesOf(client: Client): Audiences {
  return {
    // One at a time: nothing says in which order calls for one list are dealt with when they overlap.
    limits: { rows: mostRows, concurrency: 1, paceMs: 200 },
    identifiers,
    smallest: 1_000,
    lists: async (typed) => nearest(await fillable(client), typed).map(optionOf),
    create: (name) => create(client, name),
    traits: async () => [],
    add: (list, members, call) => change(client, 'add', list, members, call),
    remove: (list, members, call) => change(client, 'delete', list, members, call),
  };
}

async function check(client: Client): Promise<readonly string[]> {
  const { advertiser } = client.login;
  // Asked first: it is the request that tells a wrong token from a wrong advertiser.
  await client.ask({ method: 'GET', path: 'user/info/' }, z.unknown());
  const { list } = await client.ask(
    { method: 'GET', path: 'advertiser/info/', query: { advertiser_ids: JSON.stringify([advertiser]) } },
    z.object({ list: z.array(z.object({ advertiser_id: z.string(), status: z.string().optional() })) }),
  );
  const found = list.find((one) => one.advertiser_id === advertiser);
  if (found === undefined) {
    throw invalid(
      'advertiser',
      'TikTok does not show this advertiser to the token.',
      'Enter the id of an advertiser that has authorized the app.',
    );
  }
  const expiring = (await fillable(client)).filter(({ is_expiring: isExpiring }) => isExpiring === true);
  return [
    ...(found.status === undefined || found.status === 'STATUS_ENABLE'
      ? []
      : ['The advertiser is not enabled: lists are kept, but no ad uses them.']),
    ...(expiring.length === 0
      ? []
      : [
          `TikTok lets these lists expire soon, for no ad uses them: ${expiring
            .slice(0, 5)
            .map(({ name }) => name)
            .join(', ')}${expiring.length > 5 ? ', and others' : ''}.`,
        ]),
  ];
}

// Lists --------------------------------------------------------------------------------------------------------------

const pageShape = z.object({
  list: z.array(
    z
      .object({
        audience_id: z.string(),
        name: z.string(),
        audience_type: z.string().nullish(),
        is_expiring: z.boolean().nullish(),
      })
      .transform(({ audience_id: id, ...others }) => ({ id, ...others })),
  ),
  page_info: z.object({ total_page: z.number() }),
});
type Listed = z.output<typeof pageShape>['list'][number];

/** TikTok fills these itself, or from files. Left out by name, for what it calls the others is written nowhere. */
const filledOtherwise =
  /^(?:lookalike|customer file|engagement|app activity|website traffic|lead|business account|shop|offline)/i;

/** The lists that people can be sent to. */
async function fillable(client: Client): Promise<readonly Listed[]> {
  const found: Listed[] = [];
  for (let page = 1; ; page += 1) {
    const { list, page_info: info } = await client.ask(
      {
        method: 'GET',
        path: 'dmp/custom_audience/list/',
        query: { advertiser_id: client.login.advertiser, page, page_size: 100 },
      },
      pageShape,
    );
    found.push(...list.filter(({ audience_type: type }) => !filledOtherwise.test(type ?? '')));
    if (page >= info.total_page) {
      return found;
    }
  }
}

/** Names are not unique at TikTok: asked twice, it would make twins. */
async function create(client: Client, name: string): Promise<string> {
  const there = (await fillable(client)).find((list) => list.name === name);
  if (there !== undefined) {
    return there.id;
  }
  const { advertiser, newLists } = client.login;
  const made = await client.ask(
    {
      method: 'POST',
      path: 'segment/audience/',
      json: { advertiser_id: advertiser, custom_audience_name: name, id_type: newLists, action: 'create' },
    },
    z.object({ audience_id: z.string() }),
  );
  return made.audience_id;
}

// People -------------------------------------------------------------------------------------------------------------

const columns = ['EMAIL_SHA256', 'PHONE_SHA256', 'IDFA_SHA256', 'AAID_SHA256'] as const;
type Row = Readonly<Record<string, string>>;

/** Adding and removing are said of a set, so that either can be repeated. All of a call are taken, or nobody is. */
async function change(
  client: Client,
  action: 'add' | 'delete',
  list: string,
  members: readonly Member[],
  { signal }: Call,
): Promise<readonly Outcome[]> {
  const rows = members.flatMap(rowsOf);
  for (let from = 0; from < rows.length; from += mostRows) {
    const some = rows.slice(from, from + mostRows);
    const schema = columns.filter((name) => some.some((row) => row[name] !== undefined));
    await client.ask(
      {
        method: 'POST',
        path: 'segment/mapping/',
        json: {
          advertiser_ids: [client.login.advertiser],
          action,
          id_schema: schema,
          // A cell for each column in its order: what a row has nothing for is an empty object.
          batch_data: some.map((row) =>
            schema.map((name) => (row[name] === undefined ? {} : { id: row[name], audience_ids: [list] })),
          ),
        },
        repeatable: true,
        signal,
      },
      z.unknown(),
    );
  }
  return members.map(() => ({ state: 'ok' }));
}

/** Whoever is mapped by both forms of a telephone number needs a row for the second: there is one column. */
function rowsOf({ identifiers: given }: Member): readonly Row[] {
  const { PHONE_SHA256_NO_PLUS: digits, ...others } = given;
  if (digits === undefined) {
    return [others];
  }
  return others['PHONE_SHA256'] === undefined
    ? [{ ...others, PHONE_SHA256: digits }]
    : [others, { PHONE_SHA256: digits }];
}
