import type { Reply } from '../engine/contracts/chat.ts';
import type { Caller, Command, Prepared, Step } from '../engine/contracts/command.ts';
import { asActivateError } from '../engine/contracts/errors.ts';
import { check, type Fields, type Form } from '../engine/contracts/form.ts';
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
  private readonly finish: (raw: Raw) => Promise<Reply>;

  constructor(
    parts: { readonly drafts: DraftBook; readonly services: S },
    // biome-ignore lint/suspicious/noExplicitAny: as in the list of commands.
    command: Command<any, S>,
    caller: Caller,
    finish: (raw: Raw) => Promise<Reply>,
  ) {
    this.drafts = parts.drafts;
    this.services = parts.services;
    this.command = command;
    this.caller = caller;
    this.finish = finish;
  }

  async go(input: Raw): Promise<Reply> {
    const { draft, step, back, closed, linked: _linked, yes: _yes, ...given } = input;
    if (this.caller.platform === 'cli') {
      return this.allAtOnce(given);
    }
    if (draft === undefined) {
      const started = await this.drafts.start(this.person(), this.command.name, this.keepable(given));
      return this.show(started.id, 0, given, {});
    }
    const kept = await this.drafts.get(this.person(), Number(draft));
    if (kept === undefined || kept.command !== this.command.name) {
      const started = await this.drafts.start(this.person(), this.command.name, this.keepable(given));
      return this.show(started.id, 0, given, {
        '': 'That draft is gone; here is a new one with what you just typed.',
      });
    }
    const at = step === undefined ? kept.step : Number(step);
    await this.drafts.keep(kept.id, at, this.keepable(given));
    const raw = { ...kept.answers, ...given };
    if (closed !== undefined) {
      return { kind: 'done', note: 'Kept as a draft: /activate draft takes it up again.' };
    }
    if (back !== undefined || step === undefined) {
      return this.show(kept.id, back === undefined ? at : Math.max(0, at - 1), raw, {});
    }
    return this.submit(kept.id, at, raw);
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
    try {
      const reply = await this.finish(raw);
      if (reply.kind === 'form') {
        return this.show(draft, this.stepWith(raw, Object.keys(reply.form.errors)), raw, reply.form.errors);
      }
      await this.drafts.drop(draft);
      return reply;
    } catch (thrown) {
      return this.show(draft, ...this.placed(at, raw, thrown));
    }
  }

  /** An error at the step that has its field, or above the present one. A bug goes on to whoever called. */
  private placed(at: number, raw: Raw, thrown: unknown): [number, Raw, Raw] {
    const error = asActivateError(thrown);
    if (error.code === 'BUG') {
      throw thrown;
    }
    const fields = Object.keys(error.fields ?? {}).filter((name) => name in this.command.fields);
    const sentence = error.fix === undefined ? error.message : `${error.message} ${error.fix}`;
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
      const sentence = error.fix === undefined ? error.message : `${error.message} ${error.fix}`;
      return shown.length > 0 ? Object.fromEntries(shown) : { '': sentence };
    }
  }

  private async show(draft: number, at: number, raw: Raw, errors: Raw): Promise<Reply> {
    const steps = this.stepsFor(raw);
    const step = steps[at] ?? steps[0];
    if (step === undefined) {
      return this.finish(raw);
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
      initial: { ...prepared.initial, ...raw },
      errors: { ...prepared.errors, ...errors },
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
      if (error.code === 'BUG') {
        throw thrown;
      }
      return { errors: { '': error.message } };
    }
  }

  /** A terminal shows no forms: every step is checked with what was given, and all errors come at once. */
  private async allAtOnce(raw: Raw): Promise<Reply> {
    let filled = raw;
    let errors: Raw = {};
    for (const [at, step] of this.stepsFor(filled).entries()) {
      const prepared = Object.keys(errors).length === 0 ? await this.prepared(step, filled) : undefined;
      filled = { ...prepared?.initial, ...filled };
      errors = { ...(await this.errorsOf(at, filled)), ...errors };
    }
    if (Object.keys(errors).length === 0) {
      return this.finish(filled);
    }
    const { title, fields, name } = this.command;
    return {
      kind: 'form',
      form: { command: name, title, intro: [], fields, initial: raw, errors, hidden: {}, submit: 'Save' },
    };
  }

  /** Steps without fields under what was answered so far are passed over. */
  private stepsFor(raw: Raw): readonly Step<S>[] {
    return (this.command.steps ?? []).filter((step) => step.fields(raw).length > 0);
  }

  private fieldsOf(step: Step<S>, raw: Raw): Fields {
    const all = this.command.fields as Fields;
    return Object.fromEntries(
      step.fields(raw).flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])),
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
