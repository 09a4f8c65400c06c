import type { Client, Pool, PoolClient, QueryArrayConfig, QueryConfig, QueryResult } from 'pg';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { cancel, dropAfter } from '../shared/postgres-protocol.ts';
import type { Login } from './config.ts';
import { CopyIn } from './copy-in.ts';
import { explain, type Failure } from './errors.ts';

const statementMs = 120_000;
const lockMs = 10_000;
/** The server keeps the limit; this is for a server that went silent. */
const silenceMs = statementMs + 5000;

/** A transaction that writes. */
export interface Transaction {
  /**
   * Does one statement. `values` are in their text form. When the server refuses it, nothing of it stays, the
   * transaction goes on, and what `pg` throws comes out as it is.
   */
  attempt(text: string, values: readonly string[]): Promise<readonly (readonly (string | null)[])[]>;
  /** One COPY … FROM STDIN, likewise. */
  copy(text: string, pieces: readonly Buffer[]): Promise<void>;
}

export interface Place {
  readonly pool: Pool;
  readonly newClient: () => Client;
  readonly login: Login;
  readonly signal: AbortSignal;
}

/**
 * Settings under which a text always means the same value. Constraints that wait for the end are checked at once: at the
 * end, no one could say which row broke one. `pg_backend_pid` is asked for in here because a connection pooler between
 * us and the server makes up the one of the login.
 */
const opening = [
  'BEGIN ISOLATION LEVEL READ COMMITTED',
  `SET LOCAL statement_timeout = ${statementMs}`,
  `SET LOCAL lock_timeout = ${lockMs}`,
  'SET LOCAL idle_in_transaction_session_timeout = 60000',
  "SET LOCAL TimeZone = 'UTC'",
  "SET LOCAL DateStyle = 'ISO, YMD'",
  "SET LOCAL IntervalStyle = 'postgres'",
  'SET CONSTRAINTS ALL IMMEDIATE',
  'SELECT pg_backend_pid() AS pid',
  'SAVEPOINT here',
].join('; ');

/**
 * Does `work` in one transaction on one connection, and commits. Whatever is thrown has undone all, but for
 * OUTCOME_UNKNOWN, when the connection is lost while the server commits. A signal ends it with the signal's reason.
 */
export async function transact<T>(place: Place, work: (transaction: Transaction) => Promise<T>): Promise<T> {
  const { pool, login, signal } = place;
  const failed = (thrown: unknown): unknown => (signal.aborted ? signal.reason : explain(thrown, login));
  signal.throwIfAborted();
  const client = await pool.connect().catch((thrown: unknown) => {
    throw failed(thrown);
  });
  let stopping: Promise<void> | undefined;
  let pid: string | undefined;
  let silence: ReturnType<typeof dropAfter> | undefined;
  const stop = (): void => {
    stopping ??= pid === undefined ? undefined : cancel(place.newClient(), pid);
    silence ??= dropAfter(client);
  };
  signal.addEventListener('abort', stop, { once: true });
  let broken = true;
  try {
    // Several statements at once, which only the simple protocol can; nothing of a person's is in them.
    const results = (await ask(client, opening)) as unknown as { rows: { pid: string }[] }[];
    pid = results.find((result) => result.rows.length > 0)?.rows[0]?.pid;
    const answer = await work(transactionOn(client, signal));
    await stopping;
    await commit(client, login, signal);
    broken = false;
    return answer;
  } catch (thrown) {
    await stopping;
    broken = await isBroken(client, thrown);
    throw isUnknown(thrown) ? explain(thrown, login) : failed(thrown);
  } finally {
    signal.removeEventListener('abort', stop);
    silence?.answered();
    client.release(broken);
  }
}

function transactionOn(client: PoolClient, signal: AbortSignal): Transaction {
  let marked = true;
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    if (!marked) {
      await ask(client, 'RELEASE SAVEPOINT here; SAVEPOINT here');
    }
    try {
      const answer = await work();
      marked = false;
      return answer;
    } catch (thrown) {
      if ((thrown as Failure).severity !== undefined) {
        await ask(client, 'ROLLBACK TO SAVEPOINT here');
        marked = true;
      }
      throw thrown;
    }
  };
  return {
    attempt: (text, values) =>
      guarded(async () => {
        const question = {
          text,
          values: [...values],
          rowMode: 'array',
          query_timeout: silenceMs,
        } satisfies QueryArrayConfig & { query_timeout: number };
        return (await client.query<(string | null)[]>(question)).rows;
      }),
    copy: (text, pieces) =>
      guarded(async () => {
        const silence = dropAfter(client, silenceMs);
        await client.query(new CopyIn(text, pieces)).done.finally(silence.answered);
      }),
  };
}

function ask(client: PoolClient, text: string): Promise<QueryResult> {
  return client.query({ text, query_timeout: silenceMs } as QueryConfig);
}

async function commit(client: PoolClient, login: Login, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  let command: string;
  try {
    command = (await ask(client, 'COMMIT')).command;
  } catch (thrown) {
    const { severity, code = '' } = thrown as Failure;
    if (severity === undefined || /^(08|57P|53300)/.test(code)) {
      throw new ActivateError(
        'OUTCOME_UNKNOWN',
        `The connection to ${login.host}:${login.port} was lost before the server said whether it kept the rows.`,
        { fix: 'It is tried again by itself.', cause: (thrown as Failure).message },
      );
    }
    throw thrown;
  }
  if (command !== 'COMMIT') {
    throw new ActivateError('BUG', `A transaction ended in ${command}.`);
  }
}

/** Ends the transaction; true when the connection is of no more use. */
async function isBroken(client: PoolClient, thrown: unknown): Promise<boolean> {
  const lost =
    thrown instanceof ActivateError ? isUnknown(thrown) : (thrown as Partial<Failure>).severity === undefined;
  return (
    lost ||
    ask(client, 'ROLLBACK').then(
      () => false,
      () => true,
    )
  );
}

function isUnknown(thrown: unknown): boolean {
  return thrown instanceof ActivateError && thrown.code === 'OUTCOME_UNKNOWN';
}
