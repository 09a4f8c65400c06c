import { BSON, type Document } from 'mongodb';

export interface FakeIndex {
  readonly name: string;
  readonly key: Readonly<Record<string, number>>;
  readonly unique?: boolean;
  readonly sparse?: boolean;
  readonly partialFilterExpression?: Document;
  readonly collation?: Document;
}

export interface FakeCollection {
  readonly type: 'collection' | 'view' | 'timeseries';
  readonly validator?: Document;
  readonly indexes: FakeIndex[];
  documents: Document[];
}

export interface WriteError {
  readonly index: number;
  readonly code: number;
  readonly errmsg: string;
  readonly errInfo?: Document;
}

export class Refusal extends Error {
  readonly code: number;
  readonly errInfo: Document | undefined;

  constructor(code: number, message: string, errInfo?: Document) {
    super(message);
    this.code = code;
    this.errInfo = errInfo;
  }
}

/** One text for values that MongoDB finds equal. */
function keyText(value: unknown): string {
  const type = (value as { _bsontype?: string } | null | undefined)?._bsontype ?? '';
  if (['Int32', 'Long', 'Double', 'Decimal128'].includes(type)) {
    return `number ${String(value)}`;
  }
  return BSON.EJSON.stringify({ value }, { relaxed: false });
}

export const idIndex: FakeIndex = { name: '_id_', key: { _id: 1 } };

/** What is at a path, as a filter sees it. */
function valueAt(document: Document, path: string): unknown {
  return path.split('.').reduce<unknown>((at, name) => (at as Document | undefined)?.[name], document);
}

export function matches(document: Document, filter: Document): boolean {
  return Object.entries(filter).every(([path, condition]) => {
    if (path === '$or') {
      return (condition as Document[]).some((one) => matches(document, one));
    }
    const operators = Object.keys(condition as object);
    if (operators.length !== 1 || !['$eq', '$in'].includes(operators[0] ?? '')) {
      throw new Refusal(2, `the fake does not know the filter ${path}`);
    }
    const { $eq, $in } = condition as { $eq?: unknown; $in?: unknown[] };
    const wanted = new Set(($in ?? [$eq]).map(keyText));
    const value = valueAt(document, path);
    return (Array.isArray(value) ? value : [value]).some((one) => wanted.has(keyText(one)));
  });
}

export function insert(collection: FakeCollection, given: Document): void {
  const document = given['_id'] === undefined ? { _id: new BSON.ObjectId(), ...given } : given;
  checkDocument(collection, document, undefined);
  collection.documents.push(document);
}

/** The number of documents found, and the id of one that was made. */
export function update(
  collection: FakeCollection,
  { q, u, upsert }: Document,
): { readonly n: number; readonly upserted?: unknown } {
  if (Object.keys(u as Document).length === 0) {
    throw new Refusal(9, 'an update has to have operators');
  }
  const { $set = {}, $setOnInsert = {} } = u as Readonly<Record<string, Document>>;
  const at = collection.documents.findIndex((document) => matches(document, q));
  const found = collection.documents[at];
  if (found !== undefined) {
    const next = withSet(found, $set);
    checkDocument(collection, next, found);
    collection.documents[at] = next;
    return { n: 1 };
  }
  if (upsert !== true) {
    return { n: 0 };
  }
  const fromFilter = Object.fromEntries(Object.entries(q as Document).map(([path, { $eq }]) => [path, $eq]));
  const made = withSet(withSet({}, fromFilter), { ...$setOnInsert, ...$set });
  const document = { _id: made['_id'] ?? new BSON.ObjectId(), ...made };
  checkDocument(collection, document, undefined);
  collection.documents.push(document);
  return { n: 1, upserted: document['_id'] };
}

export function remove(collection: FakeCollection, { q }: Document): number {
  const at = collection.documents.findIndex((document) => matches(document, q));
  collection.documents.splice(at, at === -1 ? 0 : 1);
  return at === -1 ? 0 : 1;
}

function withSet(document: Document, values: Document): Document {
  const next = BSON.deserialize(BSON.serialize(document), { promoteValues: false });
  for (const [path, value] of Object.entries(values)) {
    if (path.startsWith('$')) {
      throw new Refusal(52, `The dollar ($) prefixed field '${path}' is not valid`);
    }
    const names = path.split('.');
    let at = next;
    for (const name of names.slice(0, -1)) {
      at[name] ??= {};
      const inner = at[name] as Document;
      if (typeof inner !== 'object' || '_bsontype' in inner) {
        throw new Refusal(28, `Cannot create field in element {${name}: "${String(inner)}"}`);
      }
      at = inner;
    }
    at[names.at(-1) as string] = value;
  }
  return next;
}

function checkDocument(collection: FakeCollection, document: Document, before: Document | undefined): void {
  if (before !== undefined && keyText(before['_id']) !== keyText(document['_id'])) {
    throw new Refusal(66, `the immutable field '_id' was altered from ${String(before['_id'])}`);
  }
  if (BSON.calculateObjectSize(document) > 16 * 1024 * 1024) {
    throw new Refusal(10334, 'BSONObj size is invalid');
  }
  validate(collection, document);
  for (const index of collection.indexes.filter(({ unique, name }) => unique === true || name === '_id_')) {
    const keyOf = (one: Document): string =>
      Object.keys(index.key)
        .map((path) => keyText(valueAt(one, path)))
        .join('\n');
    // Documents that a test put there may lack an id.
    const others = collection.documents.filter(
      (one) => one !== before && (index !== idIndex || '_id' in one),
    );
    const other = others.find((one) => keyOf(one) === keyOf(document));
    if (other !== undefined) {
      throw new Refusal(
        11000,
        `E11000 duplicate key error collection: shop.c index: ${index.name} dup key: { : "${keyOf(document)}" }`,
      );
    }
  }
}

const typeNames: Readonly<Record<string, string>> = {
  Int32: 'int',
  Long: 'long',
  Double: 'double',
  Decimal128: 'decimal',
  ObjectId: 'objectId',
};

/** `required` and one `bsonType` per property, as far as that. */
function validate({ validator }: FakeCollection, document: Document): void {
  const schema = (validator?.['$jsonSchema'] ?? {}) as Document;
  const missing = ((schema['required'] ?? []) as string[]).filter((name) => document[name] === undefined);
  const wrong = Object.entries((schema['properties'] ?? {}) as Readonly<Record<string, Document>>).filter(
    ([name, { bsonType }]) => {
      const value = document[name] as { _bsontype?: string } | undefined;
      const type = value instanceof Date ? 'date' : (typeNames[value?._bsontype ?? ''] ?? typeof value);
      return value !== undefined && bsonType !== undefined && bsonType !== type;
    },
  );
  if (missing.length > 0 || wrong.length > 0) {
    throw new Refusal(121, 'Document failed validation', {
      failingDocumentId: document['_id'],
      details: {
        operatorName: '$jsonSchema',
        schemaRulesNotSatisfied: [
          ...(missing.length > 0 ? [{ operatorName: 'required', missingProperties: missing }] : []),
          ...(wrong.length > 0
            ? [
                {
                  operatorName: 'properties',
                  propertiesNotSatisfied: wrong.map(([propertyName]) => ({
                    propertyName,
                    details: [{ operatorName: 'bsonType', consideredValue: document[propertyName] }],
                  })),
                },
              ]
            : []),
        ],
      },
    });
  }
}
