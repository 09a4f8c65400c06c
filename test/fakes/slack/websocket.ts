import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** The server's end of one WebSocket, text frames only. */
export interface Socket {
  send(text: string): void;
  close(): void;
}

/** Answers an upgrade request and hands on whole text messages. As little of RFC 6455 as Socket Mode needs. */
export function acceptWebSocket(
  request: IncomingMessage,
  stream: Duplex,
  on: { readonly message: (text: string) => void; readonly closed: () => void },
): Socket {
  const key = String(request.headers['sec-websocket-key'] ?? '');
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  stream.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  let waiting: Buffer = Buffer.alloc(0);
  let text = '';
  stream.on('data', (part: Buffer) => {
    waiting = Buffer.concat([waiting, part]);
    for (let frame = readFrame(waiting); frame !== undefined; frame = readFrame(waiting)) {
      waiting = waiting.subarray(frame.size);
      if (frame.opcode === 8) {
        stream.end(writeFrame(8, frame.payload));
      } else if (frame.opcode === 9) {
        stream.write(writeFrame(10, frame.payload));
      } else if (frame.opcode < 2) {
        text += frame.payload.toString('utf8');
        if (frame.last) {
          on.message(text);
          text = '';
        }
      }
    }
  });
  stream.on('error', () => stream.destroy());
  stream.on('close', on.closed);
  return {
    send: (message) => {
      stream.write(writeFrame(1, Buffer.from(message)));
    },
    close: () => {
      stream.end(writeFrame(8, Buffer.from([3, 232])));
    },
  };
}

interface Frame {
  readonly opcode: number;
  readonly last: boolean;
  readonly payload: Buffer;
  readonly size: number;
}

function readFrame(bytes: Buffer): Frame | undefined {
  if (bytes.length < 2) {
    return undefined;
  }
  const first = bytes.readUInt8(0);
  const short = bytes.readUInt8(1) & 127;
  const header = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < header + 4) {
    return undefined;
  }
  const length =
    short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  const size = header + 4 + length;
  if (bytes.length < size) {
    return undefined;
  }
  const mask = bytes.subarray(header, header + 4);
  const payload = Buffer.from(bytes.subarray(header + 4, size));
  for (let index = 0; index < payload.length; index += 1) {
    payload.writeUInt8(payload.readUInt8(index) ^ mask.readUInt8(index % 4), index);
  }
  return { opcode: first & 15, last: first >= 128, payload, size };
}

function writeFrame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  header.writeUInt8(128 | opcode, 0);
  if (length < 126) {
    header.writeUInt8(length, 1);
  } else if (length < 65_536) {
    header.writeUInt8(126, 1);
    header.writeUInt16BE(length, 2);
  } else {
    header.writeUInt8(127, 1);
    header.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([header, payload]);
}
