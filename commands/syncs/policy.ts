import type { Lookup, Step } from '../../engine/contracts/command.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { type Fields, field, splitMany } from '../../engine/contracts/form.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { type ApprovalPolicy, approvalPolicy, askings } from '../../engine/model/policy.ts';
import type { Services } from '../../engine/services.ts';
import { numberOr } from './numbers.ts';

const yesNo = { true: 'Yes', false: 'No' } as const;
const limitHelp =
  'As 100, as 20 % of what is there, or as "100 or 20 %"; "any" for even one. Empty for no limit.';

/** What is asked about the approval of a sync's runs, wherever it is asked. */
export const policyFields = {
  ask: field.choice({ label: 'Ask for approval', of: askings }),
  firstRun: field.optional(field.choice({ label: 'Ask at the first run', of: yesNo })),
  adds: field.optional(field.text({ label: 'More added than', help: limitHelp, max: 30 })),
  changes: field.optional(field.text({ label: 'More changed than', help: limitHelp, max: 30 })),
  removes: field.optional(field.text({ label: 'More leaving than', help: limitHelp, max: 30 })),
  shrinks: field.optional(
    field.choice({
      label: 'Ask if far less comes',
      of: yesNo,
      help: 'When the query gives far fewer rows than it used to.',
    }),
  ),
  approvers: field.optional(
    field.lookups({
      label: 'Who decides',
      lookup: 'approvers',
      help: 'People or groups. Left empty, whoever has the role approver.',
    }),
  ),
  quorum: field.optional(field.number({ label: 'How many have to agree', min: 1, max: 9, whole: true })),
  others: field.optional(
    field.choice({
      label: 'Somebody else decides',
      of: yesNo,
      help: 'Whoever asked for the run does not count.',
    }),
  ),
  expires: field.optional(field.number({ label: 'Hours to decide', min: 0.01, max: 720 })),
} as const satisfies Fields;

/** First when it asks, and then, unless it never does, who decides. */
export const policySteps: readonly Pick<Step<Services>, 'title' | 'fields'>[] = [
  { title: 'Approval', fields: () => ['ask', 'firstRun', 'adds', 'changes', 'removes'] },
  {
    title: 'Who decides',
    fields: (raw) => (raw['ask'] === 'never' ? [] : ['shrinks', 'approvers', 'quorum', 'others', 'expires']),
  },
];

export const policyLookups: Readonly<Record<string, Lookup<Services>>> = {
  approvers: async (typed, _raw, caller, services) => services.approvals.candidates(typed, caller),
};

/** A policy as the answers that would make it. */
export function answersOf(policy: ApprovalPolicy): Raw {
  return {
    ask: policy.ask,
    firstRun: String(policy.firstRun),
    adds: policy.adds ?? '',
    changes: policy.changes ?? '',
    removes: policy.removes ?? '',
    shrinks: String(policy.shrinks),
    approvers: policy.approvers.length === 0 ? '' : JSON.stringify(policy.approvers),
    quorum: String(policy.quorum),
    others: String(policy.others),
    expires: String(policy.expiresHours),
  };
}

/**
 * The answers as a policy; what is not asked here stays as it was. People are kept by their e-mail address, which is
 * the same on every platform. Throws INPUT_INVALID at the field at fault.
 */
export async function policyOf(raw: Raw, now: ApprovalPolicy, services: Services): Promise<ApprovalPolicy> {
  const limits = Object.fromEntries(
    (['adds', 'changes', 'removes'] as const).flatMap((name) => {
      const typed = (raw[name] ?? '').trim();
      return typed === '' ? [] : [[name, typed] as const];
    }),
  );
  const { adds: _adds, changes: _changes, removes: _removes, ...kept } = now;
  const parsed = approvalPolicy.safeParse({
    ...kept,
    ...limits,
    ask: raw['ask'] ?? now.ask,
    firstRun: raw['firstRun'] === 'true',
    shrinks: raw['shrinks'] === 'true',
    approvers: await services.approvals.entries(splitMany(raw['approvers'] ?? '')),
    quorum: numberOr(raw['quorum'], now.quorum),
    others: raw['others'] === 'true',
    expiresHours: numberOr(raw['expires'], now.expiresHours),
  });
  if (parsed.success) {
    return parsed.data;
  }
  const fields = Object.fromEntries(
    parsed.error.issues.map(({ path, message }) => {
      const name = String(path[0] ?? 'ask');
      return [name === 'expiresHours' ? 'expires' : name, message];
    }),
  );
  throw new ActivateError('INPUT_INVALID', Object.values(fields).join(' '), { fields });
}
