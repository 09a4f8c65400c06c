import { createHash } from 'node:crypto';
import type { NewFile, StoredFile } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Http, HttpAnswer, HttpRequest } from '../../engine/contracts/http.ts';
import type { Committed } from '../shared/files.ts';
import type { Login } from './config.ts';
import { explain } from './errors.ts';
import { signedHeaders } from './sign.ts';

const markHeader = 'x-goog-meta-activate-mark';

/** A piece of 8 MiB over a slow line. */
const timeoutMs = 120_000;

type About = Omit<NewFile, 'path'>;

/** A piece of a file: where it begins, and how large the whole is, once that is known. Both in bytes. */
export interface Piece {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly total: number | undefined;
}

/** The few calls that we make, by the object's name in the one bucket. Everything throws sentences. */
export interface Store {
  head(name: string, signal?: AbortSignal): Promise<StoredFile | undefined>;
  /** Writes a file that fits into one request. */
  put(name: string, file: About, bytes: Uint8Array, signal?: AbortSignal): Promise<Committed>;
  /** Begins a file in pieces and answers with the address that these go to, or that the name is taken. */
  begin(name: string, file: About, signal: AbortSignal): Promise<string | 'taken'>;
  /** Sends a piece, whose end is at a multiple of 256 KiB or that of the file; with the last one the file appears. */
  send(session: string, file: About, piece: Piece, signal: AbortSignal): Promise<Committed>;
  remove(name: string): Promise<void>;
}

type Wanted = Pick<HttpRequest, 'method' | 'repeatable'> & {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal?: AbortSignal | undefined;
};

export function storeOf(login: Login, http: Http, now: () => Date): Store {
  const ask = async (name: string, { signal, ...wanted }: Wanted): Promise<HttpAnswer> => {
    const url = `${login.base}/${login.bucket}/${name.split('/').map(encoded).join('/')}`;
    const headers = signedHeaders(login, { ...wanted, url }, now());
    return http.send({ timeoutMs, ...wanted, url, headers, ...(signal === undefined ? {} : { signal }) });
  };
  return {
    head: async (name, signal) => {
      const answer = await ask(name, { method: 'HEAD', signal });
      if (answer.ok) {
        return storedOf(answer);
      }
      // The answer to HEAD does not say what is not there, or what is wrong with the key. This one does.
      const why = await ask(name, { method: 'GET', headers: { range: 'bytes=0-0' }, signal });
      if (why.text.includes('<Code>NoSuchKey</Code>')) {
        return undefined;
      }
      throw explain(why.ok ? answer : why, login);
    },
    put: async (name, file, bytes, signal) => {
      const sum = createHash('md5').update(bytes).digest('base64');
      const headers = { ...about(file), 'content-md5': sum };
      // A second time it makes the same file, or finds it there: whoever asked looks whose it is.
      const answer = await ask(name, { method: 'PUT', repeatable: true, headers, body: bytes, signal });
      return committed(answer, file, login);
    },
    begin: async (name, file, signal) => {
      // One that was begun and is never used costs nothing, and ends after a week.
      const headers = { ...about(file), 'x-goog-resumable': 'start' };
      const answer = await ask(name, { method: 'POST', repeatable: true, headers, signal });
      return committed(answer, file, login) === 'taken' ? 'taken' : (answer.headers['location'] ?? '');
    },
    send: async (session, file, piece, signal) => sendPiece(http, login, session, file, piece, signal),
    remove: async (name) => {
      const answer = await ask(name, { method: 'DELETE' });
      if (!answer.ok) {
        throw explain(answer, login);
      }
    },
  };
}

/** Sends a piece, and what Google did not keep of it again. The address of the session is all that it has to know. */
async function sendPiece(
  http: Http,
  login: Login,
  session: string,
  file: About,
  { bytes, offset, total }: Piece,
  signal: AbortSignal,
): Promise<Committed> {
  let kept = 0;
  for (;;) {
    const range = `bytes ${offset + kept}-${offset + bytes.byteLength - 1}/${total ?? '*'}`;
    const answer = await http.send({
      method: 'PUT',
      url: session,
      // The session's own condition may be looked at in its beginning alone: that of the last piece counts at the end.
      headers: { 'content-range': range, ...condition(file) },
      body: bytes.subarray(kept),
      // Bytes that it has already are passed over.
      repeatable: true,
      timeoutMs,
      signal,
    });
    if (answer.status !== 308) {
      return committed(answer, file, login);
    }
    const now = keptOf(answer) - offset;
    if (now === bytes.byteLength && total === undefined) {
      return 'made';
    }
    if (now <= kept || now >= bytes.byteLength) {
      throw new ActivateError('UNAVAILABLE', 'Google kept nothing of what it was sent.', {
        fix: 'It is tried again by itself.',
      });
    }
    kept = now;
  }
}

/** How many bytes of a file it has, as an answer of 308 says: none when it says nothing. */
function keptOf({ headers }: HttpAnswer): number {
  const [, last] = /^bytes=0-(\d+)$/.exec(headers['range'] ?? '') ?? [];
  return last === undefined ? 0 : Number(last) + 1;
}

function about({ contentType, mark, overwrite }: About): Readonly<Record<string, string>> {
  return {
    'content-type': contentType,
    [markHeader]: mark,
    ...condition({ overwrite }),
  };
}

/** Generation 0 is that of a file which is not there. */
function condition({ overwrite }: Pick<About, 'overwrite'>): Readonly<Record<string, string>> {
  return overwrite ? {} : { 'x-goog-if-generation-match': '0' };
}

function committed(answer: HttpAnswer, { overwrite }: About, login: Login): Committed {
  if (answer.ok) {
    return 'made';
  }
  if (answer.status === 412 && !overwrite) {
    return 'taken';
  }
  throw explain(answer, login);
}

function storedOf({ headers }: HttpAnswer): StoredFile {
  const mark = headers[markHeader];
  return { bytes: Number(headers['content-length']), ...(mark === undefined ? {} : { mark }) };
}

/** As signatures want it: more than `encodeURIComponent` does by itself. */
function encoded(part: string): string {
  return encodeURIComponent(part).replaceAll(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
