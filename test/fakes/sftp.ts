import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { FakeHttp, Reply } from './http.ts';
import { createLine, type Line, receivedOf } from './line.ts';

// The package that the SFTP client stands on has a server too.
const besideClient = createRequire(createRequire(import.meta.url).resolve('ssh2-sftp-client'));
const { Server, utils } = besideClient('ssh2') as typeof import('ssh2');
type SftpServer = import('ssh2').SFTPWrapper;

const status = { ok: 0, end: 1, missing: 2, denied: 3, failure: 4 } as const;

interface Handle {
  readonly path: string;
  closed: boolean;
}

export interface SftpState {
  readonly user: string;
  readonly password: string;
  /** By path. */
  readonly files: Map<string, Buffer>;
  readonly folders: Set<string>;
  /** The ways to log in that it offers. */
  methods: ('password' | 'keyboard-interactive' | 'publickey')[];
  /** Refused logins so far. */
  refused: number;
  /** In bytes, of all files: a write beyond fails with the code that stands for anything. */
  capacity: number;
  /** Breaks the connection once so many bytes have been written in all. */
  breaksAt: number;
  /** Keeps no more than this of any file, and says that all is well. */
  keepsOnly: number;
  /** Plain rename replaces a file that is there, although it must not. */
  renameReplaces: boolean;
  mayDelete: boolean;
  mayRead: boolean;
  /** Takes a file away as soon as it has its name, as partners do. */
  takesAway: boolean;
  /** Called with each request before it is carried out: what others do meanwhile. */
  meanwhile: (name: string) => void;
  connections: number;
  open: number;
}

/**
 * An SFTP server in this process, of the plain standard: no extension of OpenSSH. Each request to it is one in
 * `requests`, its name as the method and its path as the path, and the login is one too; replies are for them in turn.
 */
export interface FakeSftp extends FakeHttp<SftpState> {
  readonly port: number;
  /** Of its host key. */
  readonly fingerprint: string;
  /** A private key that lets nobody in. */
  readonly strangersKey: string;
}

/** `kex`: the ways to agree on a key that it knows; all that the package does unless said otherwise. */
export async function startFakeSftp(kex?: readonly string[]): Promise<FakeSftp> {
  const hostKey = keyPair();
  const state: SftpState = {
    user: 'acme',
    password: 'secret-secret-secret',
    files: new Map(),
    folders: new Set(['.', 'up']),
    methods: ['password'],
    refused: 0,
    capacity: Number.POSITIVE_INFINITY,
    breaksAt: Number.POSITIVE_INFINITY,
    keepsOnly: Number.POSITIVE_INFINITY,
    renameReplaces: false,
    mayDelete: true,
    mayRead: true,
    takesAway: false,
    meanwhile: () => undefined,
    connections: 0,
    open: 0,
  };
  const line = createLine();
  const sockets = new Set<Socket>();
  const options = {
    hostKeys: [hostKey.private],
    ...(kex === undefined ? {} : { algorithms: { kex: [...kex] as never } }),
  };
  const server = new Server(options, (client) => {
    const socket = (client as unknown as { readonly _sock: Socket })._sock;
    socket.setNoDelay(true);
    sockets.add(socket);
    state.connections += 1;
    state.open += 1;
    client.on('error', () => undefined);
    client.on('close', () => {
      state.open -= 1;
      sockets.delete(socket);
    });
    client.on('authentication', (context) => {
      if (context.method === 'none') {
        context.reject(state.methods);
        return;
      }
      const decide = (right: boolean): void => {
        if (right) {
          context.accept();
        } else {
          state.refused += 1;
          context.reject(state.methods);
        }
      };
      const known = context.username === state.user && (state.methods as string[]).includes(context.method);
      arrive(line, 'LOGIN', context.username, socket, {
        // A login can be refused; of other trouble a server can only hang up.
        refuse: (reply) => (isRefusal(reply) ? decide(false) : socket.destroy()),
        carryOut: () => {
          switch (context.method) {
            case 'password':
              decide(known && context.password === state.password);
              return;
            case 'keyboard-interactive':
              context.prompt([{ prompt: 'Password: ', echo: false }], (answers) =>
                decide(known && answers[0] === state.password),
              );
              return;
            default:
              decide(false);
          }
        },
      });
    });
    client.on('ready', () => {
      client.on('session', (acceptSession) => {
        acceptSession().on('sftp', (accept) => serve(accept(), state, line, socket));
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { readonly port: number };
  const parsed = utils.parseKey(hostKey.public) as unknown as { getPublicSSH(): Buffer };
  const digest = createHash('sha256').update(parsed.getPublicSSH()).digest('base64').replace(/=+$/, '');
  return {
    ...line,
    url: `sftp://127.0.0.1:${port}`,
    state,
    port,
    fingerprint: `SHA256:${digest}`,
    strangersKey: keyPair().private,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) {
          socket.destroy();
        }
      }),
  };
}

/** The package makes a key now and then that it can't read itself. */
function keyPair(): { readonly private: string; readonly public: string } {
  for (;;) {
    const pair = utils.generateKeyPairSync('ed25519');
    if (!(utils.parseKey(pair.private) instanceof Error)) {
      return pair;
    }
  }
}

interface Work {
  refuse(reply: Reply): void;
  carryOut(): void;
}

function isRefusal(reply: Reply): boolean {
  return typeof reply === 'object' && reply.status === 401;
}

/** A request: taken down, and then dealt with as planned. */
function arrive(line: Line, name: string, path: string, socket: Socket, work: Work): void {
  const reply = line.replyTo(receivedOf(name, Buffer.alloc(0), path));
  switch (reply) {
    case undefined:
      work.carryOut();
      return;
    case 'hang':
      return;
    case 'reset':
      socket.destroy();
      return;
    case 'done-then-reset':
      // Held back, so that the answer is lost with the connection.
      socket.cork();
      work.carryOut();
      socket.destroy();
      return;
    default:
      work.refuse(reply);
  }
}

function serve(sftp: SftpServer, state: SftpState, line: Line, socket: Socket): void {
  const handles: Handle[] = [];
  const fileOf = (handle: Buffer): Handle | undefined => handles[handle.readUInt32BE(0)];
  const answer = (name: string, id: number, path: string, carryOut: () => number | undefined): void =>
    arrive(line, name, path, socket, {
      refuse: () => sftp.status(id, status.failure),
      carryOut: () => {
        state.meanwhile(name);
        const code = carryOut();
        if (code !== undefined) {
          sftp.status(id, code);
        }
      },
    });
  sftp.on('OPEN', (id, path, flags) =>
    answer('OPEN', id, path, () => {
      const fresh = (flags & utils.sftp.OPEN_MODE.EXCL) !== 0;
      if (!state.folders.has(folderOf(path))) {
        return status.missing;
      }
      if (fresh && state.files.has(path)) {
        return status.failure;
      }
      if ((flags & utils.sftp.OPEN_MODE.WRITE) === 0) {
        if (!state.mayRead) {
          return status.denied;
        }
      } else {
        state.files.set(path, Buffer.alloc(0));
      }
      handles.push({ path, closed: false });
      const handle = Buffer.alloc(4);
      handle.writeUInt32BE(handles.length - 1);
      sftp.handle(id, handle);
      return undefined;
    }),
  );
  sftp.on('WRITE', (id, handle, offset, data) => {
    const file = fileOf(handle);
    answer('WRITE', id, file?.path ?? '', () => write(state, file, offset, data, socket));
  });
  sftp.on('READ', (id, handle, offset, length) => {
    const path = fileOf(handle)?.path ?? '';
    answer('READ', id, path, () => {
      const bytes = state.files.get(path)?.subarray(offset, offset + length) ?? Buffer.alloc(0);
      if (bytes.length === 0) {
        return status.end;
      }
      sftp.data(id, bytes);
      return undefined;
    });
  });
  sftp.on('FSTAT', (id, handle) => {
    const path = fileOf(handle)?.path ?? '';
    answer('FSTAT', id, path, () => {
      sftp.attrs(id, attributes(false, state.files.get(path)?.length ?? 0));
      return undefined;
    });
  });
  sftp.on('CLOSE', (id, handle) => {
    const file = fileOf(handle);
    answer('CLOSE', id, file?.path ?? '', () => {
      if (file === undefined || file.closed) {
        return status.failure;
      }
      file.closed = true;
      return status.ok;
    });
  });
  sftp.on('STAT', (id, path) =>
    answer('STAT', id, path, () => {
      const bytes = state.files.get(path)?.length;
      if (bytes === undefined && !state.folders.has(path)) {
        return status.missing;
      }
      sftp.attrs(id, attributes(bytes === undefined, bytes ?? 0));
      return undefined;
    }),
  );
  sftp.on('RENAME', (id, from, to) => answer('RENAME', id, from, () => rename(state, from, to)));
  sftp.on('REMOVE', (id, path) =>
    answer('REMOVE', id, path, () => {
      if (!state.mayDelete) {
        return status.denied;
      }
      return state.files.delete(path) ? status.ok : status.missing;
    }),
  );
  sftp.on('MKDIR', (id, path) =>
    answer('MKDIR', id, path, () => {
      if (state.folders.has(path)) {
        return status.failure;
      }
      state.folders.add(path);
      return status.ok;
    }),
  );
}

function write(
  state: SftpState,
  file: Handle | undefined,
  offset: number,
  data: Buffer,
  socket: Socket,
): number | undefined {
  if (file === undefined || file.closed) {
    return status.failure;
  }
  const before = state.files.get(file.path) ?? Buffer.alloc(0);
  const after = Buffer.alloc(Math.max(before.length, offset + data.length));
  before.copy(after);
  data.copy(after, offset);
  const total = [...state.files.values()].reduce((sum, { length }) => sum + length, 0);
  if (total - before.length + after.length > state.capacity) {
    return status.failure;
  }
  state.files.set(file.path, after.subarray(0, state.keepsOnly));
  if (after.length >= state.breaksAt) {
    state.breaksAt = Number.POSITIVE_INFINITY;
    socket.destroy();
    return undefined;
  }
  return status.ok;
}

function rename(state: SftpState, from: string, to: string): number {
  const bytes = state.files.get(from);
  if (bytes === undefined) {
    return status.missing;
  }
  if (state.files.has(to) && !state.renameReplaces) {
    return status.failure;
  }
  state.files.delete(from);
  if (!state.takesAway) {
    state.files.set(to, bytes);
  }
  return status.ok;
}

function folderOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '.';
}

function attributes(isFolder: boolean, size: number) {
  const kind = isFolder ? 0o040000 : 0o100000;
  return { mode: kind | 0o644, size, uid: 0, gid: 0, atime: 0, mtime: 0 };
}
