import { createHash, generateKeyPairSync, randomUUID, verify } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { type Answer, type FailsByRoute, type FakeHttp, type Received, startFakeHttp } from './http.ts';

export type Cells = readonly (string | null)[];

export interface RowType {
  readonly name: string;
  readonly type: string;
  readonly precision?: number;
  readonly scale?: number;
  readonly nullable?: boolean;
}

/** What a statement comes to. */
export type Outcome =
  | {
      readonly columns: readonly RowType[];
      readonly rows: readonly Cells[];
      /** How many rows each partition has; all in one unless said otherwise. */
      readonly parts?: readonly number[];
    }
  | { readonly code: string; readonly message: string; readonly status?: number };

/** A statement that something else carries out; it has no outcome while that is at work. */
export interface Pending {
  outcome(): Outcome | undefined;
  cancel(): void;
}

/** The body of a request to carry out a statement. */
export interface Asked {
  readonly statement: string;
  readonly timeout?: number;
  readonly database?: string;
  readonly role?: string;
  readonly warehouse?: string;
  readonly parameters?: Readonly<Record<string, string>>;
}

interface Held {
  readonly handle: string;
  readonly asked: Asked;
  readonly pending: Pending;
  /** So many times more it answers that it still runs. */
  runsFor: number;
  state: 'running' | 'over' | 'canceled';
}

export interface SnowflakeState {
  readonly account: string;
  readonly user: string;
  readonly privateKey: string;
  readonly publicKey: string;
  /** A programmatic access token. */
  readonly token: string;
  readonly oauth: { readonly clientId: string; readonly clientSecret: string; readonly refreshToken: string };
  now: () => Date;
  /** Statements by what they must match, the first that fits; a function sees the text. */
  readonly script: (readonly [RegExp, Outcome | ((statement: string) => Outcome)])[];
  /** Carries out what no pattern is for. */
  run: ((asked: Asked) => Pending) | undefined;
  readonly statements: Map<string, Held>;
  readonly byRequest: Map<string, string>;
  readonly canceled: string[];
  /** New statements run for so many questions. */
  runsFor: number;
  /** What is set for the user, and counts where a request does not say otherwise. */
  defaults: Readonly<Record<string, string>>;
  /** OAuth tokens that it gave. */
  readonly granted: Set<string>;
  /** Changes what a result says of itself. */
  bend: (result: Record<string, unknown>) => Record<string, unknown>;
  /** Tokens signed before this are too old, in seconds. */
  signedSince: number;
}

export type FakeSnowflake = FakeHttp<SnowflakeState> & FailsByRoute;

export const fixed = (name: string, precision = 38, scale = 0): RowType => ({
  name,
  type: 'fixed',
  precision,
  scale,
});
export const text = (name: string): RowType => ({ name, type: 'text' });

const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** An account that answers as the SQL API reference has it, and looks at every signature. */
export async function startFakeSnowflake(): Promise<FakeSnowflake> {
  const { privateKey, publicKey } = keys;
  const state: SnowflakeState = {
    account: 'MYORG-MYACCOUNT',
    user: 'ACTIVATE',
    privateKey: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    publicKey: String(publicKey.export({ type: 'spki', format: 'pem' })),
    token: 'pat-pat-pat-pat',
    oauth: { clientId: 'client-1', clientSecret: 'client-secret', refreshToken: 'refresh-refresh' },
    now: () => new Date(),
    script: [],
    run: undefined,
    statements: new Map(),
    byRequest: new Map(),
    canceled: [],
    runsFor: 1,
    defaults: {},
    granted: new Set(),
    bend: (result) => result,
    signedSince: 0,
  };
  return startFakeHttp(
    state,
    {
      'POST /oauth/token-request': grant,
      'POST /api/v2/statements': submit,
      'GET /api/v2/statements/:handle': look,
      'POST /api/v2/statements/:handle/cancel': cancel,
    },
    guard,
  );
}

function refusal(status: number, code: string, message: string): Answer {
  return { status, json: { code, message: `${message} [${randomUUID()}]` } };
}

function guard(request: Received, state: SnowflakeState): Answer | undefined {
  if (request.path.startsWith('/oauth/')) {
    return undefined;
  }
  if (request.headers['user-agent'] === undefined) {
    return refusal(400, '391903', 'The User-Agent header is missing.');
  }
  const token = request.headers['authorization']?.replace(/^Bearer /, '') ?? '';
  switch (request.headers['x-snowflake-authorization-token-type']) {
    case 'KEYPAIR_JWT':
      return isSigned(token, state) ? undefined : refusal(401, '390144', 'JWT token is invalid.');
    case 'PROGRAMMATIC_ACCESS_TOKEN':
      return token === state.token
        ? undefined
        : refusal(401, '394400', 'Programmatic access token is invalid.');
    case 'OAUTH':
      return state.granted.has(token) ? undefined : refusal(401, '390318', 'OAuth access token expired.');
    default:
      return refusal(401, '390303', 'Invalid OAuth access token.');
  }
}

/** As the page on authentication has it: issuer with the fingerprint of the public key, subject, an hour at most. */
function isSigned(token: string, state: SnowflakeState): boolean {
  const [header = '', claims = '', signature = ''] = token.split('.');
  const said = JSON.parse(Buffer.from(claims, 'base64url').toString() || '{}') as {
    iss?: string;
    sub?: string;
    iat?: number;
    exp?: number;
  };
  const der = Buffer.from(state.publicKey.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
  const fingerprint = createHash('sha256').update(der).digest('base64');
  const subject = `${state.account}.${state.user}`;
  const nowS = state.now().getTime() / 1000;
  const { iat = 0, exp = 0 } = said;
  return (
    said.iss === `${subject}.SHA256:${fingerprint}` &&
    said.sub === subject &&
    iat >= state.signedSince &&
    iat <= nowS + 60 &&
    exp > nowS &&
    exp - iat <= 3600 &&
    verify('sha256', Buffer.from(`${header}.${claims}`), state.publicKey, Buffer.from(signature, 'base64url'))
  );
}

function grant(request: Received, state: SnowflakeState): Answer {
  const { clientId, clientSecret, refreshToken } = state.oauth;
  const form = new URLSearchParams(request.body.toString());
  const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
  if (
    request.headers['authorization'] !== `Basic ${basic}` ||
    form.get('grant_type') !== 'refresh_token' ||
    form.get('refresh_token') !== refreshToken
  ) {
    return { status: 400, json: { error: 'invalid_grant', message: 'Refresh token is invalid.' } };
  }
  const token = `oauth-${state.granted.size + 1}`;
  state.granted.add(token);
  return { json: { access_token: token, token_type: 'Bearer', expires_in: 600 } };
}

/** Those that the reference lists. In small letters they are taken, and have no effect. */
const parameters =
  /^(((DATE|TIME|TIMESTAMP(_LTZ|_NTZ|_TZ)?|BINARY)_OUTPUT_FORMAT)|TIMEZONE|QUERY_TAG|USE_CACHED_RESULT|MULTI_STATEMENT_COUNT|ROWS_PER_RESULTSET|CLIENT_RESULT_CHUNK_SIZE)$/;

function submit(request: Received, state: SnowflakeState): Answer {
  const requestId = request.query.get('requestId') ?? randomUUID();
  const known = state.byRequest.get(requestId);
  // Without `retry` it would be carried out once more.
  if (known !== undefined && request.query.get('retry') === 'true') {
    return standing(state.statements.get(known) as Held, 0, state);
  }
  const asked = request.json<Asked>();
  const strange = Object.keys(asked.parameters ?? {}).find((name) => !parameters.test(name));
  if (strange !== undefined) {
    return refusal(400, '391917', `Invalid parameter. '${strange}' is not allowed or invalid for SQL API.`);
  }
  const counted = Number(parameter(asked, state, 'MULTI_STATEMENT_COUNT') ?? 1);
  const bare = asked.statement.replaceAll(
    /'(?:[^'\\]|\\.|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\//g,
    '',
  );
  const statements = bare.split(';').filter((part) => part.trim() !== '').length;
  if (counted !== 0 && counted !== statements) {
    return refusal(
      422,
      '000008',
      `Actual statement count ${statements} did not match the desired statement count ${counted}.`,
    );
  }
  const held: Held = {
    handle: `01b0-${state.statements.size + 1}`,
    asked,
    pending: pendingOf(asked, state),
    runsFor: state.runsFor,
    state: 'running',
  };
  state.statements.set(held.handle, held);
  state.byRequest.set(requestId, held.handle);
  // Asked to be asynchronous it never waits.
  return standing({ ...held, runsFor: 1 }, 0, state);
}

function pendingOf(asked: Asked, state: SnowflakeState): Pending {
  const { statement } = asked;
  const found = state.script.find(([pattern]) => pattern.test(statement))?.[1];
  if (found === undefined) {
    if (state.run === undefined) {
      throw new Error(`no outcome for: ${statement}`);
    }
    return state.run(asked);
  }
  const outcome = typeof found === 'function' ? found(statement) : found;
  return { outcome: () => outcome, cancel: () => undefined };
}

function parameter(asked: Asked, state: SnowflakeState, name: string): string | undefined {
  return asked.parameters?.[name] ?? state.defaults[name];
}

function look(request: Received, state: SnowflakeState): Answer {
  const held = state.statements.get(request.params['handle'] ?? '');
  if (held === undefined) {
    return refusal(404, '390404', 'The statement was not found.');
  }
  return standing(held, Number(request.query.get('partition') ?? 0), state);
}

function standing(held: Held, partition: number, state: SnowflakeState): Answer {
  if (held.state === 'canceled') {
    return refusal(422, '000604', 'SQL execution canceled');
  }
  const outcome = held.pending.outcome();
  if (held.runsFor > 0 || outcome === undefined) {
    held.runsFor -= 1;
    return {
      status: 202,
      json: {
        code: '333334',
        message: 'Asynchronous execution in progress.',
        statementHandle: held.handle,
        statementStatusUrl: `/api/v2/statements/${held.handle}`,
      },
    };
  }
  held.state = 'over';
  if ('code' in outcome) {
    return {
      status: outcome.status ?? 422,
      json: { ...outcome, sqlState: '42601', statementHandle: held.handle },
    };
  }
  return resultAnswer(held, outcome, partition, state);
}

function resultAnswer(
  held: Held,
  outcome: Extract<Outcome, { rows: unknown }>,
  partition: number,
  state: SnowflakeState,
): Answer {
  const most = Number(parameter(held.asked, state, 'ROWS_PER_RESULTSET') ?? 0);
  const rows = most === 0 ? outcome.rows : outcome.rows.slice(0, most);
  const parts = most === 0 ? (outcome.parts ?? [rows.length]) : [rows.length];
  const from = parts.slice(0, partition).reduce((sum, count) => sum + count, 0);
  const data = rows.slice(from, from + (parts[partition] ?? 0));
  if (partition > 0) {
    return {
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      text: gzipSync(JSON.stringify(state.bend({ data }))),
    };
  }
  return {
    json: state.bend({
      code: '090001',
      message: 'Statement executed successfully.',
      sqlState: '00000',
      statementHandle: held.handle,
      statementStatusUrl: `/api/v2/statements/${held.handle}`,
      createdOn: 1,
      resultSetMetaData: {
        numRows: rows.length,
        format: 'jsonv2',
        rowType: outcome.columns,
        partitionInfo: parts.map((rowCount) => ({ rowCount, uncompressedSize: 1000 })),
      },
      data,
    }),
  };
}

function cancel(request: Received, state: SnowflakeState): Answer {
  const handle = request.params['handle'] ?? '';
  const held = state.statements.get(handle);
  if (held === undefined) {
    return refusal(404, '390404', 'The statement was not found.');
  }
  if (held.state === 'over') {
    return refusal(422, '000605', 'Identified SQL statement is not currently executing.');
  }
  held.state = 'canceled';
  held.pending.cancel();
  state.canceled.push(handle);
  return { json: { code: '000000', message: 'successfully canceled', statementHandle: handle } };
}
