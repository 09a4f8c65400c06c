import { z } from 'zod';
import type { FrameworkId } from '../store/syncs.ts';

/** When a run is held. */
export const askings = {
  never: 'Never',
  unusual: 'When something below is so',
  always: 'At every run',
} as const;

const limitPattern = /^(?:any|(\d+)(?: or (\d+(?:\.\d+)?) ?%)?|(\d+(?:\.\d+)?) ?%)$/;

/** So many changes, such a share of the list, or either: `any`, `100`, `20 %`, `100 or 20 %`. */
const limit = z
  .string()
  .trim()
  .toLowerCase()
  .regex(limitPattern, 'Write a number, a share, or both: 100, 20 %, 100 or 20 %, any.');

/**
 * What of a sync has to be approved before it is written, and by whom. A sync that ever asks is protected: changes of
 * its settings wait for the same approval.
 */
export const approvalPolicy = z.strictObject({
  ask: z.enum(Object.keys(askings) as [keyof typeof askings, ...(keyof typeof askings)[]]).default('never'),
  /** The first run that would write anything. */
  firstRun: z.boolean().default(false),
  adds: limit.optional(),
  changes: limit.optional(),
  removes: limit.optional(),
  /** The query gives nothing, or far fewer rows than it used to. */
  shrinks: z.boolean().default(false),
  /** E-mail addresses of people and groups as `formatGroup` writes them; empty: whoever may decide at that place. */
  approvers: z.array(z.string().trim().min(1)).default([]),
  /** So many have to agree. */
  quorum: z.number().int().min(1).max(9).default(1),
  /** Whoever asked for the run, or for the change, does not count. */
  others: z.boolean().default(false),
  expiresHours: z.number().min(0.01).max(720).default(24),
  /** After so long without a decision the admins, or `escalateTo`, are asked too; half of the time to decide when left out. */
  escalateHours: z.number().min(0.01).max(720).optional(),
  escalateTo: z.array(z.string().trim().min(1)).default([]),
  /** Where it is asked, as `formatTarget` writes it; where the sync reports when left out. */
  askIn: z.string().optional(),
});
export type ApprovalPolicy = z.output<typeof approvalPolicy>;

/** What a sync is given when nobody said anything: careful where people are taken off lists or written to, and where records are deleted. */
export function defaultPolicy(
  framework: FrameworkId,
  settings: Readonly<Record<string, unknown>>,
): ApprovalPolicy {
  if (framework === 'audiences') {
    return approvalPolicy.parse({
      ask: 'unusual',
      firstRun: true,
      adds: '50 %',
      removes: '20 %',
      shrinks: true,
    });
  }
  if (framework === 'objects' && settings['mode'] === 'mirror') {
    return approvalPolicy.parse({ ask: 'unusual', removes: '20 %', shrinks: true });
  }
  if (framework === 'mail') {
    return approvalPolicy.parse({ ask: 'unusual', firstRun: true });
  }
  return approvalPolicy.parse({});
}

/** The same where a destination names who decides: there the first run is looked at, whatever the sync does. */
export function usualPolicy(
  framework: FrameworkId,
  settings: Readonly<Record<string, unknown>>,
  named: readonly string[],
): ApprovalPolicy {
  const usual = defaultPolicy(framework, settings);
  return named.length === 0 ? usual : { ...usual, ask: 'unusual', firstRun: true };
}

/** Whether runs of such a sync are ever held, so that changing it is no way around. */
export function isProtected(policy: ApprovalPolicy): boolean {
  const { ask, firstRun, adds, changes, removes, shrinks } = policy;
  const conditions = firstRun || shrinks || [adds, changes, removes].some((one) => one !== undefined);
  return ask === 'always' || (ask === 'unusual' && conditions);
}

/** A limit read: `rows` in rows, `percent` of the list as it was. */
export function readLimit(text: string): { readonly rows?: number; readonly percent?: number } {
  const [, rows, either, percent] = limitPattern.exec(text) ?? [];
  if (rows === undefined && percent === undefined) {
    return { rows: 0 };
  }
  const share = either ?? percent;
  return {
    ...(rows === undefined ? {} : { rows: Number(rows) }),
    ...(share === undefined ? {} : { percent: Number(share) }),
  };
}

/** Whether a policy asks less often, or fewer people, than another. */
export function isWeaker(policy: ApprovalPolicy, than: ApprovalPolicy): boolean {
  const rank = { never: 0, unusual: 1, always: 2 } as const;
  if (!isProtected(than)) {
    return false;
  }
  const laxer = (one: string | undefined, other: string | undefined): boolean => {
    if (other === undefined) {
      return false;
    }
    const [now, was] = [one === undefined ? undefined : readLimit(one), readLimit(other)];
    const most = (limits: typeof now, unit: 'rows' | 'percent'): number =>
      limits?.[unit] ?? Number.POSITIVE_INFINITY;
    const asksAtAny = now?.rows === 0;
    return (
      now === undefined ||
      (!asksAtAny && (most(now, 'rows') > most(was, 'rows') || most(now, 'percent') > most(was, 'percent')))
    );
  };
  const asksLess =
    policy.ask !== 'always' &&
    ((than.firstRun && !policy.firstRun) ||
      (than.shrinks && !policy.shrinks) ||
      (['adds', 'changes', 'removes'] as const).some((name) => laxer(policy[name], than[name])));
  return (
    rank[policy.ask] < rank[than.ask] ||
    asksLess ||
    policy.quorum < than.quorum ||
    (than.others && !policy.others)
  );
}

/** A policy in one or two sentences, for a sync's card. */
export function policyWords(policy: ApprovalPolicy, names: readonly string[] = policy.approvers): string {
  if (!isProtected(policy)) {
    return 'Runs without asking.';
  }
  const { ask, firstRun, shrinks, quorum, others, expiresHours } = policy;
  const conditions = [
    ...(firstRun ? ['at its first run'] : []),
    ...limitWords('would be added', policy.adds),
    ...limitWords('would be changed', policy.changes),
    ...limitWords('would leave', policy.removes),
    ...(shrinks ? ['when the query gives far less than it used to'] : []),
  ];
  const when = ask === 'always' ? 'before every run' : either(conditions);
  const who =
    names.length === 0 ? (quorum === 1 ? 'an approver' : `${quorum} approvers`) : among(names, quorum);
  const other = others ? ', not whoever asked for it' : '';
  return `Asks ${when}. ${who[0]?.toUpperCase()}${who.slice(1)}${other} decides within ${hours(expiresHours)}.`;
}

/** "a, b or c". */
function either(parts: readonly string[]): string {
  return parts.length < 2 ? (parts[0] ?? '') : `${parts.slice(0, -1).join(', ')} or ${parts.at(-1)}`;
}

function limitWords(what: string, limits: string | undefined): readonly string[] {
  return limits === undefined
    ? []
    : [limits === 'any' ? `when any row ${what}` : `when more than ${limits} ${what}`];
}

function among(names: readonly string[], quorum: number): string {
  const [only] = names;
  const all = names.join(', ');
  return quorum > 1
    ? `${quorum} of ${all}`
    : names.length === 1 && only !== undefined
      ? only
      : `one of ${all}`;
}

function hours(count: number): string {
  return count < 1
    ? `${Math.round(count * 60)} min`
    : count === 1
      ? 'an hour'
      : count < 48
        ? `${count} hours`
        : `${Math.round(count / 24)} days`;
}
