import type { Socket } from 'node:net';
import pg from 'pg';
import { startRelay } from '../support/relay.ts';
import type { Answer, FakeHttp, Received } from './http.ts';
import { createLine, errorIn, type Line, receivedOf } from './line.ts';

/**
 * A way to a database of its own on a real server, on which things can be made to go wrong as with a {@link FakeHttp}. A
 * request is what one ReadyForQuery answers. Where that says an answer, its `json` is an error of the server (see
 * {@link failure}); `hang` is a statement that never ends, at a server that still hears.
 */
export interface FakePostgres
  extends Pick<
    FakeHttp,
    'requests' | 'next' | 'always' | 'heal' | 'arrival' | 'expectNoUnexpected' | 'close'
  > {
  /** What its writer, and its reader, connect with. */
  readonly writer: string;
  readonly reader: string;
  /** Asks the server itself. */
  ask<T>(text: string): Promise<readonly T[]>;
}

export const password = 'pass-of-activate';

/** An error as a server sends it; one that is FATAL ends the connection, and meets those who come to connect. */
export function failure(code: string, message: string, severity: 'ERROR' | 'FATAL' = 'ERROR'): Answer {
  return { json: { code, message, severity } };
}

let made = 0;

/**
 * Starts one in front of the server of `adminUrl`, on which databases and roles can be made. `tables` are statements; what
 * they make can be written by the writer and read by the reader.
 */
export async function startFakePostgres(adminUrl: string, tables: readonly string[]): Promise<FakePostgres> {
  made += 1;
  const name = `f_${process.pid}_${Date.now().toString(36)}_${made}`;
  const roles = { writer: `${name}_w`, reader: `${name}_r` };
  const admin = await connected(adminUrl);
  for (const role of Object.values(roles)) {
    await admin.query(`create role ${role} login password '${password}'`);
  }
  await admin.query(`create database ${name}`);
  const own = new URL(adminUrl);
  own.pathname = `/${name}`;
  const inside = await connected(own.href);
  for (const statement of [
    ...tables,
    `grant select, insert, update, delete on all tables in schema public to ${roles.writer}`,
    `grant select on all tables in schema public to ${roles.reader}`,
  ]) {
    await inside.query(statement);
  }
  const line = createLine();
  const way = await startRelay(Number(own.port), (near, open) => serve(near, open(), line));
  const urlFor = (role: string): string =>
    `postgres://${role}:${password}@127.0.0.1:${way.port}/${name}?sslmode=disable`;
  return {
    ...line,
    writer: urlFor(roles.writer),
    reader: urlFor(roles.reader),
    ask: async <T>(text: string) => (await inside.query(text)).rows as T[],
    close: async () => {
      await way.close();
      await inside.end();
      await admin.query(`drop database ${name} with (force)`);
      for (const role of Object.values(roles)) {
        await admin.query(`drop role ${role}`);
      }
      await admin.end();
    },
  };
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client(url);
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Between a client and the server: passes messages on, and lets requests go wrong as planned. */
function serve(near: Socket, far: Socket, line: Line): void {
  let instead: ((response: Buffer) => void) | undefined;
  const answered: Buffer[] = [];
  onMessages(far, 'typed', (message, type) => {
    if (instead === undefined) {
      near.write(message);
      return;
    }
    answered.push(message);
    if (type === 'Z') {
      const tell = instead;
      instead = undefined;
      tell(Buffer.concat(answered.splice(0)));
    }
  });
  const held: Buffer[] = [];
  onMessages(near, 'begun', (message, type) => {
    if (type === 'startup') {
      const refusal = errorIn<ServerError>(line.standing());
      if (refusal?.severity === 'FATAL') {
        refuse(near, refusal);
      } else {
        far.write(message);
      }
      return;
    }
    held.push(message);
    // A query, the end of an extended one; what belongs to a login, a COPY or an end is no request.
    if (type === 'Q' || type === 'S') {
      carry(Buffer.concat(held.splice(0)));
    } else if (!/^[PBDECH]$/.test(type)) {
      far.write(Buffer.concat(held.splice(0)));
    }
  });
  const carry = (bytes: Buffer): void => {
    const request = received(bytes);
    const reply = isAside(bytes, line) ? undefined : line.replyTo(request);
    const error = errorIn<ServerError>(reply, request);
    if (error !== undefined) {
      refuse(near, error);
      return;
    }
    switch (reply) {
      case 'reset':
        near.destroy();
        return;
      case 'hang':
        far.write(message('Q', 'SELECT pg_sleep(3600)\0'));
        return;
      case 'done-then-reset':
        instead = () => near.destroy();
        break;
      case 'done-then-garbage':
        instead = () => near.write(message('~', 'garbage'));
        break;
      default:
        break;
    }
    far.write(bytes);
  };
}

/**
 * What is let through whatever stands for all requests: to stop what hangs; to open a transaction, which never hangs; and,
 * where answers are garbage, what changes nothing.
 */
function isAside(bytes: Buffer, line: Line): boolean {
  const standing = line.standing();
  return (
    bytes.includes('pg_cancel_backend') ||
    (standing === 'hang' && bytes.includes('BEGIN')) ||
    (standing === 'done-then-garbage' && !bytes.includes('COMMIT\0'))
  );
}

function refuse(near: Socket, error: ServerError): void {
  if (error.severity === 'FATAL') {
    near.end(errorMessage(error));
  } else {
    near.write(Buffer.concat([errorMessage(error), message('Z', 'E')]));
  }
}

interface ServerError {
  readonly code: string;
  readonly message: string;
  readonly severity: 'ERROR' | 'FATAL';
}

function errorMessage({ code, message: text, severity }: ServerError): Buffer {
  return message('E', `S${severity}\0V${severity}\0C${code}\0M${text.replaceAll('\0', ' ')}\0\0`);
}

function message(type: string, body: string): Buffer {
  const bytes = Buffer.from(body);
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeUInt32BE(bytes.length + 4, 1);
  return Buffer.concat([head, bytes]);
}

/** Cuts a stream into whole messages. One that a client begins has a first message without a type. */
function onMessages(
  socket: Socket,
  from: 'begun' | 'typed',
  heard: (message: Buffer, type: string) => void,
): void {
  let rest = Buffer.alloc(0);
  let untyped = from === 'begun';
  socket.on('data', (piece: Buffer) => {
    rest = Buffer.concat([rest, piece]);
    for (;;) {
      const head = untyped ? 0 : 1;
      const length = rest.length < head + 4 ? Number.POSITIVE_INFINITY : head + rest.readUInt32BE(head);
      if (rest.length < length) {
        return;
      }
      const whole = rest.subarray(0, length);
      const type = untyped ? 'startup' : String.fromCharCode(whole[0] ?? 0);
      untyped = false;
      rest = rest.subarray(length);
      heard(whole, type);
    }
  });
}

function received(bytes: Buffer): Received {
  const [method = ''] = /[A-Z]{3,}/.exec(bytes.toString('latin1')) ?? [];
  return receivedOf(method, bytes);
}
