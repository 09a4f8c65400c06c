import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, {
  type Express,
  type NextFunction,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import { ActivateError, asActivateError } from '../engine/contracts/errors.ts';
import type { Log } from '../engine/contracts/log.ts';
import { assets } from './local/assets.ts';
import { guard, secure } from './local/guard.ts';
import { plainPage } from './local/page.ts';
import type { Platform } from './platform.ts';

export interface ServerOptions {
  readonly platforms: readonly Platform[];
  /** 0 for any free port. */
  readonly port: number;
  /** 127.0.0.1 when left out: nobody else reaches an installation that was not set up for it. */
  readonly host?: string;
  /** The address that people and chat systems use, when it is not this machine's. */
  readonly publicUrl?: string;
  readonly log: Log;
  /** Prometheus text. */
  readonly metrics: () => Promise<string>;
  /** What has to work for requests to make sense; each check says `ok` or what is wrong. */
  readonly ready: () => Promise<{ readonly ok: boolean; readonly checks: Readonly<Record<string, string>> }>;
  /** The pages behind one-time links, mounted at `/form`. */
  readonly form?: RequestHandler;
  /** Where other tools tell us something, each request signed; mounted at `/hooks`. */
  readonly hooks?: RequestHandler;
  /** Where people outside take themselves off lists, mounted at `/unsubscribe`. */
  readonly unsubscribe?: RequestHandler;
}

export interface Server {
  /** Where it listens, as `http://127.0.0.1:3000`. */
  readonly url: string;
  /** Ends event streams, lets running requests finish (10 s at most) and stops. */
  close(): Promise<void>;
}

const closeWithinMs = 10_000;

/** Starts the bot's one HTTP server. CONFIG_INVALID when the port can't be had. */
export async function createServer(options: ServerOptions): Promise<Server> {
  const { port, host = '127.0.0.1' } = options;
  const running = new Set<Response>();
  const server = createHttpServer(createApp(options, running));
  await listen(server, port, host);
  const address = server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return { url: `http://${name}:${address.port}`, close: () => close(server, running) };
}

function createApp(
  { platforms, publicUrl, log, metrics, ready, form, unsubscribe, hooks }: ServerOptions,
  running: Set<Response>,
): Express {
  const app = express();
  app.disable('x-powered-by');
  app.use((_req, res, next) => {
    running.add(res);
    res.on('close', () => running.delete(res));
    next();
  });
  app.get('/healthz', (_req, res) => void res.json({ ok: true }));
  app.get('/readyz', async (_req, res) => {
    const state = await ready();
    res.status(state.ok ? 200 : 503).json(state);
  });
  app.get('/metrics', async (_req, res) => {
    res.type('text/plain; version=0.0.4; charset=utf-8').send(await metrics());
  });
  if (unsubscribe !== undefined) {
    // Mailboxes post here from wherever they are: the link proves who is meant.
    app.use('/unsubscribe', unsubscribe);
  }
  if (hooks !== undefined) {
    app.use('/hooks', hooks);
  }
  const ours = guard(publicUrl);
  app.use('/assets', ours, assets());
  if (form !== undefined) {
    app.use('/form', ours, form);
  }
  // Platforms below a path of their own prove by a signature who asks, and a proxy may name us as it likes there.
  const routes = platforms.flatMap((platform) => (platform.routes === undefined ? [] : [platform.routes]));
  for (const { path, handler } of routes.filter((one) => one.path !== '/')) {
    app.use(path, handler);
  }
  for (const { handler } of routes.filter((one) => one.path === '/')) {
    app.use(ours, handler);
  }
  app.use((_req, res) => {
    secure(res);
    const words = ['The address may be mistyped, or what was here is gone.'];
    res
      .status(404)
      .type('html')
      .send(plainPage('There is nothing here', words, home));
  });
  app.use(failure(log));
  return app;
}

const home = { href: '/', label: 'Back to the chat' };

/** The last word on anything that went wrong: a page in plain words, never a stack. */
function failure(log: Log) {
  return (thrown: unknown, req: Request, res: Response, next: NextFunction): void => {
    if (res.headersSent) {
      next(thrown);
      return;
    }
    secure(res);
    const { status, title, words } = told(thrown);
    if (status >= 500) {
      const { code, message } = asActivateError(thrown);
      log.error({ code, message, error: thrown, path: req.path }, 'request failed');
    }
    res
      .status(status)
      .type('html')
      .send(plainPage(title, [words], home));
  };
}

function told(thrown: unknown): { status: number; title: string; words: string } {
  const status = (thrown as { status?: unknown } | undefined)?.status;
  if (typeof status === 'number' && status >= 400 && status < 500) {
    const words = status === 413 ? 'It is larger than one megabyte.' : 'The request could not be read.';
    return { status, title: 'That could not be taken', words };
  }
  const { code, message, fix = '' } = asActivateError(thrown);
  switch (code) {
    case 'NOT_FOUND':
      return { status: 404, title: message, words: fix };
    case 'BUG':
      return {
        status: 500,
        title: 'Something went wrong here',
        words: 'It was written down in the log. Nothing was changed.',
      };
    default:
      return { status: code === 'UNAVAILABLE' ? 503 : 500, title: message, words: fix };
  }
}

async function listen(server: HttpServer, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(notListening(error, port, host)));
    server.listen(port, host, resolve);
  });
}

function notListening(error: NodeJS.ErrnoException, port: number, host: string): ActivateError {
  switch (error.code) {
    case 'EADDRINUSE':
      return new ActivateError('CONFIG_INVALID', `Port ${port} is taken by another program.`, {
        cause: error,
        fix: 'Stop that program, or set PORT to another number.',
      });
    case 'EACCES':
      return new ActivateError('CONFIG_INVALID', `Port ${port} may not be used by this account.`, {
        cause: error,
        fix: 'Set PORT to a number above 1023.',
      });
    default:
      return new ActivateError(
        'CONFIG_INVALID',
        `The server can't listen on ${host}:${port}: ${error.message}.`,
        {
          cause: error,
          fix: 'Set HOST and PORT to an address of this machine.',
        },
      );
  }
}

async function close(server: HttpServer, running: ReadonlySet<Response>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const res of running) {
    if (String(res.getHeader('Content-Type')).startsWith('text/event-stream')) {
      res.end();
    }
  }
  server.closeIdleConnections();
  const late = setTimeout(() => server.closeAllConnections(), closeWithinMs);
  await closed;
  clearTimeout(late);
}
