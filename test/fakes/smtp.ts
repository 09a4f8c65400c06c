import { type AddressInfo, createServer, type Socket } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

/** What the server says in place of taking something: a reply with its code, nothing ever, what is no reply before it hangs up; or it cuts the connection. */
export type Reply = { readonly code: number; readonly text: string } | 'hang' | 'cut' | 'garbage';

/** A mail as it was taken. */
export interface TakenMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly raw: string;
}

export interface FakeSmtp {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Every mail that was answered with 250, or taken and never answered. */
  readonly taken: TakenMail[];
  /** Connections so far, and logins. */
  readonly seen: { connections: number; logins: number; open: number; most: number };
  /** Asked at each step; undefined: as it should be. */
  says: {
    greeting?: () => Reply | undefined;
    login?: () => Reply | undefined;
    from?: (address: string) => Reply | undefined;
    to?: (address: string) => Reply | undefined;
    /** At the dot that ends a mail. One that gets no reply is taken all the same. */
    data?: (mail: TakenMail) => (Reply & { readonly taken?: boolean }) | 'cut' | 'hang' | undefined;
  };
  /** Resolves when the next content has begun to arrive. */
  contentBegins(): Promise<void>;
  /** Closes all connections. */
  hangUp(): Promise<void>;
  close(): Promise<void>;
}

const login = { user: 'activate', password: 'a-password-for-programs' } as const;

/** A real SMTP server on 127.0.0.1. Without certificates it speaks in the clear. */
export async function startSmtp(options: SMTPServerOptions = {}): Promise<FakeSmtp> {
  const taken: TakenMail[] = [];
  const seen = { connections: 0, logins: 0, open: 0, most: 0 };
  const says: FakeSmtp['says'] = {};
  const sockets = new Set<Socket>();
  let tell: (() => void)[] = [];
  const byPort = new Map<number, Socket>();
  const answer = (
    reply: Reply | undefined,
    session: { readonly remotePort: number },
    done: (error?: Error) => void,
  ): void => {
    if (reply === 'hang') {
      return;
    }
    if (reply === 'cut') {
      byPort.get(session.remotePort)?.destroy();
      return;
    }
    if (reply === 'garbage') {
      byPort.get(session.remotePort)?.end('Thank you\r\n');
      return;
    }
    done(reply === undefined ? undefined : failure(reply));
  };
  const server = new SMTPServer({
    logger: false,
    hideENHANCEDSTATUSCODES: true,
    disabledCommands: options.secure || options.key !== undefined ? [] : ['STARTTLS'],
    authOptional: false,
    allowInsecureAuth: true,
    closeTimeout: 100,
    ...options,
    onConnect: (session, done) => {
      seen.connections += 1;
      answer(says.greeting?.(), session, done);
    },
    onAuth: (auth, session, done) => {
      seen.logins += 1;
      const reply = says.login?.();
      if (reply !== undefined) {
        answer(reply, session, (error) => done(error ?? null));
        return;
      }
      const right = auth.username === login.user && auth.password === login.password;
      done(right ? null : failure({ code: 535, text: '5.7.8 Authentication credentials invalid' }), {
        user: login.user,
      });
    },
    onMailFrom: ({ address }, session, done) => answer(says.from?.(address), session, done),
    onRcptTo: ({ address }, session, done) => answer(says.to?.(address), session, done),
    onData: (stream, session, done) => {
      for (const one of tell) {
        one();
      }
      tell = [];
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        const mail = {
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          raw: Buffer.concat(chunks).toString('utf8'),
        };
        const reply = says.data?.(mail);
        if (reply === undefined || typeof reply === 'string') {
          taken.push(mail);
        }
        answer(reply, session, done);
      });
    },
  });
  server.on('error', () => undefined);
  const listening = server.listen(0, '127.0.0.1');
  listening.on('connection', (socket: Socket) => {
    sockets.add(socket);
    seen.open += 1;
    seen.most = Math.max(seen.most, seen.open);
    byPort.set(socket.remotePort ?? 0, socket);
    socket.once('close', () => {
      seen.open -= 1;
      sockets.delete(socket);
    });
  });
  await new Promise<void>((resolve) => listening.once('listening', resolve));
  return {
    port: (listening.address() as AddressInfo).port,
    ...login,
    taken,
    seen,
    says,
    contentBegins: () => new Promise((resolve) => tell.push(resolve)),
    hangUp: async () => {
      const all = [...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
      for (const socket of sockets) {
        socket.end();
      }
      await Promise.all(all);
    },
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) {
        socket.destroy();
      }
      await closed;
    },
  };
}

function failure({ code, text }: { readonly code: number; readonly text: string }): Error {
  return Object.assign(new Error(text), { responseCode: code });
}

/** A server that takes connections and never says a word. */
export async function startMute(): Promise<{ readonly port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of sockets) {
        socket.destroy();
      }
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** The value of a header, unfolded; undefined when there is none. */
export function headerOf({ raw }: TakenMail, name: string): string | undefined {
  const [head = ''] = raw.split('\r\n\r\n');
  const unfolded = head.replaceAll(/\r\n[ \t]+/g, ' ');
  return new RegExp(`^${name}: (.*)$`, 'im').exec(unfolded)?.[1];
}

/** The decoded part of this type. */
export function partOf({ raw }: TakenMail, type: 'text/plain' | 'text/html'): string {
  const [, boundary = ''] = /boundary="([^"]+)"/.exec(raw) ?? [];
  const part = raw.split(`--${boundary}`).find((one) => one.includes(`Content-Type: ${type}`)) ?? '';
  const at = part.indexOf('\r\n\r\n');
  const body = part.slice(at + 4);
  if (/Content-Transfer-Encoding: base64/i.test(part)) {
    return Buffer.from(body, 'base64').toString('utf8');
  }
  if (/Content-Transfer-Encoding: quoted-printable/i.test(part)) {
    const bytes = body
      .replaceAll('=\r\n', '')
      .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    return Buffer.from(bytes, 'latin1').toString('utf8');
  }
  return body;
}
