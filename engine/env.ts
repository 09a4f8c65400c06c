import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { ActivateError } from './contracts/errors.ts';
import { parsedUrl } from './contracts/url.ts';
import { isHostEntry } from './http/hosts.ts';

const url = (what: string, ...schemes: string[]) =>
  z.string().refine((text) => parsedUrl(text) !== undefined && schemes.includes(new URL(text).protocol), {
    message: `must be ${what}, beginning with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}`,
  });

const token = (prefix: string, where: string) =>
  z.string().startsWith(prefix, `must begin with ${prefix} (${where})`);

const guid = (what: string) =>
  z
    .string()
    .regex(
      /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
      `must be ${what}, as 00000000-0000-0000-0000-000000000000`,
    )
    .toLowerCase();

const number = (min: number, max: number) =>
  z.coerce
    .number('must be a number')
    .int('must be a whole number')
    .min(min, `must be at least ${min}`)
    .max(max, `must be at most ${max}`);

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((part) => part.trim().toLowerCase())
    .filter(Boolean),
);

const hosts = list.refine(
  (entries) => entries.every(isHostEntry),
  'must list host names, IP addresses or networks like 10.0.0.0/8, without https:// and ports',
);

/** Every setting there is, each said once: `npm run docs` writes docs/configuration.md from this. */
export const settings = {
  PORT: number(0, 65_535).default(3000).describe('Port of the HTTP server.'),
  HOST: z
    .string()
    .default('127.0.0.1')
    .describe('Address to listen on. Anything but localhost asks for LOCAL_CHAT_PASSWORD or LOCAL_CHAT=off.'),
  PUBLIC_URL: url('an address', 'http:', 'https:')
    .optional()
    .describe('Where people reach this bot from outside; needed for links and for Slack over HTTP.'),
  DATABASE_URL: url('a PostgreSQL address', 'postgres:', 'postgresql:')
    .optional()
    .describe('Your own PostgreSQL. Without it, one is started in ACTIVATE_DATA_DIR.'),
  DATABASE_SCHEMA: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,40}$/, 'must be a plain lower-case name')
    .default('activate')
    .describe('Schema for the tables of Activate.'),
  REDIS_URL: url('a Redis address', 'redis:', 'rediss:')
    .optional()
    .describe('Run the queues on Redis in place of PostgreSQL.'),
  ACTIVATE_DATA_DIR: z
    .string()
    .default('.activate')
    .describe('Folder of the embedded PostgreSQL and of the key made on first start.'),
  SECRET_KEY: z
    .string()
    .min(32, 'must be at least 32 characters long')
    .optional()
    .describe(
      'Encrypts the secrets of connections. Made on first start when the database is embedded; required otherwise.',
    ),
  ACTIVATE_ADMINS: list.default([]).describe('E-mail addresses of the first admins, separated by commas.'),
  DEFAULT_ROLE: z
    .enum(['viewer', 'editor'], 'must be viewer or editor')
    .default('editor')
    .describe('Role of people who are not listed as admins.'),
  PERSONAL_DATA_ROLE: z
    .enum(['viewer', 'editor', 'approver', 'admin'], 'must be viewer, editor, approver or admin')
    .default('approver')
    .describe(
      'Role that sees personal data as it is, in direct messages with the bot; everybody else sees it masked.',
    ),
  SLACK_BOT_TOKEN: token('xoxb-', 'the bot token of your Slack app')
    .optional()
    .describe('Bot token of the Slack app.'),
  SLACK_APP_TOKEN: token('xapp-', 'the app-level token for Socket Mode')
    .optional()
    .describe('App-level token: Socket Mode, no public address needed.'),
  SLACK_SIGNING_SECRET: z
    .string()
    .min(8, 'is too short')
    .optional()
    .describe('Signing secret: HTTP mode, needs PUBLIC_URL.'),
  SLACK_API_URL: url('an address', 'http:', 'https:')
    .optional()
    .describe('Another base address for the Slack API (proxies, tests).'),
  MATTERMOST_URL: url('an address', 'http:', 'https:')
    .optional()
    .describe('Address of the Mattermost server, as https://chat.example.com.'),
  MATTERMOST_TOKEN: z
    .string()
    .min(10, 'is too short')
    .optional()
    .describe('Access token of the bot account in Mattermost.'),
  MATTERMOST_CALLBACK_URL: url('an address', 'http:', 'https:')
    .optional()
    .describe('Where the Mattermost server reaches this bot, when that is not PUBLIC_URL.'),
  MATTERMOST_COMMAND_TOKENS: z
    .string()
    .transform((text) => text.split(/[\s,]+/).filter(Boolean))
    .default([])
    .describe(
      'Tokens of the commands /activate that an admin created by hand, one a team, separated by commas. Not needed where the bot may create them.',
    ),
  MATTERMOST_CA_FILE: z
    .string()
    .optional()
    .describe(
      'File with the certificates, in PEM, of your own authority, trusted for Mattermost besides the usual ones. NODE_EXTRA_CA_CERTS works too.',
    ),
  MATTERMOST_TRUST_EMAILS: z
    .enum(['on', 'off'], 'must be on or off')
    .default('off')
    .describe(
      'Take the e-mail addresses of accounts for true though the Mattermost server does not have them verified. On, whoever can change their own address can become an admin of Activate.',
    ),
  TEAMS_APP_ID: guid('the application (client) ID of the app registration')
    .optional()
    .describe('Application (client) ID of the Microsoft Teams bot. Needs PUBLIC_URL.'),
  TEAMS_TENANT_ID: guid('the directory (tenant) ID')
    .optional()
    .describe('Directory (tenant) ID. Requests of other tenants are refused.'),
  TEAMS_APP_PASSWORD: z
    .string()
    .min(8, 'is too short')
    .optional()
    .describe('Client secret of the app registration; or else a certificate.'),
  TEAMS_CERTIFICATE_FILE: z
    .string()
    .optional()
    .describe('File with the certificate of the app registration, in PEM, in place of a secret.'),
  TEAMS_KEY_FILE: z.string().optional().describe('File with the private key of that certificate, in PEM.'),
  TEAMS_GRAPH_URL: url('an address', 'http:', 'https:')
    .optional()
    .describe(
      'Microsoft Graph (https://graph.microsoft.com), when the app may read users and messages there. Not called otherwise.',
    ),
  TEAMS_LOGIN_URL: url('an address', 'http:', 'https:')
    .optional()
    .describe('Another address of the sign-in of Microsoft (clouds of states, proxies, tests).'),
  TEAMS_OPENID_URL: url('an address', 'http:', 'https:')
    .optional()
    .describe('Another address of the keys that Teams signs its requests with.'),
  TEAMS_SERVICE_URL: url('an address', 'http:', 'https:')
    .optional()
    .describe('Another address of the Teams service, for conversations that nobody has spoken in yet.'),
  LOCAL_CHAT: z
    .enum(['on', 'off'], 'must be on or off')
    .optional()
    .describe('The chat page of the bot itself. On unless another platform is set up.'),
  LOCAL_CHAT_PASSWORD: z
    .string()
    .min(8, 'must be at least 8 characters long')
    .optional()
    .describe('Password of the local chat; required when HOST is not localhost.'),
  ALLOWED_PRIVATE_HOSTS: hosts
    .default([])
    .describe(
      'Hosts of your own network that connections may call, also without encryption: names, *.names, addresses or networks, separated by commas. All others there are refused.',
    ),
  ALLOWED_FOLDER: z
    .string()
    .refine(
      (path) => isAbsolute(path) && resolve(path) !== '/',
      'must be the full path of a folder, as /mnt/exports',
    )
    .transform((path) => resolve(path))
    .optional()
    .describe(
      'Folder of this machine, as one with network drives, at or below which connections may write files. Without it they may nowhere.',
    ),
  HTTPS_PROXY: url('the address of a proxy', 'http:', 'https:')
    .optional()
    .describe(
      'Proxy for calls of connections to the web. Hosts in ALLOWED_PRIVATE_HOSTS are called without it.',
    ),
  WORKER_CONCURRENCY: number(1, 200)
    .default(10)
    .describe('Runs that one worker carries out at the same time.'),
  LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'], 'must be debug, info, warn, error or silent')
    .default('info')
    .describe('How much to log.'),
  LOG_FORMAT: z
    .enum(['json', 'pretty'], 'must be json or pretty')
    .optional()
    .describe('Pretty by default in a terminal, JSON otherwise.'),
} as const satisfies Record<string, z.ZodType>;

const environment = z.object(settings);

export type Env = z.output<typeof environment>;

const localHosts = ['127.0.0.1', 'localhost', '::1'];

/**
 * Reads the environment once. An empty value counts as not set. All mistakes come in one CONFIG_INVALID error, a line each.
 */
export function parseEnv(given: Readonly<Record<string, string | undefined>>): Env {
  const set = Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = environment.safeParse(set);
  const mistakes = parsed.success
    ? contradictions(parsed.data)
    : parsed.error.issues.map((issue) => `${String(issue.path[0])} ${issue.message}`);
  if (!parsed.success || mistakes.length > 0) {
    throw new ActivateError(
      'CONFIG_INVALID',
      `The configuration has ${mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`}:\n${mistakes.map((mistake) => `  - ${mistake}.`).join('\n')}`,
      {
        fix: 'Mend the environment or the .env file, then start again.',
      },
    );
  }
  return parsed.data;
}

function contradictions(env: Env): string[] {
  const mistakes: string[] = [];
  if (env.DATABASE_URL !== undefined && env.SECRET_KEY === undefined) {
    mistakes.push('SECRET_KEY is required with DATABASE_URL; make one with: openssl rand -hex 32');
  }
  if (env.SLACK_BOT_TOKEN === undefined && (env.SLACK_APP_TOKEN ?? env.SLACK_SIGNING_SECRET) !== undefined) {
    mistakes.push('SLACK_BOT_TOKEN is missing, though another Slack setting is there');
  }
  if (
    env.SLACK_BOT_TOKEN !== undefined &&
    env.SLACK_APP_TOKEN === undefined &&
    env.SLACK_SIGNING_SECRET === undefined
  ) {
    mistakes.push(
      'SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP mode) is missing beside SLACK_BOT_TOKEN',
    );
  }
  if ((env.MATTERMOST_URL === undefined) !== (env.MATTERMOST_TOKEN === undefined)) {
    const missing = env.MATTERMOST_URL === undefined ? 'MATTERMOST_URL' : 'MATTERMOST_TOKEN';
    mistakes.push(`${missing} is missing, though another Mattermost setting is there`);
  }
  if (env.MATTERMOST_URL !== undefined && (env.MATTERMOST_CALLBACK_URL ?? env.PUBLIC_URL) === undefined) {
    mistakes.push(
      'PUBLIC_URL or MATTERMOST_CALLBACK_URL is missing beside MATTERMOST_URL: the server has to reach this bot',
    );
  }
  mistakes.push(...teamsContradictions(env));
  if (usesLocalChat(env) && !localHosts.includes(env.HOST) && env.LOCAL_CHAT_PASSWORD === undefined) {
    mistakes.push(
      `LOCAL_CHAT_PASSWORD is required when HOST is ${env.HOST}: anybody who reaches it could act as anybody`,
    );
  }
  return mistakes;
}

function teamsContradictions(env: Env): readonly string[] {
  const { TEAMS_APP_ID: id, TEAMS_TENANT_ID: tenant, TEAMS_APP_PASSWORD: password } = env;
  const { TEAMS_CERTIFICATE_FILE: certificate, TEAMS_KEY_FILE: key } = env;
  if ([id, tenant, password, certificate, key].every((setting) => setting === undefined)) {
    return [];
  }
  const proofs = [password, certificate ?? key].filter((setting) => setting !== undefined).length;
  return [
    ...(id === undefined ? ['TEAMS_APP_ID is missing, though another Teams setting is there'] : []),
    ...(tenant === undefined ? ['TEAMS_TENANT_ID is missing, though another Teams setting is there'] : []),
    ...(proofs === 1 && (certificate === undefined) === (key === undefined)
      ? []
      : [
          'TEAMS_APP_PASSWORD, or TEAMS_CERTIFICATE_FILE with TEAMS_KEY_FILE, has to be set for Teams, and not both',
        ]),
    ...(env.PUBLIC_URL === undefined
      ? ['PUBLIC_URL is missing beside TEAMS_APP_ID: Microsoft has to reach this bot']
      : []),
  ];
}

/** True when the bot serves its own chat page. */
export function usesLocalChat(env: Env): boolean {
  const others = [env.SLACK_BOT_TOKEN, env.MATTERMOST_URL, env.TEAMS_APP_ID];
  return env.LOCAL_CHAT === undefined
    ? others.every((setting) => setting === undefined)
    : env.LOCAL_CHAT === 'on';
}

const secretReference = /^\$\{(CONNECTION_[A-Z0-9_]+)\}$/;

/** Whether a file refers to the environment like this: `${CONNECTION_NAME}`. */
export function isSecretReference(text: string): boolean {
  return secretReference.test(text.trim());
}

/**
 * The secret that a file refers to as `${CONNECTION_NAME}`; undefined when it is not set. No other variable can be
 * referred to: a file must not reach for what is not meant for connections.
 */
export function secretFromEnvironment(reference: string): string | undefined {
  const [, name] = secretReference.exec(reference.trim()) ?? [];
  return name === undefined ? undefined : process.env[name];
}
