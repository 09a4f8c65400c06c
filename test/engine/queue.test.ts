import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openQueue, type RunQueue } from '../../engine/queue.ts';
import { silentLog } from '../support/log.ts';
import { type FreshDb, freshDb } from '../support/postgres.ts';

const hasRedis = spawnSync('redis-server', ['--version']).status === 0;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** What every queue owes, whatever it runs on. */
function queueContract(name: string, open: () => Promise<RunQueue>): void {
  describe(name, () => {
    let queue: RunQueue;
    beforeAll(async () => {
      queue = await open();
    });
    afterAll(() => queue.close());

    it('keeps ids until somebody works, then hands over each one', async () => {
      const ids = Array.from({ length: 1000 }, (_, at) => at + 1);
      await queue.add(ids);
      expect(await queue.waiting()).toBe(20);

      const seen: number[] = [];
      await new Promise<void>((resolve, reject) => {
        const handle = async (runs: readonly number[]): Promise<void> => {
          seen.push(...runs);
          if (seen.length === ids.length) {
            resolve();
          }
        };
        queue.work(handle, 4).catch(reject);
      });

      expect(seen.toSorted((a, b) => a - b)).toEqual(ids);
      expect(await queue.waiting()).toBe(0);
    });

    it('sends a single run by itself, at once', async () => {
      const before = performance.now();
      await queue.add([5000]);

      expect(performance.now() - before).toBeLessThan(5000);
    });
  });
}

describe('the queue of runs', () => {
  let fresh: FreshDb;
  beforeAll(async () => {
    fresh = await freshDb();
  });
  afterAll(() => fresh.close());

  queueContract('on PostgreSQL', () => openQueue({ databaseUrl: fresh.url, log: silentLog }));
});

describe.skipIf(!hasRedis)('the queue of runs with a real redis-server', () => {
  let redisUrl = '';
  let server: ReturnType<typeof spawn>;
  beforeAll(async () => {
    const port = await freePort();
    server = spawn('redis-server', [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
    ]);
    redisUrl = `redis://127.0.0.1:${port}`;
    for await (const line of server.stdout ?? []) {
      if (String(line).includes('Ready to accept connections')) {
        break;
      }
    }
  });
  afterAll(() => {
    server.kill();
  });

  queueContract('on Redis', () => openQueue({ databaseUrl: '', redisUrl, log: silentLog }));
});
