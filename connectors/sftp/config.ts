import { field, type Values } from '../../engine/contracts/form.ts';
import { invalidIn } from '../shared/login.ts';

const noYes = { no: 'No', yes: 'Yes' } as const;

/** What a connection needs. */
export const config = {
  host: field.text({ label: 'Host', placeholder: 'sftp.example.com' }),
  port: field.optional(
    field.number({ label: 'Port', min: 1, max: 65535, whole: true, help: 'Leave it empty for 22.' }),
  ),
  user: field.text({ label: 'User' }),
  password: field.optional(
    field.secret({ label: 'Password', help: 'Leave it empty when you log in with a key.' }),
  ),
  privateKey: field.optional(
    field.secret({
      label: 'Private key',
      help: 'Paste the whole of it, from BEGIN to END. It does not matter if its line breaks get lost.',
    }),
  ),
  passphrase: field.optional(
    field.secret({ label: 'Passphrase', help: 'Only for a private key that is locked with one.' }),
  ),
  folder: field.optional(
    field.text({
      label: 'Folder',
      placeholder: '/upload',
      help: 'It has to be there. Leave it empty for the folder that the login leads to.',
    }),
  ),
  hostKey: field.optional(
    field.text({
      label: 'Host key (SHA256)',
      help: "Leave it empty first: you are then shown the server's fingerprint. Compare it, and paste it here.",
    }),
  ),
  directWrite: field.optional(
    field.choice({
      label: 'Write directly',
      help: 'Yes only if the server takes a file as soon as it is closed, so that it must not be renamed.',
      of: noYes,
    }),
  ),
  legacyAlgorithms: field.optional(
    field.choice({
      label: 'Old encryption',
      help: 'Yes only for old servers that offer nothing newer (SHA-1, CBC).',
      of: noYes,
    }),
  ),
};

/** Where and as whom to write, in full. */
export interface Login {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | undefined;
  readonly privateKey: string | undefined;
  readonly passphrase: string | undefined;
  /** Without a slash at its end; empty for where the login leads to. */
  readonly folder: string;
  /** Fingerprints as OpenSSH writes them, `SHA256:…`; none when nobody has compared any yet. */
  readonly hostKeys: readonly string[];
  readonly direct: boolean;
  readonly legacy: boolean;
}

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  if (!/^[\p{L}\p{N}._:-]+$/u.test(values.host)) {
    throw invalid('host', 'This is not the name of a host.', 'Give it without sftp://, port and folder.');
  }
  if (values.password === undefined && values.privateKey === undefined) {
    throw invalid('password', 'There is nothing to log in with.', 'Fill in a password or a private key.');
  }
  return {
    host: values.host,
    port: values.port ?? 22,
    user: values.user,
    password: values.password,
    privateKey: values.privateKey === undefined ? undefined : rewrapped(values.privateKey),
    passphrase: values.passphrase,
    folder: folderOf(values.folder ?? ''),
    hostKeys: fingerprints(values.hostKey ?? ''),
    direct: values.directWrite === 'yes',
    legacy: values.legacyAlgorithms === 'yes',
  };
}

function folderOf(text: string): string {
  const folder = text === '/' ? text : text.replace(/\/+$/, '');
  return folder === '.' ? '' : folder;
}

function fingerprints(text: string): readonly string[] {
  const found = text
    .split(/[\s,;]+/)
    .filter((part) => part !== '')
    .map((part) => part.replace(/^SHA256:/i, '').replace(/=+$/, ''));
  if (found.length > 2 || found.some((part) => !/^[A-Za-z0-9+/]{43}$/.test(part))) {
    throw invalid(
      'hostKey',
      'This is not the fingerprint of a host key.',
      'It is SHA256: and 43 signs, as ssh-keygen -lf prints it; at most two of them, split by a comma.',
    );
  }
  return found.map((part) => `SHA256:${part}`);
}

/** A pasted key whose line breaks got lost, or came as `\n`, in the shape that it has to have. */
function rewrapped(text: string): string {
  const flat = text.replaceAll(/\\r|\\n/g, '\n').trim();
  if (/^PuTTY-User-Key-File/.test(flat)) {
    return flat;
  }
  const [, kind, inner = ''] = /^-{5}BEGIN ([A-Z0-9 ]+)-{5}([\s\S]*?)-{5}END \1-{5}$/.exec(flat) ?? [];
  if (kind === undefined || kind.includes('PUBLIC')) {
    throw invalid(
      'privateKey',
      kind === undefined ? 'This is not a private key.' : 'This is the public key.',
      'Paste the private one whole, from -----BEGIN to the dashes after END.',
    );
  }
  // Older keys that are locked say how, before their body.
  const [locked = '', how = ''] =
    /Proc-Type:\s*4,ENCRYPTED\s+(DEK-Info:\s*[A-Z0-9-]+,[0-9A-Fa-f]+)/.exec(inner) ?? [];
  const body = inner.replace(locked, '').replaceAll(/\s+/g, '');
  return [
    `-----BEGIN ${kind}-----`,
    ...(how === '' ? [] : ['Proc-Type: 4,ENCRYPTED', how.replace(/:\s*/, ': '), '']),
    ...(body.match(/.{1,64}/g) ?? []),
    `-----END ${kind}-----`,
    '',
  ].join('\n');
}

export const invalid = invalidIn(config);
