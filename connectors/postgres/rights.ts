import { isLocal, type Login } from './config.ts';
import type { Reader } from './session.ts';

interface Right {
  readonly sql: string;
  readonly warning: string;
}

const roleIs = (attribute: string): string =>
  `(SELECT ${attribute} FROM pg_roles WHERE rolname = current_user)`;
const memberOf = (role: string): string =>
  `EXISTS (SELECT FROM pg_roles WHERE rolname = '${role}' AND pg_has_role(current_user, oid, 'USAGE')) AND NOT ${roleIs('rolsuper')}`;

/** Rights that a role made for reading does not need. */
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
  {
    sql: `EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
        AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'))
      AND NOT ${roleIs('rolsuper')}`,
    warning: 'The role can change rows of at least one table.',
  },
  {
    sql: `EXISTS (SELECT FROM pg_namespace n WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
      AND has_schema_privilege(n.oid, 'CREATE')) AND NOT ${roleIs('rolsuper')}`,
    warning: 'The role can create tables.',
  },
];

/** Sentences about what the role could do besides reading, and about a connection in the clear; none is best. */
export async function warningsOf(reader: Reader, login: Login): Promise<readonly string[]> {
  const { rows } = await reader.ask(`SELECT ${excess.map((right) => `(${right.sql})::text`).join(', ')}`);
  const warnings = excess.filter((_, i) => rows[0]?.[i] === 'true').map((right) => right.warning);
  if (login.tls === 'off' && !isLocal(login.host)) {
    warnings.push('The connection is not encrypted: whoever is on the way can read rows and password.');
  }
  return warnings;
}
