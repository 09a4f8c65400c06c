import type { FieldPacket } from 'mysql2';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Limits } from '../../engine/contracts/source.ts';
import { readWith, silenceAfter, type Wrapped, written } from '../shared/reader.ts';
import { orAborted } from '../shared/signal.ts';
import type { Login } from './config.ts';
import { explainReading } from './errors.ts';
import { RowsOut } from './rows-out.ts';
import type { Row } from './session.ts';
import { openWire, type Wire } from './wire.ts';

/** One read-only transaction on a connection of its own. Throws in sentences. */
export interface Reader {
  ask(text: string, values?: readonly string[]): Promise<readonly Row[]>;
  /** All rows of a proven query. Throws when the server made less of them than they are. */
  rows(text: Wrapped): Promise<readonly Row[]>;
  /** The same, block by block: `next` gives COPY lines, undefined at their proven end. */
  stream(text: Wrapped): { next(): Promise<Buffer | undefined> };
  /** The columns of a statement, without running it. */
  columnsOf(text: string | Wrapped): Promise<readonly FieldPacket[]>;
  /** Ends the transaction. With `stop`, what still runs is stopped at the server first. */
  end(how?: 'stop'): Promise<void>;
}

export interface Reading {
  begin(limits: Limits): Promise<Reader>;
  /** {@link Reading.begin}, work, and the end in any case. */
  read<T>(limits: Limits, work: (reader: Reader) => Promise<T>): Promise<T>;
}

/** Opens nothing yet. */
export function createReading(login: Login, applicationName: string): Reading {
  const open = (): Promise<Wire> => openWire(login, applicationName);
  const begin = (limits: Limits): Promise<Reader> => beginReading(open, login, limits);
  return {
    begin,
    read: async (limits, work) => readWith(await begin(limits), work),
  };
}

/** Of the modes of the server, those that change what a query means. The others change how its text or a value reads. */
const keptModes = /^(ONLY_FULL_GROUP_BY|PIPES_AS_CONCAT|HIGH_NOT_PRECEDENCE|NO_UNSIGNED_SUBTRACTION)$/;

/**
 * Settings under which a query gives all its rows, and a value always has the same text. Whatever the server is set to,
 * neither rows nor long texts are cut; long keys are compared in full; and we may take our time with the rows.
 */
function opening(version: string, modes: string, timeoutMs: number): readonly string[] {
  const limit = /mariadb/i.test(version)
    ? `max_statement_time = ${timeoutMs / 1000}`
    : `max_execution_time = ${Math.ceil(timeoutMs)}`;
  const lockSeconds = Math.max(1, Math.min(10, Math.ceil(timeoutMs / 1000)));
  const settings = [
    "time_zone = '+00:00'",
    'autocommit = 1',
    `sql_mode = '${modes
      .split(',')
      .filter((mode) => keptModes.test(mode))
      .join(',')}'`,
    'sql_select_limit = 18446744073709551615',
    'sql_big_selects = 1',
    'group_concat_max_len = 4294967295',
    `max_sort_length = ${sortedBytes}`,
    'max_error_count = 65535',
    'net_write_timeout = 600',
    `lock_wait_timeout = ${lockSeconds}`,
    `innodb_lock_wait_timeout = ${lockSeconds}`,
    limit,
  ];
  return [
    // Servers can be told not to listen to what a client said of itself.
    'SET NAMES utf8mb4',
    `SET SESSION ${settings.join(', ')}`,
    // The session too: in a read-only transaction alone, MariaDB still makes and drops tables.
    'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY',
    'START TRANSACTION READ ONLY',
  ];
}

/** How many bytes of a value are compared in sorting; what is longer is not sorted at the server. */
export const sortedBytes = 1024;

const whereAmI =
  "SELECT CONNECTION_ID(), CONCAT_WS(' ', @@hostname, @@port, @@server_id), VERSION(), @@sql_mode";

async function beginReading(open: () => Promise<Wire>, login: Login, limits: Limits): Promise<Reader> {
  const failed = (thrown: unknown): ActivateError => explainReading(thrown, login, limits);
  if (limits.signal?.aborted === true) {
    throw failed(limits.signal.reason);
  }
  const opened = open();
  const wire = await orAborted(opened, limits.signal).catch((thrown: unknown) => {
    // Nobody waits for it any more.
    opened.then((late) => late.cut()).catch(() => undefined);
    throw failed(thrown);
  });
  const silence = setTimeout(wire.cut, silenceAfter(limits));
  try {
    const [row] = await wire.ask(whereAmI);
    const [id = '', server = '', version = '', modes = ''] = (row ?? []).map((value) => value ?? '');
    for (const statement of opening(version, modes, limits.timeoutMs)) {
      await wire.ask(statement);
    }
    return reading({ wire, silence, stopThere: () => stopAt(open, id, server), failed }, limits);
  } catch (thrown) {
    clearTimeout(silence);
    wire.cut();
    throw failed(thrown);
  }
}

interface Place {
  readonly wire: Wire;
  readonly silence: NodeJS.Timeout;
  stopThere(): Promise<void>;
  failed(thrown: unknown): ActivateError;
}

function reading({ wire, silence, stopThere, failed }: Place, limits: Limits): Reader {
  let stopping: Promise<void> | undefined;
  // The rest of the rows must be neither sent nor waited for: a connection that has some unread takes no other question.
  const stop = (): void => {
    stopping ??= stopThere().finally(wire.cut);
  };
  limits.signal?.addEventListener('abort', stop, { once: true });
  if (limits.signal?.aborted === true) {
    stop();
  }
  const explained = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (thrown) {
      throw failed(thrown);
    }
  };
  const wholly = async (): Promise<void> => proveWhole(await wire.ask('SHOW WARNINGS'));
  return {
    ask: (text, values) => explained(wire.ask(text, values)),
    rows: (wrapped) =>
      explained(
        wire.ask(written(wrapped, 'mysql').text).then(async (rows) => {
          await wholly();
          return rows;
        }),
      ),
    stream: (wrapped) => {
      const rows = new RowsOut(wire, written(wrapped, 'mysql').text);
      const next = async (): Promise<Buffer | undefined> => {
        const block = await rows.next();
        if (block === undefined) {
          await wholly();
        }
        return block;
      };
      return { next: () => explained(next()) };
    },
    columnsOf: (text) => explained(wire.columnsOf(written(text, 'mysql').text)),
    end: async (how) => {
      limits.signal?.removeEventListener('abort', stop);
      if (how === 'stop') {
        stop();
      }
      await (stopping ?? wire.end());
      clearTimeout(silence);
    },
  };
}

/** These are warnings to the server, and to us a result that is not the one that was asked for. */
const cuts: Readonly<Record<string, string>> = {
  '1260': 'A text that GROUP_CONCAT made was cut by the database',
  '1301': 'A text was larger than the database lets one be (max_allowed_packet), and became NULL or was cut',
  '1931': 'The database stopped early (LIMIT ROWS EXAMINED) and left out rows',
};

function proveWhole(warnings: readonly Row[]): void {
  for (const [, code] of warnings) {
    const cut = cuts[code ?? ''];
    if (cut !== undefined) {
      throw new ActivateError('SQL_FAILED', `${cut}: the result is not whole.`, {
        fix: 'Correct the query, or raise that limit at the database.',
      });
    }
  }
}

const patienceMs = 5000;

/**
 * Stops what a connection runs, from another one. Behind one address there may be several servers, each with numbers of
 * its own for connections: on another one it does nothing. Gives up after some seconds.
 */
async function stopAt(open: () => Promise<Wire>, id: string, server: string): Promise<void> {
  let late: NodeJS.Timeout | undefined;
  try {
    const wire = await open();
    late = setTimeout(wire.cut, patienceMs);
    const [row] = await wire.ask(whereAmI);
    if (row?.[1] === server) {
      await wire.ask(`KILL QUERY ${Number(id)}`);
    }
    await wire.end();
  } catch {
    // No connection to be had, or the query has ended. The caller cuts its own, and the server's limit does the rest.
  } finally {
    clearTimeout(late);
  }
}
