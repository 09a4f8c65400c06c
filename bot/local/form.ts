import type { Rendered } from '../../engine/contracts/card.ts';
import { type Field, type Form, type Options, splitMany } from '../../engine/contracts/form.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { drawBlocks } from './card.ts';
import { Html, html } from './html.ts';

/**
 * Draws one step as a form element. Inputs are named `f.<field>`, `m.<field>` where there may be several values,
 * `h.<name>` for what is carried along, and the Back button is `back`: {@link readForm} reads them.
 */
export function drawForm(form: Form): Rendered<string> {
  const intro = drawBlocks(form.intro);
  const drawn = html`<form class="form" method="post" novalidate autocomplete="off" data-command="${form.command}" aria-labelledby="form-title">
<header class="form-head">${form.step !== undefined && drawSteps(form.step)}<h2 id="form-title">${form.title}</h2></header>
<div class="form-body">
${form.errors[''] !== undefined && html`<p class="form-error" role="alert">${form.errors['']}</p>`}
${intro.payload !== '' && html`<div class="form-intro">${new Html(intro.payload)}</div>`}
${Object.entries(form.fields).map(([name, field]) => drawField(name, field, form))}
${Object.entries(form.hidden).map(([name, value]) => html`<input type="hidden" name="h.${name}" value="${value}">`)}
<input type="hidden" name="command" value="${form.command}">
</div>
<footer class="form-foot">${
    form.back !== undefined &&
    html`<button type="submit" class="button" name="back" value="${JSON.stringify(form.back)}">Back</button>`
  }<span class="grow"></span><button type="button" class="button quiet" data-close>Cancel</button><button type="submit" class="button primary" data-submit>${form.submit}</button></footer>
</form>`;
  return { payload: drawn.markup, losses: intro.losses };
}

/** Reads a submitted body into input, whatever its shape; the Back button's own input wins. */
export function readForm(body: unknown): Raw {
  const input: Record<string, string> = {};
  if (typeof body !== 'object' || body === null) {
    return input;
  }
  for (const [name, value] of Object.entries(body)) {
    const given = (Array.isArray(value) ? value : [value]).filter((part) => typeof part === 'string');
    if (name.startsWith('m.')) {
      const chosen = given.filter((part) => part !== '');
      input[name.slice(2)] = chosen.length === 0 ? '' : JSON.stringify(chosen);
    } else if (/^[fh]\./.test(name)) {
      input[name.slice(2)] = given[0] ?? '';
    }
  }
  return { ...input, ...readRaw((body as { back?: unknown }).back) };
}

/** Reads input written as JSON; empty when it is anything else than an object of texts. */
export function readRaw(text: unknown): Raw {
  if (typeof text !== 'string') {
    return {};
  }
  try {
    const parsed: unknown = JSON.parse(text);
    const entries = typeof parsed === 'object' && parsed !== null ? Object.entries(parsed) : [];
    return Object.fromEntries(
      entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    );
  } catch {
    // Not ours: a page never sends anything else. The command then says what is missing.
    return {};
  }
}

function drawSteps(step: { readonly number: number; readonly of: number }): Html {
  const dots = Array.from(
    { length: step.of },
    (_, at) => html`<i class="${at < step.number ? 'done' : ''}"></i>`,
  );
  return html`<p class="form-step"><span>Step ${step.number} of ${step.of}</span><span class="dots" aria-hidden="true">${dots}</span></p>`;
}

function drawField(name: string, field: Field, form: Form): Html {
  const error = form.errors[name];
  const id = `field-${name}`;
  const described = [field.help !== undefined && `${id}-help`, error !== undefined && `${id}-error`].filter(
    Boolean,
  );
  const attributes = html`${described.length > 0 && html` aria-describedby="${described.join(' ')}"`}${
    error !== undefined && html` aria-invalid="true"`
  }${!field.optional && html` aria-required="true"`}`;
  const value = form.initial[name] ?? '';
  const group = field.widget.type === 'choice' && (field.widget.many || isRadio(field));
  const label = html`${field.label}${field.optional && html` <span class="optional">optional</span>`}`;
  return html`<div class="field${error !== undefined && ' wrong'}">${
    group
      ? html`<span class="label" id="${id}-label">${label}</span>`
      : html`<label class="label" for="${id}">${label}</label>`
  }
${drawWidget({ name, id, field, value, attributes })}
${field.help !== undefined && html`<p class="help" id="${id}-help">${field.help}</p>`}
${error !== undefined && html`<p class="error" id="${id}-error">${error}</p>`}</div>`;
}

interface Drawing {
  readonly name: string;
  readonly id: string;
  readonly field: Field;
  readonly value: string;
  readonly attributes: Html;
}

function drawWidget({ name, id, field, value, attributes }: Drawing): Html {
  const { widget } = field;
  switch (widget.type) {
    case 'text':
      return html`<input type="text" id="${id}" name="f.${name}" value="${value}" placeholder="${widget.placeholder ?? ''}"${attributes}>`;
    case 'area':
      // The line break after the tag is the parser's to swallow: without it, a first empty line would be lost.
      return html`<textarea id="${id}" name="f.${name}" rows="${widget.language === undefined ? 3 : 5}" class="${widget.language !== undefined && 'mono'}" spellcheck="${widget.language === undefined ? 'true' : 'false'}" placeholder="${widget.placeholder ?? ''}"${attributes}>\n${value}</textarea>`;
    case 'number':
      // Not type=number: a browser empties what it can't read, and the person would never see their own typo again.
      return html`<input type="text" inputmode="${widget.whole ? 'numeric' : 'decimal'}" class="short" id="${id}" name="f.${name}" value="${value}"${attributes}>`;
    case 'secret':
      return html`<input type="password" autocomplete="new-password" id="${id}" name="f.${name}"${attributes}>`;
    case 'lookup':
      return html`<div class="combobox" data-field="${name}"${widget.many && html` data-many="${JSON.stringify(splitMany(value))}"`}><input type="text" id="${id}" name="f.${name}" value="${value}" placeholder="Type to search"${attributes}></div>`;
    case 'choice':
      if (widget.many) {
        return drawTicks({ name, id, field, value, attributes }, widget.options);
      }
      return isRadio(field)
        ? drawRadios({ name, id, field, value, attributes }, widget.options)
        : drawSelect({ name, id, field, value, attributes }, widget.options);
    default:
      return widget satisfies never;
  }
}

/** A few choices are shown at once; but a radio button can't be unchosen, so an optional field gets a list. */
function isRadio(field: Field): boolean {
  return field.widget.type === 'choice' && !field.optional && field.widget.options.length <= 4;
}

function drawSelect({ name, id, field, value, attributes }: Drawing, options: Options): Html {
  const known = options.some((option) => option.value === value);
  const none = html`<option value="">${field.optional ? 'None' : 'Choose…'}</option>`;
  return html`<select id="${id}" name="f.${name}"${attributes}>${(field.optional || !known) && none}${options.map(
    (option) =>
      html`<option value="${option.value}"${option.value === value && html` selected`}>${option.label}</option>`,
  )}</select>`;
}

function drawRadios({ name, id, value, attributes }: Drawing, options: Options): Html {
  return html`<div class="radios" role="radiogroup" id="${id}" aria-labelledby="${id}-label"${attributes}>${options.map(
    (option) =>
      html`<label><input type="radio" name="f.${name}" value="${option.value}"${
        option.value === value && html` checked`
      }><span>${option.label}${hint(option.hint)}</span></label>`,
  )}</div>`;
}

function drawTicks({ name, id, value, attributes }: Drawing, options: Options): Html {
  const chosen = splitMany(value);
  return html`<div class="ticks" role="group" id="${id}" aria-labelledby="${id}-label"${attributes}><input type="hidden" name="m.${name}" value="">${options.map(
    (option) =>
      html`<label><input type="checkbox" name="m.${name}" value="${option.value}"${
        chosen.includes(option.value) && html` checked`
      }><span>${option.label}${hint(option.hint)}</span></label>`,
  )}</div>`;
}

function hint(text: string | undefined): Html | undefined {
  return text === undefined ? undefined : html` <small>${text}</small>`;
}
