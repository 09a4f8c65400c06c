import { randomUUID } from 'node:crypto';
import { type Answer, type FailsByRoute, type FakeHttp, type Received, startFakeHttp } from './http.ts';

export type Cells = readonly (string | null)[];

/** A column: its name, and its type as SQL writes it. */
export type Typed = readonly [name: string, type: string];

/** What a statement comes to. */
export type Outcome =
  | {
      readonly columns: readonly Typed[];
      readonly rows: readonly Cells[];
      /** How many rows each chunk has; all in one unless said otherwise. */
      readonly parts?: readonly number[];
    }
  | { readonly code: string; readonly message: string };

/** A statement that something else carries out; it has no outcome while that is at work. */
export interface Pending {
  outcome(): Outcome | undefined;
  cancel(): void;
}

/** The body of a request to carry out a statement. */
export interface Asked {
  readonly statement: string;
  readonly warehouse_id?: string;
  readonly catalog?: string;
  readonly disposition?: string;
  readonly wait_timeout?: string;
  readonly parameters?: readonly { readonly name: string; readonly value: string }[];
  readonly query_tags?: readonly { readonly key: string; readonly value: string }[];
}

export interface Held {
  readonly id: string;
  readonly asked: Asked;
  readonly pending: Pending;
  /** So many times more it answers that it waits for the warehouse, and then that it runs. */
  waitsFor: number;
  runsFor: number;
  state: 'running' | 'over' | 'canceled' | 'closed';
}

export interface DatabricksState {
  readonly token: string;
  readonly oauth: { readonly clientId: string; readonly clientSecret: string };
  readonly warehouse: string;
  /** Statements by what they must match, the first that fits. */
  readonly script: (readonly [RegExp, Outcome])[];
  /** Carries out what no pattern is for. */
  run: ((asked: Asked) => Pending) | undefined;
  readonly statements: Map<string, Held>;
  readonly canceled: string[];
  /** OAuth tokens that it gave and still takes. */
  readonly granted: Set<string>;
  waitsFor: number;
  runsFor: number;
  /** Groups that the principal is in; undefined when it may not ask. */
  groups: readonly string[] | undefined;
  /** Pages of `table-summaries`, each with the full names of its tables. */
  pages: readonly (readonly string[])[];
  /** Links made from now on run out at once. */
  linksAreOld: boolean;
  /** Where links lead to, without a slash at the end. */
  storageUrl: string;
  /** Headers that the storage wants to see. */
  storageHeaders: Readonly<Record<string, string>>;
  /** Changes what the workspace answers to a question for a result. */
  bend: (answer: Record<string, unknown>) => Record<string, unknown>;
  /** Changes what the storage gives out. */
  bendRows: (rows: readonly Cells[], chunk: number) => unknown;
}

/** The storage of a cloud: it knows links by their signature, and refuses whoever shows a sign-in. */
export interface StorageState {
  readonly links: Map<string, { readonly isOld: boolean; read(): unknown }>;
  wants: () => Readonly<Record<string, string>>;
}

export interface FakeDatabricks {
  readonly workspace: FakeHttp<DatabricksState> & FailsByRoute;
  readonly storage: FakeHttp<StorageState> & FailsByRoute;
  readonly state: DatabricksState;
  expectNoUnexpected(): void;
  close(): Promise<void>;
}

/** A workspace that answers as the reference of the Statement Execution API has it, and the storage beside it. */
export async function startFakeDatabricks(): Promise<FakeDatabricks> {
  const store: StorageState = { links: new Map(), wants: () => ({}) };
  const storage = await startFakeHttp(store, { 'GET /results/:chunk': give });
  const state: DatabricksState = {
    token: 'dapi-secret-secret',
    oauth: { clientId: 'client-1', clientSecret: 'client-secret' },
    warehouse: 'a1b2c3d4e5f6a7b8',
    script: [],
    run: undefined,
    statements: new Map(),
    canceled: [],
    granted: new Set(),
    waitsFor: 0,
    runsFor: 1,
    groups: [],
    pages: [[]],
    linksAreOld: false,
    storageUrl: storage.url,
    storageHeaders: {},
    bend: (answer) => answer,
    bendRows: (rows) => rows,
  };
  store.wants = () => state.storageHeaders;
  const workspace = await startFakeHttp(
    state,
    {
      'POST /oidc/v1/token': grant,
      'POST /api/2.0/sql/statements': submit,
      'GET /api/2.0/sql/statements/:id': (request) => look(request, state, store),
      'GET /api/2.0/sql/statements/:id/result/chunks/:chunk': (request) => chunkOf(request, state, store),
      'POST /api/2.0/sql/statements/:id/cancel': cancel,
      'GET /api/2.0/preview/scim/v2/Me': me,
      'GET /api/2.1/unity-catalog/table-summaries': tables,
    },
    guard,
  );
  return {
    workspace,
    storage,
    state,
    expectNoUnexpected: () => {
      workspace.expectNoUnexpected();
      storage.expectNoUnexpected();
    },
    close: async () => {
      await Promise.all([workspace.close(), storage.close()]);
    },
  };
}

function refusal(status: number, code: string, message: string): Answer {
  return { status, json: { error_code: code, message } };
}

function guard(request: Received, state: DatabricksState): Answer | undefined {
  const token = request.headers['authorization']?.replace(/^Bearer /, '') ?? '';
  return request.path === '/oidc/v1/token' || token === state.token || state.granted.has(token)
    ? undefined
    : refusal(401, 'UNAUTHENTICATED', 'Request to create a cluster lacks valid credentials.');
}

function grant(request: Received, state: DatabricksState): Answer {
  const { clientId, clientSecret } = state.oauth;
  const form = new URLSearchParams(request.body.toString());
  const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
  if (
    request.headers['authorization'] !== `Basic ${basic}` ||
    form.get('grant_type') !== 'client_credentials' ||
    form.get('scope') !== 'all-apis'
  ) {
    return {
      status: 401,
      json: { error: 'invalid_client', error_description: 'Client authentication failed' },
    };
  }
  const token = `oauth-token-${randomUUID()}`;
  state.granted.add(token);
  return { json: { access_token: token, token_type: 'Bearer', expires_in: 3600 } };
}

function submit(request: Received, state: DatabricksState): Answer {
  const asked = request.json<Asked>();
  if (asked.warehouse_id !== state.warehouse) {
    return refusal(400, 'INVALID_PARAMETER_VALUE', `${asked.warehouse_id} is not a valid endpoint id.`);
  }
  const found = state.script.find(([pattern]) => pattern.test(asked.statement))?.[1];
  const bare = asked.statement.replaceAll(
    /'(?:[^'\\]|\\.|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|--[^\n]*|\/\*[\s\S]*?\*\//g,
    '',
  );
  const outcome: Outcome | undefined = /;\s*\S/.test(bare)
    ? { code: 'BAD_REQUEST', message: "[PARSE_SYNTAX_ERROR] Syntax error at or near ';': extra input" }
    : found;
  if (outcome === undefined && state.run === undefined) {
    throw new Error(`no outcome for: ${asked.statement}`);
  }
  const scripted: Pending = { outcome: () => outcome, cancel: () => undefined };
  const held: Held = {
    id: `01ef-${state.statements.size + 1}`,
    asked,
    pending: outcome === undefined ? (state.run?.(asked) ?? scripted) : scripted,
    waitsFor: state.waitsFor,
    runsFor: state.runsFor,
    state: 'running',
  };
  state.statements.set(held.id, held);
  if (asked.wait_timeout !== '0s') {
    throw new Error('the fake knows asynchronous statements only');
  }
  return { json: { statement_id: held.id, status: { state: 'PENDING' } } };
}

function look(request: Received, state: DatabricksState, store: StorageState): Answer {
  const held = state.statements.get(request.params['id'] ?? '');
  if (held === undefined) {
    return refusal(404, 'RESOURCE_DOES_NOT_EXIST', 'The statement does not exist.');
  }
  return { json: state.bend({ statement_id: held.id, ...standing(held, state, store) }) };
}

function standing(held: Held, state: DatabricksState, store: StorageState): Record<string, unknown> {
  if (held.state === 'canceled' || held.state === 'closed') {
    return { status: { state: held.state === 'canceled' ? 'CANCELED' : 'CLOSED' } };
  }
  if (held.waitsFor > 0) {
    held.waitsFor -= 1;
    return { status: { state: 'PENDING' } };
  }
  const outcome = held.pending.outcome();
  if (held.runsFor > 0 || outcome === undefined) {
    held.runsFor -= 1;
    return { status: { state: 'RUNNING' } };
  }
  held.state = 'over';
  if ('code' in outcome) {
    return { status: { state: 'FAILED', error: { error_code: outcome.code, message: outcome.message } } };
  }
  const parts = partsOf(outcome);
  return {
    status: { state: 'SUCCEEDED' },
    manifest: {
      format: 'JSON_ARRAY',
      schema: {
        column_count: outcome.columns.length,
        columns: outcome.columns.map(([name, type], position) => ({
          name,
          type_text: type,
          type_name: type.replace(/[^A-Z_].*/, ''),
          position,
        })),
      },
      total_chunk_count: parts.length,
      total_row_count: outcome.rows.length,
      truncated: false,
      chunks: parts.map((count, index) => ({
        chunk_index: index,
        row_offset: offsetOf(parts, index),
        row_count: count,
      })),
    },
    result: parts.length === 0 ? {} : part(held, outcome, 0, state, store),
  };
}

type Success = Extract<Outcome, { rows: unknown }>;

function partsOf({ rows, parts }: Success): readonly number[] {
  return parts ?? (rows.length === 0 ? [] : [rows.length]);
}

function offsetOf(parts: readonly number[], index: number): number {
  return parts.slice(0, index).reduce((sum, count) => sum + count, 0);
}

/** One chunk: its rows, or a link to them, with the way to the next one. */
function part(
  held: Held,
  outcome: Success,
  index: number,
  state: DatabricksState,
  store: StorageState,
): Record<string, unknown> {
  const parts = partsOf(outcome);
  const from = offsetOf(parts, index);
  const count = parts[index] ?? 0;
  const rows = outcome.rows.slice(from, from + count);
  const path = `/api/2.0/sql/statements/${held.id}/result/chunks/${index + 1}`;
  const next =
    index + 1 < parts.length ? { next_chunk_index: index + 1, next_chunk_internal_link: path } : {};
  const about = { chunk_index: index, row_offset: from, row_count: count, ...next };
  if (held.asked.disposition === 'INLINE') {
    return { ...about, data_array: rows };
  }
  const signature = randomUUID();
  store.links.set(signature, { isOld: state.linksAreOld, read: () => state.bendRows(rows, index) });
  return {
    external_links: [
      {
        ...about,
        byte_count: 100,
        external_link: `${state.storageUrl}/results/${index}?X-Amz-Signature=${signature}`,
        http_headers: state.storageHeaders,
        expiration: new Date(Date.now() + 900_000).toISOString(),
      },
    ],
  };
}

function chunkOf(request: Received, state: DatabricksState, store: StorageState): Answer {
  const held = state.statements.get(request.params['id'] ?? '');
  const outcome = held?.pending.outcome();
  if (held === undefined || outcome === undefined || 'code' in outcome) {
    return refusal(404, 'RESOURCE_DOES_NOT_EXIST', 'The statement does not exist.');
  }
  return { json: state.bend(part(held, outcome, Number(request.params['chunk']), state, store)) };
}

/** Cancelling is taken in any case, and has no effect on what is over. */
function cancel(request: Received, state: DatabricksState): Answer {
  const held = state.statements.get(request.params['id'] ?? '');
  if (held === undefined) {
    return refusal(404, 'RESOURCE_DOES_NOT_EXIST', 'The statement does not exist.');
  }
  if (held.state === 'running') {
    held.state = 'canceled';
    held.pending.cancel();
    state.canceled.push(held.id);
  }
  return { json: {} };
}

function me(_: Received, { groups }: DatabricksState): Answer {
  return groups === undefined
    ? refusal(403, 'PERMISSION_DENIED', 'Not allowed.')
    : { json: { userName: 'app-1', groups: groups.map((display) => ({ display })) } };
}

function tables(request: Received, { pages }: DatabricksState): Answer {
  const page = Number(request.query.get('page_token') ?? 0);
  const pattern = (request.query.get('table_name_pattern') ?? '%').replaceAll('%', '.*').replaceAll('_', '.');
  const names = (pages[page] ?? []).filter((name) =>
    new RegExp(`^${pattern}$`).test(name.split('.')[2] ?? ''),
  );
  return {
    json: {
      ...(names.length === 0
        ? {}
        : { tables: names.map((name) => ({ full_name: name, table_type: 'MANAGED' })) }),
      ...(page + 1 < pages.length ? { next_page_token: String(page + 1) } : {}),
    },
  };
}

function give(request: Received, store: StorageState): Answer {
  const xml = (code: string, message: string): Answer => ({
    status: 403,
    headers: { 'content-type': 'application/xml' },
    text: `<Error><Code>${code}</Code><Message>${message}</Message></Error>`,
  });
  if (request.headers['authorization'] !== undefined) {
    return { status: 400, text: '<Error><Code>InvalidArgument</Code></Error>' };
  }
  const link = store.links.get(request.query.get('X-Amz-Signature') ?? '');
  if (link === undefined) {
    return xml('SignatureDoesNotMatch', 'no');
  }
  if (Object.entries(store.wants()).some(([name, value]) => request.headers[name] !== value)) {
    return xml('AccessDenied', 'headers are missing');
  }
  return link.isOld ? xml('AccessDenied', 'Request has expired') : { json: link.read() };
}
