import { z } from 'zod';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Limits, Scratch } from '../../engine/contracts/source.ts';
import { choiceOf, type ScratchValues } from '../shared/scratch.ts';
import type { Dataset, Login } from './config.ts';
import { explain } from './errors.ts';
import { read } from './job.ts';
import type { Session } from './session.ts';
import { orderOf, quoted, textOf } from './text.ts';

/** The dataset that is ours to write. */
export function scratchOf(session: Session, place: Dataset, values: ScratchValues): Scratch {
  const schema = `${quoted(place.project)}.${quoted(place.dataset)}`;
  const table = (name: string): string => `${schema}.${quoted(name)}`;
  const { execute } = session;
  // What was found in order stays so: every run asks.
  let isProven = false;
  return {
    ...choiceOf(values),
    table,
    textOf,
    orderOf,
    execute,
    lacking: async (limits) => {
      if (isProven) {
        return [];
      }
      const lacks = await lackingIn(session, place, schema, limits);
      const all =
        lacks.length > 0
          ? lacks
          : await proveWriting(session.login, table('activate_check'), schema, execute, limits);
      isProven = all.length === 0;
      return all;
    },
  };
}

const described = z.object({
  location: z.string().optional(),
  defaultTableExpirationMs: z.coerce.number().optional(),
});

async function lackingIn(
  session: Session,
  { project, dataset }: Dataset,
  schema: string,
  limits: Limits,
): Promise<readonly string[]> {
  const { login } = session;
  const asked = { login };
  const path = `projects/${project}/datasets`;
  const found = await session.send({ method: 'GET', path: `${path}/${dataset}`, signal: limits.signal });
  if (found.status === 404) {
    const json = { datasetReference: { projectId: project, datasetId: dataset }, location: login.location };
    const made = await session.send({ method: 'POST', path, json, signal: limits.signal });
    // Another process may have made it just now.
    return made.ok || made.status === 409 ? [] : [notMade(schema, login)];
  }
  if (found.status === 403) {
    return [`${login.email} may not see the planner dataset: ${grant(schema, login)}`];
  }
  if (!found.ok) {
    throw explain(found, asked);
  }
  const { location, defaultTableExpirationMs = 0 } = read(described, found);
  const elsewhere = location?.toLowerCase() !== login.location?.toLowerCase();
  return [
    ...(elsewhere
      ? [
          `The planner dataset is in ${location}, and the connection reads in ${login.location}: name another one.`,
        ]
      : []),
    // All rows would be new when the table of what was told is gone.
    ...(defaultTableExpirationMs > 0
      ? [
          `Tables of the planner dataset expire, and what was told would be forgotten: ALTER SCHEMA ${schema} SET OPTIONS (default_table_expiration_days = NULL)`,
        ]
      : []),
  ];
}

/** Makes a table, writes to it and removes it: in a sandbox without billing, say, rows can't be written. */
async function proveWriting(
  login: Login,
  table: string,
  schema: string,
  execute: Scratch['execute'],
  limits: Limits,
): Promise<readonly string[]> {
  try {
    await execute(`CREATE OR REPLACE TABLE ${table} (x STRING)`, limits);
    await execute(`INSERT INTO ${table} (x) VALUES ('x')`, limits);
    await execute(`DROP TABLE IF EXISTS ${table}`, limits);
    return [];
  } catch (error) {
    if (error instanceof ActivateError && error.code === 'PERMISSION_DENIED') {
      return [
        `Nothing can be written to the planner dataset. ${error.message} Then: ${grant(schema, login)}`,
      ];
    }
    throw error;
  }
}

function notMade(schema: string, login: Login): string {
  const options = ` OPTIONS (location = '${login.location}')`;
  return `There is no planner dataset, and ${login.email} may not make it: CREATE SCHEMA ${schema}${options}; ${grant(schema, login)}`;
}

function grant(schema: string, { email }: Login): string {
  return `GRANT \`roles/bigquery.dataEditor\` ON SCHEMA ${schema} TO "serviceAccount:${email}"`;
}
