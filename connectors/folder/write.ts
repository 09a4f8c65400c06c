import { link, lstat, mkdir, open, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Call, NewFile, StoredFile } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { stoppable } from '../shared/signal.ts';
import { invalid, isWithin, type Settings } from './config.ts';
import { isSystemError, told } from './errors.ts';

type Body = () => AsyncIterable<Uint8Array>;

/**
 * Writes a file whole or not at all: under a hidden name in the same folder, onto the disk, and then under its own. Errors
 * of `body` come through as they are.
 */
export async function putFile(
  settings: Settings,
  file: NewFile,
  body: Body,
  call: Call,
): Promise<StoredFile> {
  const place = await placeFor(settings, file.path);
  const part = partOf(place, file.mark);
  const there = await sizeOf(place);
  if (there !== undefined && !file.overwrite) {
    // No mark is kept with a file: it is ours when there was an attempt, and each of its bytes is as it has to be.
    if (call.again && (await isSame(place, there, body, call.signal))) {
      await told('remove a file', rm(part, { force: true }));
      return { bytes: there };
    }
    throw exists(file.path);
  }
  await told('remove a file', rm(part, { force: true }));
  try {
    const bytes = await fill(part, body, call.signal);
    await publish(part, place, file);
    await keep(dirname(place));
    return { bytes };
  } catch (error) {
    await rm(part, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** What is under this name: undefined for nothing, a folder, or a path through folders that are not there. */
export async function statFile(settings: Settings, path: string): Promise<StoredFile | undefined> {
  const base = await baseOf(settings);
  const folder = await orMissing(realpath(join(base, dirname(path))));
  if (folder === undefined) {
    return undefined;
  }
  const bytes = await sizeOf(join(inside(base, folder), basename(path)));
  return bytes === undefined || bytes < 0 ? undefined : { bytes };
}

/** Gives a file that is whole its name. False when that could not be done in one step. */
export async function publish(
  part: string,
  place: string,
  file: Pick<NewFile, 'path' | 'overwrite'>,
): Promise<boolean> {
  if (file.overwrite) {
    await told('rename a file', rename(part, place));
    return true;
  }
  try {
    // Unlike a renaming, a link never replaces what is there.
    await link(part, place);
  } catch (error) {
    if (isSystemError(error, 'EEXIST')) {
      if (!(await isOne(part, place))) {
        throw exists(file.path);
      }
    } else if (isSystemError(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV')) {
      // A file system without links, as SMB: then it has to do that nobody has this name just before.
      if ((await sizeOf(place)) !== undefined) {
        throw exists(file.path);
      }
      await told('rename a file', rename(part, place));
      return false;
    } else {
      await told('give a file its name', Promise.reject(error));
    }
  }
  // The file is there: a hidden name that stays beside it is not worth an error.
  await rm(part, { force: true }).catch(() => undefined);
  return true;
}

/** Over NFS a link that was made, and whose answer was lost, is asked for again and is then there already. */
async function isOne(part: string, place: string): Promise<boolean> {
  const [a, b] = await told('look at a file', Promise.all([lstat(part), lstat(place)]));
  return a.ino === b.ino && a.dev === b.dev;
}

/** Writes all bytes of a new file, and makes sure that they are on the disk. */
async function fill(part: string, body: Body, signal: AbortSignal): Promise<number> {
  const handle = await told('make a file', open(part, 'wx'));
  let bytes = 0;
  try {
    for await (const chunk of stoppable(body(), signal)) {
      await told('write a file', handle.appendFile(chunk));
      bytes += chunk.byteLength;
    }
    await told('write a file', handle.sync());
    const { size } = await told('look at a file', handle.stat());
    if (size !== bytes) {
      throw new ActivateError('UNAVAILABLE', `The file system kept ${size} of ${bytes} bytes.`, {
        fix: 'It is tried again by itself. If it stays so, its disk may be full.',
      });
    }
    return bytes;
  } finally {
    // A drive over the network says only now that it is full.
    await told('write a file', handle.close());
  }
}

/** So that a name outlasts a loss of power too, where the file system can promise that. */
async function keep(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

/** Where a file of ours goes, in full and without links, the folders on the way to it made. */
async function placeFor(settings: Settings, path: string): Promise<string> {
  const base = await baseOf(settings);
  let folder = base;
  const names = path.split('/');
  if (names.some((name) => name === '' || name === '.' || name === '..' || name.includes('\0'))) {
    throw new ActivateError('INPUT_INVALID', 'A file can not leave the folder of its connection.', {
      fix: 'Take “..” out of its name.',
    });
  }
  for (const name of names.slice(0, -1)) {
    const next = join(folder, name);
    if ((await sizeOf(next)) === undefined) {
      // Somebody else may have made it meanwhile.
      await told('make a folder', mkdir(next, { recursive: true }));
    }
    folder = inside(base, await told('look at a folder', realpath(next)));
  }
  return join(folder, names.at(-1) ?? '');
}

/** The connection's own folder, without links. It has to be there: a network drive may not be mounted. */
export async function baseOf(settings: Settings): Promise<string> {
  const folder = await orMissing(realpath(settings.folder));
  if (folder === undefined || !(await told('look at a folder', lstat(folder))).isDirectory()) {
    throw invalid(
      `There is no folder ${settings.folder} on this machine.`,
      'Make it there, mount its network drive, or correct it.',
    );
  }
  const root = await told('look at a folder', realpath(settings.root));
  if (!isWithin(root, folder)) {
    throw leaves();
  }
  return folder;
}

/** The same folder. PERMISSION_DENIED when a link has led out of the connection's own. */
function inside(base: string, folder: string): string {
  if (!isWithin(base, folder)) {
    throw leaves();
  }
  return folder;
}

function leaves(): ActivateError {
  return new ActivateError('PERMISSION_DENIED', 'A link leads out of the folder that may be written to.', {
    fix: 'Replace the link by a folder, or have an admin change ALLOWED_FOLDER.',
  });
}

/** In bytes; undefined when nothing has this name, less than nothing when it is no file. */
async function sizeOf(path: string): Promise<number | undefined> {
  const there = await orMissing(lstat(path));
  return there === undefined ? undefined : there.isFile() ? there.size : -1;
}

async function orMissing<T>(work: Promise<T>): Promise<T | undefined> {
  const found = work.catch((error: unknown) => {
    if (isSystemError(error, 'ENOENT')) {
      return undefined;
    }
    throw error;
  });
  return told('look at a file', found);
}

async function isSame(place: string, size: number, body: Body, signal: AbortSignal): Promise<boolean> {
  if (size < 0) {
    return false;
  }
  const handle = await told('read a file', open(place, 'r'));
  try {
    let at = 0;
    for await (const chunk of stoppable(body(), signal)) {
      const got = Buffer.alloc(chunk.byteLength);
      const { bytesRead } = await told('read a file', handle.read(got, 0, got.byteLength, at));
      if (bytesRead !== chunk.byteLength || got.compare(chunk) !== 0) {
        return false;
      }
      at += bytesRead;
    }
    return at === size;
  } finally {
    await handle.close();
  }
}

export function partOf(place: string, mark: string): string {
  return join(dirname(place), `.${basename(place)}.${mark}.part`);
}

function exists(path: string): ActivateError {
  return new ActivateError('EXISTS', `There is a file named ${path} already.`, {
    fix: 'Put {{ run }} into the name, or allow files to be replaced.',
  });
}
