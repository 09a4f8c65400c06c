import { type Answer, type FakeHttp, type Received, startFakeHttp } from './http.ts';

interface Audience {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly expiring?: boolean;
  /** Each `SCHEMA=digest`. */
  readonly people: Set<string>;
}

export interface TikTokState {
  readonly audiences: Audience[];
  status: string;
  /** Calls of more are refused. */
  mostRows: number;
}

export type FakeTikTok = FakeHttp<TikTokState>;

export const token = 'tt-long-lived-access-token';
export const advertiser = '7012345678901234567';
const base = '/open_api/v1.3';

/** A refusal as TikTok has it: status 200, and a number. */
export function tiktokError(code: number, message = 'Something about this call.', status = 200): Answer {
  return { status, json: { code, message, request_id: '20261126091500A1B2C3', data: {} } };
}

const done = (data: object): Answer => ({ json: { code: 0, message: 'OK', request_id: '2026R', data } });

/** An advertiser with two lists, of which people can be sent to the first. */
export function startTikTok(): Promise<FakeTikTok> {
  return startFakeHttp<TikTokState>(
    {
      audiences: [
        { id: '100', name: 'Buyers', type: 'Partner Audience', people: new Set() },
        { id: '101', name: 'Like buyers', type: 'Lookalike Audience', people: new Set() },
      ],
      status: 'STATUS_ENABLE',
      mostRows: 1_000,
    },
    {
      [`GET ${base}/user/info/`]: () => done({ id: 1, display_name: 'Ads', email: 'a***@acme.example' }),
      [`GET ${base}/advertiser/info/`]: ({ query }, { status }) => {
        const asked = JSON.parse(query.get('advertiser_ids') ?? '[]') as readonly string[];
        const list = asked.filter((id) => id === advertiser).map((id) => ({ advertiser_id: id, status }));
        return done({ list });
      },
      [`GET ${base}/dmp/custom_audience/list/`]: page,
      [`POST ${base}/segment/audience/`]: make,
      [`POST ${base}/segment/mapping/`]: map,
    },
    ({ headers }) =>
      headers['access-token'] === token
        ? undefined
        : tiktokError(40_105, 'Access token is incorrect or has been revoked.'),
  );
}

function page({ query }: Received, { audiences }: TikTokState): Answer {
  const size = Number(query.get('page_size') ?? 10);
  const number = Number(query.get('page') ?? 1);
  if (query.get('advertiser_id') !== advertiser || size > 100) {
    return tiktokError(40_002, 'page_size: must be from 1 to 100');
  }
  const list = audiences.slice((number - 1) * size, number * size).map((one) => ({
    audience_id: one.id,
    name: one.name,
    audience_type: one.type,
    calculate_type: null,
    cover_num: one.people.size,
    is_valid: true,
    is_expiring: one.expiring === true,
    expired_time: '2027-09-08 02:34:20',
  }));
  const total = Math.ceil(audiences.length / size);
  return done({
    list,
    page_info: { page: number, page_size: size, total_number: audiences.length, total_page: total },
  });
}

/** Names may come twice. */
function make(request: Received, { audiences }: TikTokState): Answer {
  const body = request.json<Record<string, string>>();
  if (body['action'] !== 'create' || body['advertiser_id'] !== advertiser || body['id_type'] === undefined) {
    return tiktokError(40_002, 'id_type: missing');
  }
  const id = String(200 + audiences.length);
  audiences.push({
    id,
    name: body['custom_audience_name'] ?? '',
    type: 'Partner Audience',
    people: new Set(),
  });
  return done({ audience_id: id });
}

interface Mapping {
  readonly advertiser_ids: readonly string[];
  readonly action: 'add' | 'delete';
  readonly id_schema: readonly string[];
  readonly batch_data: readonly (readonly { readonly id?: string; readonly audience_ids?: string[] }[])[];
}

/** What a digest is of nobody sees; a cell in the wrong column is taken, and matches nobody. */
function map(request: Received, { audiences, mostRows }: TikTokState): Answer {
  const { advertiser_ids: ids, action, id_schema: schema, batch_data: rows } = request.json<Mapping>();
  if (!ids.includes(advertiser) || rows.some((row) => row.length !== schema.length)) {
    return tiktokError(40_002, 'batch_data: does not match id_schema');
  }
  if (rows.length > mostRows) {
    return tiktokError(40_061, `batch_data: at most ${mostRows}`);
  }
  const cells = rows.flatMap((row) => row.map((cell, at) => ({ ...cell, schema: schema[at] ?? '' })));
  const bad = cells.find(({ id }) => id !== undefined && !/^[0-9a-f]{64}$/.test(id));
  if (bad !== undefined) {
    return tiktokError(40_062, `PII is not hashed: ${bad.id}`);
  }
  const known = new Map(audiences.map((one) => [one.id, one]));
  const wanted = cells.flatMap(({ audience_ids: lists = [] }) => lists);
  if (wanted.some((id) => !known.has(id))) {
    return tiktokError(40_007, 'Audience does not exist');
  }
  for (const { id, audience_ids: lists = [], schema: name } of cells) {
    for (const list of lists) {
      known.get(list)?.people[action](`${name}=${id}`);
    }
  }
  return done({});
}
