import type { ObjectBatch } from '../../engine/contracts/destination.ts';
import { type Table, titleOf, uniqueOn } from './table.ts';
import { grantOf, neededFor } from './write-errors.ts';

type Plan = Omit<ObjectBatch, 'items'>;

/** What stands against writing like this, in sentences; first what makes it impossible. */
export function obstaclesOf(table: Table, plan: Plan): readonly string[] {
  const title = titleOf(table);
  const kind = kinds[table.kind];
  if (kind !== undefined) {
    return [`${title} is ${kind}: rows can be written to tables only.`];
  }
  return [
    ...columnsOf(table, plan),
    ...missingIndexOf(table, plan),
    ...rightsOf(table, plan),
    ...(table.rules
      ? [`${title} has rules (CREATE RULE), under which PostgreSQL can't upsert. Use triggers instead.`]
      : []),
    ...(table.rowSecurity
      ? [
          `Row level security is on for ${title} and ${table.role}: rows that a policy hides are neither found nor written.`,
        ]
      : []),
    ...(table.triggers.length > 0
      ? [`${title} has triggers that run for each row written: ${table.triggers.join(', ')}.`]
      : []),
  ];
}

const kinds: Readonly<Record<string, string>> = {
  v: 'a view',
  m: 'a materialized view',
  f: 'a foreign table',
};

function columnsOf(table: Table, { fields, operation }: Plan): readonly string[] {
  const title = titleOf(table);
  const written = operation === 'delete' ? [] : fields;
  return written.flatMap(({ name }) => {
    const column = table.columns.find((one) => one.name === name);
    if (column === undefined) {
      return [`${title} has no column ${name} (any more).`];
    }
    return column.computed ? [`${name} of ${title} is filled by the database: it can't be written.`] : [];
  });
}

/** Without a unique index, an upsert has nothing to find rows by, and a change may hit many at once. */
export function missingIndexOf(table: Table, { match, operation }: Plan): readonly string[] {
  if (operation === 'insert' && match.length === 0) {
    return [];
  }
  if (uniqueOn(table, match) !== undefined) {
    return [];
  }
  const title = titleOf(table);
  const names = match.join(', ');
  const near = table.indexes.find(({ columns }) => columns.join() === match.join());
  const reason =
    near === undefined
      ? ''
      : near.partial
        ? ` (${near.name} covers only some of the rows)`
        : near.immediate
          ? ` (${near.name} is not ready)`
          : ` (${near.name} is deferrable, and is checked too late)`;
  const outside = partitionColumns(table).filter((name) => !match.includes(name));
  if (outside.length > 0) {
    return [
      `${title} has no unique index on ${names}${reason}, and can have none: it is partitioned by ${outside.join(', ')}, which has to be one of the match fields.`,
    ];
  }
  const columns = match.map((name) => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name}"`)).join(', ');
  return [
    `${title} has no unique index on ${names}${reason}. Run: CREATE UNIQUE INDEX ON ${titleOf(table)} (${columns});`,
  ];
}

function partitionColumns(table: Table): readonly string[] {
  const inside = /\((.*)\)/s.exec(table.partitionedBy ?? '')?.[1] ?? '';
  return table.columns
    .map(({ name }) => name)
    .filter((name) => inside.split(/,\s*/).some((one) => one.replaceAll('"', '').split(' ')[0] === name));
}

function rightsOf(table: Table, { fields, match, operation }: Plan): readonly string[] {
  if (!table.schemaAllowed) {
    return [
      `The role ${table.role} may not use the schema ${table.schema}. Run: GRANT USAGE ON SCHEMA ${table.schema} TO ${table.role};`,
    ];
  }
  const needed = neededFor(operation);
  const columns = table.columns.filter(({ name }) =>
    operation === 'delete' ? match.includes(name) : fields.some((field) => field.name === name),
  );
  const lacking = needed.filter((right) => {
    switch (right) {
      case 'DELETE':
        return !table.deleteAllowed;
      case 'SELECT':
        // What is compared has to be read.
        return columns.some(({ rights }) => !rights.select);
      case 'INSERT':
        return columns.some(({ rights }) => !rights.insert);
      case 'UPDATE':
        return columns.some(({ name, rights }) => !match.includes(name) && !rights.update);
      default:
        return right satisfies never;
    }
  });
  const sequences =
    operation === 'insert' || operation === 'upsert'
      ? table.columns
          .filter(({ name }) => !fields.some((field) => field.name === name))
          .flatMap(({ lockedSequence }) => lockedSequence ?? [])
      : [];
  return [
    ...(lacking.length === 0
      ? []
      : [
          `The role ${table.role} may not ${lacking.join(', ')} in ${titleOf(table)}. Run: ${grantOf({ table }, operation)}`,
        ]),
    ...sequences.map(
      (name) =>
        `New rows need the sequence ${name}, which the role ${table.role} may not use. Run: GRANT USAGE ON SEQUENCE ${name} TO ${table.role};`,
    ),
  ];
}
