import type { Document } from 'mongodb';
import { defineConnector } from '../../engine/contracts/connector.ts';
import { type Far, openFar } from './client.ts';
import { config, loginOf } from './config.ts';
import { objectsOf } from './objects.ts';

/** MongoDB 4.4 and newer, and what speaks its protocol. */
export const mongodb = defineConnector({
  id: 'mongodb',
  name: 'MongoDB',
  summary: 'Writes rows as documents to the collections of a MongoDB database.',
  config,
  offers: ['objects'],
  hosts: [],
  setup: [
    'Make a user of its own with the role readWrite on the one database: `db.getSiblingDB("shop").createUser({ user: "activate", pwd: passwordPrompt(), roles: ["readWrite"] })`.',
    'If the user was made in another database than the one to be written, add `authSource=…` to the connection string. In Atlas, add the address of this server to the IP access list.',
    'Make the collection, and a unique index on the fields that find a document: `db.customers.createIndex({ email: 1 }, { unique: true })`. It may not be sparse, partial or with a collation; `_id` has one already.',
    'Values are stored as the type that the validator of the collection asks for, or that nine of ten of 100 documents have: an ObjectId, a date, an int, a long, a double, a Decimal128. Where nothing is known, numbers are int or long when whole and double otherwise, and times are text.',
    'Dates keep milliseconds: the microseconds of a time are cut. A field without a value is set to null, unless it is mapped with “ignore nulls”. A name like `address.city` writes a field inside another.',
    'For Amazon DocumentDB, add `retryWrites=false` to the connection string.',
  ],
  verified:
    "The driver of MongoDB against a server of ours that speaks MongoDB's protocol as documented. It was never run against a real MongoDB.",
  open: async (values, context) => {
    const login = loginOf(values);
    const far = await openFar(login, context.applicationName);
    return {
      objects: objectsOf(far, context.now),
      check: () => check(far),
      close: () => far.close(),
    };
  },
});

const needed = ['find', 'insert', 'update', 'remove'] as const;

async function check(far: Far): Promise<readonly string[]> {
  const { db, login } = far;
  await far.wait(db.command({ ping: 1 }));
  const status = await far.wait(db.command({ connectionStatus: 1, showPrivileges: true }));
  const auth = (status['authInfo'] ?? {}) as Document;
  const users = (auth['authenticatedUsers'] ?? []) as readonly Document[];
  const privileges = (auth['authenticatedUserPrivileges'] ?? []) as readonly Document[];
  const warnings: string[] = [];
  // A server without access control knows no users, and lets everybody do everything.
  const lacking =
    users.length === 0 ? [] : needed.filter((action) => !isAllowed(privileges, login.database, action));
  if (users.length === 0 && !login.local) {
    warnings.push('The server asks for no login: everybody who reaches it can change everything.');
  }
  if (lacking.length > 0) {
    warnings.push(
      `The user may not ${lacking.join(', ')} in all collections of ${login.database}. Give it the role readWrite there, unless it may in the ones that are meant.`,
    );
  }
  if (!login.encrypted && !login.local) {
    warnings.push(
      'The connection is not encrypted: whoever is on the way can read rows and password. Add tls=true to the connection string.',
    );
  }
  return warnings;
}

function isAllowed(privileges: readonly Document[], database: string, action: string): boolean {
  return privileges.some(({ resource, actions }) => {
    const { db, collection, anyResource } = (resource ?? {}) as Document;
    const here = anyResource === true || ((db === database || db === '') && collection === '');
    return here && (actions as readonly string[]).includes(action);
  });
}
