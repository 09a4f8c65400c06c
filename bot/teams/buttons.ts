import type { Action } from '../../engine/contracts/card.ts';
import type { Invocation, PersonRef } from '../../engine/contracts/refs.ts';
import type { CardAction, Element, Pressed, SubmitAction } from './elements.ts';
import { fitted, LIMITS } from './limits.ts';
import { safeUrl } from './text.ts';

/** What has to be known of commands to draw their buttons. */
export interface Buttons {
  /** True when a press may ask for something: then it opens a dialog, which nothing but such a press can. */
  opensForm(run: Invocation): boolean;
  /** True when not everybody may press it. */
  restricted(run: Invocation): boolean;
  /** Whether this person may. */
  allowed(run: Invocation, person: PersonRef): Promise<boolean>;
}

/** Where a button is: in a message, in one that a single person sees, or in an open dialog. */
export type Place = 'message' | 'own' | 'dialog';

interface Drawing {
  readonly buttons: Pick<Buttons, 'opensForm'>;
  readonly place: Place;
  readonly losses: string[];
}

type Style = 'positive' | 'destructive';

const STYLES: Readonly<Record<'primary' | 'danger', Style>> = {
  primary: 'positive',
  danger: 'destructive',
};

/** Draws buttons, at most six in a row: clients leave out a seventh. */
export function drawActions(actions: readonly Action[], drawing: Drawing): readonly Element[] {
  return sets(actions.flatMap((action) => drawAction(action, drawing)));
}

function sets(actions: readonly CardAction[]): readonly Element[] {
  return Array.from({ length: Math.ceil(actions.length / LIMITS.actions) }, (_, at) => ({
    type: 'ActionSet' as const,
    actions: actions.slice(at * LIMITS.actions, (at + 1) * LIMITS.actions),
  }));
}

function drawAction(action: Action, drawing: Drawing): readonly CardAction[] {
  switch (action.type) {
    case 'button': {
      const style = action.style === undefined ? undefined : STYLES[action.style];
      if (action.confirm === undefined) {
        return [pressable(action.label, action.run, drawing, style)];
      }
      // There is no question of its own in a card: a fold with the question and the real button stands for it.
      const body: readonly Element[] = [
        { type: 'RichTextBlock', inlines: [{ type: 'TextRun', text: action.confirm || 'Are you sure?' }] },
        ...sets([pressable(`Yes: ${action.label}`, action.run, drawing, style)]),
      ];
      return [fold(action.label, body, drawing, style)];
    }
    case 'menu': {
      const options = action.options.map((option) => pressable(option.label, option.run, drawing));
      return options.length === 0 ? [] : [fold(`${action.label} ▾`, sets(options), drawing)];
    }
    case 'link': {
      const url = safeUrl(action.url);
      if (url === undefined) {
        drawing.losses.push(`The link ${action.label} was left out: its address is none for a browser.`);
        return [];
      }
      return [{ type: 'Action.OpenUrl', title: titled(action.label, drawing), url }];
    }
    default:
      return action satisfies never;
  }
}

function fold(label: string, body: readonly Element[], drawing: Drawing, style?: Style): CardAction {
  return {
    type: 'Action.ShowCard',
    title: titled(label, drawing),
    ...(style === undefined ? {} : { style }),
    card: { type: 'AdaptiveCard', body },
  };
}

function pressable(label: string, run: Invocation, drawing: Drawing, style?: Style): CardAction {
  const data: Pressed = drawing.place === 'own' ? { run, own: true } : { run };
  const look = { title: titled(label, drawing), ...(style === undefined ? {} : { style }) };
  if (drawing.place === 'dialog') {
    return { type: 'Action.Submit', ...look, data: { ...data } };
  }
  if (drawing.buttons.opensForm(run)) {
    return { type: 'Action.Submit', ...look, data: { ...data, msteams: { type: 'task/fetch' } } };
  }
  const fallback: SubmitAction = { type: 'Action.Submit', ...look, data: { ...data } };
  return { type: 'Action.Execute', ...look, verb: 'run', data, fallback };
}

function titled(text: string, { losses }: Drawing): string {
  const flat = text.replace(/\s+/g, ' ').trim();
  return fitted(flat === '' ? '…' : flat, LIMITS.button, `The label ${flat.slice(0, 30)}`, losses);
}

/** All that the buttons of a drawn card run. */
export function runsOf(body: readonly Element[]): readonly Invocation[] {
  return body.flatMap((element) => {
    switch (element.type) {
      case 'ActionSet':
        return element.actions.flatMap((action) =>
          action.type === 'Action.ShowCard' ? runsOf(action.card.body) : (runOf(action) ?? []),
        );
      case 'Container':
        return runsOf(element.items);
      default:
        return [];
    }
  });
}

/** A drawn card's body without the buttons that `keep` refuses, and without folds that would be empty. */
export function withButtons(
  body: readonly Element[],
  keep: (run: Invocation) => boolean,
): readonly Element[] {
  return body.flatMap((element): readonly Element[] => {
    if (element.type !== 'ActionSet') {
      return [element];
    }
    const actions = element.actions.flatMap((action): readonly CardAction[] => {
      if (action.type === 'Action.ShowCard') {
        const inner = withButtons(action.card.body, keep);
        return runsOf(inner).length === 0 ? [] : [{ ...action, card: { ...action.card, body: inner } }];
      }
      const run = runOf(action);
      return run === undefined || keep(run) ? [action] : [];
    });
    return actions.length === 0 ? [] : [{ ...element, actions }];
  });
}

function runOf(action: Exclude<CardAction, { type: 'Action.ShowCard' }>): Invocation | undefined {
  return action.type === 'Action.OpenUrl' ? undefined : pressedOf(action.data)?.run;
}

/** What a press carried; undefined for what isn't ours. Comes through a person's client: it is read, not believed. */
export function pressedOf(data: unknown): Pressed | undefined {
  if (typeof data !== 'object' || data === null || !('run' in data)) {
    return undefined;
  }
  const run: unknown = data.run;
  if (typeof run !== 'object' || run === null || !('command' in run) || typeof run.command !== 'string') {
    return undefined;
  }
  const input = rawOf('input' in run ? run.input : undefined);
  const own = 'own' in data && data.own === true;
  return { run: { command: run.command, input }, ...(own ? { own } : {}) };
}

/** The texts of an object, by name; everything else in it is left out. */
export function rawOf(value: unknown): Readonly<Record<string, string>> {
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(
        Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
      )
    : {};
}
