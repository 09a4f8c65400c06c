import { parsedUrl } from '../contracts/url.ts';

const telling = /auth|key|token|secret|cookie|signature|password/i;

/**
 * What of a secret must not be seen anywhere: the whole of it and, when it is an address, also its path with the query,
 * and its password. Too short a piece would strike out what is no secret.
 */
export function secretPieces(value: string): readonly string[] {
  const url = parsedUrl(value);
  const pieces = [value, url?.href, url?.password, url === undefined ? '' : `${url.pathname}${url.search}`];
  return [...new Set(pieces)].filter((piece) => piece !== undefined && piece.length >= 6) as string[];
}

/** The secrets that a request carries in its headers and its query. */
export function secretsSent(
  headers: Readonly<Record<string, string>>,
  query: URLSearchParams,
): readonly string[] {
  return [...Object.entries(headers), ...query.entries()]
    .filter(([name]) => telling.test(name))
    .flatMap(([, value]) => [value, ...value.split(/[\s,;]/)])
    .filter((piece) => piece.length >= 6 && !/^(?:bearer|basic)$/i.test(piece));
}

/** The text without these, as they are and as JSON, JSON within JSON or an address quotes them. */
export function struckOut(text: string, secrets: readonly string[]): string {
  return [...secrets]
    .sort((a, b) => b.length - a.length)
    .flatMap((secret) => [secret, escaped(secret), escaped(escaped(secret)), encodeURIComponent(secret)])
    .reduce((left, secret) => left.replaceAll(secret, '[secret]'), text);
}

function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
