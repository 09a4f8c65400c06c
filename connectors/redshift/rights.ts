import { inTheClear } from '../shared/database-login.ts';
import { fullName, ofPeople } from './catalog.ts';
import type { Login } from './config.ts';
import type { Reader } from './session.ts';

interface Right {
  /** True where it is held. Of the catalog alone, so that it runs on the leader node: these functions know no other. */
  readonly sql: string;
  readonly warning: string;
}

const userIs = (attribute: string): string =>
  `EXISTS (SELECT 1 FROM pg_user WHERE usename = current_user AND ${attribute})`;

/** Sentences about rights that reading does not need, and about a connection in the clear; none is best. */
export async function warningsOf(reader: Reader, login: Login): Promise<readonly string[]> {
  const rights = rightsOf(login);
  const { rows } = await reader.ask(
    `SELECT ${rights.map(({ sql }) => `CASE WHEN ${sql} THEN 'true' ELSE 'false' END`).join(', ')}`,
  );
  const warnings = rights.filter((_, at) => rows[0]?.[at] === 'true').map(({ warning }) => warning);
  return [...warnings, ...inTheClear(login)];
}

/** The planner schema is ours to write. */
function rightsOf({ plannerSchema }: Login): readonly Right[] {
  const elsewhere = plannerSchema === undefined ? '' : `AND n.nspname <> '${plannerSchema}'`;
  const changes = ['INSERT', 'UPDATE', 'DELETE'].map(
    (right) => `HAS_TABLE_PRIVILEGE(${fullName}, '${right}')`,
  );
  return [
    {
      sql: userIs('usesuper'),
      warning: 'The user is a superuser: it can do anything to the whole cluster.',
    },
    {
      sql: `${userIs('usecreatedb')} AND NOT ${userIs('usesuper')}`,
      warning: 'The user can create databases.',
    },
    {
      sql: `EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND ${ofPeople} ${elsewhere}
  AND HAS_SCHEMA_PRIVILEGE(n.nspname, 'USAGE') AND (${changes.join(' OR ')}))
  AND NOT ${userIs('usesuper')}`,
      warning: 'The user can change rows of at least one table.',
    },
    {
      sql: `EXISTS (SELECT 1 FROM pg_namespace n WHERE n.nspname <> 'information_schema' AND SUBSTRING(n.nspname, 1, 3) <> 'pg_'
  ${elsewhere} AND HAS_SCHEMA_PRIVILEGE(n.nspname, 'CREATE')) AND NOT ${userIs('usesuper')}`,
      warning: 'The user can create tables.',
    },
  ];
}
