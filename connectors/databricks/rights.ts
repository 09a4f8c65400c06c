import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Limits } from '../../engine/contracts/source.ts';
import type { Planner } from './config.ts';
import { quoted } from './names.ts';
import type { Session } from './session.ts';

interface Grant {
  readonly on: string;
  /** `schema` or `schema.table`; of the catalog itself, its name. */
  readonly name: string;
  readonly privilege: string;
}

interface Excess {
  readonly test: RegExp;
  /** Goes on after “The principal X”. */
  readonly can: string;
}

/** What reading does not need. A grant counts for the first that fits. */
const excess: readonly Excess[] = [
  { test: /^OWNERSHIP$/, can: 'owns things, and can do anything with them' },
  { test: /^(ALL PRIVILEGES|MODIFY|INSERT|UPDATE|DELETE)$/, can: 'can change rows' },
  { test: /^CREATE/, can: 'can create things' },
  { test: /^WRITE/, can: 'can write files' },
  { test: /^EXECUTE$/, can: 'can call functions, which may do more than read' },
  { test: /^(MANAGE|APPLY|REFRESH|EXTERNAL)/, can: 'can change how things are set up' },
];

interface Me {
  readonly userName?: string;
  readonly displayName?: string;
  readonly groups?: readonly { readonly display?: string }[];
}

/** Signs in, and says in sentences what the principal may do beyond reading, but for what it may in the place of ours. */
export async function warningsOf(session: Session, limits: Limits): Promise<readonly string[]> {
  const { rows } = await session.ask('SELECT current_user(), current_catalog()', limits);
  const user = rows[0]?.[0] ?? '';
  const groups = await groupsOf(session);
  const grants = await grantsOf(session, [user, ...(groups ?? []), 'account users'], limits);
  const who = `The principal ${user}`;
  return [
    ...(groups?.includes('admins') === true
      ? [`${who} is an admin of the workspace: use one that is not.`]
      : []),
    ...(groups === undefined
      ? ['Databricks does not say which groups the principal is in, so what those may do was not looked at.']
      : []),
    ...(grants === undefined
      ? [
          `Databricks does not say what the principal may do in ${session.login.catalog}, so this was not looked at.`,
        ]
      : sentencesOf(grants, who, session.login.planner, session.login.catalog)),
  ];
}

async function groupsOf(session: Session): Promise<readonly string[] | undefined> {
  const me = await session.get<Me>('/api/2.0/preview/scim/v2/Me').catch(unlessSecret);
  return me?.groups?.flatMap(({ display }) => display ?? []) ?? (me === undefined ? undefined : []);
}

function unlessSecret(error: unknown): undefined {
  if (error instanceof ActivateError && /^(PERMISSION_DENIED|NOT_FOUND|SQL_FAILED)$/.test(error.code)) {
    return undefined;
  }
  throw error;
}

/** Undefined when Databricks does not let the principal see it, or the catalog is none of Unity Catalog. */
async function grantsOf(
  session: Session,
  grantees: readonly string[],
  limits: Limits,
): Promise<readonly Grant[] | undefined> {
  const schema = `${quoted(session.login.catalog)}.information_schema`;
  const among = (column: string): string =>
    `array_contains(from_json(:grantees, 'ARRAY<STRING>'), ${column})`;
  const parts = [
    `SELECT 'catalog', catalog_name, privilege_type FROM ${schema}.catalog_privileges WHERE ${among('grantee')}`,
    `SELECT 'schema', schema_name, privilege_type FROM ${schema}.schema_privileges WHERE ${among('grantee')}`,
    `SELECT 'table', concat(table_schema, '.', table_name), privilege_type FROM ${schema}.table_privileges WHERE ${among('grantee')}`,
    `SELECT 'schema', schema_name, 'OWNERSHIP' FROM ${schema}.schemata WHERE ${among('schema_owner')}`,
    `SELECT 'table', concat(table_schema, '.', table_name), 'OWNERSHIP' FROM ${schema}.tables WHERE ${among('table_owner')}`,
  ];
  const asking = { parameters: { grantees: JSON.stringify(grantees) } };
  const found = await session.ask(parts.join(' UNION '), limits, asking).catch(unlessSecret);
  return found?.rows.map(([on, name, privilege]) => ({
    on: on ?? '',
    name: name ?? '',
    privilege: (privilege ?? '').replaceAll('_', ' '),
  }));
}

function sentencesOf(
  grants: readonly Grant[],
  who: string,
  planner: Planner | undefined,
  catalog: string,
): readonly string[] {
  const isOurs = ({ on, name }: Grant): boolean =>
    planner?.catalog === catalog && on !== 'catalog' && name.split('.')[0] === planner.schema;
  const others = grants.filter((grant) => !isOurs(grant));
  const kindOf = ({ privilege }: Grant): Excess | undefined =>
    excess.find(({ test }) => test.test(privilege));
  return excess.flatMap((kind) => {
    const found = others.filter((grant) => kindOf(grant) === kind);
    const [first] = found;
    const more = found.length === 1 ? '' : `, and ${found.length - 1} more like it`;
    return first === undefined
      ? []
      : [`${who} ${kind.can}: ${first.privilege} on ${first.on} ${first.name}${more}.`];
  });
}
