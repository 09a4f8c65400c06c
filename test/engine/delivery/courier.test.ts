import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BatchLimits, Call, Outcome } from '../../../engine/contracts/destination.ts';
import { ActivateError, type ErrorCode } from '../../../engine/contracts/errors.ts';
import { Courier, type CourierParts, type Job } from '../../../engine/delivery/courier.ts';
import { reservePace } from '../../../engine/store/paces.ts';
import { ticketsOf } from '../../../engine/store/tickets.ts';
import { silentLog } from '../../support/log.ts';
import { number, type Rig, startRig, text } from '../../support/rig.ts';

let rig: Rig;
let runId: number;
beforeAll(async () => {
  rig = await startRig();
  const sync = await rig.sync(
    'audiences',
    { list: 'list', listName: 'List', identifiers: { EMAIL: 'mail' } },
    { columns: [number('id'), text('mail')] },
  );
  runId = (await rig.run(sync)).id;
});
afterAll(() => rig.close());
beforeEach(async () => {
  await rig.reset();
  await rig.db.query('delete from tickets');
});

interface Write {
  readonly verb: string;
  readonly items: readonly string[];
  readonly call: Call;
}
type Answer = (write: Write, count: number) => readonly Outcome[] | Promise<readonly Outcome[]>;

const fine: Answer = ({ items }) => items.map(() => ({ state: 'ok' }));
const thrown = (code: ErrorCode, retryAfterMs?: number): never => {
  throw new ActivateError(code, `It says ${code}.`, retryAfterMs === undefined ? {} : { retryAfterMs });
};

function courier(answer: Answer, given: Partial<CourierParts<string>> & { limits?: BatchLimits } = {}) {
  const writes: Write[] = [];
  const control = new AbortController();
  const made = new Courier<string>({
    db: rig.db,
    log: silentLog,
    now: () => rig.clock.now,
    sleep: async (ms, signal) => {
      signal.throwIfAborted();
      rig.slept.push(ms);
      rig.clock.now = new Date(rig.clock.now.getTime() + ms);
    },
    patience: { attempts: 4, firstWaitMs: 100, longestWaitMs: 60_000 },
    runId,
    destinationId: 1,
    limits: { rows: 10, concurrency: 1 },
    tickets: new Map(),
    signal: control.signal,
    write: async (verb, items, call) => {
      const write = { verb, items, call };
      writes.push(write);
      return answer(write, writes.length);
    },
    ...given,
  });
  return { made, writes, control, keys: () => writes.map(({ items }) => items.join('')) };
}

const jobs = (keys: string, verb = 'write', again = false): Job<string>[] =>
  [...keys].map((key) => ({ key, verb, item: key, again }));
const states = (outcomes: readonly Outcome[]): string[] => outcomes.map((outcome) => outcome.state);

describe('courier', () => {
  it('cuts by rows and by bytes; one item that is too large goes alone', async () => {
    const byRows = courier(fine, { limits: { rows: 3, concurrency: 1 } });
    await byRows.made.carry(jobs('abcdefgh'));
    expect(byRows.keys()).toEqual(['abc', 'def', 'gh']);

    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ maxLength: 30 }), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 5, max: 60 }),
        async (items, bytes) => {
          const { made, writes } = courier(fine, { limits: { rows: 1000, bytes, concurrency: 1 } });
          await made.carry(items.map((item, at) => ({ key: String(at), verb: 'write', item, again: false })));
          expect(writes.flatMap((write) => write.items)).toEqual(items);
          for (const write of writes) {
            const size = write.items.reduce((sum, item) => sum + Buffer.byteLength(JSON.stringify(item)), 0);
            expect(write.items.length === 1 || size <= bytes).toBe(true);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it('deals with verbs one after the other, in their order, and answers in the order of the jobs', async () => {
    const { made, keys } = courier(
      ({ verb, items }) => items.map(() => ({ state: 'rejected', reason: verb })),
      { order: ['remove', 'add'] },
    );
    const { outcomes } = await made.carry([...jobs('a', 'add'), ...jobs('b', 'remove'), ...jobs('c', 'add')]);

    expect(keys()).toEqual(['b', 'ac']);
    expect(outcomes).toMatchObject([{ reason: 'add' }, { reason: 'remove' }, { reason: 'add' }]);
  });

  it('two things to do for one row go in two calls', async () => {
    const { made, keys } = courier(fine);
    await made.carry(jobs('abbc'));

    expect(keys()).toEqual(['ab', 'bc']);
  });

  it('has as many calls under way as the destination bears, and no more', async () => {
    let under = 0;
    let most = 0;
    let release: () => void = () => undefined;
    const both = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { made } = courier(
      async (write, count) => {
        under += 1;
        most = Math.max(most, under);
        if (count === 3) {
          release();
        }
        await both;
        under -= 1;
        return fine(write, count);
      },
      { limits: { rows: 1, concurrency: 3 } },
    );
    await made.carry(jobs('abcdefgh'));

    expect(most).toBe(3);
  });

  it('keeps the pace that all workers share', async () => {
    await reservePace(rig.db, 'destination:1', 500, rig.clock.now);
    const { made } = courier(fine, { limits: { rows: 1, concurrency: 1, paceMs: 200 } });
    await made.carry(jobs('abc'));

    expect(rig.slept).toEqual([500, 200, 200]);
  });

  it('waits as long as it is asked to', async () => {
    const { made } = courier((write, count) =>
      count === 1 ? thrown('RATE_LIMITED', 10_000) : fine(write, count),
    );
    const { outcomes } = await made.carry(jobs('a'));

    expect(states(outcomes)).toEqual(['ok']);
    expect(rig.slept).toEqual([10_000]);
  });

  it('several who meet the limit at one moment ask for one pause', async () => {
    const now = new Date('2026-03-01T12:00:00Z');
    const { made } = courier(
      (write, count) => (count <= 4 ? thrown('RATE_LIMITED', 10_000) : fine(write, count)),
      {
        limits: { rows: 1, concurrency: 4 },
        now: () => now,
        sleep: async (ms) => void rig.slept.push(ms),
      },
    );
    await made.carry(jobs('abcd'));

    expect(Math.max(...rig.slept)).toBeLessThanOrEqual(10_000);
  });

  it('a limit that names no time is waited for longer and longer', async () => {
    const { made } = courier((write, count) => (count <= 3 ? thrown('RATE_LIMITED') : fine(write, count)));
    const { outcomes } = await made.carry(jobs('a'));

    expect(states(outcomes)).toEqual(['ok']);
    const [first = 0, second = 0, third = 0] = rig.slept;
    expect(first).toBeGreaterThanOrEqual(75);
    expect(second).toBeGreaterThan(first);
    expect(third).toBeGreaterThan(second);
  });

  it('a pause that is too long is trouble at once, and says how long', async () => {
    const { made, writes } = courier(() => thrown('RATE_LIMITED', 3_600_000));
    const { trouble } = await made.carry(jobs('ab'));

    expect(writes).toHaveLength(1);
    expect(trouble).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 3_600_000 });
  });

  it('patience ends in trouble, and keeps what was done', async () => {
    const { made, writes } = courier(
      (write, count) => (count === 1 ? fine(write, count) : thrown('UNAVAILABLE')),
      {
        limits: { rows: 2, concurrency: 1 },
      },
    );
    const { outcomes, trouble, unsure } = await made.carry(jobs('abcdef'));

    expect(trouble?.code).toBe('UNAVAILABLE');
    expect(states(outcomes)).toEqual(['ok', 'ok', 'retry', 'retry', 'retry', 'retry']);
    expect(writes).toHaveLength(1 + 4);
    expect(unsure.size).toBe(0);
  });

  it('finds exactly the rows for which a batch is refused as a whole', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 60 }),
        fc.array(fc.nat(59), { maxLength: 6 }),
        async (size, places) => {
          const bad = new Set(places.filter((place) => place < size).map(String));
          const { made } = courier(
            (write, count) =>
              write.items.some((item) => bad.has(item)) ? thrown('ROW_REJECTED') : fine(write, count),
            { limits: { rows: 25, concurrency: 2 } },
          );
          const all = Array.from({ length: size }, (_, at) => ({
            key: String(at),
            verb: 'write',
            item: String(at),
            again: false,
          }));
          const { outcomes, trouble } = await made.carry(all);

          expect(trouble).toBeUndefined();
          expect(outcomes.map((outcome) => outcome.state === 'rejected')).toEqual(
            all.map(({ key }) => bad.has(key)),
          );
        },
      ),
      { numRuns: 40 },
    );
  });

  it('after an answer that never came it says so at the next try', async () => {
    const { made, writes } = courier((write, count) =>
      count === 1 ? thrown('OUTCOME_UNKNOWN') : fine(write, count),
    );
    const { outcomes, unsure } = await made.carry(jobs('ab'));

    expect(writes.map(({ call }) => call.again)).toEqual([false, true]);
    expect(states(outcomes)).toEqual(['ok', 'ok']);
    expect([...unsure]).toEqual([0, 1]);
  });

  it('tries again only the rows that have to be', async () => {
    const { made, writes, keys } = courier(({ items }, count) =>
      items.map((item): Outcome => {
        if (count === 1 && item === 'b') {
          return { state: 'retry', reason: 'Locked.', afterMs: 7000 };
        }
        return count === 1 && item === 'd' ? { state: 'unknown', reason: 'Lost.' } : { state: 'ok' };
      }),
    );
    const { outcomes, unsure } = await made.carry(jobs('abcde'));

    expect(keys()).toEqual(['abcde', 'bd']);
    expect(writes[1]?.call.again).toBe(true);
    expect(states(outcomes)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok']);
    expect([...unsure]).toEqual([3]);
    expect(rig.slept).toEqual([7000]);
  });

  it('a row that is never let through keeps its last answer, and is no trouble', async () => {
    const { made, writes } = courier(({ items }) => items.map(() => ({ state: 'retry', reason: 'Locked.' })));
    const { outcomes, trouble } = await made.carry(jobs('a'));

    expect(trouble).toBeUndefined();
    expect(outcomes).toEqual([{ state: 'retry', reason: 'Locked.' }]);
    expect(writes).toHaveLength(4);
  });

  it.each([0, 1, 3])('%i answers for two rows are a bug, and nobody knows what was done', async (count) => {
    const { made } = courier(() => Array.from({ length: count }, () => ({ state: 'ok' }) as const));
    const { outcomes, trouble, unsure } = await made.carry(jobs('ab'));

    expect(trouble?.code).toBe('BUG');
    expect(states(outcomes)).toEqual(['retry', 'retry']);
    expect([...unsure]).toEqual([0, 1]);
  });

  it('what may have got through before goes apart from what did not', async () => {
    const { made, writes, keys } = courier(fine);
    await made.carry([...jobs('ab', 'write', true), ...jobs('cd')]);

    expect(keys()).toEqual(['ab', 'cd']);
    expect(writes.map(({ call }) => call.again)).toEqual([true, false]);
  });

  it('hands a ticket back, in the same process and after a restart, to its own batch alone', async () => {
    const seen: (string | undefined)[] = [];
    const begin: Answer = async ({ items, call }, count) => {
      seen.push(call.ticket);
      if (call.ticket === undefined) {
        await call.keep(`job of ${items.join('')}`);
        return thrown('OUTCOME_UNKNOWN');
      }
      return count > 3 ? thrown('OUTCOME_UNKNOWN') : items.map(() => ({ state: 'ok' }));
    };
    const limits = { rows: 2, concurrency: 1 };
    await courier(begin, { limits }).made.carry(jobs('abcd'));
    expect(seen).toEqual([undefined, 'job of ab', undefined, 'job of cd', 'job of cd', 'job of cd']);

    seen.length = 0;
    const tickets = await ticketsOf(rig.db, runId);
    const note: Answer = (write, count) => {
      seen.push(write.call.ticket);
      return fine(write, count);
    };
    await courier(note, { limits, tickets }).made.carry(jobs('abcdef', 'write', true));
    expect(seen).toEqual(['job of ab', 'job of cd', undefined]);
  });

  it('stops when it is told to: at a wait, and before the next call', async () => {
    const waiting = courier(() => thrown('UNAVAILABLE'), {
      sleep: async () => {
        waiting.control.abort(new Error('stop'));
        waiting.control.signal.throwIfAborted();
      },
    });
    await expect(waiting.made.carry(jobs('ab'))).rejects.toThrow('stop');
    expect(waiting.writes).toHaveLength(1);

    const calling = courier(
      (write, count) => {
        calling.control.abort(new Error('stop'));
        return fine(write, count);
      },
      { limits: { rows: 1, concurrency: 1 } },
    );
    await expect(calling.made.carry(jobs('abc'))).rejects.toThrow('stop');
    expect(calling.writes).toHaveLength(1);
  });
});
