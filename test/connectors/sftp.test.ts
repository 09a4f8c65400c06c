import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { sftp } from '../../connectors/sftp/index.ts';
import type { Files, NewFile } from '../../engine/contracts/destination.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { destinationContract } from '../contracts/destination.ts';
import { type FakeSftp, startFakeSftp } from '../fakes/sftp.ts';
import { call, type Opened, openFor } from '../support/connect.ts';
import { hasSshd, type Sshd, startSshd } from '../support/sshd.ts';

const mebibyte = 1024 * 1024;
const file: NewFile = { path: 'orders-m1.csv', contentType: 'text/csv', mark: 'm1', overwrite: false };
const part = '.orders-m1.csv.m1.part';

function bodyOf(...pieces: readonly (string | Buffer)[]): () => AsyncIterable<Uint8Array> {
  return async function* () {
    for (const piece of pieces) {
      yield Buffer.from(piece);
    }
  };
}

/** So many MiB that differ from each other, in odd pieces. */
function large(mebibytes: number): Buffer {
  return Buffer.concat(Array.from({ length: mebibytes }, (_, at) => Buffer.alloc(mebibyte, at + 1)));
}

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) {
    yield bytes.subarray(from, from + size);
  }
}

async function errorOf(doing: Promise<unknown>): Promise<{ code?: string; message?: string; fields?: Raw }> {
  return doing.then(
    () => ({}),
    (thrown: { code?: string }) => thrown,
  );
}

describe.skipIf(!hasSshd)('SFTP: a real OpenSSH server (skipped where there is no sshd)', () => {
  let sshd: Sshd;
  let opened: Opened;
  let files: Files;
  const configFor = (typed: Raw = {}): Raw => ({
    host: '127.0.0.1',
    port: String(sshd.port),
    user: sshd.user,
    privateKey: sshd.privateKey,
    folder: `${sshd.folder}/`,
    hostKey: sshd.fingerprint,
    ...typed,
  });
  const there = (name: string): string => readFileSync(join(sshd.folder, name), 'utf8');

  beforeAll(async () => {
    sshd = await startSshd();
    opened = await openFor(sftp, configFor());
    files = opened.connection.files as Files;
  });

  afterAll(async () => {
    await opened?.close();
    await sshd?.stop();
  });

  afterEach(() => {
    expect(
      readdirSync(sshd.folder, { recursive: true }).filter((name) => String(name).includes('.part')),
    ).toEqual([]);
  });

  it('takes a file below folders that are made for it', async () => {
    const stored = await files.put({ ...file, path: '2026/11/Zoë 1.csv' }, bodyOf('id\r\n', '1\r\n'), call());

    expect(stored).toEqual({ bytes: 7 });
    expect(there('2026/11/Zoë 1.csv')).toBe('id\r\n1\r\n');
    expect(await files.stat('2026/11/Zoë 1.csv')).toEqual({ bytes: 7 });
    expect(await files.stat('2026/none.csv')).toBeUndefined();
    expect(files.locate('a.csv')).toBe(`127.0.0.1:${sshd.port}:${sshd.folder}/a.csv`);
  });

  it('takes a large file as it is, however it is cut', async () => {
    const bytes = large(20);

    await files.put({ ...file, path: 'large.bin' }, () => inPieces(bytes, 77_777), call());

    expect(readFileSync(join(sshd.folder, 'large.bin')).equals(bytes)).toBe(true);
  });

  it('has a file on the disk before it gets its name', async () => {
    const before = sshd.said().length;

    await files.put({ ...file, path: 'safe.csv', overwrite: true }, bodyOf('x'), call());

    const log = (): string => sshd.said().slice(before);
    await vi.waitFor(() => expect(log()).toContain('posix-rename'));
    expect(log()).toMatch(/fsync[\s\S]*close[\s\S]*posix-rename/);
  });

  it('does not replace a file unless it may, and then in one step', async () => {
    await files.put({ ...file, path: 'latest.csv' }, bodyOf('first'), call());

    expect(await errorOf(files.put({ ...file, path: 'latest.csv' }, bodyOf('x'), call()))).toMatchObject({
      code: 'EXISTS',
    });
    expect(there('latest.csv')).toBe('first');
    await files.put({ ...file, path: 'latest.csv', overwrite: true }, bodyOf('second'), call());
    expect(there('latest.csv')).toBe('second');
  });

  it('keeps its hands off all other files of the folder', async () => {
    writeFileSync(join(sshd.folder, 'theirs.csv'), 'theirs');
    writeFileSync(join(sshd.folder, '.theirs.other.hidden'), 'theirs');

    await files.put({ ...file, path: 'ours.csv', overwrite: true }, bodyOf('ours'), call());
    await opened.connection.check('files');

    expect([there('theirs.csv'), there('.theirs.other.hidden')]).toEqual(['theirs', 'theirs']);
  });

  it('finds the file of an attempt that died before it was noted', async () => {
    await files.put({ ...file, path: 'noted.csv' }, () => inPieces(large(2), 50_000), call());

    const again = await files.put(
      { ...file, path: 'noted.csv' },
      () => inPieces(large(2), 50_000),
      call({ again: true }),
    );

    expect(again).toEqual({ bytes: 2 * mebibyte });
  });

  it('begins anew where an attempt that died has left a part', async () => {
    writeFileSync(join(sshd.folder, '.again.csv.m1.part'), 'half of it, and longer than the whole');

    await files.put({ ...file, path: 'again.csv' }, bodyOf('whole'), call({ again: true }));

    expect(there('again.csv')).toBe('whole');
  });

  it('leaves nothing of a file whose source breaks off, which plain uploads leave', async () => {
    const broken = new Error('the cursor is gone');
    const reading = async function* () {
      yield large(3);
      throw broken;
    };

    await expect(files.put({ ...file, path: 'broken.csv' }, reading, call())).rejects.toBe(broken);
    expect(existsSync(join(sshd.folder, 'broken.csv'))).toBe(false);
  });

  it('checks, and leaves nothing behind', async () => {
    const before = readdirSync(sshd.folder);

    expect(await opened.connection.check('files')).toEqual([]);
    expect(readdirSync(sshd.folder)).toEqual(before);
  });

  it('says which folder is missing', async () => {
    const other = await openFor(sftp, configFor({ folder: '/no/such/folder' }));

    expect(await errorOf(other.connection.check('files'))).toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { folder: expect.any(String) },
    });
  });

  it('says so when a file is in the way of a folder', async () => {
    writeFileSync(join(sshd.folder, 'in-the-way'), '');

    expect(
      await errorOf(files.put({ ...file, path: 'in-the-way/x.csv' }, bodyOf('x'), call())),
    ).toMatchObject({
      code: 'EXISTS',
      message: expect.stringContaining('in-the-way is a file'),
    });
  });

  it.each([
    ['one line', (key: string) => key.replaceAll('\n', ' ')],
    ['no breaks at all', (key: string) => key.replaceAll('\n', '')],
    ['\\n for breaks', (key: string) => key.replaceAll('\n', '\\n')],
    ['breaks of Windows', (key: string) => key.replaceAll('\n', '\r\n')],
  ])('takes a key that was pasted as %s', async (_how, pasted) => {
    for (const key of [sshd.privateKey, sshd.pemKey]) {
      const other = await openFor(sftp, configFor({ privateKey: pasted(key) }));
      expect(await other.connection.check('files')).toEqual([]);
    }
  });

  it('takes keys that are locked with a passphrase, new ones and old ones', async () => {
    for (const key of [sshd.lockedKey, sshd.lockedPemKey]) {
      const privateKey = key.replaceAll('\n', ' ');
      const right = await openFor(sftp, configFor({ privateKey, passphrase: sshd.lockedKeyPassphrase }));
      expect(await right.connection.check('files')).toEqual([]);

      const none = await openFor(sftp, configFor({ privateKey }));
      expect(await errorOf(none.connection.check('files'))).toMatchObject({
        code: 'CONFIG_INVALID',
        fields: { privateKey: expect.any(String) },
      });
      const wrong = await openFor(sftp, configFor({ privateKey, passphrase: 'a wrong one' }));
      expect(await errorOf(wrong.connection.check('files'))).toMatchObject({
        code: 'CONFIG_INVALID',
        fields: { passphrase: expect.any(String) },
      });
    }
  });

  it('says so when the key is not let in, and what the server takes', async () => {
    const other = await openFor(sftp, configFor({ privateKey: sshd.strangersKey }));
    expect(await errorOf(other.connection.check('files'))).toMatchObject({
      code: 'AUTH_REJECTED',
      fields: { privateKey: expect.any(String) },
    });

    const { privateKey: _, ...rest } = configFor({ password: 'no-such-password' });
    const error = await errorOf((await openFor(sftp, rest)).connection.check('files'));
    expect(error).toMatchObject({
      code: 'AUTH_REJECTED',
      message: expect.stringContaining('It takes: publickey.'),
    });
  });

  it('shows the key that the server has when nobody has confirmed one', async () => {
    const { hostKey: _, ...rest } = configFor();
    const other = await openFor(sftp, rest);

    const error = await errorOf(other.connection.check('files'));

    expect(error).toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { hostKey: expect.stringContaining(sshd.fingerprint) },
    });
  });
});

describe('SFTP: what goes wrong', () => {
  let fake: FakeSftp;
  let opened: Opened;
  let files: Files;
  const configFor = (typed: Raw = {}): Raw => ({
    host: '127.0.0.1',
    port: String(fake.port),
    user: 'acme',
    password: 'secret-secret-secret',
    folder: 'up',
    hostKey: fake.fingerprint,
    ...typed,
  });
  const openWith = async (typed: Raw): Promise<void> => {
    await opened.close();
    opened = await openFor(sftp, configFor(typed));
    files = opened.connection.files as Files;
  };
  const names = (): readonly string[] => [...fake.state.files.keys()];

  beforeEach(async () => {
    fake = await startFakeSftp();
    opened = await openFor(sftp, configFor());
    files = opened.connection.files as Files;
  });

  afterEach(async () => {
    await opened.close();
    await vi.waitFor(() => expect(fake.state.open, 'connections left open').toBe(0));
    await fake.close();
  });

  it('sends nothing secret to a server whose key nobody has confirmed', async () => {
    await openWith({ hostKey: '' });

    expect(await errorOf(files.put(file, bodyOf('x'), call()))).toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { hostKey: expect.stringContaining(fake.fingerprint) },
    });
    expect(fake.requests).toEqual([]);
  });

  it('stops at a server with another key, and names both', async () => {
    const other = `SHA256:${'A'.repeat(43)}`;
    await openWith({ hostKey: other });

    const error = await errorOf(files.put(file, bodyOf('x'), call()));

    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(error.message).toContain(other);
    expect(error.message).toContain(fake.fingerprint);
    expect(fake.requests).toEqual([]);
  });

  it('takes either of two keys, for when they are changed', async () => {
    await openWith({ hostKey: `${'A'.repeat(43)}=, ${fake.fingerprint}` });

    expect(await opened.connection.check('files')).toEqual([]);
  });

  it('asks to log in at most twice', async () => {
    fake.state.methods = ['password', 'keyboard-interactive', 'publickey'];
    await openWith({ password: 'wrong-wrong-wrong', privateKey: fake.strangersKey });

    const error = await errorOf(opened.connection.check('files'));

    expect(error).toMatchObject({ code: 'AUTH_REJECTED', fields: { privateKey: expect.any(String) } });
    expect(fake.state.refused).toBe(2);
  });

  it('gives the password where a server asks for it in its own words', async () => {
    fake.state.methods = ['keyboard-interactive'];

    expect(await opened.connection.check('files')).toEqual([]);
  });

  it('lets a full disk pass for now, and removes what it has written', async () => {
    fake.state.capacity = mebibyte;

    const error = await errorOf(files.put(file, () => inPieces(large(3), 65_536), call()));

    expect(error).toMatchObject({ code: 'UNAVAILABLE', fix: expect.stringContaining('disk') });
    expect(names()).toEqual([]);
  });

  it('does not trust a server that keeps less than it was sent', async () => {
    fake.state.keepsOnly = 1000;

    const error = await errorOf(files.put(file, () => inPieces(large(1), 65_536), call()));

    expect(error).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('1000 of 1048576') });
    expect(names()).toEqual([]);
  });

  it('comes back to remove the part when the connection breaks in the middle', async () => {
    fake.state.breaksAt = 500_000;

    const error = await errorOf(files.put(file, () => inPieces(large(1), 65_536), call()));

    expect(error).toMatchObject({ code: 'UNAVAILABLE' });
    expect(names()).toEqual([]);
    expect(fake.state.connections).toBe(2);
  });

  it('knows that a file was given its name though the answer got lost', async () => {
    fake.next(...untilRename(), 'done-then-reset');

    expect(await files.put(file, bodyOf('whole'), call())).toEqual({ bytes: 5 });
    expect(names()).toEqual(['up/orders-m1.csv']);
  });

  it('does not send a file again that was taken away as soon as it had its name', async () => {
    fake.state.takesAway = true;
    fake.next(...untilRename(), 'done-then-reset');

    await files.put(file, bodyOf('whole'), call());

    expect(fake.to('RENAME')).toHaveLength(1);
    expect(names()).toEqual([]);
  });

  it('tries again when the connection broke before the file was given its name', async () => {
    fake.next(...untilRename(), 'reset');

    expect(await errorOf(files.put(file, bodyOf('whole'), call()))).toMatchObject({ code: 'UNAVAILABLE' });
    expect(names()).toEqual([]);
  });

  it('looks before it renames, since some servers replace what they must not', async () => {
    fake.state.renameReplaces = true;
    const reading = async function* () {
      yield Buffer.from('ours');
      fake.state.files.set('up/orders-m1.csv', Buffer.from('theirs'));
    };

    expect(await errorOf(files.put(file, reading, call()))).toMatchObject({ code: 'EXISTS' });
    expect(fake.state.files.get('up/orders-m1.csv')?.toString()).toBe('theirs');
    expect(names()).not.toContain(`up/${part}`);
  });

  it('goes by the refusal to rename where somebody came in between', async () => {
    fake.state.meanwhile = (name) => {
      if (name === 'RENAME') {
        fake.state.files.set('up/orders-m1.csv', Buffer.from('theirs'));
      }
    };

    expect(await errorOf(files.put(file, bodyOf('ours'), call()))).toMatchObject({ code: 'EXISTS' });
    expect(fake.state.files.get('up/orders-m1.csv')?.toString()).toBe('theirs');
    expect(fake.to('RENAME')).toHaveLength(1);
  });

  it('replaces a file where the server can not do it in one step', async () => {
    fake.state.files.set('up/orders-m1.csv', Buffer.from('old'));

    await files.put({ ...file, overwrite: true }, bodyOf('new'), call());

    expect(fake.state.files.get('up/orders-m1.csv')?.toString()).toBe('new');
    expect(names()).toEqual(['up/orders-m1.csv']);
  });

  it('takes a file for its own only when it tried before, and every byte of it is right', async () => {
    const named = { ...file, path: 'orders.csv' };
    const whole = large(1);
    const other = Buffer.from(whole);
    other[900_000] = 0;
    await files.put(named, () => inPieces(whole, 50_000), call());

    expect(await files.put(named, () => inPieces(whole, 70_000), call({ again: true }))).toEqual({
      bytes: mebibyte,
    });
    expect(await errorOf(files.put(named, bodyOf(whole), call()))).toMatchObject({ code: 'EXISTS' });
    for (const wrong of [
      other,
      whole.subarray(1),
      Buffer.concat([whole, Buffer.from('x')]),
      Buffer.alloc(0),
    ]) {
      expect(await errorOf(files.put(named, bodyOf(wrong), call({ again: true })))).toMatchObject({
        code: 'EXISTS',
      });
    }
    fake.state.mayRead = false;
    expect(await errorOf(files.put(named, bodyOf(whole), call({ again: true })))).toMatchObject({
      code: 'EXISTS',
    });
    expect(fake.to('RENAME')).toHaveLength(1);
  });

  it('stops with the signal while the source hangs, and removes the part', async () => {
    const gone = new AbortController();
    const reason = new Error('stopped');
    const hanging = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('half');
      gone.abort(reason);
      await new Promise(() => undefined);
    };

    await expect(files.put(file, hanging, call({ signal: gone.signal }))).rejects.toBe(reason);
    expect(names()).toEqual([]);
  });

  it('says nothing to the console, whatever the connection does', async () => {
    const said = (['log', 'error', 'warn'] as const).map((name) => vi.spyOn(console, name));
    try {
      fake.next(undefined, 'reset');
      await errorOf(opened.connection.check('files'));
      fake.next('reset');
      await errorOf(opened.connection.check('files'));
      await opened.connection.check('files');

      expect(said.map((spy) => spy.mock.calls)).toEqual([[], [], []]);
    } finally {
      vi.restoreAllMocks();
    }
  });

  it('warns when the small file of a check can not be removed', async () => {
    fake.state.mayDelete = false;

    expect(await opened.connection.check('files')).toEqual([expect.stringContaining('.activate-check-')]);
  });

  it('speaks to an old server only when told to', async () => {
    const old = await startFakeSftp(['diffie-hellman-group14-sha1']);
    try {
      await openWith({ port: String(old.port), hostKey: old.fingerprint });
      expect(await errorOf(opened.connection.check('files'))).toMatchObject({
        code: 'CONFIG_INVALID',
        fields: { legacyAlgorithms: expect.any(String) },
      });

      await openWith({ port: String(old.port), hostKey: old.fingerprint, legacyAlgorithms: 'yes' });
      expect(await opened.connection.check('files')).toEqual([]);
    } finally {
      await old.close();
    }
  });

  it('says so when nothing answers', async () => {
    const other = await startFakeSftp();
    await other.close();
    await openWith({ port: String(other.port) });

    expect(await errorOf(opened.connection.check('files'))).toMatchObject({
      code: 'UNAVAILABLE',
      fields: { host: expect.stringContaining('Nothing answers') },
    });
  });

  describe('written directly', () => {
    beforeEach(() => openWith({ directWrite: 'yes' }));

    it('has its name from the beginning, and is not renamed', async () => {
      expect(await files.put(file, bodyOf('whole'), call())).toEqual({ bytes: 5 });

      expect(fake.to('OPEN').map(({ path }) => path)).toEqual(['up/orders-m1.csv']);
      expect(fake.to('RENAME')).toEqual([]);
      expect(await errorOf(files.put(file, bodyOf('whole'), call()))).toMatchObject({ code: 'EXISTS' });
    });

    it('is removed when its source breaks off', async () => {
      const broken = new Error('the cursor is gone');
      const reading = async function* () {
        yield Buffer.from('half');
        throw broken;
      };

      await expect(files.put(file, reading, call())).rejects.toBe(broken);
      expect(names()).toEqual([]);
    });

    it('is written anew where an attempt that died has left half of it', async () => {
      fake.state.files.set('up/orders-m1.csv', Buffer.from('wh'));

      await files.put(file, bodyOf('whole'), call({ again: true }));

      expect(fake.state.files.get('up/orders-m1.csv')?.toString()).toBe('whole');
    });

    it('says what may be left when it can not be removed', async () => {
      fake.state.capacity = 100;
      fake.state.mayDelete = false;

      const error = await errorOf(files.put(file, bodyOf('x'.repeat(200)), call()));

      expect(error).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('may be left') });
    });

    it('is not tried by a check, since the server would take the file', async () => {
      expect(await opened.connection.check('files')).toEqual([
        expect.stringContaining('Nothing was written'),
      ]);
      expect(fake.to('OPEN')).toEqual([]);
    });
  });
});

/** What is asked before a small file is renamed: login, two looks, removing a part, open, write, size, close, a look. */
function untilRename(): readonly undefined[] {
  return Array.from({ length: 9 }, () => undefined);
}

describe('SFTP: the form', () => {
  const good = { host: 'sftp.example.com', user: 'acme', password: 'hidden-hidden' };

  it.each([
    [{ host: 'sftp://sftp.example.com' }, 'host'],
    [{ host: 'sftp.example.com/upload' }, 'host'],
    [{ password: '' }, 'password'],
    [{ privateKey: 'hidden-hidden' }, 'privateKey'],
    [{ privateKey: '-----BEGIN PUBLIC KEY----- AAAA -----END PUBLIC KEY-----' }, 'privateKey'],
    [{ hostKey: 'SHA256:short' }, 'hostKey'],
    [{ hostKey: 'MD5:00:11:22' }, 'hostKey'],
    [{ hostKey: Array.from({ length: 3 }, () => 'A'.repeat(43)).join(',') }, 'hostKey'],
  ] satisfies readonly (readonly [Raw, string])[])('refuses %j', async (typed, name) => {
    const error = await errorOf(openFor(sftp, { ...good, ...typed }));

    expect(error).toMatchObject({ code: 'CONFIG_INVALID', fields: { [name]: expect.any(String) } });
    expect(String(error)).not.toContain('hidden-hidden');
  });

  it('opens nothing by itself', async () => {
    await (await openFor(sftp, good)).close();
  });
});

destinationContract('sftp', {
  connector: sftp,
  renewsToken: false,
  parts: {
    files: (n) =>
      Array.from({ length: n }, (_, at) => ({
        ...file,
        path: `day/${at}-mark${at}.csv`,
        mark: `mark${at}`,
        bytes: Buffer.from(`file ${at}`),
      })),
  },
  skip: {
    limited: 'SFTP has no way to ask for a pause',
    'limited, no time given': 'SFTP has no way to ask for a pause',
    unreadable: 'SSH takes no answer that was changed on its way',
    quotes: 'what the server says of a failure is not repeated',
  },
  start: async () => {
    const far = await startFakeSftp();
    const config = {
      host: '127.0.0.1',
      port: String(far.port),
      user: 'acme',
      password: 'secret-secret-secret',
      folder: 'up',
      hostKey: far.fingerprint,
    };
    return {
      fake: far,
      config,
      wrongConfig: { ...config, host: '127.0.0.1', password: 'wrong-wrong-wrong' },
      stored: () => [...far.state.files].map(([path, bytes]) => [path, bytes.toString()]),
    };
  },
});
