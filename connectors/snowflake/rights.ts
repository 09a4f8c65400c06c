import { ActivateError } from '../../engine/contracts/errors.ts';
import { quoted } from '../../engine/contracts/names.ts';
import type { Limits } from '../../engine/contracts/source.ts';
import { invalid, type Planner } from './config.ts';
import { namesOf, written } from './names.ts';
import type { Session } from './session.ts';

interface Grant {
  readonly privilege: string;
  readonly on: string;
  readonly name: string;
}

interface Excess {
  readonly test: (grant: Grant) => boolean;
  /** Goes on after “The role X”. */
  readonly can: string;
}

/** What reading does not need. A grant counts for the first that fits. */
const excess: readonly Excess[] = [
  { test: ({ privilege }) => privilege === 'OWNERSHIP', can: 'owns things, and can do anything with them' },
  {
    test: ({ privilege }) => /^(INSERT|UPDATE|DELETE|TRUNCATE|EVOLVE SCHEMA)$/.test(privilege),
    can: 'can change rows',
  },
  { test: ({ privilege }) => privilege.startsWith('CREATE'), can: 'can create things' },
  { test: ({ privilege }) => privilege === 'WRITE', can: 'can write files to stages' },
  {
    test: ({ privilege, on }) => privilege === 'USAGE' && /^(PROCEDURE|FUNCTION|INTEGRATION)$/.test(on),
    can: 'can call what may do more than read',
  },
  {
    test: ({ privilege }) =>
      /^(MANAGE|EXECUTE|APPLY|MODIFY|OPERATE|ALL|IMPORT SHARE|OVERRIDE)/.test(privilege),
    can: 'can change how things are set up',
  },
];

const powerful = /^(ACCOUNTADMIN|ORGADMIN|GLOBALORGADMIN|SECURITYADMIN|SYSADMIN|USERADMIN)$/;

/** Roles can have roles; so many are looked at. */
const mostRoles = 20;

/**
 * Signs in, and says in sentences what the role may do beyond reading, but for what it may in the place of ours. Throws
 * CONFIG_INVALID when warehouse or database are not there for it.
 */
export async function warningsOf(session: Session, limits: Limits): Promise<readonly string[]> {
  const { rows } = await session.ask(
    'SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE(), CURRENT_DATABASE(), CURRENT_SECONDARY_ROLES()',
    limits,
  );
  const [user, role, warehouse, database, others] = rows[0] ?? [];
  const { login } = session;
  if (role === null || role === undefined) {
    throw invalid(
      'role',
      'The user has no role.',
      'Fill in one that was granted to it, or set its DEFAULT_ROLE.',
    );
  }
  if (warehouse === null) {
    throw invalid(
      'warehouse',
      login.warehouse === undefined
        ? 'There is no warehouse to ask with.'
        : `The role ${role} may not use a warehouse named ${login.warehouse}.`,
      `Make one, and let the role use it: GRANT USAGE ON WAREHOUSE … TO ROLE ${written(role)}.`,
    );
  }
  if (database === null) {
    throw invalid(
      'database',
      `The role ${role} sees no database named ${login.database}.`,
      `Check its name, or: GRANT USAGE ON DATABASE ${written(login.database)} TO ROLE ${written(role)}.`,
    );
  }
  return [...secondaryRoles(others ?? '', user ?? ''), ...(await grantsBeyond(session, role, limits))];
}

/** By default a session has all roles of its user, and the one that was chosen is only the first of them. */
function secondaryRoles(json: string, user: string): readonly string[] {
  const [, roles = ''] = /"roles"\s*:\s*"([^"]*)"/.exec(json) ?? [];
  return roles === ''
    ? []
    : [
        `All other roles of the user count, too (${roles}): ALTER USER ${written(user)} SET DEFAULT_SECONDARY_ROLES = () ends that.`,
      ];
}

async function grantsBeyond(session: Session, role: string, limits: Limits): Promise<readonly string[]> {
  const seen = new Set<string>();
  const grants: Grant[] = [];
  // Whatever PUBLIC may do, everybody may.
  const waiting = [`ROLE ${quoted(role)}`, 'ROLE "PUBLIC"'];
  for (let next = waiting.shift(); next !== undefined && seen.size < mostRoles; next = waiting.shift()) {
    if (seen.has(next)) {
      continue;
    }
    seen.add(next);
    const found = await grantsOf(session, next, limits);
    if (found === undefined) {
      return [`Snowflake does not say what the ${next} may do, so this was not looked at.`];
    }
    grants.push(...found);
    waiting.push(
      ...found.flatMap(({ privilege, on, name }) =>
        privilege === 'USAGE' && /^(DATABASE_)?ROLE$/.test(on)
          ? [`${on.replace('_', ' ')} ${namesOf(name).map(quoted).join('.')}`]
          : [],
      ),
    );
  }
  const admins = [...seen]
    .map((one) => one.replace(/^ROLE "(.*)"$/, '$1'))
    .filter((one) => powerful.test(one));
  return [
    ...admins.map((admin) => `The role ${role} has all rights of ${admin}: use one that can only read.`),
    ...sentencesOf(grants, role, session.login.planner),
    ...(seen.size >= mostRoles
      ? [`The role ${role} has more than ${mostRoles} roles: not all were looked at.`]
      : []),
  ];
}

/** Undefined when Snowflake does not let the role see it. */
async function grantsOf(
  session: Session,
  role: string,
  limits: Limits,
): Promise<readonly Grant[] | undefined> {
  const table = await session.ask(`SHOW GRANTS TO ${role}`, limits).catch((error: unknown) => {
    if (error instanceof ActivateError && /^(SQL_FAILED|PERMISSION_DENIED)$/.test(error.code)) {
      return undefined;
    }
    throw error;
  });
  const at = (name: string): number => table?.columns.findIndex((column) => column.name === name) ?? -1;
  const [privilege, on, name] = [at('privilege'), at('granted_on'), at('name')];
  return table?.rows.map((row) => ({
    privilege: row[privilege] ?? '',
    on: row[on] ?? '',
    name: row[name] ?? '',
  }));
}

function sentencesOf(
  grants: readonly Grant[],
  role: string,
  planner: Planner | undefined,
): readonly string[] {
  const others = grants.filter((grant) => !isOurs(grant, planner));
  const kindOf = (grant: Grant): Excess | undefined => excess.find(({ test }) => test(grant));
  return excess.flatMap((kind) => {
    const found = others.filter((grant) => kindOf(grant) === kind);
    const [first] = found;
    if (first === undefined) {
      return [];
    }
    const more = found.length === 1 ? '' : `, and ${found.length - 1} more like it`;
    return [
      `The role ${role} ${kind.can}: ${first.privilege} on ${first.on.toLowerCase()} ${first.name}${more}.`,
    ];
  });
}

function isOurs({ name, on }: Grant, planner: Planner | undefined): boolean {
  const [database, schema] = namesOf(name);
  return (
    planner !== undefined && on !== 'ACCOUNT' && database === planner.database && schema === planner.schema
  );
}
