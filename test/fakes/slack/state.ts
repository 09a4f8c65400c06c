import type { Json } from './blocks.ts';

/** A message as the fake keeps it. */
export interface Posted {
  readonly channel: string;
  readonly ts: string;
  readonly user: string;
  text: string;
  blocks: readonly Json[];
  readonly metadata?: Json;
  readonly thread_ts?: string;
  /** Only this person sees it. */
  readonly ephemeral?: string;
  edits: number;
}

export interface FakeUser {
  readonly id: string;
  readonly name: string;
  readonly email?: string;
  readonly tz?: string;
  readonly deleted?: boolean;
  /** As Slack has it: `team_id`, `is_stranger`, `is_restricted`, `is_email_confirmed`, … */
  readonly more?: Json;
}

export interface FakeGroup {
  readonly id: string;
  readonly handle: string;
  readonly name: string;
  readonly users: string[];
  readonly disabled?: boolean;
}

export interface FakeChannel {
  readonly id: string;
  readonly name: string;
  readonly private?: boolean;
  readonly archived?: boolean;
  /** Whether the bot is in it; public channels take its messages all the same. */
  readonly member?: boolean;
}

export interface OpenView {
  readonly id: string;
  readonly user: string;
  hash: string;
  view: Json;
}

/** What goes wrong with one call: `timeout-after-accept` does the work and never answers. */
export type Fault =
  | { readonly kind: 'timeout-after-accept' | 'reset' | 'reset-after-accept' }
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'limited'; readonly seconds: number }
  | { readonly kind: 'error'; readonly error: string; readonly more?: Json }
  | { readonly kind: 'slow'; readonly ms: number };

export const TEAM = 'T0FAKE';
export const BOT = 'U0BOT';
export const APP = 'A0FAKE';

/** Everything in the pretended workspace. */
export interface State {
  readonly users: FakeUser[];
  readonly channels: FakeChannel[];
  /** What `auth.test` says beside the usual: `enterprise_id`. */
  home: Json;
  readonly groups: FakeGroup[];
  readonly messages: Posted[];
  readonly directs: Map<string, string>;
  readonly views: Map<string, OpenView>;
  /** Modals open on each person's screen, the topmost last. */
  readonly stacks: Map<string, string[]>;
  readonly homes: Map<string, Json>;
  readonly triggers: Map<string, { readonly user: string; readonly until: number; used: boolean }>;
  readonly responses: Map<
    string,
    { readonly channel: string; readonly user: string; uses: number; readonly ts?: string }
  >;
  readonly files: Map<string, { readonly name: string; bytes: Buffer; channel?: string; thread?: string }>;
  readonly calls: Map<string, number>;
  readonly violations: string[];
  readonly lastPostAt: Map<string, number>;
  serial: number;
}

/** A workspace with two channels and two people. */
export function emptyState(users: readonly FakeUser[] = [], channels: readonly FakeChannel[] = []): State {
  return {
    users: [
      { id: 'U0MAYA', name: 'Maya Ortiz', email: 'maya@example.com', tz: 'Europe/Paris' },
      { id: 'U0SAM', name: 'Sam Reed', email: 'sam@example.com', tz: 'America/New_York' },
      ...users,
    ],
    channels: [
      { id: 'C0SALES', name: 'sales', member: true },
      { id: 'C0GENERAL', name: 'general' },
      ...channels,
    ],
    home: {},
    groups: [],
    messages: [],
    directs: new Map(),
    views: new Map(),
    stacks: new Map(),
    homes: new Map(),
    triggers: new Map(),
    responses: new Map(),
    files: new Map(),
    calls: new Map(),
    violations: [],
    lastPostAt: new Map(),
    serial: 0,
  };
}

/** The next timestamp, unique and rising, close to the real time as Slack's are. */
export function nextTs(state: State): string {
  state.serial += 1;
  return `${Math.floor(Date.now() / 1000)}.${String(state.serial % 1_000_000).padStart(6, '0')}`;
}

/** A permission to open one dialog, for three seconds. */
export function newTrigger(state: State, user: string): string {
  state.serial += 1;
  const id = `${state.serial}.trigger`;
  state.triggers.set(id, { user, until: Date.now() + 3000, used: false });
  return id;
}
