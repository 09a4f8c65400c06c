import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { quoted } from '../../engine/contracts/names.ts';
import { Broken } from './failure.ts';
import { literal } from './names.ts';
import type { DataFile } from './place.ts';
import type { Task } from './wire.ts';

/** What questions about one database file share while they are at work. */
interface Shared {
  readonly opening: Promise<Opened>;
  users: number;
}

interface Opened {
  readonly instance: DuckDBInstance;
  readonly spill: string;
}

export interface Session {
  readonly connection: DuckDBConnection;
  close(): Promise<void>;
}

const shared = new Map<string, Shared>();

/**
 * A connection that reads and does nothing else: the database is opened to be read only, and no file, network, extension
 * or setting can be reached from its SQL. What goes to disk meanwhile has a folder of its own below `spillRoot`. A
 * database file is held only while somebody asks, so that others can write to it.
 */
export async function openSession(task: Task, spillRoot: string, signal: AbortSignal): Promise<Session> {
  const { place } = task;
  if (place.kind === 'files') {
    const opened = await open(task, ':memory:', spillRoot, signal, namedIn(task, place.files));
    return session(opened, () => closed(opened));
  }
  let one = shared.get(place.file);
  if (one === undefined) {
    one = { opening: open(task, place.file, spillRoot, signal, []), users: 0 };
    shared.set(place.file, one);
  }
  const { opening } = one;
  one.users += 1;
  const leave = async (): Promise<void> => {
    one.users -= 1;
    if (one.users === 0) {
      shared.delete(place.file);
      await opening.then(closed, () => undefined);
    }
  };
  try {
    return await session(await opening, leave);
  } catch (error) {
    await leave();
    throw error;
  }
}

async function session({ instance }: Opened, leave: () => Promise<void>): Promise<Session> {
  const connection = await instance.connect();
  return {
    connection,
    close: async () => {
      connection.closeSync();
      await leave();
    },
  };
}

async function closed({ instance, spill }: Opened): Promise<void> {
  instance.closeSync();
  await rm(spill, { recursive: true, force: true });
}

/** Only files that the query can mean are looked at: to look at a CSV file is to read its beginning. */
function namedIn({ question }: Task, files: readonly DataFile[]): readonly DataFile[] {
  const sql = question.kind === 'read' ? question.query.sql : question.kind === 'tables' ? '' : question.sql;
  const text = sql.toLowerCase().replaceAll('""', '"');
  return files.filter(({ name }) => text.includes(name.toLowerCase()));
}

async function open(
  task: Task,
  path: string,
  spillRoot: string,
  signal: AbortSignal,
  files: readonly DataFile[],
): Promise<Opened> {
  const spill = await mkdtemp(join(spillRoot, 'spill-'));
  try {
    const instance = await opened(task, path, spill, signal);
    try {
      const connection = await instance.connect();
      for (const statement of [...files.map(viewOf), ...lockdown(files)]) {
        await connection.run(statement);
      }
      connection.closeSync();
      return { instance, spill };
    } catch (error) {
      instance.closeSync();
      throw error;
    }
  } catch (error) {
    await rm(spill, { recursive: true, force: true });
    throw error;
  }
}

async function opened(task: Task, path: string, spill: string, signal: AbortSignal): Promise<DuckDBInstance> {
  const { DuckDBInstance: instances } = await loaded();
  const options = {
    access_mode: path === ':memory:' ? 'AUTOMATIC' : 'READ_ONLY',
    memory_limit: `${task.memoryMb}MB`,
    threads: String(task.threads),
    temp_directory: spill,
    allow_persistent_secrets: 'false',
    allow_community_extensions: 'false',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    errors_as_json: 'true',
  };
  const deadline = performance.now() + task.patienceMs;
  for (let waitMs = 50; ; waitMs = Math.min(waitMs * 2, 1000)) {
    signal.throwIfAborted();
    try {
      return await instances.create(path, options);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (!message.includes('Could not set lock on file')) {
        throw error;
      }
      if (performance.now() >= deadline) {
        throw new Broken('locked', message);
      }
      await sleep(waitMs, undefined, { signal }).catch(() => {
        throw new Broken('locked', message);
      });
    }
  }
}

async function loaded(): Promise<typeof import('@duckdb/node-api')> {
  try {
    return await import('@duckdb/node-api');
  } catch (error) {
    throw new Broken('missing', error instanceof Error ? error.message : String(error));
  }
}

/**
 * Text files have no types, and guessing them from some rows would make 7 of 007, and round numbers: their columns are
 * text. In CSV nothing at all is NULL, and `""` is empty text.
 */
function viewOf({ name, file, format }: DataFile): string {
  const path = literal(file);
  const rows = {
    csv: `SELECT * FROM read_csv(${path}, all_varchar = true, header = true, allow_quoted_nulls = false)`,
    parquet: `SELECT * FROM read_parquet(${path})`,
    ndjson: `SELECT COLUMNS(*) ->> '$' FROM read_json(${path}, format = 'newline_delimited', maximum_depth = 1, sample_size = -1)`,
  };
  return `CREATE VIEW ${quoted(name)} AS ${rows[format]}`;
}

/** The order counts: after the last of these, nothing can be set or reached any more. */
function lockdown(files: readonly DataFile[]): readonly string[] {
  return [
    "SET GLOBAL TimeZone = 'UTC'",
    `SET GLOBAL allowed_paths = [${files.map(({ file }) => literal(file)).join(', ')}]`,
    'SET GLOBAL enable_external_access = false',
    'SET GLOBAL lock_configuration = true',
  ];
}
