import { BSON, type Document } from 'mongodb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mongodb } from '../../connectors/mongodb/index.ts';
import type {
  Call,
  FieldUse,
  ObjectBatch,
  Objects,
  Operation,
  Outcome,
  Value,
} from '../../engine/contracts/destination.ts';
import { destinationContract } from '../contracts/destination.ts';
import { type FakeMongodb, failure, password, startFakeMongodb } from '../fakes/mongodb.ts';
import { Refusal } from '../fakes/mongodb-store.ts';
import { call, type Opened, openFor } from '../support/connect.ts';

type Row = Readonly<Record<string, Value>>;

function batchOf(
  operation: Operation,
  rows: readonly Row[],
  match: readonly string[] = ['email'],
): ObjectBatch {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const fields = names.map(
    (name): FieldUse => ({
      name,
      onlyIfEmpty: false,
      sparse: rows.some((row) => row[name] === undefined),
    }),
  );
  return {
    object: 'customers',
    operation,
    match,
    fields,
    items: rows.map((values, i) => ({ key: String(i), values })),
  };
}

const rowsFor =
  (operation: Operation) =>
  (n: number, bad?: number): ObjectBatch => {
    const rows = Array.from({ length: n }, (_, i) =>
      operation === 'delete'
        ? { email: i === bad ? { $ne: null } : `old${i}@example.com` }
        : {
            email: `${operation === 'update' ? 'old' : 'new'}${i}@example.com`,
            score: i === bad ? 'much' : i + 5,
          },
    );
    return batchOf(operation, rows as readonly Row[]);
  };

destinationContract('MongoDB', {
  connector: mongodb,
  start: async () => {
    const fake = await startFakeMongodb();
    const customers = fake.add('customers', {}, 'email');
    for (let i = 0; i < 3; i += 1) {
      customers.documents.push({
        _id: new BSON.ObjectId(),
        email: `old${i}@example.com`,
        score: new BSON.Int32(i),
      });
    }
    return {
      fake,
      config: { url: fake.url },
      wrongConfig: { url: fake.url.replace(password, 'not-the-password') },
      secrets: [password],
      // Ids are made anew by each attempt that inserts.
      stored: () => customers.documents.map(({ _id, ...document }) => document),
    };
  },
  parts: {
    objects: {
      insert: rowsFor('insert'),
      update: rowsFor('update'),
      upsert: rowsFor('upsert'),
      delete: rowsFor('delete'),
    },
  },
  renewsToken: false,
  says: {
    limited: (seconds) => ({
      json: failure(
        16500,
        'TooManyRequests',
        seconds === undefined ? 'slow down' : `RetryAfterMs=${seconds * 1000}, slow down`,
      ),
    }),
    unauthorized: { json: failure(18, 'AuthenticationFailed') },
    broken: [91, 10107, 262, 11602].map((code) => ({ json: failure(code, 'Trouble') })),
    quoting: () => ({ json: failure(8000, 'AtlasError', `activate:${password} is over its quota`) }),
  },
});

let fake: FakeMongodb;
let opened: Opened;
let objects: Objects;

beforeEach(async () => {
  fake = await startFakeMongodb();
  opened = await openFor(mongodb, { url: fake.url });
  objects = opened.connection.objects as Objects;
});

afterEach(async () => {
  await opened.close();
  fake.expectNoUnexpected();
  await fake.close();
});

const write = (batch: ObjectBatch, given: Partial<Call> = {}): Promise<readonly Outcome[]> =>
  objects.write(batch, call(given));
const states = (outcomes: readonly Outcome[]): readonly string[] => outcomes.map(({ state }) => state);
/** The statements of the last write, with all their types. */
const sent = (): readonly unknown[] => {
  const command =
    fake.commands.findLast((one) => 'updates' in one || 'documents' in one || 'deletes' in one) ?? {};
  const statements = (command['updates'] ?? command['documents'] ?? command['deletes']) as Document[];
  return statements.map((one) => JSON.parse(BSON.EJSON.stringify(one, { relaxed: false })) as unknown);
};
const stored = (name = 'customers'): readonly Document[] =>
  (fake.collections.get(name)?.documents ?? []).map(
    ({ _id, ...document }) => JSON.parse(BSON.EJSON.stringify(document)) as Document,
  );
const kept = (value: unknown): unknown =>
  JSON.parse(BSON.EJSON.stringify({ value }, { relaxed: false })).value;

describe('what is sent', () => {
  it('is one unordered command for a batch, and an operation for each row', async () => {
    fake.add('customers', {}, 'email');

    await write(
      batchOf('upsert', [
        { email: 'a', score: 1 },
        { email: 'b', score: null },
      ]),
    );

    expect(fake.requests.map(({ path }) => path)).toEqual([
      'listCollections',
      'listIndexes',
      'aggregate',
      'update',
    ]);
    expect(fake.commands.at(-1)).toMatchObject({ update: 'customers', ordered: false });
    expect(sent()).toEqual([
      { q: { email: { $eq: 'a' } }, u: { $set: { score: { $numberInt: '1' } } }, upsert: true },
      { q: { email: { $eq: 'b' } }, u: { $set: { score: null } }, upsert: true },
    ]);
  });

  it('leaves out what an item leaves out, and makes null what is null', async () => {
    fake
      .add('customers', {}, 'email')
      .documents.push({ email: 'a', x: 'x', y: 'y' }, { email: 'b', x: 'x', y: 'y' });

    const outcomes = await write(
      batchOf('update', [
        { email: 'a', x: null },
        { email: 'b', y: 'Y' },
      ]),
    );

    expect(states(outcomes)).toEqual(['ok', 'ok']);
    expect(stored()).toEqual([
      { email: 'a', x: null, y: 'y' },
      { email: 'b', x: 'x', y: 'Y' },
    ]);
  });

  it('takes a row with nothing but its key', async () => {
    fake.add('customers', {}, 'email').documents.push({ email: 'a', x: 1 });

    expect(states(await write(batchOf('upsert', [{ email: 'a' }, { email: 'b' }])))).toEqual(['ok', 'ok']);
    expect(states(await write(batchOf('update', [{ email: 'a' }, { email: 'c' }])))).toEqual([
      'ok',
      'rejected',
    ]);
    expect(stored()).toEqual([{ email: 'a', x: 1 }, { email: 'b' }]);
  });

  it('writes a name with dots inside another, in new documents as in old ones', async () => {
    fake.add('customers', {}, 'email').documents.push({ email: 'a', address: { zip: '1', city: 'X' } });

    await write(batchOf('upsert', [{ email: 'a', 'address.city': 'Y' }]));
    await write(batchOf('insert', [{ email: 'b', 'address.city': 'Z', 'address.geo.lat': 1.5 }]));

    expect(stored()).toEqual([
      { email: 'a', address: { zip: '1', city: 'Y' } },
      { email: 'b', address: { city: 'Z', geo: { lat: 1.5 } } },
    ]);
  });

  it.each([['$where'], ['a.$x'], ['a..b'], ['a\0b']])(
    'is nothing where a field is named %j',
    async (name) => {
      fake.add('customers', {}, 'email');

      await expect(write(batchOf('upsert', [{ email: 'a', [name]: 1 }]))).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
      });
      expect(stored()).toEqual([]);
    },
  );

  it('takes no key that could be read as an operator', async () => {
    fake.add('customers', {}, 'email').documents.push({ email: 'a' });

    const outcomes = await write(
      batchOf('delete', [{ email: { $ne: null } }, { email: ['a'] }, { email: null }]),
    );

    expect(new Set(outcomes.map((one) => (one.state === 'rejected' ? one.reason : '')))).toEqual(
      new Set(['email finds the document: it takes a single value.']),
    );
    expect(stored()).toHaveLength(1);
  });
});

describe('values', () => {
  const { Int32, Double, Long, Decimal128, ObjectId, UUID, Binary } = BSON;
  const day = new Date('2026-03-04T05:06:07.891Z');
  const cases: readonly (readonly [sample: unknown, value: Value, stored: unknown])[] = [
    // Nothing is known: numbers as they are, texts as they are.
    [undefined, 1, new Int32(1)],
    [undefined, 2 ** 31, Long.fromNumber(2 ** 31)],
    [undefined, -(2 ** 31), new Int32(-(2 ** 31))],
    [undefined, 1.5, new Double(1.5)],
    [undefined, '9007199254740993', '9007199254740993'],
    [undefined, '2026-03-04T05:06:07.891234Z', '2026-03-04T05:06:07.891234Z'],
    [undefined, true, true],
    [undefined, { a: [1, 2.5, { b: null }] }, { a: [new Int32(1), new Double(2.5), { b: null }] }],
    [undefined, 'a\0b', 'a\0b'],
    // As the documents there have it.
    [new Int32(5), 7, new Int32(7)],
    [new Int32(5), 2 ** 31, Long.fromNumber(2 ** 31)],
    [new Int32(5), 1.5, new Double(1.5)],
    [new Int32(5), '9223372036854775807', Long.fromString('9223372036854775807')],
    [new Int32(5), '9223372036854775808', Decimal128.fromString('9223372036854775808')],
    [Long.fromNumber(5), 7, Long.fromNumber(7)],
    [Long.fromNumber(5), '-9223372036854775808', Long.fromString('-9223372036854775808')],
    [new Double(5.5), 7, new Double(7)],
    [new Double(5.5), '0.12345678901234567890', Decimal128.fromString('0.12345678901234567890')],
    [Decimal128.fromString('5.5'), 7, Decimal128.fromString('7')],
    [Decimal128.fromString('5.5'), '1.10', Decimal128.fromString('1.10')],
    [new Date(), '2026-03-04T05:06:07.891234Z', day],
    [new Date(), '2026-03-04', new Date('2026-03-04T00:00:00Z')],
    ['text', 5, '5'],
    ['text', true, 'true'],
    [true, false, false],
    [new ObjectId(), 'a'.repeat(24), new ObjectId('a'.repeat(24))],
    [new UUID(), '936da01f-9abd-4d9d-80c7-02af85c822a8', new UUID('936da01f-9abd-4d9d-80c7-02af85c822a8')],
    [new Binary(Buffer.from('x')), 'AP8=', new Binary(Buffer.from([0, 255]))],
    [{ a: 1 }, { a: 2 }, { a: new Int32(2) }],
    [null, 7, new Int32(7)],
  ];

  it.each(cases)('beside %s: %j is stored as %s', async (sample, value, expected) => {
    const customers = fake.add('customers', {}, 'email');
    if (sample !== undefined) {
      const document = BSON.deserialize(BSON.serialize({ email: 'old', v: sample }), {
        promoteValues: false,
      });
      customers.documents.push(document);
    }

    const outcomes = [
      ...(await write(batchOf('upsert', [{ email: 'a', v: value }]))),
      ...(await write(batchOf('insert', [{ email: 'b', v: value }]))),
    ];

    expect(states(outcomes)).toEqual(['ok', 'ok']);
    expect(customers.documents.slice(-2).map(({ v }) => kept(v))).toEqual([kept(expected), kept(expected)]);
  });

  const refused: readonly (readonly [sample: unknown, value: Value, reason: string])[] = [
    [new Date(), '2026-02-30', 'v holds a date that no calendar has.'],
    [new Date(), 'tomorrow', 'v takes a date, or a time in UTC.'],
    [new Int32(5), 'secret', 'v takes a number.'],
    [Decimal128.fromString('5'), '1'.repeat(35), 'v has more digits than the 34 that MongoDB keeps.'],
    [new ObjectId(), 'secret', 'v takes an ObjectId: 24 digits from 0 to f.'],
    [new UUID(), 'secret', 'v takes a UUID.'],
    [new Binary(Buffer.from('x')), 'no base 64', 'v takes bytes, as Base64.'],
    [true, 'secret', 'v takes yes or no.'],
    [undefined, 'half \ud800', 'v holds half of a character (a lone surrogate).'],
    [undefined, { a: ['half \ud800'] }, 'v holds half of a character (a lone surrogate).'],
    [
      undefined,
      { a: { $gt: 1 } },
      'v holds a name that begins with $ or holds U+0000, which MongoDB does not take.',
    ],
    [
      undefined,
      { 'a\0': 1 },
      'v holds a name that begins with $ or holds U+0000, which MongoDB does not take.',
    ],
    [undefined, deep(100), 'v is nested more deeply than MongoDB allows.'],
    [undefined, 'x'.repeat(17 * 1024 * 1024), 'The row is larger than the 16 MB that a document can have.'],
  ];

  it.each(refused)(
    'are refused, and the row beside them is not: beside %s',
    async (sample, value, reason) => {
      const customers = fake.add('customers', {}, 'email');
      if (sample !== undefined) {
        customers.documents.push(
          BSON.deserialize(BSON.serialize({ email: 'old', v: sample }), { promoteValues: false }),
        );
      }

      const outcomes = await write(
        batchOf('upsert', [
          { email: 'a', v: value },
          { email: 'b', v: null },
        ]),
      );

      expect(outcomes).toMatchObject([{ state: 'rejected', reason }, { state: 'ok' }]);
      expect(customers.documents.at(-1)).toMatchObject({ email: 'b', v: null });
    },
  );

  it('of a key are looked for as the type that keys have', async () => {
    const _id = new ObjectId();
    fake.add('customers').documents.push({ _id, name: 'a' });

    const outcomes = await write(
      batchOf(
        'upsert',
        [
          { _id: _id.toHexString(), name: 'b' },
          { _id: 'plain text', name: 'c' },
        ],
        ['_id'],
      ),
    );

    expect(outcomes).toEqual([
      { state: 'ok' },
      { state: 'rejected', reason: '_id takes an ObjectId: 24 digits from 0 to f.', field: '_id' },
    ]);
    expect(stored()).toEqual([{ name: 'b' }]);
  });
});

function deep(levels: number): Value {
  return levels === 0 ? 1 : { a: deep(levels - 1) };
}

describe('rows that fail', () => {
  it.each([1, 2])('are told from those that do not, %i of them', async (bad) => {
    fake.add('customers', {}, 'email');
    const rows = Array.from({ length: 4 }, (_, i) => ({ email: `e${i}`, x: i }));
    fake.onWrite = (_, { q }) => {
      if (rows.slice(1, 1 + bad).some(({ email }) => email === q.email.$eq)) {
        throw new Refusal(17419, 'Resulting document after update is larger than 16777216');
      }
    };

    const outcomes = await write(batchOf('upsert', rows));

    expect(states(outcomes)).toEqual(rows.map((_, i) => (i >= 1 && i <= bad ? 'rejected' : 'ok')));
    expect(stored()).toHaveLength(4 - bad);
  });

  it('for a document that another made first are tried once more', async () => {
    const customers = fake.add('customers', {}, 'email');
    let races = 0;
    fake.onWrite = () => {
      races += 1;
      if (races === 1) {
        customers.documents.push({ email: 'a', score: 0 });
        throw new Refusal(
          11000,
          'E11000 duplicate key error collection: shop.customers index: email_1 dup key: { email: "a" }',
        );
      }
    };

    expect(await write(batchOf('upsert', [{ email: 'a', score: 1 }]))).toEqual([{ state: 'ok' }]);
    expect(stored()).toEqual([{ email: 'a', score: 1 }]);
  });

  it('for another unique index say which, and not the value', async () => {
    fake.add('customers', {}, 'email', 'phone').documents.push({ email: 'a', phone: '555-secret' });

    const outcomes = await write(
      batchOf('upsert', [
        { email: 'b', phone: '555-secret' },
        { email: 'c', phone: '1' },
      ]),
    );

    expect(outcomes).toEqual([
      { state: 'rejected', reason: 'Another document of customers has the same phone.', field: 'phone' },
      { state: 'ok' },
    ]);
  });

  it('for the validator say for which fields, and not their values', async () => {
    const validator = { $jsonSchema: { required: ['name'], properties: { level: { bsonType: 'int' } } } };
    fake.add('customers', { validator }, 'email');

    const outcomes = await write(
      batchOf('upsert', [
        { email: 'a', level: 1, name: 'x' },
        { email: 'b', level: 1.5, name: 'secret' },
        { email: 'c', level: 1, note: 'secret' },
      ]),
    );

    expect(outcomes).toEqual([
      { state: 'ok' },
      { state: 'rejected', reason: 'The validator of customers refused it: level.', field: 'level' },
      { state: 'rejected', reason: 'The validator of customers refused it: name.', field: 'name' },
    ]);
  });

  it('for a reason that passes are tried again', async () => {
    fake.add('customers', {}, 'email');
    fake.onWrite = (_, { q }) => {
      if (q.email.$eq === 'a') {
        throw new Refusal(16500, 'Request rate is large. RetryAfterMs=250, secret');
      }
      if (q.email.$eq === 'b') {
        throw new Refusal(112, 'WriteConflict');
      }
    };

    expect(await write(batchOf('upsert', [{ email: 'a' }, { email: 'b' }, { email: 'c' }]))).toEqual([
      { state: 'retry', reason: 'MongoDB could not write it now (code 16500).', afterMs: 250 },
      { state: 'retry', reason: 'MongoDB could not write it now (code 112).' },
      { state: 'ok' },
    ]);
  });

  it('are those alone, where MongoDB is not sure of the others', async () => {
    fake.add('customers', {}, 'email').documents.push({ email: 'a', x: 1 });
    fake.writeConcernError = { code: 64, errmsg: 'waiting for replication timed out' };

    expect(states(await write(batchOf('insert', [{ email: 'a' }, { email: 'b' }])))).toEqual([
      'rejected',
      'unknown',
    ]);
    expect(states(await write(batchOf('upsert', [{ email: 'a' }, { email: 'b' }])))).toEqual([
      'unknown',
      'unknown',
    ]);
  });

  it('for an update are those whose document is not there', async () => {
    fake.add('customers', {
      indexes: [{ name: 'two', key: { country: 1, number: 1 }, unique: true }],
      documents: [
        { country: 'de', number: new BSON.Double(1), x: 0 },
        { country: 'fr', number: new BSON.Int32(2), x: 0 },
      ],
    });

    const outcomes = await write(
      batchOf(
        'update',
        [
          { number: 1, country: 'de', x: 1 },
          { number: 2, country: 'de', x: 1 },
          { number: 2, country: 'fr', x: 1 },
        ],
        ['number', 'country'],
      ),
    );

    expect(states(outcomes)).toEqual(['ok', 'rejected', 'ok']);
    expect(outcomes[1]).toMatchObject({
      reason: 'There is no document in customers with this number and country.',
    });
  });

  it('for an insert are those whose document is there, unless it is ours', async () => {
    fake.add('customers', {}, 'email', 'phone').documents.push({ email: 'a', phone: '1' });
    const batch = batchOf('insert', [
      { email: 'a', phone: '2' },
      { email: 'b', phone: '1' },
      { email: 'c', phone: '3' },
    ]);

    expect(await write(batch)).toEqual([
      {
        state: 'rejected',
        reason: 'There is a document in customers with this email already.',
        field: 'email',
      },
      { state: 'rejected', reason: 'Another document of customers has the same phone.', field: 'phone' },
      { state: 'ok' },
    ]);
    expect(states(await write(batch, { again: true }))).toEqual(['ok', 'rejected', 'ok']);
  });
});

describe('a batch as a whole', () => {
  it('is refused where the collection is not there, and makes none', async () => {
    await expect(write(batchOf('upsert', [{ email: 'a' }]))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect([...fake.collections]).toEqual([]);
  });

  it('is refused where nothing keeps documents apart', async () => {
    fake.add('customers', { indexes: [{ name: 'e', key: { email: 1 }, unique: true, sparse: true }] });

    await expect(write(batchOf('upsert', [{ email: 'a' }]))).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('customers has no unique index on email (e covers only some'),
    });
  });

  it('is refused where the right is missing, and what was to be written is not told', async () => {
    fake.add('customers', {}, 'email');
    fake.next(undefined, undefined, undefined, {
      json: failure(
        13,
        'Unauthorized',
        'not authorized on shop to execute command { update: "customers", secret }',
      ),
    });

    const error = await write(batchOf('upsert', [{ email: 'a' }])).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: 'PERMISSION_DENIED', fix: 'Give it the role readWrite on shop.' });
    expect(JSON.stringify([String(error), (error as Error).cause])).not.toContain('secret');
  });
});

describe('what is found out', () => {
  it('is the collections that can be written, best match first', async () => {
    for (const name of ['orders', 'old_orders', 'order', 'system.views', 'people']) {
      fake.add(name);
    }
    fake.add('order_view', { type: 'view' });

    expect((await objects.objects('order')).map(({ value }) => value)).toEqual([
      'order',
      'orders',
      'old_orders',
    ]);
  });

  it('is the fields that documents have, and what the validator asks for', async () => {
    const validator = {
      $jsonSchema: {
        required: ['_id', 'name'],
        properties: { name: { bsonType: 'string' }, level: { bsonType: 'int' } },
      },
    };
    const customers = fake.add('customers', { validator }, 'email');
    customers.documents.push(
      ...Array.from({ length: 19 }, () => ({
        _id: new BSON.ObjectId(),
        email: 'a',
        score: new BSON.Int32(1),
        at: new Date(),
        address: { city: 'x', geo: { lat: new BSON.Double(1.5) } },
        tags: ['a'],
        ok: true,
        mixed: 'text',
        raw: new BSON.Binary(Buffer.from('x')),
        nothing: null,
        'a.b': 1,
        $x: 1,
      })),
      { _id: new BSON.ObjectId(), mixed: new BSON.Int32(1), score: new BSON.Double(0.5) },
    );

    const fields = await objects.fields('customers');

    expect(
      fields.map(
        ({ name, type, key, required }) =>
          `${name} ${type}${key ? ' key' : ''}${required ? ' required' : ''}`,
      ),
    ).toEqual([
      '_id text key',
      'name text required',
      'level integer',
      'email text key',
      'score number',
      'at time',
      'address json',
      'address.city text',
      'address.geo json',
      'address.geo.lat number',
      'tags json',
      'ok boolean',
      'mixed text',
      'raw any',
      'nothing any',
    ]);
  });

  it('is nothing of an empty collection: it takes any field', async () => {
    fake.add('customers', {}, 'email');

    expect(await objects.fields('customers')).toEqual([]);
    await expect(objects.fields('nowhere')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('is ids of documents that a field refers to', async () => {
    const id = new BSON.ObjectId();
    fake
      .add('customers')
      .documents.push(
        { _id: id, code: new BSON.Int32(7) },
        { _id: new BSON.ObjectId(), code: new BSON.Int32(8) },
        { _id: new BSON.ObjectId(), code: new BSON.Int32(8) },
      );

    expect(await objects.find('customers', 'code', ['7', '8', '9', 'no number'])).toEqual(
      new Map([['7', id.toHexString()]]),
    );
  });
});

describe('what stands against writing', () => {
  const verify = (match: readonly string[], ...names: readonly string[]): Promise<readonly string[]> =>
    objects.verify({
      object: 'customers',
      operation: 'upsert',
      match,
      fields: [...match, ...names].map((name) => ({ name, onlyIfEmpty: false, sparse: false })),
    });

  it('is nothing where documents are kept apart', async () => {
    fake.add('customers', {}, 'email');

    expect([await verify(['email'], 'name'), await verify(['_id'], 'name')]).toEqual([[], []]);
  });

  it.each([
    [
      { name: 'near', key: { email: 1 }, unique: true, sparse: true },
      ' (near covers only some of the documents)',
    ],
    [
      {
        name: 'near',
        key: { email: 1 },
        unique: true,
        partialFilterExpression: { email: { $exists: true } },
      },
      ' (near covers only some of the documents)',
    ],
    [
      { name: 'near', key: { email: 1 }, unique: true, collation: { locale: 'en' } },
      ' (near compares by a collation of its own)',
    ],
    [{ name: 'near', key: { email: 1 } }, ''],
    [{ name: 'near', key: { email: 1, name: 1 }, unique: true }, ''],
  ])('is that %j does not', async (index, why) => {
    fake.add('customers', { indexes: [index] });

    expect(await verify(['email'])).toEqual([
      `customers has no unique index on email${why}. Run: db.getCollection("customers").createIndex({ "email": 1 }, { unique: true })`,
    ]);
  });

  it('is a view, a name that is none, and one name inside another', async () => {
    fake.add('customers', { type: 'view' });
    expect(await verify(['email'])).toEqual([
      "customers is no collection but a view: it can't be written to.",
    ]);

    fake.add('customers', {}, 'email');
    expect(await verify(['email'], '$set', 'a', 'a.b')).toEqual([
      "$set can't be the name of a field: parts of a name are never empty and never begin with $.",
      'a.b is inside a: only one of the two can be written.',
    ]);
  });

  it('is a key of several types', async () => {
    fake
      .add('customers', {}, 'code')
      .documents.push({ code: '1' }, { code: '2' }, { code: new BSON.Int32(3) });

    expect(await verify(['code'])).toEqual([
      'code is of several types in customers (string in 2, int in 1 of the documents looked at): a row finds only documents of the one it is written as.',
    ]);
  });
});

describe('the connection', () => {
  it('is warned about when rights are missing', async () => {
    fake.privileges = [{ resource: { db: 'shop', collection: '' }, actions: ['find', 'insert'] }];

    expect(await opened.connection.check('objects')).toEqual([
      'The user may not update, remove in all collections of shop. Give it the role readWrite there, unless it may in the ones that are meant.',
    ]);
  });

  it('says where nobody answers, and that nothing was sent', async () => {
    const { url } = await startFakeMongodb().then(async (other) => {
      await other.close();
      return other;
    });
    const nowhere = await openFor(mongodb, { url: `${url}?serverSelectionTimeoutMS=100` });

    for (const attempt of [
      () => nowhere.connection.check('objects'),
      () => (nowhere.connection.objects as Objects).write(batchOf('upsert', [{ email: 'a' }]), call()),
    ]) {
      await expect(attempt()).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: `No server of MongoDB answers at ${new URL(url).host}.`,
      });
    }
    await nowhere.close();
  });

  it.each([
    ['https://example.com', undefined, 'url'],
    ['mongodb://user:top-secret@', 'shop', 'url'],
    ['mongodb://user:top%ZZsecret@127.0.0.1/sh%ZZop', undefined, 'url'],
    ['mongodb://user:top-secret@127.0.0.1/?unknownOption=1', 'shop', 'url'],
    ['mongodb://user:top-secret@127.0.0.1', undefined, 'database'],
  ])('is refused as %s', async (url, database, field) => {
    const opening = openFor(mongodb, { url, ...(database === undefined ? {} : { database }) });

    const error = await opening.catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: 'CONFIG_INVALID', fields: { [field]: expect.any(String) } });
    expect(JSON.stringify([String(error), (error as Error).cause])).not.toContain('secret');
  });
});
