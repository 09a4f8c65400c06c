import { ActivateError } from '../../engine/contracts/errors.ts';
import { field, type Values } from '../../engine/contracts/form.ts';
import { parsedUrl } from '../../engine/contracts/url.ts';

// How one gets to a database by its own protocol, over a network or on this machine.

const tlsChoices = {
  off: 'Off',
  require: 'Encrypted',
  verify: 'Encrypted and verified',
} as const;
export type Tls = keyof typeof tlsChoices;

/** Whether, and how, the way to a database is encrypted. */
export const tlsField = field.optional(
  field.choice({
    label: 'Encryption (TLS)',
    help: 'Leave it empty to encrypt unless the database is on this very machine.',
    of: tlsChoices,
  }),
);

/** Where and as whom to connect, in full. */
export interface DatabaseLogin {
  /** A name or an address; a path for a socket of this machine. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly tls: Tls;
}

/** How addresses of one kind of database are written. */
export interface AddressKind {
  /** In a sentence: “a connection URL of …”. */
  readonly name: string;
  /** Before `://`; the first one is shown. */
  readonly schemes: readonly string[];
  readonly port: number;
  /** Who is advised as the user: “a role of its own”. */
  readonly user: string;
  /** The database where none is named; without it one has to be named. */
  readonly defaultDatabase?: 'named as the user';
  /** What a URL calls the path of a socket. */
  readonly socket: string;
  readonly tls: {
    /** What a URL calls the encryption. */
    readonly parameter: string;
    /** Undefined for a word that is none of them. */
    of(word: string): Tls | undefined;
    /** Words to use: “disable, require or verify-full”. */
    readonly words: string;
  };
}

/** What a connection needs: one URL, or its parts. */
export function addressFields(kind: AddressKind) {
  return {
    url: field.optional(
      field.secret({
        label: 'Connection URL',
        help: `Paste ${exampleOf(kind)}, or leave this empty and fill in the fields below.`,
      }),
    ),
    host: field.optional(field.text({ label: 'Host', placeholder: 'db.example.com' })),
    port: portField(kind.port),
    database: field.optional(field.text({ label: 'Database' })),
    user: field.optional(
      field.text({
        label: 'User',
        help: `Use ${kind.user}, with the rights that it needs here and no others.`,
      }),
    ),
    password: field.optional(field.secret({ label: 'Password' })),
    tls: tlsField,
  };
}

export function portField(port: number) {
  return field.optional(
    field.number({ label: 'Port', min: 1, max: 65535, whole: true, help: `Leave it empty for ${port}.` }),
  );
}

/** Reads the fields into a login; CONFIG_INVALID names the field at fault, and never repeats what is secret. */
export function databaseLoginOf(
  values: Values<ReturnType<typeof addressFields>>,
  kind: AddressKind,
): DatabaseLogin {
  const { url, host, port, database, user, password } = values;
  const parts: Parts = url === undefined ? { host, port, database, user, password } : partsOfUrl(url, kind);
  const given = (name: 'host' | 'user' | 'database'): string => {
    const value = parts[name];
    if (value === undefined || value === '') {
      throw invalid(
        url === undefined ? name : 'url',
        `The ${name} is missing.`,
        `Fill in the ${name}, or a connection URL that has one.`,
      );
    }
    return value;
  };
  const at = given('host');
  const named = kind.defaultDatabase === undefined ? given('database') : parts.database;
  const who = given('user');
  return {
    host: at,
    port: parts.port ?? kind.port,
    database: named || who,
    user: who,
    password: parts.password,
    tls: values.tls ?? parts.tls ?? usualTls(at),
  };
}

type Parts = { readonly [K in keyof DatabaseLogin]?: DatabaseLogin[K] | undefined };

function partsOfUrl(text: string, kind: AddressKind): Parts {
  const fix = `Write it as ${exampleOf(kind)}; signs like @ or / in a password as %40, %2F.`;
  // Without `cause`: the error of URL carries the text, and with it the password.
  const url = parsedUrl(text.trim());
  if (url === undefined || !kind.schemes.includes(url.protocol.slice(0, -1))) {
    throw invalid('url', `This is not a connection URL of ${kind.name}.`, fix);
  }
  try {
    return {
      host: url.searchParams.get(kind.socket) ?? decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1'),
      port: url.port === '' ? undefined : Number(url.port),
      database: decodeURIComponent(url.pathname.slice(1)),
      user: decodeURIComponent(url.username),
      password: url.password === '' ? undefined : decodeURIComponent(url.password),
      tls: tlsIn(url, kind),
    };
  } catch (error) {
    throw error instanceof ActivateError
      ? error
      : invalid('url', 'The connection URL has a percent sign that stands for nothing.', fix);
  }
}

function tlsIn(url: URL, { tls }: AddressKind): Tls | undefined {
  const word = url.searchParams.get(tls.parameter);
  const found = word === null ? undefined : tls.of(word);
  if (word !== null && found === undefined) {
    throw invalid('url', `The connection URL has an unknown ${tls.parameter}.`, `Use ${tls.words}.`);
  }
  return found;
}

function exampleOf({ schemes: [scheme], port }: AddressKind): string {
  return `${scheme}://user:password@host:${port}/database`;
}

/** Whether the traffic stays on this machine. */
function isLocal(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || /^127\./.test(host);
}

/** The encryption of who chose none. */
export function usualTls(host: string): Tls {
  return isLocal(host) ? 'off' : 'require';
}

/** A sentence for who checks the connection, where others can read along. */
export function inTheClear({ tls, host }: Pick<DatabaseLogin, 'tls' | 'host'>): readonly string[] {
  return tls === 'off' && !isLocal(host)
    ? ['The connection is not encrypted: whoever is on the way can read rows and password.']
    : [];
}

function invalid(name: 'url' | 'host' | 'database' | 'user', message: string, fix: string): ActivateError {
  return new ActivateError('CONFIG_INVALID', message, { fix, fields: { [name]: message } });
}
