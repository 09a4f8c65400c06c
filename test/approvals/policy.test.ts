import { describe, expect, it } from 'vitest';
import { reasonsToHold, type Situation, shrinking } from '../../engine/approvals/reasons.ts';
import {
  approvalPolicy,
  defaultPolicy,
  isProtected,
  isWeaker,
  readLimit,
  usualPolicy,
} from '../../engine/model/policy.ts';
import { policyWith } from './house.ts';

const nothing = { rows: 100, before: 100, added: 0, changed: 0, removed: 0 };

function about(totals: Partial<Situation['totals']>, rest: Partial<Situation> = {}): Situation {
  return {
    totals: { ...nothing, ...totals },
    first: false,
    history: [],
    objection: undefined,
    noun: 'people',
    ...rest,
  };
}

describe('a limit', () => {
  it.each([
    ['any', { rows: 0 }],
    ['0', { rows: 0 }],
    ['100', { rows: 100 }],
    ['20 %', { percent: 20 }],
    ['20%', { percent: 20 }],
    ['0.5 %', { percent: 0.5 }],
    ['100 or 20 %', { rows: 100, percent: 20 }],
  ])('%s is read', (text, read) => {
    expect(readLimit(text)).toEqual(read);
    expect(policyWith({ ask: 'unusual', removes: text }).removes).toBe(text);
  });

  it('is read in capitals and with blanks around it', () => {
    expect(policyWith({ adds: ' 100 OR 20 % ' }).adds).toBe('100 or 20 %');
  });

  it.each(['', '1,000', '-5', '20 % or 100', '5 percent', '1.5', 'any or 5 %', '1e3', '20 %; 5'])(
    '"%s" is refused with a sentence',
    (text) => {
      const parsed = approvalPolicy.safeParse({ removes: text });

      expect(parsed.error?.issues[0]?.message).toContain('Write a number, a share, or both');
    },
  );
});

describe('a run is held', () => {
  it.each([
    ['50', 50, 0],
    ['50', 51, 1],
    ['any', 0, 0],
    ['any', 1, 1],
    ['20 %', 20, 0],
    ['20 %', 21, 1],
    ['0 %', 1, 1],
    ['10 or 50 %', 10, 0],
    ['10 or 50 %', 11, 1],
    ['90 or 20 %', 21, 1],
    ['90 or 20 %', 20, 0],
  ])('by a limit of %s, of %i among 100: %i reason', (limit, count, reasons) => {
    for (const [name, kind] of [
      ['adds', 'added'],
      ['changes', 'changed'],
      ['removes', 'removed'],
    ] as const) {
      const policy = policyWith({ ask: 'unusual', [name]: limit });

      expect(reasonsToHold(policy, about({ [kind]: count }))).toHaveLength(reasons);
    }
  });

  it('by no share of nothing', () => {
    const policy = policyWith({ ask: 'unusual', adds: '50 %' });

    expect(reasonsToHold(policy, about({ before: 0, added: 1000 }))).toEqual([]);
    expect(reasonsToHold({ ...policy, adds: 'any' }, about({ before: 0, added: 1000 }))).toEqual([
      '1,000 people would be added.',
    ]);
  });

  it('says each reason with its numbers', () => {
    const policy = policyWith({ ask: 'unusual', adds: '5', changes: '1 %', removes: 'any' });

    expect(reasonsToHold(policy, about({ before: 1000, added: 6, changed: 15, removed: 1 }))).toEqual([
      '6 people would be added, more than 5.',
      '15 of 1,000 people would be changed: 1.5 %, more than 1 %.',
      '1 person would leave.',
    ]);
  });

  it('the first time, where that is asked for', () => {
    const policy = policyWith({ ask: 'unusual', firstRun: true });

    expect(reasonsToHold(policy, about({ added: 1 }, { first: true }))).toHaveLength(1);
    expect(reasonsToHold(policy, about({ added: 1 }, { first: false }))).toEqual([]);
  });

  it('each time, where that is asked for, whatever the limits are', () => {
    const policy = policyWith({ ask: 'always', removes: '99 %' });

    expect(reasonsToHold(policy, about({ changed: 1 }))).toHaveLength(1);
  });

  it('never, where nothing is asked for, but for what the framework has against it', () => {
    const policy = policyWith({ ask: 'never', firstRun: true, removes: 'any', shrinks: true });
    const situation = about({ rows: 0, removed: 100 }, { first: true, history: [100] });

    expect(reasonsToHold(policy, situation)).toEqual([]);
    expect(reasonsToHold(policy, { ...situation, objection: 'Nobody is left.' })).toEqual([
      'Nobody is left.',
    ]);
  });

  it('for what the framework has against it, which is not said twice as shrinking', () => {
    const policy = policyWith({ ask: 'unusual', shrinks: true });
    const situation = about({ rows: 0, removed: 100 }, { history: [100] });

    expect(reasonsToHold(policy, situation)).toHaveLength(1);
    expect(reasonsToHold(policy, { ...situation, objection: 'Nobody is left.' })).toEqual([
      'Nobody is left.',
    ]);
  });
});

describe('shrinking', () => {
  const calm = [1000, 1000, 1000, 1000, 1000];

  it.each([
    ['nothing is known yet', 0, [], false],
    ['it was empty before', 0, [0, 100], false],
    ['it grows', 1001, [1000], false],
    ['it stays', 1000, [1000], false],
    ['it is empty', 0, [1], true],
    ['it is empty, and always varied widely', 0, [1000, 10, 1000, 10, 1000, 10], true],
    ['it loses a little under half, with little history', 501, [1000], false],
    ['it loses half, with little history', 500, [1000], true],
    ['it loses half, with four runs of history', 501, [1000, 1000, 1000, 1000], false],
    ['it loses a tenth, and never lost any', 900, calm, false],
    ['it loses more than a tenth, and never lost any', 899, calm, true],
    ['it loses twice what it lost once', 600, [1000, 1250, 1250, 1250, 1250], false],
    ['it loses more than twice what it lost once', 599, [1000, 1250, 1250, 1250, 1250], true],
    ['it loses half, and lost nine tenths once', 500, [1000, 10_000, 10_000, 10_000, 10_000], false],
    ['it loses more than half, and lost nine tenths once', 499, [1000, 10_000, 10_000, 10_000, 10_000], true],
    ['it was empty in between', 899, [1000, 0, 1000, 1000, 1000], false],
    ['it came from nothing', 899, [1000, 0, 0, 0, 0], true],
  ])('when %s', (_when, rows, history, shrinks) => {
    expect(shrinking(rows, history, 'rows')).toHaveLength(shrinks ? 1 : 0);
  });

  it('says what is usual', () => {
    expect(shrinking(500, [1000, 1050, 1000, 1000, 1000], 'people')).toEqual([
      'The query gave 500 people; last time it gave 1,000, and has not lost more than 4.8 % at once before.',
    ]);
  });
});

describe('a policy', () => {
  it.each([
    [{ ask: 'never', firstRun: true, removes: 'any' }, false],
    [{ ask: 'unusual' }, false],
    [{ ask: 'unusual', firstRun: true }, true],
    [{ ask: 'unusual', shrinks: true }, true],
    [{ ask: 'unusual', changes: '99 %' }, true],
    [{ ask: 'always' }, true],
  ] as const)('%j protects: %s', (policy, is) => {
    expect(isProtected(policyWith(policy))).toBe(is);
  });

  const strict = {
    ask: 'unusual',
    firstRun: true,
    shrinks: true,
    adds: '50 %',
    removes: '100 or 20 %',
    quorum: 2,
    others: true,
  } as const;

  it.each([
    ['never asks', { ask: 'never' }],
    ['lets the first run go', { firstRun: false }],
    ['lets it shrink', { shrinks: false }],
    ['has no limit', { adds: undefined }],
    ['has a higher share', { adds: '51 %' }],
    ['has a limit in rows instead of a share', { adds: '10' }],
    ['drops one of two limits', { removes: '100' }],
    ['drops the other', { removes: '20 %' }],
    ['has a higher limit in rows', { removes: '101 or 20 %' }],
    ['asks fewer', { quorum: 1 }],
    ['asks whoever asked', { others: false }],
  ] as const)('that %s is weaker', (_how, change) => {
    expect(
      isWeaker(policyWith({ ...strict, ...change } as Parameters<typeof policyWith>[0]), policyWith(strict)),
    ).toBe(true);
  });

  it.each([
    ['is the same', {}],
    ['has a lower share', { adds: '49 %' }],
    ['has a limit in rows as well', { adds: '10 or 50 %' }],
    ['asks at any change', { adds: 'any', removes: 'any' }],
    ['has one more limit', { changes: '1' }],
    ['asks more', { quorum: 3 }],
    ['asks always, whatever its limits', { ask: 'always', adds: undefined, firstRun: false, shrinks: false }],
  ] as const)('that %s is not weaker', (_how, change) => {
    expect(
      isWeaker(policyWith({ ...strict, ...change } as Parameters<typeof policyWith>[0]), policyWith(strict)),
    ).toBe(false);
  });

  it('is never weaker than one that never asks', () => {
    expect(isWeaker(policyWith({}), policyWith({ ask: 'unusual' }))).toBe(false);
  });

  it('is careful by itself where people are taken off lists and records are deleted', () => {
    expect(defaultPolicy('audiences', {})).toMatchObject({ ask: 'unusual', firstRun: true, removes: '20 %' });
    expect(defaultPolicy('objects', { mode: 'mirror' })).toMatchObject({ ask: 'unusual', removes: '20 %' });
    for (const mode of ['upsert', 'insert', 'update']) {
      expect(isProtected(defaultPolicy('objects', { mode }))).toBe(false);
    }
  });

  it('looks at the first run wherever a destination names who decides', () => {
    expect(isProtected(usualPolicy('events', {}, []))).toBe(false);
    expect(usualPolicy('events', {}, ['ann@house.example'])).toMatchObject({
      ask: 'unusual',
      firstRun: true,
    });
  });
});
