import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { smtp } from '../../connectors/smtp/index.ts';
import type { AnyConnection } from '../../engine/contracts/connector.ts';
import type { Mail, MailOutcome } from '../../engine/contracts/destination.ts';
import type { ActivateError } from '../../engine/contracts/errors.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { type FakeSmtp, headerOf, partOf, startMute, startSmtp } from '../fakes/smtp.ts';
import { openFor } from '../support/connect.ts';

const mail: Mail = {
  mark: 'mark-1',
  to: 'ann@customer.example',
  subject: 'Your trial ends',
  text: 'Hello Ann, your trial ends tomorrow.\n',
  html: '<!doctype html><p>Hello Ann</p>',
  unsubscribe: 'https://bot.example/unsubscribe/token',
  list: 'trials',
};

let far: FakeSmtp;
const closing: (() => Promise<void>)[] = [];

beforeEach(async () => {
  far = await startSmtp();
});

afterEach(async () => {
  for (const close of closing.splice(0)) {
    await close();
  }
  await far.close();
});

function typed(more: Raw = {}): Raw {
  return {
    host: '127.0.0.1',
    port: String(far.port),
    security: 'none',
    user: far.user,
    password: far.password,
    from: 'news@acme.example',
    ...more,
  };
}

async function open(more: Raw = {}): Promise<AnyConnection> {
  const opened = await openFor(smtp, typed(more));
  closing.push(opened.close);
  return opened.connection;
}

interface Sent {
  readonly outcome: MailOutcome | undefined;
  readonly error: ActivateError | undefined;
  /** Whether the content was about to go out. */
  readonly begun: number;
}

async function send(connection: AnyConnection, given: Partial<Mail> = {}): Promise<Sent> {
  let begun = 0;
  try {
    const outcome = await connection.mail?.send(
      { ...mail, ...given },
      {
        signal: new AbortController().signal,
        begin: async () => {
          begun += 1;
        },
      },
    );
    return { outcome, error: undefined, begun };
  } catch (error) {
    return { outcome: undefined, error: error as ActivateError, begun };
  }
}

describe('a mail', () => {
  it('has a plain part and one in HTML, one recipient, and no copy to anybody', async () => {
    const { outcome } = await send(await open({ fromName: 'Acme', replyTo: 'help@acme.example' }));

    expect(outcome).toEqual({ state: 'ok', id: '<mark-1@acme.example>' });
    const [taken] = far.taken;
    expect(taken).toMatchObject({ from: 'news@acme.example', to: ['ann@customer.example'] });
    expect(taken && headerOf(taken, 'From')).toBe('Acme <news@acme.example>');
    expect(taken && headerOf(taken, 'To')).toBe('ann@customer.example');
    expect(taken && headerOf(taken, 'Reply-To')).toBe('help@acme.example');
    expect(taken && headerOf(taken, 'Content-Type')).toContain('multipart/alternative');
    expect(taken && partOf(taken, 'text/plain')).toContain('your trial ends tomorrow');
    expect(taken && partOf(taken, 'text/html')).toContain('<p>Hello Ann</p>');
    expect(taken?.raw).not.toMatch(/^(?:Bcc|Cc):/im);
  });

  it('has the same Message-ID at each attempt, so that a repeat can be told', async () => {
    const connection = await open();

    await send(connection);
    await send(connection);
    await send(connection, { mark: 'mark-2' });

    expect(far.taken.map((one) => headerOf(one, 'Message-ID'))).toEqual([
      '<mark-1@acme.example>',
      '<mark-1@acme.example>',
      '<mark-2@acme.example>',
    ]);
  });

  it('has the headers of RFC 2369 and RFC 8058 to unsubscribe, and says that no person wrote it', async () => {
    await send(await open());

    const [taken] = far.taken;
    expect(taken && headerOf(taken, 'List-Unsubscribe')).toBe('<https://bot.example/unsubscribe/token>');
    expect(taken && headerOf(taken, 'List-Unsubscribe-Post')).toBe('List-Unsubscribe=One-Click');
    expect(taken && headerOf(taken, 'List-ID')).toBe('<trials.acme.example>');
    expect(taken && headerOf(taken, 'Auto-Submitted')).toBe('auto-generated');
  });

  it('promises no one click where the address is not encrypted, and no list where there is none', async () => {
    const connection = await open();

    await send(connection, { unsubscribe: 'http://localhost:3000/unsubscribe/token' });
    await send(connection, { unsubscribe: undefined });

    const [plain, none] = far.taken;
    expect(plain && headerOf(plain, 'List-Unsubscribe')).toContain('http://localhost:3000');
    expect(plain && headerOf(plain, 'List-Unsubscribe-Post')).toBeUndefined();
    expect(none && headerOf(none, 'List-Unsubscribe')).toBeUndefined();
  });

  it('bounces to another address than the sender where one is given', async () => {
    await send(await open({ bounces: 'bounces@acme.example' }));

    expect(far.taken[0]?.from).toBe('bounces@acme.example');
    expect(far.taken[0] && headerOf(far.taken[0], 'From')).toBe('news@acme.example');
  });

  it('can not begin another header, whatever its subject holds', async () => {
    await send(await open(), { subject: 'Hello\r\nBcc: everybody@customer.example\r\n\r\nBody' });

    const [head = ''] = far.taken[0]?.raw.split('\r\n\r\n') ?? [];
    expect(head).not.toMatch(/^(?:Bcc|Body)/im);
    expect(far.taken[0]?.to).toEqual(['ann@customer.example']);
  });

  it('reaches addresses whose domain, or name, has letters beyond ASCII', async () => {
    const connection = await open();

    await send(connection, { to: 'ann@müller.example' });
    await send(connection, { to: 'jürgen@müller.example', subject: 'Grüße, 世界' });

    expect(far.taken.map((one) => headerOf(one, 'To'))).toEqual([
      'ann@xn--mller-kva.example',
      'jürgen@müller.example',
    ]);
  });

  it('is refused where its server takes no such name', async () => {
    await far.close();
    far = await startSmtp({ hideSMTPUTF8: true });
    const connection = await open();

    const { outcome, begun } = await send(connection, { to: 'jürgen@müller.example' });

    expect(outcome).toMatchObject({
      state: 'rejected',
      gone: false,
      reason: expect.stringContaining('ASCII'),
    });
    expect(begun).toBe(0);
  });
});

describe('an address that the server refuses', () => {
  it.each([
    [550, '5.1.1 <ann@customer.example>: No such user', true],
    [550, 'No such user here', true],
    [551, '5.1.6 ann@customer.example has moved', true],
    [553, '5.1.3 Bad address syntax', false],
    [550, '5.7.1 Not allowed to write to ann@customer.example', false],
    [552, '5.2.2 Mailbox of ann full', false],
    [554, 'Not here', false],
  ])('%i %s is for good; nobody is there: %s', async (code, text, gone) => {
    const connection = await open();
    far.says.to = () => ({ code, text });

    const { outcome, begun } = await send(connection);

    expect(outcome).toMatchObject({ state: 'rejected', gone });
    expect(JSON.stringify(outcome)).not.toMatch(/ann/);
    expect(begun).toBe(0);
    delete far.says.to;
    expect((await send(connection)).outcome?.state).toBe('ok');
    expect(far.seen.connections).toBe(1);
  });

  it.each([450, 451, 452])('%i passes by itself', async (code) => {
    const connection = await open();
    far.says.to = () => ({ code, text: '4.7.1 Greylisted, come back later' });

    const { outcome, begun } = await send(connection);

    expect(outcome).toMatchObject({ state: 'retry', reason: expect.stringContaining('Greylisted') });
    expect(begun).toBe(0);
  });
});

describe('what is about the connection', () => {
  it('421: the server has too much to do', async () => {
    const connection = await open();
    far.says.to = () => ({ code: 421, text: 'Too many mails' });

    expect((await send(connection)).error?.code).toBe('UNAVAILABLE');
  });

  it('a sender that the server does not let us be ends the run', async () => {
    const connection = await open();
    far.says.from = () => ({ code: 550, text: '5.7.1 Sender not owned by user' });

    const { error } = await send(connection);

    expect(error).toMatchObject({ code: 'PERMISSION_DENIED', fix: expect.stringContaining('From') });
  });

  it.each([
    [554, 'Rejected as spam'],
    [550, '5.7.26 Unauthenticated mail'],
  ])('%i %s at the content is about our name, and ends the run', async (code, text) => {
    const connection = await open();
    far.says.data = () => ({ code, text });

    expect((await send(connection)).error?.code).toBe('PERMISSION_DENIED');
    expect(far.taken).toEqual([]);
  });

  it('a wrong password is said at its field, without the password', async () => {
    const { connection, close } = await openFor(smtp, typed({ password: 'not-the-password' }));
    closing.push(close);

    const error = await connection.check('mail').catch((thrown: unknown) => thrown as ActivateError);

    expect(error).toMatchObject({ code: 'AUTH_REJECTED', fields: { password: expect.any(String) } });
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain('not-the-password');
    expect((await send(connection)).error?.code).toBe('AUTH_REJECTED');
  });

  it('a login that is only put off passes by itself', async () => {
    const connection = await open();
    far.says.login = () => ({ code: 454, text: '4.7.0 Temporary authentication failure' });

    expect((await send(connection)).error?.code).toBe('UNAVAILABLE');
  });

  it('a server that hangs up in the middle of the login passes by itself', async () => {
    const connection = await open();
    far.says.login = () => 'cut';

    expect((await send(connection)).error?.code).toBe('UNAVAILABLE');
  });

  it('a server that is not there, or turns us away for now', async () => {
    const connection = await open();
    far.says.greeting = () => ({ code: 421, text: 'Too busy' });
    expect((await send(connection)).error?.code).toBe('UNAVAILABLE');

    const { port } = far;
    await far.close();
    const gone = await open({ port: String(port) });
    const { error } = await send(gone);
    far = await startSmtp();

    expect(error).toMatchObject({ code: 'UNAVAILABLE', fix: expect.stringContaining('host') });
  });

  it('a server that closed a connection which nobody used is called again', async () => {
    const connection = await open();
    await send(connection);
    await far.hangUp();

    const first = await send(connection, { mark: 'mark-2' });
    const second = first.outcome ?? (await send(connection, { mark: 'mark-2' })).outcome;

    expect(first.error?.code ?? 'UNAVAILABLE').toBe('UNAVAILABLE');
    expect(second?.state).toBe('ok');
    expect(far.taken).toHaveLength(2);
  });
});

describe('a mail whose connection breaks off', () => {
  it('before its content went out is known not to have been sent', async () => {
    const connection = await open();
    far.says.to = () => 'cut';

    expect(await send(connection)).toMatchObject({ error: { code: 'UNAVAILABLE' }, begun: 0 });
  });

  it('after its content went out may have been taken: it says so, and sends nothing again by itself', async () => {
    const connection = await open();
    far.says.data = () => 'cut';

    const { outcome, begun } = await send(connection);

    expect(outcome).toMatchObject({ state: 'unknown' });
    expect(begun).toBe(1);
    expect(far.taken).toHaveLength(1);
  });

  it('after the server said no to its content is known not to have been taken', async () => {
    const connection = await open();
    far.says.data = () => ({ code: 451, text: '4.3.0 Try again' });
    expect((await send(connection)).outcome?.state).toBe('retry');

    far.says.data = () => ({ code: 552, text: '5.3.4 Too large' });
    expect((await send(connection)).outcome).toMatchObject({ state: 'rejected', gone: false });

    delete far.says.data;
    expect((await send(connection)).outcome?.state).toBe('ok');
    expect(far.taken).toHaveLength(1);
  });

  it('is not sent when it could not be written down that it will be', async () => {
    const connection = await open();

    const sending = connection.mail?.send(mail, {
      signal: new AbortController().signal,
      begin: () => Promise.reject(new Error('the database is away')),
    });

    await expect(sending).rejects.toThrow('the database is away');
    expect((await send(connection)).outcome?.state).toBe('ok');
    expect(far.taken).toHaveLength(1);
  });

  it('stops at once while nothing has gone out', async () => {
    const connection = await open();
    const gone = new AbortController();
    const asked = new Promise<void>((resolve) => {
      far.says.to = () => {
        resolve();
        return 'hang';
      };
    });
    const sending = connection.mail?.send(mail, { signal: gone.signal, begin: async () => undefined });
    await asked;

    gone.abort(new Error('stopped'));

    await expect(sending).rejects.toThrow('stopped');
    expect(far.taken).toEqual([]);
  });

  it('waits for the answer when it is stopped after its content went out', async () => {
    const connection = await open();
    const gone = new AbortController();
    far.says.data = () => {
      gone.abort(new Error('stopped'));
      return undefined;
    };

    const outcome = await connection.mail?.send(mail, { signal: gone.signal, begin: async () => undefined });

    expect(outcome?.state).toBe('ok');
  });
});

describe('the connections', () => {
  it('are used again, and never more at once than it says', async () => {
    const connection = await open({ connections: '2' });

    await Promise.all(Array.from({ length: 20 }, (_, at) => send(connection, { mark: `m-${at}` })));

    expect(far.taken).toHaveLength(20);
    expect(far.seen.most).toBeLessThanOrEqual(2);
    expect(far.seen.logins).toBeLessThanOrEqual(2);
    expect(connection.mail?.limits).toEqual({ rows: 1, concurrency: 2, paceMs: 0 });
  });

  it('are paced as the provider wants it', async () => {
    expect((await open({ perMinute: '30' })).mail?.limits).toEqual({ rows: 1, concurrency: 3, paceMs: 2000 });
  });

  it('are given up after a hundred mails', async () => {
    const connection = await open({ connections: '1' });

    for (let at = 0; at < 101; at += 1) {
      await send(connection, { mark: `m-${at}` });
    }

    expect(far.taken).toHaveLength(101);
    expect(far.seen.connections).toBe(2);
  });
});

describe('a size that the server does not take', () => {
  it('is refused for that mail before anything goes out', async () => {
    await far.close();
    far = await startSmtp({ size: 10_000 });
    const connection = await open();

    const { outcome, begun } = await send(connection, { html: `<p>${'x'.repeat(20_000)}</p>` });

    expect(outcome).toMatchObject({ state: 'rejected', reason: expect.stringContaining('larg') });
    expect(begun).toBe(0);
    expect((await send(connection)).outcome?.state).toBe('ok');
  });
});

describe('the fields of a connection', () => {
  it.each([
    [{ host: 'smtp.example.com' }, 'security'],
    [{ host: 'smtp://x' }, 'host'],
    [{ password: '' }, 'password'],
    [{ user: '' }, 'user'],
    [{ from: 'Acme <news@acme.example>' }, 'from'],
    [{ from: 'news@acme.example\r\nBcc: x@y.example' }, 'from'],
    [{ fromName: 'Acme\r\nBcc: x@y.example' }, 'fromName'],
    [{ replyTo: 'nobody' }, 'replyTo'],
  ] as const)('%j can not be', async (more, name) => {
    await expect(openFor(smtp, typed({ ...more }))).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { [name]: expect.any(String) },
    });
  });

  it('are tried with a login and without a mail', async () => {
    expect(await (await open()).check('mail')).toEqual([]);

    expect(far.seen.logins).toBe(1);
    expect(far.taken).toEqual([]);
  });
});

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const encrypted = `an encrypted connection${hasOpenssl ? '' : ' (skipped: openssl is not installed)'}`;

describe.runIf(hasOpenssl)(encrypted, () => {
  let dir: string;
  let key: Buffer;
  let cert: Buffer;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'activate-smtp-'));
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1'],
        ...['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', 'key.pem', '-out', 'cert.pem'],
      ],
      { cwd: dir, stdio: 'ignore' },
    );
    key = readFileSync(join(dir, 'key.pem'));
    cert = readFileSync(join(dir, 'cert.pem'));
    await far.close();
  });

  afterEach(() => rm(dir, { recursive: true, force: true }));

  it.each(['starttls', 'tls'])(
    '%s is made where the certificate is known, and only there',
    async (security) => {
      far = await startSmtp({ key, cert, secure: security === 'tls' });

      const known = await open({ security, certificate: cert.toString() });
      const unknown = await open({ security });

      expect((await send(known)).outcome?.state).toBe('ok');
      expect((await send(unknown)).error?.code).toBe('CONFIG_INVALID');
      expect(far.taken).toHaveLength(1);
    },
  );

  it('is not done without when the server offers none: neither password nor mail goes out', async () => {
    far = await startSmtp();

    const connection = await open({ security: 'starttls' });

    expect((await send(connection)).error?.code).toBe('CONFIG_INVALID');
    expect(far.seen.logins).toBe(0);
    expect(far.taken).toEqual([]);
  });
});

describe('a server that takes the connection and says nothing', () => {
  it('is given up with the signal', async () => {
    const mute = await startMute();
    const connection = await open({ port: String(mute.port) });
    const gone = new AbortController();

    const sending = connection.mail?.send(mail, { signal: gone.signal, begin: async () => undefined });
    gone.abort(new Error('stopped'));

    await expect(sending).rejects.toThrow('stopped');
    await mute.close();
  });
});
