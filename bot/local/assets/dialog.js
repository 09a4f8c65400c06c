import { enhanceLookups } from './combobox.js';
import { busy, send } from './talk.js';

/** Asks before something that can't be taken back; true for yes. `style` is that of the button that was pressed. */
export function confirmed(question, label, style) {
  const dialog = document.createElement('dialog');
  dialog.className = 'sheet confirm';
  const text = document.createElement('p');
  text.textContent = question;
  const foot = document.createElement('footer');
  foot.className = 'form-foot';
  const no = button('Cancel', 'button quiet', () => dialog.close('no'));
  const yes = button(label, `button primary ${style}`, () => dialog.close('yes'));
  yes.autofocus = true;
  foot.append(no, yes);
  dialog.append(text, foot);
  dialog.setAttribute('aria-label', question);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
  });
}

function button(label, className, pressed) {
  const made = document.createElement('button');
  Object.assign(made, { type: 'button', className, textContent: label });
  made.addEventListener('click', pressed);
  return made;
}

/**
 * Shows a form, step after step, until it answers with something else than a form. `place` says where it was
 * asked for; `done` gets the last answer.
 */
export function openForm(markup, place, done) {
  const dialog = document.createElement('dialog');
  dialog.className = 'sheet';
  const before = document.activeElement;
  let over = false;
  document.body.append(dialog);

  const show = (text) => {
    const secrets = [...dialog.querySelectorAll('input[type=password]')].map(({ name, value }) => [
      name,
      value,
    ]);
    dialog.innerHTML = text;
    const form = dialog.querySelector('form');
    for (const [name, value] of secrets) {
      const again = [...form.elements].find((one) => one.name === name && one.type === 'password');
      if (again !== undefined) {
        again.value = value;
      }
    }
    prepare(form, '/options', () => place);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void submit(form, event.submitter);
    });
    form.querySelector('[data-close]').addEventListener('click', () => leave(form));
  };

  const submit = (form, pressed) => {
    const values = gathered(form, place);
    if (pressed?.name === 'back') {
      values.set('back', pressed.value);
    }
    return busy(pressed ?? form, async () => {
      form.inert = true;
      const answer = await send('/dialog', values);
      form.inert = false;
      if (answer?.form !== undefined) {
        show(answer.form);
      } else if (answer !== undefined) {
        over = true;
        dialog.close();
        done(answer);
      }
    });
  };

  /** Closing keeps what was typed in the bot's draft; a secret is not sent along. */
  const leave = (form) => {
    if (over) {
      return;
    }
    over = true;
    const values = gathered(form, place);
    for (const { name } of form.querySelectorAll('input[type=password]')) {
      values.delete(name);
    }
    values.set('closed', 'true');
    dialog.close();
    void send('/dialog', values).then(
      (answer) => answer !== undefined && done({ ...answer, form: undefined }),
    );
  };

  dialog.addEventListener('cancel', (event) => {
    event.preventDefault();
    leave(dialog.querySelector('form'));
  });
  dialog.addEventListener('close', () => {
    dialog.remove();
    before?.focus?.();
  });
  show(markup);
  dialog.showModal();
  focusFirst(dialog);
  new MutationObserver(() => focusFirst(dialog)).observe(dialog, { childList: true });
}

/** Makes a form's fields comfortable: lookups, areas that grow, Ctrl+Enter. */
export function prepare(form, optionsUrl, extra) {
  enhanceLookups(form, optionsUrl, extra);
  for (const area of form.querySelectorAll('textarea')) {
    grow(area);
    area.addEventListener('input', () => grow(area));
  }
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit(form.querySelector('[data-submit]'));
    } else if (
      event.key === 'Enter' &&
      event.target.matches('input:not([type=submit])') &&
      !event.defaultPrevented
    ) {
      // By default Enter presses the first button, and that is Back.
      event.preventDefault();
      form.requestSubmit(form.querySelector('[data-submit]'));
    }
  });
}

/** As high as its text, up to what the style allows. */
export function grow(area) {
  area.style.height = 'auto';
  area.style.height = `${area.scrollHeight + 2}px`;
}

function gathered(form, place) {
  const values = new URLSearchParams(new FormData(form));
  for (const [name, value] of Object.entries(place)) {
    values.set(name, value);
  }
  return values;
}

function focusFirst(dialog) {
  const wrong =
    '[aria-invalid=true]:is(input, select, textarea), [aria-invalid=true] input:not([type=hidden])';
  const first = 'input:not([type=hidden]), select, textarea';
  const target =
    dialog.querySelector(wrong) ??
    dialog.querySelector('.form-body')?.querySelector(first) ??
    dialog.querySelector('[data-submit]');
  target?.focus();
  if (target?.matches('input')) {
    // Typing replaces a short answer; a longer text is there to be gone on with.
    target.select();
  }
  for (const area of dialog.querySelectorAll('textarea')) {
    grow(area);
  }
  // What is wrong stands below its field, and must be seen with it.
  target?.closest('.wrong')?.scrollIntoView({ block: 'nearest' });
}
