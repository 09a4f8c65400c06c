import { spawnSync } from 'node:child_process';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { compress } from '../../../engine/files/compress.ts';
import { bytesOf } from './rows.ts';

const zstd = spawnSync('zstd', ['--version']).status === 0;

/** Text that compresses like a table does, in blocks of `size` bytes. */
async function* tableOf(bytes: number, size: number): AsyncGenerator<Uint8Array> {
  const lines: string[] = [];
  for (let at = 0, length = 0; length < bytes; at += 1) {
    const line = `${at},customer ${(at * 7919) % 1000},${at % 2 === 0 ? 'active' : 'gone'}\r\n`;
    lines.push(line);
    length += line.length;
  }
  const all = Buffer.from(lines.join(''));
  for (let from = 0; from < all.length; from += size) {
    yield all.subarray(from, from + size);
  }
}

describe('compression', () => {
  it('hands bytes on as they are when there is none', async () => {
    expect(await bytesOf(compress(tableOf(1000, 100), 'none'))).toEqual(await bytesOf(tableOf(1000, 100)));
  });

  it('writes gzip that reads back, the same bytes each time and however they were cut', async () => {
    const first = await bytesOf(compress(tableOf(3_000_000, 65_536), 'gzip'));
    const again = await bytesOf(compress(tableOf(3_000_000, 65_536), 'gzip'));
    const cut = await bytesOf(compress(tableOf(3_000_000, 1999), 'gzip'));

    expect(gunzipSync(first).equals(await bytesOf(tableOf(3_000_000, 65_536)))).toBe(true);
    expect(again.equals(first)).toBe(true);
    expect(cut.equals(first)).toBe(true);
    // No time and no operating system in the header.
    expect([...first.subarray(4, 8), first[9]]).toEqual([0, 0, 0, 0, 255]);
  });

  it('writes zstd, the same bytes however they were cut', async () => {
    const first = await bytesOf(compress(tableOf(5_000_000, 65_536), 'zstd'));
    const cut = await bytesOf(compress(tableOf(5_000_000, 1999), 'zstd'));

    expect(first.length).toBeLessThan(1_500_000);
    expect(cut.equals(first)).toBe(true);
  });

  it.skipIf(!zstd)('writes zstd that the zstd program reads (skipped where there is no zstd)', async () => {
    const packed = await bytesOf(compress(tableOf(5_000_000, 65_536), 'zstd'));

    const { stdout, status } = spawnSync('zstd', ['-d', '-c'], { input: packed, maxBuffer: 100_000_000 });

    expect(status).toBe(0);
    expect(stdout.equals(await bytesOf(tableOf(5_000_000, 65_536)))).toBe(true);
  });

  it.each(['gzip', 'zstd'] as const)('makes a file of nothing of no bytes (%s)', async (how) => {
    async function* nothing(): AsyncGenerator<Uint8Array> {}

    const packed = await bytesOf(compress(nothing(), how));

    expect(packed.length).toBeGreaterThan(0);
    if (how === 'gzip') {
      expect(gunzipSync(packed).length).toBe(0);
    }
  });

  it.each(['none', 'gzip', 'zstd'] as const)(
    'passes on what the source throws, and never ends short (%s)',
    async (how) => {
      async function* failing(): AsyncGenerator<Uint8Array> {
        yield* tableOf(300_000, 65_536);
        throw new Error('the cursor is gone');
      }

      await expect(bytesOf(compress(failing(), how))).rejects.toThrow('the cursor is gone');
    },
  );

  it.each(['none', 'gzip', 'zstd'] as const)('ends the source when its reader stops (%s)', async (how) => {
    let ended = () => {};
    const end = new Promise<void>((resolve) => {
      ended = resolve;
    });
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (let at = 0; ; at += 1) {
          yield Buffer.from(`${Math.sin(at)}`.repeat(1000));
        }
      } finally {
        ended();
      }
    }

    for await (const _ of compress(endless(), how)) {
      break;
    }

    await end;
  });
});
