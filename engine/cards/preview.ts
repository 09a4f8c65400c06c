import type { Block, Card } from '../contracts/card.ts';
import type { DryRun } from '../run/rehearse.ts';
import { actions, bold, button, code, context, count, fields, shorten, text } from './build.ts';
import { reasonBlocks } from './failure.ts';

/** What a run would do, for the card of a sync. Nothing was sent. */
export function previewCard(name: string, dry: DryRun): Card {
  const { added, changed, removed } = dry.totals;
  const changes = added + changed + removed;
  const said = (number: number): string => number.toLocaleString('en');
  return {
    title: `A run of ${name} now`,
    tone: dry.objection === undefined ? 'neutral' : 'warning',
    blocks: [
      whatChanges(dry),
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

/** How many changes there are; a first run may take all rows as known. */
function whatChanges({ totals, takesAsKnown }: DryRun): Block {
  const { rows, added, changed, removed } = totals;
  const changes = added + changed + removed;
  const said = (number: number): string => number.toLocaleString('en');
  if (takesAsKnown) {
    return text(
      bold('This would be its first run: '),
      `it takes all ${said(rows)} rows as known, and sends none.`,
    );
  }
  return changes === 0
    ? text(bold('There is nothing to send. '), `All ${said(rows)} rows are as they were sent.`)
    : text(
        bold(`${count(changes, 'change')}: `),
        `${said(added)} new, ${said(changed)} changed, ${said(removed)} gone, of ${said(rows)} rows.`,
      );
}

/** What would be done, some of it as it would be sent, and why rows would be refused. */
export function dryRunBlocks(dry: DryRun, { first }: { readonly first: number }): readonly Block[] {
  const done = Object.entries(dry.done).map(([word, number]) => `${number.toLocaleString('en')} ${word}`);
  const file = fileIn(dry);
  const samples = Object.keys(dry.done).flatMap((word) =>
    dry.sample
      .filter((one) => one.word === word)
      .slice(0, first)
      .flatMap(({ key, item }): Block[] => [
        context('Key ', code(key), `, to be ${word}:`),
        ...(mailIn(item) ?? [{ type: 'code', text: shorten(written(item), 900) }]),
      ]),
  );
  return [
    ...(done.length > 0 && file === undefined
      ? [text('It would come to ', bold(done.join(', ')), '.'), ...samples]
      : []),
    ...(file ?? []),
    ...reasonBlocks(dry.refusals.slice(0, 5)),
  ];
}

/** The file that would be written: its name, and how it begins where that can be read. */
function fileIn({ sample }: DryRun): readonly Block[] | undefined {
  const { path, begins } = (sample[0]?.item ?? {}) as { readonly path?: string; readonly begins?: string };
  if (path === undefined) {
    return undefined;
  }
  return begins === undefined
    ? [text('The file would be ', code(path), '.')]
    : [text('The file would be ', code(path), ', and begin:'), { type: 'code', text: shorten(begins, 900) }];
}

/** A mail as it will be read: undefined when it is none. */
function mailIn(item: unknown): readonly Block[] | undefined {
  const { to, subject, text: body } = item as { to?: string; subject?: string; text?: string };
  return to === undefined || subject === undefined || body === undefined
    ? undefined
    : [
        fields({ To: to, Subject: subject }),
        { type: 'code', text: shorten(body, 2000) },
        context('Beside this plain text the mail has a part in HTML. Send yourself a test to see it.'),
      ];
}

/** An item as a person reads it: what the destination would get, without what is only for the machine. */
function written(item: unknown): string {
  const { key: _key, id: _id, values, ...rest } = item as Readonly<Record<string, unknown>>;
  const filled = Object.entries(rest).filter(([, value]) => JSON.stringify(value) !== '{}');
  return JSON.stringify(values ?? Object.fromEntries(filled), null, 2);
}
