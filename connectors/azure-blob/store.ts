import { createHash, createHmac } from 'node:crypto';
import type { NewFile, StoredFile } from '../../engine/contracts/destination.ts';
import type { Http, HttpAnswer, HttpRequest } from '../../engine/contracts/http.ts';
import type { Committed } from '../shared/files.ts';
import type { Login } from './config.ts';
import { explain, wordOf } from './errors.ts';

/** Versions of the interface have no end that Microsoft has named. */
export const api = { version: '2023-11-03' } as const;

/** Kept with a file as metadata, whose names have to be such as C# takes. */
const markHeader = 'x-ms-meta-activatemark';

/** A block of 8 MiB over a slow line. */
const timeoutMs = 120_000;

/** The few calls that we make, by the blob's name in the one container. Everything throws sentences. */
export interface Store {
  /** The file of this name; undefined for none, and for a folder. */
  head(name: string, signal?: AbortSignal): Promise<StoredFile | undefined>;
  /** Keeps a block, unseen, until a list names it, or for a week. */
  putBlock(name: string, id: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** Makes the file of these blocks, in one step. */
  commit(
    name: string,
    file: Omit<NewFile, 'path'>,
    ids: readonly string[],
    signal?: AbortSignal,
  ): Promise<Committed>;
  remove(name: string): Promise<void>;
  /** Where people find it. */
  addressOf(name: string): string;
}

type Wanted = Pick<HttpRequest, 'method' | 'repeatable'> & {
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal?: AbortSignal | undefined;
};

export function storeOf(login: Login, http: Http, now: () => Date): Store {
  const addressOf = (name: string): string =>
    `${login.base}/${login.container}/${name.split('/').map(encodeURIComponent).join('/')}`;
  const send = async (name: string, wanted: Wanted): Promise<HttpAnswer> => {
    const { signal, ...request } = wanted;
    return http.send({
      timeoutMs,
      ...request,
      ...signed(login, { ...request, url: addressOf(name) }, now()),
      ...(signal === undefined ? {} : { signal }),
    });
  };
  return {
    head: async (name, signal) => {
      const answer = await send(name, { method: 'HEAD', signal });
      if (answer.status === 404 && wordOf(answer) !== 'ContainerNotFound') {
        return undefined;
      }
      // With a hierarchical namespace folders are there too.
      return mustBeOk(answer, login).headers['x-ms-meta-hdi_isfolder'] === 'true'
        ? undefined
        : storedOf(answer);
    },
    putBlock: async (name, id, bytes, signal) => {
      const sum = createHash('md5').update(bytes).digest('base64');
      const answer = await send(name, {
        method: 'PUT',
        repeatable: true,
        query: { comp: 'block', blockid: id },
        headers: { 'content-md5': sum },
        body: bytes,
        signal,
      });
      mustBeOk(answer, login);
    },
    commit: async (name, file, ids, signal) => {
      const answer = await send(name, {
        method: 'PUT',
        // A second time the same list makes the same file, or finds it there: whoever asked looks whose it is.
        repeatable: true,
        query: { comp: 'blocklist' },
        headers: {
          'content-type': 'application/xml',
          'x-ms-blob-content-type': file.contentType,
          [markHeader]: file.mark,
          ...(file.overwrite ? {} : { 'if-none-match': '*' }),
        },
        body: Buffer.from(listOf(ids)),
        signal,
      });
      // It is 409 where a file is made, and 412 where one is written: the vendor's pages name both.
      if (!file.overwrite && /^(BlobAlreadyExists|ConditionNotMet)$/.test(wordOf(answer))) {
        return 'taken';
      }
      if (wordOf(answer) === 'InvalidBlockList') {
        return 'lost';
      }
      mustBeOk(answer, login);
      return 'made';
    },
    remove: async (name) => {
      const answer = await send(name, { method: 'DELETE' });
      mustBeOk(answer, login);
    },
    addressOf,
  };
}

/** What signs a request: headers for a key, parts of the address for a token. */
function signed(
  { account, by }: Login,
  request: Wanted & { readonly url: string },
  now: Date,
): Pick<HttpRequest, 'url' | 'headers' | 'query'> {
  const { url, query = {} } = request;
  const headers = { ...request.headers, 'x-ms-version': api.version, 'x-ms-date': now.toUTCString() };
  if (by.kind === 'sas') {
    return { url, query: { ...query, ...by.parts }, headers };
  }
  const text = toSign(account, { ...request, headers });
  const signature = createHmac('sha256', by.bytes).update(text).digest('base64');
  return { url, query, headers: { ...headers, authorization: `SharedKey ${account}:${signature}` } };
}

/** The text that a SharedKey signature is of: headers in a fixed order, then all of ours, then what is asked for. */
function toSign(
  account: string,
  {
    method,
    url,
    query = {},
    headers,
    body,
  }: Wanted & { readonly url: string; readonly headers: Readonly<Record<string, string>> },
): string {
  const length = body === undefined || body.byteLength === 0 ? '' : String(body.byteLength);
  const of = (name: string): string => headers[name] ?? '';
  const ours = Object.entries(headers)
    .filter(([name]) => name.startsWith('x-ms-'))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}:${value}`);
  const asked = Object.entries(query)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}:${value}`);
  return [
    method,
    '', // Content-Encoding
    '', // Content-Language
    length,
    of('content-md5'),
    of('content-type'),
    '', // Date: x-ms-date stands for it
    '', // If-Modified-Since
    '', // If-Match
    of('if-none-match'),
    '', // If-Unmodified-Since
    '', // Range
    ...ours,
    `/${account}${new URL(url).pathname}`,
    ...asked,
  ].join('\n');
}

function listOf(ids: readonly string[]): string {
  const blocks = ids.map((id) => `<Latest>${id}</Latest>`).join('');
  return `<?xml version="1.0" encoding="utf-8"?><BlockList>${blocks}</BlockList>`;
}

function storedOf({ headers }: HttpAnswer): StoredFile {
  const mark = headers[markHeader];
  return { bytes: Number(headers['content-length']), ...(mark === undefined ? {} : { mark }) };
}

function mustBeOk(answer: HttpAnswer, login: Login): HttpAnswer {
  if (!answer.ok) {
    throw explain(answer, login);
  }
  return answer;
}
