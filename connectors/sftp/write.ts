import type { Call, NewFile, StoredFile } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { stoppable } from '../shared/signal.ts';
import { invalid, type Login } from './config.ts';
import { explain, Fault, noSuchFile } from './errors.ts';
import { type Session, within } from './session.ts';

export type Connect = (signal?: AbortSignal) => Promise<Session>;

/** How long cleaning up may take, once a file has failed. */
const cleaningMs = 5_000;

/** The largest piece that every server has to take, and how many may be under way at once, as in OpenSSH's own client. */
const pieceBytes = 32 * 1024;
const piecesAtOnce = 32;

/** Where a file of ours is, from where the login leads to. */
export function placeOf(login: Login, path: string): string {
  return login.folder === '' ? path : `${login.folder === '/' ? '' : login.folder}/${path}`;
}

/**
 * Writes a file whole or not at all. Errors of `body` come through as they are, {@link Fault}s as sentences, and what
 * stops it is thrown as the signal has it.
 */
export async function putFile(
  connect: Connect,
  login: Login,
  file: NewFile,
  body: () => AsyncIterable<Uint8Array>,
  call: Call,
): Promise<StoredFile> {
  const session = await connect(call.signal);
  try {
    await makeFolders(session, login, file.path);
    const place = placeOf(login, file.path);
    const there = await session.stat(place);
    if (there !== undefined && !file.overwrite) {
      const done = await earlier(session, there.size, login, file, body, call);
      if (done !== undefined) {
        return done;
      }
    }
    return login.direct
      ? await straight(session, connect, place, { ...file, overwrite: there !== undefined }, body, call)
      : await viaPart(session, connect, place, file, body, call);
  } catch (error) {
    call.signal.throwIfAborted();
    throw error instanceof Fault ? explain(error, 'write the file') : error;
  } finally {
    await session.end();
  }
}

/**
 * What to do about a file that is there already. SFTP keeps no mark with it, so it is taken for the outcome of an
 * earlier attempt only when there was one, and every byte of it is as it has to be. Undefined: begin anew.
 */
async function earlier(
  session: Session,
  size: number,
  login: Login,
  file: NewFile,
  body: () => AsyncIterable<Uint8Array>,
  call: Call,
): Promise<StoredFile | undefined> {
  if (call.again && (await isSame(session, placeOf(login, file.path), size, body, call.signal))) {
    return { bytes: size };
  }
  // Written straight, a file with our mark in its name is what an attempt that died has left of it.
  if (call.again && login.direct && nameOf(file.path).includes(file.mark)) {
    return undefined;
  }
  throw exists(file.path);
}

/** Reads the file back. One that may not be read is not the same: nobody can say. */
async function isSame(
  session: Session,
  place: string,
  size: number,
  body: () => AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<boolean> {
  let handle: Buffer;
  try {
    handle = await session.open(place, 'r');
  } catch (error) {
    if (error instanceof Fault && error.status !== undefined) {
      return false;
    }
    throw error;
  }
  let at = 0;
  for await (const chunk of stoppable(body(), signal)) {
    for (let from = 0; from < chunk.byteLength; from += pieceBytes) {
      const wanted = chunk.subarray(from, from + pieceBytes);
      if (at + wanted.byteLength > size || !(await holds(session, handle, at, wanted))) {
        await session.close(handle);
        return false;
      }
      at += wanted.byteLength;
    }
  }
  await session.close(handle);
  return at === size;
}

async function holds(session: Session, handle: Buffer, at: number, wanted: Uint8Array): Promise<boolean> {
  for (let from = 0; from < wanted.byteLength; ) {
    const got = await session.read(handle, at + from, wanted.byteLength - from);
    if (got.byteLength === 0 || got.compare(wanted, from, from + got.byteLength) !== 0) {
      return false;
    }
    from += got.byteLength;
  }
  return true;
}

/** Under the final name from the beginning, for servers that take a file as soon as it is closed. */
async function straight(
  session: Session,
  connect: Connect,
  place: string,
  file: NewFile,
  body: () => AsyncIterable<Uint8Array>,
  call: Call,
): Promise<StoredFile> {
  const handle = await session.open(place, file.overwrite ? 'w' : 'wx');
  try {
    const bytes = await fill(session, handle, body, call.signal);
    return { bytes };
  } catch (error) {
    const removed = await cleaned(session, connect, place, handle);
    if (removed || !(error instanceof Fault)) {
      throw error;
    }
    const { code, message } = explain(error, 'write the file');
    throw new ActivateError(code, `${message} A part of it may be left as ${file.path}.`, {
      fix: 'It is written anew by itself.',
    });
  }
}

/** Under a hidden name in the same folder, until it is whole. */
async function viaPart(
  session: Session,
  connect: Connect,
  place: string,
  file: NewFile,
  body: () => AsyncIterable<Uint8Array>,
  call: Call,
): Promise<StoredFile> {
  const part = partOf(place, file.mark);
  await session.remove(part).catch(ignoreMissing);
  const handle = await session.open(part, 'wx');
  let bytes: number | undefined;
  try {
    bytes = await fill(session, handle, body, call.signal);
    await publish(session, part, place, file);
    return { bytes };
  } catch (error) {
    if (bytes !== undefined && error instanceof Fault && error.status === undefined) {
      await afterLoss(connect, part, place, call.signal);
      return { bytes };
    }
    await cleaned(session, connect, part, handle);
    throw error;
  }
}

/**
 * The connection broke while the file was given its name. If the part is gone it has its name, even if that is gone
 * too: then whoever waits for it has taken it away.
 */
async function afterLoss(connect: Connect, part: string, place: string, signal: AbortSignal): Promise<void> {
  const session = await connect(signal).catch((error: unknown) => {
    signal.throwIfAborted();
    throw new ActivateError('OUTCOME_UNKNOWN', 'The connection broke off as the file was given its name.', {
      fix: `Look whether ${place} is there.`,
      cause: error instanceof Error ? error.message : String(error),
    });
  });
  try {
    if ((await session.stat(part)) === undefined) {
      return;
    }
    await session.remove(part).catch(ignoreMissing);
    throw new Fault(undefined, 'the file was not renamed');
  } finally {
    await session.end();
  }
}

/** Gives a file that is whole its name. */
async function publish(session: Session, part: string, place: string, file: NewFile): Promise<void> {
  if (file.overwrite && session.replaces) {
    await session.replace(part, place);
    return;
  }
  // Some servers replace what is there although they must not: so this looks, and then relies on the refusal.
  if (!file.overwrite && (await session.stat(place)) !== undefined) {
    throw exists(file.path);
  }
  try {
    await session.rename(part, place);
  } catch (error) {
    if (
      !(error instanceof Fault) ||
      error.status === undefined ||
      (await session.stat(place)) === undefined
    ) {
      throw error;
    }
    if (!file.overwrite) {
      throw exists(file.path);
    }
    await session.remove(place);
    await session.rename(part, place);
  }
}

/** Writes all bytes, and makes sure that they are there: what is on the disk has to be as long as what was sent. */
async function fill(
  session: Session,
  handle: Buffer,
  body: () => AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<number> {
  const underWay = new Set<Promise<void>>();
  let at = 0;
  for await (const chunk of stoppable(body(), signal)) {
    for (let from = 0; from < chunk.byteLength; from += pieceBytes) {
      const piece = chunk.subarray(from, from + pieceBytes);
      const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
      const writing = session.write(handle, bytes, at).then(() => void underWay.delete(writing));
      writing.catch(() => undefined);
      underWay.add(writing);
      at += piece.byteLength;
      if (underWay.size >= piecesAtOnce) {
        await Promise.race(underWay);
      }
    }
  }
  await Promise.all(underWay);
  await session.sync(handle);
  const stored = await session.sizeOf(handle);
  await session.close(handle);
  if (stored !== at) {
    throw new ActivateError('UNAVAILABLE', `The SFTP server kept ${stored} of ${at} bytes.`, {
      fix: 'It is tried again by itself. If it stays so, its disk may be full.',
    });
  }
  return at;
}

/** Removes what a failed attempt has written, over a new connection when the old one is gone. Says whether it is gone. */
async function cleaned(session: Session, connect: Connect, path: string, handle: Buffer): Promise<boolean> {
  session.ignoreSignal();
  const removed = async (other: Session): Promise<boolean> => {
    await other.remove(path).catch(ignoreMissing);
    return true;
  };
  const cleaning = async (): Promise<boolean> => {
    await session.close(handle).catch(() => undefined);
    try {
      return await removed(session);
    } catch {
      const other = await connect();
      return await removed(other).finally(() => other.end());
    }
  };
  return (await within(cleaningMs, cleaning()).catch(() => false)) ?? false;
}

/** The folders below the connection's own. That one has to be there: it may be a name that was mistyped. */
async function makeFolders(session: Session, login: Login, path: string): Promise<void> {
  if (login.folder !== '') {
    await mustBeFolder(session, login.folder);
  }
  const names = path.split('/').slice(0, -1);
  for (let count = 1; count <= names.length; count += 1) {
    const folder = placeOf(login, names.slice(0, count).join('/'));
    const there = await session.stat(folder);
    if (there?.isFolder === false) {
      throw new ActivateError('EXISTS', `${folder} is a file on the SFTP server, and no folder.`, {
        fix: 'Give the folder another name, or move the file away.',
      });
    }
    if (there === undefined) {
      await session.makeFolder(folder).catch(async (error: unknown) => {
        // Somebody else may have made it meanwhile.
        if ((await session.stat(folder)) === undefined) {
          throw error;
        }
      });
    }
  }
}

export async function mustBeFolder(session: Session, folder: string): Promise<void> {
  const there = await session.stat(folder);
  if (there?.isFolder !== true) {
    throw invalid(
      'folder',
      `There is no folder ${folder} on the SFTP server.`,
      'Make it there, or correct it: a path that begins with / counts from the top of what the user sees.',
    );
  }
}

function partOf(place: string, mark: string): string {
  const slash = place.lastIndexOf('/') + 1;
  return `${place.slice(0, slash)}.${place.slice(slash)}.${mark}.part`;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function exists(path: string): ActivateError {
  return new ActivateError('EXISTS', `There is a file named ${path} already.`, {
    fix: 'Put {{ run }} into the name, or allow files to be replaced.',
  });
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Fault && error.status === noSuchFile)) {
    throw error;
  }
}
