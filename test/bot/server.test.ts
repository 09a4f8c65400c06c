import { once } from 'node:events';
import { get, type IncomingMessage, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formPage } from '../../bot/local/link.ts';
import { createLocal } from '../../bot/local/platform.ts';
import { createServer, type Server, type ServerOptions } from '../../bot/server.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { type Form, field } from '../../engine/contracts/form.ts';
import { silentLog } from '../support/log.ts';
import { type FreshDb, freshDb } from '../support/postgres.ts';
import { createDispatch } from './local/dispatch.ts';

const people = [
  { id: 'ada', name: 'Ada Okafor', email: 'ada@example.com' },
  { id: 'bo', name: 'Bo Lind', email: 'bo@example.com' },
];
const channels = [{ id: 'sales', name: 'sales' }];
const origin = {
  person: { kind: 'person', platform: 'slack', id: 'U1' },
  conversation: { kind: 'conversation', platform: 'slack', id: 'C1' },
} as const;
const linked: Form = {
  command: 'save-source',
  title: 'Password',
  intro: [],
  fields: { password: field.secret({ label: 'Password' }) },
  initial: {},
  errors: {},
  hidden: {},
  submit: 'Save',
};

const forms = { good: linked, failing: { ...linked, command: 'no-such-command' } };

let fresh: FreshDb;
let server: Server;
const dispatch = createDispatch();
const used = new Set<string>();
const stop = new AbortController();

function options(given: Partial<ServerOptions> = {}): ServerOptions {
  return {
    platforms: [],
    port: 0,
    log: silentLog,
    metrics: async () => 'runs_total 3\n',
    ready: async () => ({ ok: true, checks: { database: 'ok' } }),
    ...given,
  };
}

beforeAll(async () => {
  fresh = await freshDb();
  const local = createLocal({ db: fresh.db, log: silentLog, people, channels });
  await local.receive(dispatch, stop.signal);
  const form = formPage({
    openLink: async (token) =>
      token in forms && !used.has(token) ? { form: forms[token as keyof typeof forms], origin } : undefined,
    closeLink: async (token) => void used.add(token),
    dispatch,
  });
  server = await createServer(options({ platforms: [local], publicUrl: 'https://chat.example.com', form }));
});
afterAll(async () => {
  stop.abort();
  await server.close();
  await fresh.close();
});

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

/** fetch() may not set Host or Origin; this may. */
function ask(
  path: string,
  given: { host?: string; headers?: Record<string, string>; body?: string } = {},
  at = server,
): Promise<Answer> {
  const headers = { ...(given.host === undefined ? {} : { Host: given.host }), ...given.headers };
  const method = given.body === undefined ? 'GET' : 'POST';
  const type = given.body === undefined ? {} : { 'Content-Type': 'application/x-www-form-urlencoded' };
  return new Promise((resolve, reject) => {
    const sent = request(
      `${at.url}${path}`,
      { method, headers: { ...type, ...headers }, agent: false },
      (res) => {
        let body = '';
        res.on('data', (part: Buffer) => {
          body += part.toString();
        });
        res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, body }));
      },
    );
    sent.on('error', reject);
    sent.end(given.body);
  });
}

const ours = { 'Sec-Fetch-Site': 'same-origin', 'X-Requested-By': 'page' };

describe('the HTTP server', () => {
  it('says that it lives, and which check fails', async () => {
    const sick = await createServer(
      options({ ready: async () => ({ ok: false, checks: { database: 'does not answer', queue: 'ok' } }) }),
    );

    expect((await ask('/healthz', {}, sick)).status).toBe(200);
    const ready = await ask('/readyz', {}, sick);
    expect(ready.status).toBe(503);
    expect(JSON.parse(ready.body)).toEqual({
      ok: false,
      checks: { database: 'does not answer', queue: 'ok' },
    });
    expect((await ask('/readyz')).status).toBe(200);
    await sick.close();
  });

  it('answers probes under any name, as a cluster asks by address', async () => {
    expect((await ask('/healthz', { host: '10.1.2.3:3000' })).status).toBe(200);
    expect((await ask('/metrics', { host: '10.1.2.3:3000' })).body).toBe('runs_total 3\n');
  });

  it('listens on this machine only unless told otherwise', () => {
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  it('explains a port that is taken', async () => {
    const port = Number(new URL(server.url).port);

    const error = await createServer(options({ port })).catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(ActivateError);
    expect(error).toMatchObject({
      code: 'CONFIG_INVALID',
      message: `Port ${port} is taken by another program.`,
    });
  });

  it.each([
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example:3000',
    'chat.example.com.evil.example',
  ])('refuses the name %s, which a foreign page could point here', async (host) => {
    expect((await ask('/c/sales', { host })).status).toBe(421);
  });

  it.each(['localhost:3000', '127.0.0.1', '[::1]:80', 'CHAT.example.com'])(
    'serves under the name %s',
    async (host) => {
      expect((await ask('/c/sales', { host })).status).toBe(200);
    },
  );

  it.each([
    ['another origin', { Origin: 'https://evil.example' }],
    ['an opaque origin', { Origin: 'null' }],
    ['a foreign fetch', { 'Sec-Fetch-Site': 'cross-site' }],
    ['a neighbour port', { 'Sec-Fetch-Site': 'same-site', Origin: 'http://127.0.0.1:1' }],
    ['no sign of a page', {}],
  ])('refuses a change from %s', async (_, headers) => {
    const before = dispatch.asked.length;

    const answer = await ask('/c/sales/messages', {
      headers: headers as Record<string, string>,
      body: 'text=/activate list',
    });

    expect(answer.status).toBe(403);
    expect(dispatch.asked).toHaveLength(before);
  });

  it('allows scripts of its own only, on every page', async () => {
    for (const path of ['/c/sales', '/nothing', '/form/bad', '/assets/style.css']) {
      const policy = String((await ask(path)).headers['content-security-policy']);
      expect(policy).toContain("script-src 'self'");
      expect(policy).not.toContain('unsafe');
    }
  });

  it('answers in plain words when there is nothing', async () => {
    const page = await ask('/wp-admin');
    expect(page.status).toBe(404);
    expect(page.body).toContain('There is nothing here');

    const channel = await ask('/c/nowhere');
    expect(channel.status).toBe(404);
    expect(channel.body).toContain('There is no such conversation here.');
    expect((await ask('/c/direct-bo')).status).toBe(404);
    expect((await ask('/c/%E0%A4%A')).status).toBe(400);
  });

  it('acts as the first person when the cookie names nobody', async () => {
    const answer = await ask('/c/sales', { headers: { Cookie: 'activate_person=root' } });

    expect(answer.body).toContain('data-viewer="ada"');
    expect(String(answer.headers['set-cookie'])).toContain('activate_person=ada');
    expect((await ask('/c/sales', { headers: { Cookie: 'activate_person=bo' } })).body).toContain(
      'data-viewer="bo"',
    );
    expect((await ask('/act-as', { headers: ours, body: 'person=root' })).status).toBe(404);
  });

  it('does not say what broke inside, and says that a text is too long', async () => {
    const broken = await createServer(
      options({
        platforms: [
          createLocal({
            db: {
              ...fresh.db,
              query: () => Promise.reject(new Error('secret detail')),
              transaction: () => Promise.reject(new Error('secret detail')),
            },
            log: silentLog,
            people,
            channels,
          }),
        ],
      }),
    );

    const page = await ask('/c/sales', {}, broken);
    expect(page.status).toBe(500);
    expect(page.body).not.toContain('secret detail');
    await broken.close();
    expect(
      (await ask('/c/sales/messages', { headers: ours, body: `text=${'x'.repeat(2_000_000)}` })).status,
    ).toBe(413);
  });

  it('gives files as downloads, whatever they call themselves', async () => {
    await ask('/run', { headers: ours, body: 'command=report&input={}&conversation=sales' });
    const id = /href="(\/files\/\d+)"/.exec((await ask('/c/sales')).body)?.[1] ?? '';

    const file = await ask(id);

    expect(file.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': expect.stringMatching(/^attachment; filename="?deals.csv"?$/),
      'x-content-type-options': 'nosniff',
    });
    expect((await ask('/files/999999')).status).toBe(404);
  });

  it('closes with a page still listening', async () => {
    const local = createLocal({ db: fresh.db, log: silentLog, people, channels });
    const own = await createServer(options({ platforms: [local] }));
    const stream = await new Promise<IncomingMessage>((resolve) => {
      get(`${own.url}/events`, (res) => res.once('data', () => resolve(res)));
    });
    const ended = once(stream, 'end');

    await Promise.all([own.close(), ended]);

    await expect(ask('/healthz', {}, own)).rejects.toThrow(/ECONNREFUSED/);
  });
});

describe('the password', () => {
  it('stands before every page, lets the right one in, and slows guessing down', async () => {
    let at = Date.parse('2026-01-01T00:00:00Z');
    const local = createLocal({
      db: fresh.db,
      log: silentLog,
      people,
      channels,
      password: 'correct horse',
      now: () => new Date(at),
    });
    const own = await createServer(options({ platforms: [local] }));
    const login = (password: string): Promise<Answer> =>
      ask('/login', { headers: ours, body: `password=${encodeURIComponent(password)}` }, own);

    for (const path of ['/', '/c/sales', '/home', '/events', '/files/1', '/complete']) {
      expect((await ask(path, {}, own)).headers['location']).toBe('/login');
    }
    expect((await ask('/run', { headers: ours, body: 'command=list' }, own)).status).toBe(401);
    const right = await login('correct horse');
    const [cookie = ''] = right.headers['set-cookie'] as string[];
    expect(cookie).toMatch(/HttpOnly; SameSite=Lax$/);
    const session = cookie.split(';')[0] ?? '';
    expect((await ask('/c/sales', { headers: { Cookie: session } }, own)).status).toBe(200);
    const forged = session.replace(/=\d/, '=9');
    expect((await ask('/c/sales', { headers: { Cookie: forged } }, own)).status).toBe(303);

    for (let tries = 0; tries < 5; tries += 1) {
      expect((await login('wrong')).status).toBe(401);
    }
    expect((await login('correct horse')).status).toBe(429);
    at += 61_000;
    expect((await login('correct horse')).status).toBe(303);
    at += 31 * 24 * 3600 * 1000;
    expect((await ask('/c/sales', { headers: { Cookie: session } }, own)).status).toBe(303);
    await own.close();
  });
});

describe('the page behind a one-time link', () => {
  it('draws the form, runs its own command, and works once', async () => {
    expect((await ask('/form/good')).body).toContain('type="password"');

    const answer = await ask('/form/good', {
      headers: ours,
      body: 'command=delete-everything&f.password=hunter2',
    });

    expect(answer.body).toContain('warehouse is connected');
    expect(dispatch.asked.at(-1)).toEqual({
      run: { command: 'save-source', input: { password: 'hunter2', linked: 'true' } },
      origin,
    });
    expect((await ask('/form/good')).status).toBe(410);
    expect((await ask('/form/other')).body).toContain('This link is used up');
  });

  it('stays good when what it was for failed', async () => {
    const answer = await ask('/form/failing', { headers: ours, body: 'f.password=hunter2' });

    expect(answer.body).toContain('Try again');
    expect((await ask('/form/failing')).status).toBe(200);
  });
});
