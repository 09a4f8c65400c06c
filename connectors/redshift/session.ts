import type { Client, FieldDef, Pool, PoolClient, PoolConfig, QueryArrayConfig, QueryConfig } from 'pg';
import type { ActivateError } from '../../engine/contracts/errors.ts';
import type { Limits } from '../../engine/contracts/source.ts';
import { withoutSemicolon } from '../../engine/contracts/sql.ts';
import { cancel, dropAfter } from './cancel.ts';
import { clientConfig, type Login } from './config.ts';
import { type Asked, explain } from './errors.ts';

export interface Rows {
  readonly fields: readonly FieldDef[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/** A statement of ours around a person's query. */
export interface Wrapped {
  readonly before: string;
  readonly sql: string;
  readonly after: string;
}

/** One transaction on one connection. */
export interface Reader {
  /** One statement, over the extended protocol, in which the server itself refuses a second one. */
  ask(text: string | Wrapped, values?: readonly string[]): Promise<Rows>;
  /** The next rows of the cursor that was declared with this text. */
  fetch(rows: number, cursor: Wrapped): Promise<Rows['rows']>;
  /**
   * Ends the transaction, and nothing of it stays; a second time it does nothing. With `stop`, what still runs is canceled at the server first. With
   * `commit` it stays, and what goes wrong is thrown.
   */
  end(how?: 'stop' | 'commit'): Promise<void>;
}

export type Access = 'READ ONLY' | 'READ WRITE';

export interface Session {
  readonly login: Login;
  begin(limits: Limits, access?: Access): Promise<Reader>;
  /** {@link Session.begin}, work, and the end in any case. */
  read<T>(limits: Limits, work: (reader: Reader) => Promise<T>): Promise<T>;
  /** One statement of ours that writes, in a transaction of its own under the settings of a reading. */
  execute(statement: string, limits: Limits): Promise<void>;
  close(): Promise<void>;
}

/** Opens nothing yet: the pool connects when asked. */
export async function createSession(login: Login, applicationName: string): Promise<Session> {
  const { default: pg } = await import('pg');
  const settings = clientConfig(login, applicationName);
  const pool = new pg.Pool({
    ...(settings as PoolConfig),
    max: 4,
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: true,
  });
  // A connection that is lost says so to the query at work; unheard, the event would end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  const newClient = (): Client => new pg.Client(settings);
  const begin: Session['begin'] = (limits, access = 'READ ONLY') =>
    beginOn({ pool, newClient, login }, limits, access);
  return {
    login,
    begin,
    read: async (limits, work) => {
      const reader = await begin(limits);
      try {
        return await work(reader);
      } finally {
        await reader.end();
      }
    },
    execute: async (statement, limits) => {
      const reader = await begin(limits, 'READ WRITE');
      try {
        await reader.ask(statement);
      } catch (error) {
        await reader.end();
        throw error;
      }
      await reader.end('commit');
    },
    close: () => pool.end(),
  };
}

/** The transaction, and settings under which a value always has the same text. */
export function opening(
  { queryGroup }: Pick<Login, 'queryGroup'>,
  timeoutMs: number,
  access: Access,
): string {
  return [
    `BEGIN ${access}`,
    // Before all others, which may have to wait in a queue.
    ...(queryGroup === undefined ? [] : [`SET LOCAL query_group TO '${queryGroup}'`]),
    `SET LOCAL statement_timeout TO ${Math.ceil(timeoutMs)}`,
    "SET LOCAL timezone TO 'UTC'",
    "SET LOCAL datestyle TO 'ISO, YMD'",
    'SET LOCAL extra_float_digits TO 2',
    'SELECT pg_backend_pid() AS pid',
  ].join('; ');
}

interface Place {
  readonly pool: Pool;
  readonly login: Login;
  newClient(): Client;
}

type Failed = (thrown: unknown, query?: Asked['query']) => ActivateError;

async function beginOn(place: Place, limits: Limits, access: Access): Promise<Reader> {
  const { pool, login } = place;
  const asked: Asked = { limits, startedAt: performance.now() };
  const failed: Failed = (thrown, query) =>
    explain(thrown, login, query === undefined ? asked : { ...asked, query });
  if (limits.signal?.aborted === true) {
    throw failed(limits.signal.reason);
  }
  const client = await pool.connect().catch((thrown: unknown) => {
    throw failed(thrown);
  });
  try {
    // Several statements at once, which only the simple protocol can; nothing of a person's is in them.
    const text = opening(login, limits.timeoutMs, access);
    const results = (await client.query({
      text,
      query_timeout: silenceAfter(limits),
    } as QueryConfig)) as unknown as {
      rows: { pid: string }[];
    }[];
    const pid = results.at(-1)?.rows[0]?.pid ?? '';
    return reading(client, () => cancel(place.newClient(), pid), limits, failed);
  } catch (thrown) {
    client.release(true);
    throw failed(thrown);
  }
}

function reading(
  client: PoolClient,
  cancelThere: () => Promise<void>,
  limits: Limits,
  failed: Failed,
): Reader {
  let stopping: Promise<void> | undefined;
  let broken = false;
  let isOver = false;
  const silences: ReturnType<typeof dropAfter>[] = [];
  const stop = (): void => {
    if (stopping === undefined) {
      stopping = cancelThere();
      silences.push(dropAfter(client));
    }
  };
  limits.signal?.addEventListener('abort', stop, { once: true });
  if (limits.signal?.aborted === true) {
    stop();
  }
  const question = async (
    more: QueryArrayConfig & { queryMode?: string },
    query?: Asked['query'],
  ): Promise<Rows> => {
    try {
      const asked = { ...more, query_timeout: silenceAfter(limits) };
      return await client.query<(string | null)[]>(asked);
    } catch (thrown) {
      broken ||= (thrown as { severity?: string }).severity === undefined;
      throw failed(thrown, query);
    }
  };
  return {
    ask: (wrapped, values = []) => {
      const { text, query } = written(wrapped);
      return question({ text, values: [...values], rowMode: 'array', queryMode: 'extended' }, query);
    },
    fetch: async (rows, cursor) => {
      const text = `FETCH FORWARD ${Math.trunc(rows)} FROM ${cursorName}`;
      return (await question({ text, rowMode: 'array' }, written(cursor).query)).rows;
    },
    end: async (how) => {
      if (isOver) {
        return;
      }
      isOver = true;
      limits.signal?.removeEventListener('abort', stop);
      if (how === 'stop') {
        stop();
        broken = true;
      }
      await stopping;
      let failure: unknown;
      if (!broken) {
        const text = how === 'commit' ? 'COMMIT' : 'ROLLBACK';
        await client
          .query({ text, query_timeout: silenceAfter(limits) } as QueryConfig)
          .catch((thrown: unknown) => {
            broken = true;
            failure = thrown;
          });
      }
      for (const silence of silences) {
        silence.answered();
      }
      client.release(broken);
      if (how === 'commit' && failure !== undefined) {
        throw failed(failure);
      }
    },
  };
}

/** There can be one per session only. */
export const cursorName = 'activate_rows';

/** In ms. The server keeps the limit; this is for a server that went silent. */
function silenceAfter(limits: Limits): number {
  return limits.timeoutMs + 5000;
}

function written(wrapped: string | Wrapped): { readonly text: string; readonly query?: Asked['query'] } {
  if (typeof wrapped === 'string') {
    return { text: wrapped };
  }
  const sql = withoutSemicolon(wrapped.sql, 'redshift');
  // Lines of their own: a query may end in a `--` comment.
  const before = `${wrapped.before}\n`;
  return { text: `${before}${sql}\n${wrapped.after}`, query: { sql, at: [...before].length } };
}
