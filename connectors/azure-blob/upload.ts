import { randomBytes } from 'node:crypto';
import type { Call, NewFile, StoredFile } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { exists, settled } from '../shared/files.ts';
import { piecesOf } from '../shared/pieces.ts';
import { stoppable } from '../shared/signal.ts';
import type { Store } from './store.ts';

/** Of this size 50,000 blocks come to 390 GiB. */
const blockBytes = 8 * 1024 * 1024;
const mostBlocks = 50_000;
/** Blocks under way at once. With the one being read, this many and one more are in memory. */
const atOnce = 3;

/** Writes a file whole or not at all. Errors of `body` come through as they are, and the reason of the signal too. */
export async function upload(
  store: Store,
  name: string,
  file: NewFile,
  body: () => AsyncIterable<Uint8Array>,
  { signal }: Call,
): Promise<StoredFile> {
  signal.throwIfAborted();
  const before = await store.head(name, signal);
  if (before?.mark === file.mark) {
    return before;
  }
  if (before !== undefined && !file.overwrite) {
    throw exists(name);
  }
  const { ids, bytes } = await blocksOf(store, name, stoppable(body(), signal), signal);
  await settled(
    file,
    name,
    signal,
    () => store.head(name, signal),
    () => store.commit(name, file, ids, signal),
  );
  return { bytes, mark: file.mark };
}

/**
 * Sends all blocks. None is seen before a list names it, and what is left over Azure throws away by itself. Blocks
 * belong to the name and not to whoever sent them: each attempt's ids are its own, so that none takes another's.
 */
async function blocksOf(
  store: Store,
  name: string,
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<{ readonly ids: readonly string[]; readonly bytes: number }> {
  const attempt = randomBytes(8).toString('hex');
  const underWay = new Set<Promise<unknown>>();
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const ids: string[] = [];
  let bytes = 0;
  try {
    for await (const piece of piecesOf(body, () => blockBytes)) {
      if (piece.byteLength === 0) {
        // A file of no bytes is a list of no blocks.
        break;
      }
      if (ids.length === mostBlocks) {
        throw new ActivateError('INPUT_INVALID', 'The file is larger than Azure can be sent in one piece.', {
          fix: 'Split it into parts in the settings.',
        });
      }
      // All ids of a file have to be of one length.
      const id = Buffer.from(`${attempt}-${String(ids.length).padStart(5, '0')}`).toString('base64');
      ids.push(id);
      bytes += piece.byteLength;
      const ended = store.putBlock(name, id, piece, either).then(() => void underWay.delete(ended));
      ended.catch(() => undefined);
      underWay.add(ended);
      if (underWay.size >= atOnce) {
        await Promise.race(underWay);
      }
    }
    await Promise.all(underWay);
    return { ids, bytes };
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(underWay);
    throw error;
  }
}
