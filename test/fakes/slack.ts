import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerCall, respond, showView } from './slack/api.ts';
import { checkOptions, type Json, viewFaults } from './slack/blocks.ts';
import {
  APP,
  BOT,
  emptyState,
  type FakeChannel,
  type FakeUser,
  type Fault,
  newTrigger,
  type OpenView,
  type Posted,
  type State,
  TEAM,
} from './slack/state.ts';
import { acceptWebSocket, type Socket } from './slack/websocket.ts';

import { bodyOf, markOf, pressable, send, sendJson, signedRequest, stateOf, TOKENS } from './slack/wire.ts';

export type { Fault, Posted } from './slack/state.ts';
export { signedRequest, TOKENS } from './slack/wire.ts';

export interface FakeOptions {
  readonly users?: readonly FakeUser[];
  readonly channels?: readonly FakeChannel[];
  /** Smallest time between two messages to one channel; 0, the default, for as fast as they come. */
  readonly perChannelMs?: number;
  /** Where events go when no socket is connected. */
  readonly requestUrl?: string;
  readonly port?: number;
}

/** A pretended Slack, strict about what Slack is strict about. Everything a test does to it is here. */
export interface FakeSlack {
  readonly apiUrl: string;
  readonly state: State;
  /** What was not answered within three seconds, and answers that Slack would refuse. */
  readonly violations: readonly string[];
  setRequestUrl(url: string): void;
  /** Faults for the next calls of a method, in order; `undefined` lets one through. */
  fail(method: string, ...faults: readonly (Fault | undefined)[]): void;
  messages(channel: string): readonly Posted[];
  calls(method: string): number;
  command(text: string, by?: { user?: string; channel?: string }): Promise<void>;
  press(message: Posted, label: string, user?: string): Promise<void>;
  pressInView(label: string, user?: string): Promise<void>;
  submit(
    values: Readonly<Record<string, string | readonly string[]>>,
    user?: string,
  ): Promise<Json | undefined>;
  closeView(values: Readonly<Record<string, string>>, user?: string): Promise<void>;
  suggest(field: string, typed: string, user?: string): Promise<readonly Json[]>;
  openHome(user?: string): Promise<void>;
  say(
    text: string,
    where: { channel: string; direct?: boolean; user?: string; eventId?: string },
  ): Promise<void>;
  /** The topmost modal on somebody's screen. */
  view(user?: string): OpenView | undefined;
  /** Resolves once `check` is truthy with what it came to; looked at after every call. */
  until<T>(check: () => T | undefined | false): Promise<T>;
  /** Ends the Socket Mode connections from Slack's side. */
  dropSockets(): void;
  sockets(): number;
  close(): Promise<void>;
}

/** Starts the fake on a free port of 127.0.0.1. */
export async function startFakeSlack(options: FakeOptions = {}): Promise<FakeSlack> {
  const fake = new Fake(options);
  await fake.listen(options.port ?? 0);
  return fake;
}

class Fake implements FakeSlack {
  readonly state: State;
  readonly server = createServer((request, response) => {
    this.serve(request, response).catch(() => response.destroy());
  });
  apiUrl = '';
  base = '';
  private requestUrl: string | undefined;
  private readonly perChannelMs: number;
  private readonly faults = new Map<string, (Fault | undefined)[]>();
  private readonly connected = new Set<Socket>();
  private readonly acks = new Map<string, (payload: Json | undefined) => void>();
  private waiting: (() => void)[] = [];
  private next = 0;

  constructor(options: FakeOptions) {
    this.state = emptyState(options.users, options.channels);
    this.requestUrl = options.requestUrl;
    this.perChannelMs = options.perChannelMs ?? 0;
    this.server.keepAliveTimeout = 60_000;
    this.server.on('upgrade', (request, stream) => {
      const socket = acceptWebSocket(request, stream, {
        message: (text) => {
          const { envelope_id, payload } = JSON.parse(text) as { envelope_id: string; payload?: Json };
          this.acks.get(envelope_id)?.(payload);
        },
        closed: () => {
          this.connected.delete(socket);
          this.changed();
        },
      });
      this.connected.add(socket);
      socket.send(JSON.stringify({ type: 'hello', num_connections: this.connected.size }));
      this.changed();
    });
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    this.base = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    this.apiUrl = `${this.base}/api/`;
  }

  get violations(): readonly string[] {
    return this.state.violations;
  }

  setRequestUrl(url: string): void {
    this.requestUrl = url;
  }

  fail(method: string, ...faults: readonly (Fault | undefined)[]): void {
    this.faults.set(method, [...(this.faults.get(method) ?? []), ...faults]);
  }

  messages(channel: string): readonly Posted[] {
    const place = this.state.directs.get(channel) ?? channel;
    return this.state.messages.filter((message) => message.channel === place);
  }

  calls(method: string): number {
    return this.state.calls.get(method) ?? 0;
  }

  async command(text: string, by: { user?: string; channel?: string } = {}): Promise<void> {
    const user = by.user ?? 'U0MAYA';
    const channel = by.channel ?? 'C0SALES';
    await this.deliver('slash_commands', {
      command: '/activate',
      text,
      user_id: user,
      channel_id: channel,
      team_id: TEAM,
      api_app_id: APP,
      trigger_id: newTrigger(this.state, user),
      response_url: this.responseUrl(channel, user),
    });
  }

  async press(message: Posted, label: string, user = 'U0MAYA'): Promise<void> {
    const action = pressable(message.blocks, label);
    await this.deliver('interactive', {
      type: 'block_actions',
      user: { id: user },
      trigger_id: newTrigger(this.state, user),
      channel: { id: message.channel },
      container: {
        type: 'message',
        message_ts: message.ts,
        channel_id: message.channel,
        is_ephemeral: message.ephemeral !== undefined,
        ...(message.thread_ts === undefined ? {} : { thread_ts: message.thread_ts }),
      },
      // Slack leaves the message out when only its reader sees it.
      ...(message.ephemeral === undefined
        ? {
            message: {
              ts: message.ts,
              ...(message.thread_ts === undefined ? {} : { thread_ts: message.thread_ts }),
            },
          }
        : {}),
      response_url: this.responseUrl(message.channel, user, message.ts),
      actions: [action],
    });
  }

  async pressInView(label: string, user = 'U0MAYA'): Promise<void> {
    const open = this.open(user);
    await this.deliver('interactive', {
      type: 'block_actions',
      user: { id: user },
      trigger_id: newTrigger(this.state, user),
      container: { type: 'view', view_id: open.id },
      view: this.viewJson(open, {}),
      actions: [pressable(open.view['blocks'] as Json[], label)],
    });
  }

  async submit(
    values: Readonly<Record<string, string | readonly string[]>>,
    user = 'U0MAYA',
  ): Promise<Json | undefined> {
    const open = this.open(user);
    const ack = await this.deliver('interactive', {
      type: 'view_submission',
      user: { id: user },
      trigger_id: newTrigger(this.state, user),
      view: this.viewJson(open, values),
      response_urls: [],
    });
    this.applySubmission(open, ack);
    this.changed();
    return ack;
  }

  async closeView(values: Readonly<Record<string, string>>, user = 'U0MAYA'): Promise<void> {
    const open = this.open(user);
    this.removeView(open);
    if (open.view['notify_on_close'] === true) {
      const view = this.viewJson(open, values);
      await this.deliver('interactive', { type: 'view_closed', user: { id: user }, view, is_cleared: false });
    }
  }

  async suggest(field: string, typed: string, user = 'U0MAYA'): Promise<readonly Json[]> {
    const open = this.open(user);
    const ack = await this.deliver('interactive', {
      type: 'block_suggestion',
      user: { id: user },
      action_id: field,
      value: typed,
      view: this.viewJson(open, {}),
    });
    const options = (ack?.['options'] ?? []) as Json[];
    if (options.length > 0) {
      checkOptions(options, 100, (fault) => this.state.violations.push(fault));
    }
    return options;
  }

  async openHome(user = 'U0MAYA'): Promise<void> {
    await this.event({ type: 'app_home_opened', tab: 'home', user, channel: this.directOf(user) });
  }

  async say(
    text: string,
    where: { channel: string; direct?: boolean; user?: string; eventId?: string },
  ): Promise<void> {
    const user = where.user ?? 'U0MAYA';
    this.state.serial += 1;
    const ts = `${Math.floor(Date.now() / 1000)}.9${String(this.state.serial).padStart(5, '0')}`;
    const kind = where.direct === true ? { type: 'message', channel_type: 'im' } : { type: 'app_mention' };
    const channel = where.direct === true ? this.directOf(user) : where.channel;
    await this.event({ ...kind, text, user, channel, ts }, where.eventId);
  }

  view(user = 'U0MAYA'): OpenView | undefined {
    return this.state.views.get(this.state.stacks.get(user)?.at(-1) ?? '');
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

  dropSockets(): void {
    for (const socket of this.connected) {
      socket.send(JSON.stringify({ type: 'disconnect', reason: 'refresh_requested' }));
    }
  }

  sockets(): number {
    return this.connected.size;
  }

  async close(): Promise<void> {
    for (const socket of this.connected) {
      socket.close();
    }
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private open(user: string): OpenView {
    const open = this.view(user);
    if (open === undefined) {
      throw new Error(`${user} has no dialog open`);
    }
    return open;
  }

  private directOf(user: string): string {
    const channel = this.state.directs.get(user) ?? `D${user.slice(1)}`;
    this.state.directs.set(user, channel);
    return channel;
  }

  private changed(): void {
    const all = this.waiting;
    this.waiting = [];
    for (const look of all) {
      look();
    }
  }

  private responseUrl(channel: string, user: string, ts?: string): string {
    this.state.serial += 1;
    const id = `R${this.state.serial}`;
    this.state.responses.set(id, { channel, user, uses: 0, ...(ts === undefined ? {} : { ts }) });
    return `${this.base}/_response/${id}`;
  }

  private viewJson(open: OpenView, values: Readonly<Record<string, string | readonly string[]>>): Json {
    const state: Record<string, Json> = {};
    for (const block of open.view['blocks'] as Json[]) {
      const element = block['element'] as Json | undefined;
      if (block['type'] === 'input' && element !== undefined) {
        const name = String(element['action_id']);
        state[String(block['block_id'])] = { [name]: stateOf(element, values[name]) };
      }
    }
    return { ...open.view, id: open.id, hash: open.hash, state: { values: state } };
  }

  private applySubmission(open: OpenView, ack: Json = {}): void {
    switch (ack['response_action']) {
      case undefined:
        this.removeView(open);
        return;
      case 'clear':
        this.state.stacks.delete(open.user);
        return;
      case 'errors': {
        const inputs = (open.view['blocks'] as Json[]).filter((block) => block['type'] === 'input');
        for (const id of Object.keys(ack['errors'] as Json)) {
          if (!inputs.some((block) => block['block_id'] === id)) {
            this.state.violations.push(`errors names ${id}, which is no input block`);
          }
        }
        return;
      }
      case 'update': {
        const faults = viewFaults(ack['view'] as Json);
        this.state.violations.push(...faults);
        showView(this.state, open, ack['view'] as Json);
        return;
      }
      default:
        this.state.violations.push(`unexpected response_action ${String(ack['response_action'])}`);
    }
  }

  private removeView(open: OpenView): void {
    const stack = this.state.stacks.get(open.user) ?? [];
    this.state.stacks.set(
      open.user,
      stack.filter((id) => id !== open.id),
    );
    this.state.views.delete(open.id);
  }

  private event(event: Json, id?: string): Promise<Json | undefined> {
    this.state.serial += 1;
    return this.deliver('events_api', {
      type: 'event_callback',
      event_id: id ?? `Ev${this.state.serial}`,
      team_id: TEAM,
      authorizations: [{ user_id: BOT }],
      event,
    });
  }

  /** Delivers as Slack does and holds the app to the three seconds. */
  private async deliver(type: string, payload: Json): Promise<Json | undefined> {
    const started = Date.now();
    const answer = this.connected.size > 0 ? this.overSocket(type, payload) : this.overHttp(type, payload);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => {
        this.state.violations.push(`${String(payload['type'] ?? type)} was not answered within 3 s`);
        resolve(undefined);
      }, 3000);
    });
    const ack = await Promise.race([answer, late]);
    clearTimeout(timer);
    if (Date.now() - started < 3000) {
      this.changed();
    }
    return ack;
  }

  private overSocket(type: string, payload: Json): Promise<Json | undefined> {
    const sockets = [...this.connected];
    this.next += 1;
    const id = `env-${this.next}`;
    const message = { envelope_id: id, type, payload, accepts_response_payload: type !== 'events_api' };
    return new Promise((resolve) => {
      this.acks.set(id, (ack) => resolve(ack !== undefined && Object.keys(ack).length > 0 ? ack : undefined));
      // Slack picks any one of an app's connections.
      sockets[this.next % sockets.length]?.send(JSON.stringify(message));
    });
  }

  private async overHttp(type: string, payload: Json): Promise<Json | undefined> {
    if (this.requestUrl === undefined) {
      throw new Error('the fake has neither a socket nor a request URL');
    }
    const { body, headers } = signedRequest(type, payload);
    const response = await fetch(this.requestUrl, { method: 'POST', body, headers });
    const text = await response.text();
    if (response.status !== 200) {
      this.state.violations.push(`${type} was answered with status ${response.status}`);
    }
    return text === '' ? undefined : (JSON.parse(text) as Json);
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = await bodyOf(request);
    const path = request.url ?? '';
    if (path.startsWith('/api/')) {
      return this.serveApi(path.slice(5), bytes, request, response);
    }
    const [, kind, id = ''] = path.split('/');
    const [status, text] = this.answerAside(kind, id, bytes);
    send(response, status, text);
    this.changed();
  }

  /** What the fake offers beside the Web API: response addresses, uploads, and its own control. */
  private answerAside(kind: string | undefined, id: string, bytes: Buffer): readonly [number, string] {
    const json = () => (bytes.length === 0 ? {} : (JSON.parse(bytes.toString()) as Json));
    switch (kind) {
      case '_response':
        return respond(this.state, id, json()) ? [200, 'ok'] : [404, 'expired_url'];
      case '_upload': {
        const file = this.state.files.get(id);
        if (file === undefined) {
          return [404, 'no such upload'];
        }
        file.bytes = bytes;
        return [200, 'OK'];
      }
      case '_control': {
        const found = this.control(id, json());
        return found === undefined ? [404, 'no such control'] : [200, JSON.stringify(found)];
      }
      default:
        return [404, 'not here'];
    }
  }

  private async serveApi(
    method: string,
    bytes: Buffer,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    this.state.calls.set(method, (this.state.calls.get(method) ?? 0) + 1);
    const fault = this.faults.get(method)?.shift();
    if (fault !== undefined && (await this.breakBefore(fault, response))) {
      return;
    }
    const answer = this.authorized(method, request) ?? this.call(method, bytes, request);
    this.changed();
    if (fault?.kind === 'timeout-after-accept') {
      return;
    }
    if (fault?.kind === 'reset-after-accept') {
      request.socket.destroy();
      return;
    }
    const headers = answer['error'] === 'ratelimited' ? { 'retry-after': '1' } : {};
    sendJson(response, answer['error'] === 'ratelimited' ? 429 : 200, JSON.stringify(answer), headers);
  }

  private call(method: string, bytes: Buffer, request: IncomingMessage): Json {
    if (method === 'apps.connections.open') {
      return { ok: true, url: `${this.base.replace('http', 'ws')}/socket` };
    }
    const text = bytes.toString();
    const json = (request.headers['content-type'] ?? '').startsWith('application/json');
    const args = json ? (JSON.parse(text) as Json) : Object.fromEntries(new URLSearchParams(text));
    return answerCall(this.state, method, args, this.base, { perChannelMs: this.perChannelMs });
  }

  private authorized(method: string, request: IncomingMessage): Json | undefined {
    const token = method === 'apps.connections.open' ? TOKENS.app : TOKENS.bot;
    return request.headers.authorization === `Bearer ${token}`
      ? undefined
      : { ok: false, error: 'invalid_auth' };
  }

  /** True when the call ends here. */
  private async breakBefore(fault: Fault, response: ServerResponse): Promise<boolean> {
    switch (fault.kind) {
      case 'reset':
        response.socket?.destroy();
        return true;
      case 'status':
        send(response, fault.status, 'broken');
        return true;
      case 'limited':
        sendJson(response, 429, '{"ok":false,"error":"ratelimited"}', {
          'retry-after': String(fault.seconds),
        });
        return true;
      case 'error':
        sendJson(response, 200, JSON.stringify({ ok: false, error: fault.error, ...fault.more }));
        return true;
      case 'slow':
        await new Promise((resolve) => setTimeout(resolve, fault.ms));
        return false;
      case 'timeout-after-accept':
      case 'reset-after-accept':
        return false;
      default:
        return fault satisfies never;
    }
  }

  /** For a fake in a process of its own: what a test would read and set, as JSON. */
  private control(what: string, args: Json): Json | readonly unknown[] | undefined {
    switch (what) {
      case 'messages':
        return this.state.messages;
      case 'marks':
        return this.state.messages.map(markOf);
      case 'counts':
        return {
          messages: this.state.messages.length,
          calls: Object.fromEntries(this.state.calls),
          violations: this.state.violations,
          sockets: this.connected.size,
        };
      case 'fail':
        this.fail(String(args['method']), ...(args['faults'] as (Fault | undefined)[]));
        return { ok: true };
      case 'add':
        this.state.users.push(...((args['users'] ?? []) as FakeUser[]));
        this.state.channels.push(...((args['channels'] ?? []) as FakeChannel[]));
        return { ok: true };
      case 'reset':
        this.state.messages.length = 0;
        this.state.calls.clear();
        this.state.violations.length = 0;
        this.faults.clear();
        return { ok: true };
      case 'command':
        this.command(String(args['text']), args).catch((error: unknown) => {
          this.state.violations.push(String(error));
        });
        return { ok: true };
      default:
        return undefined;
    }
  }
}
