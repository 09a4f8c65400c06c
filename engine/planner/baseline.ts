import { chunkSize, type NewSnapshotChunk, packLines } from './chunks.ts';
import { Incoming, type Lines, stopIfAsked } from './incoming.ts';
import { noCounts, type PlanCounts, Rows } from './rows.ts';

export interface BaselineInput extends Lines {
  write(chunk: NewSnapshotChunk): Promise<void>;
}

/** Reads a stream into chunks of a first snapshot: everything counts as told. */
export async function baseline(input: BaselineInput): Promise<PlanCounts> {
  const incoming = new Incoming(input.lines);
  const counts = noCounts();
  const rows = new Rows(incoming, input.shape.key, counts);
  let block = Buffer.allocUnsafe(chunkSize.bytes);
  let used = 0;
  let held = 0;
  const flush = async (): Promise<void> => {
    stopIfAsked(input.signal);
    if (held > 0) {
      await input.write(packLines(block.subarray(0, used), held, input.shape.key));
    }
    used = 0;
    held = 0;
  };
  try {
    for (;;) {
      let found = rows.tryNext();
      if (found === 'more') {
        found = await rows.next();
      }
      if (found === 'end') {
        await flush();
        return counts;
      }
      if (!rows.duplicate) {
        if (held === chunkSize.rows || used + rows.length > chunkSize.bytes) {
          await flush();
        }
        if (rows.length > block.length) {
          block = Buffer.allocUnsafe(rows.length);
        }
        incoming.buffer.copy(block, used, incoming.start, incoming.start + rows.length);
        used += rows.length;
        held += 1;
      }
      rows.consume();
    }
  } finally {
    await incoming.close();
  }
}
