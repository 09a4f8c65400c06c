import type { ClientConfig } from 'pg';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { field, type Values } from '../../engine/contracts/form.ts';
import { scratchFields } from '../../engine/contracts/scratch.ts';
import { parsedUrl } from '../../engine/contracts/url.ts';

const tlsChoices = {
  off: 'Off',
  require: 'Encrypted',
  verify: 'Encrypted and verified',
} as const;
type Tls = keyof typeof tlsChoices;

/** What a connection needs: one URL, or its parts. */
export const config = {
  url: field.optional(
    field.secret({
      label: 'Connection URL',
      help: 'Paste postgres://user:password@host:5432/database, or leave this empty and fill in the fields below.',
    }),
  ),
  host: field.optional(field.text({ label: 'Host', placeholder: 'db.example.com' })),
  port: field.optional(
    field.number({ label: 'Port', min: 1, max: 65535, whole: true, help: 'Leave it empty for 5432.' }),
  ),
  database: field.optional(field.text({ label: 'Database' })),
  user: field.optional(
    field.text({
      label: 'User',
      help: 'Use a role of its own, with the rights that it needs here and no others.',
    }),
  ),
  password: field.optional(field.secret({ label: 'Password' })),
  tls: field.optional(
    field.choice({
      label: 'Encryption (TLS)',
      help: 'Leave it empty to encrypt unless the database is on this very machine.',
      of: tlsChoices,
    }),
  ),
  ...scratchFields,
};

/** Where and as whom to connect, in full. */
export interface Login {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly tls: Tls;
}

/** Reads the fields into a login; CONFIG_INVALID names the field at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  const parts = values.url === undefined ? partsOfFields(values) : partsOfUrl(values.url);
  for (const [name, label] of [
    ['host', 'host'],
    ['user', 'user'],
  ] as const) {
    if (parts[name] === undefined || parts[name] === '') {
      const place = values.url === undefined ? name : 'url';
      throw invalid(
        `The ${label} is missing.`,
        place,
        `Fill in the ${label}, or a connection URL that has one.`,
      );
    }
  }
  const host = parts.host ?? '';
  const user = parts.user ?? '';
  return {
    host,
    port: parts.port ?? 5432,
    database: parts.database || user,
    user,
    password: parts.password,
    tls: values.tls ?? parts.tls ?? (isLocal(host) ? 'off' : 'require'),
  };
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

type Parts = { readonly [K in keyof Login]?: Login[K] | undefined };

function partsOfFields(values: Values<typeof config>): Parts {
  return {
    host: values.host,
    port: values.port,
    database: values.database,
    user: values.user,
    password: values.password,
  };
}

function partsOfUrl(text: string): Parts {
  const fix =
    'Write it as postgres://user:password@host:5432/database; signs like @ or / in a password as %40, %2F.';
  // Without `cause`: the error of URL carries the text, and with it the password.
  const url = parsedUrl(text.trim());
  if (url === undefined || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw invalid('This is not a connection URL of PostgreSQL.', 'url', fix);
  }
  try {
    return {
      host: url.searchParams.get('host') ?? decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1'),
      port: url.port === '' ? undefined : Number(url.port),
      database: decodeURIComponent(url.pathname.slice(1)),
      user: decodeURIComponent(url.username),
      password: url.password === '' ? undefined : decodeURIComponent(url.password),
      tls: tlsOf(url.searchParams.get('sslmode')),
    };
  } catch {
    throw invalid('The connection URL has a percent sign that stands for nothing.', 'url', fix);
  }
}

/** `require` as libpq means it: encrypted, not verified. */
function tlsOf(sslmode: string | null): Tls | undefined {
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
    case null:
      return undefined;
    default:
      throw invalid(
        'The connection URL has an unknown sslmode.',
        'url',
        'Use disable, require or verify-full.',
      );
  }
}

/** Whether the traffic stays on this machine. */
export function isLocal(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || /^127\./.test(host);
}

function invalid(message: string, name: keyof typeof config, fix: string): ActivateError {
  return new ActivateError('CONFIG_INVALID', message, { fix, fields: { [name]: message } });
}
