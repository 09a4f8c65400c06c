import type { Client, PoolConfig } from 'pg';
import type { Limits } from '../../engine/contracts/source.ts';
import {
  beginTurn,
  executeWith,
  heard,
  type PgAccess,
  type PgAsked,
  type PgReader,
  type PgRows,
  pooled,
} from '../shared/postgres-protocol.ts';
import { readWith, type Wrapped, written } from '../shared/reader.ts';
import { clientConfig, type Login } from './config.ts';
import { explain } from './errors.ts';

/** One transaction on one connection. */
export interface Reader extends PgReader {
  /** The next rows of the cursor that was declared with this text. */
  fetch(rows: number, cursor: Wrapped): Promise<PgRows['rows']>;
}

export interface Session {
  readonly login: Login;
  begin(limits: Limits): Promise<Reader>;
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
  const pool = heard(new pg.Pool({ ...(settings as PoolConfig), ...pooled }));
  const place = {
    pool,
    newClient: (): Client => new pg.Client(settings),
    dialect: 'redshift',
    explain: (thrown: unknown, asked: PgAsked) => explain(thrown, login, asked),
  } as const;
  const begin = async (limits: Limits, access: PgAccess = 'READ ONLY'): Promise<Reader> => {
    const { ask, end, question } = await beginTurn(place, opening(login, limits.timeoutMs, access), limits);
    return {
      ask,
      end,
      fetch: async (rows, cursor) => {
        const text = `FETCH FORWARD ${Math.trunc(rows)} FROM ${cursorName}`;
        return (await question({ text, rowMode: 'array' }, written(cursor, 'redshift').query)).rows;
      },
    };
  };
  return {
    login,
    begin,
    read: async (limits, work) => readWith(await begin(limits), work),
    execute: async (statement, limits) => executeWith(await begin(limits, 'READ WRITE'), statement),
    close: () => pool.end(),
  };
}

/** The transaction, and settings under which a value always has the same text. */
export function opening(
  { queryGroup }: Pick<Login, 'queryGroup'>,
  timeoutMs: number,
  access: PgAccess,
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

/** There can be one per session only. */
export const cursorName = 'activate_rows';
