import type { Call, NewFile, StoredFile } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { exists } from '../shared/files.ts';
import { piecesOf } from '../shared/pieces.ts';
import { stoppable } from '../shared/signal.ts';
import type { Login } from './config.ts';
import { explain, Fault } from './errors.ts';
import type { Found, Fresh, Part, Store } from './store.ts';

const mebibyte = 1024 * 1024;
const mostParts = 10_000;
/** Parts under way at once. With the two being read ahead, this many and two more are in memory. */
const atOnce = 3;

/**
 * In bytes, by the part's number from 1. All of one size up to 39 GiB, since some stores want it so and memory is held
 * for each; then larger, since 10,000 parts of that size would end at 78 GiB. The last one comes to 351 GiB.
 */
export function partBytes(number: number): number {
  return (number <= 5_000 ? 8 : 64) * mebibyte;
}

/**
 * Writes a file whole or not at all. Errors of `body` come through as they are, {@link Fault}s as sentences, and what
 * stops it is thrown as the signal has it.
 */
export async function upload(
  store: Store,
  login: Login,
  key: string,
  file: NewFile,
  body: () => AsyncIterable<Uint8Array>,
  call: Call,
): Promise<StoredFile> {
  const { signal } = call;
  signal.throwIfAborted();
  try {
    const before = await store.head(key, signal);
    return isOurs(before, file) ? before : await write(store, login, key, file, body, signal, before);
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof Fault ? explain(error, login) : error;
  }
}

async function write(
  store: Store,
  login: Login,
  key: string,
  file: NewFile,
  body: () => AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  before: Found,
): Promise<StoredFile> {
  if (!file.overwrite && typeof before === 'object') {
    throw exists(key);
  }
  const fresh = file.overwrite ? 'replace' : before === 'missing' ? 'looked' : 'unseen';
  const parts = piecesOf(stoppable(body(), signal), partBytes);
  const first = await parts.next();
  const second = await parts.next();
  try {
    if (second.done === true) {
      const bytes = first.value ?? new Uint8Array();
      await settled(store, login, key, file, signal, () => store.put(key, file, bytes, fresh, signal));
      return { bytes: bytes.byteLength, mark: file.mark };
    }
    return await inParts(store, login, key, file, fresh, signal, andThen([first.value, second.value], parts));
  } finally {
    // Not waited for: a source that hangs would hold up the end of this too.
    void parts.return(undefined).catch(() => undefined);
  }
}

async function inParts(
  store: Store,
  login: Login,
  key: string,
  file: NewFile,
  fresh: Fresh,
  signal: AbortSignal,
  pieces: AsyncIterable<Uint8Array | undefined>,
): Promise<StoredFile> {
  const id = await store.begin(key, file, signal);
  const underWay = new Set<Promise<unknown>>();
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const sent: Part[] = [];
  let bytes = 0;
  try {
    let number = 0;
    for await (const piece of pieces) {
      number += 1;
      if (number > mostParts || piece === undefined) {
        throw new ActivateError('INPUT_INVALID', 'The file is larger than S3 can be sent in one piece.', {
          fix: 'Split it into parts in the settings.',
        });
      }
      bytes += piece.byteLength;
      const sending = store.part(key, id, number, piece, either).then((part) => void sent.push(part));
      const ended = sending.then(() => void underWay.delete(ended));
      ended.catch(() => undefined);
      underWay.add(ended);
      if (underWay.size >= atOnce) {
        await Promise.race(underWay);
      }
    }
    await Promise.all(underWay);
    sent.sort((a, b) => a.PartNumber - b.PartNumber);
    await settled(store, login, key, file, signal, () => store.complete(key, id, sent, fresh, signal));
    return { bytes, mark: file.mark };
  } catch (error) {
    failed.abort();
    // A part that lands after the upload was abandoned would stay, unseen, and be paid for.
    await Promise.allSettled(underWay);
    await store.abandon(key, id).catch(() => undefined);
    throw error;
  }
}

/**
 * Takes the last step, and finds out what came of it when its answer got lost or says that something is there: the file
 * with our mark is our file. An upload that S3 does not know (any more) may be one that it has completed.
 */
async function settled(
  store: Store,
  login: Login,
  key: string,
  file: NewFile,
  signal: AbortSignal,
  step: () => Promise<void>,
): Promise<void> {
  try {
    await step();
  } catch (error) {
    if (!(error instanceof Fault)) {
      throw error;
    }
    // 304 is how an older MinIO says 412.
    const taken = error.status === 412 || error.status === 304;
    if (!taken && !error.isOpen && error.word !== 'NoSuchUpload' && error.status !== 409) {
      throw error;
    }
    const there = await store.head(key, signal).catch(() => 'hidden' as const);
    if (isOurs(there, file)) {
      return;
    }
    if (taken) {
      throw exists(key);
    }
    if (error.word === 'NoSuchUpload') {
      throw new ActivateError('UNAVAILABLE', 'The upload was ended by somebody else before it was done.', {
        fix: 'It is tried again by itself.',
      });
    }
    throw explain(error, login, true);
  }
}

function isOurs(found: Found, file: NewFile): found is StoredFile {
  return typeof found === 'object' && found.mark === file.mark;
}

async function* andThen<T>(first: readonly T[], rest: AsyncIterable<T>): AsyncGenerator<T> {
  yield* first;
  yield* rest;
}
