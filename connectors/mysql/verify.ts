import type { ObjectBatch } from '../../engine/contracts/destination.ts';
import { isOfServer } from './errors.ts';
import type { Link } from './session.ts';
import { stagedFor, stageOf, unstagingOf } from './statements.ts';
import { identifierOf, quoted, type Table, titleOf, uniqueOn } from './table.ts';
import { explainWrite } from './write-errors.ts';

type Plan = Omit<ObjectBatch, 'items'>;

/** What stands against writing like this, in sentences; first what makes it impossible. */
export async function obstaclesOf(link: Link, table: Table, plan: Plan): Promise<readonly string[]> {
  const unfit = [...needsOf(table), ...columnsOf(table, plan)];
  if (unfit.length > 0) {
    return unfit;
  }
  const title = titleOf(table);
  return [
    ...indexOf(table, plan),
    ...(await rightsOf(link, table, plan)),
    ...(table.triggers.length > 0
      ? [`${title} has triggers that run for each row written: ${table.triggers.join(', ')}.`]
      : []),
    ...(plan.operation === 'delete' && table.cascadesTo.length > 0
      ? [`Deleting a row of ${title} also changes rows of ${table.cascadesTo.join(', ')} that refer to it.`]
      : []),
  ];
}

/** What a table must be, so that a batch is written whole or not at all. */
export function needsOf(table: Table): readonly string[] {
  const title = titleOf(table);
  if (table.isView) {
    return [`${title} is a view: rows can be written to tables only.`];
  }
  return table.transactional
    ? []
    : [
        `${title} is kept by ${table.engine}, which can't undo half of a change. Run: ALTER TABLE ${title} ENGINE = InnoDB;`,
      ];
}

function columnsOf(table: Table, { fields, operation, match }: Plan): readonly string[] {
  const title = titleOf(table);
  const names = operation === 'delete' ? match : fields.map(({ name }) => name);
  return names.flatMap((name) => {
    const column = table.columns.find((one) => one.name === name);
    if (column === undefined) {
      return [`${title} has no column ${name} (any more).`];
    }
    return column.computed && operation !== 'delete'
      ? [`${name} of ${title} is filled by the database: it can't be written.`]
      : [];
  });
}

/** New rows are told from those that are there by the match fields: without a unique index two could become the same. */
export function missingIndexOf(table: Table, plan: Plan): readonly string[] {
  return plan.operation === 'insert' || plan.operation === 'upsert' ? indexOf(table, plan) : [];
}

function indexOf(table: Table, { match, operation }: Plan): readonly string[] {
  if ((operation === 'insert' && match.length === 0) || uniqueOn(table, match) !== undefined) {
    return [];
  }
  const title = titleOf(table);
  const near = table.indexes.find(({ columns }) => columns.join() === match.join());
  const reason = near === undefined ? '' : ` (${near.name} covers only the beginnings of values)`;
  const columns = match.map(quoted).join(', ');
  return [
    `${title} has no unique index on ${match.join(', ')}${reason}. Run: CREATE UNIQUE INDEX … ON ${title} (${columns});`,
  ];
}

/** Does to no row what is to be done: roles and rights that come by them are only known to the server. */
async function rightsOf(link: Link, table: Table, plan: Plan): Promise<readonly string[]> {
  const names = plan.fields.map(({ name }) => quoted(name));
  const into = identifierOf(table);
  const changed = plan.fields
    .filter(({ name }) => !plan.match.includes(name))
    .map(({ name }) => quoted(name));
  const insert = `INSERT INTO ${into} (${names.join(', ')}) SELECT ${names.join(', ')} FROM ${into} WHERE FALSE`;
  const update =
    changed.length === 0
      ? []
      : [`UPDATE ${into} SET ${changed.map((name) => `${name} = ${name}`).join(', ')} WHERE FALSE`];
  const trials = {
    insert: [insert],
    update,
    upsert: [insert, ...update],
    delete: [`DELETE FROM ${into} WHERE FALSE`],
  }[plan.operation];
  const staged = stagedFor(table);
  try {
    await link.ask(stageOf(staged, table.columns.slice(0, 1), []));
    await link.ask(unstagingOf(staged));
    await link.ask('START TRANSACTION');
    for (const trial of trials) {
      await link.ask(trial);
    }
    return [];
  } catch (thrown) {
    if (!isOfServer(thrown)) {
      throw thrown;
    }
    const { message, fix = '' } = explainWrite(thrown, table, plan.operation);
    return [`${message} ${fix}`.trim()];
  } finally {
    await link.ask('ROLLBACK').catch(() => undefined);
  }
}
