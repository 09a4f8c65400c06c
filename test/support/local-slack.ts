import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(
  new URL('../../node_modules/local-slack-linux-x64/bin/local-slack', import.meta.url),
);

/** Whether local-slack can run here: it is an optional dependency for Linux on x64. */
export const hasLocalSlack = existsSync(PROGRAM);

/** A Slack server that nobody here wrote, with a web page to look at. */
export interface LocalSlack {
  readonly url: string;
  readonly apiUrl: string;
  readonly tokens: { readonly bot: string; readonly app: string; readonly secret: string };
  command(text: string, by?: { readonly user?: string; readonly channel?: string }): Promise<void>;
  /** Presses the button of this label. */
  press(message: LocalMessage, label: string, user?: string): Promise<void>;
  /**
   * Fills in the modal on top and submits it. What is left out is sent as it was suggested, as a client does.
   * Answers with the errors that stand at its fields afterwards; a modal that moved on has none.
   */
  submit(
    answers?: Readonly<Record<string, string | readonly string[]>>,
    user?: string,
  ): Promise<Readonly<Record<string, string>>>;
  say(text: string, by?: { readonly user?: string; readonly channel?: string }): Promise<void>;
  messages(channel: string): Promise<readonly LocalMessage[]>;
  /** The modals that are open, the topmost last. */
  modals(): Promise<readonly LocalModal[]>;
  /** Asks again and again until `check` comes to something. */
  until<T>(check: () => Promise<T | undefined>): Promise<T>;
  stop(): Promise<void>;
}

export interface LocalModal {
  readonly blocks: readonly LocalBlock[];
  readonly title?: { readonly text: string };
}

export interface LocalInput {
  readonly type: string;
  readonly action_id: string;
  readonly initial_value?: string;
  readonly initial_option?: { readonly value: string };
  readonly initial_options?: readonly { readonly value: string }[];
}

export interface LocalBlock {
  readonly type: string;
  readonly element?: LocalInput;
  readonly block_id?: string;
  readonly text?: { readonly text: string };
  readonly elements?: readonly {
    readonly type: string;
    readonly text?: { readonly text: string } | string;
    readonly action_id?: string;
    readonly value?: string;
  }[];
}

export interface LocalMessage {
  readonly channel: string;
  readonly ts: string;
  readonly user: string;
  readonly text: string;
  readonly thread_ts?: string;
  readonly edited?: object;
  readonly blocks?: readonly LocalBlock[];
}

export interface LocalSlackOptions {
  readonly users: readonly { readonly id: string; readonly name: string; readonly email: string }[];
  readonly channels: readonly { readonly id: string; readonly name: string }[];
  /** For HTTP mode: where Slack posts. Socket Mode without it. */
  readonly requestUrl?: string;
}

const TOKENS = { bot: 'xoxb-local-token', app: 'xapp-local-token', secret: 'local-signing-secret' } as const;

/** Starts local-slack on a free port. It listens on all interfaces and holds invented data only. */
export async function startLocalSlack(options: LocalSlackOptions): Promise<LocalSlack> {
  const dir = await mkdtemp(join(tmpdir(), 'local-slack-'));
  const config = join(dir, 'config.json');
  await writeFile(config, JSON.stringify(configOf(options)));
  const port = await freePort();
  const args = ['--config', config, '--port', String(port), '--base-host', '127.0.0.1'];
  const child = spawn(PROGRAM, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const killed = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', killed);
  await started(child);
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    apiUrl: `${url}/api/`,
    tokens: TOKENS,
    ...driver(url, options),
    stop: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
      process.removeListener('exit', killed);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function configOf(options: LocalSlackOptions): object {
  const people = options.users.map(({ id }) => id);
  return {
    workspace: { name: 'Northwind', domain: 'northwind', teamId: 'T0LOCAL' },
    apps: [
      {
        appId: 'A0LOCAL',
        botUserId: 'U0BOT',
        botName: 'activate',
        botToken: TOKENS.bot,
        appToken: TOKENS.app,
        signingSecret: TOKENS.secret,
        ...(options.requestUrl === undefined
          ? { mode: 'socket' }
          : { mode: 'events', requestUrl: options.requestUrl }),
      },
    ],
    users: options.users.map((user) => ({
      ...user,
      real_name: user.name,
      name: user.name.toLowerCase().replace(/ /g, '.'),
    })),
    channels: options.channels.map((channel) => ({ ...channel, members: ['U0BOT', ...people] })),
  };
}

type Driver = Omit<LocalSlack, 'url' | 'apiUrl' | 'tokens' | 'stop'>;

function driver(url: string, options: LocalSlackOptions): Driver {
  const someone = options.users[0]?.id ?? '';
  const somewhere = options.channels[0]?.id ?? '';
  const control = async (what: string, body: object): Promise<void> => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${url}/_control/${what}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    if (!response.ok) {
      throw new Error(`local-slack refused ${what}: ${await response.text()}`);
    }
  };
  const read = async (what: string): Promise<unknown> => (await fetch(`${url}/_control/${what}`)).json();
  return {
    command: (text, by = {}) =>
      control('command', {
        command: '/activate',
        text,
        user: by.user ?? someone,
        channel: by.channel ?? somewhere,
      }),
    say: (text, by = {}) =>
      control('message', { text, user: by.user ?? someone, channel: by.channel ?? somewhere }),
    press: (message, label, user = someone) => {
      const elements = (message.blocks ?? []).flatMap((block) =>
        block.type === 'actions' ? (block.elements ?? []) : [],
      );
      const action = elements.find(({ text }) => typeof text === 'object' && text.text === label);
      if (action === undefined) {
        throw new Error(`nothing to press is called ${label}`);
      }
      const block = (message.blocks ?? []).find((one) => one.elements?.includes(action));
      return control('interact', {
        channel: message.channel,
        messageTs: message.ts,
        user,
        action: { ...action, block_id: block?.block_id ?? 'b0' },
      });
    },
    submit: async (answers = {}, user = someone) => {
      const modal = (await readPage(url)).modalStack.at(-1);
      if (modal === undefined) {
        throw new Error('no modal is open');
      }
      return submitOverPage(url, user, valuesOf(modal, answers));
    },
    messages: async (channel) => {
      const answer = (await read(`messages/${channel}`)) as { messages?: LocalMessage[] } | LocalMessage[];
      return Array.isArray(answer) ? answer : (answer.messages ?? []);
    },
    modals: async () => (await readPage(url)).modalStack,
    until: async (check) => {
      const deadline = Date.now() + 15_000;
      for (;;) {
        const found = await check();
        if (found !== undefined) {
          return found;
        }
        if (Date.now() > deadline) {
          throw new Error('local-slack did not come to it within 15 s');
        }
        // Another process, whose changes can only be asked for.
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
    },
  };
}

/** Opens the WebSocket of the page; Node 20 has no client of its own, so the frames are written and read here. */
function openPage(url: string): Promise<Duplex> {
  const upgrade = request(`${url}/ui`, {
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'bG9jYWwtc2xhY2stdGVzdA==',
    },
  });
  return new Promise((resolve, reject) => {
    upgrade.on('error', reject);
    upgrade.on('response', () => reject(new Error('local-slack did not open its WebSocket')));
    upgrade.on('upgrade', (_response, stream, head) => {
      stream.unshift(head);
      resolve(stream);
    });
    upgrade.end();
  });
}

/** What the page is told. It begins with everything there is, modals included; no other way leads to them. */
type Told =
  | { readonly t: 'init'; readonly state: { readonly modalStack: readonly LocalModal[] } }
  | { readonly t: 'view' }
  | { readonly t: 'view_errors'; readonly errors: Readonly<Record<string, string>> };

async function* told(stream: Duplex): AsyncGenerator<Told> {
  let bytes = Buffer.alloc(0);
  for await (const part of stream as AsyncIterable<Buffer>) {
    bytes = Buffer.concat([bytes, part]);
    for (let frame = firstFrame(bytes); frame !== undefined; frame = firstFrame(bytes)) {
      bytes = bytes.subarray(frame.end);
      yield JSON.parse(frame.text) as Told;
    }
  }
  throw new Error('local-slack closed its page');
}

async function readPage(url: string): Promise<{ readonly modalStack: readonly LocalModal[] }> {
  for await (const message of told(await openPage(url))) {
    if (message.t === 'init') {
      return message.state;
    }
  }
  throw new Error('local-slack said nothing');
}

/** The first frame, once all of it is there. */
function firstFrame(bytes: Buffer): { readonly text: string; readonly end: number } | undefined {
  if (bytes.length < 2) {
    return undefined;
  }
  const short = bytes.readUInt8(1) & 127;
  const header = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < header) {
    return undefined;
  }
  const length =
    short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  const end = header + length;
  return bytes.length < end ? undefined : { text: bytes.subarray(header, end).toString(), end };
}

/** The values of a modal as Slack sends them: what was answered, and elsewhere what the modal began with. */
function valuesOf(
  modal: LocalModal,
  answers: Readonly<Record<string, string | readonly string[]>>,
): Readonly<Record<string, object>> {
  const elements = modal.blocks.flatMap(({ element, block_id: block }) =>
    element === undefined || block === undefined ? [] : [{ element, block }],
  );
  const unknown = Object.keys(answers).filter(
    (name) => !elements.some(({ element }) => element.action_id === name),
  );
  if (unknown.length > 0) {
    throw new Error(`the modal does not ask for ${unknown.join(', ')}`);
  }
  return Object.fromEntries(
    elements.map(({ element, block }) => [
      block,
      { [element.action_id]: sentValue(element, answers[element.action_id]) },
    ]),
  );
}

function sentValue(element: LocalInput, answer: string | readonly string[] | undefined): object {
  const { type } = element;
  const option = (value: string): object => ({ text: { type: 'plain_text', text: value }, value });
  if (type === 'checkboxes' || type.startsWith('multi_')) {
    const values =
      answer === undefined ? element.initial_options?.map(({ value }) => value) : [answer].flat();
    return { type, selected_options: (values ?? []).map(option) };
  }
  const given = answer === undefined ? undefined : String(answer);
  if (type.endsWith('select')) {
    const chosen = given ?? element.initial_option?.value;
    return { type, selected_option: chosen === undefined ? null : option(chosen) };
  }
  return { type, value: given ?? element.initial_value ?? null };
}

/** Submits the modal on top, as the page does. Answers with the errors at its fields once the app has answered. */
async function submitOverPage(
  url: string,
  user: string,
  values: object,
): Promise<Readonly<Record<string, string>>> {
  const stream = await openPage(url);
  const payload = Buffer.from(JSON.stringify({ t: 'view_submit', user, values }));
  const head = Buffer.alloc(8);
  head.writeUInt8(0x81, 0);
  head.writeUInt8(0x80 | 126, 1);
  head.writeUInt16BE(payload.length, 2);
  // A mask of zeros: the payload goes as it is.
  stream.write(Buffer.concat([head, payload]));
  for await (const message of told(stream)) {
    if (message.t === 'view_errors') {
      return message.errors;
    }
    if (message.t === 'view') {
      return {};
    }
  }
  return {};
}

function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`local-slack ended with ${code}`)));
    child.stdout?.on('data', (text: Buffer) => {
      if (text.toString().includes('Control API')) {
        resolve();
      }
    });
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
