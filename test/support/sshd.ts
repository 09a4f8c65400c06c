import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

const sftpServer = [
  '/usr/lib/openssh/sftp-server',
  '/usr/libexec/openssh/sftp-server',
  '/usr/libexec/sftp-server',
].find((path) => existsSync(path));
const program = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/usr/bin/sshd'].find((path) => existsSync(path));

/** Whether this machine has OpenSSH's server. Tests that need it are skipped by name where it has none. */
export const hasSshd =
  program !== undefined && sftpServer !== undefined && spawnSync('ssh-keygen', ['-?']).error === undefined;

export interface Sshd {
  readonly port: number;
  readonly user: string;
  /** A private key that it lets in, as OpenSSH writes it; and its passphrase-locked and PEM forms. */
  readonly privateKey: string;
  readonly lockedKey: string;
  readonly lockedKeyPassphrase: string;
  readonly pemKey: string;
  readonly lockedPemKey: string;
  /** A private key that it does not let in. */
  readonly strangersKey: string;
  /** Of its host key, as `ssh-keygen -lf` prints it. */
  readonly fingerprint: string;
  /** A folder that the user may write to. */
  readonly folder: string;
  /** What it logged: each request, by its name in OpenSSH. */
  said(): string;
  stop(): Promise<void>;
}

/** Starts OpenSSH's own server on a free port of 127.0.0.1, with keys and a configuration of its own. */
export async function startSshd(): Promise<Sshd> {
  const home = mkdtempSync(join(tmpdir(), 'activate-sshd-'));
  const folder = join(home, 'upload');
  const log = join(home, 'sftp.log');
  mkdirSync(folder);
  const passphrase = 'open sesame';
  const keys = {
    host: keyOf(home, 'host', ['-t', 'ed25519']),
    user: keyOf(home, 'user', ['-t', 'ed25519']),
    locked: keyOf(home, 'locked', ['-t', 'ed25519'], passphrase),
    pem: keyOf(home, 'pem', ['-t', 'rsa', '-b', '2048', '-m', 'PEM']),
    lockedPem: keyOf(home, 'locked-pem', ['-t', 'rsa', '-b', '2048', '-m', 'PEM'], passphrase),
    stranger: keyOf(home, 'stranger', ['-t', 'ed25519']),
  };
  const allowed = [keys.user, keys.locked, keys.pem, keys.lockedPem].map((key) => key.public).join('');
  writeFileSync(join(home, 'authorized_keys'), allowed, { mode: 0o600 });
  const port = await freePort();
  writeFileSync(
    join(home, 'sshd_config'),
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${join(home, 'host')}`,
      `AuthorizedKeysFile ${join(home, 'authorized_keys')}`,
      'PidFile none',
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin prohibit-password',
      // Run by a shell, so that what it logs can be read.
      `Subsystem sftp ${sftpServer} -e -l DEBUG1 2>>${log}`,
      '',
    ].join('\n'),
  );
  if (userInfo().uid === 0) {
    // Where OpenSSH separates its privileges; system services make it at start.
    mkdirSync('/run/sshd', { recursive: true });
  }
  const child = spawn(program ?? 'sshd', ['-D', '-e', '-f', join(home, 'sshd_config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await new Promise<void>((resolve, reject) => {
    let said = '';
    child.stderr.on('data', (text: Buffer) => {
      said += text.toString();
      if (said.includes('Server listening')) {
        resolve();
      }
    });
    child.once('exit', () => reject(new Error(`sshd ended: ${said}`)));
  });
  const [, fingerprint = ''] =
    /(SHA256:\S+)/.exec(spawnSync('ssh-keygen', ['-lf', join(home, 'host.pub')]).stdout.toString()) ?? [];
  return {
    port,
    user: userInfo().username,
    privateKey: keys.user.private,
    lockedKey: keys.locked.private,
    lockedKeyPassphrase: passphrase,
    pemKey: keys.pem.private,
    lockedPemKey: keys.lockedPem.private,
    strangersKey: keys.stranger.private,
    fingerprint,
    folder,
    said: () => (existsSync(log) ? readFileSync(log, 'utf8') : ''),
    stop: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await ended;
      rmSync(home, { recursive: true });
    },
  };
}

function keyOf(
  home: string,
  name: string,
  how: readonly string[],
  passphrase = '',
): { private: string; public: string } {
  const path = join(home, name);
  const { status, stderr } = spawnSync('ssh-keygen', ['-q', ...how, '-N', passphrase, '-f', path]);
  if (status !== 0) {
    throw new Error(`ssh-keygen: ${stderr.toString()}`);
  }
  return { private: readFileSync(path, 'utf8'), public: readFileSync(`${path}.pub`, 'utf8') };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
