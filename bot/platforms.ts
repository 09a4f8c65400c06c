import type { Db } from '../engine/contracts/db.ts';
import type { Log } from '../engine/contracts/log.ts';
import type { LocalOptions } from './local/platform.ts';
import type { MattermostConfig } from './mattermost/platform.ts';
import type { Platform } from './platform.ts';
import type { TeamsConfig } from './teams/platform.ts';

/** Which platforms are set up, and how. */
export interface PlatformSettings {
  readonly slack:
    | {
        readonly botToken: string;
        readonly appToken: string | undefined;
        readonly signingSecret: string | undefined;
        readonly apiUrl: string | undefined;
      }
    | undefined;
  readonly teams: Omit<TeamsConfig, 'db' | 'log'> | undefined;
  readonly mattermost: Omit<MattermostConfig, 'heard' | 'log'> | undefined;
  readonly local:
    | (Pick<LocalOptions, 'people' | 'channels' | 'groups'> & { readonly password: string | undefined })
    | undefined;
}

/** The platforms of this installation, in the order in which they are asked. The code of the others is not loaded. */
export async function createPlatforms(
  settings: PlatformSettings,
  db: Db,
  log: Log,
): Promise<readonly Platform[]> {
  const platforms: Platform[] = [];
  if (settings.slack !== undefined) {
    const { createSlack } = await import('./slack/platform.ts');
    const { botToken, ...rest } = settings.slack;
    platforms.push(createSlack({ botToken, ...defined(rest), log: log.child({ platform: 'slack' }) }));
  }
  if (settings.teams !== undefined) {
    const { createTeams } = await import('./teams/platform.ts');
    platforms.push(createTeams({ ...settings.teams, db, log: log.child({ platform: 'teams' }) }));
  }
  if (settings.mattermost !== undefined) {
    const [{ createHeard }, { createMattermost }] = await Promise.all([
      import('./mattermost/heard.ts'),
      import('./mattermost/platform.ts'),
    ]);
    const parts = { heard: createHeard(db), log: log.child({ platform: 'mattermost' }) };
    platforms.push(createMattermost({ ...settings.mattermost, ...parts }));
  }
  if (settings.local !== undefined) {
    const { createLocal } = await import('./local/platform.ts');
    const { people, channels, groups, password } = settings.local;
    platforms.push(
      createLocal({
        db,
        people,
        channels,
        ...defined({ groups, password }),
        log: log.child({ platform: 'local' }),
      }),
    );
  }
  return platforms;
}

/** Leaves out what is undefined, as exact optional properties ask. */
export function defined<T extends object>(given: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
