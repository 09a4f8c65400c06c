import { type Answer, type FakeHttp, type Received, startFakeHttp } from './http.ts';

interface Segment {
  readonly id: string;
  readonly name: string;
  readonly source: string;
  readonly targetable?: string;
  readonly days?: number;
  /** Each `SCHEMA=digest`. */
  readonly people: Set<string>;
}

export interface SnapchatState {
  readonly segments: Segment[];
  status: string;
  /** Access tokens given out; the last is the one that is taken. */
  tokens: number;
  /** Of segments. */
  mostPerPage: number;
}

export type FakeSnapchat = FakeHttp<SnapchatState>;

export const account = '8adc3db7-8148-4fbf-999c-8d2266369d74';
export const app = {
  clientId: 'app-1',
  clientSecret: 'snap-client-secret-1',
  refreshToken: 'snap-refresh-token-1',
} as const;

const done = (more: object): Answer => ({ json: { request_status: 'SUCCESS', request_id: '57ae', ...more } });

/** A refusal of a whole request. */
export function snapError(code: string, words = 'Something about this call.', status = 400): Answer {
  const body = { request_status: 'ERROR', request_id: '57ae', debug_message: words, error_code: code };
  return { status, json: { ...body, display_message: "We're sorry, but the request failed." } };
}

/** An ad account with two segments, of which people can be put on the first. */
export function startSnapchat(): Promise<FakeSnapchat> {
  return startFakeHttp<SnapchatState>(
    {
      segments: [
        { id: '5689640350646272', name: 'Buyers', source: 'FIRST_PARTY', people: new Set() },
        { id: '5715031928864768', name: 'Visitors', source: 'PIXEL', people: new Set() },
      ],
      status: 'ACTIVE',
      tokens: 0,
      mostPerPage: 1_000,
    },
    {
      'POST /login/oauth2/access_token': signIn,
      'GET /v1/adaccounts/:account': (_, { status }) =>
        done({ adaccounts: [{ sub_request_status: 'SUCCESS', adaccount: { id: account, status } }] }),
      'GET /v1/adaccounts/:account/segments': page,
      'POST /v1/adaccounts/:account/segments': make,
      'POST /v1/segments/:segment/users': (request, state) => upload(request, state, 'add'),
      'DELETE /v1/segments/:segment/users': (request, state) => upload(request, state, 'delete'),
    },
    ({ path, headers }, { tokens }) =>
      path.startsWith('/login/') || headers['authorization'] === `Bearer 0.access-${tokens}`
        ? undefined
        : snapError('E1000', 'Unauthorized', 401),
  );
}

function signIn({ body }: Received, state: SnapchatState): Answer {
  const form = Object.fromEntries(new URLSearchParams(body.toString('utf8')));
  const known =
    form['grant_type'] === 'refresh_token' &&
    form['client_id'] === app.clientId &&
    form['client_secret'] === app.clientSecret &&
    form['refresh_token'] === app.refreshToken;
  if (!known) {
    return { status: 400, json: { error: 'invalid_grant' } };
  }
  state.tokens += 1;
  const token = { access_token: `0.access-${state.tokens}`, token_type: 'Bearer', expires_in: 1800 };
  return { json: { ...token, refresh_token: app.refreshToken, scope: 'snapchat-marketing-api' } };
}

const shown = ({ id, name, source, targetable, days, people }: Segment): object => ({
  id,
  name,
  ad_account_id: account,
  status: 'PENDING',
  source_type: source,
  retention_in_days: days ?? 9999,
  approximate_number_users: people.size,
  upload_status: people.size === 0 ? 'NO_UPLOAD' : 'COMPLETE',
  targetable_status: targetable ?? 'READY',
});

function page({ params, query, path }: Received, { segments, mostPerPage }: SnapchatState): Answer {
  const limit = Math.min(Number(query.get('limit')), mostPerPage);
  if (params['account'] !== account) {
    return snapError('E3003', 'Resource can not be found', 404);
  }
  const from = Number(query.get('cursor') ?? 0);
  const next = from + limit;
  const link = `https://adsapi.snapchat.com${path}?cursor=${next}&limit=${limit}`;
  return done({
    paging: next < segments.length ? { next_link: link } : {},
    segments: segments
      .slice(from, next)
      .map((segment) => ({ sub_request_status: 'SUCCESS', segment: shown(segment) })),
  });
}

/** Names may come twice. Here the words of success are small. */
function make(request: Received, { segments }: SnapchatState): Answer {
  const [given] = request.json<{ segments: Record<string, unknown>[] }>().segments;
  const name = String(given?.['name']);
  if (typeof given?.['retention_in_days'] !== 'number' || name.length > 375) {
    const part = { sub_request_status: 'ERROR', sub_request_error_reason: 'The request is not valid.' };
    return done({ segments: [part] });
  }
  const made: Segment = {
    id: String(5_700_000_000_000_000 + segments.length),
    name,
    source: String(given['source_type']),
    days: given['retention_in_days'],
    people: new Set(),
  };
  segments.push(made);
  const segment = { sub_request_status: 'success', segment: shown(made) };
  return { json: { request_status: 'success', request_id: '57ae', segments: [segment] } };
}

interface Upload {
  readonly users: readonly {
    readonly schema: readonly string[];
    readonly data: readonly (readonly string[])[];
  }[];
}

/** What is no digest is left out without a word; what a digest is of nobody sees. */
function upload(request: Received, { segments }: SnapchatState, what: 'add' | 'delete'): Answer {
  const segment = segments.find(({ id }) => id === request.params['segment']);
  if (segment === undefined) {
    return snapError('E3003', 'Resource can not be found', 404);
  }
  // Some ways to the web lose the body of a DELETE.
  if (request.body.length === 0) {
    return snapError('E1001', 'The body of the request is missing.');
  }
  const [{ schema, data } = { schema: [], data: [] }] = request.json<Upload>().users;
  const [name] = schema;
  if (schema.length !== 1 || data.length > 100_000 || data.some((row) => row.length !== 1)) {
    return snapError('E1001', 'One schema, and at most 100,000 of it.');
  }
  const good = data.flat().filter((digest) => /^[0-9a-f]{64}$/.test(digest));
  for (const digest of good) {
    segment.people[what](`${name}=${digest}`);
  }
  return done({ users: [{ sub_request_status: 'SUCCESS', user: { number_uploaded_users: good.length } }] });
}
