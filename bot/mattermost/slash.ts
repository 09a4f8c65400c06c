import { timingSafeEqual } from 'node:crypto';
import type { Command } from '@mattermost/types/integrations';
import { ActivateError, asActivateError } from '../../engine/contracts/errors.ts';
import type { Log } from '../../engine/contracts/log.ts';
import type { Me } from './directory.ts';
import { isClosed, refusalOf } from './errors.ts';
import type { Web } from './web.ts';

const TRIGGER = 'activate';
const DUPLICATE = 'api.command.duplicate_trigger.app_error';
/** A token that is not known is looked for again at most this often. */
const AGAIN_MS = 60_000;

/** The slash command in every team of the bot, and the tokens that its calls carry. */
export interface Slash {
  /** Creates or mends the command in each team. What the bot may not do is logged with what to do by hand. */
  register(): Promise<void>;
  /** Whether a call with this token comes from the server. */
  knows(token: string): Promise<boolean>;
}

export function createSlash(parts: {
  readonly web: Web;
  readonly log: Log;
  readonly now: () => Date;
  readonly url: string;
  /** Of commands that an admin created by hand. */
  readonly tokens: readonly string[];
  readonly me: () => Promise<Me>;
}): Slash {
  const { web, log, now, url } = parts;
  let tokens = new Set(parts.tokens);
  let readAt = Number.NEGATIVE_INFINITY;

  const register = async (): Promise<void> => {
    readAt = now().getTime();
    const me = await parts.me();
    const found = new Set(parts.tokens);
    for (const team of await web.getMyTeams()) {
      const token = await ofTeam(team.id, me, team.name);
      if (token !== undefined) {
        found.add(token);
      }
    }
    tokens = found;
  };

  const made = async (team: string, me: Me, name: string): Promise<string | undefined> => {
    const commands = await web.getCustomTeamCommands(team);
    const there = commands.find((command) => command.trigger === TRIGGER && command.delete_at === 0);
    if (there === undefined) {
      return (await web.addCommand(wanted(team, me.username, url))).token;
    }
    if (there.url === url) {
      return there.token;
    }
    if (there.creator_id !== me.id) {
      log.warn({ team: name }, 'Another command /activate is there already: change its address by hand');
      return undefined;
    }
    return (await web.editCommand({ ...there, ...wanted(team, me.username, url) })).token;
  };

  const ofTeam = async (team: string, me: Me, name: string): Promise<string | undefined> => {
    try {
      // Another process may create it in the same moment: then it is there at the second look.
      return await made(team, me, name).catch((error: unknown) =>
        refusalOf(error)?.id === DUPLICATE ? made(team, me, name) : Promise.reject(error),
      );
    } catch (error) {
      const { code, retry, message } = asActivateError(error);
      if (retry !== 'never' || code === 'AUTH_REJECTED') {
        throw error;
      }
      if (!isClosed(error)) {
        log.warn({ team: name, url, reason: message }, 'The command /activate could not be created');
      } else if (parts.tokens.length === 0) {
        // Without the right to manage commands an admin creates it, and gives us its token.
        log.warn(
          { team: name, url },
          'The bot may not create the command /activate: create it by hand and set MATTERMOST_COMMAND_TOKENS',
        );
      }
      return undefined;
    }
  };

  return {
    register,
    knows: async (token) => {
      if (isAmong(token, tokens)) {
        return true;
      }
      if (now().getTime() - readAt < AGAIN_MS) {
        return false;
      }
      await register();
      return isAmong(token, tokens);
    },
  };
}

function wanted(team: string, username: string, url: string): Command {
  return {
    team_id: team,
    trigger: TRIGGER,
    method: 'P',
    url,
    username,
    display_name: 'Activate',
    description: 'Alerts and syncs out of your warehouse',
    auto_complete: true,
    auto_complete_desc: 'Alerts and syncs out of your warehouse',
    auto_complete_hint: '[command]',
  } as Command;
}

function isAmong(token: string, tokens: ReadonlySet<string>): boolean {
  const given = Buffer.from(token);
  // All are compared, so that the time says nothing about any of them.
  return (
    [...tokens].filter((known) => {
      const expected = Buffer.from(known);
      return expected.length === given.length && timingSafeEqual(expected, given);
    }).length > 0
  );
}

/** Refuses to start without a way back: buttons and commands come in over HTTP. */
export function callbackBase(url: string | undefined): string {
  if (url === undefined) {
    throw new ActivateError('CONFIG_INVALID', 'Mattermost has no way to reach the bot.', {
      fix: 'Set PUBLIC_URL, or MATTERMOST_CALLBACK_URL when the Mattermost server reaches the bot by another address.',
    });
  }
  return `${url.replace(/\/+$/, '')}/mattermost`;
}
