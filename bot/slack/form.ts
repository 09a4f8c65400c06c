import type { InputBlockElement, KnownBlock, ModalView, PlainTextOption } from '@slack/types';
import type { Card, Rendered } from '../../engine/contracts/card.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { type Field, type Form, type Option, splitMany } from '../../engine/contracts/form.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { drawBlocks, drawCard, plainText } from './card.ts';
import { cut, fitted, LIMITS } from './limits.ts';
import { escapeText } from './text.ts';

/** Longest error or note, so that it fits even when every character has to be escaped. */
const SENTENCE = 500;

/** Where a dialog was opened, so that its answer finds the way back. */
export interface Place {
  readonly channel: string;
  readonly thread?: string;
  /** Good for 30 minutes and 5 answers. */
  readonly responseUrl?: string;
}

/** What a dialog of ours carries unseen. */
export interface Carried {
  readonly command: string;
  readonly hidden: Raw;
  readonly fields: readonly string[];
  readonly place: Place;
}

/** A view as Slack sends it back. Only what we read of it. */
export interface SentView {
  readonly id?: string;
  readonly hash?: string;
  readonly type?: string;
  readonly private_metadata?: string;
  readonly state?: { readonly values?: Readonly<Record<string, Readonly<Record<string, SentValue>>>> };
}

export interface SentValue {
  readonly value?: string | null;
  readonly selected_option?: { readonly value?: string } | null;
  readonly selected_options?: readonly { readonly value?: string }[] | null;
}

/** Draws a form as a modal. Pure; everything cut is named in `losses`. */
export function drawForm(form: Form, place: Place): Rendered<ModalView> {
  const losses: string[] = [];
  const inputs = Object.entries(form.fields).flatMap(([name, field]) => drawField(name, field, form, losses));
  const step = form.step === undefined ? [] : [context(`Step ${form.step.number} of ${form.step.of}`)];
  const whole = form.errors[''];
  const head: KnownBlock[] = whole === undefined ? [] : [section(`⚠️ ${escapeText(cut(whole, SENTENCE))}`)];
  const back = form.back === undefined ? [] : backButton(form.command, form.back, losses);
  const room = LIMITS.viewBlocks - inputs.length - step.length - head.length - back.length;
  const blocks = [...step, ...drawBlocks(form.intro, room, losses), ...head, ...inputs, ...back];
  const payload: ModalView = {
    type: 'modal',
    callback_id: 'form',
    title: plainText(fitted(form.title, LIMITS.viewTitle, 'The title', losses)),
    submit: plainText(fitted(form.submit, LIMITS.viewTitle, 'The button', losses)),
    close: plainText('Cancel'),
    notify_on_close: inputs.length > 0,
    private_metadata: pack({
      command: form.command,
      hidden: form.hidden,
      fields: Object.keys(form.fields),
      place,
    }),
    blocks: blocks.length > 0 ? blocks : [section('Nothing to fill in. Continue?')],
  };
  return { payload, losses };
}

/** The values of a view, by field name; empty inputs as ''. Several values of a field are a JSON array. */
export function readView(view: SentView): Raw {
  const values: Record<string, string> = {};
  for (const elements of Object.values(view.state?.values ?? {})) {
    for (const [name, sent] of Object.entries(elements)) {
      values[name] = readValue(sent);
    }
  }
  return values;
}

/** What {@link drawForm} packed into a view; undefined for a view that is no form of ours. */
export function carried(view: SentView): Carried | undefined {
  try {
    const read: unknown = JSON.parse(view.private_metadata ?? '');
    return typeof read === 'object' && read !== null && 'command' in read ? (read as Carried) : undefined;
  } catch {
    // A view that carries nothing, as the one that says "Working…".
    return undefined;
  }
}

/** A card shown inside a modal: what a submission that took long comes to. */
export function cardView(card: Card): ModalView {
  const { payload } = drawCard({ ...card, title: '' }, LIMITS.viewBlocks);
  const title = cut(card.title, LIMITS.viewTitle);
  const more =
    card.title.length > LIMITS.viewTitle ? [section(`*${escapeText(cut(card.title, SENTENCE))}*`)] : [];
  const blocks = [...more, ...payload.blocks];
  return {
    type: 'modal',
    title: plainText(title),
    close: plainText('Close'),
    blocks: blocks.length > 0 ? blocks : [section(payload.text || '—')],
  };
}

/** A modal of one sentence; `title` says what it is about. */
export function noteView(title: string, note: string): ModalView {
  return {
    type: 'modal',
    title: plainText(title),
    close: plainText('Close'),
    blocks: [section(escapeText(cut(note, SENTENCE)))],
  };
}

/** Holds a modal open while an answer is made, and with it the permission to show one. */
export function workingView(metadata?: string): ModalView {
  return {
    ...noteView('Working…', '⏳ Working on it. This takes a few seconds.'),
    ...(metadata === undefined ? {} : { private_metadata: metadata }),
  };
}

function section(text: string): KnownBlock {
  return { type: 'section', text: { type: 'mrkdwn', text, verbatim: true } };
}

function context(text: string): KnownBlock {
  return { type: 'context', elements: [{ type: 'mrkdwn', text, verbatim: true }] };
}

function pack(what: Carried): string {
  const full = JSON.stringify(what);
  if (full.length <= LIMITS.metadata) {
    return full;
  }
  // The answer's way back can be done without: then it goes to the person's direct messages.
  const { responseUrl: _, ...place } = what.place;
  const short = JSON.stringify({ ...what, place });
  if (short.length > LIMITS.metadata) {
    throw new ActivateError(
      'BUG',
      `The form ${what.command} carries more than ${LIMITS.metadata} characters unseen.`,
      {
        fix: 'Try it on the local chat page, and please report this.',
      },
    );
  }
  return short;
}

function backButton(command: string, back: Raw, losses: string[]): readonly KnownBlock[] {
  const value = JSON.stringify({ command, input: back });
  if (value.length > LIMITS.buttonValue) {
    losses.push('The Back button was left out: what it carries is too long.');
    return [];
  }
  return [
    { type: 'actions', elements: [{ type: 'button', text: plainText('← Back'), value, action_id: 'back' }] },
  ];
}

function drawField(name: string, field: Field, form: Form, losses: string[]): readonly KnownBlock[] {
  const error = form.errors[name];
  const shown =
    error === undefined
      ? []
      : [context(`⚠️ *${escapeText(cut(field.label, LIMITS.option))}*: ${escapeText(cut(error, SENTENCE))}`)];
  const element = drawElement(name, field, form.initial[name] ?? '', losses);
  if (element === undefined) {
    losses.push(`${field.label} is a secret: Slack can't hide it, so it isn't asked for here.`);
    return [context(`🔒 ${escapeText(cut(field.label, LIMITS.option))} can't be typed in Slack.`)];
  }
  const hint =
    field.help === undefined ? {} : { hint: plainText(fitted(field.help, LIMITS.hint, 'A hint', losses)) };
  const label = plainText(fitted(field.label, LIMITS.label, 'A label', losses));
  return [
    ...shown,
    { type: 'input', block_id: `f:${name}`, label, optional: field.optional, element, ...hint },
  ];
}

function drawElement(
  name: string,
  field: Field,
  initial: string,
  losses: string[],
): InputBlockElement | undefined {
  const widget = field.widget;
  switch (widget.type) {
    case 'text':
    case 'area': {
      const max = Math.min(widget.maxLength ?? LIMITS.input, LIMITS.input);
      return {
        type: 'plain_text_input',
        action_id: name,
        multiline: widget.type === 'area',
        max_length: max,
        ...(widget.placeholder === undefined
          ? {}
          : { placeholder: plainText(cut(widget.placeholder, LIMITS.placeholder)) }),
        ...(initial === '' ? {} : { initial_value: fitted(initial, max, field.label, losses) }),
      };
    }
    case 'number':
      return {
        type: 'number_input',
        action_id: name,
        is_decimal_allowed: !widget.whole,
        ...(widget.min === undefined ? {} : { min_value: String(widget.min) }),
        ...(widget.max === undefined ? {} : { max_value: String(widget.max) }),
        ...(/^-?\d+(\.\d+)?$/.test(initial) ? { initial_value: initial } : {}),
      };
    case 'choice':
      return drawChoice(name, field.label, widget, initial, losses);
    case 'lookup':
      return drawLookup(name, widget.many, initial, losses);
    case 'secret':
      return undefined;
    default:
      return widget satisfies never;
  }
}

function drawChoice(
  name: string,
  label: string,
  widget: { readonly options: readonly Option[]; readonly many: boolean },
  initial: string,
  losses: string[],
): InputBlockElement {
  const options = drawOptions(widget.options, losses);
  if (options.length < widget.options.length) {
    losses.push(`${label} shows ${options.length} of ${widget.options.length} choices.`);
  }
  const wanted = widget.many ? splitMany(initial) : [initial];
  const chosen = options.filter((option) => wanted.includes(option.value ?? ''));
  const [first] = chosen;
  if (!widget.many) {
    return {
      type: 'static_select',
      action_id: name,
      options,
      ...(first === undefined ? {} : { initial_option: first }),
    };
  }
  const preset = first === undefined ? {} : { initial_options: chosen };
  return options.length <= LIMITS.boxes
    ? { type: 'checkboxes', action_id: name, options, ...preset }
    : { type: 'multi_static_select', action_id: name, options, ...preset };
}

function drawLookup(name: string, many: boolean, initial: string, losses: string[]): InputBlockElement {
  const given = (many ? splitMany(initial) : [initial]).filter((value) => value !== '');
  const options = drawOptions(
    given.map((value) => ({ value, label: value })),
    losses,
  );
  const [first] = options;
  const placeholder = plainText('Type to search');
  return many
    ? {
        type: 'multi_external_select',
        action_id: name,
        min_query_length: 0,
        placeholder,
        ...(first === undefined ? {} : { initial_options: [...options] }),
      }
    : {
        type: 'external_select',
        action_id: name,
        min_query_length: 0,
        placeholder,
        ...(first === undefined ? {} : { initial_option: first }),
      };
}

/** Options as Slack takes them: at most 100, and none whose value is too long to come back whole. */
export function drawOptions(options: readonly Option[], losses: string[]): PlainTextOption[] {
  const possible = options.filter(
    (option) => option.value !== '' && option.value.length <= LIMITS.optionValue,
  );
  if (possible.length < options.length) {
    losses.push(`${options.length - possible.length} choices were left out: Slack can't carry their values.`);
  }
  return possible.slice(0, LIMITS.options).map((option) => ({
    text: plainText(
      fitted(option.label || option.value, LIMITS.option, `The choice ${cut(option.label, 30)}`, losses),
    ),
    value: option.value,
    ...(option.hint === undefined || option.hint === ''
      ? {}
      : {
          description: plainText(
            fitted(option.hint, LIMITS.optionHint, `The hint of ${cut(option.label, 30)}`, losses),
          ),
        }),
  }));
}

function readValue(sent: SentValue): string {
  if (sent.selected_options !== undefined && sent.selected_options !== null) {
    const values = sent.selected_options.map((option) => option.value ?? '');
    return values.length === 0 ? '' : JSON.stringify(values);
  }
  return sent.selected_option?.value ?? sent.value ?? '';
}
