import type { EventEmitter } from 'node:events';
import type { ActivateError } from '../../engine/contracts/errors.ts';
import type { Dialect, Limits } from '../../engine/contracts/source.ts';
import { silenceAfter, type Within, type Wrapped, written } from './reader.ts';

// Reading over the `pg` package, which those connectors bring that speak PostgreSQL's protocol.

export interface PgRows {
  readonly fields: readonly PgField[];
  readonly rows: readonly (readonly (string | null)[])[];
}

export interface PgField {
  readonly name: string;
  readonly tableID: number;
  readonly columnID: number;
  readonly dataTypeID: number;
  readonly dataTypeModifier: number;
}

interface PgQuestion {
  readonly text: string;
  readonly values?: unknown[];
  readonly rowMode?: 'array';
  readonly queryMode?: 'extended';
  readonly query_timeout?: number;
}

/** As much of a connection of `pg` as is needed here. */
interface PgConnection {
  query(question: PgQuestion): Promise<unknown>;
}

interface PgClient extends PgConnection {
  on(event: 'error', heard: () => void): unknown;
  connect(): Promise<unknown>;
  end(): Promise<void>;
}

interface PgPooled extends PgConnection {
  release(broken: boolean): void;
}

interface PgPool<C> {
  connect(): Promise<C>;
}

/** Settings of every pool of `pg`. */
export const pooled = { max: 4, idleTimeoutMillis: 30_000, allowExitOnIdle: true } as const;

/** A connection that is lost says so to the query at work; unheard, the event would end the process. */
export function heard<P extends EventEmitter>(pool: P): P {
  const events: EventEmitter = pool;
  events.on('error', () => undefined);
  events.on('connect', (client: PgClient) => client.on('error', () => undefined));
  return pool;
}

const patienceMs = 5000;

/** Asks the server, over a connection of its own, to stop what another one does. Gives up after some seconds. */
export async function cancel(client: PgClient, pid: string): Promise<void> {
  client.on('error', () => undefined);
  try {
    await client.connect();
    const question = { text: 'SELECT pg_cancel_backend($1::int)', values: [pid], query_timeout: patienceMs };
    await client.query(question);
  } catch {
    // No connection to be had. The caller drops its own, and the server's time limit does the rest.
  } finally {
    await client.end().catch(() => undefined);
  }
}

/**
 * Drops a connection after a time, unless told before that its server did answer. What waits for an answer on it then
 * fails as when the connection is lost.
 */
export function dropAfter(client: PgConnection, ms = patienceMs): { answered(): void } {
  // With a question open, `end` doesn't wait for the server; a client of a pool has it too.
  const timer = setTimeout(() => void (client as PgClient).end().catch(() => undefined), ms);
  return { answered: () => clearTimeout(timer) };
}

/** What was asked when it failed. */
export interface PgAsked {
  readonly limits: Limits;
  readonly startedAt: number;
  readonly query?: Within | undefined;
}

export type PgAccess = 'READ ONLY' | 'READ WRITE';

/** One transaction on one connection. */
export interface PgReader {
  /** One statement, over the extended protocol, in which the server itself refuses a second one. */
  ask(text: string | Wrapped, values?: readonly unknown[]): Promise<PgRows>;
  /**
   * Ends the transaction, and nothing of it stays; a second time it does nothing. With `stop`, what still runs is
   * canceled at the server first. With `commit` it stays, and what goes wrong is thrown.
   */
  end(how?: 'stop' | 'commit'): Promise<void>;
}

/** The same, and what a connector needs to ask in ways of its own. */
interface PgTurn<C> extends PgReader {
  readonly client: C;
  /** What the last statement of the opening answered. */
  readonly here: Readonly<Record<string, string>>;
  /** A question as it is, with a limit for a server that went silent. */
  question(question: PgQuestion, query?: Within): Promise<PgRows>;
  /** Waits for an answer; what goes wrong is thrown in sentences. */
  explained<T>(answer: Promise<T>, query?: Within): Promise<T>;
  /** Rows are sent without being asked for: a server that goes silent is dropped, and a reader that stops lets go of them. */
  isSent(rows: { abandon(): void }): void;
}

interface PgPlace<C> {
  readonly pool: PgPool<C>;
  readonly dialect: Dialect;
  newClient(): PgClient;
  explain(thrown: unknown, asked: PgAsked): ActivateError;
}

/** Takes a connection and begins a transaction. `opening` are statements of ours, of which the last one tells the `pid`. */
export async function beginTurn<C extends PgPooled>(
  place: PgPlace<C>,
  opening: string,
  limits: Limits,
): Promise<PgTurn<C>> {
  const asked = { limits, startedAt: performance.now() };
  const failed: Failed = (thrown, query) => place.explain(thrown, { ...asked, query });
  if (limits.signal?.aborted === true) {
    throw failed(limits.signal.reason);
  }
  const client = await place.pool.connect().catch((thrown: unknown) => {
    throw failed(thrown);
  });
  try {
    // Several statements at once, which only the simple protocol can; nothing of a person's is in them.
    const results = await client.query({ text: opening, query_timeout: silenceAfter(limits) });
    const here = (results as { rows: Readonly<Record<string, string>>[] }[]).at(-1)?.rows[0] ?? {};
    return turnOn(client, here, place, limits, failed);
  } catch (thrown) {
    client.release(true);
    throw failed(thrown);
  }
}

type Failed = (thrown: unknown, query?: Within) => ActivateError;

function turnOn<C extends PgPooled>(
  client: C,
  here: Readonly<Record<string, string>>,
  { newClient, dialect }: PgPlace<C>,
  limits: Limits,
  failed: Failed,
): PgTurn<C> {
  let stopping: Promise<void> | undefined;
  let broken = false;
  let isOver = false;
  let sent: { abandon(): void } | undefined;
  const silences: ReturnType<typeof dropAfter>[] = [];
  const stop = (): void => {
    if (stopping === undefined) {
      stopping = cancel(newClient(), here['pid'] ?? '');
      silences.push(dropAfter(client));
    }
  };
  limits.signal?.addEventListener('abort', stop, { once: true });
  if (limits.signal?.aborted === true) {
    stop();
  }
  const explained: PgTurn<C>['explained'] = (answer, query) =>
    answer.catch((thrown: unknown) => {
      broken ||= (thrown as { severity?: string }).severity === undefined;
      throw failed(thrown, query);
    });
  const question: PgTurn<C>['question'] = (more, query) => {
    const answer = client.query({ ...more, query_timeout: silenceAfter(limits) });
    return explained(answer as Promise<PgRows>, query);
  };
  const letGo = async (): Promise<void> => {
    stop();
    broken = true;
    await stopping;
    sent?.abandon();
  };
  /** The statement that ends the transaction; what went wrong with it. */
  const last = (text: string): Promise<unknown> =>
    client.query({ text, query_timeout: silenceAfter(limits) }).then(
      () => undefined,
      (thrown: unknown) => {
        broken = true;
        return thrown;
      },
    );
  return {
    client,
    here,
    question,
    explained,
    isSent: (rows) => {
      sent = rows;
      silences.push(dropAfter(client, silenceAfter(limits)));
    },
    ask: async (wrapped, values = []) => {
      const { text, query } = written(wrapped, dialect);
      return question({ text, values: [...values], rowMode: 'array', queryMode: 'extended' }, query);
    },
    end: async (how) => {
      if (isOver) {
        return;
      }
      isOver = true;
      limits.signal?.removeEventListener('abort', stop);
      await (how === 'stop' ? letGo() : stopping);
      const failure = broken ? undefined : await last(how === 'commit' ? 'COMMIT' : 'ROLLBACK');
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

/** One statement of ours that writes, in a transaction that was begun for it. */
export async function executeWith(reader: PgReader, statement: string): Promise<void> {
  try {
    await reader.ask(statement);
  } catch (error) {
    await reader.end();
    throw error;
  }
  await reader.end('commit');
}
