import type { Dispatch, Origin } from '../../engine/contracts/chat.ts';
import type { Db } from '../../engine/contracts/db.ts';
import { drawCard } from './card.ts';
import { Html, html } from './html.ts';
import { botAvatar, chatPage, composer, type Frame, topBar } from './page.ts';
import * as store from './store.ts';
import { drawTimeline, type Scene } from './timeline.ts';

/** Messages of a conversation that a page shows before somebody asks for earlier ones. */
export const PAGE_SIZE = 50;
const MOST_SHOWN = 1000;

export interface Viewing {
  readonly db: Db;
  readonly viewer: store.Person;
  readonly people: readonly store.Person[];
  readonly now: Date;
  readonly password: boolean;
}

export interface Opened {
  readonly conversation: store.Conversation;
  readonly thread: number | undefined;
  /** How many messages to show. */
  readonly show: number;
  /** Where the line before new messages stands; the viewer's last visit when left out. */
  readonly seenUpTo: number | undefined;
}

/** The page of one conversation, with a thread beside it when one is open. */
export async function conversationView(viewing: Viewing, opened: Opened): Promise<string> {
  const { db, viewer } = viewing;
  const { conversation } = opened;
  const show = Math.min(Math.max(opened.show, 1), MOST_SHOWN);
  // One more than shown tells whether there are earlier ones.
  const found = await store.messages(db, viewer.id, conversation.id, show + 1);
  const messages = found.slice(-show);
  const seenUpTo = opened.seenUpTo ?? (await store.readUpTo(db, viewer.id, conversation.id));
  const answers = opened.thread === undefined ? [] : await store.thread(db, viewer.id, opened.thread);
  const scene = { viewer, people: viewing.people, now: viewing.now, seenUpTo };
  const newest = Math.max(0, ...messages.map((one) => one.id), ...answers.map((one) => one.id));
  const earlier =
    found.length > show &&
    html`<li class="earlier"><a class="button" data-nav href="?show=${show + PAGE_SIZE}">Show earlier messages</a></li>`;
  const main = html`<main id="main" data-seen="${seenUpTo}" data-newest="${newest}">${heading(conversation)}
<ol class="timeline" id="timeline" tabindex="-1" aria-label="Messages">${earlier}${found.length <= show && beginning(conversation)}${drawTimeline(messages, scene)}</ol>
${composer(conversation)}</main>`;
  const name = conversation.person === undefined ? `#${conversation.name}` : 'Activate';
  return page(viewing, conversation.id, name, main, drawThread(conversation, answers, scene));
}

function heading(conversation: store.Conversation): Html {
  return conversation.person === undefined
    ? topBar(html`<span class="sign">#</span>${conversation.name}`)
    : topBar(html`${botAvatar}Activate`, 'Only you and the bot');
}

function beginning(conversation: store.Conversation): Html {
  const place =
    conversation.person === undefined ? `#${conversation.name}` : 'your conversation with Activate';
  return html`<li class="beginning"><span class="mark">${botAvatar}</span><h2>The beginning of ${place}</h2>
<p>Type <code>/activate</code> to see what the bot can do, or say something to whoever reads this.</p>
<button type="button" class="button primary" data-prefill="/activate ">Type /activate</button></li>`;
}

function drawThread(
  conversation: store.Conversation,
  answers: readonly store.Stored[],
  scene: Scene,
): Html | undefined {
  const [first] = answers;
  if (first === undefined || first.conversation !== conversation.id) {
    return undefined;
  }
  return html`<aside id="thread" aria-label="Thread"><header class="top"><h1>Thread</h1><a class="icon" href="?" data-nav data-back aria-label="Close the thread">✕</a></header>
<ol class="timeline" id="thread-timeline" tabindex="-1" aria-label="Messages of the thread">${drawTimeline(answers, { viewer: scene.viewer, people: scene.people, now: scene.now, inThread: true })}</ol>
${composer(conversation, first.id)}</aside>`;
}

/** The bot's own page for this person: what the command `home` answers. */
export async function homeView(viewing: Viewing, dispatch: Dispatch, origin: Origin): Promise<string> {
  const reply = await dispatch.run({ command: 'home', input: {} }, origin);
  const drawn =
    reply.kind === 'card'
      ? new Html(drawCard(reply.card, viewing.viewer.id).payload)
      : html`<p>${reply.kind === 'done' ? (reply.note ?? 'Nothing to show yet.') : 'Nothing to show yet.'}</p>`;
  const main = html`<main id="main" class="home">${topBar(html`<span class="sign">⌂</span>Home`, 'What Activate does for you')}
<div class="timeline" id="timeline"><div class="home-card">${drawn}</div></div></main>`;
  return page(viewing, 'home', 'Home', main, undefined);
}

async function page(
  { db, viewer, people, password }: Viewing,
  current: string,
  title: string,
  main: Html,
  thread: Html | undefined,
): Promise<string> {
  const listed = await store.listed(db, viewer.id);
  const frame: Frame = { viewer, people, listed, current, title, main, password };
  return chatPage(thread === undefined ? frame : { ...frame, thread });
}
