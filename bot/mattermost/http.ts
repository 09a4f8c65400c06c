import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import type { Log } from '../../engine/contracts/log.ts';

const MAX_BODY_BYTES = 1_000_000;

/** What the server calls us with, by the last part of the address. */
export interface Call {
  readonly kind: 'command' | 'action' | 'dialog' | 'lookup';
  readonly body: Readonly<Record<string, unknown>>;
  /** The token of a slash command, out of its header. */
  readonly token: string;
  /** What the address brings along. */
  readonly query: URLSearchParams;
}

/** Hears one call. Undefined when it can't be told that it comes from the server: then it is refused. */
export type Hear = (call: Call) => Promise<object | undefined>;

/** The HTTP side of receiving. */
export interface Http {
  readonly handler: RequestHandler;
  listen(hear: Hear, signal: AbortSignal): void;
}

/** Reads calls and hands them on; answers 503 while nobody listens. */
export function createHttp(log: Log): Http {
  let listener: Hear | undefined;

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const call = await readCall(request);
    if ('status' in call) {
      return answer(response, call.status, { error: call.error });
    }
    if (listener === undefined) {
      return answer(response, 503, { error: 'Not listening yet.' });
    }
    const said = await listener(call);
    if (said === undefined) {
      log.warn(
        { kind: call.kind, remote: request.socket.remoteAddress },
        'Mattermost call refused: not the server',
      );
      return answer(response, 401, { error: 'This does not come from the Mattermost server.' });
    }
    return answer(response, 200, said);
  };

  return {
    handler: (request, response) => {
      handle(request, response).catch((error: unknown) => {
        log.error({ error }, 'Mattermost call failed');
        if (!response.headersSent) {
          answer(response, 500, { error: 'Failed.' });
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

/** Reads a call, or says what is wrong with it. */
async function readCall(
  request: IncomingMessage,
): Promise<Call | { readonly status: number; readonly error: string }> {
  const url = new URL(request.url ?? '/', 'http://bot');
  const kind = kindOf(url.pathname);
  if (kind === undefined) {
    return { status: 404, error: 'There is nothing here.' };
  }
  if (request.method !== 'POST') {
    return { status: 405, error: 'Mattermost posts here.' };
  }
  const bytes = await readBody(request);
  if (bytes === undefined) {
    return { status: 413, error: 'Too large.' };
  }
  const body = parseBody(bytes.toString('utf8'), request.headers['content-type'] ?? '');
  if (body === undefined) {
    return { status: 400, error: 'Neither JSON nor a form.' };
  }
  const token = /^Token (\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
  return { kind, body, token, query: url.searchParams };
}

function kindOf(path: string): Call['kind'] | undefined {
  const [, kind] = /^\/(command|action|dialog|lookup)\/?$/.exec(path) ?? [];
  return kind as Call['kind'] | undefined;
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
  if (type.startsWith('application/x-www-form-urlencoded')) {
    return Object.fromEntries(new URLSearchParams(text));
  }
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    // The caller answers 400.
    return undefined;
  }
}

function answer(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}
