import { drawCard, mentionsOf } from './card.ts';
import { Html, html, safeUrl } from './html.ts';
import { avatar, botAvatar } from './page.ts';
import type { FileInfo, Person, Stored } from './store.ts';

export interface Scene {
  readonly viewer: Person;
  readonly people: readonly Person[];
  readonly now: Date;
  /** The newest message that the viewer had seen: a line marks what came after it. */
  readonly seenUpTo?: number;
  /** Set inside a thread's own panel, where no message offers to open it. */
  readonly inThread?: boolean;
}

const groupedWithinMs = 5 * 60_000;

/** Draws messages as list items, with a line between days and one before the first unseen message. */
export function drawTimeline(messages: readonly Stored[], scene: Scene): Html {
  const drawn: Html[] = [];
  let previous: Stored | undefined;
  let marked = scene.seenUpTo === undefined;
  for (const message of messages) {
    const day = dayOf(message.postedAt, scene);
    const newDay = previous === undefined || dayOf(previous.postedAt, scene) !== day;
    if (newDay && scene.inThread !== true) {
      drawn.push(html`<li class="day" id="day-${message.id}"><span>${day}</span></li>`);
    }
    const unseen = !marked && message.id > (scene.seenUpTo ?? 0) && authorOf(message) !== scene.viewer.id;
    if (unseen && previous !== undefined) {
      drawn.push(html`<li class="new" id="new-mark"><span>New</span></li>`);
    }
    marked ||= unseen;
    drawn.push(drawMessage(message, scene, !newDay && !unseen && follows(message, previous)));
    previous = message;
  }
  return html`${drawn}`;
}

function authorOf(message: Stored): string {
  return message.from === 'bot' ? '' : message.author;
}

function follows(message: Stored, previous: Stored | undefined): boolean {
  return (
    previous !== undefined &&
    authorOf(message) === authorOf(previous) &&
    message.onlyFor === previous.onlyFor &&
    previous.replies === 0 &&
    message.postedAt.getTime() - previous.postedAt.getTime() < groupedWithinMs
  );
}

function drawMessage(message: Stored, scene: Scene, grouped: boolean): Html {
  const { viewer } = scene;
  const author = scene.people.find((person) => person.id === authorOf(message));
  const name = message.from === 'bot' ? 'Activate' : (author?.name ?? 'Somebody who left');
  const forViewer = message.from === 'bot' && mentionsOf(message.card).includes(viewer.id);
  const kind = [grouped && 'grouped', message.onlyFor !== undefined && 'private', forViewer && 'mentioned'];
  const spoken = message.from === 'bot' ? message.card.fallback : message.body;
  return html`<li class="message ${kind.filter(Boolean).join(' ')}" id="${scene.inThread === true ? 'answer' : 'message'}-${message.id}" data-message="${message.id}" data-spoken="${name}: ${spoken}">
${message.from === 'bot' ? botAvatar : avatar(message.author, name)}
<div class="message-main"><header><b>${name}</b>${message.from === 'bot' && html`<span class="badge">bot</span>`}${clock(message.postedAt, scene)}${
    message.changedAt !== undefined &&
    html`<span class="edited">updated ${clock(message.changedAt, scene)}</span>`
  }</header>
${message.onlyFor !== undefined && html`<p class="only">Only visible to you <button type="button" class="link" data-dismiss="${message.id}">Dismiss</button></p>`}
${message.from === 'bot' ? new Html(drawCard(message.card, viewer.id).payload) : html`<p class="said">${linked(message.body)}</p>`}
${message.files.map(drawFile)}
${scene.inThread !== true && message.replies > 0 && drawReplies(message, scene)}</div>
${
  scene.inThread !== true &&
  message.onlyFor === undefined &&
  html`<div class="message-tools"><a href="?thread=${message.id}" data-nav>Reply in thread</a></div>`
}</li>\n`;
}

function drawReplies(message: Stored, scene: Scene): Html {
  const count = `${message.replies} ${message.replies === 1 ? 'reply' : 'replies'}`;
  return html`<a class="replies" href="?thread=${message.id}" data-nav>${count}${
    message.lastReplyAt !== undefined && html` <small>last at ${clock(message.lastReplyAt, scene)}</small>`
  }</a>`;
}

function drawFile(file: FileInfo): Html {
  const url = `/files/${file.id}`;
  if (file.type === 'image/png') {
    return html`<a class="picture" href="${url}" target="_blank" rel="noopener"><img src="${url}" alt="${file.name}"></a>`;
  }
  return html`<a class="file" href="${url}" download><span class="file-kind" aria-hidden="true">${extension(file.name)}</span><span><b>${file.name}</b><small>${size(file.size)}</small></span></a>`;
}

function extension(name: string): string {
  return (/\.([a-z0-9]{1,4})$/i.exec(name)?.[1] ?? 'file').toUpperCase();
}

function size(bytes: number): string {
  if (bytes < 1000) {
    return `${bytes} bytes`;
  }
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** Addresses in what a person wrote become links; all else stays text. */
function linked(text: string): readonly Html[] {
  return text.split(/(https?:\/\/[^\s<>"]+[^\s<>".,:;!?)\]])/).map((part, at) => {
    const url = at % 2 === 1 ? safeUrl(part) : undefined;
    return url === undefined
      ? html`${part}`
      : html`<a href="${url}" target="_blank" rel="noopener noreferrer">${part}</a>`;
  });
}

function clock(at: Date, scene: Scene): Html {
  const { timeZone } = scene.viewer;
  const time = at.toLocaleTimeString('en-GB', { timeZone, hour: '2-digit', minute: '2-digit' });
  const full = at.toLocaleString('en-GB', { timeZone, dateStyle: 'full', timeStyle: 'short' });
  return html`<time datetime="${at.toISOString()}" title="${full}">${time}</time>`;
}

function dayOf(at: Date, scene: Scene): string {
  const { timeZone } = scene.viewer;
  const day = (date: Date): string => date.toLocaleDateString('en-CA', { timeZone });
  if (day(at) === day(scene.now)) {
    return 'Today';
  }
  if (day(at) === day(new Date(scene.now.getTime() - 24 * 3600 * 1000))) {
    return 'Yesterday';
  }
  return at.toLocaleDateString('en-GB', {
    timeZone,
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    year: 'numeric',
  });
}
