import { createLocal } from '../bot/local/platform.ts';
import { createHeard } from '../bot/mattermost/heard.ts';
import { createMattermost } from '../bot/mattermost/platform.ts';
import type { Platform } from '../bot/platform.ts';
import { defined } from '../bot/platforms.ts';
import { createSlack } from '../bot/slack/platform.ts';
import { createButtons } from '../bot/teams/access.ts';
import { createTeams } from '../bot/teams/platform.ts';
import type { Db } from '../engine/contracts/db.ts';
import type { Log } from '../engine/contracts/log.ts';
import type { Env } from '../engine/env.ts';
import { callTimeoutMs } from './drill-times.ts';

export const drilled = ['slack', 'teams', 'mattermost', 'local'] as const;
export type Drilled = (typeof drilled)[number];

/** Where the drill speaks, by the names that people call the channels by. */
export const channelNames = Array.from({ length: 8 }, (_, at) => `drill-${at}`);

/** A platform as it ships, only less patient. */
export function drillSender(platform: Drilled, env: Env, db: Db, log: Log): Platform {
  switch (platform) {
    case 'slack':
      return createSlack({
        botToken: env.SLACK_BOT_TOKEN ?? '',
        ...(env.SLACK_API_URL === undefined ? {} : { apiUrl: env.SLACK_API_URL }),
        paceMs: 20,
        timeoutMs: callTimeoutMs,
        log,
      });
    case 'teams':
      return teams(env, db, log);
    case 'mattermost':
      return createMattermost({
        url: env.MATTERMOST_URL ?? '',
        token: env.MATTERMOST_TOKEN ?? '',
        callbackUrl: env.PUBLIC_URL,
        secretKey: env.SECRET_KEY ?? '',
        heard: createHeard(db),
        timeoutMs: callTimeoutMs,
        log,
      });
    case 'local':
      return createLocal({
        db,
        people: [{ id: 'ada', name: 'Ada Park', email: 'ada@northwind.example' }],
        channels: channelNames.map((name) => ({ id: name, name })),
        log,
      });
    default:
      return platform satisfies never;
  }
}

function teams(env: Env, db: Db, log: Log): Platform {
  const addresses = {
    loginUrl: env.TEAMS_LOGIN_URL,
    serviceUrl: env.TEAMS_SERVICE_URL,
    graphUrl: env.TEAMS_GRAPH_URL,
  };
  return createTeams({
    db,
    appId: env.TEAMS_APP_ID ?? '',
    tenantId: env.TEAMS_TENANT_ID ?? '',
    credential: { type: 'secret', secret: env.TEAMS_APP_PASSWORD ?? '' },
    buttons: createButtons({ commands: [], defaultRole: 'editor', house: () => undefined }),
    ...defined(addresses),
    paceMs: 20,
    timeoutMs: callTimeoutMs,
    log,
  });
}
