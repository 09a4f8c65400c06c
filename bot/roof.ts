import { createCommands } from '../commands/index.ts';
import { connectors } from '../connectors/index.ts';
import { type App, boot } from '../engine/boot.ts';
import type { ChatPlatform, Dispatch } from '../engine/contracts/chat.ts';
import type { Db } from '../engine/contracts/db.ts';
import { asActivateError } from '../engine/contracts/errors.ts';
import type { Log } from '../engine/contracts/log.ts';
import type { Raw } from '../engine/contracts/refs.ts';
import { demoChannels, demoGroups, demoPeople } from '../engine/demo/people.ts';
import { startDemo } from '../engine/demo/story.ts';
import { type Env, parseEnv, usesLocalChat } from '../engine/env.ts';
import { createLog } from '../engine/log.ts';
import { masked } from '../engine/personal/mask.ts';
import { ownSecretKey } from '../engine/secrets.ts';
import { actedBy, writeAudit } from '../engine/store/audit.ts';
import { draftOf, dropDraft, keepDraft, startDraft } from '../engine/store/drafts.ts';
import { openLink, useLink } from '../engine/store/links.ts';
import { createDispatch } from './dispatch.ts';
import { dbtHooks } from './hooks.ts';
import { formPage } from './local/link.ts';
import type { Platform } from './platform.ts';
import { createPlatforms, defined, type PlatformSettings } from './platforms.ts';
import { createServer, type Server } from './server.ts';
import { createButtons, type House } from './teams/access.ts';
import { type UnsubscribeOptions, unsubscribePage } from './unsubscribe.ts';

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
  readonly dispatch: Dispatch;
  /** Where the bot's HTTP server listens, when it has one. */
  readonly url: string | undefined;
  stop(): Promise<void>;
}

/** Starts what the roles say, in this order: database, hearing, HTTP, worker. */
export async function start(env: Env, roles: Roles, log: Log): Promise<Running> {
  const platforms: Platform[] = [];
  const secretKey = env.SECRET_KEY ?? (await ownSecretKey(env.ACTIVATE_DATA_DIR));
  let house: House | undefined;
  const senders = (db: Db): readonly ChatPlatform[] => {
    const settings = settingsOf(env, secretKey, () => house);
    platforms.push(...createPlatforms(settings, db, log));
    return platforms;
  };
  const app = await boot(env, { connectors, senders, log });
  const dispatch = dispatchOf(app);
  house = { dispatch, identify: app.identify };
  const stopping = new AbortController();
  const server = roles.web ? await serve(app, platforms, dispatch, stopping.signal) : undefined;
  if (roles.demo && usesLocalChat(env)) {
    // Before the worker: the warehouse has another address at each start.
    await startDemo(app, stopping.signal);
  }
  const worker = roles.worker ? await app.startWorker() : undefined;
  return {
    app,
    dispatch,
    url: server?.url,
    stop: async () => {
      stopping.abort();
      await server?.close();
      await worker?.stop();
      await app.close();
    },
  };
}

async function serve(
  app: App,
  platforms: readonly Platform[],
  dispatch: Dispatch,
  signal: AbortSignal,
): Promise<Server> {
  for (const platform of platforms) {
    await platform.receive(dispatch, signal);
  }
  const { env, log } = app;
  return createServer({
    platforms,
    port: env.PORT,
    host: env.HOST,
    ...(env.PUBLIC_URL === undefined ? {} : { publicUrl: env.PUBLIC_URL }),
    log,
    metrics: () => app.metrics.text(),
    ready: () => app.ready(),
    hooks: dbtHooks((project, request) => app.services.dbt.hear(project, request)),
    unsubscribe: unsubscribePage(unsubscribing(app)),
    form: formPage({
      dispatch,
      openLink: async (token) => {
        const link = await openLink(app.db, token, new Date());
        if (link === undefined) {
          return undefined;
        }
        const { command, input } = link.invocation;
        const reply = await dispatch.run({ command, input: { ...input, linked: 'true' } }, link.origin);
        return reply.kind === 'form' ? { form: reply.form, origin: link.origin } : undefined;
      },
      closeLink: (token) => useLink(app.db, token, new Date()),
    }),
  });
}

/** What the page to unsubscribe may know, and do. */
export function unsubscribing({ services: { mail } }: Pick<App, 'services'>): UnsubscribeOptions {
  return {
    open: (token) => {
      const leave = mail.readLink(token);
      return leave === undefined ? undefined : { whose: masked(leave.address), list: leave.list };
    },
    leave: async (token, all) => {
      const leave = mail.readLink(token);
      if (leave !== undefined) {
        await mail.leave({ address: leave.address, list: all ? '' : leave.list });
      }
    },
  };
}

/** The dispatcher over all commands, with the stores behind it. */
export function dispatchOf(app: App): Dispatch {
  const { db, services, log } = app;
  return createDispatch({
    commands: createCommands(connectors),
    services,
    identify: app.identify,
    drafts: {
      start: (personId, command, answers) => startDraft(db, personId, command, answers),
      get: (personId, id) => draftOf(db, personId, id),
      keep: (id, step, answers) => keepDraft(db, id, step, answers),
      drop: (id) => dropDraft(db, id),
    },
    audit: ({ caller, command, input, outcome }) =>
      db.transaction((sql) =>
        writeAudit(sql, {
          at: services.now(),
          kind: refusals.includes(outcome) ? 'refusal' : 'command',
          ...actedBy(caller),
          command,
          subject: subjectOf(input),
          input,
          outcome,
        }),
      ),
    link: (command, input, caller) => services.formLink(command, input, caller),
    log,
  });
}

/** Outcomes that say that somebody was not let do something, or that what they saw is no longer so. */
const refusals = ['refused', 'NOT_ALLOWED', 'OUTDATED'];

/** What a command is about, by the names that fields have for it. */
function subjectOf({ name, alert, sync, model, person }: Raw): string | null {
  return name ?? alert ?? sync ?? model ?? person ?? null;
}

function settingsOf(env: Env, secretKey: string, house: () => House | undefined): PlatformSettings {
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
  return { slack, teams: teamsOf(env, house), mattermost: mattermostOf(env, secretKey), local };
}

function teamsOf(env: Env, house: () => House | undefined): PlatformSettings['teams'] {
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
  return {
    appId,
    tenantId,
    credential:
      secret === undefined ? { type: 'certificate', certificateFile, keyFile } : { type: 'secret', secret },
    buttons: createButtons({ commands: createCommands(connectors), defaultRole: env.DEFAULT_ROLE, house }),
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
