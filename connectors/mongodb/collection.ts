import type { Document } from 'mongodb';
import type { FieldSpec, FieldType } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import type { Far } from './client.ts';
import type { Kind } from './values.ts';

/** A collection as it is now: its indexes, and what its fields hold in a sample or have to hold by its validator. */
export interface CollectionFacts {
  readonly name: string;
  /** `collection`, `view`, `timeseries`. */
  readonly type: string;
  readonly indexes: readonly Index[];
  readonly fields: ReadonlyMap<string, Seen>;
}

export interface Index {
  readonly name: string;
  readonly fields: readonly string[];
  readonly unique: boolean;
  /** Why it does not cover every document, or not by plain equality; undefined when it does. */
  readonly flaw: string | undefined;
}

export interface Seen {
  readonly kind: Kind;
  /** The validator asks for this type; otherwise documents just happen to have it. */
  readonly ruled: boolean;
  readonly required: boolean;
  /** By the name of the BSON type: how many documents of the sample. */
  readonly counts: ReadonlyMap<string, number>;
}

const sampled = 100;
const deepest = 4;

/** Collections by name; views and time series can't be written like this. */
export async function collectionsOf(far: Far, typed: string): Promise<Options> {
  const found = await far.wait(
    far.db.listCollections({}, { nameOnly: true, authorizedCollections: true }).toArray(),
  );
  const wanted = typed.trim().toLowerCase();
  const rank = (name: string): number => {
    const small = name.toLowerCase();
    return small === wanted ? 0 : small.startsWith(wanted) ? 1 : 2;
  };
  return found
    .filter(({ name, type }) => (type ?? 'collection') === 'collection' && !name.startsWith('system.'))
    .map(({ name }) => name)
    .filter((name) => name.length <= 75 && name.toLowerCase().includes(wanted))
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .slice(0, 100)
    .map((name) => ({ value: name, label: name }));
}

/** Looks now. NOT_FOUND when there is none: MongoDB would make one of any name that is written to, a mistyped one too. */
export async function lookAt(far: Far, name: string, signal?: AbortSignal): Promise<CollectionFacts> {
  const [info] = await far.wait(far.db.listCollections({ name }).toArray(), signal);
  if (info === undefined) {
    throw new ActivateError(
      'NOT_FOUND',
      `The database ${far.login.database} has no collection ${name} (any more).`,
      {
        fix: 'Choose another one, or make it first: MongoDB would make one of any name, a mistyped one too.',
      },
    );
  }
  const type = info.type ?? 'collection';
  if (type !== 'collection') {
    return { name, type, indexes: [], fields: new Map() };
  }
  const collection = far.collection(name);
  const [indexes, sample] = await Promise.all([
    far.wait(collection.indexes(), signal),
    far.wait(
      // As they are stored: which type of number it is matters here.
      collection.aggregate([{ $sample: { size: sampled } }], { promoteValues: false }).toArray(),
      signal,
    ),
  ]);
  const options = 'options' in info ? (info.options as Document | undefined) : undefined;
  const schema = (options?.['validator'] as Document | undefined)?.['$jsonSchema'] as Document | undefined;
  return { name, type, indexes: indexes.map(indexOf), fields: fieldsSeen(sample, schema ?? {}) };
}

function indexOf(index: Document): Index {
  const key = index['key'] as Readonly<Record<string, unknown>>;
  const plain = Object.values(key).every((direction) => Math.abs(Number(direction)) === 1);
  const flaw =
    index['partialFilterExpression'] !== undefined || index['sparse'] === true
      ? 'covers only some of the documents'
      : index['collation'] !== undefined
        ? 'compares by a collation of its own'
        : index['hidden'] === true
          ? 'is hidden'
          : plain
            ? undefined
            : 'is not a plain one';
  const name = String(index['name']);
  return { name, fields: Object.keys(key), unique: index['unique'] === true || name === '_id_', flaw };
}

/** Whether MongoDB itself keeps documents apart by these fields. */
export function uniqueOn(facts: CollectionFacts, match: readonly string[]): Index | undefined {
  return facts.indexes.find(
    ({ fields, unique, flaw }) =>
      unique &&
      flaw === undefined &&
      fields.length === match.length &&
      match.every((name) => fields.includes(name)),
  );
}

function fieldsSeen(sample: readonly Document[], schema: Document): ReadonlyMap<string, Seen> {
  const counts = new Map<string, Map<string, number>>();
  const count = (path: string, type: string): void => {
    const types = counts.get(path) ?? new Map<string, number>();
    types.set(type, (types.get(type) ?? 0) + 1);
    counts.set(path, types);
  };
  const walk = (document: Document, prefix: string, depth: number): void => {
    for (const [name, value] of Object.entries(document)) {
      // A name with a dot in it can't be told from a path, and one with a dollar sign from an operator.
      if (name !== '' && !name.includes('.') && !name.startsWith('$')) {
        const type = typeName(value);
        count(prefix + name, type);
        if (type === 'object' && depth < deepest) {
          walk(value as Document, `${prefix}${name}.`, depth + 1);
        }
      }
    }
  };
  for (const document of sample) {
    walk(document, '', 1);
  }
  const asked = schemaTypes(schema, '');
  const names = [...new Set(['_id', ...asked.keys(), ...counts.keys()])];
  return new Map(
    names.map((name) => {
      const types = counts.get(name) ?? new Map<string, number>();
      const rule = asked.get(name);
      const ruled = (rule?.types.length ?? 0) > 0;
      const kind = kindOf(rule?.types ?? [], types);
      return [name, { kind, ruled, required: rule?.required ?? false, counts: types }];
    }),
  );
}

/** The names that `$type` knows. */
function typeName(value: unknown): string {
  if (value === null || value === undefined) {
    return 'null';
  }
  if (Array.isArray(value)) {
    return 'array';
  }
  if (value instanceof Date) {
    return 'date';
  }
  const typed = value as { readonly _bsontype?: string; readonly sub_type?: number };
  switch (typed._bsontype) {
    case 'Int32':
      return 'int';
    case 'Long':
      return 'long';
    case 'Double':
      return 'double';
    case 'Decimal128':
      return 'decimal';
    case 'ObjectId':
      return 'objectId';
    case 'Binary':
      return typed.sub_type === 4 ? 'uuid' : 'binData';
    case undefined:
      return typeof value === 'boolean' ? 'bool' : typeof value;
    default:
      return typed._bsontype;
  }
}

interface Rule {
  readonly types: readonly string[];
  readonly required: boolean;
}

function schemaTypes(schema: Document, prefix: string): ReadonlyMap<string, Rule> {
  const required = (schema['required'] ?? []) as readonly string[];
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, Document>>;
  const names = [...new Set([...Object.keys(properties), ...required])];
  return new Map(
    names.flatMap((name): [string, Rule][] => {
      const inner = properties[name] ?? {};
      const types = [inner['bsonType'] ?? []].flat().map(String);
      const rule = { types, required: prefix === '' && required.includes(name) && name !== '_id' };
      return [[prefix + name, rule], ...schemaTypes(inner, `${prefix}${name}.`)];
    }),
  );
}

const kinds: ReadonlySet<string> = new Set<Kind>([
  'int',
  'long',
  'double',
  'decimal',
  'number',
  'string',
  'bool',
  'date',
  'objectId',
  'uuid',
  'binData',
]);
const numbers: ReadonlySet<string> = new Set(['int', 'long', 'double', 'decimal', 'number']);

/** What the validator asks for; otherwise what nine of ten values are. Different numbers together are `number`. */
function kindOf(asked: readonly string[], counts: ReadonlyMap<string, number>): Kind {
  const rules = asked.filter((type) => type !== 'null');
  const seen = [...counts].filter(([type]) => type !== 'null');
  const total = seen.reduce((sum, [, n]) => sum + n, 0);
  const types = rules.length > 0 ? rules : seen.filter(([, n]) => n >= total * 0.1).map(([type]) => type);
  const [only = 'any'] = types;
  if (types.length > 1) {
    return types.every((type) => numbers.has(type)) ? 'number' : 'any';
  }
  return kinds.has(only) ? (only as Kind) : 'any';
}

/** What can be written; empty for a collection that nothing is known of, which takes any field. */
export function specsOf(facts: CollectionFacts): readonly FieldSpec[] {
  const known = [...facts.fields].filter(([name, { counts }]) => name !== '_id' || counts.size > 0);
  if (known.length === 0) {
    return [];
  }
  return [...facts.fields].map(([name, seen]) => ({
    name,
    label: name,
    type: typeOf(seen),
    required: seen.required,
    key: uniqueOn(facts, [name]) !== undefined,
  }));
}

function typeOf({ kind, ruled, counts }: Seen): FieldType {
  switch (kind) {
    case 'int':
    case 'long':
      // That all were whole so far does not keep the next one from being 1.5.
      return ruled ? 'integer' : 'number';
    case 'double':
    case 'decimal':
    case 'number':
      return 'number';
    case 'bool':
      return 'boolean';
    case 'date':
      return 'time';
    case 'string':
    case 'objectId':
    case 'uuid':
      return 'text';
    case 'binData':
      return 'any';
    case 'any':
      return counts.has('object') || counts.has('array') ? 'json' : 'any';
    default:
      return kind satisfies never;
  }
}
