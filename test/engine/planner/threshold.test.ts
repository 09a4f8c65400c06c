import { describe, expect, it } from 'vitest';
import { crosses, firingLines, type Observation, observed } from '../../../engine/planner/threshold.ts';

describe('thresholds', () => {
  it.each([
    ['above', 10, 11, [], true],
    ['above', 10, 10, [], false],
    ['below', 10, 9, [], true],
    ['moved', 20, 121, [100], true],
    ['moved', 20, 120, [100], false],
    ['moved', 20, 70, [100], true],
    ['moved', 20, 5, [0], true],
    ['moved', 20, 5, [], false],
    ['unusual', 3, 100, [10, 11, 9, 10, 10, 11, 9], false],
    ['unusual', 3, 100, [10, 11, 9, 10, 10, 11, 9, 10], true],
    ['unusual', 3, 11, [10, 11, 9, 10, 10, 11, 9, 10], false],
    ['unusual', 3, 11, [10, 10, 10, 10, 10, 10, 10, 10], true],
  ] as const)('%s %d: is %d after %j? %s', (test, limit, value, before, fires) => {
    expect(crosses(test, limit, value, before)).toBe(fires);
  });

  it('remembers thirty values', () => {
    let seen: Observation | undefined;
    for (let value = 0; value < 40; value += 1) {
      seen = observed(seen, value, false);
    }

    expect(seen?.recent).toEqual(Array.from({ length: 30 }, (_, at) => at + 10));
  });

  const through = async (text: string, keyWidth: number): Promise<string> => {
    const out: string[] = [];
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < text.length; at += 3) {
        yield Buffer.from(text.slice(at, at + 3));
      }
    }
    const lines = firingLines({
      lines: pieces(),
      keyWidth,
      valueAt: keyWidth,
      threshold: { on: 'value', test: 'above', limit: 5 },
      before: new Map(),
      observe: () => undefined,
    });
    for await (const line of lines) {
      out.push(Buffer.from(line).toString());
    }
    return out.join('');
  };

  it('lets only firing lines through, wherever the pieces are cut, and passes over values that are none', async () => {
    expect(await through('a\t9\nb\t1\nc\t\\N\nd\tNaN\ne\t6\n', 1)).toBe('a\t9\ne\t6\n');
  });

  it('knows a single row as "all", and refuses a second', async () => {
    expect(await through('9\n', 0)).toBe('all\t9\n');
    await expect(through('9\n10\n', 0)).rejects.toThrow(/needs a query that gives one row/);
  });
});
