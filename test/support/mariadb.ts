import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

const program = ['/usr/sbin/mariadbd', '/usr/local/sbin/mariadbd', '/usr/bin/mariadbd'].find((path) =>
  existsSync(path),
);

/** Whether this machine has MariaDB's server. Tests that need it are skipped by name where it has none. */
export const hasMariadb =
  program !== undefined && spawnSync('mariadb-install-db', ['--help']).error === undefined;

export interface Mariadb {
  readonly port: number;
  /** Of a user who may do all. */
  readonly adminUrl: string;
  stop(): Promise<void>;
}

/** Starts MariaDB's own server on a free port of 127.0.0.1, with files of its own, and `options` of its command line. */
export async function startMariadb(options: readonly string[] = []): Promise<Mariadb> {
  const home = mkdtempSync(join(tmpdir(), 'activate-mariadb-'));
  const data = join(home, 'data');
  const user = userInfo().username;
  const made = spawnSync('mariadb-install-db', [
    '--no-defaults',
    `--datadir=${data}`,
    `--user=${user}`,
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
    '--skip-log-bin',
  ]);
  if (made.status !== 0) {
    throw new Error(`mariadb-install-db: ${made.stderr.toString()}`);
  }
  const port = await freePort();
  const child = spawn(
    program ?? 'mariadbd',
    [
      '--no-defaults',
      `--datadir=${data}`,
      `--user=${user}`,
      `--socket=${join(home, 's')}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      '--skip-name-resolve',
      '--innodb-flush-log-at-trx-commit=0',
      '--innodb-buffer-pool-size=32M',
      // As servers are set up by people: what is too long is cut, and signs are those of western Europe.
      '--sql-mode=',
      '--character-set-server=latin1',
      ...options,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await new Promise<void>((resolve, reject) => {
    let said = '';
    child.stderr.on('data', (text: Buffer) => {
      said += text.toString();
      if (said.includes('ready for connections')) {
        resolve();
      }
    });
    child.once('exit', () => reject(new Error(`mariadbd ended: ${said}`)));
  });
  return {
    port,
    adminUrl: `mysql://root@127.0.0.1:${port}/mysql`,
    stop: async () => {
      child.kill();
      await ended;
      rmSync(home, { recursive: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
