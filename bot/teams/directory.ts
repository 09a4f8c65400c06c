import type { Profile } from '../../engine/contracts/chat.ts';
import type { Db } from '../../engine/contracts/db.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import type { Log } from '../../engine/contracts/log.ts';
import {
  type ConversationRef,
  formatGroup,
  formatTarget,
  type PersonRef,
} from '../../engine/contracts/refs.ts';
import type { Adapter, Member } from './adapter.ts';
import { isGone } from './errors.ts';
import type { Graph } from './graph.ts';
import { createMemory } from './memory.ts';
import { emailOf, objectIdOf, standingOf, standingOfUser } from './standing.ts';
import {
  type Conversation,
  conversation,
  everybody,
  forgetUnlisted,
  keepChannels,
  loseConversation,
  meetPerson,
  type Person,
  person,
  personWithEmail,
  places,
} from './store.ts';
import { BOT_SERVICE, type Web } from './web.ts';

const ROSTERS_MS = 15 * 60_000;
const CHANNELS_MS = 3 * 60_000;
const PROFILE_MS = 24 * 60 * 60_000;
/** How long somebody who types waits for a listing that is being read. */
const PATIENCE_MS = 800;
const SHOWN = 20;

/** Who and what there is where the bot is. Teams has no list of all people and channels for a bot. */
export interface Directory {
  personByEmail(email: string): Promise<PersonRef | undefined>;
  profile(person: PersonRef): Promise<Profile | undefined>;
  channels(typed: string): Promise<Options>;
  people(typed: string): Promise<Options>;
  /** The teams that the bot is in: who is in one of them is a group that the platform keeps. */
  groups(typed: string): Promise<Options>;
  members(groupId: string): Promise<readonly PersonRef[]>;
  nameOf(conversation: ConversationRef): Promise<string | undefined>;
  /** Reads the channels of a team anew. */
  readTeam(team: Team): Promise<void>;
}

export interface Team {
  readonly id: string;
  readonly name: string | null;
  readonly groupId: string | null;
  readonly serviceUrl: string;
}

interface Parts {
  readonly db: Db;
  readonly adapter: Adapter;
  readonly web: Web;
  readonly graph: Graph | undefined;
  readonly tenantId: string;
  readonly serviceUrl: string;
  readonly log: Log;
  readonly now: () => Date;
}

export function createDirectory(parts: Parts): Directory {
  const { db, now } = parts;
  const emails = createMemory<PersonRef>(now);
  const rosters = createReading(parts, ROSTERS_MS, () => readRosters(parts));
  const teams = createReading(parts, CHANNELS_MS, () => readTeams(parts));

  return {
    personByEmail: (given) => {
      const email = given.trim().toLowerCase();
      return /^[^\s@]+@[^\s@]+$/.test(email)
        ? emails(email, () => findByEmail(parts, email, () => rosters.fresh()))
        : Promise.resolve(undefined);
    },
    profile: (wanted) => profileOf(parts, wanted.id),
    channels: async (typed) => {
      await teams.soon();
      const all = named(await places(db));
      const wanted = typed.trim().replace(/^#/, '').toLowerCase();
      return ranked(all, wanted, ({ label, place }) => [
        label.replace(/^#/, ''),
        place.teamName ?? '',
        place.id,
      ]).map(({ label, place }) => ({
        value: formatTarget({ kind: 'conversation', platform: 'teams', id: place.id }),
        label,
        ...(place.teamName === null ? {} : { hint: place.teamName }),
      }));
    },
    people: async (typed) => {
      await rosters.soon();
      const wanted = typed.trim().replace(/^@/, '').toLowerCase();
      const all = await everybody(db);
      return ranked(all, wanted, (one) => [
        one.name,
        one.email ?? '',
        one.userPrincipalName ?? '',
        one.id,
      ]).map((one) => {
        const hint = one.standing === 'stranger' ? 'from another organisation' : emailOf(one);
        return {
          value: formatTarget({ kind: 'person', platform: 'teams', id: one.id }),
          label: one.name,
          ...(hint === undefined ? {} : { hint }),
        };
      });
    },
    groups: async (typed) => {
      const teams = [...teamsOf(await places(db)).values()];
      const wanted = typed.trim().replace(/^@/, '').toLowerCase();
      return ranked(teams, wanted, ({ name, id }) => [name ?? '', id]).map(({ id, name }) => ({
        value: formatGroup({ platform: 'teams', id }),
        label: `@${name ?? id}`,
        hint: 'a team',
      }));
    },
    // Asked each time: who has left a team decides nothing any more.
    members: (groupId) => membersOf(parts, groupId),
    nameOf: async ({ id }) => {
      const place = await conversation(db, id);
      if (place === undefined || place.gone) {
        return undefined;
      }
      return place.kind === 'personal' ? 'a direct message' : labelOf(place, named(await places(db)));
    },
    readTeam: (team) => readTeam(parts, team),
  };
}

interface Named {
  readonly label: string;
  readonly place: Conversation;
}

/** Channels by their name, with the team where several have the same; chats by their topic. */
function named(all: readonly Conversation[]): readonly Named[] {
  const counts = new Map<string, number>();
  for (const place of all) {
    const name = (place.name ?? '').toLowerCase();
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return all.map((place) => {
    const alone = counts.get((place.name ?? '').toLowerCase()) === 1;
    switch (place.kind) {
      case 'channel': {
        const team = alone || place.teamName === null ? '' : ` (${place.teamName})`;
        return { label: `#${place.name ?? 'General'}${team}`, place };
      }
      case 'group':
      case 'personal':
        return { label: place.name ?? 'a group chat', place };
      default:
        return place.kind satisfies never;
    }
  });
}

function labelOf(place: Conversation, all: readonly Named[]): string {
  return all.find((one) => one.place.id === place.id)?.label ?? `#${place.name ?? 'General'}`;
}

async function findByEmail(
  parts: Parts,
  email: string,
  fresh: () => Promise<void>,
): Promise<PersonRef | undefined> {
  const known = await personWithEmail(parts.db, email);
  const recent = known?.listedAt != null && parts.now().getTime() - known.listedAt.getTime() < PROFILE_MS;
  if (known !== undefined && recent) {
    return refOf(known.id);
  }
  const user = await parts.graph?.userByEmail(email);
  if (user !== undefined) {
    const { serviceUrl } = parts;
    const found = {
      id: user.id,
      name: user.displayName ?? email,
      email: user.mail ?? null,
      userPrincipalName: user.userPrincipalName ?? null,
      standing: standingOfUser(user),
      serviceUrl: known?.serviceUrl ?? serviceUrl,
      listedAt: parts.now(),
    };
    await meetPerson(parts.db, found, parts.now());
    return refOf(user.id);
  }
  await fresh();
  const listed = await personWithEmail(parts.db, email);
  return listed === undefined ? undefined : refOf(listed.id);
}

function refOf(id: string): PersonRef {
  return { kind: 'person', platform: 'teams', id };
}

/** What is known of a person, asked anew once a day where they and the bot meet. */
async function profileOf(parts: Parts, id: string): Promise<Profile | undefined> {
  const known = await person(parts.db, id);
  const recent = known?.listedAt != null && parts.now().getTime() - known.listedAt.getTime() < PROFILE_MS;
  if (known !== undefined && recent) {
    return toProfile(known);
  }
  for (const at of await meetingPlaces(parts, known)) {
    try {
      const member = await parts.adapter.member(at, known?.teamsId ?? id);
      await meetMember(parts, member, at.serviceUrl, parts.now());
      const met = await person(parts.db, id);
      return met === undefined ? undefined : toProfile(met);
    } catch (error) {
      if (!isGone(error)) {
        throw error;
      }
    }
  }
  return known === undefined ? undefined : toProfile(known);
}

/** Where somebody may be looked up: their chat with the bot, then the teams that it is in. */
async function meetingPlaces(
  parts: Parts,
  known: Person | undefined,
): Promise<readonly { serviceUrl: string; conversation: string }[]> {
  const direct = known?.conversationId == null ? [] : [known.conversationId];
  const serviceUrl = known?.serviceUrl ?? parts.serviceUrl;
  return [
    ...direct.map((id) => ({ serviceUrl, conversation: id })),
    ...rostersOf(await places(parts.db)).slice(0, 5),
  ];
}

function toProfile(one: Person): Profile {
  const email = emailOf(one);
  return {
    name: one.name,
    ...(email === undefined ? {} : { email: email.toLowerCase() }),
    ...(one.standing === null ? {} : { standing: one.standing }),
    ...(one.timeZone === null ? {} : { timeZone: one.timeZone }),
  };
}

/** The conversations whose members are worth asking for: a team's channels share one roster. */
function rostersOf(all: readonly Conversation[]): readonly { serviceUrl: string; conversation: string }[] {
  const rosters = new Map(all.map((place) => [place.teamId ?? place.id, place.serviceUrl]));
  return [...rosters].map(([id, serviceUrl]) => ({ conversation: id, serviceUrl }));
}

async function readRosters(parts: Parts): Promise<void> {
  const began = parts.now();
  let whole = true;
  for (const at of rostersOf(await places(parts.db))) {
    try {
      let page: string | undefined;
      do {
        const { members, next }: Awaited<ReturnType<Adapter['members']>> = await parts.adapter.members(
          at,
          page,
        );
        for (const member of members) {
          await meetMember(parts, member, at.serviceUrl, began);
        }
        page = next;
      } while (page !== undefined);
    } catch (error) {
      whole = false;
      parts.log.warn({ error, conversation: at.conversation }, 'Members could not be listed');
    }
  }
  if (whole) {
    await forgetUnlisted(parts.db, began);
  }
}

async function meetMember(parts: Parts, member: Member, serviceUrl: string, at: Date): Promise<void> {
  const id = objectIdOf(member);
  if (id === undefined) {
    return;
  }
  await meetPerson(
    parts.db,
    {
      id,
      teamsId: member.id,
      name: member.name ?? member.email ?? id,
      email: member.email ?? null,
      userPrincipalName: member.userPrincipalName ?? null,
      standing: standingOf(member, parts.tenantId),
      serviceUrl,
      listedAt: at,
    },
    parts.now(),
  );
}

async function readTeams(parts: Parts): Promise<void> {
  for (const team of teamsOf(await places(parts.db)).values()) {
    await readTeam(parts, team);
  }
}

/** The teams whose channels these are. */
function teamsOf(all: readonly Conversation[]): ReadonlyMap<string, Team> {
  return new Map(
    all.flatMap((place): [string, Team][] =>
      place.teamId === null
        ? []
        : [
            [
              place.teamId,
              {
                id: place.teamId,
                name: place.teamName,
                groupId: place.teamGroupId,
                serviceUrl: place.serviceUrl,
              },
            ],
          ],
    ),
  );
}

/** Who is in a team just now; nobody of another organisation, whose people this one does not vouch for. */
async function membersOf(parts: Parts, id: string): Promise<readonly PersonRef[]> {
  const team = teamsOf(await places(parts.db)).get(id);
  if (team === undefined) {
    throw new ActivateError('TARGET_GONE', 'The bot is not in this team, or it is gone.', {
      fix: 'Add the app to the team, or choose another group.',
    });
  }
  const found: PersonRef[] = [];
  let page: string | undefined;
  do {
    const at = { serviceUrl: team.serviceUrl, conversation: id };
    const { members, next }: Awaited<ReturnType<Adapter['members']>> = await parts.adapter.members(at, page);
    for (const member of members) {
      const own = standingOf(member, parts.tenantId) === 'stranger' ? undefined : objectIdOf(member);
      found.push(...(own === undefined ? [] : [refOf(own)]));
    }
    page = next;
  } while (page !== undefined);
  return found;
}

/** The SDK's client for teams tries again by itself, so this one call is made without it. */
async function readTeam(parts: Parts, team: Team): Promise<void> {
  const base = team.serviceUrl.replace(/\/*$/, '/');
  const url = `${base}v3/teams/${encodeURIComponent(team.id)}/conversations`;
  try {
    const { conversations } = await parts.web.call<{
      conversations: readonly { readonly id: string; readonly name?: string | null }[];
    }>(BOT_SERVICE, 'GET', url);
    // The first channel of a team has the team's id and no name.
    const channels = conversations.map(({ id, name }) => ({ id, name: name ?? 'General' }));
    await keepChannels(parts.db, team, channels, parts.now());
  } catch (error) {
    if (!isGone(error)) {
      throw error;
    }
    await loseConversation(parts.db, team.id, parts.now());
  }
}

/** Something that is read now and then, once for all who ask meanwhile. */
function createReading(
  { log, now }: Parts,
  everyMs: number,
  read: () => Promise<void>,
): { fresh(): Promise<void>; soon(): Promise<void> } {
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;
  const fresh = async (): Promise<void> => {
    if (reading === undefined && now().getTime() - readAt > everyMs) {
      reading = read()
        .catch((error: unknown) => log.warn({ error }, 'Listing of Teams broke off'))
        .finally(() => {
          readAt = now().getTime();
          reading = undefined;
        });
    }
    await reading;
  };
  return {
    fresh,
    soon: async () => {
      await Promise.race([fresh(), new Promise((resolve) => setTimeout(resolve, PATIENCE_MS).unref())]);
    },
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
