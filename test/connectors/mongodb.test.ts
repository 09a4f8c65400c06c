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
