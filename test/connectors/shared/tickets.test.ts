import { beforeEach, describe, expect, it } from 'vitest';
import { endOfJob, openTicket, spent } from '../../../connectors/shared/tickets.ts';

const { signal } = new AbortController();
const patience = { pollsMs: [1], longestMs: 2 } as const;
const sentences = { lost: 'It is lost.', late: 'It is late.' };

let kept: string[];
const call = { signal, keep: async (ticket: string) => void kept.push(ticket) };

beforeEach(() => {
  kept = [];
});

describe('openTicket', () => {
  it('is that of a job which has more to tell', () => {
    expect(openTicket({ ticket: 'job 7' })).toBe('job 7');
    expect(openTicket({ ticket: spent })).toBeUndefined();
    expect(openTicket({ ticket: undefined })).toBeUndefined();
  });
});

describe('endOfJob', () => {
  it('answers with the end, and leaves the ticket alone', async () => {
    const end = await endOfJob(
      call,
      async (waitedMs) => (waitedMs === 0 ? undefined : 'done'),
      patience,
      sentences,
    );

    expect(end).toBe('done');
    expect(kept).toEqual([]);
  });

  it.each([
    ['lost', 'It is lost.'],
    [undefined, 'It is late.'],
  ] as const)('spends the ticket when the answer stays %s', async (answer, message) => {
    const waiting = endOfJob(call, async () => answer, patience, sentences);

    await expect(waiting).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN', message });
    expect(kept).toEqual([spent]);
  });
});
