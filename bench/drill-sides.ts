import { keepChannels } from '../bot/teams/store.ts';
import type { App } from '../engine/boot.ts';
import { limited, type RouteFault } from '../test/fakes/http.ts';
import {
  type Fault as MattermostFault,
  startFakeMattermost,
  TOKEN,
  textOf,
} from '../test/fakes/mattermost.ts';
import { BOT, TEAM } from '../test/fakes/mattermost-state.ts';
import type { Fault as SlackFault } from '../test/fakes/slack/state.ts';
import { markOf } from '../test/fakes/slack/wire.ts';
import { APP, GENERAL, SECRET, startFakeTeams, TENANT } from '../test/fakes/teams.ts';
import { channelNames, type Drilled } from './drill-senders.ts';
import { startSlackProcess } from './support.ts';

/** A message as the far side has it. `text` holds all of its words, `mark` what it carries unseen. */
export interface Told {
  readonly channel: string;
  readonly text: string;
  readonly mark: string;
}

/** The far side of a drill: a platform that is slow and fails. */
export interface Side {
  readonly platform: Drilled;
  readonly env: Readonly<Record<string, string>>;
  readonly channels: readonly { readonly id: string; readonly name: string }[];
  /** Called once the database is there. */
  begin(app: App): Promise<void>;
  /** Spoils the calls that come next: `faults` of them, of which `lost` are carried out and never answered. */
  spoil(): Promise<{ readonly faults: number; readonly lost: number }>;
  messages(app: App): Promise<readonly Told[]>;
  close(): Promise<void>;
}

export const sides = {
  slack: slackSide,
  teams: () => teamsSide(false),
  'teams-read-back': () => teamsSide(true),
  mattermost: mattermostSide,
  local: localSide,
} as const satisfies Readonly<Record<string, () => Promise<Side>>>;
export type SideName = keyof typeof sides;

/** How a call goes wrong, in words that each fake has its own for. */
type Trouble = 'slow' | 'limited' | 'broken' | 'reset' | 'lost' | 'silent';

const troubles: readonly Trouble[] = ['slow', 'slow', 'slow', 'limited', 'broken', 'reset', 'lost', 'silent'];
const postsSpoiled = 8;
const waitS = 0.2;

function anyTroubles(): readonly Trouble[] {
  return Array.from(
    { length: postsSpoiled },
    () => troubles[Math.floor(Math.random() * troubles.length)] as Trouble,
  );
}

/** Posts get all of them, edits two, and looking back one. */
function spread(all: readonly Trouble[]): {
  readonly posts: readonly Trouble[];
  readonly edits: readonly Trouble[];
  readonly looks: readonly Trouble[];
  readonly faults: number;
  readonly lost: number;
} {
  const lost = all.filter((one) => one === 'lost' || one === 'silent').length;
  return { posts: all, edits: all.slice(0, 2), looks: all.slice(2, 3), faults: all.length + 3, lost };
}

function slowMs(): number {
  return 50 + Math.random() * 350;
}

async function slackSide(): Promise<Side> {
  const slack = await startSlackProcess();
  const channels = channelNames.map((name, at) => ({ id: `C0DRILL${at}`, name, member: true }));
  await slack.addChannels(channels);
  const kinds: Readonly<Record<Exclude<Trouble, 'slow'>, SlackFault>> = {
    limited: { kind: 'limited', seconds: waitS },
    broken: { kind: 'status', status: 500 },
    reset: { kind: 'reset' },
    lost: { kind: 'reset-after-accept' },
    silent: { kind: 'timeout-after-accept' },
  };
  const faults = (all: readonly Trouble[]): readonly SlackFault[] =>
    all.map((one) => (one === 'slow' ? { kind: 'slow', ms: slowMs() } : kinds[one]));
  return {
    platform: 'slack',
    env: {
      SLACK_BOT_TOKEN: slack.tokens.bot,
      SLACK_APP_TOKEN: slack.tokens.app,
      SLACK_API_URL: slack.apiUrl,
    },
    channels,
    begin: async () => undefined,
    spoil: async () => {
      const spoiled = spread(anyTroubles());
      await slack.fail('chat.postMessage', faults(spoiled.posts));
      await slack.fail('chat.update', faults(spoiled.edits));
      await slack.fail('conversations.history', faults(spoiled.looks));
      return spoiled;
    },
    messages: async () =>
      (await slack.messages()).map((message) => ({
        channel: message.channel,
        text: JSON.stringify(message.blocks),
        mark: String(markOf(message)),
      })),
    close: () => slack.close(),
  };
}

async function teamsSide(readsBack: boolean): Promise<Side> {
  const channels = channelNames.map((name, at) => ({
    id: `19:drill${at}000000000000000000000000000@thread.tacv2`,
    name,
    team: GENERAL,
  }));
  const fake = await startFakeTeams({ channels });
  const kinds: Readonly<Record<Exclude<Trouble, 'slow'>, RouteFault>> = {
    limited: limited(waitS),
    broken: { status: 502, json: { error: { code: 'BadGateway', message: 'Try again.' } } },
    reset: 'reset',
    lost: 'done-then-reset',
    silent: 'done-then-hang',
  };
  const replies = (all: readonly Trouble[]): readonly RouteFault[] =>
    all.map((one) => (one === 'slow' ? { slowMs: slowMs() } : kinds[one]));
  return {
    platform: 'teams',
    env: {
      PUBLIC_URL: 'https://bot.example',
      TEAMS_APP_ID: APP,
      TEAMS_TENANT_ID: TENANT,
      TEAMS_APP_PASSWORD: SECRET,
      TEAMS_LOGIN_URL: fake.loginUrl,
      TEAMS_OPENID_URL: fake.openIdUrl,
      TEAMS_SERVICE_URL: fake.serviceUrl,
      ...(readsBack ? { TEAMS_GRAPH_URL: fake.graphUrl } : {}),
    },
    channels,
    begin: async ({ db }) => {
      const [team] = fake.state.teams;
      const { serviceUrl } = fake;
      const at = { id: GENERAL, name: team?.name ?? null, groupId: team?.groupId ?? null, serviceUrl };
      await keepChannels(db, at, channels, new Date());
    },
    spoil: async () => {
      const spoiled = spread(anyTroubles());
      fake.http.fail('POST /teams/v3/conversations', ...replies(spoiled.posts));
      fake.http.fail('PUT /teams/v3/conversations/:id/activities/:message', ...replies(spoiled.edits));
      fake.http.fail('GET /graph/v1.0/teams/:group/channels/:channel/messages', ...replies(spoiled.looks));
      return spoiled;
    },
    messages: async () =>
      fake.state.messages.map(({ conversation, activity }) => {
        const text = JSON.stringify(activity);
        return { channel: conversation, text, mark: /"mark-([^"]+)"/.exec(text)?.[1] ?? '' };
      }),
    close: () => fake.close(),
  };
}

async function mattermostSide(): Promise<Side> {
  const channels = channelNames.map((name, at) => ({ id: `drill${at}x`.padEnd(26, '0'), name }));
  const fake = await startFakeMattermost({
    channels: channels.map((one) => ({ ...one, type: 'P', team: TEAM, members: new Set([BOT]) })),
  });
  const kinds: Readonly<Record<Exclude<Trouble, 'slow'>, MattermostFault>> = {
    limited: { kind: 'limited', headers: { 'retry-after': String(waitS) } },
    broken: { kind: 'status', status: 500 },
    reset: { kind: 'reset' },
    lost: { kind: 'reset-after' },
    silent: { kind: 'timeout-after' },
  };
  const faults = (all: readonly Trouble[]): readonly MattermostFault[] =>
    all.map((one) => (one === 'slow' ? { kind: 'slow', ms: slowMs() } : kinds[one]));
  return {
    platform: 'mattermost',
    env: { MATTERMOST_URL: fake.url, MATTERMOST_TOKEN: TOKEN, PUBLIC_URL: 'https://bot.example' },
    channels,
    begin: async () => undefined,
    spoil: async () => {
      const spoiled = spread(anyTroubles());
      fake.fail('POST /posts', ...faults(spoiled.posts));
      fake.fail('PUT /posts/*/patch', ...faults(spoiled.edits));
      fake.fail('GET /channels/*/posts', ...faults(spoiled.looks));
      return spoiled;
    },
    messages: async () =>
      fake.state.posts.map((post) => ({
        channel: post.channel_id,
        text: textOf(post),
        mark: String(post.props['activate_mark']),
      })),
    close: () => fake.close(),
  };
}

/** The local chat has no far side: only the workers die. */
async function localSide(): Promise<Side> {
  return {
    platform: 'local',
    env: { LOCAL_CHAT: 'on' },
    channels: channelNames.map((name) => ({ id: name, name })),
    begin: async () => undefined,
    spoil: async () => ({ faults: 0, lost: 0 }),
    messages: async ({ db }) =>
      db.query<Told>(
        `select conversation_id as channel, card::text as text, coalesce(mark, '') as mark
           from local_messages where card is not null order by id`,
      ),
    close: async () => undefined,
  };
}
