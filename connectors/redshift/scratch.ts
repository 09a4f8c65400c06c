import { quoted } from '../../engine/contracts/names.ts';
import type { Limits, Scratch } from '../../engine/contracts/source.ts';
import { choiceOf, type ScratchValues } from '../shared/scratch.ts';
import type { Session } from './session.ts';
import { orderOf, textOf } from './text.ts';

/** The schema that is ours to write. */
export function scratchOf(session: Session, schema: string, values: ScratchValues): Scratch {
  return {
    ...choiceOf(values),
    table: (name) => `${quoted(schema)}.${quoted(name)}`,
    textOf,
    orderOf,
    lacking: (limits) => lacking(session, schema, limits),
    execute: (statement, limits) => session.execute(statement, limits),
  };
}

async function lacking(session: Session, schema: string, limits: Limits): Promise<readonly string[]> {
  const { rows } = await session.read(limits, (reader) =>
    reader.ask(
      `SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = '${schema}') THEN 'missing'
WHEN HAS_SCHEMA_PRIVILEGE('${schema}', 'CREATE') AND HAS_SCHEMA_PRIVILEGE('${schema}', 'USAGE') THEN 'usable' ELSE 'closed' END,
CASE WHEN HAS_DATABASE_PRIVILEGE(current_database(), 'CREATE') THEN 'true' ELSE 'false' END`,
    ),
  );
  const [state, mayCreate] = rows[0] ?? [];
  const name = quoted(schema);
  const user = quoted(session.login.user);
  switch (state) {
    case 'usable':
      return [];
    case 'missing':
      if (mayCreate === 'true') {
        await session.execute(`CREATE SCHEMA IF NOT EXISTS ${name}`, limits);
        return [];
      }
      return [
        `There is no schema ${schema}. An administrator makes it: CREATE SCHEMA ${name} AUTHORIZATION ${user};`,
      ];
    default:
      return [
        `The user may not make tables in ${schema}. An administrator lets it: GRANT USAGE, CREATE ON SCHEMA ${name} TO ${user};`,
      ];
  }
}
