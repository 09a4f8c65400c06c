import { describe, expect, it } from 'vitest';
import { sendGood } from '../../../connectors/shared/outcomes.ts';
import type { Outcome } from '../../../engine/contracts/destination.ts';

const refusal = (item: number): Outcome | undefined =>
  item < 0 ? { state: 'rejected', reason: 'Too small.' } : undefined;

describe('sendGood', () => {
  it('sends what is not refused, and answers in the order of all', async () => {
    const sent: (readonly number[])[] = [];

    const outcomes = await sendGood([1, -2, 3, -4], refusal, async (good) => {
      sent.push(good);
      return good.map((item) => ({ state: 'ok', id: String(item) }));
    });

    expect(sent).toEqual([[1, 3]]);
    expect(outcomes).toEqual([
      { state: 'ok', id: '1' },
      { state: 'rejected', reason: 'Too small.' },
      { state: 'ok', id: '3' },
      { state: 'rejected', reason: 'Too small.' },
    ]);
  });

  it('sends nothing when all are refused', async () => {
    const outcomes = await sendGood([-1], refusal, () => Promise.reject(new Error('sent')));

    expect(outcomes).toEqual([{ state: 'rejected', reason: 'Too small.' }]);
  });
});
