import { type AddressInfo, createServer, type Socket } from 'node:net';
import { BSON, type Document } from 'mongodb';
import type { Answer, FakeHttp, Fault, Received, Reply } from './http.ts';
import {
  type FakeCollection,
  type FakeIndex,
  idIndex,
  insert,
  matches,
  Refusal,
  remove,
  update,
  type WriteError,
} from './mongodb-store.ts';
import { answerTo, type Message, onMessages, scram } from './mongodb-wire.ts';

/**
 * A MongoDB that keeps its documents in memory and speaks the wire protocol: a standalone server of version 7. It can go
 * wrong in the ways of a {@link FakeHttp}; where that says an answer, its `json` is the server's answer.
 */
export interface FakeMongodb extends Omit<FakeHttp, 'state' | 'to'> {
  readonly collections: Map<string, FakeCollection>;
  /** Commands that read or write, as they came, values with their BSON types. */
  readonly commands: readonly Document[];
  /** Called before each single write; may throw a {@link Refusal}. */
  onWrite: ((collection: FakeCollection, statement: Document) => void) | undefined;
  /** Answers writes with this beside the rest. */
  writeConcernError: Document | undefined;
  privileges: readonly Document[];
  add(name: string, given?: Partial<FakeCollection>, ...unique: readonly string[]): FakeCollection;
}

const user = 'activate';
export const password = 'pass-of-activate';

const reading = ['listCollections', 'listIndexes', 'find', 'aggregate'];
const writing = ['insert', 'update', 'delete'];

/** Starts one on a free port, with nothing in it. */
export async function startFakeMongodb(): Promise<FakeMongodb> {
  const sockets = new Set<Socket>();
  const requests: Received[] = [];
  const commands: Document[] = [];
  const unexpected: string[] = [];
  const queue: (Reply | undefined)[] = [];
  let standing: Reply | undefined;
  let waiting: ((request: Received) => void)[] = [];

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    const admits = door();
    onMessages(socket, (message) => {
      const [name = ''] = Object.keys(message.command);
      const answer = admits(name, message.command) ?? aside(name, fake);
      if (answer === undefined) {
        respond(socket, message, name);
      } else {
        socket.write(answerTo(message, answer));
      }
    });
  });

  const respond = (socket: Socket, message: Message, name: string): void => {
    const request = received(name, message.command);
    requests.push(request);
    commands.push(message.command);
    const reply = queue.length > 0 ? queue.shift() : standing;
    for (const tell of waiting.splice(0)) {
      tell(request);
    }
    const carriedOut = (): Document => handled(name, message.command);
    if (reply === undefined || (isDone(reply) && !writing.includes(name))) {
      socket.write(answerTo(message, carriedOut()));
    } else if (typeof reply === 'string') {
      goWrong(socket, message, reply, carriedOut);
    } else {
      const { json, text }: Answer = typeof reply === 'function' ? reply(request) : reply;
      const document = (json ?? { errmsg: String(text) }) as Document;
      socket.write(answerTo(message, { ok: 0, code: 2, codeName: 'BadValue', ...document }));
    }
  };

  const handled = (name: string, command: Document): Document => {
    try {
      return carryOut(fake, name, command);
    } catch (error) {
      if (error instanceof Refusal) {
        return failure(error.code, 'Refused');
      }
      unexpected.push(`${name}: ${String(error)}`);
      return failure(8, 'UnknownError');
    }
  };

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const fake: FakeMongodb = {
    url: `mongodb://${user}:${password}@127.0.0.1:${port}/shop`,
    collections: new Map(),
    commands,
    requests,
    onWrite: undefined,
    writeConcernError: undefined,
    privileges: [
      {
        resource: { db: 'shop', collection: '' },
        actions: ['find', 'insert', 'update', 'remove', 'listCollections', 'listIndexes'],
      },
    ],
    add: (name, given = {}, ...unique) => {
      const indexes = unique.map(
        (path): FakeIndex => ({ name: `${path}_1`, key: { [path]: 1 }, unique: true }),
      );
      const collection: FakeCollection = {
        type: 'collection',
        documents: [],
        ...given,
        indexes: [idIndex, ...indexes, ...(given.indexes ?? [])],
      };
      fake.collections.set(name, collection);
      return collection;
    },
    next: (...replies) => void queue.push(...replies),
    always: (reply) => {
      standing = reply;
    },
    heal: () => {
      standing = undefined;
    },
    arrival: () => new Promise((resolve) => waiting.push(resolve)),
    expectNoUnexpected: () => {
      if (unexpected.length > 0) {
        throw new Error(`The fake could not answer: ${unexpected.join('; ')}`);
      }
    },
    close: () => {
      waiting = [];
      for (const socket of sockets) {
        socket.destroy();
      }
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return fake;
}

/** What was carried out and then went wrong: that matters for what changes something. */
function isDone(reply: Reply): boolean {
  return typeof reply === 'string' && reply.startsWith('done');
}

/** The login of one connection: answers what belongs to it, and refuses all that needs one. */
function door(): (name: string, command: Document) => Document | undefined {
  let login = scram(user, password);
  let known = false;
  return (name, command) => {
    if (name === 'saslStart' || name === 'saslContinue') {
      login = name === 'saslStart' ? scram(user, password) : login;
      const answer = login(Buffer.from((command['payload'] as BSON.Binary).buffer));
      known ||= answer?.['done'] === true;
      return answer ?? failure(18, 'AuthenticationFailed');
    }
    const needsLogin = reading.includes(name) || writing.includes(name);
    return known || !needsLogin ? undefined : failure(13, 'Unauthorized');
  };
}

function goWrong(socket: Socket, message: Message, fault: Fault, carriedOut: () => Document): void {
  switch (fault) {
    case 'hang':
      return;
    case 'reset':
      socket.destroy();
      return;
    case 'done-then-reset':
      carriedOut();
      socket.destroy();
      return;
    case 'done-then-garbage':
      carriedOut();
      socket.write(answerTo(message, {}).fill(255, 16));
      socket.end();
      return;
    default:
      fault satisfies never;
  }
}

export function failure(code: number, codeName: string, errmsg = codeName): Document {
  return { ok: 0, code, codeName, errmsg };
}

/** What a driver asks on its own account; undefined for what reads or writes. */
function aside(name: string, fake: FakeMongodb): Document | undefined {
  if (reading.includes(name) || writing.includes(name)) {
    return undefined;
  }
  switch (name.toLowerCase()) {
    case 'hello':
    case 'ismaster':
      return {
        ok: 1,
        helloOk: true,
        ismaster: true,
        isWritablePrimary: true,
        maxBsonObjectSize: 16 * 1024 * 1024,
        maxMessageSizeBytes: 48_000_000,
        maxWriteBatchSize: 100_000,
        minWireVersion: 0,
        maxWireVersion: 21,
        logicalSessionTimeoutMinutes: 30,
        localTime: new Date(),
        saslSupportedMechs: ['SCRAM-SHA-256'],
      };
    case 'connectionstatus':
      return {
        ok: 1,
        authInfo: {
          authenticatedUsers: [{ user, db: 'shop' }],
          authenticatedUserPrivileges: fake.privileges,
        },
      };
    case 'ping':
    case 'endsessions':
      return { ok: 1 };
    default:
      return failure(59, 'CommandNotFound', `no such command: '${name}'`);
  }
}

function carryOut(fake: FakeMongodb, name: string, command: Document): Document {
  const cursor = (ns: string, firstBatch: readonly Document[]): Document => ({
    ok: 1,
    cursor: { id: BSON.Long.fromNumber(0), ns: `shop.${ns}`, firstBatch },
  });
  if (name === 'listCollections') {
    const { name: wanted } = (command['filter'] ?? {}) as Document;
    const found = [...fake.collections].filter(([one]) => wanted === undefined || one === wanted);
    return cursor(
      '$cmd.listCollections',
      found.map(([one, { type, validator }]) => ({
        name: one,
        type,
        ...(command['nameOnly'] === true ? {} : { options: validator === undefined ? {} : { validator } }),
      })),
    );
  }
  const target = String(command[name]);
  const collection = fake.collections.get(target);
  if (collection === undefined) {
    throw new Error(`there is no collection ${target}, and MongoDB would make it`);
  }
  switch (name) {
    case 'listIndexes':
      return cursor(target, collection.indexes as readonly Document[]);
    case 'aggregate':
      return cursor(target, collection.documents.slice(0, 100));
    case 'find':
      return cursor(
        target,
        collection.documents.filter((document) => matches(document, command['filter'] as Document)),
      );
    default:
      return writeAll(fake, collection, name, command);
  }
}

/** Each statement on its own, whichever of the others fails: what `ordered: false` asks for. */
function writeAll(fake: FakeMongodb, collection: FakeCollection, name: string, command: Document): Document {
  if (command['ordered'] !== false) {
    throw new Error('a write that stops at the first row that fails');
  }
  const statements = (command['documents'] ?? command['updates'] ?? command['deletes']) as Document[];
  const writeErrors: WriteError[] = [];
  const upserted: Document[] = [];
  let n = 0;
  for (const [index, statement] of statements.entries()) {
    try {
      fake.onWrite?.(collection, statement);
      const done = writeOne(collection, name, statement);
      n += done.n;
      upserted.push(...(done.upserted === undefined ? [] : [{ index, _id: done.upserted }]));
    } catch (error) {
      writeErrors.push(writeErrorOf(index, error));
    }
  }
  const { writeConcernError } = fake;
  return {
    ok: 1,
    n,
    ...(name === 'update' ? { nModified: n } : {}),
    ...(upserted.length > 0 ? { upserted } : {}),
    ...(writeErrors.length > 0 ? { writeErrors } : {}),
    ...(writeConcernError === undefined ? {} : { writeConcernError }),
  };
}

function writeOne(
  collection: FakeCollection,
  name: string,
  statement: Document,
): { readonly n: number; readonly upserted?: unknown } {
  if (name === 'insert') {
    insert(collection, statement);
    return { n: 1 };
  }
  return name === 'update' ? update(collection, statement) : { n: remove(collection, statement) };
}

function writeErrorOf(index: number, error: unknown): WriteError {
  if (!(error instanceof Refusal)) {
    throw error;
  }
  const { code, message: errmsg, errInfo } = error;
  return { index, code, errmsg, ...(errInfo === undefined ? {} : { errInfo }) };
}

function received(name: string, command: Document): Received {
  const body = Buffer.from(BSON.EJSON.stringify(command));
  return {
    method: 'COMMAND',
    path: name,
    query: new URLSearchParams(),
    headers: {},
    body,
    params: {},
    json: <T>() => JSON.parse(body.toString()) as T,
  };
}
