import { isIP } from 'node:net';
import { field, type Values } from '../../engine/contracts/form.ts';
import { parsedUrl } from '../../engine/contracts/url.ts';
import { invalidIn } from '../shared/login.ts';

/** What a connection needs. */
export const config = {
  host: field.text({ label: 'Host', placeholder: 'smtp.example.com' }),
  security: field.choice({
    label: 'Encryption',
    help: 'STARTTLS is usual at port 587, TLS from the start at 465. Without any only on this machine.',
    of: { starttls: 'STARTTLS', tls: 'TLS from the start', none: 'None (this machine only)' },
  }),
  port: field.optional(
    field.number({
      label: 'Port',
      min: 1,
      max: 65535,
      whole: true,
      help: 'Leave it empty for 587, for 465 with TLS from the start, and for 25 without.',
    }),
  ),
  user: field.optional(
    field.text({ label: 'User', help: 'Leave it empty for a server that lets this machine send without.' }),
  ),
  password: field.optional(field.secret({ label: 'Password' })),
  from: field.text({
    label: 'From: address',
    help: 'Who the mails come from. The server has to let you send from it.',
    placeholder: 'news@example.com',
  }),
  fromName: field.optional(
    field.text({ label: 'From: name', help: 'What mailboxes show as the sender.', placeholder: 'Acme' }),
  ),
  replyTo: field.optional(
    field.text({ label: 'Answers to', help: 'An address. Leave it empty when it is the one of the sender.' }),
  ),
  bounces: field.optional(
    field.text({
      label: 'Bounces to',
      help: 'The address that mails which can not be delivered come back to. Leave it empty for the sender.',
    }),
  ),
  perMinute: field.optional(
    field.number({
      label: 'Mails a minute',
      min: 1,
      max: 100_000,
      whole: true,
      help: 'What the provider lets you send. Leave it empty for no limit of ours.',
    }),
  ),
  connections: field.optional(
    field.number({
      label: 'Connections',
      min: 1,
      max: 20,
      whole: true,
      help: 'How many at once. Leave it empty for 3.',
    }),
  ),
  certificate: field.optional(
    field.area({
      label: 'Certificate (PEM)',
      help: 'Only for a server whose certificate is signed by nobody whom this machine trusts: paste the signer’s.',
      max: 20_000,
    }),
  ),
};

/** Where and as whom to send, in full. */
export interface Account {
  readonly host: string;
  readonly port: number;
  readonly security: 'starttls' | 'tls' | 'none';
  readonly login: { readonly user: string; readonly pass: string } | undefined;
  readonly from: { readonly address: string; readonly name: string };
  readonly replyTo: string | undefined;
  /** The sender in the envelope. */
  readonly bounces: string;
  readonly paceMs: number;
  readonly connections: number;
  readonly certificate: string | undefined;
}

const ports = { starttls: 587, tls: 465, none: 25 } as const;

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function accountOf(values: Values<typeof config>): Account {
  const { security, user, password } = values;
  const host = hostOf(values.host);
  if (security === 'none' && !isThisMachine(host)) {
    throw invalid(
      'security',
      'Mail to another machine has to be encrypted.',
      'Choose STARTTLS, or TLS from the start.',
    );
  }
  if (user !== undefined && password === undefined) {
    throw invalid(
      'password',
      'There is a user, but no password.',
      'Fill in the password, or leave both empty.',
    );
  }
  if (user === undefined && password !== undefined) {
    throw invalid('user', 'There is a password, but no user.', 'Fill in the user, or leave both empty.');
  }
  const from = addressOf('from', values.from);
  return {
    host,
    port: values.port ?? ports[security],
    security,
    login: user === undefined ? undefined : { user, pass: password ?? '' },
    from: { address: from, name: oneLine('fromName', values.fromName ?? '') },
    replyTo: values.replyTo === undefined ? undefined : addressOf('replyTo', values.replyTo),
    bounces: values.bounces === undefined ? from : addressOf('bounces', values.bounces),
    paceMs: values.perMinute === undefined ? 0 : Math.ceil(60_000 / values.perMinute),
    connections: values.connections ?? 3,
    certificate: values.certificate,
  };
}

function hostOf(text: string): string {
  const host = text.replace(/^\[(.*)\]$/, '$1');
  if (!/^[\p{L}\p{N}._:-]+$/u.test(host)) {
    throw invalid('host', 'This is not the name of a host.', 'Give it without smtp:// and port.');
  }
  return isIP(host) === 0 ? (asciiDomain(host) ?? host) : host;
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d+){3}$/.test(host);
}

function addressOf(name: 'from' | 'replyTo' | 'bounces', text: string): string {
  const [, user, domain] = /^([^\s@<>()[\]\\,;:"\p{C}]+)@([^\s@<>()[\]\\,;:"\p{C}]+)$/u.exec(text) ?? [];
  const ascii = domain === undefined ? undefined : asciiDomain(domain);
  if (user === undefined || ascii === undefined) {
    throw invalid(name, 'This is not an e-mail address.', 'Give the address alone, as news@example.com.');
  }
  return `${user}@${ascii}`;
}

/** A domain as servers know it; undefined when it is none. */
export function asciiDomain(domain: string): string | undefined {
  const host = /[/?#@:\\]/.test(domain) ? undefined : parsedUrl(`http://${domain}`)?.hostname;
  return host === '' ? undefined : host;
}

/** A name that breaks could begin another header. */
function oneLine(name: 'fromName', text: string): string {
  if (/[\p{Cc}\u2028\u2029]/u.test(text)) {
    throw invalid(name, 'A name is one line.', 'Take the line break away.');
  }
  return text;
}

const invalid = invalidIn(config);
