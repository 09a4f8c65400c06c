import { createHash, createHmac } from 'node:crypto';
import { z } from 'zod';
import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer, saying, theirWords } from '../../engine/contracts/http.ts';
import { jsonAs } from '../shared/json.ts';
import type { Settings } from './config.ts';

/** What is sent: `type` says what it is about. */
export interface Message {
  /** The receiver knows a repeat by it. */
  readonly id: string;
  readonly type: string;
  readonly data: unknown;
  /** Facts about `data` as a whole. */
  readonly about?: Readonly<Record<string, unknown>>;
}

/** The way to one receiver: everything that goes there is signed. */
export interface Endpoint {
  readonly settings: Settings;
  /** Answers with what a receiver of 2xx said; throws what {@link mustTake} throws, ROW_REJECTED among it. */
  post(message: Message, signal: AbortSignal): Promise<HttpAnswer>;
  /** Puts bytes below the URL, and answers with how many there were. EXISTS when the receiver says so. */
  put(file: Upload, signal: AbortSignal): Promise<number>;
}

export interface Upload {
  readonly id: string;
  readonly path: string;
  readonly contentType: string;
  readonly overwrite: boolean;
  readonly body: () => AsyncIterable<Uint8Array>;
}

export function openEndpoint(settings: Settings, context: ConnectorContext): Endpoint {
  const { url, headers, keys } = settings;
  const common = { ...headers, 'user-agent': context.applicationName };
  const seconds = (): number => Math.floor(context.now().getTime() / 1000);
  return {
    settings,
    post: async ({ id, type, about = {}, data }, signal) => {
      // Written once: what is signed are the very bytes that are sent.
      const body = Buffer.from(JSON.stringify({ type, ...about, data }));
      const signer = signatures(keys, id, seconds());
      signer.add(body);
      const answer = await context.http.send({
        method: 'POST',
        url: url.href,
        headers: { ...common, ...signer.headers(), 'content-type': 'application/json' },
        body,
        secretPath: true,
        signal,
      });
      mustTake(answer, data);
      return answer;
    },
    put: async ({ id, path, contentType, overwrite, body }, signal) => {
      const signer = signatures(keys, id, seconds());
      const digest = createHash('sha256');
      let bytes = 0;
      for await (const chunk of body()) {
        signal.throwIfAborted();
        signer.add(chunk);
        digest.update(chunk);
        bytes += chunk.byteLength;
      }
      const answer = await context.http.send({
        method: 'PUT',
        url: below(url, path).href,
        headers: {
          ...common,
          ...signer.headers(),
          'content-type': contentType,
          'content-length': String(bytes),
          'content-digest': `sha-256=:${digest.digest('base64')}:`,
          ...(overwrite ? {} : { 'if-none-match': '*' }),
        },
        body,
        secretPath: true,
        timeoutMs: 15 * 60_000,
        signal,
      });
      if (!overwrite && (answer.status === 409 || answer.status === 412)) {
        throw new ActivateError('EXISTS', `The receiver has a file ${path} already.`);
      }
      mustTake(answer);
      return bytes;
    },
  };
}

/** Standard Webhooks: HMAC-SHA256 of `id.seconds.bytes` with each key, so that a receiver may know either. */
function signatures(keys: readonly Buffer[], id: string, seconds: number) {
  const macs = keys.map((key) => createHmac('sha256', key).update(`${id}.${seconds}.`));
  return {
    add: (bytes: Uint8Array): void => {
      for (const mac of macs) {
        mac.update(bytes);
      }
    },
    headers: (): Readonly<Record<string, string>> => ({
      'webhook-id': id,
      'webhook-timestamp': String(seconds),
      'webhook-signature': macs.map((mac) => `v1,${mac.digest('base64')}`).join(' '),
      'idempotency-key': id,
    }),
  };
}

function below(url: URL, path: string): URL {
  const address = new URL(url);
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  address.pathname = `${address.pathname.replace(/\/$/, '')}/${encoded}`;
  return address;
}

/** Refusals that are about what was sent, and not about the one who sent it or the way there. */
const aboutRows = [400, 409, 413, 422];

/** Throws unless the answer is 2xx: ROW_REJECTED for what was `sent`, TARGET_GONE, or what {@link errorOf} makes of it. */
function mustTake(answer: HttpAnswer, sent?: unknown): void {
  if (answer.ok) {
    return;
  }
  const says = theirWords(saidIn(answer), sent);
  if (answer.status === 410) {
    throw new ActivateError('TARGET_GONE', 'The receiver says that it is gone for good (status 410).', {
      fix: 'Connect a new receiver, or pause what sends to this one.',
    });
  }
  if (sent !== undefined && aboutRows.includes(answer.status)) {
    const words = saying(says);
    throw new ActivateError('ROW_REJECTED', `The receiver refuses this (status ${answer.status}).${words}`);
  }
  throw errorOf(answer, 'The receiver', says);
}

/** The sentence of an error: where most put it in JSON, or plain text. */
function saidIn({ headers, text }: HttpAnswer): string {
  const type = headers['content-type'] ?? '';
  if (type.startsWith('text/plain')) {
    return text;
  }
  const { error, message, detail } = jsonAs(text, z.looseObject({})) ?? {};
  return String([error, message, detail].find((said) => typeof said === 'string') ?? '');
}
