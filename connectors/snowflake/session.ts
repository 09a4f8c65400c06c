import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type Http, type HttpAnswer } from '../../engine/contracts/http.ts';
import type { Limits, Table } from '../../engine/contracts/source.ts';
import {
  allRows,
  bodyOf,
  type Followed,
  follow,
  type Result,
  type Rows,
  type Standing,
  type Statement,
  shortOf,
} from '../shared/statements.ts';
import type { Login } from './config.ts';
import { explain, vendor } from './errors.ts';
import { signed } from './sign.ts';
import { columnOf, type RowType } from './text.ts';

export interface Session {
  readonly login: Login;
  /** Gives Snowflake one statement; whoever begins it reads it to its end, or stops it. */
  begin(statement: string, limits: Limits): Followed;
  /** {@link Session.begin}, and all rows of a result that is small. */
  ask(statement: string, limits: Limits): Promise<Table>;
}

/** What comes with a result, in as far as we read it. */
interface ResultSet {
  readonly code?: string;
  readonly statementHandles?: readonly string[];
  readonly resultSetMetaData?: {
    readonly numRows: number;
    readonly rowType: readonly RowType[];
    /** The first one came with this answer. */
    readonly partitionInfo?: readonly { readonly rowCount: number }[];
  };
  readonly data?: Rows;
}

/** Snowflake keeps the time limit itself; this is for one that went silent. */
const graceMs = 5000;
const cancelMs = 10_000;
const longestPauseMs = 10_000;
const timeWithZone = 'YYYY-MM-DD HH24:MI:SS.FF9 TZHTZM';

export function sessionOf(login: Login, context: ConnectorContext): Session {
  const http = signed(context.http, login, context.now);
  const begin: Session['begin'] = (statement, limits) =>
    follow(
      vendor,
      limits,
      () => submit(http, login, requestOf(statement, login, context, limits), limits),
      graceMs,
    );
  return {
    login,
    begin,
    ask: (statement, limits) => allRows(begin(statement, limits), vendor),
  };
}

/** The text of a statement says nothing of who asks: only the same text is found in the cache of results. */
function requestOf(
  statement: string,
  { role, warehouse, database }: Login,
  { applicationName }: ConnectorContext,
  limits: Limits,
): object {
  return {
    statement,
    timeout: Math.max(1, Math.ceil(limits.timeoutMs / 1000)),
    database,
    ...(role === undefined ? {} : { role }),
    ...(warehouse === undefined ? {} : { warehouse }),
    resultSetMetaData: { format: 'jsonv2' },
    // Only some are taken here, and these names in capital letters.
    parameters: {
      // An account can let several statements come at once.
      MULTI_STATEMENT_COUNT: '1',
      // For a user a number can be set after which every result just ends.
      ROWS_PER_RESULTSET: '0',
      // In MB; by itself a partition can be larger than an answer that is read.
      CLIENT_RESULT_CHUNK_SIZE: '16',
      // How times and bytes inside of a VARIANT are written.
      TIMEZONE: 'UTC',
      DATE_OUTPUT_FORMAT: 'YYYY-MM-DD',
      TIME_OUTPUT_FORMAT: 'HH24:MI:SS.FF9',
      TIMESTAMP_NTZ_OUTPUT_FORMAT: 'YYYY-MM-DD HH24:MI:SS.FF9',
      TIMESTAMP_LTZ_OUTPUT_FORMAT: timeWithZone,
      TIMESTAMP_TZ_OUTPUT_FORMAT: timeWithZone,
      BINARY_OUTPUT_FORMAT: 'HEX',
      QUERY_TAG: JSON.stringify({ app: applicationName }),
    },
  };
}

/** Hands a statement in. When the answer is lost, the same request is made again under its id, and finds it running. */
async function submit(http: Http, login: Login, body: object, limits: Limits): Promise<Statement> {
  const requestId = randomUUID();
  const send = (retry: boolean): Promise<HttpAnswer> =>
    http.send({
      method: 'POST',
      url: `${login.base}/api/v2/statements`,
      // Not to wait for the end: without its handle nobody could cancel it.
      query: { async: true, requestId, retry: retry ? true : undefined },
      json: body,
      repeatable: retry,
    });
  const first = await send(false).then(readable).catch(lost);
  const answer = first === undefined || (await hasPassed(first)) ? readable(await send(true)) : first;
  if (!answer.ok) {
    throw explain(answer, login, limits);
  }
  const { statementHandle } = answer.json() as { readonly statementHandle?: string };
  if (statementHandle === undefined) {
    throw shortOf(vendor, 'an answer without the name of the query');
  }
  return statementOf(http, login, limits, statementHandle, answer);
}

/** The same, unless it says that all is well and breaks off: then it is as lost as one that never came. */
function readable(answer: HttpAnswer): HttpAnswer {
  if (answer.ok) {
    answer.json();
  }
  return answer;
}

function lost(error: unknown): undefined {
  if (error instanceof ActivateError && /^(UNAVAILABLE|OUTCOME_UNKNOWN)$/.test(error.code)) {
    return undefined;
  }
  throw error;
}

/** Whether the trouble that an answer tells of may be over now, after the pause that it asks for. */
async function hasPassed(answer: HttpAnswer): Promise<boolean> {
  if (answer.status !== 429 && answer.status < 500) {
    return false;
  }
  const pauseMs = answer.retryAfterMs ?? 0;
  if (pauseMs > longestPauseMs) {
    throw errorOf(answer, vendor);
  }
  await sleep(pauseMs);
  return true;
}

function statementOf(
  http: Http,
  login: Login,
  limits: Limits,
  handle: string,
  submitted: HttpAnswer,
): Statement {
  const url = `${login.base}/api/v2/statements/${encodeURIComponent(handle)}`;
  const fetchPart = async (partition: number, signal: AbortSignal): Promise<Rows> => {
    const answer = await http.send({ method: 'GET', url, query: { partition }, timeoutMs: 120_000, signal });
    if (answer.status !== 200) {
      throw explain(answer, login, limits);
    }
    return bodyOf<ResultSet>(answer, vendor).data ?? [];
  };
  let known: HttpAnswer | undefined = submitted.status === 200 ? submitted : undefined;
  return {
    standing: async (signal) => {
      const answer = known ?? (await http.send({ method: 'GET', url, timeoutMs: 120_000, signal }));
      known = undefined;
      return standingOf(answer, login, limits, fetchPart);
    },
    cancel: async () => {
      await http.send({ method: 'POST', url: `${url}/cancel`, repeatable: true, timeoutMs: cancelMs });
    },
  };
}

function standingOf(
  answer: HttpAnswer,
  login: Login,
  limits: Limits,
  fetchPart: (partition: number, signal: AbortSignal) => Promise<Rows>,
): Standing {
  switch (answer.status) {
    case 200: {
      const set = bodyOf<ResultSet>(answer, vendor);
      const trouble = troubleIn(set);
      return trouble === undefined
        ? { state: 'done', result: resultOf(set, fetchPart) }
        : { state: 'failed', error: trouble };
    }
    case 202:
      return { state: 'running' };
    case 404:
    case 408:
    case 410:
    case 422:
      return { state: 'failed', error: explain(answer, login, limits) };
    default:
      throw explain(answer, login, limits);
  }
}

/** Why an answer that says that all went well is none. */
function troubleIn(set: ResultSet): ActivateError | undefined {
  if (set.statementHandles !== undefined) {
    return new ActivateError('SQL_UNSAFE', 'The query is more than one statement.', {
      fix: 'Use one SELECT.',
    });
  }
  // “The result set is too large”: it is there, but not all of it.
  return set.code === '391908' || set.resultSetMetaData === undefined
    ? shortOf(vendor, 'a result that it had to cut')
    : undefined;
}

function resultOf(
  { resultSetMetaData: about, data = [] }: ResultSet,
  fetchPart: (partition: number, signal: AbortSignal) => Promise<Rows>,
): Result {
  const parts = about?.partitionInfo ?? [{ rowCount: data.length }];
  return {
    columns: (about?.rowType ?? []).map(columnOf),
    rowCount: about?.numRows ?? 0,
    pieces: async function* (signal) {
      for (const [at, { rowCount }] of parts.entries()) {
        const rows = at === 0 ? data : await fetchPart(at, signal);
        if (rows.length !== rowCount) {
          throw shortOf(vendor, `${rows.length} rows in a part of the result that has ${rowCount}`);
        }
        yield rows;
      }
    },
  };
}
