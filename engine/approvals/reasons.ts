import type { PlanTotals } from '../frameworks/framework.ts';
import { type ApprovalPolicy, readLimit } from '../model/policy.ts';

/** All that the question whether a run is held depends on. */
export interface Situation {
  readonly totals: PlanTotals;
  /** No run of this sync has delivered anything so far. */
  readonly first: boolean;
  /** Rows that the query gave in the last runs, newest first. */
  readonly history: readonly number[];
  /** What the framework has against it, whatever the policy says. */
  readonly objection: string | undefined;
  /** What the rows are: people, or rows. */
  readonly noun: 'people' | 'rows';
}

/** Why a run has to be looked at before it writes anything, in sentences; none when it may go on. */
export function reasonsToHold(policy: ApprovalPolicy, situation: Situation): readonly string[] {
  const { totals, first, objection, noun } = situation;
  const guard = objection === undefined ? [] : [objection];
  switch (policy.ask) {
    case 'never':
      return guard;
    case 'always':
      return [...guard, 'Every run of it is looked at before it writes.'];
    case 'unusual':
      return [
        ...guard,
        ...(policy.firstRun && first ? ['It is the first run that would write anything.'] : []),
        ...over(policy.adds, totals.added, totals.before, [noun, 'would be added']),
        ...over(policy.changes, totals.changed, totals.before, [noun, 'would be changed']),
        ...over(policy.removes, totals.removed, totals.before, [noun, 'would leave']),
        ...(policy.shrinks && guard.length === 0 ? shrinking(totals.rows, situation.history, noun) : []),
      ];
    default:
      return policy.ask satisfies never;
  }
}

const singular = { people: 'person', rows: 'row' } as const;

function over(
  limit: string | undefined,
  count: number,
  before: number,
  [noun, what]: readonly [Situation['noun'], string],
): readonly string[] {
  if (limit === undefined || count === 0) {
    return [];
  }
  const { rows, percent } = readLimit(limit);
  const said = count.toLocaleString('en');
  if (rows !== undefined && count > rows) {
    const more = rows === 0 ? '' : `, more than ${rows.toLocaleString('en')}`;
    return [`${said} ${count === 1 ? singular[noun] : noun} ${what}${more}.`];
  }
  const share = (100 * count) / before;
  return percent !== undefined && before > 0 && share > percent
    ? [
        `${said} of ${before.toLocaleString('en')} ${noun} ${what}: ${short(share)} %, more than ${percent} %.`,
      ]
    : [];
}

function short(percent: number): string {
  return percent < 10 ? percent.toFixed(1).replace('.0', '') : percent.toFixed(0);
}

/** From so many runs on, what is usual is taken from them; before that a loss of half is called unusual. */
const enoughHistory = 5;

/**
 * Whether the query gives far less than it used to. Usual is the largest loss from one run to the next so far: what is
 * more than twice that, and more than a tenth, is not; nor is half or more, whatever was before.
 */
export function shrinking(rows: number, history: readonly number[], noun: string): readonly string[] {
  const [last] = history;
  if (last === undefined || last === 0 || rows >= last) {
    return [];
  }
  const said = `The query gave ${rows.toLocaleString('en')} ${noun}; last time it gave ${last.toLocaleString('en')}`;
  if (rows === 0) {
    return [`${said}.`];
  }
  const loss = (last - rows) / last;
  if (history.length < enoughHistory) {
    return loss >= 0.5 ? [`${said}.`] : [];
  }
  const losses = history
    .slice(1)
    .map((before, at) => (before === 0 ? 0 : (before - (history[at] ?? 0)) / before));
  const usual = Math.max(0, ...losses);
  const limit = Math.min(0.5, Math.max(0.1, usual * 2));
  return loss > limit ? [`${said}, and has not lost more than ${short(usual * 100)} % at once before.`] : [];
}
