import type { Dispatcher } from 'undici';
import { ActivateError } from '../contracts/errors.ts';

export interface Outgoing {
  readonly method: Dispatcher.HttpMethod;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | AsyncIterable<Uint8Array> | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

export interface Incoming {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** As it was sent, compressed perhaps. */
  readonly body: Buffer;
}

/** Why there was no answer, and whether the far side may have got the request. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
  readonly sent: boolean;

  constructor(reason: string, sent: boolean) {
    super(reason);
    this.sent = sent;
  }
}

const mostBytes = 64 * 1024 * 1024;

/**
 * One request and its answer. Throws {@link NoAnswer}, an ActivateError that the lookup of the host or the body threw,
 * or the reason of the signal, at once, in whatever state the connection is.
 */
export async function exchange(dispatcher: Dispatcher, outgoing: Outgoing): Promise<Incoming> {
  const { signal, timeoutMs } = outgoing;
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    let sent = false;
    let over = false;
    let stop: ((reason: Error) => void) | undefined;
    const finish = (settle: () => void): void => {
      if (!over) {
        over = true;
        clearTimeout(timer);
        signal?.removeEventListener('abort', aborted);
        settle();
      }
    };
    const giveUp = (reason: unknown): void => {
      finish(() => reject(reason));
      stop?.(new Error('given up'));
    };
    const aborted = (): void => giveUp(signal?.reason);
    const timer = setTimeout(() => giveUp(new NoAnswer('did not answer in time', sent)), timeoutMs);
    signal?.addEventListener('abort', aborted);
    const answer = new Answer(giveUp);
    dispatcher.dispatch(optionsOf(outgoing, giveUp), {
      // Called when a connection is there, just before the first byte goes out.
      onRequestStart: (controller) => {
        stop = (reason) => controller.abort(reason);
        if (over) {
          stop(new Error('given up'));
          return;
        }
        sent = true;
      },
      onResponseStart: (_controller, status, headers) => answer.start(status, headers),
      onResponseData: (_controller, chunk) => answer.add(chunk),
      onResponseEnd: () => finish(() => resolve(answer.whole())),
      onResponseError: (_controller, error) => finish(() => reject(reasonOf(error, sent))),
    });
  });
}

function optionsOf(outgoing: Outgoing, failed: (reason: unknown) => void): Dispatcher.DispatchOptions {
  const { method, url, headers, body } = outgoing;
  const plain = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
  return {
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method,
    headers: { ...headers },
    // Iterables are taken too, though the types do not say so.
    body: (plain ? (body ?? null) : watched(body, failed)) as string | Uint8Array | null,
    // The whole exchange has a time limit already, and a finer one.
    headersTimeout: 0,
    bodyTimeout: 0,
  };
}

/** Tells of what a body throws as it is: that is no fault of the far side. */
async function* watched(
  body: AsyncIterable<Uint8Array>,
  failed: (reason: unknown) => void,
): AsyncIterable<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    failed(error);
    throw error;
  }
}

class Answer {
  private status = 0;
  private headers: Record<string, string> = {};
  private readonly chunks: Buffer[] = [];
  private bytes = 0;
  private readonly refuse: (reason: Error) => void;

  constructor(refuse: (reason: Error) => void) {
    this.refuse = refuse;
  }

  start(status: number, headers: Readonly<Record<string, string | string[] | undefined>>): void {
    this.status = status;
    this.headers = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toLowerCase(), [value ?? ''].flat().join(', ')]),
    );
  }

  add(chunk: Buffer): void {
    this.bytes += chunk.byteLength;
    if (this.bytes > mostBytes) {
      this.refuse(tooLarge());
      return;
    }
    this.chunks.push(chunk);
  }

  whole(): Incoming {
    return { status: this.status, headers: this.headers, body: Buffer.concat(this.chunks) };
  }
}

/** The limit holds for what an answer is after unpacking, too. */
export const unpackedAtMost = { maxOutputLength: mostBytes };

export function tooLarge(): ActivateError {
  return new ActivateError('OUTCOME_UNKNOWN', 'The answer is larger than 64 MB, so it was not read.');
}

/** Without the error itself: it may carry bytes of the answer, or an address with what is secret in it. */
function reasonOf(error: Error, sent: boolean): Error {
  if (error instanceof ActivateError) {
    return error;
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  switch (code) {
    case 'UND_ERR_INVALID_ARG':
      return new ActivateError('CONFIG_INVALID', 'A header of the request holds a sign that no header can.', {
        fix: 'Look for stray line breaks in the key or the headers of the connection.',
      });
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new NoAnswer(`is a name that can't be resolved (${code})`, sent);
    case 'UND_ERR_CONNECT_TIMEOUT':
      return new NoAnswer('did not answer in time', sent);
    default:
      return new NoAnswer(
        `${sent ? 'broke off' : "can't be reached"}${code === undefined ? '' : ` (${code})`}`,
        sent,
      );
  }
}
