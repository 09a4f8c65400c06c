import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import type { Log } from '../../engine/contracts/log.ts';
import type { Hear } from './receive.ts';

/** A request older or younger than this is a replay or a broken clock. */
const MAX_AGE_MS = 5 * 60_000;
const MAX_BODY_BYTES = 1_000_000;

/** The HTTP side of receiving: Slack posts everything to one address, signed. */
export interface Http {
  readonly handler: RequestHandler;
  listen(hear: Hear, signal: AbortSignal): void;
}

/** Checks signatures and hands bodies on; answers 503 while nobody listens. */
export function createHttp(config: {
  readonly signingSecret: string;
  readonly log: Log;
  readonly now: () => Date;
}): Http {
  let listener: Hear | undefined;

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method !== 'POST') {
      return answer(response, 405, 'Slack posts here.');
    }
    const body = await readBody(request);
    if (body === undefined) {
      return answer(response, 413, 'Too large.');
    }
    const signed = isSigned(config.signingSecret, request, body, config.now());
    if (!signed) {
      config.log.warn(
        { remote: request.socket.remoteAddress },
        'Slack request refused: wrong or old signature',
      );
      return answer(response, 401, 'The signature is wrong or too old.');
    }
    const parsed = parseBody(body.toString('utf8'), request.headers['content-type'] ?? '');
    if (parsed === undefined) {
      return answer(response, 400, 'Neither JSON nor a form.');
    }
    const greeting = greet(parsed);
    if (greeting !== undefined) {
      return answer(response, 200, greeting);
    }
    if (listener === undefined) {
      return answer(response, 503, 'Not listening yet.');
    }
    await listener(parsed, async (payload) => answer(response, 200, payload === undefined ? '' : payload));
  };

  return {
    handler: (request, response) => {
      handle(request, response).catch((error: unknown) => {
        config.log.error({ error }, 'Slack request failed');
        if (!response.headersSent) {
          answer(response, 500, 'Failed.');
        }
      });
    },
    listen: (hear, signal) => {
      listener = hear;
      signal.addEventListener('abort', () => {
        listener = undefined;
      });
    },
  };
}

/** What Slack asks when the address is entered, and now and then to see whether it is alive. */
function greet(body: Readonly<Record<string, unknown>>): string | undefined {
  if (body['type'] === 'url_verification') {
    return String(body['challenge'] ?? '');
  }
  return body['ssl_check'] === '1' ? '' : undefined;
}

/** True when the body was signed with our secret, lately. */
function isSigned(secret: string, request: IncomingMessage, body: Buffer, now: Date): boolean {
  const time = String(request.headers['x-slack-request-timestamp'] ?? '');
  const given = Buffer.from(String(request.headers['x-slack-signature'] ?? ''));
  if (!/^\d+$/.test(time) || Math.abs(now.getTime() - Number(time) * 1000) > MAX_AGE_MS) {
    return false;
  }
  const expected = Buffer.from(
    `v0=${createHmac('sha256', secret).update(`v0:${time}:`).update(body).digest('hex')}`,
  );
  return given.length === expected.length && timingSafeEqual(given, expected);
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BODY_BYTES) {
      return undefined;
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function parseBody(text: string, type: string): Readonly<Record<string, unknown>> | undefined {
  try {
    if (type.startsWith('application/json')) {
      return asObject(JSON.parse(text));
    }
    const form = new URLSearchParams(text);
    const payload = form.get('payload');
    return payload === null ? Object.fromEntries(form) : asObject(JSON.parse(payload));
  } catch {
    // Signed by Slack and yet no JSON: the caller answers 400.
    return undefined;
  }
}

function asObject(parsed: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
}

function answer(response: ServerResponse, status: number, body: string | object): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const type = typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8';
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}
