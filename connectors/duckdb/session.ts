import type { Limits, Query, Reading } from '../../engine/contracts/source.ts';
import { piecesOf } from '../shared/reader.ts';
import type { Settings } from './config.ts';
import { type Asked, explain } from './errors.ts';
import { type Call, type Host, startHost } from './host.ts';
import { placeOf } from './place.ts';
import type { Answers, Question, Up } from './wire.ts';

type Plain = Exclude<Question, { kind: 'read' }>;

export interface Session {
  ask<Q extends Plain>(question: Q, limits: Limits): Promise<Answers[Q['kind']]>;
  read(query: Query, limits: Limits): Promise<Reading>;
  close(): Promise<void>;
}

/** How long to wait for a file that somebody writes to. */
const lockPatienceMs = 10_000;

/** A question that was asked, with its time and whoever can give it up. */
interface Asking {
  next(): Promise<Up>;
  more(): void;
  /** The time is over for good: rows come from now on. */
  noLonger(): void;
  /** Gives it up, and resolves when nothing of it is left. */
  leave(): Promise<void>;
  fail(message: Extract<Up, { is: 'failed' }>): Error;
}

/** Opens nothing yet: the process is started when something is asked, and the file opened for each question. */
export function createSession(settings: Settings): Session {
  let starting: Promise<Host> | undefined;
  const host = async (): Promise<Host> => {
    if (starting === undefined || (await starting).gone) {
      starting = startHost();
      starting.catch(() => {
        starting = undefined;
      });
    }
    return starting;
  };
  const begin = async (question: Question, limits: Limits): Promise<Asking> => {
    const asked: Asked = { limits, settings, sql: sqlOf(question), stopped: undefined };
    if (limits.signal?.aborted === true) {
      throw explain({ type: 'unknown', message: '' }, { ...asked, stopped: 'canceled' });
    }
    const place = await placeOf(settings);
    const { memoryMb, threads } = settings;
    const patienceMs = Math.min(lockPatienceMs, limits.timeoutMs / 2);
    const at = await host();
    return asking(at, at.ask({ place, memoryMb, threads, patienceMs, question }), asked);
  };
  return {
    ask: async (question, limits) => {
      const asking = await begin(question, limits);
      const message = await asking.next();
      asking.noLonger();
      if (message.is === 'failed') {
        throw asking.fail(message);
      }
      return (message as Extract<Up, { is: 'answer' }>).value as Answers[(typeof question)['kind']];
    },
    read: async (query, limits) => {
      const asking = await begin({ kind: 'read', query }, limits);
      const message = await asking.next();
      if (message.is !== 'reading') {
        asking.noLonger();
        throw asking.fail(message as Extract<Up, { is: 'failed' }>);
      }
      return { order: message.order, sorted: message.sorted, lines: linesOf(asking) };
    },
    close: async () => {
      const running = await starting?.catch(() => undefined);
      running?.kill();
      await running?.ended;
    },
  };
}

function sqlOf(question: Question): string | undefined {
  return question.kind === 'read'
    ? question.query.sql
    : question.kind === 'tables'
      ? undefined
      : question.sql;
}

function asking(host: Host, call: Call, asked: Asked): Asking {
  const { limits } = asked;
  let stopped: Asked['stopped'];
  const stop = (why: Asked['stopped']): void => {
    stopped ??= why;
    call.stop();
  };
  const timer = setTimeout(() => stop('late'), limits.timeoutMs);
  const abort = (): void => stop('canceled');
  limits.signal?.addEventListener('abort', abort, { once: true });
  if (limits.signal?.aborted === true) {
    abort();
  }
  const end = (): void => {
    clearTimeout(timer);
    limits.signal?.removeEventListener('abort', abort);
  };
  return {
    next: async () => {
      const message = await call.next();
      if (message.is === 'failed' || message.is === 'end') {
        end();
      }
      return message;
    },
    more: () => call.more(),
    noLonger: () => clearTimeout(timer),
    leave: async () => {
      stop('canceled');
      for (let last = false; !last; ) {
        const { is } = await call.next();
        last = is === 'failed' || is === 'end' || is === 'answer';
      }
      end();
    },
    fail: ({ failure }) => {
      end();
      if (/^(INTERNAL|FATAL)$/i.test(failure.type)) {
        // What it holds in memory can't be trusted any more.
        host.kill();
      }
      return explain(failure, { ...asked, stopped });
    },
  };
}

function linesOf(asking: Asking): AsyncIterable<Uint8Array> {
  const next = async (): Promise<Uint8Array | undefined> => {
    const message = await asking.next();
    asking.noLonger();
    switch (message.is) {
      case 'piece':
        asking.more();
        return message.bytes;
      case 'end':
        return undefined;
      default:
        throw asking.fail(message as Extract<Up, { is: 'failed' }>);
    }
  };
  return piecesOf(next, async (how) => {
    if (how === 'stop') {
      await asking.leave();
    }
  });
}
