import type { Rendered } from '../../engine/contracts/card.ts';
import { type Field, type Form, type Options, splitMany } from '../../engine/contracts/form.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { drawBlocks } from './card.ts';
import type { Features } from './features.ts';
import { cut, fitted, fittedBytes, LIMITS, runes } from './limits.ts';
import { escapeText, type Usernames } from './text.ts';

/** Longest error, in runes. */
const SENTENCE = 500;

/** Where something was asked, so that its answer finds the way back. */
export interface Place {
  readonly channel: string;
  readonly thread?: string;
  /** Direct messages with the bot, which nobody else reads. */
  readonly direct?: boolean;
  /** The command's own address for answers; good for 30 minutes and 5 answers. */
  readonly responseUrl?: string;
  /** The message whose button was pressed, which can be in another channel than the answers. */
  readonly pressed?: {
    readonly id: string;
    readonly channel: string;
    readonly thread?: string;
    /** One that only its reader sees: it can't be edited. */
    readonly ephemeral?: boolean;
  };
}

/** What a dialog of ours brings back beside what was typed. */
export interface Carried {
  readonly command: string;
  readonly hidden: Raw;
  readonly fields: readonly string[];
  /** Fields of choices that had to be drawn as text: what is typed may be a choice's name. */
  readonly typed: readonly string[];
  /** Input that shows the step before. */
  readonly back?: Raw;
  readonly place: Place;
}

/** A dialog as POST /actions/dialogs/open takes it. */
export interface Dialog {
  readonly callback_id: string;
  readonly title: string;
  readonly introduction_text: string;
  readonly elements: readonly Element[];
  readonly submit_label: string;
  readonly notify_on_cancel: false;
  readonly state: string;
  readonly source_url?: string;
}

export interface Element {
  readonly display_name: string;
  readonly name: string;
  readonly type: 'text' | 'textarea' | 'select';
  readonly subtype?: 'number';
  readonly default?: string;
  readonly placeholder?: string;
  readonly help_text?: string;
  readonly optional: boolean;
  readonly max_length?: number;
  readonly options?: readonly { readonly text: string; readonly value: string }[];
  readonly multiselect?: true;
  readonly data_source?: 'dynamic';
  readonly data_source_url?: string;
  readonly refresh?: true;
}

/** What a drawing needs to know of the world. */
export interface Easel {
  readonly features: Features;
  readonly usernames: Usernames;
  readonly place: Place;
  /** All choices of a lookup field, where they are few enough to be listed; others are typed. */
  readonly choices: ReadonlyMap<string, Options>;
  readonly seal: (carried: Carried) => string;
  readonly lookupUrl: (carried: Carried) => string;
  readonly dialogUrl: string;
}

/** Draws a form as a dialog. Everything cut is named in `losses`. */
export function drawForm(form: Form, easel: Easel): Rendered<Dialog> {
  const losses: string[] = [];
  const asked = Object.entries(form.fields).filter(([, field]) => field.widget.type !== 'secret');
  const carried: Carried = {
    command: form.command,
    hidden: form.hidden,
    fields: asked.map(([name]) => name),
    typed: asked.flatMap(([name, field]) => (isTyped(name, field, easel) ? [name] : [])),
    ...(form.back === undefined ? {} : { back: form.back }),
    place: easel.place,
  };
  const elements = asked.map(([name, field]) => drawField(name, field, form, carried, easel, losses));
  const back = form.back === undefined || !easel.features.steps ? [] : [backElement(form)];
  const payload: Dialog = {
    callback_id: 'form',
    title: fittedBytes(form.title, LIMITS.dialogTitle, 'The title', losses),
    introduction_text: introduction(form, easel, losses),
    elements: [...elements, ...back],
    submit_label: fitted(form.submit, LIMITS.dialogSubmit, 'The button', losses),
    notify_on_cancel: false,
    state: easel.seal(carried),
    ...(back.length === 0 ? {} : { source_url: easel.dialogUrl }),
  };
  return { payload, losses };
}

/** A question before something is done. It asks for nothing, so that it has only its two buttons. */
export function confirmDialog(label: string, question: string, state: string): Dialog {
  return {
    callback_id: 'confirm',
    title: fittedBytes(label.trim() || 'Please confirm', LIMITS.dialogTitle, '', []),
    introduction_text: escapeText(cut(question.trim() || 'Are you sure?', SENTENCE)),
    elements: [],
    submit_label: cut(label.trim() || 'OK', LIMITS.dialogSubmit),
    notify_on_cancel: false,
    state,
  };
}

/** Begins the name of the select that leads back. It differs from step to step: a client keeps values by name. */
const BACK = 'goback';

/** Whether the person chose to go back. */
export function wantsBack(submission: Readonly<Record<string, unknown>>, step: string): boolean {
  return submission[BACK + step] === 'back';
}

/** The values of the fields that were asked; what a client brings along from earlier steps is left out. */
export function readSubmission(submission: Readonly<Record<string, unknown>>, carried: Carried): Raw {
  return Object.fromEntries(carried.fields.map((name) => [name, readValue(submission[name])]));
}

function readValue(value: unknown): string {
  if (Array.isArray(value)) {
    return value.length === 0 ? '' : JSON.stringify(value.map(String));
  }
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
    case 'boolean':
      return String(value);
    default:
      return '';
  }
}

function introduction(form: Form, easel: Easel, losses: string[]): string {
  const step = form.step === undefined ? [] : [`Step ${form.step.number} of ${form.step.of}`];
  const errors = Object.entries(form.errors).map(([name, error]) => {
    const label = form.fields[name]?.label;
    const sentence = escapeText(cut(error, SENTENCE));
    return label === undefined ? `⚠️ ${sentence}` : `⚠️ **${escapeText(label, true)}**: ${sentence}`;
  });
  const secrets = Object.values(form.fields)
    .filter((field) => field.widget.type === 'secret')
    .map((field) => {
      losses.push(`${field.label} is a secret: it isn't asked for in Mattermost.`);
      return `🔒 ${escapeText(field.label)} can't be typed here.`;
    });
  const listed = Object.values(form.fields).flatMap((field) => listOf(field, easel));
  const intro = drawBlocks(form.intro, easel.usernames, losses);
  const room = LIMITS.dialogIntro - runes([...step, ...errors, ...secrets, ...listed].join('\n\n')) - 20;
  const whole = fitted(intro, Math.max(0, room), 'The introduction', losses);
  return [...step, whole, ...listed, ...secrets, ...errors].filter((text) => text !== '').join('\n\n');
}

/** The choices of a field that this server can only have typed. */
function listOf(field: Field, easel: Easel): readonly string[] {
  const { widget } = field;
  if (widget.type !== 'choice' || !widget.many || easel.features.many) {
    return [];
  }
  const names = widget.options.slice(0, LIMITS.lookup).map((option) => escapeText(option.value));
  const more = widget.options.length > names.length ? ' …' : '';
  return [`**${escapeText(field.label, true)}**, separated by commas, out of: ${names.join(', ')}${more}`];
}

/** Whether a field of choices has to be typed on this server. */
function isTyped(name: string, field: Field, easel: Easel): boolean {
  const { widget } = field;
  switch (widget.type) {
    case 'lookup':
      return !easel.features.dynamic && (widget.many || !easel.choices.has(name));
    case 'choice':
      return widget.many && !easel.features.many;
    default:
      return false;
  }
}

function drawField(
  name: string,
  field: Field,
  form: Form,
  carried: Carried,
  easel: Easel,
  losses: string[],
): Element {
  const help = field.help === undefined ? '' : fittedBytes(field.help, LIMITS.dialogHelp, 'A hint', losses);
  const base = {
    display_name: fittedBytes(field.label, LIMITS.dialogLabel, `The label ${field.label}`, losses),
    name,
    optional: field.optional,
    ...(help === '' ? {} : { help_text: help }),
  };
  const initial = form.initial[name] ?? '';
  const { widget } = field;
  switch (widget.type) {
    case 'text':
    case 'area':
      return { ...base, ...drawText(widget, initial, field.label, losses) };
    case 'number':
      return {
        ...base,
        type: 'text',
        subtype: 'number',
        ...(/^-?\d+(\.\d+)?$/.test(initial) ? { default: initial } : {}),
      };
    case 'choice':
      return widget.many && !easel.features.many
        ? { ...base, ...drawTyped(splitMany(initial).join(', '), true, field.label, losses) }
        : { ...base, ...drawSelect(widget.options, widget.many, initial, field.label, losses) };
    case 'lookup':
      return { ...base, ...drawLookup(name, widget.many, initial, { field, carried, easel, losses }) };
    case 'secret':
      return { ...base, ...drawTyped('', false, field.label, losses) };
    default:
      return widget satisfies never;
  }
}

type Shape = Omit<Element, 'display_name' | 'name' | 'optional' | 'help_text'>;

function drawText(
  widget: { readonly type: 'text' | 'area'; readonly maxLength?: number; readonly placeholder?: string },
  initial: string,
  label: string,
  losses: string[],
): Shape {
  const max = Math.min(widget.maxLength ?? LIMITS.dialogArea, LIMITS.dialogArea);
  // One line begins with 150 bytes at most; what is longer gets the larger input.
  const long =
    widget.type === 'area' ||
    max > LIMITS.dialogText ||
    Buffer.byteLength(initial) > LIMITS.dialogText ||
    initial.includes('\n');
  const placeholder = fittedBytes(
    widget.placeholder ?? '',
    LIMITS.dialogText,
    `An example of ${label}`,
    losses,
  );
  return {
    type: long ? 'textarea' : 'text',
    max_length: max,
    ...(placeholder === '' ? {} : { placeholder }),
    ...(initial === '' ? {} : { default: fitted(initial, max, label, losses) }),
  };
}

/** An input for the names of choices: a line for one, more room for several. */
function drawTyped(initial: string, many: boolean, label: string, losses: string[]): Shape {
  const maxLength = many ? LIMITS.dialogArea : LIMITS.dialogText;
  const placeholder = many ? 'Names, separated by commas' : 'A name';
  return drawText({ type: 'text', maxLength, placeholder }, initial, label, losses);
}

function drawSelect(given: Options, many: boolean, initial: string, label: string, losses: string[]): Shape {
  const options = given
    .filter((option) => option.value !== '')
    .slice(0, LIMITS.dialogOptions)
    .map(({ value, label: text, hint }) => ({
      text: cut(hint === undefined || hint === '' ? text || value : `${text} — ${hint}`, LIMITS.optionLabel),
      value,
    }));
  if (options.length < given.length) {
    losses.push(`${label} shows ${options.length} of ${given.length} choices.`);
  }
  const known = new Set(options.map((option) => option.value));
  const chosen = (many ? splitMany(initial) : [initial]).filter((value) => known.has(value));
  return {
    type: 'select',
    options,
    ...preset(chosen, label, losses),
    ...(many ? { multiselect: true } : {}),
  };
}

/** Several presets are one text with commas, in which a value must not bring its own. */
function preset(values: readonly string[], label: string, losses: string[]): { readonly default?: string } {
  const possible = values.length === 1 ? values : values.filter((value) => !/[,\s]/.test(value));
  if (possible.length < values.length) {
    losses.push(
      `${label} forgets ${values.length - possible.length} of its choices: they hold commas or spaces.`,
    );
  }
  return possible.length === 0 || possible[0] === '' ? {} : { default: possible.join(',') };
}

function drawLookup(
  name: string,
  many: boolean,
  initial: string,
  at: { readonly field: Field; readonly carried: Carried; readonly easel: Easel; readonly losses: string[] },
): Shape {
  const { field, carried, easel, losses } = at;
  const given = (many ? splitMany(initial) : [initial]).filter((value) => value !== '');
  if (easel.features.dynamic) {
    return {
      type: 'select',
      data_source: 'dynamic',
      data_source_url: easel.lookupUrl(carried),
      placeholder: 'Type to search',
      ...preset(given, field.label, losses),
      ...(many ? { multiselect: true } : {}),
    };
  }
  const choices = easel.choices.get(name);
  if (choices === undefined || many) {
    return drawTyped(given.join(', '), many, field.label, losses);
  }
  // What was chosen before stays a choice, though it is not among the first ones.
  const missing = given.filter((value) => !choices.some((choice) => choice.value === value));
  const all = [...missing.map((value) => ({ value, label: value })), ...choices];
  return drawSelect(all, false, initial, field.label, losses);
}

function backElement(form: Form): Element {
  return {
    display_name: 'Go on or back',
    name: BACK + (form.hidden['step'] ?? ''),
    type: 'select',
    optional: true,
    refresh: true,
    options: [
      { text: 'Go on', value: 'on' },
      { text: '← Back', value: 'back' },
    ],
    help_text: 'Choose "← Back" to see the step before. What you typed is kept.',
  };
}
