import { field, type Values } from '../../engine/contracts/form.ts';
import { parsedUrl } from '../../engine/contracts/url.ts';
import { invalidIn } from '../shared/login.ts';

/** What a connection needs. The URL is a secret: whoever knows that of an incoming webhook may post there. */
export const config = {
  url: field.secret({ label: 'URL', help: 'Paste the address that is to be called, https:// and all.' }),
  secret: field.secret({
    label: 'Signing secret',
    help: 'Paste what the receiver checks signatures with: whsec_ and 24 to 64 bytes in Base64.',
  }),
  oldSecret: field.optional(
    field.secret({
      label: 'Earlier signing secret',
      help: 'While you change secrets, put the old one here: requests are signed with both.',
    }),
  ),
  headers: field.optional(
    field.secret({
      label: 'More headers',
      help: 'Write one as Name: value, or several as JSON: {"X-Team": "growth", "X-Key": "…"}.',
    }),
  ),
  rows: field.optional(
    field.number({
      label: 'Rows per request',
      min: 1,
      max: 1000,
      whole: true,
      help: 'Leave it empty for one. With more, requests hold lists of rows.',
    }),
  ),
};

export interface Settings {
  readonly url: URL;
  /** The keys to sign with, the newest first. */
  readonly keys: readonly Buffer[];
  readonly headers: Readonly<Record<string, string>>;
  readonly rows: number;
}

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function settingsOf(values: Values<typeof config>): Settings {
  const { secret, oldSecret, rows = 1 } = values;
  return {
    url: urlOf(values.url),
    keys: [keyOf(secret, 'secret'), ...(oldSecret === undefined ? [] : [keyOf(oldSecret, 'oldSecret')])],
    headers: headersOf(values.headers),
    rows,
  };
}

function urlOf(text: string): URL {
  const url = parsedUrl(text.trim());
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw invalid('url', 'This is not an address of the web.', 'Enter one that begins with https://.');
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid(
      'url',
      'The address holds a user name or a password.',
      'Send them as a header: Authorization: Basic and the two in Base64.',
    );
  }
  url.hash = '';
  return url;
}

function keyOf(text: string, name: 'secret' | 'oldSecret'): Buffer {
  const base64 = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text.trim())?.[1] ?? '';
  const key = Buffer.from(base64, 'base64');
  if (key.byteLength < 24 || key.byteLength > 64) {
    throw invalid(
      name,
      'This is not a signing secret.',
      'Make one of 32 bytes, and put whsec_ before it: openssl rand -base64 32.',
    );
  }
  return key;
}

const headersFix = 'Write one as Name: value, or several as JSON: {"Name": "value"}.';

/** Headers that are ours to set, or that say where a request ends. */
const forbidden =
  /^(?:host|content-.*|transfer-encoding|connection|keep-alive|te|trailer|upgrade|expect|proxy-.*|webhook-.*|idempotency-key|if-none-match)$/;

function headersOf(text: string | undefined): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const [given, value] of text === undefined ? [] : pairsOf(text)) {
    const name = given.trim().toLowerCase();
    // A line break in a value would begin a header of its own.
    const line = value.replaceAll(/[\r\n]+/g, ' ').trim();
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name) || !/^[\t\x20-\x7e\x80-\xff]*$/.test(line)) {
      throw invalid(
        'headers',
        'One of the headers has a name or a value that no header can have.',
        headersFix,
      );
    }
    if (forbidden.test(name)) {
      throw invalid('headers', `The header ${name} is set by Activate itself.`, 'Leave it out.');
    }
    headers[name] = line;
  }
  return headers;
}

function pairsOf(text: string): readonly (readonly [string, string])[] {
  if (!text.trimStart().startsWith('{')) {
    const at = text.indexOf(':');
    return [[text.slice(0, Math.max(at, 0)), text.slice(at + 1)]];
  }
  try {
    return Object.entries(JSON.parse(text) as object).map(([name, value]) => [name, String(value)]);
  } catch {
    throw invalid('headers', 'The headers are not JSON.', headersFix);
  }
}

const invalid = invalidIn(config);
