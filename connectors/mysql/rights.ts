import { ActivateError } from '../../engine/contracts/errors.ts';
import { inTheClear } from '../shared/database-login.ts';
import type { Login } from './config.ts';
import type { Row } from './session.ts';

/** Whoever can ask the server a question. */
interface Asking {
  ask(text: string): Promise<readonly Row[]>;
}

/** Sentences about what writing rows lacks; none is best. Refuses servers that are too old. */
export async function warningsForWriting(link: Asking, login: Login): Promise<readonly string[]> {
  const { readOnly } = await proveVersion(link);
  return [
    ...(readOnly
      ? ['The server takes no changes: it is read-only. If it is a replica, connect to the primary server.']
      : []),
    ...inTheClear(login),
  ];
}

/** Sentences about what the user may do beyond reading; none is best. Refuses servers that are too old. */
export async function warningsForReading(link: Asking, login: Login): Promise<readonly string[]> {
  const { isMaria } = await proveVersion(link);
  const [row] = await link.ask('SELECT CURRENT_ROLE()');
  const roles = row?.[0] ?? 'NONE';
  // MySQL shows what roles may do only when they are named; MariaDB shows those in use by itself.
  const using = isMaria || roles === 'NONE' ? '' : ` FOR CURRENT_USER() USING ${roles}`;
  const grants = await link.ask(`SHOW GRANTS${using}`);
  return [...excessOf(grants.map((grant) => grant[0] ?? '')), ...inTheClear(login)];
}

interface Version {
  readonly isMaria: boolean;
  readonly readOnly: boolean;
}

async function proveVersion(link: Asking): Promise<Version> {
  const [row] = await link.ask('SELECT VERSION(), @@global.read_only');
  const [version = null, readOnly = null] = row ?? [];
  const [major = 0, minor = 0] = (version ?? '').split('.').map((part) => Number.parseInt(part, 10));
  const isMaria = /mariadb/i.test(version ?? '');
  if (isMaria ? major < 10 || (major === 10 && minor < 4) : major < 8) {
    throw new ActivateError('CONFIG_INVALID', `The server is ${isMaria ? 'MariaDB' : 'MySQL'} ${version}.`, {
      fix: 'Use MySQL 8.0 or newer, or MariaDB 10.4 or newer.',
    });
  }
  return { isMaria, readOnly: readOnly === '1' };
}

/** What is needed to read, or gives nothing away. */
const harmless = /^(USAGE|SELECT|SHOW VIEW|SHOW DATABASES)$/;

const kinds: readonly (readonly [rights: RegExp, sentence: string])[] = [
  [/^(INSERT|UPDATE|DELETE|DELETE HISTORY)$/, 'The user may change rows'],
  [
    /^(CREATE|ALTER|DROP|INDEX|REFERENCES|TRIGGER|EVENT|CREATE (VIEW|ROUTINE|TABLESPACE|TEMPORARY TABLES)|ALTER ROUTINE)$/,
    'The user may make, change or drop tables and what belongs to them',
  ],
  [/^LOCK TABLES$/, 'The user may lock tables for everybody'],
  [
    /^EXECUTE$/,
    'The user may call functions and procedures of the database, which can do more than the user',
  ],
  [/^FILE$/, 'The user may read and write files of the server'],
  [/^PROCESS$/, 'The user sees what everybody else asks the server'],
  [/^(GRANT OPTION|CREATE USER|CREATE ROLE|DROP ROLE|ROLE_ADMIN)$/, 'The user may give rights to others'],
];

/** Sentences about grants, as `SHOW GRANTS` gives them. No part of them is repeated but names of rights: they hold a hash. */
export function excessOf(grants: readonly string[]): readonly string[] {
  const rights = new Set(grants.flatMap(rightsIn));
  if (rights.has('ALL PRIVILEGES ON *.*')) {
    return ['The user may do anything on the whole server.'];
  }
  const names = [...rights].filter((right) => !harmless.test(right)).sort();
  const sentences = kinds.flatMap(([pattern, sentence]) => {
    const found = names.filter((name) => pattern.test(name));
    return found.length === 0 ? [] : [`${sentence} (${found.join(', ')}).`];
  });
  const others = names.filter((name) => !kinds.some(([pattern]) => pattern.test(name)));
  const all = others.includes('ALL PRIVILEGES')
    ? ['The user may do anything with at least one database.']
    : [];
  const administrative = others.filter((name) => name !== 'ALL PRIVILEGES');
  return [
    ...all,
    ...sentences,
    ...(administrative.length === 0
      ? []
      : [`The user may administer the server (${administrative.join(', ')}).`]),
  ];
}

/** `GRANT SELECT (a), INSERT ON x.* TO u WITH GRANT OPTION` has three. A grant of a role has none of its own. */
function rightsIn(grant: string): readonly string[] {
  // Names may hold anything, and a password's hash is one of the texts.
  const bare = grant.replaceAll(/`(?:[^`]|``)*`/g, '`').replaceAll(/'(?:[^'\\]|''|\\.)*'/g, "'");
  const match = /^GRANT (.+?) ON (?:(?:FUNCTION|PROCEDURE|PACKAGE|PACKAGE BODY) )?(\S+) TO /.exec(bare);
  if (match === null) {
    return [];
  }
  const [, list = '', where = ''] = match;
  const names = list.replaceAll(/\s*\([^)]*\)/g, '').split(/\s*,\s*/);
  if (names.includes('PROXY')) {
    return [];
  }
  return [
    ...names.map((name) => (name === 'ALL PRIVILEGES' && where === '*.*' ? `${name} ON *.*` : name)),
    ...(/ WITH .*GRANT OPTION/.test(bare) ? ['GRANT OPTION'] : []),
  ];
}
