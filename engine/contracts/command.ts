import type { Block } from './card.ts';
import type { Origin, Reply } from './chat.ts';
import type { Fields, Options, Values } from './form.ts';
import type { PlatformId, Raw } from './refs.ts';

/** What a person may do; each role includes those before it. `none` may do nothing at all. */
export const ROLES = ['none', 'viewer', 'editor', 'approver', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Who calls, after the dispatcher has looked them up. `id` is the same person on every platform. */
export interface Caller extends Origin {
  readonly id: string;
  readonly name: string;
  readonly email: string | undefined;
  readonly role: Role;
  readonly timeZone: string;
  readonly platform: PlatformId;
}

/** One step of a command that asks in several. The dispatcher keeps what was typed in a draft. */
export interface Step<S> {
  /** At most 24 characters. */
  readonly title: string;
  /** The names of the fields of this step, given what was answered before. */
  fields(raw: Raw): readonly string[];
  /** Optional fields of the command that may not be left out of this step. */
  readonly required?: readonly string[];
  /** What to show above the fields, and answers to begin with. */
  prepare?(raw: Raw, caller: Caller, services: S): Promise<Prepared>;
  /** Checks that need the world (the warehouse, the chat). Errors by field name; an empty object when all is well. */
  check?(raw: Raw, caller: Caller, services: S): Promise<Raw>;
}

export interface Prepared {
  readonly intro?: readonly Block[];
  readonly initial?: Raw;
  /** Label of the button that leaves this step, at most 24 characters. */
  readonly submit?: string;
}

export type Lookup<S> = (typed: string, raw: Raw, caller: Caller, services: S) => Promise<Options>;

/**
 * A command, declared once. From it come the typed line, the form, its validation, the access check, the help, the
 * completion, the Slack manifest, the docs table and the command line.
 */
export interface Command<F extends Fields = Fields, S = unknown> {
  readonly name: string;
  /** Heads the form; at most 24 characters. */
  readonly title: string;
  /** One line, a full sentence. */
  readonly summary: string;
  /** A line that works when typed. */
  readonly example: string;
  readonly access: Role;
  /** Left out of help and completion: only buttons use it. */
  readonly hidden?: boolean;
  readonly fields: F;
  /** Fields that a typed line may give without naming them, in this order. The last one takes the rest of the line. */
  readonly positional?: readonly (keyof F & string)[];
  /** Fields that a button carries: they are not asked for where they are given. */
  readonly carried?: readonly (keyof F & string)[];
  /** Label of the button that submits its form, at most 24 characters. */
  readonly submit?: string;
  /** It answers with a form though nothing is missing: a platform that opens forms for a press alone has to know. */
  readonly showsForm?: true;
  readonly lookups?: Readonly<Record<string, Lookup<S>>>;
  readonly steps?: readonly Step<S>[];
  run(input: Values<F>, caller: Caller, services: S): Promise<Reply>;
}
