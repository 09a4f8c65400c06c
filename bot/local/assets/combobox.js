import { send } from './talk.js';

let made = 0;

/** Turns the lookup fields of a form into search-as-you-type lists. `url` and `extra` say whom to ask. */
export function enhanceLookups(form, url, extra) {
  for (const box of form.querySelectorAll('.combobox')) {
    new Combobox(form, box, url, extra);
  }
}

class Combobox {
  constructor(form, box, url, extra) {
    Object.assign(this, { form, box, url, extra, options: [], at: -1, asked: 0 });
    this.many = box.dataset.many !== undefined;
    this.input = box.querySelector('input');
    this.list = document.createElement('div');
    made += 1;
    Object.assign(this.list, { id: `options-${made}`, className: 'options', hidden: true });
    this.list.setAttribute('role', 'listbox');
    const { input } = this;
    const settings = { role: 'combobox', 'aria-autocomplete': 'list', 'aria-expanded': 'false' };
    for (const [name, value] of Object.entries({
      ...settings,
      'aria-controls': this.list.id,
      autocomplete: 'off',
    })) {
      input.setAttribute(name, value);
    }
    box.append(this.list);
    this.labels = new Map();
    if (this.many) {
      this.beginMany();
    } else {
      this.beginOne();
    }
    input.addEventListener('input', () => this.typed());
    input.addEventListener('click', () => this.list.hidden && this.ask());
    input.addEventListener('keydown', (event) => this.key(event));
    input.addEventListener('blur', () => this.left());
    this.list.addEventListener('pointerdown', (event) => this.pressed(event));
  }

  /** The name moves to a hidden input with the value, so that people see labels and the bot gets values. */
  beginOne() {
    this.value = this.hidden(this.input.name, this.input.value);
    this.input.removeAttribute('name');
    if (this.value.value !== '') {
      void this.name([this.value.value], () => {
        this.input.value = this.labels.get(this.value.value) ?? this.value.value;
      });
    }
  }

  beginMany() {
    const name = `m.${this.box.dataset.field}`;
    this.values = JSON.parse(this.box.dataset.many);
    this.input.removeAttribute('name');
    this.input.value = '';
    this.hidden(name, '');
    this.chips = document.createElement('span');
    this.chips.className = 'chips';
    this.box.prepend(this.chips);
    this.drawChips();
    void this.name(this.values, () => this.drawChips());
  }

  hidden(name, value) {
    const input = document.createElement('input');
    Object.assign(input, { type: 'hidden', name, value });
    this.box.append(input);
    return input;
  }

  async name(values, then) {
    for (const value of values) {
      await this.find(value);
    }
    then();
  }

  drawChips() {
    this.chips.replaceChildren(
      ...this.values.map((value) => {
        const label = this.labels.get(value) ?? value;
        const chip = document.createElement('span');
        chip.className = 'chip';
        chip.textContent = label;
        const away = document.createElement('button');
        Object.assign(away, { type: 'button', textContent: '✕' });
        away.setAttribute('aria-label', `Remove ${label}`);
        away.addEventListener('click', () => {
          this.values = this.values.filter((one) => one !== value);
          this.drawChips();
          this.input.focus();
        });
        const kept = document.createElement('input');
        Object.assign(kept, { type: 'hidden', name: `m.${this.box.dataset.field}`, value });
        chip.append(away, kept);
        return chip;
      }),
    );
  }

  async find(typed) {
    const values = new URLSearchParams(new FormData(this.form));
    for (const [name, value] of Object.entries({ ...this.extra(), field: this.box.dataset.field, typed })) {
      values.set(name, value);
    }
    const found = (await send(this.url, values)) ?? [];
    for (const { value, label } of found) {
      this.labels.set(value, label);
    }
    return found;
  }

  typed() {
    if (!this.many) {
      this.value.value = this.input.value.trim();
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), 120);
  }

  async ask() {
    this.asked += 1;
    const mine = this.asked;
    const shown = this.many || this.labels.get(this.value.value) !== this.input.value;
    const found = await this.find(shown ? this.input.value.trim() : '');
    // A slow answer to an older question must not replace a newer one.
    if (mine !== this.asked || document.activeElement !== this.input) {
      return;
    }
    this.options = this.many ? found.filter(({ value }) => !this.values.includes(value)) : found;
    this.at = this.options.length > 0 && this.input.value.trim() !== '' ? 0 : -1;
    this.draw();
  }

  draw() {
    const rows = this.options.map(({ label, hint }, at) => {
      const row = document.createElement('div');
      row.id = `${this.list.id}-${at}`;
      row.dataset.at = String(at);
      row.setAttribute('role', 'option');
      row.setAttribute('aria-selected', String(at === this.at));
      row.append(label);
      if (hint !== undefined) {
        const small = document.createElement('small');
        small.textContent = hint;
        row.append(small);
      }
      return row;
    });
    if (rows.length === 0) {
      const none = document.createElement('div');
      Object.assign(none, { className: 'none', textContent: 'Nothing found.' });
      rows.push(none);
    }
    this.list.replaceChildren(...rows);
    this.show(true);
    // The form scrolls, and its last field's list would open below its edge.
    this.list.scrollIntoView({ block: 'nearest' });
    rows[this.at]?.scrollIntoView({ block: 'nearest' });
    const active = this.at === -1 ? '' : `${this.list.id}-${this.at}`;
    this.input.setAttribute('aria-activedescendant', active);
  }

  show(open) {
    this.list.hidden = !open;
    this.input.setAttribute('aria-expanded', String(open));
  }

  key(event) {
    const open = !this.list.hidden;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      if (open && this.options.length > 0) {
        this.at = (this.at + step + this.options.length) % this.options.length;
        this.draw();
      } else {
        void this.ask();
      }
    } else if (event.key === 'Enter' && open && this.at !== -1) {
      event.preventDefault();
      this.choose(this.at);
    } else if (event.key === 'Enter' && this.many && this.input.value.trim() !== '') {
      event.preventDefault();
      this.take(this.input.value.trim());
    } else if (event.key === 'Escape' && open) {
      // Only the list closes, not the dialog around it.
      event.preventDefault();
      event.stopPropagation();
      this.show(false);
    } else if (event.key === 'Backspace' && this.many && this.input.value === '') {
      this.values = this.values.slice(0, -1);
      this.drawChips();
    }
  }

  pressed(event) {
    event.preventDefault();
    const row = event.target.closest('[data-at]');
    if (row !== null) {
      this.choose(Number(row.dataset.at));
    }
  }

  choose(at) {
    const { value, label } = this.options[at];
    if (this.many) {
      this.take(value);
    } else {
      this.value.value = value;
      this.input.value = label;
    }
    this.asked += 1;
    this.show(false);
  }

  take(value) {
    this.values = [...new Set([...this.values, value])];
    this.input.value = '';
    this.drawChips();
    this.asked += 1;
    this.show(false);
  }

  /** What stands there counts, chosen or not: nothing typed is lost. */
  left() {
    this.asked += 1;
    this.show(false);
    if (this.many && this.input.value.trim() !== '') {
      this.take(this.input.value.trim());
    }
  }
}
