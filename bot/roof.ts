import { connectors } from '../connectors/index.ts';
import { type App, boot } from '../engine/boot.ts';
import type { ChatPlatform } from '../engine/contracts/chat.ts';
import type { Db } from '../engine/contracts/db.ts';
import { asActivateError } from '../engine/contracts/errors.ts';
import type { Log } from '../engine/contracts/log.ts';
import { demoChannels, demoGroups, demoPeople } from '../engine/demo/people.ts';
import { type Env, parseEnv, usesLocalChat } from '../engine/env.ts';
import { createLog } from '../engine/log.ts';
import { ownSecretKey } from '../engine/secrets.ts';
import type { Platform } from './platform.ts';
import { createPlatforms, defined, type PlatformSettings } from './platforms.ts';
import type { Server } from './server.ts';
import type { House } from './teams/access.ts';

/** Which of the two processes this one is, or both at once. */
export interface Roles {
  readonly web: boolean;
  readonly worker: boolean;
  /** Set up the demo, where the database is embedded and the local chat is on. */
  readonly demo: boolean;
}

/** A whole installation that runs. */
export interface Running {
  readonly app: App;
  /** Where the bot's HTTP server listens, when it has one. */
  readonly url: string | undefined;
  stop(): Promise<void>;
}

/**
 * Starts what the roles say, in this order: database, hearing, HTTP, worker. What a role does not need is not loaded: a
 * worker has its memory for rows.
 */
export async function start(env: Env, roles: Roles, log: Log): Promise<Running> {
  const platforms: Platform[] = [];
  const secretKey = env.SECRET_KEY ?? (await ownSecretKey(env.ACTIVATE_DATA_DIR));
  let house: House | undefined;
  const senders = async (db: Db): Promise<readonly ChatPlatform[]> => {
    const settings = await settingsOf(env, secretKey, () => house);
    platforms.push(...(await createPlatforms(settings, db, log)));
    return platforms;
  };
  const app = await boot(env, { connectors, senders, log });
  if (isOnTeams(env)) {
    // Its cards are drawn by who may press what, whichever process sends them.
    const { dispatchOf } = await import('./commands.ts');
    house = { dispatch: dispatchOf(app), identify: app.identify };
  }
  const stopping = new AbortController();
  let server: Server | undefined;
  if (roles.web) {
    const { serve } = await import('./web.ts');
    server = await serve(app, platforms, stopping.signal);
  }
  if (roles.demo && usesLocalChat(env)) {
    const { startDemo } = await import('../engine/demo/story.ts');
    // Before the worker: the warehouse has another address at each start.
    await startDemo(app, stopping.signal);
  }
  const worker = roles.worker ? await app.startWorker() : undefined;
  return {
    app,
    url: server?.url,
    stop: async () => {
      stopping.abort();
      await server?.close();
      await worker?.stop();
      await app.close();
    },
  };
}

async function settingsOf(
  env: Env,
  secretKey: string,
  house: () => House | undefined,
): Promise<PlatformSettings> {
  const slack =
    env.SLACK_BOT_TOKEN === undefined
      ? undefined
      : {
          botToken: env.SLACK_BOT_TOKEN,
          appToken: env.SLACK_APP_TOKEN,
          signingSecret: env.SLACK_SIGNING_SECRET,
          apiUrl: env.SLACK_API_URL,
        };
  const local = usesLocalChat(env)
    ? {
        people: demoPeople,
        channels: demoChannels,
        groups: demoGroups,
        password: env.LOCAL_CHAT_PASSWORD,
      }
    : undefined;
  return { slack, teams: await teamsOf(env, house), mattermost: mattermostOf(env, secretKey), local };
}

function isOnTeams({ TEAMS_APP_ID: appId, TEAMS_TENANT_ID: tenantId }: Env): boolean {
  return appId !== undefined && tenantId !== undefined;
}

async function teamsOf(env: Env, house: () => House | undefined): Promise<PlatformSettings['teams']> {
  const { TEAMS_APP_ID: appId, TEAMS_TENANT_ID: tenantId, TEAMS_APP_PASSWORD: secret } = env;
  if (appId === undefined || tenantId === undefined) {
    return undefined;
  }
  const { TEAMS_CERTIFICATE_FILE: certificateFile = '', TEAMS_KEY_FILE: keyFile = '' } = env;
  const addresses = {
    publicUrl: env.PUBLIC_URL,
    graphUrl: env.TEAMS_GRAPH_URL,
    loginUrl: env.TEAMS_LOGIN_URL,
    openIdUrl: env.TEAMS_OPENID_URL,
    serviceUrl: env.TEAMS_SERVICE_URL,
  };
  const [{ commands }, { createButtons }] = await Promise.all([
    import('./commands.ts'),
    import('./teams/access.ts'),
  ]);
  return {
    appId,
    tenantId,
    credential:
      secret === undefined ? { type: 'certificate', certificateFile, keyFile } : { type: 'secret', secret },
    buttons: createButtons({ commands, defaultRole: env.DEFAULT_ROLE, house }),
    ...defined(addresses),
  };
}

function mattermostOf(env: Env, secretKey: string): PlatformSettings['mattermost'] {
  const { MATTERMOST_URL: url, MATTERMOST_TOKEN: token, MATTERMOST_CA_FILE: caFile } = env;
  return url === undefined || token === undefined
    ? undefined
    : {
        url,
        token,
        callbackUrl: env.MATTERMOST_CALLBACK_URL ?? env.PUBLIC_URL,
        secretKey,
        commandTokens: env.MATTERMOST_COMMAND_TOKENS,
        trustEmails: env.MATTERMOST_TRUST_EMAILS === 'on',
        ...(caFile === undefined ? {} : { caFile }),
      };
}

/** Starts, says where, and stops on Ctrl-C. What keeps it from starting is said in plain words, with exit code 1. */
export async function startOrExplain(roles: Roles): Promise<void> {
  const began = performance.now();
  try {
    const env = parseEnv(process.env);
    const admins =
      usesLocalChat(env) && env.ACTIVATE_ADMINS.length === 0 ? [demoPeople[0].email] : env.ACTIVATE_ADMINS;
    const format = env.LOG_FORMAT ?? (process.stdout.isTTY ? 'pretty' : 'json');
    const log = createLog({ level: env.LOG_LEVEL, format });
    const running = await start({ ...env, ACTIVATE_ADMINS: admins }, roles, log);
    stopOnSignal(running, log);
    const seconds = Number(((performance.now() - began) / 1000).toFixed(1));
    log.info({ seconds, ...(running.url === undefined ? {} : { open: running.url }) }, 'ready');
    if (running.url !== undefined && process.stdout.isTTY) {
      process.stdout.write(`\n  Activate is ready: open ${running.url}\n\n`);
    }
  } catch (thrown) {
    const error = asActivateError(thrown);
    const detail = error.code === 'BUG' && error.cause instanceof Error ? `\n${error.cause.stack}` : '';
    process.stderr.write(`\nActivate could not start.\n${error.message}\n${error.fix ?? ''}${detail}\n`);
    process.exit(1);
  }
}

function stopOnSignal(running: Running, log: Log): void {
  let asked = false;
  const stop = (): void => {
    if (asked) {
      process.exit(1);
    }
    asked = true;
    log.info({}, 'stopping');
    running.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ error: String(error) }, 'did not stop cleanly');
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}
