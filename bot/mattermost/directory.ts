import type { UserProfile } from '@mattermost/types/users';
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
import { isClosed, refusalOf } from './errors.ts';
import type { Usernames } from './text.ts';
import type { Web } from './web.ts';

const FOUND_MS = 60 * 60_000;
const MISSED_MS = 5 * 60_000;
const LISTING_MS = 3 * 60_000;
const SHOWN = 20;
const PAGE = 200;
const ID = /^[a-z0-9]{26}$/;

interface Channel {
  readonly id: string;
  readonly name: string;
  readonly team: string;
  readonly member: boolean;
}

/** The bot itself, as Mattermost knows it. */
export interface Me {
  readonly id: string;
  readonly username: string;
}

/** Who and what there is on the server, remembered for a while. */
export interface Directory {
  me(): Promise<Me>;
  personByEmail(email: string): Promise<PersonRef | undefined>;
  profile(person: PersonRef): Promise<Profile | undefined>;
  channels(typed: string): Promise<Options>;
  people(typed: string): Promise<Options>;
  /** User groups, where the server's licence has them. */
  groups(typed: string): Promise<Options>;
  members(groupId: string): Promise<readonly PersonRef[]>;
  nameOf(conversation: ConversationRef): Promise<string | undefined>;
  /** The channel of the direct messages between a person and the bot. */
  directChannel(person: string): Promise<string>;
  usernames(ids: readonly string[]): Promise<Usernames>;
}

interface Parts {
  readonly web: Web;
  readonly log: Log;
  readonly now: () => Date;
  /** Whether an e-mail address is known to be the person's own. */
  readonly trustsEmails: () => Promise<boolean>;
}

/** Looks people and channels up in Mattermost. */
export function createDirectory(parts: Parts): Directory {
  const { web, now } = parts;
  const emails = createMemory<PersonRef>(now);
  const users = createMemory<UserProfile>(now);
  const names = createMemory<string>(now);
  const directs = createMemory<string>(now);
  const listing = createMemory<readonly Channel[]>(now, LISTING_MS);
  const selves = createMemory<Me>(now, Number.POSITIVE_INFINITY);
  const user = (id: string): Promise<UserProfile | undefined> =>
    users(id, () => undefinedWhenGone(web.getUser(id)));
  const me = async (): Promise<Me> => (await selves('me', () => web.getMe())) as Me;

  return {
    me,
    personByEmail: (email) => {
      const wanted = email.trim().toLowerCase();
      return emails(wanted, () => lookupByEmail(parts, wanted));
    },
    profile: async (person) => {
      const found = await user(person.id);
      return found === undefined ? undefined : profileOf(found, await parts.trustsEmails());
    },
    channels: async (typed) => {
      const wanted = typed.trim().replace(/^[#~]/, '').toLowerCase();
      const all = (await listing('all', () => listChannels(web))) ?? [];
      const twice = repeated(all.map((channel) => channel.name));
      return ranked(all, wanted, (channel) => [channel.name, channel.id]).map((channel) => ({
        value: formatTarget({ kind: 'conversation', platform: 'mattermost', id: channel.id }),
        label: `#${channel.name}${twice.has(channel.name) ? ` (${channel.team})` : ''}`,
        ...(channel.member ? {} : { hint: 'the bot will join' }),
      }));
    },
    people: async (typed) => {
      const wanted = typed.trim().replace(/^@/, '').toLowerCase();
      const found =
        wanted === '' ? await web.getProfiles(0, PAGE, { active: true }) : await search(web, wanted);
      const living = found.filter((one) => one.delete_at === 0 && one.is_bot !== true);
      return ranked(living, wanted, (one) => [nameOfUser(one), one.username, one.email, one.id]).map(
        (one) => ({
          value: formatTarget({ kind: 'person', platform: 'mattermost', id: one.id }),
          label: nameOfUser(one),
          hint: one.email === '' ? `@${one.username}` : one.email,
        }),
      );
    },
    groups: (typed) => listGroups(web, typed.trim().replace(/^@/, '')),
    members: (groupId) => listMembers(web, groupId),
    nameOf: (conversation) => names(conversation.id, () => lookupName(web, conversation.id)),
    directChannel: async (person) => {
      const own = await me();
      const id = await directs(person, async () => (await web.createDirectChannel([own.id, person])).id);
      return id as string;
    },
    usernames: async (ids) => {
      const found = await Promise.all([...new Set(ids)].map((id) => user(id)));
      return new Map(found.flatMap((one) => (one === undefined ? [] : [[one.id, one.username] as const])));
    },
  };
}

type Memory<T> = (key: string, find: () => Promise<T | undefined>) => Promise<T | undefined>;

/** Remembers what was found and what wasn't for a while; those who ask at once share one request. */
function createMemory<T>(now: () => Date, foundMs: number = FOUND_MS): Memory<T> {
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
        fresh.until = now().getTime() + (found === undefined ? MISSED_MS : foundMs);
      },
      () => entries.delete(key),
    );
    return fresh.answer;
  };
}

async function lookupByEmail({ web, log }: Parts, email: string): Promise<PersonRef | undefined> {
  if (!/^[^\s@/?#]+@[^\s@/?#]+$/.test(email)) {
    return undefined;
  }
  try {
    const found = await undefinedWhenGone(web.getUserByEmail(encodeURIComponent(email)));
    return found === undefined || found.delete_at !== 0 || standingOf(found) === 'stranger'
      ? undefined
      : { kind: 'person', platform: 'mattermost', id: found.id };
  } catch (error) {
    if (refusalOf(error)?.status !== 403) {
      throw error;
    }
    log.warn({}, 'Mattermost hides e-mail addresses from the bot, so that nobody can be found by theirs');
    return undefined;
  }
}

function profileOf(user: UserProfile, trusted: boolean): Profile {
  const { email, timezone } = user;
  const standing = standingOf(user);
  const verified = trusted || user.auth_service !== '' || isVerified(user);
  const vouched = verified && standing !== 'stranger';
  const zone =
    timezone?.useAutomaticTimezone === 'true' ? timezone.automaticTimezone : timezone?.manualTimezone;
  return {
    name: nameOfUser(user),
    ...(email !== undefined && email !== '' && vouched ? { email: email.toLowerCase() } : {}),
    ...(standing === undefined ? {} : { standing }),
    ...(zone === undefined || zone === '' ? {} : { timeZone: zone }),
  };
}

/** Guests have a role of their own; whoever a connected server brought into a shared channel is known by it. */
function standingOf(user: UserProfile): Profile['standing'] {
  if (user.remote_id !== undefined && user.remote_id !== '') {
    return 'stranger';
  }
  return user.roles?.split(' ').includes('system_guest') === true ? 'guest' : undefined;
}

/** Only a bot with the rights of a system admin is told. */
function isVerified(user: UserProfile): boolean {
  return 'email_verified' in user && user.email_verified === true;
}

async function lookupName(web: Web, id: string): Promise<string | undefined> {
  try {
    const channel = await web.getChannel(id);
    if (channel.delete_at !== 0) {
      return undefined;
    }
    return channel.type === 'D' || channel.type === 'G' ? 'a direct message' : `#${channel.name}`;
  } catch (error) {
    if (isClosed(error)) {
      return undefined;
    }
    throw error;
  }
}

async function undefinedWhenGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof ActivateError && error.code === 'TARGET_GONE') {
      return undefined;
    }
    throw error;
  }
}

/** The channels that the bot is in, and the public ones of its teams, which it can join. */
async function listChannels(web: Web): Promise<readonly Channel[]> {
  const all = new Map<string, Channel>();
  for (const team of await web.getMyTeams()) {
    const own = (await web.getMyChannels(team.id)).filter(
      (channel) => (channel.type === 'O' || channel.type === 'P') && channel.delete_at === 0,
    );
    for (const { id, name } of own) {
      all.set(id, { id, name, team: team.display_name, member: true });
    }
    for (let page = 0; ; page += 1) {
      const some = await publicChannels(web, team.id, page);
      for (const { id, name } of some) {
        all.set(id, all.get(id) ?? { id, name, team: team.display_name, member: false });
      }
      if (some.length < PAGE) {
        break;
      }
    }
  }
  return [...all.values()];
}

async function publicChannels(
  web: Web,
  team: string,
  page: number,
): Promise<readonly { readonly id: string; readonly name: string }[]> {
  try {
    return await web.getChannels(team, page, PAGE);
  } catch (error) {
    // A guest, or a server that does not show its public channels: those it is in have to do.
    if (isClosed(error)) {
      return [];
    }
    throw error;
  }
}

async function search(web: Web, wanted: string): Promise<readonly UserProfile[]> {
  if (ID.test(wanted)) {
    const found = await undefinedWhenGone(web.getUser(wanted));
    return found === undefined ? [] : [found];
  }
  return web.searchUsers(wanted, { limit: 100 });
}

async function listGroups(web: Web, typed: string): Promise<Options> {
  try {
    const found = await web.groups(typed, SHOWN);
    return found.map(({ id, name, display_name: label }) => ({
      value: formatGroup({ platform: 'mattermost', id }),
      label: label === '' ? `@${name ?? id}` : label,
    }));
  } catch (error) {
    // Without the licence there are none.
    if (isClosed(error)) {
      return [];
    }
    throw error;
  }
}

async function listMembers(web: Web, group: string): Promise<readonly PersonRef[]> {
  const all: PersonRef[] = [];
  for (let page = 0; ; page += 1) {
    const some = await web.groupMembers(group, page, PAGE);
    all.push(...some.map(({ id }): PersonRef => ({ kind: 'person', platform: 'mattermost', id })));
    if (some.length < PAGE) {
      return all;
    }
  }
}

function nameOfUser(user: UserProfile): string {
  const full = `${user.first_name ?? ''} ${user.last_name ?? ''}`.trim();
  return [user.nickname, full, user.username].find(Boolean) ?? user.id;
}

function repeated(names: readonly string[]): ReadonlySet<string> {
  const seen = new Set<string>();
  return new Set(names.filter((name) => seen.has(name) || !seen.add(name)));
}

/** The whole word first, then names that begin with what was typed, then those that hold it. */
function ranked<T>(
  items: readonly T[],
  wanted: string,
  names: (item: T) => readonly (string | undefined)[],
): readonly T[] {
  const score = (item: T): number =>
    Math.min(
      ...names(item).map((name = '') => {
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
