import type { Db } from '../../engine/contracts/db.ts';
import type { Log } from '../../engine/contracts/log.ts';
import type { Directory } from './directory.ts';
import type { Heard } from './heard.ts';
import { channelDataOf, isStranger, kindOf, placeOf, teamOf } from './read.ts';
import { loseConversation, meetConversation, meetPerson } from './store.ts';

/** Learns from each activity who and what there is, for Teams can't be asked. */
export interface People {
  /** Takes in who spoke, where, and under which address the place is reached now. */
  meet(activity: Heard): Promise<void>;
  /** Takes in that the bot came or went, or that channels changed. */
  changed(activity: Heard): Promise<void>;
}

export function createPeople(parts: {
  readonly db: Db;
  readonly appId: string;
  readonly directory: Directory;
  readonly log: Log;
  readonly now: () => Date;
}): People {
  const { db, directory, log, now } = parts;
  const readTeam = async (activity: Heard): Promise<void> => {
    const team = teamOf(activity);
    if (team !== undefined && activity.serviceUrl !== undefined) {
      await directory.readTeam({ ...team, serviceUrl: activity.serviceUrl });
    }
  };

  return {
    meet: async (activity) => {
      const { serviceUrl } = activity;
      if (serviceUrl === undefined) {
        return;
      }
      try {
        await meetPlace(db, activity, serviceUrl, now());
        await meetSpeaker(db, activity, serviceUrl, now());
      } catch (error) {
        // What was asked can be answered all the same.
        log.error({ error }, 'Where an activity came from could not be kept');
      }
    },
    changed: async (activity) => {
      const { eventType, channel, team } = channelDataOf(activity);
      const bot = `28:${parts.appId}`;
      const left =
        (activity.type === 'installationUpdate' && activity.action === 'remove') ||
        activity.membersRemoved?.some(({ id }) => id === bot) === true;
      if (left || eventType === 'teamDeleted') {
        return loseConversation(db, team?.id ?? placeOf(activity).id, now());
      }
      if (eventType === 'channelDeleted' && channel?.id !== undefined) {
        return loseConversation(db, channel.id, now());
      }
      const came = activity.membersAdded?.some(({ id }) => id === bot) === true;
      if (came || /^(channel|team)[A-Z]/.test(eventType ?? '')) {
        await readTeam(activity);
      }
    },
  };
}

async function meetPlace(db: Db, activity: Heard, serviceUrl: string, at: Date): Promise<void> {
  const { id } = placeOf(activity);
  if (id === '' || isStranger(activity)) {
    return;
  }
  const kind = kindOf(activity);
  const team = teamOf(activity);
  const { channel } = channelDataOf(activity);
  const name = kind === 'channel' ? channel?.name : activity.conversation?.name;
  await meetConversation(
    db,
    {
      id,
      kind,
      serviceUrl,
      ...(name === undefined || name === '' ? {} : { name }),
      ...(team === undefined ? {} : { teamId: team.id, teamName: team.name, teamGroupId: team.groupId }),
    },
    at,
  );
}

async function meetSpeaker(db: Db, activity: Heard, serviceUrl: string, at: Date): Promise<void> {
  const { from } = activity;
  const id = from?.aadObjectId;
  if (from === undefined || id === undefined) {
    return;
  }
  const direct =
    kindOf(activity) === 'personal' && !isStranger(activity) ? { conversationId: placeOf(activity).id } : {};
  const zone = activity.localTimezone;
  await meetPerson(
    db,
    {
      id,
      teamsId: from.id,
      ...(from.name === undefined || from.name === '' ? {} : { name: from.name }),
      serviceUrl,
      ...direct,
      ...(zone === undefined || zone === '' ? {} : { timeZone: zone }),
    },
    at,
  );
}
