import type { Block, Card } from '../contracts/card.ts';
import type { Run, RunCounts } from '../store/runs.ts';
import { actions, bold, button, context, count, fields, text } from './build.ts';

/** One line that says what a run came to. */
export function summary(run: Pick<Run, 'state' | 'counts' | 'error'>): string {
  const { counts } = run;
  if (run.error !== null) {
    return run.error.message;
  }
  if (counts.baseline === true) {
    return `${count(counts.rows ?? 0, 'row')} taken as known, nothing said: this was the first run.`;
  }
  const parts = [
    `${count(counts.rows ?? 0, 'row')} read`,
    ...changes(counts),
    `${count(counts.messages ?? 0, 'message')} sent`,
    ...((counts.failed ?? 0) > 0 ? [`${counts.failed} did not get through`] : []),
    ...((counts.quiet ?? 0) > 0 ? [`${counts.quiet} kept quiet`] : []),
  ];
  return parts.join(', ');
}

function changes(counts: RunCounts): readonly string[] {
  const named = [
    [counts.added ?? 0, 'new'],
    [counts.changed ?? 0, 'changed'],
    [counts.removed ?? 0, 'gone'],
  ] as const;
  return named
    .filter(([number]) => number > 0)
    .map(([number, word]) => `${number.toLocaleString('en')} ${word}`);
}

const stages = {
  queued: 'Waiting for a worker',
  reading: 'Reading the warehouse',
  delivering: 'Sending messages',
} as const;

/** The card that shows how a run goes, edited as it goes on. */
export function progressCard(
  alert: string,
  run: Pick<Run, 'state' | 'counts' | 'error'>,
  seconds: number,
): Card {
  const took = `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const title = `Run of ${alert}`;
  if (run.state !== 'done' && run.state !== 'failed') {
    const stage = stages[run.state];
    return {
      title,
      blocks: [text('⏳ ', stage, '…'), context(`${took} so far`)],
      fallback: `${title}: ${stage}`,
    };
  }
  const failed = run.state === 'failed' || (run.counts.failed ?? 0) > 0;
  const retry = button('Retry', 'retry', { name: alert }, { style: 'primary' });
  return {
    title,
    tone: failed ? 'bad' : 'good',
    blocks: [
      text(summary(run)),
      ...(run.error?.fix === undefined ? [] : [text(run.error.fix)]),
      ...remarks(run.counts),
      context(`Took ${took}`),
      actions(
        failed ? retry : undefined,
        button('Show alert', 'show', { name: alert }),
        button('History', 'history', { name: alert }),
      ),
    ],
    fallback: `${title}: ${summary(run)}`,
  };
}

/** What a person should know of rows that were left out, and of people who were not found. */
function remarks(counts: RunCounts): readonly Block[] {
  const items: Record<string, string> = {};
  if ((counts.nullKeys ?? 0) > 0) {
    items['Left out, no key'] = count(counts.nullKeys ?? 0, 'row');
  }
  if ((counts.duplicateKeys ?? 0) > 0) {
    items['Left out, key not unique'] = count(counts.duplicateKeys ?? 0, 'row');
  }
  if ((counts.unknownPeople?.length ?? 0) > 0) {
    items['Named but not found'] = (counts.unknownPeople ?? []).join(', ');
  }
  const reasons = (counts.reasons ?? []).map((reason) => text('• ', reason));
  return Object.keys(items).length === 0 ? reasons : [...reasons, fields(items)];
}

/** Said once when a sync breaks: what, since when, what was not done, what to press. */
export function brokenCard(
  alert: string,
  failure: { message: string; fix?: string | undefined },
  since: string,
): Card {
  return {
    title: `${alert} has a problem`,
    tone: 'bad',
    blocks: [
      text(failure.message),
      ...(failure.fix === undefined ? [] : [text(bold('What now: '), failure.fix)]),
      context(
        `Since ${since} · what could not be said is kept and tried again at each run · no more about this until it works again`,
      ),
      actions(
        button('Retry', 'retry', { name: alert }, { style: 'primary' }),
        button('Edit', 'edit', { name: alert }),
        button('Pause', 'pause', { name: alert }),
      ),
    ],
    fallback: `${alert} has a problem: ${failure.message}`,
  };
}

/** What the same card becomes, and what is said, once it works again. */
export function mendedCard(alert: string, was: string, since: string, at: string): Card {
  return {
    title: `${alert} works again`,
    tone: 'good',
    blocks: [
      text('Since ', bold(at), '. What was held back has been said.'),
      context(`It had failed since ${since}: ${was}`),
    ],
    fallback: `${alert} works again`,
  };
}
