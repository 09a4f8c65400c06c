import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeLine } from '../../../engine/contracts/lines.ts';
import type { KeyOrder } from '../../../engine/contracts/source.ts';
import { compareKeys } from '../../../engine/planner/keys.ts';
import { sortedLines } from '../../../engine/planner/sort.ts';

async function* pieces(all: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < all.length; at += size) {
    yield all.subarray(at, at + size);
  }
}

async function sorted(all: Buffer, orders: readonly KeyOrder[], most?: number, size = 7): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of sortedLines(pieces(all, size), orders, most)) {
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function linesOf(all: Buffer): readonly Buffer[] {
  return all
    .toString('latin1')
    .split('\n')
    .slice(0, -1)
    .map((line) => Buffer.from(`${line}\n`, 'latin1'));
}

const leftovers = async (): Promise<readonly string[]> =>
  (await readdir(tmpdir())).filter((name) => name.startsWith('activate-sort-'));

describe('sorting lines', () => {
  it('gives the very lines in key order, in memory and through the disk', async () => {
    const row = fc.tuple(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
      fc.string({ unit: 'grapheme', maxLength: 4 }),
      fc.option(fc.string(), { nil: null }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { maxLength: 60 }),
        fc.integer({ min: 1, max: 400 }),
        async (rows, most) => {
          const all = Buffer.concat(rows.map((values) => encodeLine(values)));
          const orders: readonly KeyOrder[] = ['numeric', 'bytes'];

          const result = await sorted(all, orders, most);

          const expected = [...linesOf(all)].sort((a, b) => compareKeys(a, 0, b, 0, orders));
          expect(linesOf(result).map((line) => compareKeys(line, 0, line, 0, orders))).toEqual(
            rows.map(() => 0),
          );
          expect([...linesOf(result)].map(String).sort()).toEqual(expected.map(String).sort());
          for (const [i, line] of linesOf(result).entries()) {
            expect(compareKeys(line, 0, expected[i] as Buffer, 0, orders)).toBe(0);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('keeps rows of one key in the order in which they came', async () => {
    const all = Buffer.from('2\tx\n1\ta\n1\tb\n1\tc\n');

    expect((await sorted(all, ['numeric'])).toString()).toBe('1\ta\n1\tb\n1\tc\n2\tx\n');
  });

  it('passes on nothing as nothing, and one long line whole', async () => {
    const long = encodeLine(['1', 'x'.repeat(300_000)]);

    expect((await sorted(Buffer.alloc(0), ['numeric'])).length).toBe(0);
    expect((await sorted(Buffer.concat([long, long]), ['numeric'], 1000, 65_536)).length).toBe(
      2 * long.length,
    );
  });

  it('holds little of much, and leaves nothing on the disk', async () => {
    const count = 400_000;
    const source = (async function* () {
      for (let i = 0; i < count; i += 1000) {
        const rows = Array.from(
          { length: 1000 },
          (_, n) => `${((i + n) * 7919) % count}\t${'v'.repeat(100)}\n`,
        );
        yield Buffer.from(rows.join(''));
      }
    })();
    const before = process.memoryUsage();
    let most = 0;
    let rows = 0;
    let at = -1;
    let disorder = 0;
    for await (const part of sortedLines(source, ['numeric'], 4 * 1024 * 1024)) {
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      most = Math.max(most, heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers);
      for (const line of part.toString().split('\n').slice(0, -1)) {
        const key = Number.parseInt(line, 10);
        disorder += key > at ? 0 : 1;
        at = key;
        rows += 1;
      }
    }

    expect(rows).toBe(count);
    expect(disorder).toBe(0);
    // All of it would be 163 MB.
    expect(most).toBeLessThan(100e6);
    expect(await leftovers()).toEqual([]);
  });

  it('throws where the stream breaks, or ends in the middle of a row, and stops the source', async () => {
    let stopped = false;
    const broken = (async function* () {
      try {
        yield Buffer.from('1\ta\n');
        throw new Error('lost');
      } finally {
        stopped = true;
      }
    })();
    await expect(sortedLines(broken, ['numeric'], 1).next()).rejects.toThrow('lost');
    expect(stopped).toBe(true);
    await expect(sorted(Buffer.from('1\ta\n2\tb'), ['numeric'])).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    expect(await leftovers()).toEqual([]);
  });

  it('lets go of its file when nobody reads on', async () => {
    const all = Buffer.concat(
      Array.from({ length: 5000 }, (_, i) => encodeLine([String(i), 'x'.repeat(100)])),
    );

    for await (const part of sortedLines(pieces(all, 50_000), ['numeric'], 60_000)) {
      expect(part.length).toBeGreaterThan(0);
      break;
    }

    expect(await leftovers()).toEqual([]);
  });
});
