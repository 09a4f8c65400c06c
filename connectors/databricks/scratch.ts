import type { Limits, Scratch } from '../../engine/contracts/source.ts';
import { isAllowed } from '../shared/scratch.ts';
import { finished } from '../shared/statements.ts';
import type { Planner } from './config.ts';
import { quoted, written } from './names.ts';
import type { Session } from './session.ts';
import { orderOf, textOf } from './text.ts';

/** A schema of Unity Catalog as a place of ours. */
export function scratchOf(session: Session, planner: Planner): Scratch {
  const schema = [planner.catalog, planner.schema].map(quoted).join('.');
  const table = (name: string): string => `${schema}.${quoted(name)}`;
  return {
    choice: planner.choice,
    logs: planner.logs,
    table,
    textOf,
    orderOf,
    lacking: (limits) => lacking(session, planner, table('activate_check'), limits),
    execute: (statement, limits) => carryOut(session, statement, limits),
  };
}

function carryOut(session: Session, statement: string, limits: Limits): Promise<void> {
  return finished(session.begin(statement, limits, { writes: true }));
}

async function lacking(
  session: Session,
  { catalog, schema }: Planner,
  probe: string,
  limits: Limits,
): Promise<readonly string[]> {
  const path = [catalog, schema].map(written).join('.');
  const { rows } = await session.ask(
    `SELECT current_user(), count(*) FROM ${quoted(catalog)}.information_schema.schemata WHERE schema_name = lower(:schema)`,
    limits,
    { parameters: { schema } },
  );
  const [user, count] = rows[0] ?? [];
  const rights = `GRANT USE SCHEMA, CREATE TABLE ON SCHEMA ${path} TO ${quoted(user ?? '…')};`;
  const made =
    count !== '0' ||
    (await isAllowed(() =>
      carryOut(session, `CREATE SCHEMA IF NOT EXISTS ${quoted(catalog)}.${quoted(schema)}`, limits),
    ));
  if (!made) {
    return [
      `There is no schema ${path} that the principal sees, and it may not make it. Somebody who may runs: CREATE SCHEMA IF NOT EXISTS ${path}; ${rights}`,
    ];
  }
  const writes = await isAllowed(async () => {
    await carryOut(session, `CREATE OR REPLACE TABLE ${probe} (x STRING)`, limits);
    await carryOut(session, `DROP TABLE IF EXISTS ${probe}`, limits);
  });
  return writes ? [] : [`The principal may not make tables in ${path}. Somebody who may runs: ${rights}`];
}
