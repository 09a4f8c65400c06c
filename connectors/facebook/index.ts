import { randomInt } from 'node:crypto';
import { z } from 'zod';
import { defineConnector } from '../../engine/contracts/connector.ts';
import type { Audiences, Call, Identifier, Member, Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { saying, theirWords } from '../../engine/contracts/http.ts';
import { nearest, optionOf } from '../shared/named.ts';
import { config, loginOf } from './config.ts';
import { bodyOf, type Graph, openGraph, read, version } from './graph.ts';

/** Custom audiences of Meta: people on a list of an ad account, matched by hashes. */
export const facebook = defineConnector({
  id: 'facebook',
  name: 'Facebook Audiences',
  summary: 'Keeps custom audiences of Facebook and Instagram ads in step with your rows.',
  config,
  offers: ['audiences'],
  hosts: ['graph.facebook.com'],
  api: { version },
  setup: [
    'In Meta Business Suite make a system user, and give it full control of the ad account (Admin).',
    'Give your app the permissions `ads_management` and `ads_read`, and make a token for the system user with both.',
    'Let somebody of the business accept the terms for custom audiences, once: `https://business.facebook.com/ads/manage/customaudiences/tos/`. No program can.',
    'Give lists names that tell nothing of health or money: Facebook blocks uploads to those that do.',
    'Only send people whom your privacy notice tells of it. Activate hashes what Facebook wants hashed, and sends `EXTERN_ID` and `MADID` as they are.',
  ],
  verified: 'Tested against a server of ours that answers as Meta documents, not against Meta.',
  open: async (values, context) => {
    const graph = openGraph(loginOf(values), context);
    return {
      audiences: audiencesOf(graph),
      check: () => check(graph),
      close: async () => undefined,
    };
  },
});

/** The order of the columns of each upload. */
const identifiers = [
  { name: 'EXTERN_ID', label: 'Your own id', rule: 'as-is', hash: 'none' },
  { name: 'EMAIL', label: 'E-mail address', rule: 'email', hash: 'sha256' },
  { name: 'PHONE', label: 'Telephone number', rule: 'phone-digits', hash: 'sha256' },
  { name: 'FN', label: 'First name', rule: 'name', hash: 'sha256' },
  { name: 'LN', label: 'Last name', rule: 'name', hash: 'sha256' },
  { name: 'FI', label: 'Initial of the first name', rule: 'initial', hash: 'sha256' },
  { name: 'GEN', label: 'Gender', rule: 'gender', hash: 'sha256' },
  { name: 'DOBY', label: 'Year of birth', rule: 'year', hash: 'sha256' },
  { name: 'DOBM', label: 'Month of birth', rule: 'month', hash: 'sha256' },
  { name: 'DOBD', label: 'Day of birth', rule: 'day', hash: 'sha256' },
  { name: 'CT', label: 'City', rule: 'city', hash: 'sha256' },
  { name: 'ST', label: 'State', rule: 'state', hash: 'sha256' },
  { name: 'ZIP', label: 'Postal code', rule: 'zip', hash: 'sha256' },
  { name: 'COUNTRY', label: 'Country', rule: 'country', hash: 'sha256' },
  { name: 'MADID', label: 'Advertising id', rule: 'device', hash: 'none' },
] as const satisfies readonly Identifier[];

function audiencesOf(graph: Graph): Audiences {
  return {
    limits: { rows: 10_000, concurrency: 2 },
    identifiers,
    // Facebook names no number; others have met it at about a hundred people who matched.
    smallest: 100,
    lists: async (typed) => nearest(await customAudiences(graph), typed).map(optionOf),
    create: (name) => create(graph, name),
    traits: async () => [],
    add: (list, members, call) => change(graph, 'POST', list, members, call),
    remove: (list, members, call) => change(graph, 'DELETE', list, members, call),
  };
}

async function check(graph: Graph): Promise<readonly string[]> {
  const account = bodyOf(
    await graph.ask({ method: 'GET', path: graph.login.account, query: { fields: 'account_status' } }),
  );
  const granted = bodyOf(await graph.ask({ method: 'GET', path: 'me/permissions' }));
  const { account_status: status } = read(z.object({ account_status: z.number() }), account);
  const { data } = read(
    z.object({ data: z.array(z.object({ permission: z.string(), status: z.string() })) }),
    granted,
  );
  const missing = ['ads_management', 'ads_read'].filter(
    (wanted) => !data.some(({ permission, status: is }) => permission === wanted && is === 'granted'),
  );
  return [
    ...(status === 1 ? [] : ['The ad account is not active: lists are kept, but no ad uses them.']),
    ...missing.map((permission) => `The token lacks the permission ${permission}.`),
  ];
}

// Lists --------------------------------------------------------------------------------------------------------------

const pageShape = z.object({
  data: z.array(z.object({ id: z.string(), name: z.string(), subtype: z.string().default('') })),
  paging: z
    .object({ cursors: z.object({ after: z.string() }).optional(), next: z.string().optional() })
    .optional(),
});
type Listed = z.output<typeof pageShape>['data'][number];

/** The lists that people can be put on: others are made by Facebook, of visitors and the like. */
async function customAudiences(graph: Graph): Promise<readonly Listed[]> {
  const found: Listed[] = [];
  for (let after: string | undefined, limit = 100; ; ) {
    const reply = await graph.ask({
      method: 'GET',
      path: `${graph.login.account}/customaudiences`,
      query: { fields: 'id,name,subtype', limit, after },
    });
    // Number 1 is also what Facebook answers when a page would be too large for it.
    if ('error' in reply && reply.code === 1 && limit > 20) {
      limit = 20;
      continue;
    }
    const { data, paging } = read(pageShape, bodyOf(reply));
    found.push(...data.filter(({ subtype }) => subtype === 'CUSTOM'));
    after = paging?.cursors?.after;
    // Not by the address in `next`: the token is in it.
    if (paging?.next === undefined || after === undefined) {
      return found;
    }
  }
}

/** Names are not unique at Facebook: asked twice, it would make twins. */
async function create(graph: Graph, name: string): Promise<string> {
  const there = (await customAudiences(graph)).find((list) => list.name === name);
  if (there !== undefined) {
    return there.id;
  }
  const body = bodyOf(
    await graph.ask({
      method: 'POST',
      path: `${graph.login.account}/customaudiences`,
      json: {
        name,
        subtype: 'CUSTOM',
        description: 'Kept in step by Activate.',
        customer_file_source: graph.login.fileSource,
      },
    }),
  );
  return read(z.object({ id: z.string() }), body).id;
}

// People -------------------------------------------------------------------------------------------------------------

const tooSmall = 1_870_047;

const uploadShape = z.object({
  num_received: z.coerce.number(),
  num_invalid_entries: z.coerce.number(),
  // PHP writes an empty map as a list.
  invalid_entry_samples: z.union([z.record(z.string(), z.string()), z.array(z.never())]).default({}),
});
type Upload = z.output<typeof uploadShape>;

/** Adding and removing are said of a set, so that either can be repeated. */
async function change(
  graph: Graph,
  method: 'POST' | 'DELETE',
  list: string,
  members: readonly Member[],
  call: Call,
): Promise<readonly Outcome[]> {
  const schema = identifiers
    .map(({ name }) => name)
    .filter((name) => members.some((member) => member.identifiers[name] !== undefined));
  const data = members.map(({ identifiers: given }) => schema.map((name) => given[name] ?? ''));
  const reply = await graph.ask({
    method,
    path: `${encodeURIComponent(list)}/users`,
    json: {
      payload: { schema, data },
      // One for each attempt: what was half taken is not told apart from what was not.
      session: {
        session_id: randomInt(1, 2 ** 48 - 1),
        batch_seq: 1,
        last_batch_flag: true,
        estimated_num_total: data.length,
      },
    },
    repeatable: true,
    signal: call.signal,
  });
  if ('error' in reply && reply.subcode === tooSmall) {
    return members.map(() => ({
      state: 'rejected',
      reason: 'Facebook does not let this list become so small. Asked again at the next run.',
    }));
  }
  return outcomesOf(read(uploadShape, bodyOf(reply)), data);
}

/** Of the entries that it refuses Facebook shows so many, with the reason to each. */
const mostSamples = 100;

function outcomesOf(upload: Upload, data: readonly (readonly string[])[]): readonly Outcome[] {
  const { num_received: received, num_invalid_entries: invalid } = upload;
  if (received === 0 && invalid === 0) {
    throw new ActivateError('OUTCOME_UNKNOWN', 'Facebook says that it received nobody.');
  }
  const reasons = new Map(
    Object.entries(upload.invalid_entry_samples).map(([entry, reason]) => [cellsOf(entry), reason]),
  );
  const outcomes = data.map((row): Outcome => {
    const reason = reasons.get(cellsOf(JSON.stringify(row)));
    return reason === undefined ? { state: 'ok' } : refused(theirWords(reason, row));
  });
  const shown = outcomes.filter(({ state }) => state === 'rejected').length;
  // The number is an estimate, so that samples decide, where there is room for all of them.
  if (invalid === 0 || (shown > 0 && reasons.size < mostSamples)) {
    return outcomes;
  }
  if (data.length === 1) {
    return [refused('')];
  }
  throw new ActivateError(
    'ROW_REJECTED',
    `Facebook can't read ${invalid} of these people, and does not say whom.`,
  );
}

/** However it is spaced; a row of one cell may stand there without brackets. */
function cellsOf(entry: string): string {
  if (!entry.startsWith('[')) {
    return entry;
  }
  try {
    return (JSON.parse(entry) as readonly unknown[]).join('\n');
  } catch {
    return entry;
  }
}

function refused(words: string): Outcome {
  return {
    state: 'rejected',
    reason: `Facebook can't read this entry.${saying(words)}`,
  };
}
