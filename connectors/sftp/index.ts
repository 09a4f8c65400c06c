import { randomBytes } from 'node:crypto';
import { defineConnector } from '../../engine/contracts/connector.ts';
import type { Files } from '../../engine/contracts/destination.ts';
import { config, type Login, loginOf } from './config.ts';
import { explain, Fault } from './errors.ts';
import { connect as connectTo, type Session } from './session.ts';
import { type Connect, mustBeFolder, placeOf, putFile } from './write.ts';

/** Any server that speaks SFTP over SSH. */
export const sftp = defineConnector({
  id: 'sftp',
  name: 'SFTP',
  summary: 'Writes files to a folder of an SFTP server.',
  config,
  offers: ['files'],
  hosts: [],
  setup: [
    "Ask the server's owner for a user of your own, a folder that it may write to, and the fingerprint of the server's key. The owner prints it with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`.",
    'Best, log in with a key: make one with `ssh-keygen -t ed25519`, give the owner the public half, and paste the private half here.',
    'Leave the host key empty at first: you are then shown the one that the server has. Compare it with what the owner says, and only then paste it. While keys are changed you can give both, split by a comma.',
    'Files are written under a hidden name (`.name.….part`) and renamed once they are whole. If the server takes files as soon as they are closed, choose to write directly.',
    'Where files are replaced: OpenSSH does it in one step. On a server that can not, there is no file of that name for a moment.',
    'Let the user read what it wrote, if the owner agrees: SFTP keeps no marks with files, so after a broken connection a file is read back to see that it is ours. Where it can not be read, it has to be looked at by a person.',
  ],
  verified: 'Tested against a real OpenSSH server, and a server of our own for what goes wrong.',
  tried: ['software'],
  open: async (values) => {
    const login = loginOf(values);
    const { default: ClientOf } = await import('ssh2-sftp-client');
    const connect: Connect = (signal) => connectTo(ClientOf, login, signal);
    return {
      files: filesOf(connect, login),
      check: () => withSession(connect, 'write a file', (session) => check(session, login)),
      close: async () => undefined,
    };
  },
});

function filesOf(connect: Connect, login: Login): Files {
  return {
    put: (file, body, call) => putFile(connect, login, file, body, call),
    stat: (path) =>
      withSession(connect, 'look at a file', async (session) => {
        const there = await session.stat(placeOf(login, path));
        return there === undefined ? undefined : { bytes: there.size };
      }),
    locate: (path) => {
      const port = login.port === 22 ? '' : `:${login.port}`;
      return `${login.host}${port}:${placeOf(login, path)}`;
    },
  };
}

async function withSession<T>(
  connect: Connect,
  doing: string,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await connect();
  try {
    return await use(session);
  } catch (error) {
    throw error instanceof Fault ? explain(error, doing) : error;
  } finally {
    await session.end();
  }
}

/** Writes a small file as files are written, and removes it. */
async function check(session: Session, login: Login): Promise<readonly string[]> {
  await mustBeFolder(session, login.folder === '' ? '.' : login.folder);
  if (login.direct) {
    // Whoever waits for files would take it.
    return [
      'Nothing was written to try it, since the server takes each file at once: look at the first one.',
    ];
  }
  const name = `.activate-check-${randomBytes(6).toString('hex')}`;
  const [part, place] = [`${name}.part`, name].map((one) => placeOf(login, one)) as [string, string];
  const handle = await session.open(part, 'wx');
  await session.write(
    handle,
    Buffer.from('Activate wrote this to see whether it can. It may be deleted.\n'),
    0,
  );
  await session.close(handle);
  await session.rename(part, place).catch(async (error: unknown) => {
    await session.remove(part).catch(() => undefined);
    throw error;
  });
  const removed = await session.remove(place).then(
    () => true,
    () => false,
  );
  return removed ? [] : [`The small file ${place} stays there: the user may not delete it.`];
}
