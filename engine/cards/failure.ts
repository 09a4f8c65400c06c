import type { Action, Block, Card } from '../contracts/card.ts';
import { masked } from '../personal/mask.ts';
import type { Failure, FrameworkId } from '../store/syncs.ts';
import { actions, bold, button, code, context, count, text } from './build.ts';

/** Which sync a card is about, and how it is edited. */
export interface Named {
  readonly name: string;
  readonly framework: FrameworkId;
}

/** The command that edits a sync of a framework. */
export const editCommands: Readonly<Record<FrameworkId, string>> = {
  notify: 'edit',
  objects: 'edit-sync',
  events: 'edit-sync',
  audiences: 'edit-audience',
  files: 'edit-export',
  tasks: 'edit-task',
  mail: 'edit-mail',
};

/** Said once when a sync breaks: what, since when, what was not done, what to press. Edited while it goes on. */
export function brokenCard(sync: Named, failure: Failure, since: string): Card {
  const { name } = sync;
  const title = `${name} has a problem`;
  return {
    title,
    tone: 'bad',
    blocks: [
      text(masked(failure.message)),
      ...reasonBlocks(failure.refusals ?? []),
      ...(failure.fix === undefined ? [] : [text(bold('What now: '), failure.fix)]),
      context(`Since ${since} · ${keptWords(sync)} · no more about this until it works again`),
      actions(...buttonsFor(sync, failure)),
    ],
    fallback: `${title}: ${masked(failure.message)}`,
  };
}

function keptWords({ framework }: Named): string {
  return framework === 'notify'
    ? 'what could not be said is kept and tried again at each run'
    : 'what was not taken is kept and tried again at each run';
}

function buttonsFor(sync: Named, failure: Failure): readonly (Action | undefined)[] {
  const { name } = sync;
  const pause = button('Pause', 'pause', { name });
  const rows = (failure.refusals?.length ?? 0) > 0;
  return [
    button('Retry', 'retry', { name }, { style: 'primary' }),
    rows ? button('Errors', 'errors', { name }) : undefined,
    rows ? button('Errors as CSV', 'errors', { name, csv: 'true' }) : undefined,
    editButton(sync),
    pause,
  ];
}

/** Opens the form in which it was made. */
export function editButton({ name, framework }: Named): Action {
  return button('Edit', editCommands[framework], { [framework === 'notify' ? 'alert' : 'sync']: name });
}

/** Why rows were refused, a line each. */
export function reasonBlocks(refusals: NonNullable<Failure['refusals']>): readonly Block[] {
  return refusals.map(({ reason, count: times, example }) =>
    times === 1
      ? text('• Row ', code(masked(example)), `: ${masked(reason)}`)
      : text('• ', bold(count(times, 'row')), `: ${masked(reason)} For example row `, code(masked(example))),
  );
}

/** What the same card becomes, and what is said, once it works again. */
export function mendedCard(sync: Named, was: string, since: string, at: string): Card {
  const { name, framework } = sync;
  const done =
    framework === 'notify' ? 'What was held back has been said.' : 'What was held back was delivered.';
  return {
    title: `${name} works again`,
    tone: 'good',
    blocks: [text('Since ', bold(at), `. ${done}`), context(`It had failed since ${since}: ${masked(was)}`)],
    fallback: `${name} works again`,
  };
}
