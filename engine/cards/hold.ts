import type { Action, Block, Card } from '../contracts/card.ts';
import type { Difference } from '../document/compare.ts';
import type { PlanTotals } from '../frameworks/framework.ts';
import { type AudiencesSettings, audiencesSettings } from '../model/audiences.ts';
import { filesSettings } from '../model/files.ts';
import { mailSettings } from '../model/mail.ts';
import { type ObjectsSettings, objectsSettings } from '../model/objects.ts';
import { tasksSettings } from '../model/tasks.ts';
import type { Delegate, Hold, Vote } from '../store/holds.ts';
import type { Run } from '../store/runs.ts';
import type { Sync } from '../store/syncs.ts';
import { actions, bold, button, code, context, count, fields, moment, shorten, text } from './build.ts';
import { progress, summary } from './progress.ts';

/** How much of a fingerprint a card shows and a button carries: 48 bits. */
export function shortPlan(fingerprint: string): string {
  return fingerprint.slice(0, 12);
}

/** What a run would do, in one sentence. `where` is the destination's name, or the places of an alert. */
export function planSentence(
  sync: Pick<Sync, 'framework' | 'settings'>,
  where: string,
  totals: PlanTotals,
): string {
  const { added, changed, removed } = totals;
  switch (sync.framework) {
    case 'audiences':
      return peopleSentence(audiencesSettings.parse(sync.settings), where, totals);
    case 'objects':
      return recordsSentence(objectsSettings.parse(sync.settings), where, totals);
    case 'events':
      return sentence(`send ${count(added, 'event')} to ${where}`);
    case 'files': {
      const { path } = filesSettings.parse(sync.settings);
      return sentence(`write ${count(added + changed + removed, 'row')} to ${path} on ${where}`);
    }
    case 'tasks': {
      const { projectName } = tasksSettings.parse(sync.settings);
      const does = listed([
        [added, `make ${count(added, 'task')}`],
        [changed, `update ${said(changed)}`],
        [removed, `see to ${said(removed)} whose row left`],
      ]);
      return sentence(`${does} in ${projectName} on ${where}`);
    }
    case 'mail': {
      const { trigger, subject } = mailSettings.parse(sync.settings);
      const mails = trigger === 'changed' || trigger === 'removed' ? totals[trigger] : added;
      return sentence(`send ${count(mails, 'mail')} "${subject}" through ${where}`);
    }
    case 'notify': {
      const does = listed([
        [added, `${said(added)} new`],
        [changed, `${said(changed)} changed`],
        [removed, `${said(removed)} gone`],
      ]);
      return sentence(`tell ${where} of ${does} rows`);
    }
    default:
      return sync.framework satisfies never;
  }
}

/** Whoever only comes is no part of those who are there. */
function peopleSentence({ listName }: AudiencesSettings, where: string, totals: PlanTotals): string {
  const { added, changed, removed, before } = totals;
  if (before === 0 || changed + removed === 0) {
    return sentence(`add ${count(added, 'person', 'people')} to ${listName} on ${where}`);
  }
  const does = listed([
    [added, `add ${said(added)}`],
    [changed, `update ${said(changed)}`],
    [removed, `remove ${said(removed)}`],
  ]);
  return sentence(`${does} of ${said(before)} people in ${listName} on ${where}`);
}

function recordsSentence(settings: ObjectsSettings, where: string, totals: PlanTotals): string {
  const { object, mode, removal } = settings;
  const { added, changed, before } = totals;
  const removed = mode === 'mirror' ? totals.removed : 0;
  if (before === 0 || changed + removed === 0) {
    const records = count(added, before === 0 ? 'record' : 'new record');
    return sentence(`write ${records} of ${object} to ${where}`);
  }
  const gone = { delete: 'delete', archive: 'mark as archived', clear: 'empty' }[removal];
  const does = listed([
    [added, `write ${said(added)} new`],
    [changed, `write ${said(changed)} changed`],
    [removed, `${gone} ${said(removed)}`],
  ]);
  return sentence(`${does} of ${said(before)} records of ${object} in ${where}`);
}

function said(number: number): string {
  return number.toLocaleString('en');
}

/** The parts that count, joined: "a, b and c". */
function listed(parts: readonly (readonly [number, string])[]): string {
  const some = parts.filter(([number]) => number > 0).map(([, words]) => words);
  return some.length < 2
    ? (some[0] ?? 'write nothing')
    : `${some.slice(0, -1).join(', ')} and ${some.at(-1)}`;
}

function sentence(words: string): string {
  return `${words[0]?.toUpperCase() ?? ''}${words.slice(1)}`;
}

/** All that the card of a hold is drawn from. */
export interface HoldView {
  readonly hold: Hold;
  readonly votes: readonly Vote[];
  readonly delegates: readonly Delegate[];
  /** The run that is held, for how it goes on. */
  readonly run: Run | undefined;
  /** Some of the changes, personal data masked; only while it waits. */
  readonly sample: Sample | undefined;
}

export interface Sample {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly total: number;
}

/** The card that asks, and says afterwards what was decided and what came of it. */
export function holdCard(view: HoldView): Card {
  return view.hold.state === 'pending' ? asking(view) : decided(view);
}

function asking(view: HoldView): Card {
  const { hold, sample } = view;
  const { about, subject, kind } = hold;
  const title = kind === 'run' ? `Approve this run of ${subject}?` : `Approve this change of ${subject}?`;
  return {
    title,
    tone: 'warning',
    blocks: [
      text(bold(`${about.sentence}.`)),
      ...(about.totals === undefined ? [] : [fields(countFields(about.totals))]),
      ...differenceBlocks(about.differences ?? []),
      text(bold('Why it asks: '), about.reasons.join(' ')),
      ...(sample === undefined || sample.rows.length === 0
        ? []
        : [{ type: 'table', columns: sample.columns, rows: sample.rows, total: sample.total } as const]),
      context(...standing(view)),
      ...buttons(hold),
    ],
    fallback: `${title} ${about.sentence}.`,
  };
}

/** Counts with their share of the list as it was. */
function countFields({
  rows,
  before,
  added,
  changed,
  removed,
}: PlanTotals): Readonly<Record<string, string>> {
  const share = (number: number): string => {
    const percent = before === 0 ? undefined : (100 * number) / before;
    const said = percent === undefined ? '' : percent < 10 ? percent.toFixed(1) : percent.toFixed(0);
    return `${number.toLocaleString('en')}${percent === undefined ? '' : ` (${said} %)`}`;
  };
  return {
    ...(added > 0 ? { Added: share(added) } : {}),
    ...(changed > 0 ? { Changed: share(changed) } : {}),
    ...(removed > 0 ? { Removed: share(removed) } : {}),
    'All in all': `${before.toLocaleString('en')} → ${rows.toLocaleString('en')}`,
  };
}

const differencesShown = 12;

function differenceBlocks(differences: readonly Difference[]): readonly Block[] {
  const shown = differences
    .slice(0, differencesShown)
    .map(({ path, before, after }) => text(code(path), ': ', written(before), ' → ', bold(written(after))));
  const more = differences.length - differencesShown;
  return more > 0 ? [...shown, context(`and ${count(more, 'more change')}`)] : shown;
}

function written(value: unknown): string {
  return value === undefined || value === null
    ? 'nothing'
    : shorten(typeof value === 'string' ? value : JSON.stringify(value), 300);
}

function standing({ hold, votes, delegates }: HoldView): readonly string[] {
  const { about, requester, expiresAt, fingerprint } = hold;
  const agreed = votes.filter((vote) => vote.approves);
  const deciders = [...about.deciders, ...delegates.map(({ person, by }) => `${person} (for ${by})`)];
  return [
    [
      requester === null ? 'Asked by the schedule' : `Asked by ${requester}`,
      `may decide: ${deciders.join(', ') || 'any approver'}`,
      ...(about.quorum > 1
        ? [`${agreed.length} of ${about.quorum} agreed${agreed.length === 0 ? '' : `: ${namesOf(agreed)}`}`]
        : []),
      `expires ${moment(expiresAt, about.timeZone)}`,
      `plan ${shortPlan(fingerprint)}`,
    ].join(' · '),
  ];
}

function namesOf(votes: readonly Vote[]): string {
  return votes.map(({ person }) => person).join(', ');
}

function buttons(hold: Hold): readonly Block[] {
  const { subject: name, kind, about } = hold;
  const which = { name, plan: shortPlan(hold.fingerprint) };
  const ofRun = kind === 'run';
  return [
    actions(
      button('Approve', 'approve', which, { style: 'primary', confirm: `${about.sentence}?` }),
      button('Reject', 'reject', which, { style: 'danger' }),
      ofRun ? button('Show sample', 'sample', which) : undefined,
      button('Hand on', 'delegate', which),
    ),
    ...(ofRun
      ? [
          actions(
            button('Adjust policy', 'policy', { name }),
            button('Plan anew', 'run', { name, anew: 'true' }),
          ),
        ]
      : []),
  ];
}

const endings = {
  approved: { tone: 'good', word: 'Approved', sign: '✅' },
  rejected: { tone: 'bad', word: 'Rejected', sign: '⛔' },
  expired: { tone: 'neutral', word: 'Expired', sign: '⌛' },
  superseded: { tone: 'neutral', word: 'Superseded', sign: '↪️' },
  outdated: { tone: 'neutral', word: 'Out of date', sign: '↪️' },
} as const;

function decided(view: HoldView): Card {
  const { hold, votes } = view;
  const { subject: name, about, kind } = hold;
  const state = hold.state as keyof typeof endings;
  const { word, sign } = endings[state];
  const by = state === 'approved' ? namesOf(votes.filter((vote) => vote.approves)) : (hold.decidedBy ?? '');
  const at = hold.decidedAt === null ? '' : ` · ${moment(hold.decidedAt, about.timeZone)}`;
  const outcome = outcomeOf(view);
  const said = `${word}${by === '' ? '' : ` by ${by}`}${at}`;
  return {
    title: `${kind === 'run' ? 'Run' : 'Change'} of ${name}: ${word.toLowerCase()}`,
    tone: outcome.tone ?? endings[state].tone,
    blocks: [
      text(`${about.sentence}.`),
      text(`${sign} `, bold(said), ...(hold.verdict === null ? [] : [`: ${hold.verdict}`])),
      ...outcome.blocks,
      context(
        `${hold.requester === null ? 'Asked by the schedule' : `Asked by ${hold.requester}`} · plan ${shortPlan(hold.fingerprint)}`,
      ),
      actions(...afterwards(hold)),
    ],
    fallback: `${name}: ${said}. ${outcome.said}`.trim(),
  };
}

function afterwards({ state, kind, subject: name }: Hold): readonly Action[] {
  const again = state === 'expired' || state === 'outdated' || state === 'rejected';
  return [
    ...(again && kind === 'run'
      ? [button('Plan anew', 'run', { name, anew: 'true' }, { style: 'primary' })]
      : []),
    button('Show', 'show', { name }),
    ...(kind === 'run' ? [button('History', 'history', { name })] : []),
  ];
}

/** What came of what was approved. */
function outcomeOf({ hold, run }: HoldView): {
  readonly blocks: readonly Block[];
  readonly tone?: 'good' | 'bad';
  readonly said: string;
} {
  if (hold.state !== 'approved') {
    return { blocks: [text('Nothing was written.')], said: 'Nothing was written.' };
  }
  if (hold.kind === 'change') {
    const words =
      hold.performedAt === null ? 'It is being made.' : hold.verdict === null ? 'It is in force.' : '';
    return words === '' ? { blocks: [], tone: 'bad', said: '' } : { blocks: [text(words)], said: words };
  }
  if (run === undefined) {
    return { blocks: [], said: '' };
  }
  const said = summary(run);
  if (run.state !== 'done' && run.state !== 'failed') {
    return { blocks: [text('⏳ Delivering…'), ...progress(run)], said: 'Delivering.' };
  }
  const failed = run.state === 'failed' || (run.counts.failed ?? 0) > 0;
  return { blocks: [text(bold('Outcome: '), said)], tone: failed ? 'bad' : 'good', said };
}

/** One line about a hold, with what can be done about it. */
export function holdLine(hold: Hold): readonly Block[] {
  const { subject: name, about, fingerprint } = hold;
  const which = { name, plan: shortPlan(fingerprint) };
  return [
    text(bold(name), ` · ${about.sentence} · expires ${moment(hold.expiresAt, about.timeZone)}`),
    actions(
      button('Look at it', 'review', which, { style: 'primary' }),
      ...(hold.kind === 'run' ? [button('Show sample', 'sample', which)] : []),
    ),
  ];
}
