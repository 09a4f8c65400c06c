import { createServer } from 'node:net';
import type { ConversationRef, PersonRef, Raw } from '../../engine/contracts/refs.ts';
import type { Installation } from '../bot/installation.ts';

/** Who plays in the story: on each platform with another id, everywhere with the same address. */
export const cast = {
  ada: { name: 'Ada Park', email: 'ada@northwind.example' },
  mia: { name: 'Mia Lopez', email: 'mia@northwind.example' },
  tom: { name: 'Tom Becker', email: 'tom@northwind.example' },
} as const;
export type Who = keyof typeof cast;
export const everybody = ['ada', 'mia', 'tom'] as const satisfies readonly Who[];

/** Where it plays. */
export const rooms = { data: 'data-alerts', sales: 'sales-pql' } as const;
export type Room = keyof typeof rooms;

/** A message as one of its readers sees it. */
export interface Seen {
  readonly id: string;
  /** Words alone: without formatting, mentions as `@Ada Park`. */
  readonly text: string;
  /** Who is really told, and not only named. */
  readonly mentions: readonly Who[];
  readonly buttons: readonly string[];
  readonly edited: boolean;
  /** Nobody else sees it. */
  readonly alone: boolean;
}

/** A dialog on somebody's screen. */
export interface Shown {
  readonly title: string;
  readonly text: string;
}

/** What somebody fills in: of several choices a list. What is left out stays as it was suggested. */
export type Answers = Readonly<Record<string, string | readonly string[]>>;

export interface Got {
  readonly name: string;
  readonly bytes: Buffer;
}

/** One platform as people use it, driven over its own protocol. Everybody who acts is one of the cast. */
export interface Chat {
  readonly platform: 'slack' | 'teams' | 'mattermost' | 'local';
  /** How people address the bot there. */
  readonly by: 'command' | 'mention';
  /** What the bot has to be told to find it. */
  readonly env: Readonly<Record<string, string>>;
  /** Called once the bot runs. */
  begin(bot: Installation): Promise<void>;
  person(who: Who): PersonRef;
  room(room: Room): ConversationRef;
  /** Types a line for the bot, as people do there. */
  type(line: string, by: Who, room: Room): Promise<void>;
  /** Presses the button of this label, and says yes where it asks. */
  press(message: Seen, label: string, by: Who): Promise<void>;
  /**
   * The same with another plan in what the button carries, as somebody would who writes requests by hand. False when
   * the platform's own door was shut to that already.
   */
  forge(message: Seen, label: string, by: Who): Promise<boolean>;
  /** The dialog in front of somebody; where the platform wants a press before it shows one, that is pressed. */
  dialog(by: Who): Promise<Shown | undefined>;
  /** The dialog in front of somebody, and nothing is pressed for it. */
  open(by: Who): Promise<Shown | undefined>;
  /** The buttons of a message on somebody's screen, where the platform shows each their own. */
  buttonsFor?(message: Seen, by: Who): Promise<readonly string[]>;
  /** Somebody writes to the bot directly while it has no connection, where one is held; it comes back then. */
  away?(line: string, by: Who): Promise<void>;
  /** Submits the dialog. Answers with the errors by field; '' is the whole of it. */
  submit(answers: Answers, by: Who): Promise<Raw>;
  /** Types into a field that looks things up, and gives the value of the first choice. */
  choose(field: string, typed: string, by: Who): Promise<string>;
  /** What stands in a room, or in somebody's own chat with the bot; oldest first. */
  messages(where: Room | 'direct', as: Who): Promise<readonly Seen[]>;
  /** Files and pictures that somebody can open. */
  files(as: Who): Promise<readonly Got[]>;
  /** What the far side would have refused, or shown wrongly. */
  readonly violations: readonly string[];
  close(): Promise<void>;
}

/** Asks again and again until `check` comes to something. */
export async function until<T>(what: string, check: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const found = await check();
    if (found !== undefined && found !== false) {
      return found;
    }
    if (Date.now() > deadline) {
      throw new Error(`This did not happen: ${what}`);
    }
    // What happens in a chat can be seen only by looking, as its people do.
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Words without the marks that format them, and without the unseen characters that keep them apart. */
export function plain(text: string): string {
  return text
    .replace(/[\u200B\u2060\uFEFF]/g, '')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&#39;/g, "'")
    .replace(/&amp;/g, '&')
    .replace(/\*\*?|`|\\(?=\W)/g, '');
}

export function whoIs(name: string): Who | undefined {
  return everybody.find((who) => cast[who].name === name);
}

/** A port that is free just now, for a bot whose address has to be known before it starts. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Everything under this name in some JSON. */
export function collect(json: unknown, ...names: readonly string[]): readonly string[] {
  if (typeof json !== 'object' || json === null) {
    return [];
  }
  return Object.entries(json).flatMap(([name, value]) =>
    typeof value === 'string' && names.includes(name) ? [value] : collect(value, ...names),
  );
}

/** What is pressed carries, with every fingerprint of a plan replaced. */
export function forged<T>(json: T): T {
  return JSON.parse(JSON.stringify(json).replaceAll(/[0-9a-f]{12}(?=[\\"])/g, 'abcdefabcdef')) as T;
}
