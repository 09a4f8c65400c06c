import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { createMattermost } from '../../../bot/mattermost/platform.ts';
import type { Dispatch } from '../../../engine/contracts/chat.ts';
import { silentLog } from '../../support/log.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const named = `an authority of one's own${hasOpenssl ? '' : ' (skipped: openssl is not installed)'}`;

describe.runIf(hasOpenssl)(named, () => {
  let dir: string;
  let server: Server;
  let url: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'activate-ca-'));
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1'],
        ...['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', 'key.pem', '-out', 'cert.pem'],
      ],
      { cwd: dir, stdio: 'ignore' },
    );
    const read = (name: string) => readFileSync(join(dir, name));
    server = createServer({ key: read('key.pem'), cert: read('cert.pem') }, (request, response) => {
      const me = { id: 'b'.repeat(26), username: 'activate' };
      const body = request.url?.includes('/config/')
        ? { Version: '11.2.0' }
        : request.url?.endsWith('/me')
          ? me
          : [];
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (socket) => {
      socket.on('message', () => socket.send(JSON.stringify({ event: 'hello', data: {} })));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await rm(dir, { recursive: true, force: true });
  });

  const create = (caFile: string | undefined) =>
    createMattermost({
      url,
      token: 'some-token',
      callbackUrl: 'https://bot.example',
      secretKey: 'k'.repeat(32),
      heard: { claim: async () => true, last: async () => undefined },
      log: silentLog,
      ...(caFile === undefined ? {} : { caFile }),
    });
  const nobody = {} as Dispatch;

  it('is trusted once its certificate is named, for calls and for events', async () => {
    const stop = new AbortController();

    await create(join(dir, 'cert.pem')).receive(nobody, stop.signal);

    stop.abort();
  });

  it('is refused otherwise, with what to do about it', async () => {
    await expect(create(undefined).receive(nobody, new AbortController().signal)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      fix: 'Name the certificate of your own authority in MATTERMOST_CA_FILE.',
    });
  });

  it('a file without a certificate is no such file', () => {
    expect(() => create(join(dir, 'key.pem'))).toThrow('it holds no certificate in PEM');
  });
});
