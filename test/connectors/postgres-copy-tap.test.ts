import { EventEmitter } from 'node:events';
import type { Connection } from 'pg';
import { describe, expect, it } from 'vitest';
import { tapCopy } from '../../connectors/postgres/copy-tap.ts';

function message(type: string, body: string): Buffer {
  const bytes = Buffer.alloc(5 + Buffer.byteLength(body));
  bytes.write(type, 0);
  bytes.writeUInt32BE(4 + Buffer.byteLength(body), 1);
  bytes.write(body, 5);
  return bytes;
}

const rows = ['1\tone\n', '2\t\n', `3\t${'x'.repeat(300)}\n`, '', '4\tfour\n'];
const beginning = [message('1', ''), message('2', ''), message('H', '\0\0\0')];
const [first = '', ...later] = rows;
const notice = message('N', 'SNOTICE\0');
const end = [message('c', ''), message('C', 'COPY 5\0'), message('Z', 'T')];
const everything = Buffer.concat([
  ...beginning,
  message('d', first),
  notice,
  ...later.map((row) => message('d', row)),
  ...end,
]);
const forPg = Buffer.concat([...beginning, notice, ...end]);

/** Sends the bytes in pieces of one length through a tap; what came out on both sides. */
function sent(bytes: Buffer, pieceLength: number) {
  const stream = new EventEmitter();
  const passed: Buffer[] = [];
  const copied: Buffer[] = [];
  const pg = (piece: Buffer) => passed.push(Buffer.from(piece));
  stream.on('data', pg);
  tapCopy({ stream } as unknown as Connection, {
    data: (block) => copied.push(block),
    over: () => Buffer.concat(passed).includes('Z'),
  });
  for (let at = 0; at < bytes.length; at += pieceLength) {
    stream.emit('data', Buffer.from(bytes.subarray(at, at + pieceLength)));
  }
  const listening = stream.listeners('data');
  return {
    copied: Buffer.concat(copied).toString(),
    passed: Buffer.concat(passed),
    givenBack: listening.length === 1 && listening[0] === pg,
  };
}

describe('the rows of a COPY', () => {
  it.each([5, 6, 7, 11, 64, everything.length])(
    'are told from other messages in pieces of %i bytes',
    (length) => {
      const { copied, passed, givenBack } = sent(everything, length);

      expect(copied).toBe(rows.join(''));
      expect(passed.equals(forPg)).toBe(true);
      expect(givenBack).toBe(true);
    },
  );

  it.each([1, 4])('are left to pg when the beginning is cut, in pieces of %i bytes', (length) => {
    const { copied, passed, givenBack } = sent(everything, length);

    expect(copied).toBe('');
    expect(passed.equals(everything)).toBe(true);
    expect(givenBack).toBe(true);
  });

  it('are left to pg when the rest of another message comes first', () => {
    const bytes = Buffer.concat([Buffer.from('the end of a notice\0'), everything]);

    const { copied, passed } = sent(bytes, bytes.length);

    expect(copied).toBe('');
    expect(passed.equals(bytes)).toBe(true);
  });
});
