import { type Html, html } from './html.ts';
import type { Conversation, Listed, Person } from './store.ts';

const bolt = html`<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M13.6 2.5 5 13.4h5.7l-1.3 8.1L18.9 10h-6.2z"/></svg>`;

/** The bot's picture. */
export const botAvatar = html`<span class="avatar bot" aria-hidden="true">${bolt}</span>`;

/** A person's picture: initials on a colour that is always theirs. */
export function avatar(id: string, name: string): Html {
  const words = name.split(/\s+/).filter((word) => word !== '');
  const initials = [words[0], words.length > 1 ? words.at(-1) : undefined].map(
    (word) => [...(word ?? '')][0] ?? '',
  );
  let sum = 0;
  for (const sign of id) {
    sum = (sum * 33 + (sign.codePointAt(0) ?? 0)) % 9973;
  }
  return html`<span class="avatar hue-${sum % 8}" aria-hidden="true">${initials.join('').toUpperCase()}</span>`;
}

/** A whole document around a body. Scripts and styles are files: the content policy allows nothing inline. */
export function shell(title: string, body: Html): string {
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1, interactive-widget=resizes-content">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/style.css">
<script type="module" src="/assets/page.js"></script></head>
<body>${body}
</body></html>`.markup;
}

/** A page with a few plain words: an error, an end, a way back. */
export function plainPage(
  title: string,
  words: readonly string[],
  way?: { href: string; label: string },
): string {
  const body = html`<main class="plain">${botAvatar}<h1>${title}</h1>${words.map((line) => html`<p>${line}</p>`)}${
    way !== undefined && html`<p><a class="button primary" href="${way.href}">${way.label}</a></p>`
  }</main>`;
  return shell(`${title} · Activate`, body);
}

/** The page in front of the chat when it has a password. */
export function loginPage(error?: string): string {
  const body = html`<main class="plain">${botAvatar}<h1>Activate</h1><p>This chat is behind a password.</p>
<form method="post" action="/login" class="login"><div class="field${error !== undefined && ' wrong'}">
<label class="label" for="password">Password</label>
<input type="password" id="password" name="password" autocomplete="current-password" autofocus required${
    error !== undefined && html` aria-invalid="true" aria-describedby="password-error"`
  }>
${error !== undefined && html`<p class="error" id="password-error" role="alert">${error}</p>`}</div>
<button type="submit" class="button primary">Open the chat</button></form></main>`;
  return shell('Log in · Activate', body);
}

/** What every view of the chat shows around its middle. */
export interface Frame {
  readonly viewer: Person;
  readonly people: readonly Person[];
  readonly listed: readonly Listed[];
  /** The open conversation's id, or `home`. */
  readonly current: string;
  readonly title: string;
  readonly main: Html;
  readonly thread?: Html;
  readonly password: boolean;
}

/** Draws the whole chat. The script fetches it again when something changed and morphs what differs. */
export function chatPage(frame: Frame): string {
  const unread = frame.listed.filter((one) => one.id !== frame.current && one.unread > 0);
  const count = unread.reduce((sum, one) => sum + (one.person === undefined ? one.mentions : one.unread), 0);
  const body = html`<div id="app" class="${frame.thread !== undefined && 'with-thread'}" data-viewer="${frame.viewer.id}" data-current="${frame.current}">
<a class="skip" href="#composer">Skip to the message box</a>
${sidebar(frame)}
<button type="button" class="scrim" data-menu aria-label="Close the list of channels" tabindex="-1"></button>
${frame.main}
${frame.thread}
</div>
<div id="toasts" role="status" aria-live="polite"></div>
<div id="spoken" class="unseen" aria-live="polite"></div>`;
  return shell(`${count > 0 ? `(${count}) ` : ''}${frame.title} · Activate`, body);
}

function sidebar(frame: Frame): Html {
  const { viewer, listed, current } = frame;
  const channels = listed.filter((one) => one.person === undefined);
  const direct = listed.filter((one) => one.person !== undefined);
  return html`<nav id="sidebar" aria-label="Conversations">
<header class="brand"><span class="mark">${bolt}</span><b>Activate</b></header>
<div class="sidebar-list">
<a class="entry" href="/home" data-nav${current === 'home' && html` aria-current="page"`}><span class="sign">⌂</span><span class="name">Home</span></a>
<h2>Channels</h2>
${channels.map((one) => entry(one, current, html`<span class="sign">#</span>`, one.name, one.mentions))}
<h2>Direct messages</h2>
${direct.map((one) => entry(one, current, botAvatar, 'Activate', one.unread))}
</div>
${acting(viewer, frame)}</nav>`;
}

function entry(one: Listed, current: string, sign: Html, name: string, badge: number): Html {
  const open = one.id === current;
  const unread = one.unread > 0 && !open;
  return html`<a class="entry${unread && ' unread'}" href="/c/${encodeURIComponent(one.id)}" data-nav${
    open && html` aria-current="page"`
  }>${sign}<span class="name">${name}</span>${
    unread && badge > 0
      ? html`<span class="count">${badge > 99 ? '99+' : badge}<span class="unseen"> for you</span></span>`
      : unread && html`<span class="dot"><span class="unseen">unread</span></span>`
  }</a>`;
}

function acting(viewer: Person, frame: Frame): Html {
  return html`<footer class="acting"><details class="menu up" id="acting"><summary aria-label="Acting as ${viewer.name}. Change">${avatar(viewer.id, viewer.name)}<span class="who"><small>Acting as</small><b>${viewer.name}</b></span></summary>
<form class="menu-items" method="post" action="/act-as">${frame.people.map(
    (person) =>
      html`<button type="submit" name="person" value="${person.id}"${person.id === viewer.id && html` aria-current="true"`}>${avatar(person.id, person.name)}<span class="who"><b>${person.name}</b><small>${person.title ?? person.email}</small></span></button>`,
  )}${frame.password && html`<button type="submit" formaction="/logout" class="quiet">Log out</button>`}</form></details></footer>`;
}

/** The bar above a view. */
export function topBar(title: Html, note?: string): Html {
  return html`<header class="top"><button type="button" class="icon only-phone" data-menu aria-label="Open the list of channels">☰</button><h1>${title}</h1>${
    note !== undefined && html`<p>${note}</p>`
  }</header>`;
}

/** Where people type. Kept as it stands while the page around it changes. */
export function composer(conversation: Conversation, thread?: number): Html {
  const id = thread === undefined ? 'composer' : 'composer-thread';
  const place = conversation.person === undefined ? `#${conversation.name}` : 'Activate';
  const label = thread === undefined ? `Message ${place} (/ for commands)` : 'Reply in the thread';
  return html`<form class="composer" id="${id}-${conversation.id}-${thread ?? ''}" data-keep method="post" action="/c/${encodeURIComponent(conversation.id)}/messages">
${thread !== undefined && html`<input type="hidden" name="thread" value="${thread}">`}
<div class="completion" role="listbox" id="${id}-options" aria-label="Commands" hidden></div>
<p class="working" hidden><span class="spinner" aria-hidden="true"></span>Activate is working…</p>
<div class="composer-box"><textarea id="${id}" name="text" rows="1" maxlength="20000" placeholder="${label}" aria-label="${label}" role="combobox" aria-autocomplete="list" aria-expanded="false" aria-controls="${id}-options"></textarea>
<button type="submit" class="send" aria-label="Send"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 12 20 4l-4.5 16-4-6.5z"/></svg></button></div>
</form>`;
}
