import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Caller } from '../engine/contracts/command.ts';
import { createDb } from '../engine/store/db.ts';
import { startEmbedded } from '../engine/store/embedded.ts';
import type { FakeChannel, Fault } from '../test/fakes/slack/state.ts';
import type { Posted } from '../test/fakes/slack.ts';
import { silentLog } from '../test/support/log.ts';

/** A database of our own, gone once closed. */
export interface OwnDatabase {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts an embedded PostgreSQL in a temporary folder, with one empty database. */
export async function ownDatabase(): Promise<OwnDatabase> {
  const dir = await mkdtemp(join(tmpdir(), 'activate-bench-'));
  const server = await startEmbedded(dir);
  const admin = createDb(server.url('postgres'), { schema: 'public', log: silentLog, connections: 1 });
  await admin.query('create database bench');
  await admin.close();
  return {
    url: server.url('bench'),
    close: async () => {
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** The pretended Slack in a process of its own: it lives on when workers are killed, and its CPU counts apart. */
export interface SlackProcess {
  readonly apiUrl: string;
  readonly tokens: { readonly bot: string; readonly app: string };
  readonly pid: number;
  addChannels(channels: readonly FakeChannel[]): Promise<void>;
  fail(method: string, faults: readonly Fault[]): Promise<void>;
  messages(): Promise<readonly Posted[]>;
  /** Forgets messages, calls and faults. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** Starts it on a free port. */
export async function startSlackProcess(): Promise<SlackProcess> {
  const child = startScript('test/fakes/slack-process.ts', {});
  const said = JSON.parse(await firstLine(child)) as {
    apiUrl: string;
    control: string;
    tokens: { bot: string; app: string };
  };
  const control = async <T>(what: string, args: object = {}): Promise<T> => {
    const response = await fetch(said.control + what, { method: 'POST', body: JSON.stringify(args) });
    if (!response.ok) {
      throw new Error(`the fake Slack answered ${what} with status ${response.status}`);
    }
    return (await response.json()) as T;
  };
  return {
    apiUrl: said.apiUrl,
    tokens: said.tokens,
    pid: child.pid ?? 0,
    addChannels: (channels) => control('add', { channels }),
    fail: (method, faults) => control('fail', { method, faults }),
    messages: () => control('messages'),
    reset: () => control('reset'),
    close: () => endProcess(child),
  };
}

/** Starts a TypeScript file of this repository in a process of its own. */
export function startScript(file: string, env: Readonly<Record<string, string>>): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', file], {
    cwd: join(import.meta.dirname, '..'),
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** The worker as an installation runs it: compiled, and as Procfile says. Compiles what there is, so that it is that. */
export async function startCompiledWorker(env: Readonly<Record<string, string>>): Promise<ChildProcess> {
  const root = join(import.meta.dirname, '..');
  const build = spawn('npm', ['run', 'build', '--silent'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code] = (await once(build, 'exit')) as [number];
  const [, line] = /^worker: node (.+)$/m.exec(await readFile(join(root, 'Procfile'), 'utf8')) ?? [];
  if (code !== 0 || line === undefined) {
    throw new Error('there is no compiled worker');
  }
  return spawn(process.execPath, line.split(' '), {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** The first line that a process says; an error when it ends without one. */
export async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) {
    throw new Error('its output goes elsewhere');
  }
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) {
    child.stdout.resume();
    return line;
  }
  throw new Error('the process ended before it was ready');
}

/** Kills a process that we started and waits until it is gone. */
export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
}

/** Somebody at a terminal, who may do everything. */
export const operator: Omit<Caller, 'id'> = {
  name: 'bench',
  email: undefined,
  role: 'admin',
  timeZone: 'UTC',
  platform: 'cli',
  person: { kind: 'person', platform: 'cli', id: 'bench' },
  conversation: { kind: 'conversation', platform: 'cli', id: 'bench' },
};
