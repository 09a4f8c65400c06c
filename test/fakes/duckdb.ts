import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { duckdb } from '../../connectors/duckdb/index.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import type { Source } from '../../engine/contracts/source.ts';
import { bytesOf, limits } from '../contracts/source-house.ts';
import { openFor } from '../support/connect.ts';

/** A folder that was set free, with real files of DuckDB and others in it. Paths are as seen from there. */
export interface DuckdbFolder {
  readonly root: string;
  open(config: Raw): Promise<OpenDuckdb>;
  /** Keeps a database open as who writes to it, until it is let go. */
  holding(file: string, ...statements: readonly string[]): Promise<() => void>;
  /** Makes or changes a database. */
  made(file: string, ...statements: readonly string[]): Promise<void>;
  filled(files: Readonly<Record<string, string | Buffer>>): Promise<void>;
  close(): Promise<void>;
}

type OpenDuckdb = Source & { check(): Promise<readonly string[]>; close(): Promise<void> };

export async function startDuckdbFolder(): Promise<DuckdbFolder> {
  const root = await mkdtemp(join(tmpdir(), 'activate-duckdb-test-'));
  const closing: (() => Promise<void>)[] = [];
  const holding: DuckdbFolder['holding'] = async (file, ...statements) => {
    const instance = await DuckDBInstance.create(join(root, file));
    const connection = await instance.connect();
    for (const statement of statements) {
      await connection.run(statement);
    }
    return () => {
      connection.closeSync();
      instance.closeSync();
    };
  };
  return {
    root,
    open: async (config) => {
      const { connection, close } = await openFor(duckdb, config, { allowedFolder: root });
      closing.push(close);
      return { ...(connection.source as Source), check: () => connection.check('source'), close };
    },
    holding,
    made: async (file, ...statements) => (await holding(file, ...statements))(),
    filled: async (files) => {
      for (const [name, content] of Object.entries(files)) {
        await mkdir(dirname(join(root, name)), { recursive: true });
        await writeFile(join(root, name), content);
      }
    },
    close: async () => {
      for (const close of closing) {
        await close();
      }
      await rm(root, { recursive: true });
    },
  };
}

/** All lines of a reading, as they come. */
export async function linesOf(
  source: Source,
  sql: string,
  key: readonly string[],
  columns = key,
): Promise<string> {
  return (await bytesOf(await source.read({ sql, key, columns }, limits))).toString();
}
