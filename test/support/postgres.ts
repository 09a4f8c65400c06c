import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import { createDb, type PooledDb } from '../../engine/store/db.ts';
import { startEmbedded } from '../../engine/store/embedded.ts';
import { migrate } from '../../engine/store/migrate.ts';
import { silentLog } from './log.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    postgresUrl: string;
  }
}

/** Starts one real PostgreSQL for the whole test run, with a migrated template that every fresh database copies. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = await mkdtemp(join(tmpdir(), 'activate-test-'));
  const server = await startEmbedded(dir);
  const admin = server.url('postgres');
  await asAdmin(admin, 'create database activate_template');
  const db = createDb(server.url('activate_template'), { schema: 'activate', log: silentLog });
  await migrate(db, 'activate');
  await db.close();
  project.provide('postgresUrl', admin);
  return async () => {
    await server.stop();
    await rm(dir, { recursive: true, force: true });
  };
}

export interface FreshDb {
  readonly db: PooledDb;
  readonly url: string;
  close(): Promise<void>;
}

let made = 0;

/** A migrated database of its own for one test file (or one test). */
export async function freshDb(): Promise<FreshDb> {
  const admin = inject('postgresUrl');
  made += 1;
  const name = `t_${process.pid}_${Date.now().toString(36)}_${made}_${Math.random().toString(36).slice(2, 8)}`;
  await asAdmin(admin, `create database ${name} template activate_template`);
  const url = new URL(admin);
  url.pathname = `/${name}`;
  const db = createDb(url.href, { schema: 'activate', log: silentLog });
  return {
    db,
    url: url.href,
    close: async () => {
      await db.close();
      await asAdmin(admin, `drop database ${name} with (force)`);
    },
  };
}

async function asAdmin(url: string, statement: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(statement);
  await client.end();
}
