import { cut } from './limits.ts';

/** What the manifest needs to know of a command. */
export interface ManifestCommand {
  readonly name: string;
  readonly summary: string;
  readonly example: string;
}

export type ManifestOptions = { readonly mode: 'socket' } | { readonly mode: 'http'; readonly url: string };

/** What the bot may do, and what for. `docs/slack.md` lists the same. */
export const SCOPES: Readonly<Record<string, string>> = {
  commands: 'to have the command /activate',
  'chat:write': 'to post messages and to edit its own',
  'chat:write.public': 'to post to public channels without being invited',
  'users:read': 'to find people by name',
  'users:read.email': 'to tag the person whose e-mail address is in a row',
  'im:write': 'to write to people directly',
  'im:history': 'to read what people write to the bot directly',
  'files:write': 'to attach lists and charts',
  'channels:read': 'to offer public channels to choose from',
  'groups:read': 'to offer private channels that the bot is in',
  'channels:history': 'to check after a broken connection whether a message arrived, in public channels',
  'groups:history': 'the same in private channels',
  'usergroups:read': 'to let a user group decide about approvals',
  'app_mentions:read': 'to answer when it is mentioned',
};

/** The app manifest, to be pasted at api.slack.com/apps. */
export function slackManifest(commands: readonly ManifestCommand[], options: ManifestOptions): object {
  const url = options.mode === 'http' ? `${options.url.replace(/\/+$/, '')}/slack` : undefined;
  const names = commands.map((command) => command.name).join(' | ');
  return {
    _metadata: { major_version: 1 },
    display_information: {
      name: 'Activate',
      description: 'Puts your data warehouse to work from Slack.',
      background_color: '#1f2937',
    },
    features: {
      app_home: { home_tab_enabled: true, messages_tab_enabled: true, messages_tab_read_only_enabled: false },
      bot_user: { display_name: 'Activate', always_online: true },
      slash_commands: [
        {
          command: '/activate',
          description: cut('Tell the right person when a row appears. Try: /activate help', 2000),
          usage_hint: cut(`[${names}]`, 1000),
          should_escape: false,
          ...(url === undefined ? {} : { url }),
        },
      ],
    },
    oauth_config: { scopes: { bot: Object.keys(SCOPES) } },
    settings: {
      event_subscriptions: {
        bot_events: ['app_home_opened', 'app_mention', 'message.im'],
        ...(url === undefined ? {} : { request_url: url }),
      },
      interactivity: {
        is_enabled: true,
        ...(url === undefined ? {} : { request_url: url, message_menu_options_url: url }),
      },
      org_deploy_enabled: false,
      socket_mode_enabled: options.mode === 'socket',
      token_rotation_enabled: false,
    },
  };
}
