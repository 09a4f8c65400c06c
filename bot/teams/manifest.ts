import { cut } from './limits.ts';

/** What the manifest needs to know of a command. */
export interface ManifestCommand {
  readonly name: string;
  readonly title: string;
  readonly summary: string;
  /** It makes sense without another word. */
  readonly alone: boolean;
  /** It asks in a form from the first. */
  readonly asks: boolean;
}

export interface ManifestOptions {
  readonly appId: string;
  /** Where people reach the bot. */
  readonly url: string;
  /** Raised whenever the manifest changes; Teams takes an update for nothing else. */
  readonly version: string;
  /** Asks for leave to read messages of teams and chats, to look for one that may have been posted. */
  readonly readsBack: boolean;
}

/** What the app may read where it is installed, and what for. `docs/teams.md` lists the same. */
export const PERMISSIONS: Readonly<Record<string, string>> = {
  'ChannelMessage.Read.Group': 'to check after a broken connection whether a message arrived in a channel',
  'ChatMessage.Read.Chat': 'the same in a group chat',
};

const SCHEMA = 'https://developer.microsoft.com/json-schemas/teams/v1.29/MicrosoftTeams.schema.json';
/** Teams takes 12 commands a list, and 10 actions. */
const LISTED = 12;
const ACTIONS = 10;

/** The app manifest: the bot, what it can be told, and which forms open straight from the `/` menu. */
export function teamsManifest(commands: readonly ManifestCommand[], options: ManifestOptions): object {
  const { appId, version } = options;
  const url = options.url.replace(/\/+$/, '');
  const list = listed(commands).map(({ name, summary }) => ({
    title: cut(name, 128),
    description: cut(summary, 4000),
  }));
  const actions = commands
    .filter((command) => command.asks)
    .slice(0, ACTIONS)
    .map(({ name, title, summary }) => ({
      id: name,
      type: 'action',
      title: cut(title, 32),
      description: cut(summary, 128),
      context: ['compose', 'commandBox'],
      triggers: ['slash'],
      fetchTask: true,
    }));
  return {
    $schema: SCHEMA,
    manifestVersion: '1.29',
    version,
    id: appId,
    developer: { name: 'Activate', websiteUrl: url, privacyUrl: url, termsOfUseUrl: url },
    name: { short: 'Activate', full: 'Activate: your data warehouse at work' },
    description: {
      short: 'Puts your data warehouse to work from Teams.',
      full: 'Activate tells the right person when a row appears in your data warehouse, and keeps your other tools in step with it. It runs on your own servers. Type "help" to see what it can do.',
    },
    icons: { color: 'color.png', outline: 'outline.png' },
    accentColor: '#5B4EE6',
    bots: [
      {
        botId: appId,
        scopes: ['personal', 'team', 'groupChat'],
        supportsFiles: true,
        isNotificationOnly: false,
        supportsTargetedMessages: true,
        commandLists: [
          { scopes: ['team', 'groupChat'], triggers: ['mention', 'slash'], commands: list },
          { scopes: ['personal'], triggers: ['mention'], commands: list },
        ],
      },
    ],
    composeExtensions: [{ botId: appId, commands: actions }],
    permissions: ['identity', 'messageTeamMembers'],
    validDomains: [new URL(url).hostname],
    webApplicationInfo: { id: appId, resource: `api://${appId}` },
    defaultInstallScope: 'personal',
    defaultGroupCapability: { team: 'bot', groupchat: 'bot' },
    ...(options.readsBack
      ? {
          authorization: {
            permissions: {
              resourceSpecific: Object.keys(PERMISSIONS).map((name) => ({ name, type: 'Application' })),
            },
          },
        }
      : {}),
  };
}

/** The commands that people are reminded of: help, and those that need no other word. */
function listed(commands: readonly ManifestCommand[]): readonly ManifestCommand[] {
  const rank = ({ name, alone }: ManifestCommand): number => (name === 'help' ? 0 : alone ? 1 : 2);
  return commands.toSorted((a, b) => rank(a) - rank(b)).slice(0, LISTED);
}

/** The app package as Teams takes it: the manifest and two icons, zipped. */
export async function teamsPackage(manifest: object): Promise<Uint8Array> {
  const { zipSync } = await import('fflate');
  return zipSync({
    'manifest.json': Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`),
    'color.png': await drawIcon('color'),
    'outline.png': await drawIcon('outline'),
  });
}

const BOLT = 'M18.2 5.2 8.4 17.6h6.3l-1.5 9.2L23.9 13.7h-7z';

/** The bolt of Activate: white on violet, 192 pixels a side; or its white outline on nothing, 32 pixels. */
async function drawIcon(kind: 'color' | 'outline'): Promise<Uint8Array> {
  const { Resvg } = await import('@resvg/resvg-js');
  const drawn =
    kind === 'color'
      ? `<rect width="32" height="32" fill="#5b4ee6"/><path d="${BOLT}" fill="#fff"/>`
      : `<path d="${BOLT}" fill="none" stroke="#fff" stroke-width="1.8" stroke-linejoin="round"/>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${drawn}</svg>`;
  const side = kind === 'color' ? 192 : 32;
  return new Resvg(svg, { fitTo: { mode: 'width', value: side } }).render().asPng();
}
