import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

export type Compression = 'none' | 'gzip' | 'zstd';

/** How the name of a compressed file ends. */
export const extensions: Readonly<Record<Compression, string>> = { none: '', gzip: '.gz', zstd: '.zst' };

/** Compresses bytes on their way, in flat memory; the same bytes come out each time. Errors of the source come through. */
export function compress(bytes: AsyncIterable<Uint8Array>, how: Compression): AsyncIterable<Uint8Array> {
  switch (how) {
    case 'none':
      return bytes;
    case 'gzip':
      return gzip(bytes);
    case 'zstd':
      return zstd(bytes);
    default:
      return how satisfies never;
  }
}

/** Place of the byte in a gzip header that names the operating system, and what says that it does not matter. */
const systemAt = 9;
const anySystem = 255;

async function* gzip(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const packer = createGzip({ level: 6 });
  // Not `pipe`, which forwards no error: a source that fails would end as a file that is whole but short.
  const packed = pipeline(Readable.from(bytes, { objectMode: true }), packer);
  packed.catch(() => undefined);
  let at = 0;
  for await (const chunk of packer as AsyncIterable<Buffer>) {
    if (at <= systemAt && systemAt < at + chunk.length) {
      chunk[systemAt - at] = anySystem;
    }
    at += chunk.length;
    yield chunk;
  }
  await packed;
}

const frameBytes = 2 * 1024 * 1024;
const zstdLevel = 3;

let loading: Promise<(bytes: Uint8Array, level: number) => Uint8Array> | undefined;

/** Once per process: a second start of the package's one module would break what the first still uses. */
function loaded(): Promise<(bytes: Uint8Array, level: number) => Uint8Array> {
  loading ??= import('@bokuweb/zstd-wasm').then(async ({ compress: pack, init }) => {
    await init();
    return pack;
  });
  return loading;
}

/** Frames that stand for themselves, one after the other: readers of zstd take them for one file. */
async function* zstd(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const pack = await loaded();
  const frame = Buffer.alloc(frameBytes);
  let filled = 0;
  let frames = 0;
  for await (const chunk of bytes) {
    for (let from = 0; from < chunk.length; ) {
      const taken = Math.min(chunk.length - from, frameBytes - filled);
      frame.set(chunk.subarray(from, from + taken), filled);
      filled += taken;
      from += taken;
      if (filled === frameBytes) {
        yield pack(frame, zstdLevel);
        filled = 0;
        frames += 1;
      }
    }
  }
  if (filled > 0 || frames === 0) {
    yield pack(frame.subarray(0, filled), zstdLevel);
  }
}
