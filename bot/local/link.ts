import express, { type Request, type RequestHandler, type Response } from 'express';
import type { Dispatch, Origin, Reply } from '../../engine/contracts/chat.ts';
import type { Form } from '../../engine/contracts/form.ts';
import { drawCard } from './card.ts';
import { drawForm, readForm } from './form.ts';
import { Html, html } from './html.ts';
import { plainPage, shell } from './page.ts';
import { findOptions } from './receive.ts';

export interface LinkOptions {
  /** The form behind a token and who was given it; undefined once it was used or is too old. */
  openLink(token: string): Promise<{ readonly form: Form; readonly origin: Origin } | undefined>;
  /** Uses the token up; called when the form has come to its end. */
  closeLink(token: string): Promise<void>;
  readonly dispatch: Dispatch;
}

/** A page with one form, for what must not be typed into a chat. Mount it at `/form`; works without scripts. */
export function formPage({ openLink, closeLink, dispatch }: LinkOptions): RequestHandler {
  const router = express.Router();
  router.use(express.urlencoded({ extended: false, limit: '1mb' }));
  router.use((_req, res, next) => {
    res.set('Cache-Control', 'no-store');
    next();
  });
  const opened = async (req: Request<{ token: string }>, res: Response) => {
    const link = await openLink(req.params.token);
    if (link === undefined) {
      res.status(410).type('html');
      res.send(
        plainPage('This link is used up', [
          'It works once, and only for a while.',
          'Go back to the chat and ask for a new one.',
        ]),
      );
    }
    return link;
  };
  router.get('/:token', async (req, res) => {
    const link = await opened(req, res);
    if (link !== undefined) {
      res.type('html').send(formDocument(link.form));
    }
  });
  router.post('/:token', async (req, res) => {
    const link = await opened(req, res);
    if (link === undefined) {
      return;
    }
    // The link says which command this is, whatever the page sends; `linked` that a secret may be typed here.
    const input = { ...link.form.hidden, ...readForm(req.body), linked: 'true' };
    const reply = await dispatch.run({ command: link.form.command, input }, link.origin);
    if (reply.kind === 'form') {
      res.status(Object.keys(reply.form.errors).length > 0 ? 422 : 200);
      res.type('html').send(formDocument(reply.form));
      return;
    }
    // What failed can be tried again behind the same link, until its time is over.
    const failed = reply.kind === 'card' && reply.card.tone === 'bad';
    if (!failed) {
      await closeLink(req.params.token);
    }
    res.type('html').send(endDocument(reply, failed));
  });
  router.post('/:token/options', async (req, res) => {
    const link = await opened(req, res);
    if (link !== undefined) {
      res.json(await findOptions(dispatch, { ...req.body, command: link.form.command }, link.origin));
    }
  });
  return router;
}

function formDocument(form: Form): string {
  return shell(
    `${form.title} · Activate`,
    html`<main class="alone" data-alone><div class="sheet">${new Html(drawForm(form).payload)}</div></main>`,
  );
}

function endDocument(reply: Exclude<Reply, { kind: 'form' }>, failed: boolean): string {
  if (reply.kind === 'done') {
    return plainPage('Done', [reply.note ?? 'That is all that was needed.', 'You can close this page.']);
  }
  // Buttons belong to the chat: here nobody could see what they answer.
  const blocks = reply.card.blocks.filter((block) => block.type !== 'actions');
  const card = new Html(drawCard({ ...reply.card, blocks }).payload);
  return shell(
    `${reply.card.title} · Activate`,
    html`<main class="alone"><div class="sheet end">${card}${
      failed
        ? html`<p><a class="button primary" href="">Try again</a></p>`
        : html`<p class="card-context">You can close this page and go on in the chat.</p>`
    }</div></main>`,
  );
}
