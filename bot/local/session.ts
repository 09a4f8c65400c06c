import { createHmac, scryptSync, timingSafeEqual } from 'node:crypto';
import type { CookieOptions, Request, Response } from 'express';

const sessionMs = 30 * 24 * 3600 * 1000;
const triesPerWindow = 5;
const windowMs = 60_000;
/** More addresses than this at once is no team: forget them all rather than grow. */
const MAX_ADDRESSES = 10_000;

const SESSION = 'activate_session';
const PERSON = 'activate_person';

/** The password in front of the chat, and who somebody acts as behind it. */
export interface Session {
  /** True when no password is asked for, or this browser gave it. */
  passed(req: Request): boolean;
  /** Checks a password. `wait`: too many wrong ones from this address, try again in a minute. */
  enter(req: Request, res: Response, password: string): 'in' | 'wrong' | 'wait';
  leave(res: Response): void;
  /** The id this browser acts as: a wish, to be looked up. */
  person(req: Request): string | undefined;
  actAs(req: Request, res: Response, person: string): void;
}

/** Makes the session keeper. Nothing is stored: a signed cookie says until when a browser is let in. */
export function createSession(password: string | undefined, now: () => Date): Session {
  const key = password === undefined ? undefined : scryptSync(password, 'activate local chat', 32);
  const tries = new Map<string, { wrong: number; since: number }>();
  const sign = (until: string): Buffer =>
    createHmac('sha256', key ?? '')
      .update(until)
      .digest();

  return {
    passed(req) {
      if (key === undefined) {
        return true;
      }
      const [until = '', signature = ''] = (cookie(req, SESSION) ?? '').split('.');
      const given = Buffer.from(signature, 'base64url');
      const wanted = sign(until);
      return (
        given.length === wanted.length && timingSafeEqual(given, wanted) && Number(until) > now().getTime()
      );
    },
    enter(req, res, typed) {
      if (key === undefined) {
        return 'in';
      }
      const at = now().getTime();
      const address = req.socket.remoteAddress ?? '';
      const before = tries.get(address);
      const current = before === undefined || at - before.since > windowMs ? { wrong: 0, since: at } : before;
      if (current.wrong >= triesPerWindow) {
        return 'wait';
      }
      if (!timingSafeEqual(scryptSync(typed, 'activate local chat', 32), key)) {
        if (tries.size >= MAX_ADDRESSES) {
          tries.clear();
        }
        tries.set(address, { wrong: current.wrong + 1, since: current.since });
        return 'wrong';
      }
      tries.delete(address);
      const until = String(at + sessionMs);
      res.cookie(SESSION, `${until}.${sign(until).toString('base64url')}`, settings(req));
      return 'in';
    },
    leave: (res) => void res.clearCookie(SESSION, { path: '/' }),
    person: (req) => cookie(req, PERSON),
    actAs: (req, res, person) => void res.cookie(PERSON, person, settings(req)),
  };
}

function settings(req: Request): CookieOptions {
  const secure = req.secure || req.headers['x-forwarded-proto'] === 'https';
  return { httpOnly: true, sameSite: 'lax', path: '/', maxAge: sessionMs, secure };
}

function cookie(req: Request, name: string): string | undefined {
  for (const part of (req.headers.cookie ?? '').split(';')) {
    const [key, ...value] = part.trim().split('=');
    if (key === name) {
      return decoded(value.join('='));
    }
  }
  return undefined;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    // A cookie that nobody here wrote.
    return undefined;
  }
}
