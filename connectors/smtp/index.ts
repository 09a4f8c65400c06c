import type MailComposer from 'nodemailer/lib/mail-composer';
import { defineConnector } from '../../engine/contracts/connector.ts';
import type { Mail, MailCall, MailOutcome, Mails } from '../../engine/contracts/destination.ts';
import { type Account, accountOf, asciiDomain, config } from './config.ts';
import { outcomeOf, Undelivered } from './errors.ts';
import { createPool, type Pool } from './pool.ts';
import { openSession, type Session } from './session.ts';

/** Any server that takes mail: a provider's relay, or one of your own. */
export const smtp = defineConnector({
  id: 'smtp',
  name: 'E-mail (SMTP)',
  summary: 'Writes mails to customers through a mail server.',
  config,
  offers: ['mail'],
  hosts: [],
  api: { version: 'SMTP (RFC 5321)' },
  setup: [
    'Ask whoever runs your mail, or your provider, for host, port, user and password of its SMTP relay. Many providers want a password made for programs.',
    'Choose an address to send from whose domain is yours, and have the SPF and DKIM records of that domain name the relay: without them mails land in spam. A DMARC record says what is to become of forgeries.',
    'Say how many mails a minute the provider lets you send, if it says so. All workers keep to it together.',
    'The relay may be in a private network: unlike destinations on the web it is called as it is named here, by the people who may connect.',
    'For links to unsubscribe set `PUBLIC_URL` to an https address of this bot that people outside reach, at least below `/unsubscribe/`.',
  ],
  verified:
    'Tested against a real SMTP server in the same process (the package smtp-server), which refuses, delays, breaks off and hangs as asked; not against the relay of any provider.',
  tried: ['stand-in'],
  open: async (values) => {
    const account = accountOf(values);
    const { default: ConnectionOf } = await import('nodemailer/lib/smtp-connection');
    const { default: Composer } = await import('nodemailer/lib/mail-composer');
    const pool = createPool(() => openSession(ConnectionOf, account), account.connections);
    return {
      mail: mailsOf(Composer, account, pool),
      check: () => check(account, pool),
      close: async () => pool.close(),
    };
  },
});

function mailsOf(Composer: typeof MailComposer, account: Account, pool: Pool): Mails {
  return {
    limits: { rows: 1, concurrency: account.connections, paceMs: account.paceMs },
    send: async (mail, call) => {
      const to = recipientOf(mail.to);
      if (to === undefined) {
        return { state: 'rejected', reason: 'The domain of this address can not exist.', gone: false };
      }
      const content = await contentOf(Composer, account, mail, to.address);
      return pool.use(call.signal, (session) => sendIn(session, account, { mail, to, content }, call));
    },
  };
}

interface Written {
  readonly mail: Mail;
  readonly to: Recipient;
  readonly content: Buffer;
}

async function sendIn(
  session: Session,
  account: Account,
  { mail, to, content }: Written,
  call: MailCall,
): Promise<MailOutcome> {
  if (!to.isAscii && !session.takesUtf8) {
    const reason = 'The mail server takes no addresses with letters beyond ASCII.';
    return { state: 'rejected', reason, gone: false };
  }
  try {
    await session.deliver({ from: account.bounces, to: to.address }, content, call);
    return { state: 'ok', id: messageId(account, mail) };
  } catch (thrown) {
    if (!(thrown instanceof Undelivered)) {
      throw thrown;
    }
    if (thrown.failure.responseCode === undefined) {
      // Without a reply that can be read, nobody knows what the server will answer next.
      session.end();
    } else if (session.usable) {
      await session.reset().catch(() => session.end());
    }
    const secrets = account.login === undefined ? [] : [account.login.pass];
    return outcomeOf(thrown, [...secrets, mail.to, to.address, to.user, mail.subject]);
  }
}

/** Logs in, and sends nothing. */
async function check({ login, security }: Account, pool: Pool): Promise<readonly string[]> {
  await pool.use(undefined, (session) => session.reset());
  return login === undefined && security !== 'none'
    ? ['The server was not asked for a login: see to it that it sends for this machine alone.']
    : [];
}

interface Recipient {
  /** With a domain as servers know it. */
  readonly address: string;
  readonly user: string;
  readonly isAscii: boolean;
}

function recipientOf(address: string): Recipient | undefined {
  const at = address.lastIndexOf('@');
  const user = address.slice(0, at);
  const domain = asciiDomain(address.slice(at + 1));
  return domain === undefined
    ? undefined
    : { address: `${user}@${domain}`, user, isAscii: !/[^\p{ASCII}]/u.test(user) };
}

/** The same for the same mail at every attempt: whoever gets it twice can tell. */
function messageId({ from }: Account, { mark }: Mail): string {
  return `<${mark}@${from.address.slice(from.address.lastIndexOf('@') + 1)}>`;
}

/** The mail as it goes over the wire. Nothing in it is fetched from a disk or the web. */
async function contentOf(
  Composer: typeof MailComposer,
  account: Account,
  mail: Mail,
  to: string,
): Promise<Buffer> {
  const { unsubscribe, list } = mail;
  const domain = account.from.address.slice(account.from.address.lastIndexOf('@') + 1);
  const composed = new Composer({
    from: { ...account.from },
    to: { name: '', address: to },
    ...(account.replyTo === undefined ? {} : { replyTo: { name: '', address: account.replyTo } }),
    subject: mail.subject,
    text: mail.text,
    html: mail.html,
    messageId: messageId(account, mail),
    disableFileAccess: true,
    disableUrlAccess: true,
    newline: 'win',
    headers: {
      // Nobody's holiday should answer it.
      'Auto-Submitted': 'auto-generated',
      ...(list === undefined ? {} : { 'List-Id': `<${list}.${domain}>` }),
      ...(unsubscribe === undefined ? {} : unsubscribeHeaders(unsubscribe)),
    },
  });
  return composed.compile().build();
}

/** RFC 2369 and, where the address is encrypted, the one click of RFC 8058. */
function unsubscribeHeaders(url: string): Readonly<Record<string, string>> {
  return {
    'List-Unsubscribe': `<${url}>`,
    ...(url.startsWith('https:') ? { 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' } : {}),
  };
}
