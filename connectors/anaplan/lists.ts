import { z } from 'zod';
import type { Call, Item, ObjectBatch, Outcome, Value } from '../../engine/contracts/destination.ts';
import { type ListKind, subsetOf } from './catalog.ts';
import type { Client } from './client.ts';
import { type Failure, failuresShape, reasonOf } from './errors.ts';
import { type ListKey, listKeyOf } from './verify.ts';

/** What is sent for the item at this place of the batch. */
interface Send {
  readonly at: number;
  /** What it is found by. */
  readonly key: string;
  readonly item: Readonly<Record<string, unknown>>;
}

interface Work {
  readonly client: Client;
  readonly kind: ListKind;
  readonly by: ListKey;
  readonly call: Call;
  settle(at: number, outcome: Outcome): void;
}

/** Anaplan has no upsert: it is looked up which items there are, and the others are added. */
export async function writeList(
  client: Client,
  kind: ListKind,
  batch: ObjectBatch,
  call: Call,
): Promise<readonly Outcome[]> {
  const outcomes = new Map<number, Outcome>();
  const by = listKeyOf(kind, batch);
  const work: Work = { client, kind, by, call, settle: (at, outcome) => void outcomes.set(at, outcome) };
  const keys = batch.items.map(({ values }) => String(values[by] ?? ''));
  const there =
    by === 'id'
      ? undefined
      : await lookUp(
          client,
          kind.id,
          by,
          keys.filter((key) => key !== ''),
          call.signal,
        );
  const adds: Send[] = [];
  const changes: Send[] = [];
  for (const [at, item] of batch.items.entries()) {
    const key = keys[at] ?? '';
    const id = by === 'id' ? key : there?.get(key);
    const step = key === '' ? nothingIn(by) : stepOf(batch, id, by, call.again);
    switch (step) {
      case 'add':
        adds.push({ at, key, item: addedOf(kind, item) });
        break;
      case 'change':
        changes.push({ at, key, item: batch.operation === 'delete' ? { id } : changedOf(by, item) });
        break;
      default:
        outcomes.set(at, step);
    }
  }
  await (batch.operation === 'delete' ? remove(work, changes) : change(work, changes));
  await add(work, adds);
  return batch.items.map((_, at) => outcomes.get(at) ?? unsaid);
}

const unsaid: Outcome = { state: 'unknown', reason: 'Anaplan does not say what became of this item.' };

function nothingIn(field: string): Outcome {
  return { state: 'rejected', reason: `The row has nothing in ${field}.`, field };
}

/** What is left to do for an item that is there by this id, or is not there. */
function stepOf(
  { operation }: ObjectBatch,
  id: string | undefined,
  by: ListKey,
  again: boolean,
): Outcome | 'add' | 'change' {
  switch (operation) {
    case 'insert':
      if (id === undefined) {
        return 'add';
      }
      return again
        ? { state: 'ok', id }
        : { state: 'rejected', reason: `The list has an item with this ${by} already.`, field: by };
    case 'update':
      return id === undefined
        ? { state: 'rejected', reason: `The list has no item with this ${by}.`, field: by }
        : 'change';
    case 'upsert':
      return id === undefined ? 'add' : 'change';
    case 'delete':
      return id === undefined ? { state: 'ok' } : 'change';
    default:
      return operation satisfies never;
  }
}

// Items --------------------------------------------------------------------------------------------------------------

const plain = ['code', 'name', 'parent'];

function addedOf({ numbered }: ListKind, { values }: Item): Send['item'] {
  const own = plain.filter((name) => values[name] !== undefined && !(numbered && name === 'name'));
  return { ...Object.fromEntries(own.map((name) => [name, values[name]])), ...moreOf(values) };
}

/** By one name only: Anaplan refuses an item that is called by its code and by its name. */
function changedOf(by: ListKey, { values }: Item): Send['item'] {
  return {
    [by]: values[by],
    ...(values['parent'] === undefined ? {} : { parent: values['parent'] }),
    ...moreOf(values),
  };
}

function moreOf(values: Item['values']): Send['item'] {
  const others = Object.entries(values).filter(([name]) => !plain.includes(name) && name !== 'id');
  const subsets = others.flatMap(([name, value]): [string, Value][] => {
    const subset = subsetOf(name);
    return subset === undefined ? [] : [[subset, value ?? false]];
  });
  // Nothing empties a property but an empty text.
  const properties = others
    .filter(([name]) => subsetOf(name) === undefined)
    .map(([name, value]): [string, Value] => [name, value ?? '']);
  return {
    ...(properties.length === 0 ? {} : { properties: Object.fromEntries(properties) }),
    ...(subsets.length === 0 ? {} : { subsets: Object.fromEntries(subsets) }),
  };
}

// Requests -----------------------------------------------------------------------------------------------------------

const foundShape = z.object({
  items: z
    .array(z.object({ id: z.coerce.string(), name: z.string().optional(), code: z.string().optional() }))
    .default([]),
});

/** Ids of the items that have one of these names or codes. */
export async function lookUp(
  client: Client,
  list: string,
  by: 'code' | 'name',
  values: readonly string[],
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  if (values.length === 0) {
    return new Map();
  }
  const { items } = await client.ask(
    {
      method: 'POST',
      path: `/dimensions/${list}/items`,
      json: { [`${by}s`]: [...new Set(values)] },
      repeatable: true,
      rows: values,
      signal,
    },
    foundShape,
  );
  return new Map(items.flatMap((item) => (item[by] === undefined ? [] : [[item[by], item.id]])));
}

const resultShape = z.object({
  ignored: z.number().catch(0),
  failures: failuresShape,
  // Where something was not found, what is said of deletions stands one level deeper.
  result: z.object({ failures: failuresShape }).optional(),
});

async function ask(
  { client, kind, call }: Work,
  action: 'add' | 'delete' | 'update',
  sends: readonly Send[],
): Promise<{ readonly ignored: number; readonly failures: ReadonlyMap<number, Failure> }> {
  const items = sends.map(({ item }) => item);
  const { ignored, failures, result } = await client.ask(
    {
      method: action === 'update' ? 'PUT' : 'POST',
      path: `/lists/${kind.id}/items`,
      ...(action === 'update' ? {} : { query: { action } }),
      json: { items },
      // Items that are there are not added a second time.
      repeatable: true,
      rows: items,
      signal: call.signal,
    },
    resultShape,
  );
  const all = [...failures, ...(result?.failures ?? [])];
  return { ignored, failures: new Map(all.map((one) => [one.requestIndex, one])) };
}

async function change(work: Work, sends: readonly Send[]): Promise<void> {
  // An item that is there, and of which nothing else is mapped, is as it should be.
  const worth = sends.filter(({ item }) => Object.keys(item).length > 1);
  for (const { at } of sends.filter((send) => !worth.includes(send))) {
    work.settle(at, { state: 'ok' });
  }
  if (worth.length === 0) {
    return;
  }
  const { failures } = await ask(work, 'update', worth);
  for (const [i, { at, item }] of worth.entries()) {
    work.settle(at, refusedOr(failures.get(i), item, { state: 'ok' }));
  }
}

async function remove(work: Work, sends: readonly Send[]): Promise<void> {
  if (sends.length === 0) {
    return;
  }
  const { failures } = await ask(work, 'delete', sends);
  for (const [i, { at, item }] of sends.entries()) {
    const failure = failures.get(i);
    const isGone = failure !== undefined && /not found/i.test(failure.failureType);
    work.settle(at, isGone ? { state: 'ok' } : refusedOr(failure, item, { state: 'ok' }));
  }
}

/**
 * What an attempt before this one has added, whose answer was lost, Anaplan ignores without saying so, or calls a failure.
 * So whatever was ignored is looked up.
 */
async function add(work: Work, sends: readonly Send[]): Promise<void> {
  if (sends.length === 0) {
    return;
  }
  const { client, kind, by, call } = work;
  const { ignored, failures } = await ask(work, 'add', sends);
  const there =
    (ignored === 0 && failures.size === 0) || by === 'id'
      ? undefined
      : await lookUp(
          client,
          kind.id,
          by,
          sends.map(({ key }) => key),
          call.signal,
        );
  for (const [i, { at, key, item }] of sends.entries()) {
    const id = there?.get(key);
    const otherwise: Outcome =
      there === undefined
        ? { state: 'ok' }
        : { state: 'rejected', reason: 'Anaplan left this item out, and does not say why.' };
    work.settle(at, id === undefined ? refusedOr(failures.get(i), item, otherwise) : { state: 'ok', id });
  }
}

function refusedOr(failure: Failure | undefined, item: unknown, otherwise: Outcome): Outcome {
  return failure === undefined ? otherwise : { state: 'rejected', reason: reasonOf(failure, item) };
}
