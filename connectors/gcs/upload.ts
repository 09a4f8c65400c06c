import type { Call, NewFile, StoredFile } from '../../engine/contracts/destination.ts';
import { exists, settled } from '../shared/files.ts';
import { piecesOf } from '../shared/pieces.ts';
import { stoppable } from '../shared/signal.ts';
import type { Store } from './store.ts';

/** A multiple of 256 KiB. Two of them are in memory: the one that is sent, and the one after it. */
const pieceBytes = 8 * 1024 * 1024;

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
  let session: string | undefined;
  let offset = 0;
  for await (const { bytes, isLast } of withLast(piecesOf(stoppable(body(), signal), () => pieceBytes))) {
    const piece = { bytes, offset, total: isLast ? offset + bytes.byteLength : undefined };
    if (!isLast) {
      session ??= await store.begin(name, file, signal);
      if (session === 'taken' || (await store.send(session, file, piece, signal)) === 'taken') {
        throw exists(name);
      }
    } else {
      const open = session;
      const step = async () =>
        open === undefined ? store.put(name, file, bytes, signal) : store.send(open, file, piece, signal);
      await settled(file, name, signal, () => store.head(name, signal), step);
    }
    offset += bytes.byteLength;
  }
  return { bytes: offset, mark: file.mark };
}

/** The same, each with whether it is the last one. */
async function* withLast(
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ readonly bytes: Uint8Array; readonly isLast: boolean }> {
  let held: Uint8Array | undefined;
  for await (const bytes of pieces) {
    if (held !== undefined) {
      yield { bytes: held, isLast: false };
    }
    held = bytes;
  }
  if (held !== undefined) {
    yield { bytes: held, isLast: true };
  }
}
