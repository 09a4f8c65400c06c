import { generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { type Answer, type FailsByRoute, type FakeHttp, type Received, startFakeHttp } from './http.ts';

export interface Field {
  readonly name: string;
  readonly type: string;
  readonly mode?: string;
  readonly fields?: readonly Field[];
  readonly precision?: string;
  readonly scale?: string;
  readonly maxLength?: string;
}

/** What BigQuery makes of the statements that have `mark` in them. */
export interface Script {
  readonly mark: string;
  /** `SELECT` unless said otherwise. */
  readonly statementType?: string;
  readonly fields?: readonly Field[];
  readonly rows?: readonly (readonly (string | null)[])[];
  readonly bytes?: number;
  readonly accuracy?: string;
  readonly tables?: readonly object[];
  /** Why it is refused, dry or not. */
  readonly refused?: Answer;
  /** Why the job fails, once it is asked for its rows. */
  readonly failing?: Answer;
  /** How often it is not done yet when its rows are asked for. */
  readonly holds?: number;
  /** Starts it somewhere else, where its rows or its failure come from. */
  readonly run?: () => Pending;
}

/** A query that something else carries out; it has no outcome while that is at work. */
export interface Pending {
  outcome(): Pick<Script, 'rows' | 'failing'> | undefined;
  cancel(): void;
}

export interface FakeJob {
  readonly id: string;
  readonly statement: string;
  readonly script: Script;
  readonly configuration: {
    readonly jobTimeoutMs: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly query: Readonly<Record<string, unknown>>;
  };
  readonly location: string;
  readonly pending: Pending | undefined;
  asked: number;
  canceled: boolean;
}

export interface BigQueryState {
  /** The JSON file of the key. */
  readonly key: string;
  /** That of an account that holds none of `permissions`. */
  readonly readersKey: string;
  readonly scripts: Script[];
  /** Scripts by the whole statement; they go before the others. */
  readonly known: Map<string, Script>;
  /** Is awaited before a request is answered. */
  ahead: (request: Received) => Promise<void>;
  readonly jobs: Map<string, FakeJob>;
  /** By dataset, the names of tables. */
  readonly datasets: Map<string, string[]>;
  /** Datasets as their own request shows them. */
  readonly described: Map<string, object>;
  readonly primaryKeys: Map<string, readonly string[]>;
  readonly permissions: Set<string>;
  /** Where jobs run that name no location. */
  location: string;
  /** Rows that fit into one answer, whatever was asked for. */
  rowsPerPage: number;
  /** The same for names of tables. */
  tablesPerPage: number;
  /** Changes an answer with rows, to spoil it; `page` from 1. */
  spoil:
    | ((answer: Readonly<Record<string, unknown>>, page: number) => Readonly<Record<string, unknown>>)
    | undefined;
}

export type FakeBigQuery = FakeHttp<BigQueryState> & FailsByRoute;

const project = '/bigquery/v2/projects/:project';

const own = generateKeyPairSync('rsa', { modulusLength: 2048 });
const reader = 'reader';
const readersToken = 'token-of-the-reader';

/** The JSON file that Google gives for a key of the service account. */
export function keyFileOf(key: KeyObject, name = 'activate'): string {
  return JSON.stringify({
    type: 'service_account',
    project_id: 'acme-analytics',
    client_email: `${name}@acme-analytics.iam.gserviceaccount.com`,
    private_key: key.export({ type: 'pkcs8', format: 'pem' }),
  });
}

/** A project that answers as the REST reference has it, and looks at signatures; what queries give is scripted. */
export async function startFakeBigQuery(): Promise<FakeBigQuery> {
  const state: BigQueryState = {
    key: keyFileOf(own.privateKey),
    readersKey: keyFileOf(own.privateKey, reader),
    scripts: [],
    known: new Map(),
    ahead: async () => undefined,
    jobs: new Map(),
    datasets: new Map(),
    described: new Map(),
    primaryKeys: new Map(),
    permissions: new Set(),
    location: 'EU',
    rowsPerPage: 10_000,
    tablesPerPage: 2,
    spoil: undefined,
  };
  return startFakeHttp(
    state,
    {
      'POST /token': grant,
      [`POST ${project}/jobs`]: insert,
      [`GET ${project}/jobs`]: (_, { jobs }) => ({
        json: {
          jobs: [...jobs.values()].map(({ id: jobId, location }) => ({ jobReference: { jobId, location } })),
        },
      }),
      [`POST ${project}/jobs/:job/cancel`]: cancel,
      [`GET ${project}/queries/:job`]: results,
      [`GET ${project}/datasets`]: (_, { datasets }) => ({
        json: { datasets: [...datasets.keys()].map((datasetId) => ({ datasetReference: { datasetId } })) },
      }),
      [`POST ${project}/datasets`]: makeDataset,
      [`GET ${project}/datasets/:dataset`]: ({ params }, { described }) => {
        const json = described.get(params['dataset'] ?? '');
        return json === undefined ? refused(404, 'notFound', 'Not found: Dataset') : { json };
      },
      [`GET ${project}/datasets/:dataset/tables`]: tables,
      [`GET ${project}/datasets/:dataset/tables/:table`]: ({ params }, { primaryKeys }) => {
        const columns = primaryKeys.get(`${params['dataset']}.${params['table']}`);
        return { json: columns === undefined ? {} : { tableConstraints: { primaryKey: { columns } } } };
      },
      [`POST ${project}/datasets/:dataset/tables/:table:testIamPermissions`]: (request, { permissions }) => {
        const asked = request.json<{ permissions: string[] }>().permissions;
        const held = request.headers['authorization'] === `Bearer ${readersToken}` ? new Set() : permissions;
        return { json: { permissions: asked.filter((permission) => held.has(permission)) } };
      },
    },
    ({ path, headers }) =>
      path === '/token' || /^Bearer (token-1|token-of-the-reader)$/.test(headers['authorization'] ?? '')
        ? undefined
        : refused(401, 'authError', 'Invalid credentials'),
    (request) => state.ahead(request),
  );
}

function grant({ body }: Received): Answer {
  const assertion = new URLSearchParams(body.toString()).get('assertion') ?? '';
  const [header, claims = '', signature = ''] = assertion.split('.');
  const bytes = Buffer.from(`${header}.${claims}`);
  if (!verify('sha256', bytes, own.publicKey, Buffer.from(signature, 'base64url'))) {
    return { status: 400, json: { error: 'invalid_grant' } };
  }
  const { iss } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { iss: string };
  return { json: { access_token: iss.startsWith(`${reader}@`) ? readersToken : 'token-1' } };
}

/** An answer as BigQuery writes its errors. */
export function refused(
  status: number,
  reason: string,
  message = reason,
  headers: Answer['headers'] = {},
): Answer {
  return {
    status,
    headers,
    json: { error: { code: status, message, errors: [{ reason, message, domain: 'global' }] } },
  };
}

function scriptFor(statement: string, { known, scripts }: BigQueryState): Script {
  const script = known.get(statement) ?? scripts.findLast(({ mark }) => statement.includes(mark));
  if (script === undefined) {
    throw new Error(`Nothing is scripted for: ${statement}`);
  }
  return script;
}

function insert(request: Received, state: BigQueryState): Answer {
  const { jobReference, configuration } = request.json<{
    jobReference: { jobId?: string; location?: string };
    configuration: FakeJob['configuration'] & { dryRun?: boolean };
  }>();
  const statement = String(configuration.query['query']);
  const script = scriptFor(statement, state);
  if (script.refused !== undefined) {
    return script.refused;
  }
  const {
    statementType = 'SELECT',
    fields = [],
    bytes = 0,
    accuracy = 'PRECISE',
    tables: referencedTables,
  } = script;
  if (configuration.dryRun === true) {
    const query = {
      statementType,
      totalBytesProcessed: String(bytes),
      totalBytesProcessedAccuracy: accuracy,
      referencedTables,
      ...(statementType === 'SELECT' ? { schema: { fields } } : {}),
    };
    return { json: { statistics: { query } } };
  }
  const { jobId = '', location = state.location } = jobReference;
  if (!/^[\w-]{1,1024}$/.test(jobId)) {
    return refused(400, 'invalid', 'Invalid job ID');
  }
  if (state.jobs.has(jobId)) {
    return refused(409, 'duplicate', `Already Exists: Job ${jobId}`);
  }
  const pending = script.run?.();
  const job = { id: jobId, statement, script, configuration, location, pending, asked: 0, canceled: false };
  state.jobs.set(jobId, job);
  return { json: { jobReference: { jobId, location }, status: { state: 'RUNNING' } } };
}

/** A job is found in its own location alone. */
function jobIn({ params, query }: Received, { jobs }: BigQueryState): FakeJob | undefined {
  const job = jobs.get(params['job'] ?? '');
  return job?.location === (query.get('location') ?? 'US') ? job : undefined;
}

function cancel(request: Received, state: BigQueryState): Answer {
  const job = jobIn(request, state);
  if (job === undefined) {
    return refused(404, 'notFound', 'Not found: Job');
  }
  job.canceled = true;
  job.pending?.cancel();
  return { json: { job: {} } };
}

function results(request: Received, state: BigQueryState): Answer {
  const job = jobIn(request, state);
  if (job === undefined) {
    return refused(404, 'notFound', 'Not found: Job');
  }
  const { script } = job;
  job.asked += 1;
  if (job.canceled) {
    return refused(400, 'stopped', 'Job execution was cancelled: User requested cancellation');
  }
  const outcome = job.pending === undefined ? script : job.pending.outcome();
  if (outcome === undefined || job.asked <= (script.holds ?? 0)) {
    return { json: { jobComplete: false } };
  }
  const limit = Number(job.configuration.query['maximumBytesBilled']);
  if ((script.bytes ?? 0) > limit) {
    return refused(400, 'bytesBilledLimitExceeded', `Query exceeded limit for bytes billed: ${limit}.`);
  }
  if (outcome.failing !== undefined) {
    return outcome.failing;
  }
  return pageOf(request, outcome.rows ?? [], state);
}

function pageOf(request: Received, rows: NonNullable<Script['rows']>, state: BigQueryState): Answer {
  const from = Number(request.query.get('pageToken') ?? 0);
  const size = Math.min(Number(request.query.get('maxResults')), state.rowsPerPage);
  const to = Math.min(from + size, rows.length);
  const answer = {
    jobComplete: true,
    totalRows: String(rows.length),
    ...(to < rows.length && size > 0 ? { pageToken: String(to) } : {}),
    ...(to > from ? { rows: rows.slice(from, to).map((row) => ({ f: row.map((v) => ({ v })) })) } : {}),
  };
  return { json: state.spoil?.(answer, size === 0 ? 1 : from / size + 1) ?? answer };
}

function makeDataset(request: Received, { described, datasets, permissions }: BigQueryState): Answer {
  if (!permissions.has('bigquery.datasets.create')) {
    return refused(403, 'accessDenied', 'Access Denied');
  }
  const made = request.json<{ datasetReference: { datasetId: string } }>();
  described.set(made.datasetReference.datasetId, made);
  datasets.set(made.datasetReference.datasetId, []);
  return { json: made };
}

function tables({ params, query }: Received, { datasets, tablesPerPage }: BigQueryState): Answer {
  const names = datasets.get(params['dataset'] ?? '') ?? [];
  if (names.includes('(secret)')) {
    return refused(403, 'accessDenied', 'Access Denied');
  }
  const from = Number(query.get('pageToken') ?? 0);
  const to = from + tablesPerPage;
  return {
    json: {
      tables: names.slice(from, to).map((tableId) => ({ tableReference: { tableId } })),
      ...(to < names.length ? { nextPageToken: String(to) } : {}),
    },
  };
}
