import type { Objects } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { quoted } from '../../engine/contracts/names.ts';
import type { Limits } from '../../engine/contracts/source.ts';
import { filledByLines } from './fill.ts';
import { hopesFor } from './hope.ts';
import type { Reader, Session } from './session.ts';
import { describeTable, fieldsOf, identifierOf, type Table, titleOf, writableTables } from './table.ts';
import { obstaclesOf } from './verify.ts';
import { writeBatch } from './write.ts';

const checking: Limits = { timeoutMs: 15_000 };
/** How long batches go by what the catalog said: a table changes seldom, and then a batch fails and looks again. */
const rememberedMs = 60_000;

/** PostgreSQL as a place to write rows to. */
export function objectsOf(session: Session, now: () => Date): Objects {
  const remembered = new Map<string, { readonly table: Table; readonly at: number }>();
  const look = (object: string, limits = checking): Promise<Table> =>
    session.read(limits, (reader) => describeTable(reader, object));
  const tableOf = async (object: string, signal?: AbortSignal): Promise<Table> => {
    const known = remembered.get(object);
    if (known !== undefined && now().getTime() - known.at < rememberedMs) {
      return known.table;
    }
    const limits = signal === undefined ? checking : { ...checking, signal };
    const table = await look(object, limits).catch((thrown: unknown) => {
      signal?.throwIfAborted();
      throw thrown;
    });
    remembered.set(object, { table, at: now().getTime() });
    return table;
  };
  const hopes = hopesFor(now);
  return {
    // Larger batches are no faster, and hold their locks longer. A second one keeps the server at work while the first
    // is on the way.
    limits: { rows: 5_000, bytes: 8_000_000, concurrency: 2 },
    operations: ['insert', 'update', 'upsert', 'delete'],
    onlyIfEmpty: true,
    objects: (typed) => session.read(checking, (reader) => writableTables(reader, typed)),
    fields: async (object) => fieldsOf(await look(object)),
    verify: async (plan) => obstaclesOf(await look(plan.object), plan),
    write: async (batch, call) => {
      const table = await tableOf(batch.object, call.signal);
      try {
        return await session.write(call.signal, (transaction) =>
          writeBatch(transaction, table, batch, call, hopes(batch.object)),
        );
      } catch (thrown) {
        remembered.delete(batch.object);
        throw thrown;
      }
    },
    fill: async (batch, call) => {
      const table = await tableOf(batch.object, call.signal);
      const columns = batch.fields.flatMap((name) => table.columns.find((one) => one.name === name) ?? []);
      const change = { table, columns, match: batch.match, onlyIfEmpty: new Set<string>() };
      return columns.length === batch.fields.length
        ? session.write(call.signal, (transaction) =>
            filledByLines(transaction, batch, change, hopes(batch.object)),
          )
        : false;
    },
    find: async (object, field, values) => {
      const table = await tableOf(object);
      const find = (as: 'its type' | 'text'): Promise<ReadonlyMap<string, string>> =>
        session.read(checking, (reader) => findRows(reader, table, field, values, as));
      // A value that is none of the column's type fails the query; as text it is just not found, if slowly.
      return find('its type').catch((thrown: unknown) => {
        if (thrown instanceof ActivateError && thrown.code === 'SQL_FAILED') {
          return find('text');
        }
        throw thrown;
      });
    },
  };
}

/** Primary keys by value. A value that several rows have finds none: which of them is meant, nobody can say. */
async function findRows(
  reader: Reader,
  table: Table,
  field: string,
  values: readonly string[],
  as: 'its type' | 'text',
): Promise<ReadonlyMap<string, string>> {
  const column = table.columns.find(({ name }) => name === field);
  const [key, ...others] = table.primaryKey;
  if (column === undefined || key === undefined || others.length > 0) {
    const problem =
      column === undefined
        ? `has no column ${field} (any more)`
        : 'has no primary key of a single column, by which a row could be named';
    throw new ActivateError('CONFIG_INVALID', `${titleOf(table)} ${problem}.`, {
      fix: 'Look records up in another table, or by another column.',
    });
  }
  const equal =
    as === 'text'
      ? `t.${quoted(field)}::pg_catalog.text = s.v`
      : `t.${quoted(field)} = s.v::${column.fullType}`;
  const { rows } = await reader.ask(
    `SELECT s.v, min(t.${quoted(key)}::pg_catalog.text)
     FROM unnest($1::pg_catalog.text[]) AS s(v) JOIN ${identifierOf(table)} AS t ON ${equal}
     GROUP BY s.v HAVING count(*) = 1`,
    [values],
  );
  return new Map(rows.map(([value, id]) => [value ?? '', id ?? '']));
}
