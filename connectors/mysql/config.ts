import { ActivateError } from '../../engine/contracts/errors.ts';
import { field, type Values } from '../../engine/contracts/form.ts';
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
      help: 'Paste mysql://user:password@host:3306/database, or leave this empty and fill in the fields below.',
    }),
  ),
  host: field.optional(field.text({ label: 'Host', placeholder: 'db.example.com' })),
  port: field.optional(
    field.number({ label: 'Port', min: 1, max: 65535, whole: true, help: 'Leave it empty for 3306.' }),
  ),
  database: field.optional(field.text({ label: 'Database' })),
  user: field.optional(
    field.text({
      label: 'User',
      help: 'Use one of its own, with the rights that it needs here and no others.',
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
};

/** Where and as whom to connect, in full. */
export interface Login {
  /** A name or an address; a path for a socket of this machine. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly tls: Tls;
}

/** Reads the fields into a login; CONFIG_INVALID names the field at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  const { url, host, port, database, user, password } = values;
  const parts: Parts = url === undefined ? { host, port, database, user, password } : partsOfUrl(url);
  const given = (name: 'host' | 'user' | 'database'): string => {
    const value = parts[name];
    if (value === undefined || value === '') {
      throw invalid(
        `The ${name} is missing.`,
        url === undefined ? name : 'url',
        `Fill in the ${name}, or a connection URL that has one.`,
      );
    }
    return value;
  };
  const at = given('host');
  return {
    host: at,
    port: parts.port ?? 3306,
    database: given('database'),
    user: given('user'),
    password: parts.password,
    tls: values.tls ?? parts.tls ?? (isLocal(at) ? 'off' : 'require'),
  };
}

type Parts = { readonly [K in keyof Login]?: Login[K] | undefined };

function partsOfUrl(text: string): Parts {
  const fix =
    'Write it as mysql://user:password@host:3306/database; signs like @ or / in a password as %40, %2F.';
  // Without `cause`: the error of URL carries the text, and with it the password.
  const url = parsedUrl(text.trim());
  if (url === undefined || !/^(mysql|mariadb):$/.test(url.protocol)) {
    throw invalid('This is not a connection URL of MySQL or MariaDB.', 'url', fix);
  }
  try {
    return {
      host: url.searchParams.get('socket') ?? decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1'),
      port: url.port === '' ? undefined : Number(url.port),
      database: decodeURIComponent(url.pathname.slice(1)),
      user: decodeURIComponent(url.username),
      password: url.password === '' ? undefined : decodeURIComponent(url.password),
      tls: tlsOf(url.searchParams.get('ssl-mode')),
    };
  } catch (error) {
    throw error instanceof ActivateError
      ? error
      : invalid('The connection URL has a percent sign that stands for nothing.', 'url', fix);
  }
}

/** As the client of MySQL means it. */
function tlsOf(mode: string | null): Tls | undefined {
  if (mode === null) {
    return undefined;
  }
  switch (mode.toUpperCase()) {
    case 'DISABLED':
      return 'off';
    case 'PREFERRED':
    case 'REQUIRED':
      return 'require';
    case 'VERIFY_CA':
    case 'VERIFY_IDENTITY':
      return 'verify';
    default:
      throw invalid(
        'The connection URL has an unknown ssl-mode.',
        'url',
        'Use DISABLED, REQUIRED or VERIFY_IDENTITY.',
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
