import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  addPost,
  answerCall,
  changePost,
  directOf,
  type Rights,
  refusal,
  type Said,
  type Server,
} from './mattermost-api.ts';
import { dialogFaults } from './mattermost-checks.ts';
import {
  emptyState,
  type FakeChannel,
  type FakePost,
  type FakeUser,
  type Fault,
  type Json,
  MAYA,
  newId,
  type OpenDialog,
  SALES,
  type State,
  TEAM,
} from './mattermost-state.ts';

export type { FakePost, Fault, Json } from './mattermost-state.ts';
export { BOT, GENERAL, HIDDEN, MAYA, OPEN, SALES, SAM, TEAM } from './mattermost-state.ts';

export const TOKEN = 'token-of-the-bot-account';

/** The two servers that the tests run on. */
export const VERSIONS = ['6.6.1', '11.2.0'] as const;
export type Version = (typeof VERSIONS)[number];

export interface FakeOptions {
  readonly version?: Version;
  readonly users?: readonly FakeUser[];
  readonly channels?: readonly Omit<FakeChannel, 'delete_at'>[];
  readonly rights?: Partial<Rights>;
  /** Of GET /config/client. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly port?: number;
}

interface By {
  readonly user?: string;
  readonly channel?: string;
}

/** Starts a pretended Mattermost server on 127.0.0.1. */
export async function startFakeMattermost(options: FakeOptions = {}): Promise<FakeMattermost> {
  const fake = new FakeMattermost(options);
  await fake.listen(options.port ?? 0);
  return fake;
}

/** Strict about what a real server is strict about, and lax where it is. Everything a test does to it is here. */
export class FakeMattermost implements Server {
  readonly state: State;
  readonly version: string;
  readonly rights: Rights;
  readonly settings: Readonly<Record<string, string>>;
  triggerMs: number;
  url = '';
  /** Every call of the bot that changes something, as it came. */
  readonly requests: { readonly call: string; readonly body: Json }[] = [];
  private readonly http: HttpServer;
  private readonly sockets_ = new Set<WebSocket>();
  private readonly faults = new Map<string, (Fault | undefined)[]>();
  private waiting: (() => void)[] = [];
  private refusing = false;

  constructor(options: FakeOptions) {
    this.version = options.version ?? '11.2.0';
    this.state = emptyState(options.users ?? [], options.channels ?? []);
    this.rights = { admin: false, commands: true, ...options.rights };
    this.settings = { RequireEmailVerification: 'true', ...options.settings };
    this.triggerMs = this.version.startsWith('6.') ? 3000 : 30_000;
    this.http = createServer((request, response) => {
      this.serve(request, response).catch(() => response.destroy());
    });
    const sockets = new WebSocketServer({ noServer: true });
    this.http.on('upgrade', (request, socket, head) => {
      if (this.refusing || request.url?.startsWith('/api/v4/websocket') !== true) {
        socket.destroy();
        return;
      }
      sockets.handleUpgrade(request, socket, head, (client) => this.greet(client));
    });
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.http.listen(port, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  get violations(): readonly string[] {
    return this.state.violations;
  }

  /** Faults for the next calls, as `POST /posts`, in order; `undefined` lets one through. */
  fail(call: string, ...faults: readonly (Fault | undefined)[]): void {
    this.faults.set(call, [...(this.faults.get(call) ?? []), ...faults]);
  }

  calls(call: string): number {
    return this.state.calls.get(call) ?? 0;
  }

  /** What stands in a channel; of messages to one person alone, all. */
  posts(channel: string): readonly FakePost[] {
    return this.state.posts.filter((post) => post.channel_id === channel);
  }

  /** What stands in the direct messages of a person and the bot. */
  direct(user: string): readonly FakePost[] {
    return this.posts(directOf(this.state, user).id);
  }

  dialog(user: string = MAYA): OpenDialog | undefined {
    return this.state.dialogs.get(user);
  }

  /** Types `/activate text`, as the server brings it to the bot, and shows what the bot answers. */
  async command(
    text: string,
    by: By & { readonly token?: string; readonly root?: string } = {},
  ): Promise<number> {
    const { user = MAYA, channel = SALES, root = '' } = by;
    const command = this.state.commands.find((one) => one.trigger === 'activate');
    if (command === undefined) {
      throw new Error('there is no command /activate');
    }
    const responseId = newId();
    this.state.responses.set(responseId, { channel, user, root, uses: 0 });
    const token = by.token ?? command.token;
    const body = new URLSearchParams({
      channel_id: channel,
      channel_name: this.state.channels.get(channel)?.name ?? '',
      command: '/activate',
      response_url: `https://site.example/hooks/commands/${responseId}`,
      team_domain: 'north',
      team_id: TEAM,
      text,
      token,
      trigger_id: this.newTrigger(user, channel),
      user_id: user,
      user_name: this.state.users.get(user)?.username ?? '',
    });
    const { status, said } = await this.call(command.url, body, { authorization: `Token ${token}` });
    if (status === 200) {
      this.respond(said, { channel, user, root });
    }
    this.changed();
    return status;
  }

  /** Presses a button, or chooses from a menu, of a message. Throws when a client could not. */
  async press(post: FakePost, label: string, by: By & { readonly option?: string } = {}): Promise<Json> {
    const { user = MAYA } = by;
    const action = actionsOf(post).find((one) => one['name'] === label);
    if (action === undefined || !/^[A-Za-z0-9]+$/.test(String(action['id']))) {
      throw new Error(`nobody can press "${label}" here`);
    }
    const { url, context } = action['integration'] as { url: string; context: Json };
    const options = (action['options'] ?? []) as { text: string; value: string }[];
    const chosen = options.find((option) => option.text === by.option)?.value;
    const channel = this.state.channels.get(post.channel_id);
    const { status, said } = await this.call(url, {
      user_id: user,
      user_name: this.state.users.get(user)?.username,
      channel_id: post.channel_id,
      channel_name: channel?.name,
      team_id: channel?.team,
      team_domain: 'north',
      post_id: post.id,
      trigger_id: this.newTrigger(user, post.channel_id),
      type: action['type'],
      data_source: '',
      context: { ...context, ...(chosen === undefined ? {} : { selected_option: chosen }) },
    });
    if (status !== 200) {
      this.state.violations.push(`a press was answered with ${status}`);
    }
    this.applyPress(post, said, user);
    this.changed();
    return said;
  }

  /** Fills in the dialog on somebody's screen and submits it; required fields are the client's business. */
  async submit(values: Json, user: string = MAYA): Promise<Json> {
    const open = this.mustOpen(user);
    open.values = { ...presets(open.dialog), ...open.values, ...values };
    return this.send(open, user, 'dialog_submission');
  }

  /** Changes a select that has the dialog drawn anew. */
  async refresh(name: string, value: string, user: string = MAYA): Promise<Json> {
    const open = this.mustOpen(user);
    const element = elementsOf(open.dialog).find((one) => one['name'] === name);
    if (element?.['refresh'] !== true) {
      throw new Error(`${name} refreshes nothing`);
    }
    open.values = { ...open.values, [name]: value };
    return this.send(open, user, 'refresh');
  }

  /** Types into a select that asks for its choices. */
  async lookup(name: string, query: string, user: string = MAYA): Promise<readonly Json[]> {
    const open = this.mustOpen(user);
    const element = elementsOf(open.dialog).find((one) => one['name'] === name);
    // The address is one of HTTPS; behind it is whoever listens here.
    const url = String(element?.['data_source_url']).replace(/^https?:\/\/bot\.example/, this.behind);
    const { status, said } = await this.call(url, {
      type: 'dialog_lookup',
      callback_id: 'form',
      state: open.firstState,
      user_id: user,
      channel_id: open.channel,
      team_id: TEAM,
      submission: { ...presets(open.dialog), ...open.values, query, selected_field: name },
    });
    if (status !== 200) {
      this.state.violations.push(`a search was answered with ${status}`);
    }
    return (said['items'] ?? []) as Json[];
  }

  /** Where calls to the address `https://bot.example` really go. */
  behind = '';

  /** Somebody, or another machine, writes a post. */
  say(
    text: string,
    by: By & { readonly root?: string; readonly props?: Json; readonly direct?: boolean } = {},
  ): FakePost {
    const { user = MAYA, root = '', props = {} } = by;
    const channel = by.direct === true ? directOf(this.state, user).id : (by.channel ?? SALES);
    const post = addPost(this, user, { channel_id: channel, root_id: root, message: text, props });
    this.changed();
    return post;
  }

  until<T>(check: () => T | undefined | false): Promise<T> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = check();
        if (found === undefined || found === false) {
          this.waiting.push(look);
        } else {
          resolve(found);
        }
      };
      look();
    });
  }

  sockets(): number {
    return this.sockets_.size;
  }

  /** Ends all connections for events; while `refusing`, no new ones are taken. */
  dropSockets(refusing = false): void {
    this.refusing = refusing;
    for (const socket of this.sockets_) {
      socket.terminate();
    }
  }

  takeSockets(): void {
    this.refusing = false;
  }

  async close(): Promise<void> {
    this.dropSockets(true);
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }

  published(post: FakePost): void {
    if (post.ephemeral !== undefined) {
      return;
    }
    const channel = this.state.channels.get(post.channel_id);
    const data = { channel_type: channel?.type, channel_name: channel?.name, post: JSON.stringify(post) };
    for (const socket of this.sockets_) {
      socket.send(
        JSON.stringify({ event: 'posted', data, broadcast: { channel_id: post.channel_id }, seq: 1 }),
      );
    }
  }

  /** Tells everybody who listens of an event. */
  tell(event: Json): void {
    for (const socket of this.sockets_) {
      socket.send(JSON.stringify({ broadcast: {}, seq: 1, ...event }));
    }
  }

  private greet(client: WebSocket): void {
    client.on('message', (bytes) => {
      const { action, data } = JSON.parse(String(bytes)) as { action: string; data?: { token?: string } };
      if (action === 'authentication_challenge' && data?.token === TOKEN) {
        this.sockets_.add(client);
        const hello = { server_version: `${this.version}.1.hash.false`, connection_id: newId() };
        client.send(JSON.stringify({ event: 'hello', data: hello, broadcast: {}, seq: 0 }));
        client.send(JSON.stringify({ status: 'OK', seq_reply: 1 }));
        this.changed();
      } else {
        client.close();
      }
    });
    client.on('close', () => {
      this.sockets_.delete(client);
      this.changed();
    });
    client.on('error', () => client.terminate());
  }

  private mustOpen(user: string): OpenDialog {
    const open = this.dialog(user);
    if (open === undefined) {
      throw new Error(`${user} has no dialog open`);
    }
    return open;
  }

  private newTrigger(user: string, channel: string): string {
    const id = newId();
    this.state.triggers.set(id, { user, channel, at: Date.now() });
    return id;
  }

  /** Sends what a client does: newer ones keep what was typed into the dialogs before. */
  private async send(open: OpenDialog, user: string, type: 'dialog_submission' | 'refresh'): Promise<Json> {
    const own = elementsOf(open.dialog).map((element) => String(element['name']));
    const kept = Object.entries(open.values).filter(([name]) => this.steps || own.includes(name));
    const { status, said } = await this.call(open.url, {
      type,
      callback_id: 'form',
      state: open.dialog['state'],
      user_id: user,
      channel_id: open.channel,
      team_id: TEAM,
      submission: Object.fromEntries(kept),
      cancelled: false,
    });
    if (status !== 200) {
      this.state.violations.push(`a dialog was answered with ${status}`);
    } else if (said['type'] === 'form') {
      this.state.violations.push(...dialogFaults(said['form'] as Json, this.version));
      if (this.steps) {
        open.dialog = said['form'] as Json;
      } else {
        this.state.violations.push('a dialog was answered with another, which this server does not know');
      }
    } else if (said['error'] === undefined && said['errors'] === undefined && type !== 'refresh') {
      this.state.dialogs.delete(user);
    }
    this.changed();
    return said;
  }

  private get steps(): boolean {
    return !this.version.startsWith('6.');
  }

  private applyPress(post: FakePost, said: Json, user: string): void {
    const update = said['update'] as Json | undefined;
    if (update !== undefined && post.ephemeral !== undefined) {
      this.state.violations.push('a message that only one person sees can not be updated');
    } else if (update !== undefined) {
      changePost(this, post, update);
    }
    if (said['ephemeral_text'] !== undefined) {
      if (said['skip_slack_parsing'] !== true && /[<>&]/.test(String(said['ephemeral_text']))) {
        this.state.violations.push('a text is read as Slack would read it');
      }
      const message = said['ephemeral_text'];
      const root = post.root_id === '' ? post.id : post.root_id;
      addPost(this, user, { channel_id: post.channel_id, root_id: root, message }, { ephemeral: user });
    }
  }

  /** Shows the answer to a command: to its caller, or to everybody in the caller's name. */
  private respond(
    said: Json,
    at: { readonly channel: string; readonly user: string; readonly root: string },
  ): void {
    if (said['text'] === undefined && said['attachments'] === undefined) {
      return;
    }
    if (said['skip_slack_parsing'] !== true) {
      this.state.violations.push('a text is read as Slack would read it');
    }
    const open = said['response_type'] === 'in_channel';
    const attachments = said['attachments'] ?? [];
    const props = { attachments, ...(open ? { from_webhook: 'true' } : {}) };
    const body = { channel_id: at.channel, root_id: at.root, message: said['text'], props };
    addPost(this, at.user, body, open ? {} : { ephemeral: at.user });
  }

  private async call(
    url: string,
    body: Json | URLSearchParams,
    more: Readonly<Record<string, string>> = {},
  ): Promise<{ readonly status: number; readonly said: Json }> {
    const form = body instanceof URLSearchParams;
    const response = await fetch(url.replace(/^https?:\/\/bot\.example/, this.behind), {
      method: 'POST',
      body: form ? body : JSON.stringify(body),
      headers: form ? more : { 'content-type': 'application/json', ...more },
    });
    const text = await response.text();
    if (response.headers.get('content-type')?.startsWith('application/json') !== true) {
      this.state.violations.push('an answer is not JSON');
    }
    return { status: response.status, said: text === '' ? {} : (JSON.parse(text) as Json) };
  }

  private changed(): void {
    const all = this.waiting;
    this.waiting = [];
    for (const look of all) {
      look();
    }
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    const path = url.pathname.replace(/^\/api\/v4/, '');
    const call = `${request.method} ${path.replace(/\/[a-z0-9]{26}(?=\/|$)/g, '/*')}`;
    const bytes = await readAll(request);
    this.state.calls.set(call, this.calls(call) + 1);
    const fault = this.faults.get(call)?.shift();
    if (fault?.kind === 'slow') {
      await new Promise((resolve) => setTimeout(resolve, fault.ms));
    } else if (fault !== undefined && fault.kind !== 'reset-after' && fault.kind !== 'timeout-after') {
      this.spoil(fault, response);
      return;
    }
    const said = await this.answer(request, url, path, bytes);
    if (fault?.kind === 'reset-after') {
      response.destroy();
    } else if (fault?.kind !== 'timeout-after') {
      this.write(response, said);
    }
    this.changed();
  }

  private async answer(request: IncomingMessage, url: URL, path: string, bytes: Buffer): Promise<Said> {
    const type = request.headers['content-type'] ?? '';
    const multipart = type.startsWith('multipart/form-data');
    const body = multipart || bytes.length === 0 ? {} : (JSON.parse(bytes.toString()) as Json);
    const hook = /^\/hooks\/commands\/(\w+)$/.exec(path)?.[1];
    if (hook !== undefined) {
      return this.answerHook(hook, body);
    }
    if (request.headers.authorization?.toLowerCase() !== `bearer ${TOKEN}`) {
      return refusal(401, 'api.context.session_expired.app_error');
    }
    if (request.method !== 'GET' && !multipart) {
      this.requests.push({ call: `${request.method} ${path}`, body });
    }
    const upload = multipart ? await readUpload(bytes, type) : undefined;
    return answerCall(this, {
      method: request.method ?? 'GET',
      path,
      query: url.searchParams,
      body,
      ...(upload === undefined ? {} : { upload }),
    });
  }

  private answerHook(id: string, body: Json): Said {
    const response = this.state.responses.get(id);
    if (response === undefined || response.uses >= 5) {
      return refusal(400, 'web.command_webhook.parse.app_error');
    }
    response.uses += 1;
    this.respond(body, response);
    return { status: 200, body: 'ok' };
  }

  private spoil(
    fault: Extract<Fault, { kind: 'reset' | 'page' | 'limited' | 'status' }>,
    response: ServerResponse,
  ): void {
    switch (fault.kind) {
      case 'reset':
        response.destroy();
        return;
      case 'page':
        response.writeHead(200, { 'content-type': 'text/html' }).end('<html>proxy</html>');
        return;
      case 'limited':
        response.writeHead(429, { 'content-type': 'text/plain', ...fault.headers }).end('limit exceeded\n');
        return;
      case 'status':
        this.write(response, refusal(fault.status, fault.id ?? ''));
        return;
      default:
        fault satisfies never;
    }
  }

  private write(response: ServerResponse, { status, body }: Said): void {
    const plain = typeof body === 'string';
    response.writeHead(status, {
      'content-type': plain ? 'text/plain' : 'application/json',
      'x-version-id': `${this.version}.${this.version}.hash.false`,
    });
    response.end(plain ? body : JSON.stringify(body));
  }
}

/** Everything that can be pressed in a message. */
export function actionsOf(post: FakePost): readonly Json[] {
  return ((post.props['attachments'] ?? []) as Json[]).flatMap(
    (attachment) => (attachment['actions'] ?? []) as Json[],
  );
}

/** All words of a message. */
export function textOf(post: FakePost): string {
  const attachments = (post.props['attachments'] ?? []) as Json[];
  return [post.message, ...attachments.map((attachment) => String(attachment['text'] ?? ''))].join('\n');
}

export function elementsOf(dialog: Json): readonly Json[] {
  return (dialog['elements'] ?? []) as Json[];
}

/** What a client sends of inputs that nobody touched. */
function presets(dialog: Json): Json {
  return Object.fromEntries(
    elementsOf(dialog).flatMap((element) => {
      const preset = element['default'];
      return preset === undefined
        ? []
        : [[String(element['name']), element['multiselect'] === true ? String(preset).split(',') : preset]];
    }),
  );
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) {
    parts.push(part);
  }
  return Buffer.concat(parts);
}

async function readUpload(
  bytes: Buffer,
  type: string,
): Promise<{ readonly name: string; readonly bytes: Buffer; readonly channel: string }> {
  const form = await new Response(new Uint8Array(bytes), { headers: { 'content-type': type } }).formData();
  const file = form.get('files') as File;
  return {
    name: file.name,
    bytes: Buffer.from(await file.arrayBuffer()),
    channel: String(form.get('channel_id')),
  };
}
