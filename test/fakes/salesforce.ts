import { createVerify } from 'node:crypto';
import { type Answer, type FakeHttp, type Received, type Routes, startFakeHttp } from './http.ts';
import { answer, failed, handled, type Usage } from './salesforce-answers.ts';
import { type JobState, jobRoutes } from './salesforce-jobs.ts';
import { standardOrg } from './salesforce-kinds.ts';
import { Fault, type Org, type Rec, type RowResult } from './salesforce-org.ts';
import { runSoql } from './salesforce-soql.ts';

export interface SalesforceState extends JobState, Usage {
  readonly clientId: string;
  readonly clientSecret: string;
  /** PEM text by which assertions are checked. */
  publicKey: string | undefined;
  readonly tokens: Set<string>;
  tokensMade: number;
  /** Rows of a query on one page. */
  pageSize: number;
}

export type FakeSalesforce = FakeHttp<SalesforceState> & {
  /** What every test connects with. */
  readonly config: Readonly<Record<string, string>>;
};

const root = '/services/data/v66.0';

/** Salesforce with contacts, leads, accounts and tasks, and one app that may sign in. */
export async function startSalesforce(): Promise<FakeSalesforce> {
  const state: SalesforceState = {
    org: standardOrg(),
    clientId: 'consumer-key-1',
    clientSecret: 'consumer-secret-1234567890',
    publicKey: undefined,
    tokens: new Set(),
    tokensMade: 0,
    usage: { used: 0, limit: 100_000 },
    pageSize: 2000,
    jobs: [],
    jobSteps: ['JobComplete'],
    jobStopsAfter: Number.POSITIVE_INFINITY,
    jobError: undefined,
  };
  const fake = await startFakeHttp(state, routes, guard);
  return {
    ...fake,
    config: {
      host: 'acme.my.salesforce.com',
      clientId: state.clientId,
      clientSecret: state.clientSecret,
      baseUrl: fake.url,
    },
  };
}

function guard(request: Received, state: SalesforceState): Answer | undefined {
  if (request.path === '/services/oauth2/token') {
    return undefined;
  }
  if (!state.tokens.has(request.headers['authorization']?.replace(/^Bearer /, '') ?? '')) {
    return failed(401, 'INVALID_SESSION_ID', 'Session expired or invalid');
  }
  if (state.usage.used >= state.usage.limit) {
    return failed(403, 'REQUEST_LIMIT_EXCEEDED', 'TotalRequests Limit exceeded.');
  }
  state.usage = { ...state.usage, used: state.usage.used + 1 };
  return undefined;
}

const routes: Routes<SalesforceState> = {
  'POST /services/oauth2/token': token,
  [`GET ${root}/`]: (_request, state) => answer(state, { sobjects: `${root}/sobjects` }),
  [`GET ${root}/sobjects`]: (_request, state) =>
    answer(state, { sobjects: [...state.org.kinds.values()].map(summaryOf) }),
  [`GET ${root}/sobjects/:type/describe`]: handled(({ params }, { org }) => {
    const kind = org.kind(params['type'] ?? '');
    return { ...summaryOf(kind), fields: kind.fields, recordTypeInfos: recordTypes };
  }),
  [`GET ${root}/query`]: handled((request, state) => query(request, state, false)),
  [`GET ${root}/queryAll`]: handled((request, state) => query(request, state, true)),
  [`GET ${root}/query/:locator`]: handled(({ params }, state) => {
    const [offset = '0', all = '', soql = ''] = String(params['locator']).split('~');
    const text = Buffer.from(soql, 'base64url').toString();
    return page(state, text, all === 'all', Number(offset));
  }),
  [`POST ${root}/composite/sobjects`]: handled((request, { org }) => {
    const { records } = bodyOf(request);
    return grouped(records, (type, some) => org.change(type, 'insert', some));
  }),
  [`PATCH ${root}/composite/sobjects`]: handled((request, { org }) => {
    const { records } = bodyOf(request);
    return grouped(records, (type, some) => org.change(type, 'update', some));
  }),
  [`PATCH ${root}/composite/sobjects/:type/:field`]: handled((request, { org }) => {
    const { type = '', field = '' } = request.params;
    return org.change(type, 'upsert', bodyOf(request).records, field);
  }),
  [`DELETE ${root}/composite/sobjects`]: handled(({ query: given }, { org }) => {
    const ids = (given.get('ids') ?? '').split(',');
    mustBeFew(ids.length);
    return ids.map((id) => {
      const kind = [...org.kinds.values()].find(({ prefix }) => id.startsWith(prefix));
      return kind === undefined
        ? { success: false, errors: [{ statusCode: 'MALFORMED_ID', message: `bad id ${id}`, fields: [] }] }
        : org.change(kind.name, 'delete', [{ Id: id }])[0];
    });
  }),
  ...jobRoutes(),
};

const recordTypes = [
  { available: true, master: true, name: 'Master', recordTypeId: '012000000000000AAA' },
  { available: true, master: false, name: 'Call', recordTypeId: '012000000000001AAA' },
];

function token(request: Received, state: SalesforceState): Answer {
  const form = new URLSearchParams(request.body.toString());
  const isRight =
    form.get('grant_type') === 'client_credentials'
      ? form.get('client_id') === state.clientId && form.get('client_secret') === state.clientSecret
      : isSigned(form.get('assertion') ?? '', state);
  if (!isRight) {
    return {
      status: 400,
      json: { error: 'invalid_client', error_description: 'invalid client credentials' },
    };
  }
  state.tokensMade += 1;
  const made = `00Dsession!token-${state.tokensMade}`;
  state.tokens.clear();
  state.tokens.add(made);
  return { json: { access_token: made, instance_url: 'https://evil.example', token_type: 'Bearer' } };
}

function isSigned(assertion: string, { publicKey, clientId }: SalesforceState): boolean {
  const [head = '', claims = '', signature = ''] = assertion.split('.');
  const { iss, sub, aud, exp } = JSON.parse(Buffer.from(claims, 'base64url').toString() || '{}') as Rec;
  const seconds = Number(exp) - Date.now() / 1000;
  return (
    publicKey !== undefined &&
    createVerify('RSA-SHA256').update(`${head}.${claims}`).verify(publicKey, signature, 'base64url') &&
    iss === clientId &&
    sub === 'integration@acme.example' &&
    aud === 'https://acme.my.salesforce.com' &&
    seconds > 0 &&
    seconds <= 300
  );
}

function summaryOf({ name, label, writable }: ReturnType<Org['kind']>): Rec {
  const can = { createable: writable, updateable: writable, deletable: writable };
  return { name, label, queryable: true, deprecatedAndHidden: false, ...can };
}

function query(request: Received, state: SalesforceState, all: boolean): Rec {
  if (`${request.path}?${request.query}`.length > 16_000) {
    throw new Fault(414, 'URI_TOO_LONG', 'URI is too long');
  }
  return page(state, request.query.get('q') ?? '', all, 0);
}

function page(state: SalesforceState, soql: string, all: boolean, offset: number): Rec {
  const rows = runSoql(state.org, soql, all);
  const end = offset + state.pageSize;
  const locator = [end, all ? 'all' : '', Buffer.from(soql).toString('base64url')].join('~');
  return {
    totalSize: rows.length,
    done: end >= rows.length,
    records: rows.slice(offset, end),
    ...(end < rows.length ? { nextRecordsUrl: `${root}/query/${locator}` } : {}),
  };
}

function bodyOf(request: Received): { readonly records: readonly Rec[] } {
  const body = request.json<{ readonly records: readonly Rec[] }>();
  mustBeFew(body.records.length);
  for (const record of body.records) {
    if (typeof record['Score__c'] === 'string' && !/^[-\d.]+$/.test(record['Score__c'])) {
      throw new Fault(
        400,
        'JSON_PARSER_ERROR',
        `Cannot deserialize instance of double from VALUE_STRING value ${record['Score__c']} or request may be missing a required field at [line:1, column:90]`,
      );
    }
  }
  return body;
}

function mustBeFew(count: number): void {
  if (count > 200) {
    throw new Fault(
      400,
      'EXCEEDED_MAX_SIZE_REQUEST',
      'record limit reached. cannot submit more than 200 records in this call',
    );
  }
}

function grouped(
  records: readonly Rec[],
  change: (type: string, some: readonly Rec[]) => readonly RowResult[],
): readonly RowResult[] {
  const { type } = (records[0]?.['attributes'] ?? {}) as { readonly type?: string };
  return change(type ?? '', records);
}
