import type { PartName } from '../../engine/contracts/connector.ts';
import { inTheClear } from '../shared/database-login.ts';
import type { Login } from './config.ts';
import type { Reader } from './session.ts';

interface Right {
  readonly sql: string;
  readonly warning: string;
}

const roleIs = (attribute: string): string =>
  `(SELECT ${attribute} FROM pg_roles WHERE rolname = current_user)`;
const memberOf = (role: string): string =>
  `EXISTS (SELECT FROM pg_roles WHERE rolname = '${role}' AND pg_has_role(current_user, oid, 'USAGE')) AND NOT ${roleIs('rolsuper')}`;

/** Rights that neither reading nor writing rows needs. */
const excess: readonly Right[] = [
  { sql: roleIs('rolsuper'), warning: 'The role is a superuser: it can do anything to the whole server.' },
  {
    sql: `${roleIs('rolcreaterole')} AND NOT ${roleIs('rolsuper')}`,
    warning: 'The role can create other roles.',
  },
  {
    sql: `${roleIs('rolreplication')} AND NOT ${roleIs('rolsuper')}`,
    warning: 'The role can replicate the whole server.',
  },
  { sql: memberOf('pg_execute_server_program'), warning: 'The role can run programs on the server.' },
  { sql: memberOf('pg_write_server_files'), warning: 'The role can write files on the server.' },
  { sql: memberOf('pg_read_server_files'), warning: 'The role can read files of the server.' },
  { sql: memberOf('pg_signal_backend'), warning: 'The role can end the sessions of others.' },
];

/** Tables outside of a schema of ours, a name that needs no quotes. */
const hasTables = (rights: string, ours: string): string => `EXISTS (
  SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('information_schema', '${ours}') AND n.nspname NOT LIKE 'pg\\_%'
    AND has_schema_privilege(n.oid, 'USAGE') AND (${rights}))`;

const changing =
  "has_any_column_privilege(c.oid, 'INSERT, UPDATE') OR has_table_privilege(c.oid, 'DELETE, TRUNCATE')";

/** Rights that reading does not need, outside of a schema of ours. */
const writing = (ours: string): readonly Right[] => [
  {
    sql: `${hasTables(changing, ours)} AND NOT ${roleIs('rolsuper')}`,
    warning: 'The role can change rows of at least one table.',
  },
  {
    sql: `EXISTS (SELECT FROM pg_namespace n WHERE n.nspname NOT IN ('information_schema', '${ours}') AND n.nspname NOT LIKE 'pg\\_%'
      AND has_schema_privilege(n.oid, 'CREATE')) AND NOT ${roleIs('rolsuper')}`,
    warning: 'The role can create tables.',
  },
];

/** Whether a role can change rows outside of a schema of ours, or, as a superuser or by running programs, anything at all. */
export function writesElsewhere(ours: string): string {
  const rights = [
    roleIs('rolsuper'),
    memberOf('pg_execute_server_program'),
    memberOf('pg_write_server_files'),
    hasTables(changing, ours),
  ];
  return `SELECT (${rights.join(' OR ')})::text`;
}

/** What keeps a role from writing. */
const lacking: readonly Right[] = [
  {
    sql: `NOT ${hasTables("has_any_column_privilege(c.oid, 'INSERT, UPDATE') OR has_table_privilege(c.oid, 'DELETE')", '')}`,
    warning: 'The role can change rows of no table.',
  },
  {
    sql: `current_setting('default_transaction_read_only')::bool`,
    warning: 'The role is set to read only (default_transaction_read_only).',
  },
  { sql: 'pg_is_in_recovery()', warning: 'This server is a standby, which takes no changes.' },
];

/**
 * Sentences about rights that this use does not need or lacks, and about a connection in the clear; none is best. What it
 * may do in `ours`, a schema for our tables, is as it should be.
 */
export async function warningsOf(
  reader: Reader,
  login: Login,
  use: PartName,
  ours = '',
): Promise<readonly string[]> {
  const rights = [...excess, ...(use === 'source' ? writing(ours) : lacking)];
  const { rows } = await reader.ask(`SELECT ${rights.map((right) => `(${right.sql})::text`).join(', ')}`);
  const warnings = rights.filter((_, i) => rows[0]?.[i] === 'true').map((right) => right.warning);
  return [...warnings, ...inTheClear(login)];
}
