import type { KeyOrder } from '../contracts/source.ts';
import { applyEntries } from './apply.ts';
import { decodeEntries, decompress, EntryBuffer, type PlanEntry, rowOf } from './chunks.ts';
import { compareKeys } from './keys.ts';

/**
 * A chunk of a snapshot of which few lines change is not packed anew: the changes are kept beside it, all of them as
 * one patch. These are entries as in a plan, but what was there before is in the chunk, and left out.
 */
export function packPatch(entries: readonly PlanEntry[]): Buffer {
  const buffer = new EntryBuffer();
  for (const { kind, line, previous } of entries) {
    buffer.add(kind, false, line, line === undefined ? previous : undefined);
  }
  return buffer.take();
}

/** A patch with further changes worked in: of two under one key the newer counts. */
export function addToPatch(
  patch: Uint8Array,
  newer: readonly PlanEntry[],
  orders: readonly KeyOrder[],
): readonly PlanEntry[] {
  const older = decodeEntries(patch, 'no keys');
  const all: PlanEntry[] = [];
  let i = 0;
  for (const entry of newer) {
    let order = 1;
    for (; i < older.length; i += 1) {
      order = compareKeys(rowOf(older[i] as PlanEntry), 0, rowOf(entry), 0, orders);
      if (order >= 0) {
        break;
      }
      all.push(older[i] as PlanEntry);
    }
    i += order === 0 ? 1 : 0;
    all.push(entry);
  }
  return [...all, ...older.slice(i)];
}

/** The lines of a stored chunk. */
export interface Packed {
  readonly data: Buffer;
  readonly patch: Buffer | null;
}

/** They as they are now. */
export function patchedLines({ data, patch }: Packed, orders: readonly KeyOrder[]): Buffer {
  const lines = decompress(data);
  return patch === null ? lines : applyEntries(lines, decodeEntries(patch, 'no keys'), orders);
}
