import type { Objects } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Link, Session } from './session.ts';
import { stage } from './stage.ts';
import { foundOf, stagedFor, stageOf, unstagingOf } from './statements.ts';
import { describeTable, fieldsOf, type Table, tablesBy, titleOf } from './table.ts';
import { faultOf, givenOf } from './values.ts';
import { obstaclesOf } from './verify.ts';
import { writeBatch } from './write.ts';

/** How long batches go by what the catalog said: a table changes seldom, and then a batch fails and looks again. */
const rememberedMs = 60_000;

/** MySQL and MariaDB as a place to write rows to. */
export function objectsOf(session: Session, now: () => Date): Objects {
  const remembered = new Map<string, { readonly table: Table; readonly at: number }>();
  const look = (object: string, signal?: AbortSignal): Promise<Table> =>
    session.read((link) => describeTable(link, object), signal);
  const tableOf = async (object: string, signal?: AbortSignal): Promise<Table> => {
    const known = remembered.get(object);
    if (known !== undefined && now().getTime() - known.at < rememberedMs) {
      return known.table;
    }
    const table = await look(object, signal);
    remembered.set(object, { table, at: now().getTime() });
    return table;
  };
  return {
    // One at a time: two that insert into the same unique indexes can lock each other out.
    limits: { rows: 2_000, bytes: 4_000_000, concurrency: 1 },
    operations: ['insert', 'update', 'upsert', 'delete'],
    onlyIfEmpty: true,
    objects: (typed) => session.read((link) => tablesBy(link, typed)),
    fields: async (object) => fieldsOf(await look(object)),
    verify: (plan) =>
      session.read(async (link) => obstaclesOf(link, await describeTable(link, plan.object), plan)),
    write: async (batch, call) => {
      const table = await tableOf(batch.object, call.signal);
      try {
        return await writeBatch(session, table, batch, call);
      } catch (thrown) {
        remembered.delete(batch.object);
        throw thrown;
      }
    },
    find: async (object, field, values) => {
      const table = await tableOf(object);
      return session.read((link) => findRows(link, table, field, values));
    },
  };
}

/** Primary keys by value. A value that several rows have finds none: which of them is meant, nobody can say. */
async function findRows(
  link: Link,
  table: Table,
  field: string,
  values: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const column = table.columns.find(({ name }) => name === field);
  const [key, ...others] = table.indexes.find(({ name }) => name === 'PRIMARY')?.columns ?? [];
  if (column === undefined || key === undefined || others.length > 0) {
    const problem =
      column === undefined
        ? `has no column ${field} (any more)`
        : 'has no primary key of a single column, by which a row could be named';
    throw new ActivateError('CONFIG_INVALID', `${titleOf(table)} ${problem}.`, {
      fix: 'Look records up in another table, or by another column.',
    });
  }
  const staged = stagedFor(table);
  const change = { table, staged, columns: [column], match: [field], onlyIfEmpty: new Set<string>() };
  try {
    await link.ask(stageOf(staged, [column], []));
    // A value that is none of the column's type is just not found.
    const rows = values.flatMap((value, at) =>
      faultOf(column, value) === undefined ? [{ n: at + 1, values: [givenOf(column, value)] }] : [],
    );
    await stage(link, change, rows, () => undefined);
    const found = await link.ask(foundOf(change, key));
    return new Map(found.map(([n, id]) => [values[Number(n) - 1] ?? '', id ?? '']));
  } finally {
    await link.ask(unstagingOf(staged)).catch(() => undefined);
  }
}
