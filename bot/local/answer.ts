import type { Origin, Reply } from '../../engine/contracts/chat.ts';
import type { Db } from '../../engine/contracts/db.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Log } from '../../engine/contracts/log.ts';
import { drawForm } from './form.ts';
import type { LocalSender } from './sender.ts';
import * as store from './store.ts';

/** What a page is told after it sent something. Messages come by themselves, as everybody else gets them. */
export interface Answer {
  /** A form to show, as markup. */
  readonly form?: string;
  /** A short line. */
  readonly note?: string;
  /** A page to go to. */
  readonly goto?: string;
}

export interface Answering {
  readonly db: Db;
  readonly log: Log;
  readonly sender: LocalSender;
  readonly now: () => Date;
}

/** Carries out a reply: posts, replaces or hands a form to the page that asked. */
export async function answer(
  reply: Reply,
  origin: Origin,
  { db, log, sender, now }: Answering,
): Promise<Answer> {
  switch (reply.kind) {
    case 'done':
      return reply.note === undefined ? {} : { note: reply.note };
    case 'form': {
      const { payload, losses } = drawForm(reply.form);
      if (losses.length > 0) {
        log.warn({ command: reply.form.command, losses }, 'form drawn with losses');
      }
      return { form: payload };
    }
    case 'card': {
      const message = { card: reply.card, ...(reply.files === undefined ? {} : { files: reply.files }) };
      if (
        reply.to === 'pressed' &&
        origin.message !== undefined &&
        (await replaced(sender, origin, message))
      ) {
        return {};
      }
      const { conversation } = origin;
      const own = conversation.id === store.directId(origin.person.id);
      if (reply.to === 'conversation' || own) {
        await sender.post(conversation, message);
        return {};
      }
      await store.add(db, {
        conversation: conversation.id,
        thread: conversation.thread,
        onlyFor: origin.person.id,
        at: now(),
        content: { card: reply.card, files: reply.files ?? [] },
      });
      return {};
    }
    default:
      return reply satisfies never;
  }
}

/** False when the pressed message went away meanwhile: the reply is then shown beside it. */
async function replaced(
  sender: LocalSender,
  origin: Origin,
  message: Parameters<LocalSender['post']>[1],
): Promise<boolean> {
  if (origin.message === undefined) {
    return false;
  }
  try {
    await sender.update(origin.message, message);
    return true;
  } catch (error) {
    if (error instanceof ActivateError && error.code === 'TARGET_GONE') {
      return false;
    }
    throw error;
  }
}
