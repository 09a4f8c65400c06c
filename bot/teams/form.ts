import type { Rendered } from '../../engine/contracts/card.ts';
import { type Field, type Form, type Option, splitMany, type Widget } from '../../engine/contracts/form.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { type Buttons, rawOf } from './buttons.ts';
import { cardOf, drawBody, within } from './card.ts';
import type { AdaptiveCard, Choice, Element, Input, SubmitAction } from './elements.ts';
import { cut, fitted, LIMITS } from './limits.ts';
import { Mentions } from './text.ts';

/** What a dialog of ours carries unseen. Comes back through a person's client: it is read, not believed. */
export interface Carried {
  readonly command: string;
  readonly hidden: Raw;
  readonly fields: readonly string[];
}

/** A dialog as Teams opens it, or goes on with. */
export interface Dialog {
  readonly title: string;
  readonly width: 'medium' | 'large';
  readonly height: 'medium' | 'large';
  readonly card: AdaptiveCard;
}

const SENTENCE = 500;
/** Inputs have their fields' names behind this, so that none is taken for something else that was carried. */
const ONE = 'f_';
const MANY = 'g_';
const FORM_KEY = 'activate';

/** Draws a form as a dialog. Pure; everything cut is named in `losses`. */
export function drawForm(form: Form, buttons: Pick<Buttons, 'opensForm'>): Rendered<Dialog> {
  const losses: string[] = [];
  const mentions = new Mentions();
  const inputs = Object.entries(form.fields).flatMap(([name, field]) => drawField(name, field, form, losses));
  const whole = form.errors[''];
  const head: readonly Element[] = [
    ...(form.step === undefined ? [] : [note(`Step ${form.step.number} of ${form.step.of}`)]),
    ...drawBody(form.intro, { buttons, place: 'dialog' }, mentions, losses),
    ...(whole === undefined ? [] : [problem(whole)]),
  ];
  const room = LIMITS.card - JSON.stringify(inputs).length;
  const body = [...within(head, room, losses), ...inputs];
  const card = cardOf(body.length > 0 ? body : [note('Nothing to fill in. Continue?')], mentions);
  const title = fitted(form.title, LIMITS.dialog, 'The title', losses);
  return { payload: { ...sizes(body), title, card: { ...card, actions: submits(form) } }, losses };
}

/** A dialog with the buttons that its card has, and none of its own. */
export function cardDialog(title: string, card: AdaptiveCard): Dialog {
  return { ...sizes(card.body), title: cut(title.trim() || 'Activate', LIMITS.dialog), card };
}

function sizes(body: readonly Element[]): Pick<Dialog, 'width' | 'height'> {
  const wide = body.some((element) => element.type === 'Table');
  return { width: wide ? 'large' : 'medium', height: body.length > 6 || wide ? 'large' : 'medium' };
}

/**
 * The buttons under a form. None of the inputs is required for the client: it would keep people from going back, and
 * the sentence about what is missing is ours either way.
 */
function submits(form: Form): readonly SubmitAction[] {
  const carried: Carried = {
    command: form.command,
    hidden: form.hidden,
    fields: Object.keys(form.fields),
  };
  const submit: SubmitAction = {
    type: 'Action.Submit',
    title: cut(form.submit, LIMITS.button),
    style: 'positive',
    data: { [FORM_KEY]: carried },
  };
  if (form.back === undefined) {
    return [submit];
  }
  const hidden = { ...form.hidden, ...form.back };
  const back: SubmitAction = {
    type: 'Action.Submit',
    title: '← Back',
    data: { [FORM_KEY]: { ...carried, hidden } },
  };
  return [submit, back];
}

/** What a submitted dialog carried and what was typed; undefined for what is no form of ours. */
export function readForm(data: unknown): { readonly form: Carried; readonly typed: Raw } | undefined {
  const form = typeof data === 'object' && data !== null && FORM_KEY in data ? data[FORM_KEY] : undefined;
  if (typeof form !== 'object' || form === null || !('command' in form) || typeof form.command !== 'string') {
    return undefined;
  }
  const fields = 'fields' in form && Array.isArray(form.fields) ? form.fields.map(String) : [];
  const hidden = rawOf('hidden' in form ? form.hidden : undefined);
  return { form: { command: form.command, hidden, fields }, typed: readInputs(data) };
}

/** The values of inputs by field name; empty ones as ''. Several values of a field are a JSON array. */
export function readInputs(data: unknown): Raw {
  const given = typeof data === 'object' && data !== null ? Object.entries(data) : [];
  return Object.fromEntries(
    given.flatMap(([id, value]) => {
      const [, prefix, name] = /^([fg]_)(.+)$/.exec(id) ?? [];
      if (name === undefined || (typeof value !== 'string' && typeof value !== 'number')) {
        return [];
      }
      const text = String(value);
      return [[name, prefix === MANY ? readMany(text) : text]];
    }),
  );
}

/** A list of choices comes as one text with commas between, so that commas within a value are written otherwise. */
function readMany(text: string): string {
  const values = text
    .split(',')
    .filter((value) => value !== '')
    .map(decoded);
  return values.length === 0 ? '' : JSON.stringify(values);
}

function encoded(value: string): string {
  return value.replace(/[%,]/g, (sign) => (sign === ',' ? '%2C' : '%25'));
}

function decoded(value: string): string {
  return value.replace(/%(2C|25)/g, (_, code) => (code === '2C' ? ',' : '%'));
}

/** Which search a field asks for, as one word. */
export function datasetOf(command: string, name: string, many: boolean, draft: string | undefined): string {
  return ['activate', command, name, many ? 'many' : 'one', draft ?? ''].join('/');
}

export interface Search {
  readonly command: string;
  readonly field: string;
  readonly many: boolean;
  readonly draft: string;
}

/** Reads what {@link datasetOf} wrote. */
export function readDataset(dataset: string): Search | undefined {
  const [mine, command, field, many, draft = ''] = dataset.split('/');
  return mine === 'activate' && command !== undefined && field !== undefined
    ? { command, field, many: many === 'many', draft }
    : undefined;
}

/** Choices as a search is answered with: 15, for Teams shows no more. */
export function drawFound(options: readonly Option[], many: boolean): readonly Choice[] {
  return options.slice(0, LIMITS.found).map((option) => choice(option, many, []));
}

function note(text: string): Element {
  return {
    type: 'RichTextBlock',
    inlines: [{ type: 'TextRun', text, size: 'Small', isSubtle: true }],
  };
}

function problem(text: string): Element {
  return {
    type: 'RichTextBlock',
    inlines: [{ type: 'TextRun', text: `⚠️ ${cut(text, SENTENCE)}`, color: 'Attention', weight: 'Bolder' }],
  };
}

function drawField(name: string, field: Field, form: Form, losses: string[]): readonly Element[] {
  const error = form.errors[name];
  const shown = error === undefined ? [] : [problem(`${field.label}: ${error}`)];
  const input = drawInput(name, field, form, losses);
  if (input === undefined) {
    losses.push(`${field.label} is a secret: Teams can't hide it, so it isn't asked for here.`);
    return [note(`🔒 ${field.label} can't be typed in Teams.`)];
  }
  const help = field.help === undefined ? [] : [{ ...note(field.help), spacing: 'None' as const }];
  return [...shown, input, ...help];
}

function drawInput(name: string, field: Field, form: Form, losses: string[]): Input | undefined {
  const { widget } = field;
  const initial = form.initial[name] ?? '';
  const label = cut(field.optional ? `${field.label} (optional)` : field.label, LIMITS.label);
  switch (widget.type) {
    case 'text':
    case 'area':
      return drawTextInput(name, label, widget, initial, losses);
    case 'number':
      return {
        type: 'Input.Number',
        id: idOf(name, false),
        label,
        spacing: 'Medium',
        ...(widget.min === undefined ? {} : { min: widget.min }),
        ...(widget.max === undefined ? {} : { max: widget.max }),
        ...(/^-?\d+(\.\d+)?$/.test(initial) ? { value: Number(initial) } : {}),
      };
    case 'choice':
      return drawChoice(name, label, widget, initial, losses);
    case 'lookup':
      return drawLookup(name, label, widget.many, initial, form);
    case 'secret':
      return undefined;
    default:
      return widget satisfies never;
  }
}

function drawTextInput(
  name: string,
  label: string,
  widget: Extract<Widget, { type: 'text' | 'area' }>,
  initial: string,
  losses: string[],
): Input {
  const { placeholder } = widget;
  return {
    type: 'Input.Text',
    id: idOf(name, false),
    label,
    spacing: 'Medium',
    ...(widget.type === 'area' ? { isMultiline: true } : {}),
    maxLength: Math.min(widget.maxLength ?? LIMITS.input, LIMITS.input),
    ...(placeholder === undefined ? {} : { placeholder: cut(placeholder, LIMITS.placeholder) }),
    ...(initial === '' ? {} : { value: fitted(initial, LIMITS.input, label, losses) }),
  };
}

function drawChoice(
  name: string,
  label: string,
  widget: Extract<Widget, { type: 'choice' }>,
  initial: string,
  losses: string[],
): Input {
  const { many } = widget;
  const options = widget.options.slice(0, LIMITS.options);
  if (options.length < widget.options.length) {
    losses.push(`${label} shows ${options.length} of ${widget.options.length} choices.`);
  }
  const wanted = many ? splitMany(initial) : [initial];
  const chosen = options.filter((option) => wanted.includes(option.value));
  return {
    type: 'Input.ChoiceSet',
    id: idOf(name, many),
    label,
    spacing: 'Medium',
    style: many || options.length <= 4 ? 'expanded' : 'compact',
    isMultiSelect: many,
    wrap: true,
    choices: options.map((option) => choice(option, many, losses)),
    ...preset(
      chosen.map((option) => option.value),
      many,
    ),
  };
}

function drawLookup(name: string, label: string, many: boolean, initial: string, form: Form): Input {
  const given = (many ? splitMany(initial) : [initial]).filter((value) => value !== '');
  return {
    type: 'Input.ChoiceSet',
    id: idOf(name, many),
    label,
    spacing: 'Medium',
    style: 'filtered',
    isMultiSelect: many,
    wrap: true,
    placeholder: 'Type to search',
    choices: given.map((value) => choice({ value, label: value }, many, [])),
    ...preset(given, many),
    'choices.data': {
      type: 'Data.Query',
      dataset: datasetOf(form.command, name, many, form.hidden['draft']),
      associatedInputs: 'auto',
    },
  };
}

function idOf(name: string, many: boolean): string {
  return `${many ? MANY : ONE}${name}`;
}

function preset(values: readonly string[], many: boolean): { readonly value?: string } {
  const [first] = values;
  return first === undefined ? {} : { value: many ? values.map(encoded).join(',') : first };
}

function choice(option: Option, many: boolean, losses: string[]): Choice {
  const hint = option.hint === undefined || option.hint === '' ? '' : ` · ${option.hint}`;
  const what = `The choice ${cut(option.label, 30)}`;
  return {
    title: fitted(`${option.label || option.value}${hint}`, LIMITS.option, what, losses),
    value: many ? encoded(option.value) : option.value,
  };
}
