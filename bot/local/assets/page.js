import { bringToLife } from './composer.js';
import { confirmed, openForm, prepare } from './dialog.js';
import { Idiomorph } from './idiomorph.js';
import { busy, send, toast } from './talk.js';

const app = () => document.getElementById('app');
const current = () => app().dataset.current;

/** Where the line before new messages stands while this conversation is open. */
let seen;
let refreshing;
let again = false;

/** Fetches a page of ours and morphs what differs into this one. Boxes being typed into stay as they are. */
async function load(url, arriving) {
  const headers = !arriving && seen !== undefined ? { 'X-Seen': seen } : {};
  const response = await fetch(url, { headers });
  if (response.redirected && new URL(response.url).pathname === '/login') {
    location.assign('/login');
    return;
  }
  const page = new DOMParser().parseFromString(await response.text(), 'text/html');
  const next = page.getElementById('app');
  if (next === null) {
    location.assign(url);
    return;
  }
  // A box of another conversation is not morphed into this one's: it goes, with everything that hangs on it.
  for (const form of document.querySelectorAll('form.composer')) {
    if (page.getElementById(form.id) === null) {
      form.remove();
    }
  }
  const lists = [...document.querySelectorAll('ol.timeline')];
  const below = new Set(lists.filter(atEnd).map(({ id }) => id));
  const known = newestShown();
  document.title = page.title;
  Idiomorph.morph(app(), next, {
    morphStyle: 'outerHTML',
    // Of an active link the inside would stay too, with its mark for what is unread.
    ignoreActiveValue: document.activeElement?.matches('input, textarea'),
    callbacks: {
      beforeNodeMorphed: (node, to) => !(node.dataset?.keep !== undefined && node.id === to.id),
      // What somebody opened or waits for is not in the fetched page.
      beforeAttributeUpdated: (name, node) =>
        !(name === 'open' && node.matches('details')) && name !== 'data-busy' && name !== 'aria-busy',
    },
  });
  settle(arriving, below, known);
}

function settle(arriving, below, known) {
  for (const form of document.querySelectorAll('form.composer')) {
    bringToLife(form, current(), (answer, thread) => show(answer, { conversation: current(), thread }));
  }
  for (const list of document.querySelectorAll('ol.timeline')) {
    if (arriving || below.has(list.id)) {
      list.scrollTop = list.scrollHeight;
    }
  }
  if (arriving) {
    seen = document.getElementById('main').dataset.seen;
    document.getElementById('new-mark')?.scrollIntoView({ block: 'center' });
    document.body.classList.remove('menu-open');
  } else {
    speak(known);
  }
  markRead();
}

function atEnd(list) {
  return list.scrollHeight - list.scrollTop - list.clientHeight < 80;
}

/** A list that shows its end goes on showing it when the window, or a keyboard in it, leaves it less room. */
function keepEnds() {
  const away = new WeakSet();
  const moved = ({ target }) => {
    if (target.matches?.('ol.timeline')) {
      away[atEnd(target) ? 'delete' : 'add'](target);
    }
  };
  document.addEventListener('scroll', moved, { capture: true, passive: true });
  window.addEventListener('resize', () => {
    for (const list of document.querySelectorAll('ol.timeline')) {
      if (!away.has(list)) {
        list.scrollTop = list.scrollHeight;
      }
    }
  });
}

function newestShown() {
  return Number(document.getElementById('main')?.dataset.newest ?? 0);
}

/** Screen readers hear what came in, once. */
function speak(known) {
  const fresh = [...document.querySelectorAll('[data-spoken]')].filter(
    (one) => Number(one.dataset.message) > known,
  );
  const spoken = document.getElementById('spoken');
  if (fresh.length > 0 && spoken !== null) {
    spoken.textContent = fresh.map((one) => one.dataset.spoken).join('. ');
  }
}

let readUpTo = '';

function markRead() {
  const { newest } = document.getElementById('main').dataset;
  const now = `${current()} ${newest}`;
  if (newest !== undefined && !document.hidden && now !== readUpTo) {
    readUpTo = now;
    void send('/read', { conversation: current(), upTo: newest });
  }
}

/** Brings the page up to date; calls meanwhile are one more time, not many. */
function refresh() {
  if (refreshing !== undefined) {
    again = true;
    return;
  }
  refreshing = load(location.href, false)
    .catch(() => undefined) // The stream says when the bot is back, and then it is tried again.
    .then(() => {
      refreshing = undefined;
      if (again) {
        again = false;
        refresh();
      }
    });
}

async function go(url, replace = false) {
  const target = new URL(url, location.href);
  const sameConversation = target.pathname === location.pathname;
  history[replace ? 'replaceState' : 'pushState'](null, '', target);
  try {
    await load(target, !sameConversation);
  } catch {
    location.assign(target);
    return;
  }
  if (target.searchParams.has('thread')) {
    document.getElementById('composer-thread')?.focus();
    const list = document.getElementById('thread-timeline');
    list?.scrollTo(0, list.scrollHeight);
  } else if (!matchMedia('(pointer: coarse)').matches) {
    document.getElementById('composer')?.focus();
  }
}

/** What an answer asks this page to do; messages come over the stream. */
function show(answer, place) {
  if (answer.form !== undefined) {
    openForm(answer.form, place, (last) => show(last, place));
  }
  if (answer.note !== undefined) {
    toast(answer.note);
  }
  if (answer.goto !== undefined) {
    void go(answer.goto);
  } else if (current() === 'home') {
    refresh();
  }
}

async function press(button) {
  const { command, input } = JSON.parse(button.dataset.run);
  const question = button.dataset.confirm;
  const style = button.classList.contains('danger') ? 'danger' : '';
  if (question !== undefined && !(await confirmed(question, button.textContent, style))) {
    return;
  }
  const menu = button.closest('details.menu');
  const place = {
    conversation: current(),
    message: button.closest('[data-message]')?.dataset.message ?? '',
  };
  const shown = menu ?? button;
  menu?.removeAttribute('open');
  const run = { ...place, command, input: JSON.stringify(input) };
  const answer = await busy(shown, () => send('/run', run));
  if (answer !== undefined) {
    show(answer, place);
  }
}

function clicked(event) {
  const target = event.target.closest('a[data-nav], [data-run], [data-dismiss], [data-menu], [data-prefill]');
  for (const open of document.querySelectorAll('details.menu[open]')) {
    if (!open.contains(event.target)) {
      open.removeAttribute('open');
    }
  }
  if (target === null || event.ctrlKey || event.metaKey || event.shiftKey) {
    return;
  }
  const { run, dismiss, menu, prefill } = target.dataset;
  if (target.matches('a[data-nav]')) {
    event.preventDefault();
    void go(target.href);
  } else if (run !== undefined) {
    void press(target);
  } else if (dismiss !== undefined) {
    void busy(target, () => send('/dismiss', { message: dismiss }));
  } else if (menu !== undefined) {
    document.body.classList.toggle('menu-open');
  } else if (prefill !== undefined) {
    const area = document.getElementById('composer');
    area.value = prefill;
    area.focus();
    area.dispatchEvent(new Event('input'));
  }
}

/** Menus move by arrows and close by Escape; `/` goes to the message box. */
function keyed(event) {
  const menu = event.target.closest?.('details.menu[open]');
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (menu && step !== undefined) {
    event.preventDefault();
    const items = [...menu.querySelectorAll('.menu-items button')];
    const at = items.indexOf(document.activeElement);
    items[(at === -1 && step === -1 ? items.length - 1 : at + step + items.length) % items.length]?.focus();
  } else if (event.key === 'Escape') {
    escaped(menu);
  } else if (
    event.key === '/' &&
    !event.target.matches('input, textarea, select') &&
    !document.querySelector('dialog[open]')
  ) {
    event.preventDefault();
    const area = document.getElementById('composer');
    area.focus();
    area.value = area.value === '' ? '/' : area.value;
    area.dispatchEvent(new Event('input'));
  }
}

function escaped(menu) {
  if (menu) {
    menu.removeAttribute('open');
    menu.querySelector('summary').focus();
  } else if (document.body.classList.contains('menu-open')) {
    document.body.classList.remove('menu-open');
  } else if (document.querySelector('dialog[open]') === null && document.getElementById('thread') !== null) {
    void go(location.pathname);
  }
}

function start() {
  document.addEventListener('click', clicked);
  document.addEventListener('keydown', (event) => !event.defaultPrevented && keyed(event));
  document.addEventListener('visibilitychange', () => !document.hidden && refresh());
  window.addEventListener('popstate', () => load(location.href, true));
  keepEnds();
  settle(true, new Set(), 0);
  if (!matchMedia('(pointer: coarse)').matches) {
    document.getElementById(location.search.includes('thread=') ? 'composer-thread' : 'composer')?.focus();
  }
  const events = new EventSource('/events');
  let greeted = false;
  // Nobody knows what was missed after a lost connection, or between the page and its first one.
  events.addEventListener('hello', () => {
    document.body.classList.remove('offline');
    if (greeted) {
      refresh();
    } else {
      refreshUnlessHome();
    }
    greeted = true;
  });
  events.addEventListener('changed', refreshUnlessHome);
  events.addEventListener('error', () => document.body.classList.add('offline'));
  window.addEventListener('pagehide', () => events.close());
}

/** Home is asked anew only when it is opened or used: its command runs each time. */
function refreshUnlessHome() {
  if (current() !== 'home') {
    refresh();
  }
}

if (app() !== null) {
  start();
}
for (const form of document.querySelectorAll('[data-alone] form.form')) {
  form.querySelector('[data-close]').remove();
  prepare(form, `${location.pathname}/options`, () => ({}));
  (
    form.querySelector('[aria-invalid=true]') ?? form.querySelector('.form-body input:not([type=hidden])')
  )?.focus();
}
