import { quoted } from '../../engine/contracts/names.ts';
import type { Limits, Scratch } from '../../engine/contracts/source.ts';
import { isAllowed } from '../shared/scratch.ts';
import { finished } from '../shared/statements.ts';
import type { Planner } from './config.ts';
import { literal, written } from './names.ts';
import type { Session } from './session.ts';
import { orderOf, textOf } from './text.ts';

/** A schema of Snowflake as a place of ours. Names are in capital letters, so that people need no quotes for them. */
export function scratchOf(session: Session, planner: Planner): Scratch {
  const schema = [planner.database, planner.schema].map(quoted).join('.');
  const table = (name: string): string => `${schema}.${quoted(name.toUpperCase())}`;
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
  return finished(session.begin(statement, limits));
}

async function lacking(
  session: Session,
  { database, schema }: Planner,
  probe: string,
  limits: Limits,
): Promise<readonly string[]> {
  const path = [database, schema].map(written).join('.');
  const role = session.login.role === undefined ? '…' : written(session.login.role);
  const { columns, rows } = await session.ask(
    `SHOW TERSE SCHEMAS LIKE ${literal(schema)} IN DATABASE ${quoted(database)}`,
    limits,
  );
  const at = columns.findIndex(({ name }) => name === 'name');
  // What is given to LIKE is a pattern.
  const isThere = rows.some((row) => row[at] === schema);
  const made =
    isThere ||
    (await isAllowed(() =>
      carryOut(session, `CREATE SCHEMA IF NOT EXISTS ${quoted(database)}.${quoted(schema)}`, limits),
    ));
  if (!made) {
    return [
      `There is no schema ${path} that the role sees, and it may not make it. Somebody who may runs: CREATE SCHEMA IF NOT EXISTS ${path}; GRANT USAGE, CREATE TABLE ON SCHEMA ${path} TO ROLE ${role};`,
    ];
  }
  const writes = await isAllowed(async () => {
    await carryOut(session, `CREATE OR REPLACE TRANSIENT TABLE ${probe} (X VARCHAR)`, limits);
    await carryOut(session, `DROP TABLE IF EXISTS ${probe}`, limits);
  });
  return writes
    ? []
    : [
        `The role may not make tables in ${path}. Somebody who may runs: GRANT USAGE, CREATE TABLE ON SCHEMA ${path} TO ROLE ${role};`,
      ];
}
