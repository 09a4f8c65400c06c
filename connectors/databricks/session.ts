import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Http, HttpAnswer, HttpRequest } from '../../engine/contracts/http.ts';
import type { Limits, Table } from '../../engine/contracts/source.ts';
import {
  allRows,
  bodyOf,
  type Followed,
  follow,
  type Standing,
  type Statement,
  shortOf,
} from '../shared/statements.ts';
import type { Login } from './config.ts';
import { explain, type Failure, notTaken, refusal, vendor } from './errors.ts';
import { type Chunk, type Manifest, resultOf, type Ways } from './results.ts';
import { signed } from './sign.ts';

/** What is asked for, and how its rows are to come. */
export interface Asking {
  /** Values for `:name` in the statement. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** By links to the cloud's storage, for results over 25 MiB. */
  readonly isLarge?: boolean;
  /** It changes something: it is handed in once, and when the answer is lost nobody knows. */
  readonly writes?: boolean;
}

export interface Session {
  readonly login: Login;
  /** Gives the warehouse one statement; whoever begins it reads it to its end, or stops it. */
  begin(statement: string, limits: Limits, asking?: Asking): Followed;
  /** {@link Session.begin}, and all rows of a result that is small. */
  ask(statement: string, limits: Limits, asking?: Asking): Promise<Table>;
  /** Reads something of the workspace's other interfaces. */
  get<T>(path: string, query?: HttpRequest['query']): Promise<T>;
}

interface StatementAnswer {
  readonly statement_id?: string;
  readonly status?: { readonly state?: string; readonly error?: Failure };
  readonly manifest?: Manifest;
  readonly result?: Chunk;
}

const cancelMs = 10_000;
const starting = 'The warehouse was still starting.';

export function sessionOf(login: Login, context: ConnectorContext): Session {
  const http = signed(context.http, login);
  const begin: Session['begin'] = (statement, limits, asking = {}) =>
    follow(vendor, limits, async () => {
      const request = requestOf(statement, login, context, asking);
      const answer = await http.send({
        method: 'POST',
        url: `${login.base}/api/2.0/sql/statements`,
        json: request,
        repeatable: asking.writes !== true,
      });
      if (!answer.ok) {
        throw notTaken(answer, login);
      }
      const taken = bodyOf<StatementAnswer>(answer, vendor);
      if (taken.statement_id === undefined) {
        throw shortOf(vendor, 'an answer without the name of the query');
      }
      return statementOf({ http, storage: context.http, login, limits, id: taken.statement_id }, taken);
    });
  return {
    login,
    begin,
    ask: (statement, limits, asking) => allRows(begin(statement, limits, asking), vendor),
    get: async <T>(path: string, query: HttpRequest['query'] = {}) => {
      const answer = await http.send({ method: 'GET', url: `${login.base}${path}`, query });
      if (!answer.ok) {
        throw refusal(answer, login);
      }
      return bodyOf<T>(answer, vendor);
    },
  };
}

/** The text of a statement says nothing of who asks: only the same text is found in the cache of results. */
function requestOf(
  statement: string,
  { warehouse, catalog }: Login,
  { applicationName }: ConnectorContext,
  { parameters = {}, isLarge = false }: Asking,
): object {
  return {
    warehouse_id: warehouse,
    catalog,
    statement,
    // Not to wait for the end: without its ID nobody could cancel it.
    wait_timeout: '0s',
    format: 'JSON_ARRAY',
    disposition: isLarge ? 'EXTERNAL_LINKS' : 'INLINE',
    parameters: Object.entries(parameters).map(([name, value]) => ({ name, value })),
    query_tags: [{ key: 'app', value: applicationName }],
  };
}

interface Asked {
  readonly http: Http;
  readonly storage: Http;
  readonly login: Login;
  readonly limits: Limits;
  readonly id: string;
}

function statementOf({ http, storage, login, limits, id }: Asked, taken: StatementAnswer): Statement {
  const url = `${login.base}/api/2.0/sql/statements/${encodeURIComponent(id)}`;
  const get = (path: string, signal: AbortSignal): Promise<HttpAnswer> =>
    http.send({ method: 'GET', url: `${url}${path}`, timeoutMs: 120_000, signal });
  const ways: Ways = {
    storage,
    chunk: async (at, signal) => {
      const answer = await get(`/result/chunks/${at}`, signal);
      if (!answer.ok) {
        throw isGone(answer) ? gone() : refusal(answer, login);
      }
      return bodyOf<Chunk>(answer, vendor);
    },
  };
  let known: StatementAnswer | undefined = taken;
  return {
    standing: async (signal) => {
      if (known === undefined) {
        const answer = await get('', signal);
        if (isGone(answer)) {
          return { state: 'failed', error: gone() };
        }
        if (!answer.ok) {
          throw refusal(answer, login);
        }
        known = bodyOf<StatementAnswer>(answer, vendor);
      }
      const standing = standingOf(known, limits, ways);
      known = undefined;
      return standing;
    },
    cancel: async () => {
      await http.send({ method: 'POST', url: `${url}/cancel`, repeatable: true, timeoutMs: cancelMs });
    },
  };
}

function isGone({ status }: HttpAnswer): boolean {
  return status === 404 || status === 410;
}

function gone(): ActivateError {
  return new ActivateError('UNAVAILABLE', 'Databricks does not know the query any more.', {
    fix: 'It is tried again by itself.',
  });
}

function standingOf(
  { status = {}, manifest, result }: StatementAnswer,
  limits: Limits,
  ways: Ways,
): Standing {
  switch (status.state) {
    case 'PENDING':
      return { state: 'running', why: starting };
    case 'RUNNING':
      return { state: 'running' };
    case 'SUCCEEDED':
      return manifest === undefined
        ? { state: 'failed', error: shortOf(vendor, 'a result that says nothing of itself') }
        : doneOf(manifest, result, ways);
    case 'FAILED':
      return { state: 'failed', error: explain(status.error ?? {}, limits) };
    case 'CANCELED':
      return {
        state: 'failed',
        error: new ActivateError('UNAVAILABLE', 'Somebody at Databricks canceled the query.', {
          fix: 'It is tried again by itself.',
        }),
      };
    case 'CLOSED':
      return { state: 'failed', error: gone() };
    default:
      throw shortOf(vendor, 'a state of the query that is none');
  }
}

function doneOf(manifest: Manifest, first: Chunk | undefined, ways: Ways): Standing {
  try {
    return { state: 'done', result: resultOf(manifest, first, ways) };
  } catch (error) {
    if (error instanceof ActivateError) {
      return { state: 'failed', error };
    }
    throw error;
  }
}
