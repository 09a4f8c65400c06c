import type { Socket } from 'node:net';
import { type Connection, createConnection } from 'mysql2/promise';
import { startRelay } from '../support/relay.ts';
import type { Answer, FakeHttp, Received } from './http.ts';
import { createLine, errorIn, type Line, receivedOf } from './line.ts';

/**
 * A way to a database of its own on a real server, on which things can be made to go wrong as with a {@link FakeHttp}. A
 * request is one statement. Where that says an answer, its `json` is an error of the server (see {@link failure}); `hang` is
 * a statement that is never answered; and an answer is garbage where something was done, at COMMIT.
 */
export interface FakeMysql
  extends Pick<
    FakeHttp,
    'requests' | 'next' | 'always' | 'heal' | 'arrival' | 'expectNoUnexpected' | 'close'
  > {
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** What its user connects with. */
  readonly url: string;
  /** What one connects with who may read, and nothing else. */
  readonly reader: string;
  /** Asks the server itself, as one who may do all. */
  ask<T = Readonly<Record<string, unknown>>>(text: string): Promise<readonly T[]>;
}

export const password = 'pass-of-activate';

/** An error as a server sends it; one that is fatal ends the connection, and meets those who come to connect. */
export function failure(errno: number, sqlState: string, message: string, fatal = false): Answer {
  return { json: { errno, sqlState, message, fatal } };
}

let made = 0;

/** Starts one in front of the server of `adminUrl`. `tables` are statements; its user may read, write and stage. */
export async function startFakeMysql(adminUrl: string, tables: readonly string[]): Promise<FakeMysql> {
  made += 1;
  const name = `f_${process.pid}_${Date.now().toString(36)}_${made}`;
  const admin = await createConnection({ uri: adminUrl, timezone: 'Z', dateStrings: true });
  for (const statement of [
    `create database ${name} character set utf8mb4 collate utf8mb4_general_ci`,
    `create user ${name} identified by '${password}'`,
    `grant select, insert, update, delete, create temporary tables on ${name}.* to ${name}`,
    `create user ${name}_r identified by '${password}'`,
    `grant select on ${name}.* to ${name}_r`,
    `use ${name}`,
    ...tables,
  ]) {
    await admin.query(statement);
  }
  const line = createLine();
  const way = await startRelay(Number(new URL(adminUrl).port), (near, open) => {
    const refusal = errorIn<ServerError>(line.standing());
    if (refusal?.fatal === true) {
      near.end(errorPacket(refusal, 0));
    } else {
      serve(near, open(), line);
    }
  });
  return {
    ...line,
    port: way.port,
    database: name,
    user: name,
    url: `mysql://${name}:${password}@127.0.0.1:${way.port}/${name}`,
    reader: `mysql://${name}_r:${password}@127.0.0.1:${way.port}/${name}`,
    ask: async <T>(text: string) => {
      const [rows] = await admin.query(text);
      return Array.isArray(rows) ? (rows as T[]).map((row) => ({ ...row })) : [];
    },
    close: async () => {
      await way.close();
      await dropped(admin, name);
    },
  };
}

async function dropped(admin: Connection, name: string): Promise<void> {
  await admin.query(`drop database ${name}`);
  await admin.query(`drop user ${name}, ${name}_r`);
  await admin.end();
}

const commands: Readonly<Record<number, string>> = { 3: 'QUERY', 22: 'PREPARE', 23: 'EXECUTE' };

/** Between a client and the server: passes packets on, and lets requests go wrong as planned. */
function serve(near: Socket, far: Socket, line: Line): void {
  let instead: (() => void) | undefined;
  far.on('data', (bytes: Buffer) => {
    const tell = instead;
    instead = undefined;
    if (tell === undefined) {
      near.write(bytes);
    } else {
      tell();
    }
  });
  onPackets(near, (packet) => {
    const command = commands[packet[4] ?? 0];
    // A command begins a new count of packets; what has another number belongs to a login.
    if (packet[3] !== 0 || command === undefined) {
      far.write(packet);
      return;
    }
    const request = receivedOf(command, Buffer.from(packet.subarray(5)));
    const reply = isAside(request, line) ? undefined : line.replyTo(request);
    const error = errorIn<ServerError>(reply, request);
    if (error !== undefined) {
      near.write(errorPacket(error, 1));
      if (error.fatal) {
        near.end();
      }
      return;
    }
    switch (reply) {
      case 'hang':
        return;
      case 'reset':
        near.destroy();
        return;
      case 'done-then-reset':
        instead = () => near.destroy();
        break;
      case 'done-then-garbage':
        instead = () => near.end(Buffer.from('garbage, garbage, garbage'));
        break;
      default:
        break;
    }
    far.write(packet);
  });
}

/**
 * What is let through whatever stands for all requests: to stop what hangs; to begin with a connection; and, where answers
 * are garbage, what changes nothing.
 */
function isAside({ body }: Received, line: Line): boolean {
  const standing = line.standing();
  const text = body.toString('latin1');
  return (
    /^KILL /.test(text) ||
    (standing === 'hang' && /^SET |CONNECTION_ID/.test(text)) ||
    (standing === 'done-then-garbage' && text !== 'COMMIT')
  );
}

interface ServerError {
  readonly errno: number;
  readonly sqlState: string;
  readonly message: string;
  readonly fatal: boolean;
}

function errorPacket({ errno, sqlState, message }: ServerError, number: number): Buffer {
  const body = Buffer.concat([
    Buffer.from([0xff, errno & 0xff, errno >> 8]),
    Buffer.from(`#${sqlState}${message.slice(0, 4000)}`),
  ]);
  const head = Buffer.alloc(4);
  head.writeUIntLE(body.length, 0, 3);
  head[3] = number;
  return Buffer.concat([head, body]);
}

function onPackets(socket: Socket, heard: (packet: Buffer) => void): void {
  let rest = Buffer.alloc(0);
  socket.on('data', (piece: Buffer) => {
    rest = Buffer.concat([rest, piece]);
    for (;;) {
      const length = rest.length < 4 ? Number.POSITIVE_INFINITY : 4 + rest.readUIntLE(0, 3);
      if (rest.length < length) {
        return;
      }
      const whole = rest.subarray(0, length);
      rest = rest.subarray(length);
      heard(whole);
    }
  });
}
