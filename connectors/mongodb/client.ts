import type { Collection, Db, Document, MongoClient, MongoClientOptions } from 'mongodb';
import { orAborted } from '../shared/signal.ts';
import type { Login } from './config.ts';
import { explain } from './errors.ts';

/** The types of values that the driver brings. */
export type Bson = typeof import('mongodb')['BSON'];

/** A database, and the driver's types. */
export interface Far {
  readonly bson: Bson;
  readonly login: Login;
  readonly db: Db;
  collection(name: string): Collection<Document>;
  /** Waits for the driver, but not beyond the signal; its errors come out explained. `writing` as {@link explain} says. */
  wait<T>(work: Promise<T>, signal?: AbortSignal, writing?: boolean): Promise<T>;
  close(): Promise<void>;
}

const answerMs = 10_000;
const silentMs = 60_000;

/** Connects when first asked. Throws CONFIG_INVALID for a connection string that the driver does not understand. */
export async function openFar(login: Login, applicationName: string): Promise<Far> {
  const { BSON, MongoClient } = await import('mongodb');
  const limits = {
    serverSelectionTimeoutMS: answerMs,
    connectTimeoutMS: answerMs,
    socketTimeoutMS: silentMs,
    maxPoolSize: 4,
  };
  const options: MongoClientOptions = {
    ...Object.fromEntries(Object.entries(limits).filter(([name]) => !login.options.has(name))),
    ...(login.options.has('w') ? {} : { writeConcern: { w: 'majority', wtimeoutMS: 30_000 } }),
    appName: applicationName.slice(0, 120),
    // Left out, and not written as null.
    ignoreUndefined: true,
  };
  const client = make(() => new MongoClient(login.url, options), login);
  const db = client.db(login.database);
  return {
    bson: BSON,
    login,
    db,
    collection: (name) => db.collection(name),
    wait: async (work, signal, writing) => {
      try {
        // The driver can't take back a write that is under way.
        return await orAborted(work, signal);
      } catch (thrown) {
        throw signal?.aborted === true ? signal.reason : explain(thrown, login, writing);
      }
    },
    close: () => client.close(),
  };
}

function make(client: () => MongoClient, login: Login): MongoClient {
  try {
    return client();
  } catch (thrown) {
    throw explain(thrown, login);
  }
}
