/**
 * The words everything else is made of.
 *
 * - source: a warehouse connection. model: a SELECT over a source, with a key (one or more columns).
 * - sync: model + framework + settings + schedule + report channel. An alert is a sync of framework notify.
 * - change: one row added, changed or removed since the last run. plan: the frozen list of changes of one run.
 * - delivery: handing a change to where it goes. outcome: what became of it.
 * - snapshot: what has been told so far, per sync.
 * - card: a neutral rich message. form: a neutral dialog. platform: a chat system. command: `/activate <name>`.
 */

/**
 * A chat system that we speak to. `cli` is a person's terminal: it can ask, it can't be posted to. `webhook` is any
 * destination that takes notices: it can be posted to, it can't ask.
 */
export type PlatformId = 'slack' | 'teams' | 'mattermost' | 'local' | 'cli' | 'webhook';

/** A person on one platform. `id` is the platform's own, stable id. */
export interface PersonRef {
  readonly kind: 'person';
  readonly platform: PlatformId;
  readonly id: string;
}

/** A channel or a direct conversation, by the platform's stable id; `thread` is the id of the thread's first message. */
export interface ConversationRef {
  readonly kind: 'conversation';
  readonly platform: PlatformId;
  readonly id: string;
  readonly thread?: string;
}

/** Where a message can be sent: a conversation, or a person's direct messages. */
export type Target = ConversationRef | PersonRef;

/** A posted message, as the platform names it. */
export interface MessageRef {
  readonly conversation: ConversationRef;
  readonly id: string;
}

/** What a person typed, by field name. Several values of one field are a JSON array, or separated by commas. */
export type Raw = Readonly<Record<string, string>>;

/** A button, a submitted form and a typed line are all this: a command with its input. */
export interface Invocation {
  readonly command: string;
  readonly input: Raw;
}

/** Writes a target as one word, `slack:C024` or `slack:@U024`, as forms and typed lines carry it. */
export function formatTarget(target: Target): string {
  return `${target.platform}:${target.kind === 'person' ? '@' : ''}${target.id}`;
}

/** Reads what {@link formatTarget} wrote; undefined when the text is something else (a channel's name, say). */
export function parseTarget(text: string): Target | undefined {
  const match = /^(slack|teams|mattermost|local|cli|webhook):(@?)(.+)$/.exec(text);
  if (match === null) {
    return undefined;
  }
  const platform = match[1] as PlatformId;
  const id = match[3] ?? '';
  return match[2] === '@' ? { kind: 'person', platform, id } : { kind: 'conversation', platform, id };
}

/** A group of people that a platform keeps: a Slack user group, a team. */
export interface GroupRef {
  readonly platform: PlatformId;
  readonly id: string;
}

/** Writes a group as one word, `slack:&S0614TZR7`. */
export function formatGroup(group: GroupRef): string {
  return `${group.platform}:&${group.id}`;
}

/** Reads what {@link formatGroup} wrote; undefined when the text is something else. */
export function parseGroup(text: string): GroupRef | undefined {
  const [, platform, id] = /^(slack|teams|mattermost|local):&(.+)$/.exec(text) ?? [];
  return platform === undefined || id === undefined ? undefined : { platform: platform as PlatformId, id };
}
