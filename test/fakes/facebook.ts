import { type Answer, type FakeHttp, type Received, startFakeHttp } from './http.ts';

interface Audience {
  readonly id: string;
  readonly name: string;
  readonly subtype: string;
  /** A person is its row, with the names of its columns. */
  readonly people: Set<string>;
}

export interface FacebookState {
  readonly audiences: Audience[];
  permissions: readonly string[];
  accountStatus: number;
  /** Pages of more are refused with number 1. */
  mostPerPage: number;
}

export type FakeFacebook = FakeHttp<FacebookState>;

export const token = 'EAAB-system-user-token';
export const account = 'act_4711';
const base = '/v26.0';

/** An error as the Graph API has it. */
export function graphError(code: number, subcode?: number, more: object = {}, status = 400): Answer {
  return {
    status,
    json: {
      error: {
        message: 'Something about this call.',
        type: 'OAuthException',
        code,
        ...(subcode === undefined ? {} : { error_subcode: subcode }),
        fbtrace_id: 'A1b2-C3',
        ...more,
      },
    },
  };
}

/** An answer that asks for a pause as Facebook does: in minutes, in a header of its own. */
export function paused(minutes?: number): Answer {
  const usage = {
    4711: [{ type: 'custom_audience', call_count: 100, estimated_time_to_regain_access: minutes ?? 0 }],
  };
  return {
    ...graphError(80_003),
    headers: { 'x-business-use-case-usage': JSON.stringify(usage) },
  };
}

/** Ad account 4711 with two lists, of which people can be put on the first. */
export function startFacebook(): Promise<FakeFacebook> {
  const state: FacebookState = {
    audiences: [
      { id: '100', name: 'Buyers', subtype: 'CUSTOM', people: new Set() },
      { id: '101', name: 'Visitors', subtype: 'WEBSITE', people: new Set() },
    ],
    permissions: ['ads_management', 'ads_read', 'public_profile'],
    accountStatus: 1,
    mostPerPage: 500,
  };
  return startFakeHttp<FacebookState>(
    state,
    {
      [`GET ${base}/${account}`]: (_, { accountStatus }) => ({
        json: { account_status: accountStatus, id: account },
      }),
      [`GET ${base}/me/permissions`]: (_, { permissions }) => ({
        json: { data: permissions.map((permission) => ({ permission, status: 'granted' })) },
      }),
      [`GET ${base}/${account}/customaudiences`]: page,
      [`POST ${base}/${account}/customaudiences`]: make,
      [`POST ${base}/:audience/users`]: (request, held) => upload(request, held, 'add'),
      [`DELETE ${base}/:audience/users`]: (request, held) => upload(request, held, 'delete'),
    },
    ({ headers }) =>
      headers['authorization'] === `Bearer ${token}`
        ? undefined
        : graphError(190, 460, { message: 'Error validating access token: the session is invalid.' }, 401),
  );
}

function page({ query, path }: Received, { audiences, mostPerPage }: FacebookState): Answer {
  const limit = Number(query.get('limit'));
  if (limit > mostPerPage) {
    return graphError(1, undefined, { message: 'Please reduce the amount of data you are asking for' }, 500);
  }
  const from = Number(query.get('after') ?? 0);
  const shown = audiences.slice(from, from + limit);
  const after = String(from + shown.length);
  const more = from + limit < audiences.length;
  const next = `https://graph.facebook.com${path}?access_token=${token}&after=${after}`;
  return {
    json: {
      data: shown.map(({ id, name, subtype }) => ({ id, name, subtype })),
      paging: { cursors: { before: 'b', after }, ...(more ? { next } : {}) },
    },
  };
}

function make(request: Received, { audiences }: FacebookState): Answer {
  const { name, subtype, customer_file_source: source } = request.json<Record<string, string>>();
  if (name === undefined || subtype !== 'CUSTOM' || source === undefined) {
    return graphError(100, 1_870_053, { error_user_msg: 'A list needs a name and a source.' });
  }
  const id = String(200 + audiences.length);
  audiences.push({ id, name, subtype, people: new Set() });
  return { json: { id } };
}

interface Upload {
  readonly payload: { readonly schema: readonly string[]; readonly data: readonly (readonly string[])[] };
  readonly session: Readonly<Record<string, unknown>>;
}

const asItIs = ['EXTERN_ID', 'MADID'];

/** Of identifiers Facebook only sees whether a hash could be one: a wrong one matches nobody. */
function upload(request: Received, { audiences }: FacebookState, what: 'add' | 'delete'): Answer {
  const { payload, session } = request.json<Upload>();
  const audience = audiences.find(({ id }) => id === request.params['audience']);
  if (audience === undefined) {
    return graphError(100, 33, { message: 'Unsupported request. Object does not exist.' });
  }
  const { schema, data } = payload;
  if (data.length > 10_000 || data.some((row) => row.length !== schema.length)) {
    return graphError(100, undefined, { message: '(#100) Data is missing or does not match schema' });
  }
  const samples: Record<string, string> = {};
  let invalid = 0;
  for (const row of data) {
    const bad = row.find((cell, at) => {
      const name = schema[at] ?? '';
      return cell !== '' && !asItIs.includes(name) && !/^[0-9a-f]{64}$/.test(cell);
    });
    if (bad !== undefined) {
      invalid += 1;
      if (invalid <= 100) {
        samples[JSON.stringify(row)] = `Invalid hash ${bad}`;
      }
      continue;
    }
    const person = row.flatMap((cell, at) => (cell === '' ? [] : [`${schema[at]}=${cell}`])).join(' ');
    audience.people[what](person);
  }
  return {
    json: {
      audience_id: audience.id,
      session_id: String(session['session_id']),
      num_received: data.length,
      num_invalid_entries: invalid,
      invalid_entry_samples: invalid === 0 ? [] : samples,
    },
  };
}
