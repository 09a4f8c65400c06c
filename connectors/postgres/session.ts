import type { Client, FieldDef, Pool, PoolClient, PoolConfig, QueryArrayConfig, QueryConfig } from 'pg';
import type { ActivateError } from '../../engine/contracts/errors.ts';
import type { Limits } from '../../engine/contracts/source.ts';
import { withoutSemicolon } from '../../engine/contracts/sql.ts';
import { cancel, dropAfter } from './cancel.ts';
import { clientConfig, type Login } from './config.ts';
import { CopyOut } from './copy-out.ts';
import { type Asked, explain } from './errors.ts';
import { type Transaction, transact } from './transaction.ts';

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

/** One read-only transaction on one connection. */
export interface Reader {
  /** The encoding in which the server stores text, and therefore sorts it. */
  readonly encoding: string;
  ask(text: string | Wrapped, values?: readonly unknown[]): Promise<Rows>;
  /** Starts a COPY; `next` gives its blocks, undefined at its proven end. */
  copy(text: Wrapped): { next(): Promise<Buffer | undefined> };
  /**
   * Ends the transaction, and nothing of it stays. With `stop`, what still runs is canceled at the server first. With
   * `commit` it stays, and what goes wrong is thrown.
   */
  end(how?: 'stop' | 'commit'): Promise<void>;
}

export interface Session {
  begin(limits: Limits): Promise<Reader>;
  /** {@link Session.begin}, work, and the end in any case. */
  read<T>(limits: Limits, work: (reader: Reader) => Promise<T>): Promise<T>;
  /** One statement of ours that writes, in a transaction of its own under the settings of a reading. */
  execute(statement: string, limits: Limits): Promise<void>;
  /** One transaction that writes: see {@link transact}. */
  write<T>(signal: AbortSignal, work: (transaction: Transaction) => Promise<T>): Promise<T>;
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
  const begin = (limits: Limits): Promise<Reader> =>
    beginReading(pool, () => new pg.Client(settings), login, limits);
  return {
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
      const reader = await beginReading(pool, () => new pg.Client(settings), login, limits, 'READ WRITE');
      try {
        await reader.ask(statement);
      } catch (error) {
        await reader.end();
        throw error;
      }
      await reader.end('commit');
    },
    write: (signal, work) =>
      transact({ pool, newClient: () => new pg.Client(settings), login, signal }, work),
    close: () => pool.end(),
  };
}

type Access = 'READ ONLY' | 'READ WRITE';

/**
 * The transaction, and settings under which a value always has the same text. `pg_backend_pid` is asked
 * for here, inside, because a connection pooler between us and the server makes up the one of the login.
 */
function opening(timeoutMs: number, access: Access): string {
  return [
    `BEGIN ISOLATION LEVEL REPEATABLE READ ${access}`,
    `SET LOCAL statement_timeout = ${Math.ceil(timeoutMs)}`,
    `SET LOCAL lock_timeout = ${Math.min(10_000, Math.ceil(timeoutMs))}`,
    'SET LOCAL idle_in_transaction_session_timeout = 60000',
    "SET LOCAL TimeZone = 'UTC'",
    "SET LOCAL DateStyle = 'ISO, YMD'",
    "SET LOCAL IntervalStyle = 'postgres'",
    'SET LOCAL extra_float_digits = 3',
    "SET LOCAL bytea_output = 'hex'",
    "SET LOCAL lc_monetary = 'C'",
    'SET LOCAL standard_conforming_strings = on',
    // A key without an index is sorted: with the usual 4 MB, in many passes over the disk.
    "SELECT set_config('work_mem', greatest(pg_size_bytes(current_setting('work_mem')), 67108864) / 1024 || 'kB', true)",
    // Rows that pass between processes of the server cost it more than sorting them in one: it should spread work whose
    // result is small, an aggregation, and not a sort of everything.
    'SET LOCAL parallel_tuple_cost = 0.5',
    "SELECT pg_backend_pid() AS pid, current_setting('server_encoding') AS encoding",
  ].join('; ');
}

async function beginReading(
  pool: Pool,
  newClient: () => Client,
  login: Login,
  limits: Limits,
  access: Access = 'READ ONLY',
): Promise<Reader> {
  const asked: Asked = { limits, startedAt: performance.now() };
  const failed = (thrown: unknown, query?: Asked['query']): ActivateError =>
    explain(thrown, login, query === undefined ? asked : { ...asked, query });
  if (limits.signal?.aborted === true) {
    throw failed(limits.signal.reason);
  }
  const client = await pool.connect().catch((thrown: unknown) => {
    throw failed(thrown);
  });
  let here: { pid: string; encoding: string };
  try {
    // Several statements at once, which only the simple protocol can; nothing of a person's is in them.
    const question = { text: opening(limits.timeoutMs, access), query_timeout: silenceAfter(limits) };
    const results = (await client.query(question)) as unknown as { rows: (typeof here)[] }[];
    here = results.at(-1)?.rows[0] as typeof here;
  } catch (thrown) {
    client.release(true);
    throw failed(thrown);
  }
  return reading(client, here, newClient, limits, failed);
}

function reading(
  client: PoolClient,
  here: { readonly pid: string; readonly encoding: string },
  newClient: () => Client,
  limits: Limits,
  failed: (thrown: unknown, query?: Asked['query']) => ActivateError,
): Reader {
  let stopping: Promise<void> | undefined;
  let broken = false;
  let copying: CopyOut | undefined;
  const silences: ReturnType<typeof dropAfter>[] = [];
  const stop = (): void => {
    if (stopping === undefined) {
      stopping = cancel(newClient(), here.pid);
      silences.push(dropAfter(client));
    }
  };
  limits.signal?.addEventListener('abort', stop, { once: true });
  if (limits.signal?.aborted === true) {
    stop();
  }
  return {
    encoding: here.encoding,
    ask: async (wrapped, values = []) => {
      const text = textOf(wrapped);
      try {
        const question = {
          text: text.text,
          values: [...values],
          rowMode: 'array',
          queryMode: 'extended',
          query_timeout: silenceAfter(limits),
        } satisfies QueryArrayConfig & { queryMode: string; query_timeout: number };
        return await client.query<(string | null)[]>(question);
      } catch (thrown) {
        broken ||= (thrown as { severity?: string }).severity === undefined;
        throw failed(thrown, text.query);
      }
    },
    copy: (wrapped) => {
      const text = textOf(wrapped);
      const copy = client.query(new CopyOut(text.text));
      copying = copy;
      silences.push(dropAfter(client, silenceAfter(limits)));
      const next = (): Promise<Buffer | undefined> =>
        copy.next().catch((thrown: unknown) => {
          broken ||= (thrown as { severity?: string }).severity === undefined;
          throw failed(thrown, text.query);
        });
      return { next };
    },
    end: async (how) => {
      limits.signal?.removeEventListener('abort', stop);
      if (how === 'stop') {
        stop();
        broken = true;
      }
      await stopping;
      if (how === 'stop') {
        copying?.abandon();
      }
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

/** In ms. The server keeps the limit; this is for a server that went silent. */
function silenceAfter(limits: Limits): number {
  return limits.timeoutMs + 5000;
}

function textOf(wrapped: string | Wrapped): { text: string; query?: { sql: string; at: number } } {
  if (typeof wrapped === 'string') {
    return { text: wrapped };
  }
  const sql = withoutSemicolon(wrapped.sql, 'postgresql');
  // Lines of their own: a query may end in a `--` comment.
  const before = `${wrapped.before}\n`;
  return { text: `${before}${sql}\n${wrapped.after}`, query: { sql, at: [...before].length } };
}
