import type { Origin } from '../../engine/contracts/chat.ts';
import type { ConversationRef } from '../../engine/contracts/refs.ts';
import type { Heard } from './heard.ts';

/** What Teams adds to an activity. Only what we read of it. */
interface ChannelData {
  readonly eventType?: string;
  readonly team?: { readonly id?: string; readonly name?: string; readonly aadGroupId?: string };
  readonly channel?: { readonly id?: string; readonly name?: string };
}

/** The team that an activity is about. */
export interface HeardTeam {
  readonly id: string;
  readonly name: string | null;
  readonly groupId: string | null;
}

export function channelDataOf(activity: Heard): ChannelData {
  const data: unknown = activity.channelData;
  return typeof data === 'object' && data !== null ? data : {};
}

export function teamOf(activity: Heard): HeardTeam | undefined {
  const { team } = channelDataOf(activity);
  return team?.id === undefined
    ? undefined
    : { id: team.id, name: team.name ?? null, groupId: team.aadGroupId ?? null };
}

/** Where an activity is from, without the thread in its id. */
export function placeOf(activity: Heard): ConversationRef {
  const [id = '', thread] = (activity.conversation?.id ?? '').split(';messageid=');
  const within = thread === undefined || thread === '' ? {} : { thread };
  return { kind: 'conversation', platform: 'teams', id, ...within };
}

export function kindOf(activity: Heard): 'channel' | 'group' | 'personal' {
  switch (activity.conversation?.conversationType) {
    case 'channel':
      return 'channel';
    case 'groupChat':
      return 'group';
    default:
      return 'personal';
  }
}

/** Actions can be used in chats that the bot is not in, those of two people among them. */
export function isStranger(activity: Heard): boolean {
  return activity.name?.startsWith('composeExtension/') === true;
}

/** Who did it and where. The person is known by their Entra object id; a guest without one, by the id that Teams gives. */
export function originOf(activity: Heard): Origin {
  const { from } = activity;
  const conversation = placeOf(activity);
  const origin: Origin = {
    person: { kind: 'person', platform: 'teams', id: from?.aadObjectId ?? from?.id ?? '' },
    conversation,
    ...(activity.conversation?.conversationType === 'personal' && !isStranger(activity)
      ? { direct: true }
      : {}),
  };
  const { replyToId } = activity;
  return replyToId === undefined || replyToId === ''
    ? origin
    : { ...origin, message: { conversation, id: replyToId } };
}

/** The line that was typed, without the mention of the bot and with what Teams escaped read back. */
export function lineOf(activity: Heard): string {
  const bot = activity.recipient?.id;
  let text = activity.text ?? '';
  for (const entity of activity.entities ?? []) {
    const mentioned: unknown = entity.type === 'mention' ? entity['mentioned'] : undefined;
    const id = typeof mentioned === 'object' && mentioned !== null && 'id' in mentioned ? mentioned.id : '';
    const said: unknown = entity['text'];
    if (id === bot && typeof said === 'string' && said !== '') {
      text = text.replaceAll(said, ' ');
    }
  }
  return text
    .replace(/<\/?at[^>]*>/g, '')
    .replace(/<br\s*\/?>/gi, '\n')
    .replace(/&nbsp;|\u00A0/g, ' ')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&#39;/g, "'")
    .replace(/&amp;/g, '&')
    .trim();
}
