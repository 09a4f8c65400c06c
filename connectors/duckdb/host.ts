import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Down, Task, Up } from './wire.ts';

/** A question that was given to the child. */
export interface Call {
  /** What the child says about it, one after the other; after the last word it is not asked again. */
  next(): Promise<Up>;
  /** One more piece may come. */
  more(): void;
  /** Gives it up. The last word still comes, from us if need be. */
  stop(): void;
}

export interface Host {
  readonly gone: boolean;
  ask(task: Omit<Task, 'id'>): Call;
  /** Ends the child, whatever it does. */
  kill(): void;
  /** Resolves when the child is gone, with all that it had on disk. */
  readonly ended: Promise<void>;
}

/** How long one who was told to stop may take before the child is ended. */
const patienceMs = 5000;
const idleMs = 30_000;

/** What the child says about one question, kept until somebody listens. */
interface Mailbox {
  readonly messages: Up[];
  wake(): void;
  giveUp: NodeJS.Timeout | undefined;
}

/** Starts the child. It has none of this process's environment, keeps nobody from ending, and goes when it is idle for long. */
export async function startHost(): Promise<Host> {
  const spill = await mkdtemp(join(tmpdir(), 'activate-duckdb-'));
  // From source and when compiled: the child is the file beside this one, with the same ending.
  const ending = extname(import.meta.url);
  const child = fork(join(import.meta.dirname, `child${ending}`), [spill], {
    serialization: 'advanced',
    env: {},
    execArgv: ending === '.ts' ? ['--import', loaderOfSource()] : [],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const open = new Map<number, Mailbox>();
  let made = 0;
  let gone = false;
  let idle: NodeJS.Timeout | undefined;
  const kill = (): void => void child.kill('SIGKILL');
  const rest = (): void => {
    if (open.size === 0) {
      hold(child, false);
      idle = setTimeout(kill, idleMs).unref();
    }
  };
  const hear = (message: Up): void => {
    const box = open.get(message.id);
    box?.messages.push(message);
    if (message.is === 'answer' || message.is === 'end' || message.is === 'failed') {
      clearTimeout(box?.giveUp);
      open.delete(message.id);
      rest();
    }
    box?.wake();
  };
  const lose = (message: string): void => {
    gone = true;
    clearTimeout(idle);
    for (const id of [...open.keys()]) {
      hear({ id, is: 'failed', failure: { type: 'lost', message } });
    }
    clearTimeout(idle);
  };
  const ended = new Promise<void>((resolve) => {
    const over = (why: string): void => {
      lose(why);
      rm(spill, { recursive: true, force: true }).then(resolve, () => resolve());
    };
    child.on('exit', (code, signal) => over(`The process of DuckDB ended (${signal ?? code}).`));
    child.on('error', (error) => over(`The process of DuckDB could not be used (${error.message}).`));
  });
  child.on('message', hear);
  rest();
  return {
    get gone() {
      return gone || !child.connected;
    },
    ended,
    kill,
    ask: (task) => {
      clearTimeout(idle);
      hold(child, true);
      made += 1;
      const id = made;
      const box: Mailbox = { messages: [], wake: () => undefined, giveUp: undefined };
      open.set(id, box);
      const send = (message: Down): void => {
        // Where it can't be sent, the child is about to be gone.
        child.send(message, () => undefined);
      };
      send({ to: 'ask', task: { ...task, id } });
      return {
        next: async () => {
          for (;;) {
            const message = box.messages.shift();
            if (message !== undefined) {
              return message;
            }
            await new Promise<void>((resolve) => {
              box.wake = resolve;
            });
          }
        },
        more: () => open.has(id) && send({ to: 'more', id }),
        stop: () => {
          if (open.has(id) && box.giveUp === undefined) {
            box.giveUp = setTimeout(kill, patienceMs);
            send({ to: 'stop', id });
          }
        },
      };
    },
  };
}

/** Whether this process stays for the child. */
function hold(child: ChildProcess, held: boolean): void {
  if (held) {
    child.ref();
    child.channel?.ref();
  } else {
    child.unref();
    child.channel?.unref();
  }
}

/** What makes Node read TypeScript, by its whole path: the child may be started anywhere. */
function loaderOfSource(): string {
  return pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
}
