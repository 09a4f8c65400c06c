import { grow } from './dialog.js';
import { busy, send } from './talk.js';

const sent = [];

/** Brings one message box to life: completion of commands, Enter to send, arrow up for the last line. */
export function bringToLife(form, conversation, done) {
  if (form.dataset.alive !== undefined) {
    return;
  }
  form.dataset.alive = '';
  new Composer(form, conversation, done);
}

class Composer {
  constructor(form, conversation, done) {
    Object.assign(this, { form, conversation, done, options: [], at: 0, asked: 0 });
    this.area = form.querySelector('textarea');
    this.list = form.querySelector('.completion');
    this.working = form.querySelector('.working');
    this.area.value = sessionStorage.getItem(form.id) ?? '';
    this.back = sent.length;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.submit();
    });
    this.area.addEventListener('input', () => this.typed());
    this.area.addEventListener('keydown', (event) => this.key(event));
    this.area.addEventListener('blur', () => this.show(false));
    this.list.addEventListener('pointerdown', (event) => {
      event.preventDefault();
      const row = event.target.closest('[data-at]');
      if (row !== null) {
        this.choose(Number(row.dataset.at));
      }
    });
    grow(this.area);
  }

  set(text) {
    this.area.value = text;
    this.typed();
  }

  typed() {
    sessionStorage.setItem(this.form.id, this.area.value);
    grow(this.area);
    void this.complete();
  }

  async complete() {
    const text = this.area.value;
    this.asked += 1;
    const mine = this.asked;
    const begun = text !== '' && '/activate'.startsWith(text.toLowerCase());
    const command = /^\/activate\s+(\S*)$/i.exec(text);
    if (!begun && command === null) {
      this.show(false);
      return;
    }
    const query = new URLSearchParams({ conversation: this.conversation, line: command?.[1] ?? '' });
    try {
      const response = await fetch(`/complete?${query}`, { headers: { 'X-Requested-By': 'page' } });
      const found = response.ok ? await response.json() : [];
      if (mine === this.asked) {
        this.options = found;
        this.at = 0;
        this.draw();
      }
    } catch {
      // Completion is a comfort: the line can be typed and sent without it.
      this.show(false);
    }
  }

  draw() {
    this.list.replaceChildren(
      ...this.options.map(({ label, hint }, at) => {
        const row = document.createElement('div');
        row.id = `${this.list.id}-${at}`;
        row.dataset.at = String(at);
        row.setAttribute('role', 'option');
        row.setAttribute('aria-selected', String(at === this.at));
        const name = document.createElement('b');
        name.textContent = label;
        row.append(name);
        if (hint !== undefined) {
          const small = document.createElement('small');
          small.textContent = hint;
          row.append(small);
        }
        return row;
      }),
    );
    this.show(this.options.length > 0);
    const row = this.list.children[this.at];
    row?.scrollIntoView({ block: 'nearest' });
    this.area.setAttribute('aria-activedescendant', row?.id ?? '');
  }

  show(open) {
    this.list.hidden = !open;
    this.area.setAttribute('aria-expanded', String(open));
  }

  choose(at) {
    this.area.value = `/activate ${this.options[at].value} `;
    this.area.focus();
    this.typed();
    this.show(false);
  }

  key(event) {
    if (event.isComposing) {
      return;
    }
    const open = !this.list.hidden;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (open && step !== undefined) {
      event.preventDefault();
      this.at = (this.at + step + this.options.length) % this.options.length;
      this.draw();
    } else if (open && event.key === 'Tab') {
      event.preventDefault();
      this.choose(this.at);
    } else if (event.key === 'Escape' && open) {
      event.preventDefault();
      this.asked += 1;
      this.show(false);
    } else if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      this.enter(open);
    } else if (step !== undefined) {
      this.recall(event, step);
    }
  }

  /** With the list open Enter completes; a line that says it all already is sent, and `/activate` alone is one. */
  enter(open) {
    const line = this.area.value.trim().toLowerCase();
    // Until somebody moves in the list, any name that is typed out is one, were it the beginning of a longer one.
    const whole = this.at === 0 ? this.options : [this.options[this.at]];
    const lines = [
      ...(this.at === 0 ? ['/activate'] : []),
      ...whole.map(({ value }) => `/activate ${value}`),
    ];
    if (open && !lines.includes(line)) {
      this.choose(this.at);
    } else {
      void this.submit();
    }
  }

  recall(event, step) {
    const { value } = this.area;
    if (value !== '' && value !== sent[this.back]) {
      return;
    }
    const to = this.back + step;
    if (to < 0 || to > sent.length) {
      return;
    }
    event.preventDefault();
    this.back = to;
    this.area.value = sent[to] ?? '';
    this.asked += 1;
    grow(this.area);
  }

  submit() {
    const text = this.area.value.trim();
    if (text === '') {
      return undefined;
    }
    return busy(this.form, async () => {
      const values = new URLSearchParams(new FormData(this.form));
      this.area.value = '';
      this.typed();
      const slow = setTimeout(() => {
        this.working.hidden = false;
      }, 250);
      const answer = await send(this.form.action, values);
      clearTimeout(slow);
      this.working.hidden = true;
      if (answer === undefined) {
        // It was refused: what was typed comes back, unless something new stands there by now.
        this.area.value = this.area.value === '' ? text : this.area.value;
        this.typed();
        this.show(false);
        return;
      }
      sent.push(text);
      this.back = sent.length;
      this.done(answer, values.get('thread') ?? '');
    });
  }
}
