import { connect, type Socket } from 'node:net';
import type { ConnectionOptions } from 'mysql2';
import type { Login } from './config.ts';

/** How `mysql2` is to connect, and to read what it is sent: as text wherever a number or a time would lose something. */
export function optionsOf(login: Login, applicationName: string): ConnectionOptions {
  const { tls } = login;
  return {
    ...(isPath(login.host) ? { socketPath: login.host } : { host: login.host, port: login.port }),
    user: login.user,
    password: login.password ?? '',
    database: login.database,
    // Without `verifyIdentity` any name of a trusted certificate would do.
    ...(tls === 'off'
      ? {}
      : { ssl: { rejectUnauthorized: tls === 'verify', verifyIdentity: tls === 'verify' } }),
    connectAttributes: { program_name: applicationName },
    charset: 'utf8mb4',
    timezone: 'Z',
    dateStrings: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
    jsonStrings: true,
    stringifyObjects: true,
    connectTimeout: 10_000,
    enableKeepAlive: true,
    // Statements of each table and size: too many of them would be kept at the server.
    maxPreparedStatements: 50,
  };
}

/** A way to the server that can be cut whatever `mysql2` is waiting for. */
export function socketTo(login: Login): Socket {
  if (isPath(login.host)) {
    return connect(login.host);
  }
  const socket = connect(login.port, login.host);
  socket.setNoDelay(true);
  socket.setKeepAlive(true);
  return socket;
}

function isPath(host: string): boolean {
  return host.startsWith('/');
}
