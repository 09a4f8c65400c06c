import pg from 'pg';
import type { Db, Sql } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { Log } from '../contracts/log.ts';

export interface PooledDb extends Db {
  close(): Promise<void>;
}

export interface DbOptions {
  /** The schema that all unqualified names mean. */
  readonly schema: string;
  readonly log: Log;
  readonly connections?: number;
}

// Our ids are far below 2^53, so 64-bit integers come as numbers here (in a warehouse's rows they never do).
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === 20 ? Number : pg.types.getTypeParser(oid, format),
};

/** Opens a pool on our PostgreSQL. Connects lazily: an unreachable server is found out by the first query. */
export function createDb(url: string, options: DbOptions): PooledDb {
  const settings: pg.PoolConfig = {
    connectionString: url,
    max: options.connections ?? 10,
    options: `-c search_path=${options.schema}`,
    application_name: 'activate',
    types: types as NonNullable<pg.PoolConfig['types']>,
    keepAlive: true,
    connectionTimeoutMillis: 10_000,
  };
  const pool = new pg.Pool(settings);
  // A connection lost while idle; the pool replaces it. Unheard, the event would end the process.
  pool.on('error', (error) => options.log.warn({ error: error.message }, 'database connection lost'));
  // One lost within a transaction, between two statements: the next statement says so.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return {
    query: (text, values) => ask(pool, text, values),
    transaction: (work) => inTransaction(pool, work),
    listen: (channel, heard, signal) => listen(settings, channel, heard, signal, options.log),
    close: () => pool.end(),
  };
}

async function ask<T>(
  on: pg.Pool | pg.PoolClient,
  text: string,
  values: readonly unknown[] = [],
): Promise<T[]> {
  try {
    const result = await on.query(text, [...values]);
    return result.rows as T[];
  } catch (error) {
    throw translated(error);
  }
}

async function inTransaction<T>(pool: pg.Pool, work: (sql: Sql) => Promise<T>): Promise<T> {
  const client = await pool.connect().catch((error: unknown) => {
    throw translated(error);
  });
  let broken = false;
  try {
    await client.query('begin');
    const result = await work({ query: (text, values) => ask(client, text, values) });
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => {
      broken = true;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

/** Codes of PostgreSQL and of the network that say "not now": worth another try later. */
const passing = /^(08|53|57P0|40001|40P01)|^(ECONN|ETIMEDOUT|EPIPE|EHOSTUNREACH|ENOTFOUND|EAI_AGAIN)/;

function translated(error: unknown): unknown {
  const { code, message } = error as { code?: string; message?: string };
  const lost =
    message !== undefined && /terminated|timeout exceeded|not queryable|Connection ended/.test(message);
  if ((code !== undefined && passing.test(code)) || lost) {
    return new ActivateError('UNAVAILABLE', "Activate's own database does not answer.", {
      cause: error,
      fix: 'Nothing is lost; it goes on by itself once the database is back.',
    });
  }
  return error;
}

async function listen(
  settings: pg.PoolConfig,
  channel: string,
  heard: (payload: string) => void,
  signal: AbortSignal,
  log: Log,
): Promise<void> {
  const connect = async (): Promise<void> => {
    const client = new pg.Client(settings as pg.ClientConfig);
    let listening = false;
    // Every end is reported twice, as an error and as an end; one is enough to connect again.
    client.on('error', () => undefined);
    client.once('end', () => {
      if (listening && !signal.aborted) {
        log.warn({ channel }, 'listening connection lost');
        later();
      }
    });
    client.on('notification', (note) => heard(note.payload ?? ''));
    const close = (): void => {
      client
        .end()
        .catch((error: Error) => log.debug({ error: error.message }, 'listening connection closed'));
    };
    try {
      await client.connect();
      await client.query(`listen ${client.escapeIdentifier(channel)}`);
      listening = true;
    } catch (error) {
      close();
      throw error;
    }
    client.once('end', () => signal.removeEventListener('abort', close));
    signal.addEventListener('abort', close);
  };
  const later = (): void => {
    const again = (): void => {
      if (!signal.aborted) {
        connect().catch(later);
      }
    };
    setTimeout(again, 500).unref();
  };
  await connect();
}
