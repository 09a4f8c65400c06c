import type { Card } from '../../engine/contracts/card.ts';
import type { Attachment, Dispatch, Origin, Reply } from '../../engine/contracts/chat.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Form } from '../../engine/contracts/form.ts';
import type { Invocation } from '../../engine/contracts/refs.ts';
import { mentionedIn } from './card.ts';
import { isClosed, isTriggerGone, refusalOf } from './errors.ts';
import type { Features } from './features.ts';
import { filesOf } from './files.ts';
import { type Carried, type Dialog, drawForm, type Place } from './form.ts';
import { choicesFor } from './lookups.ts';
import { type Desk, drawFor, editCard, type Posted, type Posting, postCard, type Spot } from './post.ts';
import type { CommandAnswer } from './web.ts';

/** A question as heard, with every way back to who asked it. */
export interface Asked {
  readonly origin: Origin;
  /** What was asked, to ask it again with a button when a dialog can't be opened. */
  readonly again: Invocation;
  readonly place: Place;
  /** Opens one dialog, for three seconds on older servers. */
  readonly trigger?: string;
  /** The dialog that was submitted and is still open. */
  readonly dialog?: Carried;
  /** What the answer to the server's call can carry; `none` once it was given, or when there is no call. */
  readonly via: 'command' | 'action' | 'dialog' | 'none';
}

/** What is given back with the server's call. */
export type Body = Readonly<Record<string, unknown>>;

export interface Answerer {
  /** Brings a reply to where it belongs; what is left of it goes back with the call. Never throws. */
  give(reply: Reply, asked: Asked): Promise<Body>;
  /** Opens a dialog; false when the server no longer lets us. */
  open(asked: Asked, dialog: Dialog): Promise<boolean>;
  /** Says something to one person. */
  tell(card: Card, asked: Asked): Promise<Body>;
}

interface Parts extends Desk {
  readonly dispatch: Dispatch;
  readonly features: () => Features;
  /** Learned from the first refusal: only bots with a right of their own may whisper. */
  whispers: boolean;
}

export function createAnswerer(
  desk: Desk & { readonly dispatch: Dispatch; readonly features: () => Features },
): Answerer {
  const parts: Parts = { ...desk, whispers: true };
  return {
    give: async (reply, asked) => {
      try {
        return await give(parts, reply, asked);
      } catch (error) {
        parts.log.error({ error, command: asked.again.command }, 'Answer did not reach Mattermost');
        return apologize(parts, asked, error);
      }
    },
    open: (asked, dialog) => openDialog(parts, asked, dialog),
    tell: (card, asked) => tellCaller(parts, card, asked),
  };
}

async function give(parts: Parts, reply: Reply, asked: Asked): Promise<Body> {
  switch (reply.kind) {
    case 'form':
      return giveForm(parts, reply.form, asked);
    case 'done':
      return reply.note === undefined ? {} : tellCaller(parts, noteCard(reply.note), asked);
    case 'card':
      return giveCard(parts, reply, asked);
    default:
      return reply satisfies never;
  }
}

async function giveForm(parts: Parts, form: Form, asked: Asked): Promise<Body> {
  const errors = stayingErrors(form, asked.dialog);
  if (errors !== undefined) {
    return errors;
  }
  if (asked.via === 'dialog' && !parts.features().steps) {
    // The dialog that was submitted closes; a press opens the one that follows it.
    return tellCaller(parts, nextCard(form), asked);
  }
  const dialog = await drawDialog(parts, form, asked);
  if (asked.via === 'dialog') {
    return { type: 'form', form: dialog };
  }
  if (await openDialog(parts, asked, dialog)) {
    return {};
  }
  // The permission is spent, or there was none: a press of this button brings a fresh one, and nothing typed is lost.
  return tellCaller(parts, openFormCard(form, asked), asked);
}

/** The errors of the dialog that is open, when it is the same one that has to be filled in again. */
function stayingErrors(form: Form, shown: Carried | undefined): Body | undefined {
  const wrong = Object.entries(form.errors);
  const same =
    shown !== undefined &&
    shown.command === form.command &&
    shown.hidden['step'] === form.hidden['step'] &&
    shown.fields.join() === Object.keys(form.fields).join();
  const inPlace = wrong.every(([name]) => name === '' || (shown?.fields.includes(name) ?? false));
  if (!same || wrong.length === 0 || !inPlace) {
    return undefined;
  }
  const { '': whole, ...errors } = form.errors;
  return { ...(whole === undefined ? {} : { error: whole }), errors };
}

async function drawDialog(parts: Parts, form: Form, asked: Asked): Promise<Dialog> {
  const person = asked.origin.person.id;
  const { payload, losses } = drawForm(form, {
    features: parts.features(),
    usernames: await parts.directory.usernames(mentionedIn(form.intro)),
    place: asked.place,
    choices: await choicesFor(parts.dispatch, form, asked.origin, parts.features()),
    seal: (carried) => parts.tokens.dialog(carried, person),
    lookupUrl: (carried) => `${parts.callbackUrl}/lookup?t=${parts.tokens.lookup(carried, person)}`,
    dialogUrl: `${parts.callbackUrl}/dialog`,
  });
  if (losses.length > 0) {
    parts.log.warn({ losses, command: form.command }, 'Form did not fit into Mattermost as it was');
  }
  return payload;
}

function nextCard(form: Form): Card {
  const step = form.step === undefined ? '' : `Step ${form.step.number} of ${form.step.of}: `;
  const back = form.back === undefined ? [] : [{ label: '← Back', input: form.back }];
  return {
    title: '',
    blocks: [
      { type: 'text', text: [step, { type: 'bold', text: [form.title] }] },
      {
        type: 'actions',
        actions: [{ label: 'Next', style: 'primary' as const, input: form.hidden }, ...back].map(
          ({ input, ...button }) => ({ ...button, type: 'button', run: { command: form.command, input } }),
        ),
      },
    ],
    fallback: `${step}${form.title}`,
  };
}

function openFormCard(form: Form, asked: Asked): Card {
  const again = { command: form.command, input: { ...asked.again.input, ...form.hidden } };
  return {
    title: '',
    blocks: [
      {
        type: 'text',
        text: [{ type: 'bold', text: [form.title] }, ' is ready. Mattermost needs a press to open it.'],
      },
      { type: 'actions', actions: [{ type: 'button', label: 'Open form', style: 'primary', run: again }] },
    ],
    fallback: `${form.title} is ready.`,
  };
}

function noteCard(note: string): Card {
  return { title: '', blocks: [{ type: 'text', text: [note] }], fallback: note };
}

async function giveCard(
  parts: Parts,
  { card, to, files }: Extract<Reply, { kind: 'card' }>,
  asked: Asked,
): Promise<Body> {
  switch (to) {
    case 'caller': {
      const body = await tellCaller(parts, card, asked);
      await filesToCaller(parts, filesOf({ card, files: files ?? [] }), asked);
      return body;
    }
    case 'conversation':
      return tellEverybody(parts, card, files ?? [], asked);
    case 'pressed':
      return replacePressed(parts, card, asked);
    default:
      return to satisfies never;
  }
}

/** A file can't be shown to one person in a channel, so it goes to their direct messages. */
async function filesToCaller(parts: Parts, files: readonly Attachment[], asked: Asked): Promise<void> {
  if (files.length > 0) {
    const channel = await parts.directory.directChannel(asked.origin.person.id);
    await postCard(parts, { channel, card: noteCard(files.map(({ name }) => name).join(', ')), files });
  }
}

async function tellEverybody(
  parts: Parts,
  card: Card,
  files: readonly Attachment[],
  asked: Asked,
): Promise<Body> {
  const { channel, thread } = asked.place;
  const posting: Posting = {
    channel,
    card,
    files: filesOf({ card, files }),
    ...(thread === undefined ? {} : { thread }),
  };
  try {
    await postCard(parts, posting);
    return {};
  } catch (error) {
    if (!isClosed(error)) {
      throw error;
    }
    // A private channel without the bot: the command's own answer is seen there too.
    const drawn = await drawFor(parts, card, { channel });
    const answer = { response_type: 'in_channel', ...commandText(drawn) } as const;
    if (asked.via === 'command') {
      return { ...answer };
    }
    if (asked.place.responseUrl === undefined) {
      throw error;
    }
    await parts.web.respond(asked.place.responseUrl, answer);
    return {};
  }
}

async function replacePressed(parts: Parts, card: Card, asked: Asked): Promise<Body> {
  const { pressed } = asked.place;
  if (pressed === undefined || pressed.ephemeral === true) {
    return tellCaller(parts, card, asked);
  }
  try {
    await editCard(parts, card, pressed);
    return {};
  } catch (error) {
    // An answer to a command stands in its caller's name, so that the bot may not edit it.
    if (refusalOf(error)?.status !== 403) {
      throw error;
    }
    return asked.via === 'action' ? updated(parts, card, pressed) : tellCaller(parts, card, asked);
  }
}

/** Has the server change the pressed message, which it does for whoever answers the press. */
async function updated(parts: Parts, card: Card, pressed: Posted): Promise<Body> {
  const drawn = await drawFor(parts, card, { ...pressed, post: pressed.id });
  const before = await parts.web.getPost(pressed.id);
  const props = { ...before.props, attachments: drawn.attachments };
  return { update: { message: drawn.message, props } };
}

function commandText(drawn: Awaited<ReturnType<typeof drawFor>>): Omit<CommandAnswer, 'response_type'> {
  return { text: drawn.message, attachments: drawn.attachments, skip_slack_parsing: true };
}

/** Says something to one person: where they asked, or else in their direct messages. */
async function tellCaller(parts: Parts, card: Card, asked: Asked): Promise<Body> {
  const { channel, thread, responseUrl } = asked.place;
  const reader = asked.origin.person.id;
  const along = { home: asked.place, ephemeral: true };
  const spot: Spot = { channel, reader, along, ...(thread === undefined ? {} : { thread }) };
  if (asked.via === 'command') {
    return { response_type: 'ephemeral', ...commandText(await drawFor(parts, card, spot)) };
  }
  const direct = await parts.directory.directChannel(reader);
  if (channel === direct) {
    await postCard(parts, { channel, card, files: [], ...(thread === undefined ? {} : { thread }) });
    return {};
  }
  const drawn = await drawFor(parts, card, spot);
  if (asked.via === 'action' && drawn.attachments.length === 0) {
    return { ephemeral_text: drawn.message, skip_slack_parsing: true };
  }
  if (responseUrl !== undefined && (await answered(parts, responseUrl, drawn))) {
    return {};
  }
  if (parts.whispers && (await whispered(parts, reader, spot, drawn))) {
    return {};
  }
  await postCard(parts, { channel: direct, card, files: [], along: { home: asked.place } });
  return asked.via === 'action'
    ? { ephemeral_text: 'I wrote to you directly.', skip_slack_parsing: true }
    : {};
}

async function answered(
  parts: Parts,
  responseUrl: string,
  drawn: Awaited<ReturnType<typeof drawFor>>,
): Promise<boolean> {
  try {
    await parts.web.respond(responseUrl, { response_type: 'ephemeral', ...commandText(drawn) });
    return true;
  } catch (error) {
    parts.log.debug({ error }, 'Address for answers is used up');
    return false;
  }
}

/** Shows a post to one person alone, which asks for a right that bots have only when an admin gives it. */
async function whispered(
  parts: Parts,
  reader: string,
  spot: Spot,
  drawn: Awaited<ReturnType<typeof drawFor>>,
): Promise<boolean> {
  try {
    await parts.web.createPostEphemeral(reader, {
      channel_id: spot.channel,
      message: drawn.message,
      props: { attachments: drawn.attachments },
      ...(spot.thread === undefined ? {} : { root_id: spot.thread }),
    });
    return true;
  } catch (error) {
    if (!isClosed(error)) {
      throw error;
    }
    parts.whispers = refusalOf(error)?.status !== 403;
    return false;
  }
}

async function openDialog(parts: Parts, asked: Asked, dialog: Dialog): Promise<boolean> {
  if (asked.trigger === undefined) {
    return false;
  }
  try {
    await parts.web.openDialog(asked.trigger, `${parts.callbackUrl}/dialog`, dialog);
    return true;
  } catch (error) {
    if (isTriggerGone(error)) {
      return false;
    }
    throw error;
  }
}

async function apologize(parts: Parts, asked: Asked, error: unknown): Promise<Body> {
  const known = error instanceof ActivateError ? error : undefined;
  const words = [known?.message ?? 'The answer could not be shown in Mattermost.', known?.fix];
  const line = words.filter(Boolean).join(' ');
  if (asked.via === 'dialog') {
    return { error: line };
  }
  try {
    return await tellCaller(parts, noteCard(`⚠️ ${line}`), asked);
  } catch (second) {
    parts.log.warn({ error: second }, 'Apology did not reach Mattermost either');
    return {};
  }
}
