import type { Connection, FieldPacket, Query } from 'mysql2';
import type { Login } from './config.ts';
import { optionsOf, socketTo } from './options.ts';
import { type Row, textual } from './session.ts';

/**
 * One connection for one question. What a query leaves behind in a session (its variables, locks by name) ends with it,
 * and it can be cut in the middle of an answer, which a connection of a pool does not survive.
 */
export interface Wire {
  /** Rows as text. What `mysql2` throws comes out as it is. */
  ask(text: string, values?: readonly string[]): Promise<readonly Row[]>;
  /** The columns of a statement, without running it. */
  columnsOf(text: string): Promise<readonly FieldPacket[]>;
  /** Sends a statement whose rows the caller listens to. */
  send(text: string): Query;
  pause(): void;
  resume(): void;
  /** Called with what went wrong when the connection is lost. `mysql2` tells nobody else who listens to rows. */
  onLoss(told: (error: unknown) => void): void;
  /** Says good-bye to the server. */
  end(): Promise<void>;
  /** Cuts it, whatever is on the way. */
  cut(): void;
}

/** Connects and logs in. Throws what `mysql2` does. */
export async function openWire(login: Login, applicationName: string): Promise<Wire> {
  const { createConnection } = await import('mysql2');
  const socket = socketTo(login);
  const connection = createConnection({ ...optionsOf(login, applicationName), stream: () => socket });
  const losses: ((error: unknown) => void)[] = [];
  // Unheard, the event would end the process.
  connection.on('error', (error) => {
    for (const told of losses) {
      told(error);
    }
  });
  try {
    await answered<void>((done) => connection.connect((error) => done(error, undefined)));
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return {
    ...questionsOf(connection),
    pause: () => connection.pause(),
    resume: () => connection.resume(),
    onLoss: (told) => void losses.push(told),
    end: async () => {
      if (!socket.destroyed) {
        const closed = new Promise((resolve) => socket.once('close', resolve));
        connection.end();
        await closed;
      }
    },
    cut: () => void socket.destroy(),
  };
}

function questionsOf(connection: Connection): Pick<Wire, 'ask' | 'columnsOf' | 'send'> {
  return {
    ask: async (text, values) => {
      const question = { sql: text, rowsAsArray: true };
      const rows = await answered<unknown>((done) =>
        values === undefined
          ? connection.query(question, done)
          : connection.execute({ ...question, values: [...values] }, done),
      );
      return Array.isArray(rows) ? (rows as unknown[][]).map(textual) : [];
    },
    columnsOf: async (text) => {
      const statement = await answered<unknown>((done) => connection.prepare(text, done));
      return (statement as { readonly columns: readonly FieldPacket[] }).columns;
    },
    send: (text) => connection.query({ sql: text, rowsAsArray: true }),
  };
}

type Done<T> = (error: unknown, answer: T) => void;

function answered<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, answer) => {
      if (error === null || error === undefined) {
        resolve(answer);
      } else {
        reject(error as Error);
      }
    });
  });
}
