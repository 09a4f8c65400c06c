import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Http, HttpAnswer } from '../../engine/contracts/http.ts';
import { bodyOf, type Result, type Rows, shortOf } from '../shared/statements.ts';
import { vendor } from './errors.ts';
import { columnOf } from './text.ts';

/** What a result says of itself, in as far as we read it. */
export interface Manifest {
  readonly schema?: {
    readonly columns?: readonly { readonly name: string; readonly type_text: string }[];
  };
  readonly total_chunk_count?: number;
  readonly total_row_count?: number;
  readonly truncated?: boolean;
  readonly chunks?: readonly { readonly chunk_index?: number; readonly row_count?: number }[];
}

/** A part of a result: its rows, or where they are. */
export interface Chunk {
  readonly data_array?: Rows;
  readonly external_links?: readonly Link[];
}

interface Link {
  readonly chunk_index?: number;
  /** An address of the cloud's storage, with a signature in it that is good for a quarter of an hour at most. */
  readonly external_link: string;
  readonly http_headers?: Readonly<Record<string, string>>;
}

/** Where rows come from: the workspace, and the storage, to which nothing of the sign-in ever goes. */
export interface Ways {
  readonly storage: Http;
  chunk(at: number, signal: AbortSignal): Promise<Chunk>;
}

/** Over a slow line. */
const timeoutMs = 120_000;

/** A result whose parts are fetched when they are asked for. Throws when Databricks cut it, which it calls a success. */
export function resultOf(manifest: Manifest, first: Chunk | undefined, ways: Ways): Result {
  if (manifest.truncated === true) {
    throw new ActivateError('SQL_FAILED', 'The result is larger than Databricks gives out (100 GiB).', {
      fix: 'Read fewer columns or rows: nothing was taken from the part that came.',
    });
  }
  const { total_chunk_count: count = first === undefined ? 0 : 1, total_row_count: rowCount = 0 } = manifest;
  return {
    columns: (manifest.schema?.columns ?? []).map(columnOf),
    rowCount,
    pieces: async function* (signal) {
      for (let at = 0; at < count; at += 1) {
        const chunk = at === 0 && first !== undefined ? first : await ways.chunk(at, signal);
        const rows = chunk.data_array ?? (await download(chunk, at, ways, signal));
        const expected = manifest.chunks?.find(({ chunk_index: index }) => index === at)?.row_count;
        if (expected !== undefined && rows.length !== expected) {
          throw shortOf(vendor, `${rows.length} rows in a part of the result that has ${expected}`);
        }
        yield rows;
      }
    },
  };
}

/** The rows of one part. A link that has run out is asked for anew, once: that one is fresh. */
async function download(chunk: Chunk, at: number, ways: Ways, signal: AbortSignal): Promise<Rows> {
  const link = linkIn(chunk, at);
  if (link === undefined) {
    // A result without rows has a part, but no link to it.
    return [];
  }
  let answer = await fetchFrom(ways.storage, link, signal);
  // What storage says to a signature that has run out differs from cloud to cloud.
  if (answer.status >= 400 && answer.status < 500 && answer.status !== 429) {
    const fresh = linkIn(await ways.chunk(at, signal), at);
    answer = fresh === undefined ? answer : await fetchFrom(ways.storage, fresh, signal);
  }
  if (answer.status !== 200) {
    // Its words may hold the signature.
    throw new ActivateError(
      'UNAVAILABLE',
      `The cloud storage of Databricks does not give out a part of the result (status ${answer.status}).`,
      {
        fix: 'It is tried again by itself. If it goes on, see that Activate may reach that storage.',
        ...(answer.retryAfterMs === undefined ? {} : { retryAfterMs: answer.retryAfterMs }),
      },
    );
  }
  return bodyOf<Rows>(answer, vendor);
}

function linkIn({ external_links: links = [] }: Chunk, at: number): Link | undefined {
  return links.find(({ chunk_index: index }) => index === at) ?? links[0];
}

async function fetchFrom(storage: Http, link: Link, signal: AbortSignal): Promise<HttpAnswer> {
  const given = Object.entries(link.http_headers ?? {});
  const headers = Object.fromEntries(given.filter(([name]) => name.toLowerCase() !== 'authorization'));
  return storage.send({ method: 'GET', url: link.external_link, headers, timeoutMs, signal });
}
