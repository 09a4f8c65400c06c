import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect as connectTo } from 'node:net';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpRequest, theirWords, withToken } from '../../engine/contracts/http.ts';
import type { Log } from '../../engine/contracts/log.ts';
import { parsedUrl } from '../../engine/contracts/url.ts';
import { isHostEntry, isPrivateAddress } from '../../engine/http/hosts.ts';
import { createHttp, type HttpClient, type HttpOptions } from '../../engine/http.ts';
import { type FakeHttp, limited, startFakeHttp } from '../fakes/http.ts';

let fake: FakeHttp<{ calls: number }>;
let lines: string[];
let pauses: number[];
const opened: HttpClient[] = [];

beforeEach(async () => {
  lines = [];
  pauses = [];
  const count = (_request: unknown, state: { calls: number }) => {
    state.calls += 1;
    return { json: { calls: state.calls } };
  };
  fake = await startFakeHttp(
    { calls: 0 },
    { 'GET /count': count, 'POST /count': count, 'PUT /files/*': count },
  );
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((http) => http.close()));
  await fake.close();
  fake.expectNoUnexpected();
});

const write = (facts: object, message: string): void =>
  void lines.push(`${message} ${JSON.stringify(facts)}`);
const log: Log = { debug: write, info: write, warn: write, error: write, child: () => log };

/** A client that may call the fake and api.example.com, and does not really wait. */
function client(options: Partial<HttpOptions> = {}): HttpClient {
  const http = createHttp({
    hosts: ['api.example.com', '*.wide.example', '127.0.0.1'],
    privateHosts: ['127.0.0.1'],
    log,
    now: () => new Date('2026-11-23T12:00:00Z'),
    pause: async (ms, signal) => {
      signal?.throwIfAborted();
      pauses.push(ms);
    },
    ...options,
  });
  opened.push(http);
  return http;
}

async function failure(http: HttpClient, request: Partial<HttpRequest>): Promise<ActivateError> {
  const error = await http.send({ method: 'GET', url: fake.url, ...request }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ActivateError);
  return error as ActivateError;
}

const nowhere = async (): Promise<never> => {
  throw Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });
};

describe('which hosts may be called', () => {
  it.each([
    'https://api.example.com/x',
    'https://API.EXAMPLE.COM./x',
    'https://api.example.com:8443/x',
    'https://a.wide.example/',
    'https://a.b.wide.example/',
    'https://api.example.com\\@evil.test/',
  ])('lets %s be looked up', async (url) => {
    const error = await failure(client({ resolve: nowhere }), { url });

    expect(error).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('ENOTFOUND') });
  });

  it.each([
    'https://api.example.com.evil.test/',
    'https://evil.test/api.example.com',
    'https://evil.test#api.example.com',
    'https://evil.test?x=api.example.com',
    'https://xapi.example.com/',
    'https://example.com/',
    'https://wide.example/',
    'https://evilwide.example/',
    'https://аpi.example.com/', // Cyrillic а
    'https://api.example.com。evil.test/',
  ])('refuses %s', async (url) => {
    const error = await failure(client(), { url });

    expect(error).toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringContaining('none of the hosts'),
    });
  });

  it('knows an international name in both of its spellings', async () => {
    const http = client({ hosts: ['xn--bcher-kva.example'], resolve: nowhere });
    // After so many addresses the code that reads them has been optimised.
    for (let count = 0; count < 20_000; count += 1) {
      parsedUrl(`https://api.example.com/${count}`);
    }

    expect((await failure(http, { url: 'https://BÜCHER.example/' })).code).toBe('UNAVAILABLE');
  });

  it('takes hosts that the connection adds', async () => {
    const http = client({ hosts: [], extra: ['127.0.0.1'] });

    expect((await http.send({ method: 'GET', url: `${fake.url}/count` })).ok).toBe(true);
  });

  it.each(['https://user:pa55word@api.example.com/', 'https://api.example.com@evil.test/'])(
    'refuses a user name in an address, and does not repeat it: %s',
    async (url) => {
      const error = await failure(client(), { url });

      expect(error.code).toBe('CONFIG_INVALID');
      expect(error.message).not.toContain('pa55word');
    },
  );

  it.each(['ftp://api.example.com/', 'not an address', 'file:///etc/passwd', '//api.example.com'])(
    'refuses %s',
    async (url) => {
      expect((await failure(client(), { url })).code).toBe('CONFIG_INVALID');
    },
  );
});

describe('private networks', () => {
  it.each([
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '①②⑦.0.0.1',
    '0.0.0.0',
    '10.0.0.8',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '169.254.169.254',
    '224.0.0.1',
    '255.255.255.255',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:a9fe:a9fe]',
    '[::127.0.0.1]',
    '[64:ff9b::10.0.0.8]',
    '[fe80::1]',
    '[fd12:3456::1]',
    '[ff02::1]',
    '[2002:7f00:1::]',
  ])('are refused as an address: %s', async (host) => {
    const http = client({ hosts: ['*'], privateHosts: [] });

    expect(await failure(http, { url: `https://${host}/` })).toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringContaining('private network'),
      fix: expect.stringContaining('ALLOWED_PRIVATE_HOSTS'),
    });
  });

  it.each(['1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '::ffff:1.1.1.1', '64:ff9b::1.1.1.1'])(
    'are not %s',
    (address) => {
      expect(isPrivateAddress(address)).toBe(false);
    },
  );

  it('are refused by what a name stands for, even among public addresses', async () => {
    const resolve = async () => [
      { address: '93.184.215.14', family: 4 },
      { address: '169.254.169.254', family: 4 },
    ];

    const error = await failure(client({ hosts: ['*'], resolve }), { url: 'https://rebound.example/' });

    expect(error).toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringContaining('private network'),
    });
    expect(error.message).not.toContain('169.254');
  });

  it('can be opened by name, and the checked address is the one connected to', async () => {
    const { port } = new URL(fake.url);
    const answers = ['127.0.0.1', '10.255.255.1'];
    const resolve = async () => [{ address: answers.shift() ?? '', family: 4 }];
    const http = client({ hosts: ['*'], privateHosts: ['crm.internal'], resolve });

    const answer = await http.send({ method: 'GET', url: `http://crm.internal:${port}/count` });

    expect(answer.json()).toEqual({ calls: 1 });
    expect(answers).toHaveLength(1);
  });

  it('can be opened by network, for names that lead there too', async () => {
    const { port } = new URL(fake.url);
    const resolve = async () => [{ address: '127.0.0.1', family: 4 }];
    const http = client({ hosts: ['*'], privateHosts: ['127.0.0.0/8'], resolve });

    expect((await http.send({ method: 'GET', url: `http://any.example:${port}/count` })).ok).toBe(true);
    expect((await http.send({ method: 'GET', url: `http://127.0.0.1:${port}/count` })).ok).toBe(true);
  });

  it('alone may be called without encryption', async () => {
    const resolve = async () => [{ address: '93.184.215.14', family: 4 }];
    const http = client({ hosts: ['*'], resolve });

    for (const url of ['http://public.example/', 'http://93.184.215.14/']) {
      expect(await failure(http, { url })).toMatchObject({
        code: 'PERMISSION_DENIED',
        message: expect.stringContaining('without encryption'),
      });
    }
  });

  it.each([
    ['crm.internal', true],
    ['*.internal', true],
    ['10.0.0.0/8', true],
    ['fd00::/8', true],
    ['[::1]', true],
    ['redis_1', true],
    ['10.0.0.0/33', false],
    ['10.0.0.0/8/8', false],
    ['https://crm.internal', false],
    ['crm.internal:8080', false],
    ['*', false],
    ['', false],
  ])('are listed as %s: %s', (entry, taken) => {
    expect(isHostEntry(entry)).toBe(taken);
  });
});

describe('what is sent', () => {
  it('is JSON, with a query that is encoded', async () => {
    await client().send({
      method: 'POST',
      url: `${fake.url}/count?a=1`,
      query: { q: 'ä&b', n: 2, left: undefined, yes: true },
      json: { name: 'Ünï' },
      headers: { 'X-Team': 'growth' },
    });

    const [request] = fake.requests;
    expect(request?.query.toString()).toBe('a=1&q=%C3%A4%26b&n=2&yes=true');
    expect(request?.json()).toEqual({ name: 'Ünï' });
    expect(request?.headers).toMatchObject({ 'content-type': 'application/json', 'x-team': 'growth' });
  });

  it('is compressed when asked for', async () => {
    await client().send({
      method: 'POST',
      url: `${fake.url}/count`,
      json: { a: 'x'.repeat(999) },
      gzip: true,
    });

    expect(fake.requests[0]?.headers).toMatchObject({ 'content-encoding': 'gzip' });
    expect(Number(fake.requests[0]?.headers['content-length'])).toBeLessThan(200);
    expect(fake.requests[0]?.json()).toEqual({ a: 'x'.repeat(999) });
  });

  it('is streamed from the beginning at each try', async () => {
    fake.next('reset');
    const body = async function* () {
      yield Buffer.from('one ');
      yield Buffer.from('two');
    };

    await client().send({ method: 'PUT', url: `${fake.url}/files/a/b`, body, repeatable: true });

    expect(fake.requests.map((request) => request.body.toString())).toEqual(['one two', 'one two']);
  });

  it('fails as its stream fails', async () => {
    const broken = new Error('disk is gone');
    const body = async function* () {
      yield Buffer.from('one ');
      throw broken;
    };

    await expect(
      client().send({ method: 'PUT', url: `${fake.url}/files/a`, body, repeatable: true }),
    ).rejects.toBe(broken);
  });

  it('has no header that could begin another', async () => {
    const error = await failure(client(), { headers: { authorization: 'Bearer a\r\nx: y' } });

    expect(error).toMatchObject({ code: 'CONFIG_INVALID', fix: expect.any(String) });
    expect(fake.requests).toEqual([]);
  });
});

describe('what is answered', () => {
  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
  ])('is unpacked from %s', async (encoding, pack) => {
    fake.next({ headers: { 'content-encoding': encoding }, text: pack('{"ü":1}') });

    expect((await client().send({ method: 'GET', url: fake.url })).json()).toEqual({ ü: 1 });
  });

  it('is unknown when it is cut or is no JSON', async () => {
    fake.next({ headers: { 'content-encoding': 'gzip' }, text: 'no gzip' }, 'done-then-garbage');
    const http = client();

    expect((await failure(http, {})).code).toBe('OUTCOME_UNKNOWN');
    const answer = await http.send({ method: 'GET', url: `${fake.url}/count` });
    expect(() => answer.json()).toThrow(expect.objectContaining({ code: 'OUTCOME_UNKNOWN' }));
  });

  it('is at most 64 MB, packed or not', async () => {
    const large = Buffer.alloc(65 * 1024 * 1024);
    fake.next({ text: large }, { headers: { 'content-encoding': 'gzip' }, text: gzipSync(large) });
    const http = client();

    for (const _ of ['plain', 'packed']) {
      expect(await failure(http, {})).toMatchObject({
        code: 'OUTCOME_UNKNOWN',
        message: expect.stringContaining('64 MB'),
      });
    }
  });

  it('may be a redirect, which is not followed', async () => {
    fake.next({ status: 307, headers: { location: `${fake.url}/count` } });

    const answer = await client().send({ method: 'POST', url: fake.url, json: {} });

    expect(answer.status).toBe(307);
    expect(fake.requests).toHaveLength(1);
    expect(errorOf(answer, 'Acme').code).toBe('CONFIG_INVALID');
  });

  it.each([
    ['7', 7000],
    ['0.5', 500],
    ['Mon, 23 Nov 2026 12:00:09 GMT', 9000],
    ['Mon, 23 Nov 2026 11:00:00 GMT', 0],
    ['soon', undefined],
  ])('asks with Retry-After %s for %s ms', async (text, ms) => {
    fake.next({ status: 429, headers: { 'retry-after': text } });

    const answer = await client().send({ method: 'POST', url: fake.url });

    expect(answer).toMatchObject({ status: 429, retryAfterMs: ms });
  });
});

describe('what an error quotes', () => {
  it('has no key or token in it, however it was sent', async () => {
    fake.always((request) => ({
      status: request.method === 'GET' ? 400 : 200,
      json: {
        message: [...Object.values(request.headers), request.path, request.query, request.body].join(' '),
      },
    }));
    const http = client({ secrets: [`${fake.url}/hooks/pa55word`, 'body "quoted"'] });
    const request = {
      url: `${fake.url}/hooks/pa55word`,
      query: { access_token: 'in+the query', fields: 'shown' },
      headers: { authorization: 'Bearer abc123', 'x-api-key': 'k3y-k3y' },
      body: '{"client_secret":"body \\"quoted\\""}',
    };

    const { text } = await http.send({ method: 'GET', ...request });
    const fine = await http.send({ method: 'POST', ...request });

    expect(text).not.toMatch(/pa55word|in\+the|abc123|k3y-k3y|quoted/);
    expect(text).toContain('shown');
    expect(fine.text).toContain('abc123');
  });

  it('has no value of a row in it', () => {
    const says = 'Email "ada@x.example" of row 1234 is taken:\n try ada@x.example.org, or 42.';

    expect(theirWords(says, { email: 'ada@x.example', id: 1234, n: 42, deep: [{ a: null }] })).toBe(
      'Email "…" of row … is taken: try ….org, or 42.',
    );
    expect(theirWords('x'.repeat(400))).toHaveLength(300);
  });
});

describe('trying again', () => {
  it('is for what does no harm twice: a GET', async () => {
    fake.next({ status: 503 }, 'reset');

    const answer = await client().send({ method: 'GET', url: `${fake.url}/count` });

    expect(answer.json()).toEqual({ calls: 1 });
    expect(pauses).toHaveLength(2);
    expect(pauses[0]).toBeGreaterThanOrEqual(150);
    expect(pauses[0]).toBeLessThanOrEqual(250);
    expect(pauses[1]).toBeGreaterThanOrEqual(300);
    expect(pauses[1]).toBeLessThanOrEqual(500);
  });

  it('is not for a POST, unless it says so', async () => {
    fake.always({ status: 500 });
    const http = client();

    expect((await http.send({ method: 'POST', url: fake.url })).status).toBe(500);
    expect(fake.requests).toHaveLength(1);
    expect((await http.send({ method: 'POST', url: fake.url, repeatable: true })).status).toBe(500);
    expect(fake.requests).toHaveLength(4);
  });

  it('waits as asked up to ten seconds, and leaves longer waits to the caller', async () => {
    fake.next(limited(10), limited(11));

    const answer = await client().send({ method: 'GET', url: `${fake.url}/count` });

    expect(pauses).toEqual([10_000]);
    expect(answer).toMatchObject({ status: 429, retryAfterMs: 11_000 });
  });

  it('leaves a 429 that names no time to the caller', async () => {
    fake.next(limited());

    expect((await client().send({ method: 'GET', url: fake.url })).status).toBe(429);
    expect(pauses).toEqual([]);
  });

  it('ends with the signal', async () => {
    const gone = new AbortController();
    fake.always({ status: 500 });
    const http = client({
      pause: async (_ms, signal) => {
        gone.abort(new Error('stopped'));
        signal?.throwIfAborted();
      },
    });

    await expect(http.send({ method: 'GET', url: fake.url, signal: gone.signal })).rejects.toThrow('stopped');
    expect(fake.requests).toHaveLength(1);
  });
});

describe('a wait', () => {
  it('ends with the signal, whose reason comes back', async () => {
    fake.next(limited(10));
    const gone = new AbortController();
    const reason = new Error('the run was canceled');
    // The wait begins once the answer is logged and read.
    const abortSoon = (): void => void setImmediate(() => gone.abort(reason));
    const http = createHttp({ hosts: ['*'], privateHosts: ['127.0.0.1'], log: { ...log, debug: abortSoon } });
    opened.push(http);

    await expect(http.send({ method: 'GET', url: fake.url, signal: gone.signal })).rejects.toBe(reason);
    expect(fake.requests).toHaveLength(1);
  });
});

describe('no answer', () => {
  /** A port of 127.0.0.1 at which nobody listens. */
  async function deadUrl(): Promise<string> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return `http://127.0.0.1:${port}/?token=hidden`;
  }

  it('before it was sent means that nothing was done', async () => {
    const error = await failure(client(), { method: 'POST', url: await deadUrl() });

    expect(error).toMatchObject({
      code: 'UNAVAILABLE',
      message: "127.0.0.1 can't be reached (ECONNREFUSED).",
    });
  });

  it('after it was sent means that nobody knows', async () => {
    fake.next('done-then-reset');

    expect(await failure(client(), { method: 'POST', url: `${fake.url}/count` })).toMatchObject({
      code: 'OUTCOME_UNKNOWN',
    });
    expect(fake.state.calls).toBe(1);
  });

  it('in time means the same', async () => {
    fake.always('hang');
    const http = client();

    expect((await failure(http, { method: 'POST', timeoutMs: 30 })).code).toBe('OUTCOME_UNKNOWN');
    expect((await failure(http, { method: 'GET', timeoutMs: 30 })).code).toBe('UNAVAILABLE');
  });

  it('counts what drips in for ever as no answer', async () => {
    const server: Server = createServer((_request, response) => {
      response.write('{');
      const drip = setInterval(() => response.write(' '), 5);
      response.on('close', () => clearInterval(drip));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

    const error = await failure(client(), { method: 'POST', url, timeoutMs: 60 });

    expect(error).toMatchObject({ code: 'OUTCOME_UNKNOWN', message: '127.0.0.1 did not answer in time.' });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('is waited for no longer than the signal lasts, whose reason comes back', async () => {
    fake.always('hang');
    const gone = new AbortController();
    const reason = new Error('the run was canceled');

    const sending = client().send({ method: 'POST', url: fake.url, signal: gone.signal });
    await fake.arrival();
    gone.abort(reason);

    await expect(sending).rejects.toBe(reason);
    await expect(client().send({ method: 'GET', url: fake.url, signal: gone.signal })).rejects.toBe(reason);
  });

  it('is no reason to wait for a connection once the signal has gone', async () => {
    const gone = new AbortController();
    let lookedUp = (): void => undefined;
    const asked = new Promise<void>((resolve) => {
      lookedUp = resolve;
    });
    const http = client({
      resolve: () => {
        lookedUp();
        return new Promise(() => undefined);
      },
    });

    const sending = http.send({ method: 'POST', url: 'https://api.example.com/', signal: gone.signal });
    await asked;
    gone.abort(new Error('stopped'));

    await expect(sending).rejects.toThrow('stopped');
  });
});

describe('the log', () => {
  it('has method, host, path and status, and nothing else of a request', async () => {
    const http = client();

    await http.send({
      method: 'POST',
      url: `${fake.url}/count?key=hidden`,
      headers: { authorization: 'Bearer hidden' },
      json: { name: 'hidden' },
    });
    fake.always('reset');
    await failure(http, { url: `${fake.url}/people/hidden@x.example`, query: { token: 'hidden' } });
    await failure(http, { method: 'POST', url: `${fake.url}/services/hidden`, secretPath: true });

    const { host } = new URL(fake.url);
    expect(lines[0]).toMatch(
      `http call {"method":"POST","host":"${host}","path":"/count","status":200,"ms":`,
    );
    expect(lines.join('\n')).not.toContain('hidden');
    expect(lines).toHaveLength(5);
  });
});

describe('a proxy', () => {
  it('carries what goes to public hosts, by tunnel, and is left out for private ones', async () => {
    const tunnels: string[] = [];
    const proxy = createServer().on('connect', (request, socket) => {
      tunnels.push(`${request.url} ${request.headers['proxy-authorization']}`);
      const through = connectTo(Number(new URL(fake.url).port), '127.0.0.1', () =>
        socket.end('HTTP/1.1 502 No\r\n\r\n'),
      );
      through.end();
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const http = client({
      proxy: `http://user:pa55word@127.0.0.1:${(proxy.address() as AddressInfo).port}`,
      resolve: nowhere,
    });

    const error = await failure(http, { method: 'POST', url: 'https://api.example.com/x' });
    const answer = await http.send({ method: 'GET', url: `${fake.url}/count` });

    expect(tunnels).toEqual([`api.example.com:443 Basic ${Buffer.from('user:pa55word').toString('base64')}`]);
    expect(error.code).toBe('UNAVAILABLE');
    expect(error.message).not.toContain('pa55word');
    expect(answer.ok).toBe(true);
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
  });

  it('is not asked for a name that stands for a private address', async () => {
    const http = client({
      proxy: 'http://127.0.0.1:9',
      resolve: async () => [{ address: '10.0.0.8', family: 4 }],
    });

    expect((await failure(http, { url: 'https://api.example.com/' })).code).toBe('PERMISSION_DENIED');
  });
});

describe('a token', () => {
  it('is got once, and once more after a 401, whoever asks', async () => {
    fake.always((request) => ({ status: request.headers['authorization'] === 'Bearer t2' ? 200 : 401 }));
    let made = 0;
    const http = withToken(client(), async () => {
      made += 1;
      return `t${made}`;
    });

    const answers = await Promise.all([1, 2, 3].map(() => http.send({ method: 'GET', url: fake.url })));

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(made).toBe(2);
  });
});
