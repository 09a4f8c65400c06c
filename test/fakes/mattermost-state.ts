import { randomBytes } from 'node:crypto';

export type Json = Record<string, unknown>;

export interface FakeUser {
  readonly id: string;
  readonly username: string;
  readonly email: string;
  readonly first_name?: string;
  readonly last_name?: string;
  readonly nickname?: string;
  readonly delete_at?: number;
  readonly is_bot?: boolean;
  readonly auth_service?: string;
  readonly timezone?: Json;
  readonly roles?: string;
  readonly remote_id?: string;
}

export interface FakeChannel {
  readonly id: string;
  readonly name: string;
  /** O public, P private, D direct. */
  readonly type: 'O' | 'P' | 'D';
  readonly team: string;
  readonly members: Set<string>;
  delete_at: number;
}

export interface FakePost {
  readonly id: string;
  readonly create_at: number;
  update_at: number;
  edit_at: number;
  delete_at: number;
  readonly user_id: string;
  readonly channel_id: string;
  readonly root_id: string;
  message: string;
  readonly type: string;
  props: Json;
  readonly pending_post_id: string;
  readonly file_ids: readonly string[];
  /** Set when only this person sees it: then the server keeps nothing of it. */
  readonly ephemeral?: string;
}

export interface FakeCommand {
  readonly id: string;
  readonly token: string;
  readonly team_id: string;
  readonly creator_id: string;
  readonly trigger: string;
  readonly delete_at: number;
  url: string;
  readonly username: string;
}

/** A dialog on somebody's screen, with what was typed into it and the dialogs before it. */
export interface OpenDialog {
  readonly url: string;
  /** What the client of newer servers sends with a search: that of the first dialog, whichever one is shown. */
  readonly firstState: string;
  dialog: Json;
  values: Json;
  readonly channel: string;
}

export type Fault =
  | { readonly kind: 'status'; readonly status: number; readonly id?: string }
  | { readonly kind: 'limited'; readonly headers: Readonly<Record<string, string>> }
  | { readonly kind: 'reset' }
  /** Done, and then the connection is lost, or stays open without an answer. */
  | { readonly kind: 'reset-after' }
  | { readonly kind: 'timeout-after' }
  | { readonly kind: 'slow'; readonly ms: number }
  | { readonly kind: 'page' };

export interface State {
  readonly users: Map<string, FakeUser>;
  readonly teams: { readonly id: string; readonly name: string; readonly display_name: string }[];
  readonly channels: Map<string, FakeChannel>;
  readonly posts: FakePost[];
  readonly commands: FakeCommand[];
  readonly files: Map<string, { readonly name: string; readonly bytes: Buffer; readonly channel: string }>;
  readonly triggers: Map<string, { readonly user: string; readonly channel: string; readonly at: number }>;
  readonly responses: Map<
    string,
    { readonly channel: string; readonly user: string; readonly root: string; uses: number }
  >;
  /** By person. */
  readonly dialogs: Map<string, OpenDialog>;
  readonly groups: {
    readonly id: string;
    readonly name: string;
    readonly display_name: string;
    readonly members: readonly string[];
  }[];
  readonly violations: string[];
  readonly calls: Map<string, number>;
}

export const TEAM = 'team1'.padEnd(26, '0');
export const BOT = 'bot1'.padEnd(26, '0');
export const MAYA = 'maya1'.padEnd(26, '0');
export const SAM = 'sam1'.padEnd(26, '0');
export const SALES = 'sales1'.padEnd(26, '0');
export const GENERAL = 'general1'.padEnd(26, '0');
export const HIDDEN = 'hidden1'.padEnd(26, '0');
export const OPEN = 'open1'.padEnd(26, '0');

export function newId(): string {
  return BigInt(`0x1${randomBytes(16).toString('hex')}`)
    .toString(36)
    .slice(0, 26)
    .padEnd(26, '0');
}

export function emptyState(
  users: readonly FakeUser[],
  channels: readonly Omit<FakeChannel, 'delete_at'>[],
): State {
  const people: readonly FakeUser[] = [
    { id: BOT, username: 'activate', email: '', is_bot: true },
    {
      id: MAYA,
      username: 'maya.ortiz',
      email: 'maya@example.com',
      first_name: 'Maya',
      last_name: 'Ortiz',
      timezone: { useAutomaticTimezone: 'true', automaticTimezone: 'Europe/Paris', manualTimezone: '' },
    },
    { id: SAM, username: 'sam', email: 'sam@example.com', nickname: 'Sam' },
    ...users,
  ];
  const channel = (id: string, name: string, type: 'O' | 'P', ...members: string[]): FakeChannel => ({
    id,
    name,
    type,
    team: TEAM,
    members: new Set(members),
    delete_at: 0,
  });
  const rooms = [
    channel(SALES, 'sales', 'P', BOT, MAYA, SAM),
    channel(GENERAL, 'town-square', 'O', BOT, MAYA, SAM),
    channel(HIDDEN, 'hidden', 'P', MAYA),
    channel(OPEN, 'random', 'O', MAYA, SAM),
    ...channels.map((one) => ({ ...one, delete_at: 0 })),
  ];
  return {
    users: new Map(people.map((user) => [user.id, user])),
    teams: [{ id: TEAM, name: 'north', display_name: 'North' }],
    channels: new Map(rooms.map((room) => [room.id, room])),
    posts: [],
    commands: [],
    files: new Map(),
    triggers: new Map(),
    responses: new Map(),
    dialogs: new Map(),
    groups: [],
    violations: [],
    calls: new Map(),
  };
}

/** As long as the server counts it. */
export function runes(text: string): number {
  return [...text].length;
}
