import { spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { folder } from '../../connectors/folder/index.ts';
import type { Connector } from '../../engine/contracts/connector.ts';
import type { Files, NewFile } from '../../engine/contracts/destination.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { destinationContract } from '../contracts/destination.ts';
import { partOf } from '../contracts/works.ts';
import { call, type Opened, openFor } from '../support/connect.ts';

const top = mkdtempSync(join(tmpdir(), 'activate-folder-'));
/** What an admin has set free, and what lies beside it. */
const root = join(top, 'free');
const beside = join(top, 'beside');
const file: NewFile = { path: 'orders-m1.csv', contentType: 'text/csv', mark: 'm1', overwrite: false };
const part = '.orders-m1.csv.m1.part';

function bodyOf(...pieces: readonly string[]): () => AsyncIterable<Uint8Array> {
  return async function* () {
    for (const piece of pieces) {
      yield Buffer.from(piece);
    }
  };
}

function listed(where: string): readonly string[] {
  return readdirSync(where, { recursive: true }).map(String).toSorted();
}

const opened: Opened[] = [];

async function connected(typed: Raw = {}, allowedFolder: string = root): Promise<Files> {
  const one = await openFor(folder, typed, { allowedFolder });
  opened.push(one);
  return partOf(one.connection, 'files');
}

beforeEach(() => {
  for (const one of [root, beside]) {
    rmSync(one, { recursive: true, force: true });
    mkdirSync(one);
  }
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

afterAll(() => rmSync(top, { recursive: true, force: true }));

let stages = 0;
const plain: Connector = folder;
/** What an admin says comes with the context, and not with the form. */
const setFree: Connector = {
  ...plain,
  open: (values, context) => plain.open(values, { ...context, allowedFolder: root }),
};

destinationContract('a folder', {
  connector: setFree,
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
  skip: Object.fromEntries(
    ['limited', 'limited, no time given', 'in trouble', 'unreadable', 'breaks off', 'stops']
      .concat('refused once', 'refused', 'quotes')
      .map((one) => [one, 'nobody answers at a folder; what goes wrong with one has tests of its own']),
  ),
  start: async () => {
    stages += 1;
    const name = `stage-${stages}`;
    mkdirSync(join(root, name));
    return {
      fake: {
        requests: [],
        next: () => undefined,
        always: () => undefined,
        arrival: () => new Promise(() => undefined),
        expectNoUnexpected: () => undefined,
        close: async () => undefined,
      },
      config: { folder: name },
      wrongConfig: { folder: '../beside' },
      stored: () =>
        listed(join(root, name))
          .filter((path) => path.includes('.csv'))
          .map((path) => [path, readFileSync(join(root, name, path), 'utf8')]),
    };
  },
});

describe('where it may write', () => {
  it('is nowhere until an admin has said where', async () => {
    await expect(openFor(folder, { folder: root })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fix: expect.stringContaining('ALLOWED_FOLDER'),
    });
  });

  it.each(['..', '../beside', 'a/../../beside', '/etc', '/', beside, `${root}-beside`])(
    'is not %s, which is not below the folder that is set free',
    async (typed) => {
      await expect(connected({ folder: typed })).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        fields: { folder: expect.any(String) },
      });
    },
  );

  it.each(['partners/acme', `${root}/partners/acme`, './partners/../partners/acme/'])(
    'is %s below it',
    async (typed) => {
      mkdirSync(join(root, 'partners/acme'), { recursive: true });
      const files = await connected({ folder: typed });

      await files.put(file, bodyOf('1'), call());

      expect(files.locate(file.path)).toBe(join(root, 'partners/acme', file.path));
      expect(listed(root)).toContain('partners/acme/orders-m1.csv');
    },
  );

  it('is not where a link leads to outside of it, as the folder of a connection', async () => {
    symlinkSync(beside, join(root, 'out'));
    const files = await connected({ folder: 'out' });

    await expect(files.put(file, bodyOf('1'), call())).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(listed(beside)).toEqual([]);
  });

  it('is not where a link leads to outside of it, on the way to a file', async () => {
    symlinkSync(beside, join(root, 'out'));
    const files = await connected();

    const putting = files.put({ ...file, path: 'out/deep/a.csv' }, bodyOf('1'), call());

    await expect(putting).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    await expect(files.stat('out/a.csv')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(listed(beside)).toEqual([]);
  });

  it('is not the folder of another connection, by way of a link from its own', async () => {
    mkdirSync(join(root, 'acme'));
    mkdirSync(join(root, 'other'));
    symlinkSync(join(root, 'other'), join(root, 'acme/out'));
    const files = await connected({ folder: 'acme' });

    const putting = files.put({ ...file, path: 'out/a.csv' }, bodyOf('1'), call());

    await expect(putting).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(listed(join(root, 'other'))).toEqual([]);
  });

  it('may be a link itself, as the folder that is set free, and links inside of it are followed', async () => {
    symlinkSync(root, join(beside, 'entry'));
    mkdirSync(join(root, 'real'));
    symlinkSync(join(root, 'real'), join(root, 'alias'));
    const files = await connected({}, join(beside, 'entry'));

    await files.put({ ...file, path: 'alias/a.csv' }, bodyOf('1'), call());

    expect(readFileSync(join(root, 'real/a.csv'), 'utf8')).toBe('1');
  });

  it.each(['../a.csv', 'a/../../b.csv', '/etc/a.csv', 'a//b.csv', '.', 'a\0.csv'])(
    'is not a file named %j',
    async (path) => {
      const files = await connected();

      const putting = files.put({ ...file, path }, bodyOf('1'), call());

      await expect(putting).rejects.toMatchObject({ code: 'INPUT_INVALID' });
      expect([...listed(beside), ...listed(root)]).toEqual([]);
      expect(existsSync(join(top, 'a.csv'))).toBe(false);
    },
  );

  it('is not through a link in place of the file: the link is replaced, or the file refused', async () => {
    writeFileSync(join(beside, 'secret'), 'secret');
    symlinkSync(join(beside, 'secret'), join(root, file.path));
    const files = await connected();

    const putting = files.put(file, bodyOf('secret'), call({ again: true }));
    await expect(putting).rejects.toMatchObject({ code: 'EXISTS' });
    await files.put({ ...file, overwrite: true }, bodyOf('mine'), call());

    expect(readFileSync(join(beside, 'secret'), 'utf8')).toBe('secret');
    expect(readFileSync(join(root, file.path), 'utf8')).toBe('mine');
  });
});

describe('a file', () => {
  it('has its name only once it is whole', async () => {
    const files = await connected();
    const seen: (readonly string[])[] = [];
    const body = async function* () {
      yield Buffer.from('id\n');
      seen.push(listed(root));
      yield Buffer.from('1\n');
    };

    expect(await files.put(file, body, call())).toEqual({ bytes: 5 });
    expect(seen).toEqual([[part]]);
    expect(listed(root)).toEqual([file.path]);
    expect(await files.stat(file.path)).toEqual({ bytes: 5 });
  });

  it('does not replace one that comes under its name while it is written', async () => {
    const files = await connected();
    const body = async function* () {
      yield Buffer.from('mine');
      writeFileSync(join(root, file.path), 'theirs');
    };

    await expect(files.put(file, body, call())).rejects.toMatchObject({ code: 'EXISTS' });
    expect(readFileSync(join(root, file.path), 'utf8')).toBe('theirs');
    expect(listed(root)).toEqual([file.path]);
  });

  it('is replaced in one step when that is allowed', async () => {
    const files = await connected();
    await files.put(file, bodyOf('old'), call());
    const during: string[] = [];
    const body = async function* () {
      yield Buffer.from('new');
      during.push(readFileSync(join(root, file.path), 'utf8'));
    };

    await files.put({ ...file, mark: 'm2', overwrite: true }, body, call());

    expect([...during, readFileSync(join(root, file.path), 'utf8')]).toEqual(['old', 'new']);
  });

  it('that an earlier attempt finished is ours when each byte of it is, and otherwise somebody else’s', async () => {
    const files = await connected();
    await files.put(file, bodyOf('id\n', '1\n'), call());
    // It died before it removed the hidden name.
    linkSync(join(root, file.path), join(root, part));

    expect(await files.put(file, bodyOf('id', '\n1\n'), call({ again: true }))).toEqual({ bytes: 5 });
    expect(listed(root)).toEqual([file.path]);
    for (const other of ['id\n2\n', 'id\n', 'id\n1\n2\n']) {
      const putting = files.put(file, bodyOf(other), call({ again: true }));
      await expect(putting).rejects.toMatchObject({ code: 'EXISTS' });
    }
    const first = files.put(file, bodyOf('id\n1\n'), call());
    await expect(first).rejects.toMatchObject({ code: 'EXISTS' });
  });

  it('begins anew over what an attempt that died has left', async () => {
    writeFileSync(join(root, part), 'half of it');
    const files = await connected();

    await files.put(file, bodyOf('whole'), call({ again: true }));

    expect(readFileSync(join(root, file.path), 'utf8')).toBe('whole');
    expect(listed(root)).toEqual([file.path]);
  });

  it('that nobody waits for any more leaves nothing behind', async () => {
    const files = await connected();
    const stop = new AbortController();
    const reason = new Error('stopped');
    const body = async function* () {
      yield Buffer.from('half');
      stop.abort(reason);
      yield await new Promise<Uint8Array>(() => undefined);
    };

    await expect(files.put(file, body, call({ signal: stop.signal }))).rejects.toBe(reason);
    expect(listed(root)).toEqual([]);
  });

  it('is not written where a folder is, or below a file', async () => {
    mkdirSync(join(root, 'a.csv'));
    writeFileSync(join(root, 'b'), '');
    const files = await connected();

    for (const path of ['a.csv', 'b/c.csv']) {
      for (const overwrite of [true, false]) {
        const putting = files.put({ ...file, path, overwrite }, bodyOf('1'), call());
        await expect(putting, path).rejects.toMatchObject({ code: 'EXISTS' });
      }
    }
    expect(await files.stat('a.csv')).toBeUndefined();
    expect(listed(root)).toEqual(['a.csv', 'b']);
  });

  it('of a name that the file system does not take is refused', async () => {
    const files = await connected();

    const putting = files.put({ ...file, path: `${'x'.repeat(300)}.csv` }, bodyOf('1'), call());

    await expect(putting).rejects.toMatchObject({ code: 'INPUT_INVALID', fix: expect.any(String) });
  });

  it('goes on after its folder has been away', async () => {
    mkdirSync(join(root, 'drive'));
    const files = await connected({ folder: 'drive' });
    renameSync(join(root, 'drive'), join(root, 'away'));

    await expect(files.put(file, bodyOf('1'), call())).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    expect(existsSync(join(root, 'drive'))).toBe(false);
    renameSync(join(root, 'away'), join(root, 'drive'));
    await files.put(file, bodyOf('1'), call());
  });
});

describe('the connection', () => {
  it('is tried by a file that is gone afterwards', async () => {
    const one = await openFor(folder, {}, { allowedFolder: root });
    opened.push(one);

    expect(await one.connection.check('files')).toEqual([]);
    expect(listed(root)).toEqual([]);
  });

  it.each(['missing', 'file'])('is refused when its folder is %s', async (name) => {
    writeFileSync(join(root, 'file'), '');
    const one = await openFor(folder, { folder: name }, { allowedFolder: root });
    opened.push(one);

    await expect(one.connection.check('files')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { folder: expect.stringContaining(name) },
    });
  });
});

/** A file system of its own, of so many bytes; none where this process may not mount one. */
function mounted(options: string): string | undefined {
  const at = join(top, `drive-${options.replaceAll(/\W/g, '')}`);
  mkdirSync(at);
  return spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', at]).status === 0 ? at : undefined;
}

const drive = mounted('size=64k');

describe.skipIf(drive === undefined)('a small drive (skipped where none can be mounted)', () => {
  const at = drive ?? '';

  afterAll(() => void spawnSync('umount', [at]));

  it('that is full leaves nothing behind, and is tried again', async () => {
    const files = await connected({}, at);

    const putting = files.put(file, bodyOf('x'.repeat(60_000), 'x'.repeat(60_000)), call());

    await expect(putting).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('full'),
    });
    expect(listed(at)).toEqual([]);
    await files.put(file, bodyOf('x'), call());
  });

  it('that may only be read says so', async () => {
    expect(spawnSync('mount', ['-o', 'remount,ro', at]).status).toBe(0);
    const one = await openFor(folder, {}, { allowedFolder: at });
    opened.push(one);

    await expect(one.connection.check('files')).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringContaining('only be read'),
    });
  });
});
