import { Readable } from 'node:stream';
import type SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { MailCall } from '../../engine/contracts/destination.ts';
import type { Account } from './config.ts';
import { explainConnect, type Failure, Undelivered } from './errors.ts';

export type ConnectionClass = typeof SMTPConnection;

export interface Envelope {
  readonly from: string;
  readonly to: string;
}

/** One connection to the server, logged in. */
export interface Session {
  /** False once it is closed, by whichever side. */
  readonly usable: boolean;
  /** Addresses may have letters beyond ASCII. */
  readonly takesUtf8: boolean;
  /** Throws {@link Undelivered}, what `begin` throws, or the signal's reason while nothing has gone out. */
  deliver(envelope: Envelope, content: Buffer, call: MailCall): Promise<void>;
  /** Makes it ready for another mail after one that was refused. */
  reset(): Promise<void>;
  end(): void;
}

const timeouts = {
  dnsTimeout: 15_000,
  connectionTimeout: 15_000,
  greetingTimeout: 15_000,
  socketTimeout: 60_000,
  socketCloseTimeout: 1000,
} as const;

/** How long an answer is waited for when everything is to stop and the content has gone out already. */
const lastWordMs = 5000;

/** Opens one. Throws an ActivateError that says why it can't be. */
export async function openSession(ConnectionOf: ConnectionClass, account: Account): Promise<Session> {
  const { host, port, security, login, certificate } = account;
  const connection = new ConnectionOf({
    ...timeouts,
    host,
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    ...(certificate === undefined ? {} : { tls: { ca: certificate } }),
  });
  let usable = true;
  connection.once('end', () => {
    usable = false;
  });
  // What is under way hears of a failure by itself; without a listener one in between would end the process.
  connection.on('error', () => {
    usable = false;
  });
  try {
    await new Promise<void>((resolve, reject) => {
      connection.once('error', reject);
      connection.connect((error) => (error === undefined ? resolve() : reject(error)));
    });
    if (login !== undefined) {
      await step(connection, (done) => connection.login({ ...login, credentials: login }, done));
    }
  } catch (thrown) {
    connection.close();
    throw explainConnect(thrown as Failure, login === undefined ? [] : [login.pass]);
  }
  return {
    get usable() {
      return usable;
    },
    takesUtf8: extensionsOf(connection).includes('SMTPUTF8'),
    deliver: (envelope, content, call) => deliver(connection, envelope, content, call),
    reset: () => step(connection, (done) => connection.reset(done)),
    end: () => {
      usable = false;
      connection.quit();
    },
  };
}

/** One command. The package says nothing to whoever waits for it when the connection is lost meanwhile. */
async function step(
  connection: SMTPConnection,
  begin: (done: (error: unknown) => void) => void,
): Promise<void> {
  let lost = (_error?: unknown): void => undefined;
  const ended = (): void => lost({ message: 'The connection was closed', code: 'ECONNECTION' });
  try {
    await new Promise<void>((resolve, reject) => {
      lost = reject;
      connection.once('error', lost);
      connection.once('end', ended);
      begin((error) => (error === null || error === undefined ? resolve() : reject(error)));
    });
  } finally {
    connection.off('error', lost);
    connection.off('end', ended);
  }
}

/** What the server said that it can do; it has no type in the package. */
function extensionsOf(connection: SMTPConnection): readonly string[] {
  const { _supportedExtensions: known } = connection as unknown as {
    readonly _supportedExtensions?: readonly string[];
  };
  return known ?? [];
}

/**
 * The content is asked for only when the server has taken sender and recipient, so that up to then it is certain that
 * nothing can have been sent.
 */
function deliver(
  connection: SMTPConnection,
  envelope: Envelope,
  content: Buffer,
  { signal, begin }: MailCall,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let sent = false;
    let asked = false;
    const over = (): void => signal.removeEventListener('abort', stop);
    const breakOff = (error: unknown): void => {
      over();
      // Without the dot that would end it, no server takes a mail.
      connection.close();
      reject(error);
    };
    const stop = (): void => {
      if (!sent) {
        breakOff(signal.reason);
        return;
      }
      const late = { message: 'No answer before the stop', code: 'ETIMEDOUT' };
      setTimeout(() => breakOff(new Undelivered(late, true)), lastWordMs).unref();
    };
    const body = new Readable({
      read: () => {
        if (asked) {
          return;
        }
        asked = true;
        begin().then(() => {
          if (!signal.aborted) {
            sent = true;
            body.push(content);
            body.push(null);
          }
        }, breakOff);
      },
    });
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    signal.addEventListener('abort', stop, { once: true });
    connection.send({ ...envelope, size: content.length }, body, (error) => {
      over();
      if (error === null) {
        resolve();
      } else {
        reject(new Undelivered(error as Failure, sent));
      }
    });
  });
}
