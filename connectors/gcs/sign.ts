import { createHash, createHmac } from 'node:crypto';
import type { HttpRequest } from '../../engine/contracts/http.ts';
import type { Login } from './config.ts';

/**
 * The headers of a request without a query, signed by an HMAC key in Google's own way (GOOG4-HMAC-SHA256). Amazon's way is
 * taken too, but then conditions on a file's generation are not: they are what keeps one from being replaced.
 */
export function signedHeaders(
  { accessId, secret }: Login,
  request: Pick<HttpRequest, 'method' | 'url' | 'headers'> & { readonly body?: Uint8Array },
  now: Date,
): Readonly<Record<string, string>> {
  const { host, pathname } = new URL(request.url);
  const time = now.toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const day = time.slice(0, 8);
  const scope = `${day}/auto/storage/goog4_request`;
  const sum = sha256(request.body ?? '');
  const headers = { ...request.headers, 'x-goog-date': time, 'x-goog-content-sha256': sum };
  const all = Object.entries({ ...headers, host }).sort(([a], [b]) => (a < b ? -1 : 1));
  const names = all.map(([name]) => name).join(';');
  const canonical = [
    request.method,
    pathname,
    '', // no query
    ...all.map(([name, value]) => `${name}:${value.trim()}`),
    '',
    names,
    sum,
  ].join('\n');
  const text = ['GOOG4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n');
  const key = [day, 'auto', 'storage', 'goog4_request'].reduce(
    (by: string | Buffer, part) => createHmac('sha256', by).update(part).digest(),
    `GOOG4${secret}`,
  );
  const signature = createHmac('sha256', key).update(text).digest('hex');
  return {
    ...headers,
    authorization: `GOOG4-HMAC-SHA256 Credential=${accessId}/${scope},SignedHeaders=${names},Signature=${signature}`,
  };
}

function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
