import type { Column } from '../../../engine/contracts/source.ts';
import type { RowValues } from '../../../engine/mapping/mapper.ts';

export function column(name: string, type: Column['type'] = 'text', native: string = type): Column {
  return { name, type, native };
}

export async function* rowsOf(...rows: readonly RowValues[]): AsyncGenerator<RowValues> {
  yield* rows;
}

export async function bytesOf(blocks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const block of blocks) {
    all.push(Buffer.from(block));
  }
  return Buffer.concat(all);
}

export async function textOf(blocks: AsyncIterable<Uint8Array>): Promise<string> {
  return (await bytesOf(blocks)).toString('utf8');
}
