import { createHash } from 'node:crypto';
import express, { type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import type { Db } from '../../engine/contracts/db.ts';
import { asActivateError } from '../../engine/contracts/errors.ts';
import type { Log } from '../../engine/contracts/log.ts';
import type { Adapter } from './adapter.ts';
import type { Heard } from './heard.ts';
import type { Hear } from './receive.ts';
import { fileOf } from './store.ts';

/** The HTTP side: where Teams posts to, and where people get pictures and files. */
export interface Http {
  readonly handler: RequestHandler;
  listen(hear: Hear, signal: AbortSignal): void;
}

/** Verifies and hands on what Teams posts to `/messages`; answers 503 while nobody listens. */
export function createHttp(parts: {
  readonly adapter: Adapter;
  readonly db: Db;
  readonly log: Log;
  readonly now: () => Date;
}): Http {
  const { adapter, db, log, now } = parts;
  let listener: Hear | undefined;
  const router = express.Router();

  const heard = async (req: Request, res: Response): Promise<void> => {
    if (listener === undefined) {
      return plain(res, 503, 'Not listening yet.');
    }
    const body: unknown = req.body;
    if (typeof body !== 'object' || body === null || !('type' in body) || typeof body.type !== 'string') {
      return plain(res, 400, 'No activity.');
    }
    const answer = await adapter.hear(req.headers.authorization ?? '', body as Heard, listener);
    res.status(answer.status);
    if (answer.body === undefined) {
      res.end();
    } else {
      res.json(answer.body);
    }
  };
  router.post(
    '/messages',
    // Nothing is read from whoever brings no token.
    (req, res, next) =>
      /^Bearer \S/.test(req.headers.authorization ?? '') ? next() : plain(res, 401, 'A token is missing.'),
    express.json({ limit: '1mb', type: () => true }),
    (req, res) => {
      heard(req, res).catch((error: unknown) => refuse(log, req, res, error));
    },
  );
  router.get('/pictures/:name', async (req: Request<{ name: string }>, res) => {
    const file = await fileOf(db, 'picture', req.params.name.replace(/\.png$/, ''), now());
    if (file === undefined) {
      return plain(res, 404, 'There is no such picture.');
    }
    res.set({ 'Content-Type': 'image/png', 'X-Content-Type-Options': 'nosniff' });
    res.set({ 'Cache-Control': 'private, max-age=86400', 'Referrer-Policy': 'no-referrer' });
    res.send(Buffer.from(file.bytes));
  });
  router.get('/files/:token', async (req: Request<{ token: string }>, res) => {
    const file = await fileOf(db, 'file', req.params.token, now());
    page(res, file === undefined ? gonePage : filePage(file.name, file.bytes.byteLength, file.until));
  });
  router.post('/files/:token', async (req: Request<{ token: string }>, res) => {
    const file = await fileOf(db, 'file', req.params.token, now());
    if (file === undefined) {
      return page(res, gonePage);
    }
    res.attachment(file.name);
    res.set({ 'Content-Type': 'application/octet-stream', 'X-Content-Type-Options': 'nosniff' });
    res.set('Cache-Control', 'no-store');
    res.send(Buffer.from(file.bytes));
  });
  router.use((thrown: unknown, req: Request, res: Response, next: NextFunction) => {
    const status = (thrown as { status?: unknown } | undefined)?.status;
    if (res.headersSent) {
      next(thrown);
    } else if (typeof status === 'number' && status >= 400 && status < 500) {
      plain(res, status, 'The request could not be read.');
    } else {
      refuse(log, req, res, thrown);
    }
  });

  return {
    handler: router,
    listen: (hear, signal) => {
      listener = hear;
      signal.addEventListener('abort', () => {
        listener = undefined;
      });
    },
  };
}

function refuse(log: Log, req: Request, res: Response, thrown: unknown): void {
  const { code, message } = asActivateError(thrown);
  if (code === 'AUTH_REJECTED') {
    log.warn({ remote: req.socket.remoteAddress, why: message }, 'Teams request refused');
    plain(res, 401, 'The request was refused.');
  } else if (code === 'UNAVAILABLE') {
    log.error({ error: thrown }, 'Teams request could not be verified');
    plain(res, 503, 'Try again later.');
  } else {
    log.error({ error: thrown }, 'Teams request failed');
    plain(res, 500, 'Failed.');
  }
}

function plain(res: Response, status: number, text: string): void {
  if (!res.headersSent) {
    res.status(status).type('text/plain').send(text);
  }
}

interface Page {
  readonly status: number;
  readonly title: string;
  readonly body: string;
}

const gonePage: Page = {
  status: 410,
  title: 'This file is gone',
  body: '<p>It was kept for three days. Go back to the chat and ask for it again.</p>',
};

/** Nothing is handed out before somebody presses: chats fetch the addresses in their messages to preview them. */
function filePage(name: string, size: number, until: Date): Page {
  const day = until.toISOString().slice(0, 16).replace('T', ' ');
  return {
    status: 200,
    title: name,
    body: `<p>${Math.max(1, Math.round(size / 1024))} KB, kept until ${day} UTC.</p><form method="post"><button>Download</button></form>`,
  };
}

const style =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem;color:#1c2430}button{font:inherit;padding:.5rem 1.25rem;border:0;border-radius:.5rem;background:#2f6fed;color:#fff}';
const styleHash = createHash('sha256').update(style).digest('base64');

function page(res: Response, { status, title, body }: Page): void {
  const safe = title.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  res.set({
    'Content-Security-Policy': `default-src 'none'; style-src 'sha256-${styleHash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-store',
    'X-Robots-Tag': 'noindex',
  });
  res
    .status(status)
    .type('html')
    .send(
      `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${safe}</title><style>${style}</style><h1>${safe}</h1>${body}</html>`,
    );
}
