import { orAborted } from '../shared/signal.ts';
import type { Session } from './session.ts';

/** Connections that are used again: servers count logins, and each costs several round trips. */
export interface Pool {
  /** Runs work with a connection of its own, waiting for one where there are enough. */
  use<T>(signal: AbortSignal | undefined, work: (session: Session) => Promise<T>): Promise<T>;
  close(): void;
}

/** After so many mails a connection is closed, as servers like it. */
const mailsEach = 100;
const idleMs = 10_000;

interface Kept {
  readonly session: Session;
  readonly used: number;
  readonly timer: NodeJS.Timeout;
}

export function createPool(open: () => Promise<Session>, most: number): Pool {
  const idle: Kept[] = [];
  const waiting: (() => void)[] = [];
  let busy = 0;
  const turn = async (): Promise<void> => {
    if (busy >= most) {
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      busy += 1;
    }
  };
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) {
      busy -= 1;
    } else {
      next();
    }
  };
  const take = async (
    signal: AbortSignal | undefined,
  ): Promise<{ readonly session: Session; readonly used: number }> => {
    for (let kept = idle.pop(); kept !== undefined; kept = idle.pop()) {
      clearTimeout(kept.timer);
      if (kept.session.usable) {
        return kept;
      }
    }
    const opening = open();
    try {
      return { session: await orAborted(opening, signal), used: 0 };
    } catch (error) {
      // Nobody waits for it any more, should it still come about.
      opening.then(
        (session) => session.end(),
        () => undefined,
      );
      throw error;
    }
  };
  const keep = (session: Session, used: number): void => {
    if (!session.usable) {
      return;
    }
    if (used >= mailsEach) {
      session.end();
      return;
    }
    const timer = setTimeout(() => {
      const at = idle.findIndex((one) => one.session === session);
      idle.splice(at, at < 0 ? 0 : 1);
      session.end();
    }, idleMs);
    timer.unref();
    idle.push({ session, used, timer });
  };
  return {
    use: async (signal, work) => {
      await turn();
      try {
        const { session, used } = await take(signal);
        try {
          return await work(session);
        } finally {
          keep(session, used + 1);
        }
      } finally {
        leave();
      }
    },
    close: () => {
      for (const { session, timer } of idle.splice(0)) {
        clearTimeout(timer);
        session.end();
      }
    },
  };
}
