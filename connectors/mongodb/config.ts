import { ActivateError } from '../../engine/contracts/errors.ts';
import { field, type Values } from '../../engine/contracts/form.ts';

/** What a connection needs. */
export const config = {
  url: field.secret({
    label: 'Connection string',
    help: 'Paste mongodb:// or mongodb+srv:// with user and password; signs like @ or / in a password as %40, %2F.',
  }),
  database: field.optional(
    field.text({
      label: 'Database',
      help: 'Leave it empty to use the one that the connection string names.',
    }),
  ),
};

/** Where to connect. */
export interface Login {
  readonly url: string;
  readonly database: string;
  /** For sentences: without user and password. */
  readonly hosts: string;
  /** Names of the options that the string sets: ours stand back for them. */
  readonly options: ReadonlySet<string>;
  readonly encrypted: boolean;
  readonly local: boolean;
}

/**
 * `URL` can't read a connection string with several hosts, and the driver's own errors may repeat a part of it. So the
 * few parts that are needed are taken by hand. CONFIG_INVALID names the field, and repeats nothing secret.
 */
export function loginOf({ url: typed, database }: Values<typeof config>): Login {
  const url = typed.trim();
  const parts =
    /^mongodb(?<srv>\+srv)?:\/\/(?:[^@/?]*@)?(?<hosts>[^@/?]+)(?:\/(?<database>[^?]*))?(?:\?(?<options>.*))?$/s.exec(
      url,
    )?.groups;
  if (parts === undefined) {
    throw invalid('url', 'This is not a connection string of MongoDB.');
  }
  const named = database ?? decoded(parts['database'] ?? '');
  if (named === '') {
    throw invalid('database', 'Neither the connection string nor this field names a database.');
  }
  const hosts = parts['hosts'] ?? '';
  const options = new URLSearchParams(parts['options'] ?? '');
  const tls = options.get('tls') ?? options.get('ssl');
  return {
    url,
    database: named,
    hosts,
    options: new Set(options.keys()),
    encrypted: tls === null ? parts['srv'] !== undefined : tls === 'true',
    local: hosts.split(',').every((host) => /^(localhost|127\.[\d.]+|\[::1\])(:\d+)?$/.test(host)),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid('url', 'The connection string has a percent sign that stands for nothing.');
  }
}

function invalid(name: keyof typeof config, message: string): ActivateError {
  return new ActivateError('CONFIG_INVALID', message, {
    fix: 'Write it as mongodb+srv://user:password@host/database; signs like @ or / in a password as %40, %2F.',
    fields: { [name]: message },
  });
}
