import type { Client, PoolClient, PoolConfig } from 'pg';
import type { Limits } from '../../engine/contracts/source.ts';
import {
  beginTurn,
  executeWith,
  heard,
  type PgAccess,
  type PgAsked,
  type PgReader,
  pooled,
} from '../shared/postgres-protocol.ts';
import { readWith, type Wrapped, written } from '../shared/reader.ts';
import { clientConfig, type Login } from './config.ts';
import { CopyOut } from './copy-out.ts';
import { explain } from './errors.ts';
import { type Transaction, transact } from './transaction.ts';

/** One transaction on one connection. */
export interface Reader extends PgReader {
  /** The encoding in which the server stores text, and therefore sorts it. */
  readonly encoding: string;
  /** Starts a COPY; `next` gives its blocks, undefined at its proven end. */
  copy(text: Wrapped): { next(): Promise<Buffer | undefined> };
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
  const pool = heard(new pg.Pool({ ...(settings as PoolConfig), ...pooled }));
  const newClient = (): Client => new pg.Client(settings);
  const place = {
    pool,
    newClient,
    dialect: 'postgresql',
    explain: (thrown: unknown, asked: PgAsked) => explain(thrown, login, asked),
  } as const;
  const begin = async (limits: Limits, access: PgAccess = 'READ ONLY'): Promise<Reader> => {
    const turn = await beginTurn<PoolClient>(place, opening(limits.timeoutMs, access), limits);
    return {
      ask: turn.ask,
      end: turn.end,
      encoding: turn.here['encoding'] ?? '',
      copy: (wrapped) => {
        const { text, query } = written(wrapped, 'postgresql');
        const copy = turn.client.query(new CopyOut(text));
        turn.isSent(copy);
        return { next: () => turn.explained(copy.next(), query) };
      },
    };
  };
  return {
    begin,
    read: async (limits, work) => readWith(await begin(limits), work),
    execute: async (statement, limits) => executeWith(await begin(limits, 'READ WRITE'), statement),
    write: (signal, work) => transact({ pool, newClient, login, signal }, work),
    close: () => pool.end(),
  };
}

/**
 * The transaction, and settings under which a value always has the same text. `pg_backend_pid` is asked
 * for here, inside, because a connection pooler between us and the server makes up the one of the login.
 */
function opening(timeoutMs: number, access: PgAccess): string {
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
