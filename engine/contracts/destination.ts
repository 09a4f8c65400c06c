import type { Options } from './form.ts';

/**
 * A value on its way out, as JSON has it. Nothing is rounded: a number is a JavaScript number only where that is exact
 * (a safe integer, or a decimal that reads back the same), and a string of its digits otherwise. Times are ISO 8601 in
 * UTC with all their microseconds, dates `YYYY-MM-DD`, bytes Base64.
 */
export type Value = string | number | boolean | null | readonly Value[] | { readonly [name: string]: Value };

/** What became of one item. Sentences are for people, and repeat no value of a row. */
export type Outcome =
  | { readonly state: 'ok'; readonly id?: string; readonly url?: string }
  /** Refused for what it holds: sent again at the next run, in case the row or the far side has changed. */
  | { readonly state: 'rejected'; readonly reason: string; readonly field?: string }
  /** Not done, for a reason that passes: tried again in this run. */
  | { readonly state: 'retry'; readonly reason: string; readonly afterMs?: number }
  /** Nobody can say whether it was done: tried again with `call.again`. */
  | { readonly state: 'unknown'; readonly reason: string };

/**
 * How much one call takes. `concurrency` calls may be under way at once in one process; `paceMs` is the smallest time
 * between the beginnings of two calls for one connection, kept by all processes together.
 */
export interface BatchLimits {
  readonly rows: number;
  /** Of the items as JSON. One item larger than that goes alone. */
  readonly bytes?: number;
  readonly concurrency: number;
  readonly paceMs?: number;
}

/**
 * One call of a part. Errors that it throws are about the batch as a whole: RATE_LIMITED (`retryAfterMs`) and
 * UNAVAILABLE when nothing was done, OUTCOME_UNKNOWN when something may have been: all three are tried again.
 * ROW_REJECTED when the far side refuses a batch for one bad row and does not say which: the engine halves the batch
 * until it knows. Any other code ends the run: the connection or the set-up is at fault, not the rows.
 */
export interface Call {
  readonly signal: AbortSignal;
  /** An earlier attempt at these items may have got through: what is there already counts as done. */
  readonly again: boolean;
  /**
   * The run that these items belong to: the same at each attempt, another when a row comes again later, even with the
   * same values. Part of whatever a far side is to recognise a repeat by, where events have their own ids.
   */
  readonly run: string;
  /** A job that an earlier attempt began at the far side for these very items: go on with it, start no other. */
  readonly ticket: string | undefined;
  /** Remembers a job begun at the far side, before anything else is done with it. */
  keep(ticket: string): Promise<void>;
}

// Objects ------------------------------------------------------------------------------------------------------------

/** What a field takes. `any` has no type of its own: values come as the source's type has them. */
export type FieldType = 'text' | 'integer' | 'number' | 'boolean' | 'date' | 'time' | 'json' | 'any';

/** A field that can be written. */
export interface FieldSpec {
  readonly name: string;
  readonly label: string;
  readonly type: FieldType;
  /** A new record can't be made without it. */
  readonly required: boolean;
  /** Records can be found by it: the far side keeps its values unique. */
  readonly key: boolean;
  /** In characters. */
  readonly maxLength?: number;
  /** The only values it takes. */
  readonly options?: readonly string[];
}

export type Operation = 'insert' | 'update' | 'upsert' | 'delete';

/** One record to write. `key` is our row's key as text, `values` by the far side's field names. */
export interface Item {
  readonly key: string;
  /** A field that is not there is to be left alone; null empties it. For `delete` the match fields alone. */
  readonly values: Readonly<Record<string, Value>>;
}

export interface ObjectBatch {
  readonly object: string;
  readonly operation: Operation;
  /** Fields that find the record. Never null in an item; no two items of a batch agree in them. */
  readonly match: readonly string[];
  /** All fields that items of this sync can have, those of `match` among them, always in the same order. */
  readonly fields: readonly FieldUse[];
  readonly items: readonly Item[];
}

/** New rows as their source wrote them, for destinations that read the same. */
export interface LineBatch {
  readonly object: string;
  readonly operation: 'insert' | 'upsert';
  readonly match: readonly string[];
  /** The far side's names of the fields, in the order in which each line has them. */
  readonly fields: readonly string[];
  readonly rows: number;
  /** Lines as `Reading.lines` has them: PostgreSQL's COPY text format. Each piece ends with the end of a line. */
  readonly lines: readonly Buffer[];
}

export interface FieldUse {
  readonly name: string;
  /** Write it only where the record has nothing in it. Only where the part declares `onlyIfEmpty`. */
  readonly onlyIfEmpty: boolean;
  /** Items leave it out when the row has nothing: whole columns may then be sparse. */
  readonly sparse: boolean;
}

/** Records in a CRM, a database, a marketing tool. */
export interface Objects {
  readonly limits: BatchLimits;
  readonly operations: readonly Operation[];
  readonly onlyIfEmpty: boolean;
  /** Fields that {@link Objects.fields} does not name can be written too: the far side keeps no list of them. */
  readonly anyField?: boolean;
  /** Kinds of records, best matches of `typed` first, at most 100. */
  objects(typed: string): Promise<Options>;
  /** The fields of a kind that can be written, now: never from a cache older than the run. NOT_FOUND when it is gone. */
  fields(object: string): Promise<readonly FieldSpec[]>;
  /** What stands against writing like this, in sentences (no unique index on the match fields, say); none is best. */
  verify(plan: Omit<ObjectBatch, 'items'>): Promise<readonly string[]>;
  write(batch: ObjectBatch, call: Call): Promise<readonly Outcome[]>;
  /**
   * Writes rows that are probably all new in one go, without looking at any of them. False when that can't be done, or
   * one of them was there or was refused: then nothing was written, and they come again through {@link Objects.write}.
   */
  fill?(batch: LineBatch, call: Call): Promise<boolean>;
  /** Ids of the records of a kind whose field has one of these values, by value. For fields that refer to others. */
  find(object: string, field: string, values: readonly string[]): Promise<ReadonlyMap<string, string>>;
}

// Events -------------------------------------------------------------------------------------------------------------

export interface Event {
  readonly key: string;
  /** 32 hex digits, the same for this row of this sync for ever: what the far side recognises a repeat by. */
  readonly id: string;
  readonly name: string;
  /** ISO 8601 in UTC. */
  readonly time: string;
  /** Who it is about, by the names of {@link Events.people}; empty values are left out. */
  readonly person: Readonly<Record<string, string>>;
  readonly properties: Readonly<Record<string, Value>>;
}

/** Things that happened, appended to an event tool. */
export interface Events {
  readonly limits: BatchLimits;
  /** The ways to say whom an event is about; at least one of them has to be mapped. */
  readonly people: readonly { readonly name: string; readonly label: string }[];
  /** How long the far side recognises a repeat; undefined: for ever. */
  readonly repeatsKnownForMs: number | undefined;
  send(events: readonly Event[], call: Call): Promise<readonly Outcome[]>;
}

// Audiences ----------------------------------------------------------------------------------------------------------

/** How a value is brought into the form that a platform matches by; see `engine/identity/rules.ts`. */
export type IdentityRule =
  | 'as-is'
  | 'email'
  | 'email-google'
  | 'email-spaceless'
  | 'phone-digits'
  | 'phone-e164'
  | 'name'
  | 'initial'
  | 'given-name-google'
  | 'family-name-google'
  | 'city'
  | 'state'
  | 'zip'
  | 'postal-code'
  | 'country'
  | 'region-code'
  | 'gender'
  | 'year'
  | 'month'
  | 'day'
  | 'device';

/** Something that a person can be recognised by. The engine brings it into form and hashes it. */
export interface Identifier {
  readonly name: string;
  readonly label: string;
  readonly rule: IdentityRule;
  readonly hash: 'sha256' | 'md5' | 'none';
}

/** A person on a list. */
export interface Member {
  readonly key: string;
  /** By the names of {@link Audiences.identifiers}, in form and hashed; at least one. */
  readonly identifiers: Readonly<Record<string, string>>;
  /** Facts about the person, where {@link Audiences.traits} has any and they are mapped. Not there for removals. */
  readonly traits: Readonly<Record<string, Value>>;
}

/** Lists of people: ad audiences, segments, tags. Adding who is there and removing who is not are both `ok`. */
export interface Audiences {
  readonly limits: BatchLimits;
  readonly identifiers: readonly Identifier[];
  /** Below this the platform makes no use of a list, or refuses to make it smaller; 0 for none. */
  readonly smallest: number;
  /** The lists there are, best matches of `typed` first, at most 100. */
  lists(typed: string): Promise<Options>;
  /** Makes a list and answers with its id; when one of this very name is there already, with that one's. */
  create(name: string): Promise<string>;
  /** Fields that a person on this list can have; none where the platform keeps none. */
  traits(list: string): Promise<readonly FieldSpec[]>;
  add(list: string, members: readonly Member[], call: Call): Promise<readonly Outcome[]>;
  remove(list: string, members: readonly Member[], call: Call): Promise<readonly Outcome[]>;
}

// Files --------------------------------------------------------------------------------------------------------------

export interface NewFile {
  /** Below the connection's own folder or prefix; parts split by `/`, never beginning with one, never `..`. */
  readonly path: string;
  readonly contentType: string;
  /** Ours alone, the same at each attempt: where the far side keeps such a thing, it is kept with the file. */
  readonly mark: string;
  /** Replace a file of this name. Otherwise one that is there makes it fail with EXISTS. */
  readonly overwrite: boolean;
}

export interface StoredFile {
  readonly bytes: number;
  readonly mark?: string;
}

/** A place for files. A name appears only once its file is complete. */
export interface Files {
  /**
   * Writes one file. `body` gives its bytes from the beginning each time it is called. When it throws, no file may be
   * left under the name, and nothing else that a reader could take for one.
   */
  put(file: NewFile, body: () => AsyncIterable<Uint8Array>, call: Call): Promise<StoredFile>;
  /** The file of this name; undefined when there is none. */
  stat(path: string): Promise<StoredFile | undefined>;
  /** Where people find a file: a path or an address without secrets in it. */
  locate(path: string): string;
}

// Tasks --------------------------------------------------------------------------------------------------------------

export interface NewTask {
  /** Ours alone, at most 40 letters and digits: kept with the task, so that {@link Tasks.find} can find it again. */
  readonly mark: string;
  readonly project: string;
  readonly title: string;
  /** Plain text, lines split by `\n`. */
  readonly body: string;
  /** E-mail address; when the far side knows nobody of it, the task is made without, and the outcome says so. */
  readonly assignee?: string;
  /** `YYYY-MM-DD`. */
  readonly due?: string;
  readonly fields: Readonly<Record<string, Value>>;
}

export interface TaskRef {
  readonly id: string;
  readonly url: string;
  /** What could not be done as asked, in a sentence. */
  readonly note?: string;
}

/** `gone`: deleted, or hidden from us. */
export type TaskState = 'open' | 'closed' | 'gone';

/**
 * Tickets for people. Each method is one task; errors are as {@link Call} says, ROW_REJECTED among them for what the
 * task itself holds, and OUTCOME_UNKNOWN when a task may have been made: then the engine looks before it asks again.
 */
export interface Tasks {
  /** `rows` is 1: tasks go one by one. */
  readonly limits: BatchLimits;
  /** How long a task that was made may not be found yet: after an unknown outcome the engine waits that long, then looks. */
  readonly findLagMs: number;
  projects(typed: string): Promise<Options>;
  /** Fields beyond title, text, assignee and day. */
  fields(project: string): Promise<readonly FieldSpec[]>;
  create(task: NewTask, signal: AbortSignal): Promise<TaskRef>;
  /** The task with this mark, looked for among those made since then. */
  find(project: string, mark: string, since: Date, signal: AbortSignal): Promise<TaskRef | undefined>;
  state(id: string, signal: AbortSignal): Promise<TaskState>;
  update(id: string, change: Omit<NewTask, 'mark' | 'project'>, signal: AbortSignal): Promise<void>;
  comment(id: string, text: string, signal: AbortSignal): Promise<void>;
  close(id: string, signal: AbortSignal): Promise<void>;
  reopen(id: string, signal: AbortSignal): Promise<void>;
}

// Notify -------------------------------------------------------------------------------------------------------------

/** A message for whatever listens there. Chat platforms are senders of their own: this is for everything else. */
export interface Notice {
  /** The same for the same message at each attempt. */
  readonly mark: string;
  readonly title: string;
  /** Plain text. */
  readonly text: string;
  /** Label and value, in order. */
  readonly facts: readonly { readonly label: string; readonly value: string }[];
  /** Set when it replaces what an earlier message of this mark said. */
  readonly update: boolean;
}

export interface Notices {
  post(notice: Notice, signal: AbortSignal): Promise<void>;
}

// Mail ---------------------------------------------------------------------------------------------------------------

/** A letter to one person. */
export interface Mail {
  /** The same at each attempt, and no other mail's: letters, digits and dashes. What a repeat can be recognised by. */
  readonly mark: string;
  /** An address as `engine/identity` gives it: in small letters; its domain may have letters beyond ASCII. */
  readonly to: string;
  /** One line. */
  readonly subject: string;
  readonly text: string;
  /** A whole document. */
  readonly html: string;
  /** Where one takes oneself off the list; undefined when there is none. By POST it takes no question, where it is https. */
  readonly unsubscribe: string | undefined;
  /** What the list is called, where it has a name. */
  readonly list: string | undefined;
}

/** What became of a mail. Sentences are for people, and repeat no value of a row. */
export type MailOutcome =
  /** The server took it over. Whether it comes into a mailbox is not known. */
  | { readonly state: 'ok'; readonly id: string }
  /** Refused for good. `gone`: because nobody has this address. */
  | { readonly state: 'rejected'; readonly reason: string; readonly gone: boolean }
  /** Not taken, for a reason that passes. */
  | { readonly state: 'retry'; readonly reason: string }
  /** The content went out, and no answer came: nobody can say whether the server took it. */
  | { readonly state: 'unknown'; readonly reason: string };

export interface MailCall {
  readonly signal: AbortSignal;
  /** Called, and waited for, right before the content goes out: up to then nothing can have been taken. */
  begin(): Promise<void>;
}

/** Mail to people outside. Whatever it throws was thrown before the content went out, and is about the connection. */
export interface Mails {
  /** Mails go one by one. */
  readonly limits: BatchLimits;
  send(mail: Mail, call: MailCall): Promise<MailOutcome>;
}
