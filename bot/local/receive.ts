import express, { type NextFunction, type Request, type Response, type Router } from 'express';
import type { Dispatch, Origin } from '../../engine/contracts/chat.ts';
import { ActivateError, asActivateError } from '../../engine/contracts/errors.ts';
import type { PersonRef, Raw } from '../../engine/contracts/refs.ts';
import { type Answer, type Answering, answer } from './answer.ts';
import { readForm, readRaw } from './form.ts';
import type { Live } from './live.ts';
import { loginPage, plainPage } from './page.ts';
import { messageNumber, ref } from './sender.ts';
import type { Session } from './session.ts';
import * as store from './store.ts';
import { conversationView, homeView, PAGE_SIZE, type Viewing } from './views.ts';

export interface Receiving extends Answering {
  readonly session: Session;
  readonly live: Live;
  readonly password: boolean;
  /** Undefined until the bot listens. */
  readonly dispatch: () => Dispatch | undefined;
}

const COMMAND = /^\/activate(?:\s+|$)/i;

/** The pages of the chat and what they send. Bodies are forms, answers to scripts are JSON. */
export function createRoutes(receiving: Receiving): Router {
  const router = express.Router();
  router.use(express.urlencoded({ extended: false, limit: '1mb' }));
  router.use((_req, res, next) => {
    res.set('Cache-Control', 'no-store');
    next();
  });
  addLogin(router, receiving.session);
  addPages(router, receiving);
  addActions(router, receiving);
  router.use((error: unknown, req: Request, res: Response, next: NextFunction) => {
    if (res.headersSent || req.headers['x-requested-by'] !== 'page') {
      next(error);
      return;
    }
    const { status, shown } = told(error);
    if (status >= 500) {
      receiving.log.error(
        { message: asActivateError(error).message, error, path: req.path },
        'request failed',
      );
    }
    res.status(status).json({ error: shown });
  });
  return router;
}

/** What a script shows the person when a request failed. */
function told(error: unknown): { status: number; shown: string } {
  const { status } = error as { status?: unknown };
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return {
      status,
      shown: status === 413 ? 'That is too long: at most one megabyte.' : 'That could not be read.',
    };
  }
  const { code, message, fix } = asActivateError(error);
  if (code === 'BUG') {
    return { status: 500, shown: 'Something went wrong here. Nothing you typed is lost: try again.' };
  }
  const shown = fix === undefined ? message : `${message} ${fix}`;
  return { status: code === 'NOT_FOUND' || code === 'TARGET_GONE' ? 404 : 500, shown };
}

function addLogin(router: Router, session: Session): void {
  router.get('/login', (req, res) => {
    if (session.passed(req)) {
      res.redirect(303, '/');
      return;
    }
    res.type('html').send(loginPage());
  });
  router.post('/login', (req, res) => {
    const result = session.enter(req, res, text(req.body, 'password'));
    switch (result) {
      case 'in':
        res.redirect(303, '/');
        return;
      case 'wrong':
        res.status(401).type('html').send(loginPage('That is not the password.'));
        return;
      case 'wait':
        res.status(429).type('html').send(loginPage('Too many wrong passwords. Try again in a minute.'));
        return;
      default:
        result satisfies never;
    }
  });
  router.use((req, res, next) => {
    if (session.passed(req)) {
      next();
    } else if (req.headers['x-requested-by'] === 'page') {
      res.status(401).json({ error: 'You are logged out.', goto: '/login' });
    } else {
      res.redirect(303, '/login');
    }
  });
  router.post('/logout', (_req, res) => {
    session.leave(res);
    res.redirect(303, '/login');
  });
}

function addPages(router: Router, receiving: Receiving): void {
  const { db, live } = receiving;
  router.get('/', async (_req, res) => {
    await receiving.sender.ready();
    const [first] = await store.channels(db);
    res.redirect(303, first === undefined ? '/home' : `/c/${encodeURIComponent(first.id)}`);
  });
  router.get('/c/:id', async (req, res) => {
    const viewing = await look(receiving, req, res);
    const conversation = await openConversation(viewing, req.params.id);
    const thread = messageNumber(text(req.query, 'thread'));
    const show = messageNumber(text(req.query, 'show')) ?? PAGE_SIZE;
    const seenUpTo = messageNumber(String(req.headers['x-seen'] ?? ''));
    res.type('html').send(await conversationView(viewing, { conversation, thread, show, seenUpTo }));
  });
  router.get('/home', async (req, res) => {
    const viewing = await look(receiving, req, res);
    res
      .type('html')
      .send(await homeView(viewing, heard(receiving), origin(viewing.viewer, directOf(viewing))));
  });
  router.get('/events', async (req, res) => {
    const { viewer } = await look(receiving, req, res);
    live.attach(req, res, viewer.id);
  });
  router.get('/files/:id', async (req, res) => {
    const { viewer } = await look(receiving, req, res);
    const found = await store.file(db, viewer.id, messageNumber(req.params.id) ?? 0);
    if (found === undefined) {
      res
        .status(404)
        .type('html')
        .send(plainPage('This file is not here', ['It was taken away, or it is not for you.']));
      return;
    }
    // Only a picture is ever shown; everything else is saved, whatever its sender calls it.
    const picture = found.type === 'image/png';
    res.attachment(found.name);
    if (picture) {
      res.set('Content-Disposition', 'inline');
    }
    res.set('Content-Type', picture ? 'image/png' : 'application/octet-stream');
    res.set('Content-Security-Policy', "default-src 'none'; sandbox");
    res.send(found.bytes);
  });
}

function addActions(router: Router, receiving: Receiving): void {
  const { db, session } = receiving;
  router.post('/act-as', async (req, res) => {
    const people = await store.people(db);
    const person = people.find((one) => one.id === text(req.body, 'person'));
    if (person === undefined) {
      throw new ActivateError('NOT_FOUND', 'There is nobody of that name in this chat.');
    }
    session.actAs(req, res, person.id);
    res.redirect(303, '/');
  });
  router.post('/c/:id/messages', async (req, res) => {
    const viewing = await look(receiving, req, res);
    const conversation = await openConversation(viewing, req.params.id);
    const thread = messageNumber(text(req.body, 'thread'));
    const from = origin(viewing.viewer, conversation.id, thread);
    res.json(await said(receiving, text(req.body, 'text').trim(), from));
  });
  router.post('/run', async (req, res) => {
    const viewing = await look(receiving, req, res);
    const from = await originOf(viewing, req.body);
    const run = { command: text(req.body, 'command'), input: readRaw(text(req.body, 'input')) };
    res.json(await answered(receiving, () => heard(receiving).run(run, from), from, req.body));
  });
  router.post('/dialog', async (req, res) => {
    const viewing = await look(receiving, req, res);
    const from = await originOf(viewing, req.body);
    const input = readForm(req.body);
    const run = {
      command: text(req.body, 'command'),
      input: text(req.body, 'closed') === 'true' ? { ...input, closed: 'true' } : input,
    };
    res.json(await answered(receiving, () => heard(receiving).run(run, from), from, req.body));
  });
  router.post('/options', async (req, res) => {
    const viewing = await look(receiving, req, res);
    const from = await originOf(viewing, req.body);
    res.json(await findOptions(heard(receiving), req.body, from));
  });
  router.get('/complete', async (req, res) => {
    const viewing = await look(receiving, req, res);
    const conversation = await openConversation(viewing, text(req.query, 'conversation'));
    const from = origin(viewing.viewer, conversation.id);
    res.json(await heard(receiving).complete(text(req.query, 'line'), from));
  });
  router.post('/read', async (req, res) => {
    const { viewer } = await look(receiving, req, res);
    await store.markRead(
      db,
      viewer.id,
      text(req.body, 'conversation'),
      messageNumber(text(req.body, 'upTo')) ?? 0,
    );
    res.json({});
  });
  router.post('/dismiss', async (req, res) => {
    const { viewer } = await look(receiving, req, res);
    await store.dismiss(db, viewer.id, messageNumber(text(req.body, 'message')) ?? 0);
    res.json({});
  });
}

/** Options of a lookup field, as a form's script asks for them. */
export async function findOptions(dispatch: Dispatch, body: unknown, from: Origin): Promise<unknown> {
  const input: Raw = readForm(body);
  return dispatch.options(text(body, 'command'), text(body, 'field'), text(body, 'typed'), input, from);
}

async function said(receiving: Receiving, line: string, from: Origin): Promise<Answer> {
  const { db, now } = receiving;
  if (COMMAND.test(line)) {
    const rest = line.replace(COMMAND, '').trim();
    return answered(receiving, () => heard(receiving).typed(rest, from), from, {});
  }
  if (/^\/\w*$|^\/\w+\s/.test(line)) {
    throw new ActivateError('NOT_FOUND', `There is no command ${line.split(/\s/)[0]} here.`, {
      fix: 'Commands begin with /activate.',
    });
  }
  if (line !== '') {
    const { conversation, person } = from;
    await store.add(db, {
      conversation: conversation.id,
      thread: conversation.thread,
      at: now(),
      content: { author: person.id, body: line },
    });
  }
  return {};
}

async function answered(
  receiving: Receiving,
  ask: () => Promise<Parameters<typeof answer>[0]>,
  from: Origin,
  body: unknown,
): Promise<Answer> {
  const reply = await ask();
  const result = await answer(reply, from, receiving);
  // Home has no messages: what its buttons answer lands in the direct messages, so go and look there.
  const away = text(body, 'conversation') === 'home' && reply.kind === 'card';
  return away ? { ...result, goto: `/c/${encodeURIComponent(from.conversation.id)}` } : result;
}

function heard(receiving: Receiving): Dispatch {
  const dispatch = receiving.dispatch();
  if (dispatch === undefined) {
    throw new ActivateError('UNAVAILABLE', 'Activate is still starting.', { fix: 'Try again in a moment.' });
  }
  return dispatch;
}

/** Who looks: the person this browser acts as, or the first one when it acts as nobody known. */
async function look(receiving: Receiving, req: Request, res: Response): Promise<Viewing> {
  const { db, session, now, password } = receiving;
  await receiving.sender.ready();
  const people = await store.people(db);
  const wished = session.person(req);
  const viewer = people.find((person) => person.id === wished) ?? people[0];
  if (viewer === undefined) {
    throw new ActivateError('CONFIG_INVALID', 'This chat has no people.', {
      fix: 'Configure at least one person.',
    });
  }
  if (viewer.id !== wished) {
    session.actAs(req, res, viewer.id);
  }
  return { db, viewer, people, now: now(), password };
}

function directOf({ viewer }: Viewing): string {
  return store.directId(viewer.id);
}

async function openConversation({ db, viewer }: Viewing, id: string): Promise<store.Conversation> {
  const found = await store.conversation(db, id);
  if (found === undefined || (found.person !== undefined && found.person !== viewer.id)) {
    throw new ActivateError('NOT_FOUND', 'There is no such conversation here.', {
      fix: 'Choose one from the list.',
    });
  }
  return found;
}

function origin(viewer: store.Person, conversation: string, thread?: number): Origin {
  const person: PersonRef = { kind: 'person', platform: 'local', id: viewer.id };
  const at = { kind: 'conversation', platform: 'local', id: conversation } as const;
  return {
    person,
    conversation: thread === undefined ? at : { ...at, thread: String(thread) },
    ...(conversation === store.directId(viewer.id) ? { direct: true } : {}),
  };
}

/** Where something was pressed or filled in. The message, when there is one, says it; not the page. */
async function originOf(viewing: Viewing, body: unknown): Promise<Origin> {
  const id = messageNumber(text(body, 'message'));
  if (id === undefined) {
    const named = text(body, 'conversation');
    const conversation = await openConversation(viewing, named === 'home' ? directOf(viewing) : named);
    return origin(viewing.viewer, conversation.id, messageNumber(text(body, 'thread')));
  }
  const message = await store.message(viewing.db, viewing.viewer.id, id);
  if (message === undefined) {
    throw new ActivateError('NOT_FOUND', 'That message is no longer there.');
  }
  const thread = message.thread === undefined ? undefined : String(message.thread);
  return {
    ...origin(viewing.viewer, message.conversation, message.thread),
    message: ref(message.conversation, message.id, thread),
  };
}

function text(body: unknown, name: string): string {
  const value = (body as Record<string, unknown> | undefined)?.[name];
  return typeof value === 'string' ? value : '';
}
