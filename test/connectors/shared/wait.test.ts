import { describe, expect, it } from 'vitest';
import { untilKnown } from '../../../connectors/shared/wait.ts';

const { signal } = new AbortController();

describe('untilKnown', () => {
  it('asks until there is an answer, with the pauses given and then the last of them', async () => {
    const waited: number[] = [];

    const answer = await untilKnown(
      async (waitedMs) => {
        waited.push(waitedMs);
        return waited.length === 5 ? 'done' : undefined;
      },
      { pollsMs: [1, 2, 3], longestMs: 1000, signal },
    );

    expect(answer).toBe('done');
    expect(waited).toEqual([0, 1, 3, 6, 9]);
  });

  it('gives up when it has waited for long enough', async () => {
    let asked = 0;

    const answer = await untilKnown(
      async () => {
        asked += 1;
        return undefined;
      },
      { pollsMs: [1], longestMs: 3, signal },
    );

    expect(answer).toBeUndefined();
    expect(asked).toBe(3);
  });

  it('stops at once with the signal, and throws its reason', async () => {
    const gone = new AbortController();
    const reason = new Error('stopped');

    const waiting = untilKnown(
      async () => {
        gone.abort(reason);
        return undefined;
      },
      { pollsMs: [60_000], longestMs: 60_000, signal: gone.signal },
    );

    await expect(waiting).rejects.toBe(reason);
  });
});
