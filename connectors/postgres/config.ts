import type { ClientConfig } from 'pg';
import type { Values } from '../../engine/contracts/form.ts';
import {
  type AddressKind,
  addressFields,
  type DatabaseLogin,
  databaseLoginOf,
  type Tls,
} from '../shared/database-login.ts';
import { scratchFields } from '../shared/scratch.ts';

const kind: AddressKind = {
  name: 'PostgreSQL',
  schemes: ['postgres', 'postgresql'],
  port: 5432,
  user: 'a role of its own',
  defaultDatabase: 'named as the user',
  socket: 'host',
  tls: { parameter: 'sslmode', of: tlsOf, words: 'disable, require or verify-full' },
};

/** What a connection needs: one URL, or its parts. */
export const config = { ...addressFields(kind), ...scratchFields };

export type Login = DatabaseLogin;

/** Reads the fields into a login; CONFIG_INVALID names the field at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  return databaseLoginOf(values, kind);
}

/** How the `pg` package wants to be told. */
export function clientConfig(login: Login, applicationName: string): ClientConfig {
  return {
    host: login.host,
    port: login.port,
    database: login.database,
    user: login.user,
    // Never none: `pg` would look into files of this machine's user. Never empty: it would refuse that by itself, in
    // the middle of the login, and leave the connection open at the server. So the server refuses it.
    password: login.password || ' ',
    ssl: login.tls === 'off' ? false : { rejectUnauthorized: login.tls === 'verify' },
    application_name: applicationName,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    // Every value stays the text that the database wrote: numbers exact, times with their microseconds.
    types: { getTypeParser: () => (text: unknown) => text },
  } as ClientConfig;
}

/** `require` as libpq means it: encrypted, not verified. */
function tlsOf(sslmode: string): Tls | undefined {
  switch (sslmode) {
    case 'disable':
      return 'off';
    case 'allow':
    case 'prefer':
    case 'require':
      return 'require';
    case 'verify-ca':
    case 'verify-full':
      return 'verify';
    default:
      return undefined;
  }
}
