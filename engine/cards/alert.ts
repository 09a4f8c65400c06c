import type { Action, Block, Card, Inline, Rich, Tone } from '../contracts/card.ts';
import { plain } from '../contracts/card.ts';
import type { Reaction } from '../store/reactions.ts';
import { actions, bold, button, context, moment, shorten } from './build.ts';

/** Why a card is shown, in a person's words. */
export const reasons = {
  added: 'new row',
  changed: 'row changed',
  removed: 'row gone',
  fired: 'line crossed',
  recovered: 'back to normal',
  digest: 'digest',
} as const;
export type Why = keyof typeof reasons;

const tones: Readonly<Record<Why, Tone>> = {
  added: 'neutral',
  changed: 'neutral',
  removed: 'neutral',
  fired: 'warning',
  recovered: 'good',
  digest: 'neutral',
};

/** The card of one row as it is kept: what is said and why, without answers and buttons. */
export function alertCard(message: {
  readonly title: Rich;
  readonly text: Rich;
  readonly tags: readonly Inline[];
  readonly alert: string;
  readonly key: string;
  readonly why: Why;
}): Card {
  const title = shorten(plain(message.title).replaceAll(/\s+/g, ' ').trim(), 150);
  const tagged: Rich = message.tags.flatMap((tag) => [tag, ' ']);
  return {
    title,
    tone: tones[message.why],
    blocks: [
      { type: 'text', text: [...tagged, ...message.text] },
      context(`${reasons[message.why]} · ${shorten(message.key, 80)} · alert `, bold(message.alert)),
    ],
    fallback: shorten(`${title}: ${plain(message.text).replaceAll(/\s+/g, ' ')}`, 300),
  };
}

/** The card as it is posted: with the answers given so far, and the buttons that still make sense. */
export function withAnswers(
  card: Card,
  state: {
    readonly delivery: string;
    readonly alert: string;
    readonly reactions: readonly Reaction[];
    readonly closed: boolean;
    readonly timeZone: string;
  },
): Card {
  const answers: Block[] = state.reactions.map((reaction) => context(...answer(reaction, state.timeZone)));
  const has = (kind: Reaction['answer']): boolean =>
    state.reactions.some((reaction) => reaction.answer === kind);
  const input = { card: state.delivery };
  const snooze: Action = {
    type: 'menu',
    label: 'Snooze',
    options: [
      { label: 'for 1 hour', run: { command: 'snooze', input: { ...input, for: '1h' } } },
      { label: 'for 1 day', run: { command: 'snooze', input: { ...input, for: '1d' } } },
      { label: 'for 1 week', run: { command: 'snooze', input: { ...input, for: '1w' } } },
    ],
  };
  const open = state.closed
    ? []
    : [
        has('claim')
          ? button('Release', 'release', input)
          : button('Claim', 'claim', input, { style: 'primary' }),
        ...(has('snooze') ? [] : [snooze]),
        ...(has('not a fit') ? [] : [button('Not a fit', 'not-a-fit', input)]),
      ];
  const always = [
    button('Details', 'details', input),
    button(
      'Mute alert',
      'mute',
      { name: state.alert },
      { confirm: `Keep "${state.alert}" quiet for a day?` },
    ),
  ];
  return { ...card, blocks: [...card.blocks, ...answers, actions(...open, ...always)] };
}

function answer(reaction: Reaction, timeZone: string): readonly Inline[] {
  const when = ` · ${moment(reaction.at, timeZone)}`;
  switch (reaction.answer) {
    case 'claim':
      return ['✋ Claimed by ', bold(reaction.person), when];
    case 'snooze':
      return ['💤 Snoozed by ', bold(reaction.person), until(reaction, timeZone), when];
    case 'not a fit':
      return ['🚫 Not a fit, says ', bold(reaction.person), until(reaction, timeZone), when];
    default:
      return reaction.answer satisfies never;
  }
}

function until(reaction: Reaction, timeZone: string): string {
  return reaction.until === null ? '' : ` until ${moment(reaction.until, timeZone)}`;
}

/** The live card after its row has left, or its number has come back. */
export function closed(card: Card, why: 'removed' | 'recovered', at: Date, timeZone: string): Card {
  const word = why === 'removed' ? 'Closed: the row is gone' : 'Back to normal';
  return {
    ...card,
    tone: why === 'removed' ? 'neutral' : 'good',
    blocks: [...card.blocks, context('✓ ', bold(word), ` · ${moment(at, timeZone)}`)],
  };
}
