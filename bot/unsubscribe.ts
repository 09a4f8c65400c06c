import express, { type Request, type RequestHandler, type Response } from 'express';
import { secure } from './local/guard.ts';
import { type Html, html } from './local/html.ts';

export interface UnsubscribeOptions {
  /** Who is meant by a link, as anybody may read it, and of which list; undefined when it is none of ours. */
  open(token: string): { readonly whose: string; readonly list: string } | undefined;
  /** Takes them off that list, or off all; called for links that were opened. Doing it twice is harmless. */
  leave(token: string, all: boolean): Promise<void>;
}

/**
 * Where people take themselves off a list: mount it at `/unsubscribe`. It asks for no login, because the link itself says
 * who is meant; it shows no more of an address than whoever has the mail knows; and only a POST changes anything, since
 * programs that look for bad links follow each of them. A mailbox's own button posts without a page (RFC 8058).
 */
export function unsubscribePage({ open, leave }: UnsubscribeOptions): RequestHandler {
  const router = express.Router();
  router.use(express.urlencoded({ extended: false, limit: '10kb' }));
  router.use((_req, res, next) => {
    secure(res);
    res.set({
      'Cache-Control': 'no-store',
      'Referrer-Policy': 'no-referrer',
      'X-Robots-Tag': 'noindex',
    });
    next();
  });
  router.get('/:token', (req: Request<{ token: string }>, res: Response) => {
    const meant = open(req.params.token);
    if (meant === undefined) {
      unreadable(res);
      return;
    }
    const { whose, list } = meant;
    send(
      res,
      'Unsubscribe',
      html`<p>Mails of the list <b>${list}</b> go to <b>${whose}</b>.</p>
<form method="post" class="leave"><button type="submit" class="button primary">Unsubscribe</button>
<button type="submit" class="button" name="all" value="yes">Unsubscribe from all mail</button></form>`,
    );
  });
  router.post('/:token', async (req: Request<{ token: string }>, res: Response) => {
    const { token } = req.params;
    const meant = open(token);
    if (meant === undefined) {
      unreadable(res);
      return;
    }
    const { whose, list } = meant;
    const all = (req.body as { readonly all?: unknown } | undefined)?.all === 'yes';
    await leave(token, all);
    send(
      res,
      'You are unsubscribed',
      all
        ? html`<p><b>${whose}</b> gets no more mail from here.</p>`
        : html`<p><b>${whose}</b> gets no more mail of the list <b>${list}</b>.</p>
<form method="post" class="leave"><button type="submit" class="button" name="all" value="yes">Unsubscribe from all mail</button></form>`,
    );
  });
  return router;
}

function unreadable(res: Response): void {
  res.status(404);
  send(
    res,
    'This link can not be read',
    html`<p>It may have been cut off on its way: copy the whole of it out of the mail.</p>
<p>If that does not help, answer the mail and say that you want no more.</p>`,
  );
}

function send(res: Response, title: string, body: Html): void {
  res.type('html').send(
    html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/style.css"></head>
<body><main class="plain"><h1>${title}</h1>
${body}</main>
</body></html>`.markup,
  );
}
