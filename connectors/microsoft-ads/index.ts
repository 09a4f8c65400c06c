import { z } from 'zod';
import { defineConnector } from '../../engine/contracts/connector.ts';
import type { Audiences, Call, Identifier, Member, Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { type Named, nearest, optionOf } from '../shared/named.ts';
import { type Api, openApi, version } from './api.ts';
import { config, loginOf } from './config.ts';
import { type Problem, problem, wholeRefusalOf, wordsOf } from './errors.ts';

/** Customer match lists of Microsoft Advertising: people on a list of a manager account. */
export const microsoftAds = defineConnector({
  id: 'microsoft-ads',
  name: 'Microsoft Advertising',
  summary: 'Keeps customer match lists of Microsoft Advertising (Bing Ads) in step with your rows.',
  config,
  offers: ['audiences'],
  hosts: ['campaign.api.bingads.microsoft.com', 'login.microsoftonline.com'],
  api: { version: `Bing Ads API ${version}` },
  setup: [
    'Register an app in Microsoft Entra for accounts of any organisation and personal ones, and ask for a developer token at `https://developers.ads.microsoft.com`.',
    'Make a refresh token with the scopes `https://ads.microsoft.com/msads.manage` and `offline_access`, as a user who may change audiences, and with multi-factor authentication: tokens that were made without it stop working.',
    'Microsoft ends a refresh token when it likes, after 90 days as a rule. When a run says that the sign-in is not taken, make a new one and connect again.',
    'Accept the Customer Match terms: make one customer list by hand in Microsoft Advertising. Or choose that each upload accepts them; that is an agreement by law.',
    'Lists belong to the manager account: all its accounts can use them. At least 300 people have to match before one is used; Microsoft shows how many after up to 48 hours.',
    'Customer lists may not be used in campaigns for the European Union and places like it. Send only people whom your privacy notice tells of it.',
    'Microsoft shows nobody who is on a list. What Activate remembers is all that is known: change such a list nowhere else.',
  ],
  verified: 'Tested against a server of ours that answers as Microsoft documents, not against Microsoft.',
  open: async (values, context) => {
    const api = openApi(loginOf(values), context);
    return {
      audiences: audiencesOf(api),
      check: async () => {
        await listsThere(api);
        return [];
      },
      close: async () => undefined,
    };
  },
});

const identifiers = [
  { name: 'email', label: 'E-mail address', rule: 'email', hash: 'sha256' },
  { name: 'crm', label: 'Customer id of your own', rule: 'as-is', hash: 'none' },
] as const satisfies readonly Identifier[];

type Name = (typeof identifiers)[number]['name'];
const subTypes = { email: 'Email', crm: 'CRM' } as const;

function audiencesOf(api: Api): Audiences {
  return {
    // Calls are counted for the customer by the minute, and Microsoft does not say how many there may be.
    limits: { rows: 1000, concurrency: 2 },
    identifiers,
    smallest: 300,
    lists: async (typed) => nearest(await listsThere(api), typed).map(optionOf),
    create: (name) => create(api, name),
    traits: async () => [],
    add: (list, members, call) => change(api, 'Add', list, members, call),
    remove: (list, members, call) => change(api, 'Remove', list, members, call),
  };
}

// Lists --------------------------------------------------------------------------------------------------------------

// Ids have 64 bits, as texts.
const id = z.string().regex(/^\d+$/);
const audience = z.object({ Id: id, Name: z.string() }).transform(({ Id, Name }) => ({ id: Id, name: Name }));
const partly = problem.extend({ Index: z.number().nullish() });
const partialErrors = z
  .array(partly.nullable())
  .nullish()
  .transform((all) => (all ?? []).filter((one) => one !== null));

/** All customer lists: no ids stand for every one. */
async function listsThere(api: Api): Promise<readonly Named[]> {
  const { Audiences: found } = await api.ask(
    'Audiences/QueryByIds',
    { AudienceIds: null, Type: 'CustomerList' },
    z.object({ Audiences: z.array(audience.nullable()).nullish() }),
  );
  return (found ?? []).filter((one) => one !== null);
}

const mostOfName = 128;

/** A name that is taken is refused inside of an answer that looks well: then somebody else was faster. */
async function create(api: Api, name: string): Promise<string> {
  const there = async (): Promise<string | undefined> =>
    (await listsThere(api)).find((list) => list.name === name)?.id;
  const found = await there();
  if (found !== undefined) {
    return found;
  }
  if (name.length > mostOfName) {
    throw new ActivateError('INPUT_INVALID', `The name of a list has at most ${mostOfName} characters.`, {
      fix: 'Give the list a shorter name.',
    });
  }
  const { days } = api.login;
  const made = await api.ask(
    'Audiences',
    {
      Audiences: [
        {
          Name: name,
          Type: 'CustomerList',
          Description: 'Kept in step by Activate.',
          MembershipDuration: days ?? -1,
        },
      ],
    },
    z.object({ AudienceIds: z.array(id.nullable()).nullish(), PartialErrors: partialErrors }),
  );
  const list = made.AudienceIds?.[0] ?? (await there());
  if (list !== undefined) {
    return list;
  }
  const [first] = made.PartialErrors;
  const says = first === undefined ? '' : ` It says: ${wordsOf(first, undefined)}`;
  throw (
    (first && wholeRefusalOf(first, undefined)) ??
    new ActivateError('INPUT_INVALID', `Microsoft does not make this list.${says}`, {
      fix: 'Give the list another name, or make it in Microsoft Advertising.',
    })
  );
}

// People -------------------------------------------------------------------------------------------------------------

type Action = 'Add' | 'Remove';
/** What became of the values of one kind: no entry for those that were taken. */
type Refusals = ReadonlyMap<string, Outcome>;

/** One call for each kind of thing that people are known by; never Replace, which keeps nothing but the last batch. */
async function change(
  api: Api,
  action: Action,
  list: string,
  members: readonly Member[],
  call: Call,
): Promise<readonly Outcome[]> {
  const refusals = new Map<Name, Refusals>();
  for (const { name } of identifiers) {
    // People may share a value, and each comes once.
    const values = [...new Set(members.map((member) => member.identifiers[name] ?? ''))].filter(
      (value) => value !== '',
    );
    if (values.length > 0) {
      refusals.set(name, await apply(api, { action, list, name, values }, call));
    }
  }
  return members.map((member) => outcomeOf(member, refusals, action));
}

interface Applied {
  readonly action: Action;
  readonly list: string;
  readonly name: Name;
  readonly values: readonly string[];
}

async function apply(api: Api, { action, list, name, values }: Applied, { signal }: Call): Promise<Refusals> {
  const { PartialErrors: errors } = await api.ask(
    'CustomerListUserData/Apply',
    {
      CustomerListUserData: {
        ActionType: action,
        AudienceId: list,
        CustomerListItemSubType: subTypes[name],
        CustomerListItems: values,
        ...(api.login.acceptsTerms ? { AcceptCustomerMatchTerm: true } : {}),
      },
    },
    z.object({ PartialErrors: partialErrors }),
    signal,
  );
  const refusals = new Map<string, Outcome>();
  for (const error of errors) {
    const value = values[error.Index ?? Number.NaN];
    if (value !== undefined) {
      refusals.set(value, refusedAlone(error, name, value));
      continue;
    }
    // Nobody is named: it is about all of them, or about somebody whom halving finds.
    throw (
      wholeRefusalOf(error, values) ??
      new ActivateError('ROW_REJECTED', `Microsoft does not take this. It says: ${wordsOf(error, values)}`)
    );
  }
  return refusals;
}

/** What is said of each, though it is about the list or the account, ends the run. */
function refusedAlone(error: Problem, field: Name, value: string): Outcome {
  const whole = wholeRefusalOf(error, value);
  switch (whole?.code) {
    case undefined:
      return {
        state: 'rejected',
        reason: `Microsoft does not take this. It says: ${wordsOf(error, value)}`,
        field,
      };
    case 'OUTCOME_UNKNOWN':
      return { state: 'unknown', reason: whole.message };
    case 'RATE_LIMITED':
      return { state: 'retry', reason: whole.message, afterMs: whole.retryAfterMs ?? 0 };
    default:
      throw whole;
  }
}

/** Somebody who was put on the list by one thing and refused by another may be on it, and must not be taken for absent. */
function outcomeOf(
  { identifiers: known }: Member,
  refusals: ReadonlyMap<Name, Refusals>,
  action: Action,
): Outcome {
  const given = identifiers.flatMap(({ name }) =>
    known[name] === undefined ? [] : [{ name, value: known[name] }],
  );
  const refused = given.flatMap(({ name, value }) => refusals.get(name)?.get(value) ?? []);
  const [first] = refused;
  if (first === undefined || first.state === 'ok') {
    return { state: 'ok' };
  }
  const isHalf = action === 'Add' && refused.length < given.length;
  return isHalf
    ? { state: 'unknown', reason: `On the list by one identifier alone. ${first.reason}` }
    : first;
}
