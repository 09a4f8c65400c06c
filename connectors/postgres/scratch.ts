import { quoted } from '../../engine/contracts/names.ts';
import type { Column, KeyOrder, Limits, Scratch } from '../../engine/contracts/source.ts';
import { choiceOf, ownSchema, type ScratchValues } from '../shared/scratch.ts';
import { writesElsewhere } from './rights.ts';
import type { Session } from './session.ts';

/** How a key column is sorted: integers as numbers, all else by the bytes of its text. */
export function orderOf(column: Column): KeyOrder {
  return /^(smallint|integer|bigint)$/.test(column.native) ? 'numeric' : 'bytes';
}

/** The planner schema that a connection names; undefined when it names none. Throws CONFIG_INVALID for what can't be one. */
export function scratchOf(session: Session, values: ScratchValues): Scratch | undefined {
  if (values.plannerSchema === undefined) {
    return undefined;
  }
  const plannerSchema = ownSchema(values.plannerSchema, 41);
  const schema = quoted(plannerSchema);
  return {
    ...choiceOf(values),
    table: (name) => `${schema}.${quoted(name)}`,
    textOf,
    orderOf,
    lacking: (limits) => lacking(session, plannerSchema, limits),
    execute: (statement, limits) => session.execute(statement, limits),
  };
}

/** A key goes without the blanks that fill up a `char(n)`, and a boolean in full. */
export function keyText(expression: string): string {
  return `${expression}::text`;
}

/** The text that COPY writes: what a type's own output function gives, which for some is not what a cast gives. */
function textOf(column: Column, expression: string, as: 'key' | 'value'): string {
  if (as === 'key') {
    return keyText(expression);
  }
  return /^(text|character varying|smallint|integer|bigint|numeric|date|uuid|jsonb?$|timestamp)/.test(
    column.native,
  )
    ? `${expression}::text`
    : `CASE WHEN num_nulls(${expression}) = 0 THEN format('%s', ${expression}) END`;
}

async function lacking(session: Session, schema: string, limits: Limits): Promise<readonly string[]> {
  const name = quoted(schema);
  const state = await session.read(limits, async (reader) => {
    const { rows } = await reader.ask(
      `SELECT (SELECT has_schema_privilege(n.oid, 'CREATE') AND has_schema_privilege(n.oid, 'USAGE') FROM pg_namespace n WHERE nspname = $1)::text,
              has_database_privilege(current_database(), 'CREATE')::text, quote_ident(current_user::text),
              (current_setting('default_transaction_read_only')::bool OR pg_is_in_recovery())::text`,
      [schema],
    );
    const { rows: elsewhere } = await reader.ask(writesElsewhere(schema));
    return { row: rows[0] ?? [], elsewhere: elsewhere[0]?.[0] === 'true' };
  });
  const [usable, mayCreate, role, readOnly] = state.row;
  if (readOnly === 'true') {
    return ['The server or the role is set to read only, so that no planner schema can be kept there.'];
  }
  if (usable === null && mayCreate === 'true') {
    await session.execute(`CREATE SCHEMA IF NOT EXISTS ${name}`, limits);
  } else if (usable !== 'true') {
    return [
      usable === null
        ? `There is no schema ${schema}. An administrator makes it: create schema ${name} authorization ${role};`
        : `The role may not make tables in ${schema}. An administrator lets it: grant usage, create on schema ${name} to ${role};`,
    ];
  }
  if (state.elsewhere) {
    return [
      `The role can change data outside of ${schema}. Rows are compared inside the warehouse only by a role that can't: there a query runs in a transaction that may write. Make a role of its own that reads what it needs and owns ${schema}.`,
    ];
  }
  return [];
}
