import type { Pool, PoolConnection } from 'mysql2/promise';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { orAborted } from '../shared/signal.ts';
import type { Login } from './config.ts';
import { explain, type Failure, isOfServer } from './errors.ts';
import { optionsOf } from './options.ts';

export type Row = readonly (string | null)[];
/** What a statement is given: text, or bytes. Nothing else: objects and numbers would be read in ways of their own. */
export type Given = string | Buffer | null;

/** One connection, for as long as a piece of work has it. */
export interface Link {
  /** Rows as text. Numbers are whole, times as the server writes them; what `mysql2` throws comes out as it is. */
  ask(text: string, values?: readonly Given[]): Promise<readonly Row[]>;
  /** The most that the server takes in one statement; at more it ends the connection. */
  readonly packetBytes: number;
}

/** A transaction with what comes before and after it on the same connection. */
export interface Task<B, T> {
  before(link: Link): Promise<B>;
  work(link: Link, made: B): Promise<T>;
  /** Done whatever the end, unless the connection is lost. */
  after(link: Link): Promise<void>;
}

export interface Session {
  /** Asks about tables. Throws in sentences, and the signal's reason. */
  read<T>(work: (link: Link) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /**
   * Does `work` in a transaction. Whatever is thrown has undone it, but for OUTCOME_UNKNOWN, when the connection is lost
   * while the server commits. A signal ends it with the signal's reason.
   */
  write<B, T>(signal: AbortSignal, task: Task<B, T>): Promise<T>;
  close(): Promise<void>;
}

const statementMs = 120_000;
const readingMs = 15_000;

/**
 * Settings under which a text always means the same value, and none is cut or made up. They replace what the server has:
 * under NO_BACKSLASH_ESCAPES or ANSI_QUOTES texts and names would be read otherwise, and without the last mode a 0 in a
 * key that counts by itself would become another number.
 */
const opening = [
  "SET SESSION time_zone = '+00:00', innodb_lock_wait_timeout = 20, autocommit = 1, sql_safe_updates = 0",
  "sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO'",
].join(', ');

/** Opens nothing yet: the pool connects when asked. */
export async function createSession(login: Login, applicationName: string): Promise<Session> {
  const { createPool } = await import('mysql2/promise');
  const pool = createPool({
    ...optionsOf(login, applicationName),
    connectionLimit: 4,
    maxIdle: 2,
    idleTimeout: 30_000,
  });
  const connected = async (timeoutMs: number, signal?: AbortSignal): Promise<Connected> => {
    const connecting = pool.getConnection();
    const connection = await orAborted(connecting, signal).catch((thrown: unknown) => {
      // Nobody waits for it any more: it goes back when it comes.
      connecting.then((late) => late.release()).catch(() => undefined);
      throw thrown;
    });
    try {
      return await orAborted(opened(connection, timeoutMs), signal);
    } catch (error) {
      connection.destroy();
      throw error;
    }
  };
  return {
    read: async (work, signal) => {
      const failed = (thrown: unknown): unknown =>
        signal?.aborted === true ? signal.reason : explain(thrown, login);
      const { link, connection } = await connected(readingMs, signal).catch((thrown: unknown) => {
        throw failed(thrown);
      });
      try {
        const answer = await orAborted(work(link), signal);
        connection.release();
        return answer;
      } catch (thrown) {
        giveBack(connection, thrown);
        throw failed(thrown);
      }
    },
    write: (signal, task) =>
      transact({ pool, login, signal, connected: () => connected(statementMs, signal) }, task),
    close: () => pool.end(),
  };
}

async function opened(connection: PoolConnection, timeoutMs: number): Promise<Connected> {
  const link = (packetBytes: number): Link => ({
    packetBytes,
    ask: (text, values) => ask(connection, timeoutMs, text, values),
  });
  const { ask: first } = link(0);
  await first(opening);
  await first('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
  const [row] = await first('SELECT CONNECTION_ID(), @@max_allowed_packet');
  const [id = null, packet = null] = row ?? [];
  return { connection, id: String(id), link: link(Number(packet)) };
}

/** Values go beside the statement, never into it. */
async function ask(
  connection: PoolConnection,
  timeout: number,
  text: string,
  values?: readonly Given[],
): Promise<readonly Row[]> {
  const question = { sql: text, rowsAsArray: true, timeout };
  const [rows] =
    values === undefined
      ? await connection.query(question)
      : await connection.execute({ ...question, values: [...values] });
  return Array.isArray(rows) ? (rows as unknown[][]).map(textual) : [];
}

export function textual(row: readonly unknown[]): Row {
  return row.map((value) =>
    value === null ? null : Buffer.isBuffer(value) ? value.toString() : String(value),
  );
}

interface Connected {
  readonly link: Link;
  readonly connection: PoolConnection;
  /** By which the server knows the connection. */
  readonly id: string;
}

interface Place {
  readonly pool: Pool;
  readonly login: Login;
  readonly signal: AbortSignal;
  connected(): Promise<Connected>;
}

async function transact<B, T>(place: Place, task: Task<B, T>): Promise<T> {
  const { login, signal } = place;
  const failed = (thrown: unknown): unknown => (signal.aborted ? signal.reason : explain(thrown, login));
  signal.throwIfAborted();
  const { link, connection, id } = await place.connected().catch((thrown: unknown) => {
    throw failed(thrown);
  });
  const end = async (): Promise<void> => {
    await task.after(link).then(
      () => connection.release(),
      () => connection.destroy(),
    );
  };
  const writing = async (): Promise<T> => {
    const made = await task.before(link);
    await link.ask('START TRANSACTION');
    const answer = await task.work(link, made);
    signal.throwIfAborted();
    await commit(link, login);
    return answer;
  };
  try {
    const answer = await orAborted(writing(), signal);
    await end();
    return answer;
  } catch (thrown) {
    if (signal.aborted) {
      connection.destroy();
      await stopped(place, id);
      throw signal.reason;
    }
    const lost = thrown instanceof ActivateError ? thrown.code === 'OUTCOME_UNKNOWN' : !isOfServer(thrown);
    if (lost) {
      connection.destroy();
      await (isSilence(thrown) ? stopped(place, id) : undefined);
    } else {
      // A lock that is not got in time ends the statement, and not the transaction.
      await link.ask('ROLLBACK').then(end, () => connection.destroy());
    }
    throw failed(thrown);
  }
}

function isSilence(thrown: unknown): boolean {
  return (thrown as Failure).code === 'PROTOCOL_SEQUENCE_TIMEOUT';
}

async function commit(link: Link, login: Login): Promise<void> {
  try {
    await link.ask('COMMIT');
  } catch (thrown) {
    if (isOfServer(thrown)) {
      throw thrown;
    }
    throw new ActivateError(
      'OUTCOME_UNKNOWN',
      `The connection to ${login.host}:${login.port} was lost before the server said whether it kept the rows.`,
      { fix: 'It is tried again by itself.', cause: (thrown as Failure).code },
    );
  }
}

function giveBack(connection: PoolConnection, thrown: unknown): void {
  if (thrown instanceof ActivateError || isOfServer(thrown)) {
    connection.release();
  } else {
    connection.destroy();
  }
}

/** Ends at the server what nobody waits for any more: it would go on, and keep its locks. */
async function stopped({ pool }: Place, id: string): Promise<void> {
  const stopping = pool.getConnection().then(async (connection) => {
    await connection.query({ sql: `KILL ${id}`, timeout: 2000 }).then(
      () => connection.release(),
      (error: unknown) => giveBack(connection, error),
    );
  });
  await orAborted(stopping, AbortSignal.timeout(2000)).catch(() => undefined);
}
