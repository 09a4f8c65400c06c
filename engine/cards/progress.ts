import type { Block, Card } from '../contracts/card.ts';
import { masked } from '../personal/mask.ts';
import type { Run, RunCounts } from '../store/runs.ts';
import { actions, button, code, context, count, fields, text } from './build.ts';
import { reasonBlocks } from './failure.ts';

/** One line that says what a run came to. */
export function summary(run: Pick<Run, 'state' | 'counts' | 'error'>): string {
  const { counts } = run;
  if (run.error !== null) {
    return masked(run.error.message);
  }
  if (counts.baseline === true) {
    return `${count(counts.rows ?? 0, 'row')} taken as known, nothing sent.`;
  }
  const found = [`${count(counts.rows ?? 0, 'row')} read`, ...changes(counts)];
  return `${found.join(', ')}: ${results(counts).join(', ')}`;
}

/** What came of the changes: messages, or what was done at the destination. */
function results(counts: RunCounts): readonly string[] {
  const said = (number: number): string => number.toLocaleString('en');
  const failed = counts.failed ?? 0;
  if (counts.done === undefined) {
    return [
      `${count(counts.messages ?? 0, 'message')} sent`,
      ...(failed > 0 ? [`${said(failed)} did not get through`] : []),
      ...((counts.quiet ?? 0) > 0 ? [`${counts.quiet} kept quiet`] : []),
    ];
  }
  const done = Object.entries(counts.done).map(([word, number]) =>
    word === 'made' ? `${count(number, 'task')} made` : `${said(number)} ${word}`,
  );
  return [
    ...(done.length === 0 && failed === 0 ? ['nothing to do'] : done),
    ...(failed > 0 ? [`${said(failed)} refused`] : []),
    ...((counts.skipped ?? 0) > 0 ? [`${said(counts.skipped ?? 0)} skipped`] : []),
  ];
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
  held: 'Waits for approval',
  delivering: 'Delivering',
} as const;

/** The card that shows how a run goes, edited as it goes on. */
export function progressCard(alert: string, run: Shown, seconds: number): Card {
  const took = `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const title = `Run of ${alert}`;
  return run.state === 'done' || run.state === 'failed'
    ? endedCard(alert, title, run, took)
    : goingCard(title, stages[run.state], run, took);
}

type Shown = Pick<Run, 'state' | 'counts' | 'error'>;

function goingCard(title: string, stage: string, run: Shown, took: string): Card {
  return {
    title,
    blocks: [
      text('⏳ ', stage, '…'),
      ...progress(run),
      run.state === 'held' ? context('Its own card asks.') : context(`${took} so far`),
    ],
    fallback: `${title}: ${stage}`,
  };
}

function endedCard(name: string, title: string, run: Shown, took: string): Card {
  const decided = run.error?.code === 'NOT_APPROVED';
  const failed = !decided && (run.state === 'failed' || (run.counts.failed ?? 0) > 0);
  const refused = (run.counts.refusals?.length ?? 0) > 0;
  return {
    title,
    tone: decided ? 'neutral' : failed ? 'bad' : 'good',
    blocks: [
      text(summary(run)),
      ...(run.error?.fix === undefined ? [] : [text(run.error.fix)]),
      ...remarks(run.counts),
      ...(decided ? [] : [context(`Took ${took}`)]),
      actions(
        failed ? button('Retry', 'retry', { name }, { style: 'primary' }) : undefined,
        refused ? button('Errors', 'errors', { name }) : undefined,
        button('Show', 'show', { name }),
        button('History', 'history', { name }),
      ),
    ],
    fallback: `${title}: ${summary(run)}`,
  };
}

/** How far a run has come, once there is something to say. */
export function progress({ counts }: Pick<Run, 'counts'>): readonly Block[] {
  const { added = 0, changed = 0, removed = 0 } = counts;
  const total = added + changed + removed;
  return counts.done === undefined || total === 0
    ? []
    : [text(`${total.toLocaleString('en')} changes: ${results(counts).join(', ')} so far`)];
}

/** What a person should know: rows that were left out, people who were not found, files that were written. */
function remarks(counts: RunCounts): readonly Block[] {
  const { nullKeys = 0, duplicateKeys = 0, unknownPeople = [], files = [] } = counts;
  const more = files.length - filesShown;
  const items = {
    ...(nullKeys > 0 ? { 'Left out, no key': count(nullKeys, 'row') } : {}),
    ...(duplicateKeys > 0 ? { 'Left out, key not unique': count(duplicateKeys, 'row') } : {}),
    ...(unknownPeople.length > 0 ? { 'Named but not found': unknownPeople.map(masked).join(', ') } : {}),
  };
  const reasons = [
    ...(counts.reasons ?? []).map((reason) => text('• ', masked(reason))),
    ...reasonBlocks(counts.refusals ?? []),
    ...(counts.remarks ?? []).map((remark) => text('• ', masked(remark))),
    ...files
      .slice(0, filesShown)
      .map(({ place, rows, bytes }) =>
        text('• ', code(place), ` with ${count(rows, 'row')}, ${sizeOf(bytes)}`),
      ),
    ...(more > 0 ? [text(`• and ${count(more, 'more file', 'more files')}`)] : []),
  ];
  return Object.keys(items).length === 0 ? reasons : [...reasons, fields(items)];
}

const filesShown = 5;

function sizeOf(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}
