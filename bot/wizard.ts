import type { Reply } from '../engine/contracts/chat.ts';
import type { Caller, Command, Prepared, Step } from '../engine/contracts/command.ts';
import { type ActivateError, asActivateError } from '../engine/contracts/errors.ts';
import { check, type Fields, type Form, field, type Values } from '../engine/contracts/form.ts';
import type { Raw } from '../engine/contracts/refs.ts';

export interface DraftRecord {
  readonly id: number;
  readonly step: number;
  readonly command: string;
  readonly answers: Raw;
}

/** Where half-filled commands are kept. A draft is only ever given to the person whose it is. */
export interface DraftBook {
  start(personId: number, command: string, answers: Raw): Promise<DraftRecord>;
  get(personId: number, id: number): Promise<DraftRecord | undefined>;
  keep(id: number, step: number, answers: Raw): Promise<void>;
  drop(id: number): Promise<void>;
}

/** Runs the command with its checked values; `raw` is what they were read from. */
type Finish = (values: Values<Fields>, raw: Raw) => Promise<Reply>;

/**
 * Leads through a command that asks in several steps. What was typed is kept before anything is checked, so that
 * nothing is lost when a step fails, the window closes or the process ends. Secrets are kept nowhere: they travel
 * with the form.
 */
export class Wizard<S> {
  private readonly drafts: DraftBook;
  private readonly services: S;
  // biome-ignore lint/suspicious/noExplicitAny: as in the list of commands.
  private readonly command: Command<any, S>;
  private readonly caller: Caller;
  private readonly finish: Finish;

  constructor(
    parts: { readonly drafts: DraftBook; readonly services: S },
    // biome-ignore lint/suspicious/noExplicitAny: as in the list of commands.
    command: Command<any, S>,
    caller: Caller,
    finish: Finish,
  ) {
    this.drafts = parts.drafts;
    this.services = parts.services;
    this.command = command;
    this.caller = caller;
    this.finish = finish;
  }

  async go(input: Raw): Promise<Reply> {
    const { draft, step, back, closed, linked: _linked, asked, ...given } = input;
    if (this.caller.platform === 'cli' && asked === undefined && draft === undefined) {
      return this.allAtOnce(given);
    }
    const kept = await this.keptDraft(draft);
    if (kept === undefined) {
      const started = await this.drafts.start(this.person(), this.command.name, this.keepable(given));
      const gone = 'That draft is gone; here is a new one with what you just typed.';
      return closed === undefined
        ? this.show(started.id, 0, given, draft === undefined ? {} : { '': gone })
        : keptReply;
    }
    const raw = { ...kept.answers, ...given };
    // Where a form says it comes from is not trusted: nobody gets past a step that was not passed.
    const claimed = wholeNumber(step);
    const at = claimed === undefined || claimed > kept.step ? kept.step : claimed;
    const shown = back === undefined ? at : Math.max(0, at - 1);
    await this.drafts.keep(kept.id, shown, this.keepable(given));
    if (closed !== undefined) {
      return keptReply;
    }
    const answered =
      this.stepsFor(raw)
        [at]?.fields(raw)
        .some((name) => name in given) ?? false;
    return back !== undefined || claimed !== at || !answered
      ? this.show(kept.id, shown, raw, {})
      : this.submit(kept.id, at, raw);
  }

  /** The draft of this name, when it is of this command and the caller's own. */
  private async keptDraft(draft: string | undefined): Promise<DraftRecord | undefined> {
    const id = wholeNumber(draft);
    const kept = id === undefined ? undefined : await this.drafts.get(this.person(), id);
    return kept?.command === this.command.name ? kept : undefined;
  }

  private async submit(draft: number, at: number, raw: Raw): Promise<Reply> {
    const errors = await this.errorsOf(at, raw);
    if (Object.keys(errors).length > 0) {
      return this.show(draft, at, raw, errors);
    }
    if (at + 1 < this.stepsFor(raw).length) {
      await this.drafts.keep(draft, at + 1, {});
      return this.show(draft, at + 1, raw, {});
    }
    const answers = this.inPlay(raw);
    const checked = check(this.command.fields as Fields, answers);
    if (!checked.ok) {
      return this.show(draft, this.stepWith(raw, Object.keys(checked.errors)), raw, checked.errors);
    }
    try {
      const reply = await this.finish(checked.values, answers);
      await this.drafts.drop(draft);
      return reply;
    } catch (thrown) {
      return this.show(draft, ...this.placed(at, raw, thrown));
    }
  }

  /** The answers that count: not those to steps that are no longer asked. */
  private inPlay(raw: Raw): Raw {
    const names = new Set([
      ...(this.command.positional ?? []),
      ...this.stepsFor(raw).flatMap((step) => step.fields(raw)),
    ]);
    return Object.fromEntries(Object.entries(raw).filter(([name]) => names.has(name)));
  }

  /** An error at the step that has its field, or above the present one. A bug goes on to whoever called. */
  private placed(at: number, raw: Raw, thrown: unknown): [number, Raw, Raw] {
    const error = asActivateError(thrown);
    if (error.code === 'BUG') {
      throw thrown;
    }
    const fields = Object.keys(error.fields ?? {}).filter((name) => name in this.command.fields);
    const sentence = sentenceOf(error);
    return fields.length > 0
      ? [this.stepWith(raw, fields), raw, error.fields ?? {}]
      : [at, raw, { '': sentence }];
  }

  private stepWith(raw: Raw, fields: readonly string[]): number {
    const at = this.stepsFor(raw).findIndex((step) => step.fields(raw).some((name) => fields.includes(name)));
    return at === -1 ? 0 : at;
  }

  private async errorsOf(at: number, raw: Raw): Promise<Raw> {
    const step = this.stepsFor(raw)[at];
    if (step === undefined) {
      return {};
    }
    const checked = check(this.fieldsOf(step, raw), raw);
    if (!checked.ok) {
      return checked.errors;
    }
    try {
      return (await step.check?.(raw, this.caller, this.services)) ?? {};
    } catch (thrown) {
      const error = asActivateError(thrown);
      if (error.code === 'BUG') {
        throw thrown;
      }
      const shown = Object.entries(error.fields ?? {}).filter(([name]) => step.fields(raw).includes(name));
      const sentence = sentenceOf(error);
      return shown.length > 0 ? Object.fromEntries(shown) : { '': sentence };
    }
  }

  private async show(draft: number, at: number, raw: Raw, errors: Raw): Promise<Reply> {
    const steps = this.stepsFor(raw);
    const step = steps[at] ?? steps[0];
    if (step === undefined) {
      throw new Error(`${this.command.name} has no step to show`);
    }
    const prepared = await this.prepared(step, raw);
    const fields = this.fieldsOf(step, raw);
    const number = steps.indexOf(step);
    const form: Form = {
      command: this.command.name,
      title: step.title,
      step: { number: number + 1, of: steps.length },
      intro: prepared.intro ?? [],
      fields,
      initial: { ...prepared.initial, ...this.keepable(raw) },
      errors: { ...prepared.errors, ...atShown(errors, fields) },
      hidden: { draft: String(draft), step: String(number), ...this.secretsBeyond(fields, raw) },
      submit: prepared.submit ?? (number + 1 === steps.length ? 'Save' : 'Next'),
      ...(number === 0 ? {} : { back: { draft: String(draft), step: String(number), back: 'true' } }),
    };
    return { kind: 'form', form };
  }

  private async prepared(step: Step<S>, raw: Raw): Promise<Prepared & { readonly errors: Raw }> {
    try {
      return { errors: {}, ...(await step.prepare?.(raw, this.caller, this.services)) };
    } catch (thrown) {
      const error = asActivateError(thrown);
      const about = Object.keys(error.fields ?? {}).some((name) => this.command.positional?.includes(name));
      if (error.code === 'BUG' || about) {
        throw thrown;
      }
      return { errors: { '': sentenceOf(error) } };
    }
  }

  /** Where nobody can be asked, in a script say, what was given is checked step by step, and all errors come at once. */
  private async allAtOnce(raw: Raw): Promise<Reply> {
    let filled = raw;
    let errors: Raw = {};
    for (let at = 0; at < this.stepsFor(filled).length; at += 1) {
      const step = this.stepsFor(filled)[at] as Step<S>;
      if (Object.keys(errors).length > 0) {
        // What a later step suggests or asks the world depends on what is wrong already.
        const checked = check(this.fieldsOf(step, filled), filled);
        const given = Object.entries(checked.ok ? {} : checked.errors).filter(([name]) => name in raw);
        errors = { ...Object.fromEntries(given), ...errors };
        continue;
      }
      const prepared = await this.prepared(step, filled);
      filled = { ...prepared.initial, ...filled };
      errors = { ...prepared.errors, ...(await this.errorsOf(at, filled)) };
    }
    const fields = this.command.fields as Fields;
    const answers = this.inPlay(filled);
    const checked = check(fields, answers);
    if (Object.keys(errors).length > 0) {
      return this.whole(filled, errors);
    }
    if (!checked.ok) {
      return this.whole(filled, checked.errors);
    }
    try {
      return await this.finish(checked.values, answers);
    } catch (thrown) {
      const atFields = asActivateError(thrown).fields;
      if (atFields === undefined) {
        throw thrown;
      }
      return this.whole(filled, atFields);
    }
  }

  /** All steps as one form. */
  private whole(raw: Raw, errors: Raw): Reply {
    const { title, name } = this.command;
    const about = { command: name, title, intro: [], initial: this.keepable(raw), hidden: {} };
    return {
      kind: 'form',
      form: { ...about, fields: this.command.fields as Fields, errors, submit: 'Save' },
    };
  }

  /** Steps without fields under what was answered so far are passed over. */
  private stepsFor(raw: Raw): readonly Step<S>[] {
    return (this.command.steps ?? []).filter((step) => step.fields(raw).length > 0);
  }

  private fieldsOf(step: Step<S>, raw: Raw): Fields {
    const all = this.command.fields as Fields;
    return Object.fromEntries(
      step.fields(raw).flatMap((name) => {
        const one = all[name];
        return one === undefined
          ? []
          : [[name, step.required?.includes(name) === true ? field.required(one) : one]];
      }),
    );
  }

  private keepable(given: Raw): Raw {
    const all = this.command.fields as Fields;
    return Object.fromEntries(
      Object.entries(given).filter(
        ([name]) => all[name] !== undefined && all[name]?.widget.type !== 'secret',
      ),
    );
  }

  private secretsBeyond(shown: Fields, raw: Raw): Raw {
    const all = this.command.fields as Fields;
    return Object.fromEntries(
      Object.entries(raw).filter(
        ([name]) => all[name]?.widget.type === 'secret' && shown[name] === undefined,
      ),
    );
  }

  private person(): number {
    return Number(this.caller.id);
  }
}

const keptReply: Reply = { kind: 'done', note: 'Kept as a draft: /activate draft takes it up again.' };

/** A number as a form carries it; undefined for anything else. */
export function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function sentenceOf(error: ActivateError): string {
  return error.fix === undefined ? error.message : `${error.message} ${error.fix}`;
}

/** Errors as a form can show them: what is about a field that is not there is said of the whole. */
function atShown(errors: Raw, fields: Fields): Raw {
  const elsewhere = Object.entries(errors).filter(([name]) => !Object.hasOwn(fields, name));
  const here = Object.entries(errors).filter(([name]) => Object.hasOwn(fields, name));
  const whole = [...new Set(elsewhere.map(([, sentence]) => sentence))].join(' ');
  return { ...Object.fromEntries(here), ...(whole === '' ? {} : { '': whole }) };
}
