import type { Card } from './card.ts';
import type { Form, Options } from './form.ts';
import type { ConversationRef, Invocation, MessageRef, PersonRef, PlatformId, Raw, Target } from './refs.ts';

/** A file that goes with a message. `name` carries the extension. */
export interface Attachment {
  readonly name: string;
  readonly type: string;
  readonly bytes: Uint8Array;
}

export interface Message {
  readonly card: Card;
  readonly files?: readonly Attachment[];
}

/** What a platform knows of a person. `email` only when the platform vouches for it. */
export interface Profile {
  readonly name: string;
  readonly email?: string;
  /** IANA name, as `Europe/Paris`. */
  readonly timeZone?: string;
  /**
   * `guest`: let in by the organisation, and not one of its own. `stranger`: from another organisation, in a shared
   * channel say; the platform vouches for none of their claims. Left out: a member.
   */
  readonly standing?: 'guest' | 'stranger';
}

/**
 * The half of a platform that speaks. Used by the worker and by the bot.
 *
 * Errors are ActivateErrors: TARGET_GONE (channel deleted, person left, bot not invited), AUTH_REJECTED,
 * RATE_LIMITED with `retryAfterMs`, UNAVAILABLE when the message was certainly not posted, and
 * OUTCOME_UNKNOWN when it may have been (timeout, connection lost after sending, a 5xx).
 * A sender never retries by itself: the engine does, and it looks first.
 */
export interface Sender {
  readonly id: PlatformId;
  /** Smallest time between two messages to one conversation, in ms; 0 for none. */
  readonly paceMs: number;
  /** Posts a message. `mark` is stored with it, unseen, so that {@link Sender.find} can tell whether it arrived. */
  post(to: Target, message: Message, options?: { readonly mark?: string }): Promise<MessageRef>;
  /** Replaces a posted message of ours. Doing it twice is harmless. */
  update(posted: MessageRef, message: Message): Promise<void>;
  /** The message that carries this mark, looked for among those posted to `to` since then; undefined if there is none. */
  find(to: Target, mark: string, since: Date): Promise<MessageRef | undefined>;
  personByEmail(email: string): Promise<PersonRef | undefined>;
  profile(person: PersonRef): Promise<Profile | undefined>;
  /** Channels the bot can post to, best matches of `typed` first, at most 20. Values as `formatTarget` writes them. */
  channels(typed: string): Promise<Options>;
  /** People, likewise. */
  people(typed: string): Promise<Options>;
  /** Groups of people that the platform keeps, best matches of `typed` first; values as `formatGroup` writes them. */
  groups?(typed: string): Promise<Options>;
  /** Who is in a group just now. */
  members?(groupId: string): Promise<readonly PersonRef[]>;
  /** The name a person would call this conversation by, `#sales`; undefined when it is gone or hidden from us. */
  nameOf(conversation: ConversationRef): Promise<string | undefined>;
}

/** Who did something and where, as the platform saw it. */
export interface Origin {
  readonly person: PersonRef;
  readonly conversation: ConversationRef;
  /** The message whose button was pressed. */
  readonly message?: MessageRef;
  /** A conversation that nobody else can read. Left out: others may. */
  readonly direct?: boolean;
}

export type Reply =
  /** `caller`: only they see it. `conversation`: everybody there. `pressed`: replaces the message whose button it was. */
  | {
      readonly kind: 'card';
      readonly card: Card;
      readonly to: 'caller' | 'conversation' | 'pressed';
      readonly files?: readonly Attachment[];
      /** The same as data, for whoever asked in a script. */
      readonly data?: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: 'form'; readonly form: Form }
  /** Nothing to show, except perhaps a short line to the caller. */
  | { readonly kind: 'done'; readonly note?: string };

/** What a platform may ask of the rest of the house. Neither method ever throws: errors come back as replies. */
export interface Dispatch {
  run(invocation: Invocation, origin: Origin): Promise<Reply>;
  /** A line as typed after `/activate`. */
  typed(line: string, origin: Origin): Promise<Reply>;
  /** Options of a lookup field while a person types; `input` is what the form holds so far. */
  options(command: string, field: string, typed: string, input: Raw, origin: Origin): Promise<Options>;
  /** Names and summaries that complete a typed line. */
  complete(line: string, origin: Origin): Promise<Options>;
  /**
   * True when answering this may need a dialog: the command has steps, or the input leaves a field open. A platform
   * whose permission to open one runs out opens an empty one at once.
   */
  mayOpenForm(invocation: Invocation): boolean;
  /** A line as typed, read into an invocation. */
  parse(line: string): Invocation;
}

/** A chat platform: it hears, and it speaks. */
export interface ChatPlatform extends Sender {
  /** Starts to hear; resolves once it does. Ends when the signal fires. */
  receive(dispatch: Dispatch, signal: AbortSignal): Promise<void>;
}
