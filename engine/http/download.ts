import { pipeline, Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip } from 'node:zlib';
import { ActivateError } from '../contracts/errors.ts';
import type { HttpAnswer } from '../contracts/http.ts';
import { parsedUrl } from '../contracts/url.ts';
import { hostOf } from './hosts.ts';
import { type Network, type NetworkOptions, openNetwork } from './network.ts';
import { secretPieces, struckOut } from './secrets.ts';

/** An answer too large to hold: its bytes, unpacked, as they come. Whoever has it reads them, or breaks off. */
export interface Download {
  readonly status: number;
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: AsyncIterable<Uint8Array>;
}

export interface Wanted {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** What a far side may take to answer, and between two pieces of its answer. */
const idleMs = 60_000;
const mostOfAnError = 64 * 1024;

/**
 * Asks for something large, by the rules of the shared client: the same hosts, proxy and encryption, and no redirects. Answers of
 * 2xx and 304 are downloads, all others are small answers for `errorOf`. Throws UNAVAILABLE where there is none.
 */
export async function download(
  options: NetworkOptions & { readonly secrets: readonly string[] },
  { url, headers, signal }: Wanted,
): Promise<Download | HttpAnswer> {
  const address = parsedUrl(url);
  if (address === undefined || !/^https?:$/.test(address.protocol) || address.username !== '') {
    throw new ActivateError('CONFIG_INVALID', 'This is not an address of the web.', {
      fix: 'Enter one that begins with https://, without a user name in it.',
    });
  }
  const network = openNetwork(options);
  try {
    network.mustAllow(address);
    const {
      statusCode: status,
      headers: given,
      body,
    } = await (await network.to(address)).request({
      origin: address.origin,
      path: `${address.pathname}${address.search}`,
      method: 'GET',
      headers: {
        accept: 'application/json',
        'accept-encoding': 'gzip, br',
        'user-agent': 'Activate',
        ...headers,
      },
      headersTimeout: idleMs,
      bodyTimeout: idleMs,
      signal,
    });
    const heard = Object.fromEntries(
      Object.entries(given).map(([name, value]) => [name.toLowerCase(), [value ?? ''].flat().join(', ')]),
    );
    if (status === 304) {
      await network.close();
      return { status, headers: heard, bytes: Readable.from([]) };
    }
    const bytes = closing(unpacked(body, heard['content-encoding']), network, address, signal);
    return status >= 200 && status < 300
      ? { status, headers: heard, bytes }
      : await smallAnswer(status, heard, bytes, options.secrets);
  } catch (error) {
    await network.close();
    throw told(error, address, signal);
  }
}

function unpacked(body: Readable, encoding: string | undefined): Readable {
  const unpacker =
    encoding === 'gzip' ? createGunzip() : encoding === 'br' ? createBrotliDecompress() : undefined;
  return unpacker === undefined ? body : pipeline(body, unpacker, () => undefined);
}

async function* closing(
  body: Readable,
  network: Network,
  address: URL,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw told(error, address, signal);
  } finally {
    await network.close();
  }
}

async function smallAnswer(
  status: number,
  headers: Readonly<Record<string, string>>,
  bytes: AsyncIterable<Uint8Array>,
  secrets: readonly string[],
): Promise<HttpAnswer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of bytes) {
    pieces.push(piece);
    size += piece.byteLength;
    if (size > mostOfAnError) {
      break;
    }
  }
  const text = struckOut(Buffer.concat(pieces).toString(), secrets.flatMap(secretPieces));
  const seconds = Number(headers['retry-after']);
  return {
    status,
    ok: false,
    headers,
    text,
    retryAfterMs: Number.isNaN(seconds) ? undefined : seconds * 1000,
    json: () => JSON.parse(text) as unknown,
  };
}

function told(error: unknown, address: URL, signal: AbortSignal): unknown {
  signal.throwIfAborted();
  const code = (error as { readonly code?: unknown }).code;
  return error instanceof ActivateError
    ? error
    : new ActivateError(
        'UNAVAILABLE',
        `${hostOf(address)} can't be reached, or broke off${typeof code === 'string' ? ` (${code})` : ''}.`,
      );
}
