import type { Connection, DescribeSObjectResult, Field } from 'jsforce';
import type {
  Call,
  Item,
  ObjectBatch,
  Operation,
  Outcome,
  Value,
} from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { fieldOf } from './discovery.ts';
import { findBy, type Row, sameAs } from './soql.ts';

/** A record on its way: what is sent for the item at this place of the batch. */
export interface Send {
  readonly at: number;
  readonly record: Readonly<Record<string, Value>>;
}

/** What is done with all of them. By Id, an upsert is an update. */
export interface Work {
  readonly object: string;
  readonly operation: Operation;
  /** The field by which Salesforce recognises a record: `Id` for updates and deletes. */
  readonly key: string;
  /** The match field of the batch. */
  readonly match: string;
  readonly items: readonly Item[];
  readonly sends: readonly Send[];
}

/** What of a batch is to be sent; items for which that is clear beforehand get their outcome here. */
export async function workOf(
  api: Connection,
  kind: DescribeSObjectResult,
  batch: ObjectBatch,
  call: Call,
  outcomes: (Outcome | undefined)[],
): Promise<Work> {
  const parts = partsOf(kind, batch, call);
  const { operation, match, onlyIfEmpty } = parts;
  const values = batch.items.map((item) => String(item.values[match.name]));
  const found = looksUp(parts) ? await findBy(api, kind.name, match, values, onlyIfEmpty) : undefined;
  const plan = new Plan(parts);
  const sends: Send[] = [];
  for (const [at, item] of batch.items.entries()) {
    const next = plan.next(item, found && (found.get(sameAs(match, item.values[match.name])) ?? []));
    if ('outcome' in next) {
      outcomes[at] = next.outcome;
    } else {
      sends.push({ at, record: next.record });
    }
  }
  return {
    object: kind.name,
    operation,
    key: operation === 'update' || operation === 'delete' ? 'Id' : match.name,
    match: match.name,
    items: batch.items,
    sends: byParent(kind, sends),
  };
}

interface PlanParts {
  readonly object: string;
  readonly operation: Operation;
  readonly match: Field;
  readonly onlyIfEmpty: readonly string[];
  /** Fields that hold a time. */
  readonly times: ReadonlySet<string>;
  readonly again: boolean;
}

function partsOf(kind: DescribeSObjectResult, batch: ObjectBatch, { again }: Call): PlanParts {
  const [name] = batch.match;
  if (name === undefined || batch.match.length > 1) {
    throw new ActivateError('CONFIG_INVALID', 'Salesforce finds a record by one field.', {
      fix: 'Choose one field to find records by.',
    });
  }
  const match = fieldOf(kind, name);
  for (const { name: used } of batch.fields) {
    fieldOf(kind, used);
  }
  return {
    object: kind.name,
    operation: match.type === 'id' && batch.operation === 'upsert' ? 'update' : batch.operation,
    match,
    onlyIfEmpty: batch.fields.filter((use) => use.onlyIfEmpty).map((use) => use.name),
    times: new Set(kind.fields.filter(({ type }) => type === 'datetime').map((field) => field.name)),
    again,
  };
}

/** Updates and deletes go by Id; what is there already has to be known before it is inserted, or left alone. */
function looksUp({ operation, match, onlyIfEmpty, again }: PlanParts): boolean {
  switch (operation) {
    case 'insert':
      return again || !match.unique;
    case 'upsert':
      return onlyIfEmpty.length > 0;
    case 'update':
      return match.type !== 'id' || onlyIfEmpty.length > 0;
    case 'delete':
      return match.type !== 'id';
    default:
      return operation satisfies never;
  }
}

/** Records that share a parent lock it: side by side they wait for one another, far apart they fail. */
function byParent({ fields }: DescribeSObjectResult, sends: readonly Send[]): readonly Send[] {
  const names = fields.filter(({ type }) => type === 'reference').map(({ name }) => name);
  const parentOf = ({ record }: Send): string => names.map((name) => String(record[name] ?? '')).join();
  return sends
    .map((send) => ({ send, parent: parentOf(send) }))
    .sort((a, b) => (a.parent < b.parent ? -1 : a.parent > b.parent ? 1 : 0))
    .map(({ send }) => send);
}

/** What to send for an item, or what became of it without. */
type Step = { readonly outcome: Outcome } | { readonly record: Send['record'] };

/** Decides about one item after the other. */
class Plan {
  private readonly parts: PlanParts;
  private readonly ids = new Set<string>();

  constructor(parts: PlanParts) {
    this.parts = parts;
  }

  /** `records` are those that the item was found to mean, where that was asked. */
  next(item: Item, records: readonly Row[] | undefined): Step {
    const { operation, match: field, object, again } = this.parts;
    const match = field.name;
    const value = item.values[match];
    if (value === undefined || value === null || value === '') {
      return this.refused(`The row has nothing in ${match}.`);
    }
    if (records !== undefined && records.length > 1) {
      return this.refused(
        `Several records of ${object} have this ${match}: nobody can say which one is meant.`,
      );
    }
    const [record] = records ?? [];
    const id = field.type === 'id' ? String(value) : record && String(record['Id']);
    switch (operation) {
      case 'insert':
        if (id === undefined) {
          return { record: this.written(item) };
        }
        return again
          ? { outcome: { state: 'ok', id } }
          : this.refused(`There is a record of ${object} with this ${match} already.`);
      case 'upsert':
        return this.leftOver(item, record, { [match]: keyed(value) });
      case 'update':
        return this.once(id, this.refused(`There is no record of ${object} with this ${match}.`), (own) =>
          this.leftOver(item, record, { Id: own }),
        );
      case 'delete':
        return this.once(id, { outcome: { state: 'ok' } }, (own) => ({
          record: { Id: own },
        }));
      default:
        return operation satisfies never;
    }
  }

  /** No record twice in one request: Salesforce would refuse both. */
  private once(id: string | undefined, otherwise: Step, make: (id: string) => Step): Step {
    if (id === undefined) {
      return otherwise;
    }
    if (this.ids.has(id.slice(0, 15))) {
      return this.refused('Another row means the same record.');
    }
    this.ids.add(id.slice(0, 15));
    return make(id);
  }

  /** What is left to write once the fields that have something are left alone. */
  private leftOver(item: Item, record: Row | undefined, key: Send['record']): Step {
    const { onlyIfEmpty, match } = this.parts;
    const kept = onlyIfEmpty.filter((name) => !isEmpty(record?.[name]));
    const { [match.name]: _match, ...values } = this.written(item);
    const left = Object.fromEntries(Object.entries(values).filter(([name]) => !kept.includes(name)));
    if (record !== undefined && Object.keys(left).length === 0) {
      return { outcome: { state: 'ok', id: String(record['Id']) } };
    }
    return { record: { ...left, ...key } };
  }

  private refused(reason: string): Step {
    return { outcome: { state: 'rejected', reason, field: this.parts.match.name } };
  }

  private written({ values }: Item): Send['record'] {
    return Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, plain(value, this.parts.times.has(name))]),
    );
  }
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

/** jsforce takes a 0 for a missing key. */
function keyed(value: Value): Value {
  return value === 0 ? '0' : value;
}

/** Salesforce has no lists and no objects in fields; several values of a picklist stand between semicolons. */
function plain(value: Value, isTime: boolean): Value {
  if (Array.isArray(value)) {
    return (value as readonly Value[])
      .map((one) => (typeof one === 'object' ? JSON.stringify(one) : String(one)))
      .join(';');
  }
  if (typeof value === 'object' && value !== null) {
    return JSON.stringify(value);
  }
  // It keeps no more than milliseconds.
  return isTime && typeof value === 'string' ? value.replace(/(\.\d{3})\d+/, '$1') : value;
}
