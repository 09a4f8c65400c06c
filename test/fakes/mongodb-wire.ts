import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { BSON, type Document } from 'mongodb';

/** A command as it came, and what answers it; values keep their BSON types. */
export interface Message {
  readonly requestId: number;
  readonly legacy: boolean;
  readonly command: Document;
}

const opReply = 1;
const opQuery = 2004;
const opMsg = 2013;

/** Calls `take` with every whole message of a connection. */
export function onMessages(socket: Socket, take: (message: Message) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (data) => {
    rest = Buffer.concat([rest, data]);
    while (rest.length >= 16 && rest.length >= rest.readInt32LE(0)) {
      const whole = rest.subarray(0, rest.readInt32LE(0));
      rest = rest.subarray(whole.length);
      take(messageOf(whole));
    }
  });
}

function messageOf(bytes: Buffer): Message {
  const requestId = bytes.readInt32LE(4);
  const opcode = bytes.readInt32LE(12);
  if (opcode === opQuery) {
    const nameEnd = bytes.indexOf(0, 20);
    return { requestId, legacy: true, command: parse(bytes, nameEnd + 9) };
  }
  if (opcode !== opMsg) {
    throw new Error(`The fake does not know opcode ${opcode}`);
  }
  let command: Document = {};
  const lists: Record<string, Document[]> = {};
  for (let at = 20; at < bytes.length; ) {
    if (bytes[at] === 0) {
      command = parse(bytes, at + 1);
      at += 1 + bytes.readInt32LE(at + 1);
    } else {
      const end = at + 1 + bytes.readInt32LE(at + 1);
      const nameEnd = bytes.indexOf(0, at + 5);
      const list: Document[] = [];
      for (let next = nameEnd + 1; next < end; next += bytes.readInt32LE(next)) {
        list.push(parse(bytes, next));
      }
      lists[bytes.toString('utf8', at + 5, nameEnd)] = list;
      at = end;
    }
  }
  return { requestId, legacy: false, command: { ...command, ...lists } };
}

function parse(bytes: Buffer, at: number): Document {
  return BSON.deserialize(bytes.subarray(at, at + bytes.readInt32LE(at)), { promoteValues: false });
}

/** The bytes of an answer. */
export function answerTo({ requestId, legacy }: Message, document: Document): Buffer {
  const body = Buffer.from(BSON.serialize(document));
  const head = Buffer.alloc(legacy ? 36 : 21);
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(requestId, 8);
  head.writeInt32LE(legacy ? opReply : opMsg, 12);
  if (legacy) {
    head.writeInt32LE(1, 32);
  }
  return Buffer.concat([head, body]);
}

const iterations = 4096;

/** One login by SCRAM-SHA-256, from the server's side: two questions, and true once the password was proven. */
export function scram(user: string, password: string): (payload: Buffer) => Document | undefined {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
  const clientKey = hmac(salted, 'Client Key');
  const storedKey = createHash('sha256').update(clientKey).digest();
  let first = '';
  let serverFirst = '';
  let proven = false;
  return (payload) => {
    const text = payload.toString('utf8');
    if (proven) {
      return done('');
    }
    if (first === '') {
      first = text.replace(/^n,,/, '');
      const nonce = `${/r=([^,]*)/.exec(first)?.[1]}${randomBytes(18).toString('base64')}`;
      serverFirst = `r=${nonce},s=${salt.toString('base64')},i=${iterations}`;
      return { conversationId: 1, done: false, payload: new BSON.Binary(Buffer.from(serverFirst)), ok: 1 };
    }
    const [withoutProof = '', proof = ''] = text.split(',p=');
    const whole = `${first},${serverFirst},${withoutProof}`;
    const signature = hmac(storedKey, whole);
    const key = Buffer.from(proof, 'base64').map((byte, i) => byte ^ (signature[i] ?? 0));
    const holds = createHash('sha256').update(key).digest().equals(storedKey) && first.includes(`n=${user},`);
    proven = holds;
    return holds ? done(`v=${hmac(hmac(salted, 'Server Key'), whole).toString('base64')}`) : undefined;
  };
}

function done(text: string): Document {
  return { conversationId: 1, done: true, payload: new BSON.Binary(Buffer.from(text)), ok: 1 };
}
