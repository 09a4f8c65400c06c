import type { Profile } from '../../engine/contracts/chat.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import type { Log } from '../../engine/contracts/log.ts';
import {
  type ConversationRef,
  formatGroup,
  formatTarget,
  type PersonRef,
} from '../../engine/contracts/refs.ts';
import { reasonOf } from './errors.ts';
import type { Web } from './web.ts';

const FOUND_MS = 60 * 60_000;
const MISSED_MS = 5 * 60_000;
const LISTING_MS = 3 * 60_000;
/** How long somebody who types waits for the first listing of a big workspace. */
const PATIENCE_MS = 800;
const SHOWN = 20;

interface SlackUser {
  readonly id: string;
  readonly name?: string;
  readonly deleted?: boolean;
  readonly is_bot?: boolean;
  readonly team_id?: string;
  readonly enterprise_user?: { readonly enterprise_id?: string };
  /** From another workspace, met in a shared channel. */
  readonly is_stranger?: boolean;
  /** A guest of several channels, or of one. */
  readonly is_restricted?: boolean;
  readonly is_ultra_restricted?: boolean;
  readonly is_email_confirmed?: boolean;
  readonly tz?: string;
  readonly profile?: { readonly real_name?: string; readonly display_name?: string; readonly email?: string };
}

interface SlackChannel {
  readonly id: string;
  readonly name?: string;
  readonly is_im?: boolean;
  readonly is_archived?: boolean;
  readonly is_private?: boolean;
  readonly is_member?: boolean;
  readonly user?: string;
}

interface SlackGroup {
  readonly id: string;
  readonly name?: string;
  readonly handle?: string;
  readonly user_count?: number | string;
  readonly is_external?: boolean;
  /** In seconds; 0 while it is in use. */
  readonly date_delete?: number;
}

/** Which workspace we are in, and which organisation of several workspaces, if any. */
interface Home {
  readonly team_id?: string;
  readonly enterprise_id?: string;
}

interface Page {
  readonly response_metadata?: { readonly next_cursor?: string };
}

/** Who and what there is in the workspace, remembered for a while. */
export interface Directory {
  personByEmail(email: string): Promise<PersonRef | undefined>;
  profile(person: PersonRef): Promise<Profile | undefined>;
  channels(typed: string): Promise<Options>;
  people(typed: string): Promise<Options>;
  groups(typed: string): Promise<Options>;
  members(groupId: string): Promise<readonly PersonRef[]>;
  nameOf(conversation: ConversationRef): Promise<string | undefined>;
}

/** Looks people and channels up in Slack; `now` is the clock that what is remembered ages by. */
export function createDirectory(web: Web, log: Log, now: () => Date): Directory {
  const emails = createMemory<PersonRef>(now);
  const profiles = createMemory<Profile>(now);
  const names = createMemory<string>(now);
  const homes = createMemory<Home>(now);
  const home = async (): Promise<Home> => (await homes('', () => web.call<Home>('auth.test', {}))) ?? {};
  const channelList = createListing<SlackChannel>(now, log, (page) =>
    listChannels(web, (channels) => page(channels.filter((channel) => channel.is_archived !== true))),
  );
  const peopleList = createListing<SlackUser>(now, log, (page) =>
    listPeople(web, (people) => page(people.filter((user) => user.deleted !== true && user.is_bot !== true))),
  );

  return {
    personByEmail: (email) =>
      emails(email.trim().toLowerCase(), () => lookupByEmail(web, email.trim().toLowerCase(), home)),
    profile: (person) => profiles(person.id, () => lookupProfile(web, person.id, home)),
    channels: async (typed) => {
      const wanted = typed.trim().replace(/^#/, '').toLowerCase();
      const known = await channelList();
      const exact = /^[CG][A-Z0-9]{6,}$/i.test(wanted) ? await infoOf(web, wanted.toUpperCase()) : undefined;
      const all =
        exact === undefined ? known : [exact, ...known.filter((channel) => channel.id !== exact.id)];
      return ranked(all, wanted, (channel) => [channel.name ?? '', channel.id]).map(channelOption);
    },
    people: async (typed) => {
      const wanted = typed.trim().replace(/^@/, '').toLowerCase();
      const [known, here] = await Promise.all([peopleList(), home()]);
      return ranked(known, wanted, (user) => [
        nameOfUser(user),
        user.name ?? '',
        user.profile?.email ?? '',
        user.id,
      ]).map((user) => ({
        value: formatTarget({ kind: 'person', platform: 'slack', id: user.id }),
        label: nameOfUser(user),
        ...hintOf(user, here),
      }));
    },
    groups: async (typed) => {
      const wanted = typed.trim().replace(/^@/, '').toLowerCase();
      return ranked(await groupsOf(web), wanted, (group) => [
        group.handle ?? '',
        group.name ?? '',
        group.id,
      ]).map(groupOption);
    },
    // Asked each time: who has left a group decides nothing any more.
    members: (groupId) => membersOf(web, groupId),
    nameOf: (conversation) =>
      names(conversation.id, async () => {
        const channel = await infoOf(web, conversation.id);
        if (channel === undefined || channel.is_archived === true) {
          return undefined;
        }
        return channel.is_im === true ? 'a direct message' : `#${channel.name ?? channel.id}`;
      }),
  };
}

type Memory<T> = (key: string, find: () => Promise<T | undefined>) => Promise<T | undefined>;

/** Remembers what was found for an hour and what wasn't for five minutes; those who ask at once share one request. */
function createMemory<T>(now: () => Date): Memory<T> {
  const entries = new Map<string, { readonly answer: Promise<T | undefined>; until: number }>();
  return (key, find) => {
    const entry = entries.get(key);
    if (entry !== undefined && entry.until > now().getTime()) {
      return entry.answer;
    }
    if (entries.size > 50_000) {
      entries.clear();
    }
    const fresh = { answer: find(), until: Number.POSITIVE_INFINITY };
    entries.set(key, fresh);
    fresh.answer.then(
      (found) => {
        fresh.until = now().getTime() + (found === undefined ? MISSED_MS : FOUND_MS);
      },
      () => entries.delete(key),
    );
    return fresh.answer;
  };
}

/**
 * A listing read page by page in the background. The first to ask waits a moment, then gets what has come so far; who
 * asks later gets the last complete one while a newer one is read.
 */
function createListing<T>(
  now: () => Date,
  log: Log,
  read: (page: (items: readonly T[]) => void) => Promise<void>,
): () => Promise<readonly T[]> {
  let complete: readonly T[] | undefined;
  let partial: T[] = [];
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;

  const refresh = async (): Promise<void> => {
    partial = [];
    try {
      await read((items) => {
        partial.push(...items);
      });
      complete = partial;
    } catch (error) {
      log.warn({ error }, 'Listing of the workspace broke off');
    } finally {
      readAt = now().getTime();
      reading = undefined;
    }
  };

  return async () => {
    if (reading === undefined && now().getTime() - readAt > LISTING_MS) {
      reading = refresh();
    }
    if (complete === undefined && reading !== undefined) {
      await Promise.race([reading, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS).unref())]);
    }
    return complete ?? partial;
  };
}

async function lookupByEmail(
  web: Web,
  email: string,
  home: () => Promise<Home>,
): Promise<PersonRef | undefined> {
  if (!/^[^\s@]+@[^\s@]+$/.test(email)) {
    return undefined;
  }
  try {
    const { user } = await web.call<{ user: SlackUser }>('users.lookupByEmail', { email });
    // An address that another workspace claims for somebody is not known to be theirs.
    const unknown = user.deleted === true || emailOf(user, await home()) === undefined;
    return unknown ? undefined : { kind: 'person', platform: 'slack', id: user.id };
  } catch (error) {
    return undefinedWhenGone(error);
  }
}

async function lookupProfile(web: Web, id: string, home: () => Promise<Home>): Promise<Profile | undefined> {
  try {
    const { user } = await web.call<{ user: SlackUser }>('users.info', { user: id });
    const here = await home();
    const email = emailOf(user, here);
    const standing = standingOf(user, here);
    return {
      name: nameOfUser(user),
      ...(email === undefined ? {} : { email }),
      ...(standing === undefined ? {} : { standing }),
      ...(user.tz === undefined ? {} : { timeZone: user.tz }),
    };
  } catch (error) {
    return undefinedWhenGone(error);
  }
}

/** Whether somebody is no member of ours. What Slack doesn't say speaks for them; a home that differs against them. */
function standingOf(user: SlackUser, home: Home): Profile['standing'] {
  const sameTeam = user.team_id === undefined || home.team_id === undefined || user.team_id === home.team_id;
  const organisation = user.enterprise_user?.enterprise_id;
  const sameOrganisation = organisation !== undefined && organisation === home.enterprise_id;
  if (user.is_stranger === true || !(sameTeam || sameOrganisation)) {
    return 'stranger';
  }
  return user.is_restricted === true || user.is_ultra_restricted === true ? 'guest' : undefined;
}

/** An address that our workspace vouches for: of its members and guests, once they have confirmed it. */
function emailOf(user: SlackUser, home: Home): string | undefined {
  const vouched = standingOf(user, home) !== 'stranger' && user.is_email_confirmed !== false;
  return vouched ? user.profile?.email?.toLowerCase() : undefined;
}

function hintOf(user: SlackUser, home: Home): { readonly hint?: string } {
  if (standingOf(user, home) === 'stranger') {
    return { hint: 'from another workspace' };
  }
  return user.profile?.email === undefined ? {} : { hint: user.profile.email };
}

/** The user groups in use; none where Slack doesn't let us see any. */
async function groupsOf(web: Web): Promise<readonly SlackGroup[]> {
  try {
    const answer = await web.call<{ usergroups: readonly SlackGroup[] }>('usergroups.list', {
      include_count: true,
    });
    return answer.usergroups.filter((group) => group.is_external !== true && (group.date_delete ?? 0) === 0);
  } catch (error) {
    if (reasonOf(error) === 'missing_scope' || reasonOf(error) === 'plan_upgrade_required') {
      return [];
    }
    throw error;
  }
}

/** Who is in a user group; nobody when it is gone. */
async function membersOf(web: Web, groupId: string): Promise<readonly PersonRef[]> {
  try {
    const { users } = await web.call<{ users: readonly string[] }>('usergroups.users.list', {
      usergroup: groupId,
    });
    return users.map((id) => ({ kind: 'person', platform: 'slack', id }));
  } catch (error) {
    return undefinedWhenGone(error) ?? [];
  }
}

async function infoOf(web: Web, id: string): Promise<SlackChannel | undefined> {
  try {
    return (await web.call<{ channel: SlackChannel }>('conversations.info', { channel: id })).channel;
  } catch (error) {
    return undefinedWhenGone(error);
  }
}

function undefinedWhenGone(error: unknown): undefined {
  const missing = error instanceof ActivateError && error.code === 'TARGET_GONE';
  if (missing || reasonOf(error) === 'user_not_visible') {
    return undefined;
  }
  throw error;
}

async function listChannels(web: Web, page: (channels: readonly SlackChannel[]) => void): Promise<void> {
  try {
    await listChannelsOf(web, 'public_channel,private_channel', page);
  } catch (error) {
    if (reasonOf(error) !== 'missing_scope') {
      throw error;
    }
    // Without groups:read the private channels can't be listed; the public ones can.
    await listChannelsOf(web, 'public_channel', page);
  }
}

async function listChannelsOf(
  web: Web,
  types: string,
  page: (channels: readonly SlackChannel[]) => void,
): Promise<void> {
  let cursor = '';
  do {
    const args = { types, exclude_archived: true, limit: 1000, ...(cursor === '' ? {} : { cursor }) };
    const answer: Page & { channels: readonly SlackChannel[] } = await web.call('conversations.list', args);
    page(answer.channels);
    cursor = answer.response_metadata?.next_cursor ?? '';
  } while (cursor !== '');
}

async function listPeople(web: Web, page: (people: readonly SlackUser[]) => void): Promise<void> {
  let cursor = '';
  do {
    const answer: Page & { members: readonly SlackUser[] } = await web.call('users.list', {
      limit: 500,
      cursor,
    });
    page(answer.members);
    cursor = answer.response_metadata?.next_cursor ?? '';
  } while (cursor !== '');
}

function nameOfUser(user: SlackUser): string {
  return [user.profile?.display_name, user.profile?.real_name, user.name, user.id].find(Boolean) ?? user.id;
}

function groupOption(group: SlackGroup): Options[number] {
  const people = Number(group.user_count ?? Number.NaN);
  const size = Number.isNaN(people) ? '' : people === 1 ? ', 1 person' : `, ${people} people`;
  return {
    value: formatGroup({ platform: 'slack', id: group.id }),
    label: `@${group.handle ?? group.id}`,
    hint: `${group.name ?? 'user group'}${size}`,
  };
}

function channelOption(channel: SlackChannel): Options[number] {
  const notes = [
    channel.is_private === true ? 'private' : '',
    channel.is_member === false && channel.is_private === true ? 'the bot has to be invited' : '',
  ].filter((note) => note !== '');
  return {
    value: formatTarget({ kind: 'conversation', platform: 'slack', id: channel.id }),
    label: `#${channel.name ?? channel.id}`,
    ...(notes.length === 0 ? {} : { hint: notes.join(', ') }),
  };
}

/** The whole word first, then names that begin with what was typed, then those that hold it. */
function ranked<T>(items: readonly T[], wanted: string, names: (item: T) => readonly string[]): readonly T[] {
  const score = (item: T): number =>
    Math.min(
      ...names(item).map((name) => {
        const at = name.toLowerCase().indexOf(wanted);
        return at === -1 ? 3 : at > 0 ? 2 : name.length === wanted.length ? 0 : 1;
      }),
    );
  return items
    .map((item) => ({ item, score: score(item), name: names(item)[0] ?? '' }))
    .filter((entry) => entry.score < 3)
    .sort((a, b) => a.score - b.score || (a.name < b.name ? -1 : 1))
    .slice(0, SHOWN)
    .map((entry) => entry.item);
}
