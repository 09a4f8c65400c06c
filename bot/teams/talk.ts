import { randomUUID } from 'node:crypto';
import type { Block, Card } from '../../engine/contracts/card.ts';
import type { Attachment, Message, Origin } from '../../engine/contracts/chat.ts';
import type { Db } from '../../engine/contracts/db.ts';
import { asActivateError } from '../../engine/contracts/errors.ts';
import type { Log } from '../../engine/contracts/log.ts';
import type { ConversationRef, MessageRef, PersonRef, Target } from '../../engine/contracts/refs.ts';
import type { Adapter, Address } from './adapter.ts';
import { type Buttons, type Place, runsOf, withButtons } from './buttons.ts';
import { drawCard, summaryOf } from './card.ts';
import { type AdaptiveCard, CARD_TYPE } from './elements.ts';
import { isGone } from './errors.ts';
import type { Shelf } from './files.ts';
import type { Heard } from './heard.ts';
import { conversation, keepView, meetPerson, person } from './store.ts';
import { BOT_SERVICE, type Web } from './web.ts';

/** What is said by the bot, wherever it is said. */
export interface Talk {
  post(to: Target, message: Message, options?: { readonly mark?: string }): Promise<MessageRef>;
  /** Replaces a message; the card as it is now. `own`: one that a single person sees. */
  update(posted: MessageRef, card: Card, own?: boolean): Promise<AdaptiveCard>;
  /** Says something to one person where they asked, unseen by others, or else in their chat with the bot. */
  whisper(origin: Origin, card: Card): Promise<void>;
  /** Offers files in somebody's chat with the bot. One that fails is said there. */
  offerFiles(to: PersonRef, files: readonly Attachment[]): Promise<void>;
  /** A drawn card with the buttons that this person may press. */
  viewFor(card: AdaptiveCard, viewer: PersonRef): Promise<AdaptiveCard>;
  /** A card as it is shown in a dialog. */
  inDialog(card: Card): Promise<AdaptiveCard>;
  addressOf(to: ConversationRef): Promise<Address>;
}

interface Parts {
  readonly db: Db;
  readonly adapter: Adapter;
  readonly web: Web;
  readonly shelf: Shelf;
  readonly buttons: Buttons;
  readonly serviceUrl: string;
  readonly log: Log;
  readonly now: () => Date;
}

export function createTalk(parts: Parts): Talk {
  return {
    post: (to, message, options) =>
      to.kind === 'person' ? postDirect(parts, to, message, options) : postTo(parts, to, message, options),
    update: async (posted, card, own = false) => {
      const { conversation: place } = posted;
      const drawn = await draw(parts, card, own ? 'own' : 'message', place.id);
      const at = await addressOf(parts, place);
      if (own) {
        await parts.web.call(
          BOT_SERVICE,
          'PUT',
          `${urlOf(at)}/${encodeURIComponent(posted.id)}?isTargetedActivity=true`,
          drawn.activity,
        );
      } else {
        await parts.adapter.update(at, posted.id, drawn.activity);
      }
      return drawn.card;
    },
    whisper: (origin, card) => whisper(parts, origin, card),
    offerFiles: async (to, files) => offerFiles(parts, await directOf(parts, to.id), files),
    viewFor: (card, viewer) => viewFor(parts.buttons, card, viewer),
    inDialog: async (card) => (await draw(parts, card, 'dialog', 'a dialog')).card,
    addressOf: (to) => addressOf(parts, to),
  };
}

interface Drawn {
  readonly card: AdaptiveCard;
  readonly activity: Heard;
}

async function draw(parts: Parts, card: Card, place: Place, target: string, mark?: string): Promise<Drawn> {
  const { buttons, log } = parts;
  const pictures = await parts.shelf.pictures(card);
  const options = { buttons, place, pictures, ...(mark === undefined ? {} : { mark }) };
  const { payload, losses } = drawCard(card, options);
  if (losses.length > 0) {
    log.warn({ losses, target }, 'Message did not fit into Teams as it was');
  }
  const views = place === 'message' && runsOf(payload.body).some((run) => buttons.restricted(run));
  if (!views) {
    return { card: payload, activity: activityOf(card, payload) };
  }
  const view = randomUUID();
  const viewed = drawCard(card, { ...options, view }).payload;
  await keepView(parts.db, view, viewed, parts.now());
  return { card: viewed, activity: activityOf(card, viewed) };
}

function activityOf(card: Card, content: AdaptiveCard): Heard {
  return {
    type: 'message',
    summary: summaryOf(card),
    attachments: [{ contentType: CARD_TYPE, content }],
  };
}

async function viewFor(buttons: Buttons, card: AdaptiveCard, viewer: PersonRef): Promise<AdaptiveCard> {
  const runs = runsOf(card.body).filter((run) => buttons.restricted(run));
  const refused = new Set<string>();
  for (const run of runs) {
    const name = JSON.stringify(run);
    if (!refused.has(name) && !(await buttons.allowed(run, viewer))) {
      refused.add(name);
    }
  }
  return { ...card, body: withButtons(card.body, (run) => !refused.has(JSON.stringify(run))) };
}

async function postTo(
  parts: Parts,
  to: ConversationRef,
  { card, files = [] }: Message,
  options: { readonly mark?: string } = {},
): Promise<MessageRef> {
  const kind = await kindOf(parts, to);
  const personal = kind === 'personal';
  const links = personal ? [] : await parts.shelf.links(files);
  const { activity } = await draw(parts, withLinks(card, links), 'message', to.id, options.mark);
  const at = await addressOf(parts, to);
  const begins = kind === 'channel' && to.thread === undefined;
  const id = begins
    ? await parts.adapter.begin(at.serviceUrl, to.id, activity)
    : await parts.adapter.send(at, activity);
  if (personal) {
    await offerFiles(parts, at, files);
  }
  const thread = to.thread === undefined ? {} : { thread: to.thread };
  return { conversation: { kind: 'conversation', platform: 'teams', id: to.id, ...thread }, id };
}

async function postDirect(
  parts: Parts,
  to: PersonRef,
  { card, files = [] }: Message,
  options: { readonly mark?: string } = {},
): Promise<MessageRef> {
  const at = await directOf(parts, to.id);
  const { activity } = await draw(parts, card, 'message', to.id, options.mark);
  const id = await parts.adapter.send(at, activity);
  await offerFiles(parts, at, files);
  return { conversation: { kind: 'conversation', platform: 'teams', id: at.conversation }, id };
}

/** Links go before the buttons, where a reader looks for them. */
function withLinks(card: Card, links: readonly Block[]): Card {
  if (links.length === 0) {
    return card;
  }
  const at = card.blocks.findIndex((block) => block.type === 'actions');
  const before = at === -1 ? card.blocks : card.blocks.slice(0, at);
  return { ...card, blocks: [...before, ...links, ...(at === -1 ? [] : card.blocks.slice(at))] };
}

/** Somebody's personal chat with the bot, made when there is none yet. */
async function directOf(parts: Parts, id: string): Promise<Address> {
  const known = await person(parts.db, id);
  const serviceUrl = known?.serviceUrl ?? parts.serviceUrl;
  if (known?.conversationId != null) {
    return { serviceUrl, conversation: known.conversationId };
  }
  const opened = await parts.adapter.open(serviceUrl, known?.teamsId ?? id);
  await meetPerson(parts.db, { id, serviceUrl, conversationId: opened }, parts.now());
  return { serviceUrl, conversation: opened };
}

async function addressOf(parts: Parts, to: ConversationRef): Promise<Address> {
  const known = await conversation(parts.db, to.id);
  const thread = to.thread === undefined ? '' : `;messageid=${to.thread}`;
  return { serviceUrl: known?.serviceUrl ?? parts.serviceUrl, conversation: `${to.id}${thread}` };
}

async function kindOf(parts: Parts, to: ConversationRef): Promise<'channel' | 'group' | 'personal'> {
  const known = await conversation(parts.db, to.id);
  if (known !== undefined) {
    return known.kind;
  }
  if (/@thread\.(tacv2|skype)$/.test(to.id)) {
    return 'channel';
  }
  return to.id.startsWith('a:') ? 'personal' : 'group';
}

function urlOf(at: Address): string {
  const base = at.serviceUrl.replace(/\/*$/, '/');
  return `${base}v3/conversations/${encodeURIComponent(at.conversation)}/activities`;
}

/** The SDK knows nothing of messages for one reader, so this one call is made without it. */
async function whisper(parts: Parts, origin: Origin, card: Card): Promise<void> {
  const { conversation: place, person: reader } = origin;
  const kind = await kindOf(parts, place);
  if (kind === 'personal') {
    await postTo(parts, place, { card });
    return;
  }
  const known = await person(parts.db, reader.id);
  const { activity } = await draw(parts, card, 'own', place.id);
  try {
    const recipient = { id: known?.teamsId ?? reader.id, name: known?.name ?? '' };
    const url = `${urlOf(await addressOf(parts, place))}?isTargetedActivity=true`;
    await parts.web.call(BOT_SERVICE, 'POST', url, { ...activity, recipient });
  } catch (error) {
    const { code } = asActivateError(error);
    if (!isGone(error) && code !== 'BUG') {
      throw error;
    }
    // Old clients, and chats that the bot isn't in: the person's own chat with it is always there.
    parts.log.debug({ error }, 'Teams takes no message for one reader here');
    await postDirect(parts, reader, { card });
  }
}

async function offerFiles(parts: Parts, at: Address, files: readonly Attachment[]): Promise<void> {
  for (const file of files) {
    try {
      await parts.adapter.send(at, await parts.shelf.offer(file));
    } catch (error) {
      // The message it belongs to is posted already, so a file that fails is no reason to post again.
      parts.log.warn({ error, file: file.name }, 'File could not be offered');
      await sayMissing(parts, at, file.name, asActivateError(error).message);
    }
  }
}

async function sayMissing(parts: Parts, at: Address, name: string, why: string): Promise<void> {
  const text = `The file ${name} could not be offered. ${why}`;
  const card: Card = { title: '', blocks: [{ type: 'context', text: [text] }], fallback: text };
  try {
    await parts.adapter.send(at, (await draw(parts, card, 'message', at.conversation)).activity);
  } catch (error) {
    parts.log.warn({ error, conversation: at.conversation }, 'Missing file could not be mentioned');
  }
}
