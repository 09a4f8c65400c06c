import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Db } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';

/** The folder of numbered SQL files, beside the folders of code in the source and in the build. */
const migrationsDir = join(import.meta.dirname, '..', '..', 'migrations');

/**
 * Brings the schema up to date: runs each file of `migrations/` that has not run, in order, each in one transaction.
 * Forward only. Safe when several processes start at once: a lock lets one through, the others find nothing to do.
 */
export async function migrate(db: Db, schema: string): Promise<readonly string[]> {
  const files = (await readdir(migrationsDir)).filter((name) => /^\d{4}-.*\.sql$/.test(name)).sort();
  return db.transaction(async (sql) => {
    await sql.query('select pg_advisory_xact_lock(731204)');
    await sql.query(`create schema if not exists "${schema}"`);
    await sql.query(
      'create table if not exists migrations (name text primary key, at timestamptz not null default now())',
    );
    const done = new Set(
      (await sql.query<{ name: string }>('select name from migrations')).map((row) => row.name),
    );
    const unknown = [...done].filter((name) => !files.includes(name));
    if (unknown.length > 0) {
      throw new ActivateError(
        'CONFIG_INVALID',
        `The database was set up by a newer Activate (${unknown.join(', ')}).`,
        {
          fix: 'Start that version, or a newer one.',
        },
      );
    }
    const ran: string[] = [];
    for (const name of files) {
      if (!done.has(name)) {
        for (const statement of statements(await readFile(join(migrationsDir, name), 'utf8'))) {
          await sql.query(statement);
        }
        await sql.query('insert into migrations (name) values ($1)', [name]);
        ran.push(name);
      }
    }
    return ran;
  });
}

/** Our files end every statement with a semicolon at the end of a line, functions excepted (they end in `$$;`). */
function statements(text: string): readonly string[] {
  const parts: string[] = [];
  let current: string[] = [];
  let inBody = false;
  for (const line of text.split('\n')) {
    current.push(line);
    if ((line.match(/\$\$/g)?.length ?? 0) % 2 === 1) {
      inBody = !inBody;
    }
    if (!inBody && line.trimEnd().endsWith(';')) {
      parts.push(current.join('\n'));
      current = [];
    }
  }
  return parts.filter((part) => part.replaceAll(/--.*$/gm, '').trim() !== '');
}
