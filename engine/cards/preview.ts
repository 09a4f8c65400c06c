import type { Block, Card } from '../contracts/card.ts';
import type { DryRun } from '../run/rehearse.ts';
import { actions, bold, button, code, context, count, shorten, text } from './build.ts';
import { reasonBlocks } from './failure.ts';

/** What a run would do, for the card of a sync. Nothing was sent. */
export function previewCard(name: string, dry: DryRun): Card {
  const { rows, added, changed, removed } = dry.totals;
  const changes = added + changed + removed;
  const said = (number: number): string => number.toLocaleString('en');
  return {
    title: `A run of ${name} now`,
    tone: dry.objection === undefined ? 'neutral' : 'warning',
    blocks: [
      text(
        bold(changes === 0 ? 'There is nothing to send. ' : `${count(changes, 'change')}: `),
        changes === 0
          ? `All ${said(rows)} rows are as they were sent.`
          : `${said(added)} new, ${said(changed)} changed, ${said(removed)} gone, of ${said(rows)} rows.`,
      ),
      ...(dry.objection === undefined ? [] : [text('⚠️ It would stop and ask: ', dry.objection)]),
      ...dryRunBlocks(dry, { first: 3 }),
      context(
        `Nothing was sent.${dry.lookedAt < changes ? ` The first ${said(dry.lookedAt)} changes were looked at.` : ''}`,
      ),
      actions(button('Run now', 'run', { name }, { style: 'primary' }), button('Show', 'show', { name })),
    ],
    fallback: `A run of ${name} now: ${count(changes, 'change')}`,
  };
}

/** What would be done, some of it as it would be sent, and why rows would be refused. */
export function dryRunBlocks(dry: DryRun, { first }: { readonly first: number }): readonly Block[] {
  const done = Object.entries(dry.done).map(([word, number]) => `${number.toLocaleString('en')} ${word}`);
  const samples = Object.keys(dry.done).flatMap((word) =>
    dry.sample
      .filter((one) => one.word === word)
      .slice(0, first)
      .flatMap(({ key, item }): Block[] => [
        context(`${word}, key `, code(key)),
        { type: 'code', text: shorten(written(item), 900) },
      ]),
  );
  return [
    ...(done.length > 0 ? [text('Would be ', bold(done.join(', ')), '.')] : []),
    ...samples,
    ...reasonBlocks(dry.refusals.slice(0, 5)),
  ];
}

/** An item as a person reads it: the values, without what is only for the machine. */
function written(item: unknown): string {
  const { begins, path, values, ...rest } = item as Readonly<Record<string, unknown>>;
  if (typeof path === 'string') {
    return typeof begins === 'string' ? `${path}\n\n${begins}` : path;
  }
  return JSON.stringify(values ?? rest, null, 2);
}
