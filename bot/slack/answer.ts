import type { View } from '@slack/types';
import type { Card } from '../../engine/contracts/card.ts';
import type { Attachment, Dispatch, Origin, Reply } from '../../engine/contracts/chat.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Form } from '../../engine/contracts/form.ts';
import type { Log } from '../../engine/contracts/log.ts';
import type { Invocation } from '../../engine/contracts/refs.ts';
import { drawCard } from './card.ts';
import { reasonOf } from './errors.ts';
import { filesOf, shareFiles } from './files.ts';
import { cardView, drawForm, noteView, type Place } from './form.ts';
import { LIMITS } from './limits.ts';
import type { Web } from './web.ts';

/** A question as heard, with every way back to who asked it. */
export interface Asked {
  readonly origin: Origin;
  /** What was asked, to ask it again with a button when a dialog can't be opened any more. */
  readonly again: Invocation;
  /** Opens one dialog, within three seconds. */
  readonly trigger?: string;
  readonly responseUrl?: string;
  /** The pressed message is one that only its reader sees. */
  readonly ephemeral?: boolean;
  /** Asked on the Home tab. */
  readonly home?: boolean;
  /** The modal that is open and waits for the answer. */
  readonly view?: string;
}

export interface Answerer {
  give(reply: Reply, asked: Asked): Promise<void>;
  /** Opens a modal; undefined when Slack no longer lets us. */
  openView(asked: Asked, view: View): Promise<string | undefined>;
}

/** Slack's ways of saying that a dialog can't be opened (any more). */
const TRIGGER_GONE = new Set([
  'expired_trigger_id',
  'exchanged_trigger_id',
  'trigger_exchanged',
  'invalid_trigger_id',
]);
/** A modal that was closed meanwhile. */
const VIEW_GONE = new Set(['not_found', 'view_not_found', 'expired_view']);

/** Brings replies to where they belong. Failures end in the log and, where there is still a way, with the person. */
export function createAnswerer(web: Web, dispatch: Dispatch, log: Log): Answerer {
  const parts: Parts = { web, dispatch, log };
  return {
    give: async (reply, asked) => {
      try {
        await give(parts, reply, asked);
      } catch (error) {
        log.error({ error, command: asked.again.command }, 'Answer did not reach Slack');
        await apologize(parts, asked, error);
      }
    },
    openView: (asked, view) => openView(parts, asked, view),
  };
}

interface Parts {
  readonly web: Web;
  readonly dispatch: Dispatch;
  readonly log: Log;
}

async function give(parts: Parts, reply: Reply, asked: Asked): Promise<void> {
  switch (reply.kind) {
    case 'form':
      return giveForm(parts, reply.form, asked);
    case 'done':
      return giveNote(parts, reply.note, asked);
    case 'card':
      await giveCard(parts, reply.card, reply.to, asked);
      return giveFiles(parts, reply.card, reply.files ?? [], reply.to, asked);
    default:
      return reply satisfies never;
  }
}

async function giveForm(parts: Parts, form: Form, asked: Asked): Promise<void> {
  const { payload, losses } = drawForm(form, placeOf(asked));
  if (losses.length > 0) {
    parts.log.warn({ losses, command: form.command }, 'Form did not fit into Slack as it was');
  }
  const shown =
    asked.view === undefined
      ? await openView(parts, asked, payload)
      : await updateView(parts, asked.view, payload);
  if (shown === undefined) {
    // The permission is spent: a press of this button brings a fresh one, and nothing typed is lost.
    await tellCaller(parts, openFormCard(form, asked), asked);
  }
}

function openFormCard(form: Form, asked: Asked): Card {
  const again = { command: form.command, input: { ...asked.again.input, ...form.hidden } };
  return {
    title: '',
    blocks: [
      {
        type: 'text',
        text: [{ type: 'bold', text: [form.title] }, ' is ready. Slack needs a press to open it.'],
      },
      { type: 'actions', actions: [{ type: 'button', label: 'Open form', style: 'primary', run: again }] },
    ],
    fallback: `${form.title} is ready.`,
  };
}

async function giveNote(parts: Parts, note: string | undefined, asked: Asked): Promise<void> {
  if (asked.view !== undefined) {
    const shown = await updateView(parts, asked.view, noteView('Done', note ?? 'Done. You can close this.'));
    if (shown !== undefined) {
      return;
    }
  }
  if (note !== undefined) {
    await tellCaller(parts, { title: '', blocks: [{ type: 'text', text: [note] }], fallback: note }, asked);
  }
}

type Where = Extract<Reply, { kind: 'card' }>['to'];

async function giveCard(parts: Parts, card: Card, to: Where, asked: Asked): Promise<void> {
  switch (to) {
    case 'caller':
      if (asked.home === true) {
        return publishHome(parts, card, asked);
      }
      if (asked.view !== undefined && (await updateView(parts, asked.view, cardView(card))) !== undefined) {
        return;
      }
      return tellCaller(parts, card, asked);
    case 'conversation':
      if (asked.home === true) {
        return publishHome(parts, card, asked);
      }
      await tellEverybody(parts, card, asked);
      return closeWorking(parts, asked);
    case 'pressed':
      await replacePressed(parts, card, asked);
      return closeWorking(parts, asked);
    default:
      return to satisfies never;
  }
}

/** A modal can't be closed from here, so it says that there is no more to do. */
async function closeWorking(parts: Parts, asked: Asked): Promise<void> {
  if (asked.view !== undefined) {
    await updateView(parts, asked.view, noteView('Done', 'Done. You can close this.'));
  }
}

async function publishHome(parts: Parts, card: Card, asked: Asked): Promise<void> {
  const { payload } = drawn(parts, card, LIMITS.viewBlocks);
  await parts.web.call('views.publish', {
    user_id: asked.origin.person.id,
    view: { type: 'home', blocks: payload.blocks },
  });
}

async function tellEverybody(parts: Parts, card: Card, asked: Asked): Promise<void> {
  const { payload } = drawn(parts, card);
  const { conversation } = asked.origin;
  try {
    await parts.web.call('chat.postMessage', {
      channel: conversation.id,
      ...threaded(asked),
      ...payload,
      unfurl_links: false,
      unfurl_media: false,
    });
  } catch (error) {
    // A private channel without the bot: the answer's own address works there too.
    if (!isGone(error) || asked.responseUrl === undefined) {
      throw error;
    }
    await parts.web.respond(asked.responseUrl, { response_type: 'in_channel', ...payload });
  }
}

async function replacePressed(parts: Parts, card: Card, asked: Asked): Promise<void> {
  if (asked.home === true) {
    return publishHome(parts, card, asked);
  }
  const { message } = asked.origin;
  if (message === undefined) {
    return tellCaller(parts, card, asked);
  }
  const { payload } = drawn(parts, card);
  if (asked.ephemeral !== true) {
    try {
      await parts.web.call('chat.update', { channel: message.conversation.id, ts: message.id, ...payload });
      return;
    } catch (error) {
      if (!isGone(error) || asked.responseUrl === undefined) {
        throw error;
      }
    }
  }
  if (asked.responseUrl === undefined) {
    return tellCaller(parts, card, asked);
  }
  await parts.web.respond(asked.responseUrl, { replace_original: true, ...payload });
}

/** Says something to one person: where they asked, or else in their direct messages. */
async function tellCaller(parts: Parts, card: Card, asked: Asked): Promise<void> {
  const { payload } = drawn(parts, card);
  const { conversation, person } = asked.origin;
  const direct = /^[DUW]/.test(conversation.id);
  if (!direct) {
    if (asked.responseUrl !== undefined) {
      try {
        const message = { response_type: 'ephemeral', replace_original: false, ...payload };
        return await parts.web.respond(asked.responseUrl, message);
      } catch (error) {
        parts.log.debug({ error }, 'Response address is used up');
      }
    }
    try {
      const ephemeral = { channel: conversation.id, user: person.id, ...threaded(asked), ...payload };
      await parts.web.call('chat.postEphemeral', ephemeral);
      return;
    } catch (error) {
      if (!isGone(error) && reasonOf(error) !== 'user_not_in_channel') {
        throw error;
      }
    }
  }
  const channel = direct ? conversation.id : person.id;
  await parts.web.call('chat.postMessage', { channel, ...(direct ? threaded(asked) : {}), ...payload });
}

async function giveFiles(
  parts: Parts,
  card: Card,
  given: readonly Attachment[],
  to: Where,
  asked: Asked,
): Promise<void> {
  const files = filesOf({ card, files: given });
  if (files.length === 0) {
    return;
  }
  const { conversation, person } = asked.origin;
  if (to !== 'caller') {
    const thread = conversation.thread ?? asked.origin.message?.id;
    return shareFiles(parts.web, parts.log, files, {
      channel: conversation.id,
      ...(thread === undefined ? {} : { thread }),
    });
  }
  // A file can't be shown to one person in a channel, so it goes to their direct messages.
  const { channel } = await parts.web.call<{ channel: { id: string } }>('conversations.open', {
    users: person.id,
  });
  await shareFiles(parts.web, parts.log, files, { channel: channel.id });
}

async function openView(parts: Parts, asked: Asked, view: View): Promise<string | undefined> {
  if (asked.trigger === undefined) {
    return undefined;
  }
  try {
    const opened = await parts.web.call<{ view: { id: string } }>('views.open', {
      trigger_id: asked.trigger,
      view,
    });
    return opened.view.id;
  } catch (error) {
    if (TRIGGER_GONE.has(reasonOf(error) ?? '')) {
      return undefined;
    }
    throw error;
  }
}

async function updateView(parts: Parts, id: string, view: View): Promise<string | undefined> {
  try {
    await parts.web.call('views.update', { view_id: id, view });
    return id;
  } catch (error) {
    if (VIEW_GONE.has(reasonOf(error) ?? '')) {
      return undefined;
    }
    throw error;
  }
}

async function apologize(parts: Parts, asked: Asked, error: unknown): Promise<void> {
  const known = error instanceof ActivateError ? error : undefined;
  const lines = [known?.message ?? 'The answer could not be shown in Slack.', known?.fix]
    .filter(Boolean)
    .join(' ');
  try {
    await give(
      parts,
      {
        kind: 'card',
        to: 'caller',
        card: { title: '', blocks: [{ type: 'text', text: [`⚠️ ${lines}`] }], fallback: lines },
      },
      asked,
    );
  } catch (second) {
    parts.log.warn({ error: second }, 'Apology did not reach Slack either');
  }
}

function drawn(parts: Parts, card: Card, maxBlocks?: number): ReturnType<typeof drawCard> {
  const rendered = drawCard(card, maxBlocks);
  if (rendered.losses.length > 0) {
    parts.log.warn({ losses: rendered.losses }, 'Card did not fit into Slack as it was');
  }
  return rendered;
}

function placeOf(asked: Asked): Place {
  const { conversation } = asked.origin;
  return {
    channel: conversation.id,
    ...(conversation.thread === undefined ? {} : { thread: conversation.thread }),
    ...(asked.responseUrl === undefined ? {} : { responseUrl: asked.responseUrl }),
  };
}

function threaded(asked: Asked): { readonly thread_ts?: string } {
  const { thread } = asked.origin.conversation;
  return thread === undefined ? {} : { thread_ts: thread };
}

function isGone(error: unknown): boolean {
  return (
    error instanceof ActivateError && (error.code === 'TARGET_GONE' || error.code === 'PERMISSION_DENIED')
  );
}
