import type { Block, Card } from '../../engine/contracts/card.ts';
import type { Attachment, Origin, Reply } from '../../engine/contracts/chat.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Form } from '../../engine/contracts/form.ts';
import type { Log } from '../../engine/contracts/log.ts';
import type { Invocation } from '../../engine/contracts/refs.ts';
import type { InvokeAnswer } from './adapter.ts';
import type { Buttons } from './buttons.ts';
import { drawCard } from './card.ts';
import { type AdaptiveCard, CARD_TYPE } from './elements.ts';
import { isGone } from './errors.ts';
import { cardDialog, type Dialog, drawForm } from './form.ts';
import type { Talk } from './talk.ts';

/** A question as heard. */
export interface Asked {
  readonly origin: Origin;
  /** What was asked, to ask it again with a button that may open a dialog. */
  readonly again: Invocation;
  /** The pressed message is one that only its reader sees. */
  readonly own?: boolean;
}

/** Brings replies to where they belong. Failures end in the log and, where there is still a way, with the person. */
export interface Answerer {
  /** By message, when the HTTP request of the question was answered long ago. */
  byMessage(reply: Reply, asked: Asked): Promise<void>;
  /** To a press on a card that opened no dialog. */
  toPress(reply: Reply, asked: Asked): Promise<InvokeAnswer>;
  /** Into a dialog that is being opened, or that was submitted: then it may close. */
  toDialog(reply: Reply, asked: Asked, state: 'opens' | 'submitted'): Promise<InvokeAnswer>;
}

interface Parts {
  readonly talk: Talk;
  readonly buttons: Buttons;
  readonly log: Log;
}

export function createAnswerer(parts: Parts): Answerer {
  return {
    byMessage: async (reply, asked) => {
      try {
        await byMessage(parts, reply, asked);
      } catch (error) {
        noteLost(parts, asked, error);
        await apologize(parts, asked, error);
      }
    },
    toPress: async (reply, asked) => {
      try {
        return await toPress(parts, reply, asked);
      } catch (error) {
        noteLost(parts, asked, error);
        return pressNote(wordsOf(error));
      }
    },
    toDialog: async (reply, asked, state) => {
      try {
        return await toDialog(parts, reply, asked, state);
      } catch (error) {
        noteLost(parts, asked, error);
        return await noteDialog(parts, 'That did not work', wordsOf(error));
      }
    },
  };
}

function noteLost({ log }: Parts, asked: Asked, error: unknown): void {
  log.error({ error, reason: wordsOf(error), command: asked.again.command }, 'Answer did not reach Teams');
}

async function byMessage(parts: Parts, reply: Reply, asked: Asked): Promise<void> {
  const { origin } = asked;
  switch (reply.kind) {
    case 'form':
      return parts.talk.whisper(origin, openFormCard(reply.form, asked));
    case 'done':
      return reply.note === undefined ? undefined : parts.talk.whisper(origin, sentence(reply.note));
    case 'card':
      return cardByMessage(parts, reply, asked);
    default:
      return reply satisfies never;
  }
}

type CardReply = Extract<Reply, { kind: 'card' }>;

async function cardByMessage(parts: Parts, reply: CardReply, asked: Asked): Promise<void> {
  const { card, files = [] } = reply;
  const { origin } = asked;
  switch (reply.to) {
    case 'caller':
      await parts.talk.whisper(origin, card);
      return offerFiles(parts, origin, files);
    case 'conversation':
      await parts.talk.post(origin.conversation, { card, files });
      return;
    case 'pressed':
      if (origin.message === undefined) {
        await parts.talk.whisper(origin, card);
      } else {
        await parts.talk.update(origin.message, card, asked.own);
      }
      return offerFiles(parts, origin, files);
    default:
      return reply.to satisfies never;
  }
}

async function offerFiles(parts: Parts, origin: Origin, files: readonly Attachment[]): Promise<void> {
  if (files.length > 0) {
    await parts.talk.offerFiles(origin.person, files);
  }
}

/** The form that a typed line asked for. Teams opens a dialog for a press alone, so this is the press. */
function openFormCard(form: Form, asked: Asked): Card {
  const run = { command: form.command, input: { ...asked.again.input, ...form.hidden } };
  const typed = Object.entries(asked.again.input).filter(([name]) => Object.hasOwn(form.fields, name));
  const filled: readonly Block[] =
    typed.length === 0
      ? []
      : [
          {
            type: 'fields',
            items: typed.map(([name, value]) => ({
              label: form.fields[name]?.label ?? name,
              value: [value.length > 200 ? `${value.slice(0, 199)}…` : value],
            })),
          },
        ];
  return {
    title: form.title,
    blocks: [
      { type: 'text', text: ['Press the button to fill in the form.'] },
      ...filled,
      { type: 'actions', actions: [{ type: 'button', label: 'Open form', style: 'primary', run }] },
    ],
    fallback: `${form.title} is ready to be filled in.`,
  };
}

function sentence(text: string): Card {
  return { title: '', blocks: [{ type: 'text', text: [text] }], fallback: text };
}

async function toPress(parts: Parts, reply: Reply, asked: Asked): Promise<InvokeAnswer> {
  if (reply.kind === 'done') {
    return pressNote(reply.note ?? 'Done.');
  }
  const { message, person } = asked.origin;
  if (reply.kind === 'card' && reply.to === 'pressed' && message !== undefined) {
    const card = await parts.talk.update(message, reply.card, asked.own);
    await offerFiles(parts, asked.origin, reply.files ?? []);
    return pressCard(await parts.talk.viewFor(card, person));
  }
  await byMessage(parts, reply, asked);
  if (reply.kind === 'form') {
    return pressNote('Press "Open form" to go on.');
  }
  const alone = reply.to === 'caller' && asked.origin.direct !== true;
  return pressNote(alone ? 'Only you see the answer.' : 'Done: see below.');
}

/** The card in place of the one that was pressed, for who pressed it. */
export function pressCard(card: AdaptiveCard): InvokeAnswer {
  return { status: 200, body: { statusCode: 200, type: CARD_TYPE, value: card } };
}

/** A line under the card that was pressed. */
export function pressNote(text: string): InvokeAnswer {
  return {
    status: 200,
    body: { statusCode: 200, type: 'application/vnd.microsoft.activity.message', value: text },
  };
}

async function toDialog(
  parts: Parts,
  reply: Reply,
  asked: Asked,
  state: 'opens' | 'submitted',
): Promise<InvokeAnswer> {
  switch (reply.kind) {
    case 'form': {
      const { payload, losses } = drawForm(reply.form, parts.buttons);
      if (losses.length > 0) {
        parts.log.warn({ losses, command: reply.form.command }, 'Form did not fit into Teams as it was');
      }
      return dialog(payload);
    }
    case 'done':
      return reply.note === undefined && state === 'submitted'
        ? closed
        : noteDialog(parts, 'Done', reply.note ?? 'Done. You can close this.');
    case 'card':
      return cardToDialog(parts, reply, asked, state);
    default:
      return reply satisfies never;
  }
}

async function cardToDialog(
  parts: Parts,
  reply: CardReply,
  asked: Asked,
  state: 'opens' | 'submitted',
): Promise<InvokeAnswer> {
  const pressed = reply.to === 'pressed' && asked.origin.message !== undefined;
  if (reply.to === 'caller' || (reply.to === 'pressed' && !pressed)) {
    await offerFiles(parts, asked.origin, reply.files ?? []);
    return cardInDialog(parts, reply.card);
  }
  try {
    await cardByMessage(parts, reply, asked);
  } catch (error) {
    if (!isGone(error)) {
      throw error;
    }
    // Action commands can be used in chats that the bot is not in.
    const alone: Block = { type: 'context', text: ['I am not in this chat, so only you see this.'] };
    return cardInDialog(parts, { ...reply.card, blocks: [alone, ...reply.card.blocks] });
  }
  return state === 'submitted' ? closed : noteDialog(parts, 'Done', 'Done. You can close this.');
}

/** What closes a dialog: an answer without a task. */
const closed: InvokeAnswer = { status: 200 };

function dialog(value: Dialog): InvokeAnswer {
  const { card, ...rest } = value;
  const attachment = { contentType: CARD_TYPE, content: card };
  return { status: 200, body: { task: { type: 'continue', value: { ...rest, card: attachment } } } };
}

async function cardInDialog(parts: Parts, card: Card): Promise<InvokeAnswer> {
  return dialog(cardDialog(card.title, await parts.talk.inDialog(card)));
}

function noteDialog(parts: Parts, title: string, note: string): Promise<InvokeAnswer> {
  return cardInDialog(parts, { ...sentence(note), title });
}

/** Tells that the answer takes longer than Teams waits. */
export function lateDialog(): InvokeAnswer {
  const text = 'This takes longer than Teams waits. You can close this: the answer comes as a message.';
  const { payload } = drawCard(sentence(`⏳ ${text}`), {
    buttons: { opensForm: () => false },
    place: 'dialog',
  });
  return dialog(cardDialog('Working…', payload));
}

function wordsOf(error: unknown): string {
  const known = error instanceof ActivateError ? error : undefined;
  return [known?.message ?? 'The answer could not be shown in Teams.', known?.fix].filter(Boolean).join(' ');
}

async function apologize(parts: Parts, asked: Asked, error: unknown): Promise<void> {
  try {
    await parts.talk.whisper(asked.origin, sentence(`⚠️ ${wordsOf(error)}`));
  } catch (second) {
    parts.log.warn({ error: second }, 'Apology did not reach Teams either');
  }
}
