import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import type Client from 'ssh2-sftp-client';
import { orAborted } from '../shared/signal.ts';
import type { Login } from './config.ts';
import { endOfFile, explainAttempt, type Failure, Fault, type HostKey, noSuchFile } from './errors.ts';

export type ClientClass = typeof Client;
type Sftp = Awaited<ReturnType<Client['connect']>>;
type Settings = Parameters<Client['connect']>[0];
type AuthHandler = Extract<NonNullable<Settings['authHandler']>, (...args: never[]) => unknown>;

export interface Stat {
  readonly size: number;
  readonly isFolder: boolean;
}

/** One connection. Everything throws {@link Fault}, or the signal's reason while it is heeded. */
export interface Session {
  /** Whether it can put a file in place of another without a moment in which there is none. */
  readonly replaces: boolean;
  /** `wx` makes a new file, `w` empties one that is there, `r` reads it. */
  open(path: string, how: 'wx' | 'w' | 'r'): Promise<Buffer>;
  /** Fewer bytes than asked for, or none at the end, when there are no more. */
  read(handle: Buffer, at: number, bytes: number): Promise<Buffer>;
  write(handle: Buffer, bytes: Buffer, at: number): Promise<void>;
  /** On the disk at the far side, where the server can say so. */
  sync(handle: Buffer): Promise<void>;
  sizeOf(handle: Buffer): Promise<number>;
  close(handle: Buffer): Promise<void>;
  stat(path: string): Promise<Stat | undefined>;
  rename(from: string, to: string): Promise<void>;
  replace(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  makeFolder(path: string): Promise<void>;
  /** From now on the signal does not count: what is left to do is to clean up. */
  ignoreSignal(): void;
  end(): Promise<void>;
}

/** Opens one. Throws an ActivateError that says why it can't be, or the signal's reason. */
export async function connect(ClientOf: ClientClass, login: Login, signal?: AbortSignal): Promise<Session> {
  signal?.throwIfAborted();
  // With handlers of its own: by default the package writes to the console.
  const quiet = { error: () => undefined, end: () => undefined, close: () => undefined };
  const client = new ClientOf('activate', quiet);
  const seen: { hostKey?: HostKey; failure?: Failure; loggedIn: boolean; methods: readonly string[] } = {
    loggedIn: false,
    methods: [],
  };
  // The package wraps what fails and leaves out which part did.
  client.on('error', (error: Failure) => {
    seen.failure ??= error;
  });
  client.on('ready', () => {
    seen.loggedIn = true;
  });
  // Without the native part of `ssh2`, which not every machine can build, a packet leaves in pieces: each of them would
  // wait for the far side's delayed acknowledgement of the one before.
  client.on('connect', () => wireOf(client).setNoDelay(true));
  const waits = createWaits(signal);
  client.on('close', () => waits.fail(new Fault(undefined, 'the connection is closed')));
  const settings = settingsOf(login, (hostKey) => {
    seen.hostKey = hostKey;
  });
  const authHandler = authentication(login, (methods) => {
    seen.methods = methods;
  });
  try {
    const sftp = await orAborted(client.connect({ ...settings, authHandler }), signal);
    return sessionOf(client, sftp, waits);
  } catch (error) {
    waits.end();
    destroy(client);
    signal?.throwIfAborted();
    throw explainAttempt(
      {
        hostKey: seen.hostKey,
        methods: seen.methods,
        loggedIn: seen.loggedIn,
        failure: seen.failure ?? (error as Failure),
      },
      login,
    );
  }
}

/** The connection under the package's, which has no type there. */
function wireOf(client: Client): Pick<Socket, 'setNoDelay' | 'destroy'> {
  return (client as unknown as { readonly client: Pick<Socket, 'setNoDelay' | 'destroy'> }).client;
}

function settingsOf(login: Login, see: (key: HostKey) => void): Settings {
  const { host, port, user, password, privateKey, passphrase } = login;
  return {
    host,
    port,
    username: user,
    ...(password === undefined ? {} : { password }),
    ...(privateKey === undefined ? {} : { privateKey }),
    ...(passphrase === undefined ? {} : { passphrase }),
    readyTimeout: 20_000,
    keepaliveInterval: 10_000,
    keepaliveCountMax: 3,
    // Before anything is sent that is secret. Without it any server would do.
    hostVerifier: (key: Buffer) => {
      const hostKey = { kind: kindOf(key), fingerprint: fingerprintOf(key) };
      see(hostKey);
      return login.hostKeys.includes(hostKey.fingerprint);
    },
    algorithms: login.legacy ? legacy : { serverHostKey: { append: [], prepend: [], remove: ['ssh-rsa'] } },
  };
}

const legacy: NonNullable<Settings['algorithms']> = {
  kex: {
    append: [
      'diffie-hellman-group-exchange-sha1',
      'diffie-hellman-group14-sha1',
      'diffie-hellman-group1-sha1',
    ],
    prepend: [],
    remove: [],
  },
  serverHostKey: { append: ['ssh-dss'], prepend: [], remove: [] },
  cipher: { append: ['aes256-cbc', 'aes192-cbc', 'aes128-cbc', '3des-cbc'], prepend: [], remove: [] },
};

/** The blob of a key begins with its kind, after four bytes of length. */
function kindOf(key: Buffer): string {
  return key.toString('latin1', 4, 4 + key.readUInt32BE(0));
}

function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** Refusals cost: many servers lock a user after a few. */
const mostAttempts = 2;

/** Asks which ways to log in there are, and then tries those that there is something for. */
function authentication(login: Login, see: (methods: readonly string[]) => void): AuthHandler {
  const tried: string[] = [];
  let asked = false;
  return (left, _partial, next) => {
    if (!asked) {
      asked = true;
      next('none');
      return;
    }
    const offered: readonly string[] = left ?? [];
    see(offered);
    const ways = [
      ...(login.privateKey === undefined ? [] : ['publickey']),
      ...(login.password === undefined ? [] : ['password', 'keyboard-interactive']),
    ];
    const way = ways.find((one) => offered.includes(one) && !tried.includes(one));
    if (way === undefined || tried.length === mostAttempts) {
      // As the package has it: no way is left. Its types do not know.
      next(false as never);
      return;
    }
    tried.push(way);
    if (way !== 'keyboard-interactive') {
      next(way as 'publickey' | 'password');
      return;
    }
    next({
      type: 'keyboard-interactive',
      username: login.user,
      // The first question is for the password; a code from a phone is nothing that we could give.
      prompt: (_name, _instructions, _language, prompts, finish) =>
        finish(prompts.map((_prompt, at) => (at === 0 ? (login.password ?? '') : ''))),
    });
  };
}

interface Waits {
  wait<T>(send: (done: Callback<T>) => void): Promise<T>;
  /** No answer will come any more, to those who wait and those who will. */
  fail(error: Fault): void;
  ignoreSignal(): void;
  end(): void;
}

/**
 * All who wait for an answer, so that they can be told when none will come: because the connection is gone, or the
 * signal says so. Not by races with one long promise, which would keep a trace of every answer until the end.
 */
function createWaits(signal: AbortSignal | undefined): Waits {
  const waiting = new Set<(error: unknown) => void>();
  let lost: Fault | undefined;
  const tellAll = (error: unknown): void => {
    for (const tell of waiting) {
      tell(error);
    }
    waiting.clear();
  };
  const stop = (): void => tellAll(signal?.reason);
  signal?.addEventListener('abort', stop, { once: true });
  let heeded = signal;
  const ignoreSignal = (): void => {
    heeded = undefined;
    signal?.removeEventListener('abort', stop);
  };
  return {
    wait: (send) =>
      new Promise((resolve, reject) => {
        heeded?.throwIfAborted();
        if (lost !== undefined) {
          reject(lost);
          return;
        }
        waiting.add(reject);
        send((error, value) => {
          waiting.delete(reject);
          if (error) {
            reject(faultOf(error));
          } else {
            resolve(value);
          }
        });
      }),
    fail: (error) => {
      lost = error;
      tellAll(error);
    },
    ignoreSignal,
    end: ignoreSignal,
  };
}

type Callback<T> = (error: unknown, value: T) => void;

function sessionOf(client: Client, sftp: Sftp, waits: Waits): Session {
  const ask = <T>(send: (done: Callback<T>) => void): Promise<T> => waits.wait(send);
  const done = (send: (done: Callback<unknown>) => void): Promise<void> => ask(send).then(() => undefined);
  return {
    replaces: offers(sftp, 'posix-rename@openssh.com'),
    open: (path, how) => ask((end: Callback<Buffer>) => sftp.open(path, how, end)),
    write: (handle, bytes, at) =>
      done((end) => sftp.write(handle, bytes, 0, bytes.length, at, end as () => void)),
    read: async (handle, at, bytes) => {
      const into = Buffer.alloc(bytes);
      try {
        const got = await ask((end: Callback<number>) => sftp.read(handle, into, 0, bytes, at, end));
        return into.subarray(0, got);
      } catch (error) {
        if (error instanceof Fault && error.status === endOfFile) {
          return into.subarray(0, 0);
        }
        throw error;
      }
    },
    sync: async (handle) => {
      if (offers(sftp, 'fsync@openssh.com')) {
        await done((end) => sftp.ext_openssh_fsync(handle, end as () => void));
      }
    },
    sizeOf: (handle) =>
      ask((end: Callback<{ readonly size: number }>) => sftp.fstat(handle, end)).then(({ size }) => size),
    close: (handle) => done((end) => sftp.close(handle, end as () => void)),
    stat: (path) =>
      ask((end: Callback<{ readonly size: number; isDirectory(): boolean }>) => sftp.stat(path, end)).then(
        (stats) => ({ size: stats.size, isFolder: stats.isDirectory() }),
        (error: unknown) => {
          if (error instanceof Fault && error.status === noSuchFile) {
            return undefined;
          }
          throw error;
        },
      ),
    rename: (from, to) => done((end) => sftp.rename(from, to, end as () => void)),
    replace: (from, to) => done((end) => sftp.ext_openssh_rename(from, to, end as () => void)),
    remove: (path) => done((end) => sftp.unlink(path, end as () => void)),
    makeFolder: (path) => done((end) => sftp.mkdir(path, end as () => void)),
    ignoreSignal: waits.ignoreSignal,
    end: async () => {
      waits.end();
      await within(2_000, client.end()).catch(() => undefined);
      destroy(client);
    },
  };
}

function faultOf(error: unknown): Fault {
  const { code, message = '' } = error as { readonly code?: unknown; readonly message?: string };
  return new Fault(typeof code === 'number' ? code : undefined, message);
}

/** What the server said at the start that it can do beyond the standard. */
function offers(sftp: Sftp, extension: string): boolean {
  const { _extensions: known = {} } = sftp as unknown as {
    readonly _extensions?: Readonly<Record<string, string>>;
  };
  return extension in known;
}

/** The package's own `end` leaves a connection open that did not come as far as SFTP. */
function destroy(client: Client): void {
  wireOf(client).destroy();
}

/** The same, or nothing when it takes longer. */
export async function within<T>(ms: number, waiting: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
  });
  try {
    return await Promise.race([waiting, late]);
  } finally {
    clearTimeout(timer);
  }
}
